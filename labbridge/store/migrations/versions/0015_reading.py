"""All that came of a patient, done with or not: programs read and search it by FHIR."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("CREATE INDEX work_of_lane ON work (lane, id)")
