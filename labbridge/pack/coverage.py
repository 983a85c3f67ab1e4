"""Which rows, conditions and wordings the cases exercise, counted from the traces of the interpretation itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from labbridge.interpret.cases import completed
from labbridge.interpret.exercise import Exercised, Worded
from labbridge.interpret.explain import Trace, explain
from labbridge.knowledge.decisions import ENGLISH, Alternative, CommentRow, Decisions
from labbridge.model.outcome import Outcome
from labbridge.pack.form import (
    CommentCoverage,
    Condition,
    Counted,
    Coverage,
    NodeCoverage,
    OfCondition,
    OfValue,
    OfWording,
    Places,
    RuleCoverage,
    Value,
    Wording,
)


class Ran(NamedTuple):
    """A case that was run: its id, its outcome, and what it exercised."""

    id: str
    outcome: Outcome
    exercised: Exercised


def coverage(decisions: Decisions, language: str, ran: Sequence[Ran]) -> Coverage:
    """What these cases exercise of the active rules, of the comments of the language they were drafted in (and of English,
    where one had to be drafted in that), and of the pathway."""
    spoken = {comment.language for one in ran if (comment := one.outcome.comment) is not None}
    rules = tuple(_rules(decisions, ran))
    comments = tuple(
        found for name in dict.fromkeys((language, *sorted(spoken))) for found in _comments(decisions, name, ran)
    )
    nodes = tuple(
        NodeCoverage(id=f"pathway:{id}", reached=tuple(one.id for one in ran if id in one.outcome.pathway.reached))
        for id in decisions.pathway.nodes
    )
    uncovered = places(rules, comments, nodes, exercised=False)
    return Coverage(
        numbers=_numbers(uncovered, places(rules, comments, nodes, exercised=True)),
        rules=rules,
        comments=comments,
        nodes=nodes,
        uncovered=uncovered,
    )


def places(
    rules: Iterable[RuleCoverage],
    comments: Iterable[CommentCoverage],
    nodes: Iterable[NodeCoverage],
    *,
    exercised: bool,
) -> Places:
    """The places that some case exercises, or those that none does."""
    rules, comments = tuple(rules), tuple(comments)
    conditions = [(rule.id, condition) for rule in rules for condition in rule.conditions]
    return Places(
        rules=tuple(rule.id for rule in rules if bool(rule.fired) is exercised),
        values=tuple(
            OfValue(rule, condition.fact, one.value)
            for rule, condition in conditions
            for one in condition.values
            if bool(one.fired) is exercised
        ),
        conditions=tuple(OfCondition(rule, one.fact) for rule, one in conditions if bool(one.near) is exercised),
        comments=tuple(one.id for one in comments if bool(one.chosen or one.appended) is exercised),
        wordings=tuple(
            OfWording(comment.id, one.sentence, one.wording, one.text)
            for comment in comments
            for one in comment.wordings
            if bool(one.said) is exercised
        ),
        nodes=tuple(one.id for one in nodes if bool(one.reached) is exercised),
    )


def _numbers(uncovered: Places, covered: Places) -> dict[str, Counted]:
    found = {}
    for name in Places.__struct_fields__:
        seen = len(getattr(covered, name))
        found[name] = Counted(all=seen + len(getattr(uncovered, name)), exercised=seen)
    return found


# ---------------------------------------------------------------- rules


def _rules(decisions: Decisions, ran: Sequence[Ran]) -> Iterator[RuleCoverage]:
    """Each active rule; its conditions are read off a patient of whom nothing is known, so that they are there without any
    case too."""
    blank = explain(decisions.rules, completed({}))
    active = [rule for rule in decisions.rules if rule.status == "active"]
    for place, (rule, shape) in enumerate(zip(active, blank, strict=True)):
        traces = [one.exercised.rules[place] for one in ran]
        yield RuleCoverage(
            id=f"rule:{rule.id}",
            fired=tuple(one.id for one, trace in zip(ran, traces, strict=True) if trace.fired),
            conditions=tuple(_conditions(shape, traces)),
        )


def _conditions(shape: Trace, traces: Sequence[Trace]) -> Iterator[Condition]:
    lacking = [len(trace.lacking) for trace in traces]
    for place, clause in enumerate(shape.clauses):
        seen = [trace.clauses[place] for trace in traces]
        met = Counter(value for one in seen for value in one.by)
        fired = Counter(value for one, left in zip(seen, lacking, strict=True) if not left for value in one.by)
        yield Condition(
            fact=clause.fact,
            values=tuple(Value(value=one, met=met[one], fired=fired[one]) for one in clause.wanted),
            near=sum(not one.met and left == 1 for one, left in zip(seen, lacking, strict=True)),
        )


# ---------------------------------------------------------------- comments


def _comments(decisions: Decisions, language: str, ran: Sequence[Ran]) -> Iterator[CommentCoverage]:
    drafted = [(one.id, comment) for one in ran if (comment := one.outcome.comment) and comment.language == language]
    stood = [one for each in ran for one in each.exercised.wordings if one.language == language]
    for name, row in decisions.comments_in(language).items():
        yield CommentCoverage(
            id=f"comment:{name}" if language == ENGLISH else f"comment:{language}:{name}",
            chosen=tuple(id for id, one in drafted if one.comment_class == name),
            appended=tuple(id for id, one in drafted if name in one.addendum_classes),
            wordings=tuple(_wordings(row, [one for one in stood if one.comment == name])),
        )


def _wordings(comment: CommentRow, stood: Sequence[Worded]) -> Iterator[Wording]:
    """The wordings of a comment's sentences, and those of the sentence it is when it is appended."""
    for sentence, wordings in (*enumerate(comment.parts, 1), (0, comment.addendum)):
        for place, one in enumerate(wordings, 1):
            seen = [each for each in stood if (each.sentence, each.wording) == (sentence, place)]
            yield Wording(
                sentence=sentence,
                wording=place,
                text=one.text,
                when=_when(one),
                said=sum(each.said for each in seen),
                near=sum(each.lacking == 1 for each in seen),
            )


def _when(one: Alternative) -> dict[str, tuple[str | bool, ...]]:
    return {name: values if isinstance(values, tuple) else (values,) for name, values in one.when.items()}
