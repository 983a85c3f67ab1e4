"""What people sign: each rule, comment, policy number, method, kit, code, service and table of the knowledge, by the hash of
what it says. A site's row that says the same as ours is ours."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from labbridge.knowledge.build import build
from labbridge.knowledge.decisions import ENGLISH, Decisions
from labbridge.knowledge.documents import Source
from labbridge.knowledge.lock import entries
from labbridge.knowledge.records import LOCKED, Record, is_table, ordered, records
from labbridge.model.items import KINDS, Item


def items(sources: Sequence[Source]) -> dict[str, Item]:
    """Everything in these files that is signed, by key; ours with a site's over it. The files have no fault."""
    written = records(sources)
    shipped = _hashes([one for one in sources if not one.site])
    found = {}
    for key, (sha256, version) in _hashes(sources).items():
        at = written.get(key) or _whole(key, sources)
        found[key] = Item(
            key=key,
            sha256=sha256,
            version=version,
            site=shipped.get(key, ("", 0))[0] != sha256,
            file=at.file,
            line=at.line,
            text=at.text,
        )
    return dict(sorted(found.items(), key=lambda one: (KINDS.index(one[1].kind), one[0])))


def _hashes(sources: Sequence[Source]) -> dict[str, tuple[str, int]]:
    """Hash and version of every item, by key."""
    decisions = build(sources)[0].decisions
    found = {name: (entry.sha256, entry.version) for name, entry in entries(decisions).items() if not entry.retired}
    for key, record in records(sources).items():
        if key.partition(":")[0] not in LOCKED.values():
            found[key] = (_digest(record.fields), 0)
    for language in (ENGLISH, *decisions.translations):
        found[f"words:{language}"] = (_digest(_spoken(decisions, language)), 0)
    for name in {one.name for one in sources if is_table(one.name)}:
        found[f"table:{name}"] = (_digest([one.text for one in ordered(sources) if one.name == name]), 0)
    return found


def _spoken(decisions: Decisions, language: str) -> list[object]:
    return [decisions.words_in(language), decisions.style_in(language)]


def _digest(what: object) -> str:
    return hashlib.sha256(msgspec.json.encode(what, order="deterministic")).hexdigest()


def _whole(key: str, sources: Sequence[Source]) -> Record:
    """A table or the words of a language: the file, without its text."""
    kind, _, name = key.partition(":")
    return Record(name if kind == "table" else f"comments/{name}.yaml", 1, "", {})
