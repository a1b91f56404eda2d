"""Rows of the table against the I/Os of the report, matched by task, call and ordinal alone."""

from collections import Counter
from typing import Iterator

from .report import Json, Report
from .result import Finding, Result
from .table import PAGE, Place, Row, Table

# Names that a report may have for a call instead of its own.
OTHER_NAMES = {
    "preadv2": ("preadv",), "pwritev2": ("pwritev",), "store": ("page_fault",), "fault": ("page_fault",),
    **{f"io_uring.{name}": (f"io_uring_{name}",) for name in ("read", "write", "readv", "writev", "fsync")},
    **{f"aio.{name}": (f"aio_{name}",) for name in ("pread", "pwrite", "preadv", "pwritev", "fsync")},
}
# These have no row in a report.
NO_ROWS = ("mmap", "munmap", "fchmod")
# These are I/Os only if they cause disk I/O: a report does not have all of them, so they are found by their time.
FAULTS = ("store", "fault")
RINGS = ("io_uring_enter", "io_submit", "io_getevents")
OCCASIONAL = (*FAULTS, *RINGS, "openat", "close", "ioctl", "rename", "mkdir", "unlink", "execve", "vmsplice")
# Calls whose length is the new length of the file, which a report may show as count or as position.
LENGTH_ALONE = ("ftruncate", "truncate")
# Calls of which only the result is compared: their file is a ring, a context, or a name that is not open.
RESULT_ALONE = (*RINGS, "mkdir", "sync")

Matches = dict[int, Json]  # an I/O by the number of the row


def compare(table: Table, report: Report, result: Result) -> Matches:
    """Compare every row; returns the I/Os that were found."""
    counts: Counter[tuple[int, str]] = Counter()
    matches: Matches = {}
    for row in table.rows:
        if row.call in NO_ROWS:
            continue
        call = next((name for name in (row.call, *OTHER_NAMES.get(row.call, ())) if name in report.calls), row.call)
        ordinal = counts[row.pid, call]
        counts[row.pid, call] += 1
        found = _occasional(row, call, report) if row.call in OCCASIONAL else report.row(row.pid, call, ordinal)
        if found is not None:
            matches[row.number] = found
            result.add(row.call, differences(row, found))
        elif row.call not in OCCASIONAL or _must_be_there(row, report):
            expected = f"{call} {ordinal} of the task"
            result.add(row.call, [Finding(row.call, "missing", "row", where(row), expected, "none")])
    return matches


def _occasional(row: Row, call: str, report: Report) -> Json | None:
    return next(iter(report.during(row.pid, call, row.begin, row.end)), None)


def _must_be_there(row: Row, report: Report) -> bool:
    """A call that is an I/O if it causes disk I/O; if the entries of a ring are I/Os, what they cause is theirs."""
    return report.queues(row.pid, row.begin, row.end) and not (report.has_entries and row.call in RINGS)


def where(row: Row) -> str:
    """A row, for messages."""
    file = f" {row.place.file}" if row.place and row.place.file else ""
    return f"row {row.number} {row.comm}/{row.pid} {row.call} {row.ordinal}{file}"


def differences(row: Row, found: Json) -> Iterator[Finding]:
    """What a row of the report has otherwise than the table."""
    for what, expected, value in _values(row, found):
        if expected == value:
            continue
        grade = "incomplete" if value is None else "wrong"
        yield Finding(row.call, grade, what, f"{where(row)} (I/O {found['id']})", str(expected), str(value))


def _values(row: Row, found: Json) -> Iterator[tuple[str, object, object]]:
    yield "task name", row.comm, found["task"]["comm"]
    if found["entry"]["ns"] is not None and not row.begin <= found["entry"]["ns"] <= row.end:
        yield "time of entry", f"{row.begin} to {row.end}", found["entry"]["ns"]
    if row.call in FAULTS:
        yield from _fault(row, found)
        return
    yield "result", row.result, found["return_value"]
    if row.call in RESULT_ALONE or row.call == "openat" and row.result < 0:
        return
    if row.second:
        source = found.get("source") or {"file": None, "position": None}
        yield from _place(row.second, found["file"], found["position"])
        for what, expected, value in _place(row.place, source["file"], source["position"]):
            yield f"source's {what}", expected, value
    else:
        yield from _place(row.place, found["file"], found["position"])
    if row.call in LENGTH_ALONE:
        yield "length", row.length, found["count"] if found["position"] is None else found["position"]
    elif row.length is not None:
        yield "count", row.length, found["count"]


def _fault(row: Row, found: Json) -> Iterator[tuple[str, object, object]]:
    """The first page that was touched; a store touches more of them."""
    assert row.place and row.place.offset is not None
    yield from _place(Place(row.place.file, row.place.ino, row.place.device, None), found["file"], None)
    page, position = row.place.offset // PAGE * PAGE, found["position"]
    yield "page", page, None if position is None else position // PAGE * PAGE


def _place(place: Place | None, file: Json | None, position: int | None) -> Iterator[tuple[str, object, object]]:
    expected = (place.ino, place.device) if place and place.file else None
    if expected is None:
        yield "file", "none", "none" if file is None else _file(file)
    elif file is None:
        yield "file", expected, None
    else:
        yield "file", expected, expected if _same_file(expected, file) else _file(file)
    if place and place.offset is not None:
        yield "position", place.offset, position


def _file(file: Json) -> tuple[int, str]:
    return file["ino"], file["device"]


def _same_file(expected: tuple[int, str], file: Json) -> bool:
    """btrfs has an anonymous device (major number 0) for each subvolume beside the one of the file system."""
    ino, device = expected
    anonymous = device.startswith("0:") and file["device"].startswith("0:")
    return file["ino"] == ino and (file["device"] == device or anonymous)
