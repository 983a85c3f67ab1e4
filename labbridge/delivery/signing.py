"""Our own key, by which a receiver's authorization server knows us (SMART Backend Services): RS384 or ES384, by its kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwk

SMALLEST_RSA = 2048  # bits
OTHERS = 0o077  # permissions of anybody but the owner


class BadKey(ValueError):
    """A key that cannot be used; the text says why, and quotes nothing of it."""


def read_key(path: Path) -> jwk.Key:
    """A private key of a PEM file that nobody else may read; its `kid` is its thumbprint (RFC 7638)."""
    try:
        with path.open("rb") as file:
            if path.stat().st_mode & OTHERS:
                raise BadKey("others than its owner may read or write it; chmod 600")
            raw = file.read()
    except OSError as fault:
        raise BadKey(f"{fault.strerror}") from None
    kind = _kind(raw)
    key: jwk.RSAKey | jwk.ECKey = kind.import_key(raw)
    key.ensure_kid()
    return key


def algorithm(key: jwk.Key) -> str:
    """How a key signs."""
    return "RS384" if key.key_type == "RSA" else "ES384"


def public(key: jwk.Key) -> Mapping[str, Any]:
    """The public half, as it is published."""
    return {**key.as_dict(private=False), "use": "sig", "alg": algorithm(key)}


def _kind(raw: bytes) -> type[jwk.RSAKey] | type[jwk.ECKey]:
    """What kind of key it is, where it is one that may sign."""
    try:
        key = load_pem_private_key(raw, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < SMALLEST_RSA:
            raise BadKey(f"the RSA key is shorter than {SMALLEST_RSA} bits")
        return jwk.RSAKey
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1):
        return jwk.ECKey
    raise BadKey("it is no private key in PEM, RSA or of the curve P-384, without password")
