"""Cases in the schema of clinical.md F, the knowledge they are run by, changed at will, and packs of them without a disk."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from labbridge.interpret.facts import REGISTRY
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import Rule, Then
from labbridge.knowledge.documents import Source
from labbridge.knowledge.items import items
from labbridge.model.items import Item
from labbridge.offline import CaseFile, Readers
from labbridge.pack.form import Pack
from labbridge.pack.page import html
from labbridge.sources import load, read_all, understood
from labbridge.validating import Wanted, packed, tried_of

ROOT = Path(__file__).resolve().parents[2]
VIGNETTES = ROOT / "tests/knowledge/vignettes.yaml"
NOW = datetime(2026, 11, 26, 14, 5, 9, tzinfo=UTC)
Row = dict[str, Any]
Case = dict[str, Any]


@lru_cache
def knowledge() -> Knowledge:
    return load()


@lru_cache
def signed() -> dict[str, Item]:
    return items(read_all())


class Laid(NamedTuple):
    """A knowledge with files of a site over ours: its readers, and what is signed of it."""

    readers: Readers
    signed: dict[str, Item]


@lru_cache
def laid(**files: str) -> Laid:
    """Files of a site by their names, a stroke for the point: `policy_yaml="- {...}"`."""
    names = {name: name.replace("__", "/").replace("_yaml", ".yaml").replace("_csv", ".csv") for name in files}
    sources = [*read_all(), *(Source(names[name], text, site=True) for name, text in files.items())]
    return Laid(Readers.of(understood(sources)), items(sources))


@lru_cache
def readers(language: str = "en") -> Readers:
    return Readers.of(knowledge(), language)


def readers_with(*rules: Rule, language: str = "en", **decisions: Any) -> Readers:
    """By the shipped knowledge with these rules in place of all others, where any are given."""
    changed = {**decisions, **({"rules": rules} if rules else {})}
    its = msgspec.structs.replace(knowledge().decisions, **changed)
    return Readers.of(msgspec.structs.replace(knowledge(), decisions=its), language)


def readers_changed(id: str, **fields: Any) -> Readers:
    """By the shipped rules, with other fields in one of them."""
    rules = knowledge().decisions.rules
    assert id in {one.id for one in rules}
    return readers_with(*(msgspec.structs.replace(one, **fields) if one.id == id else one for one in rules))


def rule(id: str, **fields: Any) -> Rule:
    usual: dict[str, Any] = {
        "version": 1,
        "status": "active",
        "why": "because",
        "then": Then(),
        "citations": ("picard-2016",),
    }
    return Rule(**{"id": id, **usual, **fields})


def row(filler: str, analyte: str, value: str, **more: Any) -> Row:
    """One result: final, on serum, collected and received before the evaluation unless said otherwise."""
    usual = {"specimen": "serum", "status": "F", "collected": "2026-02-02", "received": "2026-02-04"}
    return {"filler": filler, "analyte": analyte, "value": value} | usual | more


def srp(value: str, filler: str = "S1", **more: Any) -> Row:
    return row(filler, "SRP", value, **{"method": "line_blot", "unit": "intensity", **more})


def hmgcr(value: str, filler: str = "H1", **more: Any) -> Row:
    return row(filler, "HMGCR", value, **{"method": "elisa", "unit": "U", "cutoff": 20, **more})


def hep2(value: str, filler: str = "A1", **more: Any) -> Row:
    return row(filler, "ANA_HEP2", value, **{"method": "hep2_iif", **more})


def ck(value: str, filler: str = "K1", **more: Any) -> Row:
    return row(filler, "CK", value, **{"method": "enzymatic", "unit": "U/L", "ref_low": 26, "ref_high": 170, **more})


def case(id: str, *rows: Row, **more: Any) -> Case:
    usual: Case = {"id": id, "patient": {"sex": "F", "age_years": 52}, "evaluate_at": "2026-02-06"}
    return {**usual, "results": list(rows), **more}


def pack_of(
    *cases: Case,
    by: Readers | Laid | None = None,
    tester: str = "A. Smith",
    name: str = "lab/cases.yaml",
) -> Pack:
    """A pack of these cases, of one file, without sources."""
    used, its = by if isinstance(by, Laid) else (by or readers(), signed())
    file = CaseFile(Path(name), "ab" * 32, list(cases))
    return packed([file], list(tried_of([file], used)), used, its, Wanted(Path("unused"), NOW, tester))


def page_of(pack: Pack) -> str:
    return html(pack, "cd" * 32).decode()


def all_facts() -> dict[str, tuple[str | bool, ...]]:
    return {name: fact.domain for name, fact in REGISTRY.items()}
