"""Making a recording folder, and replaying one plainly."""

import os
import re
import shutil
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Sequence

from . import boots, catalog, guest, images, machine, manifest, qemu, stage, workload
from .brought import Brought
from .machine import ARCHIVE, DATA_DISK, SNAPSHOT, WITNESS_DISK, Machine, Run, overlay
from .say import Problem, naming, of_system, say
from .standstill import Subject
from .workload import Workload

# Quick and quiet: no calibration loops against the APIC timer (each of their PAUSEs would be an event
# in the log), no page table isolation, the TSC (QEMU's virtual clock, 1 GHz) taken as it is.
COMMAND_LINE = ("console=ttyS0 quiet panic=-1 noapictimer mitigations=off tsc=reliable tsc_early_khz=1000000 "
                "no_timer_check nowatchdog audit=0 cryptomgr.notests")
DEFAULT_DISK = machine.HOST
IMAGE_MEGABYTES = 1024  # memory of a distribution's guest
# Recordings with the instant disk are made in pairs until two are the same, so often at most.
PAIRS = 3
# QEMU takes requests of this controller from another thread when it has completed others: see scripts/README.md.
NOT_INSTANT = ("mptsas1068",)


@dataclass(frozen=True)
class Wanted:
    """What the user asked for."""

    kernel: Path
    controller: str
    file_system: str
    scheduler: str
    append: str
    kaslr: bool
    witness: bool
    mount_options: str
    mkfs_options: str
    disk_megabytes: int
    memory: int
    cpu: str
    shift: int
    qemu: str
    workload: str
    brought: tuple[Brought, ...] = ()  # files for the guest
    tracer: str = ""
    tick: int = 0
    disk: str = machine.HOST
    errors: tuple[str, ...] = ()  # of the data disk, as qemu.DiskError has them
    strict: bool = False
    limit: float = 0.0  # seconds that the guest may run; 0: any time
    fresh: bool = False
    number: int = 1
    bundle: bool = False
    smp: int = 1  # vCPUs
    thread: str = machine.SINGLE
    image: images.ImageGuest | None = None  # a distribution, in the place of a guest of the scripts' own

    def work(self) -> Workload:
        """What the guest is to do."""
        return workload.parse(self.workload)

    def configuration(self) -> boots.Configuration:
        """What the guest's boot depends on."""
        described = Machine(
            memory=self.memory or (1024 if self.witness or self.work().fio_job else 512), shift=self.shift,
            cpu=self.cpu, controller=self.controller,
            disks=(DATA_DISK, WITNESS_DISK) if self.witness else (DATA_DISK,),
            command_line=" ".join(filter(None, [COMMAND_LINE, "" if self.kaslr else "nokaslr", self.append])),
            smp=self.smp, thread=self.thread,
        )
        machine.parse(described.facts())  # what could not be replayed is refused before it is recorded
        names = qemu.disk_names(self.controller, len(described.disks))
        plan = guest.GuestPlan(
            controller=self.controller, file_system=self.file_system, scheduler=self.scheduler, data_disk=names[0],
            witness_disk=names[1] if self.witness else "", mount_options=self.mount_options,
            programs=self.work().programs,
        )
        return boots.Configuration(self.kernel, described, plan, self.disk_megabytes, self.mkfs_options, self.qemu)

    def distribution(self, image: images.ImageGuest) -> Machine:
        """The machine of a distribution: it boots in the recording, and its workload is on its disk."""
        described = Machine(
            memory=self.memory or IMAGE_MEGABYTES, shift=self.shift, cpu=self.cpu, controller=self.controller, disks=(DATA_DISK,),
            command_line=" ".join(filter(None, [COMMAND_LINE, image.command_line(), "" if self.kaslr else "nokaslr", self.append])),
            archive=False, errors=self.errors, smp=self.smp, thread=self.thread,
        )
        machine.parse(described.facts())
        return described


