"""Disk images: sparse files, made by the file systems' own tools without root.

File systems use sectors of 4096 bytes: what they write is then aligned as direct I/O on the host wants it.
"""

import os
import shlex
import subprocess
from pathlib import Path

from .say import Problem, run

MEGABYTE = 1 << 20
LEAST_MEGABYTES = {"xfs": 300, "ext4": 16, "btrfs": 128, "f2fs": 64, "vfat": 16, "raw": 1}
UUID = "696f7472-6163-4500-8000-000000000001"  # the same in every image


def blank(path: Path, megabytes: int) -> None:
    """An image full of zeros that takes no room."""
    with open(path, "wb") as file:
        file.truncate(megabytes * MEGABYTE)


def make(path: Path, file_system: str, megabytes: int, options: str = "") -> None:
    """An image with an empty file system (or none: raw); with further options for the program that makes it."""
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
        "btrfs": ["mkfs.btrfs", "-q", "-f", "-s", "4096", "-U", UUID],
    }
    if file_system in commands:
        path_with_sbin = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        command = [*commands[file_system], *shlex.split(options), os.fspath(path)]
        run(command, f"making a file system ({file_system}) in {path}",
            env={**os.environ, "PATH": path_with_sbin}, stdout=subprocess.PIPE)
