"""Which guests are tried: every pair of values of two factors is in one of them at least.

In: the factors. Out: cells, the same ones in the same order each time.
"""

from dataclasses import astuple, dataclass
from itertools import combinations

KERNELS = ("debian-5.10", "debian-6.1", "debian-6.1-rt", "debian-6.12", "debian-7.x")
CONTROLLERS = ("lsi53c895a", "lsi53c810", "mptsas1068", "megasas", "megasas-gen2", "virtio-scsi-pci", "virtio-blk-pci", "ich9-ahci",
               "piix3-ide", "usb-storage", "nvme")
FILE_SYSTEMS = ("xfs", "ext4", "btrfs", "f2fs", "vfat", "raw")
STACKS = ("none", "loop", "linear", "crypt", "mirror", "thin")
FACTORS = (KERNELS, CONTROLLERS, FILE_SYSTEMS, STACKS)


# Pairs that cannot be: Debian's 5.10 has the cipher modes of dm-crypt as modules that kernel folders do not have.
IMPOSSIBLE = frozenset({("debian-5.10", "crypt")})


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
    """A small set of cells that covers all possible pairs: greedily, each next cell is the first of those that cover most pairs which no cell
    covers yet."""
    left = set().union(*(pairs_of(values) for values in _all()))
    cells = []
    while left:
        best = max(_all(), key=lambda values: len(pairs_of(values) & left))
        left -= pairs_of(best)
        cells.append(Cell(*best))
    return cells


def _all() -> list[tuple[str, ...]]:
    return [(kernel, controller, file_system, stack) for kernel in KERNELS for controller in CONTROLLERS
            for file_system in FILE_SYSTEMS for stack in STACKS if (kernel, stack) not in IMPOSSIBLE]
