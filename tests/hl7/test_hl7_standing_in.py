"""A report of another wire as the HL7 v2 message that it would have been: read back it is the same report, its patient has
the same lane, and an answer made from it is valid for every receiver."""

from __future__ import annotations

from datetime import UTC, date
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hl7_messages import HOSTILE, MODES, NOW, RECEIVED, VERSIONS, receiver
from hypothesis import given
from hypothesis import strategies as st

from labbridge import times
from labbridge.errors import Refused
from labbridge.hl7 import conformance, incoming, reader, standing_in, structure
from labbridge.hl7.outgoing import Letter, comment_message, specimen
from labbridge.hl7.standing_in import STATUSES, Paper, StandIn, written
from labbridge.model.lanes import lane_of
from labbridge.model.report import EntityId, Identifier, Observation, Order, Patient, Report, Specimen, Timestamp
from labbridge.model.values import Coding, Missing, SentAttachment, SentCoding, SentStructured, SentText
from labbridge.model.work import Feed
from labbridge.sources import load

PARIS = ZoneInfo("Europe/Paris")
FEED = Feed(name="posted", timezone="Europe/Paris")
MRN = "https://laba.example/mrn"
TAKEN = times.timestamp("2026-11-10T09:15:00+01:00", PARIS)
BLOT = Observation(
    at="Bundle.entry[2].resource",
    codes=(Coding("SRPB", "Anti-SRP (line blot)", "L"),),
    value_type="NM",
    values=(SentText("58"),),
    unit=Coding("U/mL", "U/mL", "http://unitsofmeasure.org"),
    reference_range="0-5",
    flags=(Coding("POS", "Positive", "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"),),
    status="final",
    methods=(Coding("LIA", "Line immunoassay", "https://laba.example/methods"),),
    equipment=("BlueDiver",),
    observed=TAKEN,
    analysed=TAKEN,
    laboratory="Laboratory A",
    notes=("Repeated.\nSame result.",),
)
TUBE = Specimen(
    filler=EntityId("S1", "https://laba.example/specimen"),
    type=(Coding("SER", "Serum", "http://terminology.hl7.org/CodeSystem/v2-0487"),),
    collected=TAKEN,
)
ORDER = Order(
    at="Bundle.entry[5].resource",
    placer=EntityId("P1", "https://laba.example/placer"),
    filler=EntityId("F1", "MYOLIS"),
    service=(Coding("MYO", "Myositis", "L"),),
    collected=TAKEN,
    reported=times.timestamp("2026-11-10T12:00:00.12Z", PARIS),
    observations=(BLOT,),
    specimens=(TUBE,),
)
REPORT = Report(
    feed="posted",
    sender="MYOLIS|LABA",
    control_id="https://laba.example/bundle|B1",
    message_type="FHIR transaction",
    version="4.0",
    sent=times.timestamp("2026-11-13T12:00:00+01:00", PARIS),
    lane="p:LABA|PT1",
    patient=Patient(
        identifiers=(Identifier("LABA", "PT1", "MR"), Identifier(MRN, "9", "PI")),
        family_name="O'TEST & SON",
        given_name="SYNTHETIC",
        birth_date=date(1969, 4, 17),
        sex="M",
    ),
    orders=(ORDER,),
)


def read(found: StandIn, feed: Feed = FEED) -> Report:
    (only,) = incoming.read_reports(found.raw, feed, RECEIVED)
    return only


def with_result(**changes: object) -> Report:
    one = msgspec.structs.replace(BLOT, **changes)
    return msgspec.structs.replace(REPORT, orders=(msgspec.structs.replace(ORDER, observations=(one,)),))


def test_to_the_byte() -> None:
    found = written(REPORT)
    assert found.raw.decode() == (
        "MSH|^~\\&|MYOLIS|LABA|||20261113120000+0100||ORU^R01^ORU_R01|https://laba.example/bundle\\F\\B1|P|2.5.1||||||"
        "UNICODE UTF-8\r"
        "PID|1||PT1^^^LABA^MR~9^^^&https://laba.example/mrn&URI^PI||O'TEST \\T\\ SON^SYNTHETIC||19690417|M\r"
        "ORC|RE|P1^^https://laba.example/placer^URI|F1^MYOLIS\r"
        "OBR|1|P1^^https://laba.example/placer^URI|F1^MYOLIS|MYO^Myositis^L|||20261110091500+0100|||||||||||||||"
        "20261110120000.12+0000\r"
        "OBX|1|NM|SRPB^Anti-SRP (line blot)^L||58|U/mL^U/mL^UCUM|0-5|POS|||F|||20261110091500+0100|^Laboratory A||"
        "LIA^Line immunoassay^https://laba.example/methods|BlueDiver|20261110091500+0100\r"
        "NTE|1|L|Repeated.\\.br\\Same result.\r"
        "SPM|1|^S1&&https://laba.example/specimen&URI||SER^Serum^HL70487|||||||||||||20261110091500+0100\r"
    )
    assert found.places == {"Bundle.entry[2].resource": "OBX[1]"}


