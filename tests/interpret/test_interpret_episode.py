"""The episode: anchor, context, age, other antibodies, what was used; order, replay and units (C9 P7-P9, C10.1)."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interpret_build import DAY, METHODS, PATIENT, ck, hep2, history, other, result, stated
from interpret_lab import POLICY, at, held, hmgcr, on, quantity, raised, seen, srp, timed

from labbridge.interpret.episode import episode
from labbridge.interpret.held import Held
from labbridge.model.history import History
from labbridge.model.report import Patient
from labbridge.model.result import Analyte, Category, ContextItem, ContextKind, Material, Problem, Result, Status
from labbridge.model.values import Missing, Quantity

# ---------------------------------------------------------------- the anchor


@pytest.mark.parametrize(
    "newest", [srp("NEG", day=9), hmgcr("POS_LOW", day=9), hep2("NEG", day=on(9)), ck(1, day=on(9))]
)
def test_the_anchor_is_the_latest_usable_collection(newest: Result) -> None:
    found = seen(srp("NEG", day=-5), hep2("NUCLEAR", "H1", on(-3)), newest, ck(1, "CK1", on(2)), today=on(10))
    assert found.anchor == on(9)


@pytest.mark.parametrize(
    "newest",
    [
        other("JO1", "POS_STRONG", day=on(9)),
        result(Analyte.CREATININE, "KR", on(9), value=quantity("60", unit="umol/L")),
        srp("NEG", day=9, status=Status.PENDING),
        srp("NEG", day=9, status=Status.WITHDRAWN),
        srp("NEG", day=9, problems=(Problem.LIMITS_DIFFER,)),
        srp("NEG", day=9, material=Material.OTHER, material_validated=False),
        srp("NEG", day=9, value=quantity("15", "<")),
    ],
)
def test_what_is_not_usable_is_no_anchor(newest: Result) -> None:
    assert seen(hmgcr("NEG"), newest, today=on(10)).anchor == DAY


def test_without_a_usable_result_there_is_no_anchor() -> None:
    found = seen()
    assert (found.anchor, found.used, found.raised, found.srp.prior) == (None, (), (), False)
    assert found.age_years == PATIENT.age_years


# ---------------------------------------------------------------- age (C10.31)


@pytest.mark.parametrize(
    ("patient", "age"),
    [
        (Patient(birth_date=date(2008, 3, 10)), 18),
        (Patient(birth_date=date(2008, 3, 11)), 17),
        (Patient(age_years=5), 5),
        (Patient(), None),
    ],
)
def test_the_age_is_that_of_the_anchor(patient: Patient, age: int | None) -> None:
    assert seen(srp("NEG"), patient=patient, today=on(300)).age_years == age


# ---------------------------------------------------------------- context


def said(kind: str, value: str, hour: int = 9) -> ContextItem:
    return ContextItem(kind=ContextKind(kind), value=value, stated=datetime(2026, 3, 10, hour, tzinfo=UTC))


@pytest.mark.parametrize(
    ("items", "suspicion"),
    [
        ([], False),
        ([said("SUSPECT_IIM", "Y")], True),
        ([said("SUSPECT_IIM", "N")], False),
        ([said("SUSPECT_IIM", "U")], False),
        ([said("SUSPECT_IIM", "Y", 8), said("SUSPECT_IIM", "N", 9)], False),  # the latest statement
        ([said("SUSPECT_IIM", "N", 8), said("SUSPECT_IIM", "Y", 9)], True),
    ],
)
def test_the_latest_statement_of_the_requester_counts(items: list[ContextItem], suspicion: bool) -> None:
    for order in (items, items[::-1]):
        assert seen(context=tuple(order)).suspicion is suspicion


def test_statin_and_infusion_are_passed_on() -> None:
    found = seen(context=(said("STATIN", "Y"), said("IVIG_DATE", "2026-02-01")))
    assert (found.statin, found.ivig) == ("Y", date(2026, 2, 1))
    assert (seen().statin, seen().ivig) == ("", None)


@pytest.mark.parametrize("age", [0, 181, 5000])
@pytest.mark.parametrize("make", [srp, hmgcr])
def test_an_antibody_result_however_old_is_a_suspicion(make: Any, age: int) -> None:
    found = seen(make("NEG", day=-age), ck(5))
    assert found.suspicion_implied
    assert not found.suspicion
    assert not seen(ck(5)).suspicion_implied


def test_a_withdrawn_antibody_is_no_suspicion() -> None:
    assert not seen(srp("NEG", status=Status.WITHDRAWN), ck(5)).suspicion_implied


# ---------------------------------------------------------------- known (C10.5)

BOTH_WAYS = [
    {"known": frozenset({"HMGCR"})},
    {"context": (said("KNOWN_MSA", "HMGCR"),)},
]


@pytest.mark.parametrize("how", BOTH_WAYS)
def test_known_by_the_case_or_by_the_results_held(how: dict[str, Any]) -> None:
    found = seen(hmgcr("POS_LOW"), **how)
    assert (found.hmgcr.known, found.srp.known) == (True, False)


def test_known_because_a_scientist_marked_it() -> None:
    one = msgspec.structs.replace(history(hmgcr("POS_LOW")), known=frozenset({"HMGCR"}))
    assert episode(one, POLICY).hmgcr.known


def test_known_without_a_result_of_today() -> None:
    found = seen(ck(5), context=(said("KNOWN_MSA", "SRP"),))
    assert (found.srp.known, found.srp.state.value) == (True, "NOT_TESTED")


def test_both_may_be_known() -> None:
    found = seen(context=(said("KNOWN_MSA", "SRP"), said("KNOWN_MSA", "HMGCR", 10)))
    assert found.srp.known
    assert found.hmgcr.known


@pytest.mark.parametrize(
    ("partner", "results", "tested"),
    [
        ("Y", [], True),
        ("N", [], False),
        ("", [], False),
        ("", [srp("NEG", day=-3000)], True),  # what our own store holds counts as much
        ("N", [srp("NEG", day=-3000)], True),
        ("", [srp("NEG", status=Status.PENDING)], False),
    ],
)
def test_whether_the_partner_was_ever_tested(partner: str, results: list[Result], tested: bool) -> None:
    context = (said("KNOWN_MSA", "HMGCR"), *([said("KNOWN_MSA_PARTNER", partner)] if partner else []))
    assert seen(hmgcr("POS_STRONG"), *results, context=context).hmgcr.partner_tested is tested


# ---------------------------------------------------------------- other antibodies (C10.3, C10.24, C10.37)


def test_the_other_antibodies_of_the_episode() -> None:
    strip = [other(f"A{place}", "NEG") for place in range(4)]
    found = seen(srp("NEG"), *strip, other("JO1", "NEG", synthetase=True), other("MDA5", "POS_LOW"))
    assert [one.antigen for one in found.other_positive] == ["MDA5"]
    assert (found.other_negative, found.synthetase_negative) == (5, True)


@pytest.mark.parametrize(
    ("category", "positive", "negative"),
    [("NEG", 0, 1), ("EQUIVOCAL", 0, 0), ("POS_LOW", 1, 0), ("POS_STRONG", 1, 0)],
)
def test_equivocal_is_neither(category: str, positive: int, negative: int) -> None:
    found = seen(other("JO1", category))
    assert (len(found.other_positive), found.other_negative) == (positive, negative)


def test_an_antigen_is_counted_once_and_positive_wins_within_30_days() -> None:
    def twice(day: int) -> tuple[int, int]:
        earlier = msgspec.structs.replace(other("JO1", "POS_LOW", day=on(day)), key="earlier", ref="earlier")
        found = seen(earlier, other("JO1", "NEG"), srp("NEG"))
        return (len(found.other_positive), found.other_negative)

    assert twice(-30) == (1, 0)
    assert twice(-31) == (0, 1)


@pytest.mark.parametrize(("age", "positive"), [(180, 1), (181, 0)])
def test_other_antibodies_expire_too(age: int, positive: int) -> None:
    assert len(seen(srp("NEG"), other("JO1", "POS_STRONG", day=on(-age))).other_positive) == positive


def test_another_antibody_in_progress() -> None:
    pending = msgspec.structs.replace(other("JO1", "NEG"), status=Status.PENDING, value=Missing.ABSENT)
    assert seen(srp("NEG"), pending).other_pending
    assert not seen(srp("NEG"), other("JO1", "NEG")).other_pending


# ---------------------------------------------------------------- waiting (C1.7), identity, what was used


def test_a_held_antibody_waits_and_the_other_does_not() -> None:
    found = seen(srp("POS_LOW", value=quantity("15", "<")), hmgcr("NEG"))
    assert (found.srp.pending, found.hmgcr.pending) == (True, False)


def test_a_usable_result_stands_beside_a_held_one() -> None:
    found = seen(srp("POS_STRONG"), srp("POS_LOW", "quant", problems=(Problem.LIMITS_MISSING,)))
    assert (found.srp.state.value, found.srp.pending) == ("POS_STRONG", True)


@pytest.mark.parametrize("what", ["sex", "birth_date"])
def test_another_person_perhaps_holds_everything(what: str) -> None:
    found = seen(srp("NEG"), identity=what)
    assert held(found) == {"IDENTITY_MISMATCH"}
    assert found.raised[-1].text == what


def test_what_an_episode_was_read_from() -> None:
    blot, elisa, slide, creatine, jo1 = srp("POS_LOW"), hmgcr("NEG"), hep2("NEG"), ck(9), other("JO1", "POS_LOW")
    found = seen(srp("POS_STRONG", day=-400), blot, elisa, slide, ck(2, "old", on(-5)), creatine, jo1)
    assert found.used == (blot, elisa, slide, creatine, jo1)


def test_the_notes_of_versions_are_passed_on() -> None:
    final = srp("POS_LOW")
    late = msgspec.structs.replace(
        final, ref="late", status=Status.PENDING, status_time=final.received + timedelta(hours=1)
    )
    found = seen(final, late)
    assert [one.code for one in found.notes] == ["N301"]


# ---------------------------------------------------------------- as it stood before (C10.5 b)


def test_the_evidence_as_it_stood() -> None:
    one = history(
        srp("NEG", day=-60),
        srp("POS_STRONG", day=-40),
        ck(5, day=on(-40)),
        srp("NEG", "quant", day=0),
        hep2("NEG", day=on(0)),
    )
    then = Held(one, POLICY).core(frozenset(), until=on(-31))
    assert (then.srp.state, then.hmgcr.state, then.hep2.state, then.ck.band) == (
        "POS_STRONG", "NOT_TESTED", "NOT_TESTED", "MOD",
    )  # fmt: skip
    assert (then.when.anchor, then.when.index, then.when.today) == (on(-40), on(-40), on(-40))
    assert Held(one, POLICY).core(frozenset()).srp.state == "NEG"


def test_before_the_first_result_there_is_nothing() -> None:
    then = Held(history(srp("NEG")), POLICY).core(frozenset(), until=on(-1))
    assert (then.srp.state, then.when.anchor, then.ck.band) == ("NOT_TESTED", None, "UNKNOWN")


@pytest.mark.parametrize(("cut", "state"), [(-40, "NEG"), (-41, "NOT_TESTED")])
def test_the_day_itself_belongs_to_it(cut: int, state: str) -> None:
    assert Held(history(srp("NEG", day=-40)), POLICY).core(frozenset(), until=on(cut)).srp.state == state


def test_a_passive_antibody_confirms_nothing_then() -> None:
    infused = (said("IVIG_DATE", str(on(-100))),)
    results = (srp("POS_LOW", "blot", day=-90), srp("POS_STRONG", "quant", day=-50))
    alone = Held(history(*results), POLICY).core(frozenset(), until=on(-31))
    passive = Held(history(*results, context=infused), POLICY).core(frozenset(), until=on(-31))
    assert (alone.srp.confirmed, passive.srp.confirmed) == (True, False)


# ---------------------------------------------------------------- every history (P7, P8, P9)

DAYS = st.sampled_from([-400, -181, -180, -90, -60, -31, -30, -14, -13, -7, -1, 0, 0, 0])
METHOD = st.sampled_from(["blot", "quant", "ip", "cba", "tissue"])
STATUS = st.sampled_from([Status.FINAL] * 8 + list(Status))
PROBLEM = st.sampled_from([()] * 8 + [(one,) for one in Problem])
HOUR = st.one_of(st.none(), st.integers(0, 23))


@st.composite
def antibodies(draw: st.DrawFn) -> Result:
    make = draw(st.sampled_from([srp, hmgcr]))
    day, hour = draw(DAYS), draw(HOUR)
    found: Result = make(
        draw(st.sampled_from([one.value for one in Category])),
        draw(METHOD),
        day,
        status=draw(STATUS),
        problems=draw(PROBLEM),
        number=draw(st.integers(0, 3)),
    )
    found = msgspec.structs.replace(found, key=f"{found.analyte}{draw(st.integers(0, 4))}")
    return timed(found, at(day, hour)) if hour is not None else found


@st.composite
def companions(draw: st.DrawFn) -> Result:
    day, number = on(draw(DAYS)), draw(st.integers(0, 5))
    kind = draw(st.sampled_from(["hep2", "ck", "other"]))
    fields = {"status": draw(STATUS), "problems": draw(PROBLEM)}
    if kind == "hep2":
        pattern = draw(st.sampled_from(["CYTO_COMPAT", "CYTO_OTHER", "NUCLEAR", "NEG", "UNSPECIFIED"]))
        found = hep2(pattern, f"H{number}", day)
    elif kind == "ck":
        found = ck(draw(st.sampled_from(["0.5", "1", "1.5", "4", "9", "10", "12", "60"])), f"K{number}", day)
    else:
        found = other(draw(st.sampled_from(["JO1", "MDA5"])), draw(st.sampled_from(["NEG", "POS_LOW"])), day=day)
    return msgspec.structs.replace(found, **fields)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Up to ten versions, each with a reference of its own; some share a key and so are versions of one result."""
    drawn = draw(st.lists(st.one_of(antibodies(), companions()), max_size=10))
    numbered = [msgspec.structs.replace(one, ref=f"M{place}:{one.ref}") for place, one in enumerate(drawn)]
    later = [
        msgspec.structs.replace(one, received=one.received + timedelta(hours=draw(st.integers(0, 3))))
        for one in numbered
    ]
    infusion = draw(st.sampled_from([None, -200, -60, -10]))
    context = () if infusion is None else (stated(ContextKind.IVIG_DATE, on(infusion).isoformat()),)
    return history(*later, context=context, known=draw(st.sampled_from([frozenset(), frozenset({"SRP"})])))


