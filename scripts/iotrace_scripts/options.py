"""What the scripts that record and boot take alike: a kernel and the machine that it runs on."""

import argparse
from typing import Any

from . import machine, modules, qemu
from .kernels import kernel
from .recording import Wanted


def add_machine(parser: argparse.ArgumentParser, kernel_required: bool = False) -> None:
    """Options that a boot depends on."""
    add = parser.add_argument
    add("kernel", metavar="KERNEL", nargs="?", default=None if kernel_required else "debian-6.1",
        help="name of a kernel (see scripts/kernel) or a directory"
             + ("" if kernel_required else " (default: debian-6.1)"))
    add("--bare", action="store_true", help="kernel without debug symbols")
    add("--controller", choices=qemu.CONTROLLERS, default="lsi53c895a", help="default: lsi53c895a")
    add("--fs", choices=modules.FILE_SYSTEMS, default="xfs", help="default: xfs")
    add("--mkfs-options", default="", metavar="OPTIONS", help="options of mkfs, such as '-m crc=0 -i sparse=0' for an old XFS")
    add("--mount-options", default="", metavar="OPTIONS", help="mount options of the file system")
    add("--disk-size", type=int, default=320, metavar="MB", help="size of the data disk (default: 320)")
    add("--scheduler", default="", metavar="NAME", help="none, mq-deadline, kyber, bfq; up to 4.20 noop, deadline, cfq: those that the kernel has (default: the kernel's)")
    add("--append", default="", metavar="CMDLINE", help="additional parameters of the guest kernel's command line")
    add("--nokaslr", action="store_true", help="load the guest kernel at its fixed address")
    add("--witness", action="store_true", help="record the guest's block tracepoints (witness.txt)")
    add("--cpu", default=machine.DEFAULT_CPU, metavar="MODEL",
        help=f"the guest's processor, with its features as QEMU's -cpu takes them: max, EPYC,-la57 "
             f"(default: {machine.DEFAULT_CPU})")
    add("--memory", type=int, default=0, metavar="MB", help="memory of the guest (default: depends on the workload)")
    add("--shift", type=int, default=qemu.SHIFT, metavar="N",
        help=f"an instruction takes 2^N virtual nanoseconds (default: {qemu.SHIFT})")
    add("--qemu", metavar="PATH", help="another qemu-system-x86_64")


def wanted(given: argparse.Namespace, **more: Any) -> Wanted:
    """What was asked for."""
    return Wanted(
        kernel=kernel(given.kernel, given.bare), controller=given.controller, file_system=given.fs,
        scheduler=given.scheduler, append=given.append, kaslr=not given.nokaslr, witness=given.witness,
        mkfs_options=given.mkfs_options, mount_options=given.mount_options, disk_megabytes=given.disk_size,
        memory=given.memory, cpu=given.cpu, shift=given.shift, qemu=qemu.find(given.qemu), **more,
    )
