"""What must hold of the rows in every combination (clinical.md C9): flags and comment classes, P1, P2, P3 and P10.

A property asks questions: which rows it depends on, and where these break it. Only what those rows read is enumerated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import ClassVar, NamedTuple

import msgspec

from labbridge.knowledge.combinations import Facts, FactValue, When, allowed
from labbridge.knowledge.decisions import Decisions, Rule
from labbridge.knowledge.said import SEVERITIES, View, commenting, flags, posted, raising

Allowed = dict[str, FactValue | tuple[FactValue, ...]]
NARROW = "Narrow one of the rows."


class Breach(NamedTuple):
    """A combination in which a property does not hold: what is said there, by which rows, and the repair. `reads`: the
    facts it depends on beside those of its rows."""

    combination: Mapping[str, FactValue]
    text: str
    rules: Sequence[Rule]
    repair: str
    reads: Iterable[str] = ()


class Standing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="analyte"):
    """How retests of an analyte are read: where it is not to be retested (`settled`), where its methods disagree, the fact
    that says what its state rests on, and by value the families one of which was used then."""

    id: str
    settled: tuple[Allowed, ...]
    discordant: Allowed = {}
    rests_on: str = ""
    families: dict[str, tuple[str, ...]] = {}


class ByCk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="by_ck"):
    """Where a severity or priority `by_ck` is the higher one."""

    id: str
    where: Allowed


class Board(NamedTuple):
    """What is proved: the active rows that facts alone decide, those that C1 raises, and how they are read."""

    decisions: Decisions
    facts: Facts
    rules: tuple[Rule, ...]
    raised: tuple[Rule, ...]
    high: When
    analytes: tuple[Standing, ...]

    @property
    def every(self) -> tuple[Rule, ...]:
        return (*self.rules, *self.raised)

    def word(self, table: str, key: str) -> str:
        """A word of the comments for this."""
        return self.decisions.words.get(table, {}).get(key, key)


class Question(NamedTuple):
    """What has to be enumerated: rows, conditions beside them, the facts by which combinations are compared; and what is
    wrong in a view of them."""

    rules: Sequence[Rule]
    beside: Sequence[When]
    wrong: Callable[[View], Iterator[Breach]]
    last: Sequence[str] = ()


class Property(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """One property. Its number is its id up to the first hyphen."""

    core_only: ClassVar[bool] = False
    id: str

    @property
    def number(self) -> str:
        return self.id.partition("-")[0]

    def questions(self, board: Board) -> Iterator[Question]:
        """All that has to be answered to prove it."""
        raise NotImplementedError


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the core table: the class that is due where no line before it holds; empty: none."""

    when: Allowed
    comment: str = ""


class Table(Property, frozen=True, kw_only=True, tag="table"):
    """P1: in the core table exactly the class is posted that the first line asks for which holds. `facts` are those of the
    core table, `given` what they are narrowed to, `shown` those that are always told."""

    core_only: ClassVar[bool] = True
    facts: tuple[str, ...]
    given: Allowed
    shown: tuple[str, ...]
    lines: tuple[Line, ...]

    def questions(self, board: Board) -> Iterator[Question]:
        rules = [rule for rule in board.rules if rule.then.comment or rule.then.beside]
        yield Question(rules, [line.when for line in self.lines], partial(self._wrong, board))

    def _wrong(self, board: Board, view: View) -> Iterator[Breach]:
        reads = frozenset(chain.from_iterable(line.when for line in self.lines))
        for mask, combination in view:
            line = next((one for place, one in enumerate(self.lines) if view.holds(mask, place)), None)
            found = posted(view.speaking(mask), board.decisions.style)
            if line is None:
                yield Breach(combination, "no line of the core table is for this", (), "Add one.", reads)
            elif found and found != line.comment:
                rules = [rule for rule in view.speaking(mask) if rule.then.comment or rule.then.beside]
                said = " and ".join(f"{rule.id} says {rule.then.comment or rule.then.beside}" for rule in rules)
                due = f"{line.comment} is due" if line.comment else "no comment is due"
                yield Breach(combination, f"{said}, {due}", rules, "Narrow the row, or mend the ranks.", reads)
            elif found != line.comment:
                yield _hole(board, combination, commenting(board.rules, [line.comment]), line.when, reads)


def _hole(
    board: Board, combination: Mapping[str, FactValue], rules: Iterable[Rule], line: Allowed, reads: Iterable[str]
) -> Breach:
    """No row where one of these should speak: the one that is nearest to it, and takes what the line is about."""
    text = "no row, and a comment is due"

    def distance(rule: Rule) -> tuple[int, int]:
        unmet = _unmet(rule, combination)
        return len(line.keys() & unmet), len(unmet)

    near = min(rules, key=distance, default=None)
    if near is None:
        return Breach(combination, text, (), "Add a row.", reads)
    lacking = board.facts.say({name: combination[name] for name in _unmet(near, combination)})
    repair = f"{near.id} ({near.then.comment}) does not take {lacking}: widen it, or add a row."
    return Breach(combination, text, [near], repair, reads)


