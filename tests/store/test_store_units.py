"""Units through a pipe: what commits and what does not, in the order they were given, whatever happens to the pipe."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import msgspec
import pytest
from store_build import Store

from labbridge.errors import StoreUnavailable
from labbridge.store.connection import FAULTS, Statement
from labbridge.store.units import LocalUnits, RemoteUnits, serve_units
from labbridge.store.work import UnitWriter
from labbridge.store.writer import GROUP

ADD = "INSERT INTO tally(name, labels, count) VALUES (?, '', ?)"
RAISE = "UPDATE tally SET count = count + ? WHERE name = ?"
PATIENCE_S = 30


def commit(units: UnitWriter, asked: Sequence[Sequence[Statement]]) -> list[bool]:
    return units.post(asked)()


def add(name: str, count: int = 1) -> Statement:
    return Statement(ADD, (name, count), rows=1)


def nobody() -> Statement:
    """A guard that fails: the row it must change is not there."""
    return Statement(RAISE, (1, "nobody"), rows=1)


def tally(store: Store) -> dict[str, int]:
    return {str(name): int(str(count)) for name, count in store.rows("SELECT name, count FROM tally ORDER BY name")}


class Piped(NamedTuple):
    """A pipe whose other end the writing process serves."""

    units: RemoteUnits
    ours: Connection
    thread: threading.Thread


@pytest.fixture
def piped(store: Store) -> Iterator[Piped]:
    ours, theirs = multiprocessing.Pipe()
    thread = serve_units(theirs, store.writer)
    yield Piped(RemoteUnits(ours), ours, thread)
    ours.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "who serves a pipe ends with it"


@pytest.fixture(params=["local", "remote"])
def units(request: pytest.FixtureRequest, store: Store, piped: Piped) -> UnitWriter:
    return LocalUnits(store.writer) if request.param == "local" else piped.units


# ---------------------------------------------------------------- verdicts


def test_every_unit_has_its_verdict_in_its_place(store: Store, units: UnitWriter) -> None:
    assert commit(units, [[add("a")], [add("b"), nobody()], [add("c")], [nobody()], [add("d"), add("e")]]) == [
        True, False, True, False, True,
    ]  # fmt: skip
    assert tally(store) == {"a": 1, "c": 1, "d": 1, "e": 1}


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_failed_guard_undoes_its_unit_from_the_first_statement_on(store: Store, units: UnitWriter, at: int) -> None:
    bad = [add("x"), add("y")]
    bad.insert(at, nobody())
    assert commit(units, [[add("before")], bad, [add("after")]]) == [True, False, True]
    assert tally(store) == {"after": 1, "before": 1}


@pytest.mark.parametrize(("rows", "holds"), [(0, False), (1, False), (2, True), (3, False), (None, True)])
def test_a_guard_holds_for_exactly_so_many_rows(store: Store, units: UnitWriter, rows: int | None, holds: bool) -> None:
    commit(units, [[add("a"), add("b")]])
    assert commit(units, [[Statement("UPDATE tally SET count = 9", (), rows)]]) == [holds]
    assert set(tally(store).values()) == ({9} if holds else {1})


def test_a_unit_sees_what_the_one_before_it_wrote(store: Store, units: UnitWriter) -> None:
    raised = [Statement(RAISE, (5, "a"), rows=1)]
    assert commit(units, [[add("a")], raised, raised]) == [True, True, True]
    assert tally(store) == {"a": 11}


def test_a_unit_does_not_see_what_was_undone(store: Store, units: UnitWriter) -> None:
    assert commit(units, [[add("a"), nobody()], [Statement(RAISE, (5, "a"), rows=1)]]) == [False, False]
    assert tally(store) == {}


@pytest.mark.parametrize("nothing", [[], [[]], [[], []]])
def test_nothing_to_do_is_done(store: Store, units: UnitWriter, nothing: list[list[Statement]]) -> None:
    assert commit(units, nothing) == [True] * len(nothing)
    assert tally(store) == {}


def test_more_units_than_a_group_takes_are_all_answered(store: Store, units: UnitWriter) -> None:
    many: list[Sequence[Statement]] = [
        [add(f"n{n}"), *([nobody()] if n % 3 == 0 else [])] for n in range(2 * GROUP + 5)
    ]
    assert commit(units, many) == [n % 3 != 0 for n in range(2 * GROUP + 5)]
    assert len(tally(store)) == sum(n % 3 != 0 for n in range(2 * GROUP + 5))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *((value, "TEXT") for value in (None, "", "Négatif; 抗SRP抗体\r\n\t", "what? $1 %s ''")),
        *((value, "BLOB") for value in (None, b"", b"MSH|^~\\&|\x00\xff\r")),
        *((value, "INTEGER") for value in (None, 0, -1, 2**15, 2**31, 2**62, True)),
    ],
)
def test_a_value_is_written_as_it_is(store: Store, units: UnitWriter, value: Any, kind: str) -> None:
    store.table(f"CREATE TABLE kept(value {kind})")
    assert commit(units, [[Statement("INSERT INTO kept VALUES (?)", (value,), rows=1)]]) == [True]
    assert store.rows("SELECT value FROM kept") == [(value,)]


def test_a_message_of_several_megabytes_goes_through(store: Store, units: UnitWriter) -> None:
    store.table("CREATE TABLE kept(value BLOB)")
    raw = bytes(range(256)) * 40_000
    assert commit(units, [[Statement("INSERT INTO kept VALUES (?)", (raw,), rows=1)]]) == [True]
    assert store.rows("SELECT value FROM kept") == [(raw,)]


# ---------------------------------------------------------------- a store that cannot commit


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("INSERT INTO nowhere VALUES (1)", "SQLITE_ERROR|UndefinedTable"),
        ("INSERT INTO tally(name, labels, count) VALUES ('old', '', 2)", "SQLITE_CONSTRAINT.*|UniqueViolation"),
        ("DELETE FROM audit", "SQLITE_CONSTRAINT.*|RaiseException"),
        ("no sql at all", "SQLITE_ERROR|SyntaxError"),
    ],
)
def test_a_store_that_could_not_commit_says_so_and_nothing_happened(
    store: Store, units: UnitWriter, sql: str, names: str
) -> None:
    store.connection.execute("INSERT INTO audit(at, actor, action, subject) VALUES ('t', 'a', 'b', 'c')")
    commit(units, [[add("old")]])
    with pytest.raises(StoreUnavailable, match=f"could not commit \\(({names})\\)"):
        commit(units, [[Statement(sql)]])
    assert tally(store) == {"old": 1}
    assert store.rows("SELECT count(*) FROM audit") == [(1,)]


def test_after_a_failed_commit_the_same_pipe_takes_the_next(store: Store, units: UnitWriter) -> None:
    for number in range(3):
        with pytest.raises(StoreUnavailable):
            commit(units, [[add(f"lost{number}"), Statement("INSERT INTO nowhere VALUES (1)")]])
        assert commit(units, [[add(f"kept{number}")]]) == [True]
    assert set(tally(store)) == {"kept0", "kept1", "kept2"}


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_full_disk_is_told_and_units_go_on_when_there_is_room(store: Store, units: UnitWriter) -> None:
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreUnavailable, match="SQLITE_FULL"):
        commit(units, [[add("x" * 100_000)]])
    store.connection.execute(f"PRAGMA max_page_count = {pages + 10_000}")
    assert commit(units, [[add("room")]]) == [True]
    assert tally(store) == {"room": 1}


def test_both_ways_say_the_same_of_one_failure(store: Store, piped: Piped) -> None:
    said = []
    for way in (LocalUnits(store.writer), piped.units):
        with pytest.raises(StoreUnavailable) as caught:
            commit(way, [[Statement("INSERT INTO nowhere VALUES (1)")]])
        said.append(str(caught.value))
    assert said[0] == said[1] != ""


# ---------------------------------------------------------------- the pipe


def test_several_pipes_are_served_at_once(store: Store) -> None:
    pipes = [multiprocessing.Pipe() for _number in range(4)]
    threads = [serve_units(theirs, store.writer) for _ours, theirs in pipes]

    def work(number: int) -> None:
        for step in range(20):
            assert commit(RemoteUnits(pipes[number][0]), [[add(f"{number}-{step}")], [nobody()]]) == [True, False]

    askers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(PATIENCE_S)
    assert len(tally(store)) == 80
    for ours, _theirs in pipes:
        ours.close()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_the_asker_that_goes_away_ends_its_server_and_not_the_writer(store: Store, piped: Piped) -> None:
    assert commit(piped.units, [[add("first")]]) == [True]
    piped.ours.close()
    piped.thread.join(PATIENCE_S)
    assert not piped.thread.is_alive()
    assert commit(LocalUnits(store.writer), [[add("second")]]) == [True]
    assert set(tally(store)) == {"first", "second"}


def test_units_of_an_asker_that_died_before_the_answer_are_on_disk(store: Store) -> None:
    """They were whole when they came; the attempt they carry was begun, and is counted."""
    ours, theirs = multiprocessing.Pipe()
    ours.send_bytes(msgspec.msgpack.encode(([[add("begun")]], None)))
    ours.close()
    thread = serve_units(theirs, store.writer)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert tally(store) == {"begun": 1}


def test_half_a_frame_of_a_killed_asker_writes_nothing(store: Store) -> None:
    ours, theirs = multiprocessing.Pipe()
    whole = msgspec.msgpack.encode(([[add("half")]], None))
    with open(ours.fileno(), "wb", closefd=False, buffering=0) as raw:
        raw.write(len(whole).to_bytes(4, "big") + whole[: len(whole) // 2])
    ours.close()
    thread = serve_units(theirs, store.writer)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert tally(store) == {}


def test_an_asker_learns_that_the_writer_has_gone(store: Store) -> None:
    """processing.loop ends on these: what was asked may or may not be on disk, and is asked again after the start."""
    ours, theirs = multiprocessing.Pipe()
    theirs.close()
    with pytest.raises((EOFError, BrokenPipeError, ConnectionResetError)):
        commit(RemoteUnits(ours), [[add("lost")]])
    ours.close()
    assert tally(store) == {}


class Bomb:
    """Code that would run if anything were ever unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('unpickled')",)


