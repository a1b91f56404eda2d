"""Which I/O schedulers a kernel has.

In: a kernel's folder. Out: the module that brings a scheduler (none if it is built in), or a Problem that names those that
the kernel has. Where the folder says nothing of what is built in, the guest tries.
"""

from dataclasses import dataclass
from pathlib import Path

from . import modules
from .say import Problem

NONE = ("", "none")  # no scheduler: always there


@dataclass(frozen=True)
class Scheduler:
    """An I/O scheduler of Linux."""

    option: str  # of the kernel's configuration
    modules: tuple[str, ...]  # the names that its module has had


# block/Kconfig.iosched; noop, deadline and cfq are those of single queues, to 4.20.
KNOWN = {
    "mq-deadline": Scheduler("MQ_IOSCHED_DEADLINE", ("mq_deadline",)),
    "kyber": Scheduler("MQ_IOSCHED_KYBER", ("kyber_iosched",)),
    "bfq": Scheduler("IOSCHED_BFQ", ("bfq", "bfq_iosched")),
    "noop": Scheduler("IOSCHED_NOOP", ("noop_iosched",)),
    "deadline": Scheduler("IOSCHED_DEADLINE", ("deadline_iosched",)),
    "cfq": Scheduler("IOSCHED_CFQ", ("cfq_iosched",)),
}


def module_of(name: str, kernel: Path) -> str:
    """The module that brings a scheduler of this name; empty if none is needed, or if that is left to the guest."""
    if name in NONE:
        return ""
    if name not in KNOWN:
        raise Problem(f"unknown I/O scheduler '{name}': expected none, {', '.join(KNOWN)}")
    found = available(kernel)
    if name in found:
        return found[name]
    if not says_what_is_built_in(kernel):
        return ""
    raise Problem(f"this kernel has no I/O scheduler '{name}': expected one of {', '.join(['none', *found])}")


def available(kernel: Path) -> dict[str, str]:
    """The schedulers that a kernel's folder is known to have, each with its module, empty for one that is built in."""
    files, configured = modules.files_of(kernel), _configured(kernel)
    builtin = modules.Dependencies.read(kernel).builtin
    found = {}
    for name, scheduler in KNOWN.items():
        of_file = next((module for module in scheduler.modules if module in files), "")
        if of_file or configured.get(scheduler.option) == "y" or not builtin.isdisjoint(scheduler.modules):
            found[name] = of_file
    return found


def says_what_is_built_in(kernel: Path) -> bool:
    """Whether the folder has the kernel's configuration: modules.builtin lacks what cannot be a module, as noop."""
    return (kernel / "config").exists()


def _configured(kernel: Path) -> dict[str, str]:
    config = kernel / "config"
    lines = config.read_text(errors="replace").splitlines() if config.exists() else []
    pairs = (line.removeprefix("CONFIG_").partition("=") for line in lines if line.startswith("CONFIG_"))
    return {option: value for option, _, value in pairs}