def _unmet(rule: Rule, combination: Mapping[str, FactValue]) -> list[str]:
    """The facts on which a row does not take the combination."""
    return [name for name, values in rule.when.items() if combination[name] not in allowed(values)]


class OneClass(Property, frozen=True, kw_only=True, tag="one_class"):
    """P1: of these classes, between which no rank is meant to decide, at most one is called for."""

    classes: tuple[str, ...]

    def questions(self, board: Board) -> Iterator[Question]:
        yield Question(commenting(board.rules, self.classes), (), self._wrong)

    def _wrong(self, view: View) -> Iterator[Breach]:
        for mask, combination in view:
            rules = view.speaking(mask)
            if len({rule.then.comment for rule in rules}) > 1:
                text = " and ".join(f"{rule.id} says {rule.then.comment}" for rule in rules)
                yield Breach(combination, text, rules, NARROW)


class Answered(Property, frozen=True, kw_only=True, tag="answered"):
    """P1 beyond the core table: where one of these holds, a row calls for one of these classes, whatever else is known."""

    where: tuple[Allowed, ...]
    classes: tuple[str, ...]

    def questions(self, board: Board) -> Iterator[Question]:
        yield Question(commenting(board.rules, self.classes), self.where, partial(self._wrong, board))

    def _wrong(self, board: Board, view: View) -> Iterator[Breach]:
        reads = frozenset(chain.from_iterable(self.where))
        for mask, combination in view:
            line = next((one for place, one in enumerate(self.where) if view.holds(mask, place)), None)
            if line is not None and not view.speaking(mask):
                yield _hole(board, combination, view.rules, line, reads)


class Apart(Property, frozen=True, kw_only=True, tag="apart"):
    """P2: these two flags never stand together."""

    flags: tuple[str, str]

    def questions(self, board: Board) -> Iterator[Question]:
        yield Question(raising(board.every, *self.flags), (), self._wrong)

    def _wrong(self, view: View) -> Iterator[Breach]:
        for mask, combination in view:
            rules = view.speaking(mask)
            first, second = ([(code, rule) for rule in raising(rules, code)[:1]] for code in self.flags)
            if first and second:
                text = " stands together with ".join(f"{code} ({rule.id})" for code, rule in (*first, *second))
                yield Breach(combination, text, [first[0][1], second[0][1]], NARROW)


class Needs(Property, frozen=True, kw_only=True, tag="needs"):
    """P3, C4: a flag is raised only where one of these holds."""

    flag: str
    only: tuple[Allowed, ...]

    def questions(self, board: Board) -> Iterator[Question]:
        yield Question(raising(board.every, self.flag), self.only, partial(self._wrong, board))

    def _wrong(self, board: Board, view: View) -> Iterator[Breach]:
        said = (", ".join(filter(None, (board.facts.words(*one) for one in only.items()))) for only in self.only)
        wanted = "; or ".join(said)
        for mask, combination in view:
            rules = view.speaking(mask)[:1]
            if rules and not any(view.holds(mask, place) for place in range(len(self.only))):
                text = f"{self.flag} is raised ({rules[0].id}) and needs {wanted}"
                yield Breach(combination, text, rules, "Narrow the row.", frozenset(chain.from_iterable(self.only)))


class Rises(Property, frozen=True, kw_only=True, tag="rises"):
    """P10: as the fact goes up in this order no flag becomes less severe, or goes; `but_for` are those that may."""

    fact: str
    order: tuple[str, ...]
    but_for: tuple[str, ...] = ()

    def questions(self, board: Board) -> Iterator[Question]:
        codes = dict.fromkeys(code for rule in board.rules for entry in rule.then.flags for code in entry)
        for code in codes:
            rules = raising(board.rules, code)
            if code not in self.but_for:
                yield Question(rules, [board.high], partial(self._wrong, board, code), (self.fact,))

    def _wrong(self, board: Board, code: str, view: View) -> Iterator[Breach]:
        for rest, ways in view.compared():
            found = {value: flags(view.speaking(mask), view.holds(mask, 0)) for (value,), mask in ways}
            rising = [value for value in self.order if value in found]
            for place, low in enumerate(rising):
                for key, before in found[low].items():
                    for high in rising[place + 1 :]:
                        after = found[high].get(key)
                        if key[0] == code and (after is None or after.level < before.level):
                            lower = SEVERITIES[after.level] if after else "not raised"
                            where = board.facts.say({self.fact: low})
                            text = f"{code} is {lower}, and {SEVERITIES[before.level]} with {where} ({before.rule.id})"
                            rules = [before.rule, *([after.rule] if after else [])]
                            reads = {self.fact}.union(*(rule.when for rule in view.rules))
                            yield Breach({**rest, self.fact: high}, text, rules, "Widen or raise the row.", reads)
