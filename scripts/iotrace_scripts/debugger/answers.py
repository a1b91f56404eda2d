"""The answers to questions: rows, printed as text, JSON or CSV, or counted.

In: rows as dictionaries. Out: text. Nothing here needs gdb.
"""

import csv
import io
import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any, Callable, Iterable, Sequence

FORMATS = ("text", "json", "csv")
GROUPS = ("task", "file", "io", "place")
BAR = 40  # characters of the longest bar of a histogram


@dataclass(frozen=True)
class State:
    """What an event of a trace has, beside its clock and its fields."""

    task: int = 0  # address of the task_struct
    context: int | None = None  # the kernel's preempt_count; none if it could not be read
    stack_pointer: int = 0
    vcpu: int = 0


@dataclass
class Answer:
    """An execution of what was asked for."""

    clock: int  # instructions
    place: str
    comm: str
    pid: int
    fields: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)  # those of the fields that are numbers
    stack: list[str] = field(default_factory=list)
    io: int | None = None
    file: str = ""
    bios: list[int] = field(default_factory=list)
    state: State = State()

    def group(self, by: str) -> str:
        """What it is counted under."""
        of_io = "-" if self.io is None else f"#{self.io}"
        return {"task": f"{self.comm}/{self.pid}", "file": self.file or "-", "io": of_io, "place": self.place}[by]


def table(answers: Sequence[Answer]) -> str:
    """One line each: clock, task, I/O, bios, place, fields; the calls below it."""
    lines = []
    for found in answers:
        of_io = "-" if found.io is None else f"#{found.io}"
        bios = " ".join(f"#{bio}" for bio in found.bios) or "-"
        fields = " ".join(f"{name}={text}" for name, text in found.fields.items())
        lines.append([str(found.clock), f"{found.comm}/{found.pid}", of_io, bios, found.place, fields])
        lines += [["", "", "", "", f"  ← {call}", ""] for call in found.stack]
    heads = ["clock", "task", "I/O", "bio", "place", "fields"]
    widths = [max(len(line[column]) for line in [heads, *lines] if line[0]) for column in range(5)]  # callers are as long as they are
    return "".join("  ".join([*(cell.rjust(width) if column in (0, 2) else cell.ljust(width)
                                for column, (cell, width) in enumerate(zip(line, widths))), line[5]]).rstrip() + "\n"
                   for line in [heads, *lines])


def as_json(answers: Sequence[Answer]) -> str:
    """A document with all of them (schemas/ask.schema.json)."""
    def row(found: Answer) -> dict[str, Any]:
        plain, state = asdict(found), found.state
        return {"clock": plain["clock"], "place": plain["place"],
                "task": {"comm": plain["comm"], "pid": plain["pid"], "address": f"{state.task:#x}"},
                "vcpu": state.vcpu, "context": state.context, "stack_pointer": f"{state.stack_pointer:#x}",
                "io": plain["io"], "file": plain["file"] or None, "bios": plain["bios"], "fields": plain["fields"],
                "numbers": plain["numbers"], "stack": plain["stack"]}

    return json.dumps({"schema_version": 1, "answers": list(map(row, answers))}, indent=2) + "\n"


def as_csv(answers: Sequence[Answer]) -> str:
    """One line each, with a head; fields of all questions are columns."""
    names = list(dict.fromkeys(name for found in answers for name in found.fields))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["clock", "place", "comm", "pid", "io", "file", "bios", *names])
    for found in answers:
        writer.writerow([found.clock, found.place, found.comm, found.pid, "" if found.io is None else found.io, found.file,
                         " ".join(map(str, found.bios)), *(found.fields.get(name, "") for name in names)])
    return out.getvalue()


def counted(answers: Sequence[Answer], by: str, sums: Sequence[str]) -> str:
    """How many there are of each group, and the sums of fields."""
    groups: dict[str, list[Answer]] = defaultdict(list)
    for found in answers:
        groups[found.group(by)].append(found)
    rows = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    width = max([len(by), *(len(name) for name, _ in rows)], default=0)
    lines = [f"{by.ljust(width)}  {'count':>8}" + "".join(f"  {f'sum of {name}':>14}" for name in sums)]
    for name, group in rows:
        totals = [sum(answer.numbers.get(of, 0) for answer in group) for of in sums]
        lines.append(f"{name.ljust(width)}  {len(group):>8,}" + "".join(f"  {total:>14,}" for total in totals))
    return "\n".join(lines) + "\n"


def histogram(answers: Sequence[Answer], of: str, by: str) -> str:
    """How often a field has values of each power of two, for each group."""
    groups: dict[str, list[int]] = defaultdict(list)
    for found in answers:
        if of in found.numbers:
            groups[found.group(by) if by else ""].append(found.numbers[of])
    parts = []
    for name, values in sorted(groups.items()):
        counts = _by_power(values)
        most = max(counts.values())
        lines = [f"{of}{f', {name}' if name else ''}: {len(values):,} values"]
        for (low, high), count in sorted(counts.items()):
            bar = "█" * max(1, count * BAR // most)
            span = f"{low}" if low == high else f"{low}..{high}"
            lines.append(f"  {span:>24}  {count:>8,}  {bar}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n" if parts else ""


def _by_power(values: Iterable[int]) -> dict[tuple[int, int], int]:
    counts: dict[tuple[int, int], int] = defaultdict(int)
    for value in values:
        size = abs(value)
        low, high = (size, size) if size < 2 else (1 << (size.bit_length() - 1), (1 << size.bit_length()) - 1)
        counts[(low, high) if value >= 0 else (-high, -low)] += 1
    return counts


PRINTERS: dict[str, Callable[[Sequence[Answer]], str]] = {"text": table, "json": as_json, "csv": as_csv}
