"""The checkout's plugin and analyzer."""

import json
import subprocess
import sys
from pathlib import Path

from .say import Problem

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def up_to_date(*packages: str) -> Path:
    """The folder with what packages (if none are named: the plugin and the analyzer) build, brought up to date."""
    wanted = [f"--package={package}" for package in packages or ("iotrace-plugin", "iotrace-analyze")]
    command = ["cargo", "build", "--release", "--quiet", *wanted]
    try:
        built = subprocess.run(command, cwd=CHECKOUT, stdout=sys.stderr)
    except (FileNotFoundError, PermissionError):
        raise Problem("no program 'cargo' in PATH, with which the plugin and the analyzer are built: install a Rust toolchain "
                      "(https://rustup.rs) and add it to PATH, or specify a built plugin with --plugin") from None
    if built.returncode != 0:
        raise Problem(f"'{' '.join(command)}' failed: see above")
    asked = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=CHECKOUT,
                           capture_output=True, check=True)
    return Path(json.loads(asked.stdout)["target_directory"]) / "release"
