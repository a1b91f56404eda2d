"""What a cell's trace is worth: figures, and what is wrong.

In: a folder with a trace and the guest's own tracepoints. Out: a row.
"""

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import qemu
from ..say import Problem
from .cells import Cell

# What a bio must have reached on the controller's disk.
STAGES = frozenset({"issued", "driver", "doorbell", "interrupt", "completed", "ended"})
# A device that still looks at its ring is not notified: VIRTIO 1.2, "Available Buffer Notification Suppression"; NVM Express Base
# Specification, "Doorbell Buffer Config command".
OPTIONAL = {name: frozenset({"doorbell"}) for name in ("virtio-blk-pci", "virtio-scsi-pci", "nvme")}
# With multipath the driver traces completions of a namespace itself (drivers/nvme/host/nvme.h, nvme_trace_bio_complete).
OF_DRIVERS = {"nvme": {"block_bio_complete"}}
# Most instructions from an interrupt to the function that it is entered through.
ENTRY = 100
DIFFERENT = 5  # the analyzer's exit status
# With PREEMPT_RT a command may complete while the thread of an earlier interrupt runs: its own interrupt is masked.
MASKED_PERCENT = 5
READS = ("pread", "read")
WAITED_NS = 10_000
UNATTRIBUTED = 10_000  # one event in so many may be left over


@dataclass
class Row:
    """The figures of a cell."""

    mode: str  # recorded, or live
    seconds: float
    events: int = 0
    bios: int = 0
    tracepoints: str = "-"  # of them the same, of all
    served: str = "-"  # bios on the disk with all stages, of all
    device: str = "-"  # reads that waited for the device and for nothing unknown, of all
    without_origin: int = 0
    unattributed: int = 0
    wrong: str = ""

    def facts(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)


def judge(analyzer: Path, folder: Path, cell: Cell, row: Row) -> Row:
    """Fill in a row."""
    trace = folder / "trace.iot"
    report = _json(analyzer, "report", trace)
    account = report["attribution"]
    row.events, row.unattributed, row.without_origin = account["events"], account["unattributed"], account["bios_without_origin"]
    row.bios = len(report["bios"])
    wrong = [_compared(analyzer, folder, cell.controller, row), _served(report, cell, row), _waited(analyzer, trace, cell.controller, report, row)]
    if row.without_origin:
        wrong.append(f"{row.without_origin} bios without an origin")
    if row.unattributed * UNATTRIBUTED > row.events:
        wrong.append(f"{row.unattributed} events not attributed")
    row.wrong = "; ".join(filter(None, wrong))
    return row


def _json(analyzer: Path, command: str, trace: Path, *more: str) -> dict[str, Any]:
    done = subprocess.run([analyzer, command, trace, *more, "--format", "json"], capture_output=True, text=True)
    if not done.stdout:
        raise Problem(f"{command}: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _compared(analyzer: Path, folder: Path, controller: str, row: Row) -> str:
    """Against the guest's tracepoints."""
    done = subprocess.run([analyzer, "compare-tracepoints", folder / "trace.iot", folder / "witness.txt"], capture_output=True, text=True)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("block_")]
    own = OF_DRIVERS.get(controller, set())
    counted = [line for line in lines if len(line) >= 5 and line[1].isdecimal() and line[0] not in own]
    row.tracepoints = f"{sum(int(line[3]) for line in counted)}/{sum(int(line[1]) for line in counted)}"
    if done.returncode not in (0, DIFFERENT):
        return f"compare-tracepoints: {done.stderr.strip()}"
    different = [line[0] for line in counted if line[-1] != "same"]
    return f"tracepoints differ: {', '.join(different)}" if different else ""


def _served(report: dict[str, Any], cell: Cell, row: Row) -> str:
    """The bios on the controller's disk."""
    prefix, wanted = qemu.CONTROLLERS[cell.controller].prefix, STAGES - OPTIONAL.get(cell.controller, frozenset())
    there = [bio for bio in report["bios"] if (bio["device_name"] or "").startswith(prefix) and bio["bytes"] and bio["complete"]]
    stages = [{stage["stage"] for stage in bio["stages"]} for bio in there]
    # With multipath a bio of the disk is passed on to one of its paths.
    whole = [bio for bio, reached in zip(there, stages) if reached >= wanted]
    passed = [bio for bio, reached in zip(there, stages) if "issued" not in reached and bio["parts"]]
    row.served = f"{len(whole)}/{len(there) - len(passed)}"
    if not whole:
        return f"no bio of {prefix}* was served"
    missing = [bio for bio in there if bio not in whole and bio not in passed]
    most = len(there) * MASKED_PERCENT // 100 if cell.kernel.endswith("-rt") else 0
    return f"{len(missing)} bios of {prefix}* lack stages" if len(missing) > most else ""


def _waited(analyzer: Path, trace: Path, controller: str, report: dict[str, Any], row: Row) -> str:
    """The reads of which a device had a command while the task slept."""
    prefix = qemu.CONTROLLERS[controller].prefix
    on_disk = [bio for bio in report["bios"] if (bio["device_name"] or "").startswith(prefix)]
    interrupts = [stage["clock"] for bio in on_disk for stage in bio["stages"] if stage["stage"] == "interrupt"]
    reads = [io for io in report["ios"] if io["syscall"] in READS and io["device_time"]["ns"] >= WAITED_NS]
    good = sum(is_known(_json(analyzer, "why", trace, str(io["id"])), interrupts) for io in reads)
    row.device = f"{good}/{len(reads)}"
    return "" if good == len(reads) else f"{len(reads) - good} reads wait for something unknown"


def is_known(why: dict[str, Any], interrupts: list[int]) -> bool:
    """Whether a critical path has its device, and nothing unknown. The device may have done before the last task on the path has
    stopped: then nothing waits for it, and its interrupt, of which the clocks are given, comes while that task runs."""
    kinds = {span["kind"] for span in why["spans"]}
    came = [(span["from"] - ENTRY, span["to"]) for span in why["spans"] if span["kind"] == "interrupted"]
    early = any(begin <= clock <= end for begin, end in came for clock in interrupts)
    return not why["unknown_interrupts"] and "unknown" not in kinds and ("device" in kinds or early)
