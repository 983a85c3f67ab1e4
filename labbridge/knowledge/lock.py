"""versions.lock.json: id -> version and hash of every rule, comment and node. Changed content needs a raised version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import msgspec

from labbridge.knowledge.build import build
from labbridge.knowledge.decisions import Decisions
from labbridge.knowledge.documents import Fault, Source

FILE = "versions.lock.json"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rule, comment or node: its version, and the hash of what it says and does. A retired rule is frozen."""

    version: int
    sha256: str
    retired: bool = False


def entries(decisions: Decisions) -> dict[str, Entry]:
    """The entries of these decisions, `comment:fr:C01` a translation's. Who reviewed a row, when, and on what cases, is
    not part of what it says."""
    found = {}
    for rule in decisions.rules:
        signed = {"reviewed": (), "still_valid_on": "", "authors": (), "known_gaps": (), "cases": msgspec.UNSET}
        its = _hash(msgspec.structs.replace(rule, **signed))
        found[f"rule:{rule.id}"] = Entry(rule.version, its, rule.status == "retired")
    for name, comment in decisions.texts():
        said = msgspec.structs.replace(comment, reviewed=msgspec.UNSET)
        found[f"comment:{name}"] = Entry(comment.version, _hash(said))
    for node in decisions.pathway.nodes.values():
        found[f"pathway:{node.id}"] = Entry(node.version, _hash(node))
    return found


def _hash(row: msgspec.Struct) -> str:
    return hashlib.sha256(msgspec.json.encode(row, order="deterministic")).hexdigest()


def check_lock(found: dict[str, Entry], text: str) -> list[Fault]:
    """Where decisions and lock disagree: new rows, changed content under an old version, ids that went."""
    try:
        locked = msgspec.json.decode(text, type=dict[str, Entry])
    except msgspec.DecodeError as error:
        return [Fault(FILE, 1, f"This is no lock: {error}.", "Take it back from version control.")]
    faults = []
    for name, entry in sorted(found.items()):
        before = locked.get(name)
        if before is None:
            faults.append(Fault(FILE, 1, f"{name} is not locked.", "Run `labbridge check --write-lock`."))
        elif before.retired and entry != before:
            repair = "Take it back from version control; what is to speak again gets an id of its own."
            faults.append(Fault(FILE, 1, f"{name} is retired, and was changed.", repair))
        elif entry.sha256 != before.sha256 and entry.version <= before.version:
            faults.append(
                Fault(FILE, 1, f"{name}: content changed under version {entry.version}.", "Raise its version.")
            )
        elif entry != before:
            faults.append(Fault(FILE, 1, f"{name} has a new version.", "Run `labbridge check --write-lock`."))
    for name in sorted(set(locked) - set(found)):
        faults.append(Fault(FILE, 1, f"{name} is gone.", "An id is never dropped: set its status to retired."))
    return faults


def written(found: dict[str, Entry], text: str) -> str:
    """The lock with new and raised versions; an entry whose content changed under its old version stays as it was."""
    locked = msgspec.json.decode(text, type=dict[str, Entry])
    for name, entry in found.items():
        before = locked.get(name)
        if before is None or (entry.version > before.version and not before.retired):
            locked[name] = entry
    return json.dumps({name: msgspec.to_builtins(locked[name]) for name in sorted(locked)}, indent=1) + "\n"


def raised_in_vain(texts: Sequence[Source], before: Sequence[Source], what: str = "is in force") -> list[Fault]:
    """Rows of a site that say something else than those before (`what` they are) under a version that is no higher: a draft
    names the rule and version it rests on, and must go on meaning the same. Shipped rows have the lock for that, and to go
    back to one is no change."""
    decisions = build(texts)[0].decisions
    old = entries(build(before)[0].decisions)
    shipped = entries(build([one for one in texts if not one.site])[0].decisions)
    return [
        decisions.fault(
            name.partition(":")[2], f"{name} is not what {what} as version {entry.version}.", "Raise its version."
        )
        for name, entry in entries(decisions).items()
        if entry != shipped.get(name)
        and (was := old.get(name)) is not None
        and was.sha256 != entry.sha256
        and entry.version <= was.version
    ]
