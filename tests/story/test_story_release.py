"""release() and deliver(): signed under the version read, sent until answered, replaced under the same key."""

from __future__ import annotations

import pytest
from story_parts import BLOT, CK, CLIA, NOON, SODIUM, Laboratory, Lis, obx, order, oru

from labbridge.errors import Refused
from labbridge.model.work import AuditEvent
from labbridge.states import CaseState

SRP = oru("M1", order("F1", obx(BLOT, "58")))
WITH_CK = oru("M2", order("F2", obx(CK, "7800")))


def shown(lab: Laboratory) -> str:
    case = lab.case()
    return f"C{case.key}@{case.version}"


async def test_nothing_leaves_unless_a_person_says_so(lab: Laboratory) -> None:
    await lab.take(SRP, WITH_CK)
    lis = Lis()
    lab.clock.forward(days=30)
    assert await lab.deliver(lis) == 0
    assert lis.received == []


async def test_what_was_read_is_what_is_sent(lab: Laboratory) -> None:
    await lab.take(SRP, WITH_CK)
    lab.release(shown(lab))
    lis = Lis()
    assert await lab.deliver(lis) == 1
    ((*_start, text),) = [fields[:6] for fields in lis.comments()]
    assert text == lab.case().text
    assert lab.deliveries() == [("acknowledged", 1)]
    assert (lab.case().state, len(lab.case().posted)) == (CaseState.SIGNED, 1)
    fields = lis.comments()[0]
    assert (fields[4], fields[11]) == ("LB1", "F")
    assert "Alex Smith" in fields[16]


async def test_a_version_that_is_not_the_newest_is_not_signed(lab: Laboratory) -> None:
    await lab.take(SRP)
    read = shown(lab)
    await lab.take(WITH_CK)
    with pytest.raises(Refused, match="C1 is at version 2 now, not 1: read it again"):
        lab.release(read)
    assert lab.deliveries() == []


async def test_a_version_is_signed_once(lab: Laboratory) -> None:
    await lab.take(SRP)
    lab.release(shown(lab))
    with pytest.raises(Refused, match="nothing to release"):
        lab.release(shown(lab), "Someone Else")
    assert lab.deliveries() == [("waiting", 0)]


async def test_a_case_on_hold_is_not_signed(lab: Laboratory) -> None:
    await lab.take(SRP, oru("M2", order("F1", obx(BLOT, "2"))))
    with pytest.raises(Refused, match="on hold for SRP"):
        lab.release(shown(lab))


@pytest.mark.parametrize("name", ["", "   ", "A\nB", "A" * 81, "A\x00"])
async def test_a_signature_needs_a_name(lab: Laboratory, name: str) -> None:
    await lab.take(SRP)
    with pytest.raises(Refused, match="needs a name"):
        lab.release(shown(lab), name)


@pytest.mark.parametrize("key", ["C1", "C1@", "1@1", "C1@1 C2@1", "C0@1", "D1", "c1@1", ""])
async def test_a_key_that_names_no_version_signs_nothing(lab: Laboratory, key: str) -> None:
    await lab.take(SRP)
    with pytest.raises(Refused):
        lab.release(key)
    assert lab.deliveries() == []


def test_a_case_that_is_not_there_is_said_so(lab: Laboratory) -> None:
    with pytest.raises(Refused, match="There is no case C7"):
        lab.release("C7@1")


async def test_a_correction_replaces_the_comment_under_its_key(lab: Laboratory) -> None:
    await lab.take(SRP)
    lab.release(shown(lab))
    lis = Lis()
    await lab.deliver(lis)
    await lab.take(oru("M3", order("F1", obx(BLOT, "2", "C")), sent="20261113150000+0100"))
    assert lab.case().state is CaseState.REOPENED
    lab.release(shown(lab))
    await lab.deliver(lis)
    first, second = lis.comments()
    assert (first[4], first[11]) == ("LB1", "F")
    assert (second[4], second[11]) == ("LB1", "C")
    assert second[5].startswith("This replaces the comment dated")
    assert second[3] == first[3]


async def test_a_withdrawal_after_sending_reopens_the_case(lab: Laboratory) -> None:
    await lab.take(SRP)
    lab.release(shown(lab))
    await lab.deliver(Lis())
    await lab.take(oru("M3", order("F1", obx(BLOT, "", "W")), sent="20261113150000+0100"))
    assert lab.case().state is CaseState.REOPENED
    assert lab.case().text.startswith("This replaces the comment dated")


async def test_news_that_changes_no_word_leaves_the_signed_comment(lab: Laboratory) -> None:
    await lab.take(SRP, WITH_CK)
    lab.release(shown(lab))
    await lab.deliver(Lis())
    await lab.take(oru("M4", order("F9", obx(SODIUM, "140"))), oru("M5", order("F1", obx(BLOT, "58"))))
    assert lab.case().state is CaseState.SIGNED


