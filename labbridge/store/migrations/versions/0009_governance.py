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
    "CREATE UNIQUE INDEX approvals_in_force ON approvals (item, sha256) WHERE withdrawn = ''",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
