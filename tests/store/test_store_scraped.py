"""What a scrape reads: as it stands in the rows, and no more of them however much is stored."""

from __future__ import annotations

import re

import msgspec
import pytest
from store_build import NOON, Store, arrival, change, event, later, outgoing, refused

from labbridge.model.release import Suspension
from labbridge.model.work import Count
from labbridge.review import sending
from labbridge.states import Reason, State
from labbridge.store import outcomes, scraped
from labbridge.store.connection import Statement
from labbridge.store.marks import moment
from labbridge.store.scraped import Scraped
from labbridge.store.tally import counted as count_all
from labbridge.store.writer import unit

HOUR_S = 3600.0


def seen(store: Store, minutes: float = 0) -> Scraped:
    return scraped.scraped(store.reader, later(minutes))


async def case(store: Store, number: int) -> None:
    """A message that opened a case of its own."""
    await store.intake.keep(arrival(f"M{number}", control_id=f"M{number}", lanes=(f"p:LABA|PT{number}",)), event())
    (message,) = store.work.claim(NOON)
    assert store.finish(message, change()) == [True]


def out(store: Store, number: int) -> int:
    letter = outgoing(number, 1, f"LB{number}", f"lis/p:LABA|PT{number}")
    return store.desk.release(letter, event("released", f"C{number}@1"))


# ---------------------------------------------------------------- what waits


def test_a_fresh_store_has_nothing_and_says_so(store: Store) -> None:
    found = seen(store)
    assert (found.work, found.work_oldest_s) == ({"kept": 0, "parked": 0}, {"kept": 0.0, "parked": 0.0})
    assert (found.cases, found.outbox, found.failed, found.quarantine, found.unmapped) == ({}, {}, {}, {}, {})
    assert (found.quarantine_oldest_s, found.suspended, found.unconfirmed, found.marks) == (0.0, {}, 0, {})
    assert set(found.tally) == {"stored", "quarantined", "duplicate", "oversize"}, "each is there before the first"


async def test_cases_that_are_open_by_state_and_queue_each_with_its_oldest(store: Store) -> None:
    for number in (1, 2, 3, 4):
        await case(store, number)
    out(store, 1)
    execute = store.connection.execute
    execute(
        "UPDATE cases SET disposition = 'held', disposition_version = version, until = ? WHERE id = 2",
        (later(90).isoformat(),),
    )
    execute("UPDATE cases SET disposition = 'referred', disposition_version = version - 1 WHERE id = 3")
    found = seen(store, 60)
    assert found.cases == {("new", "held"): 1, ("new", "worklist"): 2}, "signed ones are none that is open"
    assert found.cases_oldest_s == {("new", "held"): HOUR_S, ("new", "worklist"): HOUR_S}
    assert seen(store, 120).cases == {("new", "worklist"): 3}, "it came back by itself"


async def test_the_outbox_the_quarantine_and_what_is_parked(store: Store) -> None:
    for number in (1, 2, 3):
        await case(store, number)
        out(store, number)
    store.connection.execute("UPDATE outbox SET state = 'failed' WHERE id = 2")
    for number, reason in enumerate((Reason.STRUCTURE, Reason.STRUCTURE, Reason.OVERSIZE)):
        bad = msgspec.structs.replace(
            refused(f"X{number}", control_id=f"X{number}", reason=reason), received=later(number)
        )
        await store.intake.quarantine(bad, event())
    await store.intake.keep(arrival("P", control_id="P", lanes=("p:LABA|P",)), event())
    (message,) = store.work.claim(NOON)
    with store.work.unit():
        store.work.set_state(message, State.PARKED, Reason.UNREADABLE, "Look at it", event())
    store.work.flush()
    found = seen(store, 60)
    assert (found.outbox, found.failed, found.outbox_oldest_s) == ({"lis": 2}, {"lis": 1}, {"lis": HOUR_S})
    assert (found.quarantine, found.quarantine_oldest_s) == ({"structure": 2, "oversize": 1}, HOUR_S)
    assert (found.work, found.work_oldest_s) == ({"kept": 0, "parked": 1}, {"kept": 0.0, "parked": HOUR_S})
    assert found.tally["processed"] == {("lis", "drafted"): 3, ("lis", "unreadable"): 1}


