"""Recordings by what a user would take instead, of comparable events.

trace-cmd and blktrace record the same fio job, on the same kernel, in a guest (a host may refuse them); trace-cmd
follows the catalog's functions. uftrace and LTTng record the calls of a small program on this machine.
"""

import os
import subprocess
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

from .. import disk, guest, qemu, workload
from ..say import Problem, run, say
from .measure import once

SOURCE = Path(__file__).with_name("calls.c")
LOOPS = 400_000  # of the small program: about 2.8 million calls
MEMORY = 2048
OUT_MEGABYTES = 1024
SCRIPT = """
mount -t tracefs tracefs /sys/kernel/tracing
mkdir /out
cat >/tmp/job <<'END'
rm -f /mnt/*
@JOB@
END
for tracer in function function_graph; do
    awk 'NR == FNR { wanted[$1] = 1; next } { name = $1; sub(/[.].*/, "", name) } name in wanted { print FNR }' \\
        /iotrace/functions /sys/kernel/tracing/available_filter_functions >/sys/kernel/tracing/set_ftrace_filter
    trace-cmd record -p $tracer -b 65536 -o /out/$tracer.dat sh /tmp/job || exit 1
done
blktrace -d $DISK -b 1024 -n 16 -D /out -o trace &
sleep 1
for round in 1 2 3 4 5 6 7 8; do
    sh /tmp/job && sync || exit 1
done
kill -INT $! && wait
for disk in /dev/sd?; do
    [ $disk = $DISK ] || tar -c -f $disk -C /out . || exit 1
done
"""


Command = Sequence[str | Path]


@dataclass(frozen=True)
class Peer:
    """What another tracer recorded, and how it is read."""

    name: str
    files: Path  # a file, or the folder that holds nothing else
    events: int
    readers: dict[str, Command]  # what to call it: a command that goes through all of it

    def bytes(self) -> int:
        """The size of its files."""
        if self.files.is_file():
            return self.files.stat().st_size
        return sum(file.stat().st_size for file in self.files.rglob("*") if file.is_file())


def in_guest(kernel: Path, job: str, place: Path) -> list[Peer]:
    """trace-cmd's and blktrace's recordings."""
    work = workload.parse(f"fio:{job}")
    work.programs += ("trace-cmd", "blktrace")
    work.run = SCRIPT.replace("@JOB@", work.run.strip())
    plan = guest.GuestPlan(controller="lsi53c895a", file_system="xfs", scheduler="", data_disk="sda", witness_disk="",
                           mount_options="", programs=work.programs)
    work_archive = place / "workload.tar"
    guest.write_archive(work_archive, work, guest.WorkloadOptions(witness=False, tracer="function", tick=0, instant=False))
    guest.write_initramfs(place / "initramfs.cpio", kernel, plan, work_archive)
    disk.make(place / "disk.img", "xfs", 320)
    disk.blank(place / "out.img", OUT_MEGABYTES)
    say("recording with trace-cmd and blktrace in a guest")
    once([qemu.find(None), "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-net", "none",
          "-machine", "q35,hpet=off", "-cpu", "qemu64", "-m", str(MEMORY), "-serial", "file:console.txt",
          "-device", "lsi53c895a,id=controller",
          *_drive(0, "disk.img"), *_drive(1, "out.img"), "-kernel", kernel / "vmlinuz", "-initrd", "initramfs.cpio",
          "-append", "console=ttyS0 quiet panic=-1 mitigations=off nowatchdog audit=0 cryptomgr.notests"], place)
    console = (place / "console.txt").read_text(errors="replace")
    if "iotrace: workload ends, status 0" not in console:
        raise Problem(f"the guest in which trace-cmd and blktrace record failed:\n{console[-2000:]}")
    with tarfile.open(place / "out.img", "r:") as archive:
        archive.extractall(place / "out", filter="data")
    return [*(_trace_cmd(tracer, place / "out") for tracer in ("function", "function_graph")), _blktrace(place / "out")]


