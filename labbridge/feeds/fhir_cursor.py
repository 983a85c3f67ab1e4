"""Where the next page of a search begins, as a text that says nothing to anybody but this service: it stands in addresses,
which proxies log, and a search may have named a patient. It opens with the token that it was made for alone."""

from __future__ import annotations

import base64
import hashlib
import secrets
import zlib
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from labbridge.fhir.routes import CURSOR
from labbridge.fhir.searching import unfit
from labbridge.serving_fhir import Position

NONCE = 12
LONGEST = 2**15


class Bookmark(msgspec.Struct, frozen=True, array_like=True):
    """The search as it was asked, and where it goes on."""

    kind: str
    pairs: list[tuple[str, str]]
    position: Position


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Bookmark).decode


def written(authorization: str, kind: str, pairs: Sequence[tuple[str, str]], position: Position) -> str:
    nonce = secrets.token_bytes(NONCE)
    plain = zlib.compress(_encode(Bookmark(kind, list(pairs), position)))
    sealed = AESGCM(_key(authorization)).encrypt(nonce, plain, kind.encode())
    return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")


def read(authorization: str, kind: str, text: str) -> Bookmark:
    """Unfit (400) for what is no cursor of this program's, in this type."""
    try:
        if len(text) > LONGEST:
            raise ValueError
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        plain = AESGCM(_key(authorization)).decrypt(raw[:NONCE], raw[NONCE:], kind.encode())
        return _decode(zlib.decompress(plain))
    except (ValueError, InvalidTag, zlib.error, msgspec.DecodeError) as fault:
        text = "This is no page of a search with this token; begin with the first page"
        raise unfit("invalid", text, CURSOR) from fault


def _key(authorization: str) -> bytes:
    """Of the token: pages go on after a restart, and on another node."""
    secret = authorization.partition(" ")[2].strip()
    return hashlib.sha256(f"labbridge cursor {secret}".encode()).digest()
