"""Answers questions in a replay: stops at the places, evaluates what is asked for, and goes on.

gdb evaluates expressions; the guest is run without its knowledge, through the packets of QEMU's stub (GDB manual, "Packets"):
gdb would look up and print where it stops each time.
"""

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator

import gdb

from ..say import Problem, say
from . import catalog, places
from .answers import PRINTERS, Answer, counted, histogram
from .attribution import attribute
from .question import COMM, RETVAL, Field, Question, expression, first_name, parse
from .values import running
from .watch import writes

if TYPE_CHECKING:
    from .session import Session

MOST_FRAMES = 32
STRING = 256  # bytes of a string
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
                _check(one, address, question)
            self.at.setdefault(address, []).append(question)

    def run(self) -> None:
        """Run to the end of the window."""
        for address in self.at:
            self._point("Z0", address)
        while True:
            self.session.replay.stop_at(self.end)
            self.stub.send_packet("c")
            self.session.flush()
            clock = self.session.replay.clock()
            if clock >= self.end:
                if self.calls:
                    say(f"{len(self.calls)} calls do not return before clock {self.end}")
                return
            self._stopped(clock)
            if self.wanted.limit and len(self.answers) >= self.wanted.limit:
                say(f"stopped after {self.wanted.limit} answers, at clock {clock} of {self.end} (more: --limit)")
                return

    def _stopped(self, clock: int) -> None:
        frame = gdb.newest_frame()
        pc, stack = int(frame.pc()), int(frame.read_register("rsp")) % 2**64
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
        if where and not (question.place.returns and RETVAL in where) and not _holds(where):
            return
        texts, numbers = {}, {}
        for one in question.fields:
            if one.expression == COMM:
                texts[one.name] = comm
            elif one.expression != RETVAL:
                texts[one.name], number = _evaluated(one)
                if number is not None:
                    numbers[one.name] = number
        calls = list(_calls()) if self.wanted.stack else []
        if not question.place.returns:
            self.answers.append(Answer(clock, question.place.text, comm, pid, texts, numbers, calls))
            return
        back = int(gdb.Value(stack).cast(self.pointer).dereference())
        if back not in self.returns and back not in self.at:
            self._point("Z0", back)
        self.returns.add(back)
        self.calls[back, stack + self.pointer.target().sizeof] = _Pending(question, comm, pid, texts, numbers, calls)

    def _returned(self, clock: int, call: _Pending) -> None:
        kind = places.returned(call.question.place)
        for one in call.question.fields:
            if one.expression == RETVAL:
                value = gdb.newest_frame().read_register("rax")
                value = value.cast(kind) if kind else value
                call.fields[one.name] = _formed(value, one.form)
                call.numbers[one.name] = _number(value)
        if RETVAL in self.wanted.where:
            gdb.set_convenience_variable("retval", gdb.newest_frame().read_register("rax").cast(kind) if kind else 0)
            if not _holds(self.wanted.where):
                return
        fields = {one.name: call.fields[one.name] for one in call.question.fields}
        self.answers.append(Answer(clock, call.question.place.text, call.comm, call.pid, fields, call.numbers, call.stack))


def printed(session: "Session", facts: dict[str, Any]) -> str:
    """The answers to the questions that the facts name, as they are to be printed."""
    found = answered(session, facts)
    if facts["by"] in ("io", "file") or not (facts["by"] or facts["histogram"]):
        attribute(session.trace, found)
    if not found:
        raise Problem("no execution, or no write, between the clocks and with the conditions")
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
    questions = list(map(parse, facts["questions"]))
    for question in questions:
        run.add(question)
    if facts["catalog"]:
        known = {kind["name"] for kind in session.trace.info["event_types"] if kind["at"] == "entry"}
        Path(facts["catalog"]).write_text(catalog.of(questions, known))
    run.run()
    return run.answers


def _frames() -> Iterator[gdb.Frame]:
    """The newest frame, and those that it is inlined into."""
    frame = gdb.newest_frame()
    while frame:
        yield frame
        if frame.type() != gdb.INLINE_FRAME:
            return
        frame = frame.older()


def _value(text: str) -> gdb.Value:
    """An expression's value, in the innermost function that has its variables."""
    missing = None
    for frame in _frames():
        frame.select()
        try:
            return gdb.parse_and_eval(text)
        except gdb.error as error:
            if "No symbol" not in str(error):
                raise
            missing = missing or error
    assert missing
    raise missing


