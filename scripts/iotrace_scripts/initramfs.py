"""A cpio archive (format newc) as the kernel unpacks it; the same input gives the same bytes."""

import os
import stat
import subprocess
from pathlib import Path

from .say import Problem


class Initramfs:
    """Collects files, then writes them in order of their names."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[int, bytes, int]] = {}  # mode, contents, device number

    def folder(self, path: str) -> None:
        """A folder and the folders above it."""
        parts = path.strip("/").split("/")
        for count in range(1, len(parts) + 1):
            self.entries.setdefault("/".join(parts[:count]), (stat.S_IFDIR | 0o755, b"", 0))

    def file(self, path: str, contents: bytes | str, mode: int = 0o644) -> None:
        """A file, its folders included."""
        path = path.strip("/")
        if "/" in path:
            self.folder(os.path.dirname(path))
        data = contents.encode() if isinstance(contents, str) else contents
        self.entries[path] = (stat.S_IFREG | mode, data, 0)

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self.folder(os.path.dirname(path))
        self.entries[path.strip("/")] = (stat.S_IFLNK | 0o777, target.encode(), 0)

    def character_device(self, path: str, major: int, minor: int) -> None:
        """A device node (an archive may hold one without anybody being root)."""
        self.folder(os.path.dirname(path))
        self.entries[path.strip("/")] = (stat.S_IFCHR | 0o600, b"", major << 8 | minor)

    def program(self, source: Path, path: str) -> None:
        """An executable of this machine and the shared libraries that it needs."""
        self.file(path, source.read_bytes(), 0o755)
        for library in shared_libraries(source):
            if library.strip("/") not in self.entries:
                self.file(os.fspath(library), Path(library).read_bytes(), 0o755)

    def write(self, path: Path) -> None:
        """Write the archive."""
        with open(path, "wb") as out:
            for number, name in enumerate(sorted(self.entries), 1):
                mode, data, device = self.entries[name]
                out.write(_record(name, number, mode, data, device))
            out.write(_record("TRAILER!!!", 0, 0, b"", 0))


def _record(name: str, number: int, mode: int, data: bytes, device: int) -> bytes:
    raw_name = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, device >> 8, device & 0xFF, len(raw_name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + raw_name
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def shared_libraries(program: Path) -> list[str]:
    """What ldd finds: the libraries and the loader itself; nothing for a static program."""
    listing = subprocess.run(["ldd", os.fspath(program)], capture_output=True, text=True)
    if "not a dynamic executable" in listing.stderr + listing.stdout:
        return []
    if listing.returncode != 0 or "not found" in listing.stdout:
        raise Problem(f"finding the shared libraries of {program}: {listing.stdout}{listing.stderr}")
    words = [line.split() for line in listing.stdout.splitlines()]
    return [next(word for word in line if word.startswith("/")) for line in words if "/" in " ".join(line)]
