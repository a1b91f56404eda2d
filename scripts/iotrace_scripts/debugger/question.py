"""A question about a kernel's execution, in the syntax of perf-probe.

In: a text such as `fs/iomap/direct-io.c:323 bio->bi_opf name=file->f_path.dentry->d_name.name:string`. Out: the place, and what is to
be printed of it. Nothing here needs gdb.
"""

import re
from dataclasses import dataclass

from ..say import Problem

# Of a field: `string`, or a base (hexadecimal, unsigned, signed decimal) and a number of bits, as in perf-probe(1).
FORM = re.compile(r"(?P<expression>.+?):(?P<form>string|symbol|[xus](?:8|16|32|64))")
NAMED = re.compile(r"(?P<name>[A-Za-z_][\w.]*)=(?![=])(?P<rest>.+)")
FUNCTION = re.compile(r"(?P<function>[A-Za-z_][\w.]*)(?:@(?P<file>[\w./-]+))?"
                      r"(?:(?P<returns>%return)|\+(?P<offset>\d+|0x[0-9a-f]+)|:(?P<line>\d+))?")
LINE = re.compile(r"(?P<file>[\w./-]+\.[chS]):(?P<line>\d+)")
OBJECT = re.compile(r"\b(bio|rq)#(\d+)\.?")
# As the kernel's sources write them.
CONTAINER = re.compile(r"\bcontainer_of\((.+?),\s*((?:struct|union) \w+),\s*([\w.]+)\)")
THIS_CPU = re.compile(r"\bthis_cpu_ptr\(&?(\w+)\)")
RETVAL, COMM = "$retval", "$comm"


@dataclass(frozen=True)
class Field:
    """What is printed of an execution."""

    name: str
    expression: str  # one of gdb's
    form: str = ""  # see FORM; empty: as its type says


@dataclass(frozen=True)
class Place:
    """Where: a function (its entry, or its returns, or what lies behind its entry), or a line of a file."""

    text: str
    function: str = ""
    file: str = ""
    line: int = 0  # of the file; of a function: counted from its first one
    offset: int = 0  # bytes behind the entry
    returns: bool = False


@dataclass(frozen=True)
class Question:
    """A place, and what is printed of each execution."""

    place: Place
    fields: tuple[Field, ...]


def parse(text: str) -> Question:
    """Read a question."""
    words = split(text)
    if not words:
        raise Problem("empty question: expected PLACE [FIELD]...")
    return Question(place(words[0]), tuple(field(word) for word in words[1:]))


def split(text: str) -> list[str]:
    """The words of a question: blanks in parentheses, as in casts, do not end one."""
    words: list[str] = []
    depth, is_open = 0, False
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character.isspace() and depth <= 0:
            is_open = False
        elif is_open:
            words[-1] += character
        else:
            words.append(character)
            is_open = True
    if depth:
        raise Problem(f"question '{text}': its parentheses do not match")
    return words


def place(text: str) -> Place:
    """Read a place."""
    if found := LINE.fullmatch(text):
        return Place(text, file=found["file"], line=int(found["line"]))
    if found := FUNCTION.fullmatch(text):
        return Place(text, found["function"], found["file"] or "", int(found["line"] or 0), int(found["offset"] or "0", 0),
                     found["returns"] is not None)
    raise Problem(f"place '{text}': expected FUNCTION, FUNCTION%return, FUNCTION+BYTES, FUNCTION:LINES, FUNCTION@FILE, or FILE:LINE")


def field(text: str) -> Field:
    """Read a field: [NAME=]EXPRESSION[:FORM]."""
    named = NAMED.fullmatch(text)
    rest = named["rest"] if named else text
    formed = FORM.fullmatch(rest)
    expression = formed["expression"] if formed else rest
    return Field(named["name"] if named else expression, expression, formed["form"] if formed else "")


def expression(text: str) -> str:
    """An expression of gdb's: objects of the trace, as bio#62.bi_status, are pointers; container_of and this_cpu_ptr are functions
    that values.py defines."""
    def pointer(found: re.Match[str]) -> str:
        return f"${found[1]}({found[2]})" + ("->" if found[0].endswith(".") else "")

    text = CONTAINER.sub(r'$container_of(\1, "\2", "\3")', THIS_CPU.sub(r'$this_cpu("\1")', text))
    return OBJECT.sub(pointer, text)


def first_name(text: str) -> str:
    """The variable that an expression begins with; empty if it begins with none."""
    text = text.replace("$container_of(", "(")
    found = re.match(r"[\s(*&!~-]*([A-Za-z_]\w*)", re.sub(r"\(\s*(?:struct|union|enum|unsigned|signed|const|char|int|long|short|void|"
                                                        r"u8|u16|u32|u64)\b[^()]*\)", "", text))
    return found[1] if found and found[1] != "sizeof" else ""
