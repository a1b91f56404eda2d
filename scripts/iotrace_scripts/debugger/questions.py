"""What a debugger asks of a trace: answered by the analyzer, as JSON.

In: a trace, and the numbers and names that the analyzer prints of it. Out: clocks, events, I/Os and bios. Nothing here needs
gdb or a guest.
"""

import functools
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Sequence

from ..say import Problem
from .question import OBJECT

NOTHING, TRUNCATED = 1, 3  # the analyzer's exit statuses: nothing matches; the rest is printed
# The stages of a bio as they are in the JSON, by the words with which they may be asked for: those of the report's columns.
STAGES = {
    "queue": "queued", "get": "got", "plug": "plugged", "insert": "inserted", "issue": "issued", "driver": "driver",
    "doorbell": "doorbell", "irq": "interrupt", "done": "done", "complete": "completed", "end": "ended",
    "q": "queued", "g": "got", "p": "plugged", "i": "inserted", "d": "issued", "c": "completed", "e": "ended",
}
CALL, RETURN = "call", "return"  # of an I/O
BEHIND = 1000  # instructions behind the end of a bio in which it is written to
# The first window of clocks in which an event is looked for, in instructions; each further one is so many times as large.
WINDOW, GROWTH = 1 << 12, 8


@dataclass(frozen=True)
class Moment:
    """A clock, and what is there."""

    clock: int  # instructions
    what: str


