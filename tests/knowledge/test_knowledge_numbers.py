"""Numbers, patterns, bands, lists and citations of the shipped files are those of clinical.md, each with where it stands."""

from __future__ import annotations

from datetime import date

import pytest

from labbridge.knowledge.documents import read_yaml
from labbridge.model.result import Hep2Class
from labbridge.sources import load, read_folder, shipped

KNOWLEDGE = load()
FILES = {source.name: source for source in read_folder(shipped())}

# id -> value, unit, and the section of clinical.md that states it (case_window_d: architecture.md, rule 3)
POLICY = {
    "case_window_d": ("30", "d", "rule 3"),
    "quant_strong_fold": ("3", "x cut-off", "C2"),
    "ck_fallback_limit_female": ("207", "U/L", "E50"),
    "ck_fallback_limit_male": ("395", "U/L", "E50"),
    "ck_fallback_limit_male_older": ("340", "U/L", "E50"),
    "ck_fallback_older_from": ("50", "a", "E50"),
    "ck_fallback_limit_girl": ("345", "U/L", "E54"),
    "ck_fallback_limit_boy": ("870", "U/L", "E54"),
    "adult_from": ("18", "a", "C2"),
    "infant_until": ("1", "a", "C10.30"),
    "ck_sent_limit_least": ("50", "U/L", "C10.30"),
    "ck_sent_limit_most": ("2000", "U/L", "C10.30"),
    "ck_implausible_above": ("1000000", "U/L", "C1.5"),
    "age_implausible_above": ("120", "a", "C1.5"),
    "clock_skew_h": ("24", "h", "C10.32"),
    "aggregation_window_d": ("30", "d", "C3"),
    "expiry_d": ("180", "d", "C10.1"),
    "pending_expires_d": ("21", "d", "C10.13"),
    "repeat_same_method_d": ("14", "d", "C10.2"),
    "confirmation_window_d": ("180", "d", "C10.9"),
    "ivig_window_d": ("90", "d", "C10.9"),
    "ck_window_d": ("30", "d", "C2"),
    "ck_mod_from": ("4", "x upper limit", "C2"),
    "ck_high_above": ("10", "x upper limit", "C2"),
    "ck_persistent_least_d": ("7", "d", "C10.17"),
    "ck_persistent_most_d": ("90", "d", "C10.17"),
    "ck_extreme_above": ("10000", "U/L", "CK_EXTREME"),
    "known_before_d": ("30", "d", "C10.5"),
    "hep2_corroborates_from": ("160", "reciprocal titre", "C10.20"),
    "other_msa_enough": ("6", "antigens", "C10.37"),
    "add_on_srp_d": ("14", "d", "C10.40"),
    "add_on_hmgcr_d": ("14", "d", "C10.40"),
    "add_on_ana_hep2_d": ("14", "d", "C10.40"),
    "add_on_ck_d": ("14", "d", "C10.40"),
    "add_on_other_msa_d": ("14", "d", "C10.40"),
    "passive_wait_d": ("60", "d", "O1"),
    "ck_depleted_below": ("20", "U/L", "O3"),
    "ck_depletion_before_d": ("14", "d", "O3"),
    "ck_fall_percent": ("90", "percent", "C10.29"),
    "ck_fall_within_d": ("3", "d", "C10.29"),
    "ck_depletion_clear_d": ("90", "d", "C10.29"),
    "trend_least_d": ("14", "d", "C10.27"),
    "trend_most_d": ("365", "d", "C10.27"),
    "seroconversion_most_d": ("180", "d", "L1"),
    "seroconversion_fold": ("2", "x previous", "C10.27"),
    "titre_rising_fold": ("1.5", "x previous", "L5"),
    "titre_falling_fold": ("0.5", "x previous", "L6"),
    "ck_diverging_fall": ("0.5", "x previous", "L6"),
    "ck_diverging_rise": ("2", "x previous", "L6"),
    "ck_rebound_above": ("1.5", "x upper limit", "L8"),
    "ck_rebound_fold": ("2", "x previous", "L8"),
    "ck_rebound_least_d": ("7", "d", "C10.25"),
    "ck_rebound_most_d": ("365", "d", "C10.25"),
    "creatinine_low_female": ("45", "umol/L", "L9"),
    "repeat_comment_d": ("180", "d", "C10.39"),
    "repeat_rebound_d": ("14", "d", "C10.39"),
    "repeat_quiet_comment_d": ("365", "d", "C10.16"),
    "partner_prompt_d": ("7", "d", "C10.16"),
    "add_on_least_ml": ("0", "mL", "no page gives a volume"),
    "creatinine_low_male": ("60", "umol/L", "L9"),
    "comment_expiry_h": ("72", "h", "C10.15"),
    "second_reader_share": ("0", "%", "4.3"),
    "release_reviewed_least": ("200", "cases", "H4"),
    "release_agreement_least": ("99", "%", "H4"),
    "release_sample": ("2", "%", "H4"),
    "drift_baseline": ("25", "%", "no page gives the share"),
    "drift_least": ("50", "results", "4.5"),
    "drift_odds": ("2", "odds ratio", "no page gives the change"),
    "drift_false_alarm": ("5", "%", "no page gives the probability"),
    "release_new_lot_d": ("14", "d", "no page gives the days"),
}


