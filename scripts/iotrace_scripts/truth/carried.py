"""Bytes that bios carried to the disk: whose they are, whether all of them are, and where they are on the disk."""

from bisect import bisect_right
from typing import Iterator

from . import spans
from .report import Json, Report, disk_span, queued
from .result import Finding, Result
from .rows import Matches, where
from .shadow import DIRECT, Shadow, Written
from .spans import Range
from .table import Table

CARRIED, DIRECT_WRITE, LOCATION = "bytes carried", "bytes written directly", "place on the disk"
# A file system that has its own numbers for places (btrfs), and one that has none.
OWN_ADDRESSES, NO_FILE_SYSTEM = ("btrfs",), "raw"
# Small files may be in the metadata of btrfs (its mount option max_inline): no bio carries them by themselves.
INLINE_BYTES = 2048
# FIEMAP flags: the place is not known, or not on this disk yet (linux/fiemap.h).
UNKNOWN, DELAYED, INLINE = 0x2, 0x4, 0x200
PARTITION = 0  # where the file system begins on the disk


def compare(table: Table, report: Report, shadow: Shadow, matches: Matches, result: Result) -> None:
    """Compare what each row wrote."""
    places = Places(table)
    for number, written in shadow.written.items():
        if number in matches:
            if table.file_system in OWN_ADDRESSES:
                written.due = [(span, until) for span, until in written.due if span[1] > INLINE_BYTES]
            result.add(CARRIED, _carried(written, matches[number], report, shadow))
            _locations(written, matches[number], report, shadow, places, result)
    for row in table.rows:
        for effect in row.effects:
            if effect.kind == DIRECT and row.number in matches:
                written = Written(row, effect.file, (effect.begin, effect.end))
                result.add(DIRECT_WRITE, _direct(written, matches[row.number], report, shadow, places))


def _carried(written: Written, io: Json, report: Report, shadow: Shadow) -> Iterator[Finding]:
    at = f"{where(written.row)} (I/O {io['id']})"
    parts = [(part["from"], part["to"], report.bio.get(part["bio"])) for part in io["carried"]]
    foreign = spans.subtract(((begin, end) for begin, end, _ in parts), [written.span])
    if foreign:
        yield Finding(CARRIED, "wrong", "bytes that it did not write", at, spans.text([written.span]), spans.text(foreign))
    in_time: list[tuple[Range, int]] = []
    for number, (begin, end, bio) in enumerate(parts):
        twice = spans.intersect([(begin, end)], [part[:2] for part in parts[:number] if part[2] is bio])
        if twice:
            yield Finding(CARRIED, "wrong", "listed twice", at, "each byte once for a bio", spans.text(twice))
        time = queued(bio) if bio else None
        if bio is None or time is None:
            yield Finding(CARRIED, "wrong", "bio", at, "a bio of the report", "none")
            continue
        in_time.append(((begin, end), time))
        for row, part in shadow.replacing(written, time):
            old = spans.intersect([(begin, end)], [part])
            if old:
                yield Finding(CARRIED, "wrong", f"bytes that {row.call} had replaced", f"{at} by bio {bio['id']}",
                              f"not {spans.text(old)}, of {where(row)}", spans.text([(begin, end)]))
        if time < written.row.begin:
            yield Finding(CARRIED, "wrong", "carried before it was written", at, f"after {written.row.begin}", str(time))
        if not _listed(bio, io, begin, end):
            yield Finding(CARRIED, "wrong", "the bio does not list them", at, spans.text([(begin, end)]),
                          f"bio {bio['id']}: {bio['carries']}")
    # From 6.11 on a fault makes a whole large folio writable: who wrote which of its bytes is not known.
    place = written.row.second or written.row.place
    yield from _late(written, in_time, at, report.mapped.get(place.ino, []) if place else [])


def _listed(bio: Json, io: Json, begin: int, end: int) -> bool:
    listed = [(part["from"], part["to"]) for part in bio["carries"] if part["io"] == io["id"]]
    return not spans.subtract([(begin, end)], listed)


def _late(written: Written, in_time: list[tuple[Range, int]], at: str, mapped: list[Range]) -> Iterator[Finding]:
    """What is not carried when a flush returns that it must be carried by."""
    due = spans.union(span for span, _ in written.due)
    late = [part for span, until in written.due
            for part in spans.subtract([span], mapped + [done for done, time in in_time if time <= until])]
    if late:
        none = spans.size(late) == spans.size(due)
        yield Finding(CARRIED, "missing" if none else "incomplete", "bytes that must be carried", at, spans.text(due),
                      f"all but {spans.text(late)}")


class Places:
    """Where bytes of files are on the disk at the end."""

    def __init__(self, table: Table) -> None:
        self.file_system = table.file_system
        self.extents: dict[str, list[tuple[int, int, int]]] = {}
        for extent in table.extents:
            if not extent.flags & (UNKNOWN | DELAYED | INLINE):
                self.extents.setdefault(extent.file, []).append((extent.logical, extent.physical, extent.length))

    def of(self, file: str, begin: int, end: int) -> list[Range] | None:
        """Bytes of the disk; None if they are not known."""
        if self.file_system == NO_FILE_SYSTEM:
            return [(begin, end)]
        if self.file_system in OWN_ADDRESSES or file not in self.extents:
            return None
        extents = sorted(self.extents[file])
        index = max(0, bisect_right([logical for logical, _, _ in extents], begin) - 1)
        found: list[Range] = []
        for logical, physical, length in extents[index:]:
            first, last = max(begin, logical), min(end, logical + length)
            if first < last:
                found.append((PARTITION + physical + first - logical, PARTITION + physical + last - logical))
        return found if spans.size(found) == end - begin else None


def _locations(written: Written, io: Json, report: Report, shadow: Shadow, places: Places, result: Result) -> None:
    """The disk's bytes of each bio hold the file's bytes that it carried."""
    for part in io["carried"]:
        bio, place = report.bio.get(part["bio"]), places.of(written.file, part["from"], part["to"])
        if bio and place and not shadow.moved(written, part["from"], part["to"]):
            outside = spans.subtract(place, [disk_span(bio)])
            at = f"{where(written.row)} bytes {part['from']}..{part['to']}"
            finding = Finding(LOCATION, "wrong", "bytes of the disk", at, spans.text(place),
                              f"bio {bio['id']}: {spans.text([disk_span(bio)])}")
            result.add(LOCATION, [finding] if outside else [])


def _direct(written: Written, io: Json, report: Report, shadow: Shadow, places: Places) -> Iterator[Finding]:
    """A direct write's own bios are those bytes of the disk, as far as they are still there at the end."""
    at = f"{where(written.row)} (I/O {io['id']})"
    bios = [report.bio[number] for number in io["bios"] if number in report.bio]
    bios = [bio for bio in bios if bio["op"] == "write" and written.row.begin <= (queued(bio) or 0) <= written.row.end]
    size = written.span[1] - written.span[0]
    if not bios:
        yield Finding(DIRECT_WRITE, "missing", "bios", at, f"{size} bytes", "none")
        return
    place = None if shadow.moved(written, *written.span) else places.of(written.file, *written.span)
    disk = [disk_span(bio) for bio in bios]
    if place is None and spans.size(disk) < size:
        yield Finding(DIRECT_WRITE, "incomplete", "bytes of its bios", at, str(size), str(spans.size(disk)))
    if place and spans.subtract(place, disk):
        yield Finding(DIRECT_WRITE, "wrong", "bytes of the disk", at, spans.text(place), spans.text(disk))
