"""The shipped knowledge with small edits of its text, and the proof of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from labbridge.interpret.facts import REGISTRY
from labbridge.knowledge.build import Knowledge, build
from labbridge.knowledge.combinations import Facts
from labbridge.knowledge.documents import Fault, Source
from labbridge.knowledge.prove import Claims, Proof, prove, read_claims
from labbridge.sources import read_folder, shipped

DOMAINS = {name: fact.domain for name, fact in REGISTRY.items()}


class Edit(NamedTuple):
    """In the record of this id, of this file, one text instead of another."""

    file: str
    id: str
    before: str
    after: str


@cache
def shipped_sources() -> tuple[Source, ...]:
    return tuple(read_folder(shipped()))


def edited(edits: Sequence[Edit]) -> list[Source]:
    """The shipped files with these edits, each of which finds its place exactly once."""
    texts = {source.name: source.text for source in shipped_sources()}
    for edit in edits:
        head, tail = _around(texts[edit.file], edit.id)
        record, _next, rest = tail.partition("\n- ")
        assert record.count(edit.before) == 1, (edit, record)
        texts[edit.file] = head + record.replace(edit.before, edit.after) + _next + rest
    return [msgspec.structs.replace(source, text=texts[source.name]) for source in shipped_sources()]


def _around(text: str, id: str) -> tuple[str, str]:
    mark = next(mark for mark in (f"id: {id}\n", f"id: {id},") if text.count(mark) == 1)
    start = text.index(mark)
    return text[:start], text[start:]


@cache
def knowledge(*edits: Edit) -> Knowledge:
    """The knowledge with these edits; it has no other fault."""
    found, faults = build(edited(edits))
    assert faults == []
    return found


@cache
def claims() -> Claims:
    """The shipped properties and facts."""
    faults: list[Fault] = []
    found = read_claims(shipped_sources(), faults)
    assert faults == []
    return found


def facts() -> Facts:
    """The facts as the proof sees them."""
    return Facts(claims().facts, DOMAINS)


def proved(*edits: Edit) -> Proof:
    """The proof of the shipped rows with these edits."""
    return prove(knowledge(*edits).decisions, claims(), DOMAINS)
