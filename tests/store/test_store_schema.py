"""One schema, however a database came to it."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.pool import StaticPool
from store_statements import translated

from labbridge.store import migrate, schema, server
from labbridge.store.sqlite import REVISION, SCHEMA, create, open_writer
from tests.clusters import Cluster

UPGRADE = Path(__file__).parent / "upgrade"


def shape(connection: sqlite3.Connection) -> dict[str, object]:
    """Every table by its columns, keys and indexes, every trigger and index by its SQL: what a database is, however its
    columns came in."""
    found: dict[str, object] = {}
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    for kind, name, sql in rows:
        found[name] = re.sub(r"\s+", " ", sql or "").replace("( ", "(").replace(" )", ")")
        if kind == "table":
            columns = connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
            indexes = connection.execute(f"PRAGMA index_list({name})").fetchall()
            keys = {one[1]: connection.execute(f"PRAGMA index_xinfo({one[1]})").fetchall() for one in indexes}
            found[name] = (
                columns,
                sorted(one[1:] for one in indexes),
                sorted(keys.items()),
                "WITHOUT ROWID" in (sql or ""),
            )
    return found


def migrated() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    settings = Config()
    settings.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.begin() as bound:
        settings.attributes["connection"] = bound
        command.upgrade(settings, "head")
    return connection


def test_migrations_and_a_fresh_database_give_the_same_schema() -> None:
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    create(fresh)
    assert shape(migrated()) == shape(fresh)


SHAPE = {
    "columns": "SELECT table_name, ordinal_position, column_name, data_type, collation_name, is_nullable, column_default,"
    " is_identity, identity_generation FROM information_schema.columns WHERE table_schema = 'public'",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace",
    "triggers": "SELECT tgname, pg_get_triggerdef(t.oid), prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid",
}


def postgres_shape(postgres: Cluster, url: str) -> dict[str, list[tuple[object, ...]]]:
    """What a PostgreSQL database is, its columns, indexes, keys and triggers."""
    rows = {name: postgres.ask(url.rpartition("/")[2], f"{sql} ORDER BY 1, 2") for name, sql in SHAPE.items()}
    return {name: [row for row in found if row[0] != "alembic_version"] for name, found in rows.items()}


def test_the_migrations_give_what_the_tables_say_on_postgresql_too(postgres: Cluster) -> None:
    told = postgres.empty()
    for statement in translated(schema.script()):
        postgres.ask(told.rpartition("/")[2], statement)
    found = postgres_shape(postgres, postgres.fresh())
    assert found == postgres_shape(postgres, told)
    assert len({table for table, *_rest in found["columns"]}) == len(schema.metadata.tables)
    assert all(found.values())


def test_every_text_is_compared_by_code_point_on_postgresql(postgres: Cluster) -> None:
    columns = postgres_shape(postgres, postgres.fresh())["columns"]
    assert {row[4] for row in columns if row[3] == "text"} == {"C"}
    assert {row[3] for row in columns} == {"text", "bigint", "bytea"}


def test_the_printed_schema_is_that_of_the_tables() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema.script(), "run `make docs`"


def test_a_fresh_database_is_made_without_loading_sqlalchemy(tmp_path: Path) -> None:
    """It takes a fifth of a second that the first answer would wait for."""
    code = (
        "import pathlib, sys; from labbridge.store.sqlite import open_writer;"
        f"open_writer(pathlib.Path({str(tmp_path / 'fresh.db')!r})).close();"
        "print([one for one in ('sqlalchemy', 'alembic') if one in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_newest_revision_is_the_one_the_code_expects() -> None:
    assert migrated().execute("SELECT version_num FROM alembic_version").fetchone() == (REVISION,)


def test_every_table_has_a_primary_key() -> None:
    assert all(len(table.primary_key) for table in schema.metadata.sorted_tables)


@pytest.mark.parametrize("revision", sorted(path.stem for path in UPGRADE.glob("*.sql")))
def test_a_database_of_every_schema_opens_with_its_rows(tmp_path: Path, revision: str) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.executescript((UPGRADE / f"{revision}.sql").read_text(encoding="utf-8"))
    old.close()
    connection = open_writer(path)
    assert connection.execute("SELECT control_id, state FROM journal").fetchall() == [("C1", "done")]
    assert connection.execute("SELECT count(*) FROM results").fetchone() == (1,)
    assert connection.execute("SELECT id, version, state FROM cases").fetchall() == [(1, 1, "new")]
    assert connection.execute("SELECT feed, system, code, seen FROM unmapped WHERE code = 'GLU'").fetchall() == [
        ("lis", "L", "GLU", 1)
    ]
    assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (REVISION,)
    connection.close()


@pytest.mark.parametrize("revision", sorted(path.stem for path in UPGRADE.glob("*.sql")))
def test_a_postgresql_database_of_every_schema_opens_with_its_rows(postgres: Cluster, revision: str) -> None:
    url = postgres.empty()
    for statement in translated((UPGRADE / f"{revision}.sql").read_text(encoding="utf-8")):
        postgres.ask(url.rpartition("/")[2], statement)
    connection = server.open_writer(url)
    assert connection.execute("SELECT control_id, state FROM journal").fetchall() == [("C1", "done")]
    assert connection.execute("SELECT id, version, state FROM cases").fetchall() == [(1, 1, "new")]
    assert connection.execute("SELECT feed, system, code, seen FROM unmapped WHERE code = 'GLU'").fetchall() == [
        ("lis", "L", "GLU", 1)
    ]
    assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (REVISION,)
    connection.close()
    assert postgres_shape(postgres, url) == postgres_shape(postgres, postgres.fresh())


def test_the_newest_schema_is_kept_as_a_fixture_too() -> None:
    assert (UPGRADE / f"{REVISION}.sql").is_file()
