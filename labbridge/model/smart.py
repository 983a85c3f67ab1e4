"""SMART Backend Services: programs that prove themselves by a key of their own, and what they are given for it."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A program that is registered here. `name` is its client id, `jwks_file` the absolute path of its public keys. `feeds`
    and `scopes`: as those of a token (people.Token)."""

    name: str
    jwks_file: str
    feeds: tuple[str, ...]
    scopes: frozenset[str]


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a client was given: an access token, known by the SHA-256 of it, that is in force until it `expires`."""

    client: str
    scopes: frozenset[str]
    expires: datetime


class Assertion(msgspec.Struct, frozen=True, kw_only=True):
    """What a client proved itself with, which proves it once. `digest` is the SHA-256 of its client and `jti`; from the
    moment `until` on it would be refused by its age."""

    client: str
    digest: bytes
    until: datetime
