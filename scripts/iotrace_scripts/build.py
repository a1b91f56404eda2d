"""The plugin and the analyzer: those of the checkout, or the installed ones (scripts/install)."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Sequence

from .say import Problem

CHECKOUT = Path(__file__).resolve().parent.parent.parent
# Where the programs are if this is no checkout.
INSTALLED = CHECKOUT / "bin"
PROGRAMS = ("iotrace-plugin", "iotrace-analyze")
# What packages are built with beyond their defaults.
FEATURES = {"iotrace-analyze": ("iotrace-analyze/parquet",)}


def up_to_date(*packages: str) -> Path:
    """The folder with what packages (if none are named: the plugin and the analyzer) build, brought up to date; of an
    installation, that of the installed programs."""
    wanted = packages or PROGRAMS
    if not (CHECKOUT / "Cargo.toml").exists():
        if missing := set(wanted) - set(PROGRAMS):
            raise Problem(f"this is not installed, since it is built in a checkout: {', '.join(sorted(missing))}")
        return INSTALLED
    return _build(wanted, "release")


def optimized() -> Path:
    """The folder with the plugin and the analyzer as they are installed."""
    return _build(PROGRAMS, "installed")


def _build(packages: Sequence[str], profile: str) -> Path:
    features = [f"--features={feature}" for package in packages for feature in FEATURES.get(package, ())]
    command = ["cargo", "build", f"--profile={profile}", "--quiet", *(f"--package={package}" for package in packages), *features]
    try:
        built = subprocess.run(command, cwd=CHECKOUT, stdout=sys.stderr)
    except (FileNotFoundError, PermissionError):
        raise Problem("no program 'cargo' in PATH, with which the plugin and the analyzer are built: install a Rust toolchain "
                      "(https://rustup.rs) and add it to PATH, or specify a built plugin with --plugin") from None
    if built.returncode != 0:
        raise Problem(f"'{' '.join(command)}' failed: see above")
    asked = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=CHECKOUT,
                           capture_output=True, check=True)
    return Path(json.loads(asked.stdout)["target_directory"]) / profile
