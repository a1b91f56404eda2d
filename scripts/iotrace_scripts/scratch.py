"""Temporary folders that are deleted when their block ends; those of a run that was killed are deleted by a later one.

A folder is locked (flock of the folder itself) as long as the process that made it runs: the system releases the lock of a
process that is killed. Only a folder that has the marker file in it or is empty, belongs to this user, and is not locked is
deleted.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import shutil
import tempfile
from pathlib import Path

from .say import Problem

MARKER, UNLOCKED = ".iotrace", ".iotrace-unlocked"
PREFIX = "iotrace-"
MAKING = ".making-"
# As tempfile draws names. One that is empty had no marker yet when its run was killed.
OWN = re.compile(rf"({PREFIX}|\..*{MAKING})[a-z0-9_]{{8}}")
RENAME_EXCHANGE = 2  # include/uapi/linux/fs.h
AT_FDCWD = -100  # include/uapi/linux/fcntl.h
_LIBC = ctypes.CDLL(None, use_errno=True)


class Scratch:
    """A temporary folder in `place` (default: the folder for temporary files); `name`: it may become a folder of this name
    beside it."""

    def __init__(self, place: Path | None = None, name: str = "") -> None:
        self.place = place or Path(tempfile.gettempdir())
        self.prefix = f".{name}{MAKING}" if name else PREFIX
        self.kept = False

    def __enter__(self) -> "Scratch":
        clear(self.place)
        while True:
            self.folder = Path(tempfile.mkdtemp(prefix=self.prefix, dir=self.place))
            self.lock = _lock(self.folder)
            try:
                # some file systems of a network have no locks: nobody deletes it there
                (self.folder / (MARKER if self.lock is not None else UNLOCKED)).touch()
                return self
            except FileNotFoundError:
                pass  # another run took it for one of a killed run, as it was empty
            except OSError:
                self.__exit__()
                raise

    def keep_as(self, folder: Path, replace: bool = False) -> None:
        """Give it its name: it stays. With `replace`, one that has the name is replaced at once, and deleted then; otherwise none
        must have it."""
        for name in (MARKER, UNLOCKED):
            (self.folder / name).unlink(missing_ok=True)
        self.folder.chmod(0o755)
        if replace and folder.is_dir():
            (folder / MARKER).touch()  # it is deleted by the next run if this one is killed
            if _exchange(self.folder, folder):
                return
            shutil.rmtree(folder)  # the file system has no such call
        try:
            self.folder.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            raise Problem(f"{folder} exists: another run has made it meanwhile") from None
        self.kept = True

    def __exit__(self, _kind: object = None, error: BaseException | None = None, _trace: object = None) -> None:
        if isinstance(error, OSError) and error.filename is None:  # of a write
            error.filename = os.fspath(self.folder)
        if not self.kept:
            _delete(self.folder)
        if self.lock is not None:
            os.close(self.lock)


def _delete(folder: Path) -> None:
    """Delete a folder, its marker last: a run that is killed meanwhile leaves what the next one deletes."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.name == MARKER:
                continue
            with contextlib.suppress(OSError):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders of a file system exchange their names; whether it can."""
    names = [os.fsencode(one), os.fsencode(other)]
    if _LIBC.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(number, os.strerror(number), os.fspath(other))


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
                 if OWN.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False) and entry.stat().st_uid == os.geteuid()]
    except OSError:
        return  # what cannot be read is reported where it is written to
    for folder in found:
        is_marked = (folder / MARKER).is_file()
        lock = _lock(folder)
        if lock is not None:
            with contextlib.suppress(OSError):
                _delete(folder) if is_marked else folder.rmdir()  # that is refused if it has something
            os.close(lock)
