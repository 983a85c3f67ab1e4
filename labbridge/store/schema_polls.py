"""The table of views that are read: how far each such feed has come."""

from __future__ import annotations

import sqlalchemy as sa

from labbridge.store.schema_base import metadata

polls = sa.Table(
    "polls",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("progress", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("updated", sa.Text, nullable=False),
)

POLLS = frozenset({"polls"})
