"""The tables of the ledger of retests, and of the orders that went to the LIS for them."""

from __future__ import annotations

import sqlalchemy as sa

from labbridge.store.schema_base import metadata, text

retests = sa.Table(  # one recommendation for as long as it stands; `closed` is when it ended, `why` and `by` a person's
    "retests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("case", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("feed", sa.Text, nullable=False),
    sa.Column("day", sa.Text, nullable=False),
    sa.Column("message", sa.Integer, nullable=False),
    sa.Column("analyte", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("families", sa.Text, nullable=False),
    sa.Column("priority", sa.Text, nullable=False),
    text("not_before"),
    text("rule"),
    text("raised_by"),
    text("assay"),
    text("family"),
    text("band"),
    text("specimen"),
    text("collected"),
    sa.Column("state", sa.Text, nullable=False),
    text("closing"),
    text("closed_by"),
    text("cause"),
    text("why"),
    text("by"),
    sa.Column("again", sa.Integer, nullable=False, server_default="0"),
    text("withheld"),
    sa.Column("advised", sa.Text, nullable=False),
    text("closed"),
    text("order_from"),  # a prompt that waits is advised at once and ordered from this day on
)
sa.Index("retests_case", retests.c.case)
sa.Index("retests_lane", retests.c.lane)
sa.Index("retests_listed", retests.c.id, sqlite_where=retests.c.state.in_(("advised", "ordered")))
sa.Index(
    "retests_yield",
    *(retests.c[one] for one in ("rule", "assay", "band", "feed", "state", "closing")),
)
sa.Index(
    "retests_open",
    retests.c.lane,
    retests.c.analyte,
    retests.c.reason,
    unique=True,
    sqlite_where=retests.c.state.in_(("advised", "ordered")),
)

orders = sa.Table(  # `number` is the placer's, given once and never again; `open`: the LIS may still carry it out
    "orders",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("retest", sa.Integer, nullable=False),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("analyte", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("family", sa.Text, nullable=False),
    sa.Column("delivery", sa.Integer, nullable=False),
    sa.Column("receiver", sa.Text, nullable=False),
    sa.Column("control_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    text("filler"),
    text("said"),
    sa.Column("open", sa.Integer, nullable=False, server_default="1"),
    text("due"),
    sa.Column("made", sa.Text, nullable=False),
    sa.Column("updated", sa.Text, nullable=False),
)
sa.Index("orders_retest", orders.c.retest)
sa.Index("orders_delivery", orders.c.delivery)
sa.Index("orders_lane", orders.c.lane)
sa.Index("orders_open", orders.c.lane, orders.c.analyte, orders.c.reason, unique=True, sqlite_where=orders.c.open == 1)

RETESTS = frozenset({"retests", "orders"})
