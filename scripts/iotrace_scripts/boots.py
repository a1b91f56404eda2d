"""Boots: guests that were booted once and wait for a workload, in the cache.

In: what a boot depends on. Out: a folder with the guest's snapshot, the log of the boot, and a manifest. A recording
goes on from the snapshot and names the boot by the checksum of its manifest. An entry has its name only when it is
whole; one that is damaged is made again, or refused if a recording needs it.

A boot has a snapshot of a machine, which QEMU loads without checking it: whoever made it can run code here. One that was not
made on this machine (origin.py: the tag in its file boot.tag is not ours) is not used unless the user trusts it. It is the
only file of a recording that QEMU opens in another format than raw: an image of format qcow2 that may refer to no other file
(stage.check_state). All other qcow2 files are made here, when they are needed.
"""

import errno
import functools
import json
import re
import shutil
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import cache, disk, elf, guest, machine, manifest, origin, plugin, qemu, releases, scratch, stage
from .cache import cache_root, entry, fingerprint
from .machine import ARCHIVE, DATA_DISK, SNAPSHOT, WITNESS_DISK, Machine, Run
from .qmp import Controlled
from .say import ADVICE, Problem, say
from .standstill import Subject

# QEMU says of a full disk that there was an input/output error.
NO_ROOM = f"if the disk is full: {ADVICE[errno.ENOSPC]}"

KIND = "boots"
NAME = "boot.json"
TAG = "boot.tag"
FORMAT = 1
RECIPE = "1"  # changes when what is done to boot a guest does
READY = "iotrace: ready"
BOOT_SECONDS = 600.0
WITNESS_MEGABYTES = 256
# The snapshot as it is first made, before its place in the log is set to the log's beginning.
FIRST = "first"
# Instructions that are recorded after the snapshot.
BEHIND = 20_000_000
# How often a snapshot is tried while a request is in flight.
TRIES = 100
NO_WORKLOAD = b"\n"
SECTIONS: dict[str, dict[str, type]] = {
    "kernel": {"release": str, "build_id": str},
    "qemu": {"version": str},
    "guest": {"file_system": str, "scheduler": str, "mount_options": str, "mkfs_options": str, "disk_megabytes": int},
}


@dataclass(frozen=True)
class Configuration:
    """What a boot depends on."""

    kernel: Path
    machine: Machine
    plan: guest.GuestPlan
    disk_megabytes: int
    mkfs_options: str
    qemu: str

    def can_wait(self) -> bool:
        """Whether a booted guest can be given its workload: a program needs access to I/O ports for that (iopl)."""
        config = self.kernel / "config"
        # before Linux 5.5 there was no such option, and access
        return not config.exists() or "# CONFIG_X86_IOPL_IOPERM is not set" not in config.read_text()

    def write(self, folder: Path, archive: Path | None = None) -> None:
        """Write what the guest boots from: kernel, initramfs, disks. `archive`: with the workload."""
        shutil.copyfile(self.kernel / "vmlinuz", folder / "vmlinuz")
        guest.write_initramfs(folder / "initramfs.cpio", self.kernel, self.plan, archive)
        disk.make(folder / DATA_DISK, self.plan.file_system, self.disk_megabytes, self.mkfs_options, self.linux())
        if WITNESS_DISK in self.machine.disks:
            disk.blank(folder / WITNESS_DISK, WITNESS_MEGABYTES)

    def linux(self) -> releases.Version | None:
        """The version of the guest's kernel."""
        return releases.version(releases.of_boot_image(self.kernel / "vmlinuz"))

    def key(self, folder: Path) -> str:
        """A name for it, from the files that were written."""
        facts = {**self.machine.facts(), "disk": "", "boot": ""}
        left_out = disk.left_out(self.plan.file_system, self.linux(), self.mkfs_options)
        parts = [RECIPE, json.dumps(facts), qemu.version(self.qemu), self.plan.file_system,
                 " ".join(filter(None, [*left_out, self.mkfs_options])),
                 str(self.disk_megabytes)]
        return fingerprint(*parts, *(manifest.sha256(folder / name) for name in ("vmlinuz", "initramfs.cpio")))


