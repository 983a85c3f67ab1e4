"""Retests as orders: they leave with the signed comment, once for each reason, and what becomes of them is never guessed."""

from __future__ import annotations

from datetime import date

import pytest
from story_parts import (
    BLOT,
    CK,
    CLIA,
    ELISA,
    LOST,
    Laboratory,
    Lis,
    acknowledged,
    field,
    obx,
    order,
    orl,
    oru,
)

from labbridge.errors import Refused
from labbridge.model.retests import Cause, Closing, RetestState, Withheld
from labbridge.model.work import AuditEvent
from labbridge.store import links, retests

SRP = oru("M1", order("F1", obx(BLOT, "58")))
SRP_CK = oru("M1", order("F1", obx(BLOT, "58"), obx(CK, "900")))  # the partner is missing, and CK is not high
LOW = oru("M1", order("F1", obx(BLOT, "8"), obx(CK, "100"), obx(CLIA, "2")))  # of SRP alone a retest is recommended
HEARD = "MSA|AA|$ID"


def shown(lab: Laboratory) -> str:
    case = lab.case()
    return f"C{case.key}@{case.version}"


async def ordered(lab: Laboratory, *answers: str, message: bytes = LOW) -> tuple[Lis, bytes]:
    """One order of a second method for anti-SRP, sent and answered; the order."""
    lab.take_orders()
    await lab.take(message)
    lab.release(shown(lab))
    lis = Lis(HEARD, *answers)
    await lab.deliver(lis)
    return lis, lis.ordered[0]


def states(lab: Laboratory) -> list[str]:
    return [state for _number, state, _said in lab.orders()]


# ---------------------------------------------------------------- advised


async def test_each_recommendation_is_a_row_from_its_first_draft_on(lab: Laboratory) -> None:
    await lab.take(SRP)
    rows = lab.retests()
    assert [(row.analyte, row.reason) for row in rows] == [
        (one.analyte, one.reason) for one in lab.case().outcome.retests
    ]
    row = lab.retest("SRP")
    assert (row.case, row.version, row.state, row.families) == (1, 1, RetestState.ADVISED, ("quant", "ip"))
    raised = row.raised
    assert (raised.rule, raised.ref, raised.family, raised.band) == ("srp-strong@2", "M1:OBX[1]", "blot", "POS_STRONG")


async def test_without_a_receiver_that_takes_orders_a_retest_is_advised_and_no_more(lab: Laboratory) -> None:
    await lab.take(SRP)
    lab.release(shown(lab))
    lis = Lis()
    assert await lab.deliver(lis) == 1
    assert (lis.ordered, lab.orders()) == ([], [])
    assert {row.state for row in lab.retests()} == {RetestState.ADVISED}


@pytest.mark.parametrize(
    ("value", "closing"), [("50", Closing.CONFIRMED), ("3", Closing.REFUTED)], ids=["positive", "negative"]
)
async def test_a_later_result_by_an_acceptable_method_closes_it(lab: Laboratory, value: str, closing: Closing) -> None:
    await lab.take(LOW, oru("M2", order("F2", obx(ELISA, value))))
    row = next(row for row in lab.retests() if row.key == 1)
    assert (row.state, row.closing, row.closed_by) == (RetestState.RESULTED, closing, "M2:OBX[1]")


async def test_a_corrected_answer_closes_it_anew_and_a_withdrawn_one_opens_it_again(lab: Laboratory) -> None:
    await lab.take(LOW, oru("M2", order("F2", obx(ELISA, "50"))))
    await lab.take(oru("M3", order("F2", obx(ELISA, "3", "C"))))
    first = lab.retests()[0]
    assert (first.closing, first.closed_by) == (Closing.REFUTED, "M3:OBX[1]")
    await lab.take(oru("M4", order("F2", obx(ELISA, "3", "W"))))
    first = lab.retests()[0]
    assert (first.state, first.closing, first.closed_by) == (RetestState.ADVISED, None, "")
    lines = lab.rows.execute("SELECT action, detail FROM audit WHERE subject = 'R1' ORDER BY id").fetchall()
    assert [tuple(line) for line in lines] == [
        ("retest advised", f"SRP {first.reason}"),
        ("retest resulted", f"SRP {first.reason} confirmed M2:OBX[1]"),
        ("retest resulted", f"SRP {first.reason} refuted M3:OBX[1]"),
        ("retest advised", f"SRP {first.reason}"),
    ]


