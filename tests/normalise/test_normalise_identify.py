"""Which analyte an observation is: system, code, name, unit and specimen together, never one of them alone (codes.md 1
and 6; field-quirks.md 3.3 and 5; clinical.md C1.0)."""

from __future__ import annotations

import itertools
from functools import lru_cache

import pytest

from labbridge.knowledge.codes import CODE_COLUMNS
from labbridge.knowledge.documents import Fault, Source
from labbridge.knowledge.tables import read_terminology
from labbridge.model.result import ContextKind
from labbridge.model.values import Coding
from labbridge.normalise.identify import MOST_CACHED, Identified, Identifier
from labbridge.sources import read_folder, shipped

SENDER = "LIS|HOSP"
SRP_LOINC, HMGCR_LOINC = Coding("33921-8", "SRP Ab", "LN"), Coding("93493-5", "HMGCR IgG Ab", "LN")
CK_LOINC, AST_LOINC = Coding("2157-6", "Creatine kinase", "LN"), Coding("1920-8", "AST", "LN")
STATIN = Coding("STATIN", "on a statin", "L")
OWN = Coding("B7", "Myositis strip, line 7", "L")
STRANGE = Coding("ZZ9", "something else", "L")


def row(code: str, analyte: str, *, system: str = "L", **more: str) -> str:
    """A line of a site's code table; a column that is not named is empty."""
    fields = {"system": system, "code": code, "analyte": analyte, "role": "result", "status": "SITE", "source": "us"}
    return ",".join(f'"{value}"' for value in ({**fields, **more}.get(name, "") for name in CODE_COLUMNS))


@lru_cache
def identifier(*rows: str, table: str = "lis") -> Identifier:
    """The shipped tables, with these rows of the site in the table of this sender."""
    text = "\n".join((",".join(CODE_COLUMNS), *rows))
    faults: list[Fault] = []
    terminology = read_terminology([*read_folder(shipped()), Source(f"codes/{table}.csv", text, site=True)], faults)
    assert faults == []
    return Identifier(terminology)


def look(*codings: Coding, unit: str = "", by: Identifier | None = None, sender: str = SENDER) -> Identified:
    return (by or identifier()).identify(sender, codings, unit)


def analyte(found: Identified) -> str:
    return found.analyte.id if found.analyte else found.note


# ---------------------------------------------------------------- public codes


