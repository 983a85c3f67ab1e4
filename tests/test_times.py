"""Times: precision kept, offsets in their order, the autumn hour in doubt, and nothing guessed from garbage."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge import times

BERLIN = times.zone("Europe/Berlin")
NEW_YORK = times.zone("America/New_York")
PLUS_ONE = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("text", "iso", "has_time"),
    [
        ("20260312", "2026-03-12T00:00:00+01:00", False),
        ("2026031208", "2026-03-12T08:00:00+01:00", True),
        ("202603120830", "2026-03-12T08:30:00+01:00", True),
        ("20260312083015", "2026-03-12T08:30:15+01:00", True),
        ("20260312083015.5", "2026-03-12T08:30:15.500000+01:00", True),
        ("20260312083015.1234", "2026-03-12T08:30:15.123400+01:00", True),
        ("20260312083015.123456789", "2026-03-12T08:30:15.123456+01:00", True),
        ("20260312083015-0500", "2026-03-12T08:30:15-05:00", True),
        ("202603120830+0545", "2026-03-12T08:30:00+05:45", True),
        ("20260712083015", "2026-07-12T08:30:15+02:00", True),
        ("20240229", "2024-02-29T00:00:00+01:00", False),
        ("2026-03-12", "2026-03-12T00:00:00+01:00", False),
        ("2026-03-12T08:30", "2026-03-12T08:30:00+01:00", True),
        ("2026-03-12 08:30:15", "2026-03-12T08:30:15+01:00", True),
        ("2026-03-12T08:30:15.25Z", "2026-03-12T08:30:15.250000+00:00", True),
        ("2026-03-12T08:30:15+02:00", "2026-03-12T08:30:15+02:00", True),
        (" 20260312083015 ", "2026-03-12T08:30:15+01:00", True),
    ],
)
def test_every_picture(text: str, iso: str, has_time: bool) -> None:
    found = times.timestamp(text, BERLIN)
    assert found is not None
    assert (found.moment.isoformat(), found.has_time, found.text, found.ambiguous) == (iso, has_time, text, False)


@pytest.mark.parametrize(
    "text",
    [
        "", "2026", "202603", "2026031", "Aug 99, 9999", "20260230", "20261301", "20260312246000", "20260312083060x",
        "2026031208300", "+0100", "20260312083015+01", "20260312083015+2500", "20260312083015+0160", "20260312083015Z",
        "00000101", "٢٠٢٦٠٣١٢", "2026-3-12", "12.03.2026", "03/12/2026", '""', "NULL", "20260312083015.", "1" * 10_000,
        "00010101000000+1200", "99991231235959-1200", "2026-13-40T00:00",
    ],
)  # fmt: skip
def test_garbage_is_no_time(text: str) -> None:
    assert times.timestamp(text, BERLIN) is None


def test_a_day_at_the_end_of_the_calendar_that_names_no_instant_is_no_time() -> None:
    assert times.timestamp("00010101", times.zone("Asia/Tokyo")) is None
    assert times.timestamp("00010102", times.zone("Asia/Tokyo")) is not None


def test_the_own_offset_counts_before_that_of_msh_7_and_that_before_the_zone() -> None:
    def hour(text: str, default: timezone | None) -> int:
        found = times.timestamp(text, NEW_YORK, default)
        assert found is not None
        return found.moment.astimezone(UTC).hour

    assert hour("20260312120000+0300", PLUS_ONE) == 9
    assert hour("20260312120000", PLUS_ONE) == 11
    assert hour("20260312120000", None) == 16


def test_the_day_is_the_feeds_day() -> None:
    found = times.timestamp("20260312233000-0500", BERLIN)
    assert found is not None
    assert found.day == date(2026, 3, 13)
    plain = times.timestamp("20260312", BERLIN, timezone(timedelta(hours=-11)))
    assert plain is not None
    assert (plain.day, plain.moment.tzinfo) == (date(2026, 3, 12), BERLIN)


@pytest.mark.parametrize(
    ("text", "default", "ambiguous"),
    [
        ("20261025023000", None, True), ("20261025013000", None, False), ("20261025030000", None, False),
        ("20260329023000", None, True), ("20260329013000", None, False), ("20261025023000+0100", None, False),
        ("20261025023000", PLUS_ONE, False), ("20261025", None, False), ("2026-10-25T02:30:00", None, True),
    ],
)  # fmt: skip
def test_the_hour_that_occurs_twice_or_never_is_in_doubt(text: str, default: timezone | None, ambiguous: bool) -> None:
    found = times.timestamp(text, BERLIN, default)
    assert found is not None
    assert found.ambiguous is ambiguous


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("20260314101522+0100", timedelta(hours=1)), ("20260314101522.1234-0330", -timedelta(hours=3, minutes=30)),
        ("2026-03-14T10:15:22Z", timedelta()), ("2026-03-14T10:15:22+05:30", timedelta(hours=5, minutes=30)),
    ],
)  # fmt: skip
def test_the_offset_of_msh_7(text: str, offset: timedelta) -> None:
    found = times.offset_of(text)
    assert found is not None
    assert found.utcoffset(None) == offset


@pytest.mark.parametrize("text", ["", "20260314101522", "junk", "20260314101522+9900", "20260314101522+0199", "9" * 99])
def test_no_offset(text: str) -> None:
    assert times.offset_of(text) is None


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("19710205", date(1971, 2, 5)), ("197102050000", date(1971, 2, 5)), ("19710205000000+1200", date(1971, 2, 5)),
        ("19710205233000-1100", date(1971, 2, 5)), ("1971-02-05", date(1971, 2, 5)), ("1971", None), ("197102", None),
        ("", None), ("Aug 99, 9999", None), ("19710230", None), ("19710205junk", None), ('""', None), ("1" * 99, None),
    ],
)  # fmt: skip
def test_birth_date(text: str, day: date | None) -> None:
    assert times.birth_date(text) == day


def test_written_with_offset() -> None:
    moment = datetime(2026, 3, 14, 10, 15, 23, 999, tzinfo=UTC)
    assert times.written(moment) == "20260314101523+0000"
    assert times.written(moment.astimezone(NEW_YORK)) == "20260314061523-0400"


ZONES = st.sampled_from([BERLIN, NEW_YORK, times.zone("Asia/Kolkata"), times.zone("Australia/Lord_Howe"), UTC])


@settings(max_examples=150, deadline=None)
@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60), ZONES)
def test_what_we_write_reads_back_as_the_same_instant(local: datetime, minutes: int, zone: timezone) -> None:
    moment = local.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    found = times.timestamp(times.written(moment), zone)
    assert found is not None
    assert found.moment == moment
    assert found.day == moment.astimezone(zone).date()
    assert not found.ambiguous


@settings(max_examples=150, deadline=None)
@given(st.datetimes(datetime(1970, 1, 1), datetime(2037, 1, 1)), ZONES)
def test_without_offset_the_local_picture_is_kept(local: datetime, zone: timezone) -> None:
    found = times.timestamp(local.strftime("%Y%m%d%H%M%S"), zone)
    assert found is not None
    assert found.moment.replace(tzinfo=None) == local.replace(microsecond=0)
    exists_once = [local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)]
    assert found.ambiguous is (exists_once[0] != exists_once[1])


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30) | st.text("0123456789+-:.TZ ", max_size=30))
def test_no_text_raises(text: str) -> None:
    found = times.timestamp(text, BERLIN)
    times.birth_date(text)
    times.offset_of(text)
    if found is not None:
        assert found.text == text
        assert found.moment.tzinfo is not None
        assert found.moment.astimezone(UTC).year >= 1
