"""The guest's initramfs: busybox, our programs, the modules in loading order, and what to do."""

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

from . import modules
from .cache import entry, fingerprint
from .initramfs import Initramfs
from .say import Problem, run, say
from .workload import Workload

SOURCES = Path(__file__).resolve().parent.parent / "guest"
CATALOG = SOURCES.parent.parent / "schemas" / "catalog"
PROGRAMS = {"iotrace-mark": "mark.c", "loop-write": "loop_write.c", "direct-io": "direct_io.c",
            "iotrace-tick": "tick.c"}
COMPILER = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Werror", "-static", "-s"]
APPLETS = """sh mount umount insmod poweroff usleep sleep dd cat echo sync mkdir rm cp mv ls ln tar dmesg
    md5sum sha256sum seq grep sed awk head tail wc sort cut tr find touch stat df du blockdev fstrim hexdump
    test true false expr printf date uname ps kill nice time truncate fallocate sysctl losetup""".split()


@dataclass
class GuestPlan:
    """What init has to know."""

    controller: str
    file_system: str
    scheduler: str
    data_disk: str
    witness_disk: str
    tracer: str
    mount_options: str
    tick: int


def programs() -> Path:
    """The folder with our own programs, compiled for the guest."""
    sources = {name: (SOURCES / source).read_bytes() for name, source in PROGRAMS.items()}
    key = fingerprint(*COMPILER, *sources, *sources.values())

    def make(folder: Path) -> None:
        say("compiling the guest's programs")
        for name, source in PROGRAMS.items():
            run([*COMPILER, "-o", str(folder / name), str(SOURCES / source)], f"compiling {source}")

    return entry("guest", f"programs-{key}", make)


def write_initramfs(path: Path, kernel: Path, plan: GuestPlan, workload: Workload) -> None:
    """Put the guest together."""
    image = Initramfs()
    for folder in ("dev", "proc", "sys", "mnt", "tmp", "bin", "sbin", "iotrace/modules"):
        image.folder(folder)
    image.character_device("dev/console", 5, 1)
    image.character_device("dev/null", 1, 3)
    image.file("init", (SOURCES / "init").read_bytes(), 0o755)
    image.file("iotrace/witness", (SOURCES / "witness").read_bytes())

    busybox = shutil.which("busybox")
    if not busybox:
        raise Problem("busybox is missing: run scripts/setup")
    image.program(Path(busybox), "bin/busybox")
    for applet in APPLETS:
        image.link(f"bin/{applet}", "busybox")
    for name in PROGRAMS:
        image.file(f"bin/{name}", (programs() / name).read_bytes(), 0o755)

    order = loading_order(kernel, plan)
    for name, file in order.items():
        image.file(f"iotrace/modules/{name}.ko", file.read_bytes())
    loads = [f"{name} {modules.OPTIONS.get(name, '')}".strip() for name in order]
    image.file("iotrace/load", "\n".join(loads) + "\n")
    image.file("iotrace/settings", settings(plan))
    if plan.tracer:
        image.file("iotrace/functions", "\n".join(catalog_functions()) + "\n")
    image.file("iotrace/prepare", workload.prepare)
    image.file("iotrace/workload", workload.run)
    for name in workload.programs:
        program = shutil.which(name)
        if not program:
            raise Problem(f"{name} is missing: run scripts/setup")
        image.program(Path(program), f"bin/{name}")
    if workload.fio_job:
        image.file("iotrace/job.fio", workload.fio_job.read_bytes())
    image.write(path)


def catalog_functions() -> list[str]:
    """All names that the catalog's functions have in any kernel."""
    names: set[str] = set()
    for file in sorted(CATALOG.glob("*.toml")):
        for function in tomllib.loads(file.read_text()).get("function", []):
            names.update([function["name"], *function.get("aliases", [])])
    return sorted(names)


def loading_order(kernel: Path, plan: GuestPlan) -> dict[str, Path]:
    """The module files this guest loads, in order."""
    names = [*modules.CONTROLLERS[plan.controller], *modules.FILE_SYSTEMS[plan.file_system]]
    if plan.data_disk.startswith("sd"):
        names.insert(-1 if plan.file_system != "raw" else len(names), "sd_mod")
    if plan.scheduler not in modules.NO_SCHEDULER:
        names.append(modules.SCHEDULER_MODULES.get(plan.scheduler, plan.scheduler))
    files = {modules.of_file(file.name): file for file in (kernel / "modules").glob("*.ko")}
    return {name: files[name] for name in modules.Dependencies.read(kernel).order(names)}


def settings(plan: GuestPlan) -> str:
    """The variables that init reads."""
    disks = " ".join(filter(None, [plan.data_disk, plan.witness_disk]))
    values = {
        "DISKS": disks, "DATA_DISK": plan.data_disk,
        "FILE_SYSTEM": plan.file_system, "MOUNT_OPTIONS": plan.mount_options,
        "SCHEDULER": plan.scheduler, "WITNESS": "yes" if plan.witness_disk else "",
        "WITNESS_DISK": plan.witness_disk, "TRACER": plan.tracer, "TICK": str(plan.tick or ""),
    }
    return "".join(f"{name}='{value}'\n" for name, value in values.items())
