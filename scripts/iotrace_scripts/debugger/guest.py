"""The guest of a debugger: a QEMU that replays, is taken to any instruction, and makes snapshots near those that are visited.

gdb is connected to QEMU's stub. The commands for going to an instruction take another way (QMP): while gdb waits for the
stub, nothing else is possible, and the stub knows no instruction counts.
"""

import itertools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Sequence

from .. import child
from ..qmp import Controlled
from ..say import Problem, Ticker
from ..stage import SPARE_BYTES
from ..standstill import Subject

STUB = "gdb"  # QEMU's socket for gdb, in its folder
SEEK_SECONDS = 600.0
PATIENCE = 20.0  # seconds that QEMU may take to load a snapshot: one that deadlocks while it does never answers
# A snapshot is made on the way to an instruction that is farther than `FAR` from the one before it, so many instructions
# `BEFORE` it: what comes right before is what the user steps back to. With a request in flight none can be made: tried again
# `STEP` instructions later.
FAR, BEFORE, STEP = 1 << 20, 1 << 16, 1 << 12
EARLY = 1 << 22  # instructions before the workload, of a recording that has no snapshot
# How many such snapshots are kept; the oldest goes first. Each is as large as the memory that the guest uses.
KEPT = 8


# QEMU's snapshots do not have all of the state of these (vmstate_megasas in hw/scsi/megasas.c has no head of the reply queue):
# loaded into a QEMU that has gone on, they leave the rest as it is.
INCOMPLETE = ("megasas", "megasas-gen2")


class Replay(Controlled):
    """QEMU replaying, under gdb. `first`: the clock of the snapshot that it begins at; none: of the guest's start."""

    POLL_SECONDS = 0.01

    def __init__(self, command: Sequence[str], folder: Path, subject: Subject, first: int | None, seekable: bool) -> None:
        stub = f"unix:{STUB},server=on,wait=off"
        super().__init__([*command, "-S", "-gdb", stub], folder, "replaying", subject)
        self.patience = PATIENCE
        self.first, self.seekable = first, seekable
        self.has_boot = first is not None  # a new QEMU begins with the disks as they were
        self.made: list[tuple[int, str]] = []  # snapshots: clock and name, the oldest first
        self.names = itertools.count(1)

    def _started(self) -> subprocess.Popen[bytes]:
        # Ctrl-C is meant for gdb alone.
        return child.start([*self.command, *self.arguments], self.folder, self.said, [self.descriptor], alone=True)

    def clock(self) -> int:
        """How many instructions the guest has executed."""
        return self.execute("query-replay")["icount"]

    @property
    def earliest(self) -> int:
        """The clock before which it cannot go."""
        if not self.seekable:
            return self.first or 0
        made = [clock for clock, _ in self.made]
        return min([*made, *([self.first] if self.first is not None else [])], default=self.clock())

    def edges(self, clock: int) -> set[int]:
        """Where a reverse-continue from a clock stops that meets nothing: QEMU searches from a snapshot to the next one, and is
        left where the last search ended (replay/replay-debugging.c in its sources)."""
        return {clock - 1, self.earliest, *(made - 1 for made, _ in self.made)}

    def seek(self, clock: int) -> None:
        """Go to an instruction, forwards or backwards; backwards only if it is seekable."""
        if clock < self.clock() and clock < self.earliest:
            raise Problem(f"clock {clock} is before the begin of the recording, clock {self.earliest}")
        if self._distance(clock) > FAR and self._has_room():
            self._go(clock - BEFORE)
            self._keep(clock)
        self._go(clock)

    def restart(self) -> None:
        """Start QEMU again, where it began: the way back of a replay that cannot load snapshots."""
        self.__exit__()
        Controlled.__init__(self, self.command, self.folder, self.what, self.subject)
        self.patience = PATIENCE
        self.__enter__()

    def kill(self) -> None:
        """End QEMU, whose guest stands still: gdb would wait for it."""
        self.process.kill()
        self.process.wait()

    def keep_from(self, clock: int) -> None:
        """Make a snapshot somewhat before an instruction: what comes later can be gone back to."""
        self._go(max(1, clock - EARLY))
        if self._has_room():
            self._keep(clock)
        if self.made:
            self.first, _ = self.made.pop()  # stays

    def _distance(self, clock: int) -> int:
        """Instructions to be executed to get there."""
        now = self.clock()
        starts = [at for at in (now, self.first, *(made for made, _ in self.made)) if at is not None and at <= clock]
        return clock - max(starts, default=clock)

    def _has_room(self) -> bool:
        return self.seekable and shutil.disk_usage(self.folder).free > SPARE_BYTES

    def _keep(self, limit: int) -> None:
        name = f"visited{next(self.names)}"
        while self.monitor(f"savevm {name}"):
            if (later := self.clock() + STEP) >= limit:
                return  # it takes longer to go back, that is all
            self._go(later)
        self.made.append((self.clock(), name))
        if len(self.made) > KEPT:
            self.monitor(f"delvm {self.made.pop(0)[1]}")

    def _go(self, clock: int) -> None:
        if clock == (now := self.clock()):
            return
        self.ticker = Ticker(f"going to instruction {clock}")
        if self.seekable:
            self.execute("replay-seek", {"icount": clock})
        elif clock > now:
            self.execute("replay-break", {"icount": clock})
            self.execute("cont")
        else:
            raise Problem("this replay cannot be moved backwards")
        try:
            self.wait_until(lambda: not self.execute("query-status")["running"], lambda: "replaying", SEEK_SECONDS)
        except KeyboardInterrupt:
            self.execute("stop")
            raise Problem(f"interrupted at clock {self.clock()}") from None
        if (reached := self.clock()) != clock:
            raise Problem(f"the replay stopped at instruction {reached}, not at {clock}: start scripts/gdb again")

    def stop_at(self, clock: int) -> None:
        """Stop when the guest comes to an instruction, if it is behind it: QEMU ends with the last event of its log."""
        if self.clock() < clock:
            self.execute("replay-break", {"icount": clock})

    @property
    def stub(self) -> str:
        """The socket for gdb."""
        return os.fspath(self.folder / STUB)
