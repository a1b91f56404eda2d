"""A session of gdb: the replay, the trace, and where the guest is.

There is one in a process, which commands and functions use: `current`.
"""

import contextlib
import functools
import json
import os
from pathlib import Path
from typing import Any, Iterator

import gdb

from ..qmp import NoAnswer
from ..say import Problem
from ..standstill import Standstill, Subject
from . import backward, symbols
from .guest import Replay
from .launch import FILE
from .questions import Trace, described

@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """In this block gdb does not print where the guest stops: what it writes to standard output is lost."""
    gdb.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        gdb.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


ANSWER_SECONDS = 600  # that QEMU's stub may take to go back


class Session:
    """What gdb works on."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.kernel, self.sources = Path(facts["kernel"]), facts["sources"]
        self.trace = Trace(Path(facts["trace"]), Path(facts["analyzer"]))
        first = facts["first"]
        about = Subject(facts["controller"], self.kernel, Path(facts["log"]), first or 0)
        self.replay = Replay(facts["command"], Path(facts["folder"]), about, first, facts["seekable"]).__enter__()
        self.slide = int(self.trace.info["trace"]["slide"], 16)
        self.modules: set[str] = set()  # whose symbols are loaded
        self.clock, self.what = facts["clock"], facts["what"]  # where it begins, then where gdb has seen it last
        self.asked = facts["asked"]
        self.explained = False  # why going back takes long
        self.searching = False  # reverse-continue is under way

    def prepare(self) -> None:
        """Load the kernel's symbols, go to where it begins, and connect; then load those of the modules."""
        for setting in ("pagination off", "confirm off", "print thread-events off", f"remotetimeout {ANSWER_SECONDS}"):
            gdb.execute(f"set {setting}")
        if self.asked is not None:  # an assignment in an expression would make another guest of it
            for kind in ("memory", "registers"):
                gdb.execute(f"set may-write-{kind} off", to_string=True)
        symbols.load(self.kernel, self.slide)
        if self.replay.first is None and (begin := self.trace.begin) and begin <= self.clock:
            self.replay.keep_from(begin)
        self.replay.seek(self.clock)
        self.connect()
        self.load_modules()
        if self.sources:
            symbols.sources(Path(self.sources))

    def load_modules(self) -> None:
        """Load the symbols of modules that the guest has loaded meanwhile."""
        missing = symbols.load_modules(self.kernel, self.modules)
        if missing:
            print(f"no symbols of the modules {', '.join(missing)}: {self.kernel} does not have their files")

    def seek(self, clock: int) -> None:
        """Go to a clock."""
        if not self.replay.seekable and self.replay.earliest <= clock < self.replay.clock():
            self.restart()
        try:
            self.replay.seek(clock)
        except (Standstill, NoAnswer):
            self.replay.kill()
            if not self.replay.seekable or not self.replay.has_boot:
                raise
            # a snapshot that lacks a part of the machine's state
            self.replay.seekable = False
            backward.define(self)
            self.restart()
            self.replay.seek(clock)
        finally:
            self.flush()
        self.arrived(clock)

    def restart(self) -> None:
        """Go back to where the replay began, with another QEMU."""
        if not self.explained:
            print("QEMU cannot load snapshots in this recording's replay: each step back starts it again")
        self.explained = True
        with contextlib.suppress(gdb.error):
            gdb.execute("disconnect", to_string=True)
        self.replay.restart()
        self.connect()

    def flush(self) -> None:
        """Have gdb ask for registers and memory again: it has not seen that the guest ran."""
        for cache in ("register-cache", "dcache"):
            gdb.execute(f"maintenance flush {cache}", to_string=True)

    def connect(self) -> None:
        """Connect gdb to QEMU."""
        with quiet():
            gdb.execute(f"target remote {self.replay.stub}", to_string=True)

    def arrived(self, clock: int) -> None:
        """The guest has stopped at a clock."""
        self.clock = clock
        self.replay.stop_at(self.trace.last)

    def where(self, what: str = "") -> None:
        """Print the clock, what is there, and the frame."""
        clock = self.replay.clock()
        events = self.trace.at(clock)
        print(f"clock {clock}{f': {what}' if what else ''}")
        for event in events:
            if described(event) != what:
                print(f"  {described(event)}")
        gdb.execute("frame")

    def stopped(self, event: gdb.StopEvent) -> None:
        """Called by gdb whenever the guest has stopped: name the ends of what is recorded."""
        try:
            clock, searched, self.searching = self.replay.clock(), self.searching, False
            # what the stub reports as a bare trap is no SignalEvent
            if searched and type(event) is gdb.StopEvent and clock in self.replay.edges(self.clock):
                clock = self.replay.earliest
                self.seek(clock)
                print(f"no breakpoint was hit: begin of the recording (clock {clock})")
            elif isinstance(event, gdb.SignalEvent) and clock >= self.trace.last:
                print(f"end of the recording (clock {clock}): instructions behind it do not replay reliably")
            self.arrived(clock)
        except Problem:
            pass  # QEMU has ended, which gdb reports

    def end(self, _event: object = None) -> None:
        """End QEMU. gdb would complain of it if it were still connected."""
        with contextlib.suppress(gdb.error):
            gdb.execute("disconnect", to_string=True)
        self.replay.__exit__()

    def prompt(self) -> str:
        """Of gdb, with the clock."""
        try:
            return f"(iotrace {self.replay.clock()}) "
        except Problem:
            return "(gdb) "


@functools.cache
def current() -> Session:
    """The session that the environment describes."""
    return Session(json.loads(Path(os.environ[FILE]).read_text()))


def begin() -> None:
    """Begin it: go to the moment that was asked for."""
    here = current()
    here.prepare()
    if here.asked is not None:
        from . import ask
        print(ask.printed(here, here.asked), end="", flush=True)
        here.end()
        return
    gdb.events.stop.connect(here.stopped)
    gdb.events.gdb_exiting.connect(here.end)
    gdb.prompt_hook = lambda _prompt: here.prompt()
    if not here.replay.seekable:
        backward.define(here)
    gdb.execute("define hook-reverse-continue\npython import iotrace_scripts.debugger.session; iotrace_scripts.debugger.session.current().searching = True\nend")
    here.replay.stop_at(here.trace.last)
    here.where(here.what)
