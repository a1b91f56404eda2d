"""QEMU's record/replay log: how many instructions it holds, and which event comes next.

In: rr.log, as replay/replay-internal.h and replay/replay-events.c of QEMU 10 and 11 write it (version 0xe0200c): a head of
12 bytes, then events of one byte and their operands, big-endian. Out: the number of instructions, the events at one. A log
of another version, or one that ends in the middle of an event, has no answer: nothing is guessed.
"""

from dataclasses import dataclass
from pathlib import Path

VERSION = 0xE0200C
HEAD_BYTES = 12
LARGEST = 1 << 30  # bytes of a log that is read

# enum ReplayAsyncEventKind, enum ShutdownCause (qapi/run-state.json), enum ReplayClockKind, enum ReplayCheckpoint.
ASYNC = ["a bottom half", "a bottom half (once)", "input", "the end of input", "characters for a device", "a disk request that completes",
         "a network packet"]
SHUTDOWNS = 12
CLOCKS = ["the host's clock is read", "the host's monotonic clock is read"]
CHECKPOINTS = ["the virtual clock is to jump to the next timer", "the virtual clock has jumped to the next timer", "a reset is requested",
               "a suspend is requested", "timers of the virtual clock", "timers of the host's clock",
               "timers of the host's monotonic clock", "the machine is created", "the machine is reset"]


def _kinds() -> dict[int, tuple[str, int]]:
    """What each kind of event is, and the bytes of its operands; -1: an array, with its length before it."""
    names = [("instructions", 4), ("an interrupt", 0), ("an exception", 0)]
    names += [(name, {0: 8, 1: 8, 2: -2, 4: -2, 5: 8, 6: -2}.get(number, 0)) for number, name in enumerate(ASYNC)]
    names += [("the guest is shut down or reset", 0)] * SHUTDOWNS
    names += [("a character is written", 8), ("characters are read", -1), ("an error in reading characters", 4),
              ("sound is played", 4), ("sound is recorded", -2), ("random bytes", -3)]
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
    at: int  # instructions up to the next event
    event: str  # what that is


def look(log: Path, executed: int) -> Position | None:
    """The first event at which a replay that has executed so many instructions of the log may be; None if the log cannot
    be read."""
    if not log.is_file() or log.stat().st_size > LARGEST:
        return None
    data = log.read_bytes()
    if int.from_bytes(data[:4]) != VERSION:
        return None
    at, total, found = HEAD_BYTES, 0, None
    while at < len(data):
        kind = data[at]
        name, size = KINDS.get(kind, ("", -2))
        if size == -1:
            size = 4 + int.from_bytes(data[at + 1:at + 5])
        if size < 0 or at + 1 + size > len(data):
            return None
        operand = int.from_bytes(data[at + 1:at + 9]) if kind == DISK else 0
        if kind == INSTRUCTIONS:
            total += int.from_bytes(data[at + 1:at + 5])
        elif found is None and total >= executed:
            found = (total, name + (f" (number {operand})" if kind == DISK else ""))
        at += 1 + size
        if kind == END:
            break
    return Position(total, *(found or (total, "nothing")))
