"""What a page asks of the store: as many statements whatever it shows, each of them along an index; and a store from before
the worklist is filled with what new cases are written with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from web_parts import Bench, Browser, benched
from worklist_parts import BLOT, CK, Site, filled, many, obx

from labbridge.store import migrate, opening, sqlite
from labbridge.store.connection import Connection
from tests.summed import summed

Asked = list[tuple[str, tuple[Any, ...]]]


class Counting:
    """A connection that remembers what it was asked."""

    def __init__(self, inner: Connection, asked: Asked) -> None:
        self._inner, self._asked = inner, asked

    def execute(self, sql: str, *params: Any) -> Any:
        self._asked.append((sql, tuple(params[0]) if params else ()))
        return self._inner.execute(sql, *params)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Every statement of a reader, in order."""
    found: Asked = []
    real = opening.reader
    monkeypatch.setattr(opening, "reader", lambda url: Counting(real(url), found))
    return found


@pytest.fixture
def watched(asked: Asked, place: str) -> Iterator[tuple[Bench, Browser, Callable[[str], list[str]]]]:
    """A workbench, a person in it, and the statements of a page of hers."""
    with benched(place) as bench:
        browser = bench.signed_in()

        def statements(path: str) -> list[str]:
            asked.clear()
            assert browser.get(path).status_code == 200, path
            return [sql for sql, _params in asked]

        yield bench, browser, statements


LISTS = ("/worklist?rows=200", "/worklist/news?seen=-", "/worklist/print")


async def test_a_page_asks_as_many_statements_whatever_it_shows(watched: Any) -> None:
    bench, browser, statements = watched
    site = Site(bench)
    await site.patient("PT1", obx(BLOT, "58"))
    few = [len(statements(path)) for path in LISTS]
    many(site, 190)
    listed = re.findall(r'data-case="(C\d+)"', browser.get("/worklist?queue=all&rows=200").text)
    assert len(listed) == 190
    assert [len(statements(path)) for path in LISTS] == few
    assert few[0] <= 6


async def test_a_case_asks_as_many_statements_whatever_it_rests_on(watched: Any) -> None:
    bench, _browser, statements = watched
    site = Site(bench)
    await site.patient("PT1", obx(BLOT, "58"))
    before = statements("/cases/C1")
    for value in range(5):
        await site.patient("PT1", obx(CK, f"78{value}0"))
    many(site, 50)
    assert statements("/cases/C1") == before
    assert len(before) <= 16


BESIDE = {"/cases/C1/explain": 10, "/cases/C1/attachments": 6, "/cases/C1/evidence/M1/OBX/1": 6}


async def test_what_is_beside_a_case_asks_as_many_statements_whatever_it_rests_on(watched: Any) -> None:
    bench, _browser, statements = watched
    site = Site(bench)
    await site.patient("PT1", obx(BLOT, "58"))
    few = {path: len(statements(path)) for path in BESIDE}
    for value in range(5):
        await site.patient("PT1", obx(BLOT, f"5{value}"), obx(CK, f"78{value}0"))
    assert len(site.cases()[0].outcome.used) > 2
    assert {path: len(statements(path)) for path in BESIDE} == few
    of_the_sign_in = 1
    assert {path: count for path, count in few.items() if count > BESIDE[path] + of_the_sign_in} == {}


def many_messages(bench: Bench, count: int) -> None:
    """So many messages and deliveries like the first ones, in every state."""
    series = f"WITH RECURSIVE n(g) AS (SELECT 2 UNION ALL SELECT g + 1 FROM n WHERE g < {count}) "
    state = "CASE g % 5 WHEN 0 THEN 'quarantined' WHEN 1 THEN 'parked' ELSE 'done' END"
    statements = (
        "INSERT INTO journal(id, sender, control_id, digest, feed, peer, message_type, received, length, lanes, state,"
        f" reason, raw) {series} SELECT g, j.sender, 'X' || g, j.digest, j.feed, j.peer, j.message_type, j.received,"
        f" j.length, j.lanes, {state}, 'structure', j.raw FROM n, journal j WHERE j.id = 1",
        "INSERT INTO work(message, lane, state, reason, updated)"
        f" {series} SELECT g, 's:X' || g, {state}, 'crashed', '2026-11-13T12:00:00+00:00' FROM n WHERE g % 5 <> 0",
        'INSERT INTO outbox(id, "case", version, comment, receiver, lane, control_id, raw, state, created, updated)'
        f" {series} SELECT g, o.\"case\", o.version, o.comment, o.receiver, o.lane, 'Y' || g, o.raw, CASE g % 4 WHEN 0"
        " THEN 'failed' WHEN 1 THEN 'waiting' ELSE 'acknowledged' END, o.created, o.updated FROM n, outbox o WHERE o.id = 1",
    )
    for sql in statements:
        bench.writer.submit(lambda c, sql=sql: c.execute(sql)).result()
    bench.writer.submit(summed).result()