@pytest.mark.parametrize("name", list(POLICY))
def test_a_number_is_the_pages_with_unit_source_and_date(name: str) -> None:
    value, unit, section = POLICY[name]
    found = KNOWLEDGE.policy.numbers[name]
    assert (str(found.value), found.unit) == (value, unit)
    assert section in found.source
    assert date.fromisoformat(found.still_valid_on)
    verified = "E50" in section  # the only limits of a study that ship as they stand; all else is a choice
    assert found.tag == ("VERIFIED" if verified else "CONVENTION")


def test_no_number_ships_that_no_page_states() -> None:
    assert set(KNOWLEDGE.policy.numbers) == set(POLICY)


# ---------------------------------------------------------------- HEp-2: clinical.md C2, C10.19 d, C11.13

AC = {
    Hep2Class.NEG: [0],
    Hep2Class.NUCLEAR: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 24, 25, 26, 27, 28, 29, 30, 31],
    Hep2Class.CYTO_OTHER: [15, 16, 17, 18, 21, 22, 23],
    Hep2Class.CYTO_COMPAT: [19, 20],
}


@pytest.mark.parametrize(
    ("number", "pattern"), [(number, pattern) for pattern, found in AC.items() for number in found]
)
def test_an_ac_code_has_the_class_of_its_pattern(number: int, pattern: Hep2Class) -> None:
    assert KNOWLEDGE.terminology.words.hep2_codes[f"AC-{number}"] is pattern


def test_other_pattern_codes_have_no_class() -> None:
    assert len(KNOWLEDGE.terminology.words.hep2_codes) == 32  # BAC and AC-XX are no ICAP codes (codes.md 4.1)


@pytest.mark.parametrize("word", ["mitochondri", "golgi", "lysosom", "filament", "rods and rings", "dots"])
def test_an_organelle_of_the_page_is_known(word: str) -> None:
    """C10.19 b: with one of these a homogeneous cytoplasm is not the pattern of anti-SRP."""
    assert f" {word}" in [one.rstrip() for one in KNOWLEDGE.terminology.words.hep2_words["organelle"]]


# ---------------------------------------------------------------- methods, bands, cut-offs: clinical.md C2, codes.md 5.2

FAMILIES = {
    "blot": ("line_blot dot_blot immunoblot", 3),
    "quant": ("elisa clia albia pmat feia", 2),
    "ip": ("ip_rna ip_protein", 1),
    "cba": ("cba", 1),
    "tissue": ("tissue_iif", None),
    "hep2_iif": ("hep2_iif", None),
    "solid_phase_ana": ("solid_phase_ana", None),
    "enzymatic": ("enzymatic", None),
}


@pytest.mark.parametrize("family", list(FAMILIES))
def test_the_methods_of_a_family_and_their_tier(family: str) -> None:
    names, tier = FAMILIES[family]
    methods = [one for one in KNOWLEDGE.terminology.methods.values() if one.family == family]
    assert {one.id for one in methods} == set(names.split())
    assert {one.tier for one in methods} == {tier}


@pytest.mark.parametrize(
    ("method", "bands"),
    [
        ("line_blot", [("EQUIVOCAL", "6", False), ("POS_LOW", "11", False), ("POS_STRONG", "26", False)]),
        ("dot_blot", [("EQUIVOCAL", "5", False), ("POS_LOW", "10", True), ("POS_STRONG", "30", False)]),
    ],
)
def test_the_bands_of_a_blot(method: str, bands: list[tuple[str, str, bool]]) -> None:
    found = KNOWLEDGE.terminology.methods[method].bands
    assert [(one.category.value, str(one.low), one.above_only) for one in found] == bands


def test_no_other_method_has_bands_of_its_own() -> None:
    assert {one.id for one in KNOWLEDGE.terminology.methods.values() if one.bands} == {"line_blot", "dot_blot"}


