"""C2: the category of one antibody result; comparators at every edge (clinical.md C1.6, C2; reliability.md H14)."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_build import METHODS, result
from interpret_lab import held, quantity, raised, seen, srp

from labbridge.interpret.categories import as_reported, category
from labbridge.model.result import Analyte, Band, Category, Limits, Result
from labbridge.model.values import Comparator, Grade, Quantity, Titre, Value, Word

NEG, EQUIVOCAL, LOW, STRONG = Category.NEG, Category.EQUIVOCAL, Category.POS_LOW, Category.POS_STRONG
ULP = Decimal("0.0001")


class Assay(NamedTuple):
    """A row of the table in C2, as intervals: where each category begins, and whether that number still belongs to
    the category below."""

    name: str
    begins: tuple[tuple[Category, str, bool], ...]

    @property
    def limits(self) -> Limits:
        return Limits(tuple(Band(its, Decimal(low), above_only=above) for its, low, above in self.begins), self.name)

    def of(self, number: Decimal) -> Category:
        """The category of a number, read off the intervals from the top."""
        for its, low, above in reversed(self.begins):
            if number > Decimal(low) or (number == Decimal(low) and not above):
                return its
        return NEG


LINE = Assay("line blot", ((EQUIVOCAL, "6", False), (LOW, "11", False), (STRONG, "26", False)))
DOT = Assay("dot blot", ((EQUIVOCAL, "5", False), (LOW, "10", True), (STRONG, "30", False)))
KIT = Assay("cut-off 20", ((LOW, "20", False), (STRONG, "60", False)))
SENT = Assay("reference <=20", ((LOW, "20", True), (STRONG, "60", False)))
ABOVE = Assay("strong above 60", ((LOW, "20", True), (STRONG, "60", True)))
WEAK = Assay("no strong grade", ((LOW, "20", False),))
ASSAYS = (LINE, DOT, KIT, SENT, ABOVE, WEAK)
ids = [one.name for one in ASSAYS]


def antibody(value: Value, assay: Assay | None = None, family: str = "blot", grade: Grade | None = None) -> Result:
    limits = assay.limits if assay else None
    return result(Analyte.SRP, "A", method=METHODS[family], value=value, limits=limits, grade=grade)


def edges(assay: Assay) -> list[Decimal]:
    """Every limit with one step either side, nothing, and a number far above."""
    lows = [Decimal(low) for _its, low, _above in assay.begins]
    return [Decimal(0), *(low + step for low in lows for step in (-ULP, Decimal(0), ULP)), Decimal(500)]


@pytest.mark.parametrize("assay", ASSAYS, ids=ids)
def test_a_plain_number_is_in_the_interval_it_lies_in(assay: Assay) -> None:
    wrong = [x for x in edges(assay) if category(antibody(Quantity(x, "u"), assay)) is not assay.of(x)]
    assert wrong == []


@pytest.mark.parametrize(
    ("assay", "number", "wanted"),
    [
        (LINE, "5.99", NEG),
        (LINE, "6", EQUIVOCAL),
        (LINE, "10.99", EQUIVOCAL),
        (LINE, "11", LOW),
        (LINE, "25.99", LOW),
        (LINE, "26", STRONG),
        (DOT, "4.99", NEG),
        (DOT, "5", EQUIVOCAL),
        (DOT, "10", EQUIVOCAL),
        (DOT, "10.01", LOW),
        (DOT, "29.99", LOW),
        (DOT, "30", STRONG),
        (KIT, "19.99", NEG),
        (KIT, "20", LOW),
        (KIT, "59.99", LOW),
        (KIT, "60", STRONG),
        (SENT, "20", NEG),
        (SENT, "20.01", LOW),
    ],
)
def test_the_table_of_c2(assay: Assay, number: str, wanted: Category) -> None:
    assert category(antibody(quantity(number), assay)) is wanted


def possible(comparator: Comparator, number: Decimal, assay: Assay) -> set[Category]:
    """The categories that the true value may have: every limit and the sent number, with quarter steps around them."""
    around = [*edges(assay), number]
    steps = [Decimal(step) * ULP / 4 for step in range(-5, 6)]
    values = {value + step for value in around for step in steps if value + step >= 0}
    meets = {
        Comparator.LESS: lambda true: true < number,
        Comparator.LESS_OR_EQUAL: lambda true: true <= number,
        Comparator.GREATER: lambda true: true > number,
        Comparator.GREATER_OR_EQUAL: lambda true: true >= number,
    }[comparator]
    return {assay.of(value) for value in values if meets(value)}


@pytest.mark.parametrize("comparator", [one for one in Comparator if one is not Comparator.EQUAL])
@pytest.mark.parametrize("assay", ASSAYS, ids=ids)
def test_a_comparator_decides_only_where_nothing_else_is_possible(assay: Assay, comparator: Comparator) -> None:
    """`<x` is NEG or open, `>x` is POS_STRONG or open; `<0.5` never becomes 0.5."""
    wrong = []
    for number in edges(assay)[1:]:
        may_be = possible(comparator, number, assay)
        settled = NEG if comparator.below else STRONG
        wanted = settled if may_be == {settled} else None
        found = category(antibody(Quantity(number, "u", comparator), assay))
        if found is not wanted:
            wrong.append((comparator, number, may_be, found))
    assert wrong == []


@pytest.mark.parametrize(
    ("value", "assay", "wanted"),
    [
        (quantity("6", "<"), LINE, NEG),
        (quantity("6.1", "<"), LINE, None),
        (quantity("6", "<="), LINE, None),
        (quantity("20", "<="), SENT, NEG),
        (quantity("26", ">"), LINE, STRONG),
        (quantity("25.9", ">"), LINE, None),
        (quantity("200", ">"), WEAK, None),
    ],
)
def test_comparators_as_c1_writes_them(value: Quantity, assay: Assay, wanted: Category | None) -> None:
    assert category(antibody(value, assay)) is wanted


@given(
    st.sampled_from(ASSAYS),
    st.sampled_from(list(Comparator)),
    st.decimals("0", "600", places=2),
    st.sampled_from(list(Grade)),
)
def test_a_number_with_limits_comes_before_the_words(
    assay: Assay, comparator: Comparator, number: Decimal, grade: Grade
) -> None:
    value = Quantity(number, "u", comparator)
    assert category(antibody(value, assay, grade=grade)) is category(antibody(value, assay))


# ---------------------------------------------------------------- words

OF_GRADE = {
    Grade.NEG: NEG,
    Grade.EQUIVOCAL: EQUIVOCAL,
    Grade.POS_LOW: LOW,
    Grade.POSITIVE: LOW,  # a bare "positive" is not assumed to be strong
    Grade.POS_STRONG: STRONG,
}


@pytest.mark.parametrize("grade", list(Grade))
@pytest.mark.parametrize("family", ["blot", "quant", "ip", "cba", "tissue"])
def test_the_grade_of_each_family(family: str, grade: Grade) -> None:
    plain = OF_GRADE[grade]
    wanted = plain
    if plain.positive:
        wanted = {"ip": STRONG, "cba": STRONG, "tissue": EQUIVOCAL}.get(family, plain)
    assert category(antibody(Word(grade, "as sent"), family=family)) is wanted


@pytest.mark.parametrize("grade", list(Grade))
def test_the_grade_beside_a_number_without_limits(grade: Grade) -> None:
    assert category(antibody(quantity("40"), grade=grade)) is OF_GRADE[grade]


def test_the_words_of_the_value_come_before_the_grade_beside_it() -> None:
    assert category(antibody(Word(Grade.NEG, "negative"), grade=Grade.POS_STRONG)) is NEG


@pytest.mark.parametrize(
    ("family", "comparator", "wanted"),
    [("tissue", "=", EQUIVOCAL), ("tissue", "<", NEG), ("tissue", "<=", NEG), ("tissue", ">", EQUIVOCAL)],
)
def test_a_titre(family: str, comparator: str, wanted: Category) -> None:
    assert category(antibody(Titre(Decimal(160), Comparator(comparator)), family=family)) is wanted


def test_positive_by_its_number_is_strong_by_immunoprecipitation() -> None:
    assert category(antibody(quantity("21"), KIT, "ip")) is STRONG
    assert category(antibody(quantity("19"), KIT, "ip")) is NEG


def test_what_the_laboratory_reported_is_kept_apart_from_what_tissue_may_say() -> None:
    positive, doubtful = (antibody(Word(one, "x"), family="tissue") for one in (Grade.POSITIVE, Grade.EQUIVOCAL))
    assert (as_reported(positive), as_reported(doubtful)) == (LOW, EQUIVOCAL)
    assert category(positive) is category(doubtful) is EQUIVOCAL


def test_nothing_said_is_no_category() -> None:
    assert category(result(Analyte.SRP, "A", method=METHODS["blot"])) is None
    assert category(antibody(quantity("40"))) is None  # a number without limits and without words


# ---------------------------------------------------------------- censored results hold (C1.6)


def test_an_open_comparator_holds_its_antibody() -> None:
    found = seen(srp("POS_LOW", value=quantity("15", "<")))
    assert held(found) == {"RESULT_CENSORED"}
    assert (found.srp.state, found.srp.pending, found.anchor) == ("NOT_TESTED", True, None)


def test_an_open_comparator_decided_upon_is_no_result() -> None:
    one = srp("POS_LOW", value=quantity("15", "<"))
    found = seen(one, decided=frozenset({one.ref}))
    assert raised(found) == set()
    assert (found.srp.state, found.srp.pending, found.srp.prior) == ("NOT_TESTED", False, False)


@pytest.mark.parametrize(("sent", "state"), [("<", "NEG"), (">", "POS_STRONG")])
def test_a_comparator_that_decides_holds_nothing(sent: str, state: str) -> None:
    found = seen(srp("NEG", value=quantity("6" if sent == "<" else "26", sent)))
    assert held(found) == set()
    assert found.srp.state == state
