"""Rows of the demo laboratory, kept as their poller keeps them."""

from __future__ import annotations

from typing import Any

from story_parts import Laboratory

from labbridge import receiving_rows
from labbridge.model.work import Feed
from labbridge.store.polls import StorePolls
from tests.rows.rows_tables import CK, SECTION, TABLES, row


def keep_rows(lab: Laboratory, *rows: dict[str, Any] | list[dict[str, Any]], feed: Feed = TABLES) -> int:
    """How many were not known."""
    arrivals = [
        receiving_rows.read("results_v", one if isinstance(one, list) else [one], feed, feed.name, lab.clock.now())
        for one in rows
    ]
    return StorePolls(lab.writer).keep([(one, receiving_rows.event(one)) for one in arrivals])


def take_rows(lab: Laboratory, *rows: dict[str, Any], feed: Feed = TABLES) -> None:
    """Kept and processed, a minute apart."""
    for one in rows:
        assert keep_rows(lab, one, feed=feed) == 1
        assert lab.process() >= 1
        lab.clock.forward(minutes=1)


__all__ = ["CK", "SECTION", "TABLES", "keep_rows", "row", "take_rows"]
