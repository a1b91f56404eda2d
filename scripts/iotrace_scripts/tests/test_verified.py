"""Recordings are made again until one replays, and later replays are compared with the first one."""

import contextlib
import io
import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

from .. import machine, manifest, plugin, qemu, recording, scratch, traced, verified
from ..recording import NotReplayed
from ..say import Problem
from ..standstill import Standstill
from .test_standstill import FakeMonitor

MACHINE = machine.Machine(512, 2, "lsi53c895a", ("disk.img",), "quiet")
DIFFERS = NotReplayed("line 3 differs")
STANDS = Standstill("replaying", FakeMonitor(1, {}))


class Folder(unittest.TestCase):
    """An empty folder, and a plugin without anything in it."""

    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)
        (self.folder / scratch.MARKER).touch()
        built = tempfile.TemporaryDirectory()
        self.addCleanup(built.cleanup)
        self.used = plugin.Plugin(Path(built.name) / "libiotrace.so", Path(built.name) / "vmlinux", Path(built.name))
        self.used.path.write_text("plugin")

    def facts(self) -> manifest.Manifest:
        return manifest.Manifest({"folder": "/k", "build_id": "00"}, {"version": "10.0.2"}, {}, MACHINE, {})


class Trying(Folder):
    def record(self, outcomes: list[Problem | None]) -> tuple[int, str]:
        """Records, with this outcome of each verification; returns how often, and what was printed."""
        def make(_: object, folder: Path) -> None:
            self.assertEqual([path.name for path in folder.iterdir()], [scratch.MARKER])
            (folder / "rr.log").touch()
            (folder / "folder").mkdir()

        with mock.patch.object(recording, "record", side_effect=make) as made, \
                mock.patch.object(verified, "verify", side_effect=outcomes), contextlib.redirect_stderr(io.StringIO()) as said:
            verified.record(mock.Mock(), self.folder, self.used)
        return made.call_count, said.getvalue()

    def test_the_first_that_replays_is_kept(self) -> None:
        self.assertEqual(self.record([None]), (1, ""))
        self.assertTrue((self.folder / "rr.log").exists())

    def test_what_does_not_replay_is_recorded_again_and_counted(self) -> None:
        count, said = self.record([DIFFERS, STANDS, None])
        self.assertEqual(count, 3)
        self.assertIn("recording 1 of at most 5 does not replay; recording again: line 3 differs", said)
        self.assertIn("recording 3 replays; 2 before it did not", said)

    def test_five_that_do_not_replay_are_an_error_with_the_status_of_the_last(self) -> None:
        for last, status in ((DIFFERS, 4), (STANDS, 3)):
            verified.empty(self.folder)
            with self.assertRaises(Problem) as refused:
                self.record([DIFFERS] * 4 + [last])
            self.assertEqual(refused.exception.status, status)
            self.assertIn("none of 5 recordings replays", str(refused.exception))

    def test_another_error_is_not_tried_again(self) -> None:
        with self.assertRaisesRegex(Problem, "no cargo"):
            self.record([Problem("no cargo")])


class Comparing(Folder):
    def test_the_guests_clock_is_read_shortly_behind_the_last_mark(self) -> None:
        console = self.folder / qemu.CONSOLE
        console.write_text("iotrace: clock 1000\niotrace: clock 26480426802\niotrace: powering off\n")
        verified.check_clock(self.folder, 26480426794)
        for reached in (None, 26480426803, 26480426802 - traced.BEHIND - 1, 0):
            self.assertRaises(NotReplayed, verified.check_clock, self.folder, reached)
        console.write_text("iotrace: powering off\n")
        self.assertRaises(NotReplayed, verified.check_clock, self.folder, 26480426794)

    def test_a_console_that_differs_or_ends_early_is_no_replay(self) -> None:
        (self.folder / qemu.CONSOLE).write_text("one\ntwo\n")
        replayed = self.folder / "replayed"
        for text, good in (("one\ntwo\n", True), ("one\n", False), ("one\nTwo\n", False), ("", False)):
            replayed.write_text(text)
            with contextlib.nullcontext() if good else self.assertRaises(NotReplayed):
                recording.same_console(self.folder, replayed)

    def test_an_end_of_qemu_is_a_difference_only_if_it_is_about_the_log(self) -> None:
        recording.check_ended(qemu.Ended(0, "", 1.0))
        for status, said, kind in ((1, "Missing character write event in the replay log", NotReplayed), (-6, "", NotReplayed),
                                   (1, "iotrace: cannot write the trace /replay.iot", Problem), (1, "could not load plugin", Problem)):
            with self.assertRaises(Problem) as refused:
                recording.check_ended(qemu.Ended(status, said, 1.0))
            self.assertIs(type(refused.exception), kind, said)

    def test_a_trace_of_the_same_plugin_has_the_same_bytes(self) -> None:
        first, trace = self.folder / manifest.TRACE, self.folder / "second.iot"
        first.write_text("trace")
        of = {"recordings": 1, "over": 100, "plugin": traced.fingerprint(self.used, self.facts())}
        facts = replace(self.facts(), files=manifest.listing_of(self.folder, [manifest.TRACE]), verified=of)
        for text, good in (("trace", True), ("trade", False)):
            trace.write_text(text)
            with contextlib.nullcontext() if good else self.assertRaisesRegex(NotReplayed, "differs from"):
                traced.compare(self.folder, facts, self.used, trace)
        # of another build, by the number of instructions
        self.used.path.write_text("another build")
        analyzer = self.used.path.with_name("iotrace-analyze")
        for clock, good in ((100, True), (101, False)):
            analyzer.write_text(f"#!/bin/sh\necho '{json.dumps({'marks': [{'code': traced.OVER, 'clock': clock, 'ns': 1}]})}'\n")
            analyzer.chmod(0o755)
            with contextlib.redirect_stderr(io.StringIO()), \
                    contextlib.nullcontext() if good else self.assertRaisesRegex(NotReplayed, "instruction 101"):
                traced.compare(self.folder, facts, self.used, trace)

    def test_a_recording_that_was_not_verified_is_not_compared(self) -> None:
        traced.compare(self.folder, self.facts(), self.used, self.folder / "none")

    def test_a_trace_that_was_truncated_is_made_whole_or_reported_as_empty(self) -> None:
        trace, analyzer = self.folder / "t.iot", self.used.path.with_name("iotrace-analyze")
        trace.write_text("damaged")
        analyzer.write_text('#!/bin/sh\n[ "$1" = recover ] || exit $(($([ -e "${2%/*}/empty" ] && echo 1 || echo 3)))\n[ ! -e "${2%/*}/empty" ] || exit 1\necho whole >"$4"; exit 3\n')
        analyzer.chmod(0o755)
        (self.folder / "empty").touch()
        self.assertFalse(traced.make_whole(self.used, trace))
        (self.folder / "empty").unlink()
        self.assertTrue(traced.make_whole(self.used, trace))
        self.assertEqual(trace.read_text(), "whole\n")
        self.assertFalse(traced.make_whole(self.used, self.folder / "none"))

    def test_a_truncated_trace_stays_as_it_is_if_there_is_no_room_for_another_one(self) -> None:
        trace, analyzer = self.folder / "t.iot", self.used.path.with_name("iotrace-analyze")
        trace.write_text("truncated")
        analyzer.write_text('#!/bin/sh\n[ "$1" = recover ] && exit 1\nexit 3\n')
        analyzer.chmod(0o755)
        self.assertTrue(traced.make_whole(self.used, trace))
        self.assertEqual(trace.read_text(), "truncated")


if __name__ == "__main__":
    unittest.main()
