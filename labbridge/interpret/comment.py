"""C8: which single comment is written, from the core table's classes, and its text, built from facts (C10.7, C10.8)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from labbridge.interpret.facts import FactValue
from labbridge.interpret.slots import HMGCR, MAY_BE_EMPTY, SRP, Case, asked, words
from labbridge.knowledge.decisions import ENGLISH, Alternative, CommentRow
from labbridge.model.outcome import Comment
from labbridge.model.result import Analyte

_SLOT = re.compile(r"\{([A-Za-z_0-9]+)\}")
_ANTIBODIES = (SRP, HMGCR, Analyte.OTHER_MSA.value)
_TELLS = ("NOT_TESTED", "NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG")


class UnfilledSlot(Exception):
    """A text names what its facts do not hold: a fault of the text, found by the check over all combinations."""


def choose(case: Case) -> Comment | None:
    """The comment of a verdict, or None where nothing is to be posted (hold, or nothing to say)."""
    plan = _plan(case)
    if plan is None:
        return None
    case = plan.case
    addenda = [(name, text) for name in plan.addenda if (text := _addendum(case, name, plan.subject))]
    kept = addenda[: case.decisions.style.addenda_most]
    return Comment(
        comment_class=plan.main,
        language=case.history.language,
        text=render(case.texts[plan.main], case, plan.subject),
        addenda=tuple(text for _name, text in kept),
        addendum_classes=tuple(name for name, _text in kept),
        citations=case.decisions.comments[plan.main].citations,
    )


class Sentence(NamedTuple):
    """One sentence of a comment: its class, its number in it (0: the class as an addendum), its wordings, of which the first
    whose facts hold is said, and those facts."""

    comment: str
    number: int
    wordings: tuple[Alternative, ...]
    facts: Mapping[str, FactValue]


def sentences(case: Case) -> tuple[Sentence, ...]:
    """What `choose` writes from, for who asks which wordings are taken; addenda beyond the house style's number too."""
    plan = _plan(case)
    if plan is None:
        return ()
    case = plan.case
    facts = asked(case, plan.subject)
    main = [Sentence(plan.main, number, part, facts) for number, part in enumerate(case.texts[plan.main].parts, 1)]
    addenda = (
        Sentence(name, 0, case.texts[name].addendum, asked(case, _whom(case, name, plan.subject)))
        for name in plan.addenda
    )
    return (*main, *addenda)


class _Plan(NamedTuple):
    """The class that is written and whom it speaks of, the classes appended to it, and the case in the language of all."""

    main: str
    subject: str
    addenda: list[str]
    case: Case


def _plan(case: Case) -> _Plan | None:
    """None where nothing is to be posted."""
    main = None if case.verdict.hold else _main(case)
    if main is None:
        return None
    named = _addenda(case, main)
    return _Plan(main, _subject(case.decisions.comments[main], case), named, _spoken(case, (main, *named)))


def _spoken(case: Case, names: Iterable[str]) -> Case:
    """The case in the language of its history; in English, all of it, where that lacks one of these classes. Which they
    are and whom they speak of is decided before, so that nothing but the wording depends on the language."""
    language = case.history.language
    found = case.decisions.translations.get(language)
    if language == ENGLISH or (found is not None and all(name in found.comments for name in names)):
        return case
    return msgspec.structs.replace(case, history=msgspec.structs.replace(case.history, language=ENGLISH))


def _main(case: Case) -> str | None:
    """The first class of the ranked list; a withdrawal or an invalid specimen speaks alone where nothing else does."""
    found = case.episode
    no_antibody = not (found.srp.results or found.hmgcr.results or found.others_tested)
    if case.invalid is not None and case.invalid.analyte in _ANTIBODIES and no_antibody:
        return "C18"
    style, verdict = case.decisions.style, case.verdict
    chosen = _first(style.ranks, verdict.comments)
    if not any(name in style.kept for name in verdict.comments):  # else it is said beside that comment, or not (C10.7)
        beside = {name: about for name, about in verdict.beside.items() if name not in style.last}
        chosen = _first(style.ranks, {**verdict.comments, **beside}) or _first(style.last, verdict.beside)
    if chosen is not None:
        return chosen
    changed = case.changed
    if changed is not None and (changed.code == "RESULT_WITHDRAWN" or case.last_posted is not None):
        return "C19"
    return "C18" if case.invalid is not None else None


