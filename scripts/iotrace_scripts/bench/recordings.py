"""What a recording and its replay take, from a boot and from the guest's start."""

import functools
from pathlib import Path

from .measure import Run, Runs, once, side_by_side

VARIANTS = {
    "from a boot, host's disk": ["--disk", "host"],
    "from a boot, instant disk, twice": ["--disk", "instant"],
    "from the guest's start": ["--fresh"],
}


def recordings(scripts: Path, kernel: str, place: Path, rounds: int) -> dict[str, tuple[Runs, Runs]]:
    """Each variant's recordings and replays. The round that does not count makes the boot, and the context."""
    def record(name: str) -> Run:
        more = [*VARIANTS[name], "--no-verify", "--force", "-o", str(place / f"timed-{list(VARIANTS).index(name)}")]
        return once([scripts / "record", kernel, "--workload", "demo", *more])

    def replay(name: str) -> Run:
        return once([scripts / "replay", place / f"timed-{list(VARIANTS).index(name)}", "-o", place / "timed.iot"])

    commands = {f"{what} {name}": functools.partial(run, name)
                for name in VARIANTS for what, run in (("record", record), ("replay", replay))}
    runs = side_by_side(commands, rounds)
    return {name: (runs[f"record {name}"], runs[f"replay {name}"]) for name in VARIANTS}
