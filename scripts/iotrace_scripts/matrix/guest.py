"""What the guest of a cell does, as a shell script, and the files that it needs.

The stack lies on the disk, or in a file of its file system on a loop device; overlayfs lies in directories of the file system.
"""

import random
import shutil
from pathlib import Path
from typing import Iterable

from .. import modules
from ..say import run
from .cells import Cell

MODULES = {"none": [], "loop": [], "linear": ["dm_mod"], "crypt": ["dm_crypt"], "mirror": ["dm_mod", "raid1"],
           "thin": ["crc32c_generic", "dm_thin_pool"],  # libcrc32c looks for the algorithm
           "lvm": ["dm_mod"], "raid5": ["crc32c_generic", "dm_mod", "raid456"],
           "cache": ["crc32c_generic", "dm_cache", "dm_cache_smq"], "overlay": ["overlay"], "squashfs": ["squashfs"], "swap": []}
PROGRAMS = {"none": [], "loop": ["losetup"], "lvm": ["lvm", "losetup"], "overlay": [], "squashfs": ["losetup"], "swap": ["losetup"]}
DM_PROGRAMS = ["dmsetup", "losetup"]
SQUASHFS = "squashfs.img"
HEAD = "make='dmsetup --noudevsync --noudevrules create'\n"
LOOP = """{fill} && sync || exit 1
/files/losetup {direct} /dev/loop0 /mnt/image || exit 1
"""
# A file system whose direct I/O needs more than a loop device offers is used through the page cache.
BUFFERED = ("f2fs",)
FILL = "dd if=/dev/zero of=/mnt/image bs=1M count=40 2>/dev/null"
# LVM without udev, and without a copy of its metadata in files.
LVM = """config='devices { obtain_device_list_from_udev=0 external_device_info_source="none" }
    activation { udev_sync=0 udev_rules=0 monitoring=0 } backup { backup=0 archive=0 } global { locking_dir="/tmp" }'
"""
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
    "lvm": LVM + """lvm pvcreate --config "$config" -q -q -y $BACK && lvm vgcreate --config "$config" -q -q vg $BACK || exit 1
lvm lvcreate --config "$config" -q -q -y -Wn -Zn -L 24M -n a vg || exit 1
DEV=/dev/dm-0
""",
    # The disks are all zeros, and so is their parity: nothing has to be synchronized.
    "raid5": """for at in 0 1 2; do
    echo "0 16384 linear $BACK $((2048 + at * 16384))" | $make part$at || exit 1
done
echo md0 >/sys/module/md_mod/parameters/new_array && cd /sys/block/md0/md || exit 1
echo none >metadata_version
for at in 0 1 2; do number=$(cat /sys/block/dm-$at/dev); echo $number >new_dev; done
echo raid5 >level; echo 3 >raid_disks; echo 2 >layout; echo 65536 >chunk_size; echo 8192 >component_size
for at in 0 1 2; do echo $at >dev-dm-$at/slot; done
echo none >resync_start; echo active >array_state || exit 1
cd /
DEV=/dev/md0
""",
    "cache": """echo "0 8192 linear $BACK 2048" | $make meta && echo "0 16384 linear $BACK 16384" | $make fast || exit 1
echo "0 32768 linear $BACK 32768" | $make slow || exit 1
dd if=/dev/zero of=/dev/dm-0 bs=4096 count=1 2>/dev/null; sync
echo "0 32768 cache /dev/dm-0 /dev/dm-1 /dev/dm-2 128 1 writeback smq 0" | $make cached || exit 1
DEV=/dev/dm-3
""",
    "overlay": """mkdir /mnt/lower /mnt/upper /mnt/work /over || exit 1
dd if=/dev/zero of=/mnt/lower/file bs=64k count=2 2>/dev/null && sync || exit 1
mount -t overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work none /over || exit 1
DEV=/over/file
""",
    "squashfs": """mkdir /over && mount -t squashfs -o ro $BACK /over || exit 1
""",
    "swap": """busybox mkswap $BACK >/dev/null && busybox swapon $BACK || exit 1
mkdir /group && mount -t cgroup2 none /group && echo +memory >/group/cgroup.subtree_control && mkdir /group/a || exit 1
echo 4M >/group/a/memory.high || exit 1
""",
}
WORK = """direct-io $DEV write seq 16384 8 && direct-io $DEV read rand 4096 8 || exit 1
dd if=/dev/zero of=$DEV bs=64k count=4 conv=notrunc 2>/dev/null || exit 1
sync
[ -b "$TARGET" ] || loop-write /mnt/log.txt 5 0
"""
# What is on a file system that is only read, and memory that is written to twice and is more than the group may have; not with zeros,
# which are not swapped out from 6.12 on.
WORKS = {
    "squashfs": """echo 3 >/proc/sys/vm/drop_caches
dd if=/over/data of=/dev/null bs=16k 2>/dev/null || exit 1
""",
    "swap": """sh -c 'echo $$ >/group/a/cgroup.procs && exec dd if=/dev/urandom of=/dev/null bs=8M count=2 2>/dev/null' || exit 1
[ $(awk '/^pswpout/ { print $2 }' /proc/vmstat) -gt 0 ] && [ $(awk '/^pswpin/ { print $2 }' /proc/vmstat) -gt 0 ] || exit 1
sync
""",
}
# The file system is unmounted afterwards.
TEAR_DOWN = {
    "none": "", "loop": "",
    "linear": "dmsetup --noudevsync remove a\n",
    "crypt": "dmsetup --noudevsync remove a\n",
    "mirror": "echo clear >/sys/block/md0/md/array_state; dmsetup --noudevsync remove a; dmsetup --noudevsync remove b\n",
    "thin": "for name in thin pool data meta; do dmsetup --noudevsync remove $name; done\n",
    "lvm": 'lvm vgchange --config "$config" -q -q -an vg\n',
    "raid5": "echo clear >/sys/block/md0/md/array_state; for at in 0 1 2; do dmsetup --noudevsync remove part$at; done\n",
    "cache": "for name in cached slow fast meta; do dmsetup --noudevsync remove $name; done\n",
    "overlay": "umount /over\n",
    "squashfs": "umount /over\n",
    "swap": "busybox swapoff $BACK\n",
}
LOOP_TEAR_DOWN = "losetup -d /dev/loop0\n"


