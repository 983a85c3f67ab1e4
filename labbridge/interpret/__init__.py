"""Interpretation: from a patient's results to findings, retests and one comment (clinical.md C1-C5, C8, C10, C11).

validity (C1), categories (C2) and episode (C3) say what is there; facts name it; rules (C5) decide; comment (C8) words it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from labbridge.interpret.comment import choose
from labbridge.interpret.episode import episode
from labbridge.interpret.evidence import AntibodyState, Change, Episode
from labbridge.interpret.exercise import Exercised, exercised
from labbridge.interpret.explain import Explanation, explained
from labbridge.interpret.facts import FactValue, facts
from labbridge.interpret.imported import without_earlier
from labbridge.interpret.known import Concordance
from labbridge.interpret.pathway import Walker
from labbridge.interpret.rules import RuleSet, Verdict
from labbridge.interpret.slots import Case
from labbridge.knowledge.build import Knowledge
from labbridge.model.history import History
from labbridge.model.outcome import Comment, Outcome, Severity, States
from labbridge.model.result import Result


class Judgement(msgspec.Struct, frozen=True):
    """The evidence of a history, the named facts, and what the rules say."""

    episode: Episode
    facts: dict[str, FactValue]
    verdict: Verdict


class Interpreter:
    """Interprets histories by one Knowledge; its rules are compiled once."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self._rules = RuleSet(knowledge.decisions, knowledge.policy.days("passive_wait_d"))
        self._concordance = Concordance(knowledge.decisions)
        self._standing = Walker(knowledge.decisions.pathway)

    def __call__(self, history: History) -> Outcome:
        """The outcome of a history as of its day. The order of the results does not matter (P7)."""
        return without_earlier(history, self._outcome(history, self.judge(history)), self._all)

    def _all(self, history: History) -> Outcome:
        """The outcome of everything in a history, from wherever it came."""
        return self._outcome(history, self.judge(history))

    def explained(self, history: History) -> tuple[Outcome, Explanation]:
        """The outcome, and what each of its findings rests on, from one evaluation."""
        one = self.judge(history)
        rules = self.knowledge.decisions.rules
        outcome = without_earlier(history, self._outcome(history, one), self._all)
        return outcome, explained(rules, one.facts, one.episode, history.results)

    def exercised(self, history: History) -> tuple[Outcome, Exercised]:
        """The outcome, and what the history exercises of rules and wordings, from one evaluation."""
        one = self.judge(history)
        outcome = self._outcome(history, one)
        return outcome, exercised(self._case(history, one), outcome.comment)

    def _case(self, history: History, one: Judgement) -> Case:
        return Case(
            history=history,
            episode=one.episode,
            facts=one.facts,
            verdict=one.verdict,
            decisions=self.knowledge.decisions,
            policy=self.knowledge.policy,
        )

    def _outcome(self, history: History, one: Judgement) -> Outcome:
        found, verdict = one.episode, one.verdict
        case = self._case(history, one)
        comment = choose(case)
        return Outcome(
            patient=history.patient.key,
            evaluated_at=history.today,
            knowledge=self.knowledge.version,
            states=_states(found),
            flags=verdict.flags,
            retests=verdict.retests,
            comment=comment,
            hold=verdict.hold,
            held=verdict.held,
            notes=found.notes,
            subject=_subject(case, comment),
            used=tuple(dict.fromkeys((*(one.ref for one in found.used), *_raised_refs(found)))),
            facts=one.facts,
            fired=verdict.fired,
            changes=_changes(found),
            newest=max((one.received for one in found.used), default=None),
            outstanding=found.outstanding,
            settles=comment is not None and comment.comment_class not in self.knowledge.decisions.style.kept,
            quiet=verdict.quiet,
            repeat_d=self._repeat_d(comment, verdict.quiet),
            expires_h=int(self.knowledge.policy.number("comment_expiry_h")),
            second_reader=self._second_reader(verdict),
            second_reader_share=int(self.knowledge.policy.number("second_reader_share")),
            prompts_from=self._prompts_from(found, verdict) if comment is None else None,
            pathway=self._standing(one.facts, verdict.retests),
        )

    def _prompts_from(self, found: Episode, verdict: Verdict) -> datetime | None:
        """From when prompts that wait reach the worklist, where they are all there is to see: so many days after the first
        of the pair was final (C10.16)."""
        flags = self.knowledge.decisions.flags
        seen = [one for one in verdict.flags if one.severity is not Severity.INFO and one.code not in verdict.quiet]
        final = [one.status_time or one.received for one in (*found.srp.results, *found.hmgcr.results)]
        if verdict.hold or not seen or not final or any(one.severity is not Severity.MINOR for one in seen):
            return None
        waits = [flags[one.code].waits for one in seen]
        return min(final) + timedelta(days=max(map(self.knowledge.policy.days, waits))) if all(waits) else None

    def _second_reader(self, verdict: Verdict) -> bool:
        """Whether the site wants two signatures for one of the flags."""
        flags, policy = self.knowledge.decisions.flags, self.knowledge.policy
        choices = {flags[one.code].second_reader for one in verdict.flags} - {""}
        return any(policy.choice(one) == "yes" for one in choices)

    def _repeat_d(self, comment: Comment | None, quiet: Sequence[str]) -> int:
        """For how many days the comment is not posted again; not where it tells of a correction (C10.39)."""
        if comment is None or "C19" in comment.addendum_classes:
            return 0
        style, name = self.knowledge.decisions.style, comment.comment_class
        number = (style.repeats_quiet.get(name) if name in quiet else None) or style.repeats.get(name)
        return self.knowledge.policy.days(number) if number else 0

    def judge(self, history: History) -> Judgement:
        """The evidence, the facts read off it, and what the rules say of them."""
        found = episode(history, self.knowledge.policy, concordance=self._concordance)
        seen = facts(found, self.knowledge.policy)
        return Judgement(found, seen, self._rules.judge(found, seen))


def interpret(history: History, knowledge: Knowledge) -> Outcome:
    """One outcome by this knowledge. Where there are many, an Interpreter compiles its rules once."""
    return Interpreter(knowledge)(history)


def _states(found: Episode) -> States:
    return States(
        SRP=found.srp.state.value,
        HMGCR=found.hmgcr.state.value,
        HEP2=found.hep2.state.value,
        CK=found.ck.band.value,
    )


def _subject(case: Case, comment: Comment | None) -> str:
    """The result the comment hangs on: the most specific it speaks of (SRP or HMGCR, then HEp-2, then CK), the newest
    of equals (architecture.md, rule 3). What speaks of an invalid specimen or a withdrawal alone hangs on that line."""
    found = case.episode
    alone = {"C18": case.invalid, "C19": case.changed}.get(comment.comment_class) if comment else None
    if alone is not None and alone.refs:
        return alone.refs[-1]
    antibodies = [one.results[0] for one in (found.srp, found.hmgcr) if one.results and _spoken(one.state)]
    hep2 = [found.hep2.result] if found.hep2.result else []
    ck = [found.ck.result] if found.ck.result else []
    for group in (antibodies, hep2, ck):
        results: list[Result] = [one for one in group if one is not None]
        if results:
            return max(results, key=lambda one: (one.collected.day, one.received, one.ref)).ref
    return ""


def _spoken(state: AntibodyState) -> bool:
    return state is not AntibodyState.NOT_TESTED


def _changes(found: Episode) -> tuple[str, ...]:
    return tuple(one.trend.results[0].ref for one in (found.srp, found.hmgcr) if one.trend.change is not Change.NONE)


def _raised_refs(found: Episode) -> list[str]:
    return [ref for one in found.raised for ref in one.refs]
