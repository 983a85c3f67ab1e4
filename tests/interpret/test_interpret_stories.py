"""Patients told as results: the shared vignettes that need neither overlays nor trends, and the cases of C10 and C11."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from interpret_build import (
    DAY,
    LOOKED_AT,
    METHODS,
    PATIENT,
    antibody,
    ck,
    hep2,
    history,
    limits,
    other,
    posted,
    result,
    stated,
)

from labbridge.interpret import Interpreter
from labbridge.model.history import History
from labbridge.model.outcome import Outcome
from labbridge.model.report import Patient
from labbridge.model.result import Analyte, ContextKind, Family, Material, Problem, Result, Status
from labbridge.model.values import Comparator, Missing, Quantity

SUSPECTED = (stated(ContextKind.SUSPECT_IIM, "Y"),)
DUE = timedelta(days=1)


def flags(outcome: Outcome) -> dict[str, str]:
    return {flag.code: flag.severity.value for flag in reversed(outcome.flags)}


def retests(outcome: Outcome) -> dict[str, tuple[tuple[str, ...], str]]:
    return {one.analyte: (one.families, one.priority.value) for one in outcome.retests}


def comment(outcome: Outcome) -> str:
    return outcome.comment.comment_class if outcome.comment else "NONE"


def text(outcome: Outcome) -> str:
    return outcome.comment.text if outcome.comment else ""


def states(outcome: Outcome) -> tuple[str, str, str, str]:
    found = outcome.states
    return (found.SRP, found.HMGCR, found.HEP2, found.CK)


def addenda(found: Outcome) -> tuple[str, ...]:
    return found.comment.addendum_classes if found.comment else ()


def version(first: Result, ref: str, days_later: int = 1, **fields: object) -> Result:
    """Another version of a result, received later."""
    received = first.received + timedelta(days=days_later)
    return msgspec.structs.replace(first, ref=ref, received=received, message_time=received, **fields)


# ---------------------------------------------------------------- the shared vignettes


def test_v_s01_concordant_srp_partner_missing(interpreter: Interpreter) -> None:
    found = interpreter(history(antibody("SRP", "POS_STRONG"), hep2("CYTO_COMPAT"), ck(50), context=SUSPECTED))
    assert states(found) == ("POS_STRONG", "NOT_TESTED", "CYTO_COMPAT", "HIGH")
    assert flags(found) == {"MSA_POSITIVE": "major", "MSA_POS_CONCORDANT": "major", "PARTNER_MISSING": "minor"}
    assert retests(found) == {"HMGCR": (("quant",), "routine")}
    assert (comment(found), found.hold) == ("C01", False)
    assert text(found) == (
        "Anti-SRP strongly positive (line blot) with cytoplasmic fluorescence on HEp-2 and markedly raised CK. "
        "This combination supports anti-SRP immune-mediated necrotizing myopathy if the clinical picture fits. "
        "Anti-HMGCR has not been tested and is suggested on the same sample."
    )


def test_v_s03_low_blot_nuclear_pattern_normal_ck(interpreter: Interpreter) -> None:
    found = interpreter(history(antibody("SRP", "POS_LOW"), hep2("NUCLEAR", titre=640), ck("0.56")))
    assert states(found) == ("POS_LOW", "NOT_TESTED", "NUCLEAR", "NORMAL")
    assert flags(found) == {
        "MSA_LOW_POS_UNCONFIRMED": "minor", "HEP2_PATTERN_INCONSISTENT": "minor", "MSA_POS_CK_NORMAL": "minor",
        "PARTNER_MISSING": "minor",
    }  # fmt: skip
    assert retests(found) == {"SRP": (("quant", "ip"), "routine"), "HMGCR": (("quant",), "routine")}
    assert comment(found) == "C03"
    assert "may represent a false positive" in text(found)


def test_v_s04_both_negative_high_ck(interpreter: Interpreter) -> None:
    found = interpreter(
        history(antibody("SRP", "NEG"), antibody("HMGCR", "NEG", "quant"), hep2("NEG"), ck(22), context=SUSPECTED)
    )
    assert flags(found) == {"SERONEG_HIGH_CK": "major"}
    assert retests(found) == {"OTHER_MSA": (("blot", "quant", "ip"), "routine")}
    assert comment(found) == "C06"
    assert text(found) == (
        "Anti-SRP and anti-HMGCR not detected; CK markedly raised. Negative serology does not exclude immune-mediated "
        "necrotizing myopathy: muscle biopsy is usually considered, alongside toxic, endocrine, infectious and genetic "
        "causes. In antibody-negative necrotizing myopathy, age-appropriate malignancy assessment is usually "
        "considered, especially over 50."
    )


def test_v_s05_a_negative_blot_without_hmgcr_is_not_seronegative(interpreter: Interpreter) -> None:
    found = interpreter(history(antibody("SRP", "NEG"), hep2("NEG"), ck(15), context=SUSPECTED))
    assert flags(found) == {"PARTNER_MISSING": "major", "ANA_NEG_NOT_EXCLUDING": "info"}
    assert retests(found) == {"HMGCR": (("quant",), "urgent")}
    assert comment(found) == "C05"
    assert "anti-HMGCR was not part of this test" in text(found)


def test_v_s06_equivocal_srp_very_high_ck(interpreter: Interpreter) -> None:
    found = interpreter(history(antibody("SRP", "EQUIVOCAL"), antibody("HMGCR", "NEG", "quant"), ck(30)))
    assert states(found) == ("EQUIVOCAL", "NEG", "NOT_TESTED", "HIGH")
    assert flags(found) == {"MSA_EQUIVOCAL": "major"}
    assert retests(found) == {"SRP": (("quant", "ip"), "urgent"), "ANA_HEP2": (("hep2_iif",), "routine")}
    assert comment(found) == "C04"


def test_v_s07_two_antibodies_low(interpreter: Interpreter) -> None:
    found = interpreter(
        history(antibody("SRP", "POS_LOW"), antibody("HMGCR", "POS_LOW", "quant"), hep2("NUCLEAR"), ck("1.8"))
    )
    assert flags(found) == {"DUAL_SRP_HMGCR": "major", "HEP2_PATTERN_INCONSISTENT": "minor"}
    assert retests(found) == {"SRP": (("quant", "ip"), "routine"), "HMGCR": (("ip", "cba", "tissue"), "routine")}
    assert comment(found) == "C08"


def test_v_s08_methods_disagree_the_later_does_not_win(interpreter: Interpreter) -> None:
    found = interpreter(
        history(
            antibody("SRP", "POS_STRONG"),
            antibody("SRP", "NEG", "quant"),
            antibody("HMGCR", "NEG", "quant"),
            ck("1.2"),
        )
    )
    assert states(found) == ("EQUIVOCAL", "NEG", "NOT_TESTED", "MILD")
    assert flags(found) == {"METHOD_DISCORDANCE": "major"}
    assert retests(found) == {"SRP": (("ip",), "routine"), "ANA_HEP2": (("hep2_iif",), "routine")}
    assert comment(found) == "C09"
    assert text(found).startswith("Anti-SRP: methods disagree (line blot reactive, ELISA negative, same sample).")


def test_v_s09_a_preliminary_positive_posts_nothing(interpreter: Interpreter) -> None:
    preliminary = antibody("SRP", "POS_STRONG", status=Status.PENDING)
    waiting = antibody("HMGCR", "NEG", "quant", status=Status.PENDING, value=Missing.ABSENT)
    found = interpreter(history(preliminary, waiting, ck("12.4")))
    assert states(found) == ("NOT_TESTED", "NOT_TESTED", "NOT_TESTED", "HIGH")
    assert flags(found) == {"RESULT_NOT_FINAL": "info", "MSA_PENDING": "info"}
    assert (found.retests, comment(found), found.hold, found.held) == ((), "NONE", True, ("SRP",))


def test_v_s10_a_negative_on_csf_is_no_result(interpreter: Interpreter) -> None:
    csf = antibody("SRP", "NEG", material=Material.OTHER, material_text="CSF", material_validated=False)
    found = interpreter(history(csf))
    assert states(found) == ("NOT_TESTED", "NOT_TESTED", "NOT_TESTED", "UNKNOWN")
    assert flags(found) == {"SPECIMEN_INVALID": "major"}
    assert retests(found) == {"SRP": (("same_new_specimen",), "routine")}
    assert (comment(found), found.subject) == ("C18", csf.ref)
    assert text(found) == (
        "Anti-SRP could not be interpreted: CSF is not validated for this test. "
        "It is neither a negative nor a low result. A new serum specimen is suggested."
    )


def test_v_s15_a_negative_screen_opens_the_search(interpreter: Interpreter) -> None:
    first = msgspec.structs.replace(hep2("NEG", "O501@1"), key="O501")
    found = interpreter(history(first, version(first, "O501@2"), ck(9), context=SUSPECTED))
    assert flags(found) == {
        "MSA_NOT_TESTED_CK_HIGH": "major", "ANA_NEG_NOT_EXCLUDING": "info", "DUPLICATE_SUPPRESSED": "info",
    }  # fmt: skip
    assert retests(found) == {"SRP": (("quant", "blot"), "routine"), "HMGCR": (("quant",), "routine")}
    assert (comment(found), found.subject) == ("C11", "O501@1")


def test_v_s17_the_pattern_outranks_the_flag(interpreter: Interpreter) -> None:
    dot = METHODS["blot"]
    strong = antibody(
        "SRP", "POS_STRONG", method=msgspec.structs.replace(dot, code="dot_blot", name="dot blot", manufacturer="dtek")
    )
    given = history(strong, antibody("HMGCR", "NEG", "quant"), hep2("CYTO_COMPAT"), ck(25), context=SUSPECTED)
    found = interpreter(given)
    assert flags(found) == {"MSA_POSITIVE": "major", "MSA_POS_CONCORDANT": "major"}
    assert (found.retests, comment(found)) == ((), "C01")
    assert "cytoplasmic fluorescence on HEp-2" in text(found)


def test_v_s18_a_solid_phase_screen_is_no_hep2(interpreter: Interpreter) -> None:
    screen = result(Analyte.HEP2, "R801", method=METHODS["solid"], value=Quantity(Decimal("0.1"), "ratio"))
    found = interpreter(history(screen, ck(11), context=SUSPECTED))
    assert states(found) == ("NOT_TESTED", "NOT_TESTED", "NOT_TESTED", "HIGH")
    assert flags(found) == {"MSA_NOT_TESTED_CK_HIGH": "major"}
    assert retests(found) == {"SRP": (("quant", "blot"), "urgent"), "HMGCR": (("quant",), "urgent")}
    assert comment(found) == "C22"


def test_v_s19_a_correction_replaces(interpreter: Interpreter) -> None:
    first = msgspec.structs.replace(antibody("SRP", "POS_STRONG", ref="S901@1"), key="S901")
    zero = Quantity(Decimal(0), "intensity")
    second = version(first, "S901@2", 6, status=Status.CORRECTED, value=zero)
    given = history(first, second, antibody("HMGCR", "NEG", "quant"), ck("1.13"), posted=(posted("S901@1"),))
    found = interpreter(given)
    assert flags(found) == {"RESULT_CORRECTED": "major"}
    assert (found.retests, comment(found)) == ((), "C07")
    assert found.comment is not None
    assert found.comment.addendum_classes == ("C19",)
    assert found.comment.full_text.startswith(
        f"This replaces the comment dated {DAY}: the anti-SRP result was corrected. "
        "Please disregard the earlier interpretation. Anti-SRP and anti-HMGCR not detected"
    )


def test_v_s20_an_athlete(interpreter: Interpreter) -> None:
    found = interpreter(history(antibody("SRP", "NEG"), antibody("HMGCR", "NEG", "quant"), hep2("NEG"), ck("3.2")))
    assert (flags(found), found.retests, comment(found)) == ({}, (), "C07")
    assert text(found).endswith(
        "If CK stays above 1.5 times the limit after a week without strenuous exercise, please discuss further testing."
    )


# ---------------------------------------------------------------- C10.3, C10.37, C10.38: other antibodies


JO1, MI2 = other("JO1", "POS_STRONG", synthetase=True), other("MI2", "POS_LOW")
BOTH_NEGATIVE = (antibody("SRP", "NEG"), antibody("HMGCR", "NEG", "quant"))


@pytest.mark.parametrize("another", [JO1, MI2])
@pytest.mark.parametrize("pattern", ["CYTO_COMPAT", "NUCLEAR", "NEG"])
@pytest.mark.parametrize("times", ["0.5", 20])
def test_another_positive_antibody_is_no_seronegative_myopathy(
    interpreter: Interpreter, another: Result, pattern: str, times: str
) -> None:
    found = interpreter(history(*BOTH_NEGATIVE, another, hep2(pattern), ck(times)))
    assert "SERONEG_HIGH_CK" not in flags(found)
    assert "OTHER_MSA" not in retests(found)
    assert comment(found) == "NONE"


@pytest.mark.parametrize(("another", "severity"), [(JO1, "info"), (MI2, "major")])
def test_a_synthetase_antibody_explains_the_cytoplasm(interpreter: Interpreter, another: Result, severity: str) -> None:
    found = interpreter(history(*BOTH_NEGATIVE, another, hep2("CYTO_COMPAT"), ck(20)))
    assert flags(found)["HEP2_CYTO_MSA_NEG"] == severity


def test_with_one_antibody_tested_the_explained_cytoplasm_is_info(interpreter: Interpreter) -> None:
    found = interpreter(history(antibody("SRP", "NEG"), JO1, hep2("CYTO_COMPAT"), ck("0.5")))
    assert flags(found)["HEP2_CYTO_MSA_INCOMPLETE"] == "info"
    assert set(retests(found)) == {"HMGCR"}
    assert comment(found) == "NONE"


@pytest.mark.parametrize(("times", "wanted"), [("0.5", set()), (20, {"SRP", "HMGCR"})])
def test_untested_and_explained_asks_for_both_only_with_a_high_ck(
    interpreter: Interpreter, times: str, wanted: set[str]
) -> None:
    found = interpreter(history(JO1, hep2("CYTO_COMPAT"), ck(times)))
    assert flags(found)["HEP2_CYTO_MSA_UNTESTED"] == "info"
    assert set(retests(found)) == wanted
    assert comment(found) == "NONE"


def test_another_antibody_does_not_silence_a_positive_one(interpreter: Interpreter) -> None:
    """With a high CK a strong one stands beside low ones (C10.7); two strong ones exclude each other."""
    low = msgspec.structs.replace(other("JO1", "POS_LOW", synthetase=True))
    found = interpreter(history(antibody("SRP", "POS_STRONG"), low, hep2("CYTO_COMPAT"), ck(20)))
    assert (comment(found), addenda(found)) == ("C01", ("C23",))
    assert (flags(found)["MULTI_MSA"], retests(found)["OTHER_MSA"]) == ("major", (("quant", "ip"), "routine"))
    strong = interpreter(history(antibody("SRP", "POS_STRONG"), JO1, hep2("CYTO_COMPAT"), ck(20)))
    assert (comment(strong), addenda(strong)) == ("C23", ())
    assert "anti-SRP and anti-Jo-1" in text(strong)


STRIP = tuple(other(name, "NEG", synthetase=name == "JO1") for name in ("JO1", "MI2", "MDA5", "NXP2", "SAE", "TIF1G"))


def test_a_strip_that_was_negative_is_not_asked_for_again(interpreter: Interpreter) -> None:
    found = interpreter(history(*BOTH_NEGATIVE, *STRIP, hep2("NEG"), ck(20)))
    assert (flags(found), found.retests) == ({"SERONEG_HIGH_CK": "major"}, ())
    compatible = interpreter(history(*BOTH_NEGATIVE, *STRIP, hep2("CYTO_COMPAT"), ck(20)))
    assert retests(compatible) == {"SRP": (("ip",), "urgent"), "OTHER_MSA": (("ip",), "urgent")}


# ---------------------------------------------------------------- C10.4, C10.5: earlier positive, known


LONG_AGO = DAY - timedelta(days=90)


def test_once_positive_now_negative_is_never_seronegative(interpreter: Interpreter) -> None:
    before = antibody("SRP", "POS_STRONG", "quant", "MARCH", LONG_AGO)
    now = antibody("SRP", "NEG", "quant", "JUNE")
    found = interpreter(history(before, now, antibody("HMGCR", "NEG", "quant"), ck(12)))
    assert flags(found) == {"SEROREVERSION": "minor"}
    assert (comment(found), retests(found)) == ("C14", {"SRP": (("same_new_specimen",), "urgent")})
    assert text(found) == (
        f"Anti-SRP not detected, previously positive by the same method on {LONG_AGO}. The change may be true or may come "
        "from the specimen or the run. A new specimen is suggested without delay; parallel testing of both specimens is "
        "suggested before this result is used."
    )


def test_once_positive_hmgcr_now_negative_is_unexpected(interpreter: Interpreter) -> None:
    before = antibody("HMGCR", "POS_STRONG", "quant", "MARCH", LONG_AGO)
    found = interpreter(history(before, antibody("HMGCR", "NEG", "quant"), antibody("SRP", "NEG"), ck(12)))
    assert flags(found) == {"SEROREVERSION_UNEXPECTED": "major"}


def known_before(pattern: str = "CYTO_COMPAT") -> tuple[Result, ...]:
    """What made anti-SRP known ninety days ago: strong, with the fitting pattern and a high CK; and its partner."""
    return (
        antibody("SRP", "POS_STRONG", ref="OLD-SRP", day=LONG_AGO),
        antibody("HMGCR", "NEG", "quant", "OLD-HMGCR", LONG_AGO),
        hep2(pattern, "OLD-HEP2", LONG_AGO),
        ck(40, "OLD-CK", LONG_AGO),
    )


def test_known_from_the_results_held_is_monitored(interpreter: Interpreter) -> None:
    """C10.5 b: concordant before, now strong with a normal CK: not "a result without clinical relevance"."""
    found = interpreter(history(*known_before(), antibody("SRP", "POS_STRONG"), ck("0.8")))
    assert found.facts["srp_known"] is True
    assert found.facts["srp"] == "KNOWN"
    assert not {"MSA_POSITIVE", "MSA_POS_CK_NORMAL", "HEP2_NEG_MSA_POS"} & set(flags(found))
    assert "SRP" not in retests(found)
    assert (flags(found)["CK_NORMALISED_AB_PERSISTENT"], comment(found)) == ("info", "C15")


def test_an_unconfirmed_positive_alone_is_never_known(interpreter: Interpreter) -> None:
    found = interpreter(history(*known_before("NEG"), antibody("SRP", "POS_STRONG"), ck("0.8")))
    assert found.facts["srp_known"] is False
    assert comment(found) == "C10"


def test_thirty_days_are_not_before(interpreter: Interpreter) -> None:
    for days, known in ((30, False), (31, True)):
        then = DAY - timedelta(days=days)
        earlier = (antibody("SRP", "POS_STRONG", "ip", "IP", then), ck(20, "CK-0", then))
        found = interpreter(history(*earlier, antibody("SRP", "POS_STRONG"), ck(8)))
        assert found.facts["srp_known"] is known


@pytest.mark.parametrize("how", ["context", "marked"])
def test_known_by_the_requester_or_a_scientist(interpreter: Interpreter, how: str) -> None:
    given = history(antibody("SRP", "POS_STRONG"), ck(8))
    if how == "context":
        given = msgspec.structs.replace(given, context=(stated(ContextKind.KNOWN_MSA, "SRP"),))
    else:
        given = msgspec.structs.replace(given, known=frozenset({"SRP"}))
    found = interpreter(given)
    assert flags(found) == {"PARTNER_MISSING": "minor"}  # the partner was never tested
    assert comment(found) == "NONE"


def test_the_other_antibody_is_judged_as_new(interpreter: Interpreter) -> None:
    """Known anti-HMGCR, not positive now; new strong anti-SRP with CK 20 x: commented, and the negative doubted."""
    given = history(
        antibody("SRP", "POS_STRONG"),
        antibody("HMGCR", "NEG", "quant"),
        hep2("CYTO_COMPAT"),
        ck(20),
        known=frozenset({"HMGCR"}),
    )
    found = interpreter(given)
    assert flags(found) == {
        "MSA_POSITIVE": "major", "MSA_POS_CONCORDANT": "major", "SEROREVERSION_UNEXPECTED": "major",
    }  # fmt: skip
    assert comment(found) == "C01"
    assert text(found).endswith("A new specimen is suggested without delay; please correlate clinically.")


@pytest.mark.parametrize("pattern", ["NEG", "NUCLEAR", "CYTO_COMPAT"])
@pytest.mark.parametrize("known", ["SRP", "HMGCR"])
def test_both_positive_now_one_of_them_known(interpreter: Interpreter, known: str, pattern: str) -> None:
    """C08, the known one neither flagged nor checked; never concordant beside dual (P2)."""
    given = history(
        antibody("SRP", "POS_STRONG"),
        antibody("HMGCR", "POS_STRONG", "quant"),
        hep2(pattern),
        ck(20),
        known=frozenset({known}),
    )
    found = interpreter(given)
    fresh = "HMGCR" if known == "SRP" else "SRP"
    assert comment(found) == "C08"
    assert set(retests(found)) == {fresh}
    assert "MSA_POS_CONCORDANT" not in flags(found)
    assert not {flag.code for flag in found.flags if flag.analyte == known} - {"DUAL_SRP_HMGCR"}


def test_known_with_a_monthly_ck_says_nothing(interpreter: Interpreter) -> None:
    found = interpreter(history(ck(5), known=frozenset({"SRP"}), context=SUSPECTED))
    assert not {"MSA_NOT_TESTED_CK_HIGH", "CK_HIGH_SINGLE", "ANA_NEG_NOT_EXCLUDING"} & set(flags(found))
    assert comment(found) == "NONE"


# ---------------------------------------------------------------- C10.10, C10.31: age, seriousness


@pytest.mark.parametrize(
    ("times", "suspected", "biopsy"), [(6, False, False), (6, True, True), (12, False, True), (10, False, False)]
)
def test_c06_speaks_of_biopsy_only_when_it_is_serious(
    interpreter: Interpreter, times: int, suspected: bool, biopsy: bool
) -> None:
    found = interpreter(history(*BOTH_NEGATIVE, ck(times), context=SUSPECTED if suspected else ()))
    assert comment(found) == "C06"
    assert ("muscle biopsy" in text(found)) is biopsy
    assert ("malignancy" in text(found)) is biopsy
    assert ("A repeat CK after a week without strenuous exercise or injection" in text(found)) is not biopsy


def test_a_ck_that_stays_high_is_serious(interpreter: Interpreter) -> None:
    earlier = ck(5, "CK-0", DAY - timedelta(days=20))
    found = interpreter(history(*BOTH_NEGATIVE, earlier, ck(6)))
    assert "muscle biopsy" in text(found)


@pytest.mark.parametrize(
    ("age", "malignancy", "biopsy"), [(70, True, True), (18, True, True), (17, False, False), (None, False, True)]
)
def test_c06_and_age(interpreter: Interpreter, age: int | None, malignancy: bool, biopsy: bool) -> None:
    patient = msgspec.structs.replace(PATIENT, age_years=age)
    found = interpreter(history(*BOTH_NEGATIVE, ck(30), patient=patient))
    assert ("malignancy" in text(found), "muscle biopsy" in text(found)) == (malignancy, biopsy)


@pytest.mark.parametrize(("age", "statin"), [(70, True), (9, False), (None, False)])
def test_c02_and_age(interpreter: Interpreter, age: int | None, statin: bool) -> None:
    patient = msgspec.structs.replace(PATIENT, age_years=age)
    given = history(antibody("HMGCR", "POS_STRONG", "quant"), antibody("SRP", "NEG"), ck(30), patient=patient)
    found = interpreter(given)
    assert comment(found) == "C02"
    assert ("statin" in text(found)) is statin


# ---------------------------------------------------------------- C10.8, C11: words


def test_c02_as_c11_writes_it(interpreter: Interpreter) -> None:
    clia = msgspec.structs.replace(METHODS["quant"], code="clia", name="CLIA")
    strong = antibody("HMGCR", "POS_STRONG", "quant", method=clia)
    found = interpreter(history(strong, antibody("SRP", "NEG"), hep2("NEG"), ck(38)))
    assert text(found) == (
        "Anti-HMGCR strongly positive (CLIA), with markedly raised CK: supports anti-HMGCR immune-mediated necrotizing "
        "myopathy, with or without statin exposure. HEp-2 immunofluorescence may be negative with this antibody. "
        "Please correlate clinically; review of statin or statin-like supplement exposure may be informative."
    )


def test_c02_on_blot_alone_asks_for_confirmation(interpreter: Interpreter) -> None:
    found = interpreter(history(antibody("HMGCR", "POS_STRONG"), antibody("SRP", "NEG"), ck(2)))
    assert "is compatible with anti-HMGCR" in text(found)
    assert "ELISA/CLIA" in text(found)
    assert "HEp-2" not in text(found)


def test_c03_with_a_high_ck_is_not_played_down(interpreter: Interpreter) -> None:
    found = interpreter(history(antibody("HMGCR", "POS_LOW", "quant"), antibody("SRP", "NEG"), ck(20)))
    assert text(found).startswith(
        "Anti-HMGCR low positive (ELISA), with markedly raised CK. An unconfirmed low level may or may not be relevant; "
        "with this CK anti-HMGCR necrotizing myopathy remains possible."
    )
    assert "without delay" in text(found)
    assert "false positive" not in text(found)


@pytest.mark.parametrize(
    ("times", "ending"),
    [
        ("0.5", "does not completely exclude them."),
        (None, "CK was not available."),
        (2, "please discuss further testing."),
    ],
)
def test_c07_by_ck(interpreter: Interpreter, times: object, ending: str) -> None:
    companions = () if times is None else (ck(str(times)),)
    found = interpreter(history(*BOTH_NEGATIVE, hep2("NEG"), *companions))
    assert comment(found) == "C07"
    assert text(found).endswith(ending)


def test_c05_mirrored(interpreter: Interpreter) -> None:
    found = interpreter(history(antibody("HMGCR", "NEG", "quant"), ck("0.5")))
    assert text(found).startswith("Anti-HMGCR not detected (ELISA); anti-SRP was not part of this test.")


def test_c01_confirmed_names_both_methods(interpreter: Interpreter) -> None:
    given = history(
        antibody("SRP", "POS_STRONG"), antibody("SRP", "POS_LOW", "quant"), antibody("HMGCR", "NEG", "quant"), ck(20)
    )
    found = interpreter(given)
    assert text(found).startswith("Anti-SRP positive by two methods (")
    assert "line blot" in text(found)
    assert "ELISA" in text(found)
    assert "SRP" not in retests(found)


def test_c10_confirmed_does_not_doubt(interpreter: Interpreter) -> None:
    given = history(
        antibody("SRP", "POS_STRONG"), antibody("SRP", "POS_LOW", "quant"), antibody("HMGCR", "NEG", "quant"), ck("0.9")
    )
    found = interpreter(given)
    assert text(found) == (
        "Anti-SRP positive by two methods, with CK within limits. Early, treated or low-muscle-mass disease is possible. "
        "A repeat CK in 4 weeks and clinical correlation are suggested."
    )


def test_the_sample_is_too_old_for_a_further_test(interpreter: Interpreter) -> None:
    """C10.40: "on the same sample" only within the add-on window; then it says that a new one is needed."""
    given = history(antibody("SRP", "POS_STRONG"), hep2("CYTO_COMPAT"), ck(57))
    ends = {
        14: "Anti-HMGCR has not been tested and is suggested on the same sample.",
        15: "Anti-HMGCR testing is suggested on a new sample; please correlate clinically.",
    }
    for days, end in ends.items():
        assert text(interpreter(msgspec.structs.replace(given, today=DAY + timedelta(days=days)))).endswith(end)


def test_two_samples_are_not_called_the_same(interpreter: Interpreter) -> None:
    later = antibody("SRP", "NEG", "quant", day=DAY + timedelta(days=3))
    found = interpreter(history(antibody("SRP", "POS_STRONG"), later, antibody("HMGCR", "NEG", "quant"), ck(2)))
    assert "samples of 2026-03-10 and 2026-03-13" in text(found)


# ---------------------------------------------------------------- C10.13, C10.14: pending and hold


def test_a_partner_in_progress_is_not_missing(interpreter: Interpreter) -> None:
    waiting = antibody("HMGCR", "NEG", "quant", status=Status.PENDING, value=Missing.ABSENT)
    found = interpreter(history(antibody("SRP", "POS_STRONG"), waiting, hep2("CYTO_COMPAT"), ck(20)))
    assert flags(found) == {"MSA_POSITIVE": "major", "MSA_POS_CONCORDANT": "major", "PARTNER_PENDING": "info"}
    assert found.retests == ()
    assert "Anti-HMGCR is in progress" in text(found)


def test_a_send_out_that_never_returns_is_missing_again(interpreter: Interpreter) -> None:
    waiting = antibody("HMGCR", "NEG", "quant", status=Status.PENDING, value=Missing.ABSENT)
    given = history(antibody("SRP", "NEG"), waiting, ck("0.5"))
    for days, code in ((21, "PARTNER_PENDING"), (22, "PARTNER_MISSING")):
        found = interpreter(msgspec.structs.replace(given, today=DAY + timedelta(days=days)))
        assert set(flags(found)) == {code}


def test_companions_in_progress_are_not_asked_for(interpreter: Interpreter) -> None:
    waiting = ck(1, status=Status.PENDING, value=Missing.ABSENT)
    found = interpreter(history(antibody("SRP", "POS_STRONG"), waiting, antibody("HMGCR", "NEG", "quant")))
    assert "CK_MISSING" not in flags(found)
    assert "CK" not in retests(found)


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (Problem.UNIT_UNKNOWN, "UNIT_UNKNOWN"),
        (Problem.VALUE_AMBIGUOUS, "VALUE_IMPLAUSIBLE"),
        (Problem.STATUS_UNKNOWN, "STATUS_UNKNOWN"),
        (Problem.METHOD_UNKNOWN, "ASSAY_UNMAPPED"),
        (Problem.LIMITS_DIFFER, "ASSAY_UNMAPPED"),
    ],
)
def test_what_cannot_be_understood_holds_the_comment_and_no_flag(
    interpreter: Interpreter, problem: Problem, code: str
) -> None:
    odd = ck(20, problems=(problem,))
    found = interpreter(history(antibody("SRP", "POS_STRONG"), odd))
    assert flags(found)[code] == "major"
    assert flags(found)["MSA_POSITIVE"] == "major"
    assert (found.hold, found.held, comment(found)) == (True, ("CK",), "NONE")
    decided = interpreter(history(antibody("SRP", "POS_STRONG"), odd, decided=frozenset({odd.ref})))
    assert (decided.hold, comment(decided)) == (False, "C01")


def test_a_comparator_that_leaves_it_open_asks_for_the_number(interpreter: Interpreter) -> None:
    open_ended = antibody("HMGCR", "POS_LOW", "quant", value=Quantity(Decimal(25), "U", Comparator.GREATER))
    found = interpreter(history(open_ended, ck(20)))
    assert flags(found)["RESULT_CENSORED"] == "major"
    assert retests(found)["HMGCR"] == (("quant",), "urgent")
    assert found.hold
    assert limits("quant") is not None


@pytest.mark.parametrize(("what", "severity"), [("sex", "major"), ("birth_date", "critical")])
def test_another_person_perhaps(interpreter: Interpreter, what: str, severity: str) -> None:
    found = interpreter(history(antibody("SRP", "POS_STRONG"), ck(20), identity=what))
    assert flags(found)["IDENTITY_MISMATCH"] == severity
    assert (found.hold, found.held) == (True, ("patient",))


# ---------------------------------------------------------------- C10.7, C19, C18: what is added


def withdrawn(first: Result, ref: str) -> Result:
    return version(first, ref, 3, status=Status.WITHDRAWN, value=Missing.ABSENT)


def test_a_withdrawn_companion_hides_no_interpretation(interpreter: Interpreter) -> None:
    first = ck(30, "CK@1", key="CK")
    given = history(
        antibody("SRP", "POS_STRONG"), hep2("CYTO_COMPAT"), first, withdrawn(first, "CK@2"), posted=(posted("CK@1"),)
    )
    found = interpreter(given)
    assert comment(found) == "C01"
    assert found.comment is not None
    assert found.comment.addenda[0].startswith(f"This replaces the comment dated {DAY}: the CK result was withdrawn.")


def test_with_nothing_left_the_withdrawal_is_the_comment(interpreter: Interpreter) -> None:
    first = antibody("SRP", "POS_STRONG", ref="S@1", key="S")
    given = history(first, withdrawn(first, "S@2"))
    found = interpreter(given)
    assert (comment(found), found.subject) == ("C19", "S@2")
    assert text(found) == f"The anti-SRP result of {DAY} was withdrawn."
    again = interpreter(msgspec.structs.replace(given, posted=(posted("S@1"),)))
    assert text(again).startswith("This replaces the comment dated")
    assert text(again).endswith("Please disregard the earlier interpretation.")


def test_a_correction_of_what_was_not_posted_replaces_nothing(interpreter: Interpreter) -> None:
    first = antibody("SRP", "POS_STRONG", ref="S@1", key="S")
    second = version(first, "S@2", 3, status=Status.CORRECTED, value=Quantity(Decimal(14), "intensity"))
    found = interpreter(history(first, second, ck(2)))
    assert found.comment is not None
    assert found.comment.addenda == (f"The anti-SRP result of {DAY} was corrected.",)


def test_an_invalid_companion_is_added(interpreter: Interpreter) -> None:
    edta = ck(30, "CK-EDTA", material=Material.OTHER_PLASMA, material_text="EDTA plasma", material_validated=False)
    found = interpreter(history(antibody("SRP", "POS_STRONG"), edta))
    assert comment(found) == "C01"
    assert retests(found)["CK"][1] == "urgent"
    assert found.comment is not None
    assert found.comment.addendum_classes == ("C18",)
    assert "EDTA plasma is not validated" in found.comment.addenda[0]


def test_an_invalid_antibody_comes_before_an_invalid_companion(interpreter: Interpreter) -> None:
    spoilt = {"material": Material.OTHER, "material_text": "CSF", "material_validated": False}
    given = history(ck(30, "A-CK", **spoilt), antibody("SRP", "NEG", ref="Z-SRP", **spoilt))
    found = interpreter(given)
    assert (comment(found), found.subject) == ("C18", "Z-SRP")
    assert text(found).startswith("Anti-SRP could not be interpreted")


def test_a_second_antibody_in_dispute_is_an_addendum(interpreter: Interpreter) -> None:
    given = history(
        antibody("SRP", "POS_STRONG"),
        antibody("HMGCR", "POS_STRONG"),
        antibody("HMGCR", "NEG", "quant"),
        hep2("CYTO_COMPAT"),
        ck(20),
    )
    found = interpreter(given)
    assert comment(found) == "C01"
    assert found.comment is not None
    assert found.comment.addendum_classes == ("C09",)
    assert "Anti-HMGCR: methods disagree" in found.comment.addenda[0]


def test_a_reference_method_has_decided(interpreter: Interpreter) -> None:
    given = history(
        antibody("SRP", "POS_STRONG"), antibody("SRP", "NEG", "ip"), antibody("HMGCR", "NEG", "quant"), ck(2)
    )
    found = interpreter(given)
    assert states(found)[0] == "NEG"
    assert flags(found) == {"METHOD_DISCORDANCE_RESOLVED": "info"}
    assert comment(found) == "C07"
    assert found.comment is not None
    assert found.comment.addenda[0].endswith("immunoprecipitation has decided.")


# ---------------------------------------------------------------- C10.19, C10.20: HEp-2


def test_positive_without_a_pattern_asks_for_the_pattern(interpreter: Interpreter) -> None:
    found = interpreter(history(hep2("UNSPECIFIED"), ck(20)))
    assert states(found)[2] == "NOT_TESTED"
    assert flags(found) == {"MSA_NOT_TESTED_CK_HIGH": "major"}
    assert retests(found)["ANA_HEP2"] == (("hep2_iif",), "routine")
    assert comment(found) == "C22"


def test_an_undescribed_cytoplasm_is_said_to_be_undescribed(interpreter: Interpreter) -> None:
    found = interpreter(history(antibody("SRP", "POS_STRONG"), hep2("CYTO_OTHER", pattern_stated=False), ck(2)))
    assert flags(found)["HEP2_PATTERN_INCONSISTENT"] == "minor"
    assert "pattern is not specified" in text(found)
    assert retests(found)["ANA_HEP2"] == (("hep2_iif",), "routine")


@pytest.mark.parametrize(("titre", "concordant"), [(160, True), (80, False)])
def test_a_low_titre_does_not_corroborate(interpreter: Interpreter, titre: int, concordant: bool) -> None:
    found = interpreter(
        history(
            antibody("SRP", "POS_STRONG"), antibody("HMGCR", "NEG", "quant"), hep2("CYTO_COMPAT", titre=titre), ck(20)
        )
    )
    assert ("MSA_POS_CONCORDANT" in flags(found)) is concordant
    assert ("SRP" in retests(found)) is not concordant


# ---------------------------------------------------------------- the outcome itself


def test_what_the_comment_was_written_from(interpreter: Interpreter) -> None:
    given = history(antibody("SRP", "POS_STRONG"), hep2("CYTO_COMPAT"), ck(20), other("JO1", "NEG", synthetase=True))
    found = interpreter(given)
    assert found.used == ("SRP-blot", "HEP2", "CK")
    assert found.subject == "SRP-blot"
    assert found.patient == PATIENT.key
    assert found.evaluated_at == LOOKED_AT
    assert found.knowledge == interpreter.knowledge.version
    assert found.facts["srp"] == "POS_STRONG"


@pytest.mark.parametrize(
    ("results", "subject"),
    [
        ((hep2("NEG"), ck(20)), "HEP2"),
        ((ck(20),), "CK"),
        ((antibody("SRP", "NEG"), antibody("HMGCR", "NEG", "quant", day=DAY + DUE)), "HMGCR-quant"),
        ((antibody("SRP", "NEG", day=DAY + DUE), antibody("HMGCR", "NEG", "quant")), "SRP-blot"),
        ((), ""),
    ],
)
def test_the_comment_hangs_on_the_most_specific_result(
    interpreter: Interpreter, results: tuple[Result, ...], subject: str
) -> None:
    assert interpreter(history(*results)).subject == subject


def test_a_patient_without_results(interpreter: Interpreter) -> None:
    found = interpreter(History(patient=Patient(), results=(), today=LOOKED_AT))
    assert states(found) == ("NOT_TESTED", "NOT_TESTED", "NOT_TESTED", "UNKNOWN")
    assert (found.flags, found.retests, found.comment, found.hold) == ((), (), None, False)


def test_tissue_alone_is_support_only(interpreter: Interpreter) -> None:
    tissue = antibody("HMGCR", "POS_STRONG", "tissue")
    assert tissue.method is not None
    assert tissue.method.family is Family.TISSUE
    found = interpreter(history(tissue, ck(20)))
    assert states(found)[1] == "EQUIVOCAL"
    assert "HMGCR" in retests(found)


def test_the_poor_specimen_of_a_held_result_is_told(interpreter: Interpreter) -> None:
    """A person decides on the result, and has to know of its specimen (C1.4, C10.14); one that was replaced says nothing."""
    held = antibody("SRP", "POS_LOW", quality_poor=True, problems=(Problem.LIMITS_MISSING,))
    codes = {flag.code for flag in interpreter(history(held, antibody("HMGCR", "NEG", "quant"))).flags}
    assert {"ASSAY_UNMAPPED", "SPECIMEN_QUALITY"} <= codes
