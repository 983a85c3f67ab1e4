"""C8: which single comment is written, from the core table's classes, and its text, built from facts (C10.7, C10.8)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from labbridge.interpret.facts import FactValue
from labbridge.interpret.slots import HMGCR, MAY_BE_EMPTY, SRP, Case, asked, words
from labbridge.knowledge.decisions import Alternative, CommentRow
from labbridge.model.outcome import Comment

_SLOT = re.compile(r"\{([A-Za-z_0-9]+)\}")
_POSITIVE = ("POS_LOW", "POS_STRONG")


class UnfilledSlot(Exception):
    """A text names what its facts do not hold: a fault of the text, found by the check over all combinations."""


def choose(case: Case) -> Comment | None:
    """The comment of a verdict, or None where nothing is to be posted (hold, or nothing to say)."""
    if case.verdict.hold:
        return None
    main = _main(case)
    if main is None:
        return None
    row = case.decisions.comments[main]
    subject = _subject(row, case)
    addenda = [(name, text) for name in _addenda(case, main) if (text := _addendum(case, name, subject))]
    kept = addenda[: case.decisions.style.addenda_most]
    return Comment(
        comment_class=main,
        language=case.history.language,
        text=render(row, case, subject),
        addenda=tuple(text for _name, text in kept),
        addendum_classes=tuple(name for name, _text in kept),
        citations=row.citations,
    )


def _main(case: Case) -> str | None:
    """The first class of the ranked list; a withdrawal or an invalid specimen speaks alone where nothing else does."""
    no_antibody = not case.episode.srp.results and not case.episode.hmgcr.results
    if case.invalid is not None and case.invalid.analyte in (SRP, HMGCR) and no_antibody:
        return "C18"
    for name in case.decisions.style.ranks:
        if name in case.verdict.comments:
            return name
    changed = case.changed
    if changed is not None and (changed.code == "RESULT_WITHDRAWN" or case.last_posted is not None):
        return "C19"
    return "C18" if case.invalid is not None else None


def _subject(row: CommentRow, case: Case) -> str:
    """Whom a comment speaks of: its own antibody, else the one that made the table choose it."""
    if row.subject:
        return row.subject
    wanted = {
        "C03": ("POS_LOW",),
        "C10": ("POS_STRONG",),
        "C04": ("EQUIVOCAL",),
        "C09": ("EQUIVOCAL",),
        "C05": ("NEG",),
    }.get(row.id, ())
    found = [name for name, fact in ((SRP, "srp"), (HMGCR, "hmgcr")) if case.facts[fact] in wanted]
    if row.id == "C09":
        found = [name for name in found if case.antibody(name).discordant] or found
    return found[0] if found else SRP


def _addenda(case: Case, main: str) -> list[str]:
    """The classes that are appended, in the order of the house style."""
    wanted = set()
    if main != "C19" and (case.changed is not None or case.last_posted is not None):
        wanted.add("C19")
    if main != "C09" and _disagreeing(case) is not None:
        wanted.add("C09")
    if main != "C18" and case.invalid is not None:
        wanted.add("C18")
    return [name for name in case.decisions.style.addendum_ranks if name in wanted]


def _disagreeing(case: Case) -> str | None:
    """An antibody whose methods disagree, or disagreed until a reference method decided."""
    for name in (SRP, HMGCR):
        if (case.antibody(name).discordant or case.antibody(name).resolved) and not case.antibody(name).known:
            return name
    return None


def _addendum(case: Case, name: str, subject: str) -> str:
    about = _disagreeing(case) or subject if name == "C09" else subject
    facts, slots = asked(case, about), words(case, about)
    return _sentence(case.decisions.comments[name].addendum, facts, slots)


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
