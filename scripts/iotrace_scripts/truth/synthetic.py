"""A table without a guest, and the report that an analyzer without faults would make of it: for tests.

Time advances by STEP from row to row. The K-th file begins at the K-th MiB of the disk, and is in one piece there.
"""

import random
from dataclasses import dataclass, field
from typing import Any

from . import shadow
from .report import Json
from .rows import FAULTS, NO_ROWS
from .shadow import DIRECT
from .table import ALL, PAGE, Row, Table, parse

STEP = 10_000
TASKS = ((101, "truth-a"), (102, "truth-b"))
FILE_BYTES = 1 << 20
CHOICES = ("pwrite pwrite pwrite pwrite pwritev2 dsync direct pread fsync fsync sync unlink sendfile ftruncate store error "
           "fallocate range").split()
COLUMNS = ("pid comm call ordinal begin end file ino device offset second_file second_ino second_device second_offset "
           "length result errno effects").split()


@dataclass
class Writer:
    """Writes the lines of a table."""

    chance: random.Random
    lines: list[str] = field(default_factory=list)
    made: dict[tuple[int, str], int] = field(default_factory=dict)
    generation: list[int] = field(default_factory=lambda: [0, 0, 0])
    time: int = 1_000_000

    def name(self, file: int) -> str:
        """The file's name in the table."""
        return f"f{file}#{self.generation[file]}"

    def row(self, call: str, file: int | None, offset: int | str = "-", length: int | str = "-", result: int = 0,
            error: int = 0, effects: str = "-", second: tuple[int, int] | None = None) -> None:
        """One row, by one of the tasks."""
        pid, comm = self.chance.choice(TASKS)
        ordinal = self.made.get((pid, call), 0)
        self.made[pid, call] = ordinal + 1
        place = [self.name(file), inode(file), "8:0"] if file is not None else ["-", "-", "-"]
        other = [self.name(second[0]), inode(second[0]), "8:0", second[1]] if second else ["-", "-", "-", "-"]
        values = [pid, comm, call, ordinal, self.time, self.time + STEP // 2, *place, offset, *other, length,
                  -1 if error else result, error, effects]
        self.lines.append("\t".join(["truth", "row", *map(str, values)]))
        self.time += STEP


def inode(file: int) -> int:
    """A new file of a name gets the inode of the old one."""
    return 1000 + file


def disk_begin(file: str) -> int:
    """Where a file begins on the disk."""
    number, generation = file.removeprefix("f").split("#")
    return (1 + int(number) + 3 * int(generation)) * FILE_BYTES


def table(seed: int, count: int) -> Table:
    """A table of `count` operations."""
    writer = Writer(random.Random(seed))
    for _ in range(count):
        _operation(writer, writer.chance)
    rows = [["version", "1"], ["columns", *COLUMNS]]
    extents = [["extent", name, "0", str(disk_begin(name)), str(FILE_BYTES), "0x0"] for name in map(writer.name, range(3))]
    ends = [["rows", str(len(writer.lines))], *extents, ["end"]]
    lines = ["\t".join(["truth", *line]) for line in rows] + writer.lines + ["\t".join(["truth", *line]) for line in ends]
    return parse(lines, "xfs", "a synthetic table")


