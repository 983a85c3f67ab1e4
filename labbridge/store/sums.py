"""Sums of what is written once and used much later without a person in between: SQLite keeps none of its pages, and a bit
that turned on the disk must not become a result or reach a record.

A message has the digest it came with (model/work.py). Of rows written before they had a sum nothing is asked.
"""

from __future__ import annotations

import hashlib
import zlib


def of_result(lane: str, message: int, who: str, kind: str, collected: str, body: bytes) -> int:
    """CRC-32 of all that says whose a held result is, from which message, and what it is."""
    return zlib.crc32(body, zlib.crc32(f"{lane}\0{message}\0{who}\0{kind}\0{collected}\0".encode()))


def of_bytes(raw: bytes) -> bytes:
    """SHA-256 of the bytes that are to leave."""
    return hashlib.sha256(raw).digest()


def is_whole(raw: bytes, digest: bytes | None) -> bool:
    """Whether the bytes are those the digest was taken of."""
    return not digest or of_bytes(raw) == bytes(digest)
