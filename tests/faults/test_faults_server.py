"""The parts of the harness that are for PostgreSQL: its proxy does with a commit what it is told to, and what a node that
had slept did is found in the histories."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from tests.clusters import Cluster
from tests.faults import beside, journal, nodes
from tests.faults.beside import Unanswered
from tests.faults.service import free_port
from tests.faults.world import World

TABLES = (
    "CREATE TABLE journal(id bigint, control_id text);"
    "CREATE TABLE work(id bigint, message bigint, lane text, state text, updated text, attempts bigint DEFAULT 0)"
)
BEGUN = b"UPDATE work SET attempts = attempts + 1 WHERE id IN ($1, $2)"
SETTLED = b"UPDATE work SET state = $1, lane = $2 || $3 || $4 || $5 || $6::text, attempts = $7 WHERE lane = $8"


@pytest.fixture
def proxied(postgres: Cluster, tmp_path: Path) -> Iterator[tuple[World, str, str]]:
    """A world with a proxy before a database, the URL through it, and the one beside it."""
    direct = postgres.empty().replace("+psycopg", "")
    postgres.ask(direct.rpartition("/")[2], TABLES)
    port = free_port()
    with World(tmp_path / "w", 1, database=direct) as world:
        world.pgproxy("pg", port, postgres.port, hold_s=0.5)
        yield world, direct.replace(f":{postgres.port}/", f":{port}/"), direct


def keep(url: str, id: int) -> None:
    with psycopg.connect(url) as session:
        session.execute("INSERT INTO journal(id, control_id) VALUES (%s, 'A')", (id,))


def commits(world: World) -> list[journal.Event]:
    return [one for one in journal.read(world.folder / "pg.jsonl") if one["ev"] == "commit"]


@pytest.mark.parametrize("way", ["swallow", "vanish"])
def test_a_commit_whose_answer_is_swallowed_is_one(proxied: tuple[World, str, str], way: str) -> None:
    world, through, direct = proxied
    world.pgproxy_ways("pg", intake={way: 1e9})
    with pytest.raises(psycopg.OperationalError):
        keep(through, 1)
    assert beside.rows(direct, "SELECT id FROM journal") == [(1,)]
    world.pgproxy_ways("pg", release={way: 1e9})
    keep(through, 2)
    assert len(beside.rows(direct, "SELECT id FROM journal")) == 2
    (told,) = journal.read(world.folder / "pg.jsonl")
    assert (told["what"], told["kinds"]) == (way, ["intake"])


def test_an_answer_that_is_held_comes_later(proxied: tuple[World, str, str]) -> None:
    world, through, _direct = proxied
    world.pgproxy_ways("pg", intake={"hold": 1e9})
    begun = time.monotonic()
    keep(through, 1)
    assert time.monotonic() - begun >= 0.5


def test_what_a_transaction_begins_and_settles_is_written_down(proxied: tuple[World, str, str]) -> None:
    world, through, _direct = proxied
    with psycopg.connect(through) as session:
        cursor = psycopg.RawCursor(session)
        cursor.execute(BEGUN, (2**40, 7), binary=True)
        values = ("done", "a", "b", "c", "d", 1, 2**40 + 5, "p:LABA|Ž")
        cursor.execute(SETTLED, values, binary=True)
        session.commit()
        cursor.execute(BEGUN, (8, 9), binary=True)
        session.rollback()
    (told,) = commits(world)
    assert told["kinds"] == ["begun", "processing"]
    assert [one & 0xFFFF for one in told["begun"]] == [0, 7]
    assert (told["settled"][0][0] & 0xFF, told["settled"][0][1]) == (5, "p:LABA|Ž")


def test_a_server_that_is_away_is_told_from_one_that_says_nothing(postgres: Cluster) -> None:
    with pytest.raises(Unanswered):
        beside.rows(f"postgresql://labbridge@127.0.0.1:{free_port()}/postgres", "SELECT 1")
    assert beside.soundness(postgres.empty()) == "ok"


# ---------------------------------------------------------------- who slept


SLEPT, WOKE, BORN = 100.0, 110.0, 1_790_000_000.0


class Slept:
    """A node `a` slept for ten seconds, longer than its renewal; `b` was awake."""

    def __init__(self, folder: Path) -> None:
        database = sqlite3.connect(folder / "x.db")
        database.executescript(TABLES)
        database.execute("INSERT INTO work VALUES (11, 1, 'p:A', 'done', ?, 1)", (at(105),))
        database.execute("INSERT INTO journal VALUES (1, 'S1')")
        database.commit()
        database.close()
        self.folder = folder
        service = SimpleNamespace(database=folder / "x.db")
        of = {name: SimpleNamespace(receivers={"lis": port}) for name, port in (("a", 1), ("b", 2))}
        self.world: Any = SimpleNamespace(folder=folder, service=service, nodes=of)
        self.tell("nemesis", ev="freeze", what="a", t=SLEPT)
        self.tell("nemesis", ev="thaw", what="a", t=WOKE)
        self.commit(3, SLEPT - 1, begun=[11])
        self.commit(4, WOKE + 1)

    def tell(self, name: str, /, **event: object) -> None:
        with (self.folder / f"{name}.jsonl").open("a") as file:
            file.write(json.dumps({"wall": BORN + float(str(event["t"])), **event}) + "\n")

    def commit(self, session: int, asked: float, **more: object) -> None:
        told = {"kinds": ["begun"], "begun": [], "settled": [], **more}
        self.tell("pg-a", ev="commit", session=session, asked=asked, t=asked, **told)

    def arrival(self, port: int, t: float) -> None:
        self.tell("lis", ev="arrival", id="LB1", port=port, t=t)

    def found(self) -> list[str]:
        return [*nodes.written_awake(self.world, 5), *nodes.sent_awake(self.world, 5)]


def at(t: float) -> str:
    return datetime.fromtimestamp(BORN + t, UTC).isoformat()


PLANTED: dict[str, Callable[[Slept], object]] = {
    "wrote in a session from before": lambda one: one.commit(3, WOKE + 0.1),
    "settled what it had begun": lambda one: one.commit(4, WOKE + 2, settled=[[1, "p:A"]]),
    "sent where another did": lambda one: (one.arrival(2, SLEPT + 5), one.arrival(1, WOKE + 0.1)),
}
SOUND: dict[str, Callable[[Slept], object]] = {
    "nothing": lambda one: None,
    "begun again": lambda one: (one.commit(4, WOKE + 1, begun=[11]), one.commit(4, WOKE + 2, settled=[[1, "p:A"]])),
    "sent where nobody else did": lambda one: one.arrival(1, WOKE + 0.1),
    "sent long after": lambda one: (one.arrival(2, SLEPT + 5), one.arrival(1, WOKE + 30)),
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_a_node_does_that_slept_is_found(tmp_path: Path, what: str) -> None:
    slept = Slept(tmp_path)
    PLANTED[what](slept)
    assert len(slept.found()) == 1


@pytest.mark.parametrize("what", SOUND)
def test_a_node_that_begins_anew_is_not_accused(tmp_path: Path, what: str) -> None:
    slept = Slept(tmp_path)
    SOUND[what](slept)
    assert slept.found() == []


def test_a_message_that_waits_is_found_unless_the_database_was_away(tmp_path: Path) -> None:
    slept = Slept(tmp_path)
    slept.tell("s0", ev="reply", id="S1", code="AA", t=101)
    ((wait, id, _place),) = nodes.stalls(slept.world, ["s0"], 1)
    assert (round(wait), id) == (4, "S1")
    slept.tell("nemesis", ev="down", t=99)
    slept.tell("nemesis", ev="up", t=100.5)
    assert nodes.stalls(slept.world, ["s0"], 1) == []
    assert len(nodes.stalls(slept.world, ["s0"], 0.2)) == 1