def loaded(cell: Cell, kernel: Path) -> list[Path]:
    """The module files that the guest loads besides those of its controller and file system, in order."""
    wanted = [*MODULES[cell.stack], *(["loop"] if uses_loop(cell) else [])]
    files = modules.files_of(kernel)
    return [files[name] for name in modules.Dependencies.read(kernel).order(wanted)]


def uses_loop(cell: Cell) -> bool:
    """Whether the stack lies on a loop device."""
    return cell.stack == "loop" or cell.stack not in ("none", "overlay") and cell.file_system != "raw"


def made(cell: Cell, place: Path) -> list[Path]:
    """Files that the guest is brought besides, made in a directory."""
    if cell.stack != "squashfs":
        return []
    (place / "tree").mkdir()
    (place / "tree" / "data").write_bytes(random.Random(1).randbytes(1 << 20))
    run(["mksquashfs", str(place / "tree"), str(place / SQUASHFS), "-quiet", "-no-progress", "-all-time", "0"],
        "making a squashfs (package squashfs-tools)")
    return [place / SQUASHFS]


def missing(cells: Iterable[Cell]) -> list[str]:
    """Programs that cells need and this machine has not."""
    needed = {name for cell in cells for name in [*programs(cell), *(["mksquashfs"] if cell.stack == "squashfs" else [])]}
    return sorted(name for name in needed if not shutil.which(name))


def programs(cell: Cell) -> list[str]:
    """The programs of this machine that the guest needs."""
    return PROGRAMS.get(cell.stack, DM_PROGRAMS)


def script(cell: Cell, files: list[Path]) -> str:
    """The workload. Modules that are loaded already are not loaded again."""
    load = "".join(f"[ -e /sys/module/{modules.of_file(file.name)} ] || insmod /files/{file.name} || exit 1\n" for file in files)
    image, back = f"/files/{SQUASHFS}", "BACK=$DISK\n"
    if uses_loop(cell):
        direct = "" if cell.file_system in BUFFERED else "--direct-io=on"
        loop = LOOP if cell.file_system != "raw" else "/files/losetup {direct} /dev/loop0 $DISK || exit 1\n"
        fill = f"cp {image} /mnt/image" if cell.stack == "squashfs" else FILL
        back = loop.format(direct=direct, fill=fill) + "BACK=/dev/loop0\n"
    elif cell.stack == "squashfs":
        back += f"dd if={image} of=$DISK bs=64k conv=notrunc 2>/dev/null && sync || exit 1\n"
    device = "DEV=$TARGET\n" if cell.stack == "none" else "DEV=$BACK\n"
    tear_down = TEAR_DOWN[cell.stack] + (LOOP_TEAR_DOWN if uses_loop(cell) else "")
    work = WORKS.get(cell.stack, WORK)
    return f"{load}{HEAD}{back}{device}{LAYERS[cell.stack]}{work}status=$?\n{tear_down}exit $status\n"
