"""Where the places of questions are: the addresses of functions, of their inlined instances, and of lines, as gdb finds them."""

import difflib
import subprocess
from pathlib import Path

import gdb

from ..say import Problem
from .question import Place

NEAR_LINES = 3


def of(place: Place) -> list[int]:
    """The addresses at which an execution of a place begins."""
    if not place.function:
        return _line(place.file, place.line, place.text)
    symbols = functions(place)
    entries = [int(symbol.value().address) for symbol in symbols]
    if place.line:
        first = symbols[0].line if symbols else 0
        return _line(symbols[0].symtab.filename, first + place.line, place.text) if symbols else _missing(place)
    inlined = [] if place.returns or place.offset else _instances(place, entries)
    if not entries and not inlined:
        _missing(place)
    return [entry + place.offset for entry in entries] + inlined


def functions(place: Place) -> list[gdb.Symbol]:
    """The functions of a name that have code of their own."""
    found = []
    if symbol := gdb.lookup_global_symbol(place.function, gdb.SYMBOL_VAR_DOMAIN):
        found.append(symbol)
    found += gdb.lookup_static_symbols(place.function, gdb.SYMBOL_VAR_DOMAIN)
    return [symbol for symbol in found
            if symbol.is_function and (not place.file or symbol.symtab.filename.endswith(place.file))]


def _instances(place: Place, entries: list[int]) -> list[int]:
    """Where the function is inlined into others."""
    found = []
    for pc in _decoded(place.function):
        block = gdb.block_for_pc(pc)
        # what is inlined into it may begin there too
        while block and not (block.function and block.function.name == place.function):
            block = block.superblock
        if block and block.start not in entries and not _is_inside(block, place.function):
            in_file = not place.file or block.function.symtab.filename.endswith(place.file)
            found += [pc] if in_file else []
    return sorted(set(found))


def _outermost(pc: int) -> str:
    """The function that an address is in, with all that is inlined into it."""
    block, name = gdb.block_for_pc(pc), ""
    while block:
        name = block.function.name if block.function else name
        block = block.superblock
    return name


def _is_inside(block: gdb.Block, name: str) -> bool:
    """Whether an inlined instance is of a function that is inlined into itself, in parts: one execution is not two."""
    outer = block.superblock
    while outer:
        if outer.function and outer.function.name == name:
            return True
        outer = outer.superblock
    return False


def _decoded(text: str) -> list[int]:
    try:
        return [found.pc for found in gdb.decode_line(text)[1] or () if found.pc]
    except gdb.error:
        return []


def _line(file: str, line: int, text: str) -> list[int]:
    """Where gdb stops at a line: at one address for each block that has code of it."""
    found = _decoded(f"{file}:{line}")
    tables = [symtab.linetable() for symtab in {gdb.find_pc_line(pc).symtab for pc in found} if symtab]
    if found and any(table.has_line(line) for table in tables):
        return sorted(set(found))
    lines = sorted({number for table in tables for number in table.source_lines() if number})
    if not lines:
        raise Problem(f"{text}: no source file '{file}' in the kernel or its modules that are loaded")
    near = sorted(sorted(lines, key=lambda number: abs(number - line))[:2 * NEAR_LINES])
    raise Problem(f"{text}: no statement at line {line}; lines with statements near it: {', '.join(map(str, near))}")


def _missing(place: Place) -> list[int]:
    names = _names()
    near = difflib.get_close_matches(place.function, names, 3)
    if place.function in names:
        raise Problem(f"'{place.function}' has no debug information here{f' in {place.file}' if place.file else ''}: it is of assembly, or "
                      "of a module without")
    if places := _decoded(place.function):
        outer = sorted({name for name in map(_outermost, places) if name})
        raise Problem(f"'{place.function}' is inlined wherever it is called ({', '.join(outer[:NEAR_LINES])}{', ...' if outer[NEAR_LINES:] else ''}): "
                      f"it has no {'return' if place.returns else 'address'} of its own")
    raise Problem(f"no function '{place.function}' in this kernel" + (f"; near it: {', '.join(near)}" if near else ""))


def _names() -> list[str]:
    """All symbols of functions, of the kernel and of loaded modules."""
    names: set[str] = set()
    for objfile in gdb.objfiles():
        if objfile.filename and Path(objfile.filename).is_file():
            listed = subprocess.run(["nm", objfile.filename], capture_output=True, text=True, check=False).stdout
            names.update(words[2] for words in map(str.split, listed.splitlines()) if len(words) == 3 and words[1] in "tT")
    return sorted(names)


def returned(place: Place) -> gdb.Type | None:
    """The type of what a function returns; none if it returns nothing, or is not known."""
    symbols = functions(place)
    kind = symbols[0].type.target() if symbols else None
    return None if kind is None or kind.strip_typedefs().code == gdb.TYPE_CODE_VOID else kind


def variables(address: int) -> list[str]:
    """The variables that are in scope at an address, innermost first: also of the functions that its own is inlined into."""
    names: dict[str, None] = {}
    block = gdb.block_for_pc(address)
    while block and not block.is_global and not block.is_static:
        names.update({symbol.name: None for symbol in block if symbol.is_variable or symbol.is_argument})
        block = block.superblock
    return list(names)