class Trace:
    """A trace, and the analyzer that reads it."""

    def __init__(self, path: Path, analyzer: Path) -> None:
        self.path, self.analyzer = path, analyzer

    def text(self, command: str, *arguments: str) -> str:
        """What a command of the analyzer prints of the trace."""
        done = self._run(command, arguments)
        if done.returncode not in (0, TRUNCATED):
            raise Problem(_message(done))
        return done.stdout

    def _run(self, command: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.analyzer, command, self.path, *arguments], capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL)

    def _json(self, command: str, *arguments: str) -> dict[str, Any] | None:
        """The document of a command; none if nothing matches."""
        done = self._run(command, [*arguments, "--format", "json"])
        if done.returncode in (0, TRUNCATED):
            return json.loads(done.stdout)
        if done.returncode == NOTHING and done.stdout.startswith("{"):
            return None
        raise Problem(_message(done))

    @functools.cached_property
    def info(self) -> dict[str, Any]:
        """What is in the trace."""
        return self._json("info") or {}

    @functools.cached_property
    def report(self) -> dict[str, Any]:
        """All I/Os and bios."""
        return self._json("report", "--all") or {"ios": [], "bios": []}

    @functools.cached_property
    def names(self) -> set[str]:
        """Of all functions and types of events that are in it."""
        return {kind["name"] for kind in self.info["event_types"]}

    @property
    def begin(self) -> int | None:
        """The clock at which the workload begins, if it is marked."""
        return next((mark["clock"] for mark in self.info["marks"] if mark["name"] == "begin"), None)

    @property
    def last(self) -> int:
        """The clock of the last event."""
        return self.info["file"]["last_clock"]

    def event(self, number: int) -> dict[str, Any]:
        """An event by its number."""
        found = self._json("events", "--number", str(number))
        if not found or not found["events"]:
            raise Problem(f"no event {number} in {self.path}: it has events 1 to {self.info['file']['events']}")
        return found["events"][0]

    def at(self, clock: int) -> list[dict[str, Any]]:
        """The events at a clock."""
        return self.between(clock, clock)

    def between(self, first: int, last: int, conditions: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The events between two clocks, both included."""
        found = self._json("events", "--clock", f"{first}..{last}", *conditions)
        return found["events"] if found else []

    def near(self, clock: int, forward: bool, name: str = "", conditions: Sequence[str] = ()) -> dict[str, Any] | None:
        """The next event behind a clock, or the last one before it: of a function (its name), or of a stage (a name with a
        dot, as `rq.`); other conditions as `iotrace-analyze events` has them."""
        is_stage = "." in name and name not in self.names
        chosen = [*conditions, *(["--stage", name] if is_stage else ["--function", name] if name else [])]
        for first, last in windows(clock, forward, self.last):
            events = self.between(first, last, chosen)
            if name and not is_stage:
                events = [event for event in events if event["name"] == name]
            if events:
                return events[0 if forward else -1]
        return None

    def io(self, number: int) -> dict[str, Any]:
        """An I/O by its number."""
        for found in self.report["ios"]:
            if found["id"] == number:
                return found
        raise Problem(f"no I/O {number} in {self.path}: iotrace-analyze report --all lists them")

    def bio(self, number: int) -> dict[str, Any]:
        """A bio by its number."""
        for found in self.report["bios"]:
            if found["id"] == number:
                return found
        raise Problem(f"no bio {number} in {self.path}: iotrace-analyze report --all lists them")

    def request(self, number: int) -> int:
        """The address of a request by its number."""
        bio = next((bio for bio in self.report["bios"] if bio["request"] == number), None)
        events = (self._json("bio", str(bio["id"])) or {})["events"] if bio else []
        values = (field["value"] for event in events for field in event["fields"] if field["text"] == f"rq{number}")
        if (value := next(values, None)) is None:
            raise Problem(f"no request {number} of a bio in {self.path}")
        return int(value, 16)

    def lifetime(self, expression: str) -> tuple[int, int] | None:
        """From the queueing to the end of the bios that an expression names (bio#62, or of a request, rq#118); none if it names
        none."""
        found = OBJECT.findall(expression)
        bios = [self.bio(int(number)) for kind, number in found if kind == "bio"]
        for number in (int(number) for kind, number in found if kind == "rq"):
            of_request = [bio for bio in self.report["bios"] if bio["request"] == number]
            if not of_request:
                raise Problem(f"no request {number} of a bio in {self.path}")
            bios += of_request
        if not bios:
            return None
        # behind the last stage: what ends a bio writes to it
        return min(bio["stages"][0]["clock"] for bio in bios), max(bio["stages"][-1]["clock"] for bio in bios) + BEHIND

    def io_at(self, clock: int) -> dict[str, Any] | None:
        """The I/O that the last event up to a clock is of, whichever context it is in; none if it is of none."""
        spans = ((io, *self.span(io)) for io in self.report["ios"])
        around = [io for io, first, last in spans if first <= clock and (last is None or clock <= last)]
        if not around or not (event := self.near(clock + 1, forward=False)):
            return None
        for io in sorted(around, key=lambda io: -io["entry"]["clock"]):
            at = event["clock"]
            if any(found["number"] == event["number"] for found in self.between(at, at, ("--io", str(io["id"])))):
                return io
        return None

    def of_io(self, number: int) -> list[dict[str, Any]]:
        """The events of an I/O."""
        found = self._json("events", "--io", str(number))
        return found["events"] if found else []

    def span(self, io: dict[str, Any]) -> tuple[int, int | None]:
        """From its call to the last of its return and the ends of its bios; no end if one of them is not in the trace."""
        bios = [self.bio(number) for number in io["bios"]]
        ends = [io["return"] and io["return"]["clock"], *(bio["stages"][-1]["clock"] if bio["complete"] else None for bio in bios)]
        return io["entry"]["clock"], None if None in ends else max(ends)

    def moment(self, event: int | None = None, io: int | None = None, bio: int | None = None, at: str = "") -> Moment:
        """The moment of an event, of an I/O (at its call, its return, or a stage of its first bio that has it), or of a bio
        (at a stage; its queueing if none is named)."""
        if event is not None:
            found = self.event(event)
            return Moment(found["clock"], described(found))
        if bio is not None:
            return self._stage([bio], at or "queue", "")
        assert io is not None
        found = self.io(io)
        what = f"I/O {io}, {found['syscall'] or found['kind']} by {task(found['task'])}"
        if at in ("", CALL):
            return Moment(found["entry"]["clock"], f"{what}: call")
        if at == RETURN:
            if not found["return"]:
                raise Problem(f"I/O {io} does not return in {self.path}")
            return Moment(found["return"]["clock"], f"{what}: return")
        if not found["bios"]:
            raise Problem(f"I/O {io} has no bios: use --at {CALL} or --at {RETURN}")
        return self._stage(found["bios"], at, f"{what}, ")

    def _stage(self, bios: Sequence[int], word: str, what: str) -> Moment:
        stage = STAGES.get(word.lower(), word)
        there: dict[str, Any] = {}
        for number in bios:
            for found in self.bio(number)["stages"]:
                there.setdefault(found["stage"], Moment(found["clock"], f"{what}bio {number}: {found['stage']}"))
        if stage not in there:
            words = dict.fromkeys(next((word for word, name in STAGES.items() if name == stage), stage) for stage in there)
            raise Problem(f"{what}bio {' '.join(map(str, bios))} has no stage {word}: it has {', '.join(words)}")
        return there[stage]


def windows(clock: int, forward: bool, last: int) -> Iterator[tuple[int, int]]:
    """Windows of clocks that follow one another from a clock on, up to the last clock or down to 0; each is larger."""
    size = WINDOW
    while clock < last if forward else clock > 0:
        yield (clock + 1, min(clock + size, last)) if forward else (max(clock - size, 0), clock - 1)
        clock += size if forward else -size
        size *= GROWTH


def task(found: dict[str, Any]) -> str:
    """A task as the analyzer prints it."""
    return f"{found['comm']}/{found['pid']}"


def described(event: dict[str, Any]) -> str:
    """An event in one line: number, function, task, fields."""
    place = {"exit": " returns", "inlined": " (inlined)"}.get(event["at"] or "", "")
    fields = "".join(f" {field['name']}={field['text']}" for field in event["fields"] if field["name"] != "caller")
    return f"event {event['number']}: {event['name']}{place}, {task(event['task'])}, {event['context']} context{fields}"


def _message(done: subprocess.CompletedProcess[str]) -> str:
    """What the analyzer complains of, without its name."""
    said = re.sub(r"^iotrace-analyze: ", "", done.stderr.strip(), flags=re.MULTILINE)
    return said or f"iotrace-analyze ended with status {done.returncode}"
