"""Rows of an archive become what a message would have said: each column in its place, nothing filled in."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge import times
from labbridge.errors import Refuse
from labbridge.model.report import EntityId, Identifier, Observation, Order
from labbridge.model.values import Coding, Missing, SentText
from labbridge.model.work import Feed
from labbridge.rows import archive
from labbridge.rows.archive import COLUMNS, Row

FEED = Feed(name="myolis", sender="MYOLIS|LABA", timezone="Europe/Paris")
FULL = Row(
    number="7", patient="P1", authority="HOSP", birth_date="19690417", sex="M", family_name="TEST", order="F1", placer="PL1",
    specimen_id="T1", specimen="SER", collected="2024-03-05 08:10", received="20240305110000+0100",
    reported="2024-03-05T15:30:00Z", system="LN", code="2157-6", name="Creatine kinase", value="120", unit="U/L",
    reference_range="26-170", flag="N", status="F", method="enzymatic", kit="cobas", lot="L1", note="weak",
    laboratory="LABA",
    sender="OTHER|LABB",
)  # fmt: skip


def order(*rows: Row) -> Order:
    (found,) = archive.report(rows, FEED, "LABA").orders
    return found


def observation(row: Row) -> Observation:
    (found,) = order(row).observations
    return found


def test_a_full_row() -> None:
    found = archive.report([FULL], FEED, "LABA", "export.csv")
    assert (found.feed, found.sender, found.control_id, found.lane) == (
        "myolis",
        "OTHER|LABB",
        "export.csv",
        "p:HOSP|P1",
    )
    patient = found.patient
    assert patient.identifiers == (Identifier("HOSP", "P1"),)
    assert (patient.birth_date, patient.sex, patient.family_name) == (date(1969, 4, 17), "M", "TEST")
    one = order(FULL)
    assert (one.filler, one.placer, one.at) == (EntityId("F1"), EntityId("PL1"), "order[7]")
    assert one.collected is not None
    assert one.received is not None
    assert one.reported is not None
    assert one.collected.moment.isoformat() == "2024-03-05T08:10:00+01:00"  # in the feed's zone
    assert one.received.moment.isoformat() == "2024-03-05T11:00:00+01:00"
    assert one.reported.moment == datetime(2024, 3, 5, 15, 30, tzinfo=UTC)
    (tube,) = one.specimens
    assert (tube.filler, tube.type) == (EntityId("T1"), (Coding("SER", "SER"),))


def test_its_observation() -> None:
    one = observation(FULL)
    assert one.codes == (Coding("2157-6", "Creatine kinase", "LN"),)
    assert (one.values, one.missing, one.unit) == ((SentText("120"),), None, Coding("U/L", "U/L"))
    assert (one.reference_range, one.status, one.flags) == ("26-170", "F", (Coding("N"),))
    assert (one.methods, one.equipment, one.lots) == ((Coding("", "enzymatic", "L"),), ("cobas",), ("L1",))
    assert (one.notes, one.laboratory, one.at) == (("weak",), "LABA", "row[7]")


def test_an_empty_row_says_nothing() -> None:
    found = archive.report([Row()], FEED, "LABA")
    assert (found.lane, found.sent, found.sender) == ("", None, "MYOLIS|LABA")
    assert (found.patient.identifiers, found.patient.birth_date, found.patient.sex) == ((), None, "")
    one = observation(Row())
    assert (one.values, one.missing, one.unit, one.status) == ((), Missing.ABSENT, None, "")
    assert (one.flags, one.methods, one.equipment, one.notes, one.lots) == ((), (), (), (), ())
    assert order(Row()).specimens == ()


def test_no_row_is_no_report() -> None:
    with pytest.raises(ValueError, match="no row"):
        archive.report([], FEED, "LABA")


def test_rows_of_one_number_are_one_order() -> None:
    rows = [Row(order="F1", code="A"), Row(order="F2", code="B"), Row(order="F1", code="C")]
    orders = archive.report(rows, FEED, "").orders
    assert [[one.codes[0].code for one in found.observations] for found in orders] == [["A", "C"], ["B"]]


def test_without_a_number_specimen_and_time_tell_orders_apart() -> None:
    rows = [
        Row(specimen_id="T1", collected="2024-03-05", code="A"), Row(specimen_id="T1", collected="2024-03-05", code="B"),
        Row(specimen_id="T1", collected="2024-03-06", code="C"), Row(specimen_id="T2", collected="2024-03-05", code="D"),
    ]  # fmt: skip
    orders = archive.report(rows, FEED, "").orders
    assert [[one.codes[0].code for one in found.observations] for found in orders] == [["A", "B"], ["C"], ["D"]]


def test_the_patient_as_the_newest_row_that_states_it() -> None:
    rows = [Row(patient="P1", family_name="OLD", sex="F"), Row(patient="P1", family_name="NEW"), Row(patient="P1")]
    patient = archive.report(rows, FEED, "LABA").patient
    assert (patient.family_name, patient.sex) == ("NEW", "F")


@pytest.mark.parametrize(
    ("row", "moment"),
    [
        (
            Row(received="2024-03-05 11:00", reported="2024-03-06 11:00", collected="2024-03-04"),
            "2024-03-05T11:00:00+01:00",
        ),
        (Row(reported="2024-03-06 11:00", collected="2024-03-04"), "2024-03-06T11:00:00+01:00"),
        (Row(received="soon", collected="2024-03-04"), "2024-03-04T00:00:00+01:00"),
        (Row(received="soon", collected="later"), None),
    ],
)
def test_when_a_row_came(row: Row, moment: str | None) -> None:
    found = archive.received_of(row, times.zone("Europe/Paris"))
    assert (found.isoformat() if found else None) == moment


@given(st.lists(st.builds(Row, **{name: st.text(max_size=8) for name in ("number", *COLUMNS)}), min_size=1, max_size=4))
def test_rows_are_kept_as_they_stood(rows: list[Row]) -> None:
    raw = archive.packed(rows)
    assert archive.is_archived(raw)
    assert archive.message_of(raw) == b""
    assert archive.unpacked(raw) == rows


@given(st.binary(max_size=40))
def test_a_message_is_kept_as_it_stood(message: bytes) -> None:
    raw = archive.wrapped(message)
    assert archive.is_archived(raw)
    assert archive.message_of(raw) == message


@pytest.mark.parametrize("body", [b"", b"[", b"{}", b"[]", b'[{"patient": 1}]', b"\xff"])
def test_what_is_no_rows_is_refused(body: bytes) -> None:
    with pytest.raises(Refuse, match="not rows of an archive"):
        archive.reports_of(archive.MAGIC + body, FEED)


@pytest.mark.parametrize("raw", [b"MSH|^~\\&|", b"{}", b"", b"labbridge"])
def test_what_came_by_a_feed_is_no_archive(raw: bytes) -> None:
    assert not archive.is_archived(raw)


def test_who_gave_the_number_stands_in_the_row() -> None:
    assert archive.owned(Row(patient="P1"), "LABA").authority == "LABA"
    assert archive.owned(FULL, "LABA") is FULL