def _operation(writer: Writer, chance: random.Random) -> None:
    file, at, length = chance.randrange(3), chance.randrange(100_000), chance.randrange(1, 30_000)
    name, page, pages = writer.name(file), at // PAGE * PAGE, PAGE * chance.randrange(1, 5)
    wrote = f"w:{name}:{at}:{at + length}"
    match chance.choice(CHOICES):
        case "pwrite":
            writer.row("pwrite", file, at, length, length, effects=wrote)
        case "pwritev2":
            writer.row("pwritev2", file, at, length, length, effects=wrote)
        case "dsync":
            writer.row("pwrite", file, at, length, length, effects=f"{wrote} f:{name}:{at}:{at + length}")
        case "direct":
            writer.row("pwrite", file, page, pages, pages, effects=f"d:{name}:{page}:{page + pages}")
        case "pread":
            writer.row("pread", file, at, length, length // 2)
        case "fsync":
            writer.row("fsync", file, effects=f"f:{name}:0:-")
        case "sync":
            writer.row("sync", None, effects="S::0:-")
        case "unlink":
            writer.row("unlink", file, effects=f"u:{name}:0:-")
            writer.generation[file] += 1
        case "sendfile":
            other = (file + 1) % 3
            wrote = f"w:{writer.name(other)}:7:{7 + length}"
            writer.row("sendfile", file, at, length, length, effects=wrote, second=(other, 7))
        case "ftruncate":
            writer.row("ftruncate", file, "-", at, effects=f"t:{name}:{at}:-")
        case "store":
            writer.row("store", file, at, length, length, effects=f"s:{name}:{at}:{at + length}")
        case "error":
            writer.row("pread", None, 0, 100, error=9)
        case "fallocate":
            writer.row("fallocate", file, at, length, effects=f"z:{name}:{at}:{at + length}")
        case "range":
            writer.row("sync_file_range", file, at, length, effects=f"f:{name}:{at}:{at + length}")


def report(of: Table) -> Json:
    """What should be reported of a table; and the bios whose bytes are where the extents say (`stable`)."""
    maker, stable = Maker(of), []
    model = shadow.build(of.rows)
    for written in model.written.values():
        for (begin, end), until in written.due:
            row = next((row for row in of.rows if row.end == until), None)
            bio = maker.bio(written.file, begin, end, row, written.row)
            part = {"bio": bio["id"], "io": maker.io_of[written.row.number]["id"], "from": begin, "to": end}
            bio["carries"].append(part)
            maker.io_of[written.row.number]["carried"].append(part)
            if not model.moved(written, begin, end) and any(extent.file == written.file for extent in of.extents):
                stable.append(bio["id"])
    for row in of.rows:
        for effect in row.effects:
            if effect.kind == DIRECT:
                bio = maker.bio(effect.file, effect.begin, effect.end, row, row)
                maker.io_of[row.number]["bios"].append(bio["id"])
    return {"ios": maker.ios, "bios": maker.bios, "stable": stable}


class Maker:
    """Makes the I/Os and bios of a report."""

    def __init__(self, of: Table) -> None:
        self.rows = of.rows
        self.ios: list[Json] = []
        self.bios: list[Json] = []
        self.io_of = {row.number: self._io(row) for row in of.rows if row.call not in (*NO_ROWS, *FAULTS)}

    def _io(self, row: Row) -> Json:
        source, place = (row.place, row.second) if row.second else (None, row.place)
        named = place if place and place.file else None
        io: Json = {
            "id": len(self.ios) + 1, "kind": "syscall", "syscall": "pwritev" if row.call == "pwritev2" else row.call,
            "task": task(row), "entry": {"ns": row.begin + 10}, "return_value": row.result, "bios": [], "carried": [],
            "file": named and {"ino": named.ino, "device": named.device}, "position": place and place.offset,
            "count": row.length,
            "source": source and {"file": {"ino": source.ino, "device": source.device}, "position": source.offset},
        }
        self.ios.append(io)
        return io

    def bio(self, file: str, begin: int, end: int, row: Row | None, writer: Row) -> Json:
        """A write, queued in a row; or after all rows."""
        first = disk_begin(file) + begin // PAGE * PAGE
        last = disk_begin(file) + -(-end // PAGE) * PAGE
        by = row or writer
        origin: dict[str, Any] = {"kind": "syscall", "io": self.io_of[by.number]["id"], "name": by.call, "task": task(by)}
        bio: Json = {"id": len(self.bios) + 1, "rwbs": "W", "op": "write", "sector": first // 512, "bytes": last - first,
                     "carries": [], "task": task(by), "origin": [origin],
                     "stages": [{"stage": "queued", "ns": row.begin + 100 if row else self.rows[-1].end + 1}]}
        self.bios.append(bio)
        return bio


def task(row: Row) -> Json:
    """The task of a row."""
    return {"pid": row.pid, "tgid": row.pid, "comm": row.comm}


assert ALL > FILE_BYTES
