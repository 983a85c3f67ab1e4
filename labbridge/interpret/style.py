"""House style (clinical.md D2) as a check: of a written comment, and of every sentence it could be written from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labbridge.knowledge.decisions import CommentRow, Decisions, Style
from labbridge.knowledge.documents import Fault
from labbridge.model.outcome import Comment

_END = re.compile(r"[.!?](?=\s|$)")
_OPEN_SLOT = re.compile(r"[{}]")
SENTENCES_OF_ADDENDUM = {"C19": 2}  # D2.1: one sentence, two where a comment is replaced


def breaches(comment: Comment, style: Style) -> list[str]:
    """What a comment does against the house style; empty for a sound one."""
    found = list(_of_text(comment.text, style, style.characters_most, style.sentences_most))
    if len(comment.addenda) > style.addenda_most:
        found.append(f"{len(comment.addenda)} addenda")
    for name, text in zip(comment.addendum_classes, comment.addenda, strict=True):
        most = SENTENCES_OF_ADDENDUM.get(name, 1)
        found += [f"{name}: {one}" for one in _of_text(text, style, style.addendum_characters_most, most)]
    return found


def check_style(decisions: Decisions) -> list[Fault]:
    """Forbidden words and open ends in the sentences of the comments, and classes that stand in no rank."""
    faults = []
    for name, row in decisions.texts():
        style = decisions.style_in(name.partition(":")[0])
        faults += [decisions.fault(name, f"{name}: {text}", "Reword it.") for text in _of_row(row, style)]
    ranked = {*decisions.style.ranks, *decisions.style.addendum_ranks}
    chosen = sorted({rule.then.comment for rule in decisions.rules if rule.then.comment} - ranked)
    return faults + [Fault("comments", 1, f"{name} stands in no rank.", "Add it to style.ranks.") for name in chosen]


def sentences(text: str) -> int:
    """How many sentences a text has."""
    return len(_END.findall(text))


def _of_text(text: str, style: Style, characters: int, most: int) -> Iterator[str]:
    if len(text) > characters:
        yield f"{len(text)} characters"
    if not 1 <= sentences(text) <= most:
        yield f"{sentences(text)} sentences"
    if _OPEN_SLOT.search(text):
        yield "an open slot"
    yield from _forbidden(text, style)


def _forbidden(text: str, style: Style) -> Iterator[str]:
    folded = text.casefold()
    yield from (f"the words {word!r}" for word in style.forbidden if word.casefold() in folded)


def _of_row(row: CommentRow, style: Style) -> Iterator[str]:
    if len(row.parts) > style.sentences_most:
        yield f"{len(row.parts)} sentences"
    for alternative in (*(one for part in row.parts for one in part), *row.addendum):
        yield from _forbidden(alternative.text, style)
        if not alternative.text.endswith("."):
            yield f"no full stop after {alternative.text[-20:]!r}"
