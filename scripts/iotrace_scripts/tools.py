"""Programs from crates.io and PyPI that the scripts use, made once, in the cache."""

import sys
from pathlib import Path
from typing import Sequence

from .cache import entry, fingerprint
from .say import run, say

# Versions that the tests were run with.
DUCKDB = "duckdb==2.0.1"
SPARK = "pyspark==4.3.0"


def cargo_tool(name: str, version: str) -> Path:
    """One of cargo's subcommands, of exactly this version."""
    def make(folder: Path) -> None:
        say(f"compiling {name} {version}")
        run(["cargo", "install", name, "--version", version, "--locked", "--root", str(folder)], f"installing {name}")

    return entry("tools", f"{name}-{version}", make) / "bin" / name


def python_tools(name: str, packages: Sequence[str]) -> Path:
    """The directory, for PYTHONPATH, of Python packages of exactly these versions (PACKAGE==VERSION)."""
    def make(folder: Path) -> None:
        say(f"installing {', '.join(packages)}")
        run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), *packages],
            f"installing {', '.join(packages)} with pip (package python3-pip)")

    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return entry("tools", f"{name}-{fingerprint(python, *packages)}", make)
