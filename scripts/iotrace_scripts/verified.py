"""Recordings that are known to replay.

In: what is to be recorded, a plugin. Out: a recording that was replayed with the plugin to its end: with the same console, and
with as many instructions at the end of the trace as the guest's own clock had. The trace of that replay is kept in the
recording. One that does not replay is recorded again.
"""

import re
import shutil
from pathlib import Path

from . import boots, contexts, manifest, qemu, recording, scratch, traced
from .plugin import Plugin, complaint, notes_of
from .recording import NotReplayed, Wanted
from .say import Problem, of_system, say
from .standstill import Standstill

TRIES = 5


class Unverified(NotReplayed):
    """No recording replayed."""


def record(wanted: Wanted, folder: Path, used: Plugin) -> None:
    """Record into an empty folder, until the recording replays."""
    for number in range(1, TRIES + 1):
        recording.record(wanted, folder)
        try:
            verify(folder, wanted.qemu, used, number)
            break
        except (Standstill, NotReplayed) as problem:
            if number == TRIES:
                raise _given_up(problem) from None
            say(f"recording {number} of at most {TRIES} does not replay; recording again: {problem}")
            empty(folder)
    if number > 1:
        say(f"recording {number} replays; {number - 1} before it did not")


def _given_up(problem: Standstill | NotReplayed) -> Unverified:
    given_up = Unverified(f"none of {TRIES} recordings replays; use --no-verify to keep one nevertheless. The last one: {problem}")
    given_up.status = problem.status
    return given_up


def empty(folder: Path) -> None:
    """Delete what a recording put into its folder."""
    for path in folder.iterdir():
        if path.name != scratch.MARKER:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def verify(folder: Path, chosen: str, used: Plugin, number: int) -> None:
    """Replay a recording with the plugin, compare, and keep the trace."""
    facts, trace = manifest.read(folder), folder / manifest.TRACE
    with scratch.Scratch() as place:
        console = place.folder / qemu.CONSOLE
        arguments = used.arguments(trace, notes_of(facts), begin(folder, facts, chosen, used))
        ended = recording.replay(folder, facts, chosen, arguments, console)
        recording.check_ended(ended)
        recording.same_console(folder, console)
    if (complained := complaint(ended.said)) and (found := of_system(complained)):
        raise Problem(f"replaying: {complained}; {found[1]}")
    if complained:
        say(f"warning: the recording replays, but its trace is incomplete and not kept: {complained}")
        trace.unlink(missing_ok=True)
        return
    over = traced.over(used, trace)
    check_clock(folder, over["ns"])
    manifest.add_verified(folder, {"recordings": number, "over": over["clock"], "plugin": traced.fingerprint(used, facts)})
    say(f"the recording replays: the same console, {over['clock']} instructions to the end of the trace")


def begin(folder: Path, facts: manifest.Manifest, chosen: str, used: Plugin) -> list[str]:
    """The plugin's arguments that go on from a boot."""
    if not facts.machine.boot:
        return []
    boot = boots.of(folder, facts)
    return [f"resume={contexts.of_boot(boot, Path(facts.kernel['folder']), chosen, used.identity(), used.saving)}"]


def check_clock(folder: Path, reached: int | None) -> None:
    """The guest printed its clock, which counts its instructions, behind the last mark: the replay must have been there then."""
    text = (folder / qemu.CONSOLE).read_text(errors="replace")
    clocks = re.findall(r"^iotrace: clock (\d{1,19})\s*$", text, re.MULTILINE)
    if reached is None or not clocks or not 0 <= int(clocks[-1]) - reached <= traced.BEHIND:
        raise NotReplayed(f"the trace is over at {reached} ns, the guest's clock was then {clocks[-1] if clocks else 'not printed'}")
