"""The facts about a recorded machine from which QEMU's command line follows.

In: the section `machine` of a recording's manifest. Out: a Machine, or a Problem that names the fact. A recording may
come from somebody else, so nothing in its manifest reaches QEMU but the facts that are checked here: none of them can
add an option, a property or a file outside the recording's folder.
"""

import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Callable

from . import qemu
from .say import Problem

DATA_DISK = "disk.img"
WITNESS_DISK = "witness.img"
MEGABYTES = (32, 1 << 20)  # the least that boots, and QEMU's own limit for a q35 machine
SHIFTS = (0, 10)  # QEMU's limits (accel/tcg/icount-common.c: MAX_ICOUNT_SHIFT)
DEFAULT_CPU = "qemu64"
CPU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(,[+-]?[A-Za-z0-9._-]+(=[A-Za-z0-9._-]+)?)*")
COMMAND_LINE_BYTES = 2047  # x86's COMMAND_LINE_SIZE, without the zero at its end


@dataclass(frozen=True)
class Machine:
    """A machine that is recorded and replayed."""

    memory: int  # MB
    shift: int  # an instruction takes 2^shift virtual nanoseconds
    controller: str  # one of qemu.CONTROLLERS
    disks: tuple[str, ...]  # the images, files in the recording's folder
    command_line: str  # of the guest's kernel
    cpu: str = DEFAULT_CPU  # QEMU's CPU model, with features
    seekable: bool = True  # a running replay can load a snapshot

    def arguments(self, mode: str, console: str) -> list[str]:
        """QEMU's arguments to record (`mode` is record) or to replay (replay), in the recording's folder."""
        keeping = [(name, mode == "record" and name == WITNESS_DISK) for name in self.disks]
        return [
            *qemu.machine_arguments(self.shift, mode, qemu.RR_LOG, console, self.memory, self.cpu),
            *(qemu.SEEKABLE if self.seekable else []),
            *qemu.disk_arguments(self.controller, keeping),
            "-kernel", "vmlinuz", "-initrd", "initramfs.cpio", "-append", self.command_line,
        ]

    def facts(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        return asdict(self) | {"disks": list(self.disks)}


def _whole(limits: tuple[int, int]) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and limits[0] <= value <= limits[1]


def _is_disks(value: Any) -> bool:
    return value in ([DATA_DISK], [DATA_DISK, WITNESS_DISK])


def _is_command_line(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value.encode()) <= COMMAND_LINE_BYTES


# What each fact has to be, and how that is said.
CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "memory": (_whole(MEGABYTES), f"a whole number from {MEGABYTES[0]} to {MEGABYTES[1]}"),
    "shift": (_whole(SHIFTS), f"a whole number from {SHIFTS[0]} to {SHIFTS[1]}"),
    "controller": (lambda value: isinstance(value, str) and value in qemu.CONTROLLERS,
                   f"one of {', '.join(qemu.CONTROLLERS)}"),
    "disks": (_is_disks, f"[{DATA_DISK}] or [{DATA_DISK}, {WITNESS_DISK}]"),
    "command_line": (_is_command_line, f"printable text of at most {COMMAND_LINE_BYTES} bytes"),
    "cpu": (lambda value: isinstance(value, str) and CPU.fullmatch(value) is not None,
            "a CPU model of QEMU, with features behind commas"),
    "seekable": (lambda value: type(value) is bool, "true or false"),
}
assert list(CHECKS) == [field.name for field in fields(Machine)]


def check(name: str, value: Any) -> None:
    """Refuse a value that this fact cannot have."""
    fulfils, wanted = CHECKS[name]
    if not fulfils(value):
        raise Problem(f"the machine's {name} is {value!r}: it must be {wanted}")


def parse(facts: Any) -> Machine:
    """A machine from the section of a manifest: exactly the known facts, each with a possible value."""
    if not isinstance(facts, dict) or set(facts) != set(CHECKS):
        has = ", ".join(map(repr, facts)) if isinstance(facts, dict) else repr(facts)
        raise Problem(f"the machine has the facts {has}: it must have exactly {', '.join(CHECKS)}")
    for name, value in facts.items():
        check(name, value)
    return Machine(**{**facts, "disks": tuple(facts["disks"])})


def from_command(command: Any, controller: Any) -> Machine:
    """A machine from the command line that manifests of format 1 hold. It is never run: the facts are read from it,
    and the command line that follows from them must be the same one."""
    def after(option: str) -> str:
        return command[command.index(option) + 1]

    try:
        shift = re.fullmatch(r"shift=(\d{1,2}),rr=replay,rrfile=rr\.log", after("-icount"))
        images = [argument.partition(",")[0] for argument in command if argument.startswith("file=")]
        disks = [name.removeprefix("file=") for name in images if not name.startswith("file=@")]
        found = parse({"memory": int(after("-m")), "shift": int(shift[1]) if shift else None, "controller": controller,
                       "disks": disks, "command_line": after("-append"), "cpu": after("-cpu"), "seekable": False})
    except (AttributeError, TypeError, ValueError, IndexError):
        raise Problem("the command line in it is not one that scripts/record writes") from None
    if found.arguments("replay", "@CONSOLE@") != command:
        raise Problem("the command line in it has more than scripts/record writes")
    return found
