"""Making a recording folder, and replaying one plainly."""

import os
import re
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import disk, elf, guest, manifest, qemu, workload
from .machine import DATA_DISK, WITNESS_DISK, Machine, parse
from .say import Problem, say

# Quick and quiet: no calibration loops against the APIC timer (each of their PAUSEs would be an event
# in the log), no page table isolation, the TSC (QEMU's virtual clock, 1 GHz) taken as it is.
COMMAND_LINE = ("console=ttyS0 quiet panic=-1 noapictimer mitigations=off tsc=reliable tsc_early_khz=1000000 "
                "no_timer_check nowatchdog audit=0 cryptomgr.notests")
WITNESS_MEGABYTES = 256


@dataclass
class Wanted:
    """What the user asked for."""

    kernel: Path
    workload: str
    controller: str
    file_system: str
    scheduler: str
    append: str
    kaslr: bool
    witness: bool
    tracer: str
    mount_options: str
    mkfs_options: str
    tick: int
    disk_megabytes: int
    memory: int
    cpu: str
    shift: int
    qemu: str
    strict: bool


def record(wanted: Wanted, folder: Path) -> None:
    """Record into an empty folder; the manifest is written only when all went well."""
    work = workload.parse(wanted.workload)
    version = qemu.version(wanted.qemu)
    machine = Machine(
        memory=wanted.memory or (1024 if work.fio_job or wanted.witness else 512), shift=wanted.shift,
        cpu=wanted.cpu, controller=wanted.controller, disks=(DATA_DISK, WITNESS_DISK) if wanted.witness else (DATA_DISK,),
        command_line=" ".join(filter(None, [COMMAND_LINE, "" if wanted.kaslr else "nokaslr", wanted.append])),
    )
    parse(machine.facts())  # what could not be replayed is refused before it is recorded
    names = qemu.disk_names(wanted.controller, 2 if wanted.witness else 1)
    plan = guest.GuestPlan(
        controller=wanted.controller, file_system=wanted.file_system, scheduler=wanted.scheduler,
        data_disk=names[0], witness_disk=names[1] if wanted.witness else "", tracer=wanted.tracer,
        mount_options=wanted.mount_options, tick=wanted.tick,
    )
    shutil.copyfile(wanted.kernel / "vmlinuz", folder / "vmlinuz")
    guest.write_initramfs(folder / "initramfs.cpio", wanted.kernel, plan, work)
    disk.make(folder / DATA_DISK, wanted.file_system, wanted.disk_megabytes, wanted.mkfs_options)
    if wanted.witness:
        disk.blank(folder / WITNESS_DISK, WITNESS_MEGABYTES)
    command = [wanted.qemu, *machine.arguments("record", qemu.CONSOLE)]
    ended = qemu.Watched(command, folder, folder / qemu.CONSOLE, "recording").run()
    status = workload_status(folder / qemu.CONSOLE, ended)
    if status and wanted.strict:
        raise Problem(f"the workload failed with status {status}; the end of the console:\n"
                      f"{last_lines(folder / qemu.CONSOLE)}")
    files = ["vmlinuz", "initramfs.cpio", *machine.disks, qemu.RR_LOG, qemu.CONSOLE]
    if wanted.witness:
        files += take_witness(folder)
    facts = {
        "kernel": kernel_facts(wanted.kernel),
        "qemu": {"version": version},
        "machine": machine.facts(),
        "guest": {"file_system": wanted.file_system, "scheduler": wanted.scheduler, "workload": wanted.workload,
                  "tick": wanted.tick, "witness": wanted.witness, "status": status},
        "seconds": round(ended.seconds, 1),
    }
    manifest.write(folder, facts, files)
    if status:
        say(f"warning: the workload failed with status {status}; the recording is kept, and has the status")


def kernel_facts(kernel: Path) -> dict[str, str]:
    """Which kernel this was, and where its symbols are."""
    release = kernel / "release"
    return {"folder": str(kernel), "release": release.read_text().strip() if release.exists() else "",
            "build_id": elf.build_id(kernel / "vmlinux")}


