"""Notes of receipt beside a message; unmapped codes with name, unit, last seen, and which analyte they may be."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    "ALTER TABLE journal ADD COLUMN notes TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE unmapped RENAME TO unmapped_0001",
    """CREATE TABLE unmapped (
    feed TEXT NOT NULL,
    system TEXT NOT NULL,
    code TEXT NOT NULL,
    label TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    unit TEXT DEFAULT '' NOT NULL,
    may_be TEXT DEFAULT '' NOT NULL,
    seen INTEGER NOT NULL,
    last_seen TEXT DEFAULT '' NOT NULL,
    first_message INTEGER NOT NULL,
    last_message INTEGER NOT NULL,
    PRIMARY KEY (feed, system, code, label)
) WITHOUT ROWID""",
    """INSERT INTO unmapped(feed, system, code, label, seen, first_message, last_message)
    SELECT feed, system, code, '', seen, first_message, last_message FROM unmapped_0001""",
    "DROP TABLE unmapped_0001",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    if op.get_bind().dialect.name == "postgresql":  # which names the key of the new table by what is left
        op.execute("ALTER INDEX unmapped_pkey1 RENAME TO unmapped_pkey")
