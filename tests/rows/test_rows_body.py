"""A row as bytes: every kind of value told apart, numbers in their digits, and nothing lost."""

from __future__ import annotations

import base64
import json
import math
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.errors import Refuse
from labbridge.rows import body, cells
from labbridge.rows.body import Cell, Number

CELLS: st.SearchStrategy[Cell] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12),
    st.floats(),
    st.text(),
    st.text(st.characters(codec=None, categories=("Cs", "L"))),
    st.text(" \t\0ab").map(lambda text: f"{text}  "),
    st.binary(max_size=40),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.times(),
    st.uuids(),
)


def kept(cell: Cell) -> object:
    (row,) = body.decode(body.encode("v", [{"c": cell}])).rows
    return row["c"]


def again(found: object, like: Cell) -> object:
    """A kept value as it was read from the driver."""
    if isinstance(found, Number):
        return Decimal(found) if isinstance(like, Decimal) else float(found) if isinstance(like, float) else int(found)
    if isinstance(found, dict):
        ((kind, value),) = found.items()
        if kind == "binary":
            return base64.b64decode(value)
        if kind == "utf16":
            return base64.b64decode(value).decode("utf-16-le", "surrogatepass")
        if kind == "float":
            return float(value)
        return {"timestamp": datetime, "date": date, "time": time}[kind].fromisoformat(value)
    return uuid.UUID(str(found)) if isinstance(like, uuid.UUID) else found


@settings(max_examples=1500)
@given(CELLS)
def test_every_value_comes_back_as_it_was_with_its_kind(cell: Cell) -> None:
    found = again(kept(cell), cell)
    if isinstance(cell, float) and math.isnan(cell):
        assert isinstance(found, float)
        assert math.isnan(found)
        return
    assert found == cell
    assert type(found) is type(cell)
    if isinstance(cell, Decimal):
        assert str(found) == str(cell)


@settings(max_examples=1500)
@given(CELLS, CELLS)
def test_values_that_differ_are_different_bytes(one: Cell, other: Cell) -> None:
    same = type(one) is type(other) and (one == other or one != one) and repr(one) == repr(other)
    if isinstance(one, uuid.UUID) or isinstance(other, uuid.UUID):
        return
    equal = body.encode("v", [{"c": one}]) == body.encode("v", [{"c": other}])
    numbers = all(isinstance(each, int | float | Decimal) and not isinstance(each, bool) for each in (one, other))
    assert equal == same or (numbers and equal and str(one) == str(other))


@settings(max_examples=600)
@given(CELLS)
def test_a_value_is_a_text_or_is_said_to_be_none(cell: Cell) -> None:
    """Nothing is raised but that, and nothing stands for a value that is not there."""
    try:
        found = cells.text(kept(cell))
    except cells.NoText:
        odd = isinstance(cell, str) and ("\0" in cell or any("\ud800" <= char <= "\udfff" for char in cell))
        assert odd or isinstance(cell, bytes) or (isinstance(cell, float) and not math.isfinite(cell))
        return
    assert isinstance(found, str)
    assert found == "" if cell is None else True
    if isinstance(cell, int | float | Decimal) and not isinstance(cell, bool):
        assert found != ""
        assert Decimal(found) == Decimal(repr(cell) if isinstance(cell, float) else str(cell))


def test_null_an_empty_text_zero_and_blanks_are_four_things() -> None:
    found = [body.encode("v", [{"c": one}]) for one in (None, "", 0, "  ")]
    assert len(set(found)) == 4
    assert found[0] == b'{"view":"v","rows":[{"c":null}]}'
    assert cells.text(kept(0)) == "0"
    assert cells.text(kept(Decimal("0.00"))) == "0.00"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Decimal("12.30"), "12.30"),
        (Decimal("1E+3"), "1000"),
        (1e22, "10000000000000000000000"),
        (0.1, "0.1"),
        (True, "true"),
        ("  7.5  ", "7.5"),
        ("<0.5", "<0.5"),
        (datetime(2026, 10, 25, 2, 30), "2026-10-25T02:30:00"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=2))), "2026-10-25T02:30:00+02:00"),
        (date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_a_value_as_the_text_of_a_result(cell: Cell, text: str) -> None:
    assert cells.text(kept(cell)) == text


def test_a_number_is_written_with_the_feeds_decimal_mark_and_a_text_as_it_stands() -> None:
    assert cells.text(kept(Decimal("12.30")), ",") == "12,30"
    assert cells.text(kept("12.30"), ",") == "12.30"


@pytest.mark.parametrize("cell", [b"\x00\x01", float("nan"), float("inf"), "a\0b", "\ud800"])
def test_what_is_no_text_is_said_to_be_none(cell: Cell) -> None:
    with pytest.raises(cells.NoText):
        cells.text(kept(cell))


NO_ROWS = (b"", b"[]", b'{"view":"v"}', b'{"view":"v","rows":[]}', b'{"view":"v","rows":[1]}', b"\xff")


@pytest.mark.parametrize("rows", NO_ROWS)
def test_bytes_that_are_no_rows_are_refused_with_their_place(rows: bytes) -> None:
    with pytest.raises(Refuse) as refused:
        body.decode(rows)
    assert (refused.value.code, refused.value.location) == ("100", "View")


def test_rows_are_told_from_a_body_of_fhir_by_their_beginning() -> None:
    raw = body.encode("v", [{"c": 1}])
    assert body.is_rows(raw)
    assert body.is_rows(json.dumps(json.loads(raw), indent=2).encode())
    assert not body.is_rows(b'{"resourceType":"Bundle","view":1}')
    assert not body.is_rows(b"MSH|^~\\&|")
