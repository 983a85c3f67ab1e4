"""What became of comments, counted where it is written: what was released and has left is all that ever was, and a scrape
must not read it. Orders and acknowledgements of the application are none of them."""

from __future__ import annotations

from labbridge.model.work import Count
from labbridge.states import DeliveryState
from labbridge.store.connection import Connection, Statement
from labbridge.store.tally import SEPARATOR, add_counts

NAME = "comments"
RELEASED, AGAIN = "released", "again"  # beside the states in which a delivery ends
OF_DELIVERY = "SELECT receiver FROM outbox WHERE id = ? AND comment > 0"
UNSENT = (  # of a case that has a newer draft: in the unit that cancels them, and before it does
    "INSERT INTO tally(name, labels, count) SELECT 'comments', receiver || ?, count(*) FROM outbox"
    " WHERE \"case\" = ? AND comment > 0 AND state = 'waiting' AND attempts = 0 GROUP BY receiver"
    " ON CONFLICT(name, labels, node) DO UPDATE SET count = tally.count + excluded.count"
)
NEVER_COUNTED = "SELECT NOT EXISTS (SELECT 1 FROM tally WHERE name = 'comments')"
SO_FAR = (  # of a store from before they were counted, read once, by one node
    "INSERT INTO tally(name, labels, node, count) SELECT 'comments', receiver || ? || state, 0, count(*) FROM outbox"
    " WHERE comment > 0 AND state IN ('acknowledged', 'failed', 'cancelled') GROUP BY receiver, state"
    " UNION ALL SELECT 'comments', receiver || ? || 'released', 0, count(*) FROM outbox WHERE comment > 0 GROUP BY receiver"
)


def of_delivery(connection: Connection, delivery: int, outcome: str) -> None:
    """A comment came to this; nothing is counted of another message."""
    row = connection.execute(OF_DELIVERY, (delivery,)).fetchone()
    if row is not None:
        add_counts(connection, (Count(NAME, (row[0], outcome)),))


def unsent(case: int) -> Statement:
    """The comments of a case that wait for their first attempt are cancelled."""
    return Statement(UNSENT, (f"{SEPARATOR}{DeliveryState.CANCELLED.value}", case))


def begin(connection: Connection) -> None:
    """At the start of a service: what an older version has not counted."""
    if connection.execute(NEVER_COUNTED).fetchone()[0]:
        connection.execute(SO_FAR, (SEPARATOR, SEPARATOR))
