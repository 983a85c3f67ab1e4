"""The shipped codes mean what codes.md says of them; what it calls recalled or unsure identifies nothing more than that."""

from __future__ import annotations

import pytest

from labbridge.knowledge.codes import CODE_COLUMNS, check_digit
from labbridge.knowledge.documents import read_csv
from labbridge.knowledge.terminology import CodeRow
from labbridge.model.values import Coding, Grade
from labbridge.sources import load, read_folder, shipped

TERMS = load().terminology
ROWS = [
    (source.name, row.fields)
    for source in read_folder(shipped())
    if source.name.startswith("codes/")
    for row in read_csv(source, CODE_COLUMNS, [])
]

# codes.md 1.1, 1.3-1.6: analyte, role, method -> the codes it calls VERIFIED (method: where its name states one).
VERIFIED = {
    ("SRP", "result", ""): "33921-8 53031-1",
    ("SRP", "result", "tissue_iif"): "53011-3",  # clinical.md C1.0: family tissue, on whatever substrate
    ("ANA_HEP2", "screen", ""): "8061-4",
    ("ANA_HEP2", "screen", "hep2_iif"): "42254-3",
    ("ANA_HEP2", "screen", "solid_phase_ana"): "47383-5 27200-5",  # "Not HEp-2"
    ("ANA_HEP2", "titre", "hep2_iif"): "5048-4",
    ("ANA_HEP2", "titre", ""): "29953-7",
    ("ANA_HEP2", "pattern", "hep2_iif"): "49311-4 13068-2",
    ("ANA_HEP2", "pattern", ""): "49310-6 14611-8",
    ("ANA_HEP2", "cytoplasmic_pattern", "hep2_iif"): "55171-3",
    ("ANA_HEP2", "cytoplasmic_titre", "hep2_iif"): "55170-5",
    ("ANA_HEP2", "nuclear_titre", ""): "20398-4 20399-2 20401-6",
    ("ANA_HEP2", "nuclear_titre", "hep2_iif"): "53983-3 53002-2 53985-8 53989-0",
    ("CK", "result", ""): "2157-6",
    ("CREAT", "result", ""): "14682-9",
    ("OTHER_MSA:JO1", "result", ""): "8076-2 11565-9",
    ("OTHER_MSA:JO1", "result", "line_blot"): "99069-7",
    ("OTHER_MSA:PL7", "result", ""): "33772-5 105551-6",
    ("OTHER_MSA:PL12", "result", ""): "33771-7 105552-4",
    ("OTHER_MSA:EJ", "result", ""): "45149-2 105547-4",
    ("OTHER_MSA:OJ", "result", ""): "45152-6 105548-2",
    ("OTHER_MSA:MI2", "result", "line_blot"): "88732-3 82997-8 88733-1 82996-0",
    ("OTHER_MSA:MDA5", "result", ""): "107563-9 105529-2",
    ("OTHER_MSA:TIF1G", "result", ""): "107562-1 105555-7",
    ("OTHER_MSA:NXP2", "result", ""): "105528-4",
}
# PART: the code exists and its component was seen; all the rest is recalled or inferred.
PART = {
    "SRP": "53010-5 63559-9 82936-6",
    "HMGCR": "93493-5 82388-0 82389-8 82990-3",
    "ANA_HEP2": "33253-6 59069-5",
    "CREAT": "2160-0",
}
# Beside the analytes: rat liver, body fluid, isoenzymes, macro-CK, panels, mass, other specimens (1.3, 1.4), and the
# co-reported tests and antibodies that are no myositis-specific ones (1.5, 1.6; clinical.md C10.24).
NEVER_OURS = """
    21423-9 14613-4 5047-6 42331-9 94875-2 56634-9 57447-5 57448-3 63569-8 63570-6 54161-5 54162-3
    13969-1 32673-6 2154-3 49551-5 20569-0 12187-1 49136-5 15049-0 15048-2 26019-0 26020-8 2153-5 59149-5 2152-7 2155-0
    24335-2 49258-7 5912-1 50756-6 2151-9 2156-8 16688-4 53433-9
    1761-6 1920-8 1742-6 2532-0 2639-3 2640-1 6598-7 10839-9 33762-6 18484-6 99068-9 105554-0 53016-2 82933-3 96562-4
    77202-0 69048-7 48767-8 8251-1 55752-0 10160-0 74295-7
""".split()

