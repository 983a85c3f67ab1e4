"""Age, erasure and legal holds: nothing unfinished is touched, and of an erased patient no byte stays (S-23, T-62)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from store_build import NOON, Store, arrival, change, event, later, outgoing, refused

from labbridge.errors import Refused
from labbridge.model.work import Kept
from labbridge.review import sending
from labbridge.states import Reason, State
from labbridge.store import retention
from labbridge.store.connection import Connection
from tests.summed import summed

CANARY = "CANARY7731"
LONG_AFTER = NOON + timedelta(days=4000)
PATIENT = f"p:LABA|{CANARY}"


async def kept(store: Store, name: str, lane: str = "") -> Kept:
    await store.intake.keep(arrival(f"MSH|{name}", control_id=name, lanes=(lane or f"p:LABA|{name}",)), event())
    return store.work.claim(NOON)[-1]


async def finished(store: Store, name: str, lane: str = "") -> Kept:
    """A message with results and no case."""
    message = await kept(store, name, lane)
    assert store.finish(message) == [True]
    return message


async def commented(store: Store, name: str, lane: str = "") -> int:
    """A message whose comment was signed; the delivery's key."""
    message = await kept(store, name, lane)
    assert store.finish(message, change(text=f"A comment on {name}.")) == [True]
    ((case,),) = store.rows("SELECT max(id) FROM cases")
    return store.desk.release(outgoing(int(str(case)), 1, f"LB{name}", lane or name), event("released"))


async def delivered(store: Store) -> None:
    delivery = await store.outbox.claim_delivery("lis", later(1))
    assert delivery is not None
    settled = sending.heard(sending.acknowledged(delivery, "AA"), f"MSA|AA|{CANARY}".encode() * 100)
    await store.outbox.settle(delivery, settled, (), event())


def left(store: Store) -> list[str]:
    """The control ids whose bytes are still there."""
    return [str(one) for (one,) in store.rows("SELECT control_id FROM journal WHERE length(raw) > 0 ORDER BY id")]


# ---------------------------------------------------------------- age


async def test_only_what_is_finished_and_old_is_wiped(store: Store) -> None:
    await finished(store, "done")
    await commented(store, "delivered")
    await delivered(store)
    await commented(store, "waiting")
    message = await kept(store, "open")
    assert store.finish(message, change()) == [True]
    parked = await kept(store, "parked")
    with store.work.unit():
        store.work.set_state(parked, State.PARKED, Reason.CRASHED, "Look", event())
    store.work.flush()
    await kept(store, "begun")
    await store.intake.quarantine(refused(control_id="quarantined"), event())
    await store.intake.keep(arrival("MSH|k", control_id="kept", lanes=("p:LABA|kept",)), event())
    assert store.desk.expire(LONG_AFTER, event("expired")) == 2
    assert left(store) == ["waiting", "open", "parked", "begun", "quarantined", "kept"]
    assert store.rows("SELECT control_id, length(raw) FROM outbox ORDER BY id") == [
        ("LBdelivered", 0), ("LBwaiting", 7),
    ]  # fmt: skip


async def test_what_receivers_answered_is_wiped_with_what_was_sent(store: Store) -> None:
    await commented(store, "old")
    await delivered(store)
    await commented(store, "waiting")
    written_of(store, 2, "no answer")
    assert store.rows("SELECT delivery, length(answer) > 0 FROM attempts ORDER BY id") == [(1, True), (2, True)]
    store.desk.expire(LONG_AFTER, event("expired"))
    rows = store.rows("SELECT delivery, length(answer), sent FROM attempts ORDER BY id")
    assert rows == [(1, 0, "acknowledged"), (2, 9, "refused")]  # how it ended is still told


async def test_what_is_younger_stays(store: Store) -> None:
    await finished(store, "done")
    assert store.desk.expire(NOON, event("expired")) == 0
    assert store.desk.expire(NOON + timedelta(seconds=1), event("expired")) == 1


