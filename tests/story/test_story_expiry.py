"""What may still leave, and when: nothing over an unread message, nothing grown old, no storm on one specimen."""

from __future__ import annotations

import pytest
from story_parts import BLOT, CK, NOON, SODIUM, Laboratory, Lis, obx, order, oru

from labbridge.errors import Refused
from labbridge.model.work import AuditEvent
from labbridge.states import CaseState
from tests.summed import summed

SRP = oru("M1", order("F1", obx(BLOT, "58")))
CORRECTED = oru("M3", order("F1", obx(BLOT, "2", "C")), sent="20261113150000+0100")
OTHERS = oru("M9", order("F9", obx(BLOT, "58")), patient="PT2")
BAD = oru("M7", order("F7", obx(BLOT, "58")))


def shown(lab: Laboratory, number: int = 0) -> str:
    case = lab.cases()[number]
    return f"C{case.key}@{case.version}"


async def released(lab: Laboratory) -> None:
    await lab.take(SRP)
    lab.release(shown(lab))


# ---------------------------------------------------------------- unread messages of the patient


async def test_no_comment_leaves_while_a_message_of_its_patient_is_unread(lab: Laboratory) -> None:
    """A correction that is acknowledged is known to the sender: what it corrects must not go out after it."""
    await released(lab)
    assert await lab.codes(CORRECTED) == ["AA"]
    lis = Lis()
    assert await lab.deliver(lis) == 0
    lab.process()
    assert await lab.deliver(lis) == 0
    assert (lab.deliveries(), lis.received) == ([("cancelled", 0)], [])


async def test_an_unread_message_of_somebody_else_holds_nothing_up(lab: Laboratory) -> None:
    await released(lab)
    await lab.receive(OTHERS)
    assert await lab.deliver(Lis()) == 1


async def test_an_unread_message_without_news_delays_and_no_more(lab: Laboratory) -> None:
    await released(lab)
    await lab.receive(oru("M4", order("F4", obx(SODIUM, "140"))))
    lis = Lis()
    assert await lab.deliver(lis) == 0
    lab.process()
    assert await lab.deliver(lis) == 1


async def test_a_parked_message_of_the_patient_holds_the_comment_until_it_is_settled(lab: Laboratory) -> None:
    await released(lab)
    await lab.receive(CORRECTED)
    lab.writer.submit(lambda c: c.execute("UPDATE work SET attempts = 9 WHERE message = 2")).result()
    lab.writer.submit(summed).result()
    lab.process()
    assert lab.states()[1] == ("parked", "crashed")
    assert await lab.deliver(Lis()) == 0
    lab.desk.reprocess(2, ("p:LABA|PT1",), AuditEvent(at=lab.clock.now(), actor="A", action="reprocess", subject="M2"))
    lab.process()
    assert await lab.deliver(Lis()) == 0
    assert lab.case().state is CaseState.NEW  # corrected meanwhile: to be read again


# ---------------------------------------------------------------- grown old


async def test_a_comment_that_could_not_leave_in_time_is_read_again(lab: Laboratory) -> None:
    await released(lab)
    lab.clock.forward(hours=72)
    lis = Lis()
    assert await lab.deliver(lis) == 0
    assert lis.received == []
    assert (lab.deliveries(), lab.case().state) == ([("cancelled", 0)], CaseState.NEW)
    assert lab.rows.execute("SELECT reason FROM outbox").fetchone() == (
        "It did not leave in time: to be read again before it does",
    )
    assert ("delivery cancelled", "D1") in lab.rows.execute("SELECT action, subject FROM audit").fetchall()


async def test_just_before_that_it_leaves(lab: Laboratory) -> None:
    await released(lab)
    lab.clock.forward(hours=71, minutes=59)
    assert await lab.deliver(Lis()) == 1


async def test_once_read_again_it_leaves_with_a_new_time_of_its_own(lab: Laboratory) -> None:
    await released(lab)
    lab.clock.forward(hours=100)
    await lab.deliver(Lis())
    lab.release(shown(lab))
    lis = Lis()
    assert await lab.deliver(lis) == 1
    (fields,) = lis.comments()
    assert fields[11] == "F"  # the LIS never saw the first


async def test_one_that_may_have_arrived_comes_again_as_a_correction(lab: Laboratory) -> None:
    await released(lab)
    await lab.deliver(Lis(""))  # no answer: it may be there
    lab.clock.forward(hours=73)
    assert await lab.deliver(Lis()) == 0
    assert lab.case().state is CaseState.REOPENED
    lab.release(shown(lab))
    lis = Lis()
    await lab.deliver(lis)
    assert lis.comments()[0][11] == "C"


async def test_an_old_backlog_posts_nothing_by_itself(lab: Laboratory) -> None:
    """A restored database with an outbox of last month (H19)."""
    for number in range(20):
        await lab.take(oru(f"B{number}", order(f"B{number}", obx(BLOT, "58")), patient=f"B{number}"))
    for number in range(20):
        lab.release(shown(lab, number))
    lab.clock.forward(days=30)
    lis = Lis()
    await lab.deliver(lis)
    assert lis.received == []
    assert {case.state for case in lab.cases()} == {CaseState.NEW}


# ---------------------------------------------------------------- rotted on the disk


