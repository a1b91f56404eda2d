"""Finds all writes to a variable in a window of the replay: QEMU's watchpoint, forwards.

QEMU stops behind the instruction that writes. What a device writes into memory, and writes through another address of the same
memory, are not seen.
"""

from typing import TYPE_CHECKING

import gdb

from ..say import Problem, say
from .answers import Answer
from .question import expression
from .values import running, state

if TYPE_CHECKING:
    from .session import Session


def writes(session: "Session", text: str, end: int, limit: int) -> list[Answer]:
    """The writes from here to a clock, with old and new values."""
    try:
        value = gdb.parse_and_eval(expression(text))
        kind, address = value.type, int(value.address)
    except (gdb.error, TypeError) as error:
        raise Problem(f"'{text}' has no address at clock {session.replay.clock()}: {error}; name a global variable, a field of an object "
                      "(bio#62.bi_status), or an address with its type (*(int *)0xffff888000000000)") from None
    stub = gdb.selected_inferior().connection
    if (answer := stub.send_packet(f"Z2,{address:x},{kind.sizeof:x}")) != b"OK":
        raise Problem(f"QEMU cannot watch {kind.sizeof} bytes at {address:#x}: {answer.decode(errors='replace') or 'no answer'}")
    found: list[Answer] = []
    old = _shown(kind, address)
    while True:
        session.replay.stop_at(end)
        stub.send_packet("c")
        session.flush()
        clock = session.replay.clock()
        new = _shown(kind, address)
        if clock >= end:
            break
        task = running()
        found.append(Answer(clock - 1, _place(), task["comm"].string(errors="replace"), int(task["pid"]), {"old": old, "new": new},
                            state=state(task)))
        old = new
        if limit and len(found) >= limit:
            say(f"stopped after {limit} writes, at clock {clock} of {end} (more: --limit)")
            return found
    if new != old:
        say(f"'{text}' has {new} at clock {end}, after {old}, without a write that was seen: by a device, or through another address")
    return found


def _place() -> str:
    """The function and the line of the instruction before this one."""
    pc = int(gdb.newest_frame().pc())
    block, place = gdb.block_for_pc(pc - 1), gdb.find_pc_line(pc - 1)
    while block and not block.function:
        block = block.superblock
    name = block.function.name if block and block.function else f"{pc - 1:#x}"
    return f"{name} {place.symtab.filename}:{place.line}" if place.symtab else name


def _shown(kind: gdb.Type, address: int) -> str:
    try:
        return gdb.Value(address).cast(kind.pointer()).dereference().format_string(max_elements=16).replace("\n", " ")
    except gdb.MemoryError:
        return "<unreadable>"
