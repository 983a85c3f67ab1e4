"""What the tables of the schema have in common."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()


def text(name: str, default: str = "") -> sa.Column[str]:
    """A text that is never NULL."""
    return sa.Column(name, sa.Text, nullable=False, server_default=default)
