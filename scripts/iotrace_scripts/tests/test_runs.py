"""Queries on the traces of many runs."""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from .. import commands, runs
from ..say import Problem

TABLES = Path(__file__).resolve().parents[3] / "schemas" / "TABLES.md"


class RunsTest(unittest.TestCase):
    def test_each_query_has_a_summary_and_reads_tables_that_there_are(self) -> None:
        known = set(re.findall(r"^## (\S+)$", TABLES.read_text(), re.MULTILINE))
        self.assertIn("block-events", known)
        named = runs.named()
        self.assertGreaterEqual(len(named), 10)
        for name, summary in named.items():
            self.assertGreater(len(summary.split()), 2, name)
            text = runs.text_of(name)
            self.assertTrue(runs.mentioned(text, known), name)
            # None of them is the text of two statements, and each has its order.
            self.assertNotIn(";", re.sub(r"--.*", "", text), name)
            self.assertIn("order by", text, name)

    def test_a_query_is_a_name_a_file_or_a_text(self) -> None:
        self.assertIn("from runs", runs.text_of("summary"))
        self.assertEqual(runs.text_of("select 1"), "select 1")
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / "mine.sql"
            file.write_text("select 2")
            self.assertEqual(runs.text_of(str(file)), "select 2")
        with self.assertRaisesRegex(Problem, "no query 'sumary'"):
            runs.text_of("sumary")

    def test_views_are_made_of_the_tables_that_are_named(self) -> None:
        names = ["ios", "bios", "block-events", "events"]
        self.assertEqual(runs.mentioned("select * from block_events join ios", names), ["block-events", "ios"])
        self.assertEqual(runs.mentioned("select io from events", names), ["events"])

    def test_the_tables_of_a_folder_are_those_of_its_runs(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.assertRaisesRegex(Problem, "has no run", runs.tables, folder)
            for run, table in [("trace-1", "ios"), ("trace-2", "block-events")]:
                place = folder / "kernel=6.1" / "workload=demo" / "host=lab" / f"run={run}"
                place.mkdir(parents=True)
                (place / f"{table}.parquet").touch()
            hidden = folder / ".new-run=trace-3-7"
            hidden.mkdir()
            (hidden / "waits.parquet").touch()
            self.assertEqual(runs.tables(folder), {"ios", "block-events"})

    def test_the_command_line_needs_a_folder_and_a_query(self) -> None:
        done = subprocess.run([commands.SCRIPTS / "sql", "folder"], capture_output=True, text=True)
        self.assertEqual((done.returncode, "DIR and QUERY are required" in done.stderr), (2, True), done.stderr)
        shown = subprocess.run([commands.SCRIPTS / "sql", "--show", "summary"], capture_output=True, text=True)
        self.assertIn("from runs", shown.stdout)


if __name__ == "__main__":
    unittest.main()
