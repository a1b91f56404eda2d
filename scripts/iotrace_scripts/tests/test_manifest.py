"""Manifests: whatever is in them, they are refused or say what was recorded."""

import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import machine, manifest
from ..say import Problem

MACHINE = machine.Machine(512, 2, "lsi53c895a", ("disk.img",), "console=ttyS0 quiet", boot="ab" * 32)
FILES = ("rr.log", "console.txt", "workload.tar", "trace.iot")
VERIFIED = {"recordings": 1, "over": 6_598_753_700, "plugin": "0123456789ab"}


def facts(described: machine.Machine = MACHINE) -> dict[str, Any]:
    """What a recording says of itself."""
    return {
        "kernel": {"folder": "/kernels/debian-6.1", "release": "6.1.0-50-amd64", "build_id": "06f8bde3"},
        "qemu": {"version": "10.0.2"},
        "machine": described.facts(),
        "guest": {"file_system": "xfs", "scheduler": "", "workload": "sh:date\n", "tick": 8192, "witness": False, "status": 0,
                  "deterministic": False},
        "seconds": 0.9,
    }


class Folder(unittest.TestCase):
    """A recording's folder."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        for name in FILES:
            (self.folder / name).write_text(name)
        manifest.write(self.folder, facts(), FILES[:3])
        manifest.add_verified(self.folder, VERIFIED)
        self.path = self.folder / manifest.NAME
        self.text = self.path.read_bytes()

    def read(self, text: bytes) -> manifest.Manifest:
        return manifest.decode(text)

    def refused(self, facts: Any) -> str:
        with self.assertRaises(Problem) as refused:
            self.read(json.dumps(facts).encode())
        return str(refused.exception)

    def seal(self, facts: dict[str, Any]) -> dict[str, Any]:
        """With the checksum that they have to have."""
        return {**facts, "sha256": manifest.checksum(facts)}


class Accidents(Folder):
    def test_what_is_written_is_read(self) -> None:
        found = manifest.read(self.folder)
        self.assertEqual((found.machine, found.verified), (MACHINE, VERIFIED))
        self.assertEqual(found.guest, facts()["guest"])
        manifest.check(self.folder, found)

    def test_each_flipped_bit_is_refused_or_harmless(self) -> None:
        original, harmless = manifest.read(self.folder), 0
        for bit in range(8 * len(self.text)):
            flipped = bytearray(self.text)
            flipped[bit // 8] ^= 1 << bit % 8
            try:
                self.assertEqual(self.read(bytes(flipped)), original, f"bit {bit}")
                harmless += 1
            except Problem:
                pass
        self.assertLess(harmless, len(self.text))  # of white space alone

    def test_a_truncated_manifest_is_refused(self) -> None:
        for length in range(len(self.text) - 1):
            with self.assertRaises(Problem):
                self.read(self.text[:length])

    def test_a_changed_machine_is_refused_at_once(self) -> None:
        for fact, value in (("memory", 513), ("controller", "megasas")):
            changed = json.loads(self.text)
            changed["machine"][fact] = value
            self.assertIn("it was modified or is damaged", self.refused(changed))


class Malice(Folder):
    def test_what_is_no_manifest_is_refused(self) -> None:
        for text in (b"", b"[]", b"null", b"1", b'"x"', b"{}", b"\xff", b"\xfe\xff", b"NaN", b"[" * 100_000, b"1" * 100_000,
                     b" " * (manifest.LARGEST + 1), b'{"format": 5}', b'{"format": true}', b'{"format": 5.0}', b'{"format": 1e999}'):
            with self.assertRaises(Problem, msg=text[:20]):
                self.read(text)

    def test_a_name_that_occurs_twice_is_refused(self) -> None:
        twice = self.text.replace(b'"format": 5,', b'"format": 5, "format": 5,')
        with self.assertRaises(Problem):
            self.read(twice)

    def places(self, facts: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
        """All members of all objects."""
        found = [(facts, name) for name in facts]
        return found + [place for value in facts.values() if isinstance(value, dict) for place in self.places(value)]

    def test_values_of_other_types_with_a_right_checksum_are_refused_or_allowed_values(self) -> None:
        count = len(self.places(json.loads(self.text)))
        hostile: list[Any] = [None, True, [], {}, "", "x\x1b]0;t\x07", "\ud800", "x" * 100_000, -1, 1 << 200, 0.5, ["-plugin", "evil.so"]]
        for place in range(count):
            for value in hostile:
                changed = json.loads(self.text)
                members, name = self.places(changed)[place]
                members[name] = value
                changed = self.seal(changed) if name != "sha256" or members is not changed else changed
                try:
                    found = self.read(json.dumps(changed).encode())
                except Problem:
                    continue
                self.assertEqual(type(found.machine.memory), int)
                self.assertNotIn("\x1b", json.dumps(found.guest | found.kernel | found.qemu))

    def test_missing_and_additional_members_are_refused(self) -> None:
        for place in range(len(self.places(json.loads(self.text)))):
            changed = json.loads(self.text)
            members, name = self.places(changed)[place]
            if members is changed and name == "sha256":
                continue
            del members[name]
            self.refused(self.seal(changed))
            changed = json.loads(self.text)
            members, name = self.places(changed)[place]
            if members is not changed["files"]:
                members[f"{name}2"] = members[name]
                self.refused(self.seal(changed))

    def test_a_file_outside_of_the_folder_is_refused(self) -> None:
        for name in ("../secret", "/etc/passwd", ".hidden", "a/b", "a\0", "", "-x", "x" * 300):
            changed = json.loads(self.text)
            changed["files"][name] = changed["files"]["rr.log"]
            self.assertIn("is not the name of a file", self.refused(self.seal(changed)))
        many = json.loads(self.text)
        many["files"] |= {f"file{number}": many["files"]["rr.log"] for number in range(manifest.MOST_FILES)}
        self.assertIn("at most", self.refused(self.seal(many)))

    def test_a_file_that_is_no_manifest_is_refused(self) -> None:
        for text in (None, b"", b"[]", b"null"):
            self.path.unlink(missing_ok=True)
            if text is not None:
                self.path.write_bytes(text)
            self.assertRaises(Problem, manifest.read, self.folder)

    def test_files_that_are_links_or_changed_are_refused(self) -> None:
        found = manifest.read(self.folder)
        (self.folder / "rr.log").write_text("rr.lok")
        self.assertRaises(Problem, manifest.check, self.folder, found)
        (self.folder / "rr.log").unlink()
        (self.folder / "rr.log").symlink_to(self.folder / "console.txt")
        self.assertRaises(Problem, manifest.check, self.folder, found)

    def test_images_are_opened_as_raw_by_a_name_in_the_folder(self) -> None:
        for described in (MACHINE, replace(MACHINE, disks=("disk.img", "witness.img"), boot="", archive=False)):
            for argument in described.arguments(machine.Run("replay", "console.txt")):
                if argument.startswith("file="):
                    options = dict(option.split("=") for option in argument.split(","))
                    self.assertEqual(options["format"], "raw")
                    self.assertIn(options["file"], ("disk.img", "witness.img"))


class Formats(Folder):
    def test_manifests_before_checksums_are_read(self) -> None:
        old = json.loads(self.text) | {"format": 3}
        del old["verified"], old["sha256"], old["replayable"]
        self.assertEqual(self.read(json.dumps(old).encode()).machine, MACHINE)
        self.assertIn("its sections are", self.refused(json.loads(self.text) | {"format": 3}))

    def test_manifests_of_format_4_are_of_recordings(self) -> None:
        old = json.loads(self.text) | {"format": 4}
        del old["replayable"]
        old["sha256"] = manifest.checksum(old)
        self.assertTrue(self.read(json.dumps(old).encode()).replayable)

    def test_what_was_traced_while_it_ran_needs_a_trace_and_no_log(self) -> None:
        live = json.loads(self.text) | {"replayable": False, "verified": None}
        live["files"] = {"console.txt": live["files"]["console.txt"], manifest.TRACE: live["files"]["console.txt"]}
        live["sha256"] = manifest.checksum(live)
        self.assertFalse(self.read(json.dumps(live).encode()).replayable)
        del live["files"][manifest.TRACE]
        live["sha256"] = manifest.checksum(live)
        self.assertIn("missing checksum of trace.iot", self.refused(live))
        recorded = live | {"replayable": True}
        recorded["sha256"] = manifest.checksum(recorded)
        self.assertIn("missing checksum of ", self.refused(recorded))


if __name__ == "__main__":
    unittest.main()
