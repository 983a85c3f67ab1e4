"""Results that came as FHIR, answered in HL7 v2: comments in every mode, a correction, an order; and one patient by both
wires."""

from __future__ import annotations

import json

import msgspec
import pytest
from fhir_parts import POSTED, SECTION, blot, bundle, ck, clia, group, patient_alone, posted
from story_parts import (
    BLOT,
    CK,
    CLIA,
    ELISA,
    NOON,
    SITE,
    Laboratory,
    Lis,
    field,
    obx,
    order,
    oru,
)
from test_story_identity import adt

from labbridge import composing, reading
from labbridge.acts import feeds_of, letterhead, ordering_of
from labbridge.config import Config
from labbridge.errors import Refused
from labbridge.hl7 import conformance
from labbridge.hl7.outgoing import ReceiverFormat
from labbridge.model.retests import Withheld
from labbridge.model.work import Kept
from labbridge.notes import note
from labbridge.past import Known, Past
from labbridge.reproducing import reproduce
from labbridge.sources import Words, comment_code, packed, read_all
from labbridge.states import State
from labbridge.store import past as stored
from labbridge.store.retests import of_lanes

SRP = posted("B1", "F1", blot("58"), ck("3400"))
CONFIG = Config.model_validate(
    {
        "facility": "LABA",
        "feeds": {
            "posted": SECTION,
            "myolis": {"timezone": "Europe/Paris", "charset": "8859/1"},
        },
        "receivers": {"lis": {"address": "127.0.0.1:9", "retest": "order"}},
        "knowledge": {"site": SITE},
    }
)


def written_for(lab: Laboratory, **format: str) -> None:
    """The receiver takes comments in this way from now on."""
    page = lab.letterhead
    lab.letterhead = msgspec.structs.replace(page, format=msgspec.structs.replace(page.format, **format))


async def sent(lab: Laboratory, shown: str = "C1@1") -> bytes:
    """The comment of a case, released and delivered: the bytes that left."""
    lis = Lis()
    lab.release(shown)
    assert await lab.deliver(lis) == 1
    return lis.received[-1]


def lines(raw: bytes) -> list[str]:
    return raw.decode().rstrip("\r").split("\r")


# ---------------------------------------------------------------- a comment


@pytest.mark.parametrize("mode", ["obx", "nte", "report"])
async def test_a_comment_leaves_in_each_mode_and_reaches_patient_order_and_result(lab: Laboratory, mode: str) -> None:
    written_for(lab, mode=mode)
    await lab.take_fhir(SRP)
    assert lab.states() == [("done", "drafted")]
    assert lab.case().subject_at == "Bundle.entry[2].resource"
    raw = await sent(lab)
    assert conformance.judge(raw, lab.case().posted[0].text, "2.5.1") == []
    assert field(raw, "MSH", 5) == "MYOLIS"
    assert lines(raw)[1] == "PID|1||PT1^^^LABA^MR||TEST^SYNTHETIC||19690417|M"
    own = ("PF1&MYOCLIN^F1&MYOLIS", "") if mode == "report" else ("", "PF1^MYOCLIN")
    assert field(raw, "ORC", 8) == own[0] if mode == "report" else field(raw, "ORC", 2) == own[1]
    assert field(raw, "OBR", 7) == "20261110091500+0100"
    if mode == "nte":
        assert (
            lines(raw)[4]
            == "OBX|1|NM|SRPB^Anti-SRP (line blot)^L||58|intensity^intensity^UCUM|||||F|||20261110091500+0100"
        )
    else:
        assert field(raw, "OBX", 4) == "LB1"
    assert lab.deliveries() == [("acknowledged", 1)]


async def test_a_correction_replaces_the_comment_under_its_key(lab: Laboratory) -> None:
    await lab.take_fhir(SRP)
    first = await sent(lab)
    corrected = json.loads(posted("B2", "F1", blot("3", "corrected"), ck("3400")))
    await lab.take_fhir(json.dumps(corrected).encode())
    case = lab.case()
    assert (case.version, case.state.value) == (2, "reopened")
    second = await sent(lab, "C1@2")
    assert (field(first, "OBX", 11), field(second, "OBX", 11)) == ("F", "C")
    assert field(first, "OBX", 4) == field(second, "OBX", 4) == "LB1"
    assert "replaces the comment" in field(second, "OBX", 5)