@pytest.mark.parametrize(
    ("code", "name", "unit", "its"),
    [
        ("33921-8", "Signal Recognition Particle (SRP) Ab [Presence] in Serum or Plasma", "", "SRP"),
        ("53031-1", "Signal Recognition Particle (SRP) Ab [Units/volume] in Serum or Plasma", "[arb'U]/mL", "SRP"),
        ("53011-3", "Signal Recognition Particle (SRP) Ab [Titer] by Immunofluorescence", "{titer}", "SRP"),
        ("63559-9", "SRP Ab [Presence] in Serum or Plasma by Immunoblot", "", "SRP"),
        ("82936-6", "SRP IgG Ab [Presence] in Serum by Line blot", "", "SRP"),
        ("93493-5", "HMGCR IgG Ab [Units/volume] in Serum by Immunoassay", "Units", "HMGCR"),
        ("82388-0", "HMGCR Ab [Units/volume] in Serum", "[arb'U]/mL", "HMGCR"),
        ("82389-8", "HMGCR Ab [Presence] in Serum", "", "HMGCR"),
        ("8061-4", "Nuclear Ab [Presence] in Serum", "", "ANA_HEP2"),
        ("42254-3", "Nuclear Ab [Presence] in Serum by Immunofluorescence", "", "ANA_HEP2"),
        ("5048-4", "Nuclear Ab [Titer] in Serum by Immunofluorescence", "{titer}", "ANA_HEP2"),
        ("33253-6", "ANA Titer:", "", "ANA_HEP2"),
        ("59069-5", "Antinuclear Ab, HEp-2 Substrate, S", "", "ANA_HEP2"),
        ("49311-4", "Nuclear Ab pattern [Interpretation] in Serum by Immunofluorescence Narrative", "", "ANA_HEP2"),
        ("55171-3", "Cytoplasmic Ab pattern [Interpretation] in Serum by Immunofluorescence", "", "ANA_HEP2"),
        ("55170-5", "Cytoplasmic Ab [Titer] in Serum by Immunofluorescence", "{titer}", "ANA_HEP2"),
        ("20399-2", "Nucleolar nuclear Ab pattern [Titer] in Serum", "", "ANA_HEP2"),
        ("2157-6", "Creatine kinase [Enzymatic activity/volume] in Serum or Plasma", "U/L", "CK"),
        ("14682-9", "Creatinine [Moles/volume] in Serum or Plasma", "umol/L", "CREAT"),
        ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", "CREAT"),
        ("8076-2", "Jo-1 Ab [Presence]", "", "OTHER_MSA:JO1"),
        ("33772-5", "PL-7 Ab [Presence]", "", "OTHER_MSA:PL7"),
        ("33771-7", "PL-12 Ab [Presence]", "", "OTHER_MSA:PL12"),
        ("45149-2", "EJ Ab [Presence]", "", "OTHER_MSA:EJ"),
        ("45152-6", "OJ Ab [Presence]", "", "OTHER_MSA:OJ"),
        ("88732-3", "Mi-2 alpha Ab [Units/volume] by Line blot", "", "OTHER_MSA:MI2"),
        ("88733-1", "Mi-2 beta Ab [Units/volume] by Line blot", "", "OTHER_MSA:MI2"),
        ("107563-9", "MDA5 Ab [Presence]", "", "OTHER_MSA:MDA5"),
        ("107562-1", "TIF1-gamma Ab [Presence]", "", "OTHER_MSA:TIF1G"),
        ("105528-4", "NXP-2 (Mj) Ab [Units/volume]", "", "OTHER_MSA:NXP2"),
    ],
)  # fmt: skip
def test_a_public_code_under_its_own_name_is_its_analyte(code: str, name: str, unit: str, its: str) -> None:
    found = look(Coding(code, name, "LN"), unit=unit)
    assert (analyte(found), found.public, found.context) == (its, True, None)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("33921-8", "Anti-SRP Ab (RDL)"), ("33921-8", "SRP-AAK"), ("33921-8", "Signal Recognition Particle IgG AK"),
        ("93493-5", "HMG-CoA-Reduktase Ak"), ("93493-5", "Anticorpos anti-HMG-CoA redutase"),
        ("93493-5", "hmgcoar-vasta-aineet,seerumista"), ("8061-4", "FAN HEp-2"), ("8061-4", "AAN, IFI"),
        ("8061-4", "抗核抗體"), ("8061-4", "抗核抗体"), ("2157-6", "Kreatinkinase (CK)"), ("2157-6", "CPK totale"),
        ("2157-6", "Créatine kinase"), ("2157-6", "S-CK-tot"), ("2160-0", "Créatinine"), ("2160-0", "KREATININ"),
    ],
)  # fmt: skip
def test_the_names_of_other_languages_agree_with_the_code(code: str, name: str) -> None:
    assert look(Coding(code, name, "LN")).analyte is not None


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("2157-6", "CK-MB"), ("2157-6", "CK.MB/CK.total"), ("2157-6", "S-CK-MM"), ("2157-6", "CK BB fraction"),
        ("2157-6", "Makro-CK"), ("2157-6", "CK isoenzymes"), ("2157-6", "Creatine kinase [Mass/volume] in Blood"),
        ("2157-6", "Hemoglobin"), ("2157-6", "Cardiac enzymes panel"), ("33921-8", "SRP RNA gene"),
        ("33921-8", "Myosin Ab"), ("93493-5", "HMG-CoA lyase"), ("93493-5", "hMG"), ("8061-4", "C3 complement"),
        ("8061-4", "Adrenocorticotropin"), ("8061-4", "Neuronal nuclear type 2 Ab [Titer] in Serum"),
        ("8061-4", "Nuclear Ab [Titer] in Body fluid"), ("5048-4", "Anti-dsDNA"), ("33771-7", "SLA/LP antibody"),
        ("33771-7", "PL-7 Ab"), ("8076-2", "PL-12 Ab"), ("2160-0", "Creatinine clearance"),
        ("2160-0", "Albumin/Creatinine ratio"), ("2160-0", "Creatinine, urine"),
    ],
)  # fmt: skip
def test_a_name_that_speaks_of_something_else_contradicts_a_public_code(code: str, name: str) -> None:
    assert analyte(look(Coding(code, name, "LN"))) == "N102"


@pytest.mark.parametrize("unit", ["ng/mL", "ug/L", "µg/L", "%"])
def test_a_unit_of_mass_or_a_fraction_is_no_activity(unit: str) -> None:
    assert analyte(look(CK_LOINC, unit=unit)) == "N102"
    assert analyte(look(SRP_LOINC, unit=unit)) == "SRP", "the list of units is of CK"


