"""Sets of bytes: sorted ranges that do not touch."""

from typing import Iterable

Range = tuple[int, int]  # first byte, one past the last


def union(ranges: Iterable[Range]) -> list[Range]:
    """The bytes that are in any of the ranges."""
    found: list[Range] = []
    for begin, end in sorted(span for span in ranges if span[0] < span[1]):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def subtract(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """The bytes that are in `ranges` and not in `taken`."""
    left = union(ranges)
    for begin, end in taken:
        left = [part for span in left for part in ((span[0], min(span[1], begin)), (max(span[0], end), span[1]))
                if part[0] < part[1]]
    return left


def intersect(ranges: Iterable[Range], others: Iterable[Range]) -> list[Range]:
    """The bytes that are in both."""
    kept = union(ranges)
    return subtract(kept, subtract(kept, others))


def size(ranges: Iterable[Range]) -> int:
    """Bytes."""
    return sum(end - begin for begin, end in union(ranges))


def text(ranges: Iterable[Range]) -> str:
    """For messages."""
    return " ".join(f"{begin}..{end}" for begin, end in union(ranges)) or "none"
