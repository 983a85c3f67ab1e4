"""The tables of the workbench: accounts, sign-ins and tokens, and what people decided and signed."""

from __future__ import annotations

import sqlalchemy as sa

from labbridge.store.schema_base import metadata, text

people = sa.Table(  # accounts; `secret` is an Argon2 hash, `feeds` those of the person's sites, `subject` at a provider
    "people",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("login", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("feeds", sa.Text, nullable=False),
    text("secret"),
    text("language"),
    text("theme"),
    sa.Column("made", sa.Text, nullable=False),
    text("disabled"),
    text("subject"),
    sa.UniqueConstraint("login"),
)
sa.Index("people_subject", people.c.subject, unique=True, sqlite_where=people.c.subject != "")

sessions = sa.Table(  # open sign-ins, by the digest of what the cookie holds
    "sessions",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("person", sa.Integer, nullable=False),
    sa.Column("opened", sa.Text, nullable=False),
    sa.Column("seen", sa.Text, nullable=False),
    sa.Column("proven", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
sa.Index("sessions_person", sessions.c.person)

tokens = sa.Table(  # keys of programs, by their digest
    "tokens",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("made", sa.Text, nullable=False),
    sa.Column("expires", sa.Text, nullable=False),
    text("used"),
    text("revoked"),
    text("feed"),  # those that what comes and goes with it is of
    sa.UniqueConstraint("digest"),
)

grants = sa.Table(  # access tokens of SMART clients, by their digest, until they end
    "grants",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("client", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("expires", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
sa.Index("grants_expires", grants.c.expires)

assertions = sa.Table(  # what SMART clients proved themselves with, so that it proves them once
    "assertions",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("until", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
sa.Index("assertions_until", assertions.c.until)

opened = sa.Table(  # who has a case open, and since when it was last so
    "opened",
    metadata,
    sa.Column("case", sa.Integer, primary_key=True),
    sa.Column("person", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

shift_notes = sa.Table(  # what a person leaves at a queue for who comes next; an empty feed: every site reads it
    "shift_notes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("queue", sa.Text, nullable=False),
    text("feed"),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)
sa.Index("shift_notes_queue", shift_notes.c.queue, shift_notes.c.id)

decisions = sa.Table(  # what people decided, each on one version of a case
    "decisions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("case", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    text("why"),
    text("until"),
    text("text"),
)
sa.Index("decisions_case", decisions.c.case)

signatures = sa.Table(  # under what left: who, when, with which meaning, and the digest of what was on the screen
    "signatures",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("case", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("delivery", sa.Integer, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("meaning", sa.Text, nullable=False),
    sa.Column("screen", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
)
sa.Index("signatures_case", signatures.c.case)

countersigned = sa.Table(  # where two have to sign: the signature that let the comment leave, and whose was the first
    "countersigned",
    metadata,
    sa.Column("signature", sa.Integer, primary_key=True),
    sa.Column("case", sa.Integer, nullable=False),
    sa.Column("first", sa.Text, nullable=False),
    sa.Column("second", sa.Text, nullable=False),
    sa.CheckConstraint("first <> second", name="two_persons_sign"),
)
sa.Index("countersigned_case", countersigned.c.case)

readings = sa.Table(  # what a second person read before being shown what the first had found, and what that was
    "readings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("case", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("finding", sa.Text, nullable=False),
    sa.Column("first", sa.Text, nullable=False),
    sa.Column("first_finding", sa.Text, nullable=False),
    sa.Column("unseen", sa.Integer, nullable=False),
    text("why"),
    sa.CheckConstraint("first <> person", name="two_persons_read"),
)
sa.Index("readings_case", readings.c.case)

calls = sa.Table(  # somebody was told of a critical finding; `told` is whom, `read_back` whether it was read back
    "calls",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("case", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("told", sa.Text, nullable=False),
    sa.Column("read_back", sa.Integer, nullable=False),
    text("note"),
)
sa.Index("calls_case", calls.c.case)

remarks = sa.Table(  # what people write to each other about a case; it never leaves
    "remarks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("case", sa.Integer, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)
sa.Index("remarks_case", remarks.c.case)

sign_ins = sa.Table(  # sign-ins that were begun at the hospital's identity provider, by the digest of their state
    "sign_ins",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("nonce", sa.Text, nullable=False),
    sa.Column("verifier", sa.Text, nullable=False),
    sa.Column("made", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

WORKBENCH = {
    one.name
    for one in (people, sessions, tokens, decisions, signatures, countersigned, readings, calls, remarks, sign_ins)
}
"""The names of these tables: who makes the schema asks that they are among its own."""
