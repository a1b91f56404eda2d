"""The commands of iotrace, from the scripts."""

import subprocess
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

    def test_no_script_guesses_an_option_from_its_beginning(self) -> None:
        output = subprocess.run([commands.SCRIPTS / "record", "-o", "x", "--work", "demo"], capture_output=True, text=True)
        self.assertEqual((output.returncode, "unrecognized arguments: --work" in output.stderr), (2, True), output.stderr)
        for script in commands.SCRIPTS.iterdir():
            if script.is_file() and "ArgumentParser(" in (text := script.read_text()):
                self.assertIn("ArgumentParser(allow_abbrev=False, ", text, script.name)


if __name__ == "__main__":
    unittest.main()
