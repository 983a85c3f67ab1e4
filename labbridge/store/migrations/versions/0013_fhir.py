"""FHIR: by what its senders know a resource, and the feed of a program's token."""

from alembic import op

revision = "0013"
down_revision = "0012"

STATEMENTS = (
    """CREATE TABLE known (
    id INTEGER NOT NULL,
    feed TEXT NOT NULL,
    type TEXT NOT NULL,
    token TEXT NOT NULL,
    resource TEXT NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (id)
)""",
    "CREATE INDEX known_token ON known (feed, type, token)",
    "CREATE INDEX known_message ON known (message)",
    "ALTER TABLE tokens ADD COLUMN feed TEXT DEFAULT '' NOT NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
