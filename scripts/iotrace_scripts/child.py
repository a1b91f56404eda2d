"""Processes that do not outlive the script that started them, whatever ends it."""

import ctypes
import os
import signal
import subprocess
from pathlib import Path
from typing import IO, Callable, Sequence

PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)


def said() -> IO[str]:
    """A file in memory for what a program prints: the disk of another one may be what it complains of."""
    return os.fdopen(os.memfd_create("said"), "w+", errors="replace")


INFO = "iotrace info: "  # what begins a line of the plugin in which it says what is traced


def complaints(said: str) -> str:
    """What programs printed, without what the plugin says of itself at its start."""
    return "\n".join(line for line in said.splitlines() if not line.startswith(INFO)).strip()


def tie() -> Callable[[], None]:
    """For subprocess's `preexec_fn`: the process is killed when this one ends. The thread that starts it must wait for its end:
    Linux kills it when that thread ends."""
    parent = os.getpid()

    def in_child() -> None:
        # If the parent ended before the request, nobody would send the signal.
        if _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) or os.getppid() != parent:
            os._exit(127)

    return in_child


def start(command: Sequence[str], folder: Path, said: IO[str], descriptors: Sequence[int] = (),
          alone: bool = False) -> subprocess.Popen[bytes]:
    """Start a program in a folder, without input, which is killed as by `tie`. `said`: the file for what it prints;
    `descriptors`: what it inherits; `alone`: the terminal's signals, as that of Ctrl-C, do not reach it."""
    return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, pass_fds=descriptors,
                            preexec_fn=tie(), start_new_session=alone)
