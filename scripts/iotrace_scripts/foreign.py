"""A QEMU of another Debian release, unpacked into the cache and run with its own libraries."""

import re
import subprocess
from pathlib import Path

from .apt import PrivateApt, unpack
from .cache import entry, fingerprint
from .say import Problem, run, say

RELEASES = {
    "11.1": (("trixie", "trixie-backports"), "trixie-backports"),
}
PACKAGES = ["qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios", "ipxe-qemu"]
RECIPE = "1"

WRAPPER = """#!/bin/sh
# QEMU {version} from Debian's {suite}: run by its own loader, with its own libraries and firmware.
here=$(dirname "$(readlink -f "$0")")
root=$here/root
libraries=$root/usr/lib/x86_64-linux-gnu
exec "$root/{loader}" --library-path "$libraries{more}" --argv0 "$0" "$root/usr/bin/qemu-system-x86_64" \\
    -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" -L "$root/usr/lib/ipxe/qemu" "$@"
"""


def foreign_qemu(name: str) -> Path:
    """The wrapper that runs this QEMU, unpacked if it is not there."""
    if name not in RELEASES:
        raise Problem(f"unknown QEMU '{name}': expected one of {', '.join(RELEASES)}")
    suites, preferred = RELEASES[name]
    key = fingerprint(RECIPE, *suites, *PACKAGES, WRAPPER)
    return entry("qemu", f"{name}-{key}", lambda folder: _make(name, suites, preferred, folder)) / "qemu-system-x86_64"


def _make(name: str, suites: tuple[str, ...], preferred: str, folder: Path) -> None:
    apt = PrivateApt(suites)
    packages = apt.closure(PACKAGES, preferred)
    say(f"fetching {len(packages)} packages of {' and '.join(suites)}")
    root = folder / "root"
    root.mkdir()
    apt.download_all(packages, folder)
    for deb in sorted(folder.glob("*.deb")):
        unpack(deb, root)
        deb.unlink()
    _merge_usr(root)
    loader = next((path for path in ("usr/lib64/ld-linux-x86-64.so.2",
                                     "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
                   if (root / path).is_file()), None)
    if not loader:
        raise Problem(f"the packages of {preferred} have no dynamic loader")
    more = "".join(f":$libraries/{part.name}" for part in sorted((root / "usr/lib/x86_64-linux-gnu").iterdir())
                   if part.is_dir() and any(part.glob("lib*.so.*")))
    wrapper = folder / "qemu-system-x86_64"
    wrapper.write_text(WRAPPER.format(version=name, suite=preferred, loader=loader, more=more))
    wrapper.chmod(0o755)
    said = run([str(wrapper), "--version"], f"trying QEMU {name}", stdout=subprocess.PIPE).stdout.decode()
    if not re.search(rf"version {re.escape(name)}\.", said):
        raise Problem(f"{preferred} has another QEMU than {name}: {said.splitlines()[0]}")


def _merge_usr(root: Path) -> None:
    """Packages may still bring files in /lib; put them where the others are."""
    for old in ("lib", "lib64", "bin", "sbin"):
        if (root / old).is_dir() and not (root / old).is_symlink():
            run(["cp", "-a", f"{root / old}/.", str(root / "usr" / old)], f"merging {root / old} into usr")
