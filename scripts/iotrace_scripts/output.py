"""A file that a replay writes: it gets its name when it is whole, and an earlier one stays until then.

Out: `file`, where it is written, in a hidden folder beside its name that is deleted with the run or by the next one. What a
replay has written that fails is kept as well: under the name, if that is free and the file says of itself that it is
truncated, otherwise under the name with .partial behind.
"""

import fcntl
import os
import struct
from pathlib import Path
from typing import BinaryIO, Callable

from . import scratch
from .say import Problem, say


def hold(path: Path) -> BinaryIO:
    """Refuse a file that cannot be written, a terminal, and a file that another replay writes. The lock is one that does not
    conflict with the plugin's (flock)."""
    file = open(path, "ab")
    if file.isatty():
        file.close()
        raise Problem(f"{path} is a terminal: specify a file")
    if not path.is_file():
        return file
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except BlockingIOError:
        file.close()
        raise Problem(f"{path} is being written by another replay: specify another file") from None
    return file


class Output:
    """The file of a name; `salvage` makes what was written whole, and returns whether it is then marked as truncated; without it
    the file has no such mark."""

    def __init__(self, path: Path, salvage: Callable[[Path], bool] | None = None) -> None:
        self.path, self.salvage = path.resolve(), salvage
        self.kept = False

    def __enter__(self) -> "Output":
        self.held = hold(self.path)
        self.making: scratch.Scratch | None = None
        self.file = self.path
        if self.path.is_file():  # and not a pipe or a device
            try:
                self.making = scratch.Scratch(self.path.parent, self.path.name).__enter__()
            except BaseException:
                self._close()
                raise
            self.file = self.making.folder / self.path.name
        return self

    def keep(self) -> None:
        """Give it its name: it is whole."""
        if self.making and self.file.exists():
            self.file.replace(self.path)
        self.kept = True

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if self.making and not self.kept:
                self._keep_part()
        except OSError:
            pass  # the error that led here is reported
        finally:
            if self.making:
                self.making.__exit__(kind, error, trace)
            self._close()

    def _keep_part(self) -> None:
        if not self.file.is_file() or self.file.stat().st_size == 0:
            return
        is_marked = self.salvage is not None and self.salvage(self.file)
        if self.salvage and not is_marked:
            say(f"nothing of {self.path} can be read")
            return
        is_free = is_marked and self.path.stat().st_size == 0
        place = self.path if is_free else self.path.with_name(f"{self.path.name}.partial")
        self.file.replace(place)
        say(f"{place} is {'the trace' if self.salvage else 'what was written'} up to there; it is truncated"
            f"{'' if is_free or not self.salvage else f'; {self.path} is the earlier one'}")

    def _close(self) -> None:
        """Release the lock; a file that was made for it has no contents."""
        if self.path.is_file() and self.path.stat().st_size == 0 and os.path.samestat(self.path.stat(), os.fstat(self.held.fileno())):
            self.path.unlink(missing_ok=True)
        self.held.close()
