"""What a sign-in at the hospital's identity provider is begun with, and that it may prove nobody."""

from __future__ import annotations

import secrets
from typing import NamedTuple


class NotProven(Exception):
    """The provider's answer proves nobody; the text says which part of it does not hold, and quotes none of it."""


class Asked(NamedTuple):
    """`back` is the address that the browser comes back to; `again`: the person has to give the password anew there."""

    state: str
    nonce: str
    verifier: str
    back: str
    again: bool = False


def asked(back: str, *, again: bool = False) -> Asked:
    """With new secrets: 256 bits each, 384 for PKCE."""
    return Asked(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), back, again)
