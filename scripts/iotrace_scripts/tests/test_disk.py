"""Disk images for older kernels, and how a kernel's version is found."""

import struct
import tempfile
import unittest
from pathlib import Path

from iotrace_scripts import disk, releases


class LeftOut(unittest.TestCase):
    def test_an_old_xfs_is_of_version_4_and_a_newer_one_lacks_what_came_later(self) -> None:
        def left_out(*linux: int) -> str:
            return " ".join(disk.left_out("xfs", (linux[0], linux[1]), ""))

        self.assertEqual(left_out(3, 10), "-n ftype=0 -m crc=0")
        self.assertEqual(left_out(3, 15), "-m crc=0")
        self.assertEqual(left_out(4, 9), "-m reflink=0 -m rmapbt=0 -m bigtime=0 -m inobtcount=0 -i nrext64=0")
        self.assertEqual(left_out(4, 19), "-m bigtime=0 -m inobtcount=0 -i nrext64=0")
        self.assertEqual(left_out(6, 1), "")

    def test_other_file_systems_have_their_own(self) -> None:
        self.assertEqual(disk.left_out("ext4", (3, 10), ""), ["-O", "^metadata_csum_seed", "-O", "^orphan_file"])
        self.assertEqual(disk.left_out("btrfs", (4, 4), ""), ["-R", "^free-space-tree"])
        self.assertEqual(disk.left_out("vfat", (3, 10), ""), [])
        self.assertEqual(disk.left_out("xfs", None, ""), [])

    def test_what_the_user_says_counts(self) -> None:
        self.assertEqual(disk.left_out("xfs", (3, 10), "-m crc=0 -n ftype=1"), [])
        self.assertNotIn("crc=0", disk.left_out("xfs", (3, 10), "-m crc=1"))
        self.assertIn("finobt=0", disk.left_out("xfs", (3, 10), "-m crc=1"))
        self.assertEqual(disk.left_out("xfs", (4, 19), "-b size=1024 -m bigtime=1,inobtcount=1"), ["-i", "nrext64=0"])
        self.assertEqual(disk.left_out("ext4", (5, 10), "-O orphan_file"), [])


class Release(unittest.TestCase):
    def image(self, text: bytes, mark: bytes = b"HdrS", at: int = 0x300) -> Path:
        place = tempfile.TemporaryDirectory(prefix="iotrace-test-")
        self.addCleanup(place.cleanup)
        head = bytearray(0x1000)
        head[0x202:0x206] = mark
        struct.pack_into("<H", head, 0x20E, at)
        head[at + 0x200:at + 0x200 + len(text)] = text
        path = Path(place.name) / "vmlinuz"
        path.write_bytes(head)
        return path

    def test_the_boot_image_says_it(self) -> None:
        release = releases.of_boot_image(self.image(b"3.10.0-1160.el7.x86_64 (me@here) #1 SMP\0"))
        self.assertEqual((release, releases.version(release)), ("3.10.0-1160.el7.x86_64", (3, 10)))
        self.assertEqual(releases.version("7.3~rc1"), (7, 3))

    def test_a_file_that_is_none_has_none(self) -> None:
        self.assertEqual(releases.of_boot_image(self.image(b"3.10.0\0", mark=b"none")), "")
        self.assertEqual(releases.of_boot_image(self.image(b"", at=0)), "")
        short = self.image(b"")
        short.write_bytes(b"MZ")
        self.assertEqual(releases.of_boot_image(short), "")
        self.assertIsNone(releases.version(""))
        self.assertIsNone(releases.version("3"))


if __name__ == "__main__":
    unittest.main()
