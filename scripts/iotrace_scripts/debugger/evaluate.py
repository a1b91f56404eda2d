"""What gdb says of the fields of a question, in the frame where the guest has stopped.

In: expressions. Out: texts and numbers; or a Problem that names what is near, if the expression cannot be right.
"""

import difflib
from typing import Iterator

import gdb

from ..say import Problem
from . import places
from .question import COMM, RETVAL, Field, Question, expression, first_name

MOST_FRAMES = 32
STRING = 256  # bytes of a string


def _frames() -> Iterator[gdb.Frame]:
    """The newest frame, and those that it is inlined into."""
    frame = gdb.newest_frame()
    while frame:
        yield frame
        if frame.type() != gdb.INLINE_FRAME:
            return
        frame = frame.older()


def value_of(text: str) -> gdb.Value:
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


def holds(condition: str) -> bool:
    """Whether a condition is not 0."""
    try:
        return number(value_of(expression(condition))) != 0
    except gdb.error as error:
        raise Problem(f"condition '{condition}': {error}") from None


def evaluated(one: Field) -> tuple[str, int | None]:
    """A field's text, and its number if it is one."""
    try:
        value = value_of(expression(one.expression))
        text = formed(value, one.form)
    except gdb.MemoryError:
        return "<unreadable>", None
    except gdb.error as error:
        if "optimized out" in str(error):
            return "<optimized out>", None
        raise Problem(f"field '{one.expression}': {error}{_members(one.expression, str(error))}") from None
    return text, number(value) if value.type.strip_typedefs().code in NUMBERS and not value.is_optimized_out else None


NUMBERS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_CHAR, gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_BITSTRING,
           gdb.TYPE_CODE_FLAGS)


def number(value: gdb.Value) -> int:
    """A value's number; 0 if it is none."""
    return int(value) if value.type.strip_typedefs().code in NUMBERS else 0


def formed(value: gdb.Value, form: str) -> str:
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
        bits = int(form[1:])
        found = int(value) & (1 << bits) - 1
        if form[0] == "s" and found >> (bits - 1):
            found -= 1 << bits
        return f"{found:#x}" if form[0] == "x" else str(found)
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


def calls() -> Iterator[str]:
    """The callers, innermost first."""
    frame = gdb.newest_frame().older()
    for _ in range(MOST_FRAMES):
        if not frame or not frame.name():
            return
        place = frame.find_sal()
        yield f"{frame.name()}{f' {place.symtab.filename}:{place.line}' if place.symtab else ''}"
        frame = frame.older()


def check(one: Field, address: int, question: Question) -> None:
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
        kind = value_of(expression(outer)).type.strip_typedefs()
        kind = kind.target().strip_typedefs() if kind.code == gdb.TYPE_CODE_PTR else kind
        near = difflib.get_close_matches(wanted, [member.name for member in kind.fields() if member.name], 3, 0.5)
    except (gdb.error, TypeError):
        return ""
    return f" Did you mean {' or '.join(near)}?" if near else ""
