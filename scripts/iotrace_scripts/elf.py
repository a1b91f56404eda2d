"""The little that is needed of 64-bit ELF files: sections, the build-id among the notes, code and symbols.

In: a file, perhaps somebody else's. Out: what is asked for, or a Problem if the file is damaged. What is read of a file is
part of it: memory follows its length.
"""

import bisect
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .say import Problem

# elf.h: e_ident[EI_CLASS] and e_ident[EI_DATA], e_machine, e_type.
LITTLE_64 = b"\x02\x01"
X86_64 = 62
EXECUTABLE, SHARED = 2, 3
ALLOC = 2  # sh_flags: SHF_ALLOC


# sizeof(Elf64_Ehdr), of the part of Elf64_Shdr that is read, of Elf64_Sym.
HEADER, SECTION, SYMBOL = 64, 40, 24
NAME = 512  # bytes of a name with its NUL at most: KSYM_NAME_LEN, include/linux/kallsyms.h


def _rows(path: Path, file: BinaryIO) -> tuple[list[tuple[int, ...]], int]:
    """The section headers (name, type, flags, address, offset, size), and the number of that with their names."""
    header = file.read(HEADER)
    if header[:5] != b"\x7fELF\x02":
        raise Problem(f"{path} is not a 64-bit ELF file")
    if len(header) < HEADER:
        raise Problem(f"{path} is truncated: get it again")
    (table,) = struct.unpack_from("<Q", header, 40)
    size, count, names = struct.unpack_from("<HHH", header, 58)
    if count and size < SECTION:
        raise Problem(f"{path} is damaged: its section headers have {size} bytes")
    raw = _part(path, file, table, size * count)
    return [struct.unpack_from("<IIQQQQ", raw, index * size) for index in range(count)], names


def _part(path: Path, file: BinaryIO, offset: int, size: int) -> bytes:
    """Bytes of the file, all of them."""
    length = os.fstat(file.fileno()).st_size
    if offset + size > length:
        raise Problem(f"{path} is truncated or damaged: {size} bytes at {offset:#x} are not in its {length}: get it again")
    file.seek(offset)
    return file.read(size)


def _name(names: bytes, at: int) -> str:
    """A name among the strings; empty if there is none."""
    end = names.find(b"\0", at, at + NAME)
    return names[at:end].decode(errors="replace") if end >= 0 else ""


def sections(path: Path) -> dict[str, tuple[int, int]]:
    """Each section's offset and size in the file, by name."""
    with open(path, "rb") as file:
        rows, number = _rows(path, file)
        if not rows:
            return {}
        if number >= len(rows):
            raise Problem(f"{path} is damaged: it has no names of sections")
        names = _part(path, file, rows[number][4], rows[number][5])
    return {_name(names, row[0]): (0, 0) if row[1] == NOBITS else (row[4], row[5]) for row in rows}


def allocated(path: Path) -> list[str]:
    """The names of the sections that are in memory at run time."""
    with open(path, "rb") as file:
        rows, number = _rows(path, file)
        names = _part(path, file, rows[number][4], rows[number][5]) if number < len(rows) else b""
    return [_name(names, row[0]) for row in rows if row[2] & ALLOC]


def section(path: Path, name: str) -> bytes:
    """A section's bytes; empty if there is none."""
    offset, size = sections(path).get(name, (0, 0))
    with open(path, "rb") as file:
        return _part(path, file, offset, size)


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


def modinfo(path: Path, key: str) -> str:
    """The first value of a key in a kernel module's .modinfo; empty if there is none."""
    for item in section(path, ".modinfo").split(b"\0"):
        name, _, value = item.partition(b"=")
        if name == key.encode():
            return value.decode(errors="replace")
    return ""


# elf.h: SHF_EXECINSTR; st_info's STT_FUNC and STT_NOTYPE (of assembly).
CODE_FLAG = 4
PROGBITS, NOBITS = 1, 8  # sh_type
SECTIONS = 256  # with code, at most: a vmlinux has some ten
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
            rows, _ = _rows(path, file)
            found = [row for row in rows if row[1] == PROGBITS and row[2] & CODE_FLAG]
            if len(found) > SECTIONS:
                raise Problem(f"{path} has {len(found)} sections with code: not a kernel")
            code = tuple((address, _part(path, file, offset, length)) for _, _, _, address, offset, length in found)
        table, names = section(path, ".symtab"), section(path, ".strtab")
        symbols = []
        for name, info, _, index, address, _ in struct.iter_unpack("<IBBHQQ", table[:len(table) // SYMBOL * SYMBOL]):
            if info & 15 in (FUNCTION, NO_TYPE) and index and any(start <= address < start + len(text) for start, text in code):
                symbols.append((address, _name(names, name)))
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
