"""Every comment that the combinations of the core table give, with ages, contexts and everything that may be pending."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from interpret_build import case
from interpret_combinations import as_episode, contexts, every, plain

from labbridge.interpret.comment import choose
from labbridge.interpret.evidence import Episode
from labbridge.interpret.facts import facts
from labbridge.interpret.rules import RuleSet, Verdict
from labbridge.knowledge.build import Knowledge
from labbridge.model.outcome import Comment


class Written(msgspec.Struct, frozen=True):
    """One episode, what the rules said of it, and the comment that was written."""

    episode: Episode
    verdict: Verdict
    comment: Comment


def write(found: Episode, rules: RuleSet, knowledge: Knowledge) -> Written | None:
    verdict = rules.judge(found, facts(found, knowledge.policy))
    comment = choose(case(found, verdict, knowledge))
    return Written(found, verdict, comment) if comment else None


def ages(found: Episode) -> Iterable[Episode]:
    for age in (48, 9, None):
        yield msgspec.structs.replace(found, age_years=age)


def pendings(found: Episode) -> Iterable[Episode]:
    """The same with one or both antibodies, HEp-2, CK or the others in progress."""
    yield found
    replace = msgspec.structs.replace
    yield replace(found, srp=replace(found.srp, pending=True))
    yield replace(found, hmgcr=replace(found.hmgcr, pending=True))
    yield replace(found, hep2=replace(found.hep2, pending=True), ck=replace(found.ck, pending=True), other_pending=True)


def all_written(rules: RuleSet, knowledge: Knowledge) -> list[Written]:
    """Every combination of the core table for an adult, a child and an unknown age, with everything that may be pending."""
    found = []
    for at in every():
        base = as_episode(at)
        for one in pendings(base):
            if (comment := write(one, rules, knowledge)) is not None:
                found.append(comment)
        for one in ages(base):
            if one.age_years != 48 and (comment := write(one, rules, knowledge)) is not None:
                found.append(comment)
    for at in plain():
        for one in contexts(at):
            if (comment := write(as_episode(one), rules, knowledge)) is not None:
                found.append(comment)
    return found
