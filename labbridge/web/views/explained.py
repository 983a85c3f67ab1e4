"""Why a case says what it says: from what was kept with it when it was written, beside the rules that are here now.

A rule is told in the words of its own version or not at all: a later text would explain what was never said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

from labbridge.interpret.explain import OF_RESULTS, RAISED, Clause
from labbridge.interpret.facts import REGISTRY
from labbridge.model.outcome import Comment, Flag, Outcome, Retest
from labbridge.model.reference import Citation, Rules, RuleText
from labbridge.web.views.as_sent import Sent, place
from labbridge.web.views.entries import Entry

NOT_KEPT = ""
_SEGMENT = re.compile(r"([A-Z][A-Z0-9]{2})\[(\d+)\]")


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A clause with what its fact means (empty: it is none of the facts here) and the value that held when the case was
    written; `kept`: that value was written down."""

    clause: Clause
    meaning: str
    kept: bool


class Cited(msgspec.Struct, frozen=True):
    """A citation by its id, in full where it is written down here."""

    id: str
    source: Citation | None


class ExplainedRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that held. `text`: its own version, None where that is not here; then `other` is the version that is (0: none
    of its id). `refs`: the results behind its flags, empty where it raised none."""

    name: str
    text: RuleText | None
    other: int
    conditions: tuple[Condition, ...]
    flags: tuple[Flag, ...]
    retests: tuple[Retest, ...]
    comments: tuple[str, ...]
    refs: tuple[str, ...]
    citations: tuple[Cited, ...]


class ExplainedComment(msgspec.Struct, frozen=True, kw_only=True):
    """A class of the comment with the rules that chose it; none where it follows from what was posted before."""

    name: str
    rules: tuple[str, ...]
    citations: tuple[Cited, ...]


class ExplainedResult(msgspec.Struct, frozen=True, kw_only=True):
    """A result the case rests on: as it was understood (None: no longer held) and as it was sent (None: its message is not
    of the person's sites, is gone, or is too long to be read here). `segment`: the path of its segment or element, empty for
    None."""

    ref: str
    entry: Entry | None
    sent: Sent | None
    message: str
    segment: str


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """`here`: the knowledge version that is here now, empty where none can be read."""

    rules: tuple[ExplainedRule, ...]
    comments: tuple[ExplainedComment, ...]
    results: tuple[ExplainedResult, ...]
    written: str
    here: str


def explained(outcome: Outcome, rules: Rules | None, results: Sequence[ExplainedResult]) -> Explained:
    """The rules that held, in the order of the flags they raised, then the others."""
    here = rules or Rules(version="")
    names = dict.fromkeys((*(flag.rule for flag in outcome.flags), *outcome.fired))
    told = tuple(_rule(name, outcome, here) for name in names)
    return Explained(
        rules=told,
        comments=tuple(_comments(outcome.comment, told, here)) if outcome.comment else (),
        results=tuple(results),
        written=outcome.knowledge,
        here=here.version,
    )


def _rule(name: str, outcome: Outcome, here: Rules) -> ExplainedRule:
    found = here.rules.get(name.partition("@")[0])
    text = found if found is not None and found.name == name else None
    flags = tuple(flag for flag in outcome.flags if flag.rule == name)
    citations = text.citations if text else tuple(dict.fromkeys(id for flag in flags for id in flag.citations))
    return ExplainedRule(
        name=name,
        text=text,
        other=found.version if found is not None and text is None else 0,
        conditions=_conditions(text, flags, outcome.facts) if text else (),
        flags=flags,
        retests=tuple(one for one in outcome.retests if text and _asks(text, flags, one)),
        comments=text.comments if text else (),
        refs=tuple(dict.fromkeys(ref for flag in flags for ref in flag.evidence)),
        citations=_cited(citations, here),
    )


def _asks(text: RuleText, flags: Sequence[Flag], retest: Retest) -> bool:
    """Whether the rule asked for the retest: by name, or of the analyte it was raised for."""
    raised = {text.about, *(flag.analyte for flag in flags)}
    return any(analyte == retest.analyte or (not analyte and retest.analyte in raised) for analyte in text.retests)


def _conditions(text: RuleText, flags: Sequence[Flag], facts: Mapping[str, str | bool]) -> tuple[Condition, ...]:
    found = [_condition(name, values, facts) for name, values in text.when.items()]
    if text.on:
        found.insert(0, _occasion(text, flags))
    return tuple(found)


def _condition(name: str, wanted: tuple[str | bool, ...], facts: Mapping[str, str | bool]) -> Condition:
    kept = name in facts
    seen = facts.get(name, NOT_KEPT)
    known = REGISTRY.get(name)
    clause = Clause(name, wanted, seen, kept and seen in wanted)
    return Condition(clause=clause, meaning=known.meaning if known else "", kept=kept)


def _occasion(text: RuleText, flags: Sequence[Flag]) -> Condition:
    """What had to be found of a result. That the rule held says that it was; its flags say of which."""
    wanted = tuple(f"{text.on}:{analyte}" for analyte in text.analytes) or (text.on,)
    seen = ", ".join(f"{text.on}:{flag.analyte}" if flag.analyte else text.on for flag in flags) or text.on
    refs = tuple(ref for flag in flags for ref in flag.evidence)
    return Condition(clause=Clause(RAISED, wanted, seen, True, refs), meaning="what was found of a result", kept=True)


def _comments(comment: Comment, rules: Sequence[ExplainedRule], here: Rules) -> list[ExplainedComment]:
    """Each class with the rules that chose it; C18 and C19 follow from what became of a result."""
    found = []
    for name in (comment.comment_class, *comment.addendum_classes):
        codes = set(OF_RESULTS.get(name, ()))
        by = (one.name for one in rules if name in one.comments or codes & {flag.code for flag in one.flags})
        cites = comment.citations if name == comment.comment_class else ()
        found.append(ExplainedComment(name=name, rules=tuple(by), citations=_cited(cites, here)))
    return found


def _cited(ids: Sequence[str], here: Rules) -> tuple[Cited, ...]:
    return tuple(Cited(id, here.citations.get(id)) for id in ids)


def result(ref: str, entry: Entry | None, sent: Sent | None, case: int) -> ExplainedResult:
    key, at = place(ref)
    found = _SEGMENT.fullmatch(at)
    path = f"{found[1]}/{found[2]}" if found else quote(at, safe="")
    segment = f"/cases/C{case}/evidence/M{key}/{path}" if sent is not None else ""
    return ExplainedResult(ref=ref, entry=entry, sent=sent, message=f"M{key}" if key else "", segment=segment)