@pytest.mark.parametrize("unit", ["furlong", "", "u / l"])
def test_a_unit_that_is_not_known_does_not_hide_the_analyte(unit: str) -> None:
    """C1.5: the result is held for its unit, which needs somebody to know that it is a CK."""
    assert analyte(look(CK_LOINC, unit=unit)) == "CK"


@pytest.mark.parametrize("code", ["13969-1", "32673-6", "20569-0", "2153-5", "50756-6", "1920-8", "1761-6", "14613-4"])
def test_a_neighbour_of_ours_is_known_and_left_alone(code: str) -> None:
    found = look(Coding(code, "Creatine kinase SRP HMGCR ANA", "LN"), unit="U/L")
    assert (analyte(found), found.code) == ("N101", None)


# ---------------------------------------------------------------- systems


@pytest.mark.parametrize(
    "system",
    ["LN", "ln", " LN ", "LOINC", "2.16.840.1.113883.6.1", "urn:oid:2.16.840.1.113883.6.1", "http://loinc.org"],
)
def test_loinc_by_every_spelling_of_its_name(system: str) -> None:
    assert analyte(look(Coding("2157-6", "CK", system), unit="U/L")) == "CK"


@pytest.mark.parametrize("system", ["", "L", "99LAB", "SCT", "C4", "2.16.840.1.113883.6.238", "LN2", "CDCREC"])
def test_the_number_alone_is_no_loinc_code(system: str) -> None:
    assert analyte(look(Coding("2157-6", "Creatine kinase", system), unit="U/L")) == "N101"


@pytest.mark.parametrize("system", ["", "L", "l", "local", "99LAB", "99zzz"])
def test_a_local_code_by_every_way_to_say_local(system: str) -> None:
    assert analyte(look(Coding("B7", "x", system), by=identifier(row("B7", "SRP")))) == "SRP"


def test_one_code_under_two_systems_is_two_codes() -> None:
    by = identifier(row("100", "SRP"), row("100", "HMGCR", system="MYDICT"))
    assert analyte(look(Coding("100", "", "L"), by=by)) == "SRP"
    assert analyte(look(Coding("100", "", "mydict"), by=by)) == "HMGCR"
    assert analyte(look(Coding("100", "", "OTHERDICT"), by=by)) == "N101"


@pytest.mark.parametrize(
    "coding",
    [
        Coding("SRP", "anti-SRP IgG", "L"), Coding("", "anti-SRP", "L"), Coding("", "anti-SRP", ""), Coding("", "", ""),
        Coding("86038", "ANA screen", "C4"), Coding("12137B", "myositis line blot panel SRP", "NHI"),
    ],
)  # fmt: skip
def test_a_name_alone_identifies_nothing(coding: Coding) -> None:
    assert analyte(look(coding)) == "N101"


def test_an_observation_without_any_code_is_unknown() -> None:
    assert look() == Identified(note="N101")


# ---------------------------------------------------------------- two codings of one observation


@pytest.mark.parametrize("codings", list(itertools.permutations((OWN, SRP_LOINC, STRANGE))))
def test_the_senders_own_row_speaks_wherever_it_stands(codings: tuple[Coding, ...]) -> None:
    """It knows method and kit, which a public code does not (C1.0)."""
    by = identifier(row("B7", "SRP", method="line_blot", assay="euroline-16"))
    found = look(*codings, by=by)
    assert found.code is not None
    assert (found.code.code, found.code.assay, found.public) == ("B7", "euroline-16", False)


@pytest.mark.parametrize(
    "codings",
    [(OWN, HMGCR_LOINC), (OWN, AST_LOINC), (OWN, STATIN), (SRP_LOINC, HMGCR_LOINC), (SRP_LOINC, CK_LOINC),
     (SRP_LOINC, STRANGE, AST_LOINC), (Coding("8076-2", "Jo-1", "LN"), Coding("33772-5", "PL-7", "LN"))],
)  # fmt: skip
def test_two_codings_that_disagree_are_not_decided_by_their_order(codings: tuple[Coding, ...]) -> None:
    by = identifier(row("B7", "SRP"))
    assert {analyte(look(*one, by=by)) for one in itertools.permutations(codings)} == {"N102"}


