"""What the guest is given: to boot, an initramfs with busybox, our programs and the modules in loading order; then an
archive with the workload."""

import io
import shlex
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from . import catalog, modules, schedulers
from .brought import Brought
from .cache import entry, fingerprint
from .initramfs import Initramfs
from .say import Problem, run, say
from .workload import Workload

SOURCES = Path(__file__).resolve().parent.parent / "guest"
PROGRAMS = {"iotrace-mark": "mark.c", "loop-write": "loop_write.c", "direct-io": "direct_io.c",
            "iotrace-tick": "tick.c", "iotrace-receive": "receive.c", "iotrace-spin": "spin.c"}
# Programs of single workloads, each of all sources in a folder: they come with the workload.
WORKLOAD_PROGRAMS = {"truth": "truth"}
COMPILER = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Werror", "-static", "-s"]
WORKLOAD_COMPILER = [*COMPILER, "-D_GNU_SOURCE"]
APPLETS = """sh mount umount insmod poweroff usleep sleep dd cat echo sync mkdir rm cp mv ls ln tar dmesg
    md5sum sha256sum seq grep sed awk head tail wc sort cut tr find touch stat df du blockdev fstrim hexdump
    test true false expr printf date uname ps kill nice time truncate fallocate sysctl losetup""".split()


@dataclass(frozen=True)
class GuestPlan:
    """What a guest boots to."""

    controller: str
    file_system: str
    scheduler: str
    data_disk: str
    witness_disk: str  # its name; empty if there is none
    mount_options: str
    programs: tuple[str, ...]  # of this machine, that are in the guest beside its own


@dataclass(frozen=True)
class WorkloadOptions:
    """How a booted guest runs its workload."""

    witness: bool
    tracer: str
    tick: int  # Hz; 0 for none
    instant: bool  # its disk is


def programs() -> Path:
    """The folder with our own programs, compiled for the guest."""
    sources = {name: (SOURCES / source).read_bytes() for name, source in PROGRAMS.items()}
    key = fingerprint(*COMPILER, *sources, *sources.values())

    def make(folder: Path) -> None:
        say("compiling the guest's programs")
        for name, source in PROGRAMS.items():
            run([*COMPILER, "-o", str(folder / name), str(SOURCES / source)], f"compiling {source}")

    return entry("guest", f"programs-{key}", make)


def workload_program(name: str) -> Path:
    """A program of a workload, compiled for the guest."""
    sources = sorted((SOURCES / WORKLOAD_PROGRAMS[name]).glob("*.[ch]"))
    key = fingerprint(*WORKLOAD_COMPILER, *(text for source in sources for text in (source.name, source.read_bytes())))

    def make(folder: Path) -> None:
        say(f"compiling the guest's program {name}")
        files = [str(source) for source in sources if source.suffix == ".c"]
        run([*WORKLOAD_COMPILER, "-o", str(folder / name), *files], f"compiling {name}")

    return entry("guest", f"{name}-{key}", make) / name


def write_initramfs(path: Path, kernel: Path, plan: GuestPlan, archive: Path | None = None) -> None:
    """Put together what the guest boots with. `archive`: with its workload, for a guest that does not wait for one."""
    image = Initramfs()
    for folder in ("dev", "proc", "sys", "mnt", "tmp", "bin", "sbin", "iotrace/modules"):
        image.folder(folder)
    image.character_device("dev/console", 5, 1)
    image.character_device("dev/null", 1, 3)
    image.file("init", (SOURCES / "init").read_bytes(), 0o755)

    image.program(installed("busybox"), "bin/busybox")
    for applet in APPLETS:
        image.link(f"bin/{applet}", "busybox")
    for name in PROGRAMS:
        image.file(f"bin/{name}", (programs() / name).read_bytes(), 0o755)

    for name in plan.programs:
        image.program(installed(name), f"bin/{name}")

    order = loading_order(kernel, plan)
    for name, file in order.items():
        image.file(f"iotrace/modules/{name}.ko", modules.contents(file))
    loads = [f"{name} {modules.OPTIONS.get(name, '')}".strip() for name in order]
    image.file("iotrace/load", "\n".join(loads) + "\n")
    if archive:
        image.file("iotrace/workload.tar", archive.read_bytes())
    disks = " ".join(filter(None, [plan.data_disk, plan.witness_disk]))
    image.file("iotrace/settings", assignments({
        "DISKS": disks, "DATA_DISK": plan.data_disk, "WITNESS_DISK": plan.witness_disk,
        "FILE_SYSTEM": plan.file_system, "MOUNT_OPTIONS": plan.mount_options, "SCHEDULER": plan.scheduler,
    }))
    image.write(path)


def write_archive(path: Path, workload: Workload, options: WorkloadOptions, brought: Sequence[Brought] = ()) -> None:
    """Put together what a booted guest is to do: the same input gives the same bytes. `brought`: files of the user."""
    files: dict[str, tuple[bytes, int]] = {}

    def add(name: str, contents: bytes | str, mode: int = 0o644) -> None:
        files[name.strip("/")] = (contents.encode() if isinstance(contents, str) else contents, mode)

    add("iotrace/options", assignments({
        "WITNESS": "yes" if options.witness else "", "TRACER": options.tracer, "TICK": str(options.tick or ""),
        "INSTANT": "yes" if options.instant else "",
    }))
    if options.witness:
        add("iotrace/witness", (SOURCES / "witness").read_bytes())
    if options.tracer:
        add("iotrace/functions", "\n".join(catalog.functions()) + "\n")
    add("iotrace/prepare", workload.prepare)
    add("iotrace/workload", workload.run)
    if workload.fio_job:
        add("iotrace/job.fio", workload.fio_job.read_bytes())
    for name in workload.own_programs:
        add(f"bin/{name}", workload_program(name).read_bytes(), 0o755)
    for file in brought:
        add(file.path, file.source.read_bytes(), file.mode)
    # GNU's format has no limit for the length of a name
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, (contents, mode) in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(contents), mode
            archive.addfile(member, io.BytesIO(contents))


def own_programs() -> tuple[str, ...]:
    """The paths of the programs that each guest has."""
    return tuple(f"/bin/{name}" for name in ("busybox", *APPLETS, *PROGRAMS, *WORKLOAD_PROGRAMS))


def installed(name: str) -> Path:
    """A program of this machine."""
    program = shutil.which(name)
    if not program:
        raise Problem(f"{name} is missing: run scripts/setup")
    return Path(program)


def loading_order(kernel: Path, plan: GuestPlan) -> dict[str, Path]:
    """The module files this guest loads, in order."""
    names = [*modules.CONTROLLERS[plan.controller], *modules.FILE_SYSTEMS[plan.file_system]]
    if plan.data_disk.startswith("sd"):
        names.insert(-1 if plan.file_system != "raw" else len(names), "sd_mod")
    if of_scheduler := schedulers.module_of(plan.scheduler, kernel):
        names.append(of_scheduler)
    return modules.files_in_order(kernel, names)


def assignments(values: dict[str, str]) -> str:
    """The variables that init reads."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
