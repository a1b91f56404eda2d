"""Snapshots of machines: those that were made here are used, those of others not. The cache, and what is built."""

import contextlib
import io
import json
import os
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from .. import boots, build, cache, machine, manifest, origin
from ..say import Problem

MACHINE = machine.Machine(512, 2, "lsi53c895a", ("disk.img",), "console=ttyS0 quiet")


def write_boot(folder: Path) -> boots.Boot:
    """A boot with files of no contents to speak of."""
    folder.mkdir(parents=True)
    files = boots.needed_files(MACHINE)
    for name in files:
        (folder / name).write_text(name)
    facts = {"format": boots.FORMAT, "machine": MACHINE.facts(), "kernel": {"release": "6.1", "build_id": "00"},
             "qemu": {"version": "10.0.2"}, "clock": 5000, "seconds": 1.0, "files": manifest.listing_of(folder, files),
             "guest": {"file_system": "xfs", "scheduler": "", "mount_options": "", "mkfs_options": "", "disk_megabytes": 320}}
    text = json.dumps(facts)
    (folder / boots.NAME).write_text(text)
    (folder / boots.TAG).write_text(origin.tag(text.encode()))
    return boots.read(folder)


class Own(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.place = Path(scratch.name)
        self.use("here")
        self.boot = write_boot(cache.cache_root() / boots.KIND / "made-1")
        self.recording = self.place / "recording"
        self.recording.mkdir()

    def use(self, name: str) -> None:
        """Use another cache, as on another machine."""
        patch = mock.patch.dict(os.environ, {"IOTRACE_CACHE": str(self.place / name)})
        patch.start()
        self.addCleanup(patch.stop)
        boots._find.cache_clear()

    def boot_of(self, trusted: bool = False, described: machine.Machine = MACHINE) -> boots.Boot:
        """The boot of the recording."""
        facts = manifest.Manifest({}, {}, {}, replace(described, boot=self.boot.checksum), {}, None, trusted)
        with contextlib.redirect_stderr(io.StringIO()):
            return boots.of(self.recording, facts)

    def test_one_that_was_made_here_is_used(self) -> None:
        self.assertEqual(self.boot_of().folder, self.boot.folder)

    def test_one_that_comes_with_a_recording_is_used_where_it_was_made(self) -> None:
        boots.bundle(self.boot, self.recording)
        with contextlib.redirect_stderr(io.StringIO()):
            boots.remove(["made-1"])
        self.assertEqual(self.boot_of().checksum, self.boot.checksum)

    def test_one_of_another_machine_is_refused_unless_trusted(self) -> None:
        boots.bundle(self.boot, self.recording)
        self.use("there")
        self.assertRaisesRegex(Problem, "--trust-snapshots", self.boot_of)
        self.assertEqual(boots.all_boots(), [])
        self.assertEqual(self.boot_of(trusted=True).checksum, self.boot.checksum)
        boots._find.cache_clear()
        self.assertRaisesRegex(Problem, "--trust-snapshots", self.boot_of)  # it is in the cache now

    def test_one_whose_tag_or_manifest_was_changed_is_not_own(self) -> None:
        self.assertTrue(self.boot.is_own())
        tag = self.boot.folder / boots.TAG
        right = tag.read_text()
        for wrong in ("", "0" * 64, right[:-1], "\x80", "ü" * 64):
            tag.write_text(wrong, encoding="latin-1")
            self.assertFalse(self.boot.is_own(), wrong)
        tag.unlink()
        self.assertFalse(self.boot.is_own())
        tag.write_text(right)
        (self.boot.folder / boots.NAME).write_text(json.dumps(self.boot.facts | {"clock": 5001}))
        self.assertFalse(boots.read(self.boot.folder).is_own())

    def test_a_file_that_was_changed_is_found_though_its_size_is_the_same(self) -> None:
        state = self.boot.folder / "state.qcow2.zst"
        state.write_text("State.qcow2.zst")
        self.assertRaisesRegex(Problem, "was changed", self.boot_of)

    def test_a_recording_of_another_machine_is_refused(self) -> None:
        for fact, value in (("memory", 513), ("controller", "megasas"), ("shift", 3), ("cpu", "max"), ("seekable", False),
                            ("command_line", "quiet"), ("disks", ("disk.img", "witness.img"))):
            changed: dict[str, Any] = {fact: value}
            with self.assertRaisesRegex(Problem, f"machine {fact}"):
                self.boot_of(described=replace(MACHINE, **changed))

    def test_one_of_another_machine_is_set_aside_not_deleted(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            boots._set_aside(self.boot)
        self.assertEqual([boot.checksum for boot in boots.all_boots()], [self.boot.checksum])
        self.assertFalse(self.boot.folder.exists())


class Key(unittest.TestCase):
    def test_it_is_made_once_and_readable_to_its_user_alone(self) -> None:
        with tempfile.TemporaryDirectory() as place, mock.patch.dict(os.environ, {"IOTRACE_CACHE": f"{place}/cache"}):
            self.assertFalse(origin.is_own(b"x", "0" * 64))
            self.assertFalse((Path(place) / "cache" / origin.KEY).exists())
            tag = origin.tag(b"x")
            self.assertTrue(origin.is_own(b"x", tag) and origin.tag(b"x") == tag)
            self.assertFalse(origin.is_own(b"y", tag))
            key = Path(place) / "cache" / origin.KEY
            self.assertEqual((key.stat().st_mode & 0o777, key.stat().st_size), (0o600, origin.KEY_BYTES))
            self.assertEqual(sorted(path.name for path in key.parent.iterdir()), [".key.lock", origin.KEY])
            key.write_bytes(b"short")
            self.assertRaises(Problem, origin.tag, b"x")


class Cache(unittest.TestCase):
    def test_a_cache_that_cannot_be_used_is_named(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "file"
            file.touch()
            for root, used in ((file, "not a directory"), (file / "below", "Not a directory")):
                with mock.patch.dict(os.environ, {"IOTRACE_CACHE": str(root)}):
                    with self.assertRaisesRegex(Problem, f"{used}.*IOTRACE_CACHE"):
                        cache.entry("kind", "name", lambda _: None)
        with mock.patch.dict(os.environ, {"IOTRACE_CACHE": "/proc/iotrace"}):  # nobody can write there
            with self.assertRaisesRegex(Problem, "/proc/iotrace.*IOTRACE_CACHE"):
                cache.entry("kind", "name", lambda _: None)


    def test_an_error_of_a_write_is_named_by_the_folder_of_the_entry(self) -> None:
        def full(folder: Path) -> None:
            with open("/dev/full", "w") as file:
                file.write("x")

        with tempfile.TemporaryDirectory() as place, mock.patch.dict(os.environ, {"IOTRACE_CACHE": place}):
            with self.assertRaises(OSError) as refused:
                cache.entry("kind", "name", full)
            self.assertIn("kind/.name.making-", refused.exception.filename)
            self.assertEqual(os.listdir(Path(place) / "kind"), [".name.lock"])

    def test_an_entry_loses_its_name_before_its_files(self) -> None:
        with tempfile.TemporaryDirectory() as place, mock.patch.dict(os.environ, {"IOTRACE_CACHE": place}):
            entry = cache.entry("kind", "name", lambda folder: (folder / "file").touch())
            cache.discard(entry, lambda: False)
            self.assertTrue((entry / "file").exists())
            with mock.patch("shutil.rmtree"):  # as if it was killed there
                cache.discard(entry)
            self.assertFalse(entry.exists())
            self.assertEqual(len(list(entry.parent.glob(".name.making-*"))), 1)
            cache.entry("kind", "name", lambda _: None)
            self.assertEqual(sorted(os.listdir(entry.parent)), [".name.lock", "name"])


class Building(unittest.TestCase):
    def test_a_missing_cargo_is_named_with_what_to_do(self) -> None:
        with tempfile.TemporaryDirectory() as empty, mock.patch.dict(os.environ, {"PATH": empty}):
            self.assertRaisesRegex(Problem, "no program 'cargo'.*--plugin", build.up_to_date)


if __name__ == "__main__":
    unittest.main()
