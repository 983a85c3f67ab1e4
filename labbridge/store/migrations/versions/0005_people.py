"""People, their sessions, and the tokens of programs."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    """CREATE TABLE people (
    id INTEGER NOT NULL,
    login TEXT NOT NULL,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    feeds TEXT NOT NULL,
    secret TEXT DEFAULT '' NOT NULL,
    language TEXT DEFAULT '' NOT NULL,
    theme TEXT DEFAULT '' NOT NULL,
    made TEXT NOT NULL,
    disabled TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (login)
)""",
    """CREATE TABLE sessions (
    digest BLOB NOT NULL,
    person INTEGER NOT NULL,
    opened TEXT NOT NULL,
    seen TEXT NOT NULL,
    proven TEXT NOT NULL,
    PRIMARY KEY (digest)
)
 WITHOUT ROWID""",
    """CREATE TABLE tokens (
    id INTEGER NOT NULL,
    digest BLOB NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    made TEXT NOT NULL,
    expires TEXT NOT NULL,
    used TEXT DEFAULT '' NOT NULL,
    revoked TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (digest)
)""",
    "CREATE INDEX sessions_person ON sessions (person)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
