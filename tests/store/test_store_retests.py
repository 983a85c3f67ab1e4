"""The ledger of retests and its orders in the store, on SQLite and on PostgreSQL: what two at once cannot do, what is read
of it, and what a number is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from store_build import Store

from labbridge.errors import Refused
from labbridge.model.outcome import PostedComment, Priority
from labbridge.model.release import ByRule, Suspension
from labbridge.model.retests import (
    Cause,
    Closing,
    OrderSaid,
    OrderState,
    OutgoingOrder,
    Raised,
    Retested,
    RetestState,
    RetestStep,
    Withheld,
)
from labbridge.model.work import AuditEvent, Outgoing
from labbridge.store import backup, orders, releases, retests
from labbridge.store.connection import Statement
from labbridge.store.writer import all_of

NOON, DAY = datetime(2026, 11, 13, 12, tzinfo=UTC), date(2026, 11, 10)
LANE = "p:LABA|PT1"
RAISED = Raised(
    rule="low@1", ref="M1:OBX[1]", assay="euroline-16", family="blot", band="POS_LOW", specimen="L|S1", day=DAY
)
CASE = (
    "INSERT INTO cases(id, lane, feed, opened_day, version, state, opened, updated)"
    " VALUES (?, ?, 'lis', '2026-11-10', 1, 'new', 'now', 'now')"
)


def row(**changed: Any) -> Retested:
    found = Retested(
        key=0, case=1, version=1, lane=LANE, feed="lis", day=DAY, message=1, analyte="SRP", reason="LOW",
        families=("quant", "ip"), priority=Priority.URGENT, not_before=date(2026, 12, 24), raised=RAISED, advised=NOON,
    )  # fmt: skip
    return msgspec.structs.replace(found, **changed)


def written(store: Store, *steps: RetestStep) -> list[bool]:
    units: list[list[Statement]] = [list(retests.statements([step], NOON)) for step in steps]
    verdicts: list[bool] = store.writer.submit(all_of(units)).result()
    return verdicts


def advised(store: Store, *rows: Retested) -> None:
    for key in sorted({one.case for one in rows}):
        store.writer.submit(lambda c, key=key: c.execute(CASE, (key, rows[0].lane))).result()
    assert written(store, *(RetestStep(row=one) for one in rows)) == [True] * len(rows)


def outgoing(*made: OutgoingOrder, **more: Any) -> Outgoing:
    posted = PostedComment(comment_class="C03", text="x", posted=NOON)
    return Outgoing(
        case=1, version=1, receiver="lis", lane=f"lis/{LANE}", control_id="LB1-1", raw=b"x", correction=False, posted=posted,
        specimen="lis/S1", orders=made, **more,
    )  # fmt: skip


def order(number: str = "LBO1-1", retest: int = 1, **more: Any) -> OutgoingOrder:
    return OutgoingOrder(retest=retest, number=number, control_id=f"C-{number}", family="quant", raw=b"OML", **more)


def ordered(store: Store, *made: OutgoingOrder, **more: Any) -> None:
    store.writer.submit(lambda c: orders.make(c, outgoing(*made, **more), [LANE], NOON)).result()


def ledger(store: Store) -> list[Retested]:
    return list(retests.of_lanes(store.reader, [LANE]))


def test_a_row_is_read_as_it_was_written(store: Store) -> None:
    advised(store, row())
    assert ledger(store) == [row(key=1)]


def test_one_retest_of_a_patient_is_open_for_a_reason(store: Store) -> None:
    advised(store, row())
    assert written(store, RetestStep(row=row(case=2))) == [False]
    assert written(store, RetestStep(row=row(reason="DISCORDANT")), RetestStep(row=row(analyte="CK"))) == [True, True]
    assert len(ledger(store)) == 3


def test_nor_in_a_lane_that_is_the_same_patient_s(store: Store) -> None:
    advised(store, row())
    sql = "INSERT INTO merged(lane, surviving) VALUES ('p:LABA|PT2', ?)"
    store.writer.submit(lambda c: c.execute(sql, (LANE,))).result()
    assert written(store, RetestStep(row=row(lane="p:LABA|PT2"))) == [False]


def test_a_step_from_a_state_that_it_has_no_more_is_undone(store: Store) -> None:
    advised(store, row())
    closed = row(key=1, state=RetestState.RESULTED, closing=Closing.REFUTED, closed_by="M2:OBX[1]", closed=NOON)
    assert written(store, RetestStep(row=closed, before=RetestState.ORDERED)) == [False]
    assert written(store, RetestStep(row=closed, before=RetestState.ADVISED, by="quant")) == [True]
    assert ledger(store) == [closed]


def test_an_order_that_has_left_meanwhile_is_not_taken_back(store: Store) -> None:
    advised(store, row())
    ordered(store, order())
    store.writer.submit(lambda c: orders.leaves(c, delivery(store), NOON)).result()
    step = RetestStep(row=row(key=1), before=RetestState.ORDERED, recall=True)
    assert written(store, step) == [False]
    assert ledger(store)[0].order is OrderState.UNKNOWN


def delivery(store: Store) -> int:
    return int(store.reader.execute("SELECT max(id) FROM outbox").fetchone()[0])


def test_of_a_thousand_at_once_one_orders(store: Store) -> None:
    advised(store, row())

    def one(number: int) -> bool:
        try:
            ordered(store, order(f"LBO1-{number}"))
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(32) as threads:
        made = list(threads.map(one, range(1000)))
    assert sum(made) == 1
    assert store.reader.execute("SELECT count(*), count(DISTINCT number) FROM orders").fetchone() == (1, 1)
    assert store.reader.execute("SELECT count(*) FROM outbox").fetchone() == (1,)


def test_nothing_of_a_release_is_written_where_one_order_cannot_be(store: Store) -> None:
    advised(store, row())
    with pytest.raises(Refused, match="R9 is not advised any more"):
        ordered(store, order(), order("LBO1-2", retest=9))
    assert store.reader.execute("SELECT count(*) FROM orders").fetchone() == (0,)
    assert ledger(store)[0].state is RetestState.ADVISED


def test_what_was_ordered_in_a_case_is_not_ordered_there_again(store: Store) -> None:
    advised(store, row())
    ordered(store, order())
    store.writer.submit(lambda c: orders.leaves(c, delivery(store), NOON)).result()
    said = OrderSaid(number="LBO1-1", control_id="C-LBO1-1", state=OrderState.REFUSED, said="no serum")
    store.writer.submit(lambda c: orders.settle(c, said, NOON)).result()
    assert store.reader.execute("SELECT state, said, open FROM orders").fetchone() == ("refused", "no serum", 0)
    assert orders.is_ordered(store.reader, [LANE], ("SRP", "LOW"), 1)
    assert not orders.is_ordered(store.reader, [LANE], ("SRP", "LOW"), 2)


@pytest.mark.parametrize(("by", "still"), [("quant", 0), ("ip", 1)])
def test_an_answer_by_another_method_leaves_the_order_to_be_done(store: Store, by: str, still: int) -> None:
    advised(store, row())
    ordered(store, order())
    store.writer.submit(lambda c: orders.leaves(c, delivery(store), NOON)).result()
    closed = row(key=1, state=RetestState.RESULTED, closing=Closing.REFUTED, closed_by="M2:OBX[1]", closed=NOON)
    assert written(store, RetestStep(row=closed, before=RetestState.ORDERED, recall=True, by=by)) == [True]
    assert store.reader.execute("SELECT open, state FROM orders").fetchone() == (still, "unknown")


def test_too_many_of_a_specimen_are_not_ordered(store: Store) -> None:
    advised(store, row(), row(analyte="CK"))
    ordered(store, order(), order("LBO1-2", retest=2), per_specimen=1)
    assert [(one.state.value, one.withheld) for one in ledger(store)] == [
        ("ordered", Withheld.NONE),
        ("advised", Withheld.STORM),
    ]


def test_a_person_ends_what_has_not_left(store: Store) -> None:
    advised(store, row())
    ordered(store, order())
    event = AuditEvent(at=NOON, actor="smith", action="retest cancelled", subject="R1", detail="no serum")
    store.writer.submit(lambda c: retests.cancel(c, 1, "Alex Smith", "no serum", event)).result()
    found = ledger(store)[0]
    assert (found.state, found.cause, found.why, found.by) == (
        RetestState.CANCELLED,
        Cause.PERSON,
        "no serum",
        "Alex Smith",
    )
    assert store.reader.execute("SELECT state, open FROM orders").fetchone() == ("cancelled", 0)
    assert store.reader.execute("SELECT state FROM outbox").fetchone() == ("cancelled",)
    with pytest.raises(Refused, match="R1 is cancelled by now"):
        store.writer.submit(lambda c: retests.cancel(c, 1, "Alex Smith", "no serum", event)).result()
    with pytest.raises(Refused, match="There is no retest R9"):
        store.writer.submit(lambda c: retests.cancel(c, 9, "Alex Smith", "no serum", event)).result()


def test_yields_are_by_rule_assay_and_band_and_of_the_feeds_asked_for(store: Store) -> None:
    closed = {"state": RetestState.RESULTED, "closed": NOON, "closed_by": "M2:OBX[1]"}
    other = msgspec.structs.replace(RAISED, band="POS_STRONG")
    advised(store, *(row(reason=f"R{n}") for n in range(4)), row(reason="R4", raised=other), row(reason="R5", feed="b"))
    for key, closing in enumerate((Closing.CONFIRMED, Closing.REFUTED, Closing.EQUIVOCAL), 1):
        ended = row(key=key, reason=f"R{key - 1}", closing=closing, **closed)
        assert written(store, RetestStep(row=ended, before=RetestState.ADVISED, by="quant")) == [True]
    weak, strong = retests.yields(store.reader, ["lis"])
    assert (weak.band, weak.confirmed, weak.refuted, weak.equivocal, weak.closed, weak.open) == (
        "POS_LOW",
        1,
        1,
        1,
        3,
        1,
    )
    assert (strong.band, strong.closed, strong.open) == ("POS_STRONG", 0, 1)
    assert sum(one.open for one in retests.yields(store.reader, None)) == 3
    assert retests.yields(store.reader, []) == []
    assert [one.row.key for one in retests.opened(store.reader, ["lis"], 0, 9)] == [4, 5]
    assert [one.row.key for one in retests.opened(store.reader, None, 4, 1)] == [5]
    assert retests.opened(store.reader, [], 0, 9) == []


def test_a_number_is_never_given_twice_whatever_is_put_back(store: Store) -> None:
    desk = store.desk
    before = {desk.next_order_number(NOON) for _time in range(3)}
    event = AuditEvent(at=NOON, actor="smith", action="restored", subject="store")
    store.writer.submit(backup.marked(event, "")).result()
    after = {desk.next_order_number(datetime(2026, 11, 14, tzinfo=UTC)) for _time in range(3)}
    assert len(before | after) == 6


def test_what_was_undone_takes_its_order_along(store: Store) -> None:
    advised(store, row())
    ordered(store, order())
    store.writer.submit(lambda c: orders.call_back(c, (1, 1), "Undone by Alex Smith", NOON)).result()
    assert store.reader.execute("SELECT state, open, said FROM orders").fetchone() == (
        "cancelled",
        0,
        "Undone by Alex Smith",
    )
    assert store.reader.execute("SELECT state, reason FROM outbox").fetchone() == ("cancelled", "Undone by Alex Smith")
    assert ledger(store)[0].state is RetestState.ADVISED
    ordered(store, order("LBO1-2"))
    assert ledger(store)[0].state is RetestState.ORDERED


def test_what_has_left_is_not_called_back(store: Store) -> None:
    advised(store, row())
    ordered(store, order())
    store.writer.submit(lambda c: c.execute("UPDATE outbox SET attempts = 1, state = 'sent'")).result()
    store.writer.submit(lambda c: orders.leaves(c, delivery(store), NOON)).result()
    store.writer.submit(lambda c: orders.call_back(c, (1, 1), "Undone by Alex Smith", NOON)).result()
    assert ledger(store)[0].order is OrderState.UNKNOWN


async def test_what_a_rule_released_is_not_ordered_once_it_is_suspended(store: Store) -> None:
    by_rule = ByRule(rule="quiet@1", feed="lis", comment_class="C03", analytes=("SRP",))
    advised(store, row(not_before=None))
    ordered(store, order(), by_rule=by_rule)
    columns = '"case", version, rule, class, analytes, delivery, at'
    released = f"INSERT INTO releases({columns}) VALUES (1, 1, ?, 'C03', 'SRP', 1, 'now')"
    store.writer.submit(lambda c: c.execute(released, ("quiet@1",))).result()
    event = AuditEvent(at=NOON, actor="smith", action="suspended", subject="release by rule")
    stop = Suspension(key=0, rule="quiet", why="x", by="smith", at=NOON)
    store.writer.submit(lambda c: releases.suspend(c, stop, event)).result()
    assert await store.outbox.claim_delivery("lis", NOON) is None
    assert (ledger(store)[0].state, ledger(store)[0].order) == (RetestState.ADVISED, OrderState.CANCELLED)


async def test_an_order_for_a_later_day_is_claimed_from_that_day_on(store: Store) -> None:
    advised(store, row())
    ordered(store, order(due=date(2026, 12, 24)))
    assert await store.outbox.claim_delivery("lis", NOON) is None
    claimed = await store.outbox.claim_delivery("lis", datetime(2026, 12, 24, 0, 1, tzinfo=UTC))
    assert claimed is not None
    assert (claimed.order, claimed.raw) == ("LBO1-1", b"OML")
    assert ledger(store)[0].order is OrderState.UNKNOWN


async def test_bytes_that_are_not_what_was_judged_do_not_leave(store: Store) -> None:
    advised(store, row())
    ordered(store, order())
    store.writer.submit(lambda c: c.execute("UPDATE outbox SET raw = ?", (b"OMX",))).result()
    assert await store.outbox.claim_delivery("lis", NOON) is None
    assert (ledger(store)[0].state, ledger(store)[0].order) == (RetestState.ADVISED, OrderState.CANCELLED)
