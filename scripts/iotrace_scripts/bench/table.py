"""Writes the figures down, as Markdown."""

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Iterable, Sequence

from .files import Reading
from .fleet import Fleet
from .lengths import Length
from .measure import Runs, Spread
from .peers import Peer
from .questions import Answer
from .replays import PLAIN, Replays
from .views import ViewRun, growth

PROGRAMS = {
    "QEMU": ["qemu-system-x86_64", "--version"], "rustc": ["rustc", "--version"], "zstd": ["zstd", "--version"],
    "trace-cmd": ["trace-cmd", "--version"], "blktrace": ["blktrace", "-V"], "uftrace": ["uftrace", "--version"],
    "LTTng": ["lttng", "--version"], "babeltrace2": ["babeltrace2", "--version"],
}


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; columns but the first are numbers."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def with_spread(spread: Spread, digits: int = 2) -> str:
    """A median, with the least and the greatest beside it."""
    return f"{spread.median:.{digits}f} ({spread.least:.{digits}f} to {spread.most:.{digits}f})"


def machine(commit: str) -> str:
    """What the figures were measured on, and with what."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    rows = [("processor", f"{model[1] if model else platform.machine()}, {len(os.sched_getaffinity(0))} cores"),
            ("memory", f"{memory:.0f} GiB"), ("kernel", platform.release()), ("iotrace", commit)]
    rows += [(name, version) for name, command in PROGRAMS.items() if (version := _version(command))]
    return table(["", ""], rows)


def _version(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    found = re.search(r"\d+\.\d+[\w.]*", done.stdout + done.stderr)
    return found[0] if found else ""


def limits(memory: Spread, file: Spread, zstd: tuple[float, float]) -> str:
    """What the machine can do at all."""
    return table(["limit of the machine", "GB/s"], [
        ["memcpy of 256 MiB", with_spread(memory)], ["reading a file that the page cache holds", with_spread(file)],
        ["zstd -1, compressing the trace's decoded events, one core", f"{zstd[0]:.2f}"],
        ["zstd -1, decompressing them, one core", f"{zstd[1]:.2f}"],
    ])


def replays(found: Replays) -> str:
    """What replays cost."""
    base = found.runs[PLAIN]
    rows = []
    for name, runs in found.runs.items():
        wall, cpu = (runs.ratio(base, what) for what in (lambda run: run.wall, lambda run: run.cpu))
        events = f"{found.events[name]:,}" if name in found.events else ""
        rows.append([name, f"{runs.of(lambda run: run.wall).median:.2f}", with_spread(wall), with_spread(cpu), events])
    return table(["replay", "seconds", "wall, to the plain one", "CPU, to the plain one", "events"], rows)


def recordings(found: dict[str, tuple[Runs, Runs]]) -> str:
    """Seconds, scripts included."""
    heads = ["demo", "recording, s", "CPU, s", "replay with the plugin, s", "CPU, s"]
    return table(heads, [
        [name, *(with_spread(runs.of(what), 1) for runs in pair for what in (lambda run: run.wall, lambda run: run.cpu))]
        for name, pair in found.items()
    ])


def sizes(recorded: Iterable[Peer]) -> str:
    """How large files are."""
    return table(["file", "events", "bytes", "bytes an event"], [
        [peer.name, f"{peer.events:,}", f"{peer.bytes():,}", f"{peer.bytes() / peer.events:.2f}"] for peer in recorded])


def readings(found: Iterable[Reading]) -> str:
    """How fast files are read."""
    return table(["reader", "file", "million events a second", "MiB resident"], [
        [reading.command, reading.of, with_spread(reading.rate), str(reading.peak)] for reading in found])


def lengths(found: Iterable[Length]) -> str:
    """What reading costs with the length."""
    rows = []
    for length in found:
        for reading in length.readings:
            seconds = length.events / reading.rate.median / 1e6
            rows.append([reading.command, f"{length.events:,}", f"{length.bytes / 1e6:,.0f}", f"{seconds:.3f}",
                         f"{reading.rate.median:.1f}", str(reading.peak)])
    rows.sort(key=lambda row: row[0])
    return table(["reader", "events", "MB", "seconds", "million events a second", "MiB resident"], rows)


def answers(found: Iterable[Answer]) -> str:
    """What one I/O costs in a long trace."""
    return table(["mix of events", "events", "I/O", "command", "seconds", "MiB resident"], [
        [answer.mix, f"{answer.events:,}", answer.io, answer.command, f"{answer.run.wall:.2f}",
         str(answer.run.peak // 1024)] for answer in found])


def fleet(found: Fleet) -> str:
    """What many runs take."""
    facts = table(["", ""], [
        ["runs", f"{found.runs:,}"], ["I/Os", f"{found.ios:,}"],
        ["traces, MB", f"{found.trace_bytes / 1e6:.1f}"],
        ["folder, MB", f"{found.bytes / 1e6:.1f}"], ["files", f"{found.files:,}"],
        ["adding a run, s", f"{found.added / found.runs:.3f}"], ["CPU, s", f"{found.added_cpu / found.runs:.3f}"],
    ])
    rows = [[name, str(rows), f"{run.wall:.2f}", f"{run.cpu:.2f}", str(run.peak // 1024)]
            for name, (run, rows) in found.queries.items()]
    return facts + "\n" + table(["query", "rows", "seconds", "CPU, s", "MiB resident"], rows)


def views(found: Sequence[ViewRun]) -> str:
    """What views and exports take, and how their memory grows."""
    grows, longest = growth(list(found)), max(run.events for run in found)
    rows = []
    for run in sorted(found, key=lambda run: (run.view, run.events)):
        more = f"{grows[run.view]:.2f}" if run.events == longest else ""
        rows.append([run.view, f"{run.events:,}", f"{run.written / 1e6:,.1f}", f"{run.run.wall:.2f}", f"{run.rate:.1f}",
                     str(run.run.peak // 1024), more])
    return table(["view", "events", "MB written", "seconds", "million events a second", "MiB resident",
                  "to the shortest"], rows)