@given(histories(), st.integers(0, 2**32))
@settings(max_examples=200)
def test_p7_the_order_given_does_not_matter(one: History, seed: int) -> None:
    shuffled = list(one.results)
    random.Random(seed).shuffle(shuffled)
    assert episode(msgspec.structs.replace(one, results=tuple(shuffled)), POLICY) == episode(one, POLICY)


@given(histories(), st.data())
@settings(max_examples=200)
def test_p8_a_message_sent_again_changes_nothing_but_its_flag(one: History, data: st.DataObject) -> None:
    """The same times, the same content, a new receipt under a new reference."""
    if not one.results:
        return
    again = data.draw(st.sampled_from(one.results))
    copy = msgspec.structs.replace(again, ref="again", received=again.received + timedelta(days=1))
    first, second = episode(one, POLICY), episode(msgspec.structs.replace(one, results=(*one.results, copy)), POLICY)
    assert {x.code for x in second.raised} - {"DUPLICATE_SUPPRESSED"} == {x.code for x in first.raised} - {
        "DUPLICATE_SUPPRESSED"
    }
    for mine, theirs in ((first.srp, second.srp), (first.hmgcr, second.hmgcr)):
        assert (mine.state, mine.confirmed, mine.discordant, mine.pending, mine.once_positive) == (
            theirs.state,
            theirs.confirmed,
            theirs.discordant,
            theirs.pending,
            theirs.once_positive,
        )
    assert (first.ck.band, first.ck.persistent, first.ck.extreme) == (
        second.ck.band,
        second.ck.persistent,
        second.ck.extreme,
    )
    assert (first.hep2.state, first.anchor, first.other_negative) == (
        second.hep2.state,
        second.anchor,
        second.other_negative,
    )


