"""Dialects through the story: batches, identity messages, analysers that name no patient, codes that no table names."""

from __future__ import annotations

import re

import pytest
from story_parts import ASKING, BLOT, CK, FEED, SODIUM, Laboratory, Lis, obx, order, oru, patients

from labbridge.hl7.ack import codes_of
from labbridge.states import CaseState

OURS = "NM|4711^Anti-SRP (blot)^L|1|58|AU^AU^L|0-10|A"


def adt(event: str, control_id: str, *segments: str) -> bytes:
    msh = f"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113120000+0100||ADT^{event}|{control_id}|P|2.5.1"
    return ("\r".join((msh, "EVN||20261113", *segments)) + "\r").encode()


def oul(control_id: str, *segments: str) -> bytes:
    msh = f"MSH|^~\\&|A400|LABA|LABBRIDGE|LABA|20261113120000+0100||OUL^R22^OUL_R22|{control_id}|P|2.5.1"
    return ("\r".join((msh, *segments)) + "\r").encode()


# ---------------------------------------------------------------- several messages in one block


async def test_each_message_of_a_block_is_kept_answered_and_processed_on_its_own(lab: Laboratory) -> None:
    first, second = (oru(f"M{n}", order(f"F{n}", obx(BLOT, "58")), patient=f"PT{n}") for n in (1, 2))
    (reply,) = await lab.receive(first + second)
    assert codes_of(reply.raw) == ["AA", "AA"]
    assert re.findall(rb"MSA\|AA\|(M\d)", reply.raw) == [b"M1", b"M2"]
    assert lab.rows.execute("SELECT raw FROM journal ORDER BY id").fetchall() == [(first,), (second,)]
    assert lab.process() == 2
    assert len(lab.cases()) == 2


async def test_one_bad_message_of_a_batch_does_not_lose_the_rest(lab: Laboratory) -> None:
    good, bad = oru("M1", order("F1", obx(BLOT, "58"))), oru("M2", order("F2", obx(BLOT, "58")), to="T")
    (reply,) = await lab.receive(b"BHS|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA\r" + good + bad + b"BTS|2\r")
    assert codes_of(reply.raw) == ["AA", "AR"]
    assert sorted(lab.states()) == [("kept", "received"), ("quarantined", "wrong_processing_id")]


async def test_a_batch_that_lacks_a_message_is_kept_whole_and_nothing_of_it_interpreted(lab: Laboratory) -> None:
    batch = b"BHS|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA\r" + oru("M1", order("F1", obx(BLOT, "58"))) + b"BTS|2\r"
    (reply,) = await lab.receive(batch)
    assert codes_of(reply.raw) == ["AE"]
    assert b"|BTS^1^1|" in reply.raw
    assert lab.rows.execute("SELECT raw, state FROM journal").fetchall() == [(batch, "quarantined")]
    assert lab.process() == 0


async def test_a_block_sent_again_is_known_message_by_message(lab: Laboratory) -> None:
    block = oru("M1", order("F1", obx(BLOT, "58"))) + oru("M2", order("F2", obx(CK, "900")))
    for _time in range(2):
        await lab.receive(block)
    assert (lab.counted("stored"), lab.counted("duplicate")) == (2, 2)


async def test_more_messages_than_one_commit_keeps_are_all_answered_in_order(lab: Laboratory) -> None:
    block = b"".join(oru(f"M{n}", order(f"F{n}", obx(CK, "100"))) for n in range(150))
    (reply,) = await lab.receive(block)
    assert [int(one) for one in re.findall(rb"MSA\|AA\|M(\d+)", reply.raw)] == list(range(150))


# ---------------------------------------------------------------- who a patient is


@pytest.mark.parametrize("event", ["A08", "A31"])
async def test_an_identity_message_is_kept_and_nothing_is_made_of_it(lab: Laboratory, event: str) -> None:
    await lab.take(adt(event, "M1", "PID|1||PT1^^^LABA^MR||NEW^NAME||19700101|F", "PV1|1|I"))
    assert lab.states() == [("done", "identity")]
    assert lab.cases() == []
    assert lab.rows.execute("SELECT count(*) FROM patients").fetchone() == (0,)


@pytest.mark.parametrize("event", ["A18", "A34", "A40"])
async def test_a_merge_waits_in_both_patients_lanes(lab: Laboratory, event: str) -> None:
    await lab.take(adt(event, "M1", "PID|1||PT1^^^LABA^MR", "MRG|PT2^^^LABA^MR"))
    lanes = lab.rows.execute("SELECT lane, state, reason FROM work ORDER BY id").fetchall()
    assert lanes == [("p:LABA|PT1", "done", "identity"), ("p:LABA|PT2", "done", "identity")]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (adt("A40", "M1", "PID|1||PT1^^^LABA^MR"), b"|100^"),
        (adt("A40", "M1", "PID|1||PT1^^^LABA^MR", "MRG|"), b"|101^"),
        (adt("A08", "M1", "PID|1||"), b"|101^"),
        (adt("A08", "M1", "PV1|1"), b"|100^"),
    ],
)
async def test_an_identity_message_that_does_not_say_who_is_refused(
    lab: Laboratory, message: bytes, code: bytes
) -> None:
    (reply,) = await lab.receive(message)
    assert codes_of(reply.raw) == ["AE"]
    assert code in reply.raw


