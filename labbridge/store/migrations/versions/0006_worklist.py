"""What the worklist is filtered and found by, who has a case open, and shift notes."""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

AT_ONCE = 500
RANKS = {"info": 1, "minor": 2, "major": 3, "critical": 4}
STATEMENTS = (
    "ALTER TABLE cases ADD COLUMN severity INTEGER DEFAULT '0' NOT NULL",
    "ALTER TABLE cases ADD COLUMN flags TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE cases ADD COLUMN analytes TEXT DEFAULT '' NOT NULL",
    "CREATE INDEX cases_open ON cases (id) WHERE (state NOT IN ('signed', 'closed'))",
    "CREATE INDEX cases_states ON cases (feed, state)",
    "CREATE INDEX cases_updated ON cases (updated)",
    "CREATE INDEX patients_identifier ON patients (identifier)",
    """CREATE INDEX outbox_unsettled ON outbox ("case") WHERE state IN ('waiting', 'sent', 'failed')""",
    """CREATE TABLE numbers (
    number TEXT NOT NULL,
    lane TEXT NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (number, lane, message)
)
 WITHOUT ROWID""",
    "CREATE INDEX numbers_message ON numbers (message)",
    """CREATE TABLE opened (
    "case" INTEGER NOT NULL,
    person INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY ("case", person)
)
 WITHOUT ROWID""",
    """CREATE TABLE shift_notes (
    id INTEGER NOT NULL,
    queue TEXT NOT NULL,
    feed TEXT DEFAULT '' NOT NULL,
    at TEXT NOT NULL,
    person TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (id)
)""",
    "CREATE INDEX shift_notes_queue ON shift_notes (queue, id)",
)
DRAFTS = (
    'SELECT c.id, d.outcome FROM cases c JOIN drafts d ON d."case" = c.id AND d.version = c.version'
    " WHERE c.id > :after ORDER BY c.id LIMIT :most"
)
TOLD = "UPDATE cases SET severity = :severity, flags = :flags, analytes = :analytes WHERE id = :id"
RESULTS = "SELECT id, lane, message, body FROM results WHERE kind = 'result' AND id > :after ORDER BY id LIMIT :most"
NUMBER = (
    "INSERT INTO numbers(number, lane, message) VALUES (:number, :lane, :message)"
    " ON CONFLICT(number, lane, message) DO NOTHING"
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    bound = op.get_bind()
    for rows in _some(bound, DRAFTS):
        bound.execute(sa.text(TOLD), [_told(*row) for row in rows])
    for rows in _some(bound, RESULTS):
        found = [one for row in rows for one in _numbers(*row)]
        if found:
            bound.execute(sa.text(NUMBER), found)


def _some(bound: sa.Connection, asked: str) -> Iterator[list[Any]]:
    """The rows, so many at once."""
    after = 0
    while rows := bound.execute(sa.text(asked), {"after": after, "most": AT_ONCE}).fetchall():
        yield list(rows)
        after = rows[-1][0]


def _told(id: int, outcome: bytes) -> dict[str, Any]:
    said = json.loads(bytes(outcome))
    flags = said.get("flags", [])
    analytes = {one.get("analyte", "") for one in (*flags, *said.get("retests", []))} - {""}
    return {
        "id": id,
        "severity": max((RANKS.get(one["severity"], 0) for one in flags), default=0),
        "flags": _spaced({one["code"] for one in flags}),
        "analytes": _spaced(analytes),
    }


def _spaced(found: set[str]) -> str:
    return f" {' '.join(sorted(found))} " if found else ""


def _numbers(_id: int, lane: str, message: int, body: bytes) -> list[dict[str, Any]]:
    """A number too long for an index is left out here: it is kept with the next message that carries it."""
    said = json.loads(bytes(body))
    ids = {said.get(name, {}).get("id", "") for name in ("specimen", "filler", "placer", "group")} - {""}
    return [{"number": one, "lane": lane, "message": message} for one in sorted(ids) if len(one) <= 128]
