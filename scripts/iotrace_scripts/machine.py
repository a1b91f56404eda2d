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
ARCHIVE = "workload.tar"
FILES = "opt/iotrace/workload"  # the archive's name in the firmware configuration device
SNAPSHOT = "booted"  # the snapshot of a boot
MEGABYTES = (32, 1 << 20)  # the least that boots, and QEMU's own limit for a q35 machine
SHIFTS = (0, 10)  # QEMU's limits (accel/tcg/icount-common.c: MAX_ICOUNT_SHIFT)
DEFAULT_CPU = "qemu64"
CPU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(,[+-]?[A-Za-z0-9._-]+(=[A-Za-z0-9._-]+)?)*")
CHECKSUM = re.compile(r"[0-9a-f]{64}")
MOST_ERRORS = 64
COMMAND_LINE_BYTES = 2047  # x86's COMMAND_LINE_SIZE, without the zero at its end
HOST, INSTANT = "host", "instant"
DISKS = (HOST, INSTANT)
VCPUS = (1, 255)  # what a q35 machine has without an interrupt remapping device
SINGLE, MULTI = "single", "multi"
THREADS = (SINGLE, MULTI)  # as QEMU's -accel tcg,thread= has them


@dataclass(frozen=True)
class Run:
    """What QEMU does with a machine, in a folder that has the machine's files."""

    mode: str  # record, replay, or trace: without a log
    console: str
    state: bool = False  # there is an image for snapshots of the machine
    overlays: bool = False  # qcow2 files stand for the images
    snapshot: str = ""  # one with which a replay begins; it is in the disks' overlays too


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
    archive: bool = True  # the guest waits for its workload, an archive
    disk: str = HOST  # how the host serves requests: one of DISKS
    boot: str = ""  # checksum of the boot that the recording goes on from; empty: it boots the guest
    errors: tuple[str, ...] = ()  # of the data disk, as qemu.DiskError has them
    smp: int = 1  # vCPUs
    thread: str = SINGLE  # whether they share a host thread: one of THREADS

    def arguments(self, run: Run) -> list[str]:
        """QEMU's arguments, to be used in a folder that has the machine's files."""
        threads = self.thread == MULTI
        if run.mode != "trace" and (self.smp != 1 or threads):
            raise Problem("a guest with several vCPUs, or with threads of their own, can be traced while it runs (--trace), but not recorded "
                          "or replayed: QEMU's record/replay has one vCPU")
        return [
            *qemu.machine_arguments(self.shift, run.mode, run.console, self.memory, self.cpu, run.snapshot, self.smp, threads),
            *(qemu.SEEKABLE if self.seekable else []),
            *(qemu.STATE_DRIVE if run.state else []),
            *qemu.disk_arguments(self.controller, [self._drive(name, run) for name in self.disks], self._in_vcpu(),
                                 logged=run.mode != "trace"),
            "-kernel", "vmlinuz", "-initrd", "initramfs.cpio", "-append", self.command_line,
            *(["-fw_cfg", f"name={FILES},file={ARCHIVE}"] if self.archive else []),
        ]

    def _in_vcpu(self) -> bool:
        return self.archive or self.disk == INSTANT

    def _drive(self, name: str, run: Run) -> qemu.Drive:
        direct = self.disk == INSTANT and run.mode == "record"
        of_disk = map(qemu.DiskError.parse, self.errors if name == DATA_DISK else ())
        errors = tuple(filter(None, of_disk))
        if run.overlays:
            return qemu.Drive(overlay(name), "qcow2", keep=True, errors=errors)
        keep = run.mode != "replay" and (name == WITNESS_DISK or run.state or direct)
        return qemu.Drive(name, keep=keep, direct=direct, errors=errors)

    def facts(self) -> dict[str, Any]:
        """As the manifest keeps it: what manifests before did not have only if it is not as it was then."""
        facts = asdict(self) | {"disks": list(self.disks), "errors": list(self.errors)}
        return {name: fact for name, fact in facts.items() if name not in ADDED or fact != ADDED[name]}


def overlay(image: str) -> str:
    """The name of the qcow2 file that stands for an image."""
    return image.removesuffix(".img") + ".qcow2"


def _whole(limits: tuple[int, int]) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and limits[0] <= value <= limits[1]


def _is_disks(value: Any) -> bool:
    return value in ([DATA_DISK], [DATA_DISK, WITNESS_DISK])


def _is_errors(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MOST_ERRORS and all(map(qemu.DiskError.parse, value))


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
    "archive": (lambda value: type(value) is bool, "true or false"),
    "disk": (lambda value: isinstance(value, str) and value in DISKS, f"one of {', '.join(DISKS)}"),
    "boot": (lambda value: isinstance(value, str) and (value == "" or CHECKSUM.fullmatch(value) is not None),
             "empty, or a checksum in 64 hexadecimal digits"),
    "errors": (_is_errors, f"a list of at most {MOST_ERRORS} errors of the form read:SECTOR or write:SECTOR, with :once "
                           "behind or without"),
    "smp": (_whole(VCPUS), f"a whole number from {VCPUS[0]} to {VCPUS[1]}"),
    "thread": (lambda value: isinstance(value, str) and value in THREADS, f"one of {', '.join(THREADS)}"),
}
# What machines of manifests of format 2 did not have.
SINCE_3 = {"archive": False, "disk": HOST, "boot": ""}
# What manifests have only where it differs from this.
ADDED: dict[str, Any] = {"errors": [], "smp": 1, "thread": SINGLE}
assert list(CHECKS) == [field.name for field in fields(Machine)]


def check(name: str, value: Any) -> None:
    """Refuse a value that this fact cannot have."""
    fulfils, wanted = CHECKS[name]
    if not fulfils(value):
        raise Problem(f"machine {name} is {value!r}: expected {wanted}")


def parse(facts: Any, defaults: dict[str, Any] | None = None) -> Machine:
    """A machine from the section of a manifest: exactly the known facts, each with a possible value. `defaults` are
    those of an older format, which it must not have."""
    if defaults and isinstance(facts, dict) and not set(facts) & set(defaults):
        facts = facts | defaults
    if isinstance(facts, dict):
        facts = ADDED | facts
    if not isinstance(facts, dict) or set(facts) != set(CHECKS):
        has = ", ".join(map(repr, facts)) if isinstance(facts, dict) else repr(facts)
        raise Problem(f"machine has the keys {has}: expected {', '.join(CHECKS)}")
    for name, value in facts.items():
        check(name, value)
    return Machine(**{**facts, "disks": tuple(facts["disks"]), "errors": tuple(facts["errors"])})


def from_command(command: Any, controller: Any) -> Machine:
    """A machine from the command line that manifests of format 1 hold. It is never run: the facts are read from it,
    and the command line that follows from them must be the same one."""
    def after(option: str) -> str:
        return str(command[command.index(option) + 1])

    try:
        shift = re.fullmatch(r"shift=(\d{1,2}),rr=replay,rrfile=rr\.log", after("-icount"))
        images = [argument.partition(",")[0] for argument in command if argument.startswith("file=")]
        disks = [name.removeprefix("file=") for name in images if not name.startswith("file=@")]
        found = parse({"memory": int(after("-m")), "shift": int(shift[1]) if shift else None, "controller": controller,
                       "disks": disks, "command_line": after("-append"), "cpu": after("-cpu"), "seekable": False, **SINCE_3})
    except (AttributeError, TypeError, ValueError, IndexError):
        raise Problem("its command line was not written by scripts/record") from None
    if found.arguments(Run("replay", "@CONSOLE@")) != command:
        raise Problem("its command line has parameters that scripts/record does not write")
    return found