# ---------------------------------------------------------------- analysers


SPM = "SPM|1|^S26-77&A400||SER^Serum^HL70487"
RESULT = ("OBR|1|||CK^Creatine kinase^L|||20261113", "OBX|1|NM|2157-6^Creatine kinase^LN|1|7800|U/L|30-170|H|||F")


async def test_a_result_without_a_patient_is_kept_under_its_specimen_and_not_interpreted(lab: Laboratory) -> None:
    await lab.take(oul("M1", SPM, *RESULT))
    assert lab.states() == [("done", "no_patient")]
    assert lab.rows.execute("SELECT lane, kind FROM results").fetchall() == [("s:A400|S26-77", "result")]
    assert lab.cases() == []


async def test_without_a_specimen_the_sender_is_the_lane(lab: Laboratory) -> None:
    await lab.take(oul("M1", *RESULT))
    assert lab.rows.execute("SELECT lane FROM work").fetchall() == [("f:A400|LABA",)]


async def test_an_analysers_result_with_a_patient_is_a_result_like_any_other(lab: Laboratory) -> None:
    await lab.take(oul("M1", "PID|1||PT1^^^LABA^MR||TEST^SYNTHETIC||19690417|M", SPM, *RESULT))
    assert lab.states() == [("done", "drafted")]
    await lab.take(oru("M2", order("F2", obx(BLOT, "58"))))
    assert lab.case().outcome.states.CK == "HIGH"


async def test_two_specimens_without_a_patient_never_mix(lab: Laboratory) -> None:
    await lab.take(oul("M1", SPM, *RESULT, SPM.replace("77", "78"), *RESULT))
    lanes = lab.rows.execute("SELECT lane FROM work ORDER BY id").fetchall()
    assert lanes == [("s:A400|S26-77",), ("s:A400|S26-78",)]


# ---------------------------------------------------------------- codes that no table names