PAGES_OF_MESSAGES = {
    "/messages": 4, "/messages?state=quarantined": 4, "/messages?state=parked": 4, "/messages/M1": 5, "/messages/M1/who": 16,
    "/outbox": 4, "/outbox?state=acknowledged": 4, "/outbox/D1": 6,
}  # fmt: skip


async def test_a_page_of_messages_asks_as_many_statements_whatever_it_shows(watched: Any) -> None:
    bench, _browser, statements = watched
    site = Site(bench)
    await site.patient("PT1", obx(BLOT, "58"))
    site.release("C1@1")
    few = {path: len(statements(path)) for path in PAGES_OF_MESSAGES}
    many_messages(bench, 300)
    assert {path: len(statements(path)) for path in PAGES_OF_MESSAGES} == few
    of_the_sign_in = 1
    assert {path: count for path, count in few.items() if count > PAGES_OF_MESSAGES[path] + of_the_sign_in} == {}


async def test_the_status_page_asks_as_many_statements_whatever_there_is(watched: Any) -> None:
    bench, browser, statements = watched
    site = Site(bench)
    await site.patient("PT1", obx(BLOT, "58"))
    few = len(statements("/status"))
    assert few <= 15
    site.release("C1@1")
    many(site, 200)
    many_messages(bench, 300)
    browser.post("/cases/C2/decide", {"version": "1", "kind": "no_action", "why": "x"})
    assert len(statements("/status")) == few - 6, "what was read of the journal is kept for a minute"
    bench.clock.forward(seconds=61)
    assert len(statements("/status")) == few


# ---------------------------------------------------------------- plans


CASES = (
    ("/worklist", "cases_ranked"),
    ("/worklist?queue=new&feed=other", "cases_ranked"),
    ("/worklist?queue=held_by_a_person", "cases_open"),
    ("/worklist?severity=critical&flag=CK_EXTREME", "cases_ranked"),
    ("/worklist?queue=closed", "cases_states"),
    ("/worklist?queue=all&after=1-40", "cases_states"),
    ("/worklist?queue=send_failed", "outbox_unsettled"),
    ("/worklist/news?seen=2026-11-13T12:00:00%2B00:00", "cases_(open|ranked)"),
    ("/worklist/news?queue=all&seen=2026-11-13T12:00:00%2B00:00", "cases_updated"),
    ("/cases/C1", "results_lane"),
    ("/cases/C1", "cases_alike"),
    ("/messages", "work_open"),
    ("/messages?state=quarantined", "journal_unread"),
    ("/messages?state=quarantined&reason=structure&before=40", "journal_unread"),
    ("/messages?state=parked&feed=myolis", "work_open"),
    ("/messages?state=done&type=ORU%5ER01", "journal_unread"),
    ("/messages/M1", "audit_acts"),
    ("/messages/M1/who", "results_lane"),
    ("/outbox", "outbox_unsettled"),
    ("/outbox?state=failed&receiver=lis", "outbox_unsettled"),
    ("/outbox?state=acknowledged", "outbox_unsettled"),
    ("/outbox/D1", "attempts_delivery"),
    ("/wordings", "signatures_case"),
    ("/wordings?rule=x&since=2026-01-01", "decisions_case"),
    ("/retests", "retests_listed"),
    ("/retests", "retests_yield"),
    ("/cases/C1", "retests_lane"),
    ("/status", "journal_unread"),
    ("/status", "outbox_unsettled"),
    ("/status", "cases_states"),
)
OF_A_FEW = re.compile(
    r"SCAN (p|s|k|patient|newest|alike|unmapped|signed|closed|CONSTANT ROW|\d+ CONSTANT ROWS?)|SEARCH s"
)  # rows that were chosen in the statement; codes that no table names are few


