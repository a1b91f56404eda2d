"""Guests that are whole distributions: a disk image with systemd.

In: an image, the command that is its workload. Out: a folder with its disk, whose root file system has the workload's unit and
iotrace-mark, its own kernel and initramfs, and a kernel folder for the plugin. The image itself stays as it is. It is
prepared in a guest of ours, which mounts its root file system: nobody has to be root, and nothing of the image runs on
this machine.
"""

import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from . import decompress, elf, guest, kernels, modules, qemu, stage
from .cache import entry, fingerprint
from .initramfs import Initramfs
from .machine import DATA_DISK, DEFAULT_CPU
from .say import Problem, run, say
from .standstill import Subject

FOLDER = "usr/local/lib/iotrace"  # in the image
HELPER_KERNEL = "debian-6.1"
HELPER_MODULES = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "xfs", "btrfs", "nls_cp437", "nls_ascii", "vfat"]
HELPER_SECONDS = 600.0
HELPER_MEGABYTES = 1024
HELPER_COMMAND_LINE = "console=ttyS0 quiet panic=-1 noapictimer mitigations=off tsc=reliable"
HANDED_MEGABYTES = 512  # the kernel, its initramfs and modules
OVERLAY, HANDED = "overlay.qcow2", "handed.img"
PREPARED = "iotrace: prepared"
LARGEST = 256 << 20  # bytes of a file that is handed over
FILES = ("vmlinuz", "initrd", "config", "modules.builtin", "uuid", "release", "file_system", "distribution")
# What is printed on the console is the workload's; a login prompt would be printed between.
QUIET = "systemd.show_status=false systemd.mask=serial-getty@ttyS0.service rd.systemd.show_status=false"


@dataclass(frozen=True)
class ImageGuest:
    """A distribution that is ready to be recorded."""

    folder: Path  # with its disk, vmlinuz and initramfs
    kernel: Path  # for the plugin
    uuid: str  # of the root file system
    file_system: str
    distribution: str

    def command_line(self) -> str:
        """What its kernel needs besides what all guests have."""
        return f"root=UUID={self.uuid} ro {QUIET}"

    def copy_to(self, folder: Path) -> None:
        """Put its files into a recording's folder."""
        for name in (DATA_DISK, "vmlinuz", "initramfs.cpio"):
            stage.copy(self.folder / name, folder / name)


def prepare(image: Path, command: str, kernel: Path | None, chosen: str, place: Path) -> ImageGuest:
    """Prepare a copy of an image, in a folder. `kernel`: a folder with the kernel's symbols, or none, to find some."""
    if not image.is_file():
        raise Problem(f"no such disk image: {image}")
    say(f"preparing {image.name}")
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image.resolve()), "-F", _format(image), str(place / OVERLAY)],
        f"making an overlay of {image}")
    with open(place / HANDED, "wb") as file:
        file.truncate(HANDED_MEGABYTES << 20)
    _run_helper(command, chosen, place)
    handed = place / "handed"
    _take(place / HANDED, handed)
    run(["qemu-img", "convert", "-O", "raw", str(place / OVERLAY), str(place / DATA_DISK)], f"converting {image}")
    shutil.move(handed / "vmlinuz", place / "vmlinuz")
    shutil.move(handed / "initrd", place / "initramfs.cpio")
    text = {name: (handed / name).read_text().strip() for name in ("uuid", "release", "file_system", "distribution")}
    if not text["uuid"]:
        raise Problem(f"the root file system of {image} has no UUID, by which its kernel would find it")
    symbols = _kernel_of(text["release"], place / "vmlinuz", handed, kernel)
    for name in (OVERLAY, HANDED):
        (place / name).unlink()
    shutil.rmtree(handed)
    say(f"{text['distribution']}, Linux {text['release']}, {text['file_system']}")
    return ImageGuest(place, symbols, text["uuid"], text["file_system"], text["distribution"])


def _format(image: Path) -> str:
    """The format of a user's image."""
    said = run(["qemu-img", "info", "--output=json", str(image)], f"reading {image}", stdout=subprocess.PIPE).stdout
    return str(json.loads(said)["format"])


def _run_helper(command: str, chosen: str, place: Path) -> None:
    kernel = kernels.kernel(HELPER_KERNEL, bare=True)
    _write_initramfs(place / "helper.cpio", kernel, command)
    shutil.copyfile(kernel / "vmlinuz", place / "helper.vmlinuz")
    drives = [(OVERLAY, "qcow2"), (HANDED, "raw")]
    disks = [word for number, (name, form) in enumerate(drives) for word in
             ("-drive", f"file={name},format={form},if=none,id=d{number},cache=unsafe", "-device", f"virtio-blk-pci,drive=d{number}")]
    arguments = [chosen, *qemu.machine_arguments(qemu.SHIFT, "trace", qemu.CONSOLE, HELPER_MEGABYTES, DEFAULT_CPU), *disks,
                 "-kernel", "helper.vmlinuz", "-initrd", "helper.cpio", "-append", HELPER_COMMAND_LINE]
    console = place / qemu.CONSOLE

    def hopeless(seconds: float) -> str:
        return f"the image was not prepared within {HELPER_SECONDS:.0f} s" if seconds > HELPER_SECONDS else ""

    qemu.Watched(arguments, place, console, "preparing the image", Subject("virtio-blk-pci", kernel)).run(hopeless)
    lines = qemu.lines(console)
    if failed := [line.removeprefix("iotrace: failed: ") for line in lines if line.startswith("iotrace: failed:")]:
        raise Problem(f"the image cannot be prepared: {failed[0]}")
    if PREPARED not in lines:
        raise Problem(f"the image was not prepared; the end of the console:\n{qemu.last_lines(console)}")
    for name in ("helper.cpio", "helper.vmlinuz", qemu.CONSOLE):
        (place / name).unlink()


