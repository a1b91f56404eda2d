"""What gdb runs first: QEMU, the guest's symbols, the commands; then it goes to the moment that was asked for.

It is a script of gdb, not a module: the package is found by this file's place.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).resolve().parent.parent.parent))
sys.argv = [os.environ.get("IOTRACE_PROGRAM", "gdb")]  # names us in messages

import gdb  # noqa: E402

from iotrace_scripts.debugger import commands, session, values  # noqa: E402, F401  (commands define themselves in gdb)
from iotrace_scripts.say import Problem  # noqa: E402


def leave(said: str, status: int) -> None:
    """End gdb, which would otherwise go on without a guest."""
    print(f"{sys.argv[0]}: {said}", file=sys.stderr, flush=True)
    if session.current.cache_info().currsize:  # QEMU has started
        session.current().end()
    gdb.execute(f"quit {status}")


try:
    session.begin()
except (Problem, gdb.error) as problem:
    leave(str(problem), 1)
except KeyboardInterrupt:
    leave("interrupted", 130)
