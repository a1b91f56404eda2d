"""Starts gdb in a replay: what it and QEMU need is put into a folder, which is deleted when gdb ends.

The recording itself is only read. gdb runs without anybody's init files and without scripts that come with what it loads.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Sequence

from .. import boots, build, child, elf, manifest, qemu, recording, stage
from ..machine import Machine
from ..say import Problem, program
from ..traced import OVER
from .guest import INCOMPLETE
from .questions import Moment, Trace

FILE = "IOTRACE_GDB"  # environment variable: the file with what `inside` needs
NAME = "debugger.json"
INSIDE = Path(__file__).with_name("inside.py")
SCRIPTS = INSIDE.parent.parent.parent


@dataclass(frozen=True)
class Wanted:
    """What the user asked for."""

    folder: Path  # of the recording
    facts: manifest.Manifest
    kernel: Path  # folder with vmlinux
    qemu: str
    gdb: str
    trace: Trace
    moment: Moment
    sources: Path | None = None
    commands: Sequence[str] = ()
    batch: bool = False
    asked: dict[str, Any] | None = None  # questions (ask.py): gdb answers them and ends


def opened(given: argparse.Namespace) -> tuple[Path, manifest.Manifest, Path, str, str, Trace]:
    """What the arguments name, checked: the recording, its facts, the kernel's folder, QEMU, gdb, the trace."""
    folder = given.folder.resolve()
    facts = replace(manifest.read(folder), trust_snapshots=given.trust_snapshots)
    if not facts.replayable:
        raise Problem(f"{folder} cannot be replayed: it was traced while the guest ran (scripts/record --trace)")
    chosen, debugger = qemu.find(given.qemu), find(given.gdb)
    if (version := qemu.version(chosen)) != facts.qemu["version"]:
        raise Problem(f"{folder} was recorded by QEMU {facts.qemu['version']}, {chosen} is {version}: name the right one with "
                      "--qemu, or record again")
    manifest.check(folder, facts)
    kernel = (given.kernel or Path(facts.kernel["folder"])).resolve()
    check_kernel(kernel, facts)
    path = (given.trace or folder / manifest.TRACE).resolve()
    if not path.is_file():
        raise Problem(f"no trace {path}: make one with scripts/replay, and name it")
    trace = Trace(path, (given.analyzer or build.up_to_date("iotrace-analyze") / "iotrace-analyze").resolve())
    check_trace(trace, facts)
    return folder, facts, kernel, chosen, debugger, trace


def add_options(add: Callable[..., Any]) -> None:
    """Options of the scripts that run gdb."""
    add("--kernel", type=Path, metavar="DIRECTORY", help="kernel directory with the recorded vmlinux and its debug information")
    add("--analyzer", type=Path, metavar="PATH", help="iotrace-analyze (default: built from the checkout)")
    add("--gdb", metavar="PATH", help="another gdb")
    add("--qemu", metavar="PATH", help="qemu-system-x86_64 of the version of the recording")
    add("--trust-snapshots", action="store_true", help="resume from a boot that was not made on this machine: QEMU loads its "
        "snapshot without checks, so whoever made it can run code here")


def find(chosen: str | None) -> str:
    """The gdb to use."""
    path = shutil.which(chosen or "gdb")
    if not path:
        raise Problem(f"no '{chosen or 'gdb'}': install the package gdb, or use --gdb")
    return path


def check_kernel(kernel: Path, facts: manifest.Manifest) -> None:
    """Refuse a folder that has not the kernel that was recorded, or no debug information."""
    vmlinux = kernel / "vmlinux"
    if not vmlinux.is_file():
        raise Problem(f"no vmlinux in {kernel}: get it with scripts/kernel, or name its folder with --kernel")
    if facts.kernel["build_id"] and elf.build_id(vmlinux) != facts.kernel["build_id"]:
        raise Problem(f"{vmlinux} is not the kernel that was recorded (its build-id differs): name the folder of the right one "
                      "with --kernel")
    if ".debug_info" not in elf.sections(vmlinux):
        raise Problem(f"{vmlinux} has no debug information, without which gdb knows no types and lines: record a kernel that has "
                      "it (without --bare)")


def check_trace(trace: Trace, facts: manifest.Manifest) -> None:
    """Refuse a trace of another recording: its clocks are not those of this one."""
    if trace.info["trace"]["build_id"] != facts.kernel["build_id"]:
        raise Problem(f"{trace.path} is of another kernel than the recording")
    over = next((mark["clock"] for mark in trace.info["marks"] if mark["code"] == OVER), None)
    if facts.verified and over not in (None, facts.verified["over"]):
        raise Problem(f"{trace.path} is of another recording: it is over at instruction {over}, this recording at "
                      f"{facts.verified['over']}")


def described(wanted: Wanted, place: stage.Stage) -> dict[str, Any]:
    """What `inside` needs, as JSON; QEMU's files are put into a folder."""
    machine: Machine = wanted.facts.machine
    seekable = machine.seekable and machine.controller not in INCOMPLETE
    # without snapshots QEMU starts again, on disks as they were
    how = recording.stage_replay(wanted.folder, wanted.facts, place, overlays=seekable)
    return {
        "command": [wanted.qemu, *machine.arguments(how)],
        "folder": os.fspath(place.folder),
        "seekable": seekable,
        "first": boots.of(wanted.folder, wanted.facts).clock if machine.boot else None,
        "controller": machine.controller,
        "kernel": os.fspath(wanted.kernel),
        "log": os.fspath(wanted.folder / qemu.RR_LOG),
        "trace": os.fspath(wanted.trace.path),
        "analyzer": os.fspath(wanted.trace.analyzer),
        "sources": os.fspath(wanted.sources) if wanted.sources else "",
        "clock": wanted.moment.clock,
        "what": wanted.moment.what,
        "asked": wanted.asked,
    }


def run(wanted: Wanted) -> int:
    """Run gdb to its end; returns its exit status."""
    with stage.Stage() as place:
        facts = place.folder / NAME
        facts.write_text(json.dumps(described(wanted, place)))
        options = ["-nx", "-q", "-iex", "set auto-load off", *(["-batch"] if wanted.batch or wanted.asked else []), "-x", os.fspath(INSIDE)]
        commands = [part for command in wanted.commands for part in ("-ex", command)]
        # Ctrl-C is for gdb, which is in the foreground too.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            started = subprocess.Popen([wanted.gdb, *options, *commands], env=os.environ | {FILE: os.fspath(facts), "IOTRACE_PROGRAM": program()},
                                       preexec_fn=_for_gdb())
            return started.wait()
        finally:
            signal.signal(signal.SIGINT, before)


def _for_gdb() -> Callable[[], None]:
    tie = child.tie()

    def in_child() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        tie()

    return in_child
