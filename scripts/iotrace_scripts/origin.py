"""Tells what was made on this machine from what was received.

A key of the cache (its file `key`, 32 random bytes that only its user can read) authenticates what the scripts make: its
tag is an HMAC-SHA256 with that key. Whoever has no access to the cache can make no tag.
"""

import hashlib
import hmac
import os
import secrets

from .cache import cache_root, lock, lock_of
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
        with lock(lock_of(path)):
            if not path.exists():  # another run was not faster
                making = path.with_name(f".{KEY}.making")
                making.unlink(missing_ok=True)  # of a run that was killed
                with open(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(secrets.token_bytes(KEY_BYTES))
                making.rename(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise Problem(f"{path} is damaged (it has {len(key)} bytes, not {KEY_BYTES}): delete it; boots that were made before "
                      "then need --trust-snapshots")
    return key
