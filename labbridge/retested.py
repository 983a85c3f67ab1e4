"""`labbridge retests`: what is open, and what became of the others."""

from __future__ import annotations

import json

from labbridge import show
from labbridge.model.retests import WITHHELD, ListedRetest, Yield
from labbridge.review.proportions import exact
from labbridge.store import retests
from labbridge.store.connection import Connection

AT_ONCE = 1000
OPEN = ("key", "case", "feed", "analyte", "by", "reason", "priority", "not before", "state", "order", "said")
YIELD = (
    "rule", "assay", "signal", "closed", "confirmed", "refuted", "equivocal", "confirmed share", "from", "to", "open",
    "cancelled",
)  # fmt: skip


def listed(store: Connection, format: str) -> str:
    """The open retests, oldest first, with what is known of their orders."""
    rows = [_open(one) for one in retests.opened(store, None, 0, AT_ONCE)]
    return _written(rows, OPEN, "open", "no retest is open", format)


def yielded(store: Connection, format: str) -> str:
    """What became of retests by rule, assay and signal band, with the exact 95 % interval of the share confirmed; none where
    nothing was closed."""
    rows = [_yield(one) for one in retests.yields(store, None)]
    return _written(rows, YIELD, "yield", "no retest was recommended yet", format)


def _written(rows: list[tuple[object, ...]], heads: tuple[str, ...], name: str, nothing: str, format: str) -> str:
    if format == "json":
        return json.dumps({name: [dict(zip(heads, row, strict=True)) for row in rows]}, ensure_ascii=False)
    shown = [tuple("" if value is None else value for value in row) for row in rows]
    return show.table(shown, heads) if rows else nothing


def _open(one: ListedRetest) -> tuple[object, ...]:
    row, order = one.row, one.order
    said = order.said if order is not None and order.said else WITHHELD.get(row.withheld, "")
    return (
        f"R{row.key}", f"C{row.case}", row.feed, row.analyte, " ".join(row.families), row.reason, row.priority.value,
        row.not_before.isoformat() if row.not_before else "", row.state.value,
        f"{order.number} {order.state.value}" if order is not None else "", said,
    )  # fmt: skip


def _yield(one: Yield) -> tuple[object, ...]:
    share: tuple[object, object, object] = (None, None, None)
    if one.closed:
        low, high = exact(one.confirmed, one.closed)
        share = (round(one.confirmed / one.closed, 4), round(low, 4), round(high, 4))
    counts = (one.closed, one.confirmed, one.refuted, one.equivocal)
    return (one.rule, one.assay, one.band, *counts, *share, one.open, one.cancelled)
