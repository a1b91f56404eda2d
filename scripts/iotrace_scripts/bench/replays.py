"""What a replay costs: plainly, with our plugin in its modes, and with QEMU's own contrib plugins."""

import functools
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from .. import machine, manifest, plugin, qemu
from ..say import Problem, run, say
from .contrib import plugins
from .measure import Run, Runs, once, side_by_side

PLAIN = "plain replay"
MODES = {"iotrace": "", "iotrace, mode=thin": "mode=thin", "iotrace, mode=full": "mode=full"}
CONSOLE = "@CONSOLE@"  # where each run puts a file of its own
PROBED = "submit_bio"  # the function that execlog, which logs instructions, is given


@dataclass(frozen=True)
class Replays:
    """What replays of one recording took."""

    runs: dict[str, Runs]
    events: dict[str, int]  # of the variants that write a trace
    left_out: list[str]  # what could not be run, and why


def replays(recording: Path, analyzer: Path, place: Path, rounds: int) -> Replays:
    """Each variant once a round, in turn."""
    facts = manifest.read(recording)
    traces = {name: place / f"mode-{number}.iot" for number, name in enumerate(MODES)}
    extra: dict[str, Sequence[str]] = {PLAIN: []}
    used = plugin.chosen(Path(facts.kernel["folder"]), None)
    extra |= {name: used.arguments(traces[name], plugin.notes_of(facts), [more]) for name, more in MODES.items()}
    left_out = []
    try:
        extra |= _contrib(facts)
    except Problem as problem:
        left_out.append(f"QEMU's contrib plugins: {str(problem).splitlines()[0]}")
    base = [qemu.find(None), *facts.machine.arguments(machine.Run("replay", CONSOLE))]
    commands = {name: functools.partial(_replay, [*base, *more], recording) for name, more in extra.items()}
    for name in list(commands):
        try:
            commands[name]()
        except Problem as problem:
            say(f"leaving out {name}: {problem}")
            left_out.append(f"{name}: {str(problem).splitlines()[0][-200:]}")
            del commands[name]
    runs = side_by_side(commands, rounds)
    return Replays(runs, {name: events(analyzer, trace) for name, trace in traces.items() if name in runs}, left_out)


def _contrib(facts: manifest.Manifest) -> dict[str, Sequence[str]]:
    folder = plugins()
    vmlinux = Path(facts.kernel["folder"]) / "vmlinux"
    symbols = run(["nm", str(vmlinux)], "reading the kernel's symbols", stdout=subprocess.PIPE).stdout.decode()
    address = next(line.split()[0] for line in symbols.splitlines() if line.endswith(f" {PROBED}"))
    return {
        "QEMU's hotblocks": ["-plugin", f"{folder}/libhotblocks.so"],
        "QEMU's hwprofile": ["-plugin", f"{folder}/libhwprofile.so"],
        f"QEMU's execlog, {PROBED} alone": ["-plugin", f"{folder}/libexeclog.so,afilter=0x{address}", "-D", "/dev/null",
                                            "-d", "plugin"],
    }


def _replay(command: Sequence[str], recording: Path) -> Run:
    with tempfile.NamedTemporaryFile() as console:
        return once([part.replace(CONSOLE, console.name) for part in command], recording)


def events(analyzer: Path, trace: Path) -> int:
    """How many a trace holds."""
    said = run([str(analyzer), "info", "--format", "json", str(trace)], f"reading {trace}", stdout=subprocess.PIPE)
    return int(json.loads(said.stdout)["file"]["events"])
