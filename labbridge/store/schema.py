"""The tables. One place: `make docs` prints schema.sql from here, which a fresh database is made of without loading
SQLAlchemy, and the migrations must give the same (tests/store)."""

from __future__ import annotations

import sqlalchemy as sa

from labbridge.model.messages import ACTS
from labbridge.store.schema_base import metadata, text
from labbridge.store.schema_knowledge import KNOWLEDGE
from labbridge.store.schema_nodes import NODES
from labbridge.store.schema_people import WORKBENCH
from labbridge.store.schema_polls import POLLS
from labbridge.store.schema_retests import RETESTS

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sender", sa.Text, nullable=False),
    sa.Column("control_id", sa.Text, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("feed", sa.Text, nullable=False),
    sa.Column("peer", sa.Text, nullable=False),
    sa.Column("message_type", sa.Text, nullable=False),
    sa.Column("received", sa.Text, nullable=False),
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("lanes", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    text("detail"),
    text("answer"),
    text("error_code"),
    text("location"),
    sa.Column("duplicates", sa.Integer, nullable=False, server_default="0"),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    text("notes"),
    sa.UniqueConstraint("sender", "control_id", "digest", name="ledger"),
)
sa.Index("journal_unread", journal.c.id, sqlite_where=journal.c.state == "quarantined")

work = sa.Table(
    "work",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("message", sa.Integer, nullable=False),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    text("sentence"),
    text("notes"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("updated", sa.Text, nullable=False),
    sa.Column("forgiven", sa.Integer, nullable=False, server_default="0"),
    sa.Column("crc", sa.Integer),
)
sa.Index("work_open", work.c.id, sqlite_where=work.c.state.in_(("kept", "parked")))
sa.Index("work_lane", work.c.lane, sqlite_where=work.c.state.in_(("kept", "parked")))
sa.Index("work_message", work.c.message)
sa.Index("work_of_lane", work.c.lane, work.c.id)  # all that came of a patient, done with or not

patients = sa.Table(
    "patients",
    metadata,
    sa.Column("authority", sa.Text, primary_key=True),
    sa.Column("identifier", sa.Text, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
sa.Index("patients_identifier", patients.c.identifier)

results = sa.Table(
    "results",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("message", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("collected", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    text("who"),
    sa.Column("crc", sa.Integer),
)
sa.Index("results_lane", results.c.lane)

numbers = sa.Table(  # what stands on a specimen or an order, with the lane it came in: a scanned label finds its case
    "numbers",
    metadata,
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("lane", sa.Text, primary_key=True),
    sa.Column("message", sa.Integer, primary_key=True),
    sqlite_with_rowid=False,
)
sa.Index("numbers_message", numbers.c.message)

known = sa.Table(  # by what a FHIR resource is known to its sender: an identifier, or the sender's own id
    "known",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("feed", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("message", sa.Integer, nullable=False),
)
sa.Index("known_token", known.c.feed, known.c.type, known.c.token)
sa.Index("known_message", known.c.message)

links = sa.Table(  # identity messages: the patient of `prior` is the one of `surviving`; undone ones stay, with when
    "links",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("prior", sa.Text, nullable=False),
    sa.Column("surviving", sa.Text, nullable=False),
    sa.Column("message", sa.Integer, nullable=False),
    sa.Column("made", sa.Text, nullable=False),
    text("undone"),
)
sa.Index("links_prior", links.c.prior)
sa.Index("links_surviving", links.c.surviving)
sa.Index("links_message", links.c.message)

merged = (
    sa.Table(  # what the links in force come to: each lane that is another one's by now, with the last of its chain
        "merged",
        metadata,
        sa.Column("lane", sa.Text, primary_key=True),
        sa.Column("surviving", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
)
sa.Index("merged_surviving", merged.c.surviving)

identities = sa.Table(  # who is who: what was stated in a lane is of the same patient, or of another
    "identities",
    metadata,
    sa.Column("lane", sa.Text, primary_key=True),
    sa.Column("who", sa.Text, primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("message", sa.Integer, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

unmapped = sa.Table(  # a code no table names, once per feed; `label` is the name where there is no code to tell it by
    "unmapped",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("system", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, primary_key=True),
    text("name"),
    text("unit"),
    text("may_be"),
    sa.Column("seen", sa.Integer, nullable=False),
    text("last_seen"),
    sa.Column("first_message", sa.Integer, nullable=False),
    sa.Column("last_message", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

unmapped_in = sa.Table(  # which messages carried those of them that may be ours: they are read again once it is mapped
    "unmapped_in",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("system", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, primary_key=True),
    sa.Column("message", sa.Integer, primary_key=True),
    sqlite_with_rowid=False,
)
sa.Index("unmapped_in_message", unmapped_in.c.message)

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("feed", sa.Text, nullable=False),
    sa.Column("opened_day", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("opened", sa.Text, nullable=False),
    sa.Column("updated", sa.Text, nullable=False),
    sa.Column("restore", sa.Integer, nullable=False, server_default="0"),
    sa.Column("severity", sa.Integer, nullable=False, server_default="0"),  # of the current draft, as these three are
    text("flags"),
    text("analytes"),
    text("disposition"),
    sa.Column("disposition_version", sa.Integer, nullable=False, server_default="0"),
    text("until"),
    sa.Column("rank", sa.Integer, nullable=False, server_default="0"),  # 0 unless the site orders by expected value
    text("ranked"),
    sa.Column("crc", sa.Integer),  # these five: sums.py
    sa.Column("version_crc", sa.Integer),
    sa.Column("state_crc", sa.Integer),
    sa.Column("put_crc", sa.Integer),
    sa.Column("rank_crc", sa.Integer),
)
sa.Index("cases_ranked", cases.c.rank.desc(), cases.c.id, sqlite_where=cases.c.state.not_in(("signed", "closed")))
sa.Index("cases_lane", cases.c.lane)
sa.Index("cases_open", cases.c.id, sqlite_where=cases.c.state.not_in(("signed", "closed")))
sa.Index("cases_states", cases.c.feed, cases.c.state)
sa.Index("cases_set_aside", cases.c.feed, cases.c.state, sqlite_where=cases.c.disposition != "")
sa.Index("cases_updated", cases.c.updated)
sa.Index("cases_alike", cases.c.flags, cases.c.id, sqlite_where=cases.c.state.in_(("signed", "closed")))

drafts = sa.Table(
    "drafts",
    metadata,
    sa.Column("case", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("outcome", sa.LargeBinary, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("subject_message", sa.Integer),
    sa.Column("subject_at", sa.Text, nullable=False),
    sa.Column("knowledge", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("crc", sa.Integer),
    sqlite_with_rowid=False,
)

comments = sa.Table(
    "comments",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("case", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("void", sa.Integer, nullable=False, server_default="0"),
)
sa.Index("comments_case", comments.c.case)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("case", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("comment", sa.Integer, nullable=False),
    sa.Column("receiver", sa.Text, nullable=False),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("control_id", sa.Text, nullable=False, unique=True),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    text("reason"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("refusals", sa.Integer, nullable=False, server_default="0"),
    text("due"),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("updated", sa.Text, nullable=False),
    text("expires"),
    text("specimen"),
    sa.Column("digest", sa.LargeBinary),
    text("rule"),
    text("not_before"),  # of an order: the day from which it may leave
)
sa.Index("outbox_case", outbox.c.case)
sa.Index("outbox_specimen", outbox.c.specimen, outbox.c.created)
sa.Index("outbox_unsettled", outbox.c.case, sqlite_where=outbox.c.state.in_(("waiting", "sent", "failed")))
sa.Index("outbox_open", outbox.c.receiver, outbox.c.id, sqlite_where=outbox.c.state.in_(("waiting", "sent")))

attempts = sa.Table(  # each time a delivery was tried: how it ended, and the receiver's bytes, where any came
    "attempts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("delivery", sa.Integer, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("sent", sa.Text, nullable=False),
    text("reason"),
    sa.Column("answer", sa.LargeBinary, nullable=False),
)
sa.Index("attempts_delivery", attempts.c.delivery)

texts = sa.Table(  # what every released comment says, by digest: by it a comment is known whose sender rewrote all else
    "texts",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("comment", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

edits = sa.Table(  # a message as a person repaired it; its bytes as received stay in the journal
    "edits",
    metadata,
    sa.Column("message", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("editor", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("made", sa.Text, nullable=False),
    text("approved_by"),
    sa.CheckConstraint("approved_by <> editor", name="two_persons_repair"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    text("detail"),
    sa.Column("node", sa.Integer, nullable=False, server_default="0"),
)
sa.Index(
    "audit_acts", audit.c.subject, sqlite_where=audit.c.action.in_(ACTS)
)  # what the service does itself is no part

seals = sa.Table(  # the audit's chains (sealing.py), one of each node: a seal for each commit that wrote lines
    "seals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("last", sa.Integer, nullable=False),
    sa.Column("entries", sa.Integer, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
)

restores = sa.Table(  # this database was restored from a backup: nothing leaves until a person confirms
    "restores",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("taken", sa.Text, nullable=False),
    text("confirmed"),
    text("confirmed_by"),
)

holds = sa.Table(  # legal holds: what is kept whatever its age, and is not erased
    "holds",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    text("lifted"),
    text("lifted_by"),
)
sa.Index("holds_lane", holds.c.lane)

tombstones = sa.Table(  # a patient was erased: by digest, so that nothing of the patient stays
    "tombstones",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("lane_digest", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("messages", sa.Integer, nullable=False),
)

tally = sa.Table(
    "tally",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("labels", sa.Text, primary_key=True),
    sa.Column("node", sa.Integer, primary_key=True, server_default="0"),  # each counts in rows of its own
    sa.Column("count", sa.Integer, nullable=False),
    text("updated"),
    sqlite_with_rowid=False,
)

TRIGGERS = (
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER seals_no_update BEFORE UPDATE ON seals BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER seals_no_delete BEFORE DELETE ON seals BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
)


def script() -> str:
    """Everything a fresh SQLite database is made of, as SQL."""
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.schema import CreateIndex, CreateTable

    dialect = sqlite.dialect()
    made = []
    assert set(metadata.tables) >= WORKBENCH | KNOWLEDGE | RETESTS | POLLS | NODES
    for table in metadata.sorted_tables:
        made.append(str(CreateTable(table).compile(dialect=dialect)).strip())
        made += [
            str(CreateIndex(index).compile(dialect=dialect))
            for index in sorted(table.indexes, key=lambda i: str(i.name))
        ]
    lines = ";\n".join((*made, *TRIGGERS, "")).splitlines()
    return "\n".join(("-- Printed from schema.py by `make docs`.", *(line.rstrip() for line in lines), ""))
