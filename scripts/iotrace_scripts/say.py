"""Messages to people: progress and errors, all on stderr; stdout is for results.

Messages quote what others wrote: the guest's console, QEMU, names of files. `printable` escapes what a terminal would
act on; every message passes through it.
"""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Iterator, NoReturn, Sequence

from . import child


class Problem(Exception):
    """Something the user has to know about, printed in one message without a stack trace. `status`: of the script's exit."""

    status = 1


# What to do about errors of the system, by number.
ADVICE = {
    errno.ENOSPC: "free some space there, or choose another directory (-o, IOTRACE_CACHE, TMPDIR)",
    errno.EDQUOT: "free some of your quota, or choose another directory (-o, IOTRACE_CACHE, TMPDIR)",
    errno.EIO: "check the disk, or choose another directory (-o, IOTRACE_CACHE, TMPDIR)",
    errno.EROFS: "choose a directory on a file system that is mounted for writing (-o, IOTRACE_CACHE, TMPDIR)",
    errno.EACCES: "choose a directory or file that you have permission for (-o, IOTRACE_CACHE, TMPDIR)",
    errno.EPERM: "choose a directory or file that you have permission for (-o, IOTRACE_CACHE, TMPDIR)",
    errno.ENOTDIR: "a part of this path is a file: choose another path (-o, IOTRACE_CACHE, TMPDIR)",
    errno.EEXIST: "a part of this path is a file: choose another path (-o, IOTRACE_CACHE, TMPDIR)",
}


def printable(text: str) -> str:
    """Text without characters that a terminal acts on: control characters (C0, DEL, C1), changes of the writing direction
    and other format characters, and what is no character are escaped as in Python; line ends and tabs stay."""
    return "".join(part if part.isprintable() or part in "\n\t" else part.encode("unicode_escape").decode() for part in text)


def say(message: str) -> None:
    """Print on stderr what is being done."""
    _print(f"{program()}: {message}")


def _print(message: str, lead: str = "", end: str = "\n") -> None:
    """Print on stderr; `lead` may have control characters, of our own."""
    try:
        print(f"{lead}{printable(message)}", end=end, file=sys.stderr, flush=True)
    except OSError:
        pass  # nobody reads it, or the disk of a log file is full: what the script does is more important


def program() -> str:
    """The name of the running script."""
    return os.path.basename(sys.argv[0])


def run(command: Sequence[str], doing: str, writes: Path | None = None, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end; if it fails, say what it was to do and what it said. It is killed when this process ends.
    `writes`: where it writes to, if its messages may not say that."""
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, preexec_fn=child.tie(), **options)
    except FileNotFoundError:
        raise Problem(f"{doing}: no program '{command[0]}'; run scripts/setup") from None
    if done.returncode != 0:
        said = ((done.stdout or b"") + done.stderr).decode(errors="replace").strip()[-2000:]
        if found := of_system(said):
            places = [writes or options.get("cwd"), os.environ.get("TMPDIR") or tempfile.gettempdir()]
            raise Problem(f"{doing}: {found[0]} (written are {' and '.join(map(str, filter(None, places)))}); {found[1]}")
        raise Problem(f"{doing}: '{' '.join(map(str, command))}' failed with status {done.returncode}: if the cause below is "
                      f"not one of this machine, try again\n{said}")
    return done


def of_system(said: str) -> tuple[str, str] | None:
    """The line in which a program reports an error of the system for which there is advice, and the advice."""
    for line in said.splitlines():
        for number, advice in ADVICE.items():
            if os.strerror(number) in line:
                return line, advice
    return None


@contextlib.contextmanager
def naming(folder: Path) -> Iterator[None]:
    """An error of the system in this block that names no file, as one of a write, gets the folder's name."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = os.fspath(folder)
        raise


def main_guard(main: Callable[[], int | None]) -> NoReturn:
    """Run a script's main function; a Problem, or an error of the system, becomes one message and an exit status."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # clean up as for Ctrl-C
    try:
        try:
            status: int | str | None = main()
        except SystemExit as ended:  # of the arguments
            status = ended.code
        _flush()
        sys.exit(status)
    except Problem as problem:
        say(str(problem))
        sys.exit(problem.status)
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        _discard_output()
        sys.exit(141)
    except OSError as error:
        say(described(error))
        sys.exit(1)


def _flush() -> None:
    """Write what was printed, here and not where Python ends, which would print a stack trace."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_output()
        error.filename = "standard output"
        raise


def _discard_output() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def described(error: OSError) -> str:
    """An error of the system in one line, with what to do."""
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes, os.PathLike))]
    what = f"{error.strerror or error}{': ' if names else ''}{' and '.join(names)}"
    return what + (f"; {ADVICE[error.errno]}" if error.errno in ADVICE else "")


class Ticker:
    """One line of progress: rewritten in place on a terminal, now and then a line elsewhere."""

    QUIET_SECONDS = 10.0
    REWRITE = "\r\x1b[K"  # a terminal's: to the begin of the line, and erase it

    def __init__(self, what: str) -> None:
        self.what = what
        self.began = time.monotonic()
        self.last_line = self.began
        self.terminal = sys.stderr.isatty()

    def tell(self, state: str) -> None:
        """Show the present state."""
        now = time.monotonic()
        line = f"{program()}: {self.what}: {state}, {now - self.began:.0f} s"
        if self.terminal:
            _print(line, self.REWRITE, "")
        elif now - self.last_line >= self.QUIET_SECONDS:
            self.last_line = now
            _print(line)

    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    def done(self, state: str) -> None:
        """Leave a last line behind."""
        took = time.monotonic() - self.began
        _print(f"{program()}: {self.what}: {state} after {took:.1f} s", self.REWRITE if self.terminal else "")
