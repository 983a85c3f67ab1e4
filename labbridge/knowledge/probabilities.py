"""probabilities.yaml: figures by which a site may order its worklist (clinical.md E), where each counts, and their words.

Off unless a site switches it on (policy.yaml, `worklist_order`). No rule, flag or comment reads any of this. What the facts
and values of its conditions may be is checked beside those of rules, in interpret/vocabulary.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from math import inf
from typing import Literal, TypeVar

import msgspec

from labbridge.knowledge.documents import NOT_SHIPPED, Fault, Row, Source, by_key, read_yaml
from labbridge.knowledge.pathway import Conditions
from labbridge.model.result import Family

FILE = "probabilities.yaml"
Antibody = Literal["SRP", "HMGCR"]
Unit = Literal["probability", "likelihood ratio", "losses of a false label", "tail"]
Where = dict[Antibody, tuple[Conditions, ...]]
_BOUNDS = {"probability": 1.0, "likelihood ratio": inf, "losses of a false label": inf, "tail": 0.5}
"""What a figure of each unit lies below; all lie above zero."""
_CHOSEN = ("losses of a false label", "tail")
MISSED, COST, SENSITIVITY, FALSE_POSITIVE = "loss-missed", "retest-cost", "retest-sensitivity", "retest-false-positive"
TAIL = "band-tail"
VALUE, PROBABILITY, RAISED, KEPT = "value", "probability", "raised", "kept"
NO_FIGURE, NO_PRIOR, NO_METHOD = "no-figure", "no-prior", "no-method"
SLOTS = ("antibody", "method", "value", "low", "high")
_SLOT = re.compile(rf"\{{(?:{'|'.join(SLOTS)})\}}")


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """One row: id, source, who reviewed it and when; `note` is for its reader."""

    id: str
    source: str
    reviewed: tuple[str, ...] = ()
    still_valid_on: str = ""
    note: str = ""


class Figure(Written, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number: what it means in words, its unit, the default and the ends of the range to vary it over (both or neither),
    and its tag of clinical.md."""

    means: str
    unit: Unit
    default: float
    low: float | None = None
    high: float | None = None
    tag: Literal["VERIFIED", "DERIVED", "CONVENTION"]

    @property
    def least(self) -> float:
        return self.default if self.low is None else self.low

    @property
    def most(self) -> float:
        return self.default if self.high is None else self.high


class Prior(Figure, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="prior"):
    """The probability, for either antibody, before any test of it, where any map of `when` holds."""

    when: tuple[Conditions, ...]


class Likelihood(Figure, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="likelihood"):
    """The likelihood ratio of a finding, for each antibody where any of its maps holds. Of one `test` one counts. `beside`:
    only beside a ratio of the antibody itself."""

    test: Literal["blot", "quant", "ip", "cba", "tissue", "hep2_iif", "multiplicity"]
    when: Where = {}
    beside: bool = False


class Setting(Figure, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="setting"):
    """A loss, a cost, or what is known of any second method (clinical.md E4)."""


class Listed(Figure, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="listed"):
    """A figure that nothing computes with. `refused`: no prior may have this value."""

    refused: bool = False


class Pair(Written, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="retest"):
    """The likelihood rows from which sensitivity and false-positive rate of a retest by these families follow."""

    antibody: Antibody
    families: tuple[Family, ...]
    positive: str
    negative: str


class Silent(Written, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="silent"):
    """Cases of an antibody of which no figure speaks, and why."""

    when: Where
    text: str


