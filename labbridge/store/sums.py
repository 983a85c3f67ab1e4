"""Sums of what is written once and used much later without a person in between: SQLite keeps none of its pages, and a bit
that turned on the disk must not become a result or reach a record.

A message has the digest it came with (model/work.py). A row of work and a draft have one sum; a case has one for each group
of columns that are written together, so that no statement has to vouch for what it did not write. Numbers that are counted
up where they stand, or known to the database alone, are added to the sum, each times a factor of its own: a statement adds
without knowing the rest. Of rows written before they had a sum nothing is asked.
"""

from __future__ import annotations

import hashlib
import zlib

ATTEMPT, FORGIVEN, RESTORE, CASE = 2_654_435_761, 2_246_822_519, 3_266_489_917, 668_265_263  # large, odd, all different
SIX_BYTES = 1 << 32
NUL = "\N{SYMBOL FOR NULL}"  # what PostgreSQL keeps in place of U+0000 (postgres.py)


def of_result(about: tuple[object, ...], body: bytes) -> int:
    """CRC-32 of a held result: lane, message, who, kind and day it is kept under, and what it says."""
    return zlib.crc32(body, zlib.crc32("\0".join((*map(str, about), "")).encode()))


def of_bytes(raw: bytes) -> bytes:
    """SHA-256 of the bytes that are to leave."""
    return hashlib.sha256(raw).digest()


def is_whole(raw: bytes, digest: bytes | None) -> bool:
    """Whether the bytes are those the digest was taken of."""
    return not digest or of_bytes(raw) == bytes(digest)


def of_work(row: tuple[object, ...], attempts: int = 0, forgiven: int = 0) -> int:
    """Of a row of work: message, lane, state, reason, sentence, notes, when it was last written; and its two counters."""
    return _of(row) + attempts * ATTEMPT + forgiven * FORGIVEN


def of_received(message: int, lane: str, now: str) -> int:
    """of_work of a row as it is first written, by its shortest way: one for each message that comes in."""
    text = f"{message}\x1e{lane}\x1ekept\x1ereceived\x1e\x1e\x1e{now}"
    return SIX_BYTES | zlib.crc32((text.replace("\0", NUL) if "\0" in lane else text).encode("utf-8", "surrogatepass"))


def of_case(row: tuple[object, ...], restore: int = 0) -> int:
    """Of what a case is opened with: lane, feed, day and moment; and the restore it was opened after."""
    return _of(row) + restore * RESTORE


def of_group(row: tuple[object, ...]) -> int:
    """Of another group of a case: version, severity, flags, analytes; state, updated; disposition, its version, until; rank,
    by what it was ranked."""
    return _of(row)


def of_draft(row: tuple[object, ...], outcome: bytes, case: int = 0) -> int:
    """Of a draft: version, text, message and place of its subject, knowledge, when it was written; its outcome; its case."""
    return (SIX_BYTES | zlib.crc32(outcome, _of(row) & 0xFFFF_FFFF)) + case * CASE


def _of(row: tuple[object, ...]) -> int:
    """CRC-32, and 2 to the 32 more: SQLite writes a number below that in a way that one bit turns into NULL, which is a row
    from before there were sums."""
    text = "\x1e".join(map(str, row))
    if "\0" in text:
        text = text.replace("\0", NUL)
    return SIX_BYTES | zlib.crc32(text.encode("utf-8", "surrogatepass"))


NOT_PUT, NOT_RANKED = (
    of_group(("", 0, "")),
    of_group((0, "")),
)  # a case that nobody has decided of, that nobody has ordered
