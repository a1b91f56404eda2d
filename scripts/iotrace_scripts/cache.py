"""The cache folder outside the checkout: whole entries only, made by one process at a time."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator

from .say import Problem, naming, say


def cache_root() -> Path:
    """IOTRACE_CACHE, or iotrace in the user's cache folder."""
    chosen = os.environ.get("IOTRACE_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    root = Path(chosen).absolute() if chosen else Path(base) / "iotrace"
    if root.exists() and not root.is_dir():
        raise Problem(f"the cache {root} is not a directory: set IOTRACE_CACHE to one that you can write to")
    return root


def fingerprint(*parts: str | bytes) -> str:
    """A short key that changes with any of its parts."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:12]


def prepare(folder: Path) -> None:
    """Make a folder of the cache, or refuse a cache that cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # it has no name: a run that is killed leaves nothing
            pass
    except OSError as error:
        raise Problem(f"the cache {cache_root()} cannot be used: {error.strerror}: {error.filename or folder}; free some space there, or "
                      "set IOTRACE_CACHE to a directory that you can write to") from None


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold a lock file; report when another process has it."""
    prepare(path.parent)
    with open(path, "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that makes {path.with_suffix('')}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        with naming(path.parent):
            yield


def entry(kind: str, name: str, make: Callable[[Path], None]) -> Path:
    """The cache's folder `kind/name`; if it is not there, `make` fills a temporary folder beside
    it, which gets its name only when it is whole."""
    folder = cache_root() / kind / name
    if folder.is_dir():
        return folder
    with lock(lock_of(folder)):
        if folder.is_dir():
            return folder
        _clear_left_overs(folder.parent, name)
        making = Path(tempfile.mkdtemp(prefix=f".{name}.making-", dir=folder.parent))
        try:
            making.chmod(0o755)
            with naming(making):
                make(making)
            making.rename(folder)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
    return folder


def lock_of(folder: Path) -> Path:
    """The lock file of an entry."""
    return folder.with_name(f".{folder.name}.lock")


def discard(folder: Path, unwanted: Callable[[], bool] = lambda: True) -> None:
    """Delete an entry, if it is there and still `unwanted` when its lock is ours. It loses its name first: one of which a
    part is deleted does not pass as whole."""
    with lock(lock_of(folder)):
        if folder.is_dir() and unwanted():
            going = Path(tempfile.mkdtemp(prefix=f".{folder.name}.making-", dir=folder.parent))
            folder.rename(going)
            shutil.rmtree(going, ignore_errors=True)


# Entries of other builds are kept so long: another checkout may be using them.
OLD_SECONDS = 86400


def entry_of_build(kind: str, family: str, key: str, make: Callable[[Path], None]) -> Path:
    """An entry of a family of which each build has its own; those of earlier builds are deleted when they are old."""
    made = entry(kind, f"{family}-{key}", make)
    for old in made.parent.glob(f"{family}-*"):
        if old != made and old.stat().st_mtime < time.time() - OLD_SECONDS:
            with contextlib.suppress(OSError, Problem):
                discard(old)
    return made


def _clear_left_overs(place: Path, name: str) -> None:
    """Delete what killed runs left half-made: of this entry, whose lock is ours, and of those whose
    lock nobody holds."""
    for left_over in place.glob(".*.making-*"):
        owner = left_over.name[1:].split(".making-")[0]
        with open(place / f".{owner}.lock", "w") as handle:
            try:
                if owner != name:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(left_over, ignore_errors=True)
