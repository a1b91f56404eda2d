"""Series of faults: each write of a command, moments of its life, two of it, folders that cannot be written to."""

import os
import random
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from .. import cache, stage
from ..say import run as run_program
from ..say import say
from . import rules
from .rules import Ended
from .subjects import Subject
from .world import World

SOURCE = Path(__file__).resolve().parent / "inject.c"
FOREVER = 1 << 40
PROGRESS = 20  # faults between two lines


@dataclass
class Tally:
    """What became of the faults of a kind."""

    subject: str
    kind: str
    injected: int = 0
    succeeded: int = 0
    violations: list[str] = field(default_factory=list)
    note: str = ""

    def add(self, at: str, ended: Ended, wrong: list[str], good: bool) -> None:
        """Count a fault."""
        self.injected += 1
        self.succeeded += good
        if self.injected % PROGRESS == 0:
            say("  ".join(self.row()))
        if wrong:
            self.violations.append(f"{self.subject}, {self.kind}, {at} ({ended.fault}): {'; '.join(wrong)}\n"
                                   f"    status {ended.status}: {ended.said.strip()[-1500:]}")
            say(self.violations[-1])

    def row(self) -> list[str]:
        """Of the table."""
        return [self.subject, self.kind, str(self.injected), str(self.succeeded), str(len(self.violations)), self.note]


def injector() -> Path:
    """The program that injects, compiled."""
    def make(folder: Path) -> None:
        run_program(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(folder / "inject"), str(SOURCE)], "compiling inject.c")

    return cache.entry("tools", f"inject-{cache.fingerprint(SOURCE.read_bytes())}", make) / "inject"


class Injected:
    """Runs a subject with a fault at some of its operations."""

    def __init__(self, subject: Subject, world: World, program: Path) -> None:
        self.subject, self.world, self.program = subject, world, program
        self.log = world.place / "inject.log"

    def run(self, kind: str, first: int, last: int) -> Ended:
        """One run."""
        before = [str(self.program), kind, str(first), str(last), str(self.log), self.world.folders()]
        ended = rules.run(self.subject, self.world, before)
        head, *listed = self.log.read_text(errors="replace").splitlines() if self.log.exists() else ["0 0 no log"]
        return Ended(ended.status, ended.said, head.split(" ", 2)[2], listed)


# What differs in the name of a file from run to run.
DRAWN = re.compile(r"(?<=making-)\w+|(?<=iotrace-)\w{8}|(?<=/\.idx)\w+|(?<=/tmp)\w{8}|#\d+ \(deleted\)|\.\d+\b|\bcc\w{6}\b")


def chosen(operations: list[str], most: int) -> list[int]:
    """Numbers of operations, from 1, so many at most: of each kind on each file the first, the middle and the last, and then
    of all, evenly spaced."""
    places = dict[str, list[int]]()
    for number, operation in enumerate(operations, 1):
        places.setdefault(DRAWN.sub("*", operation), []).append(number)
    of_files = sorted(set[int]().union(*({at[0], at[len(at) // 2], at[-1]} for at in places.values())))
    rest = sorted(set(range(1, len(operations) + 1)) - set(of_files))
    return sorted([*spaced(of_files, most), *spaced(rest, most - len(of_files))])


def spaced(numbers: list[int], most: int) -> list[int]:
    """So many of them at most, evenly spaced."""
    count = max(0, min(len(numbers), most))
    return [numbers[place * len(numbers) // count] for place in range(count)]


def writes(subject: Subject, world: World, program: Path, kinds: list[str], most: int, each: int) -> list[Tally]:
    """A fault at the chosen operations. After every `each`-th a normal run must succeed. full: from there on;
    once: there is no space for this one; error: the same, with EIO; short: from there on."""
    injected, tallies = Injected(subject, world, program), []
    rules.set_up(subject, world)
    for kind in kinds:
        tally = Tally(subject.name, kind)
        name = {"once": "full"}.get(kind, kind)
        rules.set_up(subject, world)
        operations = injected.run(name, 0, 0).operations
        numbers = chosen(operations, most)
        tally.note = f"of {len(operations)} operations"
        for count, at in enumerate(numbers, 1):
            rules.set_up(subject, world)
            ended = injected.run(name, at, at if kind in ("once", "error") else FOREVER)
            wrong = rules.judge(subject, world, ended)
            if count % each == 0:
                wrong += rules.after(subject, world)
            tally.add(f"operation {at}", ended, wrong, ended.status == 0)
        tallies.append(tally)
    return tallies


def kills(subject: Subject, world: World, count: int, seed: int) -> Tally:
    """Kill it at random moments of its life. What is drawn is a delay: any moment is right, none is waited for."""
    draw, tally = random.Random(seed), Tally(subject.name, "kill -9", note=f"seed {seed}")
    rules.set_up(subject, world)
    began = time.monotonic()
    rules.run(subject, world)
    life = time.monotonic() - began
    for _ in range(count):
        rules.set_up(subject, world)
        delay = draw.random() * life
        process = subprocess.Popen(subject.command, env=world.environment, cwd=world.out, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            status = process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        wrong = [f"process {left} outlives it" for left in world.remaining()]
        wrong += rules.left_results(subject)
        wrong += rules.after(subject, world)
        tally.add(f"after {delay:.3f} of {life:.1f} s", Ended(status, ""), wrong, status == 0)
    return tally


def pairs(subject: Subject, world: World, count: int) -> Tally:
    """Two at the same time: both succeed, or one has a message; the result is whole."""
    tally = Tally(subject.name, "two at once")
    for number in range(count):
        rules.set_up(subject, world)
        both = [subprocess.Popen(subject.command, env=world.environment, cwd=world.out, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
        said = [process.communicate()[0].decode(errors="replace") for process in both]
        ended = [Ended(process.returncode, text) for process, text in zip(both, said)]
        wrong = [] if any(one.status == 0 for one in ended) else ["both fail"]
        for one in ended:
            wrong += rules.judge(subject, world, one)
        worst = max(ended, key=lambda one: abs(one.status))
        tally.add(f"pair {number + 1}", worst, [*wrong, *subject.wrong(), *rules.after(subject, world)],
                  worst.status == 0)
    return tally


def read_only(subject: Subject, world: World) -> Tally:
    """Each folder mounted read-only, and all of them."""
    tally = Tally(subject.name, "read-only")
    memory = os.fspath(stage.MEMORY)
    places: dict[str, list[Path | str]] = {"cache": [world.cache], "TMPDIR": [world.temporary], "output and current directory": [world.out],
              memory: [memory], "input": [world.place / "recording", world.trace()],
              "all": [world.cache, world.temporary, world.out, memory, world.place / "recording", world.trace()]}
    for name, folders in places.items():
        rules.set_up(subject, world)
        mounts = " && ".join(f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}" for folder in folders)
        shell = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mounts} || exit 99; exec "$@"', "sh"]
        ended = rules.run(subject, world, shell)
        tally.add(name, ended, [*rules.judge(subject, world, ended), *rules.after(subject, world)],
                  ended.status == 0)
    return tally
