"""What must hold after a fault.

In: how a command ended, what is there then. Out: what is wrong. A command either succeeds with right results, or ends with an
error and a message that has a file and what to do. No result has its final name unless it is whole, an earlier one is not
lost, nothing hidden is left after the next run, no process outlives the command.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from ..say import Problem
from .subjects import Subject
from .world import World

TRACES = ("Traceback", "panicked at", "Exception ignored", "internal error", "Segmentation", "AssertionError")
ADVICE = re.compile(r"free (some|space)|choose|set IOTRACE_CACHE|again|specify|--[a-z]+|make the|scripts/")
MOST_SECONDS = 300.0


@dataclass
class Ended:
    """How a command ended."""

    status: int
    said: str
    fault: str = ""  # the operation that failed first
    operations: list[str] = field(default_factory=list)  # all of them, if none failed


def set_up(subject: Subject, world: World) -> None:
    """Put earlier results where new ones come to be, empty what is to be empty."""
    for path in subject.results:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if subject.earlier:
            shutil.copytree(subject.earlier, path) if subject.earlier.is_dir() else shutil.copyfile(subject.earlier, path)
    for kind in subject.cold:
        shutil.rmtree(world.cache / kind, ignore_errors=True)


def run(subject: Subject, world: World, before: list[str] | None = None) -> Ended:
    """Run it to its end; `before`: a program that runs it, with arguments."""
    command = [*(before or []), *subject.command]
    try:
        done = subprocess.run(command, env=world.environment, cwd=world.out, capture_output=True, timeout=MOST_SECONDS,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as late:
        return Ended(-1, f"Traceback: not done within {MOST_SECONDS} s: {late.stderr!r}")
    return Ended(done.returncode, (done.stdout + done.stderr).decode(errors="replace"))


def judge(subject: Subject, world: World, ended: Ended) -> list[str]:
    """What is wrong after a run in which something failed."""
    wrong = [f"it printed '{trace}'" for trace in TRACES if trace in ended.said]
    if ended.status == 0:
        wrong += subject.wrong() + [f"{path} is missing" for path in subject.results if not path.exists()]
    else:
        wrong += _message(ended, world) + _results(subject)
    return wrong + [f"process {process} outlives it" for process in world.remaining()]


def _message(ended: Ended, world: World) -> list[str]:
    """What the message lacks."""
    # 4: a replay whose console QEMU could not write differs; one whose image it could not read or write does as well
    of_image = ended.status == 3 and "an error of a disk image" in ended.said  # a guest that was told of it may stand still
    wrong = [] if ended.status in (1, 2, 4) or of_image else [f"it exits with status {ended.status}"]
    text = "\n".join(ended.said.strip().splitlines()[-20:])
    if str(world.place) not in text and "/dev/" not in text:
        wrong.append("the message has no file")
    if not ADVICE.search(text):
        wrong.append("the message does not say what to do")
    return wrong


def _results(subject: Subject) -> list[str]:
    """What is wrong with results after a failure: an earlier one is still whole, or a new one is."""
    for path in subject.results:
        if subject.earlier is None and not path.exists():
            continue
        if not path.exists():
            return [f"the earlier {path.name} is lost"]
        wrong = subject.wrong()
        if wrong and subject.partial and subject.earlier is None and _is_marked(path):
            continue
        if wrong:
            return wrong
    return []


def _is_marked(trace: Path) -> bool:
    """Whether a file does not pass as a whole trace: it is empty."""
    return trace.stat().st_size == 0


def after(subject: Subject, world: World) -> list[str]:
    """What is wrong after the next normal run."""
    ended = run(subject, world)
    try:
        wrong = subject.wrong() if ended.status == 0 else [f"the next run fails with status {ended.status}: {ended.said[-600:]}"]
    except (Problem, OSError) as problem:
        wrong = [f"the cache is not whole: {problem}"]
    left = world.left_over()
    for path in map(Path, left):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return [*wrong, *(f"{path} is left after the next run" for path in left)]


def left_results(subject: Subject) -> list[str]:
    """What is wrong with results after a kill."""
    try:
        return _results(subject)
    except (Problem, OSError) as problem:
        return [f"a result is not whole: {problem}"]
