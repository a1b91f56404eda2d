"""Decompression of what kernels are packed with: Python's own modules, or a program's help.

In: a file, perhaps somebody else's. Out: its contents, or a Problem. They have LARGEST bytes at most, and no more than
DICTIONARY is needed to decompress them.
"""

import bz2
import lzma
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path
from typing import Iterable

from .say import Problem

LARGEST = 2 << 30  # bytes of what is decompressed: a vmlinux with debug information has some 500 MB
HEADER = 0x250  # bytes up to payload_length (Documentation/arch/x86/boot.rst)
DICTIONARY = 512 << 20  # bytes of memory that xz may take: its highest level takes 65 MiB, kernels 32


def payload(data: bytes, what: str) -> bytes:
    """Decompress by the data's first bytes; what follows the compressed stream is ignored."""
    try:
        contents = _contents(data, what)
    except (lzma.LZMAError, zlib.error, OSError, EOFError, ValueError) as error:
        raise Problem(f"decompressing {what}: {error}: truncated or damaged, get it again") from None
    if len(contents) > LARGEST:
        raise Problem(f"decompressing {what}: more than {LARGEST} bytes: not part of a kernel")
    return contents


def _contents(data: bytes, what: str) -> bytes:
    """The contents, at most one byte more than they may have."""
    if data.startswith(b"\xfd7zXZ\0") or data.startswith(b"\x5d\0\0"):
        return lzma.LZMADecompressor(memlimit=DICTIONARY).decompress(data, LARGEST + 1)
    if data.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(31).decompress(data, LARGEST + 1)
    if data.startswith(b"BZh"):
        return bz2.BZ2Decompressor().decompress(data, LARGEST + 1)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return _piped(["zstd", "-dcq"], data, what)
    if data.startswith(b"\x02\x21\x4c\x18"):
        return _piped(["lz4", "-dcq"], data, what)
    if data.startswith(b"\x7fELF"):
        return data
    raise Problem(f"{what}: unknown compression (magic {data[:6].hex(' ')})")


def _piped(command: list[str], data: bytes, what: str) -> bytes:
    """What a program makes of the data; it is ended if that is too much."""
    with tempfile.TemporaryFile() as packed, tempfile.TemporaryFile() as errors:
        packed.write(data)
        packed.seek(0)
        try:
            process = subprocess.Popen(command, stdin=packed, stdout=subprocess.PIPE, stderr=errors)
        except FileNotFoundError:
            raise Problem(f"decompressing {what}: no program '{command[0]}'; run scripts/setup") from None
        with process:
            assert process.stdout is not None
            contents = process.stdout.read(LARGEST + 1)
            if len(contents) > LARGEST:
                process.kill()
        if process.returncode > 0:
            errors.seek(0)
            raise Problem(f"decompressing {what}: {errors.read().decode(errors='replace').strip()[-2000:]}")
        return contents


def elf_from_bzimage(boot_image: Path, elf: Path) -> None:
    """Write the kernel's ELF file that is packed in a boot image (no symbols, but its .BTF)."""
    data = boot_image.read_bytes()
    if data[0x202:0x206] != b"HdrS" and data[0x1FE:0x200] != b"\x55\xaa":
        raise Problem(f"{boot_image} is not an x86 boot image (bzImage)")
    if len(data) < HEADER:
        raise Problem(f"{boot_image}: {len(data)} bytes: truncated, get it again")
    setup_sectors = data[0x1F1] or 4
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    packed = data[start:start + length - 4]  # the last four bytes are the unpacked size
    elf.write_bytes(payload(packed, f"the kernel in {boot_image}"))


def modules_in_place(files: Iterable[Path]) -> None:
    """Replace each x.ko.xz, x.ko.zst or x.ko.gz by x.ko."""
    for file in list(files):
        file.with_suffix("").write_bytes(payload(file.read_bytes(), str(file)))
        file.unlink()
