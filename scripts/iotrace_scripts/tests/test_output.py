"""What a replay writes: an earlier file stays until the new one is whole."""

import contextlib
import io
import os
import tempfile
import unittest
from pathlib import Path
from typing import Callable

from .. import output
from ..say import Problem


class Outputs(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name).resolve()
        self.path = self.folder / "trace.iot"

    def write(self, text: str, fail: bool = False, salvage: Callable[[Path], bool] | None = lambda part: True) -> str:
        """Write a file, to its end or to an error; returns what was said."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.suppress(KeyboardInterrupt):
            with output.Output(self.path, salvage) as written:
                self.assertEqual(written.file.name, self.path.name)
                written.file.write_text(text)
                if fail:
                    raise KeyboardInterrupt
                written.keep()
        return said.getvalue()

    def there(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.folder.iterdir()}

    def test_it_has_its_name_when_it_is_whole(self) -> None:
        self.write("first")
        self.assertEqual(self.there(), {"trace.iot": "first"})
        self.write("second")
        self.assertEqual(self.there(), {"trace.iot": "second"})

    def test_a_part_has_the_name_if_there_is_no_earlier_one(self) -> None:
        self.assertIn("trace.iot is the trace up to there; it is truncated", self.write("part", fail=True))
        self.assertEqual(self.there(), {"trace.iot": "part"})

    def test_a_part_does_not_replace_an_earlier_one(self) -> None:
        self.write("first")
        self.assertIn("trace.iot.partial is the trace up to there", self.write("part", fail=True))
        self.assertEqual(self.there(), {"trace.iot": "first", "trace.iot.partial": "part"})

    def test_what_has_no_mark_that_it_is_truncated_never_has_the_name(self) -> None:
        self.write("part", fail=True, salvage=None)
        self.assertEqual(self.there(), {"trace.iot.partial": "part"})

    def test_nothing_is_left_of_what_cannot_be_read(self) -> None:
        self.assertIn("nothing of", self.write("part", fail=True, salvage=lambda part: False))
        self.write("", fail=True)
        self.assertEqual(self.there(), {})

    def test_another_one_that_writes_it_is_refused(self) -> None:
        self.path.write_text("first")
        with output.Output(self.path) as written:
            written.file.write_text("second")
            with self.assertRaisesRegex(Problem, "written by another replay"), output.Output(self.path):
                pass
            written.keep()
        self.assertEqual(self.there(), {"trace.iot": "second"})

    def test_links_stay_and_what_is_no_file_is_written_directly(self) -> None:
        other = self.folder / "other"
        other.write_text("first")
        self.path.symlink_to(other)
        with output.Output(self.path) as written:
            written.file.write_text("second")
            written.keep()
        self.assertTrue(self.path.is_symlink() and other.read_text() == "second")
        with output.Output(Path(os.devnull)) as written:
            self.assertEqual(written.file, Path(os.devnull))
            written.keep()
        self.assertFalse(Path(os.devnull).is_file())


if __name__ == "__main__":
    unittest.main()