def test_the_cut_offs_are_those_that_were_seen() -> None:
    """QUANTA Lite, BlueDiver, ALBIA, PMAT and Cosmic: recalled, unsure, two of them or an odd unit; none ships."""
    kits = KNOWLEDGE.terminology.kits.values()
    found = {one.id: (str(one.cut_off), " ".join(one.units)) for one in kits if one.cut_off is not None}
    assert found == {
        "quanta-flash-hmgcr": ("20.0", "CU [CU] {CU}"),
        "arup-hmgcr": ("20", "Units units"),
        "mayo-hmgcr": ("20.0", "CU"),
        "mayo-hmges": ("20.0", "U/mL"),
        "iowa-hmgcr": ("20", ""),
        "oslab-hmgcr": ("20", "U/ml"),
        "fleury-hmgcr": ("20.0", "CLU"),
    }
    assert {one.analyte.casefold() for one in kits if one.cut_off is not None} == {"hmgcr"}
    assert {one.id for one in kits if one.bands} == {"quest-94777"}


def test_line_blots_without_hmgcr_say_so() -> None:
    kits = KNOWLEDGE.terminology.kits.values()
    assert {one.id for one in kits if "HMGCR" in one.antigens_absent} == {"euroline-16", "quest-94777"}


# ---------------------------------------------------------------- flags and lists: clinical.md C4, C5

HOLDING = "RESULT_NOT_FINAL STATUS_UNKNOWN VALUE_IMPLAUSIBLE UNIT_UNKNOWN ASSAY_UNMAPPED RESULT_CENSORED"
OTHERS_HOLDING = "CONFLICTING_DUPLICATE IDENTITY_MISMATCH"


def test_the_flags_that_hold_are_those_of_the_page() -> None:
    holding = {code for code, flag in KNOWLEDGE.decisions.flags.items() if flag.hold}
    assert holding == {*HOLDING.split(), *OTHERS_HOLDING.split()}


@pytest.mark.parametrize(
    ("analyte", "source", "families"),
    [
        ("SRP", "blot", "quant ip"),
        ("SRP", "quant", "ip blot"),
        ("SRP", "discordant", "ip"),
        ("SRP", "any", "quant blot"),
        ("SRP", "exhausted", "ip"),
        ("HMGCR", "blot", "quant ip cba"),
        ("HMGCR", "quant", "ip cba tissue"),
        ("HMGCR", "discordant", "ip cba"),
        ("HMGCR", "any", "quant"),
        ("HMGCR", "exhausted", "ip cba"),
        ("ANA_HEP2", "any", "hep2_iif"),
        ("CK", "any", "enzymatic"),
    ],
)
def test_the_other_methods_come_in_the_order_of_the_page(analyte: str, source: str, families: str) -> None:
    assert KNOWLEDGE.decisions.retests[(analyte, source)] == tuple(families.split())


@pytest.mark.parametrize(
    ("analyte", "materials"),
    [(name, {"serum"}) for name in ("SRP", "HMGCR", "ANA_HEP2", "OTHER_MSA")]
    + [(name, {"serum", "heparin_plasma"}) for name in ("CK", "CREAT")],
)
def test_the_specimens_of_a_test_are_those_of_c1(analyte: str, materials: set[str]) -> None:
    assert {material for one, material in KNOWLEDGE.terminology.validated if one == analyte} == materials


# ---------------------------------------------------------------- citations


def test_what_is_cited_is_listed_and_what_is_listed_is_cited() -> None:
    decisions = KNOWLEDGE.decisions
    rows = (*decisions.rules, *decisions.comments.values())
    assert {key for row in rows for key in row.citations} == decisions.citations


def test_a_citation_says_once_what_was_read_and_when() -> None:
    rows = list(read_yaml(FILES["citations.yaml"], []))
    assert len({row.fields["id"] for row in rows}) == len(rows)
    for row in rows:
        assert row.fields["read"], row.fields["id"]
        assert date.fromisoformat(row.fields["on"])


@pytest.mark.parametrize("name", ["analytes", "flags", "retests", "units", "specimens-validated", "outgoing"])
def test_a_shipped_record_says_where_it_was_read(name: str) -> None:
    assert [row.line for row in read_yaml(FILES[f"{name}.yaml"], []) if not row.fields.get("source")] == []


@pytest.mark.parametrize("name", sorted(name for name in FILES if name.endswith(".csv")))
def test_a_shipped_line_says_where_it_was_read(name: str) -> None:
    lines = [line for line in FILES[name].text.splitlines() if line and not line.startswith("#")]
    assert lines[0].endswith(",source")
    assert [line for line in lines if line.endswith(",")] == []