def rotted(lab: Laboratory) -> None:
    ((raw,),) = lab.rows.execute("SELECT raw FROM outbox").fetchall()
    rotten = bytes(raw).replace(b"SRP", b"SRQ")
    assert rotten != raw
    lab.writer.submit(lambda c: c.execute("UPDATE outbox SET raw = ?", (rotten,))).result()


async def test_bytes_that_are_no_longer_those_that_were_signed_never_leave(lab: Laboratory) -> None:
    await released(lab)
    rotted(lab)
    lis = Lis()
    assert await lab.deliver(lis) == 0
    assert (lis.received, lab.deliveries(), lab.case().state) == ([], [("cancelled", 0)], CaseState.NEW)
    assert lab.rows.execute("SELECT reason FROM outbox").fetchone() == (
        "Its bytes on the disk are no longer those that were signed: to be signed again; look at the disk",
    )
    lab.release(shown(lab))
    assert await lab.deliver(lis) == 1


async def test_bytes_that_rot_between_two_tries_are_not_sent_again(lab: Laboratory) -> None:
    await released(lab)
    await lab.deliver(Lis(""))
    rotted(lab)
    lab.clock.forward(hours=1)
    lis = Lis()
    assert await lab.deliver(lis) == 0
    assert (lis.received, lab.case().state) == ([], CaseState.REOPENED)


# ---------------------------------------------------------------- one specimen, again and again


async def again_and_again(lab: Laboratory, times: int) -> list[str]:
    """A result that is corrected without end, each comment signed and delivered at once; what was refused."""
    refused = []
    await lab.take(SRP)
    for number in range(times):
        try:
            lab.release(shown(lab))
        except Refused as fault:
            refused.append(str(fault))
        await lab.deliver(Lis())
        value = "58" if number % 2 else "2"
        await lab.take(oru(f"K{number}", order("F1", obx(BLOT, value, "C")), sent=f"20261113{14 + number:02}0000+0100"))
    return refused


async def test_five_comments_leave_for_a_specimen_in_a_day_and_no_sixth(lab: Laboratory) -> None:
    lab.limit_per_specimen(5)
    refused = await again_and_again(lab, 7)
    assert [state for state, _attempts in lab.deliveries()] == ["acknowledged"] * 5
    assert len(refused) == 2
    assert "5 comments have left for this specimen within 24 hours" in refused[0]
    lab.clock.forward(hours=24)
    lab.release(shown(lab))
    assert await lab.deliver(Lis()) == 1


async def test_another_specimen_has_its_own_measure(lab: Laboratory) -> None:
    lab.limit_per_specimen(1)
    await released(lab)
    await lab.deliver(Lis())
    await lab.take(OTHERS)
    lab.release(shown(lab, 1))
    assert await lab.deliver(Lis()) == 1


async def test_one_that_was_called_back_before_it_left_does_not_count(lab: Laboratory) -> None:
    lab.limit_per_specimen(1)
    await released(lab)
    await lab.take(CORRECTED)
    lab.release(shown(lab))
    assert await lab.deliver(Lis()) == 1
    assert lab.clock.now() > NOON


# ---------------------------------------------------------------- our own words come back


async def reflected(lab: Laboratory, raw: bytes) -> None:
    before = len(lab.cases())
    assert await lab.codes(raw) == ["AA"]
    lab.process()
    assert len(lab.cases()) == before


async def test_our_comment_reflected_as_the_lis_own_makes_nothing_new(lab: Laboratory) -> None:
    """The LIS rewrites sender, control id, code, key and lines; only the words are ours (T-34)."""
    await lab.take(SRP, oru("M2", order("F2", obx(CK, "7800"))))
    lab.release(shown(lab))
    lis = Lis()
    await lab.deliver(lis)
    text = lab.case().text
    before = lab.case()
    for number, said in enumerate((text, text.upper(), text.replace(". ", ".~"), text.replace(" ", "  "))):
        line = f"TX|KOM^Anti-SRP comment^L|9|{said}||||||F"
        await reflected(lab, oru(f"R{number}", order("F1", line)))
        await reflected(lab, oru(f"S{number}", order("F1", line), patient="PT7"))
    assert {reason for state, reason in lab.states()[2:]} == {"echo"}
    assert (lab.case().version, lab.case().state) == (before.version, before.state)


async def test_our_comment_sent_on_beside_its_result_changes_nothing(lab: Laboratory) -> None:
    await released(lab)
    await lab.deliver(Lis())
    text = lab.case().text
    both = oru("R1", order("F1", obx(BLOT, "58"), f"TX|KOM^Anti-SRP comment^L|9|{text}||||||F"))
    await reflected(lab, both)
    assert (lab.case().version, lab.case().state) == (1, CaseState.SIGNED)
    assert lab.case().outcome.hold is False


@pytest.mark.parametrize("word", ["not", "negative"])
async def test_words_that_differ_by_one_are_the_laboratorys(lab: Laboratory, word: str) -> None:
    await released(lab)
    text = lab.case().text + f" {word}"
    await lab.take(oru("R1", order("F5", f"TX|KOM^Anti-SRP comment^L|9|{text}||||||F")))
    assert lab.states()[-1][1] != "echo"
