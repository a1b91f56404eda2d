"""Questions as a catalog of probes, for a trace that has their answers.

In: questions about functions, the kernel's types as gdb has them. Out: the text of a catalog file (its form: at the top of
schemas/catalog/data/block.toml). A function is probed under a name of its own, `ask.FUNCTION`, beside the catalog's probe of
it, whose fields stay.
"""

import json
import re
from dataclasses import dataclass, field

import gdb

from ..say import Problem
from .places import functions
from .question import COMM, RETVAL, Field, Question

PREFIX = "ask."
LAYER = "kernel"
CHAIN = re.compile(r"(?P<argument>[A-Za-z_]\w*)(?:->(?P<path>[A-Za-z_]\w*(?:(?:->|\.)[A-Za-z_]\w*|\[\d+\])*))?")
STRING_WORDS = 4  # of 8 bytes: what is kept of a string


@dataclass
class _Function:
    """What is read of a function's arguments."""

    name: str
    arguments: list[gdb.Symbol]
    is_known: bool  # the catalog has it: its return is recorded for that probe, and would be for this one alone
    objects: dict[str, dict[str, str]] = field(default_factory=dict)  # fields and their paths, by argument
    plain: set[str] = field(default_factory=set)  # arguments that are kept as they are

    def add(self, one: Field) -> None:
        """Read a field."""
        if one.expression in (RETVAL, COMM):
            return  # a trace has them
        found = CHAIN.fullmatch(one.expression)
        names = [argument.name for argument in self.arguments]
        if not found or one.form not in ("", "string"):
            raise Problem(f"field '{one.expression}': a trace (-o) keeps arguments and members that they lead to alone, as iocb->ki_pos or "
                          "file->f_path.dentry->d_name.name:string")
        argument, path = found["argument"], found["path"]
        if argument not in names:
            raise Problem(f"field '{one.expression}': '{argument}' is no argument of {self.name}, of which a trace (-o) has {', '.join(names)}")
        if not path and not one.form:
            self.plain.add(argument)
            return
        self._structure(argument)
        parts = self.objects.setdefault(argument, {})
        key = re.sub(r"\W+", "_", path.rsplit("->", 1)[-1].rsplit(".", 1)[-1]) if one.name == one.expression else one.name
        if one.form:
            parts.update({f"{key}{word}": f"{path}@{8 * word}:8" for word in range(STRING_WORDS)})
        else:
            parts[key] = path

    def _structure(self, argument: str) -> str:
        kind = next(symbol.type for symbol in self.arguments if symbol.name == argument).strip_typedefs()
        target = kind.target().unqualified().strip_typedefs() if kind.code == gdb.TYPE_CODE_PTR else None
        if target is None or target.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION) or not target.tag:
            raise Problem(f"'{argument}' of {self.name} is no pointer to a structure: {kind}")
        return target.tag

    def text(self, number: int) -> str:
        """Its part of the catalog."""
        lines = []
        places = [symbol.name for symbol in self.arguments]
        words = ["-"] * len(places)
        reads = []
        for index, (argument, parts) in enumerate(self.objects.items()):
            kind = f"ask_{number}_{index}"
            lines += ["[[object]]", f"name = {_quoted(kind)}", f"struct = {_quoted(self._structure(argument))}", "[object.fields]"]
            lines += [f"{name} = {_quoted(path)}" for name, path in parts.items()]
            words[places.index(argument)] = f"{argument}:{kind}"
            reads += [f"{argument}.{name}" for name in parts]
        for argument in self.plain - set(self.objects):
            words[places.index(argument)] = argument
        while words and words[-1] == "-":
            words.pop()
        lines += ["[[function]]", f"name = {_quoted(PREFIX + self.name)}", f"aliases = [{_quoted(self.name)}]", f"layer = {_quoted(LAYER)}",
                  f"args = [{', '.join(map(_quoted, words))}]", f"reads = [{', '.join(map(_quoted, reads))}]",
                  *(["exit = false"] if self.is_known else [])]
        return "\n".join(lines) + "\n"


def of(questions: list[Question], known: set[str]) -> str:
    """The catalog of some questions. `known`: functions that the catalog has."""
    found: dict[str, _Function] = {}
    for question in questions:
        place = question.place
        if not place.function or place.offset or place.line or place.file:
            raise Problem(f"{place.text}: a trace (-o) keeps the entries and returns of functions, FUNCTION or FUNCTION%return")
        symbols = functions(place)
        if not symbols:
            raise Problem(f"{place.text}: a trace (-o) has no function that is inlined wherever it is called")
        block = gdb.block_for_pc(int(symbols[0].value().address))
        while block and not block.function:
            block = block.superblock
        arguments = [symbol for symbol in block if symbol.is_argument]
        one = found.setdefault(place.function, _Function(place.function, arguments, place.function in known))
        for wanted in question.fields:
            one.add(wanted)
    return "\n".join(function.text(number) for number, function in enumerate(found.values()))


def _quoted(text: str) -> str:
    return json.dumps(text)
