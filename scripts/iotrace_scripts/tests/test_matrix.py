"""The cells of the matrix, and its table."""

import unittest
import unittest.mock
from dataclasses import astuple
from itertools import combinations, product

from iotrace_scripts import modules, qemu
from iotrace_scripts.matrix import cells, guest, table
from iotrace_scripts.matrix.judge import Row, is_known


class Cells(unittest.TestCase):
    def test_every_pair_of_values_is_in_a_cell(self) -> None:
        chosen = [astuple(cell) for cell in cells.covering()]
        for a, b in combinations(range(len(cells.FACTORS)), 2):
            there = {(values[a], values[b]) for values in chosen}
            self.assertEqual(there, set(product(cells.FACTORS[a], cells.FACTORS[b])) - cells.IMPOSSIBLE)
        self.assertEqual(chosen, [astuple(cell) for cell in cells.covering()])
        self.assertLessEqual(len(chosen), 150)

    def test_values_that_came_later_change_no_cell_of_the_others(self) -> None:
        later = [bool(cells.LATER.intersection(astuple(cell))) for cell in cells.covering()]
        self.assertEqual(later, sorted(later))
        self.assertEqual(later.count(False), 66)

    def test_factors_are_what_the_scripts_know(self) -> None:
        self.assertLessEqual(set(cells.CONTROLLERS), set(qemu.CONTROLLERS))
        self.assertEqual(set(cells.FILE_SYSTEMS), set(modules.FILE_SYSTEMS))
        self.assertEqual(set(cells.STACKS), set(guest.LAYERS))
        self.assertEqual(set(cells.STACKS), set(guest.MODULES))

    def test_a_stack_lies_on_the_disk_or_on_a_loop_device(self) -> None:
        on_disk = guest.script(cells.Cell("k", "c", "raw", "linear"), [])
        on_file = guest.script(cells.Cell("k", "c", "ext4", "linear"), [])
        self.assertIn("BACK=$DISK", on_disk)
        self.assertNotIn("losetup", on_disk)
        self.assertIn("--direct-io=on /dev/loop0 /mnt/image", on_file)

    def test_overlayfs_lies_in_directories_and_a_squashfs_is_brought(self) -> None:
        self.assertNotIn("losetup", guest.script(cells.Cell("k", "c", "ext4", "overlay"), []))
        self.assertIn("dd if=/files/squashfs.img of=$DISK", guest.script(cells.Cell("k", "c", "raw", "squashfs"), []))
        self.assertIn("cp /files/squashfs.img /mnt/image", guest.script(cells.Cell("k", "c", "ext4", "squashfs"), []))

    def test_a_read_that_waits_has_its_device_and_nothing_unknown(self) -> None:
        def known(*kinds: str, interrupts: int = 0, clock: int = 0) -> bool:
            spans = [{"kind": kind, "from": 1000 * at, "to": 1000 * at + 500} for at, kind in enumerate(kinds, 1)]
            return is_known({"spans": spans, "unknown_interrupts": interrupts}, [clock])

        self.assertTrue(known("running", "device"))
        self.assertTrue(known("running", "interrupted", clock=1990))  # the device had done before the task stopped
        for faulty in (known("running", "interrupted", clock=2600), known("device", interrupts=1), known("device", "unknown"), known()):
            self.assertFalse(faulty)

    def test_programs_that_cells_need_are_looked_for_first(self) -> None:
        with unittest.mock.patch("shutil.which", lambda name: None if name in ("lvm", "mksquashfs") else f"/bin/{name}"):
            found = [guest.missing([cells.Cell("k", "c", "fs", stack)]) for stack in ("none", "lvm", "squashfs")]
        self.assertEqual(found, [[], ["lvm"], ["mksquashfs"]])

    def test_the_table_has_the_cells_that_were_tried(self) -> None:
        one, two, three = (cells.Cell("k", "c", "fs", name) for name in ("a", "b", "c"))
        good = Row(mode="live", seconds=9.6, events=10, bios=3, tracepoints="3/3", served="2/2", device="1/1")
        bad = Row(mode="recorded", seconds=1.0, wrong="a | b")
        text = table.text([one, two, three], {one.name(): good.facts(), two.name(): bad.facts()})
        self.assertIn("3 cells, 2 tried, 1 without a fault.", text)
        self.assertIn("| k | c | fs | a | live | 3 | 3/3 | 2/2 | 1/1 | 0 | 0 of 10 | 10 | ok |", text)
        self.assertIn("a \\| b |", text)
        read = table.read(text, [one, two])
        self.assertEqual(read, {one.name(): good.facts() | {"seconds": 10.0}, two.name(): bad.facts()})
        self.assertEqual(table.text([one, two, three], read), text)
        self.assertEqual(table.read(text, [three]), {})
