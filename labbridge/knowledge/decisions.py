"""What the service says and when: rules, flags, retest lists, comment texts and citations, checked against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from labbridge.knowledge.documents import Fault, Row, Source, by_key, read_records, read_yaml
from labbridge.knowledge.pathway import Pathway, read_pathway
from labbridge.model.result import Analyte, Family

FactValue = str | bool
Severity = Literal["info", "minor", "major", "critical", "by_ck"]
BY_CK = ("minor", "major")
Priority = Literal["routine", "urgent", "by_ck"]
BestSource = Literal["tier1", "quant", "blot", "tissue", "none", "any", "discordant", "exhausted"]


class FlagRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A flag of clinical.md C4. `severity`: those it may have; `hold`: nothing is posted until a person decides; `waits`:
    the policy number of days for which it waits, alone and no more than minor, before it reaches the worklist (C10.16).
    `second_reader`: the policy choice by which a case with it is signed by two persons (standards.md 4.3).
    `automatic_release`: a release row may name it; a case with any other flag is never released but by a person (R10)."""

    id: str
    meaning: str
    severity: Severity | tuple[Severity, ...]
    hold: bool = False
    waits: str = ""
    second_reader: str = ""
    automatic_release: bool = False


NEW_SPECIMEN = "same_new_specimen"
FAMILIES = (*Family, "enzymatic_diluted", NEW_SPECIMEN)
"""What a rule's `by` may name, beside the lists of retests.yaml."""


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
    """What a rule does. Severity and priority `by_ck`: the higher where CK is MOD or HIGH (clinical.md C5 `PR`).

    `comment`: a class that is posted by its rank. `beside`: one that is appended where a comment on a positive or equivocal
    antibody stands (`style.kept`), and is the comment itself by its rank where none does (clinical.md C10.7). `defer`:
    analytes whose retests wait for passive antibodies to go (clinical.md O1). `quiet`: flags and comment classes that alone
    open no case on the worklist (clinical.md C10.16, C10.18).
    """

    flags: tuple[dict[str, Severity], ...] = ()
    retest: tuple[RetestAction, ...] = ()
    comment: str = ""
    beside: str | msgspec.UnsetType = msgspec.UNSET
    defer: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    quiet: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


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
    `addendum`: the same class as one sentence behind another comment. `reviewed`: who has read a translation; a
    translation says nothing of subject and citations, which are its class's in English."""

    id: str
    version: int = 1
    subject: str = ""
    parts: tuple[tuple[Alternative, ...], ...] = ()
    addendum: tuple[Alternative, ...] = ()
    citations: tuple[str, ...] = ()
    reviewed: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


