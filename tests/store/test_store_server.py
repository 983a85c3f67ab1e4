"""Opening on PostgreSQL: what a server must promise, who may write beside whom, the version gate, and what is refused."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from labbridge.errors import StoreUnavailable
from labbridge.store import migrate, opening, server
from labbridge.store.connection import FAULTS, Connection, StoreRefused, Unreachable
from labbridge.store.postgres import libpq
from tests.clusters import PATIENCE_S, Cluster, cluster

ANOTHER = "Another labbridge process writes this store; use the running service, or stop it first"


def name(url: str) -> str:
    return url.rpartition("/")[2]


@contextlib.contextmanager
def serving(postgres: Cluster, setting: str, value: str) -> Iterator[None]:
    """The server's setting is changed meanwhile, as by an administrator."""

    def set_to(sql: str, expected: str) -> None:
        postgres.ask("postgres", sql)
        postgres.ask("postgres", "SELECT pg_reload_conf()")
        deadline = time.monotonic() + PATIENCE_S
        while postgres.ask("postgres", f"SHOW {setting}") != [(expected,)]:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    ((before,),) = postgres.ask("postgres", f"SHOW {setting}")
    set_to(f"ALTER SYSTEM SET {setting} = {value}", value)
    try:
        yield
    finally:
        set_to(f"ALTER SYSTEM RESET {setting}", before)


