"""What a folder of many runs takes: to add them, on disk, and to ask."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from .. import runs
from ..commands import SCRIPTS
from ..say import Ticker
from .measure import Run, once

# A run that is soon generated, of which a fleet has many.
WORKLOAD = "sh:dd if=/dev/zero of=x bs=4k count=4 oflag=direct conv=fsync"
HOSTS = 10


@dataclass(frozen=True)
class Fleet:
    """The runs, and what they took."""

    runs: int
    ios: int
    trace_bytes: int
    bytes: int
    files: int
    added: float  # seconds, all of them
    added_cpu: float
    queries: dict[str, tuple[Run, int]]  # and how many rows


def fleet(programs: Path, real: Path, count: int, place: Path) -> Fleet:
    """Generates runs out of one, adds each to a folder, and asks all queries that are shipped."""
    analyzer, folder = programs / "iotrace-analyze", place / "runs"
    part = workload(analyzer, real, place)
    trace_bytes, added = 0, []
    ticker = Ticker("adding runs")
    for number in range(count):
        trace = place / "run.iot"
        once([programs / "synthesize", part, "-o", trace, "--events", "1", "--seed", str(number)])
        trace_bytes += trace.stat().st_size
        added.append(once([analyzer, "export", trace, "--no-index-file", "--to", "parquet", "--append", folder,
                           "--host", f"host{number % HOSTS}"]))
        ticker.tell(f"{number + 1} of {count}")
    ticker.done(f"{count}")
    files = [file for file in folder.rglob("*.parquet")]
    queries = {name: asked(folder, name, place) for name in runs.named()}
    found = Fleet(count, ios(folder, place), trace_bytes, sum(file.stat().st_size for file in files), len(files),
                  sum(run.wall for run in added), sum(run.cpu for run in added), queries)
    shutil.rmtree(folder)
    return found


def workload(analyzer: Path, real: Path, place: Path) -> Path:
    """A trace's workload alone: what is before it takes more space than it."""
    listed = place / "marks.json"
    once([analyzer, "events", real, "--type", "mark", "--format", "json"], keep=listed)
    begin, end = (event["clock"] for event in json.loads(listed.read_text())["events"][:2])
    part = place / "part.iot"
    once([analyzer, "slice", real, "--clock", f"{begin}..{end}", "-o", part])
    return part


def asked(folder: Path, query: str, place: Path) -> tuple[Run, int]:
    """What a query takes, in a process of its own, and how many rows it finds."""
    answer = place / "answer.json"
    ran = once([SCRIPTS / "sql", folder, query, "--format", "json"], keep=answer)
    return ran, len(json.loads(answer.read_text())["rows"])


def ios(folder: Path, place: Path) -> int:
    """How many I/Os all runs have."""
    answer = place / "answer.json"
    once([SCRIPTS / "sql", folder, "select count(*) from ios", "--format", "json"], keep=answer)
    return int(json.loads(answer.read_text())["rows"][0][0])