class Style(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """House style of clinical.md D2: lengths, ranks, and words that no comment may hold. `kept`: comments that no follow-up
    replaces; it is appended to them. `last`: classes that stand where nothing else does, with the other comments they are
    appended to. `repeats`: the policy number of days within which a class does not say the same again;
    `repeats_quiet`: where it stays quiet (C10.16)."""

    sentences_most: int = 3
    characters_most: int = 500
    addendum_characters_most: int = 200
    addenda_most: int = 2
    kept: tuple[str, ...] = ()
    last: dict[str, tuple[str, ...]] = {}
    repeats: dict[str, str] = {}
    repeats_quiet: dict[str, str] = {}
    ranks: tuple[str, ...] = ()
    addendum_ranks: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """A language of the comments beside English. `words`: whole tables, English where the language `lacks` a word
    (`table.key`). `forbidden`: its own words of the house style."""

    comments: dict[str, CommentRow] = {}
    words: dict[str, dict[str, str]] = {}
    forbidden: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides, compiled. `comments` and `words` (slot words by table and key) are English;
    `translations` hold those of the other languages. `places`: file and line of each flag, rule and comment, by id, and of
    each translation, by `language:id`."""

    rules: tuple[Rule, ...] = ()
    flags: dict[str, FlagRow] = {}
    retests: dict[tuple[str, str], tuple[str, ...]] = {}
    comments: dict[str, CommentRow] = {}
    words: dict[str, dict[str, str]] = {}
    translations: dict[str, Wording] = {}
    style: Style = Style()
    citations: frozenset[str] = frozenset()
    pathway: Pathway = Pathway()
    places: dict[str, tuple[str, int]] = {}

    def fault(self, id: str, message: str, repair: str) -> Fault:
        """A fault of the flag, rule or comment of this id, at the place where it stands."""
        file, line = self.places.get(id, ("rules", 1))
        return Fault(file, line, message, repair)

    def texts(self) -> Iterator[tuple[str, CommentRow]]:
        """Every comment class by its id, and every translation of one by `language:id`."""
        yield from self.comments.items()
        for language, one in self.translations.items():
            yield from ((f"{language}:{id}", comment) for id, comment in one.comments.items())

    def comments_in(self, language: str) -> dict[str, CommentRow]:
        """The comment classes in this language; English where there is none."""
        found = self.translations.get(language)
        return found.comments if found is not None else self.comments

    def words_in(self, language: str) -> dict[str, dict[str, str]]:
        """The slot words in this language; English where there is none."""
        found = self.translations.get(language)
        return found.words if found is not None else self.words

    def style_in(self, language: str) -> Style:
        """The house style with the forbidden words of this language."""
        found = self.translations.get(language)
        return self.style if found is None else msgspec.structs.replace(self.style, forbidden=found.forbidden)


T = TypeVar("T")
ENGLISH = "en"
RETIRED = "rules/retired/"
TRANSLATIONS = ("fr", "de", "es")


def read_decisions(sources: Sequence[Source], faults: list[Fault]) -> Decisions:
    """The decisions of these files, a site's rows after ours: they replace by id."""
    rows = list(read_records(sources, "flags.yaml", FlagRow, faults))
    places: dict[str, tuple[str, int]] = {one.id: (row.file, row.line) for row, one in rows}
    classes, words, style = _comments(sources, ENGLISH, places, faults)
    decisions = Decisions(
        rules=_rules(sources, places, faults),
        flags=by_key(((row, one.id, one) for row, one in rows), faults),
        retests=_retests(sources, faults),
        comments=by_key(classes, faults),
        words=words,
        translations=_translations(sources, (classes, words), places, faults),
        style=style,
        citations=_citations(sources, faults),
        pathway=read_pathway(sources, faults),
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
            if not row.site and (rule.status == "retired") != source.name.startswith(RETIRED):
                repair = f"Keep the retired rules, and no others, in {RETIRED}."
                faults.append(row.fault(f"Rule {rule.id} is {rule.status}, and does not belong here.", repair))
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


_Classes = list[tuple[Row, str, CommentRow]]
_Tables = dict[str, dict[str, str]]


def _comments(
    sources: Sequence[Source], language: str, places: dict[str, tuple[str, int]], faults: list[Fault]
) -> tuple[_Classes, _Tables, Style]:
    """comments/<language>.yaml: classes, word tables (`words: name`) and the style. A site's words and its style change
    what they name and leave the rest."""
    classes: _Classes = []
    words: _Tables = {}
    style = Style()
    for row in _rows(sources, f"comments/{language}.yaml", faults):
        fields: dict[str, Any] = row.fields
        if fields.get("id") == "style":
            given = {name: value for name, value in fields.items() if name != "id"}
            style = _convert(Row(row.file, row.line, {**msgspec.to_builtins(style), **given}), Style, faults) or style
        elif isinstance(fields.get("words"), dict):
            if not fields.get("id"):
                faults.append(row.fault("A table of words has no id.", "Give it the id of the table it adds to."))
            places[f"{language}:{fields.get('id')}"] = (row.file, row.line)
            table = words.setdefault(str(fields.get("id")), {})
            table.update({str(key): str(value) for key, value in fields["words"].items()})
        else:
            comment = _convert(row, CommentRow, faults)
            if comment is not None:
                classes.append((row, comment.id, comment))
                places[comment.id if language == ENGLISH else f"{language}:{comment.id}"] = (row.file, row.line)
    return classes, words, style


def _translations(
    sources: Sequence[Source],
    english: tuple[_Classes, _Tables],
    places: dict[str, tuple[str, int]],
    faults: list[Fault],
) -> dict[str, Wording]:
    """The languages that have a file. A class whose English a site has replaced is no longer what ours translates: the
    site's own translation stands, or none."""
    replaced = {id for row, id, _comment in english[0] if row.site}
    found = {}
    for language in TRANSLATIONS:
        if not any(source.name == f"comments/{language}.yaml" for source in sources):
            continue
        classes, words, style = _comments(sources, language, places, faults)
        if msgspec.structs.replace(style, forbidden=()) != Style():
            message = "A translation's style holds more than forbidden words."
            repair = f"Lengths and ranks stand in comments/{ENGLISH}.yaml."
            faults.append(Fault(f"comments/{language}.yaml", 1, message, repair))
        stale = replaced - {id for row, id, _comment in classes if row.site}
        found[language] = Wording(
            comments=by_key((one for one in classes if one[1] not in stale), faults),
            words={name: {**english[1].get(name, {}), **words.get(name, {})} for name in {**english[1], **words}},
            forbidden=style.forbidden,
            lacks=tuple(
                f"{name}.{key}" for name, table in english[1].items() for key in table if key not in words.get(name, {})
            ),
        )
    return found
