"""Which kernel modules the guests need, and in which order they are loaded."""

import tempfile
from pathlib import Path
from typing import Iterable

from . import decompress, elf
from .say import Problem

CONTROLLERS = {
    "lsi53c895a": ["sym53c8xx"],
    "lsi53c810": ["sym53c8xx"],
    "mptsas1068": ["mptsas"],
    "megasas": ["megaraid_sas"],
    "megasas-gen2": ["megaraid_sas"],
    "virtio-scsi-pci": ["virtio_pci", "virtio_scsi"],
    "virtio-blk-pci": ["virtio_pci", "virtio_blk"],
    "ich9-ahci": ["ahci"],
    "piix3-ide": ["ata_piix"],
    "usb-storage": ["xhci_pci", "usb_storage"],
    "pvscsi": ["vmw_pvscsi"],
    "nvme": ["nvme"],
}
FILE_SYSTEMS = {"xfs": ["crc32c_generic", "xfs"], "ext4": ["crc32c_generic", "ext4"],
                "btrfs": ["crc32c_generic", "btrfs"], "f2fs": ["crc32_generic", "f2fs"],
                "vfat": ["nls_cp437", "nls_ascii", "vfat"], "exfat": ["exfat"], "raw": []}
OPTIONAL = ["crc32c_generic", "crc32_generic"]  # the newest kernels have them in their library
SCHEDULERS = ["mq-deadline", "kyber-iosched", "bfq"]
ENDINGS = (".ko", ".ko.xz", ".ko.zst", ".ko.gz")
# By themselves they wait seconds for what is ready at once.
OPTIONS = {"sym53c8xx": "settle=0", "usb_storage": "delay_use=0"}
OTHERS = ["mptspi", "scsi_debug", "sg", "null_blk", "loop", "dm-mod", "dm-crypt", "dm-thin-pool", "dm-cache", "dm-cache-smq", "raid1",
          "raid456", "squashfs", "overlay"]


def wanted() -> list[str]:
    """All the modules a kernel folder offers, without those that they depend on."""
    groups = [*CONTROLLERS.values(), ["sd_mod"], *FILE_SYSTEMS.values(), SCHEDULERS, OTHERS]
    return sorted({name for group in groups for name in group})


def plain(name: str) -> str:
    """A module's name as the kernel spells it."""
    return name.replace("-", "_")


def of_file(path: str) -> str:
    """The name of the module in a file such as kernel/block/kyber-iosched.ko.xz."""
    return plain(path.rsplit("/", 1)[-1].split(".ko")[0])


def files_of(folder: Path) -> dict[str, Path]:
    """The module files in a kernel folder, by the modules' names: `modules/*.ko`, perhaps compressed."""
    found = (folder / "modules").iterdir() if (folder / "modules").is_dir() else ()
    return {of_file(file.name): file for file in sorted(found) if file.name.endswith(ENDINGS)}


def contents(file: Path) -> bytes:
    """A module as the kernel loads it: decompressed."""
    data = file.read_bytes()
    return data if file.suffix == ".ko" else decompress.payload(data, str(file))


def _modinfo(file: Path, key: str) -> str:
    if file.suffix == ".ko":
        return elf.modinfo(file, key)
    with tempfile.NamedTemporaryFile(prefix="iotrace-", suffix=".ko") as plain:
        plain.write(contents(file))
        plain.flush()
        return elf.modinfo(Path(plain.name), key)


class Dependencies:
    """Which module needs which, and which are built into the kernel."""

    def __init__(self, needs: dict[str, list[str]], builtin: set[str]) -> None:
        self.needs = needs
        self.builtin = builtin

    @classmethod
    def scan(cls, folder: Path, files: Iterable[Path]) -> "Dependencies":
        """From what the module files themselves say."""
        needs = {}
        for file in files:
            depends = _modinfo(file, "depends")
            needs[of_file(file.name)] = [plain(name) for name in depends.split(",") if name]
        return cls(needs, builtin(folder))

    @classmethod
    def read(cls, folder: Path) -> "Dependencies":
        """From a kernel folder: its modules.dep, or else its module files."""
        table = folder / "modules.dep"
        if not table.exists():
            return cls.scan(folder, files_of(folder).values())
        needs = {}
        for line in table.read_text().splitlines():
            path, _, rest = line.partition(":")
            needs[of_file(path)] = [of_file(need) for need in rest.split()]
        return cls(needs, builtin(folder))

    def order(self, names: Iterable[str], missing_ok: bool = False) -> list[str]:
        """The modules with all that they need, each after its own needs; built-in ones left out."""
        done: list[str] = []

        def visit(name: str) -> None:
            if name in done or name in self.builtin:
                return
            if name not in self.needs:
                if missing_ok or name in OPTIONAL:
                    return
                raise Problem(f"this kernel has no module '{name}', neither as a file nor built in")
            for need in self.needs[name]:
                visit(need)
            done.append(name)

        for name in names:
            visit(plain(name))
        return done


BUILTIN = "modules.builtin"


def builtin(folder: Path) -> set[str]:
    """The modules that are built into the kernel of a folder; none if it does not say."""
    table = folder / BUILTIN
    return {of_file(line) for line in table.read_text().split()} if table.exists() else set()


def files_in_order(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """The files of modules, with those that they need, as they are to be loaded: from a kernel folder."""
    files = files_of(folder)
    try:
        order = Dependencies.read(folder).order(names)
    except Problem as problem:
        if (folder / BUILTIN).exists():
            raise
        raise Problem(f"{problem}; if it is built in, copy {BUILTIN}, which names what is, from /lib/modules/RELEASE or the build "
                      f"directory into {folder}") from None
    for name in order:
        if name not in files:
            raise Problem(f"the module '{name}', which modules.dep names, is not in {folder / 'modules'}: copy it there")
    return {name: files[name] for name in order}


def keep_needed(folder: Path) -> list[str]:
    """Delete the module files no guest needs and write modules.dep for the others, which are
    returned in loading order."""
    files = {of_file(file.name): file for file in (folder / "modules").glob("*.ko")}
    dependencies = Dependencies.scan(folder, files.values())
    needed = dependencies.order(wanted(), missing_ok=True)
    for name, file in files.items():
        if name not in needed:
            file.unlink()
    write_dependencies(folder)
    return needed


def write_dependencies(folder: Path) -> None:
    """Write modules.dep for the modules that are there, in loading order."""
    files = files_of(folder)
    dependencies = Dependencies.scan(folder, files.values())
    lines = []
    for name in dependencies.order(files):
        needs = dependencies.order([name])[:-1]
        lines.append(f"{files[name].name}:" + "".join(f" {files[need].name}" for need in needs))
    (folder / "modules.dep").write_text("\n".join(lines) + "\n")