async def test_an_unknown_code_that_may_be_ours_holds_its_patient_and_goes_to_a_person(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", f"{OURS}|||F", obx(CK, "7800"))))
    case = lab.case()
    assert case.state is CaseState.HELD
    assert ("ASSAY_UNMAPPED", "SRP") in {(flag.code, flag.analyte) for flag in case.outcome.flags}
    row = lab.rows.execute("SELECT code, name, unit, may_be, seen FROM unmapped").fetchone()
    assert row == ("4711", "Anti-SRP (blot)", "AU", "SRP", 1)


async def test_it_goes_on_holding_when_later_results_come(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", f"{OURS}|||F")))
    await lab.take(oru("M2", order("F2", obx(CK, "7800"))))
    assert lab.case().state is CaseState.HELD


@pytest.mark.parametrize("status", ["X", "P"])
async def test_one_that_is_cancelled_or_has_no_value_yet_holds_nothing(lab: Laboratory, status: str) -> None:
    await lab.take(oru("M1", order("F1", f"{OURS.replace('|58|', '||')}|||{status}", obx(BLOT, "58"))))
    assert "ASSAY_UNMAPPED" not in {flag.code for flag in lab.case().outcome.flags}


async def test_of_a_thousand_new_codes_those_of_ours_are_held_and_the_others_counted(lab: Laboratory) -> None:
    """reliability.md H8: 1,000 new codes, 50 of them ours by name."""
    names = ["Anti-SRP antibody", "HMGCR IgG", "Creatine kinase", "ANA HEp-2 IIF", "Signal recognition particle Ab"]
    for number in range(50):
        ours = f"ST|N{number}^{names[number % 5]} {number}^L|1|see report||||||F"
        others = [f"NM|G{number}-{n}^Test {number} {n}^L|1|5|mmol/L|||||F" for n in range(2, 21)]
        await lab.receive(oru(f"M{number}", order(f"F{number}", ours, *others), patient=f"PT{number}"))
    assert lab.process() == 50
    listed = lab.rows.execute("SELECT may_be <> '', count(*), max(seen) FROM unmapped GROUP BY 1 ORDER BY 1").fetchall()
    assert listed == [(0, 950, 1), (1, 50, 1)]
    assert {case.state for case in lab.cases()} == {CaseState.HELD}
    assert [case.text for case in lab.cases() if case.text and not case.outcome.hold] == []


async def test_a_general_laboratory_raises_nothing_however_often_it_sends(lab: Laboratory) -> None:
    for number in range(40):
        await lab.receive(oru(f"M{number}", order(f"F{number}", obx(SODIUM, "140")), patient=f"PT{number}"))
    assert lab.process() == 40
    assert lab.rows.execute("SELECT code, seen, may_be FROM unmapped").fetchall() == [("NA", 40, "")]
    assert lab.cases() == []
    assert lab.rows.execute("SELECT length(last_seen) > 0, first_message, last_message FROM unmapped").fetchone() == (
        1,
        1,
        40,
    )


async def test_what_was_odd_at_receipt_stays_with_the_message(lab: Laboratory) -> None:
    from labbridge import pipeline
    from labbridge.pipeline import Peer

    message = oru("M1", order("F1", obx(CK, "100")))
    await pipeline.receive(message, Peer(FEED, "h"), lab.intake, lab.clock, missing_cr=True)
    await lab.receive(message.replace(b"|100|", b"|101|"))
    lab.process()
    notes = [row[0] for row in lab.rows.execute("SELECT notes FROM work ORDER BY id")]
    assert '"N003"' in notes[0]
    assert '"N014"' in notes[1]
    assert '"N014"' not in notes[0]


# ---------------------------------------------------------------- application acknowledgements (enhanced mode)


def asking(message: bytes, accept: str, application: str) -> bytes:
    return message.replace(b"|P|2.5.1||||||", f"|P|2.5.1|||{accept}|{application}||".encode(), 1)


async def posted(lab: Laboratory) -> list[list[bytes]]:
    """The application acknowledgements in the outbox, as MSA fields."""
    rows = lab.rows.execute('SELECT raw FROM outbox WHERE "case" = 0 ORDER BY id').fetchall()
    return [row[0].split(b"\r")[1].split(b"|") for row in rows]


@pytest.mark.parametrize(("application", "count"), [("AL", 1), ("SU", 1), ("ER", 0), ("NE", 0)])
async def test_a_processed_message_is_acknowledged_again_where_its_sender_asks(
    lab: Laboratory, application: str, count: int
) -> None:
    message = asking(oru("M1", order("F1", obx(BLOT, "58"))), "AL", application)
    (reply,) = await lab.receive(message, feed=ASKING)
    assert codes_of(reply.raw) == ["CA"]
    assert await posted(lab) == []
    lab.process()
    assert await posted(lab) == [[b"MSA", b"AA", b"M1"]] * count


async def test_an_application_acknowledgement_reaches_its_receiver_and_asks_for_no_other(lab: Laboratory) -> None:
    await lab.receive(asking(oru("M1", order("F1", obx(BLOT, "58"))), "AL", "AL"), feed=ASKING)
    lab.process()
    lis = Lis("MSA|CA|$ID")
    assert await lab.deliver(lis) == 1
    msh = lis.received[0].split(b"\r")[0].split(b"|")
    assert (msh[8], msh[14], msh[15]) == (b"ACK^R01^ACK", b"AL", b"NE")
    assert (msh[2], msh[3], msh[4], msh[5]) == (b"LABBRIDGE", b"LABA", b"MYOLIS", b"LABA")
    assert lab.deliveries() == [("acknowledged", 1)]


async def test_one_that_a_person_has_to_look_at_is_an_error_to_its_sender_once(lab: Laboratory) -> None:
    twice = patients("M1", ("PT1", [order("F1", obx(BLOT, "58"))]), ("PT1", [order("F2", obx(CK, "900"))]))
    odd = twice.replace(b"TEST^SYNTHETIC||19690417", b"TEST^SYNTHETIC||19500101", 1)
    await lab.receive(asking(odd, "AL", "ER"), feed=ASKING)
    lab.process()
    assert lab.states() == [("parked", "unreadable")]
    assert await posted(lab) == [[b"MSA", b"AE", b"M1"]]


async def test_a_message_of_several_patients_is_acknowledged_once_all_are_processed(lab: Laboratory) -> None:
    both = patients("M1", ("PT1", [order("F1", obx(BLOT, "58"))]), ("PT2", [order("F2", obx(BLOT, "58"))]))
    await lab.receive(asking(both, "AL", "AL"), feed=ASKING)
    lab.process()
    assert await posted(lab) == [[b"MSA", b"AA", b"M1"]]


async def test_where_no_receiver_is_configured_there_is_only_a_note(lab: Laboratory) -> None:
    await lab.receive(asking(oru("M1", order("F1", obx(BLOT, "58"))), "AL", "AL"))
    lab.process()
    assert await posted(lab) == []
    assert '"N010"' in lab.rows.execute("SELECT notes FROM work").fetchone()[0]
