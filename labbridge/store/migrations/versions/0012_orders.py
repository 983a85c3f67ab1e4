"""The ledger of retests: what was recommended and what became of it, and the orders that went to the LIS for it."""

from alembic import op

revision = "0012"
down_revision = "0011"

STATEMENTS = (
    """CREATE TABLE retests (
    id INTEGER NOT NULL,
    "case" INTEGER NOT NULL,
    version INTEGER NOT NULL,
    lane TEXT NOT NULL,
    feed TEXT NOT NULL,
    day TEXT NOT NULL,
    message INTEGER NOT NULL,
    analyte TEXT NOT NULL,
    reason TEXT NOT NULL,
    families TEXT NOT NULL,
    priority TEXT NOT NULL,
    not_before TEXT DEFAULT '' NOT NULL,
    rule TEXT DEFAULT '' NOT NULL,
    raised_by TEXT DEFAULT '' NOT NULL,
    assay TEXT DEFAULT '' NOT NULL,
    family TEXT DEFAULT '' NOT NULL,
    band TEXT DEFAULT '' NOT NULL,
    specimen TEXT DEFAULT '' NOT NULL,
    collected TEXT DEFAULT '' NOT NULL,
    state TEXT NOT NULL,
    closing TEXT DEFAULT '' NOT NULL,
    closed_by TEXT DEFAULT '' NOT NULL,
    cause TEXT DEFAULT '' NOT NULL,
    why TEXT DEFAULT '' NOT NULL,
    "by" TEXT DEFAULT '' NOT NULL,
    again INTEGER DEFAULT '0' NOT NULL,
    withheld TEXT DEFAULT '' NOT NULL,
    advised TEXT NOT NULL,
    closed TEXT DEFAULT '' NOT NULL,
    order_from TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id)
)""",
    'CREATE INDEX retests_case ON retests ("case")',
    "CREATE INDEX retests_lane ON retests (lane)",
    "CREATE INDEX retests_listed ON retests (id) WHERE state IN ('advised', 'ordered')",
    "CREATE UNIQUE INDEX retests_open ON retests (lane, analyte, reason) WHERE state IN ('advised', 'ordered')",
    "CREATE INDEX retests_yield ON retests (rule, assay, band, feed, state, closing)",
    """CREATE TABLE orders (
    id INTEGER NOT NULL,
    retest INTEGER NOT NULL,
    number TEXT NOT NULL,
    lane TEXT NOT NULL,
    analyte TEXT NOT NULL,
    reason TEXT NOT NULL,
    family TEXT NOT NULL,
    delivery INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    control_id TEXT NOT NULL,
    state TEXT NOT NULL,
    filler TEXT DEFAULT '' NOT NULL,
    said TEXT DEFAULT '' NOT NULL,
    open INTEGER DEFAULT '1' NOT NULL,
    due TEXT DEFAULT '' NOT NULL,
    made TEXT NOT NULL,
    updated TEXT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (number)
)""",
    "CREATE INDEX orders_delivery ON orders (delivery)",
    "CREATE INDEX orders_lane ON orders (lane)",
    "CREATE UNIQUE INDEX orders_open ON orders (lane, analyte, reason) WHERE open = 1",
    "CREATE INDEX orders_retest ON orders (retest)",
    "ALTER TABLE outbox ADD COLUMN not_before TEXT DEFAULT '' NOT NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
