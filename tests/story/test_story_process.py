"""process(): lanes in order, patients apart, one message's failure its own; what is drafted from what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from story_parts import BLOT, CK, CLIA, ELISA, ELSEWHERE, SODIUM, Laboratory, obx, order, oru, patients

from labbridge import drafting, pipeline
from labbridge.drafting import Progress
from labbridge.errors import Refused
from labbridge.model.work import AuditEvent, Kept
from labbridge.states import CaseState, Reason, State
from labbridge.store.connection import Statement
from labbridge.store.units import LocalUnits, Verdicts
from labbridge.store.work import FORGIVEN_MOST
from labbridge.store.writer import Writer


def flags(lab: Laboratory) -> set[tuple[str, str]]:
    return {(flag.code, flag.analyte) for flag in lab.case().outcome.flags}


async def test_results_of_one_patient_from_two_messages_are_one_case(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    first = lab.case()
    await lab.take(oru("M2", order("F2", obx(CK, "7800"))))
    case = lab.case()
    assert (first.version, case.version) == (1, 2)
    assert (case.outcome.states.SRP, case.outcome.states.CK) == ("POS_STRONG", "HIGH")


async def test_the_order_of_arrival_makes_no_difference_to_the_draft(lab: Laboratory, tmp_path: Path) -> None:
    messages = [oru("M1", order("F1", obx(BLOT, "58"), obx(CLIA, "3.1"))), oru("M2", order("F2", obx(CK, "7800")))]
    await lab.take(*messages)
    forwards = lab.case().text
    other = Laboratory(f"sqlite:///{tmp_path / 'other.db'}")
    await other.take(*reversed(messages))
    assert other.case().text == forwards != ""
    other.close()


async def test_patients_of_one_message_never_mix(lab: Laboratory) -> None:
    both = patients("M1", ("PT1", [order("F1", obx(BLOT, "58"))]), ("PT2", [order("F2", obx(CLIA, "90"))]))
    assert await lab.codes(both) == ["AA"]
    assert lab.process() == 2
    seen = {case.outcome.patient.id: case.outcome.states for case in lab.cases() if case.outcome.patient}
    assert (seen["PT1"].SRP, seen["PT1"].HMGCR) == ("POS_STRONG", "NOT_TESTED")
    assert (seen["PT2"].SRP, seen["PT2"].HMGCR) == ("NOT_TESTED", "POS_STRONG")


async def test_the_same_number_of_another_authority_is_another_patient(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    await lab.take(oru("M2", order("F2", obx(CLIA, "90"))).replace(b"^^^LABA^MR", b"^^^LABB^MR"))
    assert [case.outcome.states.SRP for case in lab.cases()] == ["POS_STRONG", "NOT_TESTED"]


async def test_what_holds_nothing_of_ours_is_read_and_opens_no_case(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(SODIUM, "140"))))
    assert lab.states() == [("done", "nothing_of_ours")]
    assert lab.cases() == []
    assert lab.rows.execute("SELECT code, seen FROM unmapped").fetchall() == [("NA", 1)]


async def test_an_unknown_code_is_filed_once_and_counted(lab: Laboratory) -> None:
    for number in range(4):
        await lab.take(oru(f"M{number}", order(f"F{number}", obx(SODIUM, "140"))))
    assert lab.rows.execute("SELECT feed, code, seen FROM unmapped").fetchall() == [("myolis", "NA", 4)]


async def test_pending_is_not_a_result_and_its_final_is(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"), obx(CLIA, "", "P"))))
    assert {"PARTNER_PENDING", "MSA_PENDING"} & {code for code, _of in flags(lab)}
    assert lab.case().outcome.states.HMGCR == "NOT_TESTED"
    await lab.take(oru("M2", order("F1", obx(CLIA, "3.1", "F")), sent="20260413130000+0100"))
    assert lab.case().outcome.states.HMGCR == "NEG"
    assert ("PARTNER_PENDING", "HMGCR") not in flags(lab)


async def test_a_correction_counts_as_if_the_old_value_had_never_been(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))), oru("M2", order("F1", obx(BLOT, "2", "C"))))
    case = lab.case()
    assert case.outcome.states.SRP == "NEG"
    assert "RESULT_CORRECTED" in {code for code, _of in flags(lab)}
    assert not {"METHOD_DISCORDANCE", "SEROREVERSION_UNEXPECTED"} & {code for code, _of in flags(lab)}


async def test_a_withdrawn_result_is_no_result(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))), oru("M2", order("F1", obx(BLOT, "", "W"))))
    case = lab.case()
    assert case.outcome.states.SRP == "NOT_TESTED"
    assert "RESULT_WITHDRAWN" in {code for code, _of in flags(lab)}


async def test_two_finals_that_contradict_each_other_hold_the_case(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))), oru("M2", order("F1", obx(BLOT, "2"))))
    case = lab.case()
    assert (case.state, case.outcome.hold, case.outcome.held) == (CaseState.HELD, True, ("SRP",))
    await lab.take(oru("M3", order("F1", obx(BLOT, "58", "C")), sent="20261113150000+0100"))
    assert (lab.case().state, lab.case().outcome.hold) == (CaseState.NEW, False)


async def test_methods_that_disagree_are_flagged_for_a_third(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))), oru("M2", order("F2", obx(ELISA, "4"))))
    assert ("METHOD_DISCORDANCE", "SRP") in flags(lab)
    srp = [one for one in lab.case().outcome.retests if one.analyte == "SRP"]
    assert [one.families for one in srp] == [("ip",)]


async def test_a_birth_date_that_disagrees_holds_and_uses_no_history(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    await lab.take(oru("M2", order("F2", obx(CK, "7800"))).replace(b"19690417", b"19700101"))
    case = lab.cases()[-1]
    assert case.outcome.hold
    assert "IDENTITY_MISMATCH" in {flag.code for flag in case.outcome.flags}
    assert case.outcome.states.SRP == "NOT_TESTED"


async def test_an_old_result_opens_a_case_of_its_own(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    await lab.take(oru("M2", order("F2", obx(BLOT, "40"), collected="20240110091500+0100")))
    assert len(lab.cases()) == 2


async def test_a_feed_that_is_gone_parks_the_message_and_its_lane_alone(lab: Laboratory) -> None:
    gone = ELSEWHERE.__class__(name="gone", timezone="Europe/Paris")
    assert await lab.codes(oru("M1", order("F1", obx(BLOT, "58"))), feed=gone) == ["AA"]
    assert await lab.codes(
        oru("M2", order("F2", obx(CK, "7800"))), oru("M3", order("F3", obx(CK, "900")), patient="PT2")
    ) == ["AA", "AA"]
    lab.process()
    assert lab.states() == [("parked", "unreadable"), ("kept", "received"), ("done", "drafted")]
    ((sentence,),) = lab.rows.execute("SELECT sentence FROM work WHERE state = 'parked'").fetchall()
    assert "gone" in sentence
    assert "restore" in sentence


async def test_a_message_that_stopped_the_worker_too_often_is_parked_unread(lab: Laboratory) -> None:
    await lab.receive(oru("M1", order("F1", obx(BLOT, "58"))))
    for _time in range(drafting.MAX_ATTEMPTS):
        assert len(lab.work.claim(lab.clock.now(), singly=True)) == 1  # begun, and never finished
    assert pipeline.run_once(lab.work, lab.reader, lab.clock, singly=True) == 1
    lab.process()
    assert lab.states() == [("parked", "crashed")]
    assert lab.cases() == []


async def test_a_service_that_is_ended_a_few_times_within_a_message_does_not_blame_it(lab: Laboratory) -> None:
    await lab.receive(oru("M1", order("F1", obx(BLOT, "58"))))
    lab.work.claim(lab.clock.now())  # begun with others
    for _start in range(FORGIVEN_MOST + 1):
        lab.desk.forgive()
        assert len(lab.work.claim(lab.clock.now(), singly=True)) == 1
    assert pipeline.run_once(lab.work, lab.reader, lab.clock, singly=True) == 1
    lab.process()
    assert lab.states() == [("done", "drafted")]


async def test_a_message_that_ends_the_service_itself_is_found_too(lab: Laboratory) -> None:
    await lab.receive(oru("M1", order("F1", obx(BLOT, "58"))))
    attempts = list[int]()
    while not attempts or attempts[-1] <= drafting.MAX_ATTEMPTS:
        lab.desk.forgive()
        attempts += [one.attempts for one in lab.work.claim(lab.clock.now(), singly=True)]
    assert len(attempts) == FORGIVEN_MOST + drafting.MAX_ATTEMPTS + 1


class OneGuardFails(LocalUnits):
    """The writer, where what is said about one message's draft never holds."""

    def __init__(self, writer: Writer, message: int, most: int = 10**6) -> None:
        super().__init__(writer)
        self.subject, self.left = f"M{message}", most

    def post(self, units: Sequence[Sequence[Statement]], fence: Statement | None = None) -> Verdicts:
        return super().post([[*unit, *self._fails(unit)] for unit in units], fence)

    def _fails(self, unit: Sequence[Statement]) -> list[Statement]:
        drafted = any("drafted" in one.params and self.subject in one.params for one in unit)
        self.left -= drafted
        return [Statement("UPDATE journal SET id = id WHERE 1 = 0", (), 1)] if drafted and self.left >= 0 else []