@dataclass(frozen=True)
class Recorded:
    """What a recording QEMU left in its folder."""

    folder: Path
    seconds: float
    status: int  # of the workload
    clocks: tuple[int, ...]  # the guest's, in nanoseconds, when the workload had ended and when the trace is over
    said: str = ""  # by QEMU and its plugins


def record(wanted: Wanted, folder: Path) -> None:
    """Record into an empty folder; the manifest is written only when all went well."""
    if not manifest.is_text(wanted.workload):
        raise Problem("the workload has control characters or bytes that are not UTF-8: put it into a file, and use --add")
    if catalog.is_live_only(wanted.controller):
        raise Problem(f"QEMU cannot replay a guest with {wanted.controller} ({catalog.replays(wanted.controller)}): use --trace, which traces the guest while it runs")
    if wanted.disk == machine.INSTANT and wanted.controller in NOT_INSTANT:
        raise Problem(f"{wanted.controller} does not work with the instant disk: record with --disk host")
    if wanted.image:
        return _record_image(wanted, wanted.image, folder)
    options = guest.WorkloadOptions(wanted.witness, wanted.tracer, wanted.tick, wanted.disk == machine.INSTANT)
    guest.write_archive(folder / ARCHIVE, wanted.work(), options, wanted.brought)
    configuration = wanted.configuration()
    if wanted.fresh or not configuration.can_wait():
        if not wanted.fresh:
            say("kernel built without CONFIG_X86_IOPL_IOPERM: booting in the recording")
        described = replace(configuration.machine, disk=wanted.disk, errors=wanted.errors, archive=False)
        configuration.write(folder, folder / ARCHIVE)
        (folder / ARCHIVE).unlink()
        with _stage(wanted, folder) as place:
            recorded = _record_whole(wanted, described, folder, place)
            files = ["vmlinuz", "initramfs.cpio", *described.disks, *_take(recorded, folder, wanted.witness)]
        same = False
    else:
        boot = boots.boot(configuration, wanted.number)
        described = replace(configuration.machine, disk=wanted.disk, errors=wanted.errors, boot=boot.checksum)
        recorded, files, same = _record_from(wanted, boot, described, folder)
        files += [ARCHIVE] + ([boots.bundle(boot, folder)] if wanted.bundle else [])
    facts = facts_of(wanted, described) | {"seconds": round(recorded.seconds, 1)}
    facts["guest"] |= {"status": recorded.status, "deterministic": same}
    manifest.write(folder, facts, files)
    check_workload(wanted, recorded.status, folder, "recording")


def _record_image(wanted: Wanted, image: images.ImageGuest, folder: Path) -> None:
    described = wanted.distribution(image)
    image.copy_to(folder)
    with _stage(wanted, folder) as place:
        recorded = _record_whole(wanted, described, folder, place)
        files = ["vmlinuz", "initramfs.cpio", *described.disks, *_take(recorded, folder, wanted.witness)]
    facts = facts_of(wanted, described) | {"seconds": round(recorded.seconds, 1)}
    facts["guest"]["status"] = recorded.status
    manifest.write(folder, facts, files)
    check_workload(wanted, recorded.status, folder, "recording")


def check_workload(wanted: Wanted, status: int, folder: Path, kept: str) -> None:
    """Refuse a workload that failed, if that is asked for, or report that what it left is kept."""
    if status and wanted.strict:
        raise Problem(f"the workload failed with status {status}; the end of the console:\n{qemu.last_lines(folder / qemu.CONSOLE)}")
    if status:
        say(f"warning: the workload failed with status {status}; the {kept} is kept")


def facts_of(wanted: Wanted, described: Machine) -> dict[str, Any]:
    """What a manifest says of a guest before it has run."""
    return {
        "kernel": {"folder": str(wanted.kernel), **boots.kernel_facts(wanted.kernel)},
        "qemu": {"version": qemu.version(wanted.qemu)},
        "machine": described.facts(),
        "guest": {"file_system": wanted.file_system, "scheduler": wanted.scheduler, "workload": wanted.workload,
                  "tick": wanted.tick, "witness": wanted.witness, "status": 0, "deterministic": False},
    }


