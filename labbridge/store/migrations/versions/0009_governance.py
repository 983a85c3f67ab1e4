"""What the machine says, and who approved it: the knowledge that was in force, and two signatures under each item."""

from alembic import op

revision = "0009"
down_revision = "0008"

STATEMENTS = (
    """CREATE TABLE knowledge (
    version TEXT NOT NULL,
    body BLOB NOT NULL,
    taken TEXT NOT NULL,
    PRIMARY KEY (version)
)
    WITHOUT ROWID""",
    """CREATE TABLE approvals (
    id INTEGER NOT NULL,
    item TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    version INTEGER NOT NULL,
    text TEXT DEFAULT '' NOT NULL,
    author TEXT NOT NULL,
    author_name TEXT NOT NULL,
    put_forward TEXT NOT NULL,
    why TEXT DEFAULT '' NOT NULL,
    approver TEXT DEFAULT '' NOT NULL,
    approver_name TEXT DEFAULT '' NOT NULL,
    approved TEXT DEFAULT '' NOT NULL,
    meaning TEXT DEFAULT '' NOT NULL,
    withdrawn TEXT DEFAULT '' NOT NULL,
    withdrawn_by TEXT DEFAULT '' NOT NULL,
    withdrawn_why TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT two_persons_approve CHECK (approver <> author)
)""",
    "ALTER TABLE work ADD COLUMN forgiven INTEGER DEFAULT '0' NOT NULL",
    "ALTER TABLE cases ADD COLUMN rank INTEGER DEFAULT '0' NOT NULL",
    "ALTER TABLE cases ADD COLUMN ranked TEXT DEFAULT '' NOT NULL",
    "CREATE INDEX cases_ranked ON cases (rank DESC, id) WHERE (state NOT IN ('signed', 'closed'))",
    "ALTER TABLE outbox ADD COLUMN rule TEXT DEFAULT '' NOT NULL",
    """CREATE TABLE releases (
    "case" INTEGER NOT NULL,
    version INTEGER NOT NULL,
    rule TEXT DEFAULT '' NOT NULL,
    class TEXT DEFAULT '' NOT NULL,
    analytes TEXT DEFAULT '' NOT NULL,
    delivery INTEGER DEFAULT '0' NOT NULL,
    refusals TEXT DEFAULT '' NOT NULL,
    due TEXT DEFAULT '' NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY ("case", version)
)
    WITHOUT ROWID""",
    """CREATE TABLE reviews (
    "case" INTEGER NOT NULL,
    version INTEGER NOT NULL,
    rule TEXT NOT NULL,
    feed TEXT NOT NULL,
    released TEXT NOT NULL,
    agrees TEXT DEFAULT '' NOT NULL,
    person TEXT DEFAULT '' NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    why TEXT DEFAULT '' NOT NULL,
    at TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY ("case", version)
)
    WITHOUT ROWID""",
    """CREATE TABLE judgements (
    "case" INTEGER NOT NULL,
    version INTEGER NOT NULL,
    feed TEXT NOT NULL,
    class TEXT NOT NULL,
    agreed INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY ("case", version)
)
    WITHOUT ROWID""",
    """CREATE TABLE words_seen (
    feed TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (feed, digest)
)
    WITHOUT ROWID""",
    """CREATE TABLE lots (
    feed TEXT NOT NULL,
    lot TEXT NOT NULL,
    first TEXT NOT NULL,
    PRIMARY KEY (feed, lot)
)
    WITHOUT ROWID""",
    """CREATE TABLE suspensions (
    id INTEGER NOT NULL,
    feed TEXT DEFAULT '' NOT NULL,
    analyte TEXT DEFAULT '' NOT NULL,
    rule TEXT DEFAULT '' NOT NULL,
    why TEXT NOT NULL,
    by TEXT NOT NULL,
    at TEXT NOT NULL,
    lifted TEXT DEFAULT '' NOT NULL,
    lifted_by TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE replays (
    id INTEGER NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    by TEXT NOT NULL,
    started TEXT NOT NULL,
    state TEXT NOT NULL,
    said TEXT DEFAULT '' NOT NULL,
    sum BLOB NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE replayed (
    replay INTEGER NOT NULL,
    number INTEGER NOT NULL,
    feed TEXT NOT NULL,
    lane TEXT NOT NULL,
    body BLOB NOT NULL,
    verdict TEXT DEFAULT '' NOT NULL,
    person TEXT DEFAULT '' NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    why TEXT DEFAULT '' NOT NULL,
    at TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (replay, number)
)
    WITHOUT ROWID""",
    "CREATE INDEX replayed_lane ON replayed (lane)",
    "CREATE INDEX reviews_open ON reviews (feed) WHERE agrees = ''",
    'CREATE INDEX judgements_class ON judgements (feed, class, "case", agreed)',
    "CREATE UNIQUE INDEX approvals_in_force ON approvals (item, sha256) WHERE withdrawn = ''",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
