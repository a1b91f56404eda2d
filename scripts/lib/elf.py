"""The little that is needed of 64-bit ELF files: sections, the build-id among the notes, code and symbols."""

import bisect
import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .say import Problem

# elf.h: e_ident[EI_CLASS] and e_ident[EI_DATA], e_machine, e_type.
LITTLE_64 = b"\x02\x01"
X86_64 = 62
EXECUTABLE, SHARED = 2, 3


def sections(path: Path) -> dict[str, tuple[int, int]]:
    """Each section's offset and size in the file, by name."""
    with open(path, "rb") as file:
        return _sections(file, str(path))


def _sections(file: BinaryIO, what: str) -> dict[str, tuple[int, int]]:
    header = file.read(64)
    if header[:5] != b"\x7fELF\x02":
        raise Problem(f"{what} is not a 64-bit ELF file")
    (table,) = struct.unpack_from("<Q", header, 40)
    size, count, names_index = struct.unpack_from("<HHH", header, 58)
    file.seek(table)
    raw = file.read(size * count)
    rows = [struct.unpack_from("<IIQQQQ", raw, index * size) for index in range(count)]
    if not rows:
        return {}
    file.seek(rows[names_index][4])
    names = file.read(rows[names_index][5])
    return {
        names[name:names.index(b"\0", name)].decode(): (offset, length)
        for name, _kind, _flags, _address, offset, length in rows
    }


def section(path: Path, name: str) -> bytes:
    """A section's bytes; empty if there is none."""
    offset, size = sections(path).get(name, (0, 0))
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(size)


def build_id(path: Path) -> str:
    """The GNU build-id in hexadecimal; empty if there is none."""
    for name in (".notes", ".note.gnu.build-id"):
        notes, at = section(path, name), 0
        while at + 12 <= len(notes):
            name_size, size, kind = struct.unpack_from("<III", notes, at)
            start = at + 12 + (name_size + 3 & ~3)
            if kind == 3 and notes[at + 12:at + 16] == b"GNU\0":
                return notes[start:start + size].hex()
            at = start + (size + 3 & ~3)
    return ""


def modinfo(module: bytes, what: str, key: str) -> str:
    """The first value of a key in a kernel module's .modinfo; empty if there is none. `what` names the module in messages."""
    offset, size = _sections(io.BytesIO(module), what).get(".modinfo", (0, 0))
    for item in module[offset:offset + size].split(b"\0"):
        name, _, value = item.partition(b"=")
        if name.decode() == key:
            return value.decode()
    return ""


# elf.h: SHF_EXECINSTR; st_info's STT_FUNC and STT_NOTYPE (of assembly).
CODE_FLAG = 4
FUNCTION, NO_TYPE = 2, 0


@dataclass(frozen=True)
class Image:
    """The code of an ELF file, and the symbols in it."""

    code: tuple[tuple[int, bytes], ...]  # address and bytes of each section
    symbols: tuple[tuple[int, str], ...]  # by address

    @classmethod
    def read(cls, path: Path) -> "Image":
        """Of a file, such as a kernel's vmlinux; one without a symbol table has no symbols."""
        with open(path, "rb") as file:
            header = file.read(64)
            if header[:5] != b"\x7fELF\x02":
                raise Problem(f"{path} is not a 64-bit ELF file")
            size, count = struct.unpack_from("<HH", header, 58)
            file.seek(struct.unpack_from("<Q", header, 40)[0])
            raw = file.read(size * count)

            def part(offset: int, length: int) -> bytes:
                file.seek(offset)
                return file.read(length)

            rows = [struct.unpack_from("<IIQQQQ", raw, index * size) for index in range(len(raw) // max(1, size))]
            code = tuple((address, part(offset, length)) for _, kind, flags, address, offset, length in rows
                         if kind == 1 and flags & CODE_FLAG)
            table, names = part(*sections(path).get(".symtab", (0, 0))), part(*sections(path).get(".strtab", (0, 0)))
        symbols = []
        for name, info, _, index, address, _ in struct.iter_unpack("<IBBHQQ", table[:len(table) // 24 * 24]):
            if info & 15 in (FUNCTION, NO_TYPE) and index and any(start <= address < start + len(text) for start, text in code):
                symbols.append((address, names[name:names.find(b"\0", name)].decode(errors="replace")))
        return cls(code, tuple(sorted(symbols)))

    def bytes_at(self, address: int, size: int) -> bytes:
        """Code at an address; less than `size` where a section ends."""
        for start, text in self.code:
            if start <= address < start + len(text):
                return text[address - start:address - start + size]
        return b""

    def function(self, address: int) -> str:
        """The last symbol at or before an address; empty if there is none."""
        found = bisect.bisect_right(self.symbols, address, key=lambda symbol: symbol[0])
        return self.symbols[found - 1][1] if found else ""