def _stage(wanted: Wanted, folder: Path) -> stage.Stage:
    """In memory for the instant disk, otherwise beside the recording: on the disk of the host that is meant."""
    return stage.Stage(direct=wanted.disk == machine.INSTANT, beside=folder.parent)


def _record_whole(wanted: Wanted, described: Machine, folder: Path, place: stage.Stage) -> Recorded:
    """Boot the guest and record all of it."""
    place.link(folder / "vmlinuz", folder / "initramfs.cpio")
    for name in described.disks:
        place.copy(folder / name)
    return run(wanted, described, place.folder, Run("record", qemu.CONSOLE), "recording")


def _record_from(wanted: Wanted, boot: boots.Boot, described: Machine, folder: Path) -> tuple[Recorded, list[str], bool]:
    """Record what a booted guest does with its workload. With the instant disk in pairs, side by side, until two took
    the same time to the nanosecond: what the host delayed is not in them."""
    def attempt(number: int, place: stage.Stage) -> Recorded:
        boot.stage(place)
        place.link(folder / ARCHIVE)
        what = "recording" if number == 0 else "recording it again"
        return run(wanted, described, place.folder, Run("record", qemu.CONSOLE, state=True), what, SNAPSHOT)

    if wanted.disk != machine.INSTANT:
        with _stage(wanted, folder) as place:
            recorded = attempt(0, place)
            return recorded, _take(recorded, folder, wanted.witness), False
    clocks: list[tuple[int, ...]] = []
    for _ in range(PAIRS):
        with _stage(wanted, folder) as one, _stage(wanted, folder) as two, ThreadPoolExecutor(2) as pool:
            pair = list(pool.map(attempt, (len(clocks), len(clocks) + 1), (one, two)))
            clocks += [recorded.clocks for recorded in pair]
            same = next((recorded for recorded in pair if clocks.count(recorded.clocks) > 1), None)
            if same or len(clocks) == 2 * PAIRS:
                kept = same or pair[0]
                files = _take(kept, folder, wanted.witness)
                break
    if same is None:
        ends = ", ".join(f"{min(end)} to {max(end)} ns" for end in zip(*clocks))
        say(f"warning: {len(clocks)} recordings took {len(set(clocks))} different times ({ends}): the host delayed requests, "
            "or the workload waits for timers; the recording is kept and marked as not deterministic")
    elif len(clocks) > 2:
        say(f"the host delayed requests in {len(clocks) - clocks.count(same.clocks)} of {len(clocks)} recordings")
    return kept, files, same is not None


def run(wanted: Wanted, described: Machine, folder: Path, how: Run, what: str, load: str = "",
        extra: Sequence[str] = ()) -> Recorded:
    """Run a guest to its end, with further arguments of QEMU. `load`: the snapshot that it goes on from."""
    command = [wanted.qemu, *described.arguments(how), *extra]
    console, about = folder / qemu.CONSOLE, Subject(described.controller, wanted.kernel)
    ended = qemu.Watched(command, folder, console, what, about, load).run(Hopeless(console, bool(load), wanted.limit))
    status = workload_status(folder / qemu.CONSOLE, ended)
    text = (folder / qemu.CONSOLE).read_text(errors="replace")
    clocks = re.findall(r"^iotrace: clock (\d+)\s*$", text, re.MULTILINE)
    if not clocks:
        raise Problem(f"the guest did not print its clock; the end of its console:\n{qemu.last_lines(folder / qemu.CONSOLE)}")
    return Recorded(folder, ended.seconds, status, tuple(map(int, clocks)), ended.said)


