"""A row becomes what a laboratory would have sent: each column in its place, nothing filled in, nothing guessed."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest
from rows_tables import CK, COLUMNS, ROW, TABLES, observation, order, raw, report, row

from labbridge.errors import Refuse
from labbridge.model.report import EntityId, Identifier
from labbridge.model.values import Coding, Missing, SentText
from labbridge.rows.incoming import MEANINGS, OF_THE_ORDER, Reading, read_reports

WIDE = msgspec.structs.replace(
    TABLES,
    columns={"patient_id": "pat_no", "filler_order": "order_no", "collected": "taken"},
    parts={"result": "ANA", "ref_range": "ANA_TITRE", "remark": "ANA_PATTERN"},
)
TOGETHER = msgspec.structs.replace(TABLES, key=("order_no",))


def test_a_full_row() -> None:
    found = report()
    assert (found.sender, found.lane, found.message_type, found.control_id) == ("MYOLIS|LABA", "p:LABA|PT1", "ROW", "1")
    assert found.patient.identifiers == (Identifier("LABA", "PT1"),)
    assert (found.patient.family_name, found.patient.birth_date, found.patient.sex) == ("TEST", date(1969, 4, 17), "M")
    one = order()
    assert (one.filler, one.placer) == (EntityId("F1", "MYOLIS"), EntityId("PF1"))
    assert one.collected is not None
    assert one.collected.moment == datetime(2026, 11, 10, 9, 15, tzinfo=ZoneInfo("Europe/Paris"))
    assert one.specimens[0].filler == EntityId("T1", "MYOLIS")
    result = observation()
    assert result.codes == (Coding("SRPB", "Anti-SRP (line blot)", "L"),)
    assert result.values == (SentText("58"),)
    assert (result.unit, result.reference_range, result.status) == (Coding("intensity", "intensity"), "0-5", "F")
    assert result.flags == (Coding("A"),)
    assert (result.methods, result.notes, found.notes) == ((), (), ())
    assert result.at == "View.rows[0]"


def test_the_naive_hour_that_occurs_twice_is_marked_and_not_resolved() -> None:
    found = order(row(taken=datetime(2026, 10, 25, 2, 30))).collected
    assert found is not None
    assert found.ambiguous
    assert order(row(taken=datetime(2026, 10, 25, 3, 30))).collected.ambiguous is False  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("value", "values", "missing"),
    [
        (None, (), Missing.ABSENT),
        ("", (), Missing.ABSENT),
        ("   ", (), Missing.ABSENT),
        (0, (SentText("0"),), None),
        ("0", (SentText("0"),), None),
        (Decimal("0.0"), (SentText("0.0"),), None),
        ("neg", (SentText("neg"),), None),
    ],
)
def test_no_value_is_no_value_and_zero_is_zero(
    value: object, values: tuple[SentText, ...], missing: Missing | None
) -> None:
    found = observation(row(result=value))
    assert (found.values, found.missing) == (values, missing)


def test_an_empty_status_stays_empty() -> None:
    """What that means, the feed says (`empty_status`), and nobody else."""
    assert observation(row(state=None)).status == ""


def test_without_an_order_number_the_rows_own_key_is_the_orders() -> None:
    assert order(row(order_no=None)).filler == EntityId("1", "tables/row")


def test_what_was_ordered_is_the_test_where_no_column_says_it() -> None:
    assert order().service == (Coding("SRPB", "Anti-SRP (line blot)", "L"),)
    named = msgspec.structs.replace(TABLES, columns={**COLUMNS, "service_code": "remark"})
    assert order(row(remark="MYO"), feed=named).service == (Coding("MYO", "", "L"),)


def test_a_row_without_a_patient_is_kept_under_its_specimen_and_says_so() -> None:
    found = report(row(pat_no=None))
    assert (found.lane, found.patient.identifiers) == ("s:MYOLIS|T1", ())
    assert [(one.code, one.at) for one in found.notes] == [("N019", "View.rows[0].pat_no")]
    assert report(row(pat_no="  ", tube=None)).lane == "f:MYOLIS|LABA"


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("id", None, "101"),
        ("id", "  ", "101"),
        ("test", None, "101"),
        ("result", b"\x01", "102"),
        ("result", float("nan"), "102"),
        ("pat_no", "P\0T", "102"),
        ("remark", "\ud800", "102"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_column_and_without_its_value(
    column: str, value: object, code: str
) -> None:
    changes = {column: value} | ({"test_name": None} if column == "test" else {})
    with pytest.raises(Refuse) as refused:
        read_reports(raw(row(**changes)), TABLES)
    assert (refused.value.code, refused.value.location) == (code, f"View.rows[0].{column}")
    assert "PT1" not in refused.value.text


def test_a_column_that_the_configuration_names_and_the_row_does_not_have() -> None:
    less = {name: one for name, one in ROW.items() if name != "unit"}
    with pytest.raises(Refuse) as refused:
        read_reports(raw(less), TABLES)
    assert (refused.value.code, refused.value.location) == ("101", "View.rows[0].unit")


def test_a_wide_row_is_one_order_with_a_result_for_each_part_that_holds_one() -> None:
    found = order(row(result="positive", ref_range="1:320", remark=None), feed=WIDE)
    assert [(one.codes[0].code, one.values, one.missing) for one in found.observations] == [
        ("ANA", (SentText("positive"),), None),
        ("ANA_TITRE", (SentText("1:320"),), None),
        ("ANA_PATTERN", (), Missing.ABSENT),
    ]
    assert [one.at for one in found.observations] == [
        "View.rows[0].result",
        "View.rows[0].ref_range",
        "View.rows[0].remark",
    ]


def test_a_part_beside_a_code_is_no_result_where_it_holds_nothing() -> None:
    both = msgspec.structs.replace(TABLES, parts={"remark": "ANA_PATTERN"})
    assert len(order(feed=both).observations) == 1
    assert len(order(row(remark="AC-19"), feed=both).observations) == 2


def test_rows_that_belong_together_are_one_report() -> None:
    found = report(row(), row(**CK), feed=TOGETHER)
    assert found.control_id == "F1"
    assert [one.codes[0].code for one in found.orders[0].observations] == ["SRPB", "2157-6"]
    assert [one.at for one in found.orders[0].observations] == ["View.rows[0]", "View.rows[1]"]


@pytest.mark.parametrize("column", ["pat_no", "born", "order_no", "tube", "taken"])
def test_rows_of_different_patients_or_orders_are_never_one_report(column: str) -> None:
    other = datetime(2020, 1, 1) if column in ("born", "taken") else "OTHER"
    with pytest.raises(Refuse) as refused:
        report(row(), row(**{column: other}), feed=TOGETHER)
    assert (refused.value.code, refused.value.location) == ("204", f"View.rows[1].{column}")


def test_the_key_is_known_even_of_a_row_that_is_refused() -> None:
    assert Reading(raw(row(test=None, test_name=None)), TABLES).key() == "1"


def test_the_meanings_are_a_closed_list_and_what_is_of_the_order_is_among_them() -> None:
    assert set(OF_THE_ORDER) < set(MEANINGS)
    assert set(COLUMNS) <= set(MEANINGS)
    assert all(meaning for meaning in MEANINGS.values())
