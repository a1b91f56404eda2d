"""Tells what was made on this machine from what was received.

A key of the cache (its file `key`, 32 random bytes that only its user can read) authenticates what the scripts make: its
tag is an HMAC-SHA256 with that key. Whoever has no access to the cache can make no tag.
"""

import hashlib
import hmac
import os
import secrets
import tempfile

from .cache import cache_root, prepare
from .say import Problem

KEY = "key"
KEY_BYTES = 32


def tag(made: bytes) -> str:
    """The tag of what was made here."""
    return _tag(_key(), made)


def is_own(made: bytes, claimed: str) -> bool:
    """Whether this is the tag of what was made here."""
    path = cache_root() / KEY
    return path.is_file() and hmac.compare_digest(_tag(_key(), made).encode(), claimed.encode(errors="replace"))


def _tag(key: bytes, made: bytes) -> str:
    return hmac.new(key, made, hashlib.sha256).hexdigest()


def _key() -> bytes:
    """The cache's key; made if there is none."""
    path = cache_root() / KEY
    if not path.exists():
        prepare(path.parent)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{KEY}-") as file:  # of mode 0600
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            try:
                os.link(file.name, path)
            except FileExistsError:
                pass  # another run was faster
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise Problem(f"{path} is damaged (it has {len(key)} bytes, not {KEY_BYTES}): delete it; boots that were made before "
                      "then need --trust-snapshots")
    return key