@dataclass(frozen=True)
class Boot:
    """A boot in the cache."""

    folder: Path
    checksum: str  # of its manifest
    machine: Machine
    clock: int  # instructions that the guest had executed when the snapshot was made
    facts: dict[str, Any]

    def stage(self, place: stage.Stage) -> None:
        """Put the guest's snapshot and what QEMU needs with it into a folder."""
        place.link(self.folder / "vmlinuz", self.folder / "initramfs.cpio")
        place.unpack(self.folder / f"{qemu.STATE}.zst")
        stage.check_state(place.folder / qemu.STATE)
        for name in self.machine.disks:
            place.unpack(self.folder / f"{name}.zst")

    def check(self) -> list[str]:
        """What is wrong with its files."""
        return manifest.wrong_files(self.folder, self.facts["files"])

    def is_own(self) -> bool:
        """Whether it was made on this machine. Its files are those of its manifest if `check` finds nothing."""
        try:
            return origin.is_own((self.folder / NAME).read_bytes(), (self.folder / TAG).read_text(errors="replace").strip())
        except OSError:
            return False


def read(folder: Path) -> Boot:
    """A boot's manifest; its facts are checked as those of a recording are."""
    path = folder / NAME
    try:
        text = manifest.bytes_of(path)
        facts = manifest.load(text)
    except (OSError, ValueError, RecursionError) as error:
        raise Problem(f"{folder} is not a boot: {error}") from None
    if not isinstance(facts, dict) or set(facts) != {"format", "machine", "clock", "seconds", "files", *SECTIONS}:
        raise Problem(f"{path}: not the sections of a boot")
    if facts["format"] != FORMAT or type(facts["clock"]) is not int or type(facts["seconds"]) not in (int, float):
        raise Problem(f"{path}: invalid format, clock or seconds")
    for name, wanted in SECTIONS.items():
        manifest.check_section(name, facts[name], wanted)
    described = machine.parse(facts["machine"])
    manifest.check_listing(facts["files"], needed_files(described))
    return Boot(folder, manifest.sha256_of(text), described, facts["clock"], facts)


def needed_files(described: Machine) -> set[str]:
    """The files of a boot."""
    images = {f"{name}.zst" for name in [qemu.STATE, *described.disks, *map(first_contents, described.disks)]}
    return {"vmlinuz", "initramfs.cpio", qemu.RR_LOG, qemu.CONSOLE} | images


def first_contents(image: str) -> str:
    """The name of the file with what an image had in it before the boot."""
    return f"first-{image}"


def boot(wanted: Configuration, number: int = 1) -> Boot:
    """The boot of this configuration with this number; it is made if it is missing or damaged."""
    if not wanted.can_wait():
        raise Problem(f"the kernel {wanted.kernel} was built without CONFIG_X86_IOPL_IOPERM: its guests cannot wait for a "
                      "workload; scripts/record boots it in each recording")
    with scratch.Scratch() as place:
        files = place.folder / "files"
        files.mkdir()
        wanted.write(files)
        name = f"{wanted.key(files)}-{number}"

        def make(folder: Path) -> None:
            say(f"booting the guest for all recordings of this configuration ({name})")
            _make(wanted, files, folder)

        folder = entry(KIND, name, make)
        try:
            found = read(folder)
            wrong = found.check()
        except Problem as problem:
            wrong = [str(problem)]
        if not wrong and not found.is_own():
            _set_aside(found)
            found = read(entry(KIND, name, make))
        if wrong:
            say(f"boot {name} is damaged, booting again: {'; '.join(wrong)}")
            cache.discard(folder, lambda: _is_damaged(folder))
            found = read(entry(KIND, name, make))
    return found


def _is_damaged(folder: Path) -> bool:
    """Whether another run has not made it again meanwhile."""
    try:
        return bool(read(folder).check())
    except Problem:
        return True


def _set_aside(found: Boot) -> None:
    """Give a boot of another machine another name: what was recorded from it can still be replayed."""
    with cache.lock(cache.lock_of(found.folder)):
        kept = found.folder.with_name(f"imported-{found.checksum[:12]}")
        if kept.exists():
            shutil.rmtree(found.folder)
        else:
            found.folder.rename(kept)
    say(f"boot {found.folder.name} was not made on this machine (or by a version before tags): kept as {kept.name}, booting again")


