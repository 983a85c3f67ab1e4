"""Every combination of facts that can occur, and which conditions hold in each.

A condition is a map of facts to allowed values. A value's mask has a bit for every condition that it does not rule out; the
conditions that hold in a combination are the AND of the masks of its values. Facts are added one after the other.
Combinations that leave the same conditions open go on as one, counted: no condition can tell them apart any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from labbridge.knowledge.documents import Fault, Row, Source, by_key, read_records

FactValue = str | bool
Values = FactValue | tuple[FactValue, ...]
When = Mapping[str, Values]
Domains = Mapping[str, tuple[FactValue, ...]]
Front = dict[int, tuple[int, tuple[FactValue, ...]]]
FILE = "facts.yaml"


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where these facts have these values, the fact has one of the values `to`."""

    where: dict[str, FactValue | tuple[FactValue, ...]]
    to: FactValue | tuple[FactValue, ...]


class FactRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fact in words: by value, or of what is true or false one text each (`says`, `otherwise`); nothing is said where
    the text is empty. `usual`: its value where nothing special is known. `limits`: what it follows from."""

    id: str
    says: dict[str, str] | str
    otherwise: str = ""
    usual: FactValue = False
    limits: tuple[Limit, ...] = ()

    def word(self, value: FactValue) -> str:
        if isinstance(self.says, str):
            return self.says if value is True else self.otherwise
        return self.says.get(str(value), "")


class Facts:
    """The facts with their values, their words, and what can never be together."""

    def __init__(self, rows: Mapping[str, FactRow], domains: Domains) -> None:
        self.rows, self.domains = rows, domains
        self.order = {name: place for place, name in enumerate(domains)}
        limits = [(name, one) for name, row in rows.items() if name in domains for one in row.limits]
        self.never = [never for name, one in limits if (never := self._never(name, one)) is not None]

    def _never(self, name: str, limit: Limit) -> dict[str, frozenset[FactValue]] | None:
        """A limit as what it rules out; None where it rules out nothing."""
        barred = frozenset(self.domains[name]) - allowed(limit.to)
        return {**{fact: allowed(values) for fact, values in limit.where.items()}, name: barred} if barred else None

    def usual(self, name: str) -> FactValue:
        return self.rows[name].usual if name in self.rows else self.domains[name][0]

    def values(self, name: str) -> list[FactValue]:
        """The values of a fact, the usual one first: what is shown of many combinations is the plainest."""
        usual = self.usual(name)
        return sorted(self.domains[name], key=lambda value: value != usual)

    def say(self, combination: Mapping[str, FactValue]) -> str:
        """The combination in words: SRP low positive, HMGCR not tested, HEp-2 nuclear, CK unknown."""
        ordered = sorted(combination, key=self.order.__getitem__)
        words = (self.rows[name].word(combination[name]) if name in self.rows else "" for name in ordered)
        return ", ".join(dict.fromkeys(filter(None, words)))

    def words(self, name: str, values: Values) -> str:
        """A condition on one fact in words."""
        return " or ".join(self.rows[name].word(value) for value in self.domains[name] if value in allowed(values))

    def impossible(self, given: When) -> bool:
        """Whether these values can never be together, as far as one limit after the other tells."""
        left = {name: set(self.domains[name]) for name in self.domains}
        left |= {name: {*allowed(values)} for name, values in given.items()}
        narrowed = True
        while narrowed and all(left.values()):
            narrowed = sum(self._narrow(left, never) for never in self.never) > 0
        return not all(left.values())

    @staticmethod
    def _narrow(left: dict[str, set[FactValue]], never: Mapping[str, frozenset[FactValue]]) -> bool:
        """Where all facts of a limit but one can only be what it rules out, that one cannot: whether this was new."""
        free = [name for name, values in never.items() if not left[name] <= values]
        if len(free) > 1:
            return False
        (name,) = free or list(never)[:1]
        before = len(left[name])
        left[name] -= never[name]
        return len(left[name]) < before

    def can_be(self, combination: Mapping[str, FactValue]) -> bool:
        """Whether the facts left out can be such that all limits hold."""
        given: dict[str, Values] = dict(combination)
        return bool(Combinations(self, self.never, given=given, every=True).front)


def allowed(values: Values | frozenset[FactValue]) -> frozenset[FactValue]:
    """The values that meet a condition on one fact."""
    if isinstance(values, frozenset):
        return values
    return frozenset(values) if isinstance(values, tuple) else frozenset((values,))


class Combinations:
    """The combinations of the facts that some conditions read, with the conditions that hold in each.

    `given` narrows facts; with `free` the facts that are neither free nor given are as usual. The facts `last` are set
    apart: `front` leaves them open and `ways` gives their values. `front` holds, by what is open, how many combinations
    there are and the first of them.
    """

    def __init__(
        self,
        facts: Facts,
        conditions: Sequence[Mapping[str, Values] | Mapping[str, frozenset[FactValue]]],
        *,
        given: When | None = None,
        free: Collection[str] | None = None,
        last: Sequence[str] = (),
        every: bool = False,
    ) -> None:
        given = given or {}
        self._facts, self._given, self._free = facts, given, free
        read = {name for one in conditions for name in one} | set(given) | set(last)
        names = set(facts.domains) if every else self._bridged(read)
        self.names = sorted(names, key=lambda name: (name in last, facts.order[name]))
        never = [one for one in facts.never if one.keys() <= set(self.names)]
        self._first_never = len(conditions)
        self._all = [*({name: allowed(values) for name, values in one.items()} for one in conditions), *never]
        self._options = [self._masks(name) for name in self.names]
        self._closed = [self._ruled_out(place) for place in range(len(self.names))]
        self._depth = len(self.names) - len(last)
        self.front = self._expanded(self._depth)

    def _bridged(self, read: set[str]) -> set[str]:
        """With the facts by which two of these depend on each other."""
        tied = [set(never) for never in self._facts.never]
        return read.union(*(names for names in tied if len(names & read) > 1))

    def _masks(self, name: str) -> list[tuple[FactValue, int]]:
        """The values a fact may have here, each with the conditions it does not rule out."""
        values = self._facts.values(name)
        if name in self._given:
            values = [value for value in values if value in allowed(self._given[name])]
        elif self._free is not None and name not in self._free:
            values = values[:1]
        return [(value, self._mask(name, value)) for value in values]

    def _mask(self, name: str, value: FactValue) -> int:
        return sum(1 << place for place, one in enumerate(self._all) if name not in one or value in one[name])

    def _ruled_out(self, place: int) -> int:
        """What can never be, of which this fact is the last to be settled: its bits."""
        settled, name = set(self.names[: place + 1]), self.names[place]
        never = enumerate(self._all[self._first_never :], self._first_never)
        return sum(1 << bit for bit, one in never if name in one and settled.issuperset(one))

    def _expanded(self, depth: int) -> Front:
        front: Front = {(1 << len(self._all)) - 1: (1, ())}
        for options, closed in zip(self._options[:depth], self._closed, strict=False):
            after: Front = {}
            for before, (count, values) in front.items():
                for value, mask in options:
                    now = before & mask
                    if now & closed:
                        continue
                    seen = after.get(now)
                    after[now] = (count, (*values, value)) if seen is None else (seen[0] + count, seen[1])
            front = after
        return front

    @property
    def count(self) -> int:
        """How many combinations there are."""
        return sum(count * len(self.ways(mask)) for mask, (count, _values) in self.front.items())

    def ways(self, mask: int) -> list[tuple[tuple[FactValue, ...], int]]:
        """Every way the last facts can be, with the conditions that hold then."""
        found: list[tuple[tuple[FactValue, ...], int]] = [((), mask)]
        for options, closed in zip(self._options[self._depth :], self._closed[self._depth :], strict=True):
            tried = (((*values, value), before & its) for values, before in found for value, its in options)
            found = [(values, now) for values, now in tried if not now & closed]
        return found

    def __iter__(self) -> Iterator[tuple[int, dict[str, FactValue]]]:
        """What holds, with the plainest combination in which it does."""
        for mask, (_count, values) in self.front.items():
            yield mask, dict(zip(self.names, values, strict=False))


def read_facts(sources: Sequence[Source], faults: list[Fault], lines: dict[str, int]) -> dict[str, FactRow]:
    """The rows of facts.yaml, and the line of each. They say what this program reads: a site has none of its own."""
    rows = [(row, one.id, one) for row, one in read_records(sources, FILE, FactRow, faults)]
    faults += [_not_a_sites(row) for row, _id, _one in rows if row.site]
    lines.update({id: row.line for row, id, _one in rows if not row.site})
    return by_key(((row, id, one) for row, id, one in rows if not row.site), faults)


def _not_a_sites(row: Row) -> Fault:
    return row.fault("A site has no facts of its own.", "Take the file away; write rules of these facts instead.")
