"""Sums of what is written once and used much later without a person in between: SQLite keeps none of its pages, and a bit
that turned on the disk must not become a result or reach a record.

A message has the digest it came with (model/work.py). Of rows written before they had a sum nothing is asked.
"""

from __future__ import annotations

import hashlib
import zlib


def of_result(about: tuple[object, ...], body: bytes) -> int:
    """CRC-32 of a held result: lane, message, who, kind and day it is kept under, and what it says."""
    return zlib.crc32(body, zlib.crc32("\0".join((*map(str, about), "")).encode()))


def of_bytes(raw: bytes) -> bytes:
    """SHA-256 of the bytes that are to leave."""
    return hashlib.sha256(raw).digest()


def is_whole(raw: bytes, digest: bytes | None) -> bool:
    """Whether the bytes are those the digest was taken of."""
    return not digest or of_bytes(raw) == bytes(digest)
