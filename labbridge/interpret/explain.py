"""Why each rule spoke, or which condition it lacked: every rule, every clause, without short cut (standards.md R5, R8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from labbridge.interpret.evidence import Raised
from labbridge.interpret.facts import FactValue
from labbridge.knowledge.decisions import Rule

RAISED = "raised"


class Clause(msgspec.Struct, frozen=True):
    """One condition: the fact, the values that meet it, the value seen. `raised` is what C1 raised about a result."""

    fact: str
    wanted: tuple[FactValue, ...]
    seen: FactValue
    met: bool


class Trace(msgspec.Struct, frozen=True):
    """One active rule: its name and reason, and each of its conditions."""

    rule: str
    why: str
    clauses: tuple[Clause, ...]

    @property
    def fired(self) -> bool:
        return all(clause.met for clause in self.clauses)

    @property
    def lacking(self) -> tuple[Clause, ...]:
        """The conditions that are not met."""
        return tuple(clause for clause in self.clauses if not clause.met)


def explain(rules: Iterable[Rule], facts: Mapping[str, FactValue], raised: Iterable[Raised] = ()) -> tuple[Trace, ...]:
    """A trace of every active rule, in the order of the rules."""
    seen = tuple(raised)
    return tuple(_trace(rule, facts, seen) for rule in rules if rule.status == "active")


def near(traces: Iterable[Trace]) -> tuple[Trace, ...]:
    """The rules that lacked a single condition."""
    return tuple(trace for trace in traces if len(trace.lacking) == 1)


def _trace(rule: Rule, facts: Mapping[str, FactValue], raised: tuple[Raised, ...]) -> Trace:
    clauses = [_clause(name, values, facts) for name, values in rule.when.items()]
    if rule.on:
        clauses.insert(0, _occasion(rule, raised))
    return Trace(rule.name, rule.why, tuple(clauses))


def _clause(name: str, values: FactValue | tuple[FactValue, ...], facts: Mapping[str, FactValue]) -> Clause:
    wanted = values if isinstance(values, tuple) else (values,)
    return Clause(name, wanted, facts[name], facts[name] in wanted)


def _occasion(rule: Rule, raised: tuple[Raised, ...]) -> Clause:
    """The flag of C1 that the rule waits for, of the analytes it is about."""
    wanted = tuple(f"{rule.on}:{analyte}" for analyte in rule.analytes) or (rule.on,)
    fits = [one for one in raised if one.code == rule.on and (not rule.analytes or one.analyte in rule.analytes)]
    seen = ", ".join(f"{one.code}:{one.analyte}" if one.analyte else one.code for one in fits)
    return Clause(RAISED, wanted, seen, bool(fits))
