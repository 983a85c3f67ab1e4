"""Who is who: links between patients and what was stated of them. Comments by specimen and by text; edited messages.
The audit's seals; restores, legal holds, tombstones."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    "ALTER TABLE results ADD COLUMN who TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE outbox ADD COLUMN expires TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE outbox ADD COLUMN specimen TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE cases ADD COLUMN restore INTEGER DEFAULT '0' NOT NULL",
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
    """CREATE TABLE seals (
    id INTEGER NOT NULL,
    last INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE restores (
    id INTEGER NOT NULL,
    at TEXT NOT NULL,
    "by" TEXT NOT NULL,
    taken TEXT NOT NULL,
    confirmed TEXT DEFAULT '' NOT NULL,
    confirmed_by TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE holds (
    id INTEGER NOT NULL,
    lane TEXT NOT NULL,
    why TEXT NOT NULL,
    "by" TEXT NOT NULL,
    at TEXT NOT NULL,
    lifted TEXT DEFAULT '' NOT NULL,
    lifted_by TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE tombstones (
    id INTEGER NOT NULL,
    lane_digest BLOB NOT NULL,
    at TEXT NOT NULL,
    "by" TEXT NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (id)
)""",
    "CREATE INDEX work_lane ON work (lane) WHERE state IN ('kept', 'parked')",
    "CREATE INDEX links_prior ON links (prior)",
    "CREATE INDEX links_surviving ON links (surviving)",
    "CREATE INDEX links_message ON links (message)",
    "CREATE INDEX merged_surviving ON merged (surviving)",
    'CREATE INDEX outbox_case ON outbox ("case")',
    "CREATE INDEX outbox_specimen ON outbox (specimen, created)",
    "CREATE INDEX holds_lane ON holds (lane)",
    """CREATE TRIGGER seals_no_update BEFORE UPDATE ON seals BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END""",
    """CREATE TRIGGER seals_no_delete BEFORE DELETE ON seals BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
