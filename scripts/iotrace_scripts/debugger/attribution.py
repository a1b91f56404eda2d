"""Of which I/O and which bios the answers are: of those of the trace's last event up to each.

In: a trace, answers in the order of their clocks. Out: the answers, with I/O, file and bios. The trace is asked for as many
events at a time as are near to one another.
"""

import bisect
from typing import Any, Iterator, Sequence

from .answers import Answer
from .questions import Trace

SPAN = 1 << 18  # instructions that are asked for at a time
BEFORE = 1 << 14  # in which the last event before the first answer is looked for


def attribute(trace: Trace, answers: Sequence[Answer]) -> None:
    """Fill in I/O, file and bios."""
    owners = _Owners(trace)
    for group in _groups(answers):
        events = trace.between(max(0, group[0].clock - BEFORE), group[-1].clock)
        clocks = [event["clock"] for event in events]
        for found in group:
            place = bisect.bisect_right(clocks, found.clock) - 1
            io = owners.of(events[place]) if place >= 0 else None
            if io:
                found.io = io["id"]
                found.file = io["file"]["name"] if io["file"] else ""
                found.bios = [bio for bio in io["bios"] if _is_in_flight(trace.bio(bio), found.clock)]


def _groups(answers: Sequence[Answer]) -> Iterator[list[Answer]]:
    group: list[Answer] = []
    for found in answers:
        if group and found.clock - group[0].clock > SPAN:
            yield group
            group = []
        group.append(found)
    if group:
        yield group


def _is_in_flight(bio: dict[str, Any], clock: int) -> bool:
    stages = bio["stages"]
    return bool(stages) and stages[0]["clock"] <= clock and (not bio["complete"] or clock <= stages[-1]["clock"])


class _Owners:
    """Which I/O an event is of. The events of an I/O are asked for once."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.events: dict[int, set[int]] = {}
        self.spans = [(io, *trace.span(io)) for io in trace.report["ios"]]

    def of(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The I/O of an event."""
        clock = event["clock"]
        around = [io for io, first, last in self.spans if first <= clock and (last is None or clock <= last)]
        for io in sorted(around, key=lambda io: -io["entry"]["clock"]):
            if _is_call(io, event) or event["number"] in self._events(io["id"]):
                return io
        return None

    def _events(self, number: int) -> set[int]:
        if number not in self.events:
            self.events[number] = {event["number"] for event in self.trace.of_io(number)}
        return self.events[number]


def _is_call(io: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether it is in a system call of the task that executes it."""
    returned = io["return"] and io["return"]["clock"]
    return (io["kind"] == "syscall" and event["context"] == "task" and event["task"]["pid"] == io["task"]["pid"]
            and io["entry"]["clock"] <= event["clock"] and (returned is None or event["clock"] <= returned))