async def test_a_correction_that_takes_the_reason_away_cancels_it_and_one_back_finds_its_row(lab: Laboratory) -> None:
    await lab.take(LOW)
    await lab.take(oru("M2", order("F1", obx(BLOT, "1", "C"), obx(CK, "100"), obx(CLIA, "2"))))
    row = lab.retests()[0]
    assert (row.state, row.cause) == (RetestState.CANCELLED, Cause.CHANGED)
    await lab.take(oru("M3", order("F1", obx(BLOT, "8", "C"), obx(CK, "100"), obx(CLIA, "2"))))
    row = lab.retests()[0]
    assert [one.analyte for one in lab.retests()].count("SRP") == 1
    assert (row.key, row.state, row.cause, row.raised.ref) == (1, RetestState.ADVISED, None, "M3:OBX[1]")


async def test_what_is_in_progress_is_waited_for(lab: Laboratory) -> None:
    await lab.take(LOW, oru("M2", order("F2", obx(ELISA, "", "P"))))
    assert "SRP" not in [one.analyte for one in lab.case().outcome.retests]
    assert lab.retests()[0].state is RetestState.ADVISED
    await lab.take(oru("M3", order("F2", obx(ELISA, "50"))))
    assert lab.retests()[0].closing is Closing.CONFIRMED


async def test_a_result_in_a_later_case_of_the_patient_closes_it_too(lab: Laboratory) -> None:
    await lab.take(LOW)
    lab.clock.forward(days=45)
    await lab.take(
        oru("M2", order("F2", obx(ELISA, "50"), collected="20261225091500+0100"), sent="20261228120000+0100")
    )
    assert len(lab.cases()) == 2
    assert (lab.retests()[0].state, lab.retests()[0].closing) == (RetestState.RESULTED, Closing.CONFIRMED)


async def test_two_patients_who_become_one_have_one_open_retest_for_a_reason(lab: Laboratory) -> None:
    await lab.take(LOW, LOW.replace(b"|M1|", b"|M2|").replace(b"PT1", b"PT2").replace(b"F1^MYOLIS", b"F9^MYOLIS"))
    adt = "MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113121000+0100||ADT^A40^ADT_A39|M3|P|2.5.1||||||UNICODE UTF-8"
    pid = "PID|1||PT1^^^LABA^MR||TEST^SYNTHETIC||19690417|M"
    await lab.take(f"{adt}\rEVN||20261113121000+0100\r{pid}\rMRG|PT2^^^LABA^MR\r".encode())
    rows = list(retests.of_lanes(lab.rows, links.lanes_of(lab.rows, "p:LABA|PT1")))
    assert [(row.state, row.cause) for row in rows if row.analyte == "SRP"] == [
        (RetestState.ADVISED, None),
        (RetestState.CANCELLED, Cause.TWICE),
    ]


# ---------------------------------------------------------------- ordered


async def test_an_order_leaves_behind_the_signed_comment_and_hangs_on_its_result(lab: Laboratory) -> None:
    lis, sent = await ordered(lab, "OK")
    assert [field(raw, "MSH", 9) for raw in lis.received] == ["ORU^R01^ORU_R01", "OML^O21^OML_O21"]
    number = lab.orders()[0][0]
    assert (field(sent, "ORC", 1), field(sent, "ORC", 2)) == ("NW", f"{number}^LABBRIDGE")
    assert (field(sent, "ORC", 8), field(sent, "OBR", 29)) == ("PF1&MYOCLIN^F1&MYOLIS",) * 2
    assert (field(sent, "OBR", 4), field(sent, "OBR", 11)) == ("SRPELISA^anti-SRP by ELISA^L", "G")
    assert field(sent, "OBR", 26).startswith("SRPB&")
    assert states(lab) == ["accepted"]
    assert (lab.retest("SRP").state, lab.rows.execute("SELECT filler FROM orders").fetchone()[0]) == (
        RetestState.ORDERED,
        "F-77",
    )


