"""The sources of a Debian kernel, from its package, in the cache.

In: the banner of a recorded kernel. Out: a folder with the sources of exactly its version.
"""

import re
from pathlib import Path

from . import built
from .cache import entry
from .say import Problem

# Of a kernel's banner: `#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)`; backports are of the same sources.
VERSION = re.compile(r".*\bDebian (?P<version>(?P<series>(?P<major>\d+)\.\d+)\.\d+)\S*")


def of_banner(banner: str) -> Path:
    """The sources of the kernel with this banner; fetched if they are not there."""
    found = VERSION.search(banner)
    name = next((name for name in (f"built-{found['series']}", f"built-{found['major']}.x") if name in built.KERNELS), "") if found else ""
    if not found or not name:
        raise Problem(f"no package with the sources of '{banner.strip()}' is known: name their directory with --sources")

    def fetch(folder: Path) -> None:
        built.sources(name, folder / "linux")
        there = version(folder / "linux" / "Makefile")
        if there != found["version"]:
            raise Problem(f"the archive has the sources of Linux {there}, recorded was {found['version']}: name their directory with "
                          "--sources")

    return entry("sources", f"linux-{found['version']}", fetch) / "linux"


def version(makefile: Path) -> str:
    """The version that a kernel's Makefile names."""
    text = makefile.read_text(errors="replace")
    parts = [re.search(rf"^{name} = (\d+)$", text, re.MULTILINE) for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL")]
    return ".".join(part[1] for part in parts if part)
