"""Decompression of what kernels are packed with: Python's own modules, or a program's help."""

import bz2
import lzma
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Iterable

from .say import Problem, run


def payload(data: bytes, what: str) -> bytes:
    """Decompress by the data's first bytes; what follows the compressed stream is ignored."""
    if data.startswith(b"\xfd7zXZ\0") or data.startswith(b"\x5d\0\0"):
        return lzma.LZMADecompressor().decompress(data)
    if data.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(31).decompress(data)
    if data.startswith(b"BZh"):
        return bz2.BZ2Decompressor().decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return _piped(["zstd", "-dcq"], data, what)
    if data.startswith(b"\x02\x21\x4c\x18"):
        return _piped(["lz4", "-dcq"], data, what)
    if data.startswith(b"\x7fELF"):
        return data
    raise Problem(f"{what}: unknown compression (magic {data[:6].hex(' ')})")


def _piped(command: list[str], data: bytes, what: str) -> bytes:
    return run(command, f"decompressing {what}", input=data, stdout=subprocess.PIPE).stdout


def elf_from_bzimage(boot_image: Path, elf: Path) -> None:
    """Write the kernel's ELF file that is packed in a boot image (no symbols, but its .BTF)."""
    data = boot_image.read_bytes()
    if data[0x202:0x206] != b"HdrS" and data[0x1FE:0x200] != b"\x55\xaa":
        raise Problem(f"{boot_image} is not an x86 boot image (bzImage)")
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
