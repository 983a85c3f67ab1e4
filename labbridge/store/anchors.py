"""Signed anchors of the audit's chain, kept where who can write the database cannot write: by them an audit is known that
was cut off, written anew, or is that of an older database (reliability.md S-21).

An anchor is a line of JSON: the newest seal, how many lines there were, when, and an Ed25519 signature over these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from labbridge.store.connection import Connection, StoreRefused
from labbridge.store.sealing import CHAIN, Seal, last_seal

PUBLIC = ".pub"


class AnchorError(StoreRefused):
    """A key or an anchor file that cannot be used; the text says which and what to do. Exit code 78."""


class Anchor(msgspec.Struct, frozen=True):
    """The state of the chain at a moment, signed. `digest` and `signature` in hexadecimal."""

    seal: int
    entries: int
    digest: str
    at: str
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """What the signature is over: everything else."""
        return msgspec.json.encode((self.seal, self.entries, self.digest, self.at))


_decode = msgspec.json.Decoder(Anchor).decode


# ---------------------------------------------------------------- keys


def make_key(path: Path) -> None:
    """A new signing key, readable by its owner alone, and its public half beside it (`.pub`). Never over an old one."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        for name, mode, content in ((path, 0o600, private), (path.with_name(path.name + PUBLIC), 0o644, public)):
            with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(content)
    except FileExistsError as fault:
        raise AnchorError(f"{fault.filename} is there already; a key is never overwritten") from None
    except OSError as fault:
        raise AnchorError(f"{fault.filename}: {fault.strerror}; name a folder that can be written") from None


def private_key(path: Path) -> Ed25519PrivateKey:
    """The signing key of a file."""
    found = _loaded(path, lambda content: serialization.load_pem_private_key(content, None))
    if not isinstance(found, Ed25519PrivateKey):
        raise AnchorError(f"{path} is no Ed25519 signing key; `labbridge audit key FILE` makes one")
    return found


def public_key(path: Path) -> Ed25519PublicKey:
    """The public half, from its own file or from that of the signing key."""
    content = _read(path)
    if b"PRIVATE KEY" in content:
        return private_key(path).public_key()
    found = _loaded(path, serialization.load_pem_public_key)
    if not isinstance(found, Ed25519PublicKey):
        raise AnchorError(f"{path} is no Ed25519 public key; name the .pub file that `labbridge audit key` made")
    return found


def _loaded(path: Path, load: object) -> object:
    try:
        return load(_read(path))  # type: ignore[operator]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise AnchorError(f"{path} is no key in PEM without a password; `labbridge audit key FILE` makes one") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise AnchorError(f"{path}: {fault.strerror}; `labbridge audit key FILE` makes a key") from None


# ---------------------------------------------------------------- anchors


def anchored(seal: Seal, now: datetime, key: Ed25519PrivateKey) -> Anchor:
    """An anchor of this seal."""
    plain = Anchor(seal.id, seal.entries, seal.digest.hex(), now.isoformat())
    return msgspec.structs.replace(plain, signature=key.sign(plain.signed_bytes()).hex())


def append(path: Path, anchor: Anchor) -> None:
    """One more line, on disk before this returns."""
    with path.open("ab") as file:
        file.write(msgspec.json.encode(anchor) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> list[Anchor]:
    """The anchors of a file, in their order. AnchorError where a line is none."""
    found = []
    for number, line in enumerate(_read_anchors(path).splitlines(), 1):
        try:
            found.append(_decode(line))
        except msgspec.MsgspecError:
            raise AnchorError(
                f"{path}:{number}: this is no anchor; restore the file from where it is copied to"
            ) from None
    return found


def _read_anchors(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise AnchorError(f"{path}: {fault.strerror}; name the file that [audit] anchors writes") from None


def compare(connection: Connection, anchors: Sequence[Anchor], key: Ed25519PublicKey) -> Iterator[str]:
    """What the anchors say against this database, a sentence each."""
    for anchor in anchors:
        try:
            key.verify(bytes.fromhex(anchor.signature), anchor.signed_bytes())
        except (InvalidSignature, ValueError):
            yield f"the anchor of {anchor.at} was not signed with this key"
            continue
        row = connection.execute("SELECT entries, digest FROM seals WHERE id = ?", (anchor.seal,)).fetchone()
        if row is None and anchor.seal % CHAIN:
            newest = last_seal(connection, anchor.seal // CHAIN)
            yield (
                f"the anchor of {anchor.at} knows {anchor.entries} lines, and the audit ends after {newest.entries}:"
                " it was cut off, or this is an older database"
            )
        elif row is not None and (row[0], bytes(row[1]).hex()) != (anchor.entries, anchor.digest):
            yield f"the audit up to the anchor of {anchor.at} is not the one that was signed: it was written anew"
