"""Files of this machine that a recording brings into its guest.

In: the arguments of `--program` and `--add`. Out: paths of the guest, each with the file of this machine whose contents
it gets; or a Problem that says what to do. Programs come with what they are loaded with: shared libraries, or the
interpreter of a script.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Sequence

from . import elf
from .initramfs import shared_libraries
from .say import Problem

FOLDER = "/files"  # in the guest's PATH
# What the guest is made of, and what its kernel mounts: nothing in them, and not they themselves.
CLOSED = ("/init", "/iotrace", "/proc", "/sys", "/dev")
FOLDERS = ("/", "/bin", "/sbin", "/lib", "/mnt", "/tmp", FOLDER)  # of the guest: files may be in them
PATH_BYTES = 4095  # Linux's PATH_MAX, without the zero at its end
NAME_BYTES = 255  # Linux's NAME_MAX


@dataclass(frozen=True)
class Brought:
    """A file in the guest."""

    path: str  # of the guest, absolute
    source: Path
    mode: int


def files(programs: Sequence[str], added: Sequence[str], own: Iterable[str]) -> tuple[Brought, ...]:
    """All that `--program` and `--add` bring. `own`: the paths of the guest's programs."""
    own = tuple(own)
    found: dict[str, Brought] = {}
    loaded: dict[str, Brought] = {}
    for name in programs:
        source = program(name)
        _keep(found, Brought(f"{FOLDER}/{Path(name).name}", source, 0o755))
        for path in needs(source, own):
            loaded[path] = Brought(path, Path(path), 0o755)
    for argument in added:
        wanted = add(argument)
        if wanted.path in own:
            raise Problem(_not_free(argument, wanted.path))
        _keep(found, wanted)
    for path, brought in loaded.items():
        if path not in found or not found[path].source.samefile(brought.source):
            _keep(found, brought)
    _refuse_folders(found)
    return tuple(found.values())


def hidden(found: Iterable[Brought], own: Iterable[str]) -> list[Path]:
    """Those that the guest's PATH has a program of the same name before."""
    names = {Path(path).name for path in own}
    return [path for path in (Path(brought.path) for brought in found) if f"{path.parent}" == FOLDER and path.name in names]


def program(name: str) -> Path:
    """A program, by its path or by its name in PATH."""
    path = Path(name)
    if "/" not in name and not path.exists():
        known = shutil.which(name)
        if not known:
            raise Problem(f"--program {name}: no such file here, and no such program in PATH: install it, or specify its path")
        path = Path(known)
    check_file("--program", path)
    check_runs(path)
    return path


def check_file(option: str, path: Path) -> None:
    """Refuse what is not a file that can be read."""
    if path.is_dir():
        raise Problem(f"{option} {path}: this is a directory: specify each of its files, or add an archive of it, which "
                      "the workload can extract with tar")
    if not path.exists():
        raise Problem(f"{option} {path}: no such file")
    if not path.is_file():
        raise Problem(f"{option} {path}: not a regular file")
    if not os.access(path, os.R_OK):
        raise Problem(f"{option} {path}: no permission to read it")


def check_runs(path: Path) -> None:
    """Refuse a file that the guest cannot execute."""
    with open(path, "rb") as file:
        head = file.read(20)
    if head[:2] == b"#!":
        return
    if head[:4] != b"\x7fELF":
        raise Problem(f"--program {path}: neither an ELF program nor a script that begins with #!; use --add for files that "
                      "are not programs")
    if int.from_bytes(head[18:20], "little") != elf.X86_64 or head[4:6] != elf.LITTLE_64:
        raise Problem(f"--program {path}: an ELF file for another processor than the guest's (x86-64): build it for x86-64")
    if int.from_bytes(head[16:18], "little") not in (elf.EXECUTABLE, elf.SHARED):
        raise Problem(f"--program {path}: an ELF file, but not a program (an object file or a core dump): link it, or use "
                      "--add to have it in the guest")


def needs(path: Path, own: Iterable[str]) -> list[str]:
    """The files that a program is loaded with, at the same paths as here."""
    with open(path, "rb") as file:
        line = file.readline(NAME_BYTES)
    if not line.startswith(b"#!"):
        return shared_libraries(path)
    words = line[2:].decode(errors="replace").split()
    interpreter = words[0] if words else ""
    if interpreter in own:
        return []
    if not os.path.isabs(interpreter) or not os.path.isfile(interpreter):
        raise Problem(f"--program {path}: a script for '{interpreter}', which is not on this machine: install it, or let "
                      "the script begin with #!/bin/sh")
    if Path(interpreter).name == "env":
        raise Problem(f"--program {path}: a script that looks for its interpreter with '{' '.join(words)}': let it begin with "
                      "the path of the interpreter, which is then brought along")
    check_runs(Path(interpreter))
    return [interpreter, *shared_libraries(Path(interpreter))]


def add(argument: str) -> Brought:
    """FILE[:GUEST_PATH]: the path of the guest begins with a slash; one that ends with a slash is a folder for it."""
    name, separator, target = argument.rpartition(":/")
    if not separator or os.path.exists(argument):
        name, target = argument, f"{FOLDER}/"
    source, relative = Path(name), argument.rpartition(":")
    if not source.exists() and os.path.exists(relative[0]):
        raise Problem(f"--add {argument}: the path in the guest must begin with a slash: {relative[0]}:{FOLDER}/{relative[2]}")
    check_file("--add", source)
    path = f"/{target.lstrip('/')}"
    path = f"{path}{source.name}" if path.endswith("/") else path
    check_path(argument, path)
    return Brought(path, source, 0o755 if os.access(source, os.X_OK) else 0o644)


def check_path(argument: str, path: str) -> None:
    """Refuse a path that a file in the guest cannot have, or that would replace what the guest needs."""
    parts = path.strip("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise Problem(f"--add {argument}: '{path}' has '.', '..' or an empty name in it: specify the plain path")
    if len(path.encode()) > PATH_BYTES or any(len(part.encode()) > NAME_BYTES for part in parts):
        raise Problem(f"--add {argument}: the path in the guest is too long (a name has at most {NAME_BYTES} bytes)")
    if path in FOLDERS or f"/{parts[0]}" in CLOSED:
        raise Problem(_not_free(argument, path))


def _not_free(argument: str, path: str) -> str:
    name = Path(path).name
    return f"--add {argument}: '{path}' is the guest's own: choose another path, such as {FOLDER}/{name}"


def _keep(found: dict[str, Brought], brought: Brought) -> None:
    other = found.setdefault(brought.path, brought)
    if other is not brought:
        raise Problem(f"{other.source} and {brought.source} would both be {brought.path} in the guest: give one of them "
                      "another path with --add FILE:GUEST_PATH")


def _refuse_folders(found: dict[str, Brought]) -> None:
    """Refuse a file whose path is that of a folder that other files are in."""
    for brought in found.values():
        for folder in map(os.fspath, Path(brought.path).parents):
            if folder in found:
                raise Problem(f"{found[folder].source} would be {folder} in the guest, but {brought.source} is to be "
                              f"{brought.path}: give one of them another path with --add FILE:GUEST_PATH")