class Hopeless:
    """Judges a guest that is recorded by its console: one that does not come to its init, or that panicked and does not
    reboot, may execute instructions forever. So may its workload: nothing tells one that spins from one that computes, or one that
    waits for what never comes from one that sleeps, but the user's `limit` in seconds (0: none)."""

    START_SECONDS = 600.0
    PANIC_SECONDS = 20.0

    def __init__(self, console: Path, is_up: bool, limit: float = 0.0) -> None:
        self.console, self.is_up, self.limit = console, is_up, limit
        self.panicked: float | None = None
        self.size, self.printed = 0, 0.0  # of the console, and when it last grew

    def __call__(self, seconds: float) -> str:
        """Why it is to be given up after so many seconds; empty if it is not."""
        lines = qemu.lines(self.console)
        if (size := sum(map(len, lines))) != self.size:
            self.size, self.printed = size, seconds
        self.is_up = self.is_up or any(line.startswith("iotrace: ") for line in lines)
        if self.panicked is None and any("Kernel panic" in line for line in lines):
            self.panicked = seconds
        if self.panicked is not None and seconds - self.panicked > self.PANIC_SECONDS:
            return "the guest's kernel panicked"
        if not self.is_up and seconds > self.START_SECONDS:
            return f"the guest did not come to its init within {self.START_SECONDS:.0f} s"
        if self.limit and seconds > self.limit:
            return (f"the guest did not power off within {self.limit:.0f} s, its console is unchanged for {seconds - self.printed:.0f} s "
                    "(a longer time: --limit SECONDS)")
        return ""


def _take(recorded: Recorded, folder: Path, witness: bool) -> list[str]:
    """Move what was recorded into the recording's folder; returns the files' names."""
    for name in (qemu.RR_LOG, qemu.CONSOLE):
        shutil.move(recorded.folder / name, folder / name)
    return [qemu.RR_LOG, qemu.CONSOLE, *(take_witness(recorded.folder, folder) if witness else [])]


def workload_status(console: Path, ended: qemu.Ended) -> int:
    """The exit status of the workload; a guest that did not come to its proper end is an error."""
    text, last = "\n".join(qemu.lines(console)), qemu.last_lines(console)
    if ended.status != 0:
        if found := of_system(ended.said):
            raise Problem(f"QEMU exited with status {ended.status} in {console.parent}: {found[0]}; {found[1]}")
        raise Problem(f"QEMU exited with status {ended.status} before the guest powered off\n{ended.said}\n{last}")
    if "Kernel panic" in text:
        raise Problem(f"the guest's kernel panicked; the end of its console:\n{last}")
    check_room(console.parent)
    failed = [line for line in text.splitlines() if line.startswith("iotrace: failed:")]
    if failed:
        raise Problem(f"the guest reports: {failed[0].removeprefix('iotrace: failed: ')}; the end of its console:\n{last}")
    ends = re.search(r"^iotrace: workload ends, status (\d+)\s*$", text, re.MULTILINE)
    if not ends or "iotrace: powering off" not in text:
        # kernel_restart and its like, kernel/reboot.c
        what = ("the guest restarted: a recording ends with its first boot" if re.search(r"\breboot: (Restarting|machine restart)", text)
                else "the guest exited without power off")
        raise Problem(f"{what}; the end of its console:\n{last}")
    return int(ends[1])


def take_witness(left: Path, folder: Path) -> list[str]:
    """Unpack what the guest wrote to the second disk, in the folder that QEMU left."""
    image = left / WITNESS_DISK
    names = ["witness.txt", "witness.stats"]
    try:
        with tarfile.open(image, "r:") as archive:
            for name in names:
                member = archive.extractfile(name)
                assert member is not None
                with open(folder / name, "wb") as out:
                    shutil.copyfileobj(member, out)
    except (tarfile.TarError, KeyError) as error:
        raise Problem(f"no readable trace of the guest on {image}: {error}") from None
    for line in (folder / "witness.stats").read_text().splitlines():
        key, _, value = line.partition(": ")
        if key in ("overrun", "commit overrun", "dropped events") and value.strip() != "0":
            raise Problem(f"the guest's tracer lost events ({key}: {value.strip()}): "
                          "make the workload smaller, or WITNESS_KILOBYTES in scripts/guest/witness larger")
    return names