async def test_nothing_is_ordered_unless_somebody_signs(lab: Laboratory) -> None:
    lab.take_orders()
    await lab.take(SRP)
    lab.clock.forward(days=30)
    lis = Lis()
    assert (await lab.deliver(lis), lab.orders()) == (0, [])


async def test_what_the_laboratory_cannot_be_asked_for_stays_advised_and_says_why(lab: Laboratory) -> None:
    lab.take_orders()
    await lab.take(SRP)
    lab.release(shown(lab))
    assert {row.analyte: (row.state.value, row.withheld) for row in lab.retests()} == {
        "CK": ("ordered", Withheld.NONE),
        "SRP": ("ordered", Withheld.NONE),
        "HMGCR": ("ordered", Withheld.NONE),
        "ANA_HEP2": ("advised", Withheld.NO_SERVICE),
    }


async def test_an_order_about_a_result_that_was_corrected_does_not_leave(lab: Laboratory) -> None:
    lab.take_orders()
    await lab.take(LOW)
    lab.release(shown(lab))
    await lab.take(oru("M2", order("F1", obx(BLOT, "58", "C"), obx(CK, "100"), obx(CLIA, "2"))))
    lis = Lis()
    await lab.deliver(lis)
    assert lis.ordered == []
    assert states(lab) == ["cancelled"]
    assert (
        lab.retest("SRP").state is RetestState.ADVISED
    )  # it is about another result by now: the next signature orders it
    lab.release(shown(lab))
    await lab.deliver(lis)
    assert (len(lis.ordered), states(lab)) == (1, ["cancelled", "acknowledged"])
    assert len({number for number, _state, _said in lab.orders()}) == 2


async def test_an_order_whose_answer_came_before_it_left_does_not_leave(lab: Laboratory) -> None:
    lab.take_orders()
    await lab.take(LOW)
    lab.release(shown(lab))
    await lab.take(oru("M2", order("F2", obx(ELISA, "50"))))
    lis = Lis()
    await lab.deliver(lis)
    assert (lis.ordered, states(lab)) == ([], ["cancelled"])
    assert lab.retests()[0].state is RetestState.RESULTED


@pytest.mark.parametrize("again", ["correction", "duplicate", "other number", "new knowledge of the same"])
async def test_what_was_ordered_is_not_ordered_again(lab: Laboratory, again: str) -> None:
    lis, _sent = await ordered(lab, "OK")
    messages = {
        "correction": [oru("M2", order("F1", obx(BLOT, "9", "C"), obx(CK, "100"), obx(CLIA, "2")))],
        "duplicate": [LOW],
        "other number": [LOW.replace(b"|M1|", b"|M9|")],
        "new knowledge of the same": [
            oru("M2", order("F1", obx(BLOT, "1", "C"), obx(CK, "100"), obx(CLIA, "2"))),
            oru("M3", order("F1", obx(BLOT, "8", "C"), obx(CK, "100"), obx(CLIA, "2"))),
        ],
    }
    for message in messages[again]:
        assert await lab.codes(message) == ["AA"]
        lab.process()
        if lab.case().state.value != "signed" and lab.case().text:
            lab.release(shown(lab))
        lab.clock.forward(minutes=1)
    await lab.deliver(lis)
    assert len(lis.ordered) == 1
    assert (lab.retest("SRP").state, len(lab.orders())) == (RetestState.ORDERED, 1)


async def test_the_result_of_a_retest_closes_it_and_orders_nothing_again(lab: Laboratory) -> None:
    lis, _sent = await ordered(lab, "OK", message=oru("M1", order("F1", obx(BLOT, "58"), obx(CLIA, "2"))))
    assert sorted(row.analyte for row in lab.retests() if row.state is RetestState.ORDERED) == ["CK", "SRP"]
    await lab.take(oru("M2", order("F2", obx(ELISA, "50"), obx(CK, "9"))))
    before = len(lis.ordered)
    if lab.case().text:
        lab.release(shown(lab))
    await lab.deliver(lis)
    assert len(lis.ordered) == before
    again = [row for row in lab.retests() if row.again]
    assert all(row.withheld is Withheld.AGAIN for row in again)


async def test_an_order_of_ours_that_comes_back_orders_nothing(lab: Laboratory) -> None:
    lis, sent = await ordered(lab, "OK")
    assert await lab.codes(sent, *lis.received) == ["AR", "AA", "AR"]
    lab.process()
    assert (len(lab.orders()), len(lab.cases()), len(lab.retests())) == (1, 1, 2)


