"""QEMU's own contrib plugins, built from the source package of the QEMU that is installed."""

import subprocess
import tarfile
from pathlib import Path

from ..apt import PrivateApt
from ..cache import entry, fingerprint
from ..say import Problem, run, say

PLUGINS = ["hotblocks", "hwprofile", "execlog"]
SUITES = ["bookworm-backports", "trixie", "bookworm", "trixie-backports"]  # where Debian 12 and 13 have QEMU 10 from


def plugins() -> Path:
    """The folder with the compiled plugins."""
    asked = run(["dpkg-query", "-W", "-f", "${source:Version}", "qemu-system-x86"], "asking for QEMU's version",
                stdout=subprocess.PIPE)
    version = asked.stdout.decode()
    return entry("contrib", fingerprint(version, *PLUGINS), lambda folder: _make(version, folder))


def _make(version: str, folder: Path) -> None:
    archive = _source(version, folder)
    for name in PLUGINS:
        say(f"compiling QEMU's {name}")
        flags = run(["pkg-config", "--cflags", "--libs", "glib-2.0"], "asking for glib", stdout=subprocess.PIPE)
        run(["gcc", "-O2", "-shared", "-fPIC", "-I", str(folder), "-o", str(folder / f"lib{name}.so"),
             str(folder / f"{name}.c"), *flags.stdout.decode().split()], f"compiling {name}.c")
    archive.unlink()


def _source(version: str, folder: Path) -> Path:
    """Fetches the sources and takes out of them what the plugins need."""
    tried = []
    for suite in SUITES:
        apt = PrivateApt((suite,), kind="deb-src")
        try:
            apt.download_source(f"qemu={version}", folder)
            break
        except Problem as problem:
            tried.append(str(problem).splitlines()[0])
    else:
        raise Problem(f"the sources of QEMU {version} are in none of {', '.join(SUITES)}: {'; '.join(tried)}")
    archive = next(folder.glob("qemu_*.orig.tar.xz"))
    wanted = {"qemu-plugin.h", *(f"{name}.c" for name in PLUGINS)}
    with tarfile.open(archive, "r|xz") as members:
        for member in members:
            name = member.name.rsplit("/", 1)[-1]
            plugin = "/contrib/plugins/" in member.name or member.name.endswith("include/qemu/qemu-plugin.h")
            data = members.extractfile(member) if plugin and name in wanted else None
            if data:
                (folder / name).write_bytes(data.read())
    return archive