def _make(wanted: Configuration, files: Path, folder: Path) -> None:
    described = replace(wanted.machine, disk=machine.HOST if stage.no_direct_io(stage.MEMORY) else machine.INSTANT)
    with stage.Stage(direct=described.disk == machine.INSTANT) as place:
        place.link(files / "vmlinuz", files / "initramfs.cpio")
        (place.folder / ARCHIVE).write_bytes(NO_WORKLOAD)
        stage.new_state(place.folder / qemu.STATE)
        for name in described.disks:
            place.copy(files / name)
        clock, seconds = _run_up(wanted, described, place.folder)
        for name in (qemu.RR_LOG, qemu.CONSOLE):
            shutil.copyfile(place.folder / name, folder / name)
        _set_to_beginning(wanted, described, place.folder)
        for name in ("vmlinuz", "initramfs.cpio"):
            shutil.copyfile(files / name, folder / name)
        stage.pack(place.folder / qemu.STATE, folder)
        for name in described.disks:
            stage.pack(place.folder / name, folder)
            stage.pack(files / name, folder, first_contents(name))
    facts = {
        "machine": wanted.machine.facts(),
        "kernel": kernel_facts(wanted.kernel),
        "qemu": {"version": qemu.version(wanted.qemu)},
        "guest": {"file_system": wanted.plan.file_system, "scheduler": wanted.plan.scheduler,
                  "mount_options": wanted.plan.mount_options, "mkfs_options": wanted.mkfs_options,
                  "disk_megabytes": wanted.disk_megabytes},
        "clock": clock, "seconds": round(seconds, 1),
        "files": manifest.listing_of(folder, needed_files(described)),
    }
    text = json.dumps({"format": FORMAT, **facts}, indent=2) + "\n"
    (folder / NAME).write_text(text)
    (folder / TAG).write_text(origin.tag(text.encode()) + "\n")


def kernel_facts(kernel: Path) -> dict[str, str]:
    """Which kernel this is."""
    release = kernel / "release"
    return {"release": release.read_text().strip() if release.exists() else releases.of_boot_image(kernel / "vmlinuz"),
            "build_id": elf.build_id(kernel / "vmlinux")}


def _run_up(wanted: Configuration, described: Machine, folder: Path) -> tuple[int, float]:
    """Boot the guest until it waits for a workload, and make a snapshot; returns its clock, and how long that took."""
    console = folder / qemu.CONSOLE
    command = [wanted.qemu, *described.arguments(Run("record", qemu.CONSOLE, state=True))]

    def waits() -> bool:
        lines = qemu.lines(console)
        failed = [line for line in lines if "Kernel panic" in line or line.startswith("iotrace: failed:")]
        if failed:
            raise Problem(f"the guest did not boot: {failed[0]}; end of its console:\n{qemu.last_lines(console)}")
        return READY in lines

    with Controlled(command, folder, "booting", Subject(described.controller, wanted.kernel)) as running:
        running.wait_until(waits, lambda: f"{len(qemu.lines(console))} console lines", BOOT_SECONDS)
        running.execute("stop")
        clock = _snapshot(running)
        for name in described.disks:
            stage.copy(folder / name, folder / f"{name}.kept")
        # What comes after the last event in QEMU's log does not replay reliably: the log goes on a little.
        running.execute("cont")
        running.wait_until(lambda: running.execute("query-replay")["icount"] > clock + BEHIND, lambda: "", BOOT_SECONDS)
        running.quit()
        for name in described.disks:
            (folder / f"{name}.kept").rename(folder / name)
        running.ticker.done(f"{clock} instructions")
        return clock, running.ticker.seconds()


def _snapshot(running: Controlled) -> int:
    """Make the first snapshot of a stopped guest; returns its clock. Refused while a request is in flight."""
    for _ in range(TRIES):
        refused = running.snapshot("snapshot-save", FIRST, qemu.STATE_NODE)
        if not refused:
            return snapshot_clock(running, FIRST)
        running.execute("cont")
        running.execute("stop")
    raise Problem(f"cannot take a snapshot of the booted guest in {running.folder / qemu.STATE}: {refused}; {NO_ROOM}")


def snapshot_clock(running: Controlled, name: str) -> int:
    """The clock of a snapshot, in instructions: the last column of QEMU's list."""
    listed = running.monitor("info snapshots")
    found = re.search(rf"^\S+\s+{re.escape(name)}\s.*\s(\d+)\s*$", listed, re.MULTILINE)
    if not found:
        raise Problem(f"QEMU reports no clock for the snapshot {name}:\n{listed}")
    return int(found[1])


def _set_to_beginning(wanted: Configuration, described: Machine, folder: Path) -> None:
    """A snapshot holds its place in the log: load it, and make another one at the beginning of a new log."""
    command = [wanted.qemu, *described.arguments(Run("record", qemu.CONSOLE, state=True)), "-S"]
    what = "setting the snapshot to the start of its log"
    with Controlled(command, folder, what, Subject(described.controller, wanted.kernel)) as running:
        for what, name in (("load", FIRST), ("save", SNAPSHOT)):
            failed = running.snapshot(f"snapshot-{what}", name, qemu.STATE_NODE)
            if failed:
                raise Problem(f"snapshot-{what} of the booted guest in {folder / qemu.STATE}: {failed}; {NO_ROOM}")
        running.quit()
        running.ticker.done("done")
    stage.delete_snapshot(folder / qemu.STATE, FIRST)


