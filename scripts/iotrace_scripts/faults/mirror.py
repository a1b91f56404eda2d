"""An archive of our own with a tiny kernel, from which scripts/kernel fetches without a network.

Out: a command that runs scripts/kernel with this archive. It is served from this machine, as apt writes to an archive of files
when a disk is full, and signed with a key that is made for it: apt verifies it as it verifies Debian's.
"""

import functools
import gzip
import hashlib
import http.server
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from .. import cache, manifest
from ..say import Problem, run
from .world import World

RELEASE = "6.1.0-9-amd64"
SUITE = "bookworm"
NAME = "debian-6.1"
# What differs from a run with Debian's archive: the key, and where the recipe's entry of the cache is.
RUNNER = """
import runpy, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from iotrace_scripts import apt, kernels
apt.KEYRING = Path(sys.argv[2])
kernels.KIND = "mirrored"
script = sys.argv[1] + "/kernel"
sys.argv = [script, *sys.argv[3:]]
runpy.run_path(script, run_name="__main__")
"""
SCRIPTS = Path(__file__).resolve().parent.parent.parent


def make(world: World) -> list[str]:
    """The archive, and the command that fetches from it."""
    place, keyring = world.place / "archive", world.place / "archive" / "keyring.gpg"
    if not place.exists():
        pool = place / "pool"
        pool.mkdir(parents=True)
        modules = f"lib/modules/{RELEASE}"
        module = next(cache.cache_root().glob("kernels/*/modules/loop.ko")).read_bytes()
        _package(pool, "linux-image-amd64", f"linux-image-{RELEASE}", {})
        _package(pool, f"linux-image-{RELEASE}", "", {
            f"boot/vmlinuz-{RELEASE}": os.urandom(1 << 18), f"boot/config-{RELEASE}": b"CONFIG_X=y\n" * 1000,
            f"{modules}/modules.builtin": b"", f"{modules}/kernel/loop.ko": module})
        _package(pool, f"linux-image-{RELEASE}-dbg", "", {
            f"usr/lib/debug/boot/vmlinux-{RELEASE}": os.urandom(1 << 20), f"usr/lib/debug/{modules}/kernel/loop.ko": module})
        _sign(place, keyring)
        (place / "sources.list").write_text(f"deb [signed-by={keyring}] http://127.0.0.1:{_serve(place)} {SUITE} main\n")
        (place / "apt.conf").write_text(f'Dir::Etc::SourceList "{place}/sources.list";\nDir::Etc::SourceParts "/dev/null";\n'
                                        f'Dir::State::Lists "{place}/lists";\n')
        (place / "lists" / "partial").mkdir(parents=True)
        run(["apt-get", "-q", "update"], "reading the archive", env=environment(world), stdout=subprocess.PIPE)
    return ["env", f"APT_CONFIG={place}/apt.conf", sys.executable, "-c", RUNNER, str(SCRIPTS), str(keyring), NAME]


def environment(world: World) -> dict[str, str]:
    """With which apt uses the archive."""
    return {**world.environment, "APT_CONFIG": str(world.place / "archive" / "apt.conf")}


def wrong(world: World) -> list[str]:
    """What is wrong with the kernel in the cache, by the archive's packages."""
    wrong = []
    for folder in (world.cache / "mirrored").glob("[!.]*"):
        names = ["config", "debug", "modules", "modules.builtin", "modules.dep", "release", "vmlinux", "vmlinuz"]
        if sorted(os.listdir(folder)) != names:
            wrong.append(f"{folder} has {sorted(os.listdir(folder))}")
        wrong += [f"{path} is not the archive's" for path, name in ((folder / "vmlinux", f"vmlinux-{RELEASE}"),
                                                                    (folder / "vmlinuz", f"vmlinuz-{RELEASE}"))
                  if manifest.sha256(path) != (world.place / "archive" / f"{name}.sum").read_text()]
    return wrong


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Prints no requests."""

    def log_message(self, *_: object) -> None:
        pass


class QuietServer(http.server.ThreadingHTTPServer):
    """Prints nothing of connections that are closed."""

    def handle_error(self, *_: object) -> None:
        pass


def _serve(place: Path) -> int:
    """Serve a folder as long as this process runs; returns the port."""
    server = QuietServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(place)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def _package(pool: Path, name: str, depends: str, files: dict[str, bytes]) -> None:
    folder = pool / f"{name}.files"
    (folder / "DEBIAN").mkdir(parents=True)
    needs = f"Depends: {depends}\n" if depends else ""
    (folder / "DEBIAN" / "control").write_text(f"Package: {name}\nVersion: 6.1.9-1\nArchitecture: amd64\nMaintainer: none <n@e.org>\n"
                                               f"{needs}Description: a test\n")
    for path, contents in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(contents)
        (pool.parent / f"{Path(path).name}.sum").write_text(manifest.sha256(folder / path))
    run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(folder), str(pool)], f"packing {name}", stdout=subprocess.PIPE)


def _sign(place: Path, keyring: Path) -> None:
    """Write the archive's lists, and sign them."""
    listed = run(["dpkg-scanpackages", "pool"], "listing the archive", cwd=place, stdout=subprocess.PIPE).stdout
    dists = place / "dists" / SUITE
    (dists / "main" / "binary-amd64").mkdir(parents=True)
    lists = {"main/binary-amd64/Packages": listed, "main/binary-amd64/Packages.gz": gzip.compress(listed)}
    for name, text in lists.items():
        (dists / name).write_bytes(text)
    sums = "".join(f" {hashlib.sha256(text).hexdigest()} {len(text)} {name}\n" for name, text in lists.items())
    release = (f"Origin: Debian\nSuite: {SUITE}\nCodename: {SUITE}\nArchitectures: amd64\nComponents: main\n"
               f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S UTC', time.gmtime())}\nSHA256:\n{sums}")
    (dists / "Release").write_text(release)
    home = place / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    run([*gpg, "--quick-gen-key", "faults"], "making a key", stdout=subprocess.PIPE)
    run([*gpg, "--output", str(keyring), "--export"], "exporting the key", stdout=subprocess.PIPE)
    run([*gpg, "--output", str(dists / "InRelease"), "--clearsign", str(dists / "Release")], "signing the archive",
        stdout=subprocess.PIPE)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], capture_output=True)
    if not keyring.is_file():
        raise Problem(f"gpg made no {keyring}")
