"""The proof that `labbridge check` prints: the properties of clinical.md C9 hold of the rows in every combination of facts.

It reads rows, not the engine. The core table is enumerated whole: its facts with tiers and confirmation, all other facts as
usual. Then each property is proved of every other fact too: what it says depends on some rows only, and these on the facts
they read; every combination of those is looked at, whatever the facts that they do not read may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from labbridge.knowledge.combinations import FILE as FACTS
from labbridge.knowledge.combinations import Domains, FactRow, Facts, FactValue, read_facts
from labbridge.knowledge.decisions import Decisions, Rule
from labbridge.knowledge.documents import Fault, Row, Source, by_key, read_records
from labbridge.knowledge.properties import (
    Answered,
    Apart,
    Board,
    Breach,
    ByCk,
    Needs,
    OneClass,
    Property,
    Question,
    Rises,
    Standing,
    Table,
)
from labbridge.knowledge.retesting import Alike, Kept, NotAgain
from labbridge.knowledge.said import Scope, View

FILE = "properties.yaml"
MOST = 20
Record = Table | OneClass | Answered | Apart | Needs | Rises | Kept | Alike | NotAgain | Standing | ByCk


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be proved, and how facts and rows are read. `lines`: where the facts stand in their file."""

    facts: dict[str, FactRow] = {}
    records: dict[str, Record] = {}
    lines: dict[str, int] = {}


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """How many combinations were looked at, in the core table and beyond it, which properties hold, and the faults."""

    core: int = 0
    beyond: int = 0
    held: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        held = f"{' '.join(self.held)} hold" if self.held else "nothing holds"
        return f"{held}; {self.core:,} combinations of the core table, {self.beyond:,} beyond it"


def read_claims(sources: Sequence[Source], faults: list[Fault]) -> Claims:
    """The claims of these files. A site may add properties and takes none of ours away."""
    rows = [(row, one.id, one) for row, one in _records(sources, faults)]
    ours = {id for row, id, _one in rows if not row.site}
    for row, id, _one in rows:
        if row.site and id in ours:
            faults.append(row.fault(f"{id} is a property of ours.", "Give yours an id of its own."))
    lines: dict[str, int] = {}
    return Claims(facts=read_facts(sources, faults, lines), records=by_key(rows, faults), lines=lines)


def _records(sources: Sequence[Source], faults: list[Fault]) -> Iterator[tuple[Row, Record]]:
    yield from read_records(sources, FILE, Record, faults)  # type: ignore[arg-type]


def prove(decisions: Decisions, claims: Claims, domains: Domains) -> Proof:
    """The proof of the active rows. `domains`: the values of every fact that a row may name."""
    faults = [*_unsaid(claims, domains)]
    if not any(isinstance(one, Table) for one in claims.records.values()):
        faults.append(Fault(FILE, 1, "The properties of the core table are missing.", "Take the shipped file back."))
    if faults:
        return Proof(faults=tuple(faults))
    return _Prover(decisions, claims, Facts(claims.facts, domains)).proof()


