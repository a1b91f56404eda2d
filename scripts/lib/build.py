"""The checkout's plugin and analyzer."""

import json
import subprocess
import sys
from pathlib import Path

from .say import Problem

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def up_to_date() -> Path:
    """The folder with libiotrace.so and iotrace-analyze, both brought up to date."""
    command = ["cargo", "build", "--release", "--quiet", "-p", "iotrace-plugin", "-p", "iotrace-analyzer"]
    built = subprocess.run(command, cwd=CHECKOUT, stdout=sys.stderr)
    if built.returncode != 0:
        raise Problem("building the plugin and the analyzer with 'cargo build --release' failed: see above")
    asked = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=CHECKOUT,
                           capture_output=True, check=True)
    return Path(json.loads(asked.stdout)["target_directory"]) / "release"