async def test_a_single_observation_is_answered_under_its_own_number(lab: Laboratory) -> None:
    one = blot("58") | {
        "identifier": [{"system": "https://laba.example/result", "value": "R77"}],
        "subject": {"identifier": {"system": "https://laba.example/mrn", "value": "PT1"}},
        "effectiveDateTime": "2026-11-10",
    }
    one.pop("url", None)
    raw = json.dumps(one).replace('"\\u00a758\\u00a7"', "58").encode()
    await lab.take_fhir(raw)
    sent_back = await sent(lab)
    assert field(sent_back, "ORC", 3) == "R77^^https://laba.example/result^URI"
    assert field(sent_back, "OBR", 7) == "20261110"
    assert field(sent_back, "PID", 5) == "^^^^^^U"


async def test_a_result_without_any_number_is_told_to_be_out_of_reach(lab: Laboratory) -> None:
    one = blot("58") | {"subject": {"identifier": {"system": "https://laba.example/mrn", "value": "PT1"}}}
    await lab.take_fhir(json.dumps(one).replace('"\\u00a758\\u00a7"', "58").encode())
    with pytest.raises(Refused, match="neither placer nor filler number"):
        lab.release("C1@1")
    assert lab.deliveries() == []


async def test_each_patient_of_a_body_gets_the_own_comment(lab: Laboratory) -> None:
    raw = bundle("B1", group("F1", blot("58"), ck("3400")), group("F2", blot("60"), ck("5000"), patient="PT2"))
    await lab.take_fhir(raw)
    lab.process()
    assert [case.lane for case in lab.cases()] == ["p:LABA|PT1", "p:LABA|PT2"]
    for number, case in enumerate(lab.cases(), 1):
        page = await sent(lab, f"C{case.key}@{case.version}")
        assert field(page, "PID", 3) == f"PT{number}^^^LABA^MR"
        assert field(page, "ORC", 3) == f"F{number}^MYOLIS"


async def test_the_place_of_another_patient_is_refused(lab: Laboratory) -> None:
    await lab.take_fhir(bundle("B1", group("F1", blot("58")), group("F2", blot("60"), patient="PT2")))
    lab.process()
    first, second = lab.cases()
    letter = composing.letter_of(first, "Alex Smith", "X1", lab.clock.now())
    with pytest.raises(Refused, match="another patient's"):
        composing.final_bytes(first, msgspec.structs.replace(letter, at=second.subject_at), lab.desk, lab.letterhead)


async def test_a_receivers_characters_are_kept_in_an_echo(lab: Laboratory) -> None:
    written_for(lab, mode="nte", charset="8859/1")
    named = blot("58", note=[{"text": "Gerät A"}])
    await lab.take_fhir(posted("B1", "F1", named, ck("3400")))
    raw = await sent(lab)
    assert field(raw.decode("latin-1").encode(), "MSH", 18) == "8859/1"
    assert "NTE|1|L|Gerät A".encode("latin-1") in raw
    written_for(lab, mode="nte", charset="8859/1")
    await lab.take_fhir(posted("B2", "F2", blot("58", note=[{"text": "κ"}]), ck("3400"), patient="PT2"))
    with pytest.raises(Refused, match=r"8859/1 has no U\+03BA"):
        lab.release("C2@1")


# ---------------------------------------------------------------- an order


async def test_a_retest_is_ordered_on_the_specimen_of_the_result(lab: Laboratory) -> None:
    lab.take_orders()
    await lab.take_fhir(posted("B1", "F1", blot("8"), ck("100"), clia("2")))
    lis = Lis()
    lab.release("C1@1")
    await lab.deliver(lis)
    (raw,) = lis.ordered
    assert field(raw, "SPM", 2) == "^SF1&&https://laba.example/specimen&URI"
    assert field(raw, "SPM", 4) == "SER^Serum^HL70487"
    assert field(raw, "ORC", 8) == "PF1&MYOCLIN^F1&MYOLIS"
    assert field(raw, "OBR", 26) == "SRPB&Anti-SRP (line blot)&L"
    assert field(raw, "PID", 3) == "PT1^^^LABA^MR"


