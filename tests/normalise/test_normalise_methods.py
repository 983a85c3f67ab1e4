"""By which method a result was made, and how we know it: clinical.md C1.0 and C2, codes.md 5.1, 5.2 and 6.1."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from panels import CK, FEED, RECEIVED, UL, ck, codes_of, local, normaliser, obx, one, read, report

from labbridge.knowledge.build import build
from labbridge.knowledge.documents import Source
from labbridge.model.report import Observation
from labbridge.model.result import Family, Method, Problem, Result
from labbridge.model.values import Coding
from labbridge.normalise import Normaliser
from labbridge.sources import read_folder, shipped

SRP = (Coding("33921-8", "SRP Ab", "LN"),)
HMGCR = (Coding("93493-5", "HMGCR IgG", "LN"),)
ANA = (Coding("8061-4", "ANA", "LN"),)


def method(observation: Observation, **more: Any) -> Method | None:
    return one(observation, **more).method


def said(text: str) -> tuple[Coding, ...]:
    """OBX-17 in words."""
    return (Coding("", text),)


def ours(code: str, text: str = "") -> tuple[Coding, ...]:
    """OBX-17 by our own code."""
    return (Coding(code, text, "LABBRIDGE"),)


def short(found: Method | None) -> tuple[str, str]:
    return (found.code, found.source) if found else ("", "")


# ---------------------------------------------------------------- the methods of C2

C2 = [
    ("line_blot", Family.BLOT, 3),
    ("dot_blot", Family.BLOT, 3),
    ("elisa", Family.QUANT, 2),
    ("clia", Family.QUANT, 2),
    ("albia", Family.QUANT, 2),
    ("pmat", Family.QUANT, 2),
    ("ip_rna", Family.IP, 1),
    ("ip_protein", Family.IP, 1),
    ("cba", Family.CBA, 1),
    ("tissue_iif", Family.TISSUE, None),
]


@pytest.mark.parametrize(("code", "family", "tier"), C2)
def test_each_code_of_the_specification_has_its_family_and_tier(code: str, family: Family, tier: int | None) -> None:
    found = method(obx(SRP, "Positive", methods=ours(code)))
    assert found is not None
    assert (found.code, found.family, found.tier, found.source) == (code, family, tier, "OBX-17")


def test_our_codes_are_ours_only_under_our_system() -> None:
    assert method(obx(SRP, "Positive", methods=(Coding("cba", "", "THEIRS"),))) is not None, "its letters are a word"
    assert method(obx(SRP, "Positive", methods=(Coding("tissue_iif", "", "THEIRS"),))) is None
    assert method(obx(SRP, "Positive", methods=ours("no_such_method"))) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Line Blot", "line_blot"), ("Lineblot (IgG)", "line_blot"), ("LIA", "line_blot"), ("Linienblot", "line_blot"),
        ("Dot-Blot", "dot_blot"), ("Immunodot", "dot_blot"), ("Immunoblot", "immunoblot"), ("Western blot", "immunoblot"),
        ("Blot", "immunoblot"), ("ELISA", "elisa"), ("EIA", "elisa"), ("Enzyme Immunoassay", "elisa"), ("FEIA", "feia"),
        ("CLIA", "clia"), ("Chemiluminescence", "clia"), ("CIA", "clia"), ("ALBIA", "albia"), ("PMAT", "pmat"),
        ("Inova Aptiva", "pmat"), ("RNA-IP", "ip_rna"), ("RNA immunoprecipitation", "ip_rna"), ("RIPA", "ip_protein"),
        ("Qualitative Immunoprecipitation", "ip_protein"), ("IP", "ip_protein"), ("Cell-based assay", "cba"),
        ("HALIP", "tissue_iif"), ("IF rat liver", "tissue_iif"), ("SRP IFA Screen", "tissue_iif"),
    ],
)  # fmt: skip
def test_the_words_laboratories_use_in_obx_17(text: str, code: str) -> None:
    for name in (text, text.upper(), f"  {text} ", f"by {text}, in house"):
        assert short(method(obx(SRP, "Positive", methods=said(name)))) == (code, "OBX-17"), name


@pytest.mark.parametrize("text", ["", "Automated", "Magliano", "tip", "selfclia", "ELISPOT", "immuno", "in house 2"])
def test_a_word_that_only_holds_the_letters_names_no_method(text: str) -> None:
    found = one(obx(SRP, "Positive", methods=said(text)))
    assert (found.method, found.problems) == (None, (Problem.METHOD_UNKNOWN,))


def test_a_line_blot_and_an_immunoblot_are_both_blots() -> None:
    """LOINC keeps them apart; laboratories call strips immunoblots (codes.md 1.9)."""
    found = [method(obx(SRP, "Positive", methods=said(text))) for text in ("line blot", "immunoblot", "dot blot")]
    assert {one.family for one in found if one} == {Family.BLOT}
    assert len({one.code for one in found if one}) == 3


def test_the_most_exact_words_decide() -> None:
    assert short(method(obx(SRP, "Positive", methods=said("Western blot"))))[0] == "immunoblot"
    assert short(method(obx(SRP, "Positive", methods=said("RNA immunoprecipitation"))))[0] == "ip_rna"


# ---------------------------------------------------------------- who is believed

LADDER = ("our code", "words", "local code", "kit name", "test name", "LOINC", "feed default")


def told_by(*sources: str) -> tuple[Observation, Any]:
    """One anti-SRP whose method each of these sources names, each another one; and its feed."""
    have = set(sources).__contains__
    name = "SRP Ab by ELISA" if have("test name") else "SRP Ab"
    public = Coding("53011-3" if have("LOINC") else "33921-8", name, "LN")
    codes = (*local("SRPB"), public) if have("local code") else (public,)
    methods = (*(ours("cba") if have("our code") else ()), *(said("Immunoprecipitation") if have("words") else ()))
    equipment = ("D-tek BlueDiver",) if have("kit name") else ()
    feed = msgspec.structs.replace(FEED, default_method={"SRP": "albia"} if have("feed default") else {})
    return obx(codes, "Positive", methods=methods, equipment=equipment), feed


@pytest.mark.parametrize(
    ("first", "code", "source"),
    [
        (0, "cba", "OBX-17"),
        (1, "ip_protein", "OBX-17"),
        (2, "line_blot", "local code"),
        (3, "dot_blot", "kit name"),
        (4, "elisa", "test name"),
        (5, "tissue_iif", "LOINC"),
        (6, "albia", "feed default"),
        (7, "", ""),
    ],
)
def test_what_is_nearest_to_the_result_is_believed(first: int, code: str, source: str) -> None:
    observation, feed = told_by(*LADDER[first:])
    assert short(method(observation, feed=feed)) == (code, source)


@pytest.mark.parametrize("source", LADDER)
def test_each_source_is_enough_by_itself(source: str) -> None:
    observation, feed = told_by(source)
    found = one(observation, feed=feed)
    assert found.method is not None
    assert Problem.METHOD_UNKNOWN not in found.problems


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("our code", ""), ("words", ""), ("local code", "N103"), ("kit name", "N104"), ("test name", ""), ("LOINC", ""),
        ("feed default", "N105"),
    ],
)  # fmt: skip
def test_a_method_that_was_not_sent_is_noted_with_its_place(source: str, note: str) -> None:
    observation, feed = told_by(source)
    _found, notes = read(observation, feed=feed)
    assert [(one.code, one.at) for one in notes] == ([(note, "OBX[1]-17")] if note else [])


@pytest.mark.parametrize("codes", [SRP, HMGCR], ids=["SRP", "HMGCR"])
def test_the_public_codes_of_the_antibodies_do_not_say_how_it_was_measured(codes: tuple[Coding, ...]) -> None:
    """ARUP sends immunoprecipitation and Labcorp RIPA under 33921-8 (codes.md 1.1)."""
    assert method(obx(codes, "Positive")) is None


def test_a_default_is_of_its_analyte() -> None:
    feed = msgspec.structs.replace(FEED, default_method={"SRP": "line_blot", "HMGCR": "no_such_method"})
    assert short(method(obx(SRP, "Positive"), feed=feed)) == ("line_blot", "feed default")
    assert method(obx(HMGCR, "Positive"), feed=feed) is None


def test_two_feeds_of_one_sender_keep_their_own_defaults() -> None:
    """The same observation comes on both: what was resolved for one is not given to the other."""
    same = obx(SRP, "Positive")
    feeds = [
        msgspec.structs.replace(FEED, default_method=default) for default in ({"SRP": "elisa"}, {"SRP": "cba"}, {})
    ]
    for _round in (1, 2):
        assert [short(method(same, feed=feed))[0] for feed in feeds] == ["elisa", "cba", ""]


# ---------------------------------------------------------------- kits


@pytest.mark.parametrize(
    ("text", "kit", "code", "manufacturer"),
    [
        ("EUROLINE Autoimmune Inflammatory Myopathies 16 Ag (IgG)", "euroline-16", "line_blot", "euroimmun"),
        ("Myositis Specific 11 Antibody Panel", "quest-94777", "line_blot", ""),
        ("D-tek BlueDiver Dot", "bluediver-dot", "dot_blot", "dtek"),
        ("QUANTA Flash HMGCR", "quanta-flash-hmgcr", "clia", "werfen"),
        ("BIO-FLASH HMGCR", "quanta-flash-hmgcr", "clia", "werfen"),
        ("QUANTA Lite HMGCR ELISA", "quanta-lite-hmgcr", "elisa", "werfen"),
        ("ALBIA-HMGCR", "albia-hmgcr", "albia", ""),
        ("Cosmic SRP", "cosmic-srp", "elisa", "cosmic"),
    ],
)
def test_a_kit_is_known_by_its_name(text: str, kit: str, code: str, manufacturer: str) -> None:
    codes = HMGCR if "HMGCR" in text else SRP
    places = ({"methods": said(text)}, {"equipment": ("reader 4", text)}, {"notes": (f"done on {text}",)})
    for place, source in zip(places, ("OBX-17", "kit name", "kit name"), strict=True):
        found = method(obx(codes, "Positive", **place))
        assert found is not None
        assert (found.assay, found.code, found.manufacturer, found.source) == (kit, code, manufacturer, source)


def test_a_kit_beside_our_code_is_the_kit_of_that_method() -> None:
    agreeing = method(obx(SRP, "Positive", methods=ours("line_blot", "EUROLINE Myositis")))
    other = method(obx(SRP, "Positive", methods=ours("elisa", "EUROLINE Myositis")))
    assert agreeing is not None
    assert other is not None
    assert (agreeing.code, agreeing.assay, agreeing.manufacturer) == ("line_blot", "euroline-16", "euroimmun")
    assert (other.code, other.assay, other.manufacturer) == ("elisa", "", "")


def test_the_senders_row_names_the_kit() -> None:
    found = method(obx(local("HMGCRC"), "3"))
    assert found is not None
    assert (found.assay, found.name, found.manufacturer) == ("quanta-flash-hmgcr", "CLIA", "werfen")


def test_a_comment_calls_a_kit_by_its_kind_and_never_by_its_brand() -> None:
    for text in ("EUROLINE", "D-tek BlueDiver", "QUANTA Flash HMGCR", "Cosmic SRP"):
        found = method(obx(HMGCR if "HMGCR" in text else SRP, "Positive", methods=said(text)))
        assert found is not None
        assert found.name in ("line blot", "dot blot", "CLIA", "ELISA")


@pytest.mark.parametrize(
    ("code", "name"), [("line_blot", "line blot"), ("ip_protein", "immunoprecipitation"), ("cba", "cell-based assay")]
)
def test_without_a_kit_a_comment_calls_the_method_by_its_own_name(code: str, name: str) -> None:
    found = method(obx(SRP, "Positive", methods=ours(code)))
    assert found is not None
    assert (found.name, found.assay, found.manufacturer) == (name, "", "")


def test_a_sites_own_kit_is_known_by_the_words_it_gives() -> None:
    kits = "- {id: own-hmgcr, method: clia, name: own CLIA, cut_off: 15, words: [our analyser], source: us}\n"
    knowledge, faults = build([*read_folder(shipped()), Source("assays/kits.yaml", kits, site=True)])
    assert faults == []
    sent = report(obx(HMGCR, "15", methods=said("Our Analyser 2")))
    (found,) = Normaliser(knowledge)(sent, FEED, RECEIVED, "M1")[0].results
    assert found.method is not None
    assert found.limits is not None
    assert (found.method.assay, found.method.name, found.limits.source) == ("own-hmgcr", "own CLIA", "own-hmgcr")
    assert normaliser()(sent, FEED, RECEIVED, "M1")[0].results[0].method is None


# ---------------------------------------------------------------- analytes with a word of their own


@pytest.mark.parametrize(
    "more", [{}, {"methods": said("ELISA")}, {"methods": said("CK-NAC IFCC")}, {"equipment": ("EUROLINE",)}]
)
def test_a_ck_is_an_enzyme_activity_whatever_is_written_beside_it(more: dict[str, Any]) -> None:
    found = method(ck("312", **more))
    assert found is not None
    assert (found.code, found.family, found.source) == ("enzymatic", Family.ENZYMATIC, "analyte")


def test_a_creatinine_needs_no_method_either() -> None:
    found = one(obx((Coding("14682-9", "Creatinine", "LN"),), "61", unit=Coding("umol/L")))
    assert (short(found.method), found.problems) == (("enzymatic", "analyte"), ())
    assert short(method(obx(CK, "312", unit=UL))) == ("enzymatic", "analyte")


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("HEp-2 IIF", Family.HEP2_IIF), ("HEp2", Family.HEP2_IIF), ("HEp-20-10", Family.HEP2_IIF),
        ("HEp-2000 (ANA-Ro)", Family.HEP2_IIF), ("ANA IFA", Family.HEP2_IIF), ("ELISA", Family.SOLID_PHASE_ANA),
        ("FEIA", Family.SOLID_PHASE_ANA), ("CLIA", Family.SOLID_PHASE_ANA), ("EliA CTD Screen", Family.SOLID_PHASE_ANA),
        ("QUANTA Flash CTD Screen Plus", Family.SOLID_PHASE_ANA), ("line blot", Family.SOLID_PHASE_ANA),
        ("rat liver", Family.SOLID_PHASE_ANA),
    ],
)  # fmt: skip
def test_only_hep2_cells_show_a_hep2_pattern(text: str, family: Family) -> None:
    """C2: a solid-phase ANA or CTD screen is no HEp-2, and its negative never saw a cell."""
    found = one(obx(ANA, "Negative", methods=said(text)))
    assert found.method is not None
    assert found.method.family is family
    assert (found.hep2 is not None) is (family is Family.HEP2_IIF)


def test_a_ctd_screen_by_its_kit_is_one_even_where_our_code_says_elisa() -> None:
    found = method(obx(ANA, "Negative", methods=ours("elisa", "EliA CTD Screen")))
    assert found is not None
    assert (found.assay, found.family) == ("elia-ctd-screen", Family.SOLID_PHASE_ANA)


def test_an_elisa_of_another_analyte_stays_an_elisa() -> None:
    found = method(obx(HMGCR, "3", methods=said("ELISA"), reference_range="<20"))
    assert found is not None
    assert found.family is Family.QUANT


def test_an_ana_that_names_no_method_is_not_taken_for_hep2() -> None:
    found, notes = read(obx(ANA, "Negative"))
    assert found.results[0].problems == (Problem.METHOD_UNKNOWN,)
    assert found.results[0].hep2 is None
    assert codes_of(notes) == set()


# ---------------------------------------------------------------- kits and makers


def result_of(code: str, value: str, unit: str = "", **more: object) -> Result:
    from panels import local, obx, one

    return one(obx(local(code), value, unit=Coding(unit) if unit else None, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("said", ["CLIA", "Chemiluminescence"])
def test_a_method_that_agrees_with_the_codes_kit_keeps_the_kit(said: str) -> None:
    found = result_of("HMGCRC", "30", "CU", methods=(Coding("", said),))
    assert found.method is not None
    assert (found.method.code, found.method.source) == ("clia", "OBX-17")
    assert found.method.assay == result_of("HMGCRC", "30", "CU").method.assay  # type: ignore[union-attr]
    assert found.method.assay
    assert found.problems == ()


def test_a_method_that_differs_from_the_codes_kit_drops_the_kit() -> None:
    found = result_of("HMGCRC", "30", "CU", methods=(Coding("", "ELISA"),))
    assert found.method is not None
    assert (found.method.code, found.method.assay) == ("elisa", "")


def test_a_kit_that_does_not_carry_the_antigen_made_no_result_of_it() -> None:
    from panels import obx, one

    found = one(obx((Coding("93493-5", "HMGCR IgG Ab", "LN"),), "30", methods=(Coding("", "EUROLINE"),)))
    assert found.method is None
    assert Problem.METHOD_UNKNOWN in found.problems


@pytest.mark.parametrize(
    "where", [{"equipment": ("Euroimmun EUROBlotOne",)}, {"methods": (Coding("", "ELISA Euroimmun"),)}]
)
def test_the_maker_is_read_where_no_kit_names_one(where: dict[str, object]) -> None:
    found = result_of("SRPE", "30", "U/mL", **where)
    assert found.method is not None
    assert found.method.manufacturer == "euroimmun"


@pytest.mark.parametrize("name", ["Creatine kinase.macromolecular", "CK macromolecular type 1", "P-CK-MBm", "s-ck-is"])
def test_an_isoenzyme_under_the_code_of_total_ck_is_contradicted(name: str) -> None:
    from panels import codes_of, obx, read

    found, notes = read(obx((Coding("2157-6", name, "LN"),), "90", unit=Coding("U/L")))
    assert found.results == ()
    assert "N102" in codes_of(notes)
