"""Who wrote a variable last: a hardware watchpoint of QEMU, backwards."""

from typing import TYPE_CHECKING

import gdb

from ..say import Problem
from . import backward

if TYPE_CHECKING:
    from .session import Session


def last(session: "Session", expression: str) -> None:
    """Go back to the instruction that last wrote what an expression names, before the present moment."""
    try:
        value = gdb.parse_and_eval(expression)
        kind, address = value.type, int(value.address)
    except (gdb.error, TypeError):
        raise Problem(f"'{expression}' has no address here: it is in a register, optimized out, or not a variable") from None
    begin, now = session.replay.clock(), _shown(kind, address)
    written = _before(session, address, kind.sizeof)
    if written is None:
        session.seek(begin)
        raise Problem(f"'{expression}' ({address:#x}) was not written at this address between the begin of the recording and here: "
                      "it was written before, through another address, or by a device")
    session.seek(written - 1)
    print(f"{expression} ({address:#x}, {kind.sizeof} bytes) was {_shown(kind, address)}, then {now}: written by the next "
          f"instruction, {begin - written + 1} instructions before clock {begin}")
    session.where()
    gdb.execute("x/i $pc")


def _before(session: "Session", address: int, size: int) -> int | None:
    """The clock behind the last write to these bytes, or none. QEMU's stub is asked without gdb, which has breakpoints of its
    own and would print the stop."""
    if not session.replay.seekable:
        return backward.last_stop(session, f"*(char (*)[{size}]){address:#x}")
    begin = session.replay.clock()
    stub = gdb.selected_inferior().connection
    point = f"2,{address:x},{size:x}"  # a write watchpoint (GDB manual, "Packets")
    if (answer := stub.send_packet(f"Z{point}")) != b"OK":
        raise Problem(f"QEMU cannot watch {size} bytes at {address:#x}: {answer.decode(errors='replace') or 'no answer'}")
    try:
        stub.send_packet("bc")
    finally:
        stub.send_packet(f"z{point}")
    clock = session.replay.clock()
    if clock not in session.replay.edges(begin):
        return clock
    # a write there, or nothing was met
    session.seek(clock)
    after = _bytes(address, size)
    if clock > session.replay.earliest:
        session.seek(clock - 1)
        return clock if _bytes(address, size) != after else None
    return None


def _bytes(address: int, size: int) -> bytes:
    return bytes(gdb.selected_inferior().read_memory(address, size))


def _shown(kind: gdb.Type, address: int) -> str:
    return gdb.Value(address).cast(kind.pointer()).dereference().format_string(max_elements=16)
