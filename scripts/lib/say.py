"""Messages to people: progress and errors, all on stderr; stdout is for results."""

import os
import signal
import subprocess
import sys
import time
from typing import NoReturn, Sequence


class Problem(Exception):
    """Something the user has to know about, told in one message without a stack trace."""


def say(message: str) -> None:
    """Tell on stderr what is being done."""
    print(f"{program()}: {message}", file=sys.stderr, flush=True)


def program() -> str:
    """The name of the running script."""
    return os.path.basename(sys.argv[0])


def run(command: Sequence[str], doing: str, **options) -> subprocess.CompletedProcess:
    """Run a program to its end; if it fails, say what it was to do and what it said."""
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, **options)
    except FileNotFoundError:
        raise Problem(f"{doing}: no program '{command[0]}'; run scripts/setup") from None
    if done.returncode != 0:
        said = ((done.stdout or b"") + done.stderr).decode(errors="replace").strip()[-2000:]
        raise Problem(f"{doing}: '{' '.join(map(str, command))}' failed with status {done.returncode}\n{said}")
    return done


def main_guard(main) -> NoReturn:
    """Run a script's main function; a Problem becomes one message and exit status 1."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # clean up as for Ctrl-C
    try:
        sys.exit(main())
    except Problem as problem:
        say(str(problem))
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)


class Ticker:
    """One line of progress: rewritten in place on a terminal, now and then a line elsewhere."""

    QUIET_SECONDS = 10.0

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
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        elif now - self.last_line >= self.QUIET_SECONDS:
            self.last_line = now
            print(line, file=sys.stderr, flush=True)

    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    def done(self, state: str) -> None:
        """Leave a last line behind."""
        end = "\r\x1b[K" if self.terminal else ""
        took = time.monotonic() - self.began
        print(f"{end}{program()}: {self.what}: {state} after {took:.1f} s", file=sys.stderr, flush=True)