class _Prover:
    """One proof."""

    def __init__(self, decisions: Decisions, claims: Claims, facts: Facts) -> None:
        active = [rule for rule in decisions.rules if rule.status == "active"]
        records = claims.records.values()
        self._properties = [one for one in records if isinstance(one, Property)]
        self._core = next((_scope(one) for one in records if isinstance(one, Table)), None)
        self._board = Board(
            decisions=decisions,
            facts=facts,
            rules=tuple(rule for rule in active if not rule.on),
            raised=tuple(rule for rule in active if rule.on),
            high=next((one.where for one in records if isinstance(one, ByCk)), {}),
            analytes=tuple(one for one in records if isinstance(one, Standing)),
        )
        self._found: dict[tuple[str, frozenset[str]], tuple[Property, Breach]] = {}  # one for each property and rows

    def proof(self) -> Proof:
        core = beyond = 0
        for one in self._properties:
            for question in one.questions(self._board):
                if self._core is not None:
                    core = max(core, self._answer(one, question, self._core))
                if not one.core_only:
                    beyond += self._answer(one, question, None)
        broken = {one.number for one, _breach in self._found.values()}
        numbers = dict.fromkeys(one.number for one in self._properties)
        faults = [*self._faults(), *self._silent()]
        return Proof(core=core, beyond=beyond, held=tuple(n for n in numbers if n not in broken), faults=tuple(faults))

    def _answer(self, one: Property, question: Question, scope: Scope | None) -> int:
        """Where the rows of a question break the property; how many combinations were looked at."""
        view = self._view(question, scope)
        breaches = list(question.wrong(view))
        if not all(self._board.facts.can_be(breach.combination) for breach in breaches):
            view = self._view(question, scope, every=True)  # decided by a fact that none of these rows reads
            breaches = list(question.wrong(view))
        for breach in breaches:
            shown = self._shown(breach, scope)
            key = (one.number, frozenset(rule.id for rule in breach.rules))
            self._found.setdefault(key, (one, breach._replace(combination=shown)))
        return view.combinations.count

    def _view(self, question: Question, scope: Scope | None, every: bool = False) -> View:
        facts = self._board.facts
        return View(facts, question.rules, question.beside, scope=scope, last=question.last, every=every)

    def _shown(self, breach: Breach, scope: Scope | None) -> dict[str, str | bool]:
        """The facts that matter: those of the rows, of the property, and of the core table the ones that are always told."""
        named = {*breach.reads, *(scope.shown if scope else ())}.union(*(rule.when for rule in breach.rules))
        return {name: value for name, value in breach.combination.items() if name in named}

    def _faults(self) -> list[Fault]:
        """One sentence each; of the same sentence about two rows the first."""
        told: dict[str, Fault] = {}
        for one, breach in self._found.values():
            message = f"{self._board.facts.say(breach.combination)}: {breach.text} ({one.number})."
            told.setdefault(message, self._fault(breach.rules, message, breach.repair))
        return [*told.values()][:MOST]

    def _fault(self, rules: Sequence[Rule], message: str, repair: str) -> Fault:
        if not rules:
            return Fault(FILE, 1, message, repair)
        return self._board.decisions.fault(rules[-1].id, message, repair)

    def _silent(self) -> Iterator[Fault]:
        """Rows that speak in no combination, and values in their lists for which they never do: what cannot be together."""
        for rule in self._board.every:
            view = View(self._board.facts, [rule])
            if not any(view.speaking(mask) for mask, _combination in view):
                text = f"{rule.id} speaks in no combination: it asks for facts that are never together."
                yield self._fault([rule], text, "Mend its conditions, or retire it.")
                continue
            for name, value in _listed(rule):
                if self._board.facts.impossible({**rule.when, name: value}):
                    text = f"{rule.id} asks for `{name}: {value}`, which is never together with its other conditions."
                    yield self._fault([rule], text, f"Take {value} out of the list.")


def _listed(rule: Rule) -> Iterator[tuple[str, FactValue]]:
    """The values of a rule's lists: of each it may be one or another."""
    for name, values in rule.when.items():
        if isinstance(values, tuple):
            yield from ((name, value) for value in values)


def _scope(table: Table) -> Scope:
    return Scope(table.facts, table.given, table.shown)


def _unsaid(claims: Claims, domains: Domains) -> Iterator[Fault]:
    """Facts without words, and words of facts or values that are none."""
    for name in domains:
        if name not in claims.facts:
            yield Fault(FACTS, 1, f"Fact {name} has no row.", f"Add - {{id: {name}, says: ..., usual: ...}}.")
    for name, row in claims.facts.items():
        message = _odd(name, row, domains)
        if message:
            repair = "See docs/reference/facts.md for names and values."
            yield Fault(FACTS, claims.lines.get(name, 1), message, repair)


def _odd(name: str, row: FactRow, domains: Domains) -> str:
    if name not in domains:
        return f"{name} is no fact."
    values = domains[name]
    said, wanted = set(row.says) if isinstance(row.says, dict) else set(), {str(value) for value in values}
    if said and said != wanted:
        lacking, other = ", ".join(sorted(wanted - said)), ", ".join(sorted(said - wanted))
        return f"{name} has no words for {lacking}." if lacking else f"{name} is never {other}."
    if row.usual not in values:
        return f"{name} is never {row.usual}."
    return next((text for limit in row.limits for text in _strange({**limit.where, name: limit.to}, domains)), "")


def _strange(when: Mapping[str, object], domains: Domains) -> Iterable[str]:
    for fact, values in when.items():
        for value in values if isinstance(values, tuple) else (values,):
            if value not in domains.get(fact, ()):
                yield f"{fact} is never {value}."