def _first(ranks: Iterable[str], wanted: Mapping[str, object]) -> str | None:
    return next((name for name in ranks if name in wanted), None)


def _subject(row: CommentRow, case: Case) -> str:
    """Whom a comment speaks of: its own antibody, else the one it was chosen about, else the one that tells most."""
    if row.subject:
        return row.subject
    about = (*case.verdict.comments.get(row.id, ()), *case.verdict.beside.get(row.id, ()))
    found = [name for name in (SRP, HMGCR) if name in about]
    return found[0] if found else max((SRP, HMGCR), key=lambda name: _TELLS.index(case.antibody(name).state.value))


def _addenda(case: Case, main: str) -> list[str]:
    """The classes that are appended, in the order of the house style."""
    style = case.decisions.style
    wanted = {name for name in case.verdict.beside if main in style.kept or main in style.last.get(name, ())}
    if main != "C19" and (case.changed is not None or case.last_posted is not None):
        wanted.add("C19")
    if main != "C09" and _disagreeing(case) is not None:
        wanted.add("C09")
    if main != "C18" and case.invalid is not None:
        wanted.add("C18")
    return [name for name in style.addendum_ranks if name in wanted]


def _disagreeing(case: Case) -> str | None:
    """An antibody whose methods disagreed until a reference method decided, or disagree where the comment may be about
    something else (C8, C10.7)."""
    for name, other in ((SRP, HMGCR), (HMGCR, SRP)):
        one = case.antibody(name)
        asked_for = "C09" in case.verdict.comments or case.antibody(other).state.positive
        told = one.resolved or (one.discordant and asked_for)
        if told and not one.known:
            return name
    return None


def _addendum(case: Case, name: str, subject: str) -> str:
    about = _whom(case, name, subject)
    facts, slots = asked(case, about), words(case, about)
    return _sentence(case.texts[name].addendum, facts, slots)


def _whom(case: Case, name: str, subject: str) -> str:
    """The antibody that an addendum speaks of."""
    about = _disagreeing(case) if name == "C09" else _about(case.decisions.comments[name], case)
    return about or subject


def _about(row: CommentRow, case: Case) -> str:
    """The antibody that an addendum was chosen about, where it is one."""
    return _subject(row, case) if row.id in case.verdict.beside else ""


def render(row: CommentRow, case: Case, subject: str) -> str:
    """The text of a class: of each sentence the first alternative whose facts hold."""
    facts, slots = asked(case, subject), words(case, subject)
    return " ".join(text for part in row.parts if (text := _sentence(part, facts, slots)))


def _sentence(alternatives: tuple[Alternative, ...], facts: Mapping[str, FactValue], slots: Mapping[str, str]) -> str:
    for alternative in alternatives:
        if _holds(alternative, facts):
            return _filled(alternative.text, slots)
    return ""


def _holds(alternative: Alternative, facts: Mapping[str, FactValue]) -> bool:
    for name, allowed in alternative.when.items():
        value = facts[name]
        if (value not in allowed) if isinstance(allowed, tuple) else (value != allowed):
            return False
    return True


def _filled(text: str, slots: Mapping[str, str]) -> str:
    def word(found: re.Match[str]) -> str:
        name = found[1]
        if not slots[name] and name not in MAY_BE_EMPTY:
            raise UnfilledSlot(f"{{{name}}} in {text!r}")
        return slots[name]

    return _SLOT.sub(word, text) if "{" in text else text