async def test_a_result_closes_a_retest_by_whichever_wire_it_comes(lab: Laboratory) -> None:
    await lab.take_fhir(posted("B1", "F1", blot("8"), ck("100"), clia("2")))
    await lab.take(oru("M2", order("F2", obx(ELISA, "50"))))
    row = next(iter(of_lanes(lab.rows, ("p:LABA|PT1",))))
    assert (row.raised.ref, row.closed_by) == ("M1:Bundle.entry[2].resource", "M2:OBX[1]")


async def test_an_order_whose_result_cannot_be_read_any_more_is_withheld(lab: Laboratory) -> None:
    """The comment hangs on a message of the other wire, and leaves."""
    lab.take_orders()
    await lab.take_fhir(posted("B1", "F1", blot("8"), ck("100")))
    await lab.take(oru("M2", order("F2", obx(CLIA, "2"))))
    unknown = {name: feed for name, feed in lab.reader.feeds.items() if name != "posted"}
    assert lab.letterhead.ordering is not None
    how = msgspec.structs.replace(lab.letterhead.ordering, feeds=unknown)
    case = lab.case()
    from labbridge.requesting import Asked, orders_of

    made = orders_of(case, Asked("Alex Smith", lab.clock.now()), lab.desk, (how, lab.judge))
    assert {why for _row, why in made.withheld} <= {Withheld.NO_SOURCE, Withheld.NO_SERVICE}
    assert made.withheld
    assert made.made == ()


# ---------------------------------------------------------------- one patient


@pytest.mark.parametrize("first", ["fhir", "hl7"])
async def test_a_patient_by_both_wires_is_one_case_whose_comment_hangs_on_its_own_message(
    lab: Laboratory, first: str
) -> None:
    if first == "fhir":
        await lab.take_fhir(posted("B1", "F1", blot("58")))
        await lab.take(oru("M2", order("F2", obx(CK, "3400"))))
    else:
        await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
        await lab.take_fhir(posted("B2", "F2", ck("3400")))
    case = lab.case()
    assert {ref.split(":")[0] for ref in case.outcome.used} == {"M1", "M2"}
    assert (case.feed, case.subject_message) == ("posted" if first == "fhir" else "myolis", 1)
    assert field(await sent(lab, f"C1@{case.version}"), "ORC", 3) == "F1^MYOLIS"


async def test_a_body_that_says_who_a_patient_is_changes_nothing_else(lab: Laboratory) -> None:
    await lab.take_fhir(SRP, patient_alone("PT1", family="MARRIED"))
    assert lab.states() == [("done", "drafted"), ("done", "identity")]
    assert [one for (one,) in lab.rows.execute("SELECT message_type FROM journal")] == [
        "FHIR transaction",
        "FHIR Patient",
    ]
    assert lab.case().version == 1


async def test_a_merged_patient_is_named_by_the_new_number(lab: Laboratory) -> None:
    await lab.take_fhir(SRP)
    await lab.take(adt("A40", "A1", "PT2", "PT1"))
    case = lab.case()
    raw = await sent(lab, f"C1@{case.version}")
    assert field(raw, "PID", 3) == "PT2^^^LABA^MR"


async def test_the_message_that_names_the_patient_may_be_a_body_too(lab: Laboratory) -> None:
    await lab.take_fhir(SRP)
    case = lab.case()
    naming = Kept(
        key=9, raw=patient_alone("PT2"), feed="posted", sender="", control_id="", lane="", received=lab.clock.now(),
        state=State.DONE,
    )  # fmt: skip

    class Messages:
        def message(self, key: int) -> Kept | None:
            return lab.desk.message(key)

        def naming(self, lane: str) -> Kept | None:
            return naming

    merged = msgspec.structs.replace(case, lanes=("p:LABA|PT2", "p:LABA|PT1"))
    letter = composing.letter_of(merged, "Alex Smith", "X1", lab.clock.now())
    raw, _specimen = composing.final_bytes(merged, letter, Messages(), lab.letterhead)
    assert field(raw, "PID", 3) == "PT2^^^LABA^MR"
    another = msgspec.structs.replace(merged, lanes=("p:LABA|PT3", "p:LABA|PT1"))
    letter = composing.letter_of(another, "Alex Smith", "X1", lab.clock.now())
    with pytest.raises(Refused, match="does not name the patient any more"):
        composing.final_bytes(another, letter, Messages(), lab.letterhead)


