"""Migrations with Alembic, in one transaction. The caller holds the store's lock."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool, StaticPool

from labbridge.store.connection import StoreRefused

WAITS = "-c lock_timeout=2000"  # milliseconds
TRIES, BETWEEN_S = 60, 1.0


def upgrade(engine: sa.Engine, revision: str | None) -> None:
    """Bring a database of an older revision to the newest; None: one without tables. StoreRefused where its revision is not
    known here."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}
    if revision is not None and revision not in known:
        raise StoreRefused(f"The database is at revision {revision}, newer than this labbridge; install the newer one")
    with engine.begin() as bound:
        settings.attributes["connection"] = bound
        command.upgrade(settings, "head")


def upgrade_beside(url: str, revision: str | None) -> None:
    """The same on PostgreSQL, where other nodes may be at work: a statement that would have to wait for them gives way, so
    that nobody queues up behind it, and all is tried again. StoreRefused where they never let it in."""
    from psycopg.errors import LockNotAvailable

    engine = on_postgres(url)
    for _time in range(TRIES):
        try:
            upgrade(engine, revision)
        except sa.exc.OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable):
                raise
            time.sleep(BETWEEN_S)
        else:
            return
    raise StoreRefused("The tables are in use without a pause; stop what reads them for long, then start again")


def on_sqlite(connection: sqlite3.Connection) -> sa.Engine:
    """Over the writer's own connection."""
    return sa.create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)


def on_postgres(url: str) -> sa.Engine:
    """Over a session beside the one that holds the lock. The migrations are written in SQLite's words."""
    import psycopg

    from labbridge.store.dialect import ddl
    from labbridge.store.postgres import libpq

    engine = sa.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(libpq(url), options=WAITS), poolclass=NullPool
    )

    @sa.event.listens_for(engine, "before_cursor_execute", retval=True)
    def translated(_bound: Any, _cursor: Any, sql: str, parameters: Any, *_how: Any) -> tuple[str, Any]:
        return ddl(sql), parameters

    return engine
