"""Going back without snapshots: a new QEMU replays up to where the guest is, and stops at each breakpoint on the way.

For recordings that were made without seeking, and for controllers whose state a snapshot does not have. The commands take the
place of gdb's own of the same name, which have QEMU load a snapshot.
"""

from typing import TYPE_CHECKING, ContextManager

import gdb

from ..say import Problem

if TYPE_CHECKING:
    from .session import Session


def last_stop(session: "Session", written: str = "") -> int | None:
    """The clock of the last stop at a breakpoint before the present moment, or none. The guest is then where the replay
    begins. `written`: at a write to this expression instead."""
    end, last = session.replay.clock(), None
    session.restart()
    points = [point for point in gdb.breakpoints() if point.enabled] if written else []
    watch = gdb.Breakpoint(written, gdb.BP_WATCHPOINT, gdb.WP_WRITE, internal=True) if written else None
    for point in points:
        point.enabled = False
    try:
        while session.replay.clock() < end:
            session.replay.stop_at(end)
            with _quiet():
                gdb.execute("continue", to_string=True)
            if (clock := session.replay.clock()) < end:
                last = clock
    finally:
        if watch:
            watch.delete()
        for point in points:
            point.enabled = True
    session.restart()
    return last


def _quiet() -> ContextManager[None]:
    from .session import quiet
    return quiet()


class _Stepi(gdb.Command):
    """Step backward exactly one instruction: reverse-stepi [N]"""

    def __init__(self, session: "Session") -> None:
        super().__init__("reverse-stepi", gdb.COMMAND_RUNNING)
        self.session = session

    def invoke(self, text: str, _from_terminal: bool) -> None:
        try:
            self.session.seek(self.session.replay.clock() - int(gdb.parse_and_eval(text or "1")))
        except Problem as problem:
            raise gdb.GdbError(str(problem)) from None
        gdb.execute("frame")


class _Continue(gdb.Command):
    """Continue backward to the last breakpoint before this."""

    def __init__(self, session: "Session") -> None:
        super().__init__("reverse-continue", gdb.COMMAND_RUNNING)
        self.session = session

    def invoke(self, _text: str, _from_terminal: bool) -> None:
        last = last_stop(self.session)
        if last is None:
            print(f"no breakpoint was hit: begin of the recording (clock {self.session.replay.clock()})")
            self.session.flush()
            self.session.arrived(self.session.replay.clock())
        else:
            self.session.seek(last)
            print(f"clock {last}")
        gdb.execute("frame")


class _Missing(gdb.Command):
    """Not possible in this recording: use reverse-continue, reverse-stepi, iotrace-previous, or iotrace-clock."""

    def __init__(self, name: str) -> None:
        super().__init__(name, gdb.COMMAND_RUNNING)
        self.name = name

    def invoke(self, _text: str, _from_terminal: bool) -> None:
        raise gdb.GdbError(f"{self.name} needs snapshots, which QEMU cannot load in this recording's replay: use reverse-continue "
                           "to a breakpoint, reverse-stepi, iotrace-previous, or iotrace-clock")


def define(session: "Session") -> None:
    """Replace gdb's commands."""
    _Stepi(session)
    _Continue(session)
    for name in ("reverse-step", "reverse-next", "reverse-nexti", "reverse-finish"):
        _Missing(name)
    for alias, name in (("rsi", "reverse-stepi"), ("rc", "reverse-continue")):
        gdb.execute(f"alias {alias} = {name}", to_string=True) if not _defined(alias) else None


def _defined(name: str) -> bool:
    try:
        gdb.execute(f"help {name}", to_string=True)
    except gdb.error:
        return False
    return True