def refusal(url: str, *, alone: bool = False, strict: bool = False) -> str:
    with pytest.raises(StoreRefused) as caught, opening.held(url, alone=alone, strict=strict):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---------------------------------------------------------------- what a server must promise


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_may_lose_what_it_committed_is_refused(postgres: Cluster, setting: str) -> None:
    url = postgres.empty()
    with serving(postgres, setting, "off"):
        assert refusal(url) == f"The server runs with {setting} off and may lose what it has committed; set it on"
    assert postgres.ask(name(url), "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


def test_commits_wait_for_the_disk_whatever_the_server_does_by_default(postgres: Cluster) -> None:
    url = postgres.empty()
    postgres.ask("postgres", f"ALTER DATABASE {name(url)} SET synchronous_commit = off")
    with opening.held(url) as store:
        assert store.writer().execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_a_database_of_another_encoding_is_refused(postgres: Cluster) -> None:
    url = postgres.empty("ENCODING 'SQL_ASCII' TEMPLATE template0")
    assert refusal(url) == "The database's encoding is SQL_ASCII; create it with ENCODING 'UTF8'"


@pytest.mark.parametrize(("version", "sound"), [(120999, False), (130000, True), (150020, True), (180001, True)])
def test_a_server_older_than_13_is_refused(version: int, sound: bool) -> None:
    expected = contextlib.nullcontext() if sound else pytest.raises(StoreRefused, match="PostgreSQL 12; 13 or newer")
    with expected:
        server.check_version(version)


def test_a_user_who_may_not_make_tables_is_told_what_to_grant(postgres: Cluster) -> None:
    url = postgres.empty()
    postgres.ask(name(url), "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    postgres.ask("postgres", "CREATE ROLE clerk LOGIN")
    said = refusal(postgres.url(name(url), "clerk"))
    assert said == "The user clerk may not create tables; GRANT CREATE ON SCHEMA public to it"


def test_a_database_of_something_else_is_refused(postgres: Cluster) -> None:
    url = postgres.empty()
    postgres.ask(name(url), "CREATE TABLE invoices (id INTEGER)")
    assert refusal(url) == "The database is one of something else; name an empty one in [store] url"


def test_a_schema_newer_than_the_code_is_refused(postgres: Cluster) -> None:
    url = postgres.fresh()
    postgres.ask(name(url), "UPDATE alembic_version SET version_num = '9999'")
    assert "newer than this labbridge" in refusal(url)


def test_a_standby_is_refused_and_a_service_whose_server_became_one_waits_for_the_primary() -> None:
    own = cluster()
    try:
        url = own.fresh()
        connection = server.open_writer(url)
        own.stop(signal.SIGQUIT)
        own.start()
        assert connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
        own.stop()
        (own.folder / "data" / "standby.signal").touch()
        own.start()
        assert refusal(url) == "The server is a standby and takes no writes; name the primary in [store] url"
        with pytest.raises(Unreachable):
            connection.execute("BEGIN IMMEDIATE")
        own.ask("postgres", "SELECT pg_promote()")
        deadline = time.monotonic() + PATIENCE_S
        while not begun(connection):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        connection.close()
    finally:
        own.close()


def begun(connection: Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except Unreachable:
        return False
    connection.execute("COMMIT")
    return True


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    url = "postgresql+psycopg://labbridge:s3cret@127.0.0.1:1/labbridge"
    for way in (lambda: opening.held(url).__enter__(), lambda: opening.reader(url), lambda: opening.present(url)):
        with pytest.raises(StoreUnavailable, match=r"cannot be used: .*refused") as caught:
            way()
        assert "s3cret" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_url_that_the_library_does_not_understand_is_refused_without_quoting_it() -> None:
    url = "postgresql+psycopg://labbridge:s3%zzcret@127.0.0.1/labbridge"
    with pytest.raises(StoreRefused, match="libpq does not know") as caught:
        opening.reader(url)
    assert "cret" not in str(caught.value)


def test_what_the_server_is_in_a_sentence(postgres: Cluster) -> None:
    url = postgres.empty()
    assert opening.server_of(url).startswith("PostgreSQL ")
    assert not opening.present(url)
    opening.held(url).__enter__()
    assert opening.present(url)


# ---------------------------------------------------------------- one writer


def test_a_fresh_database_gets_its_tables_and_an_opened_one_keeps_its_rows(postgres: Cluster) -> None:
    url = postgres.empty()
    with opening.held(url) as store:
        store.writer().execute("INSERT INTO tally(name, labels, count) VALUES ('stored', 'lis', 7)")
    with opening.held(url) as store:
        assert store.writer().execute("SELECT count FROM tally").fetchone() == (7,)


def test_several_nodes_write_one_store_under_numbers_of_their_own(emptied: str) -> None:
    with opening.held(emptied) as first, opening.held(emptied) as second:
        assert (first.writer().node, second.writer().node) == (0, 1)
    with opening.held(emptied) as again:
        assert (again.writer().node, again.writer().epoch) == (0, 2)


def test_who_must_write_alone_waits_for_nobody_and_lets_nobody_in(emptied: str) -> None:
    with opening.held(emptied):
        assert refusal(emptied, alone=True) == ANOTHER
    with opening.held(emptied, alone=True):
        assert refusal(emptied) == ANOTHER
    with opening.held(emptied):
        pass


def test_two_nodes_that_start_at_once_make_the_tables_once(postgres: Cluster) -> None:
    url, faults = postgres.empty(), list[BaseException]()

    def start() -> None:
        try:
            with opening.held(url) as store:
                assert store.writer().execute("SELECT count(*) FROM journal").fetchone() == (0,)
        except BaseException as fault:
            faults.append(fault)
            raise

    threads = [threading.Thread(target=start) for _node in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(PATIENCE_S)
    assert faults == []


def test_a_migration_that_would_have_to_wait_gives_way_and_is_tried_again(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for a table to itself stands in front of everybody who comes after: nodes of before go on working."""
    monkeypatch.setattr(migrate, "WAITS", "-c lock_timeout=200")
    url = postgres.empty()
    settings = Config()
    settings.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    with migrate.on_postgres(url).begin() as bound:
        settings.attributes["connection"] = bound
        command.upgrade(settings, "0016")
    line = "INSERT INTO audit(at, actor, action, subject) VALUES ('2026-11-10', 'old', 'received', 'M1')"
    with psycopg.connect(libpq(url)) as reads, ThreadPoolExecutor(1) as pool:
        reads.execute("SELECT count(*) FROM audit")
        migrating = pool.submit(lambda: server.open_writer(url).close())
        for _time in range(10):
            postgres.ask(name(url), f"SET statement_timeout = 5000; {line}")
        assert not migrating.done()
        assert postgres.ask(name(url), "SELECT version_num FROM alembic_version") == [("0016",)]
        reads.commit()
        migrating.result(PATIENCE_S)
    assert postgres.ask(name(url), "SELECT count(*), min(node), max(node) FROM audit") == [(10, 0, 0)]


def test_strict_durability_is_refused_where_commits_wait_for_no_standby(emptied: str) -> None:
    said = "[store] durability is strict, and the server waits for no standby: set synchronous_standby_names, or say server"
    assert refusal(emptied, strict=True) == said


def test_another_database_of_the_same_server_is_another_store(postgres: Cluster, emptied: str) -> None:
    with opening.held(emptied), opening.held(postgres.fresh()):
        pass


def test_the_lock_goes_with_its_process(emptied: str) -> None:
    script = (
        "import os, sys; from labbridge.store import opening\n"
        "opening.held(sys.argv[1]).__enter__(); os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, emptied])
    assert killed.returncode == -signal.SIGKILL
    with opening.held(emptied):
        pass


def test_a_forked_process_that_ends_leaves_the_session_alone(emptied: str) -> None:
    with opening.held(emptied) as store:
        child = os.fork()
        if child == 0:
            for file in store.files:
                os.close(file)
            os._exit(0)
        os.waitpid(child, 0)
        assert store.writer().execute("SELECT 1").fetchone() == (1,)
        assert refusal(emptied, alone=True) == ANOTHER


def test_a_reader_writes_nothing(emptied: str) -> None:
    reader = opening.reader(emptied)
    with pytest.raises(FAULTS):
        reader.execute("DELETE FROM journal")
    reader.close()
