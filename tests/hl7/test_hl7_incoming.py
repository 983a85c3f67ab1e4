"""Reports: every field from 2.3.1 to 2.8.2 as its sender wrote it, held against hl7apy and python-hl7."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import hl7
import pytest
from hl7_messages import FEED, RECEIVED, wire
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.errors import Refuse
from labbridge.hl7 import escapes, incoming, structure
from labbridge.model.report import EntityId, Identifier, Observation, Order, Report, Specimen
from labbridge.model.values import Coding, Missing, SentAttachment, SentCoding, SentStructured, SentText, SentValue
from labbridge.model.work import Feed

MSH = "MSH|^~\\&|LIS|LAB|LABBRIDGE|LAB|20260418091500+0200||ORU^R01^ORU_R01|M1|P|2.5.1||||||UNICODE UTF-8"
PID = "PID|1||P1^^^LAB^MR||DOE^JO||19700101|F"


def reports(*segments: str, feed: Feed = FEED) -> list[Report]:
    return incoming.read_reports("\r".join((MSH, PID, *segments, "")).encode(), feed, RECEIVED)


def order(*segments: str) -> Order:
    return reports(*segments)[0].orders[0]


def obx(**fields: str) -> Observation:
    """One observation with these fields: f5="..." is OBX-5."""
    numbered = [fields.get(f"f{number}", "") for number in range(1, 26)]
    return order("OBR|1", "OBX|" + "|".join(numbered)).observations[0]


def text_of(name: str) -> list[Report]:
    return incoming.read_reports(wire(name), FEED, RECEIVED)


# ---------------------------------------------------------------- a panel in 2.5.1, field by field


@pytest.fixture(scope="module")
def panel() -> Report:
    found = text_of("panel-2.5.1")
    assert len(found) == 1
    return found[0]


def test_the_head_of_a_report(panel: Report) -> None:
    assert (panel.feed, panel.sender, panel.control_id) == ("north", "NORTHLIS|LABN", "NL20260418-0007")
    assert (panel.message_type, panel.version, panel.lane) == ("ORU^R01", "2.5.1", "p:LABN|88-1203")
    assert panel.sent is not None
    assert (panel.sent.text, panel.sent.moment.isoformat()) == (
        "20260418091500.250+0200", "2026-04-18T09:15:00.250000+02:00",
    )  # fmt: skip


def test_the_patient(panel: Report) -> None:
    patient = panel.patient
    assert patient.identifiers == (Identifier("LABN", "88-1203", "MR"), Identifier("REGION", "X900", "PI"))
    assert (patient.family_name, patient.given_name, patient.sex) == ("MÜLLER", "ERIKA", "F")
    assert patient.birth_date == date(1964, 2, 29)


def test_the_order(panel: Report) -> None:
    found = panel.orders[0]
    assert (found.at, found.status, found.clinical_info) == ("OBR[1]", "F", "statin since 2024")
    assert (found.placer, found.filler) == (EntityId("P4410", "NORTHOE"), EntityId("F4410", "NORTHLIS"))
    assert found.group == EntityId("G77", "NORTHOE")
    assert found.service == (Coding("MYO", "Myositis panel", "L"),)
    assert found.notes == ("Panel run on the new strip.",)
    times = (found.collected, found.received, found.reported)
    assert [time and time.text for time in times] == [
        "20260417073000+0200", "20260417101500+0200", "20260418091400+0200",
    ]  # fmt: skip


def test_raw_segments_are_the_senders_bytes(panel: Report) -> None:
    lines = wire("panel-2.5.1").split(b"\r")
    found = panel.orders[0]
    assert panel.raw_pid == lines[2]
    assert (found.raw_orc, found.raw_obr) == (lines[4], lines[5])
    everything = (*found.observations, *found.specimens[0].observations)
    assert [one.raw for one in everything] == [line for line in lines if line.startswith(b"OBX")]
    assert [one.at for one in everything] == [f"OBX[{number}]" for number in range(1, 10)]


def test_a_coded_result(panel: Report) -> None:
    found = panel.orders[0].observations[0]
    assert found.codes == (Coding("SRP-B", "anti-SRP (blot)", "L"), Coding("00000-0", "anti-SRP Ab", "LN"))
    codings = (Coding("POS", "Positive", "L"), Coding("260373001", "Detected", "SCT"))
    assert found.values == (SentCoding(codings, "strongly positive"),)
    assert (found.value_type, found.sub_id, found.status, found.missing) == ("CWE", "1", "F", None)
    assert found.flags == (Coding("A"),)
    assert found.methods == (Coding("LIA", "Line immunoassay", "L"), Coding("K7", "Kit seven", "L"))
    assert (found.equipment, found.laboratory) == (("STRIP01",), "Laboratory North")
    assert found.observed is not None
    assert found.analysed is not None
    assert (found.observed.text, found.analysed.text) == ("20260417073000+0200", "20260417150000+0200")
    assert found.notes == ("Band clearly visible.", "Read by two persons.\nStrip 14 & control line valid.")


def test_a_number_with_unit_range_and_a_long_status(panel: Report) -> None:
    found = panel.orders[0].observations[1]
    assert found.values == (SentText("3.1"),)
    assert found.unit == Coding("CU", "chemiluminescent unit", "L")
    assert (found.reference_range, found.status, found.status_text) == ("0-19", "F", "Final results")


def test_a_titre_a_pattern_and_a_text(panel: Report) -> None:
    titre, pattern, text = panel.orders[0].observations[2:5]
    assert titre.values == (SentStructured("<", "1", ":", "80"),)
    assert [value.codings[0].code for value in pattern.values if isinstance(value, SentCoding)] == ["AC-19", "AC-1"]
    assert pattern.status == "P"
    assert text.values == (SentText("Weak cytoplasm.\nPlease see ~ below."),)


def test_an_attachment_a_deletion_and_nothing(panel: Report) -> None:
    report, deleted, nothing = panel.orders[0].observations[5:8]
    assert report.values == (SentAttachment("ED", len("^application^pdf^Base64^QUJDRA==")),)
    assert (deleted.values, deleted.missing, deleted.status) == ((), Missing.NULL, "D")
    assert (nothing.values, nothing.missing, nothing.value_type) == ((), Missing.ABSENT, "")


def test_the_specimen_and_what_is_about_the_tube(panel: Report) -> None:
    (tube,) = panel.orders[0].specimens
    assert (tube.placer, tube.filler) == (EntityId("S100", "NORTHOE"), EntityId("S200", "NORTHLIS"))
    assert (tube.type, tube.role) == ((Coding("SER", "Serum", "HL70487"),), "P")
    assert tube.condition == (Coding("HEM", "Hemolyzed", "HL70493"),)
    assert tube.notes == ("drawn twice",)
    assert tube.collected is not None
    assert tube.received is not None
    assert (tube.collected.text, tube.received.text) == ("20260417073000+0200", "20260417101500+0200")
    assert [one.codes[0].code for one in tube.observations] == ["HIDX"]
    assert len(panel.orders[0].observations) == 8


# ---------------------------------------------------------------- other versions, delimiters, patients


def test_2_3_1_takes_the_specimen_from_obr_15_and_the_zone_from_the_feed() -> None:
    (report,) = text_of("panel-2.3.1")
    found = report.orders[0]
    assert (found.placer, found.filler) == (EntityId("900", "OE"), EntityId("901", "OLDLIS"))  # OBR-2 is `""`
    coded = (Coding("SER", "Serum", "HL70070"), Coding("HEP", "Lithium heparin", "L"))
    assert found.specimens == (Specimen(type=coded),)
    assert report.sent is not None
    assert found.collected is not None
    assert (report.sent.ambiguous, found.collected.ambiguous) == (False, True)
    (one,) = found.observations
    assert (one.codes, one.laboratory, one.value_type) == ((Coding("2157-6", "Creatine kinase", "LN"),), "LABO1", "NM")
    assert one.observed is not None
    assert (one.observed.has_time, one.observed.day) == (False, date(2025, 10, 26))


def test_2_8_2_keeps_the_whole_sub_id_three_codings_and_the_order_document_apart() -> None:
    (report,) = text_of("panel-2.8.2")
    found = report.orders[0]
    (one,) = found.observations
    assert one.at == "OBX[3]"  # OBX[1] is about the patient, OBX[2] is the order's document
    assert one.sub_id == "^1^2^1"
    assert one.codes == (Coding("SRP", "anti-SRP IgG", "L"), Coding("SRP2", "second alternate", "ORG"))
    assert (one.status, one.status_text) == ("F", "Final")
    assert one.flags == (Coding("NEG", "Negative", "HL70078"),)
    assert found.clinical_info == "seen #4 at clinic"
    (tube,) = found.specimens
    assert (tube.role, tube.placer, tube.filler) == ("Q", EntityId("T1", "OE"), EntityId())
    assert one.observed is not None
    assert one.observed.day == date(2026, 1, 9)


def test_other_delimiters_and_characters() -> None:
    (report,) = text_of("other-delimiters")
    found = report.orders[0]
    assert (report.patient.family_name, report.patient.given_name) == ("FOO|BAR", "ANNÉ")
    assert (found.placer.id, found.filler.id) == ("PL:1", "FL~1")
    assert found.service == (Coding("MYO", "Panel ^ one", "L"),)
    assert found.observations[0].values == (SentText("positive @ 1|2 \\ 3"),)
    assert found.observations[0].notes == ("Seen ! twice ~ once.",)
    assert "ANNÉ".encode("latin-1") in report.raw_pid


def test_groups_of_one_patient_are_one_report_and_lanes_are_those_of_the_envelope() -> None:
    found = text_of("two-patients-2.5.1")
    envelope = structure.read_structure(wire("two-patients-2.5.1"), FEED)
    assert tuple(report.lane for report in found) == envelope.lanes == ("p:LABN|88-1203", "p:LABN|77-0001")
    assert [[one.filler.id for one in report.orders] for report in found] == [["F1", "F3"], ["F2"]]
    assert all(one.status == "F" and one.reported is not None for report in found for one in report.orders)
    assert [one.at for report in found for one in report.orders] == ["OBR[1]", "OBR[3]", "OBR[2]"]


@pytest.mark.parametrize(
    ("before", "after"), [("19640229|F\rOBR|1|P3", "19640228|F\rOBR|1|P3"), ("F\rOBR|1|P3", "M\rOBR|1|P3")]
)
def test_groups_of_one_identifier_that_are_not_one_person_are_refused(before: str, after: str) -> None:
    raw = wire("two-patients-2.5.1").decode()
    assert before in raw
    with pytest.raises(Refuse) as fault:
        incoming.read_reports(raw.replace(before, after).encode(), FEED, RECEIVED)
    assert (fault.value.code, fault.value.location) == ("204", "PID^3^3")
    assert "88-1203" not in fault.value.text


def test_the_offset_of_msh_7_counts_for_times_without_one() -> None:
    found = order("OBR|1||F1|CK|||20261025023000")
    assert found.collected is not None
    assert (found.collected.moment.isoformat(), found.collected.ambiguous) == ("2026-10-25T02:30:00+02:00", False)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("value_type", "field", "wanted"),
    [
        ("NM", "812", SentText("812")), ("NM", "0 .07", SentText("0 .07")), ("NM", "1,5", SentText("1,5")),
        ("NM", "85^^Hexoquinasa^false", SentText("85^^Hexoquinasa^false")), ("ST", "<1:80", SentText("<1:80")),
        ("ST", "a\\F\\b\\T\\c", SentText("a|b&c")), ("ST", "\\Z03BC\\g", SentText("\\Z03BC\\g")),
        ("DT", "20260101", SentText("20260101")), ("IS", "Y", SentText("Y")), ("", "POS^Positive", SentText("POS^Positive")),
        ("foo", "x^y", SentText("x^y")), ("SN", "^1^:^320", SentStructured("", "1", ":", "320")),
        ("SN", ">^100", SentStructured(">", "100", "", "")), ("SN", "1:80", SentStructured("1:80", "", "", "")),
        ("SN", ">=^1^/^1280^x", SentStructured(">=", "1", "/", "1280")),
        ("CE", "POS", SentCoding((Coding("POS"),))), ("CE", "^positive", SentCoding((Coding("", "positive"),))),
        ("CWE^^HL70125", "N^no^HL70136", SentCoding((Coding("N", "no", "HL70136"),))),
        ("CWE", "^^^^^^^^weakly positive", SentCoding((), "weakly positive")),
        ("CNE", "A^B^C^D^E^F", SentCoding((Coding("A", "B", "C"), Coding("D", "E", "F")))),
        ("RP", "http://x^y", SentAttachment("RP", 10)), ("FT", "one\\.br\\two", SentText("one\ntwo")),
        ("TX", "one~two", SentText("one\ntwo")), ("CE", "µg\\S\\x^y", SentCoding((Coding("µg^x", "y"),))),
    ],
)  # fmt: skip
def test_a_value_as_sent(value_type: str, field: str, wanted: SentValue) -> None:
    found = obx(f2=value_type, f5=field)
    assert (found.values, found.missing) == ((wanted,), None)


def test_every_repetition_is_a_value() -> None:
    assert obx(f2="NM", f5="60~120").values == (SentText("60"), SentText("120"))
    assert obx(f2="SN", f5="^1^:^80~^1^:^160").values == (
        SentStructured("", "1", ":", "80"), SentStructured("", "1", ":", "160"),
    )  # fmt: skip


@pytest.mark.parametrize("field", ["", " ", "^", "^^^", "~", " ^ ", "&"])
@pytest.mark.parametrize("value_type", ["CWE", "ST", "TX", "SN", "NM", ""])
def test_nothing_but_delimiters_is_no_value(value_type: str, field: str) -> None:
    found = obx(f2=value_type, f5=field)
    assert (found.values, found.missing) == ((), Missing.ABSENT)


def test_the_null_deletes_a_value_and_is_no_text_anywhere_else() -> None:
    assert obx(f2="NM", f5='""').missing is Missing.NULL
    null = '""'
    found = obx(f3=null, f4=null, f5="1", f6=null, f7=null, f8=null, f11=null, f14=null, f15=null, f17=null, f18=null)
    bare = obx(f5="1")
    for name in ("codes", "sub_id", "unit", "reference_range", "flags", "status", "methods", "equipment", "laboratory"):
        assert getattr(found, name) == getattr(bare, name), name
    empty = order(f"OBR|1|{null}|F1|{null}|||||||||{null}||{null}||||||||||{null}", f"NTE|1|L|{null}")
    assert (empty.placer, empty.service, empty.clinical_info, empty.status) == (EntityId(), (), "", "")
    assert (empty.notes, empty.specimens) == ((), ())


@pytest.mark.parametrize(
    ("field", "name", "sent", "wanted"),
    [
        ("f8", "flags", "A~B", (Coding("A"), Coding("B"))), ("f8", "flags", ">^above^L", (Coding(">", "above", "L"),)),
        ("f11", "status", "F^Final^HL70085", "F"), ("f11", "status", "Z", "Z"), ("f11", "status", "unknown", "unknown"),
        ("f7", "reference_range", "(<9.9)", "(<9.9)"), ("f7", "reference_range", "99^to\\T\\99", "99^to&99"),
        ("f6", "unit", "U/L^^UCUM", Coding("U/L", "", "UCUM")), ("f6", "unit", "[arb'U]", Coding("[arb'U]")),
        ("f18", "equipment", "A^LIS~B^LIS", ("A", "B")), ("f18", "equipment", "^LIS", ("LIS",)),
        ("f15", "laboratory", "17^North lab", "17"), ("f15", "laboratory", "^North lab", "North lab"),
        ("f23", "laboratory", "North^L", "North"), ("f4", "sub_id", "a\\S\\b", "a^b"),
        ("f3", "codes", "^^^2157-6^CK^LN", (Coding("2157-6", "CK", "LN"),)), ("f3", "codes", "", ()),
        ("f3", "codes", "x" * 500, (Coding("x" * 500),)), ("f17", "methods", "LIA~", (Coding("LIA"),)),
        ("f14", "observed", "junk", None), ("f19", "analysed", "20260230", None),
    ],
)  # fmt: skip
def test_a_field_of_an_observation(field: str, name: str, sent: str, wanted: object) -> None:
    assert getattr(obx(f2="ST", f5="x", **{field: sent}), name) == wanted


@pytest.mark.parametrize(
    ("segment", "wanted"),
    [
        ("OBR|1|A^OE|F1", EntityId("A", "OE")), ("OBR|1|A^^1.2.3^ISO|F1", EntityId("A", "1.2.3")),
        ("OBR|1||F1", EntityId("OC", "OE")), ('OBR|1|""|F1', EntityId("OC", "OE")), ("OBR|1|^OE|F1", EntityId("OC", "OE")),
    ],
)  # fmt: skip
def test_the_placer_number_is_that_of_obr_else_of_orc(segment: str, wanted: EntityId) -> None:
    assert order("ORC|RE|OC^OE|F1", segment).placer == wanted


def test_clinical_information_in_both_shapes() -> None:
    assert order("OBR|1||F|CK|||||||||weak \\T\\ tired").clinical_info == "weak & tired"
    assert order("OBR|1||F|CK|||||||||M60.9^Myositis^I10~R53^Fatigue^I10").clinical_info == "Myositis; Fatigue"


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("SER", (Coding("SER"),)), ("&Serum", (Coding("", "Serum"),)), ("SER^HEP", (Coding("SER"), Coding("HEP"))),
        ("^HEP&Heparin", (Coding("HEP", "Heparin"),)), ("^^left arm", ()),
    ],
)  # fmt: skip
def test_the_specimen_source_of_old_orders(field: str, wanted: tuple[Coding, ...]) -> None:
    found = order("OBR|1||F|CK|||||||||||" + field)
    assert found.specimens == ((Specimen(type=wanted),) if wanted else ())


@pytest.mark.parametrize("count", range(1, 14))
def test_a_coded_value_of_any_length(count: int) -> None:
    (value,) = obx(f2="CWE", f5="^".join(f"c{number}" for number in range(1, count + 1))).values
    assert isinstance(value, SentCoding)
    assert len(value.codings) == (1 if count < 4 else 2 if count < 10 else 3)
    assert value.original_text == ("c9" if count >= 9 else "")


def test_a_specimen_number_with_a_universal_id() -> None:
    spm = "SPM|1|&OE^S7&&1.2.840&ISO||SER||||||||1.5^mL&milliliter&UCUM"
    found = order("OBR|1||F", spm, "NTE|1|L|Clotted").specimens[0]
    assert (found.volume, found.volume_unit) == ("1.5", "mL")
    assert (found.placer, found.filler, found.notes) == (EntityId("", "OE"), EntityId("S7", "1.2.840"), ("Clotted",))
    assert not found.placer


def test_notes_stay_with_the_segment_before_them() -> None:
    found = order(
        "OBR|1||F", "NTE|1|L|order", "OBX|1|ST|A||x", "NTE|1|L|one~more", "NTE|2|L|", "NTE|3", "OBX|2|ST|B||y",
        "ZXX|1", "NTE|1|L|after a segment nobody knows",
    )  # fmt: skip
    assert found.notes == ("order",)
    assert [one.notes for one in found.observations] == [("one\nmore",), ()]


def test_refused_as_receive_would() -> None:
    with pytest.raises(Refuse) as fault:
        incoming.read_reports(f"{MSH}\r{PID}\rOBX|1|ST|A||x\r".encode(), FEED, RECEIVED)
    assert fault.value.code == "100"


# ---------------------------------------------------------------- properties and other readers

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40)


@settings(max_examples=150, deadline=None)
@given(TEXT, TEXT, TEXT)
def test_any_text_comes_out_as_it_went_in(value: str, display: str, note: str) -> None:
    sent = [escapes.encode(one) for one in (value, display, note)]
    found = order(
        "OBR|1||F", f"OBX|1|ST|A||x{sent[0]}", f"NTE|1|L|n{sent[2]}", f"OBX|2|CE|B||c^d{sent[1]}"
    ).observations
    assert found[0].values == (SentText("x" + value),)
    assert found[0].notes == ("n" + note,)
    assert found[1].values == (SentCoding((Coding("c", "d" + display),)),)


FIELD = st.text('0123456789aB^~&\\.F "|+-:', max_size=15)


@settings(max_examples=200, deadline=None)
@given(st.lists(FIELD, min_size=5, max_size=24), st.sampled_from(["SN", "CWE", "CE", "NM", "TX", "ED", "", "XX"]))
def test_no_field_ends_the_reading(fields: list[str], value_type: str) -> None:
    fields[1] = value_type
    found = order("OBR|" + "|".join(fields), "OBX|" + "|".join(fields), "SPM|" + "|".join(fields))
    assert len(found.observations) == 1
    assert (found.observations[0].missing is None) == bool(found.observations[0].values)
    assert len(found.specimens) == 1


def _flat(value: SentValue) -> str:
    if isinstance(value, SentCoding):
        return value.codings[0].code
    if isinstance(value, SentStructured):
        return "^".join((value.comparator, value.num1, value.separator, value.num2))
    return value.text if isinstance(value, SentText) else ""


def test_hl7apy_reads_the_same_codes_values_units_and_statuses() -> None:
    parsed = parse_message(wire("panel-2.5.1").decode(), validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False)
    theirs = {}
    for segment in parsed.children:
        if segment.name == "OBX":
            first = segment.obx_5[0].to_er7().split("~")[0] if segment.obx_5 else ""
            theirs[segment.obx_1.value] = (
                segment.obx_3.obx_3_1.value,
                first,
                segment.obx_6.obx_6_1.value if segment.obx_6 else "",
                segment.obx_11.value.split("^")[0],
            )
    (report,) = text_of("panel-2.5.1")
    found = report.orders[0]
    compared = 0
    for number, one in enumerate((*found.observations, *found.specimens[0].observations), 1):
        code, value, unit, status = theirs[str(number)]
        assert one.codes[0].code == code
        assert (one.unit.code if one.unit else "") == unit
        assert one.status == status
        if one.values and one.value_type not in ("ED", "TX"):
            mine = _flat(one.values[0])
            assert mine == (value.split("^")[0] if one.value_type == "CWE" else value)
            compared += 1
    assert compared == 5


def test_python_hl7_reads_the_same_notes_and_times() -> None:
    parsed = hl7.parse(wire("panel-2.5.1").decode())
    (report,) = text_of("panel-2.5.1")
    found = report.orders[0]
    notes = [parsed.unescape(str(one[3]), app_map={".br": "\n"}) for one in parsed.segments("NTE")]
    assert notes == [*found.notes, *(note for one in found.observations for note in one.notes)]
    for one, segment in zip(found.observations, parsed.segments("OBX"), strict=False):
        theirs = str(segment[14]) if len(segment) > 14 else ""
        assert (one.observed.text if one.observed else "") == theirs


def test_the_corpus_reads_without_a_crash(corpus: Path) -> None:
    """Every ORU file of the corpus: read, or refused; nothing else may happen."""
    files = sorted(path for path in corpus.rglob("*") if path.suffix in (".hl7", ".txt") and path.is_file())
    read = refused = 0
    for path in files:
        raw = path.read_bytes()
        if b"MSH|" not in raw[:2000]:
            continue
        message = raw[raw.index(b"MSH|") :]
        for charset in ("", "UNICODE UTF-8", "8859/1"):
            try:
                found = incoming.read_reports(message, Feed(name="c", charset=charset, processing_id="P"), RECEIVED)
            except Refuse:
                refused += 1
                continue
            read += 1
            assert all(
                one.raw.upper().startswith(b"OBX") for report in found for o in report.orders for one in o.observations
            )
    assert read > 0
    assert refused > 0
