"""What the service says and when: rules, flags, retest lists, comment texts and citations, checked against each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from labbridge.knowledge.documents import Fault, Row, Source, read_yaml

FactValue = str | bool
Severity = Literal["info", "minor", "major", "critical", "by_ck"]
Priority = Literal["routine", "urgent", "by_ck"]


class FlagRow(msgspec.Struct, frozen=True, kw_only=True):
    """A flag of clinical.md C4; `hold`: nothing is posted until a person decides."""

    id: str
    meaning: str
    hold: bool = False


class RetestRow(msgspec.Struct, frozen=True, kw_only=True):
    """The families to offer for an analyte, in order, by what its present state rests on."""

    id: str
    analyte: str
    source: str = msgspec.field(name="from")
    families: tuple[str, ...]


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
    """Everything that decides, compiled. `words`: slot words of the comments by table and key."""

    rules: tuple[Rule, ...] = ()
    flags: dict[str, FlagRow] = {}
    retests: dict[tuple[str, str], tuple[str, ...]] = {}
    comments: dict[str, CommentRow] = {}
    words: dict[str, dict[str, str]] = {}
    style: Style = Style()
    citations: frozenset[str] = frozenset()


T = TypeVar("T")
LANGUAGE = "en"


def read_decisions(sources: Sequence[Source], faults: list[Fault]) -> Decisions:
    """The decisions of these files, a site's rows after ours: they replace by id."""
    rows = {name: list(_rows(sources, name, faults)) for name in ("flags.yaml", "retests.yaml", "citations.yaml")}
    flags = {flag.id: flag for row in rows["flags.yaml"] if (flag := _convert(row, FlagRow, faults))}
    retests = [one for row in rows["retests.yaml"] if (one := _convert(row, RetestRow, faults))]
    citations = frozenset(str(row.fields.get("id", "")) for row in rows["citations.yaml"])
    comments, words, style = _comments(sources, faults)
    decisions = Decisions(
        rules=_rules(sources, faults),
        flags=flags,
        retests={(row.analyte, row.source): row.families for row in retests},
        comments=comments,
        words=words,
        style=style,
        citations=citations,
    )
    return decisions


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


def _rules(sources: Sequence[Source], faults: list[Fault]) -> tuple[Rule, ...]:
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
    return tuple(found.values())


def _rule(row: Row, faults: list[Fault]) -> Rule | None:
    unknown = set(row.fields) - set(Rule.__struct_fields__)
    if unknown:
        faults.append(row.fault(f"Unknown: {', '.join(sorted(unknown))}.", f"Use {', '.join(Rule.__struct_fields__)}."))
    return _convert(row, Rule, faults)


def _comments(
    sources: Sequence[Source], faults: list[Fault]
) -> tuple[dict[str, CommentRow], dict[str, dict[str, str]], Style]:
    """comments/en.yaml: classes, word tables (`words: name`) and the style. A site's class replaces ours; its words and
    its style change what they name and leave the rest."""
    comments: dict[str, CommentRow] = {}
    words: dict[str, dict[str, str]] = {}
    style = Style()
    for row in _rows(sources, f"comments/{LANGUAGE}.yaml", faults):
        fields: dict[str, Any] = row.fields
        if fields.get("id") == "style":
            given = {name: value for name, value in fields.items() if name != "id"}
            style = _convert(Row(row.file, row.line, {**msgspec.to_builtins(style), **given}), Style, faults) or style
        elif isinstance(fields.get("words"), dict):
            table = words.setdefault(str(fields["id"]), {})
            table.update({str(key): str(value) for key, value in fields["words"].items()})
        else:
            comment = _convert(row, CommentRow, faults)
            if comment is not None:
                comments[comment.id] = comment
    return comments, words, style
