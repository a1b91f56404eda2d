"""What the analyzer says of a trace: `iotrace-analyze report --all --format json`."""

import json
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any, Iterable

from ..say import Problem, run

Json = dict[str, Any]


def read(analyzer: Path, trace: Path) -> Json:
    """The report of a trace."""
    command = [str(analyzer), "report", str(trace), "--all", "--format", "json"]
    done = run(command, f"reading {trace}", stdout=subprocess.PIPE)
    try:
        found: Json = json.loads(done.stdout)
        return found
    except ValueError as error:
        raise Problem(f"the report of {trace} is no JSON: {error}") from None


class Report:
    """A report's I/Os and bios, by what they are looked up by."""

    def __init__(self, document: Json) -> None:
        self.ios: list[Json] = document["ios"]
        self.bios: list[Json] = document["bios"]
        self.bio = {bio["id"]: bio for bio in self.bios}
        self.calls = {io["syscall"] for io in self.ios}
        self.has_entries = any(io.get("kind") == "entry" for io in self.ios)
        self.by_task: dict[tuple[int, str], list[Json]] = defaultdict(list)
        for io in sorted(self.ios, key=lambda io: io["id"]):
            if io["task"]:
                self.by_task[io["task"]["pid"], io["syscall"]].append(io)
        # By inode, what page faults made writable and bios carried, of faults that made more than their page so.
        self.mapped: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for io in self.ios:
            if io["syscall"] == "page_fault" and io["file"] and io["cached"] > (io["count"] or 0):
                self.mapped[io["file"]["ino"]] += [(part["from"], part["to"]) for part in io["carried"]]
        self.queued: dict[int, list[int]] = defaultdict(list)  # times of bios, by the process that queued them
        for bio in self.bios:
            self.queued[bio["task"]["tgid"]].append(queued(bio) or 0)

    def row(self, pid: int, call: str, ordinal: int) -> Json | None:
        """The task's call of a name with this number, from 0."""
        rows = self.by_task.get((pid, call), [])
        return rows[ordinal] if ordinal < len(rows) else None


    def during(self, pid: int, call: str, begin: int, end: int) -> list[Json]:
        """The task's calls of a name that were entered in a time."""
        return [io for io in self.by_task.get((pid, call), []) if begin <= (io["entry"]["ns"] or 0) <= end]

    def queues(self, pid: int, begin: int, end: int) -> bool:
        """Whether a process queued bios in a time."""
        return any(begin <= time <= end for time in self.queued.get(pid, ()))


def queued(bio: Json) -> int | None:
    """When a bio was queued, in virtual nanoseconds."""
    stages = bio["stages"]
    return stages[0]["ns"] if stages else None


def disk_span(bio: Json) -> tuple[int, int]:
    """The bytes of the disk that a bio is about."""
    begin = bio["sector"] * 512
    return begin, begin + bio["bytes"]


def calls_in(origin: Iterable[Json]) -> list[int]:
    """The numbers of the I/Os that an origin names."""
    return [step["io"] for step in origin if step.get("io") is not None]
