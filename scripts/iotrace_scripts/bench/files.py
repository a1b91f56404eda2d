"""How large traces are, and how fast they are read: ours and the others'."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from ..say import Problem, say
from . import peers
from .measure import Runs, Spread, once, side_by_side
from .peers import Peer

READERS = ("verify", "report --summary", "report", "report --format json", "events")


@dataclass(frozen=True)
class Reading:
    """One command that goes through one file."""

    of: str
    command: str
    rate: Spread  # million events a second, by the clock on the wall
    peak: int  # MiB resident, at most


def ours(name: str, analyzer: Path, trace: Path, events: int, readers: Sequence[str] = READERS) -> Peer:
    """A trace of ours, as the others' are told; readers are the analyzer's words."""
    return Peer(name, trace, events, {words: [analyzer, *words.split(), trace] for words in readers})


def others(kernel: Path, job: str, place: Path) -> tuple[list[Peer], list[str]]:
    """What the others recorded; and what could not be had, with the reason."""
    found, left_out = [], []
    for make in [lambda: peers.in_guest(kernel, job, place), *peers.on_host(place)]:
        try:
            found += make()
        except (Problem, OSError) as problem:
            say(f"leaving out: {problem}")
            left_out.append(str(problem).splitlines()[0][:200])
    return found, left_out


def readings(recorded: Sequence[Peer], place: Path, rounds: int) -> list[Reading]:
    """Every reader of every recording, in turn; some of them leave files where they run."""
    commands = {(peer.name, reader): (peer, command) for peer in recorded for reader, command in peer.readers.items()}
    labels = {f"{reader} ({name})": (name, reader) for name, reader in commands}
    runs = side_by_side({label: functools.partial(once, commands[key][1], place) for label, key in labels.items()}, rounds)
    return [_reading(commands[key][0], key[1], runs[label]) for label, key in labels.items()]


def _reading(peer: Peer, reader: str, runs: Runs) -> Reading:
    rate = runs.of(lambda run: peer.events / run.wall / 1e6)
    return Reading(peer.name, reader, rate, max(run.peak for run in runs.runs) // 1024)
