"""A pack on the disk: two files of one name, never written over, and an earlier pack read back."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import msgspec

from labbridge.errors import CannotCreate, PackFileError
from labbridge.pack.form import SCHEMA_VERSION, Pack

SUFFIXES = (".html", ".json")


class Names(NamedTuple):
    """The page for people and the document for programs."""

    html: Path
    json: Path


def names_of(path: Path) -> Names:
    """FILE, FILE.html and FILE.json all name the same two files; any other suffix is part of the name."""
    stem = path.name[: -len(path.suffix)] if path.suffix.lower() in SUFFIXES else path.name
    return Names(path.with_name(f"{stem}.html"), path.with_name(f"{stem}.json"))


def refuse_taken(names: Names) -> None:
    """CannotCreate where a pack is there already, or its folder is not: known before any case is run."""
    for one in names:
        if one.exists() or one.is_symlink():
            raise CannotCreate(f"{one} is there already; name another file, a filed pack is never overwritten")
    folder = names.html.parent
    if not folder.is_dir():
        raise CannotCreate(f"{folder}: there is no such folder; make it, or name a file elsewhere")


def keep(names: Names, html: bytes, json: bytes) -> None:
    """Both files, durably, or neither. CannotCreate where one has come there meanwhile, or the disk does not take it."""
    made: list[Path] = []
    try:
        for path, content in ((names.html, html), (names.json, json)):
            with path.open("xb") as file:
                made.append(path)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
    except OSError as fault:
        for path in made:
            path.unlink(missing_ok=True)
        raise CannotCreate(f"{path} could not be written: {fault.strerror}; nothing of the pack was kept") from fault


def encoded(pack: Pack) -> bytes:
    """The document for programs, an item a line, so that two packs can be compared by any tool."""
    return msgspec.json.format(msgspec.json.encode(pack), indent=1) + b"\n"


class _Version(msgspec.Struct):
    schema_version: int


def read_pack(path: Path) -> tuple[Pack, str]:
    """An earlier pack with the SHA-256 of its file. PackFileError where it is none that this version can read."""
    content = path.read_bytes()
    try:
        version = msgspec.json.decode(content, type=_Version).schema_version
        if version > SCHEMA_VERSION:
            raise PackFileError(
                f"{path}: this pack is of schema version {version}, newer than this labbridge reads ({SCHEMA_VERSION});"
                " read it with the labbridge that made it"
            )
        return msgspec.json.decode(content, type=Pack), hashlib.sha256(content).hexdigest()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PackFileError(
            f"{path}: this is no validation pack ({error}); name the .json of an earlier one"
        ) from error