class Sentence(Written, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sentence"):
    """What the scientist reads beside a case; its slots are SLOTS."""

    text: str


Record = Prior | Likelihood | Setting | Listed | Pair | Silent | Sentence
R = TypeVar("R", bound=Written)


class Probabilities(msgspec.Struct, frozen=True):
    """The rows by id, in the order of the file; `places`: file and line of each."""

    rows: dict[str, Record] = {}
    places: dict[str, tuple[str, int]] = {}

    def of(self, kind: type[R]) -> tuple[R, ...]:
        """All rows of a kind."""
        return tuple(one for one in self.rows.values() if isinstance(one, kind))

    def by_id(self, kind: type[R], id: str) -> R:
        """The row of this kind and id. Any other id is a fault of the file, which was named when it was read (KeyError)."""
        found = self.rows[id]
        if not isinstance(found, kind):
            raise KeyError(id)
        return found

    def conditions(self) -> Iterator[tuple[str, Conditions]]:
        """Every map of conditions, with the id of its row."""
        for one in self.rows.values():
            if isinstance(one, Prior):
                yield from ((one.id, when) for when in one.when)
            elif isinstance(one, Likelihood | Silent):
                yield from ((one.id, when) for maps in one.when.values() for when in maps)

    def fault(self, id: str, message: str, repair: str) -> Fault:
        """A fault of this row, at the place where it stands."""
        file, line = self.places.get(id, (FILE, 1))
        return Fault(file, line, f"{id}: {message}", repair)


def holds(alternatives: Iterable[Conditions], facts: Mapping[str, str | bool]) -> bool:
    """Whether any of these maps holds. A fact that is not there meets nothing."""
    return any(
        all(name in facts and facts[name] in values_of(wanted) for name, wanted in when.items())
        for when in alternatives
    )


def values_of(wanted: str | bool | tuple[str | bool, ...]) -> tuple[str | bool, ...]:
    """The values that meet a condition."""
    return wanted if isinstance(wanted, tuple) else (wanted,)


def read_probabilities(sources: Sequence[Source], faults: list[Fault]) -> Probabilities:
    """The rows of these files, a site's over ours by id. Without the file there are none."""
    rows = [row for source in sources if source.name == FILE for row in read_yaml(source, faults)]
    read = [(row, one) for row in rows if (one := _record(row, faults)) is not None]
    ours = {one.id: one for row, one in read if not row.site}
    for row, one in read:
        if row.site and one.id in ours and _is(one) != _is(ours[one.id]):
            faults.append(row.fault(f"{one.id} is a {_is(ours[one.id])}.", "Keep its kind, or choose another id."))
    found = Probabilities(
        by_key(((row, one.id, one) for row, one in read), faults),
        {one.id: (row.file, row.line) for row, one in read},
    )
    faults += [found.fault(id, message, repair) for id, message, repair in _wrong(found)] if rows else []
    return found


def _record(row: Row, faults: list[Fault]) -> Record | None:
    if row.fields.get("tag") in NOT_SHIPPED:
        faults.append(row.fault(f"Tag {row.fields['tag']} does not ship.", "Find its source, or leave it out."))
        return None
    try:
        return msgspec.convert(row.fields, Record, strict=False)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        faults.append(row.fault(f"{error}.", "Compare with the records beside it."))
        return None


def _is(one: Record) -> str:
    return f"{one.unit} ({type(one).__name__.lower()})" if isinstance(one, Figure) else type(one).__name__.lower()


# ---------------------------------------------------------------- what cannot be used

Wrong = tuple[str, str, str]  # id, message, repair


def _wrong(found: Probabilities) -> Iterator[Wrong]:
    for figure in found.of(Figure):
        yield from _of_figure(figure)
    yield from _of_priors(found)
    yield from _of_likelihoods(found.of(Likelihood))
    yield from (wrong for pair in found.of(Pair) for wrong in _of_pair(pair, found.rows))
    yield from (wrong for sentence in found.of(Sentence) for wrong in _of_sentence(sentence))
    yield from _missing(found)


def _of_figure(one: Figure) -> Iterator[Wrong]:
    if (one.low is None) != (one.high is None):
        yield one.id, "half a range is none.", "Give `low` and `high`, or neither."
    elif not one.least <= one.default <= one.most:  # nor where one of them is no number
        yield one.id, "the default does not lie in its range.", "Mend `default`, `low` or `high`."
    elif not (one.least > 0 and one.most < _BOUNDS[one.unit]):
        yield one.id, f"it lies above 0 and below {_BOUNDS[one.unit]:g} ({one.unit}).", "Mend the figure."
    elif one.unit in _CHOSEN and one.low is not None:
        yield one.id, f"it is chosen and not varied ({one.unit}).", "Take `low` and `high` away."


def _of_priors(found: Probabilities) -> Iterator[Wrong]:
    refused = {one.default for one in found.of(Listed) if one.refused}
    for one in found.of(Prior):
        if one.default in refused:
            yield one.id, f"a prior of {one.default:g} is refused.", "Say what your own patients show."
    for one, other in combinations(found.of(Prior), 2):
        if _together(one.when, other.when):
            yield other.id, f"it can hold together with {one.id}.", "Let a fact keep the two apart."


def _of_likelihoods(every: Sequence[Likelihood]) -> Iterator[Wrong]:
    """CK chooses the prior, so it is no evidence beside it; and of one family one result counts (clinical.md E1)."""
    for likelihood in every:
        named = {name for maps in likelihood.when.values() for when in maps for name in when}
        if any("ck" in name.split("_") for name in named):
            yield likelihood.id, "CK chooses the prior and is no evidence beside it.", "Take the condition on CK away."
    for one, other in combinations(every, 2):
        both = [antibody for antibody in one.when if antibody in other.when and one.test == other.test]
        if any(_together(one.when[antibody], other.when[antibody]) for antibody in both):
            yield other.id, f"it can hold together with {one.id}, of the same test.", "Let a fact keep the two apart."


def _together(some: Iterable[Conditions], others: Iterable[Conditions]) -> bool:
    """Whether two rows can hold of one case, as far as their own conditions tell."""
    return any(not _apart(one, other) for one in some for other in others)


def _apart(one: Conditions, other: Conditions) -> bool:
    return any(name in other and set(values_of(one[name])).isdisjoint(values_of(other[name])) for name in one)


def _of_pair(pair: Pair, rows: Mapping[str, Record]) -> Iterator[Wrong]:
    ends = [rows.get(pair.positive), rows.get(pair.negative)]
    for id, end in zip((pair.positive, pair.negative), ends, strict=True):
        if not isinstance(end, Likelihood):
            yield pair.id, f"{id} is no likelihood.", "Name a row of `kind: likelihood`."
    positive, negative = ends
    if isinstance(positive, Likelihood) and isinstance(negative, Likelihood) and not positive.least > 1 > negative.most:
        yield pair.id, "a positive ratio is above 1 and a negative below, in all of its range.", "Name another pair."


def _of_sentence(one: Sentence) -> Iterator[Wrong]:
    """A slot is a bare name of SLOTS, and no other brace stands in the text."""
    rest = _SLOT.sub("", one.text)
    if "{" in rest or "}" in rest:
        yield one.id, "a slot is not known.", f"Use {', '.join(f'{{{slot}}}' for slot in SLOTS)}."


def _missing(found: Probabilities) -> Iterator[Wrong]:
    settings = (MISSED, COST, SENSITIVITY, FALSE_POSITIVE, TAIL)
    sentences = (VALUE, PROBABILITY, RAISED, KEPT, NO_FIGURE, NO_PRIOR, NO_METHOD)
    there = {one.id for one in (*found.of(Setting), *found.of(Sentence))}
    for id in (*settings, *sentences):
        if id not in there:
            yield id, "it is missing.", f"Take it from the shipped {FILE}."
