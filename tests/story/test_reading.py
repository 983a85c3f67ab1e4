"""One place reads a message of either wire: which it is, its lanes, its reports, and what of it is not read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fhir_parts import MRN, POSTED, SECTION, blot, bundle, ck, group, patient_alone, posted
from story_parts import BLOT, FEED, NOON, SITE, obx, order, oru

from labbridge import reading
from labbridge.config import Config
from labbridge.errors import Refuse, Refused
from labbridge.fhir.faults import Unfit
from labbridge.hl7.outgoing import ReceiverFormat
from labbridge.model.report import PlacedNote
from labbridge.model.work import Kept
from labbridge.notes import note
from labbridge.states import State
from labbridge.suggest import suggest_file

HL7 = oru("M1", order("F1", obx(BLOT, "58")))
ONE = posted("B1", "F1", blot("58"), ck("3400"))
TWO = bundle("B1", group("F1", blot("58")), group("F2", blot("60"), patient="PT2"))
FIRST_OUT, SECOND_OUT = note("N021", "Bundle.entry[2]"), note("N022", "Bundle.entry[2]")
FORM = ReceiverFormat()


def kept(raw: bytes, feed: str = "posted", notes: tuple[PlacedNote, ...] = ()) -> Kept:
    return Kept(
        key=7, raw=raw, feed=feed, sender="", control_id="", lane="", received=NOON, state=State.DONE, notes=notes
    )


def places(raw: bytes, *notes: PlacedNote) -> list[str]:
    reports = reading.reports_of(raw, POSTED, NOON, notes)
    return [one.at for report in reports for order in report.orders for one in order.observations]


def changed(raw: bytes, change: Any) -> bytes:
    body = json.loads(raw)
    change(body)
    return json.dumps(body).encode()


# ---------------------------------------------------------------- which wire


@pytest.mark.parametrize(
    ("raw", "is_one"), [(ONE, True), (b"\xef\xbb\xbf \r\n\t{", True), (HL7, False), (b"[]", False), (b"", False)]
)
def test_where_no_feed_is_at_hand_the_first_character_says_the_wire(raw: bytes, is_one: bool) -> None:
    assert reading.is_fhir(raw, None) is is_one
    assert reading.feed_of(raw, "gone", {}).kind == ("fhir" if is_one else "mllp")


def test_a_feed_says_its_wire_whatever_came() -> None:
    assert reading.is_fhir(HL7, POSTED)
    assert not reading.is_fhir(ONE, FEED)
    assert reading.feed_of(HL7, "posted", {"posted": POSTED}) is POSTED
    with pytest.raises(Unfit, match="not JSON"):
        reading.lanes_of(HL7, POSTED)
    with pytest.raises(Refuse, match="No MSH segment"):
        reading.lanes_of(ONE, FEED)


def test_no_body_is_the_answer_to_an_order() -> None:
    answer = b"MSH|^~\\&|LIS|LABA|LB|LABA|20261113||ORL^O22|1|P|2.5.1\rMSA|AA|1\r"
    assert reading.is_answer(answer, FEED)
    assert not reading.is_answer(answer, POSTED)
    assert not reading.is_answer(ONE, POSTED)


def test_lanes_and_reports_are_those_of_the_wire() -> None:
    assert reading.lanes_of(HL7, FEED) == reading.lanes_of(ONE, POSTED) == ("p:LABA|PT1",)
    assert reading.lanes_of(TWO, POSTED) == ("p:LABA|PT1", "p:LABA|PT2")
    (v2,), (body,) = (reading.reports_of(raw, feed, NOON) for raw, feed in ((HL7, FEED), (ONE, POSTED)))
    assert v2.patient == body.patient
    assert (v2.sender, v2.lane) == (body.sender, body.lane)


# ---------------------------------------------------------------- what is not read


def test_entries_that_were_refused_or_known_are_not_read() -> None:
    assert places(ONE) == ["Bundle.entry[2].resource", "Bundle.entry[3].resource"]
    for one in (FIRST_OUT, SECOND_OUT):
        assert places(ONE, one) == ["Bundle.entry[3].resource"]
    assert places(ONE, note("N014", "Bundle.entry[2]")) == places(ONE)


def test_a_known_entry_still_says_whose_the_others_are() -> None:
    """What was held of it is its result; the patient whom the rest refers to is read."""
    (report,) = reading.reports_of(ONE, POSTED, NOON, (note("N022", "Bundle.entry[0]"),))
    assert report.lane == "p:LABA|PT1"


@pytest.mark.parametrize(
    ("at", "found"),
    [
        ("Bundle.entry[3]", {3}),
        ("Bundle.entry[3].resource.status", {3}),
        ("Bundle.entry[12]", {12}),
        ("Bundle.entry", set()),
        ("Bundle.entry[x]", set()),
        ("MSH[1]", set()),
        ("", set()),
    ],
)
def test_an_entry_is_known_by_its_place(at: str, found: set[int]) -> None:
    assert reading.entries((PlacedNote("N021", at), PlacedNote("N001", "Bundle.entry[1]")), "N021") == found


def test_a_fault_in_an_entry_that_was_refused_is_no_news() -> None:
    def break_first(body: dict[str, Any]) -> None:
        body["entry"][2]["resource"]["status"] = 7

    broken = changed(posted("B1", "F1", blot("58"), ck("3400"), kind="batch"), break_first)
    with pytest.raises(Unfit):
        reading.lanes_of(broken, POSTED)
    assert reading.lanes_of(broken, POSTED, (FIRST_OUT,)) == ("p:LABA|PT1",)
    assert places(broken, FIRST_OUT) == ["Bundle.entry[3].resource"]


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_what_asks_to_take_something_back_is_not_passed_over(method: str) -> None:
    def take_back(body: dict[str, Any]) -> None:
        body["entry"][3] = {"request": {"method": method, "url": "Observation/1"}}

    with pytest.raises(Unfit, match="Only POST and PUT"):
        reading.lanes_of(changed(ONE, take_back), POSTED)


# ---------------------------------------------------------------- what stays where it is


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["entry"].pop(2),
        lambda body: body["entry"].pop(4),
        lambda body: body["entry"].insert(0, body["entry"][4]),
        lambda body: body["entry"][2]["resource"].update(status="amended"),
        lambda body: body.pop("entry"),
    ],
)
@pytest.mark.parametrize("noted", [FIRST_OUT, SECOND_OUT])
def test_an_edit_moves_and_changes_nothing_that_is_not_read(change: Any, noted: PlacedNote) -> None:
    edited = changed(ONE, change)
    with pytest.raises(Refused, match=r"must stay as it is and where it is: Bundle\.entry\[2\]"):
        reading.check_places(ONE, edited, POSTED, (noted,))
    reading.check_places(ONE, edited, POSTED, ())


def test_an_edit_of_anything_else_is_free() -> None:
    edited = changed(ONE, lambda body: body["entry"][3]["resource"].update(status="amended"))
    reading.check_places(ONE, edited, POSTED, (FIRST_OUT,))
    reading.check_places(HL7, b"MSH|", FEED, (FIRST_OUT,))


# ---------------------------------------------------------------- in HL7 v2


def test_a_message_of_hl7_is_its_own_source() -> None:
    latin = msgspec.structs.replace(FEED, charset="8859/1")
    source = reading.in_hl7(kept(HL7, "myolis"), "OBX[1]", ("p:LABA|PT1",), {"myolis": latin}, FORM)
    assert source == (HL7, "8859/1", "OBX[1]")
    assert reading.naming_in_hl7(kept(HL7, "gone"), "p:LABA|PT1", {}) == HL7
    assert reading.naming_in_hl7(None, "p:LABA|PT1", {}) == b""
    assert reading.naming_in_hl7(kept(b""), "p:LABA|PT1", {}) == b""


def test_a_body_of_a_feed_that_is_gone_has_its_patient_under_the_system_itself() -> None:
    lane = f"p:{MRN}|PT1"
    source = reading.in_hl7(kept(ONE, "gone"), "Bundle.entry[3].resource", (lane,), {}, FORM)
    assert source.at == "OBX[2]"
    assert f"PID|1||PT1^^^&{MRN}&URI^MR|".encode() in source.raw
    with pytest.raises(Refused, match="another patient's"):
        reading.in_hl7(kept(ONE, "gone"), "Bundle.entry[3].resource", ("p:LABA|PT1",), {}, FORM)


def test_a_place_of_another_patient_or_of_nothing_is_no_source() -> None:
    feeds = {"posted": POSTED}
    for at, lane in (("Bundle.entry[6].resource", "p:LABA|PT1"), ("Bundle.entry[99].resource", "p:LABA|PT1")):
        with pytest.raises(Refused, match="not in its message"):
            reading.in_hl7(kept(TWO), at, (lane,), feeds, FORM)
    assert reading.in_hl7(kept(TWO), "Bundle.entry[6].resource", ("p:LABA|PT2",), feeds, FORM).at == "OBX[1]"


def test_a_result_that_is_not_read_is_no_source_either() -> None:
    with pytest.raises(Refused, match="not in its message"):
        reading.in_hl7(
            kept(ONE, notes=(FIRST_OUT,)), "Bundle.entry[2].resource", ("p:LABA|PT1",), {"posted": POSTED}, FORM
        )


def test_what_cannot_be_read_says_so_without_a_value() -> None:
    with pytest.raises(Refused, match="M7 cannot be read: ") as told:
        reading.in_hl7(kept(b"{"), "Bundle.entry[2].resource", ("p:LABA|PT1",), {"posted": POSTED}, FORM)
    assert "PT1" not in str(told.value)


def test_the_processing_id_of_the_feed_goes_with_it() -> None:
    trial = msgspec.structs.replace(POSTED, processing_id="T")
    source = reading.in_hl7(kept(ONE), "Bundle.entry[2].resource", ("p:LABA|PT1",), {"posted": trial}, FORM)
    assert b"|T|2.5.1|" in source.raw.split(b"\r")[0]


def test_a_body_that_says_who_a_patient_is_names_the_patient() -> None:
    named = reading.naming_in_hl7(kept(patient_alone("PT2")), "p:LABA|PT2", {"posted": POSTED})
    assert b"PID|1||PT2^^^LABA^MR||TEST^SYNTHETIC||19690417|M\r" in named


# ---------------------------------------------------------------- files


def test_suggestions_are_made_for_a_body_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(ONE)
    config = Config.model_validate({"feeds": {"posted": SECTION}, "knowledge": {"site": SITE}})
    found = {one.code.code: one for one in suggest_file(file, config)}
    assert set(found) == {"SRPB", "2157-6"}
    assert found["2157-6"].analyte == "CK"
    assert found["SRPB"].code.order == "Myositis"
