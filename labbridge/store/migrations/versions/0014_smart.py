"""SMART Backend Services: access tokens of clients, and the assertions that were used."""

from alembic import op

revision = "0014"
down_revision = "0013"

STATEMENTS = (
    """CREATE TABLE grants (
    digest BLOB NOT NULL,
    client TEXT NOT NULL,
    scopes TEXT NOT NULL,
    expires TEXT NOT NULL,
    PRIMARY KEY (digest)
) WITHOUT ROWID""",
    "CREATE INDEX grants_expires ON grants (expires)",
    """CREATE TABLE assertions (
    digest BLOB NOT NULL,
    until TEXT NOT NULL,
    PRIMARY KEY (digest)
) WITHOUT ROWID""",
    "CREATE INDEX assertions_until ON assertions (until)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
