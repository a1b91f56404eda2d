"""Answers questions in a replay: stops at the places, evaluates what is asked for, and goes on.

gdb evaluates expressions; the guest is run without its knowledge, through the packets of QEMU's stub (GDB manual, "Packets"):
gdb would look up and print where it stops each time.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gdb

from ..say import Problem, Ticker, say
from . import places
from .answers import PRINTERS, Answer, as_json, counted, histogram
from .attribution import attribute
from .evaluate import calls, check, evaluated, formed, holds, number
from .question import COMM, RETVAL, Question, parse
from .values import running, stack_pointer, state
from .watch import writes

if TYPE_CHECKING:
    from .session import Session

# Where interrupts are entered (include/asm-generic/vmlinux.lds.h: ENTRY_TEXT).
ENTRIES = ("__entry_text_start", "__entry_text_end")


@dataclass
class Wanted:
    """What was asked for, beside the questions."""

    where: str = ""  # a condition
    task: str = ""  # name or pid
    stack: bool = False
    limit: int = 0


@dataclass
class _Pending:
    """A call whose return is waited for."""

    question: Question
    comm: str
    pid: int
    fields: dict[str, str]
    numbers: dict[str, int]
    stack: list[str]


@dataclass
class Run:
    """A run through a window of the replay."""

    session: "Session"
    wanted: Wanted
    end: int  # clock
    at: dict[int, list[Question]] = field(default_factory=dict)  # by address
    calls: dict[tuple[int, int], _Pending] = field(default_factory=dict)  # by return address and stack pointer behind the return
    returns: set[int] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)
    watched: str = ""  # watchpoint, as the stub has it

    def __post_init__(self) -> None:
        self.stub = gdb.selected_inferior().connection
        first, last = (int(gdb.parse_and_eval(f"(unsigned long)&{name}")) for name in ENTRIES)
        self.entries = range(first, last)
        self.pointer = gdb.lookup_type("unsigned long").pointer()

    def add(self, question: Question) -> None:
        """Stop at the place of a question."""
        addresses = places.of(question.place)
        for address in addresses:
            for one in question.fields:
                check(one, address, question)
            self.at.setdefault(address, []).append(question)

    def run(self) -> None:
        """Run to the end of the window."""
        for address in self.at:
            self._point("Z0", address)
        begin, ticker = self.session.replay.clock(), Ticker("asking")
        while True:
            self.session.replay.stop_at(self.end)
            self.stub.send_packet("c")
            self.session.flush()
            clock = self.session.replay.clock()
            if clock >= self.end:
                if self.calls:
                    say(f"{len(self.calls)} calls do not return before clock {self.end}")
                return
            ticker.tell(f"{len(self.answers)} answers, {100 * (clock - begin) // (self.end - begin)}% of the instructions")
            self._stopped(clock)
            if self.wanted.limit and len(self.answers) >= self.wanted.limit:
                say(f"stopped after {self.wanted.limit} answers, at clock {clock} of {self.end} (more: --limit)")
                return

    def _stopped(self, clock: int) -> None:
        frame = gdb.newest_frame()
        pc, stack = int(frame.pc()), stack_pointer()
        if pc in self.returns and (pending := self.calls.pop((pc, stack), None)):
            self._returned(clock, pending)
        answered = len(self.answers)
        for question in self.at.get(pc, ()):
            self._hit(clock, question, stack)
        if not self._step(pc, clock):
            del self.answers[answered:]  # an interrupt came first: the instruction is executed behind it

    def _step(self, pc: int, clock: int) -> bool:
        """Execute the instruction at a place where the guest stops; whether it was that and not the first of an interrupt."""
        if pc not in self.at and pc not in self.returns:
            return True
        self._point("z0", pc)
        self.stub.send_packet("s")
        self._point("Z0", pc)
        self.session.flush()
        return self.session.replay.clock() > clock and int(gdb.newest_frame().pc()) not in self.entries

    def _point(self, packet: str, address: int) -> None:
        if (answer := self.stub.send_packet(f"{packet},{address:x},1")) != b"OK":
            raise Problem(f"QEMU cannot stop at {address:#x}: {answer.decode(errors='replace') or 'no answer'}")

    def _hit(self, clock: int, question: Question, stack: int) -> None:
        task = running()
        comm, pid = task["comm"].string(errors="replace"), int(task["pid"])
        if self.wanted.task not in ("", comm, str(pid)):
            return
        where = self.wanted.where
        if where and not (question.place.returns and RETVAL in where) and not holds(where):
            return
        texts, numbers = {}, {}
        for one in question.fields:
            if one.expression == COMM:
                texts[one.name] = comm
            elif one.expression != RETVAL:
                texts[one.name], found = evaluated(one)
                if found is not None:
                    numbers[one.name] = found
        stack_of = list(calls()) if self.wanted.stack else []
        if not question.place.returns:
            self.answers.append(Answer(clock, question.place.text, comm, pid, texts, numbers, stack_of, state=state(task)))
            return
        back = int(gdb.Value(stack).cast(self.pointer).dereference())
        if back not in self.returns and back not in self.at:
            self._point("Z0", back)
        self.returns.add(back)
        self.calls[back, stack + self.pointer.target().sizeof] = _Pending(question, comm, pid, texts, numbers, stack_of)

    def _returned(self, clock: int, call: _Pending) -> None:
        kind = places.returned(call.question.place)
        for one in call.question.fields:
            if one.expression == RETVAL:
                value = gdb.newest_frame().read_register("rax")
                value = value.cast(kind) if kind else value
                call.fields[one.name] = formed(value, one.form)
                call.numbers[one.name] = number(value)
        if RETVAL in self.wanted.where:
            gdb.set_convenience_variable("retval", gdb.newest_frame().read_register("rax").cast(kind) if kind else 0)
            if not holds(self.wanted.where):
                return
        fields = {one.name: call.fields[one.name] for one in call.question.fields}
        # of a return, as of an entry: where the return address lies
        found = state(running())
        found = replace(found, stack_pointer=found.stack_pointer - self.pointer.target().sizeof)
        self.answers.append(Answer(clock, call.question.place.text, call.comm, call.pid, fields, call.numbers, call.stack, state=found))


def printed(session: "Session", facts: dict[str, Any]) -> str:
    """The answers to the questions that the facts name, as they are to be printed."""
    found = answered(session, facts)
    if facts["by"] in ("io", "file") or not (facts["by"] or facts["histogram"]):
        attribute(session.trace, found)
    if not found:
        raise Problem("no execution, or no write, between the clocks and with the conditions")
    if facts["kept"]:
        Path(facts["kept"]).write_text(as_json(found))
    if facts["histogram"]:
        return histogram(found, facts["histogram"], facts["by"])
    if facts["by"]:
        return counted(found, facts["by"], facts["sums"])
    return PRINTERS[facts["format"]](found)


def answered(session: "Session", facts: dict[str, Any]) -> list[Answer]:
    """The answers to the questions that the facts name, or the writes."""
    if facts["writes"]:
        return writes(session, facts["writes"], facts["end"], facts["limit"])
    run = Run(session, Wanted(facts["where"], facts["task"], facts["stack"], facts["limit"]), facts["end"])
    for question in map(parse, facts["questions"]):
        run.add(question)
    run.run()
    return run.answers