async def test_the_ledger_goes_on_knowing_what_was_wiped(store: Store) -> None:
    await finished(store, "done")
    store.desk.expire(LONG_AFTER, event("expired"))
    again = await store.intake.keep(arrival("MSH|done", control_id="done", lanes=("p:LABA|done",)), event())
    assert (again.key, again.duplicate) == (1, True)


async def test_many_are_wiped_a_part_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 100)
    many = [(arrival(f"MSH|{n}", control_id=f"C{n}", lanes=(f"L{n}",)), event()) for n in range(210)]
    await store.intake.keep_all(many)
    store.writer.submit(lambda c: c.execute("UPDATE work SET state = 'done'")).result()
    store.writer.submit(summed).result()
    store.writer.submit(lambda c: c.execute("UPDATE journal SET state = 'done'")).result()
    before = store.writer.commits
    assert store.desk.expire(LONG_AFTER, event("expired")) == 210
    assert store.writer.commits - before >= 4
    assert left(store) == []


# ---------------------------------------------------------------- legal holds


async def test_a_legal_hold_stands_over_age_and_erasure(store: Store) -> None:
    await finished(store, "held")
    store.desk.hold("p:LABA|held", "court", event("legal hold"))
    assert store.desk.expire(LONG_AFTER, event("expired")) == 0
    with pytest.raises(Refused, match="legal hold stands over this patient"):
        store.desk.erase("p:LABA|held", event("erased"))
    store.desk.hold("p:LABA|held", "", event("legal hold lifted"))
    assert store.desk.expire(LONG_AFTER, event("expired")) == 1
    with pytest.raises(Refused, match="No legal hold"):
        store.desk.hold("p:LABA|held", "", event("legal hold lifted"))


# ---------------------------------------------------------------- erasure


def bytes_on_disk(store: Store) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(store.path.parent.glob(f"{store.path.name}*")))


OF_PEOPLE = {  # what people wrote of a case, and what a receiver answered; each with the patient's name in it
    "attempts": "(answer, delivery, at, sent, reason) SELECT CAST(? AS {blob}), id, 'x', 'refused', '' FROM outbox"
    ' WHERE "case" = ?',
    "decisions": "(text, \"case\", version, kind, person, name, at) VALUES (?,?,1,'wording','a','A','x')",
    "signatures": '(meaning, "case", version, delivery, person, name, screen, at)'
    " VALUES (?,?,1,1,'a','A',CAST('x' AS {blob}),'x')",
    "countersigned": "(first, \"case\", signature, second) SELECT CAST(? AS text), ?, count(*) + 1, 'b' FROM countersigned",
    "readings": '(finding, "case", version, person, name, at, first, first_finding, unseen)'
    " VALUES (?,?,1,'a','A','x','b','y',1)",
    "calls": "(told, \"case\", version, person, name, at, read_back) VALUES (?,?,1,'a','A','x',1)",
    "remarks": "(text, \"case\", person, name, at) VALUES (?,?,'a','A','x')",
}


def written_of(store: Store, case: int, text: str) -> None:
    """A row of each kind about a case."""

    def job(connection: Connection) -> None:
        for table, rest in OF_PEOPLE.items():
            given = text.encode() if table == "attempts" else text
            blob = "BLOB" if store.on_sqlite else "BYTEA"
            connection.execute(f"INSERT INTO {table}{rest.format(blob=blob)}", (given, case))

    store.writer.submit(job).result()


async def everything_of(store: Store, lane: str = PATIENT) -> None:
    """A patient in every table there is: results, case, comment, links, an edited message, what people wrote."""
    await commented(store, f"{CANARY}a", lane)
    await delivered(store)
    written_of(store, 1, f"{CANARY} said so " * 100)
    await finished(store, f"{CANARY}b", lane)
    store.writer.submit(
        lambda c: c.execute(
            "INSERT INTO edits(message, version, raw, editor, why, made, approved_by) VALUES (1, 2, ?, 'x', 'y', 'z', 'w')",
            (f"MSH|{CANARY}|edited".encode() * 300,),
        )
    ).result()
    patient = "INSERT INTO patients(authority, identifier, body) VALUES ('LABA', ?, ?)"
    store.writer.submit(lambda c: c.execute(patient, (CANARY, CANARY.encode()))).result()
    store.writer.submit(
        lambda c: c.execute("UPDATE journal SET raw = ? WHERE id = 1", (f"MSH|{CANARY}|".encode() * 900,))
    ).result()


