"""Replays with the plugin, and the traces that they leave.

In: a trace, a plugin. Out: a sound trace of one that is truncated; what it says of its end; whether it is that of the
recording's first replay.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from . import cache, manifest, recording
from .plugin import Plugin
from .say import Problem, run, say

TRUNCATED = 3  # the analyzer's exit status
OVER = 3  # the mark with which a trace is over (schemas/format: MARK_OVER)
# The guest reads its clock some instructions behind that mark, and may be interrupted there, in nanoseconds.
BEHIND = 1_000_000


def make_whole(used: Plugin, trace: Path) -> bool:
    """A trace whose QEMU was killed is truncated anywhere: keep what can be read, as a sound trace that is marked as truncated, or
    as it is if there is no room for another one. Returns whether it can be read."""
    analyzer = analyzer_of(used)
    if not trace.is_file() or not analyzer:
        return trace.is_file()
    checked = subprocess.run([analyzer, "verify", trace], capture_output=True)
    if checked.returncode == 0:
        return True
    whole = trace.with_name(f"{trace.name}.recovered")
    recovered = subprocess.run([analyzer, "recover", trace, "-o", whole], capture_output=True)
    if not whole.is_file() or recovered.returncode not in (0, TRUNCATED):
        return checked.returncode == TRUNCATED
    whole.rename(trace)
    return True


def analyzer_of(used: Plugin) -> Path | None:
    """The analyzer beside a plugin."""
    found = used.path.with_name("iotrace-analyze")
    return found if found.is_file() else None


def info(used: Plugin, trace: Path) -> dict[str, Any]:
    """What the analyzer says of a trace."""
    analyzer = analyzer_of(used)
    if not analyzer:
        raise Problem(f"no iotrace-analyze beside {used.path}: build it with cargo build --release, or record with --no-verify")
    said = run([str(analyzer), "info", str(trace), "--format", "json"], f"reading {trace}", stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def over(used: Plugin, trace: Path) -> dict[str, Any]:
    """The mark with which the trace is over: its clock in instructions and in nanoseconds."""
    marks: list[dict[str, Any]] = info(used, trace)["marks"]
    for mark in marks:
        if mark["code"] == OVER:
            return mark
    raise recording.NotReplayed(f"{trace} does not reach the end of the recording (iotrace-mark over)")


def fingerprint(used: Plugin, facts: manifest.Manifest) -> str:
    """Of what a trace depends on beside the recording."""
    kernel = manifest.sha256(used.kernel) if used.kernel.suffix == ".profile" else facts.kernel["build_id"]
    return cache.fingerprint(used.path.read_bytes(), kernel)


def compare(folder: Path, facts: manifest.Manifest, used: Plugin, trace: Path) -> None:
    """Refuse a trace, of default arguments, that differs from the one of the recording's first replay."""
    if not facts.verified:
        return
    first = folder / manifest.TRACE
    if facts.verified["plugin"] == fingerprint(used, facts):
        if manifest.sha256(trace) != facts.files[manifest.TRACE]["sha256"]:
            raise recording.NotReplayed(f"{trace} differs from {first}, the trace of the recording's first replay with the same plugin: "
                                        "QEMU did not replay what it recorded; replay again, or record again. To find the first "
                                        f"difference: iotrace-analyze diverge {first} {trace}")
        return
    say(f"{first} is of another build of the plugin or another profile: compared by the number of instructions only")
    if analyzer_of(used) and (found := over(used, trace)["clock"]) != facts.verified["over"]:
        raise recording.NotReplayed(f"{trace} is over at instruction {found}, that of the recording's first replay at "
                                    f"{facts.verified['over']}: QEMU did not replay what it recorded; replay again, or record again")
