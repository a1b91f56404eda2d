"""Which guests are tried: every pair of values of two factors is in one of them at least.

In: the factors. Out: cells, the same ones in the same order each time.
"""

from dataclasses import astuple, dataclass
from itertools import combinations, product

KERNELS = ("debian-5.10", "debian-6.1", "debian-6.1-rt", "debian-6.12", "debian-7.x")
CONTROLLERS = ("lsi53c895a", "lsi53c810", "mptsas1068", "megasas", "megasas-gen2", "virtio-scsi-pci", "virtio-blk-pci", "ich9-ahci",
               "piix3-ide", "usb-storage", "nvme")
FILE_SYSTEMS = ("xfs", "ext4", "btrfs", "f2fs", "vfat", "raw", "exfat")
STACKS = ("none", "loop", "linear", "crypt", "mirror", "thin", "lvm", "raid5", "cache", "overlay", "squashfs", "swap")
FACTORS = (KERNELS, CONTROLLERS, FILE_SYSTEMS, STACKS)
# Values whose pairs are covered by further cells, which come after those of all the others: these stay as they are.
LATER = frozenset({"exfat", "lvm", "raid5", "cache", "overlay", "squashfs", "swap"})


# Pairs that cannot be: Debian's 5.10 has the cipher modes of dm-crypt as modules that kernel folders do not have; overlayfs needs
# directories, and none of a file system that compares names by itself (ovl_dentry_weird in fs/overlayfs/util.c).
IMPOSSIBLE = frozenset({("debian-5.10", "crypt"), ("raw", "overlay"), ("vfat", "overlay"), ("exfat", "overlay")})


@dataclass(frozen=True)
class Cell:
    """A guest: its kernel, its controller, the file system on the disk, what lies on it."""

    kernel: str
    controller: str
    file_system: str
    stack: str

    def name(self) -> str:
        """Of its folder."""
        return "-".join(astuple(self))


def pairs_of(values: tuple[str, ...]) -> set[tuple[int, str, int, str]]:
    """The pairs that a cell covers, each value with the number of its factor."""
    return {(a, values[a], b, values[b]) for a, b in combinations(range(len(values)), 2)}


def covering() -> list[Cell]:
    """A small set of cells that covers all possible pairs: greedily, each next cell is the first of those that cover most pairs
    which no cell covers yet."""
    cells: list[Cell] = []
    covered: set[tuple[int, str, int, str]] = set()
    for possible in (_possible(LATER), _possible(frozenset())):
        pairs = {values: pairs_of(values) for values in possible}
        left = set().union(*pairs.values()) - covered
        while left:
            best = max(possible, key=lambda values: len(pairs[values] & left))
            left -= pairs[best]
            covered |= pairs[best]
            cells.append(Cell(*best))
    return cells


def _possible(without: frozenset[str]) -> list[tuple[str, ...]]:
    """All cells that can be, but for those with some values."""
    return [values for values in product(*FACTORS)
            if without.isdisjoint(values) and IMPOSSIBLE.isdisjoint(combinations(values, 2))]
