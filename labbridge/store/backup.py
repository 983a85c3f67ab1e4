"""Backup of a running store, and its return. The copy is made page by page through SQLite, never of the file, and is looked
over before it counts: pages, schema, the audit's chain, and every message against the store it was taken from.

A restored database does not know what happened since. Nothing leaves it until a person confirms; new comments and cases get
numbers that the lost ones cannot have had.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from labbridge.errors import Refused
from labbridge.model.work import AuditEvent
from labbridge.store import sealing
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection
from labbridge.store.sqlite import REVISION, SqliteConnection, StoreLock, open_reader, open_writer
from labbridge.store.writer import Job, Writer

MANIFEST = ".json"
COUNTED = ("journal", "work", "results", "cases", "drafts", "comments", "outbox", "audit", "seals")
RESTORED = "INSERT INTO restores(at, by, taken) VALUES (?,?,?)"
NEW_NUMBERS = (  # the next ones start with this moment: none is used twice
    "DELETE FROM tally WHERE name IN ('control_id', 'order_number')"
)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is: when it was taken, of which schema, its SHA-256, its rows, and the end of its audit."""

    taken: str
    revision: str
    sha256: str
    bytes: int
    rows: dict[str, int]
    audit_entries: int
    audit_digest: str


def backup(source: Path, target: Path, now: datetime) -> Manifest:
    """A copy of the store as of one moment, while it is written. Refused where the target is there already, or the copy does
    not hold what the store holds."""
    if target.exists() or _manifest_of(target).exists():
        raise Refused(f"{target} is there already; name another file, a backup is never overwritten")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _part(target) as part, closing(open_reader(source)) as store:
        _copy(store, part)
        with closing(sqlite3.connect(part, factory=SqliteConnection)) as copied:
            copied.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
            manifest = _looked_over(copied, part, now)
            _compare(copied, store)
        with part.open("rb") as file:
            manifest = msgspec.structs.replace(manifest, sha256=_sha256(file), bytes=part.stat().st_size)
        _to_disk(part)
        part.rename(target)
        _manifest_of(target).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        _to_disk(_manifest_of(target))  # last: a copy without it is no backup
        _to_disk(target.parent)
    return manifest


def restore(source: Path, target: Path, by: str, now: datetime) -> Manifest:
    """A backup as a store at a new place. Refused where the place is taken, or the file is not what its manifest says."""
    if target.exists():
        raise Refused(f"{target} is there already; move it away or name another place, nothing is overwritten")
    manifest = read_manifest(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    with StoreLock(target), _part(target) as part:
        shutil.copyfile(source, part)
        with part.open("rb") as file:
            if _sha256(file) != manifest.sha256:
                raise Refused(f"{source} is not the file its manifest describes; take another backup")
        with closing(sqlite3.connect(part, factory=SqliteConnection)) as copied:
            _looked_over(copied, part, now)
        _mark(part, manifest, by, now)
        _to_disk(part)
        part.rename(target)
        _to_disk(target.parent)
    return manifest


def read_manifest(source: Path) -> Manifest:
    """The manifest beside a backup."""
    try:
        return msgspec.json.decode(_manifest_of(source).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError):
        raise Refused(f"{_manifest_of(source)} is missing or cannot be read; a backup needs its manifest") from None


def _mark(part: Path, manifest: Manifest, by: str, now: datetime) -> None:
    """A restored database says so, and numbers from here on anew. Brings an older schema up to date."""
    writer = Writer(open_writer(part))
    event = AuditEvent(at=now, actor=by, action="restored", subject="store", detail=f"backup of {manifest.taken}")

    try:
        writer.submit(marked(event, manifest.taken)).result()
    finally:
        writer.close()  # the last connection: its log goes into the file


def marked(event: AuditEvent, taken: str) -> Job:
    """A job that marks a store as restored."""

    def job(connection: Connection) -> None:
        connection.execute(RESTORED, (event.at.isoformat(), event.actor, taken))
        connection.execute(NEW_NUMBERS)
        connection.execute(INSERT_AUDIT, audit_row(event))

    return job


# ---------------------------------------------------------------- the copy


def _copy(store: SqliteConnection, part: Path) -> None:
    before = os.umask(0o177)
    try:
        with closing(sqlite3.connect(part, factory=SqliteConnection)) as copied:
            store.backup(copied)  # in one step: one moment of the store
    finally:
        os.umask(before)


def _looked_over(copied: SqliteConnection, part: Path, now: datetime) -> Manifest:
    found = copied.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise Refused(f"The copy is damaged ({found}); look at the disk it is written to")
    (revision,) = copied.execute("SELECT version_num FROM alembic_version").fetchone()
    if revision > REVISION:
        raise Refused(f"The backup is of revision {revision}, newer than this labbridge; install the newer one")
    rows, seal = {}, sealing.Seal()
    if revision == REVISION:
        verified = sealing.verify(copied)
        if verified.faults:
            raise Refused(f"The audit in the copy is not whole: {verified.faults[0]}")
        seal = next(iter(verified.newest), seal)
        rows = {name: copied.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in COUNTED}  # noqa: S608
    return Manifest(
        taken=now.isoformat(),
        revision=revision,
        sha256="",
        bytes=part.stat().st_size,
        rows=rows,
        audit_entries=seal.entries,
        audit_digest=seal.digest.hex(),
    )


def _compare(copied: SqliteConnection, store: SqliteConnection) -> None:
    """Every message of the copy, by number and digest, against the store: these two never change."""
    asked = "SELECT id, digest FROM journal WHERE id <= ? ORDER BY id"
    (last,) = copied.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()
    one, other = (_digest_of(connection.execute(asked, (last,))) for connection in (copied, store))
    if one != other:
        raise Refused("The copy does not hold the messages of the store; it was thrown away, take another one")


def _digest_of(rows: sqlite3.Cursor) -> bytes:
    found = hashlib.sha256()
    for id, digest in rows:
        found.update(id.to_bytes(8) + bytes(digest))
    return found.digest()


def _sha256(file: object) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _manifest_of(path: Path) -> Path:
    return path.with_name(path.name + MANIFEST)


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    """A file beside the target that is gone unless it was renamed into it."""
    part = target.with_name(target.name + ".part")
    try:
        yield part
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
