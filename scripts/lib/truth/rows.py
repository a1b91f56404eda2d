"""Rows of the table against the I/Os of the report, matched by task, call and ordinal alone."""

from collections import Counter
from typing import Iterator

from .report import Json, Report
from .result import Finding, Result
from .table import Place, Row, Table

# Other names for a call in a report, if it does not have the call's own.
OTHER_NAMES = {"preadv2": "preadv", "pwritev2": "pwritev"}
# Of these the table has rows to count or to place bios, but they are no I/Os: they have no row in a report.
NO_ROWS = ("mmap", "munmap", "fchmod", "store", "fault")
# Calls whose length is the new length of the file, which a report may show as count or as position.
LENGTH_ALONE = ("ftruncate", "truncate")
# Calls of which only the result is compared: their file is a ring, a context, or a name that is not open.
RESULT_ALONE = ("io_uring_enter", "io_submit", "io_getevents", "mkdir", "sync")
# Of calls with two files: the second one is the one that is written.
SECOND = ("second_file", "second_position")

Matches = dict[int, Json]  # an I/O by the number of the row


def compare(table: Table, report: Report, result: Result) -> Matches:
    """Compare every row; returns the I/Os that were found."""
    counts: Counter[tuple[int, str]] = Counter()
    matches: Matches = {}
    for row in table.rows:
        if row.call in NO_ROWS:
            continue
        call = row.call if row.call in report.calls else OTHER_NAMES.get(row.call, row.call)
        ordinal = counts[row.pid, call]
        counts[row.pid, call] += 1
        found = report.row(row.pid, call, ordinal)
        if found is None:
            result.add(row.call, [Finding(row.call, "missing", "row", where(row), f"{call} {ordinal} of the task", "none")])
            continue
        matches[row.number] = found
        result.add(row.call, differences(row, found))
    return matches


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
    yield "result", row.result, found["return_value"]
    if found["entry"]["ns"] is not None and not row.begin <= found["entry"]["ns"] <= row.end:
        yield "time of entry", f"{row.begin} to {row.end}", found["entry"]["ns"]
    if row.call in RESULT_ALONE or row.call == "openat" and row.result < 0:
        return
    if row.second:
        yield from _two_places(row, found)
    else:
        yield from _place(row.place, found["file"], found["position"])
    if row.call in LENGTH_ALONE:
        yield "length", row.length, found["count"] if found["position"] is None else found["position"]
    elif row.length is not None:
        yield "count", row.length, found["count"]


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


def _two_places(row: Row, found: Json) -> Iterator[tuple[str, object, object]]:
    """A report may name the source or the target first."""
    places = [place for place in (row.place, row.second) if place]
    file = found["file"]
    first = next((place for place in places if found["position"] in (None, place.offset)
                  and (file is None or _same_file((place.ino, place.device), file))), places[0])
    yield from _place(first, file, found["position"])
    other = places[1] if first is places[0] else places[0]
    file = found.get(SECOND[0])
    yield "second file", (other.ino, other.device), file and ((other.ino, other.device)
                                                              if _same_file((other.ino, other.device), file) else _file(file))
    yield "second position", other.offset, found.get(SECOND[1])


def _file(file: Json) -> tuple[int, str]:
    return file["ino"], file["device"]


def _same_file(expected: tuple[int, str], file: Json) -> bool:
    """btrfs has an anonymous device (major number 0) for each subvolume beside the one of the file system."""
    ino, device = expected
    anonymous = device.startswith("0:") and file["device"].startswith("0:")
    return file["ino"] == ino and (file["device"] == device or anonymous)