# codes.md 6.1-6.3 with the methods of 5.2: sender, analyte, role, method, kit -> its local codes.
LOCAL = {
    ("ARUP", "SRP", "result", "ip_protein", ""): ["2002099"],
    ("ARUP", "HMGCR", "result", "elisa", "arup-hmgcr"): ["2013102"],
    ("ARUP", "ANA_HEP2", "screen", "solid_phase_ana", ""): ["0050317"],  # never saw a HEp-2 cell
    ("WARDE", "HMGCR", "result", "elisa", "arup-hmgcr"): ["3600035"],
    ("LABCORP", "SRP", "result", "ip_protein", ""): ["520040"],
    ("LABCORP", "HMGCR", "result", "clia", ""): ["520385"],
    ("LABCORP", "ANA_HEP2", "screen", "", ""): ["520073"],
    ("LABCORP", "ANA_HEP2", "nuclear_titre", "", ""): ["520074"],
    ("MAYO", "SRP", "result", "tissue_iif", ""): ["SRPIS", "SRPTS"],
    ("MAYO", "SRP", "result", "immunoblot", ""): ["SRPBS"],
    ("MAYO", "HMGCR", "result", "clia", "mayo-hmgcr"): ["HMGCR"],
    ("MAYO", "HMGCR", "result", "elisa", "mayo-hmges"): ["HMGES"],
    ("MAYO", "ANA_HEP2", "screen", "hep2_iif", ""): ["NAIFA"],
    ("MAYO", "ANA_HEP2", "titre", "hep2_iif", ""): ["1TANA", "2TANA"],
    ("MAYO", "ANA_HEP2", "pattern", "hep2_iif", ""): ["1PANA", "2PANA"],
    ("MAYO", "ANA_HEP2", "cytoplasmic_pattern", "hep2_iif", ""): ["CYTQL"],
    ("FINLAND", "SRP", "result", "", ""): [
        "s-srpab-o", "srp", "-srp", "s-srp", "srp,vasta-aine", "s-srp-vasta-aineet",
        "s-srp(signalrecognitionparticle),vasta-aineet(kval)",
    ],
    ("FINLAND", "HMGCR", "result", "", ""): [
        "s-hmgcrab", "s-hmgcr-ab", "s-hmgcr,vasta-aineet", "hmgcoar-vasta-aineet,seerumista",
    ],
    ("FINLAND", "ANA_HEP2", "screen", "", ""): [
        "s-anaab", "s-anaab-a", "s-ana-ab", "s-tuma,vasta-aineet", "tumavasta-aineet(s-anaab)",
    ],
    ("FINLAND", "CK", "result", "", ""): ["p-ck", "s-ck", "fp-ck", "s-ck-tot", "pika-ck"],
    ("FINLAND", "", "not_ours", "", ""): [
        "s-ck-is", "s-ckmakr", "s-makro-ck", "s-ck-mm", "s-ck-mb", "p-ck-mbm", "p-ckmbm",
    ],
}  # fmt: skip


def meant(sender: str, code: str, system: str) -> list[CodeRow]:
    return list(TERMS.rows(f"{sender}|LAB", Coding(code, "", system)))


@pytest.mark.parametrize(
    ("code", "analyte", "role", "method"),
    [(code, *meaning) for meaning, codes in VERIFIED.items() for code in codes.split()],
)
def test_a_verified_loinc_code_has_its_meaning(code: str, analyte: str, role: str, method: str) -> None:
    (row,) = meant("ANY", code, "LN")
    assert (row.analyte, row.role, row.method) == (analyte, role, method)
    assert (row.unit, row.specimen, row.assay) == ("", "", "")


def test_the_absence_of_one_pattern_is_no_negative_screen() -> None:
    assert meant("ANY", "53997-3", "LN") == []  # nuclear dots alone: read as a screen, its NEG would clear the slide


@pytest.mark.parametrize(
    ("code", "analyte"), [(code, analyte) for analyte, codes in PART.items() for code in codes.split()]
)
def test_a_code_seen_in_part_names_its_analyte_and_nothing_else(code: str, analyte: str) -> None:
    (row,) = meant("ANY", code, "LN")
    assert (row.analyte, row.method, row.unit, row.specimen, row.assay) == (analyte, "", "", "", "")
    assert [fields["status"] for _name, fields in ROWS if fields["code"] == code] == ["PART"]


@pytest.mark.parametrize("code", NEVER_OURS)
def test_a_code_of_something_else_is_never_read_as_ours(code: str) -> None:
    assert check_digit(code)
    assert {row.role for row in meant("ANY", code, "LN")} <= {"not_ours"}


def test_no_loinc_code_ships_that_the_page_does_not_know() -> None:
    known = {code for codes in (*VERIFIED.values(), *PART.values()) for code in codes.split()} | set(NEVER_OURS)
    assert set(TERMS.codes["loinc"]) - known == set()


def test_what_the_page_calls_verified_says_so() -> None:
    verified = {code for codes in VERIFIED.values() for code in codes.split()}
    assert {fields["status"] for name, fields in ROWS if fields["code"] in verified} == {"VERIFIED"}
    assert {fields["status"] for _name, fields in ROWS} == {"VERIFIED", "PART"}


