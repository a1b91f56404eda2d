"""Counts of what is right, and findings of what is not."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Iterable

GRADES = ("right", "wrong", "incomplete", "missing")


@dataclass(frozen=True)
class Finding:
    """Something that is not right: both values, and where."""

    kind: str
    grade: str
    what: str  # the field, or a few words: the same for faults of one sort
    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.grade}: {self.where}: {self.what}: expected {self.expected}, found {self.found}"


@dataclass
class Result:
    """By kind of call, or of comparison."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    findings: list[Finding] = field(default_factory=list)

    def add(self, kind: str, findings: Iterable[Finding]) -> None:
        """One thing was compared. Its grade is the worst of its findings'."""
        found = list(findings)
        grades = {finding.grade for finding in found}
        self.counts[kind][next((grade for grade in ("wrong", "missing", "incomplete") if grade in grades), "right")] += 1
        self.findings += found

    def total(self) -> Counter[str]:
        """Over all kinds."""
        return sum(self.counts.values(), Counter())

    def all_right(self) -> bool:
        """Whether everything that was compared is right, and something was."""
        total = self.total()
        return total["right"] > 0 and total["right"] == sum(total.values())

    def text(self, first: int) -> str:
        """The table, the most frequent faults, and the first findings of each grade and kind."""
        rows: list[tuple[str, ...]] = [("", *GRADES)]
        rows += [(kind, *(str(self.counts[kind][grade] or "-") for grade in GRADES)) for kind in sorted(self.counts)]
        rows.append(("all", *(str(self.total()[grade]) for grade in GRADES)))
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
                 for row in rows]
        frequent = Counter((finding.grade, finding.kind, finding.what) for finding in self.findings)
        if frequent:
            lines += ["", "Most frequent"]
            lines += [f"  {count:5} {grade}: {kind}: {what}" for (grade, kind, what), count in frequent.most_common(25)]
        return "\n".join([*lines, *self._examples(first)])

    def _examples(self, first: int) -> list[str]:
        lines: list[str] = []
        for kind in sorted(self.counts):
            found = [finding for finding in self.findings if finding.kind == kind][:first]
            lines += ["", kind, *(f"  {finding}" for finding in found)] if found else []
        return lines