@pytest.mark.parametrize(
    ("codings", "its"),
    [
        ((STRANGE, CK_LOINC), "CK"),
        ((CK_LOINC, CK_LOINC), "CK"),
        ((SRP_LOINC, Coding("63559-9", "SRP Ab by Immunoblot", "LN")), "SRP"),
        ((Coding("88732-3", "Mi-2 alpha", "LN"), Coding("88733-1", "Mi-2 beta", "LN")), "OTHER_MSA:MI2"),
        ((STRANGE, AST_LOINC), "N101"),
        ((STRANGE, Coding("YY8", "x", "L")), "N101"),
    ],
)
def test_codings_that_say_the_same_or_nothing(codings: tuple[Coding, ...], its: str) -> None:
    assert analyte(look(*codings)) == its
    assert analyte(look(*reversed(codings))) == its


@pytest.mark.parametrize(
    ("local_name", "its"), [("Muscle enzyme", "CK"), ("Total CK", "CK"), ("CK-MB, mass", "N102"), ("CK isoenzymes", "N102")]
)  # fmt: skip
def test_the_local_name_beside_a_public_code_may_contradict_it(local_name: str, its: str) -> None:
    assert analyte(look(Coding("K1", local_name, "L"), CK_LOINC, unit="U/L")) == its


def test_without_any_name_a_public_code_stands_by_itself() -> None:
    assert analyte(look(Coding("2157-6", "", "LN"), unit="U/L")) == "CK"


# ---------------------------------------------------------------- a site's rows


@pytest.mark.parametrize(
    ("name", "its"),
    [("Anti-SRP blot", "SRP"), ("anti-srp  BLOT", "SRP"), ("Änti-SRP blot", "SRP"), ("Anti-SRP", "N102"), ("", "N102")],
)
def test_a_row_that_states_a_name_holds_for_that_name_only(name: str, its: str) -> None:
    assert analyte(look(Coding("B7", name, "L"), by=identifier(row("B7", "SRP", name="anti-SRP blot")))) == its


def test_a_site_may_approve_a_name_where_its_sender_has_no_codes() -> None:
    by = identifier(row("", "SRP", name="Anti-SRP blot"))
    assert analyte(look(Coding("", "anti-SRP BLOT", ""), by=by)) == "SRP"
    assert analyte(look(Coding("", "anti-SRP ELISA", ""), by=by)) == "N101"


def test_the_unit_tells_two_tests_of_one_code_apart() -> None:
    """Mayo moved HMGCR from ELISA in U/mL to CLIA in CU under one name (codes.md 5.2, 6.5)."""
    by = identifier(row("H1", "HMGCR", unit="CU", method="clia"), row("H1", "HMGCR", unit="U/mL", method="elisa"))
    found = [look(Coding("H1"), unit=unit, by=by).code for unit in ("CU", "U/mL")]
    assert [one and one.method for one in found] == ["clia", "elisa"]
    assert {analyte(look(Coding("H1"), unit=unit, by=by)) for unit in ("", "cu", "AU/mL")} == {"N102"}


def test_the_row_that_asks_for_most_decides() -> None:
    by = identifier(
        row("S1", "SRP", method="elisa"),
        row("S1", "SRP", unit="intensity", method="line_blot"),
        row("S1", "SRP", unit="intensity", name="SRP dots", method="dot_blot"),
    )
    sent = [("", "U"), ("SRP", "intensity"), ("SRP dots", "intensity"), ("SRP dots", "U")]
    found = [look(Coding("S1", name, "L"), unit=unit, by=by).code for name, unit in sent]
    assert [one and one.method for one in found] == ["elisa", "line_blot", "dot_blot", "elisa"]


def test_two_rows_that_fit_equally_well_decide_nothing() -> None:
    by = identifier(row("S1", "SRP", unit="AU"), row("S1", "HMGCR", name="strip"))
    assert analyte(look(Coding("S1", "strip", "L"), unit="AU", by=by)) == "N102"
    assert analyte(look(Coding("S1", "strip", "L"), unit="CU", by=by)) == "HMGCR"
    assert analyte(look(Coding("S1", "other", "L"), unit="AU", by=by)) == "SRP"


@pytest.mark.parametrize(
    ("specimen", "its"),
    [
        ((Coding("SER", "Serum"),), "ANA_HEP2"), ((Coding("", "serum"),), "ANA_HEP2"), ((Coding("CSF", "Liquor"),), "N101"),
        ((Coding("UR"),), "N102"), ((), "N102"), ((Coding("X"), Coding("SER", "SERUM")), "ANA_HEP2"),
    ],
)  # fmt: skip
def test_the_specimen_tells_two_tests_of_one_code_apart(specimen: tuple[Coding, ...], its: str) -> None:
    """14613-4 is the same ANA in body fluid (codes.md 1.3, 6.4)."""
    by = identifier(row("A1", "ANA_HEP2", specimen="serum"), row("A1", "", specimen="CSF", role="not_ours"))
    assert analyte(by.identify(SENDER, (Coding("A1"),), "", specimen)) == its


