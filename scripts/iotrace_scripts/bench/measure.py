"""Runs commands side by side, and keeps what each took with its spread."""

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Mapping, Sequence

from ..say import Problem, say


@dataclass(frozen=True)
class Run:
    """What one run of a command took."""

    wall: float  # seconds
    cpu: float  # seconds, user and system, with all that it started
    peak: int  # KiB resident, of its largest process


@dataclass
class Runs:
    """Several runs of one command."""

    runs: list[Run] = field(default_factory=list)

    def of(self, what: Callable[[Run], float]) -> "Spread":
        """One figure of each run."""
        return Spread.of([what(run) for run in self.runs])

    def ratio(self, base: "Runs", what: Callable[[Run], float]) -> "Spread":
        """To the runs of another command, round by round."""
        return Spread.of([what(ours) / what(theirs) for ours, theirs in zip(self.runs, base.runs)])


@dataclass(frozen=True)
class Spread:
    """The median of several figures, the least and the greatest."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        return cls(statistics.median(figures), min(figures), max(figures))


def once(command: Sequence[str | Path], folder: Path | None = None, keep: Path | None = None, status: int = 0) -> Run:
    """Run a command to its end, with a status; what it prints goes to a file, or nowhere."""
    parts = [os.fspath(part) for part in command]
    # GNU time starts it: a child of this program would count what is resident here as its own.
    with open(keep or os.devnull, "wb") as out, tempfile.NamedTemporaryFile("r") as took:
        timed = ["/usr/bin/time", "-q", "-f", "%U %S %M", "-o", took.name, *parts]
        began = time.monotonic()
        done = subprocess.run(timed, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
        wall = time.monotonic() - began
        figures = took.read().split()
    if done.returncode != status:
        raise Problem(f"'{' '.join(parts)}' failed with status {done.returncode}: "
                      f"{done.stderr.decode(errors='replace').strip()[-1000:]}")
    user, system, peak = map(float, figures)
    return Run(wall, user + system, int(peak))


def side_by_side(commands: Mapping[str, Callable[[], Run]], rounds: int) -> dict[str, Runs]:
    """Each command once a round, in turn, after one round that does not count."""
    results = {name: Runs() for name in commands}
    for number in range(rounds + 1):
        for name, run in commands.items():
            say(f"round {number} of {rounds}: {name}")
            ran = run()
            if number:
                results[name].runs.append(ran)
    return results
