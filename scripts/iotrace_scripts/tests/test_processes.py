"""What a killed script leaves: no process, and no folder for longer than until the next run."""

import errno
import os
import select
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from .. import child, scratch
from ..say import Problem

SCRIPTS = Path(__file__).resolve().parents[2]
DEADLOCK = 60.0  # seconds; what takes longer never comes

# Makes a folder, starts a program in it, prints both, and waits.
MAKER = """
import os, sys, tempfile
from pathlib import Path
from iotrace_scripts import child, scratch
with scratch.Scratch(Path(sys.argv[1]), sys.argv[2]) as made, tempfile.TemporaryFile("w+") as said:
    (made.folder / "something").touch()
    process = child.start(["sleep", "infinity"], made.folder, said)
    print(process.pid, made.folder, flush=True)
    sys.stdin.read()
"""


def ended(descriptor: int) -> bool:
    """Waits for the end of a process, by its descriptor."""
    return bool(select.select([descriptor], [], [], DEADLOCK)[0])


class Killed(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)

    def maker(self, name: str) -> tuple[subprocess.Popen[str], int, Path]:
        """A script that has started a program: its process, a descriptor of the program, its folder."""
        process = subprocess.Popen([sys.executable, "-c", MAKER, self.place, name], cwd=SCRIPTS, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        assert process.stdout is not None
        pid, folder = process.stdout.readline().split()
        descriptor = os.pidfd_open(int(pid))
        self.addCleanup(os.close, descriptor)
        return process, descriptor, Path(folder)

    def test_a_killed_script_leaves_no_process(self) -> None:
        process, program, _ = self.maker("recording")
        self.assertEqual(select.select([program], [], [], 0)[0], [])
        process.send_signal(signal.SIGKILL)
        self.assertTrue(ended(program))

    def test_a_program_whose_script_is_gone_does_not_start(self) -> None:
        code = ("import os, sys, tempfile\nfrom pathlib import Path\nfrom iotrace_scripts import child\nos.getpid = lambda: 1 << 30\n"
                "print(child.start([sys.executable, '-c', 'print(1)'], Path('/'), open(sys.argv[1], 'w+')).wait())")
        said = self.place / "said"
        done = subprocess.run([sys.executable, "-c", code, said], cwd=SCRIPTS, capture_output=True, text=True, check=True)
        self.assertEqual((done.stdout.strip(), said.read_text()), ("127", ""))

    def test_the_next_run_deletes_the_folder_of_a_killed_one_only(self) -> None:
        for name in ("recording", ""):
            dead, program, left = self.maker(name)
            alive, _, used = self.maker(name)
            dead.send_signal(signal.SIGKILL)
            dead.wait()
            self.assertTrue(ended(program) and left.exists())
            with scratch.Scratch(self.place) as next_one:
                self.assertFalse(left.exists())
                self.assertTrue(used.exists() and next_one.folder.exists())
            alive.communicate("")
            self.assertFalse(used.exists() or next_one.folder.exists())

    def test_folders_of_others_stay(self) -> None:
        others = [self.place / name for name in (".recording.making-12345678", "iotrace-12345678", "iotrace", ".other")]
        for other in others:
            other.mkdir()
        for other in others[:2]:
            (other / "file").touch()
        (self.place / "target").mkdir()
        (self.place / "target" / scratch.MARKER).touch()
        (self.place / "iotrace-linked").symlink_to(self.place / "target")
        scratch.clear(self.place)
        self.assertTrue(all(other.exists() for other in [*others, self.place / "target"]))

    def test_a_folder_that_is_kept_has_its_name_alone(self) -> None:
        with scratch.Scratch(self.place, "recording") as made:
            (made.folder / "file").touch()
            made.keep_as(self.place / "recording")
        self.assertEqual(os.listdir(self.place), ["recording"])
        self.assertEqual(os.listdir(self.place / "recording"), ["file"])


    def test_an_empty_folder_of_a_run_that_was_killed_before_it_had_a_marker_is_deleted(self) -> None:
        left = [self.place / name for name in (".recording.making-12345678", "iotrace-1234567_")]
        for folder in left:
            folder.mkdir()
        with scratch.Scratch(self.place) as made:
            self.assertEqual(os.listdir(self.place), [made.folder.name])

    def test_the_marker_is_deleted_last(self) -> None:
        with mock.patch("shutil.rmtree"):  # as if it was killed there
            with scratch.Scratch(self.place) as made:
                for name in ("a", "z", ".a", ".z"):
                    (made.folder / name).touch()
        self.assertEqual(os.listdir(made.folder), [scratch.MARKER])
        scratch.clear(self.place)
        self.assertEqual(os.listdir(self.place), [])

    def test_a_folder_that_another_run_takes_for_an_empty_one_is_made_again(self) -> None:
        made = []

        def taken_once(folder: Path) -> int | None:
            made.append(folder)
            if len(made) == 1:
                folder.rmdir()
                return None
            return os.open(folder, os.O_RDONLY)

        with mock.patch.object(scratch, "_lock", taken_once), scratch.Scratch(self.place) as second:
            self.assertEqual(second.folder, made[1])
            self.assertTrue((second.folder / scratch.MARKER).exists())

    def test_an_earlier_folder_is_replaced_at_once(self) -> None:
        for can_exchange in (True, False):
            earlier = self.place / "recording"
            earlier.mkdir(exist_ok=True)
            (earlier / "earlier").touch()
            with mock.patch.object(scratch, "_exchange", scratch._exchange if can_exchange else lambda *_: False):
                with scratch.Scratch(self.place, "recording") as made:
                    (made.folder / "file").touch()
                    made.keep_as(earlier, replace=True)
                    # what is left of the earlier one is a folder that the next run deletes
                    self.assertTrue(not can_exchange or (made.folder / scratch.MARKER).exists())
            self.assertEqual((os.listdir(self.place), os.listdir(earlier)), (["recording"], ["file"]))

    def test_a_folder_that_another_run_has_made_meanwhile_stays(self) -> None:
        other = self.place / "recording"
        other.mkdir()
        (other / "file").touch()
        with self.assertRaisesRegex(Problem, "exists"), scratch.Scratch(self.place, "recording") as made:
            made.keep_as(other)
        self.assertEqual((os.listdir(self.place), os.listdir(other)), (["recording"], ["file"]))

    def test_a_full_disk_is_named_by_the_folder_that_was_written_to(self) -> None:
        with self.assertRaises(OSError) as refused, scratch.Scratch(self.place) as made:
            with open("/dev/full", "w") as full:
                full.write("x")
        self.assertEqual((refused.exception.errno, refused.exception.filename), (errno.ENOSPC, str(made.folder)))
        self.assertFalse(made.folder.exists())


class Child(unittest.TestCase):
    def test_it_inherits_what_is_named_and_prints_into_a_file(self) -> None:
        reading, writing = os.pipe()
        with tempfile.TemporaryFile("w+") as said, os.fdopen(reading) as pipe:
            command = ["sh", "-c", f"echo there >&{writing}; pwd; cat"]
            self.assertEqual(child.start(command, Path("/"), said, [writing]).wait(), 0)
            os.close(writing)
            said.seek(0)
            self.assertEqual((said.read(), pipe.read()), ("/\n", "there\n"))


if __name__ == "__main__":
    unittest.main()
