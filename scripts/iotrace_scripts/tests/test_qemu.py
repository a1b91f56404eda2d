"""A QEMU that is watched: what becomes of one that stands still. Programs that speak its protocol stand for it."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from .. import progress, qemu, recording, standstill
from ..say import Problem
from ..standstill import Standstill, Subject

# Answers as QEMU does; MODE is how it goes on.
FAKE = """
import json, socket, sys
control = socket.socket(fileno=int(sys.argv[sys.argv.index("-chardev") + 1].rpartition("fd=")[2]))
print("a word", flush=True)

def send(message):
    control.sendall(json.dumps(message).encode() + b"\\n")

send({"QMP": {}})
executed = 1000
for line in control.makefile():
    asked = json.loads(line)["execute"]
    if asked == "quit" and "MODE" == "deaf":
        continue
    executed += "MODE" == "ends"
    answers = {"query-replay": {"icount": executed}, "human-monitor-command": "RIP=ffffffff81234567 HLT=1"}
    send({"return": answers.get(asked, {})})
    if "MODE" == "full" and asked == "query-replay":
        send({"event": "BLOCK_IO_ERROR"})
        send({"event": "STOP"})
    if asked == "quit" or executed > 1003:
        sys.exit(0)
"""
SILENT = "import time; time.sleep(3600)"


class Watching(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.console = self.folder / "console.txt"
        self.console.write_text("\x1b[2Jevil\u202e\n")
        for where, name, value in ((progress.Progress, "CPU_SECONDS", 1000.0), (progress.Progress, "IDLE_SECONDS", -1.0),
                                   (qemu, "ASK_SECONDS", 0.0), (qemu.Watched, "POLL_SECONDS", 0.01),
                                   (qemu.Watched, "QUIT_SECONDS", 0.01), (standstill, "ANSWER_SECONDS", 1.0)):
            patch = mock.patch.object(where, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def watch(self, program: str) -> qemu.Ended:
        """Runs a program in place of QEMU."""
        watched = qemu.Watched([sys.executable, "-c", program], self.folder, self.console, "replaying",
                               Subject("lsi53c895a", self.folder))
        with contextlib.redirect_stderr(io.StringIO()):
            return watched.run()

    def test_one_that_gets_on_ends_by_itself(self) -> None:
        with mock.patch.object(progress.Progress, "IDLE_SECONDS", 3600.0):
            ended = self.watch(FAKE.replace("MODE", "ends"))
        self.assertEqual((ended.status, ended.said), (0, "a word"))

    def test_one_that_stands_still_is_ended_and_described(self) -> None:
        for mode in ("answers", "deaf"):
            with mock.patch.object(progress.Progress, "IDLE_SECONDS", 0.5), self.assertRaises(Standstill) as stood:
                self.watch(FAKE.replace("MODE", mode))
            self.assertEqual(stood.exception.executed, 1000)
            for part in ("has executed 1000 instructions", "at 0xffffffff81234567, halted", "evil", "a word"):
                self.assertIn(part, str(stood.exception))

    def test_one_that_never_answers_is_killed(self) -> None:
        with mock.patch("iotrace_scripts.standstill.ANSWER_SECONDS", 0.01), self.assertRaises(Standstill) as stood:
            self.watch(SILENT)
        self.assertIsNone(stood.exception.executed)

    def test_a_guest_that_is_hopeless_is_given_up(self) -> None:
        watched = qemu.Watched([sys.executable, "-c", SILENT], self.folder, self.console, "recording", Subject("megasas", self.folder))
        with mock.patch.object(progress.Progress, "IDLE_SECONDS", 3600.0), mock.patch("iotrace_scripts.standstill.ANSWER_SECONDS", 0.01), \
                contextlib.redirect_stderr(io.StringIO()), self.assertRaisesRegex(Standstill, "does not get up"):
            watched.run(lambda seconds: "does not get up")

    def test_a_guest_that_hangs_is_known_by_its_console(self) -> None:
        starting, going_on = (recording.Hopeless(self.console, is_up) for is_up in (False, True))
        self.assertEqual((starting(599.0), going_on(10_000.0)), ("", ""))
        self.assertIn("init within 600 s", starting(601.0))
        self.console.write_text("iotrace: workload begins\n")
        self.assertEqual(starting(100_000.0), "")
        self.console.write_text("[    1.0] Kernel panic - not syncing: \x1b[2J\n")
        self.assertEqual([starting(seconds) for seconds in (100_001.0, 100_021.0, 100_021.5)], ["", "", "the guest's kernel panicked"])

    def test_one_whose_disk_is_full_is_a_problem_of_the_disk(self) -> None:
        with mock.patch.object(progress.Progress, "IDLE_SECONDS", 3600.0), self.assertRaisesRegex(Problem, "disk image"):
            self.watch(FAKE.replace("MODE", "full"))

    def test_a_log_that_cannot_be_written_is_a_problem(self) -> None:
        for program in ("print('replay write error')", "print('replay write error', flush=True)\n" + SILENT):
            with mock.patch("iotrace_scripts.standstill.ANSWER_SECONDS", 0.01), mock.patch.object(progress.Progress, "IDLE_SECONDS", 0.5), \
                    self.assertRaisesRegex(Problem, "cannot write its log"):
                self.watch(program)


if __name__ == "__main__":
    unittest.main()