def test_a_switch_is_told_by_what_it_stops_and_not_by_its_name(store: Store) -> None:
    for about in ({}, {"rule": "both-negative"}, {"rule": "other"}, {"feed": "lis", "analyte": "SRP"}):
        store.desk.releases.suspend(Suspension(key=0, why="a test", by="file", at=NOON, **about), event())
    assert seen(store).suspended == {"all": 1, "rule": 2, "feed analyte": 1}
    store.desk.releases.lift([2, 3], event())
    assert seen(store).suspended == {"all": 1, "feed analyte": 1}


def test_a_restore_is_told_until_somebody_confirms_it(store: Store) -> None:
    store.desk.mark_restored(event("restored", "store"))
    assert seen(store).unconfirmed == 1
    store.desk.confirm_restore(event("confirmed", "restore"))
    assert seen(store).unconfirmed == 0


# ---------------------------------------------------------------- what became of comments


def comments(store: Store) -> dict[str, int]:
    return {outcome: count for (_receiver, outcome), count in seen(store).tally.get("comments", {}).items()}


def in_the_table(store: Store) -> dict[str, int]:
    rows = store.rows("SELECT state, count(*) FROM outbox WHERE comment > 0 GROUP BY state")
    settled = {str(state): int(str(count)) for state, count in rows if state not in ("waiting", "sent")}
    (every,) = store.rows("SELECT count(*) FROM outbox WHERE comment > 0")[0]
    return {"released": int(str(every)), **settled}


async def settle(store: Store, *, refusals: int = 0) -> None:
    delivery = await store.outbox.claim_delivery("lis", NOON)
    assert delivery is not None
    if refusals:
        delivery = msgspec.structs.replace(delivery, refusals=refusals)
        settled = sending.refused(delivery, "AE", "no", NOON)
    else:
        settled = sending.acknowledged(delivery, "AA")
    from labbridge import counting

    await store.outbox.settle(delivery, settled, counting.sent(delivery, settled, NOON), event())


async def test_comments_are_counted_as_they_stand_in_the_table(store: Store) -> None:
    for number in (1, 2, 3, 4):
        await case(store, number)
        out(store, number)
    assert comments(store) == in_the_table(store) == {"released": 4}
    await settle(store)
    assert comments(store) == in_the_table(store) == {"released": 4, "acknowledged": 1}
    await settle(store, refusals=9)
    assert comments(store) == in_the_table(store) == {"released": 4, "acknowledged": 1, "failed": 1}
    await store.intake.keep(arrival("N", control_id="N", lanes=("p:LABA|PT3",)), event())
    (message,) = store.work.claim(NOON)
    assert store.finish(message, change(3, 1, "Another.", unsent=1)) == [True]  # a newer draft before it left
    assert comments(store) == in_the_table(store) == {"released": 4, "acknowledged": 1, "failed": 1, "cancelled": 1}
    store.desk.send_again(2, event())
    assert comments(store) == {"released": 4, "acknowledged": 1, "failed": 1, "cancelled": 1, "again": 1}
    await settle(store)
    await settle(store)
    assert comments(store)["acknowledged"] == in_the_table(store)["acknowledged"] == 3


async def test_one_that_is_out_of_date_when_it_would_leave_is_cancelled_and_counted(store: Store) -> None:
    await case(store, 1)
    out(store, 1)
    store.connection.execute("UPDATE cases SET version = version + 1 WHERE id = 1")
    from tests.summed import summed

    summed(store.connection)
    assert await store.outbox.claim_delivery("lis", NOON) is None
    assert comments(store) == in_the_table(store) == {"released": 1, "cancelled": 1}


