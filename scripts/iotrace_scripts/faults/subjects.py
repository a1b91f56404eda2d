"""What faults are injected into: scripts and commands, each with its results and how they are checked."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from .. import boots, manifest
from ..say import Problem
from . import mirror
from .world import World

SCRIPTS = Path(__file__).resolve().parent.parent.parent
GUEST = ["debian-6.1", "--bare", "--fs", "ext4", "--disk-size", "32"]
WORKLOAD = ["--workload", "loop-write:count=2"]


@dataclass
class Subject:
    """A command. `results`: the files and folders that it makes, at their final names; `wrong`: what is wrong with them, if
    they are there; `cold`: kinds of the cache that are empty when it starts."""

    name: str
    command: list[str]
    results: list[Path]
    wrong: Callable[[], list[str]]
    cold: list[str] = field(default_factory=list)
    earlier: Path | None = None  # with copies of the results of an earlier run, which must not be lost
    partial: bool = False  # a part of a result may be there, if it is marked so


class Subjects:
    """Those of a world, in which a recording and a trace are."""

    def __init__(self, world: World, built: Path) -> None:
        self.world, self.built = world, built
        self.plugin = ["--plugin", str(built / "libiotrace.so")]
        self.analyzer = str(built / "iotrace-analyze")
        self.recording, self.earlier = world.place / "recording", world.place / "earlier"
        self.trace = world.place / "in" / "trace.iot"

    def prepare(self) -> None:
        """Make a recording and a trace; the cache is filled."""
        self.normal(self.record_command(self.recording))
        self.trace.parent.mkdir()
        self.normal([str(SCRIPTS / "replay"), str(self.recording), *self.plugin, "-o", str(self.trace)])

    def normal(self, command: list[str]) -> None:
        """Run a command that must succeed."""
        done = subprocess.run(command, env=self.world.environment, capture_output=True, text=True, cwd=self.world.out)
        if done.returncode:
            raise Problem(f"'{' '.join(command)}' failed with status {done.returncode} without a fault:\n{done.stderr}")

    def record_command(self, folder: Path) -> list[str]:
        return [str(SCRIPTS / "record"), *GUEST, *WORKLOAD, *self.plugin, "-o", str(folder)]

    def all(self) -> dict[str, Callable[[], Subject]]:
        """By name."""
        return {
            "record": self.record, "record-cold": self.record_cold, "replay": self.replay, "replay-from": self.replay_from,
            "boot": self.boot, "kernel": self.kernel, "compare": self.compare, "index": self.index, "slice": self.slice,
            "recover": self.recover, "cat": self.cat, "profile": self.profile,
        }

    def record(self) -> Subject:
        """Over an earlier recording, from a boot."""
        folder = self.world.out / "recording"
        return Subject("record", [*self.record_command(folder), "--force"], [folder], lambda: self.wrong_recording(folder),
                       earlier=self.recording)

    def record_cold(self) -> Subject:
        """With the boot, and what the plugin has to know of it."""
        folder = self.world.out / "recording"
        return Subject("record-cold", self.record_command(folder), [folder], lambda: self.wrong_recording(folder),
                       ["boots", "contexts", "profiles"])

    def wrong_recording(self, folder: Path) -> list[str]:
        try:
            facts = manifest.read(folder)
            manifest.check(folder, facts)
        except Problem as problem:
            return [str(problem)]
        return [] if facts.verified and self.is_sound(folder / manifest.TRACE) else [f"{folder} has no sound trace"]

    def replay(self) -> Subject:
        """Over an earlier trace."""
        trace = self.world.out / "trace.iot"
        command = [str(SCRIPTS / "replay"), str(self.recording), *self.plugin, "-o", str(trace)]
        return Subject("replay", command, [trace], lambda: self.wrong_copy(trace, self.trace), earlier=self.trace, partial=True)

    def replay_from(self) -> Subject:
        """From a snapshot that is made."""
        trace, console = self.world.out / "trace.iot", self.world.out / "console.txt"
        command = [str(SCRIPTS / "replay"), str(self.recording), *self.plugin, "--from", "1", "-o", str(trace),
                   "--console", str(console)]
        return Subject("replay-from", command, [trace], lambda: [] if self.is_sound(trace) else [f"{trace} is not sound"],
                       ["contexts", "profiles"], partial=True)

    def boot(self) -> Subject:
        """A guest that is booted."""
        return Subject("boot", [str(SCRIPTS / "boot"), *GUEST], [], self.wrong_boots, ["boots", "contexts"])

    def wrong_boots(self) -> list[str]:
        found = [boots.read(folder) for folder in (self.world.cache / boots.KIND).glob("[!.]*")]
        return [wrong for boot in found for wrong in boot.check()]

    def kernel(self) -> Subject:
        """Packages of an archive of our own."""
        command = mirror.make(self.world)
        return Subject("kernel", command, [], lambda: mirror.wrong(self.world), ["apt", "mirrored"])

    def compare(self) -> Subject:
        """Two recordings, two traces."""
        folder = self.world.out / "compared"
        guest = "--bare --fs ext4 --disk-size 32"
        command = [str(SCRIPTS / "compare"), GUEST[0], GUEST[0], *WORKLOAD, "--boots", "1", "--record", guest, "-o", str(folder)]
        return Subject("compare", command, [], lambda: [str(t) for t in folder.glob("?/*.iot") if not self.is_sound(t)])

    def index(self) -> Subject:
        """The index of a trace."""
        trace = self.world.out / "trace.iot"
        index = trace.with_name("trace.iot.idx")

        def wrong() -> list[str]:
            return self.wrong_copy(index, self.trace.with_name("trace.iot.idx"))

        os.path.exists(trace) or shutil.copyfile(self.trace, trace)
        return Subject("index", [self.analyzer, "index", str(trace)], [index], wrong)

    def slice(self) -> Subject:
        return self.rewrite("slice", [str(self.trace), "--clock", "0..2000000000"])

    def recover(self) -> Subject:
        cut = self.world.place / "in" / "cut.iot"
        cut.write_bytes(self.trace.read_bytes()[:-1000])
        return self.rewrite("recover", [str(cut)])

    def cat(self) -> Subject:
        parts = [self.trace.with_name(f"{name}.iot") for name in ("first", "second")]
        for part, clocks in zip(parts, ("0..1000000000", "1000000000..")):
            self.normal([self.analyzer, "slice", str(self.trace), "--clock", clocks, "-o", str(part)])
        return self.rewrite("cat", list(map(str, parts)))

    def profile(self) -> Subject:
        kernel = Path(manifest.read(self.recording).kernel["folder"])
        return self.rewrite("check", [str(kernel / "vmlinux"), "--modules", str(kernel / "modules")], "profile")

    def rewrite(self, verb: str, arguments: list[str], name: str = "") -> Subject:
        """A command of the analyzer with an output, over an earlier output."""
        earlier, output = self.world.place / "in" / f"{name or verb}.out", self.world.out / "output"
        done = subprocess.run([self.analyzer, verb, *arguments, "-o", str(earlier)], capture_output=True, text=True)
        if not earlier.is_file():
            raise Problem(f"{verb}: {done.stderr}")
        return Subject(name or verb, [self.analyzer, verb, *arguments, "-o", str(output)], [output],
                       lambda: self.wrong_copy(output, earlier), earlier=earlier)

    def is_sound(self, trace: Path) -> bool:
        """Whether a trace is whole."""
        return subprocess.run([self.analyzer, "verify", str(trace)], capture_output=True).returncode == 0

    def wrong_copy(self, file: Path, of: Path) -> list[str]:
        return [] if file.is_file() and file.read_bytes() == of.read_bytes() else [f"{file} is not what it was without a fault"]
