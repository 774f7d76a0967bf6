"""The panel's password, known only by its scrypt hash. Pure, and slow on purpose.

A hash is written `scrypt:15:8:3:<salt>:<key>` (log2 of N, r, p): 32 MB and a third of a second for each try. It has no
`$`, which compose files would take for a variable.
"""

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata

MARK = "scrypt:"
SHORTEST = 8  # characters

_COST = (15, 8, 3)
_SHAPE = re.compile(r"scrypt:(\d{1,2}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9_-]{22}):([A-Za-z0-9_-]{43})")


def hashed(word: str) -> str:
    """A new hash of the word, with a salt of its own."""
    salt = secrets.token_bytes(16)
    return ":".join(["scrypt", *map(str, _COST), _text(salt), _text(_key(word, salt, *_COST))])


def matches(word: str, known: str) -> bool:
    """Whether `known` is a hash of the word; compared in constant time."""
    log_n, r, p, salt, key = _read(known)
    return hmac.compare_digest(_key(word, salt, log_n, r, p), key)


def is_hash(text: str) -> bool:
    """Whether it is a hash that can be checked here, within 256 MB of memory."""
    try:
        log_n, r, p, _, _ = _read(text)
    except ValueError:
        return False
    return 10 <= log_n <= 18 and 1 <= r <= 8 and 1 <= p <= 8


def _read(known: str) -> tuple[int, int, int, bytes, bytes]:
    found = _SHAPE.fullmatch(known)
    if found is None:
        raise ValueError("not a scrypt hash")
    log_n, r, p, salt, key = found.groups()
    return int(log_n), int(r), int(p), _bytes(salt), _bytes(key)


def _key(word: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    # The same letter can be typed as different code points, by different keyboards.
    typed = unicodedata.normalize("NFC", word).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(typed, salt=salt, n=2**log_n, r=r, p=p, dklen=32, maxmem=2**log_n * r * 256)


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