async def test_a_unit_that_is_undone_counts_nothing(store: Store) -> None:
    await case(store, 1)
    out(store, 1)
    await store.intake.keep(arrival("N", control_id="N", lanes=("p:LABA|PT1",)), event())
    (message,) = store.work.claim(NOON)
    assert store.finish(message, change(1, 7, "Another.", unsent=1)) == [False]
    assert comments(store) == {"released": 1}


async def test_a_store_from_before_is_counted_once_at_the_start(store: Store) -> None:
    for number in (1, 2, 3):
        await case(store, number)
        out(store, number)
    await settle(store)
    store.connection.execute("DELETE FROM tally WHERE name = 'comments'")
    for _start in range(2):
        store.writer.submit(outcomes.begin).result()
        assert comments(store) == in_the_table(store) == {"released": 3, "acknowledged": 1}


# ---------------------------------------------------------------- marks


def test_a_moment_never_goes_back(store: Store) -> None:
    for minutes in (5, 9, 7):
        store.writer.submit(unit([moment("heartbeat", "beat", later(minutes))])).result()
    assert seen(store).marks == {"heartbeat": {("beat",): int(later(9).timestamp())}}


def test_what_commands_found_out_is_kept(store: Store) -> None:
    store.desk.marks.verified(0, NOON)
    store.desk.marks.verified(3, later(60))
    store.desk.marks.backed_up(later(30))
    store.desk.marks.drifted({("SRP", "", "blot", "positive_rising"): True, ("CK", "", "x", "positive_falling"): False})
    store.desk.marks.drifted({("CK", "", "x", "positive_falling"): True})
    found = seen(store).marks
    assert found["audit_verified"] == {(): int(NOON.timestamp())}, "the last time it was whole"
    assert found["audit_faults"] == {(): 3}
    assert found["backup"] == {(): int(later(30).timestamp())}
    assert found["drift"] == {("SRP", "", "blot", "positive_rising"): 0, ("CK", "", "x", "positive_falling"): 1}
    store.desk.marks.verified(0, later(90))
    assert seen(store).marks["audit_faults"] == {(): 0}


# ---------------------------------------------------------------- what it costs

PAST = (  # as much as is asked for of everything that is done with, in the tables that grow with it
    "INSERT INTO journal(sender, control_id, digest, feed, peer, message_type, received, length, lanes, state, reason, raw)"
    " SELECT 'S', 'past' || n, substr('x', 1, 0), 'lis', 'p', 'ORU^R01', '2026-01-01T00:00:00+00:00', 1, 'l', 'done',"
    " 'drafted', substr('x', 1, 0) FROM n",
    "INSERT INTO work(message, lane, state, reason, updated) SELECT n, 'past' || n, 'done', 'drafted', 'x' FROM n",
    "INSERT INTO cases(lane, feed, opened_day, version, state, opened, updated) SELECT 'past' || n, 'lis', '2026-01-01', 1,"
    " CASE WHEN n % 2 = 0 THEN 'signed' ELSE 'closed' END, '2026-01-01T00:00:00+00:00', 'x' FROM n",
    'INSERT INTO outbox("case", version, comment, receiver, lane, control_id, raw, state, created, updated)'
    " SELECT n, 1, n, 'lis', 'l', 'past' || n, substr('x', 1, 0), CASE WHEN n % 3 = 0 THEN 'cancelled'"
    " ELSE 'acknowledged' END, 'x', 'x' FROM n",
)
NUMBERS = "WITH RECURSIVE n(n) AS (SELECT {0} UNION ALL SELECT n + 1 FROM n WHERE n < {1}) "
GROWS = ("journal", "work", "cases", "outbox", "audit", "drafts", "results", "comments")


def grow(store: Store, first: int, last: int) -> None:
    """Everything from the first to the last is done with."""
    nothing = "CAST('' || n AS BLOB)" if store.on_sqlite else "convert_to('' || n, 'UTF8')"
    for insert in PAST:
        into, _select, rest = insert.replace("substr('x', 1, 0)", nothing).partition(" SELECT ")
        store.connection.execute(f"{into} {NUMBERS.format(first, last)} SELECT {rest}")


