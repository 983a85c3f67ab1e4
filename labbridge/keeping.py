"""The store over the years, from the command line: backups and their return, and whether the audit is whole."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from labbridge.config import AuditSection, Config
from labbridge.errors import Refused
from labbridge.ports import Clock
from labbridge.review import policies
from labbridge.store import anchors, backup, sealing
from labbridge.store.connection import Connection
from labbridge.store.nodes import listed
from labbridge.store.sealing import Verified


def back_up(config: Config, target: Path, clock: Clock, format: str) -> str:
    """Take a backup of the configured store; what was copied."""
    if config.store.file is None:
        raise Refused("The store is a PostgreSQL database: take its backups with pg_basebackup and WAL archiving")
    if not config.store.file.is_file():
        raise Refused(f"{config.store.file}: there is no store yet to take a backup of")
    manifest = backup.backup(config.store.file, target, clock.now())
    return _printed(manifest, format, f"{target}: {_of(manifest)}, looked over and whole")


def restore(source: Path, target: Path, name: str, clock: Clock, format: str) -> str:
    """Put a backup in the place of a store that is gone; what to do next."""
    policies.check_signer(name)
    manifest = backup.restore(source, target, name, clock.now())
    then = "nothing leaves until `labbridge restore --confirm --as NAME`"
    return _printed(manifest, format, f"{target}: {_of(manifest)}, taken {manifest.taken}; {then}")


def _of(manifest: backup.Manifest) -> str:
    rows = manifest.rows
    return f"{rows.get('journal', 0)} messages, {rows.get('cases', 0)} cases, {manifest.audit_entries} audit lines"


def _printed(manifest: backup.Manifest, format: str, text: str) -> str:
    return json.dumps(msgspec.to_builtins(manifest)) if format == "json" else text


def nodes_text(store: Connection, config: Config, format: str) -> str:
    """Who works on the store: of a file, the one service; of a server, each node that has renewed in time."""
    if config.store.file is not None:
        return "[]" if format == "json" else "The store is a file: one service works on it, and holds everything"
    found = listed(store)
    if format == "json":
        return json.dumps(msgspec.to_builtins(found))
    lines = [
        f"{one.number:>3}  {one.name:24} {one.partitions:>2} partitions  renewed {one.renewed_ms / 1000:.1f} s ago"
        f"{''.join(f', {other}' for other in one.holds)}"
        for one in found
    ]
    return "\n".join(lines or ["No node works on this store"])


# ---------------------------------------------------------------- the audit


def verify(
    store: Connection, audit: AuditSection, against: Path | None, key: Path | None
) -> tuple[Verified, list[str]]:
    """The chain, and where anchors are named or configured the chain against them: what was found, and remarks."""
    verified = sealing.verify(store)
    named = against or (Path(audit.anchors) if audit.anchors else None)
    if named is None:
        return verified, ["no anchors: an end that was cut off, or an audit written anew as a whole, cannot be seen"]
    with_key = key or (Path(audit.key) if audit.key else None)
    if with_key is None:
        raise Refused("Name the key the anchors were signed with (--key FILE.pub)")
    found = anchors.read(named)
    faults = tuple(anchors.compare(store, found, anchors.public_key(with_key)))
    verified = msgspec.structs.replace(verified, faults=(*verified.faults, *faults))
    newest = f"; the newest of {found[-1].at}" if found else ""
    return verified, [f"{len(found)} anchors{newest}"]


def verified_text(found: Verified, remarks: list[str], format: str) -> str:
    if format == "json":
        return json.dumps(
            {"lines": found.lines, "seals": found.seals, "faults": list(found.faults), "remarks": remarks}
        )
    said = "whole" if not found.faults else f"{len(found.faults)} faults"
    return "\n".join((*found.faults, f"{found.lines} audit lines under {found.seals} seals: {said}", *remarks))
