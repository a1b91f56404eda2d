"""Which schedulers a kernel's folder has."""

import tempfile
import unittest
from pathlib import Path

from iotrace_scripts import schedulers
from iotrace_scripts.say import Problem


class Schedulers(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory(prefix="iotrace-test-")
        self.addCleanup(place.cleanup)
        self.kernel = Path(place.name)
        (self.kernel / "modules").mkdir()
        (self.kernel / "modules" / "kyber-iosched.ko.xz").touch()
        (self.kernel / "modules.dep").write_text("kyber-iosched.ko:\n")
        (self.kernel / "modules.builtin").write_text("kernel/block/mq-deadline.ko\n")

    def test_a_module_is_loaded_and_what_is_built_in_is_not(self) -> None:
        self.assertEqual(schedulers.module_of("kyber", self.kernel), "kyber_iosched")
        self.assertEqual(schedulers.module_of("mq-deadline", self.kernel), "")
        self.assertEqual(schedulers.module_of("none", self.kernel), "")

    def test_one_that_the_kernel_lacks_is_refused_with_those_that_it_has(self) -> None:
        (self.kernel / "config").write_text("CONFIG_IOSCHED_NOOP=y\n# CONFIG_IOSCHED_CFQ is not set\nCONFIG_IOSCHED_DEADLINE=m\n")
        with self.assertRaisesRegex(Problem, "no I/O scheduler 'cfq': expected one of none, mq-deadline, kyber, noop$"):
            schedulers.module_of("cfq", self.kernel)
        self.assertEqual(schedulers.module_of("noop", self.kernel), "")

    def test_the_guest_tries_what_the_folder_does_not_tell(self) -> None:
        self.assertEqual(schedulers.module_of("noop", self.kernel), "")

    def test_a_name_of_none_is_refused(self) -> None:
        with self.assertRaisesRegex(Problem, "unknown I/O scheduler 'elevator': expected none, mq-deadline, "):
            schedulers.module_of("elevator", self.kernel)
