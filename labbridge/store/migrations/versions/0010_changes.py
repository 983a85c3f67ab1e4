"""Edits of the site's files made at the workbench, and which messages carried a code that may be ours."""

from alembic import op

revision = "0010"
down_revision = "0009"

STATEMENTS = (
    """CREATE TABLE changes (
    id INTEGER NOT NULL,
    edits BLOB NOT NULL,
    about BLOB NOT NULL,
    base TEXT NOT NULL,
    state TEXT NOT NULL,
    author TEXT NOT NULL,
    author_name TEXT NOT NULL,
    put_forward TEXT NOT NULL,
    why TEXT NOT NULL,
    approver TEXT DEFAULT '' NOT NULL,
    approver_name TEXT DEFAULT '' NOT NULL,
    approved TEXT DEFAULT '' NOT NULL,
    ended TEXT DEFAULT '' NOT NULL,
    said TEXT DEFAULT '' NOT NULL,
    replay INTEGER DEFAULT '0' NOT NULL,
    read_again INTEGER DEFAULT '0' NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT two_persons_change CHECK (approver <> author)
)""",
    "CREATE INDEX changes_open ON changes (id) WHERE state IN ('put_forward', 'approved')",
    """CREATE TABLE unmapped_in (
    feed TEXT NOT NULL,
    system TEXT NOT NULL,
    code TEXT NOT NULL,
    label TEXT NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (feed, system, code, label, message)
)
    WITHOUT ROWID""",
    "CREATE INDEX unmapped_in_message ON unmapped_in (message)",
    """INSERT INTO unmapped_in(feed, system, code, label, message)
    SELECT feed, system, code, label, first_message FROM unmapped WHERE may_be <> ''
    UNION SELECT feed, system, code, label, last_message FROM unmapped WHERE may_be <> ''""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
