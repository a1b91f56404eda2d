"""Guests that are traced while they run, without record and replay.

In: what is to be traced, a plugin. Out: a folder with the trace, the console and a manifest that says that it cannot be replayed.
The guest's clock counts instructions, as in a recording; what QEMU and the host do between them is in no log, so that each run is
another one.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from . import guest, manifest, qemu, recording, stage, traced
from .machine import ARCHIVE, Run
from .plugin import Plugin, complaint, notes_of
from .recording import Wanted
from .say import Problem


def trace(wanted: Wanted, folder: Path, used: Plugin) -> None:
    """Trace into an empty folder; the manifest is written only when all went well."""
    described = wanted.distribution(wanted.image) if wanted.image else replace(wanted.configuration().machine, errors=wanted.errors, archive=False)
    facts = recording.facts_of(wanted, described)
    notes = notes_of(manifest.Manifest(facts["kernel"], facts["qemu"], facts["guest"], described, {}, replayable=False))
    with stage.Stage(beside=folder.parent) as place:
        _write(wanted, place.folder)
        extra = used.arguments(folder / manifest.TRACE, notes)
        ran = recording.run(wanted, described, place.folder, Run("trace", qemu.CONSOLE), "tracing", extra=extra)
        shutil.move(place.folder / qemu.CONSOLE, folder / qemu.CONSOLE)
        witness = recording.take_witness(place.folder, folder) if wanted.witness else []
    if complained := complaint(ran.said):
        raise Problem(f"the trace is incomplete: {complained}")
    traced.over(used, folder / manifest.TRACE)
    facts["guest"]["status"] = ran.status
    manifest.write(folder, {**facts, "replayable": False, "seconds": round(ran.seconds, 1)},
                   [manifest.TRACE, qemu.CONSOLE, *witness])
    recording.check_workload(wanted, ran.status, folder, "trace")


def _write(wanted: Wanted, folder: Path) -> None:
    """The files of the machine."""
    if wanted.image:
        return wanted.image.copy_to(folder)
    options = guest.WorkloadOptions(wanted.witness, wanted.tracer, wanted.tick, instant=False)
    guest.write_archive(folder / ARCHIVE, wanted.work(), options, wanted.brought)
    wanted.configuration().write(folder, folder / ARCHIVE)
