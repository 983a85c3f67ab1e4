"""Second readers, calls, remarks, sign-ins elsewhere, and what receivers answered; two persons, held by the tables."""

from alembic import op

revision = "0008"
down_revision = "0007"

STATEMENTS = (
    "ALTER TABLE people ADD COLUMN subject TEXT DEFAULT '' NOT NULL",
    """CREATE TABLE attempts (
    id INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    at TEXT NOT NULL,
    sent TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    answer BLOB NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE countersigned (
    signature INTEGER NOT NULL,
    "case" INTEGER NOT NULL,
    first TEXT NOT NULL,
    second TEXT NOT NULL,
    PRIMARY KEY (signature),
    CONSTRAINT two_persons_sign CHECK (first <> second)
)""",
    """CREATE TABLE readings (
    id INTEGER NOT NULL,
    "case" INTEGER NOT NULL,
    version INTEGER NOT NULL,
    person TEXT NOT NULL,
    name TEXT NOT NULL,
    at TEXT NOT NULL,
    finding TEXT NOT NULL,
    first TEXT NOT NULL,
    first_finding TEXT NOT NULL,
    unseen INTEGER NOT NULL,
    why TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT two_persons_read CHECK (first <> person)
)""",
    """CREATE TABLE calls (
    id INTEGER NOT NULL,
    "case" INTEGER NOT NULL,
    version INTEGER NOT NULL,
    person TEXT NOT NULL,
    name TEXT NOT NULL,
    at TEXT NOT NULL,
    told TEXT NOT NULL,
    read_back INTEGER NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE remarks (
    id INTEGER NOT NULL,
    "case" INTEGER NOT NULL,
    person TEXT NOT NULL,
    name TEXT NOT NULL,
    at TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE sign_ins (
    digest BLOB NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    made TEXT NOT NULL,
    PRIMARY KEY (digest)
)
    WITHOUT ROWID""",
    "CREATE TABLE kept AS SELECT * FROM edits",
    "DROP TABLE edits",
    """CREATE TABLE edits (
    message INTEGER NOT NULL,
    version INTEGER NOT NULL,
    raw BLOB NOT NULL,
    editor TEXT NOT NULL,
    why TEXT NOT NULL,
    made TEXT NOT NULL,
    approved_by TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (message, version),
    CONSTRAINT two_persons_repair CHECK (approved_by <> editor)
)""",
    # whoever sent a message through approved every edit of it, its own too: those are not approved, and never were in force
    "INSERT INTO edits SELECT message, version, raw, editor, why, made,"
    " CASE WHEN approved_by = editor THEN '' ELSE approved_by END FROM kept",
    "DROP TABLE kept",
    "CREATE INDEX journal_unread ON journal (id) WHERE state = 'quarantined'",
    "CREATE INDEX audit_acts ON audit (subject) WHERE action IN ('edited', 'identity other', 'identity same', 'raw opened',"
    " 'reprocess', 'unlinked', 'who is who opened')",
    "CREATE INDEX attempts_delivery ON attempts (delivery)",
    'CREATE INDEX countersigned_case ON countersigned ("case")',
    'CREATE INDEX readings_case ON readings ("case")',
    'CREATE INDEX calls_case ON calls ("case")',
    'CREATE INDEX remarks_case ON remarks ("case")',
    "CREATE INDEX cases_alike ON cases (flags, id) WHERE state IN ('signed', 'closed')",
    "CREATE UNIQUE INDEX people_subject ON people (subject) WHERE subject != ''",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
