"""The modules of a kernel folder."""

import gzip
import lzma
import tempfile
import unittest
from pathlib import Path

from .. import modules
from ..say import Problem

FIXTURE = Path(__file__).resolve().parents[3] / "schemas/kernel/tests/data/module.ko"


class Compressed(unittest.TestCase):
    def test_compressed_modules_are_read_as_the_others(self) -> None:
        plain = FIXTURE.read_bytes()
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "modules").mkdir()
            (folder / "modules" / "a-b.ko.xz").write_bytes(lzma.compress(plain, check=lzma.CHECK_CRC32))
            (folder / "modules" / "c.ko.gz").write_bytes(gzip.compress(plain))
            (folder / "modules" / "d.ko").write_bytes(plain)
            (folder / "modules" / "e.txt").write_text("no module")
            found = modules.files_of(folder)
            self.assertEqual(sorted(found), ["a_b", "c", "d"])
            self.assertEqual({modules.contents(file) for file in found.values()}, {plain})
            self.assertEqual(modules.Dependencies.read(folder).needs["a_b"], ["scsi_mod", "raid_class"])

    def test_a_folder_without_modules_has_none(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            self.assertEqual(modules.files_of(Path(place)), {})


class Order(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory(prefix="iotrace-test-")
        self.addCleanup(place.cleanup)
        self.kernel = Path(place.name)
        (self.kernel / "modules").mkdir()
        (self.kernel / "modules" / "sd_mod.ko").touch()
        (self.kernel / "modules.dep").write_text("sd_mod.ko: scsi_mod.ko\nscsi_mod.ko:\n")

    def test_what_is_built_in_is_named_by_modules_builtin(self) -> None:
        with self.assertRaisesRegex(Problem, "no module 'ext4'.*; if it is built in, copy modules.builtin"):
            modules.files_in_order(self.kernel, ["ext4"])
        (self.kernel / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\nkernel/drivers/scsi/scsi_mod.ko\n")
        self.assertEqual(list(modules.files_in_order(self.kernel, ["ext4", "sd_mod"])), ["sd_mod"])
        with self.assertRaisesRegex(Problem, "no module 'xfs', neither as a file nor built in$"):
            modules.files_in_order(self.kernel, ["xfs"])

    def test_a_file_that_modules_dep_names_has_to_be_there(self) -> None:
        with self.assertRaisesRegex(Problem, "the module 'scsi_mod', which modules.dep names, is not in .*/modules: copy"):
            modules.files_in_order(self.kernel, ["sd_mod"])


if __name__ == "__main__":
    unittest.main()