# ---------------------------------------------------------------- entries that are not read


async def test_an_entry_that_was_refused_is_read_neither_now_nor_later(lab: Laboratory) -> None:
    """Its status is none: held against the models it would refuse the whole."""
    body = json.loads(posted("B1", "F1", blot("58"), ck("3400"), kind="batch"))
    body["entry"][3]["resource"]["status"] = 7
    raw, refused = json.dumps(body).encode(), (note("N021", "Bundle.entry[3]"),)
    await lab.take_fhir(raw, notes=refused)
    assert lab.states() == [("done", "drafted")]
    assert lab.case().outcome.used == ("M1:Bundle.entry[2].resource",)
    past = Past(Known())
    past.go_through(stored.kept(lab.rows, stored.patient_of(lab.rows, "p:LABA|PT1")), lab.reader)
    assert [case.text for case in past.cases] == [lab.case().text]
    assert past.parked == {}
    assert field(await sent(lab), "ORC", 3) == "F1^MYOLIS"


async def test_a_result_that_was_there_already_is_not_read_twice(lab: Laboratory) -> None:
    await lab.take_fhir(posted("B1", "F1", blot("58")))
    await lab.take_fhir(posted("B2", "F1", blot("58"), ck("3400")), notes=(note("N022", "Bundle.entry[2]"),))
    refs = {ref for (ref,) in lab.rows.execute("SELECT message FROM results")}
    assert refs == {1, 2}
    assert lab.rows.execute("SELECT count(*) FROM results WHERE message = 2").fetchone() == (1,)


async def test_what_cannot_be_read_any_more_waits_for_a_person(lab: Laboratory) -> None:
    """The feed has another sender now than when the message was kept."""
    await lab.keep_fhir(posted("B1", "F1", blot("58")), feed=msgspec.structs.replace(POSTED, processing_id="T"))
    other = msgspec.structs.replace(POSTED, authorities={})
    lab.reader = msgspec.structs.replace(lab.reader, feeds={"posted": other})
    lab.process()
    assert lab.states() == [("parked", "unreadable")]


async def test_a_body_is_given_no_application_acknowledgement(lab: Laboratory) -> None:
    asking = msgspec.structs.replace(POSTED, application_ack="lis")
    lab.reader = msgspec.structs.replace(lab.reader, feeds={"posted": asking})
    await lab.take_fhir(SRP, feed=asking)
    assert lab.deliveries() == []


# ---------------------------------------------------------------- as the service is configured


async def test_it_is_said_again_byte_for_byte(lab: Laboratory) -> None:
    lab.desk.approvals.keep(lab.reader.interpret.knowledge.version, packed(read_all(SITE)), lab.clock.now())
    lab.letterhead = letterhead(CONFIG, "posted", "lis", Words(comment=comment_code(SITE)))
    await lab.take_fhir(SRP)
    lab.release("C1@1")
    one = reproduce("C1@1", CONFIG, lab.rows)
    assert (one.same_text, one.same_bytes) == (True, True)


def test_a_letterhead_knows_every_feed_by_its_own_settings() -> None:
    page = letterhead(CONFIG, "myolis", "lis", Words())
    how = ordering_of(CONFIG, "posted", "lis", Words())
    assert page.feeds == feeds_of(CONFIG)
    assert how is not None
    assert how.feeds == feeds_of(CONFIG)
    assert (page.feeds["posted"], page.feeds["myolis"].charset) == (
        msgspec.structs.replace(POSTED, settle_s=page.feeds["posted"].settle_s),
        "8859/1",
    )


def test_an_echo_of_hl7_goes_back_as_it_came_whatever_the_feeds() -> None:
    raw = oru("M1", order("F1", obx(BLOT, "58")))
    kept = Kept(key=1, raw=raw, feed="gone", sender="", control_id="", lane="", received=NOON, state=State.DONE)
    source = reading.in_hl7(kept, "OBX[1]", ("p:LABA|PT1",), {}, ReceiverFormat())
    assert source == (raw, "", "OBX[1]")