async def test_of_an_erased_patient_no_byte_stays_on_the_disk(file_store: Store) -> None:
    store = file_store
    await everything_of(store)
    assert CANARY.encode() in bytes_on_disk(store)
    assert store.desk.erase(PATIENT, event("erased", "patient")) == 2
    found = bytes_on_disk(store)
    rest = found.replace(f"{CANARY}a".encode(), b"").replace(f"{CANARY}b".encode(), b"")  # control ids: the sender's
    assert CANARY.encode() not in rest
    assert store.rows("SELECT count(*) FROM patients WHERE identifier <> 'PT1'") == [(0,)]
    for table in ("results", "cases", "drafts", "comments", "edits", "texts", *OF_PEOPLE):
        assert store.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert store.rows("SELECT messages, length(lane_digest) FROM tombstones") == [(2, 32)]


async def test_other_patients_stay_as_they_were(store: Store) -> None:
    await everything_of(store)
    await commented(store, "other")
    written_of(store, 2, "of the other one")
    before = store.rows('SELECT * FROM drafts WHERE "case" = 2')
    store.desk.erase(PATIENT, event("erased", "patient"))
    assert store.rows("SELECT * FROM drafts") == before
    for table in OF_PEOPLE:
        assert store.rows(f"SELECT count(*) FROM {table}") == [(1,)], table
    assert left(store) == ["other"]


async def test_a_patient_is_erased_under_every_number_that_was_linked(store: Store) -> None:
    await finished(store, "one", "p:LABA|OLD")
    await finished(store, "two", PATIENT)
    link = "INSERT INTO links(prior, surviving, message, made) VALUES ('p:LABA|OLD', ?, 3, 'x')"
    store.writer.submit(lambda c: c.execute(link, (PATIENT,))).result()
    store.writer.submit(lambda c: c.execute("INSERT INTO merged VALUES ('p:LABA|OLD', ?)", (PATIENT,))).result()
    assert store.desk.erase("p:LABA|OLD", event("erased", "patient")) == 2
    for table in ("results", "links", "merged"):
        assert store.rows(f"SELECT count(*) FROM {table}") == [(0,)], table


async def test_what_comes_again_is_known_and_brings_nothing_back(store: Store) -> None:
    await finished(store, "one", PATIENT)
    store.desk.erase(PATIENT, event("erased", "patient"))
    again = await store.intake.keep(arrival("MSH|one", control_id="one", lanes=(PATIENT,)), event())
    assert again.duplicate
    assert store.work.claim(NOON) == []


async def test_nothing_unfinished_is_erased(store: Store) -> None:
    with pytest.raises(Refused, match="Nothing is held of this patient"):
        store.desk.erase(PATIENT, event("erased"))
    await kept(store, "waits", PATIENT)
    with pytest.raises(Refused, match="M1 of this patient waits"):
        store.desk.erase(PATIENT, event("erased"))


async def test_a_patient_whose_comment_is_on_its_way_is_not_erased(store: Store) -> None:
    await commented(store, "one", PATIENT)
    with pytest.raises(Refused, match="A comment on this patient is on its way"):
        store.desk.erase(PATIENT, event("erased"))


async def test_a_quarantined_message_that_may_name_the_patient_is_settled_first(store: Store) -> None:
    await finished(store, "one", PATIENT)
    await store.intake.quarantine(refused(f"MSH|bad|{CANARY}"), event())
    with pytest.raises(Refused, match="M2 is quarantined and may name this patient"):
        store.desk.erase(PATIENT, event("erased"))
