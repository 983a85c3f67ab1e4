"""Rows that are known, and how far a feed has come, in both stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import msgspec
import pytest

from labbridge import receiving_rows
from labbridge.model.work import Arrival
from labbridge.states import State
from labbridge.store import opening, polls
from labbridge.store.polls import StorePolls
from labbridge.store.writer import Writer
from tests.rows.rows_tables import TABLES, row

NOW = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: object) -> str:
    return f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else str(request.getfixturevalue("emptied"))


@pytest.fixture
def writer(url: str) -> Iterator[Writer]:
    with opening.held(url) as store:
        found = Writer(store.writer())
        yield found
        found.close()


def arrival(**more: object) -> Arrival:
    return receiving_rows.read("results_v", [row(**more)], TABLES, "tables", NOW)


def keep(writer: Writer, *arrivals: Arrival) -> int:
    return StorePolls(writer).keep([(one, receiving_rows.event(one)) for one in arrivals])


def test_a_row_is_kept_once_and_another_version_of_it_too(url: str, writer: Writer) -> None:
    one, other = arrival(), arrival(result="3")
    assert keep(writer, one, other, arrival(id=2)) == 3
    assert keep(writer, one, other) == 0
    with closing(opening.reader(url)) as store:
        rows = store.execute("SELECT feed, message_type, state, duplicates FROM journal").fetchall()
        assert [tuple(found) for found in rows] == [("tables", "ROW", "kept", 0)] * 3
        assert store.execute("SELECT count(*) FROM work").fetchone()[0] == 3
        assert store.execute("SELECT count(*) FROM audit WHERE action = 'received'").fetchone()[0] == 3


def test_of_many_rows_those_that_are_known_are_left_out(url: str, writer: Writer) -> None:
    first = [arrival(id=number, order_no=f"F{number}") for number in range(250)]
    assert keep(writer, *first) == 250
    assert keep(writer, *first[200:], *(arrival(id=number, order_no=f"F{number}") for number in range(250, 300))) == 50


def test_a_long_key_is_known_too(writer: Writer) -> None:
    long = arrival(id="x" * 5000)
    assert len(long.control_id) <= 150
    assert (keep(writer, long), keep(writer, long)) == (1, 0)


def test_a_quarantined_row_is_known_and_taken_up_once_it_can_be_read(url: str, writer: Writer) -> None:
    bad = arrival(test=None, test_name=None)
    assert bad.state is State.QUARANTINED
    assert (keep(writer, bad), keep(writer, bad)) == (1, 0)
    lenient = msgspec.structs.replace(TABLES, columns={**TABLES.columns, "code": "flag"})
    good = receiving_rows.read("results_v", [row(test=None, test_name=None)], lenient, "tables", NOW)
    assert (good.control_id, good.digest) == (bad.control_id, bad.digest)
    assert (keep(writer, good), keep(writer, good)) == (1, 0)
    with closing(opening.reader(url)) as store:
        assert [tuple(one) for one in store.execute("SELECT state FROM journal").fetchall()] == [("kept",)]


def test_how_far_a_feed_has_come_is_saved_and_what_was_damaged_is_nothing(url: str, writer: Writer) -> None:
    store = StorePolls(writer)
    store.save("tables", b'{"reached":"1"}', NOW.isoformat())
    store.save("other", b'{"reached":"9"}', NOW.isoformat())
    store.save("tables", b'{"reached":"2"}', NOW.isoformat())
    with closing(opening.reader(url)) as reader:
        assert polls.load(reader, "tables") == b'{"reached":"2"}'
        assert polls.load(reader, "nobody") == b""
    spoil = "UPDATE polls SET progress = '{\"reached\":\"9999\"}' WHERE feed = 'tables'"
    writer.submit(lambda connection: connection.execute(spoil).rowcount, guarded=False).result(10)
    with closing(opening.reader(url)) as reader:
        assert polls.load(reader, "tables") == b""
        assert polls.load(reader, "other") == b'{"reached":"9"}'
