"""What the service says and when: rules, flags, retest lists, comment texts and citations, checked against each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from labbridge.knowledge.documents import Fault, Row, Source, by_key, read_records, read_yaml
from labbridge.model.result import Analyte, Family

FactValue = str | bool
Severity = Literal["info", "minor", "major", "critical", "by_ck"]
Priority = Literal["routine", "urgent", "by_ck"]
BestSource = Literal["tier1", "quant", "blot", "tissue", "none", "any", "discordant", "exhausted"]


class FlagRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A flag of clinical.md C4; `hold`: nothing is posted until a person decides."""

    id: str
    meaning: str
    hold: bool = False


class RetestRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The families to offer for an analyte, in order, by what its present state rests on."""

    id: str
    analyte: Analyte
    source: BestSource = msgspec.field(name="from")
    families: tuple[Family, ...]


class RetestAction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One recommendation of a rule. `by`: a word of retests.yaml or a list of families. `exempt`: may name a family
    that was used already (clinical.md C10.22 names the exceptions). Without analyte: the one the rule was raised for."""

    analyte: str = ""
    by: str | tuple[str, ...] = "any"
    priority: Priority
    reason: str
    exempt: bool = False


class Then(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rule does. Severity and priority `by_ck`: the higher where CK is MOD or HIGH (clinical.md C5 `PR`)."""

    flags: tuple[dict[str, Severity], ...] = ()
    retest: tuple[RetestAction, ...] = ()
    comment: str = ""


class Cases(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Patients in facts, for the reader and for `labbridge check`: for whom a rule speaks, for whom it is silent, and for
    whom it is silent because something was not done or is not known. Facts left out are as if nothing were known."""

    fires: tuple[dict[str, FactValue], ...] = ()
    silent: tuple[dict[str, FactValue], ...] = ()
    lacks_data: tuple[dict[str, FactValue], ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One decision row. `when`: all must hold; a list allows any of its values. `on`: the flag of C1 that raises it, for
    `analytes` (empty: any). `about`: the analyte its flags concern."""

    id: str
    version: int
    status: Literal["draft", "review", "active", "retired"]
    why: str
    when: dict[str, FactValue | tuple[FactValue, ...]] = {}
    then: Then
    about: str = ""
    on: str = ""
    analytes: tuple[str, ...] = ()
    citations: tuple[str, ...] = ()
    reviewed: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    still_valid_on: str = ""
    known_gaps: tuple[str, ...] = ()
    cases: Cases | msgspec.UnsetType = msgspec.UNSET

    @property
    def name(self) -> str:
        return f"{self.id}@{self.version}"


class Alternative(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One wording of a sentence, for the facts it needs."""

    when: dict[str, FactValue | tuple[FactValue, ...]] = {}
    text: str = ""


class CommentRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A comment class: its sentences in order, each the first alternative whose facts hold (none: no sentence).
    `addendum`: the same class as one sentence behind another comment."""

    id: str
    version: int = 1
    subject: str = ""
    parts: tuple[tuple[Alternative, ...], ...] = ()
    addendum: tuple[Alternative, ...] = ()
    citations: tuple[str, ...] = ()


class Style(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """House style of clinical.md D2: lengths, ranks, and words that no comment may hold."""

    sentences_most: int = 3
    characters_most: int = 500
    addendum_characters_most: int = 200
    addenda_most: int = 2
    ranks: tuple[str, ...] = ()
    addendum_ranks: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides, compiled. `words`: slot words of the comments by table and key. `places`: file and
    line of each rule and comment, by id."""

    rules: tuple[Rule, ...] = ()
    flags: dict[str, FlagRow] = {}
    retests: dict[tuple[str, str], tuple[str, ...]] = {}
    comments: dict[str, CommentRow] = {}
    words: dict[str, dict[str, str]] = {}
    style: Style = Style()
    citations: frozenset[str] = frozenset()
    places: dict[str, tuple[str, int]] = {}

    def fault(self, id: str, message: str, repair: str) -> Fault:
        """A fault of the rule or comment of this id, at the place where it stands."""
        file, line = self.places.get(id, ("rules", 1))
        return Fault(file, line, message, repair)


T = TypeVar("T")
LANGUAGE = "en"


def read_decisions(sources: Sequence[Source], faults: list[Fault]) -> Decisions:
    """The decisions of these files, a site's rows after ours: they replace by id."""
    flags = by_key(((row, one.id, one) for row, one in read_records(sources, "flags.yaml", FlagRow, faults)), faults)
    places: dict[str, tuple[str, int]] = {}
    comments, words, style = _comments(sources, places, faults)
    decisions = Decisions(
        rules=_rules(sources, places, faults),
        flags=flags,
        retests=_retests(sources, faults),
        comments=comments,
        words=words,
        style=style,
        citations=_citations(sources, faults),
        places=places,
    )
    return decisions


def _retests(sources: Sequence[Source], faults: list[Fault]) -> dict[tuple[str, str], tuple[str, ...]]:
    """By analyte and what its state rests on; a site's list replaces ours by id, or by both of these."""
    rows = list(read_records(sources, "retests.yaml", RetestRow, faults))
    standing = by_key(((row, one.id, (row, one)) for row, one in rows), faults).values()
    keyed = ((row, (one.analyte.value, one.source), tuple(map(str, one.families))) for row, one in standing)
    return {(analyte, source): families for (analyte, source), families in by_key(keyed, faults).items()}


def _citations(sources: Sequence[Source], faults: list[Fault]) -> frozenset[str]:
    named = []
    for row in _rows(sources, "citations.yaml", faults):
        if isinstance(row.fields.get("id"), str):
            named.append((row, str(row.fields["id"]), row))
        else:
            faults.append(row.fault("A citation has no id.", "Give it one."))
    return frozenset(by_key(named, faults))


def _rows(sources: Sequence[Source], name: str, faults: list[Fault]) -> Iterable[Row]:
    for source in sources:
        if source.name == name:
            yield from read_yaml(source, faults)


def _convert(row: Row, kind: type[T], faults: list[Fault]) -> T | None:
    try:
        return msgspec.convert(row.fields, kind, strict=False)
    except msgspec.ValidationError as error:
        faults.append(row.fault(f"{error}.", "Compare with the records beside it."))
        return None


def _rules(sources: Sequence[Source], places: dict[str, tuple[str, int]], faults: list[Fault]) -> tuple[Rule, ...]:
    found: dict[str, Rule] = {}
    own: dict[str, bool] = {}
    for source in sources:
        if not source.name.startswith("rules/"):
            continue
        for row in read_yaml(source, faults):
            rule = _rule(row, faults)
            if rule is None:
                continue
            if rule.id in found and own[rule.id] == source.site:
                faults.append(row.fault(f"Rule {rule.id} stands twice.", "Give it an id of its own."))
            found[rule.id], own[rule.id] = rule, source.site
            places[rule.id] = (row.file, row.line)
    return tuple(found.values())


def _rule(row: Row, faults: list[Fault]) -> Rule | None:
    unknown = set(row.fields) - set(Rule.__struct_fields__)
    if unknown:
        faults.append(row.fault(f"Unknown: {', '.join(sorted(unknown))}.", f"Use {', '.join(Rule.__struct_fields__)}."))
    return _convert(row, Rule, faults)


def _comments(
    sources: Sequence[Source], places: dict[str, tuple[str, int]], faults: list[Fault]
) -> tuple[dict[str, CommentRow], dict[str, dict[str, str]], Style]:
    """comments/en.yaml: classes, word tables (`words: name`) and the style. A site's class replaces ours; its words and
    its style change what they name and leave the rest."""
    classes: list[tuple[Row, str, CommentRow]] = []
    words: dict[str, dict[str, str]] = {}
    style = Style()
    for row in _rows(sources, f"comments/{LANGUAGE}.yaml", faults):
        fields: dict[str, Any] = row.fields
        if fields.get("id") == "style":
            given = {name: value for name, value in fields.items() if name != "id"}
            style = _convert(Row(row.file, row.line, {**msgspec.to_builtins(style), **given}), Style, faults) or style
        elif isinstance(fields.get("words"), dict):
            if not fields.get("id"):
                faults.append(row.fault("A table of words has no id.", "Give it the id of the table it adds to."))
            table = words.setdefault(str(fields.get("id")), {})
            table.update({str(key): str(value) for key, value in fields["words"].items()})
        else:
            comment = _convert(row, CommentRow, faults)
            if comment is not None:
                classes.append((row, comment.id, comment))
                places[comment.id] = (row.file, row.line)
    return by_key(classes, faults), words, style
