"""Temporary folders that are deleted when their block ends; those of a run that was killed are deleted by a later one.

A folder is locked (flock of the folder itself) as long as the process that made it runs: the system releases the lock of a
process that is killed. Only a folder that has the marker file in it, belongs to this user, and is not locked is deleted.
"""

import errno
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from .say import Problem

MARKER = ".iotrace"
PREFIX = "iotrace-"
MAKING = ".making-"


class Scratch:
    """A temporary folder in `place` (default: the folder for temporary files); `name`: it may become a folder of this name
    beside it."""

    def __init__(self, place: Path | None = None, name: str = "") -> None:
        self.place = place or Path(tempfile.gettempdir())
        self.prefix = f".{name}{MAKING}" if name else PREFIX
        self.kept = False

    def __enter__(self) -> "Scratch":
        clear(self.place)
        self.folder = Path(tempfile.mkdtemp(prefix=self.prefix, dir=self.place))
        self.lock = _lock(self.folder)
        if self.lock is not None:  # some file systems of a network have no locks: nobody deletes it there
            (self.folder / MARKER).touch()
        return self

    def keep_as(self, folder: Path) -> None:
        """Give it its name, which no other folder has: it stays."""
        (self.folder / MARKER).unlink(missing_ok=True)
        self.folder.chmod(0o755)
        try:
            self.folder.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            raise Problem(f"{folder} exists: another run has made it meanwhile") from None
        self.kept = True

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError) and error.filename is None:  # of a write
            error.filename = os.fspath(self.folder)
        if not self.kept:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.lock is not None:
            os.close(self.lock)


def _lock(folder: Path) -> int | None:
    """An open folder that is locked; None if another process has it locked or deleted it, or it cannot be locked."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.stat(folder), os.fstat(opened)):
            return opened
    except OSError:
        pass
    os.close(opened)
    return None


def clear(place: Path) -> None:
    """Delete the folders of killed runs in a folder."""
    try:
        found = [Path(entry.path) for entry in os.scandir(place)
                 if (entry.name.startswith(PREFIX) or entry.name.startswith(".") and MAKING in entry.name)
                 and entry.is_dir(follow_symlinks=False) and entry.stat().st_uid == os.geteuid()]
    except OSError:
        return  # what cannot be read is reported where it is written to
    for folder in found:
        lock = _lock(folder) if (folder / MARKER).is_file() else None
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
