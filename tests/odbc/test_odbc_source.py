"""A view read page by page, from each database by its real driver."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlparse

from labbridge.feeds.odbc_source import Row, Source, View
from labbridge.feeds.odbc_window import Mark, Range
from labbridge.odbc.connecting import Access, connect
from labbridge.odbc.faults import KINDS, OdbcFault
from tests.odbc.servers import SERVERS, Database, on

MOMENT = datetime(2026, 11, 13, 12, 0, 0, 123000)
VIEW = View(name="results_v", key=("id",), changed="changed", columns=("id", "changed", "val", "grp"), page_rows=10)
TYPES = {
    "SQLite": ("integer", "timestamp", "numeric"),
    "PostgreSQL": ("bigint", "timestamp", "numeric(12,2)"),
    "MariaDB": ("bigint", "datetime(6)", "decimal(12,2)"),
}
CHANGES = {
    "SQLite": ("DROP VIEW results_v", "CREATE VIEW results_v AS SELECT id, changed, val AS value, grp FROM results"),
    "PostgreSQL": ("ALTER VIEW results_v RENAME COLUMN val TO value",),
    "MariaDB": ("CREATE OR REPLACE VIEW results_v AS SELECT id, changed, val AS value, grp FROM results",),
}


def make(database: Database, rows: list[tuple[int, datetime | None, str | None, str | None]]) -> None:
    """A table of these rows, without a key that the database would keep, and a view on it."""
    number, time, _decimal = TYPES[database.name]
    database.execute(
        "DROP VIEW IF EXISTS results_v",
        "DROP TABLE IF EXISTS results",
        f"CREATE TABLE results (id {number}, changed {time}, val varchar(20), grp varchar(20))",
        "CREATE VIEW results_v AS SELECT id, changed, val, grp FROM results",
    )
    add(database, rows)


def add(database: Database, rows: list[tuple[int, datetime | None, str | None, str | None]]) -> None:
    texts = [
        (one, None if at is None else at.isoformat(sep=" ", timespec="microseconds"), *rest) for one, at, *rest in rows
    ]
    with closing(database.owner()) as owner:
        for row in texts:
            owner.execute("INSERT INTO results VALUES (?, ?, ?, ?)", *row)


def spread(count: int, same: int = 1) -> list[tuple[int, datetime | None, str | None, str | None]]:
    """Rows a millisecond apart, `same` of them at each moment."""
    return [
        (one, MOMENT + timedelta(milliseconds=one // same), f"v{one}", f"g{one // 3}") for one in range(1, count + 1)
    ]


@contextmanager
def opened(database: Database, view: View = VIEW, types: dict[str, str] | None = None) -> Iterator[Source]:
    with closing(connect(Access(connection=database.connection))) as session:
        yield Source(session, view, types or {})


def ids(source: Source, low: Mark | None = None, high: Mark = datetime(2030, 1, 1)) -> list[int]:
    return [int(str(row["id"])) for page in source.pages(Range(low, high)) for row in page]


def code(of: pytest.ExceptionInfo[OdbcFault]) -> tuple[str, str]:
    return of.value.code, of.value.name


# ---------------------------------------------------------------- pages


@pytest.mark.parametrize("same", [1, 4, 25])
def test_every_row_of_a_range_is_read_however_many_share_a_moment(database: Database, same: int) -> None:
    make(database, spread(75, same))
    with opened(database) as source:
        assert sorted(set(ids(source))) == list(range(1, 76))
        assert source.top() == MOMENT + timedelta(milliseconds=75 // same)


def test_pages_overlap_by_their_last_row_and_no_more(database: Database) -> None:
    make(database, spread(29))
    with opened(database) as source:
        found = ids(source)
    assert len(found) == 29 + 3 if database.name != "SQLite" else len(found) >= 29
    assert sorted(set(found)) == list(range(1, 30))


def test_both_ends_of_a_range_are_in_it(database: Database) -> None:
    make(database, spread(9))
    with opened(database) as source:
        found = ids(source, MOMENT + timedelta(milliseconds=4), MOMENT + timedelta(milliseconds=6))
    assert {4, 5, 6} <= set(found)
    assert not {1, 2, 3} & set(found)


def test_the_last_microsecond_is_read_too(database: Database) -> None:
    """MariaDB's driver cuts a bound time to the second, SQLite's to the millisecond."""
    last = MOMENT.replace(microsecond=987_654)
    make(database, [(1, MOMENT, "a", None), (2, last, "b", None)])
    with opened(database) as source:
        top = source.top()
        assert top == last
        assert set(ids(source, None, top)) == {1, 2}
        assert 2 in ids(source, top, top)


def test_an_empty_view_has_no_row_and_no_top(database: Database) -> None:
    make(database, [])
    with opened(database) as source:
        source.check()
        assert source.top() is None
        assert ids(source) == []


def test_numbers_are_read_by_their_own_order(database: Database) -> None:
    make(database, spread(30))
    with opened(
        database, View(name="results_v", key=("id",), changed="id", columns=("id", "val"), page_rows=10)
    ) as source:
        assert source.top() == 30
        assert sorted(set(ids(source, 11, 20))) == list(range(11, 21))


def test_all_rows_of_a_report_are_read_together(database: Database) -> None:
    make(database, [*spread(8), (9, MOMENT, "v9", None)])
    view = View(name="results_v", key=("id",), changed="changed", columns=VIEW.columns, together=("grp",), page_rows=10)
    with opened(database, view) as source:
        (page,) = list(source.pages(Range(None, datetime(2030, 1, 1))))
        some = [row for row in page if row["id"] in (4, 9)]
        found = [[row["id"] for row in rows] for rows in source.groups(some)]
    assert found == [[3, 4, 5], [9]]


# ---------------------------------------------------------------- what is told apart


def test_values_come_as_their_kinds(database: Database) -> None:
    number, time, decimal = TYPES[database.name]
    database.execute(
        "DROP TABLE IF EXISTS kinds",
        f"CREATE TABLE kinds (id {number}, changed {time}, t varchar(20), d {decimal}, day date)",
        "INSERT INTO kinds VALUES (1, '2026-11-13 12:00:00', NULL, NULL, NULL)",
        "INSERT INTO kinds VALUES (2, '2026-11-13 12:00:01', '', 0, '2026-01-02')",
        "INSERT INTO kinds VALUES (3, '2026-11-13 12:00:02', '  ', 12.30, '2026-01-02')",
        "INSERT INTO kinds VALUES (4, '2026-11-13 12:00:03', 'µkat/l ≥ é', 1, NULL)",
    )
    view = View(name="kinds", key=("id",), changed="changed", columns=("id", "changed", "t", "d", "day"))
    with opened(database, view) as source:
        (rows,) = list(source.pages(Range(None, datetime(2030, 1, 1))))
    assert [row["t"] for row in rows] == [None, "", "  ", "µkat/l ≥ é"]
    assert [row["d"] for row in rows] == [None, 0, Decimal("12.30") if database.name != "SQLite" else 12.3, 1]
    assert rows[0]["day"] is None
    assert str(rows[1]["day"]) == "2026-01-02"


# ---------------------------------------------------------------- drift


def test_a_column_that_was_renamed_stops_the_feed(database: Database) -> None:
    make(database, spread(3))
    with opened(database) as source:
        assert ids(source) == [1, 2, 3]
        database.execute(*CHANGES[database.name])
        with pytest.raises(OdbcFault) as fault:
            ids(source)
        assert fault.value.code == "column_missing"
    with pytest.raises(OdbcFault) as fault, opened(database):
        pass
    assert code(fault) == ("column_missing", "val")
    assert fault.value.stops


def test_a_column_of_another_kind_than_at_the_start_stops_the_feed(database: Database) -> None:
    number, _time, _decimal = TYPES[database.name]
    make(database, spread(3))
    with opened(database) as source:
        ids(source)
        types = source.types
    database.execute(
        "DROP VIEW results_v",
        "DROP TABLE results",
        f"CREATE TABLE results (id {number}, changed {TYPES[database.name][1]}, val {number}, grp varchar(20))",
        "CREATE VIEW results_v AS SELECT id, changed, val, grp FROM results",
        "INSERT INTO results VALUES (1, '2026-11-13 12:00:00', 7, 'g')",
    )
    with opened(database, types=types) as source, pytest.raises(OdbcFault) as fault:
        ids(source)
    assert code(fault) == ("column_retyped", "val")
    assert fault.value.stops


@pytest.mark.parametrize(("number", "at"), [(None, MOMENT), (7, None)])
def test_a_row_that_would_never_be_seen_or_never_told_from_others_stops_the_feed(
    database: Database, number: int | None, at: datetime | None
) -> None:
    make(database, [*spread(3), (number, at, "lost", None)])  # type: ignore[list-item]
    with opened(database) as source, pytest.raises(OdbcFault) as fault:
        source.check()
    assert code(fault) == ("key_empty", "results_v")


def test_a_key_that_is_there_twice_stops_the_feed_wherever_a_page_ends(database: Database) -> None:
    for place in (3, 10, 11):
        make(database, [*spread(20), (place, MOMENT + timedelta(milliseconds=place), "again", None)])
        with opened(database) as source, pytest.raises(OdbcFault) as fault:
            ids(source)
        assert code(fault) == ("key_repeated", "results_v")


@on("PostgreSQL")
def test_a_time_with_a_zone_is_not_read_as_one_without(database: Database) -> None:
    database.execute(
        "DROP TABLE IF EXISTS zoned",
        "CREATE TABLE zoned (id bigint, changed timestamptz, taken timestamptz)",
        "INSERT INTO zoned VALUES (1, '2026-10-25 02:30:00+02', '2026-10-25 02:30:00+02')",
    )
    with (
        pytest.raises(OdbcFault) as fault,
        opened(database, View(name="zoned", key=("id",), changed="changed", columns=("id", "changed", "taken"))),
    ):
        pass
    assert code(fault) == ("column_zoned", "taken")
    with opened(database, View(name="zoned", key=("id",), changed="changed", columns=("id", "changed"))) as source:
        assert source.zoned
        assert source.top() == datetime(2026, 10, 25, 0, 30)


@pytest.mark.parametrize("name", ["nothing", "results_v.results_v", "other.results_v", "results__"])
def test_a_view_that_is_not_there(database: Database, name: str) -> None:
    make(database, [])
    with (
        pytest.raises(OdbcFault) as fault,
        opened(database, View(name=name, key=("id",), changed="id", columns=("id",))),
    ):
        pass
    assert code(fault) == ("table_missing", name)


def test_a_name_is_found_in_its_own_spelling(database: Database) -> None:
    make(database, spread(2))
    view = View(name="Results_V", key=("ID",), changed="Changed", columns=("ID", "Changed"))
    with opened(database, view) as source:
        rows = [row for page in source.pages(Range(None, datetime(2030, 1, 1))) for row in page]
    assert [row["ID"] for row in rows] == [1, 2]


# ---------------------------------------------------------------- SELECT and nothing else


def statements(database: Database) -> list[str]:
    """All that a reading says to the database."""
    found: list[str] = []
    make(database, spread(25))
    with closing(connect(Access(connection=database.connection))) as session:
        real = session.connection

        class Cursor:
            def __init__(self) -> None:
                self._cursor = real.cursor()

            def execute(self, sql: str, *values: object) -> Any:
                found.append(sql)
                return self._cursor.execute(sql, *values)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._cursor, name)

        class Connection:
            def cursor(self) -> Any:
                return Cursor()

        session.connection = Connection()  # type: ignore[assignment]
        view = View(
            name="results_v",
            key=("id", "val"),
            changed="changed",
            columns=VIEW.columns,
            together=("grp",),
            page_rows=10,
        )
        source = Source(session, view, {})
        source.check()
        top = source.top()
        assert top is not None
        rows: list[Row] = [row for page in source.pages(Range(MOMENT, top)) for row in page]
        list(source.groups(rows))
        session.connection = real
    return found


def test_a_reading_is_one_select_each_with_every_value_bound(database: Database) -> None:
    """S-06."""
    found = statements(database)
    assert len(found) >= 6
    quote = '"' if database.name == "PostgreSQL" else "`"
    for sql in found:
        (one,) = sqlparse.parse(sql)
        assert one.get_type() == "SELECT"
        assert len(sqlparse.split(sql)) == 1
        names = re.findall(f"{quote}([^{quote}]+){quote}", sql)
        assert set(names) <= {"id", "changed", "val", "grp", "results_v"}
        bare = re.sub(f"{quote}[^{quote}]+{quote}", "", sql)
        assert not re.search(r"results|2026|'|\bv\d", bare)
        assert set(re.findall(r"\d+", bare)) <= {"1", "10"}


def test_a_session_reads_and_does_nothing_else(database: Database) -> None:
    make(database, spread(2))
    with closing(connect(Access(connection=database.connection))) as session:
        for sql in ("INSERT INTO results (id) VALUES (9)", "DELETE FROM results", "DROP TABLE results"):
            with pytest.raises(OdbcFault) as fault:
                session.rows(sql)
            assert fault.value.code == "rights_missing"
    with opened(database) as source:
        assert ids(source) == [1, 2]


@on(*SERVERS)
def test_a_statement_is_given_up_in_time(database: Database) -> None:
    sleep = {"PostgreSQL": "SELECT pg_sleep(20)", "MariaDB": "SELECT SLEEP(20) FROM results"}
    make(database, spread(1))
    with closing(connect(Access(connection=database.connection, timeout_s=1))) as session:
        with pytest.raises(OdbcFault) as fault:
            session.rows(sleep[database.name])
        assert fault.value.code == "timeout"


def test_every_fault_has_a_sentence_with_its_repair() -> None:
    for name, kind in KINDS.items():
        sentence = OdbcFault(name, "x").sentence
        assert kind.text in sentence
        assert kind.repair in sentence
        assert "(x)" in sentence
