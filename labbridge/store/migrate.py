"""Migrations with Alembic, over the writer's own connection, in one transaction."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.pool import StaticPool


def upgrade(connection: sqlite3.Connection, revision: str) -> None:
    """Bring a database of an older revision to the newest. StoreRefused where its revision is not known here."""
    from labbridge.store.sqlite import StoreRefused

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}
    if revision not in known:
        raise StoreRefused(f"The database is at revision {revision}, newer than this labbridge; install the newer one")
    engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.begin() as bound:
        settings.attributes["connection"] = bound
        command.upgrade(settings, "head")