# ---------------------------------------------------------------- there and back

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text and text != '""'
)
codes = st.builds(
    Coding,
    texts,
    st.one_of(st.just(""), texts),
    st.sampled_from(["", "L", "LN", "https://laba.example/codes", "urn:oid:1.2"]),
)
codings = st.lists(codes, min_size=1, max_size=2).map(tuple)
numbers = st.decimals(0, 10_000, places=2).map(lambda number: f"{number:f}")
entities = st.one_of(
    st.just(EntityId()),
    st.builds(EntityId, texts, st.sampled_from(["", "MYOLIS", "https://laba.example/x", "urn:oid:1.2"])),
)
moments = st.one_of(
    st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(date.isoformat),
    st.datetimes(timezones=st.just(UTC)).filter(lambda one: one.year > 1900).map(
        lambda one: f"{one:%Y-%m-%dT%H:%M:%S}.{one.microsecond // 1000:03}+05:30"
    ),
).map(lambda text: times.timestamp(text, PARIS))  # fmt: skip
stamps = st.one_of(st.none(), moments)
values = st.one_of(
    numbers.map(lambda number: ("NM", (SentText(number),))),
    texts.map(lambda text: ("ST", (SentText(text),))),
    st.builds(SentStructured, st.sampled_from(["", "<", ">="]), numbers, st.sampled_from(["", ":", "-"]), numbers).map(
        lambda value: ("SN", (value,))
    ),
    st.builds(SentCoding, codings, st.one_of(st.just(""), texts)).map(lambda value: ("CWE", (value,))),
)


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    kind, value = draw(values)
    return Observation(
        at=draw(st.uuids()).hex,
        codes=draw(codings),
        sub_id=draw(st.one_of(st.just(""), texts)),
        value_type=kind,
        values=value,
        unit=draw(st.one_of(st.none(), codes)),
        reference_range=draw(st.one_of(st.just(""), texts)),
        flags=tuple(Coding(one) for one in draw(st.lists(texts, unique=True, max_size=2))),
        status=draw(st.sampled_from(["F", "C", "P"])),
        methods=tuple(draw(st.lists(codes, max_size=5))),
        equipment=tuple(draw(st.lists(texts, max_size=2))),
        observed=draw(stamps),
        analysed=draw(stamps),
        laboratory=draw(st.one_of(st.just(""), texts)),
        notes=tuple(draw(st.lists(texts, max_size=2))),
    )


specimens = st.builds(
    Specimen,
    placer=entities,
    filler=entities,
    type=codings,
    condition=st.lists(codes, max_size=3).map(tuple),
    notes=st.lists(texts, max_size=1).map(tuple),
    volume=numbers,
    volume_unit=texts,
    collected=stamps,
    received=stamps,
)
orders = st.builds(
    Order,
    at=st.uuids().map(str),
    placer=entities,
    filler=entities,
    group=entities,
    service=codings,
    collected=stamps,
    received=stamps,
    reported=stamps,
    clinical_info=st.one_of(st.just(""), texts),
    status=st.sampled_from(["", "F", "C"]),
    notes=st.lists(texts, max_size=2).map(tuple),
    observations=st.lists(observations(), max_size=3).map(tuple),
    specimens=st.lists(specimens, max_size=1).map(tuple),
)
people = st.builds(
    Patient,
    identifiers=st.lists(
        st.builds(Identifier, st.sampled_from(["LABA", MRN, "A B"]), texts, st.sampled_from(["", "MR", "PI", "NI"])),
        min_size=1,
        max_size=3,
    ).map(tuple),
    family_name=st.one_of(st.just(""), texts),
    given_name=st.one_of(st.just(""), texts),
    birth_date=st.one_of(st.none(), st.dates(date(1, 1, 1))),
    sex=st.sampled_from(["", "F", "M", "O", "U"]),
)  # fmt: skip


def _time(sent: Timestamp | None) -> object:
    """The picture is another one; what it names is not."""
    return sent and (sent.moment.astimezone(UTC), sent.day, sent.has_time)


