"""What one case exercises: every active rule, condition by condition, and every wording its comment could have taken."""

from __future__ import annotations

import msgspec

from labbridge.interpret.comment import Sentence, sentences
from labbridge.interpret.explain import Clause, Trace, conditions, explain
from labbridge.interpret.slots import Case
from labbridge.model.outcome import Comment


class Worded(msgspec.Struct, frozen=True, kw_only=True):
    """A wording that stood to be said: class and language, the sentence it is of (0: the class as an addendum) and its place
    in that, both counted from 1, its conditions, and whether it was said."""

    comment: str
    language: str
    sentence: int
    wording: int
    clauses: tuple[Clause, ...]
    said: bool

    @property
    def lacking(self) -> int:
        """How many of its conditions are not met."""
        return sum(not clause.met for clause in self.clauses)


class Exercised(msgspec.Struct, frozen=True):
    """The traces of all active rules, in their order, and the wordings that stood to be said."""

    rules: tuple[Trace, ...]
    wordings: tuple[Worded, ...]


def exercised(case: Case, comment: Comment | None) -> Exercised:
    """What a case exercises; `comment`: the one that was written for it."""
    traces = explain(case.decisions.rules, case.facts, case.episode.raised)
    if comment is None:
        return Exercised(traces, ())
    return Exercised(traces, tuple(one for sentence in sentences(case) for one in _wordings(sentence, comment)))


def _wordings(sentence: Sentence, comment: Comment) -> list[Worded]:
    """The wordings of one sentence; the first whose conditions hold is said, where its class is in the comment."""
    held = [conditions(one.when, sentence.facts) for one in sentence.wordings]
    first = next((place for place, clauses in enumerate(held) if all(one.met for one in clauses)), None)
    written = sentence.comment in (comment.comment_class, *comment.addendum_classes)
    return [
        Worded(
            comment=sentence.comment,
            language=comment.language,
            sentence=sentence.number,
            wording=place + 1,
            clauses=clauses,
            said=written and place == first,
        )
        for place, clauses in enumerate(held)
    ]
