"""receive(): every arrival is kept, quarantined, a duplicate or oversize, and answered once for what it is."""

from __future__ import annotations

import hashlib

import pytest
from story_parts import BLOT, CK, FEED, Laboratory, obx, order, oru, patients

from labbridge import pipeline
from labbridge.errors import StoreUnavailable
from labbridge.hl7.ack import read_ack
from labbridge.hl7.mllp import Junk, Oversize
from labbridge.pipeline import Peer

RESULT = order("F1", obx(BLOT, "58"))
GOOD = oru("M1", RESULT)
KINDS = ("stored", "quarantined", "duplicate", "oversize")


def counts(lab: Laboratory) -> tuple[int, ...]:
    return tuple(lab.counted(name) for name in KINDS)


async def test_an_accepted_message_is_on_disk_byte_for_byte(lab: Laboratory) -> None:
    (reply,) = await lab.receive(GOOD)
    answer = read_ack(reply.raw)
    assert (answer.code, answer.control_id, reply.close) == ("AA", "M1", False)
    ((raw, digest, length, state),) = lab.rows.execute("SELECT raw, digest, length, state FROM journal").fetchall()
    assert (raw, digest, length, state) == (GOOD, hashlib.sha256(GOOD).digest(), len(GOOD), "kept")


async def test_our_control_ids_are_never_the_same_twice(lab: Laboratory) -> None:
    replies = await lab.receive(GOOD, GOOD, oru("M2", RESULT), b"MSH|^~\\&|X\r")
    ids = [reply.raw.split(b"|")[9] for reply in replies]
    assert len(set(ids)) == 3 + (ids[0] != ids[1])
    assert all(ids)


async def test_the_same_bytes_again_are_a_duplicate_and_answered_alike(lab: Laboratory) -> None:
    assert await lab.codes(GOOD, GOOD, GOOD) == ["AA", "AA", "AA"]
    assert counts(lab) == (1, 0, 2, 0)
    assert lab.rows.execute("SELECT duplicates FROM journal").fetchall() == [(2,)]
    assert lab.process() == 1


async def test_a_duplicate_of_a_processed_message_is_not_processed_again(lab: Laboratory) -> None:
    await lab.take(GOOD)
    version = lab.case().version
    assert await lab.codes(GOOD) == ["AA"]
    assert lab.process() == 0
    assert lab.case().version == version


async def test_the_same_control_id_with_other_bytes_is_another_message(lab: Laboratory) -> None:
    other = oru("M1", order("F1", obx(BLOT, "59")))
    assert await lab.codes(GOOD, other) == ["AA", "AA"]
    assert counts(lab) == (2, 0, 0, 0)
    audit = [action for (action,) in lab.rows.execute("SELECT action FROM audit ORDER BY id")]
    assert audit.count("control_id_reuse") == 1


async def test_the_same_bytes_but_for_the_control_id_are_kept_and_change_no_word(lab: Laboratory) -> None:
    await lab.take(GOOD)
    before = lab.case()
    await lab.take(oru("M2", RESULT))
    assert counts(lab) == (2, 0, 0, 0)
    after = lab.case()
    assert (after.text, after.outcome.states) == (before.text, before.outcome.states)
    assert "DUPLICATE_SUPPRESSED" in {flag.code for flag in after.outcome.flags}


async def test_the_same_message_of_another_sender_is_no_duplicate(lab: Laboratory) -> None:
    assert await lab.codes(GOOD, GOOD.replace(b"|MYOLIS|LABA|LABBRIDGE", b"|MYOLIS|LABB|LABBRIDGE")) == ["AA", "AA"]
    assert counts(lab) == (2, 0, 0, 0)