def whole_tables(steps: list[str]) -> list[str]:
    """Steps that read a table from end to end."""
    read = [one for one in steps if re.match(r"(SCAN|SEARCH) ", one) and not OF_A_FEW.fullmatch(one)]
    return [one for one in read if " USING " not in one]


@pytest.mark.parametrize("feeds", [("*",), ("myolis", "other")])
async def test_every_statement_of_a_page_goes_along_an_index(
    tmp_path: Path, asked: Asked, feeds: tuple[str, ...]
) -> None:
    """On SQLite, which says how it goes about a statement."""
    with benched(f"sqlite:///{tmp_path / 'store.db'}") as bench:
        site = Site(bench)
        await site.patient("PT1", obx(BLOT, "58"))
        site.release("C1@1")
        many(site, 300)
        many_messages(bench, 300)
        browser = bench.signed_in("anna", feeds=feeds)
        for path, index in CASES:
            asked.clear()
            assert browser.get(path).status_code == 200
            steps = [step for sql, params in list(asked) for step in plan(bench, sql, params)]
            assert whole_tables(steps) == [], path
            assert any(re.search(rf" INDEX {index}\b", step) for step in steps), (path, steps)


def plan(bench: Bench, sql: str, params: tuple[Any, ...]) -> list[str]:
    return [str(row[3]) for row in bench.rows.execute(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()]


def test_a_table_that_is_read_whole_is_found(bench: Bench) -> None:
    for sql in ("SELECT id FROM cases WHERE severity = 3", "SELECT max('' || updated) FROM cases WHERE state = 'new'"):
        assert whole_tables(plan(bench, sql, ())), sql
    assert whole_tables(plan(bench, "SELECT id FROM cases WHERE updated > 'x'", ())) == []


# ---------------------------------------------------------------- a store from before the worklist


@pytest.fixture(params=["sqlite", "postgres"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of the revision before the worklist, as the migrations made it then; without rows."""
    on_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'older.db'}" if on_sqlite else str(request.getfixturevalue("postgres").empty())
    settings = Config()
    settings.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    with (engine(url) if on_sqlite else migrate.on_postgres(url)).begin() as bound:
        settings.attributes["connection"] = bound
        command.upgrade(settings, "0005")
    return url


def engine(url: str) -> sa.Engine:
    return sa.create_engine(url, poolclass=sa.NullPool)


OLD = ("journal", "work", "patients", "results", "cases", "drafts")
KEPT = (
    "SELECT id, severity, flags, analytes, disposition, disposition_version, until FROM cases ORDER BY id",
    "SELECT number, lane, message FROM numbers ORDER BY number, lane, message",
)


def copied(bench: Bench, older: str) -> None:
    """The rows of a store of today into the columns there were before the worklist."""
    with engine(older).begin() as there:
        for name in OLD:
            columns = [f'"{one["name"]}"' for one in sa.inspect(there).get_columns(name)]
            rows = bench.rows.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
            places = ", ".join(f":p{number}" for number in range(len(columns)))
            given = [{f"p{number}": value for number, value in enumerate(row)} for row in rows]
            there.execute(sa.text(f"INSERT INTO {name}({', '.join(columns)}) VALUES ({places})"), given)


async def test_an_older_store_is_filled_with_what_new_cases_are_written_with(place: str, older: str) -> None:
    with benched(place) as bench:
        await filled(Site(bench))
        written = [bench.rows.execute(asked).fetchall() for asked in KEPT]
        assert all(len(rows) > 4 for rows in written)
        copied(bench, older)
    with engine(older).connect() as there:
        assert there.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == "0005"
        assert not {"numbers", "opened", "shift_notes", "decisions"} & set(sa.inspect(there).get_table_names())
        assert "severity" not in {one["name"] for one in sa.inspect(there).get_columns("cases")}
    with benched(older) as bench:
        bench.lab.damaged_on_purpose = True  # its rows are from before there were sums
        assert bench.rows.execute("SELECT version_num FROM alembic_version").fetchone() == (sqlite.REVISION,)
        assert [bench.rows.execute(asked).fetchall() for asked in KEPT] == written
        page = bench.signed_in().get("/worklist?severity=critical").text
        assert re.findall(r'data-case="(C\d+)"', page) == ["C3"]
