"""What makes an antibody known, and what is silent then: one case a sentence of clinical.md C10.5, with C10.1 and C10.33."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interpret_build import METHODS, antibody, ck, hep2, history, other, posted, result, stated
from interpret_lab import hmgcr, on, srp

from labbridge.interpret import Interpreter
from labbridge.model.history import History
from labbridge.model.outcome import Outcome
from labbridge.model.result import Analyte, ContextKind, Material, Result, Status
from labbridge.model.values import Missing, Quantity
from labbridge.sources import load

INTERPRETER = Interpreter(load())
NEW = ("MSA_POSITIVE", "MSA_POS_CONCORDANT", "MSA_LOW_POS_UNCONFIRMED", "MSA_POS_CK_NORMAL", "HEP2_NEG_MSA_POS")


def known(found: Outcome) -> set[str]:
    return {name for name in ("SRP", "HMGCR") if found.facts[f"{name.lower()}_known"]}


def codes(found: Outcome) -> set[str]:
    return {flag.code for flag in found.flags}


def written(found: Outcome) -> str:
    return found.comment.comment_class if found.comment else "NONE"


def ck_band(found: Outcome) -> str:
    return found.states.CK


def at(day: int, *results: Result, **fields: Any) -> Outcome:
    """The outcome as of a day counted from DAY."""
    return INTERPRETER(history(*results, today=on(day), **fields))


def concordant(day: int = 0) -> tuple[Result, ...]:
    """A new strong anti-HMGCR with a CK of 40 times the limit: never CONFIRMED, since C5 asks no second method."""
    return (hmgcr("POS_STRONG", day=day), srp("NEG", day=day), ck(40, f"CK{day}", on(day)))


# ---------------------------------------------------------------- (b): what the results held say, as of the last of them


@pytest.mark.parametrize(
    ("then", "names"),
    [
        (concordant(), {"HMGCR"}),
        ((hmgcr("POS_STRONG"), ck(4)), {"HMGCR"}),
        ((hmgcr("POS_STRONG"), ck("3.9")), set()),
        ((hmgcr("POS_STRONG"),), set()),
        ((hmgcr("POS_LOW"), ck(40)), set()),
        ((hmgcr("EQUIVOCAL"), ck(40)), set()),
        ((hmgcr("POS_LOW"), hmgcr("POS_LOW", "blot")), {"HMGCR"}),
        ((hmgcr("POS_LOW", "cba"),), {"HMGCR"}),
        ((srp("POS_LOW", "ip"),), {"SRP"}),
        ((srp("POS_STRONG"), hep2("CYTO_COMPAT"), ck(40)), {"SRP"}),
        ((srp("POS_STRONG"), hep2("CYTO_COMPAT", titre=80), ck(40)), set()),
        ((srp("POS_STRONG"), hep2("NUCLEAR"), ck(40)), set()),
        ((srp("POS_STRONG"), ck(40)), set()),
        ((srp("POS_LOW", day=-60), srp("POS_LOW", "quant")), {"SRP"}),
        ((srp("POS_LOW"), srp("NEG", "quant"), ck(40)), set()),
        ((srp("POS_LOW", "ip"), hmgcr("POS_LOW", "cba")), {"SRP", "HMGCR"}),
        ((srp("POS_STRONG"), hmgcr("POS_STRONG"), hep2("CYTO_COMPAT"), ck(40)), set()),
    ],
)
def test_what_the_results_of_then_make_known(then: tuple[Result, ...], names: set[str]) -> None:
    assert known(at(100, *then, ck(2, "NOW", on(100)))) == names


@pytest.mark.parametrize(("apart", "names"), [(0, set()), (30, set()), (31, {"HMGCR"}), (400, {"HMGCR"})])
def test_more_than_30_days_before_the_anchor(apart: int, names: set[str]) -> None:
    assert known(at(apart, *concordant(), hmgcr("POS_STRONG", day=apart, number="again"))) == names


@pytest.mark.parametrize(
    "change",
    [
        {"status": Status.WITHDRAWN, "value": Missing.ABSENT},
        {"status": Status.CANCELLED, "value": Missing.ABSENT},
        {"status": Status.CORRECTED, "value": Quantity(Decimal(0), "intensity")},
        {"status": Status.CORRECTED, "value": Quantity(Decimal(30), "intensity")},
    ],
)
def test_recomputed_from_the_results_and_never_from_what_was_posted(change: dict[str, Any]) -> None:
    """A year later the laboratory takes the strong result back: what was posted of it makes nothing known."""
    first = concordant()
    later = {"ref": "LATER", "received": first[0].received.replace(year=2027), "message_time": None, **change}
    back = msgspec.structs.replace(first[0], **later)
    one = history(*first, back, hmgcr("POS_STRONG", "blot", 400), today=on(400), posted=(posted(first[0].ref),))
    assert known(INTERPRETER(one)) == set()
    assert known(INTERPRETER(msgspec.structs.replace(one, results=(*first, one.results[-1])))) == {"HMGCR"}


def test_known_stays_known_through_a_negative_under_treatment() -> None:
    """Positive in year one, negative in year two: the third year starts from a known antibody."""
    found = at(700, *concordant(), hmgcr("NEG", day=350), hmgcr("POS_LOW", day=700), ck("0.8", "CK700", on(700)))
    assert (known(found), written(found)) == ({"HMGCR"}, "C15")


def test_a_ck_outside_its_window_makes_no_concordance() -> None:
    assert known(at(100, hmgcr("POS_STRONG"), ck(40, "CK40", on(40)), ck(2, "NOW", on(100)))) == set()


def test_many_years_of_monthly_ck_do_not_matter() -> None:
    monthly = [ck(3, f"CK{month}", on(32 * month)) for month in range(1, 180)]
    assert known(at(32 * 180, *concordant(), *monthly)) == {"HMGCR"}


# ---------------------------------------------------------------- the anchor is a usable SRP, HMGCR, HEp-2 or CK (C10.1)


def not_anchors(day: int) -> dict[str, Result]:
    """Lines that are no usable antibody, HEp-2 or CK of that day."""
    csf = {"material": Material.OTHER, "material_text": "CSF", "material_validated": False}
    open_ = {"status": Status.PENDING, "value": Missing.ABSENT}
    creatinine = result(Analyte.CREATININE, "CREA", on(day), method=METHODS["enzymatic"])
    solid = result(Analyte.HEP2, "SCREEN", on(day), method=METHODS["solid"])
    return {
        "creatinine": msgspec.structs.replace(creatinine, value=Quantity(Decimal(60), "umol/L")),
        "ck in progress": ck(1, "LATER", on(day), **open_),
        "antibody in progress": srp("NEG", day=day, **open_),
        "withdrawn hep2": msgspec.structs.replace(hep2("NEG", "LATER", on(day)), status=Status.WITHDRAWN),
        "cancelled ck": ck(1, "LATER", on(day), status=Status.CANCELLED, value=Missing.ABSENT),
        "antibody in csf": srp("NEG", day=day, **csf),
        "ck in edta": ck(1, "LATER", on(day), **{**csf, "material": Material.OTHER_PLASMA}),
        "another antibody": other("MI2", "NEG", day=on(day)),
        "solid-phase screen": solid,
    }


@pytest.mark.parametrize("name", not_anchors(0))
@pytest.mark.parametrize("apart", [31, 60, 170])
def test_a_line_that_is_no_anchor_does_not_make_a_new_antibody_known(name: str, apart: int) -> None:
    """The first strong anti-HMGCR keeps its flags and its comment, whatever companion comes a month later."""
    found = at(apart, *concordant(), not_anchors(apart)[name])
    assert known(found) == set()
    assert {"MSA_POSITIVE", "MSA_POS_CONCORDANT"} <= codes(found)
    assert written(found) == "C02"


@pytest.mark.parametrize(
    "later",
    [hmgcr("POS_STRONG", day=31), srp("NEG", "quant", 31), hep2("NEG", "LATER", on(31)), ck(2, "LATER", on(31))],
    ids=["the same antibody", "the other antibody", "HEp-2", "CK"],
)
def test_a_usable_companion_is_an_anchor(later: Result) -> None:
    assert known(at(31, *concordant(), later)) == {"HMGCR"}


def test_an_undecided_ck_is_no_anchor_and_holds() -> None:
    """Two final values of one CK: neither counts, the comment waits, the antibody stays new."""
    first = ck(2, "CK@1", on(31))
    second = msgspec.structs.replace(first, ref="CK@2", value=Quantity(Decimal(9000), "U/L"))
    found = at(31, *concordant(), first, second)
    assert (known(found), found.hold, found.held) == (set(), True, ("CK",))
    assert {"MSA_POSITIVE", "CONFLICTING_DUPLICATE"} <= codes(found)


# ---------------------------------------------------------------- (a) the request, (c) a scientist


@pytest.mark.parametrize("name", ["SRP", "HMGCR"])
@pytest.mark.parametrize("how", ["request", "scientist"])
def test_recorded_or_marked(name: str, how: str) -> None:
    given = {"known": frozenset({name})} if how == "scientist" else {}
    context = (stated(ContextKind.KNOWN_MSA, name),) if how == "request" else ()
    found = at(0, antibody(name, "POS_STRONG"), ck(20), context=context, **given)
    assert known(found) == {name}
    assert not codes(found) & set(NEW)
    assert written(found) == "NONE"


def test_both_may_be_recorded() -> None:
    context = (stated(ContextKind.KNOWN_MSA, "SRP"), stated(ContextKind.KNOWN_MSA, "HMGCR", on(1)))
    assert known(at(2, ck(20), context=context)) == {"SRP", "HMGCR"}


# ---------------------------------------------------------------- what is silent, and for whom


@pytest.mark.parametrize("name", ["SRP", "HMGCR"])
@pytest.mark.parametrize("times", ["0.5", "2", "6", "30"])
@pytest.mark.parametrize("pattern", ["", "NEG", "NUCLEAR", "CYTO_COMPAT"])
def test_a_ck_of_a_known_patient_says_nothing(name: str, times: str, pattern: str) -> None:
    """MSA_NOT_TESTED_CK_HIGH, CK_HIGH_SINGLE, ANA_NEG_NOT_EXCLUDING, PARTNER_MISSING for the known one; no comment."""
    partner = "HMGCR" if name == "SRP" else "SRP"
    lines = (antibody(partner, "NEG", "quant"), ck(times), *((hep2(pattern),) if pattern else ()))
    found = at(0, *lines, known=frozenset({name}))
    assert codes(found) == set()
    assert found.retests == ()
    assert written(found) == "NONE"


@pytest.mark.parametrize("times", ["0.5", "2", "6", "30"])
@pytest.mark.parametrize("category", ["NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG"])
def test_nothing_is_asked_of_a_known_antibody_again(category: str, times: str) -> None:
    found = at(0, srp(category), hmgcr("NEG"), hep2("NUCLEAR"), ck(times), known=frozenset({"SRP"}))
    assert [one.analyte for one in found.retests] == []
    assert not codes(found) & {*NEW, "CK_MISSING", "HEP2_PATTERN_INCONSISTENT", "SERONEG_HIGH_CK"}
    assert ("MSA_EQUIVOCAL" in codes(found)) is (category == "EQUIVOCAL")  # C3 does not silence it
    assert written(found) == "NONE"


def test_methods_that_disagree_about_a_known_antibody_are_seen_and_not_commented() -> None:
    found = at(0, srp("POS_STRONG"), srp("NEG", "quant"), hmgcr("NEG"), ck("2"), known=frozenset({"SRP"}))
    assert {one.code: one.severity for one in found.flags} == {"METHOD_DISCORDANCE": "major"}
    assert (found.retests, written(found)) == ((), "NONE")


@pytest.mark.parametrize(
    ("category", "times", "comment", "code"),
    [
        ("POS_STRONG", "20", "C01", "MSA_POSITIVE"),
        ("POS_STRONG", "0.8", "C10", "MSA_POSITIVE"),
        ("POS_LOW", "20", "C03", "MSA_LOW_POS_UNCONFIRMED"),
        ("EQUIVOCAL", "20", "C04", "MSA_EQUIVOCAL"),
    ],
)
@pytest.mark.parametrize("now", [None, "NEG", "EQUIVOCAL"])
def test_the_other_antibody_is_new(now: str | None, category: str, times: str, comment: str, code: str) -> None:
    """Known anti-HMGCR, today not tested, negative or equivocal; anti-SRP is judged as in anybody else. Negative beside a
    high CK it is doubted too (C10.26), and that is the comment where anti-SRP is not positive."""
    known_now = () if now is None else (hmgcr(now),)
    found = at(0, srp(category), *known_now, hep2("CYTO_COMPAT"), ck(times), known=frozenset({"HMGCR"}))
    assert code in codes(found)
    doubted = now == "NEG" and times == "20"
    assert written(found) == ("C14" if doubted and category == "EQUIVOCAL" else comment)
    told = {None: set(), "NEG": {"SEROREVERSION_UNEXPECTED"} if doubted else set(), "EQUIVOCAL": {"MSA_EQUIVOCAL"}}
    assert {one.code for one in found.flags if one.analyte == "HMGCR"} == told[now]


@pytest.mark.parametrize("low", ["SRP", "HMGCR"])
@pytest.mark.parametrize("name", ["SRP", "HMGCR"])
def test_both_positive_now_is_dual(name: str, low: str) -> None:
    results = [antibody(one, "POS_LOW" if one == low else "POS_STRONG") for one in ("SRP", "HMGCR")]
    found = at(0, *results, ck(20), known=frozenset({name}))
    assert "DUAL_SRP_HMGCR" in codes(found)
    assert written(found) == "C08"
    assert name not in [one.analyte for one in found.retests]


@pytest.mark.parametrize(("latest", "band"), [("0.8", "NORMAL"), ("2", "MILD"), ("30", "HIGH")])
def test_the_latest_ck_counts_when_nothing_is_new(latest: str, band: str) -> None:
    """C10.33; a new positive partner brings back the highest of the window."""
    lines = (hmgcr("POS_STRONG"), ck(9, "CK-20", on(-20)), ck(latest, "CK0"))
    alone = at(0, *lines, known=frozenset({"HMGCR"}))
    with_new_partner = at(0, *lines, srp("POS_LOW"), known=frozenset({"HMGCR"}))
    assert ck_band(alone) == band
    assert ck_band(with_new_partner) == ("HIGH" if latest == "30" else "MOD")


# ---------------------------------------------------------------- for every history

_lines = st.lists(
    st.tuples(
        st.sampled_from(["SRP", "HMGCR"]),
        st.sampled_from(["NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG"]),
        st.sampled_from(["blot", "quant", "ip"]),
        st.integers(-400, 0),
    ),
    max_size=5,
)
_cks = st.lists(st.tuples(st.sampled_from(["0.5", "2", "6", "40"]), st.integers(-400, 0)), max_size=4)


def _patient(lines: list[tuple[str, str, str, int]], cks: list[tuple[str, int]]) -> list[Result]:
    found = [antibody(name, its, by, f"A{i}", on(day)) for i, (name, its, by, day) in enumerate(lines)]
    return [*found, *(ck(times, f"K{i}", on(day)) for i, (times, day) in enumerate(cks))]


def _says(one: History) -> tuple[object, ...]:
    found = INTERPRETER(one)
    return (found.states, known(found), found.flags, found.retests, found.comment)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(_lines, _cks, st.integers(0, 200))
def test_a_creatinine_of_any_later_day_changes_nothing(
    lines: list[tuple[str, str, str, int]], cks: list[tuple[str, int]], day: int
) -> None:
    one = history(*_patient(lines, cks), today=on(day))
    with_it = msgspec.structs.replace(one, results=(*one.results, not_anchors(day)["creatinine"]))
    assert _says(with_it) == _says(one)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(_lines, _cks)
def test_known_only_by_results_more_than_30_days_before_the_anchor(
    lines: list[tuple[str, str, str, int]], cks: list[tuple[str, int]]
) -> None:
    """Whoever is known was positive by a result that old; without those results nobody is known."""
    results = _patient(lines, cks)
    anchor = max((one.collected.day for one in results), default=on(0))
    recent = [one for one in results if (anchor - one.collected.day).days <= 30]
    positive = {name for name, its, _by, day in lines if its.startswith("POS") and (anchor - on(day)).days > 30}
    assert known(INTERPRETER(history(*results))) <= positive
    assert known(INTERPRETER(history(*recent))) == set()
