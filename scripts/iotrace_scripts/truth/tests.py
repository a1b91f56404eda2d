"""The comparison finds what is planted, and nothing in a report without faults: python3 -m unittest iotrace_scripts.truth.tests."""

import copy
import random
import unittest
from typing import Callable

from ..say import Problem
from . import spans, synthetic
from .check import check
from .report import Json
from .rows import OCCASIONAL
from .table import parse

PLANTS = 10  # of each kind
Plant = Callable[[Json, random.Random], str]  # changes a report; returns the kind that a finding of it has


def pick(chance: random.Random, found: list[Json]) -> Json:
    """One of those that fit; there must be some."""
    assert found
    return chance.choice(found)


def change(key: str, by: Callable[[int], int]) -> Plant:
    """A number of an I/O becomes another one."""
    def plant(report: Json, chance: random.Random) -> str:
        io = pick(chance, [io for io in report["ios"] if io[key] is not None and io["syscall"] != "ftruncate"])
        io[key] = by(io[key])
        return call(io)
    return plant


def lose(key: str) -> Plant:
    """A value of an I/O is not known."""
    def plant(report: Json, chance: random.Random) -> str:
        io = pick(chance, [io for io in report["ios"] if io[key] is not None])
        io[key] = None
        return call(io)
    return plant


def call(io: Json) -> str:
    """The kind of an I/O in the findings."""
    return "pwritev2" if io["syscall"] == "pwritev" else io["syscall"]


def wrong_file(report: Json, chance: random.Random) -> str:
    io = pick(chance, [io for io in report["ios"] if io["file"]])
    io["file"] = {**io["file"], "ino": io["file"]["ino"] + 7}
    return call(io)


def invented_file(report: Json, chance: random.Random) -> str:
    io = pick(chance, [io for io in report["ios"] if not io["file"] and io["syscall"] == "pread"])
    io["file"] = {"ino": 1000, "device": "8:0"}
    return call(io)


def wrong_device(report: Json, chance: random.Random) -> str:
    io = pick(chance, [io for io in report["ios"] if io["file"]])
    io["file"] = {**io["file"], "device": "8:16"}
    return call(io)


def wrong_task(report: Json, chance: random.Random) -> str:
    io = pick(chance, report["ios"])
    io["task"] = {**io["task"], "comm": "truth-z"}
    return call(io)


def wrong_source(report: Json, chance: random.Random) -> str:
    io = pick(chance, [io for io in report["ios"] if io["source"]])
    io["source"]["position"] += 1
    return call(io)


def missing_row(report: Json, chance: random.Random) -> str:
    io = pick(chance, [io for io in report["ios"] if io["syscall"] not in OCCASIONAL])
    report["ios"].remove(io)
    return ""  # the rows after it are compared with their neighbours


def swapped_rows(report: Json, chance: random.Random) -> str:
    one = pick(chance, [io for io in report["ios"] if io["syscall"] == "pwrite"])
    same = [io for io in report["ios"] if io["syscall"] == "pwrite" and io["task"] == one["task"] and io is not one]
    other = pick(chance, same)
    one["id"], other["id"] = other["id"], one["id"]
    return "pwrite"


def carrying(report: Json, chance: random.Random) -> tuple[Json, Json, Json]:
    """An I/O, the part of it that a bio carried, and that bio."""
    io = pick(chance, [io for io in report["ios"] if io["carried"]])
    part = chance.choice(io["carried"])
    return io, part, report["bios"][part["bio"] - 1]


def more_carried(report: Json, chance: random.Random) -> str:
    carrying(report, chance)[1]["to"] += 1  # of the I/O and of the bio
    return "bytes carried"


def less_carried(report: Json, chance: random.Random) -> str:
    carrying(report, chance)[1]["from"] += 1
    return "bytes carried"


def not_carried(report: Json, chance: random.Random) -> str:
    io, part, bio = carrying(report, chance)
    io["carried"].remove(part)
    bio["carries"].remove(part)
    return "bytes carried"


def carried_twice(report: Json, chance: random.Random) -> str:
    io, part, bio = carrying(report, chance)
    io["carried"].append(part)
    bio["carries"].append(part)
    return "bytes carried"


def carried_late(report: Json, chance: random.Random) -> str:
    late = max(io["entry"]["ns"] for io in report["ios"]) + 3 * synthetic.STEP
    due = [io for io in report["ios"] if any(report["bios"][p["bio"] - 1]["stages"][0]["ns"] < late - 3 * synthetic.STEP
                                             for p in io["carried"])]
    for part in pick(chance, due)["carried"]:
        report["bios"][part["bio"] - 1]["stages"][0]["ns"] = late
    return "bytes carried"


def carried_by_the_wrong_io(report: Json, chance: random.Random) -> str:
    io, part, _ = carrying(report, chance)
    other = pick(chance, [other for other in report["ios"] if other is not io and other["syscall"] == "pwrite"])
    io["carried"].remove(part)
    other["carried"].append(part)
    part["io"] = other["id"]
    return "bytes carried"