def all_boots() -> list[Boot]:
    """Those in the cache, and readable."""
    found = []
    for folder in sorted((cache_root() / KIND).glob("[!.]*")):
        try:
            found.append(read(folder))
        except Problem as problem:
            say(str(problem))
    return found


def of(folder: Path, facts: manifest.Manifest) -> Boot:
    """The boot from which the recording in `folder` goes on."""
    found = _find(facts.machine.boot, folder, facts.trust_snapshots)
    for fact in SAME:
        here, there = getattr(facts.machine, fact), getattr(found.machine, fact)
        if here != there:
            raise Problem(f"{folder} has the machine {fact} {here!r}, the boot from which it resumes {there!r}: record again")
    return found


# Facts of a machine that a recording and its boot share.
SAME = ("memory", "shift", "controller", "disks", "command_line", "cpu", "seekable", "archive")


@functools.cache
def _find(checksum: str, folder: Path, trusted: bool) -> Boot:
    for found in all_boots():
        if found.checksum == checksum:
            break
    else:
        found = _import(checksum, folder, trusted)
    wrong = found.check()
    if wrong:
        raise Problem(f"the boot {found.folder}, from which {folder} resumes, is damaged: {'; '.join(wrong)}. Copy it "
                      "again, or record again.")
    if not trusted and not found.is_own():
        raise Problem(refusal(folder, checksum))
    return found


def refusal(folder: Path, checksum: str) -> str:
    """Why a snapshot of a machine is not loaded."""
    return (f"{folder} resumes from the boot {checksum[:12]}, a snapshot of a machine that was not made on this machine (or by a "
            "version before tags): QEMU loads it without checks, so whoever made it can run code here. If you trust them, use "
            "--trust-snapshots; otherwise record again")


BUNDLED = "boot.tar"


def bundle(found: Boot, folder: Path) -> str:
    """Add a boot to a recording; returns the file's name."""
    with tarfile.open(folder / BUNDLED, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in [NAME, TAG, *sorted(found.facts["files"])]:
            archive.add(found.folder / name, name, recursive=False)
    return BUNDLED


def _import(checksum: str, folder: Path, trusted: bool) -> Boot:
    """Put a bundled boot into the cache."""
    bundled = folder / BUNDLED
    if not bundled.is_file():
        raise Problem(f"{folder} resumes from the boot {checksum[:12]}, which is not in {cache_root() / KIND}: copy it "
                      "there from the machine that recorded (`scripts/boot --list` names its folder), or record there "
                      "with --bundle. Another boot of the same kernel does not match.")

    def unpack(into: Path) -> None:
        try:
            with tarfile.open(bundled, "r:") as archive:
                for member in archive:
                    source = archive.extractfile(member) if manifest.FILE_NAME.fullmatch(member.name) else None
                    if not member.isreg() or source is None:
                        raise Problem(f"{bundled}: {member.name!r} is not a file of a boot")
                    with open(into / member.name, "wb") as out:
                        shutil.copyfileobj(source, out)
        except (tarfile.TarError, OSError) as error:
            raise Problem(f"reading {bundled}: {error}") from None
        unpacked = read(into)
        wrong = manifest.wrong_files(into, unpacked.facts["files"])
        if unpacked.checksum != checksum or wrong:
            raise Problem(f"{bundled} is not the boot from which {folder} resumes; {'; '.join(wrong)}")
        if not trusted and not unpacked.is_own():
            raise Problem(refusal(folder, checksum))

    say(f"taking the boot {checksum[:12]} from the recording")
    return read(entry(KIND, f"imported-{checksum[:12]}", unpack))


def remove(names: list[str]) -> None:
    """Delete boots, and what was made from them."""
    for found in all_boots():
        if found.folder.name in names or "all" in names:
            cache.discard(found.folder)
            for context in (cache_root() / plugin.CONTEXTS).glob(f"{found.checksum[:12]}-*"):
                cache.discard(context)
            say(f"removed {found.folder.name}")
            names = [name for name in names if name != found.folder.name]
    missing = [name for name in names if name != "all"]
    if missing:
        raise Problem(f"no boot {', '.join(missing)}: see scripts/boot --list")