def _drive(number: int, image: str) -> list[str]:
    return ["-drive", f"file={image},format=raw,if=none,id=disk{number}",
            "-device", f"scsi-hd,bus=controller.0,scsi-id={number},drive=disk{number}"]


def _trace_cmd(tracer: str, place: Path) -> Peer:
    file = place / f"{tracer}.dat"
    report: Command = ["trace-cmd", "report", file]
    return Peer(f"trace-cmd, {tracer}", file, _lines(report), {"trace-cmd report": report})


def _blktrace(place: Path) -> Peer:
    folder = place / "blktrace"
    folder.mkdir()
    for file in place.glob("trace.blktrace.*"):
        file.rename(folder / file.name)
    binary = place / "blktrace.bin"
    parse: Command = ["blkparse", "-q", "-i", folder / "trace"]
    run([os.fspath(part) for part in [*parse, "-O", "-d", binary]], "reading blktrace's files", stdout=subprocess.PIPE)
    readers: dict[str, Command] = {"blkparse": parse, "btt": ["btt", "-i", binary, "-o", place / "btt"]}
    return Peer("blktrace", folder, _lines(parse), readers)


def on_host(place: Path) -> list[Callable[[], list[Peer]]]:
    """uftrace's and LTTng's recordings, each to be made by a call."""
    return [lambda: [_uftrace(place)], lambda: [_lttng(place)]]


def _uftrace(place: Path) -> Peer:
    program, data = place / "calls-pg", place / "uftrace.data"
    run(["gcc", "-O1", "-pg", "-o", str(program), str(SOURCE)], "compiling calls.c")
    say("recording with uftrace")
    once(["uftrace", "record", "--no-event", "-d", data, program, str(LOOPS)])
    readers: dict[str, Command] = {f"uftrace {word}": ["uftrace", word, "-d", data] for word in ("replay", "report")}
    return Peer("uftrace", data, _lines(["uftrace", "dump", "-d", data, "--no-libcall"]), readers)


def _lttng(place: Path) -> Peer:
    program, data = place / "calls-instrumented", place / "ctf"
    run(["gcc", "-O1", "-finstrument-functions", "-o", str(program), str(SOURCE)], "compiling calls.c")
    say("recording with LTTng")
    environment = os.environ | {"LTTNG_HOME": str(place)}
    daemon = subprocess.Popen(["lttng-sessiond", "--no-kernel"], env=environment, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        for words in (["create", "iotrace-bench", f"--output={data}"],
                      ["enable-channel", "-u", "calls", "--blocking-timeout=inf", "--subbuf-size=4M"],
                      ["enable-event", "-u", "-c", "calls", "lttng_ust_cyg_profile_fast:*"], ["start"]):
            _patiently(["lttng", *words], environment)
        run([str(program), str(LOOPS)], "running calls.c under LTTng", env=environment | {
            "LTTNG_UST_ALLOW_BLOCKING": "1", "LD_PRELOAD": "liblttng-ust-cyg-profile-fast.so.1"})
        for words in (["stop"], ["destroy", "iotrace-bench"]):
            _patiently(["lttng", *words], environment)
    finally:
        daemon.terminate()
        daemon.wait()
    read: Command = ["babeltrace2", data]
    return Peer("LTTng", data, _lines(read), {"babeltrace2": read, "babeltrace2, printing nothing": [
        *read, "--component=sink.utils.dummy"]})


def _patiently(command: Sequence[str], environment: dict[str, str]) -> None:
    """The daemon may not listen yet."""
    for _ in range(50):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode == 0:
            return
        time.sleep(0.2)
    raise Problem(f"'{' '.join(command)}' failed: {done.stderr.strip()}")


def _lines(command: Command) -> int:
    """Lines that a command prints: one an event."""
    with subprocess.Popen([os.fspath(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        count = 0
        while part := process.stdout.read(1 << 20):
            count += part.count(b"\n")
    if process.returncode != 0:
        raise Problem(f"'{' '.join(map(str, command))}' failed with status {process.returncode}")
    return count