def last_lines(console: Path) -> str:
    """The end of a console."""
    text = console.read_text(errors="replace") if console.exists() else ""
    return "\n".join(text.splitlines()[-15:])


def workload_status(console: Path, ended: qemu.Ended) -> int:
    """The exit status of the workload; a guest that did not come to its proper end is an error."""
    text = console.read_text(errors="replace") if console.exists() else ""
    last = last_lines(console)
    if ended.status != 0:
        raise Problem(f"QEMU ended with status {ended.status} before the guest powered off\n{ended.said}\n{last}")
    if "Kernel panic" in text:
        raise Problem(f"the guest's kernel panicked; the end of its console:\n{last}")
    failed = [line for line in text.splitlines() if line.startswith("iotrace: failed:")]
    if failed:
        raise Problem(f"the guest says: {failed[0].removeprefix('iotrace: failed: ')}; the end of its console:\n{last}")
    ends = re.search(r"^iotrace: workload ends, status (\d+)\s*$", text, re.MULTILINE)
    if not ends or "iotrace: powering off" not in text:
        raise Problem(f"the guest ended without having powered off; the end of its console:\n{last}")
    return int(ends[1])


def take_witness(folder: Path) -> list[str]:
    """Unpack what the guest wrote to the second disk, then give the disk back its first state."""
    image = folder / WITNESS_DISK
    names = ["witness.txt", "witness.stats"]
    try:
        with tarfile.open(image, "r:") as archive:
            for name in names:
                member = archive.extractfile(name)
                assert member is not None
                with open(folder / name, "wb") as out:
                    shutil.copyfileobj(member, out)
    except (tarfile.TarError, KeyError) as error:
        raise Problem(f"the guest left no readable trace on {image}: {error}") from None
    disk.blank(image, WITNESS_MEGABYTES)
    for line in (folder / "witness.stats").read_text().splitlines():
        key, _, value = line.partition(": ")
        if key in ("overrun", "commit overrun", "dropped events") and value.strip() != "0":
            raise Problem(f"the guest's own tracing lost events ({key}: {value.strip()}): "
                          "make the workload smaller, or WITNESS_KILOBYTES in scripts/guest/witness larger")
    return names


def replay_command(facts: manifest.Manifest, chosen: str, extra: list[str], console: Path) -> list[str]:
    """The command that replays, in the recording's folder, with further QEMU arguments; the guest's console goes to
    a file of its own."""
    return [chosen, *facts.machine.arguments("replay", os.fspath(console)), *extra]


def replay(folder: Path, facts: manifest.Manifest, chosen: str, extra: list[str], console: Path) -> qemu.Ended:
    """Replay to the end."""
    command = replay_command(facts, chosen, extra, console)
    return qemu.Watched(command, folder, console, "replaying").run()


def same_console(folder: Path, console: Path) -> None:
    """A replay that says anything else than the recording was no replay."""
    recorded = (folder / qemu.CONSOLE).read_text(errors="replace").splitlines()
    replayed = console.read_text(errors="replace").splitlines()
    if recorded == replayed:
        return
    for number, (was, is_now) in enumerate(zip(recorded + [""], replayed + [""]), 1):
        if was != is_now:
            raise Problem(f"the replay differs from the recording in line {number} of the console: recorded "
                          f"'{was}', replayed '{is_now}'")
    raise Problem(f"the replay ended after {len(replayed)} of {len(recorded)} console lines")


def verify(folder: Path, chosen: str) -> None:
    """Replay plainly and compare the consoles."""
    with tempfile.TemporaryDirectory(prefix="iotrace-") as place:
        console = Path(place) / "console.txt"
        ended = replay(folder, manifest.read(folder), chosen, [], console)
        if ended.status != 0:
            raise Problem(f"QEMU ended with status {ended.status} while replaying: {ended.said or 'it said nothing'}")
        same_console(folder, console)
    say("the replay's console is the recording's")