@pytest.mark.parametrize(
    ("message", "code", "error", "reason"),
    [
        (GOOD.replace(b"ORU^R01^ORU_R01", b"ORM^O01"), "AR", "200", "unsupported"),
        (GOOD.replace(b"ORU^R01^ORU_R01", b"ORU^R40"), "AR", "201", "unsupported"),
        (oru("M1", RESULT, to="T"), "AR", "202", "wrong_processing_id"),
        (GOOD.replace(b"|M1|", b"||"), "AE", "101", "structure"),
        (GOOD.replace(b"PT1^^^LABA^MR", b""), "AE", "101", "structure"),
        (oru("M1", "OBX|1|NM|CK||5"), "AE", "100", "structure"),
        (oru("M1"), "AE", "100", "structure"),
        (GOOD.replace(b"SYNTHETIC", b"SYNTH\xff\xfe"), "AE", "102", "structure"),
        (GOOD.replace(b"UNICODE UTF-8", b"KLINGON").replace(b"SYNTHETIC", b"SYNTH\xc9TIC"), "AE", "102", "structure"),
        (GOOD + b"DSC|17\r", "AR", "207", "structure"),
    ],
    ids="type event training no-id no-patient no-order empty bytes charset part".split(),
)
async def test_what_is_refused_is_quarantined_whole(
    lab: Laboratory, message: bytes, code: str, error: str, reason: str
) -> None:
    (reply,) = await lab.receive(message)
    assert read_ack(reply.raw).code == code
    row = lab.rows.execute("SELECT raw, state, error_code FROM journal").fetchone()
    assert row == (message, "quarantined", error)
    ((_state, why),) = lab.states()
    assert why in (reason, "characters")
    assert lab.process() == 0
    assert counts(lab) == (0, 1, 0, 0)


async def test_one_bad_patient_keeps_the_other_from_being_read_in_part(lab: Laboratory) -> None:
    message = patients("M1", ("PT1", [RESULT]), ("", [order("F2", obx(CK, "900"))]))
    assert await lab.codes(message) == ["AE"]
    assert lab.process() == 0
    assert lab.cases() == []


async def test_a_repaired_feed_takes_up_what_was_refused_before(lab: Laboratory) -> None:
    message = GOOD.replace(b"|UNICODE UTF-8", b"|KLINGON").replace(b"SYNTHETIC", "SYNTHÉTIC".encode())
    assert await lab.codes(message) == ["AE"]
    repaired = FEED.__class__(name="myolis", timezone="Europe/Paris", charset="UNICODE UTF-8")
    assert await lab.codes(message, feed=repaired) == ["AA"]
    assert lab.rows.execute("SELECT count(*), max(state) FROM journal").fetchone() == (1, "kept")
    assert lab.counted("quarantined") == 0


async def test_a_frame_beyond_the_limit_leaves_head_length_and_digest(lab: Laboratory) -> None:
    event = Oversize(head=GOOD[:200], length=40_000_000, digest=hashlib.sha256(b"all").digest())
    reply = await pipeline.receive_oversize(event, Peer(FEED, "h"), lab.intake, lab.clock)
    assert (read_ack(reply.raw).code, reply.close) == ("AR", True)
    row = lab.rows.execute("SELECT raw, length, digest, reason FROM journal").fetchone()
    assert row == (GOOD[:200], 40_000_000, event.digest, "oversize")
    assert counts(lab) == (0, 0, 0, 1)


async def test_junk_is_kept_and_nobody_answered(lab: Laboratory) -> None:
    await pipeline.receive_junk(Junk(head=b"GET / HTTP/1.1", length=14), Peer(FEED, "h"), lab.intake, lab.clock)
    assert lab.states() == [("quarantined", "not_hl7")]
    (reply,) = await lab.receive(b"hello")
    assert reply.raw == b""
    assert counts(lab) == (0, 2, 0, 0)


async def test_an_acknowledgement_is_never_acknowledged(lab: Laboratory) -> None:
    (reply,) = await lab.receive(GOOD.replace(b"ORU^R01^ORU_R01", b"ACK^R01"))
    assert reply.raw == b""
    assert counts(lab) == (0, 1, 0, 0)


async def test_nothing_is_promised_that_was_not_committed(lab: Laboratory) -> None:
    (page_size,) = lab.rows.execute("PRAGMA page_size").fetchone()
    lab.writer.submit(lambda connection: connection.execute("PRAGMA max_page_count = 1")).result()  # the disk is full
    filling = [oru(f"B{number}", RESULT + "\rNTE|1||" + "x" * page_size) for number in range(8)]
    with pytest.raises(StoreUnavailable):
        await lab.receive(*filling)
    kept = counts(lab)
    assert kept[0] < len(filling)
    lab.writer.submit(lambda connection: connection.execute("PRAGMA max_page_count = 1000000")).result()
    assert await lab.codes(*filling) == ["AA"] * len(filling)
    assert counts(lab) == (len(filling), 0, kept[0], 0)


async def test_all_that_came_is_in_one_of_four_counts(lab: Laboratory) -> None:
    await lab.receive(GOOD, GOOD, b"junk", oru("M2", RESULT), oru("", RESULT), oru("M3"), oru("M3"))
    assert counts(lab) == (2, 3, 2, 0)
    assert sum(counts(lab)) == 7
