"""Why each rule spoke, or which condition it lacked: every rule, every clause, without short cut (standards.md R5, R8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from labbridge.interpret.evidence import Episode, Raised
from labbridge.interpret.facts import FactValue
from labbridge.interpret.rests_on import results_behind
from labbridge.knowledge.decisions import Rule
from labbridge.model.result import Result

RAISED = "raised"
OF_RESULTS = {"C18": ("SPECIMEN_INVALID",), "C19": ("RESULT_WITHDRAWN", "RESULT_CORRECTED")}
"""Comments that follow from what became of a result, with the flags that tell of it."""
NEAR = 2  # conditions that a rule which lacked one must have met, or it was not near


class Clause(msgspec.Struct, frozen=True):
    """One condition: the fact, the values that meet it, the value seen, and the results it was read from (their refs).
    `raised` is what C1 raised about a result."""

    fact: str
    wanted: tuple[FactValue, ...]
    seen: FactValue
    met: bool
    results: tuple[str, ...] = ()

    @property
    def by(self) -> tuple[FactValue, ...]:
        """The wanted values that were seen: none or one, or several where C1 raised the same about several results."""
        if self.fact != RAISED:
            return (self.seen,) if self.met else ()
        seen = str(self.seen).split(", ")
        return tuple(one for one in self.wanted if any(name == one or name.startswith(f"{one}:") for name in seen))


class Trace(msgspec.Struct, frozen=True):
    """One active rule: its name and reason, each of its conditions, what it says where they hold, and what it cites."""

    rule: str
    why: str
    clauses: tuple[Clause, ...]
    flags: tuple[str, ...] = ()
    comment: str = ""
    citations: tuple[str, ...] = ()

    @property
    def fired(self) -> bool:
        return all(clause.met for clause in self.clauses)

    @property
    def lacking(self) -> tuple[Clause, ...]:
        """The conditions that are not met."""
        return tuple(clause for clause in self.clauses if not clause.met)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A result as it was sent: message and place (`M17`, `OBX[3]`), the original text of its value and method, its
    collection day and the laboratory."""

    message: str
    place: str
    analyte: str
    text: str
    unit: str = ""
    method: str = ""
    collected: str
    laboratory: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """The rules that held, those that met at least two conditions and lacked one, and the results behind the facts of both,
    by ref."""

    fired: tuple[Trace, ...]
    near: tuple[Trace, ...]
    results: dict[str, Source]


def explained(
    rules: Iterable[Rule], facts: Mapping[str, FactValue], episode: Episode, held: Iterable[Result]
) -> Explanation:
    """What an evaluation rests on, from the same facts and the same evidence that decided. `held`: all result versions."""
    seen = episode.raised
    fired: list[Trace] = []
    close: list[Trace] = []
    behind = _Behind(episode)
    for rule in rules:
        if rule.status != "active" or _lacking(rule, facts, seen) > 1:
            continue
        trace = _trace(rule, facts, seen, behind)
        if trace.fired:
            fired.append(trace)
        elif len(trace.clauses) > NEAR:
            close.append(trace)
    named = dict.fromkeys(ref for trace in (*fired, *close) for clause in trace.clauses for ref in clause.results)
    results = {one.ref: _source(one) for one in held if one.ref in named}
    return Explanation(tuple(fired), tuple(close), results)


def _lacking(rule: Rule, facts: Mapping[str, FactValue], raised: tuple[Raised, ...]) -> int:
    """How many conditions are not met; 2 stands for more."""
    count = 0 if not rule.on or _fitting(rule, raised) else 1
    for name, values in rule.when.items():
        if (facts[name] not in values) if isinstance(values, tuple) else (facts[name] != values):
            count += 1
            if count > 1:
                break
    return count


def _source(result: Result) -> Source:
    message, colon, place = result.ref.partition(":")
    return Source(
        message=message if colon else "",
        place=place if colon else result.ref,
        analyte=f"{result.analyte}:{result.antigen}" if result.antigen else result.analyte.value,
        text=result.value_text,
        unit=result.unit_text,
        method=result.method.name if result.method else "",
        collected=result.collected.day.isoformat(),
        laboratory=result.laboratory,
    )


class _Behind:
    """The refs of the results behind facts, each looked up once."""

    def __init__(self, episode: Episode) -> None:
        self._episode = episode
        self._found: dict[str, tuple[str, ...]] = {}

    def refs(self, fact: str) -> tuple[str, ...]:
        if fact not in self._found:
            self._found[fact] = tuple(one.ref for one in results_behind(fact, self._episode))
        return self._found[fact]


def explain(rules: Iterable[Rule], facts: Mapping[str, FactValue], raised: Iterable[Raised] = ()) -> tuple[Trace, ...]:
    """A trace of every active rule, in the order of the rules."""
    seen = tuple(raised)
    return tuple(_trace(rule, facts, seen) for rule in rules if rule.status == "active")


def near(traces: Iterable[Trace]) -> tuple[Trace, ...]:
    """The rules that lacked a single condition."""
    return tuple(trace for trace in traces if len(trace.lacking) == 1)


def _trace(
    rule: Rule, facts: Mapping[str, FactValue], raised: tuple[Raised, ...], behind: _Behind | None = None
) -> Trace:
    clauses = conditions(rule.when, facts, behind)
    if rule.on:
        clauses = (_occasion(rule, raised), *clauses)
    flags = tuple(code for entry in rule.then.flags for code in entry)
    comment = rule.then.comment or rule.then.beside or ""
    return Trace(rule.name, rule.why, clauses, flags, comment, rule.citations)


def conditions(
    when: Mapping[str, FactValue | tuple[FactValue, ...]],
    facts: Mapping[str, FactValue],
    behind: _Behind | None = None,
) -> tuple[Clause, ...]:
    """Each condition of a row, a rule's or a wording's, held against the facts."""
    found = []
    for name, values in when.items():
        wanted = values if isinstance(values, tuple) else (values,)
        found.append(Clause(name, wanted, facts[name], facts[name] in wanted, behind.refs(name) if behind else ()))
    return tuple(found)


def _occasion(rule: Rule, raised: tuple[Raised, ...]) -> Clause:
    """The flag of C1 that the rule waits for, of the analytes it is about."""
    wanted = tuple(f"{rule.on}:{analyte}" for analyte in rule.analytes) or (rule.on,)
    fits = _fitting(rule, raised)
    seen = ", ".join(f"{one.code}:{one.analyte}" if one.analyte else one.code for one in fits)
    return Clause(RAISED, wanted, seen, bool(fits), tuple(ref for one in fits for ref in one.refs))


def _fitting(rule: Rule, raised: tuple[Raised, ...]) -> list[Raised]:
    return [one for one in raised if one.code == rule.on and (not rule.analytes or one.analyte in rule.analytes)]
