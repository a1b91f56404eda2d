"""manifest.json: what a recording is made of, and the checksums that show it is whole.

A recording may come from somebody else. What reaches QEMU's command line are the checked facts of its machine
(machine.py), and the file names are names in the recording's own folder. The checksums find accidents, not malice.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable

from . import machine
from .machine import ARCHIVE, Machine
from .say import Problem

NAME = "manifest.json"
FORMAT = 3
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

# The sections of a manifest, and the facts in each with their types.
SECTIONS: dict[str, dict[str, type]] = {
    "kernel": {"folder": str, "release": str, "build_id": str},
    "qemu": {"version": str},
    "guest": {"file_system": str, "scheduler": str, "workload": str, "tick": int, "witness": bool, "status": int,
              "deterministic": bool},
}
SECTIONS_2: dict[str, dict[str, type]] = {
    **SECTIONS,
    "guest": {name: wanted for name, wanted in SECTIONS["guest"].items() if name != "deterministic"},
}
# What manifests of format 1 had besides: the command line, which is not run but compared (machine.from_command).
SECTIONS_1: dict[str, dict[str, type]] = {
    "kernel": {**SECTIONS["kernel"], "command_line": str},
    "qemu": {**SECTIONS["qemu"], "record": list, "replay": list},
    "guest": {"file_system": str, "scheduler": str, "workload": str, "tick": int, "witness": bool,
              "controller": str, "disks": list},
}


@dataclass(frozen=True)
class Manifest:
    """A manifest as the scripts use it: all its facts are checked."""

    kernel: dict[str, Any]
    qemu: dict[str, Any]
    guest: dict[str, Any]
    machine: Machine
    files: dict[str, dict[str, Any]]


def sha256(path: Path) -> str:
    """The checksum of a file; holes in it are read as zeros."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(text: bytes) -> str:
    """The checksum of some bytes."""
    return hashlib.sha256(text).hexdigest()


def listing_of(folder: Path, files: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Sizes and checksums of files."""
    return {
        name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in sorted(files)
    }


def write(folder: Path, facts: dict[str, Any], files: Iterable[str]) -> None:
    """Write the manifest of a recording, last of all its files."""
    text = json.dumps({"format": FORMAT, **facts, "files": listing_of(folder, files)}, indent=2) + "\n"
    (folder / NAME).write_text(text)


def read(folder: Path) -> Manifest:
    """A recording's manifest."""
    path = folder / NAME
    try:
        text = json.loads(path.read_text())
    except FileNotFoundError:
        raise Problem(f"{folder} is not a complete recording: no {NAME}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise Problem(f"reading {path}: {error}") from None
    try:
        return _parse(text)
    except Problem as problem:
        raise Problem(f"{path} is refused: {problem}. Use the recording as written by scripts/record, or record "
                      "again.") from None


def _parse(text: Any) -> Manifest:
    found = text.get("format") if isinstance(text, dict) else None
    if type(found) is not int or found not in (1, 2, FORMAT):
        raise Problem(f"its format is {found!r}, this version reads 1 to {FORMAT}")
    sections = {1: SECTIONS_1, 2: SECTIONS_2, FORMAT: SECTIONS}[found]
    known = {"format", "seconds", "files", *sections} | ({"machine"} if found != 1 else set())
    if set(text) != known:
        raise Problem(f"its sections are {', '.join(map(repr, text))}, expected {', '.join(sorted(known))}")
    if type(text["seconds"]) not in (int, float):
        raise Problem(f"its seconds are {text['seconds']!r}")
    for name, facts in sections.items():
        check_section(name, text[name], facts)
    described = (machine.from_command(text["qemu"]["replay"], text["guest"]["controller"]) if found == 1
                 else machine.parse(text["machine"], machine.SINCE_3 if found == 2 else None))
    check_listing(text["files"], needed_files(described))
    return Manifest(text["kernel"], text["qemu"], text["guest"], described, text["files"])


def check_section(name: str, section: Any, facts: dict[str, type]) -> None:
    """Refuse a section that has not exactly these facts, each of its type."""
    if not isinstance(section, dict) or set(section) != set(facts):
        raise Problem(f"its section {name} must have exactly {', '.join(facts)}")
    for fact, wanted in facts.items():
        if type(section[fact]) is not wanted:
            raise Problem(f"its {name}.{fact} is {section[fact]!r}, expected a value of type {wanted.__name__}")


def check_listing(listing: Any, needed: set[str]) -> None:
    """Refuse a list of files that has others than files of the folder, or lacks some."""
    if not isinstance(listing, dict):
        raise Problem("no list of files")
    for name, facts in listing.items():
        if not FILE_NAME.fullmatch(name):
            raise Problem(f"{name!r} is not the name of a file in its folder")
        if not isinstance(facts, dict) or type(facts.get("sha256")) is not str or type(facts.get("bytes")) is not int:
            raise Problem(f"the size or the checksum of {name} is missing")
    missing = needed - set(listing)
    if missing:
        raise Problem(f"missing checksum of {', '.join(sorted(missing))}")


def needed_files(described: Machine) -> set[str]:
    """The files of a recording of this machine. What a boot has is in the boot."""
    own = {"rr.log", "console.txt"} | ({ARCHIVE} if described.archive else set())
    return own if described.boot else own | {"vmlinuz", "initramfs.cpio", *described.disks}


def check(folder: Path, manifest: Manifest) -> None:
    """Refuse a recording whose files are not the ones that were recorded."""
    wrong = wrong_files(folder, manifest.files)
    if wrong:
        raise Problem(f"recording {folder} was modified: {'; '.join(wrong)}. Record again.")


def wrong_files(folder: Path, files: dict[str, dict[str, Any]]) -> list[str]:
    """What is wrong with files of these sizes and checksums."""
    wrong = []
    for name, recorded in files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            wrong.append(f"{name} is missing or not a regular file")
        elif path.stat().st_size != recorded["bytes"]:
            wrong.append(f"{name} has {path.stat().st_size} bytes, recorded were {recorded['bytes']}")
        elif sha256(path) != recorded["sha256"]:
            wrong.append(f"{name} was changed (its checksum differs)")
    return wrong
