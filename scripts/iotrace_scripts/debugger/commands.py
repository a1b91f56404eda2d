"""gdb's commands for going through a trace. Each is a class, whose docstring is its help."""

import shlex

import gdb

from ..say import Problem
from . import writes
from .questions import Moment, described, task
from .session import current


class _Command(gdb.Command):
    """A command of ours: a Problem is an error of gdb."""

    NAME = ""

    def __init__(self) -> None:
        super().__init__(self.NAME, gdb.COMMAND_RUNNING if self.MOVES else gdb.COMMAND_STATUS)

    MOVES = False

    def invoke(self, text: str, _from_terminal: bool) -> None:
        try:
            self.run(text)
        except Problem as problem:
            raise gdb.GdbError(str(problem)) from None

    def run(self, text: str) -> None:
        """Do it."""
        raise NotImplementedError


def _number(text: str, what: str) -> int:
    try:
        return int(gdb.parse_and_eval(text))
    except (gdb.error, ValueError, OverflowError):
        raise Problem(f"'{text}' is not {what}") from None


def _go(clock: int, what: str) -> None:
    current().seek(clock)
    current().load_modules()
    current().where(what)


class _Event(_Command):
    """Go to an event of the trace: iotrace-event NUMBER, as iotrace-analyze events and explain print it."""

    NAME, MOVES = "iotrace-event", True

    def run(self, text: str) -> None:
        moment = current().trace.moment(event=_number(text, "the number of an event"))
        _go(moment.clock, moment.what)


class _Clock(_Command):
    """Print the clock, in instructions, and what is there; or go to one: iotrace-clock [CLOCK]."""

    NAME, MOVES = "iotrace-clock", True

    def run(self, text: str) -> None:
        if text.strip():
            _go(_number(text, "a clock in instructions"), "")
        else:
            current().where()


class _Near(_Command):
    """The next event, or the one before."""

    MOVES, FORWARD = True, True

    def run(self, text: str) -> None:
        words = shlex.split(text)
        name = words.pop(0) if words and not words[0].startswith("-") else ""
        found = current().trace.near(current().replay.clock(), self.FORWARD, name, words)
        if not found:
            where = "behind" if self.FORWARD else "before"
            raise Problem(f"no event{f' of {name}' if name else ''}{' with these conditions' if words else ''} {where} this one in the trace")
        _go(found["clock"], described(found))


class _Next(_Near):
    """Go to the next event of the trace: iotrace-next [FUNCTION|STAGE] [CONDITION]...

A stage has a dot: rq.issue, or rq. for all with this prefix. Conditions are those of iotrace-analyze events, such as
--task dd --file data --size 4k."""

    NAME = "iotrace-next"


class _Previous(_Near):
    """Go to the event of the trace before this: iotrace-previous [FUNCTION|STAGE] [CONDITION]...

Arguments are those of iotrace-next."""

    NAME, FORWARD = "iotrace-previous", False


class _Go(_Command):
    """Go to an I/O or a bio: iotrace-go io N [AT], iotrace-go bio N [AT].

AT is call or return of an I/O, or a stage: queue, get, plug, insert, issue, driver, doorbell, irq, done, complete, end."""

    NAME, MOVES = "iotrace-go", True

    def run(self, text: str) -> None:
        words = text.split()
        if len(words) not in (2, 3) or words[0] not in ("io", "bio"):
            raise Problem("expected: io N [AT], or bio N [AT]")
        number, at = _number(words[1], "a number"), words[2] if len(words) == 3 else ""
        trace = current().trace
        moment: Moment = trace.moment(io=number, at=at) if words[0] == "io" else trace.moment(bio=number, at=at)
        _go(moment.clock, moment.what)


def _here() -> int:
    """The number of the I/O that is worked on."""
    found = current().trace.io_at(current().replay.clock())
    if not found:
        raise Problem("what is executed here is not of an I/O of the trace: name one by its number")
    return found["id"]


class _OfIo(_Command):
    """Runs a command of the analyzer on the I/O that is worked on, or on another one."""

    COMMAND = ""

    def run(self, text: str) -> None:
        words = shlex.split(text)
        number = words.pop(0) if words and words[0].isdecimal() else str(_here())
        print(current().trace.text(self.COMMAND, number, *words), end="")


class _Path(_OfIo):
    """Print the calls of the I/O that is worked on here, in whichever context: iotrace-path [IO] [OPTION]...

Options are those of iotrace-analyze path, such as --depth 8."""

    NAME, COMMAND = "iotrace-path", "path"


class _Why(_OfIo):
    """Print what the I/O that is worked on here waits for: iotrace-why [IO]."""

    NAME, COMMAND = "iotrace-why", "why"


class _Io(_Command):
    """Print the I/O that is worked on here, and its bios: iotrace-io [IO]."""

    NAME = "iotrace-io"

    def run(self, text: str) -> None:
        clock = current().replay.clock()
        io = current().trace.io(_number(text, "the number of an I/O") if text.strip() else _here())
        file = io["file"]
        name = f", {file['name'] or 'inode'}({file['ino']}) on {file['device']}" if file else ""
        position = "" if io["position"] is None else f" at {io['position']}"
        size = "" if io["count"] is None else f", {io['count']} bytes{position}"
        print(f"I/O {io['id']}: {io['syscall'] or io['kind']} by {task(io['task'])}{name}{size}")
        print(_span("  call", io["entry"]["clock"], io["return"] and io["return"]["clock"], clock))
        for number in io["bios"]:
            bio = current().trace.bio(number)
            print(f"  bio {number}: {bio['rwbs']} {bio['device_name']} sector {bio['sector']}, {bio['bytes']} bytes, "
                  f"(struct bio *){bio['pointer']}")
            for stage in bio["stages"]:
                print(f"    {stage['clock']:>12} {stage['stage']}{'' if stage['clock'] <= clock else '  (later)'}")


def _span(what: str, first: int, last: int | None, now: int) -> str:
    place = f"{now - first} instructions after it" if now >= first else f"{first - now} instructions before it"
    return f"{what}: clock {first} to {last if last is not None else '?'}; here: {place}"


class _WhoWrote(_Command):
    """Go back to the last write to a variable: iotrace-who-wrote EXPRESSION

The expression is one that gdb can take the address of, as bio->bi_status. What devices write is not seen."""

    NAME, MOVES = "iotrace-who-wrote", True

    def run(self, text: str) -> None:
        writes.last(current(), text)


for _command in (_Event, _Clock, _Next, _Previous, _Go, _Path, _Why, _Io, _WhoWrote):
    _command()
