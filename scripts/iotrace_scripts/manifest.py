"""manifest.json: what a recording is made of, and the checksums that show it is whole.

In: a recording's folder, perhaps somebody else's. Out: its facts, or a Problem. The manifest has a checksum over all that
is in it, and one of each file. Checksums find accidents, not malice: whoever changes a fact can change the checksum. Security
rests on the allowlist: nothing reaches QEMU's command line but the facts of the machine, each of which is checked
(machine.py); file names are names in the recording's own folder; images are opened as raw, with a format that is
specified and not probed. Snapshots of machines, which QEMU loads without checks, are refused if they were not made here
(boots.py, origin.py).
"""

import hashlib
import json
import math
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable

from . import machine
from .machine import ARCHIVE, CHECKSUM, Machine
from .say import Problem

NAME = "manifest.json"
FORMAT = 5
WHOLE_SINCE = 4  # manifests have a checksum of their own
REPLAYABLE_SINCE = 5
LARGEST = 1 << 20  # bytes of a manifest
TEXT = 1 << 16  # characters of a fact
MOST_FILES = 64
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
TRACE = "trace.iot"  # of a recording's first replay

# The sections of a manifest, and the facts in each with their types.
SECTIONS: dict[str, dict[str, type]] = {
    "kernel": {"folder": str, "release": str, "build_id": str},
    "qemu": {"version": str},
    "guest": {"file_system": str, "scheduler": str, "workload": str, "tick": int, "witness": bool, "status": int,
              "deterministic": bool},
}
# What the replay that verified a recording found: the number of recordings it took, the instructions that the guest had
# executed at the mark with which the trace is over, and a fingerprint of the plugin.
VERIFIED: dict[str, type] = {"recordings": int, "over": int, "plugin": str}
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
    verified: dict[str, Any] | None = None
    trust_snapshots: bool = False  # said by the user, not by the manifest
    replayable: bool = True  # or it is a guest that was traced while it ran


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
    _write(folder, {"format": FORMAT, "verified": None, "replayable": True, **facts, "files": listing_of(folder, files)})


def add_verified(folder: Path, verified: dict[str, Any]) -> None:
    """Add what the first replay of a recording found, and its trace."""
    facts = load(bytes_of(folder / NAME))
    _write(folder, {**facts, "verified": verified, "files": {**facts["files"], **listing_of(folder, [TRACE])}})


def _write(folder: Path, facts: dict[str, Any]) -> None:
    facts.pop("sha256", None)
    (folder / NAME).write_text(json.dumps({**facts, "sha256": checksum(facts)}, indent=2) + "\n")


def checksum(facts: dict[str, Any]) -> str:
    """Of all facts of a manifest but the checksum itself: in the order of their names, without white space."""
    text = json.dumps({name: fact for name, fact in facts.items() if name != "sha256"}, sort_keys=True,
                      separators=(",", ":"), allow_nan=False)
    return sha256_of(text.encode())


def read(folder: Path) -> Manifest:
    """A recording's manifest."""
    path = folder / NAME
    try:
        return decode(bytes_of(path))
    except FileNotFoundError:
        raise Problem(f"{folder} is not a complete recording: no {NAME}") from None
    except OSError as error:
        raise Problem(f"reading {path}: {error.strerror}") from None
    except Problem as problem:
        raise Problem(f"{path} is refused: {problem}. Use the recording as written by scripts/record, or record "
                      "again.") from None


def decode(text: bytes) -> Manifest:
    """A manifest from the bytes of its file."""
    if len(text) > LARGEST:
        raise Problem(f"it has more than {LARGEST} bytes")
    try:
        return _parse(load(text))
    except (ValueError, RecursionError) as error:
        raise Problem(f"it is no JSON: {error}") from None


def bytes_of(path: Path) -> bytes:
    """The bytes of a manifest, at most one more than it may have."""
    with open(path, "rb") as file:
        return file.read(LARGEST + 1)


