"""Of whom nothing is held: one statement asks for many lanes, and must miss nothing that a history would find."""

from __future__ import annotations

import pytest
from store_build import Store

from labbridge.store import reading

LANE, OTHER = "p:LABA|P1", "p:LABA|P2"
HELD = {
    "a result": f"INSERT INTO results(lane, message, kind, collected, body) VALUES ('{LANE}', 1, 'result', '', '')",
    "a case": "INSERT INTO cases(lane, feed, opened_day, version, state, opened, updated)"
    f" VALUES ('{LANE}', 'lis', '', 1, 'new', '', '')",
    "a decision": f"INSERT INTO identities(lane, who, verdict, message, at) VALUES ('{LANE}', '', 'same', 1, '')",
    "a link from it": f"INSERT INTO links(prior, surviving, message, made) VALUES ('{LANE}', '{OTHER}', 1, '')",
    "a link to it": f"INSERT INTO links(prior, surviving, message, made) VALUES ('{OTHER}', '{LANE}', 1, '')",
    "a link that was undone": "INSERT INTO links(prior, surviving, message, made, undone)"
    f" VALUES ('{LANE}', '', 1, '', 'x')",
    "another patient": f"INSERT INTO merged(lane, surviving) VALUES ('{LANE}', '{OTHER}')",
    "a merged patient": f"INSERT INTO merged(lane, surviving) VALUES ('{OTHER}', '{LANE}')",
}


def test_of_lanes_that_nothing_is_held_of_the_history_is_the_same(store: Store) -> None:
    assert reading.new_among(store.reader, [LANE, OTHER]) == {LANE, OTHER}
    assert reading.new_among(store.reader, []) == frozenset()
    asked = (store.reader, None, LANE)
    assert reading.history_of_new(*asked) == reading.history(*asked)


@pytest.mark.parametrize("what", HELD)
def test_whatever_is_held_it_is_not_new(store: Store, what: str) -> None:
    store.writer.submit(lambda connection: connection.execute(HELD[what])).result()
    asked = [LANE, *(f"p:LABA|N{number}" for number in range(63))]
    assert reading.new_among(store.reader, asked) == set(asked[1:])
