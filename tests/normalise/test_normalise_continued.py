"""Observations that go on in the next one (standards.md 2.2), and the texts and unit an observation sends."""

from __future__ import annotations

from typing import Any

import pytest
from panels import CK, UL, ck, local, obx

from labbridge.model.report import Observation, PlacedNote
from labbridge.model.values import Coding, Missing, SentCoding, SentStructured, SentText
from labbridge.normalise.sent import continued, texts_of, unit_of

PATTERN = local("ANAP", "HEp-2 pattern")


def joined(*observations: Observation) -> tuple[list[Observation], list[str]]:
    notes: list[PlacedNote] = []
    return continued(observations, notes), [f"{one.code} {one.at}" for one in notes]


def further(value: str, at: str = "OBX[2]", **more: Any) -> Observation:
    return obx(PATTERN, value, at=at, **{"status": "", **more})


def test_a_second_line_without_a_status_goes_on_with_the_first() -> None:
    found, notes = joined(obx(PATTERN, "fine speckled", notes=("a",)), further("of the cytoplasm", notes=("b",)))
    assert [one.values for one in found] == [(SentText("fine speckled"), SentText("of the cytoplasm"))]
    assert found[0].at == "OBX[1]"
    assert found[0].status == "F"
    assert found[0].notes == ("a", "b")
    assert notes == ["N016 OBX[2]"]


def test_a_third_line_goes_on_as_well() -> None:
    found, notes = joined(obx(PATTERN, "fine"), further("speckled"), further("cytoplasm", at="OBX[3]"))
    assert len(found) == 1
    assert len(found[0].values) == 3
    assert notes == ["N016 OBX[2]", "N016 OBX[3]"]


def test_a_first_line_without_a_value_takes_the_value_of_the_next() -> None:
    found, _notes = joined(obx(PATTERN, Missing.ABSENT), further("speckled"))
    assert found[0].values == (SentText("speckled"),)
    assert found[0].missing is None


def test_an_empty_further_line_leaves_the_absence_as_it_was() -> None:
    found, _notes = joined(obx(PATTERN, Missing.NULL), further(""))
    assert found[0].values == ()
    assert found[0].missing is Missing.NULL


@pytest.mark.parametrize(
    "own",
    [
        {"status": "F"},
        {"status": "P"},
        {"unit": UL},
        {"reference_range": "0-10"},
        {"flags": (Coding("H"),)},
        {"sub_id": "2"},
        {"codes": local("ANAT")},
        {"codes": ()},
    ],
    ids=lambda own: next(iter(own)),
)
def test_a_line_with_something_of_its_own_stands_for_itself(own: dict[str, Any]) -> None:
    fields = {"at": "OBX[2]", "codes": PATTERN, "values": (SentText("x"),), **own}
    found, notes = joined(obx(PATTERN, "fine"), Observation(**fields))
    assert len(found) == 2
    assert notes == []


def test_lines_that_never_state_a_status_are_not_joined() -> None:
    """A sender that leaves OBX-11 empty everywhere sends two results, not one in two parts."""
    found, notes = joined(further("1", at="OBX[1]"), further("2"))
    assert len(found) == 2
    assert notes == []


def test_two_values_of_one_joined_number_are_not_read_as_either() -> None:
    found, _notes = joined(ck("312"), obx(CK, "4100", at="OBX[2]", status=""))
    assert found[0].values == (SentText("312"), SentText("4100"))


def test_nothing_goes_on_from_nothing() -> None:
    assert joined() == ([], [])


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        (None, ""),
        (Coding("U/L"), "U/L"),
        (Coding("", "units per litre"), "units per litre"),
        (Coding("  ", "U/L"), "U/L"),
        (Coding(" U/L "), "U/L"),
        (Coding("ukat/L", "microkatal"), "ukat/L"),
    ],
)
def test_the_unit_as_sent(unit: Coding | None, text: str) -> None:
    assert unit_of(obx(CK, "1", unit=unit)) == text


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (SentText("AC-19"), ["AC-19"]),
        (SentCoding((Coding("AC-19", "dense fine speckled"),)), ["AC-19 dense fine speckled"]),
        (SentCoding((Coding("AC-19"), Coding("X", "alternate"))), ["AC-19", "X alternate"]),
        (SentCoding((Coding("AC-19"),), "as the reader wrote it"), ["AC-19", "as the reader wrote it"]),
        (SentStructured("<", "1", ":", "80"), []),
        (Missing.ABSENT, []),
    ],
)
def test_the_texts_of_a_value(value: Any, texts: list[str]) -> None:
    assert texts_of(obx(PATTERN, value)) == texts
