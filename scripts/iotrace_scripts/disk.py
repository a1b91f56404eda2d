"""Disk images: sparse files, made by the file systems' own tools without root.

File systems use sectors of 4096 bytes: what they write is then aligned as direct I/O on the host wants it. An image for an
older kernel has none of the features that mkfs turns on by itself and that this kernel does not mount.
"""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .releases import Version
from .say import Problem, run

MEGABYTE = 1 << 20
LEAST_MEGABYTES = {"xfs": 300, "ext4": 16, "btrfs": 128, "f2fs": 64, "vfat": 16, "exfat": 16, "raw": 1}
UUID = "696f7472-6163-4500-8000-000000000001"  # the same in every image


@dataclass(frozen=True)
class Feature:
    """What a file system has unless mkfs is asked to leave it out."""

    option: str  # of mkfs, with which it is left out
    value: str
    since: Version  # of Linux, that mounts a file system with it


# By the first Linux without a warning that it is experimental. XFS: xfs_sb_has_incompat_feature and its like in
# fs/xfs/xfs_sb.c, libxfs/xfs_format.h; ext4: EXT4_FEATURE_*_SUPP in fs/ext4/ext4.h; btrfs: mkfs.btrfs -O list-all. The names
# are those of the mkfs in Debian 12 and 13.
FEATURES = {
    "xfs": [Feature("-n", "ftype=0", (3, 13)), Feature("-m", "crc=0", (3, 16)), Feature("-m", "finobt=0", (3, 16)),
            Feature("-i", "sparse=0", (4, 2)),
            Feature("-m", "reflink=0", (4, 16)), Feature("-m", "rmapbt=0", (4, 16)), Feature("-m", "bigtime=0", (5, 10)),
            Feature("-m", "inobtcount=0", (5, 10)), Feature("-i", "nrext64=0", (5, 19))],
    "ext4": [Feature("-O", "^metadata_csum_seed", (4, 4)), Feature("-O", "^orphan_file", (5, 15))],
    "btrfs": [Feature("-O", "^no-holes", (3, 14)), Feature("-R", "^free-space-tree", (4, 5))],
}


def left_out(file_system: str, linux: Version | None, options: str) -> list[str]:
    """The arguments of mkfs for what this Linux does not mount, but for what the user's own options say something of."""
    if linux is None:
        return []
    given = [part for word in shlex.split(options) for part in word.split(",")]
    features = [feature for feature in FEATURES.get(file_system, []) if linux < feature.since]
    if any(feature.value == "crc=0" for feature in features):
        # XFS of version 4 has none of the features of version 5, which in turn always has ftype=1.
        version_4 = "crc=1" not in given
        features = [feature for feature in features if (feature.value in ("ftype=0", "crc=0")) == version_4]
    named = {_name(part) for part in given}
    kept = [feature for feature in features if _name(feature.value) not in named]
    return [word for feature in kept for word in (feature.option, feature.value)]


def _name(feature: str) -> str:
    return feature.removeprefix("^").partition("=")[0]


def blank(path: Path, megabytes: int) -> None:
    """An image full of zeros that takes no room."""
    with open(path, "wb") as file:
        file.truncate(megabytes * MEGABYTE)


def make(path: Path, file_system: str, megabytes: int, options: str = "", linux: Version | None = None) -> None:
    """An image with an empty file system (or none: raw), which `linux` mounts; with further options for the program that
    makes it."""
    if megabytes < LEAST_MEGABYTES[file_system]:
        raise Problem(f"disk of {megabytes} MB too small for {file_system}: "
                      f"{LEAST_MEGABYTES[file_system]} MB is the minimum")
    blank(path, megabytes)
    commands = {
        "xfs": ["mkfs.xfs", "-q", "-f", "-s", "size=4096", "-m", f"uuid={UUID}"],
        # nothing left to initialise in the background while the workload runs
        "ext4": ["mkfs.ext4", "-q", "-F", "-b", "4096", "-U", UUID, "-E",
                 f"lazy_itable_init=0,lazy_journal_init=0,hash_seed={UUID}"],
        "f2fs": ["mkfs.f2fs", "-q", "-f", "-U", UUID],
        "vfat": ["mkfs.vfat", "-i", UUID[:8]],
        "exfat": ["mkfs.exfat"],
        "btrfs": ["mkfs.btrfs", "-q", "-f", "-s", "4096", "-U", UUID],
    }
    if file_system in commands:
        path_with_sbin = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        left = left_out(file_system, linux, options)
        command = [*commands[file_system], *left, *shlex.split(options), os.fspath(path)]
        run(command, f"making a file system ({file_system}) in {path}",
            env={**os.environ, "PATH": path_with_sbin}, stdout=subprocess.PIPE)
