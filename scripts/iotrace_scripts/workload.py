"""Workloads: what `--workload NAME[:KEY=VALUE,...]` makes the guest do, as two shell scripts.

`prepare` runs before the mark of the beginning, `run` between the marks. In both, $TARGET is the
test file (or the disk itself, without a file system), and the folder is the mounted file system.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from .say import Problem

JOBS = Path(__file__).resolve().parent.parent / "guest" / "jobs"


@dataclass
class Workload:
    """What the guest is to do."""

    run: str
    prepare: str = ""
    fio_job: Path | None = None
    programs: tuple[str, ...] = ()  # of this machine, that the guest needs beside its own
    own_programs: tuple[str, ...] = ()  # of guest.WORKLOAD_PROGRAMS


DEFAULTS: dict[str, dict[str, str]] = {
    "loop-write": {"count": "20", "interval": "0"},
    "direct": {"block": "4096", "count": "16", "order": "seq"},
    "buffered-read": {"block": "65536", "count": "16"},
    "demo": {"count": "10", "direct": "8"},
    "truth": {"seed": "1", "count": "320"},
}

# A file with data in it that the page cache does not hold.
COLD_FILE = """dd if=/dev/zero of="$TARGET" bs={block} count={count} conv=notrunc 2>/dev/null || exit 1
sync
echo 3 >/proc/sys/vm/drop_caches
"""
DIRECT = """direct-io "$TARGET" write {order} {block} {count} || exit 1
direct-io "$TARGET" read {order} {block} {count}
"""
# Its files are in a folder of their own, or on the disk.
TRUTH_FOLDER = '[ -b "$TARGET" ] || mkdir /mnt/truth || exit 1\n'
# It waits for timers of the kernel, and for the console: with the instant disk the guest does not idle meanwhile, as
# its clock would follow the host's (see scripts/guest/init).
TRUTH = """[ -b "$TARGET" ] || TARGET=/mnt/truth
. /iotrace/options
if [ -n "$INSTANT" ]; then
    iotrace-spin &
    trap "kill $!" EXIT
fi
truth "$TARGET" {seed} {count}
"""
SCRIPTS = {
    "loop-write": ("", 'loop-write "$TARGET" {count} {interval}\n'),
    "direct": ("", DIRECT),
    "buffered-read": (COLD_FILE, 'dd if="$TARGET" of=/dev/null bs={block} count={count} 2>/dev/null\n'),
    "demo": ("", """loop-write "$TARGET" {count} 0 || exit 1
[ -b "$TARGET" ] || TARGET=/mnt/direct.bin
direct-io "$TARGET" write seq 16384 {direct} || exit 1
direct-io "$TARGET" read rand 4096 {direct}
"""),
    "truth": (TRUTH_FOLDER, TRUTH),
}
OWN_PROGRAMS = {"truth": ("truth",)}
HELP = ("loop-write[:count=N,interval=SECONDS], direct[:block=BYTES,count=N,order=seq|rand], "
        "buffered-read[:block=BYTES,count=N], demo[:count=N,direct=N], truth[:seed=N,count=N] (COUNT operations of all "
        "kinds by several tasks, printed with their results), fio:JOB (a job file, or one of "
        "scripts/guest/jobs by name), sh:COMMAND (in the mounted file system; $DISK is the disk)")


def parse(text: str) -> Workload:
    """The workload that a user names."""
    name, _, rest = text.partition(":")
    if name == "sh":
        return Workload(run=rest + "\n")
    if name == "fio":
        return _fio(rest)
    if name not in SCRIPTS:
        raise Problem(f"unknown workload '{name}': expected one of {HELP}")
    values = dict(DEFAULTS[name])
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if key not in values or not equals:
            raise Problem(f"workload {name}: '{pair}' is not one of {', '.join(values)} with a value, as in "
                          f"{name}:{','.join(f'{k}={v}' for k, v in values.items())}")
        _check(name, key, value)
        values[key] = value
    prepare, run = SCRIPTS[name]
    return Workload(run=run.format(**values), prepare=prepare.format(**values), own_programs=OWN_PROGRAMS.get(name, ()))


def _check(name: str, key: str, value: str) -> None:
    if key == "order":
        good = value in ("seq", "rand")
    else:
        good = value.replace(".", "", 1 if key == "interval" else 0).isdecimal()
    if not good:
        raise Problem(f"workload {name}: {key}={value} is not {'seq or rand' if key == 'order' else 'a number'}")


def _fio(job: str) -> Workload:
    path = Path(job)
    if not path.is_file():
        path = JOBS / f"{job}.fio"
    if not path.is_file():
        ours = ", ".join(sorted(file.stem for file in JOBS.glob("*.fio")))
        raise Problem(f"no fio job file '{job}'; available are {ours}")
    job_text = path.read_text()
    return Workload(run=_fio_run(job_text), prepare=_fio_folders(job_text), fio_job=path, programs=("fio",))


def _fio_run(job: str) -> str:
    """fio runs the job in the mounted file system, as it would by hand: each of its jobs has files of its own. Without
    a file system, the disk is the file of all jobs."""
    names_files = re.search(r"^filename\s*=", job, re.MULTILINE)
    raw = "" if names_files else '[ ! -b "$TARGET" ] || set -- --filename="$TARGET"\n'
    return f'{raw}FIO_DIR=/mnt fio --output-format=terse --eta=never --output=/dev/null "$@" /iotrace/job.fio\n'


def _fio_folders(job: str) -> str:
    """The folders that a job names and the guest does not have are made: in the file system, or leading to it."""
    folders = dict.fromkeys(re.findall(r"^directory\s*=\s*([\w./-]+)", job, re.MULTILINE))
    lines = []
    for folder in folders:
        lead = f' && mount --bind /mnt "{folder}"' if folder.startswith("/") else ""
        lines.append(f'[ -e "{folder}" ] || {{ mkdir -p "{folder}"{lead}; }} || exit 1\n')
    return "".join(lines)
