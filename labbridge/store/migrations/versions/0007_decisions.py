"""What people decide of cases, and their signatures."""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    "ALTER TABLE cases ADD COLUMN disposition TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE cases ADD COLUMN disposition_version INTEGER DEFAULT '0' NOT NULL",
    "ALTER TABLE cases ADD COLUMN until TEXT DEFAULT '' NOT NULL",
    """CREATE TABLE decisions (
    id INTEGER NOT NULL,
    "case" INTEGER NOT NULL,
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    person TEXT NOT NULL,
    name TEXT NOT NULL,
    at TEXT NOT NULL,
    why TEXT DEFAULT '' NOT NULL,
    until TEXT DEFAULT '' NOT NULL,
    text TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE signatures (
    id INTEGER NOT NULL,
    "case" INTEGER NOT NULL,
    version INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    person TEXT NOT NULL,
    name TEXT NOT NULL,
    meaning TEXT NOT NULL,
    screen BLOB NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (id)
)""",
    "CREATE INDEX cases_set_aside ON cases (feed, state) WHERE disposition != ''",
    'CREATE INDEX decisions_case ON decisions ("case")',
    'CREATE INDEX signatures_case ON signatures ("case")',
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