@pytest.mark.parametrize("sender", sorted({key[0] for key in LOCAL}))
def test_the_codes_of_a_laboratory_are_those_it_prints(sender: str) -> None:
    expected = {code: meaning for (lab, *meaning), codes in LOCAL.items() if lab == sender for code in codes}
    for code, meaning in expected.items():
        (row,) = meant(sender, code, "L")
        assert [row.analyte, row.role, row.method, row.assay] == meaning, code
    assert set(TERMS.codes[sender.casefold()]) - set(expected) <= {"LCOM"}  # a laboratory's comment


@pytest.mark.parametrize(
    ("code", "analyte"),
    [(code, analyte) for code, analyte in (("s-ck-tot", "CK"), ("pika-ck", "CK"), ("s-anaab-a", "ANA_HEP2"))],
)
def test_every_finnish_name_of_the_page_is_known(code: str, analyte: str) -> None:
    assert [row.analyte for row in meant("FINLAND", code, "L")] == [analyte]


@pytest.mark.parametrize("code", ["SRPIS", "520040", "s-ck", "srp", "HMGES"])
def test_a_local_code_means_nothing_from_another_sender_or_under_a_public_system(code: str) -> None:
    assert meant("ELSEWHERE", code, "L") == []
    assert meant("MAYO", code, "LN") == []
    assert meant("MAYO", code, "I10") == []


@pytest.mark.parametrize(
    "code",
    "s-anaabbl s-myosab CKNAC CK-NAC TCK CPK 83516 86038 12137B 94777 FMYO3 NPU19656 KU EJ".split(),
)
def test_guesses_panels_billing_codes_and_recalled_names_ship_for_nobody(code: str) -> None:
    assert [name for name, fields in ROWS if fields["code"].casefold() == code.casefold()] == []


# ---------------------------------------------------------------- coded results: codes.md 2.1 and 2.2

SNOMED = {
    Grade.POSITIVE: "10828004 260373001 52101004",
    Grade.NEG: "260385009 260415000 2667000",
    Grade.EQUIVOCAL: "42425007 82334004 280416009 419984006",
    Grade.POS_LOW: "260408008 441614007",
    Grade.POS_STRONG: "441517005",
}
UNGRADED = {
    "snomed": "260405006 260347006 260348001 260349009 260350009 373121007 125154007 391317009",  # trace, 4-plus, not done
    "interpretation": "HM OBX QCF TOX AC MS VS H> L< < > U D B W EXP UNE IE L LL LU HU",
}


@pytest.mark.parametrize(
    ("code", "grade"), [(code, grade) for grade, codes in SNOMED.items() for code in codes.split()]
)
def test_a_snomed_qualifier_is_the_grade_of_its_display(code: str, grade: Grade) -> None:
    assert TERMS.words.grade_codes[("snomed", code)] is grade


def test_the_answers_of_a_line_blot_are_two() -> None:
    codes = {code: grade for (system, code), grade in TERMS.words.grade_codes.items() if system == "loinc"}
    assert codes == {"LA6576-8": Grade.POSITIVE, "LA6577-6": Grade.NEG}


@pytest.mark.parametrize(
    ("system", "code"), [(system, code) for system, codes in UNGRADED.items() for code in codes.split()]
)
def test_a_qualifier_that_says_no_grade_has_none(system: str, code: str) -> None:
    assert (system, code) not in TERMS.words.grade_codes
    assert code not in TERMS.words.flags


# ---------------------------------------------------------------- CK units: codes.md 3.1

CK_UNITS = {
    ("U/L", "1"): "U/L u/l U/l UI/L IU/L iu/l [IU]/L mU/mL",
    ("U/L", "1000"): "kU/L ku/l",
    ("U/L", "60"): "ukat/L \N{MICRO SIGN}kat/L \N{GREEK SMALL LETTER MU}kat/L",
    ("U/L", "0.06"): "nkat/L",
    ("refuse", "1"): "ng/mL ug/L",
}


@pytest.mark.parametrize(
    ("spelling", "unit", "factor"), [(one, *what) for what, spellings in CK_UNITS.items() for one in spellings.split()]
)
def test_a_unit_of_ck_has_its_exact_factor(spelling: str, unit: str, factor: str) -> None:
    found = TERMS.units[("CK", spelling)]
    assert (found.unit, str(found.factor)) == (unit, factor)


@pytest.mark.parametrize("spelling", ["", "E/l", "unidades/L", "U/mL", "kat/L", "U"])
def test_a_recalled_or_missing_unit_of_ck_is_no_unit(spelling: str) -> None:
    assert ("CK", spelling) not in TERMS.units
