"""Rows of the demo laboratory, kept as their poller keeps them."""

from __future__ import annotations

from typing import Any

from story_parts import Laboratory

from labbridge import receiving_rows
from labbridge.model.work import Feed
from labbridge.store.polls import StorePolls
from tests.rows.rows_tables import TABLES, row

BLOT = {
    "test": "SRPB",
    "test_name": "Anti-SRP (line blot)",
    "test_system": "L",
    "unit": "intensity",
    "ref_range": "0-5",
}
CK = {"id": 2, "test": "2157-6", "test_name": "Creatine kinase", "test_system": "LN", "result": "3400", "unit": "U/L",
      "ref_range": "39-190", "flag": "H"}  # fmt: skip


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


__all__ = ["BLOT", "CK", "TABLES", "keep_rows", "row", "take_rows"]
