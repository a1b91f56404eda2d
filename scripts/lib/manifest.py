"""manifest.json: what a recording is made of, and the checksums that show it is whole."""

import hashlib
import json
from pathlib import Path
from typing import Any

from .say import Problem

NAME = "manifest.json"
FORMAT = 1


def sha256(path: Path) -> str:
    """The checksum of a file; holes in it are read as zeros."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(folder: Path, facts: dict[str, Any], files: list[str]) -> None:
    """Write the manifest of a recording, last of all its files."""
    listing = {
        name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in sorted(files)
    }
    text = json.dumps({"format": FORMAT, **facts, "files": listing}, indent=2) + "\n"
    (folder / NAME).write_text(text)


def read(folder: Path) -> dict[str, Any]:
    """A recording's manifest."""
    path = folder / NAME
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError:
        raise Problem(f"{folder} is not a finished recording: it has no {NAME}") from None
    except (OSError, ValueError) as error:
        raise Problem(f"reading {path}: {error}") from None
    if manifest.get("format") != FORMAT:
        raise Problem(f"{path} has format {manifest.get('format')}, this is made for {FORMAT}: record again")
    return manifest


def check(folder: Path, manifest: dict[str, Any]) -> None:
    """Refuse a recording whose files are not the ones that were recorded."""
    wrong = []
    for name, wanted in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif path.stat().st_size != wanted["bytes"]:
            wrong.append(f"{name} has {path.stat().st_size} bytes, recorded were {wanted['bytes']}")
        elif sha256(path) != wanted["sha256"]:
            wrong.append(f"{name} was changed (its checksum differs)")
    if wrong:
        raise Problem(f"recording {folder} is not as it was recorded: {'; '.join(wrong)}. Record again.")
