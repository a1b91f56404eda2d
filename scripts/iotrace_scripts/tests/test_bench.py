"""Tests of what benchmarks make of their figures."""

import tempfile
import unittest
from pathlib import Path

from iotrace_scripts.bench import table
from iotrace_scripts.bench.measure import Run
from iotrace_scripts.bench.views import ViewRun, growth, written


class ViewsTest(unittest.TestCase):
    """Views of traces of several lengths."""

    RUNS = [ViewRun("report", 10**7, Run(2.0, 2.0, 36 * 1024), 5 * 10**6),
            ViewRun("report", 10**6, Run(0.5, 0.5, 30 * 1024), 10**6),
            ViewRun("info", 10**6, Run(0.1, 0.1, 16 * 1024), 1000)]

    def test_growth_is_that_of_the_longest_trace(self) -> None:
        self.assertEqual(growth(self.RUNS), {"report": 1.2, "info": 1.0})

    def test_a_row_has_what_a_view_took(self) -> None:
        rows = table.views(self.RUNS).splitlines()
        self.assertEqual(rows[2:], ["| info | 1,000,000 | 0.0 | 0.10 | 10.0 | 16 |  |",
                                    "| report | 1,000,000 | 1.0 | 0.50 | 2.0 | 30 |  |",
                                    "| report | 10,000,000 | 5.0 | 2.00 | 5.0 | 36 | 1.20 |"])

    def test_what_is_written_is_a_file_or_those_of_a_directory(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "a").write_bytes(b"123")
            (folder / "deep").mkdir()
            (folder / "deep" / "b").write_bytes(b"45")
            self.assertEqual((written(folder / "a"), written(folder)), (3, 5))


if __name__ == "__main__":
    unittest.main()
