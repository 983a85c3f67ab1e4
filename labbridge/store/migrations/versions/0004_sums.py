"""Sums of held results and of what is to leave (store/sums.py)."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = ("ALTER TABLE results ADD COLUMN crc INTEGER", "ALTER TABLE outbox ADD COLUMN digest BLOB")


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