async def test_a_comment_not_yet_sent_is_called_back_by_a_newer_result(lab: Laboratory) -> None:
    await lab.take(SRP)
    lab.release(shown(lab))
    await lab.take(oru("M3", order("F1", obx(BLOT, "2", "C")), sent="20261113150000+0100"))
    lis = Lis()
    assert await lab.deliver(lis) == 0
    assert lab.deliveries() == [("cancelled", 0)]
    lab.release(shown(lab))
    await lab.deliver(lis)
    ((*_start, text),) = [fields[:6] for fields in lis.comments()]
    assert not text.startswith("This replaces")  # the LIS never saw the first


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize(
    "answer",
    ["", "MSA|AA|OTHER", "MSA|AA|", "MSA||$ID", "MSA|ZZ|$ID", "MSA|AA|$ID\rMSA|AE|$ID", "MSA|aa|$ID", "ERR|100"],
)
async def test_an_answer_that_cannot_be_trusted_delivers_nothing(lab: Laboratory, answer: str) -> None:
    await lab.take(SRP)
    lab.release(shown(lab))
    await lab.deliver(Lis(answer))
    ((state, _attempts),) = lab.deliveries()
    assert state == "waiting"


@pytest.mark.parametrize("code", ["AA", "CA"])
async def test_an_acceptance_for_this_very_message_counts(lab: Laboratory, code: str) -> None:
    await lab.take(SRP)
    lab.release(shown(lab))
    await lab.deliver(Lis(f"MSA|{code}|$ID"))
    assert lab.deliveries() == [("acknowledged", 1)]


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
async def test_a_refusal_is_tried_again_with_the_same_bytes(lab: Laboratory, code: str) -> None:
    await lab.take(SRP)
    lab.release(shown(lab))
    lis = Lis(f"MSA|{code}|$ID|no such order")
    assert await lab.deliver(lis) == 1
    assert await lab.deliver(lis) == 0  # not at once
    lab.clock.forward(hours=2)
    assert await lab.deliver(lis) == 1
    assert lis.received[0] == lis.received[1]
    assert lab.deliveries() == [("acknowledged", 2)]


async def test_ten_refusals_are_left_to_a_person(lab: Laboratory) -> None:
    await lab.take(SRP)
    lab.release(shown(lab))
    lis = Lis(*["MSA|AE|$ID|no such order"] * 12)
    for _attempt in range(12):
        await lab.deliver(lis)
        lab.clock.forward(hours=1)
    assert lab.deliveries() == [("failed", 10)]
    ((reason,),) = lab.rows.execute("SELECT reason FROM outbox").fetchall()
    assert "no such order" in reason


async def test_one_patients_refused_comment_does_not_hold_up_anothers(lab: Laboratory) -> None:
    await lab.take(SRP, oru("M9", order("F9", obx(CLIA, "90")), patient="PT2"))
    for case in lab.cases():
        lab.release(f"C{case.key}@{case.version}")
    lis = Lis("MSA|AE|$ID")
    assert await lab.deliver(lis) == 2
    assert sorted(lab.deliveries()) == [("acknowledged", 1), ("waiting", 1)]


async def test_a_refused_comment_that_is_out_of_date_is_not_sent_again(lab: Laboratory) -> None:
    await lab.take(SRP)
    lab.release(shown(lab))
    lis = Lis("MSA|AE|$ID")
    await lab.deliver(lis)
    await lab.take(oru("M3", order("F1", obx(BLOT, "2", "C")), sent="20261113150000+0100"))
    lab.release(shown(lab))
    lab.clock.forward(hours=3)
    await lab.deliver(lis)
    assert [fields[11] for fields in lis.comments()] == ["F", "C"]  # it was sent once: what follows corrects it
    assert [state for state, _attempts in lab.deliveries()] == ["cancelled", "acknowledged"]


async def test_our_own_comment_that_comes_back_is_kept_and_never_read(lab: Laboratory) -> None:
    await lab.take(SRP)
    lab.release(shown(lab))
    lis = Lis()
    await lab.deliver(lis)
    before = lab.case()
    await lab.take(lis.received[0], lis.received[0].replace(b"|LABBRIDGE|", b"|ROUTER|", 1))
    assert lab.states()[-2:] == [("done", "echo"), ("done", "echo")]
    assert lab.case() == before
    assert len(lab.deliveries()) == 1


async def test_a_site_s_own_comment_code_is_known_when_it_comes_back(lab: Laboratory) -> None:
    """H10: the codes in force count, not the shipped ones."""
    codes = lab.reader.comment_codes
    assert codes == {"8251-1", "LBCMT"}


async def test_a_message_sent_through_again_belongs_to_its_case_and_is_not_sent_twice(lab: Laboratory) -> None:
    """Also where it brought the only results that are held of the patient (architecture.md, rule 3)."""
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    lab.release("C1@1")
    assert await lab.deliver(Lis()) == 1
    lab.desk.reprocess(1, ("p:LABA|PT1",), AuditEvent(at=NOON, actor="A", action="reprocess", subject="M1"))
    lab.process()
    assert [case.key for case in lab.cases()] == [1]
    assert lab.case().version == 1


async def test_sending_through_again_is_no_arrival(lab: Laboratory) -> None:
    await lab.receive(SRP.replace(b"|UNICODE UTF-8", b"|KLINGON").replace(b"SYNTH", b"SYNT\xc9"))
    before = lab.rows.execute("SELECT max(updated) FROM tally").fetchone()
    lab.clock.forward(hours=10)
    lab.desk.reprocess(1, ("p:LABA|PT1",), AuditEvent(at=lab.clock.now(), actor="A", action="reprocess", subject="M1"))
    assert lab.rows.execute("SELECT max(updated) FROM tally WHERE name = 'stored'").fetchone() == before
