"""What a plugin has to know of a guest at the snapshot from which a replay begins, in the cache.

In: a boot, or a recording and a clock; the plugin and where it takes symbols from. Out: a folder with the plugin's state
and the trace up to there, for its argument `resume=`. Made by a replay up to the snapshot, once for each build of the
plugin.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

from . import cache, qemu, recording, stage
from .boots import NO_WORKLOAD, Boot, first_contents
from .machine import ARCHIVE, Machine, Run, overlay
from .manifest import NAME as MANIFEST
from .manifest import Manifest, sha256
from .plugin import CONTEXTS, STATE, complaint
from .qmp import Controlled
from .say import Problem, of_system, say
from .standstill import Subject

REPLAY_SECONDS = 3600.0
POINT = "point"
# No snapshot can be made while a request is in flight: tried from so many instructions before the wanted one on, each so
# many later.
BEFORE = 1 << 22
STEP = 1 << 16

Options = Callable[[Path], list[str]]  # QEMU's arguments for a plugin that saves state and trace in a folder


def _entry(family: str, parts: list[str | bytes], make: Callable[[Path], None]) -> Path:
    return cache.entry_of_build(CONTEXTS, family, cache.fingerprint(*parts), make)


def of_boot(boot: Boot, kernel: Path, chosen: str, identity: list[str | bytes], options: Options) -> Path:
    """The context of a boot. `kernel`: its folder; `identity`: of the plugin, and of where it takes symbols from."""
    def make(folder: Path) -> None:
        say("replaying the boot for all replays that resume from it")
        log = boot.folder / qemu.RR_LOG
        if sha256(log) != boot.facts["files"][qemu.RR_LOG]["sha256"]:
            raise Problem(f"{log} is damaged: delete the boot with scripts/boot --remove {boot.folder.name}, and record "
                          "again")
        with stage.Stage() as place:
            place.link(log, boot.folder / "vmlinuz", boot.folder / "initramfs.cpio")
            for name in boot.machine.disks:
                place.unpack(boot.folder / f"{first_contents(name)}.zst")
                (place.folder / first_contents(name)).rename(place.folder / name)
            stage.new_state(place.folder / qemu.STATE)
            (place.folder / ARCHIVE).write_bytes(NO_WORKLOAD)
            how = Run("replay", qemu.CONSOLE, state=True)
            subject = Subject(boot.machine.controller, kernel, log)
            with _running(boot.machine, how, place, chosen, options(folder), subject) as running:
                running.replay_to(boot.clock, _state(running, log), REPLAY_SECONDS)
                _end(running, folder, boot.clock)

    return _entry(boot.checksum[:12], identity, make)


@dataclass(frozen=True)
class Point:
    """A snapshot that was made in a replay, with its context."""

    folder: Path

    def stage(self, folder: Path, facts: Manifest, place: stage.Stage) -> Run:
        """Put what a replay from here needs into a folder."""
        how = recording.stage_replay(folder, facts, place, overlays=True)
        for name in (qemu.STATE, *map(overlay, facts.machine.disks)):
            place.unpack(self.folder / f"{name}.zst")
        return replace(how, snapshot=POINT)


def point(folder: Path, facts: Manifest, clock: int, chosen: str, identity: list[str | bytes], options: Options) -> Point:
    """A snapshot of a recording at an instruction, or as little before it as possible."""
    def make(into: Path) -> None:
        say(f"replaying up to instruction {clock} for all replays from there")
        with stage.Stage() as place:
            how = recording.stage_replay(folder, facts, place, overlays=True)
            with _running(facts.machine, how, place, chosen, options(into), recording.subject(folder, facts)) as running:
                state = _state(running, folder / qemu.RR_LOG)
                at = max(running.execute("query-replay")["icount"] + 1, clock - BEFORE)
                running.replay_to(at, state, REPLAY_SECONDS)
                while running.monitor(f"savevm {POINT}"):
                    at += STEP
                    if at > clock:
                        raise Problem(f"requests are in flight throughout before instruction {clock}: no snapshot can "
                                      "be taken there; specify another one")
                    running.replay_to(at, state, REPLAY_SECONDS)
                _end(running, into, at)
            for name in (qemu.STATE, *map(overlay, facts.machine.disks)):
                stage.pack(place.folder / name, into)

    family = sha256(folder / MANIFEST)[:12]
    return Point(_entry(family, [*identity, str(clock)], make))


def _running(described: Machine, how: Run, place: stage.Stage, chosen: str, options: list[str], subject: Subject) -> Controlled:
    return Controlled([chosen, *described.arguments(how), *options, "-S"], place.folder, "replaying", subject)


def _state(running: Controlled, log: Path) -> Callable[[], str]:
    size, path = max(1, log.stat().st_size), log.resolve()
    return lambda: f"{100 * qemu.log_position(running.process.pid, path) // size}%"


def _end(running: Controlled, folder: Path, clock: int) -> None:
    said = running.quit()
    running.ticker.done(f"{clock} instructions")
    if (complained := complaint(said)) or not (folder / STATE).exists():
        found = of_system(complained)
        raise Problem(f"cannot make {folder}: {complained or 'the plugin saved no state'}; {found[1] if found else 'try again'}")
