"""Kernels built from Debian's sources, with all the debug information there is and nothing in them
that the guests do not need."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from . import modules
from .apt import deb_members, newest
from .cache import cache_root, entry, fingerprint
from .say import Problem, Ticker, run, say

SCRIPTS = Path(__file__).resolve().parent.parent
BASE = "built-6.1"  # what the others' configurations are told against


@dataclass(frozen=True)
class Source:
    """Where a kernel's sources come from."""

    suites: tuple[str, ...]  # the newest of the series in any of them that can be had
    series: str  # what its version begins with
    package: str = "linux-source"  # it, or what it depends on, has the sources


KERNELS = {
    "built-5.10": Source(("bullseye", "bullseye-security"), "5.10."),
    "built-6.1": Source(("bookworm",), "6.1.", "linux-source-6.1"),
    "built-6.12": Source(("trixie", "bookworm-backports"), "6.12."),
    "built-7.x": Source(("trixie-backports", "sid"), "7."),
}
RECIPE = "1"  # changes when the way of building does
MAKE = ["make", "ARCH=x86_64", "KBUILD_BUILD_USER=iotrace", "KBUILD_BUILD_HOST=iotrace",
        "KBUILD_BUILD_TIMESTAMP=2025-01-01", "KBUILD_BUILD_VERSION=1"]


def kernel(name: str, patches: Sequence[Path]) -> Path:
    """The folder of a built kernel; other patches make another folder."""
    for patch in patches:
        if not patch.is_file():
            raise Problem(f"no such patch file: {patch}")
    config, recipe = configuration(name), KERNELS[name]
    key = fingerprint(RECIPE, *recipe.suites, recipe.package, config, *modules.wanted(),
                      *(patch.read_bytes() for patch in patches))
    return entry("kernels", f"{name}-{key}", lambda folder: _make(name, config, patches, folder))


def configuration(name: str) -> str:
    """What a kernel is configured with: that of built-6.1, with the options that its own file names as they are
    there."""
    base = (SCRIPTS / "kernels" / f"{BASE}.config").read_text()
    if name == BASE:
        return base
    own = (SCRIPTS / "kernels" / f"{name}.config").read_text()
    named = set(re.findall(r"^(?:# )?(CONFIG_\w+)", own, re.MULTILINE))
    kept = [line for line in base.splitlines() if line.split("=")[0] not in named]
    return "\n".join([*kept, own])


def _make(name: str, config: str, patches: Sequence[Path], folder: Path) -> None:
    run([os.fspath(SCRIPTS / "setup"), "--build-kernel"], "installing the build dependencies of a kernel",
        stdout=subprocess.DEVNULL)
    source = folder / "source"
    sources(name, source)
    for patch in patches:
        say(f"applying {patch}")
        with open(patch, "rb") as text:
            run(["patch", "-p1", "--no-backup-if-mismatch"], f"applying {patch}", cwd=source, stdin=text,
                stdout=subprocess.PIPE)
    _configure(config, source)
    _build(name, source)
    _collect(source, folder)
    shutil.rmtree(source)


def sources(name: str, source: Path) -> None:
    """Extract the sources of a kernel into a new folder."""
    recipe = KERNELS[name]
    apt = newest(recipe.suites, recipe.package, recipe.series)
    needs = [need for need in apt.depends(recipe.package) if need.startswith("linux-source-")]
    package = needs[0] if needs else recipe.package
    deb = apt.download(package, source.parent)
    source.mkdir()
    say(f"extracting {package}")
    for member, data in deb_members(deb):
        if data is not None and member.name.endswith(f"{package}.tar.xz"):
            with subprocess.Popen(["tar", "-xJ", "--strip-components=1"], cwd=source, stdin=subprocess.PIPE) as tar:
                assert tar.stdin is not None
                shutil.copyfileobj(data, tar.stdin, 1 << 20)
            if tar.returncode != 0:
                raise Problem(f"extracting the sources of {deb.name}: tar failed with status {tar.returncode}")
    deb.unlink()
    if not (source / "Makefile").exists():
        raise Problem(f"the package {package} has no kernel sources")


def _configure(config: str, source: Path) -> None:
    """From nothing to what the configuration names; an option that not set is an error."""
    file = source / "iotrace.config"
    file.write_text(config)
    run([*MAKE, f"KCONFIG_ALLCONFIG={file}", "allnoconfig"], "configuring the kernel", cwd=source,
        stdout=subprocess.PIPE)
    have = set((source / ".config").read_text().splitlines())
    wanted = [line for line in config.splitlines() if line.startswith("CONFIG_")]
    missing = [line for line in wanted if line not in have]
    if missing:
        raise Problem(f"configuring the kernel: {', '.join(missing)} not set")


def _build(name: str, source: Path) -> None:
    """Through ccache: a kernel that differs from one built before by a patch compiles what the patch changes."""
    ticker = Ticker(f"building {name} (10 to 20 minutes on 2 cores)")
    command = [*MAKE, f"-j{len(os.sched_getaffinity(0))}", "CC=ccache gcc",
               f"KCFLAGS=-ffile-prefix-map={source}=/usr/src/linux", "bzImage", "modules"]
    environment = os.environ | {"CCACHE_DIR": os.fspath(cache_root() / "ccache"), "CCACHE_BASEDIR": os.fspath(source)}
    recent: list[str] = []
    with subprocess.Popen(command, cwd=source, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as make:
        assert make.stdout is not None
        for count, line in enumerate(make.stdout, 1):
            recent = [*recent[-40:], line.rstrip()]
            ticker.tell(f"{count} steps, {' '.join(line.split())[:60]}")
    if make.returncode != 0:
        raise Problem("building the kernel failed:\n" + "\n".join(recent))
    ticker.done("built")


def _collect(source: Path, folder: Path) -> None:
    """Take the results out of the source tree."""
    shutil.copy2(source / "vmlinux", folder / "vmlinux")
    shutil.copy2(source / "arch/x86/boot/bzImage", folder / "vmlinuz")
    shutil.copy2(source / ".config", folder / "config")
    shutil.copy2(source / "modules.builtin", folder / "modules.builtin")
    shutil.copy2(source / "include/config/kernel.release", folder / "release")
    (folder / "debug").mkdir()
    (folder / "modules").mkdir()
    for module in source.rglob("*.ko"):
        shutil.copy2(module, folder / "debug" / module.name)
        run(["strip", "--strip-debug", "-o", os.fspath(folder / "modules" / module.name), os.fspath(module)],
            f"stripping {module.name}")
    modules.keep_needed(folder)
