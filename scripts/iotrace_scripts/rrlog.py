"""QEMU's record/replay log: how many instructions it holds, and which event comes next.

In: rr.log, as replay/replay-internal.h and replay/replay-events.c of QEMU 10 and 11 write it (version 0xe0200c): a head of
12 bytes, then events of one byte and their operands, big-endian. Out: the number of instructions, the events at one. A log
of another version, or one that ends in the middle of an event, has no answer: nothing is guessed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

VERSION = 0xE0200C
HEAD_BYTES = 12
LARGEST = 1 << 30  # bytes of a log that is read
MOST_EVENTS = 12  # at one instruction

# enum ReplayAsyncEventKind, enum ShutdownCause (qapi/run-state.json), enum ReplayClockKind, enum ReplayCheckpoint.
ASYNC = ["a bottom half", "a bottom half (once)", "input", "the end of input", "characters for a device", "a disk request that completes",
         "a network packet"]
SHUTDOWNS = 12
CLOCKS = ["the host's clock is read", "the host's monotonic clock is read"]
CHECKPOINTS = ["the virtual clock is to jump to the next timer", "the virtual clock has jumped to the next timer", "a reset is requested",
               "a suspend is requested", "timers of the virtual clock", "timers of the host's clock",
               "timers of the host's monotonic clock", "the machine is created", "the machine is reset"]


ARRAY, UNKNOWN = -1, -2  # sizes: an array, with its length before it; of events that no guest of the scripts has


def _kinds() -> dict[int, tuple[str, int]]:
    """What each kind of event is, and the bytes of its operands."""
    names = [("instructions", 4), ("an interrupt", 0), ("an exception", 0)]
    sizes = [8, 8, UNKNOWN, 0, UNKNOWN, 8, UNKNOWN]
    names += zip(ASYNC, sizes)
    names += [("the guest is shut down or reset", 0)] * SHUTDOWNS
    names += [("a character is written", 8), ("characters are read", ARRAY), ("an error in reading characters", 4),
              ("sound is played", 4), ("sound is recorded", UNKNOWN), ("random bytes", UNKNOWN)]
    names += [(name, 8) for name in CLOCKS]
    names += [(name, 0) for name in CHECKPOINTS]
    names += [("the end of the log", 0)]
    return dict(enumerate(names))


KINDS = _kinds()
INSTRUCTIONS, DISK, END = 0, 3 + ASYNC.index("a disk request that completes"), len(KINDS) - 1


@dataclass(frozen=True)
class Position:
    """A place in a log."""

    total: int  # instructions in all of it
    at: int  # instructions up to the next events
    events: tuple[str, ...]  # what those are that occur at this instruction, each once, the first of them


def walk(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Where each event is and where it ends, and its kind; stops in front of one that is truncated or not known."""
    at = HEAD_BYTES
    while at < len(data):
        kind = data[at]
        size = KINDS.get(kind, ("", UNKNOWN))[1]
        if size == ARRAY:
            size = 4 + int.from_bytes(data[at + 1:at + 5])
        if size < 0 or at + 1 + size > len(data):
            return
        yield at, at + 1 + size, kind
        if kind == END:
            return
        at += 1 + size


def look(log: Path, executed: int) -> Position | None:
    """The next events of a replay that has executed so many instructions of the log. Which of them it has read already, of those
    at one instruction, cannot be seen. None if the log cannot be read to its end."""
    if not log.is_file() or log.stat().st_size > LARGEST:
        return None
    data = log.read_bytes()
    if int.from_bytes(data[:4]) != VERSION:
        return None
    total, at, events, last = 0, None, dict[str, None](), None
    for begin, end, last in walk(data):
        if last == INSTRUCTIONS:
            total += int.from_bytes(data[begin + 1:end])
        elif total >= executed and at in (None, total) and len(events) < MOST_EVENTS:
            number = f" (number {int.from_bytes(data[begin + 1:end])})" if last == DISK else ""
            at = total
            events[f"{KINDS[last][0]}{number}"] = None
    return Position(total, total if at is None else at, tuple(events)) if last == END else None