async def test_orders_count_where_comments_of_a_specimen_do(lab: Laboratory) -> None:
    lab.limit_per_specimen(2)
    lab.take_orders()
    await lab.take(SRP)
    lab.release(shown(lab))
    assert [row.withheld for row in lab.retests()] == [
        Withheld.NONE,
        Withheld.STORM,
        Withheld.STORM,
        Withheld.NO_SERVICE,
    ]
    assert len(lab.orders()) == 1


async def test_the_bytes_and_the_number_are_the_same_on_every_attempt(lab: Laboratory) -> None:
    lis, sent = await ordered(lab, LOST)
    for _attempt in range(3):
        lis.answers.append(LOST)
        lab.clock.forward(hours=1)
        await lab.deliver(lis)
    assert len(lis.ordered) == 4
    assert set(lis.ordered) == {sent}


async def test_an_order_for_a_later_day_waits_for_it_and_holds_nothing_back(lab: Laboratory) -> None:
    lab.take_orders()
    await lab.take(LOW)
    lab.rows.execute("SELECT 1").fetchone()
    lab.writer.submit(lambda c: c.execute("UPDATE retests SET not_before = '2026-12-24'")).result()
    lab.release(shown(lab))
    lis = Lis()
    await lab.deliver(lis)
    assert (lis.ordered, states(lab)) == ([], ["waiting"])
    assert lab.rows.execute("SELECT due FROM orders").fetchone()[0] == "2026-12-24"
    lab.clock.forward(days=(date(2026, 12, 24) - lab.clock.now().date()).days + 1)
    await lab.deliver(lis)
    assert len(lis.ordered) == 1


async def test_a_partner_prompt_is_advised_at_once_and_ordered_when_it_has_waited(lab: Laboratory) -> None:
    """C10.16: days after the first of the pair was final, unless it is urgent."""
    lab.take_orders()
    await lab.take(SRP_CK)
    row = lab.retest("HMGCR")
    assert (row.reason, row.priority.value, row.order_from) == ("PARTNER_MISSING", "routine", date(2026, 11, 20))
    lab.release(shown(lab))
    lis = Lis()
    await lab.deliver(lis)
    assert [raw for raw in lis.ordered if b"HMGCRCLIA" in raw] == []
    lab.clock.forward(days=8)
    await lab.deliver(lis)
    assert len([raw for raw in lis.ordered if b"HMGCRCLIA" in raw]) == 1


# ---------------------------------------------------------------- answered


async def test_an_acknowledgement_is_no_acceptance(lab: Laboratory) -> None:
    await ordered(lab, HEARD)
    assert states(lab) == ["acknowledged"]


async def test_a_refused_order_shows_its_reason_and_is_not_made_again(lab: Laboratory) -> None:
    lis, _sent = await ordered(lab, "UA")
    ((_number, state, said),) = lab.orders()
    assert (state, "No serum left" in said) == ("refused", True)
    assert lab.deliveries()[-1] == ("acknowledged", 1)
    await lab.take(oru("M2", order("F1", obx(BLOT, "9", "C"), obx(CK, "100"), obx(CLIA, "2"))))
    if lab.case().state.value != "signed":
        lab.release(shown(lab))
    await lab.deliver(lis)
    assert len(lis.ordered) == 1


async def test_a_lost_answer_is_unknown_and_a_refusal_after_it_too(lab: Laboratory) -> None:
    lis, _sent = await ordered(lab, LOST)
    assert states(lab) == ["unknown"]
    lis.answers.append("UA")
    lab.clock.forward(hours=1)
    await lab.deliver(lis)
    ((_number, state, said),) = lab.orders()
    assert (state, "an answer before was lost" in said) == ("unknown", True)


async def test_an_acceptance_after_a_lost_answer_is_one(lab: Laboratory) -> None:
    lis, _sent = await ordered(lab, LOST, "OK")
    lab.clock.forward(hours=1)
    await lab.deliver(lis)
    assert (len(lis.ordered), states(lab)) == (2, ["accepted"])