def test_a_pickle_is_no_verdict(store: Store) -> None:
    ours, theirs = multiprocessing.Pipe()
    theirs.send_bytes(pickle.dumps(Bomb()))
    with pytest.raises(msgspec.DecodeError):
        commit(RemoteUnits(ours), [[add("x")]])
    ours.close()
    theirs.close()


@pytest.mark.parametrize("answer", [[1], {"a": 1}, None, [True, "yes"], 7])
def test_an_answer_that_is_no_verdict_is_never_taken_for_one(answer: Any) -> None:
    ours, theirs = multiprocessing.Pipe()
    theirs.send_bytes(msgspec.msgpack.encode(answer))
    with pytest.raises(msgspec.ValidationError):
        commit(RemoteUnits(ours), [[add("x")]])
    ours.close()
    theirs.close()


def test_what_goes_through_the_pipe_are_statements_and_their_parameters(store: Store) -> None:
    """Values travel beside the SQL, never inside it."""
    ours, theirs = multiprocessing.Pipe()
    theirs.send_bytes(msgspec.msgpack.encode([True]))
    assert commit(RemoteUnits(ours), [[add("x'); DROP TABLE tally; --", 2)]]) == [True]
    assert msgspec.msgpack.decode(theirs.recv_bytes()) == [[[[ADD, ["x'); DROP TABLE tally; --", 2], 1]]], None]
    ours.close()
    theirs.close()
    assert commit(LocalUnits(store.writer), [[add("x'); DROP TABLE tally; --", 2)]]) == [True]
    assert tally(store) == {"x'); DROP TABLE tally; --": 2}
    with pytest.raises(FAULTS):
        store.reader.execute("DROP TABLE tally")


def test_what_an_undone_batch_was_to_prepare_is_there_the_next_time(store: Store, units: UnitWriter) -> None:
    """PostgreSQL's driver prepares what it has seen three times; what stood behind a failed statement was not prepared."""
    commit(units, [[add("twice")]])
    for name in "ab":
        assert commit(units, [[add(name)], [nobody(), add("twice")]]) == [True, False]
    for column in ("x", "y"):
        new = f"INSERT INTO tally(name, labels, count) VALUES (?, '{column}', 1)"
        for name in "abc":
            assert commit(units, [[Statement(new, (name,))]]) == [True]
        assert commit(units, [[nobody(), add("twice")], [Statement(new, ("d",))]]) == [False, True]
        assert commit(units, [[Statement(new, ("e",))]]) == [True]