async def some_wait(store: Store) -> None:
    for number in range(1, 6):
        await case(store, number)
    out(store, 1)
    await store.intake.quarantine(refused("X", control_id="X"), event())
    await store.intake.keep(arrival("W", control_id="W", lanes=("p:LABA|W",)), event())


async def test_a_scrape_takes_the_same_steps_however_much_is_stored(file_store: Store) -> None:
    """Steps of SQLite's virtual machine: a row that is read takes several."""
    store = file_store
    await some_wait(store)
    steps = [0]

    def step() -> int:
        steps[0] += 1
        return 0

    def taken() -> int:
        reader = store.another_reader()
        scraped.scraped(reader, NOON)  # the first reads the schema too
        steps[0] = 0
        reader.set_progress_handler(step, 1)  # type: ignore[attr-defined]
        scraped.scraped(reader, NOON)
        reader.set_progress_handler(None, 0)  # type: ignore[attr-defined]
        return steps[0]

    grow(store, 1000, 1100)
    few = taken()
    grow(store, 2000, 7000)
    assert taken() == few > 100
    await store.intake.quarantine(refused("Z", control_id="Z"), event())
    assert taken() > few, "what waits is read"


async def test_no_statement_of_a_scrape_reads_a_table_from_end_to_end(store: Store) -> None:
    await some_wait(store)
    grow(store, 1000, 6000)
    asked: list[tuple[str, tuple[object, ...]]] = []

    class Counting:
        def execute(self, sql: str, params: tuple[object, ...] = ()) -> object:
            asked.append((sql, params))
            return store.reader.execute(sql, params)

    scraped.scraped(Counting(), NOON)  # type: ignore[arg-type]
    if not store.on_sqlite:
        store.connection.execute("ANALYZE")
    for sql, params in asked:
        if sql in ("BEGIN", "ROLLBACK"):
            continue
        plan = how(store, sql, params)
        whole = rf"Seq Scan on ({'|'.join(GROWS)})\b" if not store.on_sqlite else rf"SCAN ({'|'.join(GROWS)})(?! USING)"
        assert re.search(whole, plan) is None, (sql, plan)


def how(store: Store, sql: str, params: tuple[object, ...]) -> str:
    word = "EXPLAIN QUERY PLAN" if store.on_sqlite else "EXPLAIN"
    return "\n".join(str(row[-1]) for row in store.reader.execute(f"{word} {sql}", params).fetchall())


async def test_the_old_way_would_be_found(file_store: Store) -> None:
    grow(file_store, 1000, 1100)
    assert "SCAN outbox" in how(file_store, "SELECT receiver, state, count(*) FROM outbox GROUP BY 1, 2", ())


# ---------------------------------------------------------------- how many there can be


@pytest.mark.parametrize("label", ["x" * 30, "ZZZ^Z99", "a\tb"])
async def test_what_a_sender_writes_makes_no_label(store: Store, label: str) -> None:
    """S-20: at most 200 series a metric, whatever comes."""
    for number in range(300):
        bad = msgspec.structs.replace(
            refused(f"{label}{number}", control_id=f"{number}"), message_type=f"{label}{number}"
        )
        await store.intake.quarantine(bad, event())
    found = seen(store)
    assert found.tally["quarantined"] == {("lis", "other"): 300}
    assert all(len(series) <= 200 for series in found.tally.values())


def test_counters_of_the_tally_are_read_as_they_are(store: Store) -> None:
    counts = (Count("flags", ("srp@1", "major"), 3), Count("evaluations", (), 2))
    store.writer.submit(unit([Statement(*count_all(counts))])).result()
    assert seen(store).tally["flags"] == {("srp@1", "major"): 3}
    assert seen(store).tally["evaluations"] == {(): 2}