def plain(order: Order) -> object:
    """An order without its places, its bytes and the pictures of its times."""
    nowhere = msgspec.structs.replace(
        order, at="", raw_orc=b"", raw_obr=b"", collected=None, received=None, reported=None
    )
    of_order = [_time(one) for one in (order.collected, order.received, order.reported)]
    results = [
        (
            msgspec.structs.replace(one, at="", raw=b"", observed=None, analysed=None, value_type="", flag_texts=()),
            _time(one.observed),
            _time(one.analysed),
        )
        for one in order.observations
    ]
    tubes = [
        (msgspec.structs.replace(one, collected=None, received=None), _time(one.collected), _time(one.received))
        for one in order.specimens
    ]
    return msgspec.structs.replace(nowhere, observations=(), specimens=()), of_order, results, tubes


@given(people, st.lists(orders, min_size=1, max_size=2).map(tuple))
def test_what_is_read_back_is_the_same_report(who: Patient, sent: tuple[Order, ...]) -> None:
    report = msgspec.structs.replace(REPORT, patient=who, orders=sent)
    found = written(report)
    again = read(found)
    assert again.patient == who
    assert [plain(order) for order in again.orders] == [plain(order) for order in sent]
    assert (again.sender, _time(again.sent)) == (report.sender, _time(report.sent))
    there = {one.at: one for order in again.orders for one in order.observations}
    results = [one for order in sent for one in order.observations]
    assert [there[found.places[one.at]].values for one in results] == [one.values for one in results]
    assert len(there) == len(results) == len(found.places)


@given(people)
def test_the_patient_has_the_lane_of_the_report(who: Patient) -> None:
    found = written(msgspec.structs.replace(REPORT, patient=who))
    assert structure.read_structure(found.raw, FEED).lanes == (lane_of(who.identifiers),)


def test_a_number_without_an_authority_is_not_given_the_senders_facility() -> None:
    """PT1 of nobody is another patient than PT1 of LABA."""
    who = msgspec.structs.replace(REPORT.patient, identifiers=(Identifier("", "PT1", "MR"),))
    assert structure.read_structure(written(msgspec.structs.replace(REPORT, patient=who)).raw, FEED).lanes == (
        "p:|PT1",
    )


@pytest.mark.parametrize("text", [*(one for one in HOSTILE if one.strip()), '""', '"', "a\n\nb", "x" * 500])
def test_no_text_makes_a_segment_or_gets_lost(text: str) -> None:
    raw = written(with_result(value_type="ST", values=(SentText(text),), notes=(), reference_range=text)).raw
    assert [one.name for one in reader.read(raw).segments] == ["MSH", "PID", "ORC", "OBR", "OBX", "SPM"]
    (one,) = read(StandIn(raw, {})).orders[0].observations
    assert (one.values, one.reference_range) == ((SentText(text),), text)
    assert one.value_type == ("FT" if "\n" in text or len(text) > 199 else "ST")


# ---------------------------------------------------------------- what FHIR says otherwise


def test_every_status_means_in_hl7_what_it_meant_in_fhir() -> None:
    words = load("").terminology.words.result_statuses
    for sent, code in STATUSES.items():
        assert words.get(code) == words.get(sent), sent
        assert read(written(with_result(status=sent))).orders[0].observations[0].status == code


def test_systems_have_the_names_of_their_table() -> None:
    sent = (
        "http://loinc.org",
        "http://snomed.info/sct",
        "http://terminology.hl7.org/CodeSystem/v2-0078",
        "urn:oid:1.2",
    )
    names = ("LN", "SCT", "HL70078", "urn:oid:1.2")
    for system, name in zip(sent, names, strict=True):
        found = read(written(with_result(codes=(Coding("1", "one", system),))))
        assert found.orders[0].observations[0].codes == (Coding("1", "one", name),)


def test_of_three_codings_the_laboratorys_own_stays() -> None:
    three = (Coding("1", "one", "http://loinc.org"), Coding("2", "two", "urn:oid:1.2"), Coding("SRPB", "blot", "L"))
    found = read(written(with_result(codes=three))).orders[0].observations[0]
    assert found.codes == (Coding("SRPB", "blot", "L"), Coding("1", "one", "LN"))


def test_numbers_bear_the_names_the_site_gave_their_systems() -> None:
    found = read(written(REPORT, Paper(names={"https://laba.example/placer": "MYOCLIN"})))
    assert (found.orders[0].placer, found.orders[0].filler) == (EntityId("P1", "MYOCLIN"), EntityId("F1", "MYOLIS"))


