"""A place of its own in which scripts run while faults are injected: a cache, a folder for temporary files, one for results.

In: the kernels and programs of the user's cache, as links. Out: folders, an environment, and what is in them that should not
be. Everything is in a mount namespace, with a /dev/shm of its own: whatever is in there came from the scripts.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator

from .. import boots, cache, origin, plugin, stage
from ..say import Problem

TOKEN = "IOTRACE_FAULTS"
INSIDE = "IOTRACE_FAULTS_INSIDE"
GONE_SECONDS = 20.0  # in which processes of a killed script must have ended


def enter() -> None:
    """Go on in a mount namespace with an empty /dev/shm."""
    if os.environ.get(INSIDE):
        mount = ["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", os.fspath(stage.MEMORY)]
        if subprocess.run(mount).returncode:
            raise Problem(f"{stage.MEMORY} cannot be mounted in a namespace of its own: run this as root")
        return
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", *user, sys.executable, *sys.argv])


class World:
    """The folders of one series of runs; deleted when the block ends."""

    def __enter__(self) -> "World":
        self.place = Path(tempfile.mkdtemp(prefix="faults-"))
        self.cache, self.temporary, self.out = (self.place / name for name in ("cache", "tmp", "out"))
        for folder in (self.cache, self.temporary, self.out):
            folder.mkdir()
        self.environment = {**os.environ, "IOTRACE_CACHE": str(self.cache), "TMPDIR": str(self.temporary), TOKEN: str(self.place)}
        if (key := cache.cache_root() / origin.KEY).is_file():
            shutil.copyfile(key, self.cache / origin.KEY)
            (self.cache / origin.KEY).chmod(0o600)
        for kind in ("kernels", "guest", boots.KIND, plugin.CONTEXTS, "profiles"):
            (self.cache / kind).mkdir()
            for found in (cache.cache_root() / kind).glob("[!.]*"):
                (self.cache / kind / found.name).symlink_to(found)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.place, ignore_errors=True)

    def folders(self) -> str:
        """What faults are injected below, as the injector takes it."""
        return ":".join(map(str, (self.cache, self.temporary, self.out, f"{stage.MEMORY}/")))

    def trace(self) -> Path:
        """The folder of the trace that commands read."""
        return self.place / "in"

    def left_over(self) -> list[str]:
        """Hidden and temporary files that no run has any more."""
        places = [self.out, self.temporary, stage.MEMORY, self.cache, *(kind for kind in self.cache.iterdir() if kind.is_dir())]
        found = [path for place in places for path in place.iterdir()]
        return [str(path) for path in found
                if ".making-" in path.name or path.name.startswith((".write-", ".key-", ".idx", ".tmp"))
                or path.parent in (self.temporary, stage.MEMORY)]

    def processes(self) -> Iterator[int]:
        """Processes that the scripts started and that run."""
        token = f"{TOKEN}={self.place}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                dead = (folder / "stat").read_text().rsplit(") ", 1)[1][0] in "ZX"
                if not dead and token in (folder / "environ").read_bytes():
                    yield int(folder.name)
            except OSError:
                pass  # it has ended, or is somebody else's

    def remaining(self) -> list[str]:
        """The processes that do not end, by their commands; they are ended."""
        deadline = time.monotonic() + GONE_SECONDS
        while (found := list(self.processes())) and time.monotonic() < deadline:
            time.sleep(0.01)  # between two looks
        names = []
        for process in found:
            try:
                names.append(f"{process} {Path(f'/proc/{process}/cmdline').read_bytes()[:100]!r}")
                os.kill(process, 9)
            except OSError:
                pass
        return names
