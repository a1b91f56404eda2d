"""Packages of any Debian suite, from the archive this machine uses, without installing them.

A private apt root holds a source list and package lists of its own, so the machine's sources stay
as they are; apt itself verifies signatures (with Debian's keyring) and checksums.
"""

import os
import re
import shutil
import subprocess
import tarfile
import time
from pathlib import Path
from typing import IO, Iterator, Sequence

from .cache import cache_root, fingerprint, lock
from .say import Problem, run, say

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LISTS_LIVE_SECONDS = 24 * 3600


def _machine_release() -> str:
    """This machine's Debian release by code name."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        lines = []
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    return fields.get("VERSION_CODENAME", "").strip('"')


def archive_site(suite: str) -> str:
    """The address of the Debian archive that has a suite, by the machine's apt configuration: the archive of the
    machine's own release, or that of its security updates."""
    listing = run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT) $(ORIGIN)",
         "Created-By: Packages"],
        "asking apt for the archive's address", stdout=subprocess.PIPE, text=False,
    ).stdout.decode()
    kind = "-security" if suite.endswith("-security") else ""
    release = _machine_release()
    for line in listing.splitlines():
        site, has, component, origin = str(line).split(" ", 3)
        ours = has in (f"{release}{kind}", f"stable{kind}")
        if ours and component == "main" and origin in ("Debian", "", "$(ORIGIN)"):
            return site
    raise Problem(f"no Debian archive for release '{release}{kind}' in apt's configuration: "
                  "add one (see 'man sources.list'), run 'apt-get update', and try again")


class PrivateApt:
    """apt over the given suites, in a root of its own inside the cache."""

    def __init__(self, suites: Sequence[str], components: str = "main", kind: str = "deb") -> None:
        if not KEYRING.exists():
            raise Problem(f"{KEYRING} is missing: install the package debian-archive-keyring")
        self.suites = list(suites)
        sources = "".join(f"{kind} [signed-by={KEYRING}] {archive_site(suite)} {suite} {components}\n"
                          for suite in suites)
        self.root = cache_root() / "apt" / f"{'+'.join(suites)}-{fingerprint(sources)}"
        self.options: list[str] = []
        for setting in (
            f"Dir::Etc::SourceList={self.root}/sources.list", "Dir::Etc::SourceParts=/dev/null",
            f"Dir::State::Lists={self.root}/lists", "Dir::State::Status=/dev/null",
            "Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=", "APT::Sandbox::User=root",
            "Acquire::Languages=none", "Acquire::Retries=3", "APT::Architecture=amd64",
        ):
            self.options += ["-o", setting]
        with lock(self.root.with_suffix(".lock")):
            self._refresh(sources)

    def _refresh(self, sources: str) -> None:
        stamp = self.root / "updated"
        if stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_LIVE_SECONDS:
            return
        # What an update has left that did not end well may be damaged, and apt would go on from it.
        stamp.unlink(missing_ok=True)
        shutil.rmtree(self.root / "lists", ignore_errors=True)
        (self.root / "lists" / "partial").mkdir(parents=True)
        (self.root / "sources.list").write_text(sources)
        say(f"reading the package lists of {', '.join(self.suites)}")
        run(["apt-get", *self.options, "-q", "--error-on=any", "update"],
            f"reading the package lists of {', '.join(self.suites)}", self.root, stdout=subprocess.DEVNULL)
        stamp.touch()

    def show(self, package: str) -> dict[str, str]:
        """The fields of a package's newest version."""
        command = ["apt-cache", *self.options, "show", "--no-all-versions", package]
        text = run(command, f"looking up package {package} in {', '.join(self.suites)}",
                   stdout=subprocess.PIPE).stdout.decode()
        lines = (line for line in text.splitlines() if line[:1].strip() and ": " in line)
        return dict(line.split(": ", 1) for line in lines)

    def depends(self, package: str) -> list[str]:
        """The names of the packages that a package depends on."""
        return [name.split("(")[0].strip() for name in self.show(package).get("Depends", "").split(",")]

    def download(self, package: str, folder: Path) -> Path:
        """Fetch a package into a folder; returns the .deb."""
        fields = self.show(package)
        size = int(fields.get("Size", "0")) // 1_000_000
        say(f"fetching {package} {fields.get('Version', '')} ({size} MB)")
        before = set(folder.glob("*.deb"))
        run(["apt-get", *self.options, "-q", "download", package], f"fetching package {package}",
            cwd=folder, stdout=subprocess.DEVNULL)
        fetched = sorted(set(folder.glob("*.deb")) - before)
        if len(fetched) != 1:
            raise Problem(f"fetching package {package}: expected one new .deb in {folder}, found {len(fetched)}")
        return fetched[0]

    def download_source(self, package: str, folder: Path) -> None:
        """Fetch a source package's own archive, without Debian's changes, by NAME or NAME=VERSION (of kind
        "deb-src")."""
        say(f"fetching the sources of {package}")
        run(["apt-get", *self.options, "-q", "source", "--download-only", "--tar-only", package],
            f"fetching the sources of {package}", cwd=folder, stdout=subprocess.DEVNULL)

    def closure(self, packages: Sequence[str], preferred: str) -> list[str]:
        """The packages and all that they depend on, as NAME=VERSION, as apt would install them on an
        empty system."""
        command = ["apt-get", *self.options, "-q", "-s", "-t", preferred, "--no-install-recommends",
                   "install", *packages]
        doing = f"resolving what {', '.join(packages)} need"
        text = run(command, doing, stdout=subprocess.PIPE).stdout.decode()
        found = re.findall(r"^Inst (\S+) \((\S+)", text, re.MULTILINE)
        return [f"{package}={version}" for package, version in found]

    def download_all(self, packages: Sequence[str], folder: Path) -> None:
        """Fetch packages, given by name or NAME=VERSION, into a folder."""
        run(["apt-get", *self.options, "-q", "download", *packages], f"fetching {len(packages)} packages",
            cwd=folder, stdout=subprocess.DEVNULL)


def newest(suites: Sequence[str], package: str, prefix: str) -> PrivateApt:
    """apt over that one of the suites which has the newest version of a package that begins with the prefix."""
    best: PrivateApt | None = None
    version, others = "", []
    for suite in suites:
        try:
            apt = PrivateApt((suite,))
            found = apt.show(package)["Version"]
        except Problem as problem:
            others.append(f"{suite}: {str(problem).rstrip()}")
            continue
        if not found.startswith(prefix):
            others.append(f"{suite}: it has {found}")
        elif not best or subprocess.run(["dpkg", "--compare-versions", found, "gt", version]).returncode == 0:
            best, version = apt, found
    if not best:
        raise Problem(f"no suite of the configured archive has {package} {prefix}*: " + "; ".join(others))
    for other in others:
        say(f"skipping {other}")
    return best


def unpack(deb: Path, folder: Path) -> None:
    """Unpack all of a package into a folder."""
    run(["dpkg-deb", "-x", os.fspath(deb), os.fspath(folder)], f"extracting {deb.name}")


def deb_members(deb: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """The files of a .deb, one after the other, straight from its stream: nothing else is unpacked."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", os.fspath(deb)], stdout=subprocess.PIPE) as unpacker:
        assert unpacker.stdout is not None
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as archive:
            for member in archive:
                yield member, archive.extractfile(member) if member.isfile() else None
        while unpacker.stdout.read(1 << 20):
            pass  # padding after the archive's end: dpkg-deb must not meet a closed pipe
    if unpacker.returncode != 0:
        raise Problem(f"extracting {deb}: dpkg-deb failed with status {unpacker.returncode}")
