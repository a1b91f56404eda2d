"""Which Linux a boot image is of.

In: a vmlinuz, perhaps somebody else's. Out: its release, such as 3.10.0-1160.el7.x86_64, and its version as numbers; nothing
of a file that has none, which is not for this module to refuse.
"""

import re
import struct
from pathlib import Path

# Documentation/arch/x86/boot.rst: the mark of the header, and where it has kernel_version, counted from PLACE.
MARK, MARK_AT, VERSION_AT, PLACE = b"HdrS", 0x202, 0x20E, 0x200
LONGEST = 64 << 10  # bytes that the string may stand in: the field has 16 bits
Version = tuple[int, int]


def of_boot_image(boot_image: Path) -> str:
    """The release that the boot image has in its header; empty if there is none."""
    with open(boot_image, "rb") as file:
        head = file.read(LONGEST + PLACE)
    if len(head) < VERSION_AT + 2 or head[MARK_AT:MARK_AT + len(MARK)] != MARK:
        return ""
    (at,) = struct.unpack_from("<H", head, VERSION_AT)
    text = head[at + PLACE:].partition(b"\0")[0] if at else b""
    words = text.decode(errors="replace").split()
    return words[0] if words else ""


def version(release: str) -> Version | None:
    """The first two numbers of a release; none if it does not begin with two."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})(?!\d)", release)
    return (int(found[1]), int(found[2])) if found else None
