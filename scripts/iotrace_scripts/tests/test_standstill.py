"""When a QEMU is given up, and what is said of it then."""

import os
import tempfile
import unittest
from pathlib import Path
from typing import Iterable

from .. import recording, rrlog, standstill
from ..progress import Look, Progress
from ..say import Problem


def given_up(looks: Iterable[Look]) -> float | None:
    """When a QEMU that is seen like this is given up; None if it is not."""
    progress = Progress()
    return next((look.now for look in looks if progress.stalled(look)), None)


def every_second(seconds: int, busy: float, instructions: int | None = 1000, each: int = 0, cpu: float = 0.0) -> list[Look]:
    """So many seconds, with so much CPU time and so many instructions in each."""
    return [Look(float(now), cpu + busy * now, instructions if instructions is None else instructions + each * now)
            for now in range(seconds)]


class Giving(unittest.TestCase):
    def test_a_guest_that_computes_without_events_is_not(self) -> None:
        self.assertIsNone(given_up(every_second(60, 1.0, each=300_000_000)))

    def test_a_guest_that_gets_on_slowly_is_not(self) -> None:
        self.assertIsNone(given_up(every_second(3600, 1.0, each=1)))
        self.assertIsNone(given_up(Look(float(now), 0.0, 1000 + now // 15) for now in range(600)))

    def test_a_busy_one_without_instructions_is_after_five_seconds_of_cpu(self) -> None:
        self.assertEqual(given_up(every_second(60, 1.0)), 6.0)
        self.assertEqual(given_up(every_second(60, 0.5)), 11.0)

    def test_an_idle_one_is_after_twenty_seconds(self) -> None:
        self.assertEqual(given_up(every_second(60, 0.0)), 21.0)
        self.assertEqual(given_up(every_second(60, 0.01)), 21.0)

    def test_one_that_answers_no_more_is_as_one_that_gets_no_further(self) -> None:
        self.assertEqual(given_up(every_second(10, 1.0, each=1)[:5] + [Look(5.0 + now, 5.0 + now, 1004) for now in range(60)]), 10.0)

    def test_one_that_has_not_answered_yet_may_compute_longer(self) -> None:
        self.assertIsNone(given_up(every_second(300, 1.0, None)))
        self.assertEqual(given_up(every_second(60, 0.0, None)), 21.0)
        self.assertIsNotNone(given_up(every_second(700, 1.0, None)))


class Recorded(unittest.TestCase):
    """Guests that are recorded, judged by their console alone."""

    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.console = Path(place.name) / "console.txt"
        self.console.write_text("iotrace: workload begins\n")

    def test_a_workload_that_computes_is_not_given_up_without_a_limit(self) -> None:
        hopeless = recording.Hopeless(self.console, True)
        self.assertEqual([hopeless(float(second)) for second in range(10_000)], [""] * 10_000)

    def test_one_that_exceeds_its_limit_is(self) -> None:
        hopeless = recording.Hopeless(self.console, True, 60.0)
        self.assertEqual({hopeless(float(second)) for second in range(61)}, {""})
        self.assertIn("did not power off within 60 s, its console is unchanged for 61 s", hopeless(61.0))

    def test_when_the_console_last_grew_is_reported(self) -> None:
        hopeless = recording.Hopeless(self.console, True, 60.0)
        hopeless(0.0)
        with open(self.console, "a") as console:
            console.write("more\n")
        hopeless(50.0)
        self.assertIn("unchanged for 11 s", hopeless(61.0))


class FakeMonitor:
    """A QEMU that answers."""

    def __init__(self, executed: int | None, answers: dict[str, str]) -> None:
        self.executed, self.answers, self.patience = executed, answers, 60.0

    def monitor(self, command: str) -> str:
        for begin, answer in self.answers.items():
            if command.startswith(begin):
                return answer
        raise Problem("no answer")


def log(path: Path, events: Iterable[tuple[int, bytes]]) -> Path:
    """A log of QEMU's with these events."""
    path.write_bytes(rrlog.VERSION.to_bytes(4) + bytes(8) + b"".join(bytes([kind]) + operands for kind, operands in events))
    return path


def instructions(count: int) -> tuple[int, bytes]:
    """The event that so many instructions were executed."""
    return rrlog.INSTRUCTIONS, count.to_bytes(4)


class Log(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "rr.log"

    def test_the_next_event_is_the_first_at_or_behind_what_was_executed(self) -> None:
        interrupt, disk = (1, b""), (rrlog.DISK, (7).to_bytes(8))
        log(self.path, [instructions(100), interrupt, interrupt, disk, instructions(50), disk, instructions(1), (rrlog.END, b"")])
        request, end = "a disk request that completes (number 7)", "the end of the log"
        for executed, at, events in ((0, 100, ("an interrupt", request)), (100, 100, ("an interrupt", request)),
                                     (101, 150, (request,)), (151, 151, (end,)), (500, 151, ())):
            self.assertEqual(rrlog.look(self.path, executed), rrlog.Position(151, at, events))

    def test_of_many_events_at_one_instruction_the_first_are_listed(self) -> None:
        log(self.path, [*((rrlog.DISK, number.to_bytes(8)) for number in range(1000)), (rrlog.END, b"")])
        found = rrlog.look(self.path, 0)
        assert found is not None
        self.assertEqual(len(found.events), rrlog.MOST_EVENTS)

    def test_a_log_that_cannot_be_read_has_no_answer(self) -> None:
        log(self.path, [instructions(100), (rrlog.END, b"")])
        whole = self.path.read_bytes()
        for text in (b"", whole[:3], b"\1" + whole[1:], whole[:15], whole[:13] + b"\xff"):
            self.path.write_bytes(text)
            self.assertIsNone(rrlog.look(self.path, 0), text)
        self.assertIsNone(rrlog.look(self.path.with_name("none"), 0))

    def test_random_bytes_are_read_to_an_answer_or_none(self) -> None:
        for _ in range(200):
            self.path.write_bytes(rrlog.VERSION.to_bytes(4) + os.urandom(500))
            rrlog.look(self.path, 0)

    def test_what_is_known_is_said(self) -> None:
        log(self.path, [instructions(1000), (rrlog.DISK, (7).to_bytes(8)), instructions(50), (rrlog.END, b"")])
        answers = {"info registers": "RIP=00007f0012345678 RFL=00000246\nHLT=1"}
        subject = standstill.Subject("mptsas1068", self.path, self.path, 5000)
        text = str(standstill.Standstill("replaying", FakeMonitor(6000, answers), subject))
        for part in ("6000 of 6050 instructions", "at instruction 6000: a disk request that completes (number 7)",
                     "in a program, at 0x7f0012345678, halted until an interrupt", "about half of the recordings"):
            self.assertIn(part, text)
        self.assertIn("lsi53c895a are known to replay",
                      str(standstill.Standstill("replaying", FakeMonitor(6000, {}),
                                                standstill.Subject("lsi53c895a", self.path, self.path))))

    def test_what_is_not_known_is_said(self) -> None:
        text = str(standstill.Standstill("recording", FakeMonitor(None, {})))
        self.assertIn("QEMU did not report how many instructions", text)
        self.assertIn("at an unknown place", text)
        text = str(standstill.Standstill("recording", FakeMonitor(10, {"info registers": "EIP=000f1234 HLT=0"})))
        self.assertIn("in the firmware or a boot loader, at 0xf1234", text)
        for registers in ("RIP=ffffffff81000000", "RIP=zz", ""):
            text = str(standstill.Standstill("recording", FakeMonitor(10, {"info registers": registers, "x/": "no memory"}),
                                             standstill.Subject("megasas", self.path)))
            self.assertIn("unknown", text)


if __name__ == "__main__":
    unittest.main()