@pytest.mark.parametrize(("said", "state"), [("OK", "accepted"), ("UA", "refused")])
async def test_an_answer_that_comes_later_by_the_feed_is_matched(lab: Laboratory, said: str, state: str) -> None:
    _lis, sent = await ordered(lab, HEARD)
    assert await lab.codes(orl(sent, said, "A1")) == ["AA"]
    lab.process()
    assert states(lab) == [state]
    assert lab.states()[-1] == ("done", "answer")


async def test_a_late_answer_ends_the_attempts(lab: Laboratory) -> None:
    lis, sent = await ordered(lab, LOST)
    await lab.codes(orl(sent, "OK", "A1"))
    lab.process()
    lab.clock.forward(hours=2)
    await lab.deliver(lis)
    assert (len(lis.ordered), states(lab), lab.deliveries()[-1]) == (1, ["accepted"], ("acknowledged", 1))


@pytest.mark.parametrize(
    "strange",
    [
        lambda sent: orl(sent, "OK", "A1", number="LBO1-999^LABBRIDGE"),
        lambda sent: orl(sent, "OK", "A1").replace(field(sent, "MSH", 10).encode(), b"LB1-999"),
        lambda _sent: acknowledged("MSA|AA|LB1-999", "", "ORL^O22^ORL_O22").replace(b"|1|P|", b"|A1|P|"),
    ],
    ids=["another number", "another message", "no order"],
)
async def test_an_answer_that_is_not_ours_is_kept_and_credited_to_nobody(lab: Laboratory, strange: object) -> None:
    _lis, sent = await ordered(lab, HEARD)
    assert await lab.codes(strange(sent)) == ["AA"]  # type: ignore[operator]
    lab.process()
    assert states(lab) == ["acknowledged"]
    assert lab.states()[-1] == ("done", "other_answer")


async def test_answers_that_contradict_each_other_leave_it_unknown(lab: Laboratory) -> None:
    _lis, sent = await ordered(lab, "OK")
    await lab.codes(orl(sent, "UA", "A1"))
    lab.process()
    ((_number, state, said),) = lab.orders()
    assert (state, "contradict" in said) == ("unknown", True)


# ---------------------------------------------------------------- people


async def test_a_person_cancels_what_is_advised_and_it_is_not_advised_again(lab: Laboratory) -> None:
    await lab.take(LOW)
    event = AuditEvent(at=lab.clock.now(), actor="smith", action="retest cancelled", subject="R1")
    lab.desk.cancel_retest(1, "Alex Smith", "no serum left", event)
    await lab.take(oru("M2", order("F1", obx(BLOT, "9", "C"), obx(CK, "100"), obx(CLIA, "2"))))
    row = lab.retest("SRP")
    assert [one.analyte for one in lab.retests()].count("SRP") == 1
    assert (row.state, row.cause, row.why, row.by) == (
        RetestState.CANCELLED,
        Cause.PERSON,
        "no serum left",
        "Alex Smith",
    )


async def test_what_the_lis_may_have_is_not_cancelled_here(lab: Laboratory) -> None:
    await ordered(lab, LOST)
    event = AuditEvent(at=lab.clock.now(), actor="smith", action="retest cancelled", subject="R1")
    with pytest.raises(Refused, match="cancel it there"):
        lab.desk.cancel_retest(1, "Alex Smith", "no serum left", event)


async def test_an_erased_patient_takes_rows_along_and_leaves_no_number_behind(lab: Laboratory) -> None:
    await ordered(lab, "OK")
    before = [number for number, _state, _said in lab.orders()]
    lab.desk.erase("p:LABA|PT1", AuditEvent(at=lab.clock.now(), actor="smith", action="erased", subject="patient"))
    assert (lab.orders(), lab.retests()) == ([], [])
    await lab.take(LOW.replace(b"|M1|", b"|M7|").replace(b"PT1", b"PT3"))
    lab.release(shown(lab))
    assert lab.orders()[0][0] not in before


# ---------------------------------------------------------------- by version, by rule, and what it costs


