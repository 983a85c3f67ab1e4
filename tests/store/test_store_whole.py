"""Rows of work, cases and drafts that are no longer what was written: never used, told, and what a person does about it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from store_build import LANE, NOON, Store, arrival, change, event, later, outgoing

from labbridge import show
from labbridge.errors import Park, Refused
from labbridge.model.outcome import DAMAGED
from labbridge.model.work import Case, Verdict
from labbridge.review import policies
from labbridge.states import CaseState, Reason, State
from labbridge.store import opening, sums, whole
from labbridge.store.bench import StoreBench
from labbridge.store.lookover import Found, LookOver
from labbridge.store.messages import StoreMessages
from labbridge.store.writer import Writer
from tests.summed import damaged

WORK = ("message", "lane", "state", "reason", "sentence", "notes", "updated", "attempts", "forgiven", "crc")
CASE = (
    *(
        "lane",
        "feed",
        "opened_day",
        "opened",
        "restore",
        "version",
        "severity",
        "flags",
        "analytes",
        "state",
        "updated",
    ),
    *("disposition", "disposition_version", "until", "crc", "version_crc", "state_crc", "put_crc"),
)
DRAFT = ("version", "outcome", "text", "subject_message", "subject_at", "knowledge", "created", "crc")
NUMBERS = frozenset(
    "message attempts forgiven restore version severity disposition_version subject_message rank"
    " crc version_crc state_crc put_crc rank_crc".split()
)


async def kept(store: Store, lane: str = LANE, control_id: str = "C1") -> None:
    await store.intake.keep(arrival(f"MSH|{control_id}", control_id=control_id, lanes=(lane,)), event())


async def with_case(store: Store) -> None:
    await kept(store)
    (message,) = store.work.claim(NOON)
    assert store.finish(message, change()) == [True]


def turned(store: Store, table: str, column: str) -> None:
    """One bit of a value of its only row: of a number, of the last letter of a text, of a byte in the middle of bytes; where
    nothing stands there, something does."""
    ((value,),) = store.rows(f"SELECT {column} FROM {table}")
    if column in NUMBERS:
        changed: object = int(str(value)) ^ 1
    elif isinstance(value, bytes):
        at = len(value) // 2
        changed = value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
    else:
        changed = str(value)[:-1] + chr(ord(str(value)[-1]) ^ 1) if value else "@"
    store.connection.execute(f"UPDATE {table} SET {column} = ?", (changed,))


def looked(store: Store) -> Found:
    return LookOver(store.another_reader(), store.another_reader(lenient=True), store.writer).look(NOON)


def case_of(store: Store) -> Case:
    found = store.desk.case(1)
    assert found is not None
    return found


# ---------------------------------------------------------------- the sums


def test_each_bit_of_a_sum_speaks_of_its_own_columns() -> None:
    row = (1, "p:A|1", "kept", "received", "", "", "now")
    assert sums.of_work(row, 1) - sums.of_work(row) == sums.ATTEMPT
    assert sums.of_work(row, 0, 1) - sums.of_work(row) == sums.FORGIVEN
    assert len({sums.ATTEMPT, sums.FORGIVEN, sums.RESTORE, sums.CASE}) == 4
    for place in range(len(row)):
        assert sums.of_work((*row[:place], f"{row[place]}x", *row[place + 1 :])) != sums.of_work(row)
    assert sums.of_received(1, "p:A|1", "now") == sums.of_work(row)
    assert sums.of_group(("a", "bc")) != sums.of_group(("ab", "c"))


def test_of_rows_from_before_nothing_is_asked() -> None:
    assert whole.work((1, "p:A|1", "kept", "received", "", "", "now", 0, 0, None))
    row = whole.CaseRow("l", "f", "d", "o", 0, 1, 0, "", "", "new", "u", "", 0, "", 0, "", None, None, None, None, None)
    assert row.damaged == []
    assert whole.draft((1, 1, "t", 1, "at", "k", "now", b"{}", None))
    assert not whole.draft((None, None, None, None, None, None, None, None, None)), "a draft that is gone is not whole"


async def test_a_nul_that_postgresql_keeps_as_a_sign_does_not_damage_a_row(store: Store) -> None:
    await kept(store, "p:LABA|P\0T")
    assert damaged(store.reader) == []
    assert len(store.work.claim(NOON)) == 1


async def test_whatever_is_written_has_its_sum(store: Store) -> None:
    await with_case(store)
    await kept(store, control_id="C2")
    store.work.claim(NOON, singly=True)
    store.work.claim(NOON, singly=True)
    store.desk.forgive()
    (message,) = store.work.claim(NOON)
    assert damaged(store.reader) == []
    assert store.finish(message, change(1, 1, "Another.")) == [True]
    store.desk.release(outgoing(1, 2), event("released", "C1@2"))
    store.desk.reprocess(1, (LANE, "p:LABA|PT2"), event("reprocess"))
    assert damaged(store.reader) == []
    assert store.rows("SELECT lanes FROM journal WHERE id = 1") == [(f"{LANE}\np:LABA|PT2",)]
    await kept(store, "p:LABA|PT9", "C9")
    assert damaged(store.reader) == []
    assert looked(store) == Found(0, 0, 0, 0)


async def test_an_erased_patients_rows_are_whole(store: Store) -> None:
    await with_case(store)
    store.desk.erase(LANE, event("erased"))
    assert store.rows("SELECT lane FROM work") == [("erased",)]
    assert damaged(store.reader) == []


# ---------------------------------------------------------------- work


@pytest.mark.parametrize("column", WORK)
async def test_a_damaged_row_of_work_is_not_processed_but_parked(store: Store, column: str) -> None:
    await kept(store)
    turned(store, "work", column)
    assert store.work.claim(NOON) == []
    assert looked(store).work == 1
    assert looked(store).new == 0, "it is told once"
    rows = store.rows("SELECT message, lane, state, reason FROM work")
    assert rows == [(1, LANE, "parked", "work_damaged")]
    assert store.rows("SELECT state, reason FROM journal") == [("parked", "work_damaged")]
    assert damaged(store.reader) == []
    assert store.rows("SELECT count, labels FROM tally WHERE name = 'damaged' ORDER BY labels") == [
        (0, "cases"), (0, "drafts"), (1, "work"),
    ]  # fmt: skip
    assert any(subject == "M1" for (subject,) in store.rows("SELECT subject FROM audit WHERE action = 'damaged'"))
    assert store.work.claim(NOON) == []
    store.desk.reprocess(1, (LANE,), event("reprocess"))
    assert [(one.key, one.lane, one.attempts) for one in store.work.claim(NOON)] == [(1, LANE, 1)]
    assert looked(store).work == 0


async def test_a_damaged_row_holds_back_the_later_messages_of_its_patient(store: Store) -> None:
    await kept(store)
    await kept(store, control_id="C2")
    await kept(store, "p:LABA|PT2", "C3")
    store.connection.execute("UPDATE work SET sentence = '@' WHERE id = 1")
    assert [one.key for one in store.work.claim(NOON)] == [3]


async def test_a_row_of_work_that_is_gone_comes_back_parked(store: Store) -> None:
    await store.intake.keep(arrival(lanes=("p:A|1", "p:A|2")), event())
    store.connection.execute("DELETE FROM work WHERE lane = 'p:A|1'")
    assert looked(store).new == 1
    assert store.rows("SELECT lane, state FROM work ORDER BY lane") == [("p:A|1", "parked"), ("p:A|2", "kept")]
    assert looked(store).new == 0


async def test_an_edited_message_lacks_no_lane_it_was_edited_out_of(store: Store) -> None:
    await store.intake.keep(arrival(lanes=("p:A|1", "p:A|2")), event())
    store.desk.reprocess(1, ("p:A|2",), event("reprocess"))
    assert looked(store) == Found(0, 0, 0, 0)


async def test_a_message_from_before_there_were_sums_lacks_nothing(store: Store) -> None:
    await store.intake.keep(arrival(lanes=("p:A|1", "p:A|2")), event())
    store.connection.execute("DELETE FROM work WHERE lane = 'p:A|1'")
    store.connection.execute("UPDATE work SET crc = NULL")
    assert looked(store) == Found(0, 0, 0, 0)


async def test_of_a_message_whose_bytes_were_wiped_a_damaged_row_is_done(store: Store) -> None:
    await with_case(store)
    store.connection.execute("UPDATE journal SET raw = substr(raw, 1, 0)")
    turned(store, "work", "state")
    looked(store)
    assert store.rows("SELECT state, reason FROM work") == [("done", "work_damaged")]
    assert store.rows("SELECT state FROM journal") == [("done",)]


async def test_who_is_who_is_not_decided_over_a_damaged_row(store: Store) -> None:
    await with_case(store)
    turned(store, "work", "lane")
    with pytest.raises(Refused, match="`labbridge reprocess` it first"):
        store.desk.decide(1, [(LANE, "who")], Verdict.SAME, event("identity"))


# ---------------------------------------------------------------- cases and drafts


def nothing_of_it_is_used(store: Store) -> None:
    found = case_of(store)
    assert (found.damaged, found.state, found.outcome, found.text) == (True, CaseState.HELD, DAMAGED, "")
    with pytest.raises(Refused, match="no longer what was written"):
        policies.check_release(found, found.version, "A")
    (row,) = StoreBench(store.reader).rows([1])
    assert (row.damaged, row.outcome, row.state) == (True, DAMAGED, CaseState.HELD)


def parks(store: Store, lane: str = LANE) -> str:
    with pytest.raises(Park) as parked:
        store.work.history(None, lane)
    assert parked.value.reason is Reason.CASE_DAMAGED
    return str(parked.value)


@pytest.mark.parametrize("column", CASE)
async def test_a_damaged_case_is_not_read_signed_or_sent(store: Store, column: str) -> None:
    await with_case(store)
    store.desk.release(outgoing(), event("released", "C1@1"))
    turned(store, "cases", column)
    nothing_of_it_is_used(store)
    if column != "lane":
        assert "C1" in parks(store)
    assert await store.outbox.claim_delivery("lis", later(1)) is None
    assert store.rows("SELECT state FROM outbox") == [("waiting",)], "nothing is lost"
    found = looked(store)
    assert found.new >= 1
    assert any(subject == "C1" for (subject,) in store.rows("SELECT subject FROM audit WHERE action = 'damaged'"))


@pytest.mark.parametrize("column", DRAFT)
async def test_a_damaged_draft_is_not_read_signed_or_made_again_unasked(store: Store, column: str) -> None:
    await with_case(store)
    turned(store, "drafts", column)
    nothing_of_it_is_used(store)
    assert parks(store) == "It is C1: reprocess this message, and its draft is made again"
    found = looked(store)
    assert (found.work, found.cases, found.drafts) == (0, int(column == "version"), 1)
    assert store.rows("SELECT count FROM tally WHERE name = 'damaged' AND labels = 'drafts'") == [(1,)]
    store.desk.reprocess(1, (LANE,), event("reprocess"))
    (message,) = store.work.claim(NOON)
    (again,) = store.work.history(None, LANE).cases
    assert again.damaged
    assert store.finish(message, change(1, case_of(store).version, "Again.")) == [True]
    assert (case_of(store).damaged, case_of(store).text) == (False, "Again.")


@pytest.mark.parametrize(
    ("column", "again"),
    [("version", True), ("flags", True), ("severity", True), ("disposition", True), ("until", True)],
)
async def test_what_can_be_told_from_elsewhere_is_written_anew(store: Store, column: str, again: bool) -> None:
    await with_case(store)
    before = store.rows("SELECT version, severity, flags, analytes, disposition, until FROM cases")
    turned(store, "cases", column)
    assert looked(store).new >= 1
    assert store.rows("SELECT version, severity, flags, analytes, disposition, until FROM cases") == before
    assert case_of(store).damaged is not again


async def test_a_rank_that_is_damaged_is_found_again(store: Store) -> None:
    await with_case(store)
    turned(store, "cases", "rank")
    assert not case_of(store).damaged, "it only orders a list"
    assert looked(store).new == 1
    assert store.rows("SELECT rank, ranked FROM cases") == [(0, "")]
    assert damaged(store.reader) == []


@pytest.mark.parametrize("column", ["lane", "feed", "opened_day", "opened", "restore"])
async def test_a_case_whose_opening_is_damaged_is_in_nobodys_lane(store: Store, column: str) -> None:
    """The message it was written from waits for a person, and with it whatever comes of the patient."""
    await with_case(store)
    turned(store, "cases", column)
    assert looked(store).cases == 1
    assert store.rows("SELECT lane FROM cases") == [("damaged:C1",)]
    assert store.rows("SELECT lane, state, reason FROM work") == [(LANE, "parked", "case_damaged")]
    ((told,),) = store.rows("SELECT sentence FROM work")
    assert re.match(r"C1, written from this message, is damaged", str(told))
    assert store.rows("SELECT state FROM journal") == [("parked",)]
    await kept(store, control_id="C2")
    assert store.work.claim(NOON) == []
    store.desk.reprocess(1, (LANE,), event("reprocess"))
    assert [one.key for one in store.work.claim(NOON)] == [1]
    assert looked(store).new == 1, "another look tells it again, and parks nothing"
    assert store.rows("SELECT state FROM work WHERE message = 1") == [("kept",)]


async def test_a_case_without_its_draft_and_a_draft_without_its_case_are_told(store: Store) -> None:
    await with_case(store)
    store.connection.execute('UPDATE drafts SET "case" = 2')
    nothing_of_it_is_used(store)
    assert looked(store).new == 3
    assert set(store.rows("SELECT subject, detail FROM audit WHERE action = 'damaged'")) == {
        ("C1", "draft 1 is gone"), ("C2", "draft 1"), ("C2", "it is gone"),
    }  # fmt: skip


async def test_a_draft_whose_key_turned_stands_in_no_later_ones_way(store: Store) -> None:
    await with_case(store)
    store.connection.execute("UPDATE drafts SET version = 2")
    store.desk.reprocess(1, (LANE,), event("reprocess"))
    (message,) = store.work.claim(NOON)
    assert store.finish(message, change(1, 1, "Again.")) == [True]
    assert (case_of(store).damaged, case_of(store).text) == (False, "Again.")
    store.connection.execute('UPDATE drafts SET "case" = 2, version = 1')
    await kept(store, "p:LABA|PT2", "C2")
    (message,) = store.work.claim(NOON)
    assert store.finish(message, change()) == [True]
    other = store.desk.case(2)
    assert other is not None
    assert not other.damaged


@pytest.mark.parametrize("column", ["version", "disposition", "feed"])
async def test_what_a_new_draft_would_not_mend_is_not_made_again(store: Store, column: str) -> None:
    await with_case(store)
    turned(store, "cases", column)
    store.desk.reprocess(1, (LANE,), event("reprocess"))
    assert [one.key for one in store.work.claim(NOON)] == [1]
    assert "more than its draft" in parks(store)


# ---------------------------------------------------------------- the file itself


async def test_wherever_a_lane_stands_in_the_file_a_turned_bit_of_it_is_found(file_store: Store) -> None:
    """In a row, in an index of it, as another text or as bytes that are none: no row is lost, and every row can be read."""
    await with_case(file_store)
    await kept(file_store, control_id="C2")
    file_store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sound = file_store.path.read_bytes()
    places = [found.start() + 5 for found in re.finditer(re.escape(LANE.encode()), sound)]
    assert len(places) > 8
    told = [turned_at(file_store.path, sound, place, bit) for place in places for bit in (0x01, 0x80)]
    assert sum(told) > 8


def turned_at(beside: Path, sound: bytes, place: int, bit: int) -> bool:
    """Whether a look over a store with this bit turned told anything."""
    path = beside.with_name("turned.db")
    path.write_bytes(sound[:place] + bytes([sound[place] ^ bit]) + sound[place + 1 :])
    url = f"sqlite:///{path}"
    with opening.held(url) as held:
        writer, lenient, strict = Writer(held.writer()), opening.reader(url, lenient=True), opening.reader(url)
        found = LookOver(strict, lenient, writer).look(NOON)
        assert all(lenient.indexes_hold(table) for table in ("work", "cases", "drafts"))
        for table in ("work", "cases", "drafts"):
            strict.execute(f"SELECT * FROM {table}").fetchall()
        states = dict(strict.execute("SELECT message, state FROM work ORDER BY id").fetchall())
        assert states == {1: "done", 2: "kept"} or (found.new and set(states) == {1, 2})
        writer.close()
        lenient.close()
        strict.close()
    return bool(found.new)


@pytest.mark.parametrize("column", ["state", "reason", "notes", "updated"])
async def test_a_damaged_row_of_work_is_shown_as_one(store: Store, column: str) -> None:
    await kept(store)
    turned(store, "work", column)
    found = StoreMessages(store.reader).one(1, None)
    assert found is not None
    assert [(one.state, one.reason) for one in found.lanes] == [(State.PARKED, Reason.WORK_DAMAGED)]
    assert "no longer what was written" in show.one(store.reader, "M1", "text")


async def test_a_damaged_case_is_shown_as_one(store: Store) -> None:
    await with_case(store)
    assert "damaged" not in show.one(store.reader, "C1", "text")
    turned(store, "drafts", "outcome")
    assert "It is damaged on the disk." in show.one(store.reader, "C1", "text")
    assert "C1@1" in show.worklist(store.reader, 10, "text")
