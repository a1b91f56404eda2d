"""QEMU's command lines, and a QEMU that runs under our eyes."""

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, ClassVar, Sequence

from . import child
from .progress import Look, Progress, cpu_seconds
from .qmp import ASK_SECONDS, Monitor, check_written
from .say import Problem, Ticker, of_system, say
from .standstill import Standstill, Subject

DEFAULT = "qemu-system-x86_64"
MINIMUM = (10, 0)
SHIFT = 2
RR_LOG = "rr.log"
CONSOLE = "console.txt"

@dataclass(frozen=True)
class Controller:
    """How disks are attached, and what the guest calls them."""

    disk: str = "scsi-hd"  # QEMU's device for a disk; empty: the controller is one
    prefix: str = "sd"
    device: str = ""  # QEMU's device for the controller; empty: as it is called here
    wwn: bool = False  # finds a disk only if it has a name of its own


CONTROLLERS = {
    "lsi53c895a": Controller(),
    "lsi53c810": Controller(),
    "mptsas1068": Controller(wwn=True),
    "megasas": Controller(),
    "megasas-gen2": Controller(),
    "virtio-scsi-pci": Controller(),
    "virtio-blk-pci": Controller(disk="", prefix="vd"),
    "ich9-ahci": Controller(disk="ide-hd"),
    "piix3-ide": Controller(disk="ide-hd"),
    "usb-storage": Controller(disk="usb-storage", device="qemu-xhci"),
    "pvscsi": Controller(),
    "nvme": Controller(disk="", prefix="nvme"),
}


def find(chosen: str | None) -> str:
    """The QEMU to use, by its full path."""
    path = shutil.which(chosen or os.environ.get("IOTRACE_QEMU") or DEFAULT)
    if not path:
        raise Problem(f"no QEMU '{chosen or DEFAULT}': run scripts/setup or use --qemu")
    return os.path.abspath(path)


def version(qemu: str) -> str:
    """What this QEMU calls itself, without Debian's part; too old a one is refused."""
    said = subprocess.run([qemu, "--version"], capture_output=True, text=True)
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", said.stdout)
    if not found:
        raise Problem(f"'{qemu} --version' is not the output of QEMU: {said.stdout}{said.stderr}".strip())
    if (int(found[1]), int(found[2])) < MINIMUM:
        raise Problem(f"{qemu} is QEMU {found[1]}.{found[2]}.{found[3]}: 10.0 or newer is needed (scripts/setup "
                      "installs it)")
    return f"{found[1]}.{found[2]}.{found[3]}"


def disk_names(controller: str, count: int) -> list[str]:
    """The names of the first disks in the guest."""
    prefix = CONTROLLERS[controller].prefix
    return [f"{prefix}{number}n1" if prefix == "nvme" else prefix + "abcd"[number] for number in range(count)]


@dataclass(frozen=True)
class DiskError:
    """Requests that QEMU's blkdebug answers with EIO, before they reach the image: the same ones in every replay."""

    request: str  # read or write
    sector: int  # of 512 bytes; what covers it
    once: bool  # the first of them alone

    FORM: ClassVar[re.Pattern[str]] = re.compile(r"(read|write):(\d{1,12})(:once)?")

    @classmethod
    def parse(cls, text: Any) -> "DiskError | None":
        """From `read:SECTOR`, `write:SECTOR`, with `:once` behind; None if it is not of this form."""
        found = cls.FORM.fullmatch(text) if isinstance(text, str) else None
        return cls(found[1], int(found[2]), found[3] is not None) if found else None

    def options(self, number: int) -> str:
        """Of a blkdebug node."""
        rule = f"inject-error.{number}"
        return (f"{rule}.event=none,{rule}.iotype={self.request},{rule}.sector={self.sector},{rule}.errno=5,"
                f"{rule}.once={'on' if self.once else 'off'}")


@dataclass(frozen=True)
class Drive:
    """An image that is attached as a disk."""

    file: str
    format: str = "raw"
    keep: bool = False  # what the guest writes is written to the image
    direct: bool = False  # the host completes a request while it is submitted: see scripts/README.md, "Boots, disks, snapshots"
    errors: tuple[DiskError, ...] = ()  # what the disk does not do

    def options(self, number: int) -> str:
        """Of QEMU's -drive."""
        snapshot = "off" if self.keep else "on"
        direct = ",aio=native,cache.direct=on,cache.no-flush=on" if self.direct else ""
        return f"file={self.file},format={self.format},if=none,id=image{number},snapshot={snapshot}{direct}"


