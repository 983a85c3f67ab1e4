"""Views that are read by ODBC: how far each feed has come."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute("""CREATE TABLE polls (
    feed TEXT NOT NULL,
    progress TEXT NOT NULL,
    digest TEXT NOT NULL,
    updated TEXT NOT NULL,
    PRIMARY KEY (feed)
)""")