def test_a_sites_row_lies_over_ours_and_leaves_the_others_of_the_table() -> None:
    by = identifier(row("HMGCR", "HMGCR", method="elisa", assay="mayo-hmges"), table="mayo")
    before, after = (look(Coding("HMGCR"), by=one, sender="MAYO|ROCHESTER") for one in (identifier(), by))
    assert before.code is not None
    assert after.code is not None
    assert (before.code.assay, after.code.assay) == ("mayo-hmgcr", "mayo-hmges")
    assert analyte(look(Coding("NAIFA"), by=by, sender="MAYO|ROCHESTER")) == "ANA_HEP2"
    assert analyte(look(Coding("HMGCR"), by=by)) == "N101", "another sender's code"


def test_a_site_may_say_that_a_public_code_of_its_sender_is_none_of_ours() -> None:
    by = identifier(row("2157-6", "", system="LN", role="not_ours"))
    assert analyte(look(CK_LOINC, unit="U/L", by=by)) == "N101"
    assert analyte(look(CK_LOINC, unit="U/L", by=by, sender="OTHER|HOSP")) == "CK"


@pytest.mark.parametrize(
    ("table", "sender", "its"),
    [
        ("lis", "LIS|HOSP", "SRP"), ("lis", "lis|elsewhere", "SRP"), ("lis_hosp", "Lis|Hosp", "SRP"),
        ("lis_hosp", "LIS|ELSEWHERE", "N101"), ("LIS", "LIS|HOSP", "SRP"), ("lis", "LIS2|HOSP", "N101"),
        ("lis", "|LIS", "N101"), ("any", "WHOEVER|", "SRP"), ("any", "|", "SRP"),
    ],
)  # fmt: skip
def test_a_table_is_of_its_sender(table: str, sender: str, its: str) -> None:
    assert analyte(look(OWN, by=identifier(row("B7", "SRP"), table=table), sender=sender)) == its


def test_a_unit_that_contradicts_holds_against_a_sites_own_row_too() -> None:
    by = identifier(row("K1", "CK"))
    assert analyte(look(Coding("K1", "Muskelenzym", "L"), unit="U/L", by=by)) == "CK", "approved with its name"
    assert analyte(look(Coding("K1", "Muskelenzym", "L"), unit="ng/mL", by=by)) == "N102"


# ---------------------------------------------------------------- context, and what is remembered


@pytest.mark.parametrize("kind", list(ContextKind))
def test_a_question_at_order_entry_is_taken_from_every_sender(kind: ContextKind) -> None:
    for sender in (SENDER, "MAYO|X", "|"):
        found = look(Coding(kind.value, "as asked", "L"), sender=sender)
        assert (found.context, found.analyte, found.note) == (kind, None, "")
    assert analyte(look(Coding(kind.value, "", "LN"))) == "N101"


def test_a_site_may_ask_under_codes_of_its_own() -> None:
    by = identifier(row("Q17", "STATIN", role="context"), row("STATIN", "", role="not_ours"))
    assert look(Coding("Q17", "Cholesterol drug?", "L"), by=by).context is ContextKind.STATIN
    assert look(STATIN, by=by).note == "N101"


def test_what_is_remembered_is_the_whole_question() -> None:
    by = identifier(row("B7", "SRP", name="blot"))
    asked = [(SENDER, "blot", ""), (SENDER, "other", ""), ("X|Y", "blot", ""), (SENDER, "blot", "CU")]
    first = [analyte(by.identify(sender, (Coding("B7", name, "L"),), unit)) for sender, name, unit in asked]
    again = [analyte(by.identify(sender, (Coding("B7", name, "L"),), unit)) for sender, name, unit in reversed(asked)]
    assert first == ["SRP", "N102", "N101", "SRP"]
    assert again == first[::-1]


def test_more_codes_than_are_remembered_change_no_answer() -> None:
    by = identifier()
    assert analyte(look(CK_LOINC, unit="U/L", by=by)) == "CK"
    found = {analyte(look(Coding(f"Q{number}", "", "L"), by=by)) for number in range(MOST_CACHED + 1)}
    assert found == {"N101"}
    assert analyte(look(CK_LOINC, unit="U/L", by=by)) == "CK"
    assert analyte(look(CK_LOINC, unit="ng/mL", by=by)) == "N102"
