"""What reading costs as traces get longer: made ones, with the distributions of a real one."""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Sequence

from ..say import say
from . import files
from .files import Reading
from .measure import once
from .replays import events

# path and why are of the slowest I/O; the reports before them have written the index.
READERS = ("verify", "report --summary", "report", "info", "path", "why")


@dataclass(frozen=True)
class Length:
    """A trace of some length, and what reading it took."""

    events: int
    bytes: int
    readings: list[Reading]


def lengths(programs: Path, real: Path, wanted: Sequence[int], place: Path, rounds: int) -> list[Length]:
    """Makes a trace of each length and reads it; one at a time, since they are large."""
    found = []
    for count in wanted:
        with made(programs, real, count, place) as (trace, has):
            peer = files.ours(f"{count:,}", programs / "iotrace-analyze", trace, has, READERS)
            read = files.readings([peer], place, rounds if count <= 10**7 else 1)
            found.append(Length(has, trace.stat().st_size, read))
    return found


@contextmanager
def made(programs: Path, real: Path, count: int, place: Path) -> Iterator[tuple[Path, int]]:
    """A trace of some length, and how many events it has; it is removed again."""
    trace = place / f"made-{count}.iot"
    say(f"making a trace of {count:,} events")
    once([programs / "synthesize", real, "-o", trace, "--events", str(count)])
    try:
        yield trace, events(programs / "iotrace-analyze", trace)
    finally:
        trace.unlink()
        trace.with_name(trace.name + ".idx").unlink(missing_ok=True)
