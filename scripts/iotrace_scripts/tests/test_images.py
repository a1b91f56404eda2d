"""Images of distributions: what is put into them, and what is taken from them."""

import io
import tarfile
import tempfile
import unittest
from pathlib import Path

from iotrace_scripts import images
from iotrace_scripts.say import Problem


class Images(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory(prefix="iotrace-test-")
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)

    def archive(self, members: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
        path = self.place / "handed.img"
        with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as out:
            for name, contents in members.items():
                member = tarfile.TarInfo(name)
                member.type, member.size = kind, len(contents) if kind == tarfile.REGTYPE else 0
                member.linkname = "/etc/passwd"
                out.addfile(member, io.BytesIO(contents))
        return path

    def test_only_expected_files_are_taken_and_none_outside_the_folder(self) -> None:
        names = ["./vmlinuz", "./modules/a-b.ko.xz", "modules/../../evil.ko", "../vmlinuz", "/uuid", "./other", "modules/sub/x.ko", "config"]
        folder = self.place / "in" / "out"
        images._take(self.archive({name: name.encode() for name in names}), folder)
        found = sorted(str(path.relative_to(self.place)) for path in self.place.rglob("*") if path.is_file())
        self.assertEqual(found, ["handed.img", "in/out/config", "in/out/modules/a-b.ko.xz", "in/out/vmlinuz"])

    def test_links_are_not_taken(self) -> None:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            folder = self.place / f"links{kind.decode()}"
            images._take(self.archive({"./vmlinuz": b""}, kind), folder)
            self.assertFalse((folder / "vmlinuz").exists())

    def test_what_is_no_archive_is_refused(self) -> None:
        path = self.place / "noise"
        path.write_bytes(bytes(range(1, 256)) * 8)
        with self.assertRaisesRegex(Problem, "cannot be read"):
            images._take(path, self.place / "out")

    def test_the_image_gets_a_unit_and_the_command(self) -> None:
        with tarfile.open(fileobj=io.BytesIO(images._put("echo 'a b'"))) as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
        self.assertEqual(files["usr/local/lib/iotrace/workload"], b"echo 'a b'\n")
        self.assertIn(b"ExecStart=/usr/local/lib/iotrace/run\n", files["etc/systemd/system/iotrace.service"])

    def test_options_of_our_own_guests_are_refused(self) -> None:
        images.refuse([("--boot", False), ("--add", [])])
        with self.assertRaisesRegex(Problem, "--image cannot be used with --boots, --add"):
            images.refuse([("--boots", 3), ("--boot", False), ("--add", ["x"])])
