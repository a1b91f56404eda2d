"""QEMU's arguments that load our plugin into a replay."""

import shutil
import subprocess
import time
from pathlib import Path

from . import build, cache
from .manifest import Manifest
from .say import Problem


def arguments(facts: Manifest, trace: Path, more: str = "", kernel: Path | None = None,
              plugin: Path | None = None) -> list[str]:
    """For a recording with these facts, to write a trace. `more` are further arguments of the plugin; `kernel` is
    where to take symbols from, if not where the recording did; `plugin` another than the checkout's."""
    plugin = (plugin or build.up_to_date() / "libiotrace.so").resolve()
    if not plugin.is_file():
        raise Problem(f"there is no plugin {plugin}")
    folder = Path(facts.kernel["folder"])
    kernel = kernel.resolve() if kernel else folder
    if kernel.is_dir():
        wants_catalog = "catalog=" in more
        folder, kernel = kernel, kernel / "vmlinux" if wants_catalog else _kernel_argument(kernel, plugin)
    if not kernel.exists():
        raise Problem(f"the kernel's symbols are gone: there is no {kernel}; get them again with scripts/kernel, or "
                      "name others with --kernel")
    options = [str(plugin), f"kernel={kernel}", f"out={trace}"]
    options += [f"{name}={folder / name}" for name in ("modules", "debug") if (folder / name).is_dir()]
    for option in options:
        if "," in option:
            raise Problem(f"'{option}' has a comma in it, which QEMU takes for the end of an argument")
    guest = facts.guest
    notes = {"qemu": facts.qemu["version"], "controller": facts.machine.controller,
             "file system": guest["file_system"], "workload": guest["workload"], "workload status": str(guest.get("status", 0) or "")}
    # a comma in an argument is doubled for QEMU
    options += [f"note={key}:{text}".replace(",", ",,") for key, text in notes.items() if text]
    if more:
        options.append(more)
    return ["-plugin", ",".join(options)]


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
        parts = [f"--{name}={folder / name}" for name in ("modules", "debug") if (folder / name).is_dir()]
        command = [analyzer, "kernel", vmlinux, *parts, "-o", making / "kernel.profile"]
        compiled = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if compiled.returncode != 0:
            raise Problem(f"compiling the kernel profile of {vmlinux} failed: {compiled.stderr.strip()}")

    made = cache.entry("profiles", f"{family}-{key}", compile_profile)
    # those of earlier builds, unless another checkout may be using them
    for old in made.parent.glob(f"{family}-*"):
        if old.stat().st_mtime < time.time() - 86400 and old != made:
            shutil.rmtree(old, ignore_errors=True)
    return made / "kernel.profile"
