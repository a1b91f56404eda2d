"""Notices that a QEMU gets no further.

In: now and then, how many instructions the guest has executed and how much CPU time QEMU has used. Out: whether it is to be
given up. What counts is the number of instructions alone: a guest that computes without any event in QEMU's log gets further.
"""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Look:
    """What can be seen of a QEMU at a moment."""

    now: float  # seconds
    cpu: float  # seconds of CPU time since it began
    instructions: int | None  # that the guest has executed; None as long as QEMU has not answered


class Progress:
    """Watches one QEMU."""

    CPU_SECONDS = 5.0  # without an instruction more
    IDLE_SECONDS = 20.0  # the same, using next to no CPU time
    IDLE_SHARE = 0.05  # of a CPU, while idle
    STARTING_CPU_SECONDS = 600.0  # until the first answer: a plugin may compile a kernel's profile

    def __init__(self) -> None:
        self.moved: Look | None = None
        self.ran: Look | None = None

    def stalled(self, look: Look) -> bool:
        """Whether it is to be given up."""
        if self.moved is None or self.ran is None or look.instructions != self.moved.instructions:
            self.moved = self.ran = look
            return False
        if look.cpu - self.ran.cpu > self.IDLE_SHARE * self.IDLE_SECONDS:
            self.ran = look
        limit = self.STARTING_CPU_SECONDS if look.instructions is None else self.CPU_SECONDS
        return look.cpu - self.moved.cpu > limit or look.now - self.ran.now > self.IDLE_SECONDS


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
