"""The commands of iotrace, from the scripts."""

import tempfile
import unittest
from pathlib import Path

from .. import commands


class CommandsTest(unittest.TestCase):
    def test_a_summary_is_the_docstring_up_to_the_first_stop(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            for script, text in [("one", "Do this, and\nthat."), ("two", "Do this (or that)"), ("bench", "Measure."),
                                 ("iotrace", "All.")]:
                (Path(name) / script).write_text(f'#!/usr/bin/env python3\n"""{text}"""\n')
            (Path(name) / "readme.md").write_text("# no script\n")
            self.assertEqual(commands.of_users(Path(name)), {"one": "Do this", "two": "Do this"})

    def test_each_script_that_is_installed_has_a_summary(self) -> None:
        found = commands.of_users()
        self.assertLessEqual({"record", "replay", "kernel", "compare", "demo", "setup"}, set(found))
        self.assertEqual([name for name, text in found.items() if not text], [])


if __name__ == "__main__":
    unittest.main()
