"""The scripts that are commands of `iotrace`.

In: the scripts beside this folder. Out: each with its summary, the first sentence of its docstring. The scripts that need a
checkout (tests, benchmarks) are not among them.
"""

import ast
import re
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
FRONT = "iotrace"
# What each script that is no Python program does.
OTHERS = {
    "demo": "Record, replay and report a guest, from nothing",
    "setup": "Install what guests, recordings and replays need",
}
# What works on the checkout alone.
DEVELOPMENT = {"bench", "check-truth", "dependencies", "faults", "fuzz", "install", "lint", "matrix", "mutants", "readers", "test"}


def summary(script: Path) -> str:
    """What a script does: its docstring up to the first stop."""
    text = ast.get_docstring(ast.parse(script.read_text())) or ""
    return re.split(r"[.,;:(]", " ".join(text.split()))[0].strip()


def of_users(folder: Path = SCRIPTS) -> dict[str, str]:
    """The commands that are installed, each with a summary, in the order of their names."""
    found = {}
    for script in sorted(folder.iterdir()):
        if script.is_file() and script.suffix == "" and script.name not in {*DEVELOPMENT, FRONT}:
            found[script.name] = OTHERS.get(script.name) or summary(script)
    return found
