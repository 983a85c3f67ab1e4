"""The tables of what the machine says: the knowledge that was in force, and who approved which item of it."""

from __future__ import annotations

import sqlalchemy as sa

from labbridge.store.schema_base import metadata, text

knowledge = sa.Table(  # every knowledge that was ever in force here, so that what was said by it can be said again
    "knowledge",
    metadata,
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("taken", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

approvals = sa.Table(  # one content of one item: who put it forward, who approved it, who took that back
    "approvals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("item", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    text("text"),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("author_name", sa.Text, nullable=False),
    sa.Column("put_forward", sa.Text, nullable=False),
    text("why"),
    text("approver"),
    text("approver_name"),
    text("approved"),
    text("meaning"),
    text("withdrawn"),
    text("withdrawn_by"),
    text("withdrawn_why"),
    sa.CheckConstraint("approver <> author", name="two_persons_approve"),
)
sa.Index(
    "approvals_in_force", approvals.c.item, approvals.c.sha256, unique=True, sqlite_where=approvals.c.withdrawn == ""
)

releases = sa.Table(  # what was looked at for release by rule, and why it stayed a person's; `due`: look again
    "releases",
    metadata,
    sa.Column("case", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    text("rule"),
    text("class"),
    text("analytes"),
    sa.Column("delivery", sa.Integer, nullable=False, server_default="0"),
    text("refusals"),
    text("due"),
    sa.Column("at", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

reviews = sa.Table(  # released by rule and read by a person afterwards: `agrees` is empty until then, else yes or no
    "reviews",
    metadata,
    sa.Column("case", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("feed", sa.Text, nullable=False),
    sa.Column("released", sa.Text, nullable=False),
    text("agrees"),
    text("person"),
    text("name"),
    text("why"),
    text("at"),
    sqlite_with_rowid=False,
)
sa.Index("reviews_open", reviews.c.feed, sqlite_where=reviews.c.agrees == "")

judgements = sa.Table(  # what persons did with drafts: signed as drafted (1), or not
    "judgements",
    metadata,
    sa.Column("case", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("feed", sa.Text, nullable=False),
    sa.Column("class", sa.Text, nullable=False),
    sa.Column("agreed", sa.Integer, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
sa.Index("judgements_class", judgements.c.feed, judgements.c["class"], judgements.c.case, judgements.c.agreed)

words_seen = sa.Table(  # the words that a person has signed for a feed, whichever numbers stood in them
    "words_seen",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)

lots = sa.Table(  # when a reagent lot first came by a feed
    "lots",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("lot", sa.Text, primary_key=True),
    sa.Column("first", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

replays = sa.Table(  # another knowledge was tried on the stored past: by whom, and what it came to
    "replays",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    text("said"),
    sa.Column("sum", sa.LargeBinary, nullable=False),
)

replayed = sa.Table(  # each case that it would change, and whether a person wants that: accept, narrow, or nothing yet
    "replayed",
    metadata,
    sa.Column("replay", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("feed", sa.Text, nullable=False),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    text("verdict"),
    text("person"),
    text("name"),
    text("why"),
    text("at"),
    sqlite_with_rowid=False,
)
sa.Index("replayed_lane", replayed.c.lane)

suspensions = sa.Table(  # where release by rule is stopped; an empty feed, analyte or rule is any
    "suspensions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    text("feed"),
    text("analyte"),
    text("rule"),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    text("lifted"),
    text("lifted_by"),
)

changes = sa.Table(  # edits of the site's files, from who wrote them to when they came into force (model/changes.py)
    "changes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("edits", sa.LargeBinary, nullable=False),
    sa.Column("about", sa.LargeBinary, nullable=False),
    sa.Column("base", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("author_name", sa.Text, nullable=False),
    sa.Column("put_forward", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    text("approver"),
    text("approver_name"),
    text("approved"),
    text("ended"),
    text("said"),
    sa.Column("replay", sa.Integer, nullable=False, server_default="0"),
    sa.Column("read_again", sa.Integer, nullable=False, server_default="0"),
    sa.CheckConstraint("approver <> author", name="two_persons_change"),
)
sa.Index("changes_open", changes.c.id, sqlite_where=changes.c.state.in_(("put_forward", "approved")))

KNOWLEDGE = {
    one.name
    for one in (
        knowledge,
        approvals,
        releases,
        reviews,
        judgements,
        words_seen,
        lots,
        suspensions,
        replays,
        replayed,
        changes,
    )
}
"""The names of these tables: who makes the schema asks that they are among its own."""
