"""The tables of what the machine says: the knowledge that was in force, and who approved which item of it."""

from __future__ import annotations

import sqlalchemy as sa

from labbridge.store.schema_base import metadata, text

knowledge = sa.Table(  # every knowledge that was ever in force here, so that what was said by it can be said again
    "knowledge",
    metadata,
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("taken", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

approvals = sa.Table(  # one content of one item: who put it forward, who approved it, who took that back
    "approvals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("item", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    text("text"),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("author_name", sa.Text, nullable=False),
    sa.Column("put_forward", sa.Text, nullable=False),
    text("why"),
    text("approver"),
    text("approver_name"),
    text("approved"),
    text("meaning"),
    text("withdrawn"),
    text("withdrawn_by"),
    text("withdrawn_why"),
    sa.CheckConstraint("approver <> author", name="two_persons_approve"),
)
sa.Index(
    "approvals_in_force", approvals.c.item, approvals.c.sha256, unique=True, sqlite_where=approvals.c.withdrawn == ""
)

KNOWLEDGE = {one.name for one in (knowledge, approvals)}
"""The names of these tables: who makes the schema asks that they are among its own."""
