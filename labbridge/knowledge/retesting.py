"""What must hold of the retests in every combination (clinical.md C9): P4, P5 and P6."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, combinations
from operator import itemgetter

from labbridge.knowledge.combinations import FactValue, When
from labbridge.knowledge.decisions import RetestAction
from labbridge.knowledge.properties import Allowed, Board, Breach, Property, Question, Standing
from labbridge.knowledge.said import Asked, View, asked, asking, offered, retests_of

Combination = Mapping[str, FactValue]
Result = tuple[FactValue, ...]


class Compared(Property, frozen=True, kw_only=True):
    """Combinations of a region that differ in some facts only: all that belong to one result."""

    facts: tuple[str, ...]
    where: tuple[Allowed, ...]

    def question(self, board: Board, standing: Standing) -> Question:
        """The rows that ask for an analyte; beside them CK, the region, and where the analyte is settled."""
        beside = [board.high, *self.where, *standing.settled]
        return Question(asking(board.rules, standing.id), beside, partial(self.wrong, board, standing), self.facts)

    def wrong(self, board: Board, standing: Standing, view: View) -> Iterator[Breach]:
        raise NotImplementedError

    def found(self, standing: Standing, view: View) -> Iterator[tuple[Combination, dict[Result, Asked | None]]]:
        """What is asked for the analyte, by the values of the facts, all else being equal."""
        region = range(1, 1 + len(self.where))
        settled = range(region.stop, region.stop + len(standing.settled))
        for rest, ways in view.compared():
            asks: dict[Result, Asked | None] = {}
            for values, mask in ways:
                if any(view.holds(mask, place) for place in region):
                    done = any(view.holds(mask, place) for place in settled)
                    rules = view.speaking(mask)
                    asks[values] = asked(rules, standing.id, raised=view.holds(mask, 0), settled=done)
            yield rest, asks

    def named(self, values: Result) -> dict[str, FactValue]:
        return dict(zip(self.facts, values, strict=True))

    def breach(self, rest: Combination, values: Result, text: str, both: Iterable[Asked | None]) -> Breach:
        rules = {rule.id: rule for one in both if one is not None for rule in one.rules}
        reads = {*self.facts}.union(*self.where)
        return Breach(
            {**rest, **self.named(values)}, text, list(rules.values()), "Let the rows ask for the same.", reads
        )


class Kept(Compared, frozen=True, kw_only=True, tag="kept"):
    """P4: what is recommended where the facts are `without` is recommended whatever they are, and as urgently."""

    without: tuple[FactValue, ...]
    analytes: tuple[str, ...]

    def questions(self, board: Board) -> Iterator[Question]:
        return (self.question(board, one) for one in board.analytes if one.id in self.analytes)

    def wrong(self, board: Board, standing: Standing, view: View) -> Iterator[Breach]:
        name, without = board.word("antibody", standing.id), board.facts.say(self.named(self.without))
        for rest, asks in self.found(standing, view):
            before = asks.get(self.without)
            for values, after in asks.items():
                if before is not None and (less := _less(before, after)):
                    text = f"a test of {name} is recommended with {without}, and {less} here"
                    yield self.breach(rest, values, text, (before, after))


def _less(before: Asked, after: Asked | None) -> str:
    if after is None or not before.by <= after.by:
        return "not"
    if after.waits and not before.waits:
        return "later"
    return "less urgently" if before.urgent and not after.urgent else ""


class Alike(Compared, frozen=True, kw_only=True, tag="alike"):
    """P5: the retests are the same whatever the facts are."""

    def questions(self, board: Board) -> Iterator[Question]:
        return (self.question(board, one) for one in board.analytes)

    def wrong(self, board: Board, standing: Standing, view: View) -> Iterator[Breach]:
        name = board.word("antibody", standing.id)
        for rest, asks in self.found(standing, view):
            first = next(iter(asks), None)
            for values, other in asks.items():
                one = asks[first] if first is not None else None
                if first is not None and _told(one) != _told(other):
                    text = f"the retest of {name} is another one than with {board.facts.say(self.named(first))}"
                    yield self.breach(rest, values, text, (one, other))


def _told(one: Asked | None) -> object:
    return None if one is None else (one.by, one.urgent, one.waits)


class NotAgain(Property, frozen=True, kw_only=True, tag="not_again"):
    """P6: no retest names one of these families where it was used, nor any method of an analyte that is settled.
    `but_for`: reasons for the same method again."""

    families: tuple[str, ...]
    but_for: tuple[str, ...] = ()

    def questions(self, board: Board) -> Iterator[Question]:
        for standing in board.analytes:
            sources = [{standing.rests_on: value} for value in standing.families]
            beside: list[When] = [standing.discordant, *standing.settled, *sources]
            for rule in board.every if standing.rests_on else ():
                actions = [one for one in retests_of(rule, standing.id) if one.reason not in self.but_for]
                for action in actions:
                    yield Question([rule], beside, partial(self._wrong, board, standing, action))

    def _wrong(self, board: Board, standing: Standing, action: RetestAction, view: View) -> Iterator[Breach]:
        (rule,), first = view.rules, 1 + len(standing.settled)
        reads = {standing.rests_on, *standing.discordant, *chain.from_iterable(standing.settled)}
        name, found = board.word("antibody", standing.id), []
        for mask, combination in view:
            settled = any(view.holds(mask, place) for place in range(1, first))
            if not view.speaking(mask) or (settled and not action.exempt):
                continue
            if settled and (isinstance(action.by, str) or _families(board, standing.id) & set(action.by)):
                text = f"a method for {name} is recommended all the same ({rule.id})"
                found.append(
                    (1, Breach(combination, text, [rule], "Take `exempt` away, or name a new specimen.", reads))
                )
            for place, (source, families) in enumerate(standing.families.items(), first):
                word = "discordant" if view.holds(mask, 0) else source
                for family in self._again(board, standing, action, word, families) if view.holds(mask, place) else ():
                    was = "was" if family in families else "may have been"
                    text = f"{board.word('family', family)} {was} used, and is recommended for {name} ({rule.id})"
                    breach = Breach(combination, text, [rule], "Name another family here or in retests.yaml.", reads)
                    found.append((0 if family in families else 2, breach))
        yield from (breach for _doubt, breach in sorted(found, key=itemgetter(0)))

    def _again(
        self, board: Board, standing: Standing, action: RetestAction, word: str, families: Sequence[str]
    ) -> list[str]:
        """The families that are named although they were used, whatever else was used."""
        found: set[str] = set()
        for used in _subsets(_families(board, standing.id) | set(families)):
            if used.intersection(families):
                found |= offered(board.decisions, standing.id, action, word, used) & used
        return sorted(found & set(self.families))


def _families(board: Board, analyte: str) -> frozenset[str]:
    """The families that are ever offered for an analyte."""
    lists = board.decisions.retests.items()
    return frozenset(chain.from_iterable(families for (name, _from), families in lists if name == analyte))


def _subsets(names: Iterable[str]) -> Iterator[frozenset[str]]:
    every = sorted(names)
    sizes = range(len(every) + 1)
    return (frozenset(one) for size in sizes for one in combinations(every, size))