def load(text: bytes) -> Any:
    """What a manifest's bytes say: a name occurs once, and a number is a number.

    Raises ValueError and RecursionError."""
    if len(text) > LARGEST:
        raise ValueError(f"more than {LARGEST} bytes")
    return json.loads(text.decode(), object_pairs_hook=_members, parse_constant=_no_number)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not a number")


def _parse(text: Any) -> Manifest:
    found = text.get("format") if isinstance(text, dict) else None
    if type(found) is not int or found not in range(1, FORMAT + 1):
        raise Problem(f"its format is {found!r}, this version reads 1 to {FORMAT}")
    if found >= WHOLE_SINCE:
        _check_whole(text)
    sections = {1: SECTIONS_1, 2: SECTIONS_2}.get(found, SECTIONS)
    known = {"format", "seconds", "files", *sections} | ({"machine"} if found != 1 else set())
    known |= {"verified", "sha256"} if found >= WHOLE_SINCE else set()
    known |= {"replayable"} if found >= REPLAYABLE_SINCE else set()
    if set(text) != known:
        raise Problem(f"its sections are {', '.join(map(repr, text))}, expected {', '.join(sorted(known))}")
    seconds = text["seconds"]
    if type(seconds) not in (int, float) or type(seconds) is float and not math.isfinite(seconds):
        raise Problem(f"its seconds are {seconds!r:.200}")
    for name, facts in sections.items():
        check_section(name, text[name], facts)
    described = (machine.from_command(text["qemu"]["replay"], text["guest"]["controller"]) if found == 1
                 else machine.parse(text["machine"], machine.SINCE_3 if found == 2 else None))
    verified = text.get("verified")
    if verified is not None:
        check_section("verified", verified, VERIFIED)
    replayable = text.get("replayable", True)
    if type(replayable) is not bool:
        raise Problem(f"its replayable is {replayable!r:.200}, expected true or false")
    needed = needed_files(described) if replayable else {"console.txt", TRACE}
    check_listing(text["files"], needed | ({TRACE} if verified else set()))
    return Manifest(text["kernel"], text["qemu"], text["guest"], described, text["files"], verified, replayable=replayable)


def _check_whole(text: dict[str, Any]) -> None:
    """Refuse facts that are not those of their checksum."""
    try:
        found = checksum(text)
    except (ValueError, RecursionError) as error:
        raise Problem(str(error)) from None
    if text.get("sha256") != found:
        raise Problem(f"its checksum is {text.get('sha256')!r:.200}, that of its facts is {found}: it was modified or is damaged")


def check_section(name: str, section: Any, facts: dict[str, type]) -> None:
    """Refuse a section that has not exactly these facts, each of its type."""
    if not isinstance(section, dict) or set(section) != set(facts):
        raise Problem(f"its section {name} must have exactly {', '.join(facts)}")
    for fact, wanted in facts.items():
        value = section[fact]
        if type(value) is not wanted or isinstance(value, str) and not is_text(value):
            raise Problem(f"its {name}.{fact} is {value!r:.200}, expected a value of type {wanted.__name__}"
                          f"{', without control characters' if wanted is str else ''}")


def is_text(value: str) -> bool:
    """Whether a text can be a path or a command: of limited length, without control characters and surrogates."""
    return len(value) <= TEXT and not any(part not in "\n\t" and unicodedata.category(part) in ("Cc", "Cs") for part in value)


def check_listing(listing: Any, needed: set[str]) -> None:
    """Refuse a list of files that has others than files of the folder, or lacks some."""
    if not isinstance(listing, dict):
        raise Problem("no list of files")
    if len(listing) > MOST_FILES:
        raise Problem(f"it lists {len(listing)} files, at most {MOST_FILES} are expected")
    for name, facts in listing.items():
        if not FILE_NAME.fullmatch(name):
            raise Problem(f"{name!r} is not the name of a file in its folder")
        if not isinstance(facts, dict) or set(facts) != {"sha256", "bytes"}:
            raise Problem(f"the size or the checksum of {name} is missing")
        if type(facts["bytes"]) is not int or type(facts["sha256"]) is not str or not CHECKSUM.fullmatch(facts["sha256"]):
            raise Problem(f"the size or the checksum of {name} is invalid")
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
