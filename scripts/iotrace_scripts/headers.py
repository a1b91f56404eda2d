"""Modules of our own for a Debian kernel: compiled with its header packages, unpacked into the cache."""

import shutil
import sys
from pathlib import Path

from . import kernels
from .apt import newest, unpack
from .cache import entry, fingerprint
from .say import Problem, main_guard, run, say

RECIPE = "1"
USAGE = "usage: python3 -m iotrace_scripts.headers KERNEL SOURCES FOLDER: compiles SOURCES/*.c into FOLDER/*.ko"


def headers(name: str) -> Path:
    """The folder in which modules for a kernel are built, by the kernel's name."""
    if name not in kernels.KERNELS:
        raise Problem(f"no header packages for kernel '{name}': expected one of {', '.join(kernels.KERNELS)}")
    release = (kernels.kernel(name, bare=True) / "release").read_text().strip()
    key = fingerprint(RECIPE, name, release)
    root = entry("headers", f"{name}-{key}", lambda folder: _unpack(name, release, folder))
    return root / "usr" / "src" / f"linux-headers-{release}"


def _unpack(name: str, release: str, folder: Path) -> None:
    recipe = kernels.KERNELS[name]
    apt = newest(recipe.suites, recipe.meta, recipe.series)
    package = f"linux-headers-{release}"
    parts = [part for part in apt.depends(package) if part.startswith(("linux-headers-", "linux-kbuild-"))]
    say(f"fetching {package}, {', '.join(parts)}")
    for part in [package, *parts]:
        deb = apt.download(part, folder)
        unpack(deb, folder)
        deb.unlink()
    sources = folder / "usr" / "src"
    # They name one another by where they are installed.
    for makefile in sources.glob("linux-headers-*/Makefile"):
        if not makefile.is_symlink():
            here = "$(dir $(lastword $(MAKEFILE_LIST)))"
            makefile.write_text(makefile.read_text().replace("/usr/src/linux-headers", f"{here}../linux-headers"))
    for link in (path for path in sources.glob("linux-headers-*/*") if path.is_symlink()):
        target = str(link.readlink())
        inside = folder / target.removeprefix("/") if target.startswith("/") else link.parent / target
        if not inside.exists():
            inside = folder / "usr" / "lib" / target.split("usr/lib/")[-1]
        link.unlink()
        link.symlink_to(Path("../../..") / inside.resolve().relative_to(folder.resolve()))


def build(name: str, sources: Path, folder: Path) -> None:
    """Compile the modules of a folder."""
    shutil.copytree(sources, folder, dirs_exist_ok=True)
    run(["make", "-s", "-C", str(headers(name)), f"M={folder.resolve()}", "modules"],
        f"compiling the modules of {sources}", stdout=sys.stderr)


def main() -> None:
    """The command."""
    if len(sys.argv) != 4:
        raise Problem(USAGE)
    build(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))


if __name__ == "__main__":
    main_guard(main)
