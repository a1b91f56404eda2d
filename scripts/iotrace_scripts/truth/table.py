"""The table that the workload `truth` prints (scripts/guest/truth/print.c).

In: the console of a recording. Out: its rows in the order in which they were begun, and the extents of the files that are
left. Offsets and lengths are bytes, times virtual nanoseconds.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

from ..say import Problem

VERSION = "1"
ALL = 1 << 63  # the end of every file
PAGE = 4096


@dataclass(frozen=True)
class Place:
    """A file, and where in it."""

    file: str  # "f2#1": the second file with the name f2
    ino: int
    device: str
    offset: int | None


@dataclass(frozen=True)
class Effect:
    """What a row changes or flushes: `enum effect_kind` in truth.h."""

    kind: str
    file: str
    begin: int
    end: int


@dataclass(frozen=True)
class Row:
    """An operation."""

    number: int  # in the table, from 0
    pid: int
    comm: str
    call: str
    ordinal: int
    begin: int
    end: int
    place: Place | None
    second: Place | None
    length: int | None
    result: int  # as the kernel returns it: a negative error number
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class Extent:
    """Bytes of a file on the disk (FIEMAP)."""

    file: str
    logical: int
    physical: int
    length: int
    flags: int


def _extent(file: str, logical: str, physical: str, length: str, flags: str) -> Extent:
    """A line of the table; an error of value or type if it is none."""
    return Extent(file, int(logical), int(physical), int(length), int(flags, 16))


@dataclass(frozen=True)
class Table:
    """What the program printed."""

    rows: tuple[Row, ...]
    extents: tuple[Extent, ...]
    file_system: str


def read(console: Path, file_system: str) -> Table:
    """The table in a console."""
    lines = console.read_text(errors="replace").splitlines()
    return parse((line.rstrip("\r") for line in lines), file_system, str(console))


def parse(lines: Iterable[str], file_system: str, name: str) -> Table:
    """The table among other lines."""
    found = [line.split("\t")[1:] for line in lines if line.startswith("truth\t")]
    if not found or found[0] != ["version", VERSION]:
        raise Problem(f"{name} has no table of the workload truth of version {VERSION}: record it with --workload truth")
    of = {kind: [line[1:] for line in found if line[0] == kind] for kind in ("columns", "row", "rows", "extent", "end")}
    if len(of["columns"]) != 1 or of["rows"] != [[str(len(of["row"]))]] or len(of["end"]) != 1:
        raise Problem(f"the table in {name} is not complete: it has {len(of['row'])} rows")
    try:
        rows = tuple(_row(number, dict(zip(of["columns"][0], line, strict=True))) for number, line in enumerate(of["row"]))
        extents = tuple(_extent(*line) for line in of["extent"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise Problem(f"the table in {name} has a line that cannot be read: {error}") from None
    return Table(rows, extents, file_system)


def _row(number: int, line: dict[str, str]) -> Row:
    error = int(line["errno"])
    effects = [] if line["effects"] == "-" else line["effects"].split(" ")
    return Row(number, int(line["pid"]), line["comm"], line["call"], int(line["ordinal"]), int(line["begin"]),
               int(line["end"]), _place(line, ""), _place(line, "second_"), _number(line["length"]),
               -error if error else int(line["result"]), tuple(map(_effect, effects)))


def _place(line: dict[str, str], prefix: str) -> Place | None:
    file, ino, device, offset = (line[f"{prefix}{name}"] for name in ("file", "ino", "device", "offset"))
    if file == "-":
        return Place("", 0, "", _number(offset)) if offset != "-" else None
    return Place(file, int(ino), device, _number(offset))


def _effect(text: str) -> Effect:
    kind, file, begin, end = text.split(":")
    return Effect(kind, file, int(begin), ALL if end == "-" else int(end))


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)
