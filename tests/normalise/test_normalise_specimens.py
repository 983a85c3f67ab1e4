"""The tube of an order: its material, what a test is validated on, its quality, and controls (clinical.md C1.3, C1.4,
C10.11; standards.md 2.2, 2.8)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pytest
from panels import FEED, RECEIVED, ck, codes_of, knowledge, local, obx, one, read, report, tube

from labbridge.knowledge.build import build
from labbridge.knowledge.documents import Source
from labbridge.model.report import EntityId, Observation, Order, Specimen, Timestamp
from labbridge.model.result import Material
from labbridge.model.values import Coding, SentCoding, SentText
from labbridge.normalise import Normaliser, specimens
from labbridge.normalise.specimens import Tube
from labbridge.sources import read_folder, shipped

SERUM, HEPARIN, OTHER_PLASMA = Material.SERUM, Material.HEPARIN_PLASMA, Material.OTHER_PLASMA
OTHER, UNSTATED = Material.OTHER, Material.UNSTATED


def of(*sent: Specimen) -> Tube:
    return specimens.tube(Order(at="OBR[1]", specimens=sent), knowledge().terminology, Decimal(0))


def typed(code: str, display: str = "", system: str = "") -> Specimen:
    return Specimen(type=(Coding(code, display, system),))


def noted(text: str) -> dict[str, Specimen]:
    """A serum with this text in each place where a laboratory may write it."""
    kind = (Coding("SER", "Serum"),)
    return {
        "a note": Specimen(type=kind, notes=("received late", text)),
        "the condition": Specimen(type=kind, condition=(Coding("X", text),)),
        "the condition's code": Specimen(type=kind, condition=(Coding(text),)),
        "an observation of the tube": Specimen(type=kind, observations=(obx(local("COND"), text),)),
        "a note of such a one": Specimen(type=kind, observations=(obx(local("COND"), "3", notes=(text,)),)),
    }


# ---------------------------------------------------------------- material


@pytest.mark.parametrize(
    ("code", "display", "material"),
    [
        ("SER", "", SERUM), ("ser", "", SERUM), ("", "Serum", SERUM), ("", "  SÉRUM ", SERUM), ("119364003", "", SERUM),
        ("serum", "S", SERUM), ("heparin_plasma", "", HEPARIN), ("", "Lithium heparin plasma", HEPARIN),
        ("", "EDTA plasma", OTHER_PLASMA), ("EDTA", "", OTHER_PLASMA), ("", "citrate plasma", OTHER_PLASMA),
        ("", "Oxalate plasma", OTHER_PLASMA), ("", "fluoride plasma", OTHER_PLASMA), ("CSF", "", OTHER),
        ("", "Cerebrospinal fluid", OTHER), ("UR", "", OTHER), ("", "urine", OTHER), ("", "effusion", OTHER),
        ("", "saliva", OTHER), ("BLD", "", UNSTATED), ("", "blood", UNSTATED), ("", "serum/plasma", UNSTATED),
        ("PLAS", "", UNSTATED), ("", "plasma", UNSTATED), ("", "", UNSTATED), ("TUBE7", "gold top", UNSTATED),
    ],
)  # fmt: skip
def test_a_material_by_code_or_by_word(code: str, display: str, material: Material) -> None:
    assert of(typed(code, display)).material is material


@pytest.mark.parametrize(
    ("code", "display", "material"),
    [
        ("SER", "CSF", OTHER), ("CSF", "Serum", OTHER), ("SER", "EDTA plasma", OTHER_PLASMA),
        ("EDTA", "urine", OTHER), ("SER", "heparin plasma", HEPARIN), ("SER", "gold top", SERUM), ("BLD", "serum", SERUM),
    ],
)  # fmt: skip
def test_where_code_and_word_disagree_the_worse_is_taken(code: str, display: str, material: Material) -> None:
    """A result that might be of the wrong material is no result; it is asked for again (C1.3)."""
    assert of(typed(code, display)).material is material


def test_alternate_codings_of_one_specimen_are_read_as_well() -> None:
    both = Specimen(type=(Coding("T9", "yellow tube", "L"), Coding("119364003", "Serum specimen", "SCT")))
    assert (of(both).material, of(both).text) == (SERUM, "yellow tube")


def test_the_text_is_what_people_read() -> None:
    assert of(typed("SER", "Serum, gel")).text == "Serum, gel"
    assert of(typed("SER")).text == "SER"
    assert of(Specimen()).text == ""


def test_an_order_without_any_specimen_states_nothing() -> None:
    assert of() == Tube()
    assert (of().material, of().poor, of().control) == (UNSTATED, False, False)


@pytest.mark.parametrize("first", [Specimen(), typed("BLD"), typed("T9", "gold top")])
def test_the_specimen_that_states_a_material_is_the_orders(first: Specimen) -> None:
    found = of(first, typed("SER", "second"), typed("CSF", "third"))
    assert (found.material, found.text) == (SERUM, "second")


def test_where_none_states_a_material_the_first_is_the_orders() -> None:
    assert of(typed("T9", "gold top"), typed("BLD", "blood")).text == "gold top"


def test_the_tube_keeps_its_number_and_its_times() -> None:
    drawn, came = (Timestamp("t", datetime(2026, 11, day, tzinfo=UTC), date(2026, 11, day)) for day in (8, 9))
    both = Specimen(placer=EntityId("P1", "W"), filler=EntityId("F1", "LIS"), collected=drawn, received=came)
    found = of(both)
    assert (found.id, found.collected, found.received) == (EntityId("F1", "LIS"), drawn, came)
    assert of(Specimen(placer=EntityId("P1", "W"))).id == EntityId("P1", "W")
    assert of(Specimen()).id == EntityId()


# ---------------------------------------------------------------- what a test is validated on

SHEET: dict[str, tuple[Observation, str]] = {
    "SRP": (obx(local("SRPB"), "14"), "serum"),
    "HMGCR": (obx(local("HMGCRC"), "3"), "serum"),
    "HEp-2": (obx(local("ANAS"), "Negative"), "serum"),
    "another antibody": (obx((Coding("99069-7", "Jo-1", "LN"),), "Negative"), "serum"),
    "CK": (ck("312"), "serum heparin_plasma"),
    "creatinine": (obx((Coding("14682-9", "Creatinine", "LN"),), "61", unit=Coding("umol/L")), "serum heparin_plasma"),
}


@pytest.mark.parametrize("name", SHEET)
@pytest.mark.parametrize("kind", ["serum", "heparin_plasma", "edta_plasma", "citrate plasma", "csf", "urine"])
def test_the_materials_of_the_specification(name: str, kind: str) -> None:
    """C1.3: antibodies and HEp-2 on serum; CK and creatinine on serum or heparin plasma; nothing else."""
    observation, valid = SHEET[name]
    assert one(observation, specimens=(tube(kind),)).material_validated is (kind in valid.split())


@pytest.mark.parametrize("name", SHEET)
@pytest.mark.parametrize("kind", ["blood", "plasma", "serum/plasma", "", "no such tube"])
def test_a_material_that_is_not_stated_makes_no_result_invalid(name: str, kind: str) -> None:
    """C10.11: SPECIMEN_INVALID needs a stated unsuitable material."""
    observation, _valid = SHEET[name]
    assert one(observation, specimens=(tube(kind),)).material_validated
    assert one(observation).material_validated


def test_a_site_adds_a_material_for_one_test_only() -> None:
    text = "- {id: own, analyte: SRP, material: heparin_plasma, source: us}\n"
    site = [Source(one.name, one.text, site=True) for one in read_folder(shipped().parent / "samples/site")]
    ours = [*read_folder(shipped()), *site, Source("specimens-validated.yaml", text, site=True)]
    built, faults = build(ours)
    assert faults == []
    lines = (SHEET["SRP"][0], obx(local("HMGCRC"), "3", at="OBX[2]"))
    found, _notes = Normaliser(built)(report(*lines, specimens=(tube("heparin_plasma"),)), FEED, RECEIVED, "M1")
    assert [(one.analyte.value, one.material_validated) for one in found.results] == [("SRP", True), ("HMGCR", False)]


def test_each_order_has_the_material_of_its_own_tube() -> None:
    sent = report(ck("312"), specimens=(tube("edta_plasma"),))
    other = report(ck("90", at="OBX[2]"), at="OBR[2]", specimens=(tube("serum"),))
    both = msgspec.structs.replace(sent, orders=sent.orders + other.orders)
    found, _notes = Normaliser(knowledge())(both, FEED, RECEIVED, "M1")
    assert [(one.ref, one.material, one.material_validated) for one in found.results] == [
        ("M1:OBX[1]", OTHER_PLASMA, False), ("M1:OBX[2]", SERUM, True),
    ]  # fmt: skip


# ---------------------------------------------------------------- quality

GROSS = ["Gross haemolysis", "GROSS HEMOLYSIS!", "grossly haemolysed", "Grossly hemolyzed, please repeat", "gross lipaemia",
         "Grossly lipaemic serum", "Gross lipemia", "grossly lipemic",
         "No gross icterus, gross haemolysis", "gross  icterus", "sample grossly icteric."]  # fmt: skip


@pytest.mark.parametrize("text", GROSS)
@pytest.mark.parametrize("place", list(noted("")))
def test_a_poor_specimen_is_seen_wherever_it_is_written(text: str, place: str) -> None:
    assert of(noted(text)[place]).poor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "slight haemolysis",
        "haemolysis index 2",
        "haemolysed",
        "gross",
        "engross haemolysis",
        "icterus",
        "lipaemia +",
        "No gross haemolysis",
        "Clear, without gross lipemia.",
        "not grossly icteric",
    ],
)
@pytest.mark.parametrize("place", list(noted("")))
def test_less_than_gross_is_no_poor_specimen(text: str, place: str) -> None:
    assert not of(noted(text)[place]).poor


def test_a_note_under_the_order_speaks_of_its_tube() -> None:
    found, _notes = read(ck("1"), obx(local("SRPB"), "58", at="OBX[2]"), notes=("Specimen grossly haemolysed.",))
    assert [one.quality_poor for one in found.results] == [True, True]
    found, _notes = read(ck("1"), notes=("No gross haemolysis.",), specimens=(typed("SER"),))
    assert [one.quality_poor for one in found.results] == [False]


def test_a_coded_observation_of_the_tube_is_read_as_its_text() -> None:
    coded = SentCoding((Coding("HEM4", "Gross hemolysis", "L"),))
    assert of(Specimen(observations=(obx(local("SPQ"), coded),))).poor


def test_two_notes_are_not_read_as_one_sentence() -> None:
    assert not of(Specimen(notes=("gross", "haemolysis"))).poor


def test_the_quality_of_another_tube_does_not_count() -> None:
    poor, sound = noted("gross haemolysis")["a note"], typed("SER")
    assert not of(sound, poor).poor
    assert of(poor, sound).poor


def test_a_note_under_one_result_is_of_that_result() -> None:
    found, _notes = read(ck("312", notes=("gross haemolysis",)), obx(local("SRPB"), "14", at="OBX[2]"))
    assert {one.analyte.value: one.quality_poor for one in found.results} == {"CK": True, "SRP": False}


def test_a_poor_tube_is_of_every_result_of_its_order() -> None:
    tubes = (noted("gross lipaemia")["the condition"],)
    found, _notes = read(ck("312"), obx(local("SRPB"), "14", at="OBX[2]"), specimens=tubes)
    assert [one.quality_poor for one in found.results] == [True, True]


@pytest.mark.parametrize(
    ("volume", "empty"),
    [
        ("0", True),
        ("0.0", True),
        ("0,00", True),
        ("", False),
        ("0.5", False),
        ("10", False),
        ("QNS", False),
        (".", False),
    ],
)
def test_a_tube_whose_volume_was_sent_as_0_is_used_up(volume: str, empty: bool) -> None:
    sent = Specimen(type=(Coding("SER"),), volume=volume, volume_unit="mL")
    assert of(sent).empty is empty
    found, _notes = read(ck("312"), specimens=(sent,))
    assert [one.used_up for one in found.results] == [empty]


@pytest.mark.parametrize(
    ("volume", "unit", "empty"),
    [
        ("0.29", "mL", True),
        ("0,29", "ml", True),
        ("0.3", "mL", False),
        ("299", "uL", True),
        ("300", "µL", False),
        ("0.0002", "L", True),
        ("0.1", "tube", False),
        ("0", "tube", True),
        ("1e-9", "mL", False),
        ("0.1 mL", "mL", False),
    ],
)
def test_less_than_a_further_test_needs_is_used_up(volume: str, unit: str, empty: bool) -> None:
    """A site that has said how much that is; a unit that is not known says nothing of what is left."""
    sent = Order(at="OBR[1]", specimens=(Specimen(type=(Coding("SER"),), volume=volume, volume_unit=unit),))
    assert specimens.tube(sent, knowledge().terminology, Decimal("0.3")).empty is empty


# ---------------------------------------------------------------- controls


@pytest.mark.parametrize(
    ("role", "control"), [("Q", True), ("q", True), ("B", True), ("P", False), ("", False), ("QC", False)]
)
def test_a_control_is_known_by_its_role(role: str, control: bool) -> None:
    assert of(Specimen(type=(Coding("SER"),), role=role)).control is control


def test_a_control_among_a_patients_orders_takes_only_its_own_with_it() -> None:
    control = report(ck("999"), specimens=(tube("serum", role="Q"),))
    patient = report(ck("90", at="OBX[2]"), at="OBR[2]", specimens=(tube("serum", role="P"),))
    both = msgspec.structs.replace(control, orders=control.orders + patient.orders)
    found, notes = Normaliser(knowledge())(both, FEED, RECEIVED, "M1")
    assert [one.value_text for one in found.results] == ["90"]
    assert [(one.code, one.at) for one in notes] == [("N108", "OBR[1]")]


def test_a_control_of_something_else_is_not_remarked() -> None:
    sodium = obx((Coding("NA", "Sodium", "L"),), SentText("140"))
    found, notes = read(sodium, specimens=(tube("serum", role="Q"),))
    assert (found.results, codes_of(notes)) == ((), set())
    assert [one.code for one in found.unmapped] == ["NA"]
