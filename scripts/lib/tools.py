"""Programs from crates.io that the scripts use, compiled once into the cache."""

from pathlib import Path

from .cache import entry
from .say import run, say


def cargo_tool(name: str, version: str) -> Path:
    """One of cargo's subcommands, of exactly this version."""
    def make(folder: Path) -> None:
        say(f"compiling {name} {version}")
        run(["cargo", "install", name, "--version", version, "--locked", "--root", str(folder)], f"installing {name}")

    return entry("tools", f"{name}-{version}", make) / "bin" / name
