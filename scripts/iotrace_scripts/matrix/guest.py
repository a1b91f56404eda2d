"""What the guest of a cell does, as a shell script, and the files that it needs.

The stack lies on the disk, or in a file of its file system on a loop device.
"""

from pathlib import Path

from .. import modules
from .cells import Cell

MODULES = {"none": [], "loop": [], "linear": ["dm_mod"], "crypt": ["dm_crypt"], "mirror": ["dm_mod", "raid1"],
           "thin": ["crc32c_generic", "dm_thin_pool"]}  # libcrc32c looks for the algorithm
PROGRAMS = {"none": [], "loop": ["losetup"]}
DM_PROGRAMS = ["dmsetup", "losetup"]
HEAD = "make='dmsetup --noudevsync --noudevrules create'\n"
LOOP = """dd if=/dev/zero of=/mnt/image bs=1M count=40 2>/dev/null && sync || exit 1
/files/losetup {direct} /dev/loop0 /mnt/image || exit 1
"""
# A file system whose direct I/O needs more than a loop device offers is used through the page cache.
BUFFERED = ("f2fs",)
LAYERS = {
    "none": "",
    "loop": "",
    "linear": 'echo "0 65536 linear $BACK 2048" | $make a || exit 1\nDEV=/dev/dm-0\n',
    "crypt": ('echo "0 65536 crypt aes-cbc-plain64 00112233445566778899aabbccddeeff 0 $BACK 2048" | $make a || exit 1\n'
              "DEV=/dev/dm-0\n"),
    "mirror": """echo "0 16384 linear $BACK 2048" | $make a && echo "0 16384 linear $BACK 20480" | $make b || exit 1
echo md0 >/sys/module/md_mod/parameters/new_array && cd /sys/block/md0/md || exit 1
number=$(cat /sys/block/dm-0/dev)
echo none >metadata_version; echo $number >new_dev; echo ${number%:*}:1 >new_dev
echo raid1 >level; echo 2 >raid_disks; echo 8192 >component_size
echo 0 >dev-dm-0/slot; echo 1 >dev-dm-1/slot; echo active >array_state || exit 1
cd /
while [ $(cat /sys/block/md0/md/sync_action) != idle ]; do usleep 10000; done
DEV=/dev/md0
""",
    "thin": """echo "0 8192 linear $BACK 2048" | $make meta && echo "0 49152 linear $BACK 16384" | $make data || exit 1
dd if=/dev/zero of=/dev/dm-0 bs=4096 count=1 2>/dev/null; sync
echo "0 49152 thin-pool /dev/dm-0 /dev/dm-1 128 0" | $make pool && dmsetup message pool 0 "create_thin 0" || exit 1
echo "0 32768 thin /dev/dm-2 0" | $make thin || exit 1
DEV=/dev/dm-3
""",
}
WORK = """direct-io $DEV write seq 16384 8 && direct-io $DEV read rand 4096 8 || exit 1
dd if=/dev/zero of=$DEV bs=64k count=4 conv=notrunc 2>/dev/null || exit 1
sync
[ -b "$TARGET" ] || loop-write /mnt/log.txt 5 0
"""
# The file system is unmounted afterwards.
TEAR_DOWN = {
    "none": "", "loop": "",
    "linear": "dmsetup --noudevsync remove a\n",
    "crypt": "dmsetup --noudevsync remove a\n",
    "mirror": "echo clear >/sys/block/md0/md/array_state; dmsetup --noudevsync remove a; dmsetup --noudevsync remove b\n",
    "thin": "for name in thin pool data meta; do dmsetup --noudevsync remove $name; done\n",
}
LOOP_TEAR_DOWN = "losetup -d /dev/loop0\n"


def loaded(cell: Cell, kernel: Path) -> list[Path]:
    """The module files that the guest loads besides those of its controller and file system, in order."""
    wanted = [*MODULES[cell.stack], *(["loop"] if uses_loop(cell) else [])]
    files = modules.files_of(kernel)
    return [files[name] for name in modules.Dependencies.read(kernel).order(wanted)]


def uses_loop(cell: Cell) -> bool:
    """Whether the stack lies on a loop device."""
    return cell.stack == "loop" or cell.stack != "none" and cell.file_system != "raw"


def programs(cell: Cell) -> list[str]:
    """The programs of this machine that the guest needs."""
    return PROGRAMS.get(cell.stack, DM_PROGRAMS)


def script(cell: Cell, files: list[Path]) -> str:
    """The workload. Modules that are loaded already are not loaded again."""
    load = "".join(f"[ -e /sys/module/{modules.of_file(file.name)} ] || insmod /files/{file.name} || exit 1\n" for file in files)
    back = "BACK=$DISK\n"
    if uses_loop(cell):
        direct = "" if cell.file_system in BUFFERED else "--direct-io=on"
        loop = LOOP if cell.file_system != "raw" else "/files/losetup {direct} /dev/loop0 $DISK || exit 1\n"
        back = loop.format(direct=direct) + "BACK=/dev/loop0\n"
    device = "DEV=$TARGET\n" if cell.stack == "none" else "DEV=$BACK\n"
    tear_down = TEAR_DOWN[cell.stack] + (LOOP_TEAR_DOWN if uses_loop(cell) else "")
    return f"{load}{HEAD}{back}{device}{LAYERS[cell.stack]}{WORK}status=$?\n{tear_down}exit $status\n"
