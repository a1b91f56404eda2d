"""QEMU's arguments that load our plugin into a replay."""

import functools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from . import build, cache, child
from .manifest import Manifest
from .say import Problem


# What a plugin goes on from: the cache's kind of such folders, and the files in one, as the plugin calls them.
CONTEXTS = "contexts"
STATE, TRACE = "state", "trace.iot"


def complaint(said: str) -> str:
    """The first thing that a plugin complains of, in what QEMU and it printed; empty if there is none."""
    complaints = [line for line in said.splitlines() if line.startswith("iotrace: ")]
    return complaints[0].removeprefix("iotrace: ") if complaints else ""


@dataclass(frozen=True)
class Plugin:
    """A plugin, and where it takes symbols from."""

    path: Path
    kernel: Path  # a vmlinux, or a profile compiled from one
    folder: Path  # with the kernel's modules and their debug files

    def identity(self) -> list[str | bytes]:
        """What a trace depends on beside the recording."""
        return [self.path.read_bytes(), os.fspath(self.kernel)]

    def saving(self, folder: Path, more: Sequence[str] = ()) -> list[str]:
        """QEMU's arguments for a plugin that saves its state, and a trace up to there, in a folder."""
        return self.arguments(folder / TRACE, {}, [f"save-state={folder / STATE}", *more])

    def arguments(self, trace: Path, notes: dict[str, str], more: Sequence[str] = ()) -> list[str]:
        """QEMU's, for a plugin that writes a trace, with these notes in it. `more` are further arguments."""
        options = [str(self.path), f"kernel={self.kernel}", f"out={trace}"]
        options += [f"{name}={path}" for name, path in _parts(self.folder).items()]
        for option in options:
            if "," in option:
                raise Problem(f"'{option}' contains a comma, which ends an argument of QEMU")
        # a comma in an argument is doubled for QEMU
        options += [f"note={key}:{text}".replace(",", ",,") for key, text in notes.items() if text]
        return ["-plugin", ",".join([*options, *filter(None, more)])]


@functools.cache
def chosen(kernel: Path, plugin: Path | None, of_its_own: bool = False) -> Plugin:
    """A plugin (none: the checkout's, brought up to date) for a kernel's folder, vmlinux or profile. `of_its_own`: it has
    to compile the kernel's profile itself, with catalogs that it is given."""
    plugin = (plugin or build.up_to_date() / "libiotrace.so").resolve()
    if not plugin.is_file():
        raise Problem(f"no such plugin: {plugin}")
    folder = kernel = kernel.resolve()
    if kernel.is_dir():
        kernel = folder / "vmlinux" if of_its_own else _kernel_argument(folder, plugin)
    if not kernel.exists():
        raise Problem(f"no kernel symbols at {kernel}: get them with scripts/kernel or "
                      "name others with --kernel")
    return Plugin(plugin, kernel, folder if folder.is_dir() else folder.parent)


def notes_of(facts: Manifest) -> dict[str, str]:
    """What a trace says of its recording."""
    guest = facts.guest
    same = "each of this boot is the same" if guest.get("deterministic") else ""
    disk = facts.machine.disk if "deterministic" in guest else ""
    return {"qemu": facts.qemu["version"], "controller": facts.machine.controller, "disk": disk, "tick": f"{guest['tick']} Hz" if guest["tick"] else "",
            "recordings": same, "recording": "" if facts.replayable else "not replayable",
            "file system": guest["file_system"], "workload": guest["workload"],
            "workload status": str(guest.get("status", 0) or "")}


def _parts(folder: Path) -> dict[str, Path]:
    """The folders with a kernel's modules and their debug files, those that have some."""
    parts = {name: folder / name for name in ("modules", "debug")}
    return {name: path for name, path in parts.items() if path.is_dir() and any(path.iterdir())}


def _kernel_argument(folder: Path, plugin: Path) -> Path:
    """What the plugin is given as its kernel: the folder's vmlinux, or the profile that the analyzer beside the
    plugin compiles from it, which is kept for the next replay."""
    vmlinux, analyzer = folder / "vmlinux", plugin.with_name("iotrace-analyze")
    if not analyzer.is_file() or not vmlinux.is_file():
        return vmlinux
    facts = vmlinux.stat()
    family = cache.fingerprint(str(folder))
    key = cache.fingerprint(analyzer.read_bytes(), str(facts.st_size), str(facts.st_mtime_ns))

    def compile_profile(making: Path) -> None:
        parts = [f"--{name}={path}" for name, path in _parts(folder).items()]
        command: list[str | Path] = [analyzer, "check", vmlinux, *parts, "-o", making / "kernel.profile"]
        compiled = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=child.tie())
        if compiled.returncode != 0:
            raise Problem(f"compiling the kernel profile of {vmlinux} failed: {compiled.stderr.strip()}")

    return cache.entry_of_build("profiles", family, key, compile_profile) / "kernel.profile"
