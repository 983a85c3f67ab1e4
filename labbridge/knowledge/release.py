"""release.yaml: which comments a rule may release in a person's place. It is a site's own; nothing ships in it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from labbridge.knowledge.decisions import Decisions
from labbridge.knowledge.documents import Fault, Row, Source, by_key, read_records
from labbridge.knowledge.terminology import Terminology
from labbridge.model.result import Analyte

FILE = "release.yaml"


class ReleaseRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A comment of one of these classes, drafted from results of this feed, of these analytes by these methods alone, with
    no finding but these, may leave without a person (standards.md R10). Everything else that R10 asks stands in
    review/releasing.py."""

    id: str
    version: int
    feed: str
    comments: tuple[str, ...]
    analytes: tuple[str, ...]
    methods: tuple[str, ...]
    flags: tuple[str, ...] = ()
    why: str

    @property
    def name(self) -> str:
        return f"{self.id}@{self.version}"


def read_release(sources: Sequence[Source], faults: list[Fault]) -> dict[str, ReleaseRow]:
    """The rows by id. Shipped rows are a fault: nothing is released by rule before a site has said so."""
    rows = list(read_records(sources, FILE, ReleaseRow, faults))
    faults += [
        row.fault("A release row is shipped.", "It belongs into a site's folder.") for row, _one in rows if not row.site
    ]
    faults += _one_for_each(rows)
    return by_key(((row, one.id, one) for row, one in rows), faults)


def _one_for_each(rows: Sequence[tuple[Row, ReleaseRow]]) -> list[Fault]:
    """One row alone says whether a comment may leave."""
    seen: set[tuple[str, str]] = set()
    faults = []
    for row, one in rows:
        twice = sorted({name for name in one.comments if (one.feed, name) in seen})
        seen |= {(one.feed, name) for name in one.comments}
        if twice:
            faults.append(row.fault(f"{', '.join(twice)} of {one.feed} stands in two rows.", "Keep it in one of them."))
    return faults


def check_release(sources: Sequence[Source], decisions: Decisions, terminology: Terminology) -> list[Fault]:
    """Names that lead nowhere, and findings that no rule releases."""
    return [
        row.fault(message, repair)
        for row, one in read_records(sources, FILE, ReleaseRow, [])
        for wrong, message, repair in _wrong(one, decisions, terminology)
        if wrong
    ]


def _wrong(one: ReleaseRow, decisions: Decisions, terminology: Terminology) -> list[tuple[object, str, str]]:
    flags = {flag.id for flag in decisions.flags.values() if flag.automatic_release}
    never = sorted(set(one.flags) & set(decisions.flags) - flags)
    lists = (
        ("comment", one.comments, set(decisions.comments), "comments/en.yaml"),
        ("analyte", one.analytes, set(Analyte), "analytes.yaml"),
        ("method", one.methods, set(terminology.methods), "assays/methods.yaml"),
        ("flag", one.flags, set(decisions.flags), "flags.yaml"),
    )
    missing = [
        (unknown, f"{', '.join(sorted(unknown))} is no {what}.", f"Use an id of {file}.")
        for what, named, known, file in lists
        if (unknown := set(named) - known)
    ]
    empty = [
        (not named, f"It names no {what}.", "Name each one; none stands for all.") for what, named, *_ in lists[:3]
    ]
    return [
        *missing,
        *empty,
        (never, f"{', '.join(never)} is released by a person alone.", "Take it out (flags.yaml, automatic_release)."),
        (not one.feed, "It names no feed.", "Name the feed, as in [feeds.NAME]."),
    ]