def bio_elsewhere(report: Json, chance: random.Random) -> str:
    report["bios"][chance.choice(report["stable"]) - 1]["sector"] += 1 << 16
    return "place on the disk"


def short_direct(report: Json, chance: random.Random) -> str:
    io = pick(chance, [io for io in report["ios"] if io["bios"]])
    report["bios"][io["bios"][0] - 1]["bytes"] -= 512
    return "bytes written directly"


def no_direct(report: Json, chance: random.Random) -> str:
    pick(chance, [io for io in report["ios"] if io["bios"]])["bios"] = []
    return "bytes written directly"


def in_rows(report: Json) -> list[Json]:
    """The bios that were queued while a row was in progress."""
    last = max(io["entry"]["ns"] for io in report["ios"])
    return [bio for bio in report["bios"] if bio["stages"][0]["ns"] < last]


def wrong_origin(report: Json, chance: random.Random) -> str:
    step = pick(chance, in_rows(report))["origin"][0]
    step["io"] = pick(chance, [io for io in report["ios"] if io["id"] != step["io"]])["id"]
    return "origin of a bio"


def no_origin(report: Json, chance: random.Random) -> str:
    pick(chance, in_rows(report))["origin"] = []
    return "origin of a bio"


KINDS: dict[str, Plant] = {
    "wrong position": change("position", lambda value: value + 1),
    "wrong count": change("count", lambda value: value + 1),
    "wrong result": change("return_value", lambda value: value - 1), "missing position": lose("position"),
    "missing count": lose("count"), "missing result": lose("return_value"), "missing file": lose("file"),
    "missing source": lose("source"),
    **{function.__name__: function for function in (
        wrong_file, invented_file, wrong_device, wrong_task, wrong_source, missing_row, swapped_rows, more_carried,
        less_carried, not_carried, carried_twice, carried_late, carried_by_the_wrong_io, bio_elsewhere, short_direct, no_direct,
        wrong_origin, no_origin)},
}


class Comparison(unittest.TestCase):
    """The comparison as a whole."""

    def test_a_report_without_faults_is_right(self) -> None:
        for seed in range(20):
            table = synthetic.table(seed, 300)
            result = check(table, synthetic.report(table))
            self.assertTrue(result.all_right(), result.text(3))
            for kind in ("pwrite", "pwritev2", "sendfile", "bytes carried", "bytes written directly", "place on the disk",
                         "origin of a bio"):
                self.assertGreater(result.counts[kind]["right"], 0, kind)

    def test_each_planted_fault_is_found(self) -> None:
        for number in range(PLANTS):
            table = synthetic.table(number, 300)
            whole = synthetic.report(table)
            for name, plant in KINDS.items():
                report = copy.deepcopy(whole)
                expected = plant(report, random.Random(number))
                result = check(table, report)
                with self.subTest(name, number=number):
                    self.assertFalse(result.all_right())
                    self.assertTrue(any(expected in ("", finding.kind) for finding in result.findings), result.text(3))

    def test_nothing_compared_is_not_right(self) -> None:
        table = synthetic.table(1, 0)
        self.assertFalse(check(table, {"ios": [], "bios": []}).all_right())


class Reading(unittest.TestCase):
    """Tables that are not whole."""

    def test_a_table_that_is_not_whole_is_refused(self) -> None:
        head = ["truth\tversion\t1", "truth\tcolumns\t" + "\t".join(synthetic.COLUMNS)]
        for rest in (["truth\trows\t1", "truth\tend"], ["truth\trow\t1", "truth\trows\t1", "truth\tend"], ["truth\trows\t0"], []):
            with self.assertRaises(Problem, msg=str(rest)):
                parse([*head, *rest], "xfs", "console.txt")
        for lines in ([], head[:1], ["truth\tversion\t2"]):
            with self.assertRaises(Problem, msg=str(lines)):
                parse(lines, "xfs", "console.txt")


class Spans(unittest.TestCase):
    """Sets of bytes, against sets of numbers."""

    def test_spans_are_sets(self) -> None:
        chance = random.Random(1)
        for _ in range(300):
            starts = [chance.randrange(30) for _ in range(8)]
            ranges = [(start, start + chance.randrange(5)) for start in starts]
            one, other = ranges[:4], ranges[4:]
            sets = [{number for begin, end in some for number in range(begin, end)} for some in (one, other)]
            for found, expected in ((spans.union(one), sets[0]), (spans.subtract(one, other), sets[0] - sets[1]),
                                    (spans.intersect(one, other), sets[0] & sets[1])):
                self.assertEqual({number for begin, end in found for number in range(begin, end)}, expected)
                self.assertEqual(spans.size(found), len(expected))


if __name__ == "__main__":
    unittest.main()
