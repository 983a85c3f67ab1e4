"""Results as laboratories send them, and what they mean: code, name and unit together; method; value; limits; status."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from panels import CK, COLLECTED, FEED, RECEIVED, UL, ck, codes_of, local, obx, one, read, results, tube

from labbridge.knowledge.build import build
from labbridge.knowledge.documents import Source
from labbridge.model.report import EntityId, Specimen, Timestamp
from labbridge.model.result import Analyte, Category, ContextKind, Family, Hep2Class, Material, Problem, Status
from labbridge.model.values import (
    Coding,
    Comparator,
    Grade,
    Missing,
    Quantity,
    SentCoding,
    SentStructured,
    SentText,
    Titre,
    Word,
)
from labbridge.normalise import Normaliser
from labbridge.sources import read_folder, shipped

# ---------------------------------------------------------------- which analyte


@pytest.mark.parametrize(
    "codings",
    [
        (Coding("2157-6", "Creatine kinase", "LN"),),
        (Coding("2157-6", "CK Total", "LOINC"),),
        (Coding("2157-6", "", "LN"),),
        (Coding("2157-6", "Creatine kinase", "2.16.840.1.113883.6.1"),),
        (Coding("CKX", "whatever", "L"), Coding("2157-6", "CPK", "LN")),
    ],
)
def test_ck_by_its_public_code_with_a_name_that_agrees(codings: tuple[Coding, ...]) -> None:
    found = one(obx(codings, "312", unit=UL))
    assert found.analyte is Analyte.CK


@pytest.mark.parametrize(
    ("codings", "unit", "note"),
    [
        ((Coding("2157-6", "CK_MB", "LN"),), "ng/mL", "N102"),
        ((Coding("2157-6", "Creatine kinase-MB", "LN"),), "U/L", "N102"),
        ((Coding("2157-6", "Hemoglobin", "LN"),), "g/dL", "N102"),
        ((Coding("2157-6", "Cardiac enzymes panel", "LN"),), "", "N102"),
        ((Coding("2157-6", "Creatine kinase", "LN"),), "ng/mL", "N102"),
        ((Coding("2157-6", "Guatemalan", "2.16.840.1.113883.6.238"),), "", ""),
        ((Coding("8061-4", "C3 complement", "LN"),), "", "N102"),
        ((Coding("5048-4", "Anti-dsDNA", "LN"),), "IU/mL", "N102"),
    ],
)
def test_a_code_that_name_or_unit_contradict_is_kept_and_not_interpreted(
    codings: tuple[Coding, ...], unit: str, note: str
) -> None:
    found, notes = read(obx(codings, "9.7", unit=Coding(unit) if unit else None))
    assert found.results == ()
    assert len(found.unmapped) == 1
    assert [one.may_be for one in found.unmapped] == [""]
    assert codes_of(notes) - {"N012"} == ({note} if note else set())


@pytest.mark.parametrize("codings", [(Coding("13969-1", "CK-MB", "LN"),), (Coding("50756-6", "CK mass", "LN"),)])
def test_a_code_that_a_table_names_as_another_analyte_is_not_listed(codings: tuple[Coding, ...]) -> None:
    found, _notes = read(obx(codings, "9.7", unit=Coding("ng/mL")))
    assert (found.results, found.unmapped) == ((), ())


@pytest.mark.parametrize(
    ("codings", "unit", "analyte", "notes"),
    [
        ((Coding("2157-6", "Creatine kinase", ""),), "U/L", Analyte.CK, {"N111"}),
        ((Coding("SRP", "anti-SRP IgG", "L"),), "", Analyte.SRP, {"N111"}),
        ((Coding("", "anti-SRP", ""),), "", Analyte.SRP, {"N111"}),
        ((Coding("33921-8", "SRP Ab", "LN"), Coding("93493-5", "HMGCR IgG", "LN")), "", None, {"N102", "N111"}),
    ],
)
def test_a_code_that_may_be_ours_is_a_result_that_holds(
    codings: tuple[Coding, ...], unit: str, analyte: Analyte | None, notes: set[str]
) -> None:
    found, told = read(obx(codings, "9.7", unit=Coding(unit) if unit else None))
    (result,) = found.results
    assert result.analyte is analyte or (analyte is None and result.analyte in (Analyte.SRP, Analyte.HMGCR))
    assert Problem.CODE_UNMAPPED in result.problems
    assert [one.may_be for one in found.unmapped] == [result.analyte.value]
    assert codes_of(told) - {"N012", "N201", "N207"} == notes


def test_a_sender_knows_its_own_codes_and_nobody_elses() -> None:
    assert one(obx(local("SRPB"), "14")).analyte is Analyte.SRP
    from panels import normaliser, report

    stranger = msgspec.structs.replace(report(obx(local("SRPB"), "14")), sender="OTHER|LAB")
    found, _notes = normaliser()(stranger, FEED, RECEIVED, "M1")
    assert found.results == ()
    assert [(one.system, one.code, one.may_be) for one in found.unmapped] == [("L", "SRPB", "")]


def test_other_myositis_antibodies_are_kept_by_antigen() -> None:
    found = one(obx((Coding("8076-2", "Jo-1 Ab", "LN"),), "Positive", methods=(Coding("", "line blot"),)))
    assert (found.analyte, found.antigen, found.synthetase) == (Analyte.OTHER_MSA, "JO1", True)


# ---------------------------------------------------------------- which method


@pytest.mark.parametrize(
    ("observation", "code", "family", "source", "manufacturer"),
    [
        (obx(local("SRPB"), "14"), "line_blot", Family.BLOT, "local code", "euroimmun"),
        (
            obx(local("SRPB"), "14", methods=(Coding("E", "EUROLINE Myositis"),)),
            "line_blot",
            Family.BLOT,
            "OBX-17",
            "euroimmun",
        ),
        (
            obx(local("SRPB"), "14", methods=(Coding("D", "D-tek BlueDiver"),)),
            "dot_blot",
            Family.BLOT,
            "OBX-17",
            "dtek",
        ),
        (obx(local("SRPE"), "0.4", methods=(Coding("ELISA", ""),)), "elisa", Family.QUANT, "OBX-17", ""),
        (obx(local("HMGCRC"), "3"), "clia", Family.QUANT, "local code", "werfen"),
        (
            obx((Coding("33921-8", "SRP Ab", "LN"),), "1", methods=(Coding("", "Qualitative Immunoprecipitation"),)),
            "ip_protein",
            Family.IP,
            "OBX-17",
            "",
        ),
        (
            obx((Coding("33921-8", "SRP Ab", "LN"),), "1", equipment=("EUROLINE reader",)),
            "line_blot",
            Family.BLOT,
            "kit name",
            "euroimmun",
        ),
        (obx((Coding("53011-3", "SRP Ab IF titer", "LN"),), "1:80"), "tissue_iif", Family.TISSUE, "LOINC", ""),
        (obx((Coding("33921-8", "SRP Ab by line blot", "LN"),), "1"), "line_blot", Family.BLOT, "test name", ""),
        (ck("312"), "enzymatic", Family.ENZYMATIC, "analyte", ""),
    ],
)
def test_the_method_and_how_we_know_it(
    observation: object, code: str, family: Family, source: str, manufacturer: str
) -> None:
    found = one(observation)  # type: ignore[arg-type]
    assert found.method is not None
    assert (found.method.code, found.method.family) == (code, family)
    assert (found.method.source, found.method.manufacturer) == (source, manufacturer)


def test_a_feeds_default_stands_for_a_method_nobody_named() -> None:
    feed = msgspec.structs.replace(FEED, default_method={"SRP": "line_blot"})
    found = one(obx((Coding("33921-8", "SRP Ab", "LN"),), "14"), feed=feed)
    assert found.method is not None
    assert found.method.source == "feed default"


def test_an_antibody_without_any_method_is_not_guessed() -> None:
    found = one(obx((Coding("33921-8", "SRP Ab", "LN"),), "Positive"))
    assert found.method is None
    assert found.problems == (Problem.METHOD_UNKNOWN,)


@pytest.mark.parametrize(
    ("code", "name", "method"),
    [("47383-5", "Nuclear Ab by immunoassay", ""), ("8061-4", "ANA", "ELISA"), ("8061-4", "ANA", "CTD screen (EliA)")],
)
def test_an_ana_without_hep2_cells_is_a_solid_phase_screen(code: str, name: str, method: str) -> None:
    found = one(obx((Coding(code, name, "LN"),), "Negative", methods=(Coding("", method),) if method else ()))
    assert found.method is not None
    assert found.method.family is Family.SOLID_PHASE_ANA
    assert found.hep2 is None


# ---------------------------------------------------------------- values and units


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("312", "U/L", "312"),
        ("95", "µkat/L", "5700"),
        ("95", "μkat/L", "5700"),
        ("95", "ukat/L", "5700"),
        ("3.2", "µkat/l", "192.0"),
        ("1000", "nkat/L", "60.00"),
        ("2", "kU/L", "2000"),
        ("96", "UI/L", "96"),
        ("12,5", "U/L", "12.5"),
    ],
)
def test_ck_in_its_canonical_unit(value: str, unit: str, expected: str) -> None:
    found = one(obx(CK, value, unit=Coding(unit)))
    assert found.value == Quantity(Decimal(expected), "U/L")


@pytest.mark.parametrize("unit", ["", "ľkat/l", "mmol/L", "u", "kat/L", "U / L"])
def test_an_unknown_unit_of_ck_is_never_guessed(unit: str) -> None:
    found = one(obx(CK, "312", unit=Coding(unit) if unit else None))
    assert found.problems == (Problem.UNIT_UNKNOWN,)
    assert isinstance(found.value, Quantity)
    assert found.value.unit == unit


def test_the_ratio_to_the_limit_does_not_depend_on_the_unit() -> None:
    in_units = one(obx(CK, "5700", unit=UL, reference_range="39-190"))
    in_katals = one(obx(CK, "95", unit=Coding("ukat/L"), reference_range="0.65-3.1666666667"))
    assert isinstance(in_units.value, Quantity)
    assert isinstance(in_katals.value, Quantity)
    assert in_units.upper_limit is not None
    assert in_katals.upper_limit is not None
    one_ratio = in_units.value.number / in_units.upper_limit
    assert round(one_ratio, 6) == round(in_katals.value.number / in_katals.upper_limit, 6)


@pytest.mark.parametrize(
    ("value", "problem", "note"),
    [
        ("FOO", Problem.VALUE_UNREADABLE, "N201"),
        ("1,234", Problem.VALUE_AMBIGUOUS, "N202"),
        ("-5", Problem.VALUE_IMPLAUSIBLE, ""),
        ("1000001", Problem.VALUE_IMPLAUSIBLE, ""),
        ("Positive", Problem.VALUE_UNREADABLE, "N201"),
        ("1:320", Problem.VALUE_UNREADABLE, "N201"),
    ],
)
def test_a_ck_that_cannot_be_read_or_cannot_be_true(value: str, problem: Problem, note: str) -> None:
    found, notes = read(ck(value))
    assert found.results[0].problems == (problem,)
    assert codes_of(notes) == ({note} if note else set())


def test_the_largest_plausible_ck_is_a_value() -> None:
    assert one(ck("1000000")).problems == ()
    assert one(ck("0")).value == Quantity(Decimal(0), "U/L")


@pytest.mark.parametrize("value", [Missing.ABSENT, Missing.NULL])
def test_no_value_is_neither_zero_nor_negative(value: Missing) -> None:
    found = one(obx(CK, value, unit=UL))
    assert found.value is value
    assert found.problems == ()


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        ("Negative", Grade.NEG),
        ("négatif", Grade.NEG),
        ("NEGATIV", Grade.NEG),
        ("not detected", Grade.NEG),
        ("nicht nachweisbar", Grade.NEG),
        ("(+)", Grade.EQUIVOCAL),
        ("Borderline", Grade.EQUIVOCAL),
        ("douteux", Grade.EQUIVOCAL),
        ("+", Grade.POS_LOW),
        ("schwach positiv", Grade.POS_LOW),
        ("Positive", Grade.POSITIVE),
        ("++", Grade.POS_STRONG),
        ("+++", Grade.POS_STRONG),
        ("fort positif", Grade.POS_STRONG),
    ],
)
def test_results_in_words(value: str, grade: Grade) -> None:
    found = one(obx(local("SRPB"), value))
    assert found.value == Word(grade, value)
    assert found.grade is grade
    assert found.lab_negative is (grade is Grade.NEG)


@pytest.mark.parametrize("value", ["pending?", "see note", "Negative-ish", "positive?"])
def test_words_that_are_not_in_the_table_mean_nothing(value: str) -> None:
    found = one(obx(local("SRPB"), value))
    assert found.problems == (Problem.VALUE_UNREADABLE,)
    assert found.grade is None


def test_coded_values_mean_what_their_system_says() -> None:
    coded = SentCoding((Coding("260385009", "Negative", "SCT"),))
    assert one(obx(local("SRPB"), coded)).grade is Grade.NEG
    elsewhere = SentCoding((Coding("260385009", "Something", "L"),))
    assert one(obx(local("SRPB"), elsewhere)).grade is None


def test_number_and_word_of_one_field_complete_each_other_and_never_contradict() -> None:
    agreeing = msgspec.structs.replace(obx(local("SRPB"), "14"), values=(SentText("14"), SentText("weak positive")))
    found = one(agreeing)
    assert found.value == Quantity(Decimal(14), "")
    assert found.grade is Grade.POS_LOW
    contradicting = msgspec.structs.replace(agreeing, values=(SentText("14"), SentText("15")))
    assert one(contradicting).problems == (Problem.VALUE_UNREADABLE,)


def test_comparators_are_kept() -> None:
    found = one(ck(SentStructured("<", "7", "", "")))
    assert found.value == Quantity(Decimal(7), "U/L", Comparator.LESS)


# ---------------------------------------------------------------- limits


def bands(observation: object) -> list[tuple[Category, Decimal, bool]]:
    found = one(observation)  # type: ignore[arg-type]
    assert found.limits is not None
    return [(band.category, band.low, band.above_only) for band in found.limits.bands]


def test_a_blot_has_its_familys_bands() -> None:
    assert bands(obx(local("SRPB"), "14")) == [
        (Category.EQUIVOCAL, Decimal(6), False),
        (Category.POS_LOW, Decimal(11), False),
        (Category.POS_STRONG, Decimal(26), False),
    ]


@pytest.mark.parametrize(
    ("sent", "low", "above_only", "strong"),
    [
        ("<20", "20", False, "60"),
        ("0-19", "19", True, "57"),
        ("<=1.0", "1.0", True, "3.0"),
        ("", "20.0", False, "60.0"),
    ],
)
def test_a_cut_off_sent_with_a_quantitative_result_beats_the_kits(
    sent: str, low: str, above_only: bool, strong: str
) -> None:
    assert bands(obx(local("HMGCRC"), "100", unit=Coding("CU"), reference_range=sent)) == [
        (Category.POS_LOW, Decimal(low), above_only),
        (Category.POS_STRONG, Decimal(strong), False),
    ]


def test_a_quantitative_assay_without_any_cut_off_has_no_limits() -> None:
    assert one(obx(local("SRPE"), "0.4")).problems == (Problem.LIMITS_MISSING,)


@pytest.mark.parametrize(
    ("value", "sent", "flag", "differ"),
    [
        ("8", "0-10", "", True),
        ("8", "0-5", "", False),
        ("14", "0-10", "", False),
        ("3", "0-10", "", False),
        ("3", "0-2", "", True),
        ("8", "", "N", True),
        ("8", "", "A", False),
        ("3", "", "POS", True),
        ("3", "", "", False),
    ],
)
def test_our_category_must_not_contradict_the_laboratorys_own(value: str, sent: str, flag: str, differ: bool) -> None:
    flags = (Coding(flag),) if flag else ()
    found, notes = read(obx(local("SRPB"), value, reference_range=sent, flags=flags))
    assert (Problem.LIMITS_DIFFER in found.results[0].problems) is differ
    assert ("N107" in codes_of(notes)) is differ


@pytest.mark.parametrize(
    ("sent", "sex", "born", "upper", "assumed"),
    [
        ("39-190", "F", date(1971, 2, 5), "190", False),
        ("<190", "M", date(1971, 2, 5), "190", False),
        ("", "F", date(1971, 2, 5), "207", True),
        ("", "M", date(1990, 2, 5), "395", True),
        ("", "M", date(1976, 11, 9), "340", True),
        ("", "M", date(1976, 11, 10), "395", True),
        ("", "U", date(1990, 2, 5), "395", True),
        ("", "", None, "395", True),
        ("", "F", date(2012, 1, 1), "345", True),
        ("", "M", date(2012, 1, 1), "870", True),
        ("", "F", date(2008, 11, 9), "207", True),
        ("", "F", date(2008, 11, 10), "345", True),
        ("0-0", "F", date(1971, 2, 5), "207", True),
        ("0-49", "F", date(1971, 2, 5), "207", True),
        ("0-50", "F", date(1971, 2, 5), "50", False),
        ("0-2000", "F", date(1971, 2, 5), "2000", False),
        ("0-2001", "F", date(1971, 2, 5), "207", True),
        ("40-250", "M", date(2017, 1, 1), "250", False),
        ("40-250", "M", date(2026, 6, 1), "250", False),
    ],
)
def test_the_upper_limit_of_ck(sent: str, sex: str, born: date | None, upper: str, assumed: bool) -> None:
    found, notes = read(ck("312", reference_range=sent), sex=sex, born=born)
    result = found.results[0]
    assert result.upper_limit == Decimal(upper)
    assert result.upper_limit_assumed is assumed
    assert ("N207" in codes_of(notes)) is assumed


@pytest.mark.parametrize(("born", "upper"), [(date(1971, 2, 5), Decimal(207)), (date(2026, 6, 1), None)])
def test_a_lower_limit_sent_alone_is_kept_and_is_no_unusable_upper_limit(born: date, upper: Decimal | None) -> None:
    found, notes = read(ck("12", reference_range=">=26"), born=born)
    assert (found.results[0].lower_limit, found.results[0].upper_limit) == (Decimal(26), upper)
    assert "N109" not in codes_of(notes)


def test_blanks_around_a_unit_are_no_part_of_it() -> None:
    found = one(ck("312", unit=Coding(" U/L ")))
    assert found.value == Quantity(Decimal(312), "U/L")
    assert found.unit_text == "U/L"


def test_an_infant_without_a_sent_limit_has_none() -> None:
    assert one(ck("312", reference_range=""), born=date(2026, 6, 1)).upper_limit is None


# ---------------------------------------------------------------- HEp-2


def hep2(*observations: object, **more: object) -> object:
    return one(*observations, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("screen", "titre", "pattern", "expected"),
    [
        ("Negative", "<1:80", "AC-0", Hep2Class.NEG),
        ("Negative", "", "", Hep2Class.NEG),
        ("", "<1:80", "", Hep2Class.NEG),
        ("Positive", "1:320", "AC-19", Hep2Class.CYTO_COMPAT),
        ("Positive", "1:320", "AC-20 cytoplasmic fine speckled", Hep2Class.CYTO_COMPAT),
        ("Negative", "", "AC-19", Hep2Class.CYTO_COMPAT),
        ("Positive", "1:640", "AC-4 nuclear fine speckled", Hep2Class.NUCLEAR),
        ("Positive", "1:640", "AC-1", Hep2Class.NUCLEAR),
        ("Positive", "1:640", "AC-21", Hep2Class.CYTO_OTHER),
        ("Positive", "1:640", "AC-26", Hep2Class.NUCLEAR),
        ("Positive", "1:640", "AC-4; AC-19", Hep2Class.CYTO_COMPAT),
        ("Positive", "1:160", "Fine granular cytoplasmic in a minority of cells", Hep2Class.CYTO_COMPAT),
        ("Positive", "1:160", "diffuse cytoplasmic fluorescence", Hep2Class.CYTO_COMPAT),
        ("Positive", "1:160", "cytoplasmic, mitochondrial, dense", Hep2Class.CYTO_OTHER),
        ("Positive", "1:160", "cytoplasmic speckled", Hep2Class.CYTO_OTHER),
        ("Positive", "1:160", "zytoplasmatisch dicht fein gesprenkelt", Hep2Class.CYTO_COMPAT),
        ("Positive", "1:160", "Nuclear homogeneous, no cytoplasmic staining", Hep2Class.NUCLEAR),
        ("Positive", "1:160", "pas de fluorescence cytoplasmique; mouchete", Hep2Class.NUCLEAR),
        ("Positive", "1:160", "cytoplasm: negative; nucleolar", Hep2Class.NUCLEAR),
        ("Positive", "", "", Hep2Class.UNSPECIFIED),
        ("", "1:320", "", Hep2Class.UNSPECIFIED),
    ],
)
def test_the_observations_of_an_order_are_one_finding(
    screen: str, titre: str, pattern: str, expected: Hep2Class
) -> None:
    lines = [
        obx(local(code), value, at=f"OBX[{number}]")
        for number, (code, value) in enumerate((("ANAS", screen), ("ANAT", titre), ("ANAP", pattern)), 1)
        if value
    ]
    found = one(*lines)
    assert found.hep2 is not None
    assert found.hep2.pattern is expected
    assert found.ref == f"M1:{lines[0].at}"


def test_a_note_outranks_the_screens_negative() -> None:
    noted = obx(local("ANAS"), "Négatif", notes=("Fluorescence cytoplasmique finement granuleuse, titre 1/320",))
    found = one(noted)
    assert found.hep2 is not None
    assert found.hep2.pattern is Hep2Class.CYTO_COMPAT
    assert found.value == Titre(Decimal(320))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SentStructured("", "1", ":", "320"), Titre(Decimal(320))),
        (SentStructured("<", "1", ":", "80"), Titre(Decimal(80), Comparator.LESS)),
        ("320", Titre(Decimal(320))),
        ("1/320", Titre(Decimal(320))),
    ],
)
def test_titres_in_every_shape(value: str | SentStructured, expected: Titre) -> None:
    assert one(obx(local("ANAT"), value)).value == expected


def test_a_bare_cytoplasm_is_not_described_further() -> None:
    found = one(obx(local("ANAS"), "Positive"), obx(local("ANAP"), "cytoplasmic", at="OBX[2]"))
    assert found.hep2 is not None
    assert (found.hep2.pattern, found.hep2.pattern_stated) == (Hep2Class.CYTO_OTHER, False)


def test_codes_are_listed_as_they_were_sent() -> None:
    found = one(obx(local("ANAP"), "AC-4 and ac 19"))
    assert found.hep2 is not None
    assert found.hep2.codes == ("AC-4", "AC-19")


# ---------------------------------------------------------------- status, specimen, times


@pytest.mark.parametrize(
    ("code", "status"),
    [(code, Status.FINAL) for code in "FUBV"]
    + [(code, Status.CORRECTED) for code in "CA"]
    + [(code, Status.PENDING) for code in "PRSI"]
    + [(code, Status.CANCELLED) for code in "XNO"]
    + [(code, Status.WITHDRAWN) for code in "DW"]
    + [(code, Status.UNKNOWN) for code in ("Z", "unknown", "f")],
)
def test_the_status_of_a_result(code: str, status: Status) -> None:
    found = one(ck("312", status=code))
    assert found.status is status
    assert (Problem.STATUS_UNKNOWN in found.problems) is (status is Status.UNKNOWN)


@pytest.mark.parametrize(
    ("order", "default", "status"),
    [
        ("F", "hold", Status.FINAL),
        ("C", "hold", Status.CORRECTED),
        ("A", "hold", Status.UNKNOWN),
        ("", "hold", Status.UNKNOWN),
        ("", "final", Status.FINAL),
        ("A", "final", Status.FINAL),
    ],
)
def test_an_empty_status_is_the_orders_else_the_feeds(order: str, default: str, status: Status) -> None:
    feed = msgspec.structs.replace(FEED, empty_status=default)
    found, notes = read(ck("312", status=""), feed=feed, status=order)
    assert found.results[0].status is status
    assert "N012" in codes_of(notes)


@pytest.mark.parametrize(
    ("code", "value", "takes"), [("U", "", True), ("B", "", True), ("V", "", True), ("U", "5", False), ("F", "", False)]
)
def test_a_status_that_finalises_the_stored_value(code: str, value: str, takes: bool) -> None:
    assert one(ck(value, status=code)).takes_stored_value is takes


@pytest.mark.parametrize(
    ("kind", "material", "valid"),
    [
        ("serum", Material.SERUM, True),
        ("SER", Material.SERUM, True),
        ("csf", Material.OTHER, False),
        ("edta_plasma", Material.OTHER_PLASMA, False),
        ("heparin_plasma", Material.HEPARIN_PLASMA, True),
        ("blood", Material.UNSTATED, True),
        ("plasma", Material.UNSTATED, True),
        ("something new", Material.UNSTATED, True),
    ],
)
def test_the_material_of_a_ck(kind: str, material: Material, valid: bool) -> None:
    found = one(ck("312"), specimens=(tube(kind),))
    assert (found.material, found.material_validated, found.material_text) == (material, valid, kind)


def test_heparin_plasma_is_not_validated_for_an_antibody() -> None:
    assert not one(obx(local("SRPB"), "14"), specimens=(tube("heparin_plasma"),)).material_validated


def test_without_a_specimen_the_usual_one_is_assumed() -> None:
    assert one(ck("312")).material is Material.UNSTATED


@pytest.mark.parametrize("role", ["Q", "B", "C", "E", "F", "G", "L", "O", "R", "V"])
def test_a_control_specimen_is_never_interpreted(role: str) -> None:
    found, notes = read(ck("312"), specimens=(tube("serum", role=role),))
    assert found.results == ()
    assert "N108" in codes_of(notes)


def test_a_patients_specimen_is() -> None:
    assert len(results(ck("312"), specimens=(tube("serum", role="P"),))) == 1


@pytest.mark.parametrize("where", ["condition", "notes", "observation"])
def test_gross_haemolysis_is_seen_wherever_it_is_noted(where: str) -> None:
    text = "Gross haemolysis"
    fields = {"condition": {"condition": (Coding("", text),)}, "notes": {"notes": (text,)}, "observation": {}}[where]
    line = ck("312", notes=(text,)) if where == "observation" else ck("312")
    assert one(line, specimens=(tube("serum", **fields),)).quality_poor


@pytest.mark.parametrize(
    ("reason", "ana"), [("Cancelled: ANA negative", True), ("not enough serum", False), ("Annulé, AAN négatifs", True)]
)
def test_a_cancellation_that_names_the_ana(reason: str, ana: bool) -> None:
    assert one(obx(local("SRPB"), "", status="X", notes=(reason,))).cancelled_for_ana is ana
    assert not one(obx(local("SRPB"), "Negative", notes=(reason,))).cancelled_for_ana


def stamp(moment: datetime) -> Timestamp:
    return Timestamp(text="t", moment=moment, day=moment.date())


def test_the_collection_time_comes_from_the_specimen_then_the_order_then_the_result() -> None:
    early = stamp(datetime(2026, 11, 1, tzinfo=UTC))
    assert one(ck("1"), specimens=(Specimen(collected=early),)).collected == early
    assert one(ck("1")).collected == COLLECTED
    assert one(ck("1", observed=early), collected=None).collected == early
    found, notes = read(ck("1"), collected=None, received=early)
    assert (found.results[0].collected, found.results[0].collected_estimated) == (early, True)
    assert "N204" in codes_of(notes)


@pytest.mark.parametrize(
    ("hours", "problem", "note"), [(-1, False, False), (1, False, True), (24, False, True), (25, True, False)]
)
def test_collected_after_it_was_received(hours: int, problem: bool, note: bool) -> None:
    found, notes = read(ck("1"), collected=stamp(RECEIVED + timedelta(hours=hours)))
    assert (Problem.VALUE_IMPLAUSIBLE in found.results[0].problems) is problem
    assert ("N203" in codes_of(notes)) is note


def test_a_collection_ahead_of_the_receipt_is_told_once_per_order() -> None:
    ahead = stamp(RECEIVED + timedelta(hours=1))
    _found, notes = read(ck("1"), ck("2"), collected=ahead)
    assert [one.at for one in notes if one.code == "N203"] == ["OBR[1]"]
    _found, notes = read(ck("1", observed=ahead), ck("2", observed=stamp(RECEIVED)), collected=None)
    assert [one.at for one in notes if one.code == "N203"] == ["OBR[1]"]


@pytest.mark.parametrize("hours", [1, 25])
def test_each_result_is_judged_by_its_own_time_where_the_order_has_none(hours: int) -> None:
    ahead = stamp(RECEIVED + timedelta(hours=hours))
    for first, second in ((ahead, stamp(RECEIVED)), (stamp(RECEIVED), ahead)):
        found, _notes = read(ck("1", observed=first), ck("2", observed=second), collected=None)
        assert [one.collected for one in found.results] == [first, second]
        assert [Problem.VALUE_IMPLAUSIBLE in one.problems for one in found.results] == [
            one is ahead and hours > 24 for one in (first, second)
        ]


@pytest.mark.parametrize(
    ("born", "problem"),
    [(date(2026, 11, 9), False), (date(2026, 11, 10), True), (date(1906, 11, 9), False), (date(1905, 11, 9), True)],
)
def test_an_age_that_cannot_be_true(born: date, problem: bool) -> None:
    assert (Problem.VALUE_IMPLAUSIBLE in one(ck("1"), born=born).problems) is problem


def test_the_key_stays_the_same_over_the_versions_of_a_result() -> None:
    first, second = one(obx(local("SRPB"), "55")), one(obx(local("SRPB"), "5", at="OBX[4]", status="C"))
    assert first.key == second.key
    assert first.key != one(obx(local("SRPE"), "0.4")).key
    assert first.key != one(obx(local("SRPB"), "55"), filler=EntityId("FL2", "LIS")).key
    bare = one(obx(local("SRPB"), "55"), filler=EntityId(), placer=EntityId("PL1", "X"))
    later = one(
        obx(local("SRPB"), "55"),
        filler=EntityId(),
        placer=EntityId("PL1", "X"),
        collected=stamp(datetime(2026, 11, 1, tzinfo=UTC)),
    )
    assert bare.key != later.key


# ---------------------------------------------------------------- context


@pytest.mark.parametrize(
    ("code", "value", "kind", "expected"),
    [
        ("STATIN", "Y", ContextKind.STATIN, "Y"),
        ("STATIN", "N", ContextKind.STATIN, "N"),
        ("STATIN", "unknown", ContextKind.STATIN, "U"),
        ("SUSPECT_IIM", "Y", ContextKind.SUSPECT_IIM, "Y"),
        ("IVIG_DATE", "20261001", ContextKind.IVIG_DATE, "2026-10-01"),
        ("IVIG_DATE", "2026-10-01", ContextKind.IVIG_DATE, "2026-10-01"),
        ("KNOWN_MSA", "srp", ContextKind.KNOWN_MSA, "SRP"),
        ("KNOWN_MSA_PARTNER", "Y", ContextKind.KNOWN_MSA_PARTNER, "Y"),
    ],
)
def test_context_facts(code: str, value: str, kind: ContextKind, expected: str) -> None:
    found, _notes = read(obx(local(code), value))
    assert [(item.kind, item.value) for item in found.context] == [(kind, expected)]
    assert found.results == ()
    assert found.unmapped == ()


@pytest.mark.parametrize(
    ("code", "value"), [("IVIG_DATE", "last month"), ("IVIG_DATE", "20261301"), ("KNOWN_MSA", "JO1"), ("STATIN", "")]
)
def test_a_context_value_outside_the_contract_states_nothing(code: str, value: str) -> None:
    assert read(obx(local(code), value))[0].context == ()


def test_the_code_counts_where_a_coded_context_has_a_display() -> None:
    found, _notes = read(obx(local("STATIN"), SentCoding((Coding("Y", "Yes", "HL70136"),))))
    assert [item.value for item in found.context] == ["Y"]


# ---------------------------------------------------------------- the words in Python are none


def test_with_empty_tables_every_result_is_unknown() -> None:
    empty = [
        Source(source.name, "" if source.name != "policy.yaml" else source.text) for source in read_folder(shipped())
    ]
    knowledge, _faults = build(empty)
    bare = Normaliser(knowledge)
    from panels import report

    lines = [ck("312"), obx(local("SRPB"), "14"), obx(local("ANAS"), "Negative"), obx(local("STATIN"), "Y")]
    found, _notes = bare(report(*lines), FEED, RECEIVED, "M1")
    assert found.results == ()
    assert found.context == ()
    assert len(found.unmapped) == len(lines)


OF_EVERYBODY = ("codes/loinc.csv", "codes/any.csv")  # a sender's own table says nothing of another sender's panel
TABLES = sorted(
    source.name
    for source in read_folder(shipped())
    if source.name.endswith(".csv") and (source.name in OF_EVERYBODY or not source.name.startswith("codes/"))
)


@pytest.mark.parametrize("name", TABLES)
def test_each_table_is_what_gives_its_meaning(name: str) -> None:
    """Without one table something of a full panel is no longer understood."""
    sources = [Source(s.name, "" if s.name == name else s.text) for s in read_folder(shipped())]
    site = [Source(s.name, s.text, site=True) for s in read_folder(shipped().parent / "samples/site")]
    knowledge, _faults = build([*sources, *site])
    from panels import normaliser, report

    panel = report(
        ck("312"),
        obx(local("SRPB"), "Negative", at="OBX[2]"),
        obx(local("ANAP"), "AC-19", at="OBX[3]"),
        obx(local("HMGCRC"), SentCoding((Coding("260385009", "x", "SCT"),)), at="OBX[4]"),
        obx(local("SUSPECT_IIM"), "Y", at="OBX[5]"),
        obx(local("4711", "HMG-CoA reductase antibody"), "3", at="OBX[6]"),
        ck("312 以上", at="OBX[7]"),
        specimens=(tube("csf"),),
    )
    assert Normaliser(knowledge)(panel, FEED, RECEIVED, "M1") != normaliser()(panel, FEED, RECEIVED, "M1")
