"""Where QEMU runs: a temporary folder with a machine's files, its disk images in memory if there is room."""

import os
import shutil
import tempfile
from pathlib import Path

from . import scratch
from .say import Problem, run

MEMORY = Path("/dev/shm")  # the tmpfs that POSIX shared memory is in
SPARE_BYTES = 512 << 20  # that a stage in memory leaves free


def no_direct_io(folder: Path) -> str:
    """Why the host cannot complete requests to images in this folder at once; empty if it can."""
    try:
        kind = next(words[2] for words in map(str.split, Path("/proc/mounts").read_text().splitlines())
                    if words[1] == os.fspath(folder))
    except (OSError, StopIteration):
        return f"{folder} is not a file system in memory"
    if kind != "tmpfs":
        return f"{folder} is {kind}, not tmpfs"
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        try:
            os.close(os.open(file.name, os.O_RDWR | os.O_DIRECT))
        except OSError as error:
            return f"{folder} does not support direct I/O ({error.strerror}): needs Linux 6.6 or newer"
    return ""


def places() -> str:
    """Where QEMU may run, for messages."""
    return f"{MEMORY} or {tempfile.gettempdir()}"


class Stage:
    """A folder for a run of QEMU, deleted when the block ends; or one that is kept, if it is given."""

    def __init__(self, direct: bool = False, kept: Path | None = None, beside: Path | None = None) -> None:
        self.direct, self.kept, self.beside = direct, kept, beside

    def __enter__(self) -> "Stage":
        if self.kept:
            self.folder = self.kept
            self.folder.mkdir(parents=True, exist_ok=True)
            return self
        reason = no_direct_io(MEMORY) if self.direct else ""
        if reason:
            raise Problem(f"the instant disk needs a file system in memory with direct I/O: {reason}. Record "
                          "with --disk host")
        self.scratch = scratch.Scratch(self._place()).__enter__()
        self.folder = self.scratch.folder
        return self

    def _place(self) -> Path | None:
        if self.direct:
            return MEMORY
        if self.beside:
            return self.beside
        try:
            return MEMORY if shutil.disk_usage(MEMORY).free > 4 * SPARE_BYTES else None
        except OSError:
            return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not self.kept:
            self.scratch.__exit__(kind, error, trace)

    def link(self, *files: Path) -> None:
        """Files that QEMU only reads."""
        for file in files:
            new = self.folder / f".{file.name}.{os.getpid()}"
            new.symlink_to(file.resolve())
            new.replace(self.folder / file.name)  # at once: another run may fill the folder too

    def copy(self, file: Path) -> None:
        """A file that QEMU may write to. Holes stay holes."""
        copy(file, self.folder / file.name)

    def unpack(self, packed: Path) -> None:
        """What `pack` has packed, under its name without .zst."""
        target = self.folder / packed.name.removesuffix(".zst")
        run(["zstd", "-q", "-d", "-f", "--sparse", os.fspath(packed), "-o", os.fspath(target)], f"decompressing {packed}")


def copy(file: Path, to: Path) -> None:
    """Copy a file; its holes stay holes."""
    run(["cp", "--sparse=always", os.fspath(file), os.fspath(to)], f"copying {file}")


def pack(file: Path, folder: Path, name: str = "") -> None:
    """Compress a file into a folder, under its name or another with .zst. zstd adds a checksum."""
    target = folder / f"{name or file.name}.zst"
    run(["zstd", "-q", "-f", "-1", "-T0", "--check", os.fspath(file), "-o", os.fspath(target)], f"packing {file}")


def new_state(path: Path) -> None:
    """An image for snapshots of a machine."""
    run(["qemu-img", "create", "-q", "-f", "qcow2", os.fspath(path), "1M"], f"making {path}")


def delete_snapshot(path: Path, snapshot: str) -> None:
    """Delete a snapshot from an image that no QEMU has open, and give back its room."""
    options = f"driver=qcow2,discard=unmap,file.driver=file,file.discard=unmap,file.filename={path}"
    run(["qemu-img", "snapshot", "-q", "--image-opts", "-d", snapshot, options], f"deleting a snapshot in {path}")


def new_overlay(image: Path, overlay: Path, snapshot: str) -> None:
    """A qcow2 file beside an image, with its contents, and with a snapshot of them, if it is named."""
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", image.name, "-F", "raw", os.fspath(overlay)],
        f"making {overlay}")
    if snapshot:
        run(["qemu-img", "snapshot", "-q", "-c", snapshot, os.fspath(overlay)], f"making a snapshot in {overlay}")


# The header of a qcow2 file (docs/interop/qcow2.rst in QEMU's sources).
QCOW2_MAGIC = b"QFI\xfb"
QCOW2_DIRTY = 1  # the only incompatible feature that our images may have


def check_state(path: Path) -> None:
    """Refuse an image that refers to other files of this machine."""
    with open(path, "rb") as file:
        head = file.read(104)
    version = int.from_bytes(head[4:8])
    features = int.from_bytes(head[72:80]) if version == 3 else 0
    if head[:4] != QCOW2_MAGIC or version not in (2, 3) or any(head[8:16]) or features & ~QCOW2_DIRTY:
        raise Problem(f"{path.name} is not an image of scripts/boot")
