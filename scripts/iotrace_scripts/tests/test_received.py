"""Files that people receive, changed at random: each is read, or refused with a Problem. The same changes in each run."""

import bz2
import copy
import functools
import gzip
import json
import lzma
import random
import struct
import tempfile
import unittest
from pathlib import Path
from typing import Any, Callable
from unittest import mock

from .. import boots, decompress, elf, machine, manifest, rrlog, stage
from ..say import Problem
from .test_manifest import FILES, VERIFIED, facts

ROUNDS = 2000  # for each kind of file
DATA = Path(__file__).resolve().parents[3] / "schemas" / "kernel" / "tests" / "data"
HOSTILE: list[Any] = [None, True, [], {}, "", "x\x1b]0;t\x07", "\ud800", "../x", "x" * 70_000, -1, 0, 1 << 64, 1 << 200, 0.5, 1e308, [[]]]


def changed(data: bytes, chance: random.Random) -> bytes:
    """With some bits and bytes changed, and parts left out, doubled, or cut off."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        if not found:
            break
        at = chance.randrange(len(found))
        to = min(len(found), at + chance.randint(0, 32))
        match chance.randrange(7):
            case 0:
                found[at] ^= 1 << chance.randrange(8)
            case 1:
                found[at] = chance.randrange(256)
            case 2:
                found[at:to] = chance.randbytes(to - at)
            case 3:
                del found[at:to]
            case 4:
                del found[at:]
            case 5:
                found[at:at] = found[at:to]
            case _:
                found[at:to] = bytes([chance.choice([0, 0x7F, 0x80, 0xFF])]) * (to - at)
    return bytes(found)


def _elf_of_image(image: Path, to: Path) -> None:
    decompress.elf_from_bzimage(image, to)


def change_member(value: Any, chance: random.Random) -> None:
    """Change, add or remove a member of an object or an array, at any depth."""
    while True:
        names = list(value) if isinstance(value, dict) else range(len(value))
        inner = [name for name in names if isinstance(value[name], (dict, list))]
        if inner and chance.random() < 0.7:
            value = value[chance.choice(inner)]
            continue
        break
    new = copy.deepcopy(chance.choice(HOSTILE))
    if isinstance(value, list):
        value.insert(chance.randint(0, len(value)), new)
    elif not names or chance.random() < 0.2:
        value[chance.choice(["", "sha256", "disk.img", "format", "boot", "errors"])] = new
    elif chance.random() < 0.2:
        del value[chance.choice(names)]
    else:
        value[chance.choice(names)] = new


class Received(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.file = self.folder / "file"
        self.chance = random.Random(1)
        self.read_ones = 0

    def give(self, read: Callable[[bytes], object], data: bytes) -> None:
        """What is not a Problem fails the test, with the bytes."""
        try:
            read(data)
            self.read_ones += 1
        except Problem as problem:
            self.assertTrue(str(problem))
        except Exception as error:
            self.fail(f"{error!r} for {data!r}")

    def give_all(self, read: Callable[[bytes], object], *seeds: bytes, rounds: int = ROUNDS) -> None:
        """Seeds, which are read, and what they are changed to."""
        for seed in seeds:
            read(seed)
        for _ in range(rounds):
            self.give(read, changed(self.chance.choice(seeds), self.chance))

    def as_file(self, read: Callable[[Path], object]) -> Callable[[bytes], object]:
        """Read it from a file."""
        def of(data: bytes) -> object:
            self.file.write_bytes(data)
            return read(self.file)

        return of

    def test_manifests(self) -> None:
        for name in FILES:
            (self.folder / name).write_text(name)
        manifest.write(self.folder, facts(), FILES[:3])
        manifest.add_verified(self.folder, VERIFIED)
        text = (self.folder / manifest.NAME).read_bytes()
        self.give_all(manifest.decode, text)
        for _ in range(ROUNDS):
            found = json.loads(text)
            for _ in range(self.chance.randint(1, 3)):
                change_member(found, self.chance)
            if self.chance.random() < 0.9 and "sha256" in found:
                found["sha256"] = manifest.checksum(found)
            self.give(manifest.decode, json.dumps(found).encode())

    def test_boots(self) -> None:
        described = machine.Machine(512, 2, "lsi53c895a", ("disk.img",), "console=ttyS0 quiet")
        files = {name: {"sha256": "ab" * 32, "bytes": 1} for name in boots.needed_files(described)}
        sections = {"kernel": {"release": "6.1", "build_id": "00"}, "qemu": {"version": "10.0.2"},
                    "guest": {"file_system": "xfs", "scheduler": "", "mount_options": "", "mkfs_options": "", "disk_megabytes": 320}}
        sound = {"format": boots.FORMAT, "machine": described.facts(), "clock": 5, "seconds": 1.0, "files": files, **sections}

        def read(data: bytes) -> object:
            (self.folder / boots.NAME).write_bytes(data)
            return boots.read(self.folder)

        self.give_all(read, json.dumps(sound).encode())
        for _ in range(ROUNDS):
            found = json.loads(json.dumps(sound))
            change_member(found, self.chance)
            self.give(read, json.dumps(found).encode())
        for text in (b"[" * 100_000, b"\xff", b" " * (manifest.LARGEST + 1), b"1" * 100_000):
            self.give(read, text)

    def test_logs_of_recordings(self) -> None:
        events = [(rrlog.INSTRUCTIONS, (7).to_bytes(4)), (1, b""), (rrlog.DISK, (3).to_bytes(8)), (rrlog.INSTRUCTIONS, (9).to_bytes(4)),
                  (rrlog.END, b"")]
        log = rrlog.VERSION.to_bytes(4) + bytes(8) + b"".join(bytes([kind]) + operands for kind, operands in events)
        self.assertIsNotNone(self.as_file(lambda path: rrlog.look(path, 7))(log))
        self.give_all(self.as_file(lambda path: rrlog.look(path, 7)), log)

    def test_images_of_states(self) -> None:
        header = stage.QCOW2_MAGIC + (3).to_bytes(4) + bytes(96)
        self.give_all(self.as_file(stage.check_state), header)

    def test_elf_files(self) -> None:
        def read(path: Path) -> None:
            elf.build_id(path), elf.modinfo(path, "depends")
            image = elf.Image.read(path)
            image.bytes_at(0x1000, 16), image.function(0x1000)

        seeds = [(DATA / name).read_bytes() for name in ("kernel.elf", "module.ko", "count_per_cpu.elf")]
        self.give_all(self.as_file(read), *seeds)
        self.assertGreater(self.read_ones, ROUNDS // 4)

    def test_boot_images_and_compressed_modules(self) -> None:
        contents = (DATA / "count_per_cpu.elf").read_bytes()
        for packed in (lzma.compress(contents), lzma.compress(contents, lzma.FORMAT_ALONE), gzip.compress(contents), bz2.compress(contents),
                       contents):
            image = bytearray(1024)
            image[0x1F1], image[0x202:0x206] = 1, b"HdrS"
            image[0x248:0x250] = struct.pack("<II", 0, len(packed) + 4)
            boot = bytes(image) + packed + len(contents).to_bytes(4, "little")
            extracted = self.folder / "vmlinux"
            extract = self.as_file(functools.partial(_elf_of_image, to=extracted))
            extract(boot)
            self.assertEqual(extracted.read_bytes(), contents)
            self.give_all(extract, boot, rounds=ROUNDS // 5)

    def test_what_decompresses_to_too_much_is_refused(self) -> None:
        zeros = bytes(1 << 20)
        with mock.patch.object(decompress, "LARGEST", 1 << 16):
            for packed in (lzma.compress(zeros), lzma.compress(zeros, lzma.FORMAT_ALONE), gzip.compress(zeros), bz2.compress(zeros)):
                with self.assertRaisesRegex(Problem, "more than 65536 bytes"):
                    decompress.payload(packed, "a file")
            with mock.patch.object(decompress, "_contents", lambda data, what: decompress._piped(["cat"], data, what)):
                with self.assertRaisesRegex(Problem, "more than 65536 bytes"):
                    decompress.payload(zeros, "a file")


if __name__ == "__main__":
    unittest.main()
