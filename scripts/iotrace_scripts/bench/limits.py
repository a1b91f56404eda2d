"""What this machine can do at all: its memory, its zstd, its files."""

import re
import struct
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator

from ..say import run
from .measure import Spread

MEGABYTE = 1 << 20
BLOCK = 256 * MEGABYTE


def memory_copy(rounds: int) -> Spread:
    """GB/s of copying 256 MiB (CPython's memoryview assignment is one memcpy)."""
    source, target = bytearray(BLOCK), memoryview(bytearray(BLOCK))
    return Spread.of([BLOCK / _seconds(lambda: target.__setitem__(slice(None), source)) / 1e9 for _ in range(rounds)])


def file_read(path: Path, rounds: int) -> Spread:
    """GB/s of reading a file that the page cache holds."""
    buffer = bytearray(MEGABYTE)

    def read() -> None:
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    read()
    size = path.stat().st_size
    return Spread.of([size / _seconds(read) / 1e9 for _ in range(rounds)])


def zstd(trace: Path, place: Path) -> tuple[float, float]:
    """GB/s of packing and decompressing a trace's blocks at level 1, on one core, by zstd's own benchmark."""
    unpacked = place / "blocks"
    frames = place / "blocks.zst"
    frames.write_bytes(b"".join(_blocks(trace.read_bytes())))
    run(["zstd", "-q", "-d", "-f", str(frames), "-o", str(unpacked)], "decompressing a trace's blocks")
    said = run(["zstd", "-b1", "-i2", str(unpacked)], "measuring zstd", stdout=subprocess.PIPE)
    speeds = re.findall(r"([0-9.]+) MB/s", (said.stdout + said.stderr).decode())
    return float(speeds[-2]) / 1e3, float(speeds[-1]) / 1e3


def _blocks(trace: bytes) -> Iterator[bytes]:
    """The blocks of events, each a zstd frame: see schemas/FORMAT.md."""
    at = 16
    while at + 72 <= len(trace):
        kind, (table, stored) = trace[at + 4:at + 5], struct.unpack_from("<II", trace, at + 44)
        if kind == b"E":
            yield trace[at + 72 + table:at + 72 + table + stored]
        at += 72 + table + stored


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
