"""C5 as rows: every rule is looked at, every rule that holds speaks; flags and retests are merged, one comment class left.

Rules are indexed by the value of one fact each, so that an evaluation looks only at those that can hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import msgspec

from labbridge.interpret.evidence import AntibodyEvidence, Episode, Raised
from labbridge.interpret.facts import FactValue
from labbridge.interpret.rests_on import results_behind
from labbridge.knowledge.decisions import Decisions, RetestAction, Rule
from labbridge.model.outcome import Flag, Priority, Retest, Severity
from labbridge.model.result import Analyte, Result

REMEMBERED = 4096
RAISED_CK = ("MOD", "HIGH")
_SEVERITIES = tuple(Severity)
_ANTIBODIES = (Analyte.SRP.value, Analyte.HMGCR.value)


class Verdict(msgspec.Struct, frozen=True):
    """What the rules say: flags, retests, comment classes with the analytes they were chosen about, and which rules spoke.

    `beside` are classes that are appended to a comment on an antibody, and stand alone where there is none."""

    flags: tuple[Flag, ...]
    retests: tuple[Retest, ...]
    comments: Mapping[str, tuple[str, ...]]
    beside: Mapping[str, tuple[str, ...]]
    hold: bool
    held: tuple[str, ...]
    fired: tuple[str, ...]
    quiet: tuple[str, ...] = ()


class _Test(msgspec.Struct, frozen=True):
    rule: Rule
    clauses: tuple[tuple[str, frozenset[FactValue]], ...]


class RuleSet:
    """The active rules, compiled."""

    def __init__(self, decisions: Decisions, passive_wait_d: int) -> None:
        self._decisions, self._passive_wait_d = decisions, passive_wait_d
        active = [rule for rule in decisions.rules if rule.status == "active"]
        self._on: dict[str, list[_Test]] = {}
        self._by_value: dict[str, dict[FactValue, list[_Test]]] = {}
        self._always: list[_Test] = []
        self._seen: dict[tuple[tuple[str, FactValue], ...], tuple[Rule, ...]] = {}
        for rule in active:
            self._place(rule, _Test(rule, tuple((name, _allowed(values)) for name, values in rule.when.items())))

    def _place(self, rule: Rule, test: _Test) -> None:
        if rule.on:
            self._on.setdefault(rule.on, []).append(test)
        elif not test.clauses:
            self._always.append(test)
        else:  # the clause with the fewest values tells most
            name, values = min(test.clauses, key=lambda clause: len(clause[1]))
            for value in values:
                self._by_value.setdefault(name, {}).setdefault(value, []).append(test)

    def judge(self, episode: Episode, facts: Mapping[str, FactValue]) -> Verdict:
        """Every flag, retest and comment class that the facts call for."""
        gathering = _Gathering(episode, facts, self._decisions, self._passive_wait_d)
        for rule in self._holding(facts):
            gathering.add(rule, None)
        for raised in episode.raised:
            for test in self._on.get(raised.code, ()):
                fits = not test.rule.analytes or raised.analyte in test.rule.analytes
                if fits and _holds(test, facts):
                    gathering.add(test.rule, raised)
        return gathering.verdict()

    def _holding(self, facts: Mapping[str, FactValue]) -> tuple[Rule, ...]:
        """The rules whose conditions all hold. Facts have few values: most patients share theirs with one before."""
        key = tuple(facts.items())
        found = self._seen.get(key)
        if found is None:
            if len(self._seen) >= REMEMBERED:
                self._seen.clear()
            found = tuple(test.rule for test in self._candidates(facts) if _holds(test, facts))
            self._seen[key] = found
        return found

    def _candidates(self, facts: Mapping[str, FactValue]) -> Iterable[_Test]:
        yield from self._always
        for name, by_value in self._by_value.items():
            yield from by_value.get(facts[name], ())


def _holds(test: _Test, facts: Mapping[str, FactValue]) -> bool:
    return all(facts[name] in values for name, values in test.clauses)


def _allowed(values: FactValue | tuple[FactValue, ...]) -> frozenset[FactValue]:
    return frozenset(values) if isinstance(values, tuple) else frozenset((values,))


class _Gathering:
    """What the rules that hold add up to."""

    def __init__(
        self, episode: Episode, facts: Mapping[str, FactValue], decisions: Decisions, passive_wait_d: int
    ) -> None:
        self._episode, self._facts, self._decisions = episode, facts, decisions
        self._passive_wait_d = passive_wait_d
        self._raised_ck = facts["ck"] in RAISED_CK
        self._flags: dict[tuple[str, str], Flag] = {}
        self._retests: dict[str, Retest] = {}
        self._exempt: dict[str, Retest] = {}
        self._comments: dict[str, tuple[str, ...]] = {}
        self._beside: dict[str, tuple[str, ...]] = {}
        self._deferred: set[str] = set()
        self._at_once: set[str] = set()
        self._quiet: dict[str, None] = {}
        self._held: dict[str, None] = {}
        self._fired: dict[str, None] = {}

    def add(self, rule: Rule, raised: Raised | None) -> None:
        self._fired[rule.name] = None
        for entry in rule.then.flags:
            for code, severity in entry.items():
                self._flag(rule, code, severity, raised)
        for action in rule.then.retest:
            self._retest(rule, action, raised)
        for name, classes in ((rule.then.comment, self._comments), (rule.then.beside, self._beside)):
            if name:
                about = (rule.about,) if rule.about else ()
                classes[name] = tuple(dict.fromkeys((*classes.get(name, ()), *about)))
        self._deferred.update(rule.then.defer or ())
        self._quiet.update(dict.fromkeys(rule.then.quiet or ()))

    def _flag(self, rule: Rule, code: str, severity: str, raised: Raised | None) -> None:
        if severity == "by_ck":
            severity = "major" if self._raised_ck else "minor"
        analyte = raised.analyte if raised else rule.about
        row = self._decisions.flags.get(code)
        if (raised is not None and raised.hold) or (row is not None and row.hold):
            self._held[analyte or "patient"] = None
        evidence = raised.refs if raised else tuple(one.ref for one in self._evidence(rule))
        flag = Flag(
            code=code,
            severity=Severity(severity),
            rule=rule.name,
            evidence=evidence,
            citations=rule.citations,
            analyte=analyte,
        )
        before = self._flags.get((code, analyte))
        if before is None or _SEVERITIES.index(before.severity) < _SEVERITIES.index(flag.severity):
            self._flags[(code, analyte)] = flag

    def _evidence(self, rule: Rule) -> Iterable[Result]:
        """The results behind the facts that the rule looks at."""
        seen: dict[str, Result] = {}
        for name in rule.when:
            for result in results_behind(name, self._episode):
                seen.setdefault(result.ref, result)
        return seen.values()

    def _retest(self, rule: Rule, action: RetestAction, raised: Raised | None) -> None:
        analyte = action.analyte or (raised.analyte if raised else rule.about)
        families = self._families(analyte, action)
        if not families or (not action.exempt and self._settled(analyte)):
            return
        urgent = action.priority == "urgent" or (action.priority == "by_ck" and self._raised_ck)
        priority = Priority.URGENT if urgent else Priority.ROUTINE
        mine = Retest(analyte=analyte, families=families, priority=priority, reason=action.reason)
        if raised is not None and raised.hold:
            self._at_once.add(analyte)
        if action.exempt:
            self._exempt[analyte] = _merged(self._exempt.get(analyte), mine)
        else:  # the first names the methods
            before = self._retests.get(analyte)
            self._retests[analyte] = _merged(before, msgspec.structs.replace(mine, families=())) if before else mine

    def _settled(self, analyte: str) -> bool:
        """Never an analyte that is confirmed, known, or in progress (C4, C10.5)."""
        if analyte in _ANTIBODIES:
            one = self._antibody(analyte)
            return one.confirmed or one.pending or one.known
        waiting = {
            Analyte.CK.value: self._episode.ck.pending,
            Analyte.HEP2.value: self._episode.hep2.pending,
            Analyte.OTHER_MSA.value: self._episode.other_pending,
        }
        return waiting.get(analyte, False)

    def _families(self, analyte: str, action: RetestAction) -> tuple[str, ...]:
        """The families to offer: those of the list that have no usable result of the analyte yet (C10.22)."""
        if not isinstance(action.by, str):
            return action.by if action.exempt else self._unused(analyte, action.by)
        if analyte not in _ANTIBODIES:
            return self._decisions.retests.get((analyte, "any"), ())
        one = self._antibody(analyte)
        word = action.by
        if word == "other_method":
            word = "discordant" if one.discordant else one.source.value
        left = self._unused(analyte, self._decisions.retests.get((analyte, word), ()))
        if left or word == "any":
            return left
        reference = self._decisions.retests.get((analyte, "exhausted"), ())
        return self._unused(analyte, reference) or reference

    def _unused(self, analyte: str, families: tuple[str, ...]) -> tuple[str, ...]:
        """The families that have no usable result of the analyte yet."""
        if analyte in _ANTIBODIES:
            used = {family.value for family in self._antibody(analyte).families}
        elif analyte == Analyte.OTHER_MSA.value:
            used = {one.method.family.value for one in self._episode.other_positive if one.method is not None}
        else:
            return families
        return tuple(family for family in families if family not in used)

    def _antibody(self, analyte: str) -> AntibodyEvidence:
        return self._episode.srp if analyte == Analyte.SRP.value else self._episode.hmgcr

    def verdict(self) -> Verdict:
        order = sorted(
            self._flags.values(), key=lambda flag: (-_SEVERITIES.index(flag.severity), flag.code, flag.analyte)
        )
        analytes = dict.fromkeys((*self._retests, *self._exempt))
        given = [self._waiting(_merged(self._retests.get(one), self._exempt.get(one))) for one in analytes]
        retests = sorted(given, key=lambda one: (one.priority is not Priority.URGENT, _place(one)))
        return Verdict(
            flags=tuple(order),
            retests=tuple(retests),
            comments=self._comments,
            beside=self._beside,
            hold=bool(self._held),
            held=tuple(self._held),
            fired=tuple(self._fired),
            quiet=tuple(self._quiet),
        )

    def _waiting(self, retest: Retest) -> Retest:
        """A retest that waits until passive antibodies have gone (O1); what ends a hold is asked of the sample as it is."""
        ivig = self._episode.ivig
        if retest.analyte not in self._deferred - self._at_once or ivig is None:
            return retest
        until = ivig + timedelta(days=self._passive_wait_d)
        return msgspec.structs.replace(retest, priority=Priority.ROUTINE, not_before=until)


def _merged(one: Retest | None, other: Retest | None) -> Retest:
    """What two rules ask of an analyte, the higher priority for all of it; the first gives the reason."""
    if one is None or other is None:
        found = one or other
        assert found is not None
        return found
    families = tuple(dict.fromkeys((*one.families, *other.families)))
    higher = Priority.URGENT if Priority.URGENT in (one.priority, other.priority) else Priority.ROUTINE
    return msgspec.structs.replace(one, families=families, priority=higher)


_ORDER = tuple(analyte.value for analyte in Analyte)


def _place(retest: Retest) -> int:
    return _ORDER.index(retest.analyte) if retest.analyte in _ORDER else len(_ORDER)
