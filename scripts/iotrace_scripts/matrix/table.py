"""tests/MATRIX.md: a row for each cell that was tried, written by scripts/matrix, and read by it to go on."""

import re
from dataclasses import asdict
from typing import Any, Sequence

from .cells import Cell
from .judge import Row

HEAD = """# Guests that were tried

Written by `scripts/matrix`. The cells cover every pair of a kernel, a controller, a file system and a stack. Each guest boots,
builds its stack (on the disk, or on a loop device on a file of its file system), writes and reads directly and through the page
cache, and syncs. `recorded`: recorded, replayed with the plugin, and found to be the same; `live`: traced while it ran, without
record and replay.

- tracepoints: events of the kernel's own block tracepoints in the same run that the trace has with the same device, operation,
  sector, size and task, of all
- served: bios on the controller's disk with driver, doorbell, interrupt and completion, of all (a device of virtio or NVMe that still
  looks at its ring is not notified: there without doorbell)
- device: reads whose critical path (`why`) has the device and nothing unknown, of all during which a device had a command while the
  task slept; or, if the device was done before anything stopped for it, its interrupt while a task of the path ran
- without origin: bios without an I/O that they are of; not attributed: events that no call accounts for, of all of the workload

"""
COLUMNS = ("kernel", "controller", "file system", "stack", "mode", "bios", "tracepoints", "served", "device", "without origin",
           "not attributed", "seconds", "result")


def text(cells: Sequence[Cell], rows: dict[str, dict[str, Any]]) -> str:
    """The document: cells without a row were not tried."""
    done = [(cell, rows[cell.name()]) for cell in cells if cell.name() in rows]
    good = sum(not row["wrong"] for _, row in done)
    counted = f"{len(cells)} cells, {len(done)} tried, {good} without a fault.\n\n"
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    for cell, row in done:
        lines.append(_line([cell.kernel, cell.controller, cell.file_system, cell.stack, row["mode"], row["bios"], row["tracepoints"],
                            row["served"], row["device"], row["without_origin"], f"{row['unattributed']} of {row['events']}",
                            f"{row['seconds']:.0f}", row["wrong"] or "ok"]))
    return HEAD + counted + "\n".join(lines) + "\n"


def read(text: str, cells: Sequence[Cell]) -> dict[str, dict[str, Any]]:
    """The rows of a document, by the names of their cells; those that are no cells any more are left out. Seconds are whole."""
    named = {(cell.kernel, cell.controller, cell.file_system, cell.stack): cell.name() for cell in cells}
    rows = {}
    for line in text.splitlines():
        found = [part.strip().replace("\\|", "|") for part in re.split(r"(?<!\\)\|", line)[1:-1]]
        name = named.get((found[0], found[1], found[2], found[3])) if len(found) == len(COLUMNS) else None
        if name is None:
            continue
        mode, bios, tracepoints, served, device, without_origin, unattributed, seconds, result = found[4:]
        left, _, events = unattributed.partition(" of ")
        rows[name] = asdict(Row(mode, float(seconds), int(events), int(bios), tracepoints, served, device, int(without_origin), int(left),
                                "" if result == "ok" else result))
    return rows


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
