"""A QEMU that gets no further, and what can be said about it.

In: the connection to a QEMU whose guest executes no more instructions; what ran in it, if that is known. Out: a Problem
with its own exit status, whose text has the instruction, the function, the next event of the log, and what is known of the
controller. What cannot be found out is called unknown.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from . import catalog, elf, rrlog
from .say import Problem


STATUS = 3
ANSWER_SECONDS = 5.0
PAGE = 4096
# Where Linux can put its image (arch/x86: __START_KERNEL_map, CONFIG_PHYSICAL_ALIGN, KERNEL_IMAGE_SIZE).
IMAGE, ALIGN, IMAGE_SIZE = 0xFFFFFFFF80000000, 2 << 20, 1 << 30
USER_END = 1 << 47
# Of a page of code that many bytes are the same where it was loaded: the kernel patches itself.
SAME, OTHERS = 0.8, 0.5


@dataclass(frozen=True)
class Subject:
    """What ran in a QEMU."""

    controller: str
    kernel: Path  # its folder, or its vmlinux
    log: Path | None = None  # that is replayed
    begin: int = 0  # instructions that the guest had executed at the log's beginning


class Answering(Protocol):
    """What is asked where a QEMU is."""

    executed: int | None
    patience: float

    def monitor(self, command: str) -> str:
        """Run a command of the human monitor and return what it printed."""


class Standstill(Problem):
    """A QEMU got no further."""

    status = STATUS

    def __init__(self, what: str, control: Answering, subject: Subject | None = None, reason: str = "") -> None:
        super().__init__(what)
        self.what, self.executed, self.subject, self.reason, self.more = what, control.executed, subject, reason, ""
        self.registers, self.code = "", b""
        control.patience = ANSWER_SECONDS
        try:
            if self.executed is not None:
                self.registers = control.monitor("info registers")
                if (at := self.address()) is not None:
                    self.code = memory(control.monitor(f"x/{PAGE // 8}gx {at & -PAGE:#x}"))
        except Problem:
            pass  # QEMU does not answer

    def __str__(self) -> str:
        """All that is known, one thing a line."""
        subject, executed = self.subject, self.executed
        lines = [f"{self.what}: {self.reason or 'the guest executes no more instructions'}: QEMU was ended"]
        if executed is None:
            lines.append("QEMU did not report how many instructions the guest has executed")
        else:
            lines += self._position(executed)
        lines.append(f"the guest is {self.place(subject.kernel if subject else None)}")
        if subject and (known := catalog.replays(subject.controller)):
            lines.append(f"{subject.controller}: {known}: record again, or with another controller")
        elif subject and subject.log:
            lines.append(f"recordings with {subject.controller} are known to replay: record again")
        return "\n".join(filter(None, [*lines, self.more]))

    def _position(self, executed: int) -> list[str]:
        """At which instruction it is, of how many, and what comes next."""
        if not self.subject or not self.subject.log:
            return [f"the guest has executed {executed} instructions"]
        begin = self.subject.begin
        found = rrlog.look(self.subject.log, executed - begin)
        if not found:
            return [f"the guest has executed {executed} instructions; the log cannot be read"]
        return [f"the guest has executed {executed} of {begin + found.total} instructions",
                f"the next events in the log, at instruction {begin + found.at}: {', '.join(found.events) or 'none'}"]

    def address(self) -> int | None:
        """The guest's instruction pointer in 64-bit mode."""
        found = re.search(r"\bRIP=([0-9a-f]{16})\b", self.registers)
        return int(found[1], 16) if found else None

    def place(self, kernel: Path | None) -> str:
        """Where the guest is."""
        halted = ", halted until an interrupt" if re.search(r"\bHLT=1\b", self.registers) else ""
        at = self.address()
        if at is None:
            early = re.search(r"\bEIP=([0-9a-f]{8})\b", self.registers)
            return f"in the firmware or a boot loader, at {int(early[1], 16):#x}{halted}" if early else "at an unknown place"
        if at < USER_END:
            return f"in a program, at {at:#x}{halted}"
        return f"in {function(kernel, at, self.code) or f'an unknown function, at {at:#x}'}{halted}"


def memory(printed: str) -> bytes:
    """The bytes that QEMU's monitor printed in words of eight bytes; none if it printed anything else."""
    words = re.findall(r"0x([0-9a-f]{16})\b", printed)
    return b"".join(int(word, 16).to_bytes(8, "little") for word in words)


def function(kernel: Path | None, at: int, code: bytes) -> str:
    """The function of the kernel's image at an address, with the code of the address's page as it is in memory; empty if it
    is not known, as of a module's."""
    if kernel is None or len(code) != PAGE:
        return ""
    try:
        image = elf.Image.read(kernel / "vmlinux" if kernel.is_dir() else kernel)
    except (OSError, Problem):
        return ""
    page = at & -PAGE
    slides = {slide: sum(map(int.__eq__, code, there)) / PAGE
              for slide in range(0, IMAGE_SIZE, ALIGN) if len(there := image.bytes_at(page - slide, PAGE)) == PAGE}
    best = sorted(slides, key=lambda slide: slides[slide], reverse=True)
    if not best or slides[best[0]] < SAME or len(best) > 1 and slides[best[1]] > OTHERS:
        return ""
    return image.function(at - best[0])