def _holds(condition: str) -> bool:
    try:
        return _number(_value(expression(condition))) != 0
    except gdb.error as error:
        raise Problem(f"condition '{condition}': {error}") from None


def _evaluated(one: Field) -> tuple[str, int | None]:
    """A field's text, and its number if it is one."""
    try:
        value = _value(expression(one.expression))
        text = _formed(value, one.form)
    except gdb.MemoryError:
        return "<unreadable>", None
    except gdb.error as error:
        if "optimized out" in str(error):
            return "<optimized out>", None
        raise Problem(f"field '{one.expression}': {error}{_members(one.expression, str(error))}") from None
    return text, _number(value) if value.type.strip_typedefs().code in NUMBERS and not value.is_optimized_out else None


NUMBERS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_CHAR, gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_BITSTRING,
           gdb.TYPE_CODE_FLAGS)


def _number(value: gdb.Value) -> int:
    return int(value) if value.type.strip_typedefs().code in NUMBERS else 0


def _formed(value: gdb.Value, form: str) -> str:
    """A value as a field's form says."""
    if form == "string":
        kind = value.type.strip_typedefs()
        if kind.code == gdb.TYPE_CODE_ARRAY or kind.code == gdb.TYPE_CODE_PTR:
            data = value if kind.target().sizeof == 1 else value.cast(gdb.lookup_type("char").pointer())
            address = int(data) if data.type.strip_typedefs().code == gdb.TYPE_CODE_PTR else int(data.address)
            return _string(address)
        raise Problem(f"'{value.type}' is not a string")
    if form == "symbol":
        return value.cast(gdb.lookup_type("void").pointer()).format_string(symbols=True)
    if form:
        number = int(value) & (1 << int(form[1:])) - 1
        if form[0] == "s" and number >> (int(form[1:]) - 1):
            number -= 1 << int(form[1:])
        return f"{number:#x}" if form[0] == "x" else str(number)
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_ARRAY and kind.target().strip_typedefs().code == gdb.TYPE_CODE_INT and kind.target().sizeof == 1:
        return bytes(int(value[n]) & 0xff for n in range(min(kind.range()[1] + 1, STRING))).partition(b"\0")[0].decode(errors="replace")
    return value.format_string(max_elements=16, repeat_threshold=0, summary=False).replace("\n", " ")


def _string(address: int) -> str:
    memory = gdb.selected_inferior()
    found = b""
    while b"\0" not in found and len(found) < STRING:
        found += bytes(memory.read_memory(address + len(found), 16 - (address + len(found)) % 16))
    return found.partition(b"\0")[0][:STRING].decode(errors="replace")


def _calls() -> Iterator[str]:
    """The callers, innermost first."""
    frame = gdb.newest_frame().older()
    for _ in range(MOST_FRAMES):
        if not frame or not frame.name():
            return
        place = frame.find_sal()
        yield f"{frame.name()}{f' {place.symtab.filename}:{place.line}' if place.symtab else ''}"
        frame = frame.older()


def _check(one: Field, address: int, question: Question) -> None:
    """Refuse a field whose variable is not there, and name those that are."""
    name = first_name(expression(one.expression))
    if one.expression in (RETVAL, COMM):
        if one.expression == RETVAL and not question.place.returns:
            raise Problem(f"'{RETVAL}' is known at %return only: {question.place.text}%return")
        return
    if not name or expression(one.expression).startswith("$"):
        return
    there = places.variables(address)
    if name in there or gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name) or _is_type(name):
        return
    near = difflib.get_close_matches(name, there, 3)
    what = f"; did you mean {' or '.join(near)}?" if near else "."
    raise Problem(f"no variable '{name}' at {question.place.text}{what} There are {', '.join(there) or 'none'}")


def _is_type(name: str) -> bool:
    try:
        gdb.lookup_type(name)
    except gdb.error:
        return False
    return True


def _members(text: str, said: str) -> str:
    """The members with a name like the one that is missing."""
    if "no member named" not in said:
        return ""
    wanted = said.split("named ")[-1].strip(". ")
    outer = text.rsplit(wanted, 1)[0].rstrip(".").removesuffix("->")
    try:
        kind = _value(expression(outer)).type.strip_typedefs()
        kind = kind.target().strip_typedefs() if kind.code == gdb.TYPE_CODE_PTR else kind
        near = difflib.get_close_matches(wanted, [member.name for member in kind.fields() if member.name], 3, 0.5)
    except (gdb.error, TypeError):
        return ""
    return f" Did you mean {' or '.join(near)}?" if near else ""
