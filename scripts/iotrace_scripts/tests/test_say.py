"""Messages: nothing that a terminal acts on, and what the system refuses in a line."""

import contextlib
import errno
import io
import os
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

from .. import say

SCRIPTS = Path(__file__).resolve().parents[2]


def printed(message: str) -> str:
    """What a message prints."""
    with contextlib.redirect_stderr(io.StringIO()) as out:
        say.say(message)
    return out.getvalue()


class Printable(unittest.TestCase):
    def test_what_a_terminal_acts_on_is_escaped(self) -> None:
        for code in [*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A),
                     0x2028, 0x2029, 0xFEFF, 0xD800, 0xDCFF]:
            if chr(code) in "\n\t":
                continue
            escaped = say.printable(f"a{chr(code)}b")
            self.assertTrue(escaped.isprintable() and escaped.startswith("a\\") and escaped.endswith("b"), (hex(code), escaped))

    def test_what_people_write_stays(self) -> None:
        for text in ["plain", "two\nlines\tand a tab", "Grüße, 東京, Ελλάς", "\\x1b"]:
            self.assertEqual(say.printable(text), text)

    def test_every_message_passes_through_it(self) -> None:
        hostile = "\x1b]0;title\x07 \u202egnp.\u2066 \x9b2J"
        with contextlib.redirect_stderr(io.StringIO()) as out:
            say.say(hostile)
            with mock.patch.object(say.Ticker, "QUIET_SECONDS", -1.0):
                ticker = say.Ticker(hostile)
                ticker.tell(hostile)
                ticker.done(hostile)
            for error in (say.Problem(hostile), OSError(errno.ENOENT, "none", hostile)):
                with self.assertRaises(SystemExit):
                    say.main_guard(mock.Mock(side_effect=error))
        lines = out.getvalue().splitlines()
        self.assertEqual(len(lines), 5)
        self.assertTrue(all(line.isprintable() for line in lines), lines)


class System(unittest.TestCase):
    def test_an_error_of_the_system_is_one_line_with_what_to_do(self) -> None:
        for number in say.ADVICE:
            error = OSError(number, os.strerror(number), "/some/place")
            with contextlib.redirect_stderr(io.StringIO()) as out, self.assertRaises(SystemExit) as ended:
                say.main_guard(mock.Mock(side_effect=error))
            self.assertEqual(ended.exception.code, 1)
            self.assertEqual(len(out.getvalue().splitlines()), 1)
            self.assertIn("/some/place", out.getvalue())
            self.assertIn(say.ADVICE[number], out.getvalue())

    def test_a_problem_has_its_exit_status(self) -> None:
        class Other(say.Problem):
            status = 3
        for error, status in ((say.Problem("x"), 1), (Other("x"), 3)):
            with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as ended:
                say.main_guard(mock.Mock(side_effect=error))
            self.assertEqual(ended.exception.code, status)

    def test_a_program_that_meets_a_full_disk_says_so(self) -> None:
        with self.assertRaises(say.Problem) as refused:
            say.run(["sh", "-c", "echo 'writing: No space left on device' >&2; exit 1"], "packing")
        self.assertIn(say.ADVICE[errno.ENOSPC], str(refused.exception))
        self.assertNotIn("\n", str(refused.exception))


class Failing(unittest.TestCase):
    """What is said when something cannot be written."""

    def test_an_error_of_the_system_that_a_program_reports_has_advice_and_places(self) -> None:
        for text, advice in (("cp: No space left on device", "free some space"), ("zstd: Read-only file system", "mounted for writing"),
                             ("x: Input/output error", "check the disk")):
            with self.assertRaisesRegex(say.Problem, f"copying: {text} .written are /place and .*{advice}"):
                say.run(["sh", "-c", f"echo before >&2; echo '{text}' >&2; exit 1"], "copying", Path("/place"))

    def test_a_full_disk_for_standard_output_is_one_message(self) -> None:
        for code in ("print('x')", "raise SystemExit(print('x'))"):
            program = f"from iotrace_scripts import say\ndef main():\n    {code}\nsay.main_guard(main)"
            with open("/dev/full", "w") as full:
                done = subprocess.run([sys.executable, "-c", program], cwd=SCRIPTS, stdout=full, stderr=subprocess.PIPE, text=True,
                                      env={**os.environ, "PYTHONUNBUFFERED": ""})
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"^-c: No space left on device: standard output; free some space.*\n$")


if __name__ == "__main__":
    unittest.main()
