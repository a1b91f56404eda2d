"""The modules of a kernel folder."""

import gzip
import lzma
import tempfile
import unittest
from pathlib import Path

from .. import modules

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


if __name__ == "__main__":
    unittest.main()