def disk_arguments(controller: str, drives: Sequence[Drive], in_vcpu: bool, logged: bool = True) -> list[str]:
    """Arguments for the disks. `logged`: each is behind blkreplay, which puts the completions into the log. `in_vcpu`: a
    controller that could hand requests to another thread submits them in the vCPU's."""
    about = CONTROLLERS[controller]
    thread = ",ioeventfd=off" if in_vcpu and controller.startswith("virtio-") else ""
    arguments = ["-device", f"{about.device or controller},id=controller{thread}"] if about.disk else []
    for number, drive in enumerate(drives):
        arguments += ["-drive", drive.options(number)]
        image = f"image{number}"
        if drive.errors:
            rules = ",".join(error.options(rule) for rule, error in enumerate(drive.errors))
            arguments += ["-drive", f"driver=blkdebug,if=none,id=faults{number},image={image},{rules}"]
            image = f"faults{number}"
        if logged:
            arguments += ["-drive", f"driver=blkreplay,if=none,id=disk{number},image={image}"]
            image = f"disk{number}"
        arguments += ["-device", _disk_device(controller, number, image, thread)]
    return arguments


def _disk_device(controller: str, number: int, image: str, thread: str) -> str:
    """QEMU's -device for a disk. `thread`: a property of a controller that is a disk itself."""
    about = CONTROLLERS[controller]
    if not about.disk:
        serial = f",serial=iotrace{number}" if controller == "nvme" else ""
        return f"{controller},drive={image}{thread}{serial}"
    if about.disk == "ide-hd":
        return f"ide-hd,bus=controller.{number},drive={image}"
    if about.disk == "usb-storage":
        return f"usb-storage,bus=controller.0,port={number + 1},drive={image}"
    name = f",wwn={0x5000c50000000001 + number:#x}" if about.wwn else ""
    return f"{about.disk},bus=controller.0,scsi-id={number},drive={image}{name}"


# A qcow2 image without a disk for it in the guest, in which snapshots of the machine are kept.
STATE = "state.qcow2"
STATE_NODE = "state"
STATE_DRIVE = ["-drive", f"file={STATE},format=qcow2,if=none,id=snapshots,node-name={STATE_NODE}"]


# With KVM's optional TPR patching (hw/i386/kvmvapic.c) QEMU deadlocks when a running replay loads a snapshot. The
# guest can see that it is off, so a recording has it off from its beginning or never.
SEEKABLE = ["-global", "apic-common.vapic=off"]


def machine_arguments(shift: int, mode: str, console: str, memory: int, cpu: str, snapshot: str = "", smp: int = 1,
                      threads: bool = False) -> list[str]:
    """Arguments for the machine: no network, a clock of its own. `mode`: record, replay, or neither (trace). `snapshot`: one to
    load (replay) or to make (record) at the log's beginning. `threads`: each of `smp` vCPUs has a thread of its own; then QEMU
    does not count instructions."""
    loaded = f",rrsnapshot={snapshot}" if snapshot else ""
    log = "" if mode == "trace" else f",rr={mode},rrfile={RR_LOG}{loaded}"
    return [
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-net", "none",
        "-machine", "q35,hpet=off", "-cpu", cpu, "-smp", str(smp), "-m", str(memory),
        "-rtc", "base=2025-01-01T00:00:00,clock=vm",
        *(["-accel", "tcg,thread=multi"] if threads else ["-icount", f"shift={shift}{log}"]),
        "-serial", f"file:{console}",
    ]


@dataclass
class Ended:
    """How a QEMU ended."""

    status: int
    said: str
    seconds: float


