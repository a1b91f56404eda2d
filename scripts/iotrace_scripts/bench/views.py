"""What each view and export takes in traces of two lengths: time, memory, and how much is written."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from ..say import say
from .lengths import made
from .measure import Run, once

# The analyzer's words; what writes files gets a place for them. The tables path and handoffs, which follow every I/O by
# itself, are left out: they take as long as so many questions about single I/Os.
PRINTED = ("report", "report --format json", "summary", "summary --by file", "events --stage bio.queue", "explain", "info",
           "path", "why", "verify")
TABLES = ("ios", "bios", "stages", "requests", "attempts", "carried", "waits", "block-events", "events")
FORMATS = ("ndjson", "folded", "blktrace", "ctf", "perfetto", "trace-dat", "firefox")
WRITTEN = ("html", *(f"export --to csv --table {table}" for table in TABLES),
           *(f"export --to {name}" for name in FORMATS))


@dataclass(frozen=True)
class ViewRun:
    """What one view of one trace took."""

    view: str
    events: int
    run: Run
    written: int  # bytes

    @property
    def rate(self) -> float:
        """Million events a second, by the clock on the wall."""
        return self.events / self.run.wall / 1e6


def views(programs: Path, real: Path, lengths: tuple[int, ...], place: Path) -> list[ViewRun]:
    """Runs every view of a trace of each length; one trace at a time, since they are large."""
    found = []
    for length in lengths:
        with made(programs, real, length, place) as (trace, events):
            once([programs / "iotrace-analyze", "index", trace])
            found += list(_runs(programs / "iotrace-analyze", trace, events, place))
    return found


def _runs(analyzer: Path, trace: Path, events: int, place: Path) -> Iterator[ViewRun]:
    out = place / "written"
    for view in (*PRINTED, *WRITTEN):
        say(f"{view}, {events:,} events")
        command: list[str | Path] = [analyzer, *view.split(), trace]
        if view in WRITTEN:
            run = once([*command, "-o", out])
        else:
            run = once(command, keep=out)
        yield ViewRun(view, events, run, written(out))
        shutil.rmtree(out) if out.is_dir() else out.unlink()


def written(path: Path) -> int:
    """Bytes of a file, or of those in a directory."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def growth(runs: list[ViewRun]) -> dict[str, float]:
    """Of each view, its memory in the longest trace, to that in the shortest."""
    by_view: dict[str, list[ViewRun]] = {}
    for run in sorted(runs, key=lambda run: run.events):
        by_view.setdefault(run.view, []).append(run)
    return {view: of[-1].run.peak / of[0].run.peak for view, of in by_view.items()}
