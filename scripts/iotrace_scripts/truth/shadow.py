"""A model of the page cache: who wrote each byte last, and which bytes must have been carried to the disk by when.

In: the table's rows in order. Out: for each row that writes into the page cache, the bytes that it wrote, those that must
be carried, each with the time until then, and what replaced them later. Bytes of a page that was written to through a
mapping need not be carried for their writer: which of them the mapping's user wrote is not known.
"""

from dataclasses import dataclass, field
from typing import Iterable

from . import spans
from .spans import Range
from .table import ALL, PAGE, Effect, Row

WROTE, DIRECT, STORED, ZEROED, TRUNCATED, COLLAPSED, UNLINKED, CLONED, FLUSHED, SYNCED = "wdsztculfS"
REPLACING = (WROTE, DIRECT, STORED, ZEROED, TRUNCATED, COLLAPSED, UNLINKED, CLONED)
# The mapping of bytes to the disk may be another one afterwards.
SHARED = "source of a clone"
MOVING = (ZEROED, TRUNCATED, COLLAPSED, UNLINKED, CLONED, SHARED)


@dataclass
class Written:
    """What a row wrote into the page cache."""

    row: Row
    file: str
    span: Range
    due: list[tuple[Range, int]] = field(default_factory=list)  # bytes, and the time by which they must be carried


@dataclass
class Shadow:
    """All rows that write, and all effects on each file, in order."""

    written: dict[int, Written] = field(default_factory=dict)  # by the row's number
    effects: dict[str, list[tuple[Row, Effect]]] = field(default_factory=dict)
    dirty: dict[str, list[tuple[Range, Written]]] = field(default_factory=dict)

    def replacing(self, written: Written, until: int) -> list[tuple[Row, Range]]:
        """The rows that had replaced bytes of a row at a time, and those bytes."""
        later = [(row, effect) for row, effect in self.effects.get(written.file, ())
                 if row.number > written.row.number and row.end < until and effect.kind in REPLACING]
        parts = [(row, spans.intersect([written.span], [(effect.begin, ALL if effect.kind == COLLAPSED else effect.end)]))
                 for row, effect in later]
        return [(row, part) for row, found in parts for part in found]

    def moved(self, written: Written, begin: int, end: int) -> bool:
        """Whether bytes of a row may be elsewhere on the disk at the end than when they were carried. Blocks move, which
        are no larger than a page. XFS reserves room around a block that was shared, and moves what is written there
        (xfs_buffered_write_iomap_begin: found_cow)."""
        pages, effects = [(begin // PAGE * PAGE, -(-end // PAGE) * PAGE)], self.effects.get(written.file, ())
        shared = any(effect.kind in (CLONED, SHARED) for _, effect in effects)
        kinds = REPLACING + (SHARED,) if shared else MOVING
        return any(row.number > written.row.number and spans.intersect(pages, [_moving(effect)])
                   for row, effect in effects if effect.kind in kinds)


def _moving(effect: Effect) -> Range:
    if effect.kind == UNLINKED:
        return 0, ALL
    if effect.kind == COLLAPSED:
        return effect.begin // PAGE * PAGE, ALL
    return effect.begin // PAGE * PAGE, effect.end if effect.end == ALL else -(-effect.end // PAGE) * PAGE


def build(rows: Iterable[Row]) -> Shadow:
    """The model after all rows, and a sync."""
    shadow = Shadow()
    for row in rows:
        for effect in row.effects:
            _apply(shadow, row, effect)
        if any(effect.kind == CLONED for effect in row.effects) and row.place:
            whole = Effect(SHARED, row.place.file, 0, ALL)  # blocks of the source, too, move when they are written to
            shadow.effects.setdefault(whole.file, []).append((row, whole))
    for file in shadow.dirty:
        _flush(shadow, file, 0, ALL, ALL)
    return shadow


def _apply(shadow: Shadow, row: Row, effect: Effect) -> None:
    if effect.kind == SYNCED:
        for file in shadow.dirty:
            _flush(shadow, file, 0, ALL, row.end)
        return
    shadow.effects.setdefault(effect.file, []).append((row, effect))
    if effect.kind == FLUSHED:
        end = effect.end if effect.end == ALL else -(-effect.end // PAGE) * PAGE
        _flush(shadow, effect.file, effect.begin // PAGE * PAGE, end, row.end)
    elif effect.kind == COLLAPSED:  # what is behind is flushed before it moves
        _flush(shadow, effect.file, effect.end, ALL, row.end)
        _drop(shadow, effect.file, effect.begin, ALL)
    elif effect.kind == STORED:  # that its other bytes are still those of others cannot be known from outside
        _drop(shadow, effect.file, effect.begin // PAGE * PAGE, -(-effect.end // PAGE) * PAGE)
    else:
        _drop(shadow, effect.file, effect.begin, effect.end)
    if effect.kind == WROTE:
        written = Written(row, effect.file, (effect.begin, effect.end))
        shadow.written[row.number] = written
        shadow.dirty.setdefault(effect.file, []).append((written.span, written))


def _drop(shadow: Shadow, file: str, begin: int, end: int) -> None:
    """Bytes are not dirty any more, or are another row's."""
    shadow.dirty[file] = [(part, written) for span, written in shadow.dirty.get(file, ())
                          for part in spans.subtract([span], [(begin, end)])]


def _flush(shadow: Shadow, file: str, begin: int, end: int, until: int) -> None:
    for span, written in shadow.dirty.get(file, ()):
        written.due += [(part, until) for part in spans.intersect([span], [(begin, end)])]
    if until != ALL:
        _drop(shadow, file, begin, end)
