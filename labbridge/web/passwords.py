"""Passwords: Argon2id at the figures OWASP gives (19 MiB, two passes, one lane), long, and none that is quickly guessed."""

from __future__ import annotations

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from labbridge.errors import Refused

LEAST, MOST = 12, 256
LEAST_SCORE = 3  # zxcvbn, of 4: below that a list of known passwords and their variants finds it
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def hashed(password: str, *about: str) -> str:
    """The hash to keep. Refused for a password that is short, or easily guessed by who knows these names."""
    if not LEAST <= len(password) <= MOST:
        raise Refused(f"A password has {LEAST} to {MOST} characters; a few words in a row are easy to remember")
    from zxcvbn import zxcvbn

    names = [word for one in about for word in (one, *one.split())]
    if zxcvbn(password[:72], user_inputs=names)["score"] < LEAST_SCORE:
        raise Refused("This password is quickly guessed; take a few words that do not belong together")
    return _hasher.hash(password)


def matches(secret: str, password: str) -> bool:
    """Whether a password is the one a hash was made of. Without a hash it takes as long, and is not."""
    try:
        return _hasher.verify(secret or _nobodys(), password) and bool(secret)
    except (VerificationError, InvalidHashError):
        return False


def outdated(secret: str) -> bool:
    """Whether the hash was made by weaker figures than today's."""
    return _hasher.check_needs_rehash(secret)


def rehashed(password: str) -> str:
    """The same password by today's figures."""
    return _hasher.hash(password)


@lru_cache
def _nobodys() -> str:
    return _hasher.hash("nobody has this password")
