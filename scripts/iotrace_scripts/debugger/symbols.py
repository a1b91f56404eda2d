"""The guest's symbols in gdb: the kernel at the address where it lies, each module's sections at theirs.

Where a module's sections lie says the guest, in `module.sect_attrs` (kernel/module/sysfs.c, to 5.19 kernel/module.c). Its
form is found by its types: to 5.7 an entry is a module_attribute with name and address, from 5.8 (ed66f991bb19) a
bin_attribute and an address, from 6.14 (4b2c11e4aaf7) a bin_attribute that has the address as `private`, without a count.
"""

import os
from pathlib import Path
from typing import Iterator

import gdb

from .. import elf, modules
from ..cache import cache_root, prepare

# Where sections lie that the guest has freed or never loaded: not at 0, where their symbols would name null pointers.
NOWHERE = 0xffffffffff200000
MOST_MODULES, MOST_SECTIONS = 4096, 1024
# MODULE_STATE_LIVE, include/linux/module.h: its functions and data for the beginning are freed (do_free_init), and what lies there
# now is another module's.
LIVE, INIT = 0, ".init"
INDEXES = "gdb-index"  # of the cache


def load(folder: Path, slide: int) -> None:
    """Load the symbols of the kernel in a folder. An index of them is kept: without one this takes 10 s."""
    indexes = cache_root() / INDEXES
    prepare(indexes)
    _quiet(f"set index-cache directory {indexes}")
    _quiet("set index-cache enabled on")
    _quiet(f"symbol-file {folder / 'vmlinux'} -o {slide:#x}")
    # gdb 13 loses lines of relocated files with it
    _quiet("set index-cache enabled off")


def load_modules(folder: Path, known: set[str]) -> list[str]:
    """Load the symbols of the guest's modules that are not known yet; returns the names of those without a file."""
    files = {modules.of_file(file.name): file for kind in ("modules", "debug") for file in sorted((folder / kind).glob("*.ko"))}
    missing = []
    for name, places in _of_guest():
        if name in known:
            continue
        known.add(name)
        file = files.get(name)
        if not file or ".text" not in places:
            missing.append(name)
            continue
        others = [section for section in elf.allocated(file) if section != ".text"]
        options = "".join(f" -s {section} {places.get(section, NOWHERE):#x}" for section in others)
        _quiet(f"add-symbol-file {file} {places['.text']:#x}{options}")
    return missing


def _of_guest() -> Iterator[tuple[str, dict[str, int]]]:
    """The modules that the guest has loaded, with the addresses of their sections."""
    head = gdb.parse_and_eval("&modules")
    module = gdb.lookup_type("struct module")
    offset = next(field.bitpos // 8 for field in module.fields() if field.name == "list")
    node = head["next"]
    for _ in range(MOST_MODULES):
        if node == head:
            return
        found = (int(node) - offset)
        value = gdb.Value(found).cast(module.pointer())
        places = _sections(value["sect_attrs"])
        if int(value["state"]) == LIVE:
            places = {name: place for name, place in places.items() if not name.startswith(INIT)}
        yield value["name"].string(), places
        node = node["next"]


def _sections(attributes: gdb.Value) -> dict[str, int]:
    if not attributes:
        return {}
    entries = attributes["attrs"]
    fields = {field.name for field in entries.type.target().fields()}
    places = {}
    for number in range(_count(attributes)):
        entry = entries[number]
        if "private" in fields:  # a bin_attribute
            name, address = entry["attr"]["name"], entry["private"]
        else:
            name = entry["battr"]["attr"]["name"] if "battr" in fields else entry["name"]
            address = entry["address"]
        places[name.string()] = int(address)
    return places


def _count(attributes: gdb.Value) -> int:
    fields = {field.name for field in attributes.dereference().type.fields()}
    if "nsections" in fields:
        return min(int(attributes["nsections"]), MOST_SECTIONS)
    group = attributes["grp"]
    named = {field.name for field in group.type.fields()}
    listed = group["bin_attrs_new" if "bin_attrs_new" in named else "bin_attrs"]
    return next((number for number in range(MOST_SECTIONS) if not listed[number]), MOST_SECTIONS)


def sources(folder: Path) -> None:
    """Show lines of the sources in a folder, wherever the kernel was built."""
    _quiet(f"set directories {folder}")
    unit = gdb.lookup_global_symbol("start_kernel")
    built = unit.symtab.fullname() if unit else ""
    if built.endswith("/init/main.c"):  # files with a full name, as those of assembly
        _quiet(f"set substitute-path {built.removesuffix('/init/main.c')} {os.fspath(folder)}")


def _quiet(command: str) -> None:
    gdb.execute(command, to_string=True)