class Watched:
    """A running QEMU: its progress is shown, a standstill is noticed (progress.py). `load`: a snapshot that it goes on from."""

    POLL_SECONDS = 0.2
    QUIT_SECONDS = 10.0

    def __init__(self, command: Sequence[str], folder: Path, console: Path, what: str, subject: Subject, load: str = "") -> None:
        self.command, self.folder, self.console, self.what, self.load = list(command), folder, console, what, load
        self.subject = subject
        self.log = (folder / RR_LOG).resolve()

    def run(self, hopeless: Callable[[float], str] = lambda seconds: "") -> Ended:
        """Run to the end, or to a standstill, which is a Problem. `hopeless`: why a guest is to be given up that has run for so
        many seconds; empty if it is not."""
        ticker = Ticker(self.what)
        began = time.monotonic()
        stuck: Problem | None = None
        with child.said() as said:
            control = Monitor(self.what)
            more = [*control.arguments, *(["-S"] if self.load else [])]
            process = child.start([*self.command, *more], self.folder, said, [control.descriptor])
            try:
                stuck = self._begun(control) or self._watch(process, control, ticker, hopeless)
                if stuck:
                    end(process, control, self.QUIT_SECONDS)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
                control.close()
            said.seek(0)
            text = child.complaints(said.read())
        if stuck:
            ticker.done("ended")
            check_written(self.what, text, self.folder)
            if isinstance(stuck, Standstill) and not of_system(text):
                failed = (f"QEMU reported an error of a disk image to the guest: if it was recorded without --disk-error, check the disk of "
                          f"{self.folder}, and try again" if "BLOCK_IO_ERROR" in control.events else "")
                stuck.more = "\n".join(filter(None, [failed, f"the last line of the console: {last_lines(self.console, 1)}", text]))
            elif text:
                found = of_system(text)
                stuck = Problem(f"{stuck}, in {self.folder}: {text}; {found[1] if found else 'try again'}")
            raise stuck
        ticker.done(self.state(None))
        if text and process.returncode == 0:
            say(f"QEMU: {text}")
        check_written(self.what, text, self.folder)
        return Ended(process.returncode, text, time.monotonic() - began)

    def _begun(self, control: Monitor) -> Problem | None:
        """Let the guest begin; returns why it cannot."""
        try:
            self._go_on(control) if self.load else control.greet()
        except BrokenPipeError:
            pass  # it has ended: its status and what it printed say why
        except Problem as problem:
            return problem
        return None

    def _go_on(self, control: Monitor) -> None:
        """Load the machine's state, not that of its disks, and let the guest go on."""
        control.connect()
        failed = control.snapshot("snapshot-load", self.load, STATE_NODE)
        if failed:
            raise Problem(f"{self.what}: QEMU cannot load the snapshot {self.load}: {failed}")
        control.execute("cont")

    def _watch(self, process: subprocess.Popen[bytes], control: Monitor, ticker: Ticker, hopeless: Callable[[float], str]) -> Problem | None:
        """Wait for the end; returns why it is given up, if it is."""
        progress, began, asked = Progress(), time.monotonic(), 0.0
        counted = "tcg,thread=multi" not in self.command
        while True:
            try:
                process.wait(self.POLL_SECONDS)
                return None
            except subprocess.TimeoutExpired:
                pass
            now = time.monotonic()
            ticker.tell(self.state(log_position(process.pid, self.log)))
            if now - asked < ASK_SECONDS:
                continue
            asked, look = now, Look(now, cpu_seconds(process.pid), control.instructions())
            if failed := control.disk_failed(self.folder):
                return failed
            reason = hopeless(now - began)
            # Without a count only its console shows whether a guest gets further: the limit of its time ends it.
            if reason or counted and progress.stalled(look):
                return Standstill(self.what, control, self.subject, reason)

    def state(self, position: int | None) -> str:
        """One line about a running guest, or (without a position) about one that ended."""
        lines = self.console.read_bytes().count(b"\n") if self.console.exists() else 0
        size = self.log.stat().st_size if self.log.exists() else 0
        part = "" if position is None or position >= size else f" of which {100 * position // size}% replayed"
        return f"{lines} console lines, log {size / 1e6:.1f} MB{part}"


def log_position(pid: int, log: Path) -> int:
    """How far a process is in a file that it has open; 0 if it has not opened it (yet)."""
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            if os.readlink(link) == os.fspath(log):
                info = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text()
                return int(info.split()[1])
    except OSError:
        pass  # it just ended
    return 0


def end(process: subprocess.Popen[bytes], control: Monitor, seconds: float) -> None:
    """End a QEMU: so that its plugins write what they have, if it answers."""
    try:
        control.execute("quit")
        process.wait(seconds)
    except (Problem, subprocess.TimeoutExpired):
        process.kill()
        process.wait()


def lines(console: Path) -> list[str]:
    """The lines of a console; none if QEMU has not made it yet."""
    return console.read_text(errors="replace").splitlines() if console.exists() else []


def last_lines(console: Path, count: int = 15) -> str:
    """The end of a console."""
    return "\n".join(lines(console)[-count:])