@pytest.mark.parametrize(
    ("missing", "values", "field"),
    [
        (Missing.ABSENT, (), ""),
        (Missing.NULL, (), '""'),
        (None, (SentAttachment("SampledData", 900),), ""),
    ],
)
def test_what_was_not_sent_or_is_elsewhere_has_no_value(
    missing: Missing | None, values: tuple[SentAttachment, ...], field: str
) -> None:
    raw = written(with_result(missing=missing, values=values)).raw
    assert reader.read(raw).all("OBX")[0].field(5) == field


@pytest.mark.parametrize(
    ("sent", "picture"),
    [
        ("2026-11-10", "20261110"),
        ("2026-11-10T09:15:00Z", "20261110091500+0000"),
        ("2026-11-10T09:15:00.123456789-03:30", "20261110091500.1234-0330"),
        ("2026-11-10T09:15:00", "20261110091500+0100"),
        ("2026-07-10T09:15", "202607100915+0200"),
        ("20261110", "20261110"),
        ("202611100915+0100", "202611100915+0100"),
    ],
)
def test_a_time_keeps_its_precision_and_names_its_offset(sent: str, picture: str) -> None:
    found = times.timestamp(sent, PARIS)
    assert found is not None
    assert times.as_dtm(found) == picture


# ---------------------------------------------------------------- what is answered


def letter(at: str) -> Letter:
    return Letter(
        at=at, lanes=("p:LABA|PT1",), text="Anti-SRP positive.\nRetest.", sub_id="LB1", correction=False,
        signer="Alex Smith", control_id="LBC-1", now=NOW,
    )  # fmt: skip


VALUES = {
    "number": ("NM", (SentText("58"),)),
    "words": ("ST", (SentText("positive"),)),
    "prose": ("ST", (SentText("y" * 250 + "\nMore."),)),
    "titre": ("SN", (SentStructured("<", "1", ":", "80"),)),
    "code": ("CWE", (SentCoding((Coding("10828004", "Positive", "http://snomed.info/sct"),), "Positiv"),)),
    "nothing": ("NM", ()),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
def test_a_comment_on_it_is_valid_for_every_receiver(mode: str, version: str) -> None:
    """Of what the echo alone holds, every kind of value."""
    for kind, (type, values) in VALUES.items() if mode == "nte" else [("number", VALUES["number"])]:
        report = with_result(value_type=type, values=values)
        named = msgspec.structs.replace(
            report.orders[0], service=(Coding("MYO", "Myositis", "https://laba.example/codes"),)
        )
        found = written(msgspec.structs.replace(report, orders=(named,)), Paper(version=version))
        told = letter(found.places["Bundle.entry[2].resource"])
        raw = comment_message(found.raw, "", receiver(mode=mode, version=version), told)
        assert conformance.judge(raw, told.text, version) == [], kind


def test_the_echo_is_what_was_written() -> None:
    found = written(REPORT)
    raw = comment_message(found.raw, "", receiver(mode="nte"), letter("OBX[1]"))
    sent, echoed = reader.read(found.raw), reader.read(raw)
    assert echoed.all("OBX")[0].text == sent.all("OBX")[0].text
    assert [one.text for one in echoed.all("NTE")][:1] == [one.text for one in sent.all("NTE")]
    assert specimen(found.raw, "", letter("OBX[1]")) == "|S1"


def test_it_is_written_in_the_receivers_characters_or_not_at_all() -> None:
    found = written(with_result(equipment=("Gerät",)), Paper(charset="8859/1"))
    assert "Gerät".encode("latin-1") in found.raw
    assert read(found).orders[0].observations[0].equipment == ("Gerät",)
    with pytest.raises(Refused, match=r"The receiver's character set 8859/1 has no U\+03BA"):
        written(with_result(equipment=("κ",)), Paper(charset="8859/1"))
    with pytest.raises(Refused, match="The character set KLINGON of the receiver is not known here"):
        written(REPORT, Paper(charset="KLINGON"))


def test_a_patient_without_a_number_is_not_written() -> None:
    with pytest.raises(Refused, match="The message names no patient"):
        written(msgspec.structs.replace(REPORT, patient=Patient()))


def test_one_that_says_who_a_patient_is_says_no_more() -> None:
    found = written(msgspec.structs.replace(REPORT, identity=True, orders=()))
    assert found.raw.decode().split("\r")[1:] == [
        "EVN||20261113120000+0100",
        "PID|1||PT1^^^LABA^MR~9^^^&https://laba.example/mrn&URI^PI||O'TEST \\T\\ SON^SYNTHETIC||19690417|M",
        "",
    ]
    again = read(found)
    assert (again.identity, again.patient, again.lane) == (True, REPORT.patient, "p:LABA|PT1")
    assert standing_in.PLAIN.version == "2.5.1"
