"""Who is who: links between patients and what was stated of them. Comments by specimen and by text; edited messages."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    "ALTER TABLE results ADD COLUMN who TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE outbox ADD COLUMN expires TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE outbox ADD COLUMN specimen TEXT DEFAULT '' NOT NULL",
    """CREATE TABLE links (
    id INTEGER NOT NULL,
    prior TEXT NOT NULL,
    surviving TEXT NOT NULL,
    message INTEGER NOT NULL,
    made TEXT NOT NULL,
    undone TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE merged (
    lane TEXT NOT NULL,
    surviving TEXT NOT NULL,
    PRIMARY KEY (lane)
)
 WITHOUT ROWID""",
    """CREATE TABLE identities (
    lane TEXT NOT NULL,
    who TEXT NOT NULL,
    verdict TEXT NOT NULL,
    message INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (lane, who)
)
 WITHOUT ROWID""",
    """CREATE TABLE texts (
    digest BLOB NOT NULL,
    comment INTEGER NOT NULL,
    PRIMARY KEY (digest)
)
 WITHOUT ROWID""",
    """CREATE TABLE edits (
    message INTEGER NOT NULL,
    version INTEGER NOT NULL,
    raw BLOB NOT NULL,
    editor TEXT NOT NULL,
    why TEXT NOT NULL,
    made TEXT NOT NULL,
    approved_by TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (message, version)
)""",
    "CREATE INDEX work_lane ON work (lane) WHERE state IN ('kept', 'parked')",
    "CREATE INDEX links_prior ON links (prior)",
    "CREATE INDEX links_surviving ON links (surviving)",
    "CREATE INDEX links_message ON links (message)",
    "CREATE INDEX merged_surviving ON merged (surviving)",
    "CREATE INDEX outbox_specimen ON outbox (specimen, created)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
