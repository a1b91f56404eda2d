"""The origin of each bio: the row that its task was in when it was queued."""

from bisect import bisect_right
from typing import Iterator

from .report import Json, Report, calls_in, queued
from .result import Finding, Result
from .rows import FAULTS, Matches, where
from .table import Row, Table

ORIGIN = "origin of a bio"
# Rows begin one after the other; those of a batch of asynchronous entries are this many at most around the same moment.
ENCLOSING = 8


def compare(table: Table, report: Report, matches: Matches, result: Result) -> None:
    """Compare the origins of all bios that were queued from the first row's begin to the last one's end."""
    if not table.rows:
        return
    begins = [row.begin for row in table.rows]
    rows_of = {io["id"]: number for number, io in matches.items()}
    begin_of = {io["id"]: io["entry"]["ns"] for io in report.ios}
    last = max(row.end for row in table.rows)
    for bio in report.bios:
        time = queued(bio)
        if time is None or not begins[0] <= time <= last:
            continue
        index = bisect_right(begins, time)
        around = [row for row in table.rows[max(0, index - ENCLOSING):index]
                  if row.begin <= time <= row.end and row.pid in (bio["task"]["pid"], bio["task"]["tgid"])]
        result.add(ORIGIN, _findings(bio, time, around, rows_of, begin_of))


def _findings(bio: Json, time: int, around: list[Row], rows_of: dict[int, int],
              begin_of: dict[int, int | None]) -> Iterator[Finding]:
    at = f"bio {bio['id']} {bio['rwbs']} by {bio['task']['comm']}/{bio['task']['pid']}"
    names = calls_in(bio["origin"])
    found = ", ".join(step["kind"] + (f" {step['io']} {step.get('name')}" if step.get("io") is not None else "")
                      for step in bio["origin"])
    if not bio["origin"]:
        yield Finding(ORIGIN, "missing", "origin", at, where(around[-1]) if around else "some", "none")
        return
    unlisted = [io for io in names if io not in begin_of]
    if unlisted:
        yield Finding(ORIGIN, "wrong", "an I/O that the report does not have", at, "one of its I/Os",
                      f"I/O {unlisted[0]}: {found}")
    early = [io for io in names if (begin_of.get(io) or 0) > time]
    if early:
        yield Finding(ORIGIN, "wrong", "an I/O that had not begun", at, f"begun before {time}",
                      f"I/O {early[0]}: {found}")
    if not around or bio["origin"][0]["kind"] == "interrupt":
        return
    if around[-1].call in FAULTS:
        if bio["origin"][0]["kind"] != "fault":
            yield Finding(ORIGIN, "wrong", "the page fault in progress", at, where(around[-1]), found)
        return
    # The row of execve lasts as long as the new program, whose page faults are its own.
    if around[-1].call == "execve" and bio["origin"][0]["kind"] == "fault":
        return
    expected = {row.number for row in around}
    if not any(rows_of.get(io) in expected for io in names):
        grade = "wrong" if names else "incomplete"
        yield Finding(ORIGIN, grade, f"the {around[-1].call} in progress", at, where(around[-1]), found)
