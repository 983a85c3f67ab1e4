"""Sums of rows of work, of cases and of drafts (store/sums.py). What was written before has none, and is asked nothing until
it is written again."""

from alembic import op

revision = "0011"
down_revision = "0010"

STATEMENTS = (
    "ALTER TABLE work ADD COLUMN crc INTEGER",
    "ALTER TABLE cases ADD COLUMN crc INTEGER",
    "ALTER TABLE cases ADD COLUMN version_crc INTEGER",
    "ALTER TABLE cases ADD COLUMN state_crc INTEGER",
    "ALTER TABLE cases ADD COLUMN put_crc INTEGER",
    "ALTER TABLE cases ADD COLUMN rank_crc INTEGER",
    "ALTER TABLE drafts ADD COLUMN crc INTEGER",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