def _write_initramfs(path: Path, kernel: Path, command: str) -> None:
    image = Initramfs()
    for folder in ("dev", "proc", "sys", "mnt", "tmp", "bin", "out"):
        image.folder(folder)
    image.character_device("dev/console", 5, 1)
    image.character_device("dev/null", 1, 3)
    image.file("init", (guest.SOURCES / "prepare_image").read_bytes(), 0o755)
    image.program(guest.installed("busybox"), "bin/busybox")
    for applet in guest.APPLETS:
        image.link(f"bin/{applet}", "busybox")
    files = modules.files_of(kernel)
    order = modules.Dependencies.read(kernel).order(HELPER_MODULES)
    for name in order:
        image.file(f"iotrace/modules/{name}.ko", modules.contents(files[name]))
    image.file("iotrace/load", "\n".join(order) + "\n")
    image.file("iotrace/wanted", "\n".join(map(modules.plain, modules.wanted())) + "\n")
    image.file("iotrace/put", _put(command))
    image.write(path)


def _put(command: str) -> bytes:
    """The files for the image, as an archive."""
    files = {
        f"{FOLDER}/iotrace-mark": ((guest.programs() / "iotrace-mark").read_bytes(), 0o755),
        f"{FOLDER}/run": ((guest.SOURCES / "run_image").read_bytes(), 0o755),
        f"{FOLDER}/workload": (command.encode() + b"\n", 0o644),
        "etc/systemd/system/iotrace.service": ((guest.SOURCES / "iotrace.service").read_bytes(), 0o644),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, (contents, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(contents), mode
            archive.addfile(member, io.BytesIO(contents))
    return buffer.getvalue()


def _take(archive: Path, folder: Path) -> None:
    """Unpack what the image handed over: the files that are expected, and modules, by their names alone."""
    (folder / "modules").mkdir(parents=True)
    try:
        with tarfile.open(archive, "r:") as members:
            for member in members:
                path = Path(member.name)
                is_module = path.parent == Path("modules") and path.name.endswith(modules.ENDINGS)
                if not member.isreg() or not is_module and str(path) not in FILES:
                    continue
                if member.size > LARGEST:
                    raise Problem(f"{member.name} of the image has {member.size} bytes: at most {LARGEST} are taken")
                source = members.extractfile(member)
                assert source is not None
                with open(folder / path, "wb") as out:
                    shutil.copyfileobj(source, out)
    except tarfile.TarError as error:
        raise Problem(f"the files that the image wrote cannot be read: {error}") from None


def _kernel_of(release: str, vmlinuz: Path, handed: Path, given: Path | None) -> Path:
    """A kernel folder of the image's kernel: the user's, Debian's with debug info, or one made of the image."""
    def unpack(folder: Path) -> None:
        shutil.copytree(handed / "modules", folder / "modules")
        for name in ("config", "modules.builtin"):
            if (handed / name).exists():
                shutil.copyfile(handed / name, folder / name)
        shutil.copyfile(vmlinuz, folder / "vmlinuz")
        (folder / "release").write_text(f"{release}\n")
        decompress.modules_in_place((folder / "modules").glob("*.ko.*"))
        decompress.elf_from_bzimage(folder / "vmlinuz", folder / "vmlinux")

    names = sorted(file.name for file in (handed / "modules").iterdir())
    stock = entry(kernels.KIND, f"image-{fingerprint(vmlinuz.read_bytes(), *names)}", unpack)
    build_id = elf.build_id(stock / "vmlinux")
    if given:
        if (other := elf.build_id(given / "vmlinux")) != build_id:
            raise Problem(f"{given / 'vmlinux'} has build-id {other}, the kernel of the image, {release}, has {build_id}: specify "
                          "the directory of that kernel")
        return given
    found = _with_debug_info(release, build_id)
    if not found:
        say(f"no debug information of {release} with build-id {build_id} found: symbols are those of the image; with others: --kernel")
    return found or stock


def _with_debug_info(release: str, build_id: str) -> Path | None:
    """Debian's kernel of this release with its -dbg package."""
    try:
        name = kernels.of_release(release)
        folder = kernels.kernel(name) if name else None
    except Problem as problem:
        say(f"looking for the debug information of {release}: {problem}")
        return None
    return folder if folder and elf.build_id(folder / "vmlinux") == build_id else None


def refuse(options: Sequence[tuple[str, object]]) -> None:
    """Refuse options that a distribution's guest does not have: names with the values that are specified."""
    used = [name for name, value in options if value]
    if used:
        raise Problem(f"--image cannot be used with {', '.join(used)}")