async def test_what_can_never_be_written_is_parked_and_holds_up_its_own_lane_alone(lab: Laboratory) -> None:
    lab.write_through(OneGuardFails(lab.writer, 1))
    await lab.receive(
        oru("M1", order("F1", obx(BLOT, "58"))),
        oru("M2", order("F2", obx(CK, "7800"))),
        oru("M3", order("F3", obx(BLOT, "40")), patient="PT2"),
    )
    lab.process()
    assert lab.states() == [("parked", "undone"), ("kept", "received"), ("done", "drafted")]
    assert lab.rows.execute("SELECT count(*) FROM drafts").fetchone() == (1,)


async def test_a_case_that_changes_a_few_times_while_it_is_written_costs_only_tries(lab: Laboratory) -> None:
    lab.write_through(OneGuardFails(lab.writer, 1, drafting.MAX_UNDONE - 1))
    await lab.receive(oru("M1", order("F1", obx(BLOT, "58"))))
    lab.process()
    assert lab.states() == [("done", "drafted")]


async def test_the_knowledge_in_force_is_written_beside_every_draft(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    version = lab.reader.interpret.knowledge.version
    assert lab.case().outcome.knowledge == version
    assert lab.rows.execute("SELECT DISTINCT knowledge FROM drafts").fetchall() == [(version,)]


async def test_every_step_is_audited_without_a_word_of_the_patient(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    rows = lab.rows.execute("SELECT actor, action, subject FROM audit ORDER BY id").fetchall()
    advised = [("labbridge", "retest advised", f"R{row.key}") for row in lab.retests()]
    assert len(advised) == 4
    assert rows == [("myolis", "received", "M1"), *advised, ("labbridge", "drafted", "M1"), ("labbridge", "done", "M1")]
    everything = str(lab.rows.execute("SELECT * FROM audit").fetchall())
    assert not any(word in everything for word in ("SYNTHETIC", "PT1", "19690417", "Anti-SRP"))


def test_a_step_that_is_not_in_the_table_is_refused(lab: Laboratory) -> None:
    message = Kept(
        key=1, raw=b"", feed="myolis", sender="", control_id="", lane="p:A|1", received=lab.clock.now(),
        state=State.DONE, attempts=1,
    )  # fmt: skip
    with lab.work.unit(), pytest.raises(ValueError, match="M1 may not go from done to parked"):
        pipeline.set_state(lab.work, message, State.PARKED, Reason.CRASHED, lab.clock.now())


async def test_what_no_longer_reads_as_it_did_is_parked(lab: Laboratory) -> None:
    await lab.receive(oru("M1", order("F1", obx(BLOT, "58"))))
    (message,) = lab.work.claim(lab.clock.now())
    moved = Kept(**{name: getattr(message, name) for name in message.__struct_fields__} | {"lane": "p:LABA|PT9"})
    one = Progress(moved, lab.reader.feeds[moved.feed])
    pipeline.process([one], lab.work, lab.reader, lab.clock)
    assert one.fault is not None
    assert (one.fault.reason, one.drafted) == (Reason.UNREADABLE, None)
    assert "no longer reads" in str(one.fault)


async def test_a_message_that_is_parked_keeps_none_of_its_batch_from_its_draft(lab: Laboratory) -> None:
    for number in range(1, 6):
        await lab.receive(oru(f"M{number}", order(f"F{number}", obx(BLOT, "58")), patient=f"PT{number}"))
    messages = lab.work.claim(lab.clock.now())
    batch = [Progress(one, lab.reader.feeds[one.feed]) for one in messages]
    batch[1].feed = None
    batch[3].message = msgspec.structs.replace(batch[3].message, raw=b"MSH|no longer a message", digest=b"")
    pipeline.process(batch, lab.work, lab.reader, lab.clock)
    assert [one.fault.reason if one.fault else None for one in batch] == [
        None, Reason.UNREADABLE, None, Reason.UNREADABLE, None,
    ]  # fmt: skip
    assert [len(one.drafted.cases) if one.drafted else 0 for one in batch] == [1, 0, 1, 0, 1]


# ---------------------------------------------------------------- bytes that rotted on the disk


def rot(lab: Laboratory, before: bytes, after: bytes) -> None:
    ((raw,),) = lab.rows.execute("SELECT raw FROM journal").fetchall()
    changed = bytes(raw).replace(before, after)
    assert changed != raw
    lab.writer.submit(lambda c: c.execute("UPDATE journal SET raw = ?", (changed,))).result()


async def test_bytes_that_are_no_longer_the_ones_received_are_never_interpreted(lab: Laboratory) -> None:
    await lab.receive(oru("M1", order("F1", obx(BLOT, "58"))))
    rot(lab, b"|58|", b"|8|")
    lab.process()
    assert (lab.states(), lab.cases()) == ([("parked", "damaged")], [])


HELD = {
    "its value": lambda body, who, day: (body.replace(b'"58"', b'"8"'), who, day),
    "whose it is": lambda body, who, day: (body, f"{who}.", day),
    "its day": lambda body, who, day: (body, who, "2001-01-01"),
}


@pytest.mark.parametrize("what", HELD)
async def test_a_held_result_that_rotted_is_never_used_and_is_read_again_from_its_message(
    lab: Laboratory, what: str
) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    drafted = lab.cases()
    (held,) = lab.rows.execute("SELECT body, who, collected, crc FROM results").fetchall()
    rotten = HELD[what](*held[:3])
    assert rotten != tuple(held[:3])
    lab.writer.submit(lambda c: c.execute("UPDATE results SET body = ?, who = ?, collected = ?", rotten)).result()
    await lab.take(oru("M2", order("F2", obx(BLOT, "58"))))
    assert (lab.states()[1], lab.cases()) == (("parked", "held_damaged"), drafted)
    (told,) = lab.rows.execute("SELECT sentence FROM work WHERE message = 2").fetchone()
    assert told == "It is of M1: reprocess that one first"
    for key in (1, 2):
        event = AuditEvent(at=lab.clock.now(), actor="A", action="reprocess", subject=f"M{key}")
        lab.desk.reprocess(key, ("p:LABA|PT1",), event)
        lab.process()
    assert [state for state, _reason in lab.states()] == ["done", "done"]
    assert held in lab.rows.execute("SELECT body, who, collected, crc FROM results").fetchall()


async def test_no_comment_is_addressed_from_bytes_that_rotted(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    rot(lab, b"F1^", b"F7^")
    with pytest.raises(Refused, match="M1, which C1 was written from, was damaged on the disk"):
        lab.release("C1@1")


ROTTEN = {
    "what it says": "UPDATE drafts SET text = replace(text, 'SRP', 'SRQ')",
    "its outcome": "UPDATE drafts SET outcome = substr(outcome, 2)",
    "its version": "UPDATE drafts SET version = 3",
    "the case's state": "UPDATE cases SET state = 'signee' WHERE id = 1",
}


@pytest.mark.parametrize("what", ROTTEN)
async def test_a_draft_that_rotted_is_never_used_and_is_made_again_from_its_messages(
    lab: Laboratory, what: str
) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    before = lab.case()
    lab.writer.submit(lambda c: c.execute(ROTTEN[what])).result()
    with pytest.raises(Refused, match="C1 is no longer what was written on the disk; `labbridge reprocess`"):
        lab.release("C1@1")
    await lab.take(oru("M2", order("F2", obx(CK, "100"))))
    assert lab.states()[1] == ("parked", "case_damaged")
    for key in (2, 1):
        event = AuditEvent(at=lab.clock.now(), actor="A", action="reprocess", subject=f"M{key}")
        lab.desk.reprocess(key, ("p:LABA|PT1",), event)
        lab.process()
    assert [state for state, _reason in lab.states()] == ["done", "done"]
    (again,) = lab.cases()
    assert (again.damaged, again.state, again.outcome.states.SRP) == (False, CaseState.NEW, before.outcome.states.SRP)
    assert "SRP" in again.text
    lab.release(f"C1@{again.version}")
    lab.damaged_on_purpose = True  # the draft of the earlier version stays as it is


async def test_an_older_case_that_rotted_is_made_again_with_a_newer_message(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    lab.clock.forward(days=60)
    await lab.take(oru("M2", order("F2", obx(BLOT, "58"), collected="20270110091500+0100")))
    lab.writer.submit(lambda c: c.execute("UPDATE drafts SET text = '' WHERE \"case\" = 1")).result()
    event = AuditEvent(at=lab.clock.now(), actor="A", action="reprocess", subject="M2")
    lab.desk.reprocess(2, ("p:LABA|PT1",), event)
    lab.process()
    assert not any(case.damaged for case in lab.cases())
    lab.damaged_on_purpose = True
