"""What path and why of one I/O take in long synthetic traces, with I/Os that are hard to find in them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Sequence

from ..say import Problem, say
from .measure import Run, once

# How the events of a trace are mixed: options of synthesize.
MIXES: dict[str, Sequence[str]] = {
    "the demo's": [],
    "an I/O with disk access per 400 events": ["--events-per-io", "400"],
}
# The I/Os whose numbers synthesize writes.
IOS = {"first": "the first", "middle": "in the middle", "last": "the last", "long": "an fsync that spans blocks",
       "unfinished": "an fsync that never ends"}
COMMANDS = ("path", "why")
# Longest trace in which the answers are compared with those of a pass from its beginning: that is some 20 s for each.
COMPARED = 10**8


@dataclass(frozen=True)
class Answer:
    """What one question took."""

    mix: str
    io: str
    command: str
    events: int
    run: Run


def answers(programs: Path, real: Path, longest: int, place: Path) -> list[Answer]:
    """Asks about a trace of each mix; one at a time, since they are large. Fails if an answer is not that of a pass."""
    found = []
    for mix, options in MIXES.items():
        for events in sorted({min(longest, COMPARED), longest}):
            with_numbers = _made(programs, real, events, options, place)
            compares = events <= COMPARED
            measured = list(_measure(programs / "iotrace-analyze", mix, events, with_numbers, compares, place))
        # The shorter trace serves the comparison alone.
        found += measured
    return found


def compared(longest: int) -> int:
    """The length at which answers are compared."""
    return min(longest, COMPARED)


def _made(programs: Path, real: Path, events: int, options: Sequence[str], place: Path) -> dict[str, int]:
    """Makes the trace, with its index; returns the numbers of I/Os in it."""
    say(f"making a trace of {events:,} events")
    trace, numbers = place / "questions.iot", place / "questions.json"
    once([programs / "synthesize", real, "-o", trace, "--events", str(events), "--long-fsync", "--unfinished",
          "--numbers", numbers, *options])
    trace.with_name(trace.name + ".idx").unlink(missing_ok=True)
    once([programs / "iotrace-analyze", "index", trace])
    return {name: int(number) for name, number in json.loads(numbers.read_text()).items()}


def _measure(analyzer: Path, mix: str, events: int, numbers: dict[str, int], compares: bool,
             place: Path) -> Iterator[Answer]:
    trace, answer, expected = place / "questions.iot", place / "answer", place / "expected"
    for io, name in IOS.items():
        for command in COMMANDS:
            say(f"{command} of {name}, {events:,} events")
            question: list[str | Path] = [analyzer, command, trace, str(numbers[io])]
            # Of an I/O that has not returned there is no critical path: why says so.
            status = int((io, command) == ("unfinished", "why"))
            run = once(question, keep=answer, status=status)
            if compares:
                once([*question, "--no-checkpoints"], keep=expected, status=status)
                if answer.read_bytes() != expected.read_bytes():
                    raise Problem(f"{command} of I/O {numbers[io]} ({name}; {mix}; {events:,} events) is not what a "
                                  "pass from the beginning of the trace finds")
            yield Answer(mix, name, command, events, run)