@given(histories())
@settings(max_examples=100)
def test_p8_the_same_version_given_twice_changes_nothing(one: History) -> None:
    assert episode(msgspec.structs.replace(one, results=one.results * 2), POLICY) == episode(one, POLICY)


@given(histories(), st.sampled_from([Decimal(60), Decimal("0.5"), Decimal("1000")]))
@settings(max_examples=100)
def test_p9_the_unit_of_ck_does_not_matter(one: History, factor: Decimal) -> None:
    scaled = msgspec.structs.replace(one, results=tuple(in_another_unit(x, factor) for x in one.results))
    first, second = episode(one, POLICY), episode(scaled, POLICY)
    assert (first.ck.band, first.ck.ratio, first.ck.persistent) == (
        second.ck.band,
        second.ck.ratio,
        second.ck.persistent,
    )
    assert (first.srp, first.hmgcr, first.hep2) == (second.srp, second.hmgcr, second.hep2)
    assert {x.code for x in first.raised} == {x.code for x in second.raised}


def in_another_unit(one: Result, factor: Decimal) -> Result:
    if one.analyte is not Analyte.CK or not isinstance(one.value, Quantity) or one.upper_limit is None:
        return one
    value = Quantity(one.value.number * factor, "other", one.value.comparator)
    return msgspec.structs.replace(one, value=value, upper_limit=one.upper_limit * factor)


@given(histories())
@settings(max_examples=200)
def test_every_episode_is_sound(one: History) -> None:
    """P3 and I10: a state rests on usable results only, and what is not tested rests on none."""
    found = episode(one, POLICY)
    for antibody in (found.srp, found.hmgcr):
        assert (antibody.state.value == "NOT_TESTED") is (not antibody.results)
        assert not (antibody.confirmed and antibody.state.value != "POS_STRONG")
        assert not (antibody.discordant and antibody.state.value != "EQUIVOCAL")
        assert not (antibody.once_positive and antibody.state.value != "NEG")
        for result_ in antibody.results:
            assert result_.status in (Status.FINAL, Status.CORRECTED)
            assert not result_.problems
            assert found.anchor is not None
            assert (found.anchor - result_.collected.day).days <= 180
    assert all(one_.ref for one_ in found.used)
    assert all(not one_.hold or one_.refs for one_ in found.raised)


def test_the_methods_of_the_builders_have_the_families_of_c2() -> None:
    assert METHODS["solid"].family.value == "solid_phase_ana"
    assert raised(seen(srp("NEG"), hmgcr("NEG"))) == set()