def stage_replay(folder: Path, facts: manifest.Manifest, place: stage.Stage, overlays: bool = False) -> Run:
    """Put what a replay needs into a folder; returns how QEMU is to run in it. `overlays`: so that snapshots can be
    made."""
    place.link(folder / qemu.RR_LOG)
    if facts.machine.archive:
        place.link(folder / ARCHIVE)
    if facts.machine.boot:
        boots.of(folder, facts).stage(place)
    else:
        place.link(*(folder / name for name in ("vmlinuz", "initramfs.cpio", *facts.machine.disks)))
    if not facts.machine.boot and not overlays:
        return Run("replay", qemu.CONSOLE)
    snapshot = SNAPSHOT if facts.machine.boot else ""
    for name in facts.machine.disks:
        stage.new_overlay(place.folder / name, place.folder / overlay(name), snapshot)
    if not facts.machine.boot:
        stage.new_state(place.folder / qemu.STATE)
    return Run("replay", qemu.CONSOLE, state=True, overlays=True, snapshot=snapshot)


def replay(folder: Path, facts: manifest.Manifest, chosen: str, extra: list[str], console: Path,
           prepare: Callable[[stage.Stage], Run] | None = None) -> qemu.Ended:
    """Replay to the end, with further QEMU arguments; the guest's console goes to a file of its own. `prepare` fills the
    folder in which QEMU runs, if that is not as for a replay from the recording's begin."""
    with stage.Stage() as place:
        how = prepare(place) if prepare else stage_replay(folder, facts, place)
        how = replace(how, console=os.fspath(console))
        command = [chosen, *facts.machine.arguments(how), *extra]
        return qemu.Watched(command, place.folder, console, "replaying", subject(folder, facts)).run()


def subject(folder: Path, facts: manifest.Manifest) -> Subject:
    """What is known of a recording if its replay stands still."""
    begin = boots.of(folder, facts).clock if facts.machine.boot else 0
    return Subject(facts.machine.controller, Path(facts.kernel["folder"]), folder / qemu.RR_LOG, begin)


class NotReplayed(Problem):
    """A replay is not that of its recording."""

    status = 4


DIFFERS = "replay again (QEMU drops lines that it cannot write in {}), or record again"


def same_console(folder: Path, console: Path) -> None:
    """A replay whose console differs from the recording's was no replay."""
    recorded, replayed = qemu.lines(folder / qemu.CONSOLE), qemu.lines(console)
    if recorded == replayed:
        return
    check_room(console.parent)
    for number, (was, is_now) in enumerate(zip(recorded + [""], replayed + [""]), 1):
        if was != is_now:
            raise NotReplayed(f"the replay differs from the recording in line {number} of the console: recorded "
                              f"'{was}', replayed '{is_now}'; {DIFFERS.format(console.parent)}")
    raise NotReplayed(f"the replay ended after {len(replayed)} of {len(recorded)} console lines; {DIFFERS.format(console.parent)}")


PROBE_BYTES = 1 << 16


def check_room(folder: Path) -> None:
    """QEMU drops what it cannot write of a console: refuse a folder that cannot be written to."""
    with naming(folder), tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(PROBE_BYTES))
        file.flush()
        os.fsync(file.fileno())


def check_ended(ended: qemu.Ended) -> None:
    """A replay that QEMU ended is none: with a message about its log, or in an assertion."""
    if ended.status != 0:
        if found := of_system(ended.said):
            raise Problem(f"QEMU exited with status {ended.status} during the replay, in a stage in {stage.places()}: {found[0]}; {found[1]}")
        of_log = ended.status < 0 or any("replay" in line for line in ended.said.splitlines() if not line.startswith("iotrace: "))
        kind = NotReplayed if of_log else Problem
        raise kind(f"QEMU exited with status {ended.status} during the replay: {ended.said or 'no output'}; replay again, or record again "
                   f"(its stage was in {stage.places()})")
