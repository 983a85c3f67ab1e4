"""What rows say together where they hold: flags, comment classes, retests.

A reading of the rows by themselves, for the proof (`prove.py`); it shares nothing with the engine (`interpret/rules.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from labbridge.knowledge.combinations import Combinations, Facts, FactValue, Values, When
from labbridge.knowledge.decisions import Decisions, RetestAction, Rule, Style
from labbridge.model.outcome import Severity

SEVERITIES = tuple(one.value for one in Severity)
BY_CK = ("minor", "major")


class Flagged(NamedTuple):
    """A flag as it stands: its place among the severities, and the row that gives it that one."""

    level: int
    rule: Rule


class Asked(NamedTuple):
    """What is asked for an analyte: by which lists or families, whether urgent, whether it waits (O1), by which rows."""

    by: frozenset[str]
    urgent: bool
    waits: bool
    rules: tuple[Rule, ...]


class Scope(NamedTuple):
    """Which combinations are looked at: `facts` vary and show in full, `given` narrows them, all others are as usual."""

    facts: tuple[str, ...]
    given: Mapping[str, Values]
    shown: tuple[str, ...]


class View:
    """Rows, and conditions beside them, in every combination of the facts that these read."""

    def __init__(
        self,
        facts: Facts,
        rules: Iterable[Rule],
        beside: Sequence[When] = (),
        *,
        scope: Scope | None = None,
        last: Sequence[str] = (),
        every: bool = False,
    ) -> None:
        self.rules, self.scope = tuple(rules), scope
        given = None if scope is None else {**{name: facts.domains[name] for name in scope.facts}, **scope.given}
        free = None if scope is None else scope.facts
        conditions = [*(rule.when for rule in self.rules), *beside]
        self.combinations = Combinations(facts, conditions, given=given, free=free, last=last, every=every)
        self._seen: dict[int, tuple[Rule, ...]] = {}

    def speaking(self, mask: int) -> tuple[Rule, ...]:
        """The rows that hold."""
        ours = mask & ((1 << len(self.rules)) - 1)
        found = self._seen.get(ours)
        if found is None:
            found = self._seen[ours] = tuple(rule for place, rule in enumerate(self.rules) if ours >> place & 1)
        return found

    def holds(self, mask: int, place: int) -> bool:
        """Whether the condition at this place beside the rows holds."""
        return bool(mask >> (len(self.rules) + place) & 1)

    def __iter__(self) -> Iterator[tuple[int, dict[str, FactValue]]]:
        return iter(self.combinations)

    def compared(self) -> Iterator[tuple[dict[str, FactValue], list[tuple[tuple[FactValue, ...], int]]]]:
        """Combinations that differ in the last facts only: the rest of them, and what holds by their values. Those in which
        no row can speak say nothing."""
        for mask, rest in self.combinations:
            ways = self.combinations.ways(mask) if self.speaking(mask) else []
            if len(ways) > 1:
                yield rest, ways


def flags(rules: Iterable[Rule], raised: bool) -> dict[tuple[str, str], Flagged]:
    """The flags with the analyte they are about, each at its highest severity. `raised`: CK is such that `by_ck` means
    the higher one."""
    found: dict[tuple[str, str], Flagged] = {}
    for rule in rules:
        for entry in rule.then.flags:
            for code, severity in entry.items():
                level = SEVERITIES.index(BY_CK[raised] if severity == "by_ck" else severity)
                before = found.get((code, rule.about))
                if before is None or before.level < level:
                    found[code, rule.about] = Flagged(level, rule)
    return found


def raising(rules: Iterable[Rule], *codes: str) -> list[Rule]:
    """The rows that raise one of these flags."""
    return [rule for rule in rules if any(code in codes for entry in rule.then.flags for code in entry)]


def commenting(rules: Iterable[Rule], classes: Iterable[str]) -> list[Rule]:
    """The rows that post one of these classes."""
    wanted = frozenset(classes)
    return [rule for rule in rules if rule.then.comment in wanted]


def posted(rules: Iterable[Rule], style: Style) -> str:
    """The class that is posted: the first by rank. What is said beside it takes its place by rank, unless it is one of those
    that are kept; or stands where nothing else does, if it is one of the last. Empty: none."""
    rules = list(rules)
    said = {rule.then.comment for rule in rules}
    first = _first(style.ranks, said)
    if first in style.kept:
        return first
    beside = {str(rule.then.beside) for rule in rules if rule.then.beside}
    return _first(style.ranks, said | beside - {*style.last}) or _first(style.last, beside)


def _first(ranks: Iterable[str], said: Collection[str]) -> str:
    return next((name for name in ranks if name in said), "")


def retests_of(rule: Rule, analyte: str) -> list[RetestAction]:
    """The recommendations of a row for this analyte; one without analyte is for that which the row was raised for."""
    own = rule.analytes if rule.on else (rule.about,)
    return [one for one in rule.then.retest if analyte in ((one.analyte,) if one.analyte else own)]


def asking(rules: Iterable[Rule], analyte: str) -> list[Rule]:
    """The rows that recommend a retest of the analyte, or let it wait."""
    return [rule for rule in rules if retests_of(rule, analyte) or analyte in (rule.then.defer or ())]


def asked(rules: Sequence[Rule], analyte: str, *, raised: bool, settled: bool) -> Asked | None:
    """What these rows ask for the analyte. `settled`: it is confirmed, known or in progress; only exempt actions stand."""
    found = [(rule, one) for rule in rules for one in retests_of(rule, analyte) if one.exempt or not settled]
    if not found:
        return None
    urgent = any(one.priority == "urgent" or (one.priority == "by_ck" and raised) for _rule, one in found)
    waits = any(analyte in (rule.then.defer or ()) for rule in rules)
    by = frozenset(name for _rule, one in found for name in ((one.by,) if isinstance(one.by, str) else one.by))
    return Asked(by, urgent and not waits, waits, tuple({rule.id: rule for rule, _one in found}.values()))


def offered(
    decisions: Decisions, analyte: str, action: RetestAction, source: str, used: frozenset[str]
) -> frozenset[str]:
    """The families that an action names where the state rests on `source` (a word of retests.yaml) and some are used."""
    if not isinstance(action.by, str):
        return frozenset(action.by) - (frozenset() if action.exempt else used)
    word = source if action.by == "other_method" else action.by
    left = frozenset(decisions.retests.get((analyte, word), ())) - used
    if left or word == "any":
        return left
    reference = frozenset(decisions.retests.get((analyte, "exhausted"), ()))
    return reference - used or reference
