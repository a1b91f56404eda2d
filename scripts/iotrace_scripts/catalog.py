"""What the catalog (schemas/catalog/data) knows that the scripts need.

In: its TOML files. Out: names of functions; what is known of replays with controllers.
"""

import functools
import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent.parent / "schemas" / "catalog" / "data"


@functools.cache
def files() -> tuple[dict[str, Any], ...]:
    """All of them, in the order of their names."""
    return tuple(tomllib.loads(file.read_text()) for file in sorted(FOLDER.glob("*.toml")))


def functions() -> list[str]:
    """All names that the catalog's functions have in any kernel."""
    entries = [entry for file in files() for entry in file.get("function", [])]
    return sorted({name for entry in entries for name in [entry["name"], *entry.get("aliases", [])]})


@functools.cache
def replays(controller: str) -> str:
    """Why replays with a controller of QEMU fail, or some of them; empty if they do not."""
    return str(_entry(controller).get("replay", ""))


@functools.cache
def is_live_only(controller: str) -> bool:
    """No replay with this controller works: its guests are traced while they run."""
    return bool(_entry(controller).get("live_only", False))


def _entry(controller: str) -> dict[str, Any]:
    entries = [entry for file in files() for entry in file.get("controller", [])]
    return next((entry for entry in entries if controller in entry["qemu"]), {})
