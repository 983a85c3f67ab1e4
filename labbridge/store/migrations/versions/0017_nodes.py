"""Several services on one store: who they are, what is whose, and an audit's chain and counters for each of them."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("""CREATE TABLE nodes (
    number INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    instance TEXT DEFAULT '' NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    processes INTEGER DEFAULT '0' NOT NULL,
    renewed INTEGER DEFAULT '0' NOT NULL,
    within INTEGER DEFAULT '0' NOT NULL,
    session INTEGER DEFAULT '0' NOT NULL,
    since TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (number)
)""")
    op.execute("""CREATE TABLE holdings (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    node INTEGER,
    epoch INTEGER DEFAULT '0' NOT NULL,
    leaving INTEGER DEFAULT '0' NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
)""")
    op.execute("ALTER TABLE audit ADD COLUMN node INTEGER DEFAULT '0' NOT NULL")
    op.execute("CREATE TABLE counted AS SELECT name, labels, count, updated FROM tally")
    op.execute("DROP TABLE tally")
    op.execute("""CREATE TABLE tally (
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    node INTEGER DEFAULT '0' NOT NULL,
    count INTEGER NOT NULL,
    updated TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (name, labels, node)
) WITHOUT ROWID""")
    op.execute("INSERT INTO tally(name, labels, count, updated) SELECT name, labels, count, updated FROM counted")
    op.execute("DROP TABLE counted")
