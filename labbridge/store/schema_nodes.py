"""The tables of several services on one store (PostgreSQL): who they are, and what of the work is whose."""

from __future__ import annotations

import sqlalchemy as sa

from labbridge.store.schema_base import metadata, text

nodes = sa.Table(  # one row for each number a node has borne; its epoch is raised by each session that takes the number
    "nodes",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    text("instance"),
    text("name"),
    sa.Column("processes", sa.Integer, nullable=False, server_default="0"),
    sa.Column(
        "renewed", sa.Integer, nullable=False, server_default="0"
    ),  # milliseconds since 1970 by the server's clock
    sa.Column(
        "within", sa.Integer, nullable=False, server_default="0"
    ),  # milliseconds after which it is taken for lost
    sa.Column("session", sa.Integer, nullable=False, server_default="0"),  # the server process that it writes through
    text("since"),
)

holdings = sa.Table(  # what one node alone may work on: 64 partitions, receivers, views, the upkeep
    "holdings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("node", sa.Integer),
    sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
    sa.Column("leaving", sa.Integer, nullable=False, server_default="0"),
)

NODES = frozenset({"nodes", "holdings"})