@pytest.mark.parametrize(
    ("version", "message", "kind"),
    [
        ("2.4", "OML", "OML^O21"),
        ("2.5.1", "OML", "OML^O21"),
        ("2.8", "OML", "OML^O21"),
        ("2.3.1", "ORM", "ORM^O01"),
        ("2.6", "ORM", "ORM^O01"),
    ],
)
async def test_an_order_is_strictly_valid_in_its_version(
    lab: Laboratory, version: str, message: str, kind: str
) -> None:
    """What does not pass the judge is withheld: that it left says that it passed."""
    lab.take_orders(version=version, message=message)
    await lab.take(LOW)
    lab.release(shown(lab))
    assert Withheld.NOT_VALID not in {row.withheld for row in lab.retests()}
    lis = Lis(*["MSA|AA|$ID"] * 9)
    await lab.deliver(lis)
    orders = [raw for raw in lis.received if kind.encode() in raw]
    assert len(orders) == len(lab.orders()) >= 1
    assert {field(raw, "MSH", 12) for raw in orders} == {version}


async def test_what_is_not_valid_is_withheld_and_the_comment_leaves(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab.judge, "judge_order", lambda *_about: ["hl7apy: something"])
    lis, _received = Lis(), lab.take_orders()
    await lab.take(LOW)
    lab.release(shown(lab))
    assert (await lab.deliver(lis), lis.ordered, lab.orders()) == (1, [], [])
    assert lab.retest("SRP").withheld is Withheld.NOT_VALID


async def test_an_order_without_its_source_is_withheld(lab: Laboratory) -> None:
    lab.take_orders()
    await lab.take(LOW)
    lab.writer.submit(lambda c: c.execute("UPDATE retests SET raised_by = 'M99:OBX[1]'")).result()
    lab.release(shown(lab))
    assert (lab.orders(), lab.retest("SRP").withheld) == ([], Withheld.NO_SOURCE)


async def test_a_refusal_of_the_whole_message_is_tried_again_and_given_up_in_the_end(lab: Laboratory) -> None:
    lis, _sent = await ordered(lab, "MSA|AE|$ID")
    assert states(lab) == ["unknown"]
    for _attempt in range(9):
        lis.answers.append("MSA|AE|$ID")
        lab.clock.forward(hours=1)
        await lab.deliver(lis)
    assert (states(lab), lab.deliveries()[-1]) == (["refused"], ("failed", 10))
    (key,) = lab.rows.execute("SELECT max(id) FROM outbox").fetchone()
    lab.desk.send_again(key, AuditEvent(at=lab.clock.now(), actor="smith", action="sent again", subject=f"D{key}"))
    assert states(lab) == ["unknown"]
    lis.answers.append("OK")
    lab.clock.forward(hours=1)
    await lab.deliver(lis)
    assert (states(lab), len(set(lis.ordered))) == (["accepted"], 1)


async def test_a_stop_between_sending_and_the_answer_leaves_it_unknown(lab: Laboratory) -> None:
    lab.take_orders()
    await lab.take(LOW)
    lab.release(shown(lab))
    await lab.outbox.claim_delivery("lis", lab.clock.now())
    lab.writer.submit(lambda c: c.execute("UPDATE outbox SET state = 'acknowledged' WHERE comment > 0")).result()
    claimed = await lab.outbox.claim_delivery("lis", lab.clock.now())
    assert claimed is not None
    assert (claimed.order, states(lab)) == (lab.orders()[0][0], ["unknown"])
    await lab.outbox.recover(
        "lis", lab.clock.now(), AuditEvent(at=lab.clock.now(), actor="labbridge", action="recovered", subject="outbox")
    )
    lis = Lis("UA")
    await lab.deliver(lis)
    assert lis.ordered == [claimed.raw]
    assert states(lab) == ["unknown"], "the first may have been taken: the refusal may be of its number"


async def test_no_statement_is_spent_on_a_patient_without_retests(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    whole = retests.of_lanes
    monkeypatch.setattr(retests, "of_lanes", lambda c, lanes: read.append(1) or whole(c, lanes))
    negative = (obx(BLOT, "1"), obx(CLIA, "2"), obx(CK, "100"))
    await lab.take(oru("M1", order("F1", *negative)), oru("M2", order("F1", *negative)))
    assert read == []
    await lab.take(oru("M3", order("F3", obx(BLOT, "8", "C"))))
    assert read == []
    await lab.take(oru("M4", order("F4", obx(ELISA, "50"))))
    assert read == [1]
