"""The names of a client's certificate, held against a feed's allow-list."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any


def named(certificate: dict[str, Any] | None, allowed: tuple[str, ...]) -> bool:
    """True when a verified certificate (as ssl's getpeercert gives it) carries one of these names.

    A DNS name or URI of subjectAltName; the common name only where there is neither (RFC 6125, 6.4.4). DNS names are the
    same in capitals; nothing else is, and there are no wildcards.
    """
    wanted = set(allowed) | {name.lower() for name in allowed if ":" not in name}
    return not wanted.isdisjoint(_names(certificate or {}))


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate's bytes, as `openssl x509 -fingerprint -sha256` gives it, in small letters."""
    return hashlib.sha256(certificate).hexdigest()


def _names(certificate: dict[str, Any]) -> Iterator[str]:
    alternative = [(kind, value) for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "URI")]
    yield from (value.lower() if kind == "DNS" else value for kind, value in alternative)
    if not alternative:
        for part in certificate.get("subject", ()):
            yield from (value for name, value in part if name == "commonName")
