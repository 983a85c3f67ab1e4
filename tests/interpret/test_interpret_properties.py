"""What holds for every history (clinical.md C9): order, replay, units, and a comment that keeps to its style."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interpret_build import DAY, LOOKED_AT, PATIENT, antibody, ck, hep2, history, other, posted, stated
from interpret_combinations import FORBIDDEN_PAIRS
from test_interpret_texts import NEVER, sentences

from labbridge.interpret import Interpreter
from labbridge.interpret.facts import REGISTRY
from labbridge.model.history import History
from labbridge.model.outcome import Outcome
from labbridge.model.result import ContextKind, Material, Problem, Result, Status
from labbridge.model.values import Missing
from labbridge.normalise import Normaliser
from labbridge.rows.case import FEED, reports
from labbridge.sources import load

KNOWLEDGE = load()
INTERPRETER, NORMALISER = Interpreter(KNOWLEDGE), Normaliser(KNOWLEDGE)
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

days = st.sampled_from([0, 0, 0, -3, -20, -45, -100, -200, -400]).map(lambda back: DAY + timedelta(days=back))
categories = st.sampled_from(["NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG"])
families = st.sampled_from(["blot", "quant", "ip", "cba", "tissue"])
oddities = st.sampled_from(
    [
        *({} for _ in range(6)),
        {"status": Status.PENDING},
        {"status": Status.PENDING, "value": Missing.ABSENT},
        {"status": Status.CORRECTED},
        {"status": Status.WITHDRAWN, "value": Missing.ABSENT},
        {"status": Status.CANCELLED, "value": Missing.ABSENT, "cancelled_for_ana": True},
        {"material": Material.OTHER, "material_text": "CSF", "material_validated": False},
        {"problems": (Problem.UNIT_UNKNOWN,)},
        {"quality_poor": True},
    ]
)


@st.composite
def results(draw: st.DrawFn) -> tuple[Result, ...]:
    """Up to nine results of one patient over more than a year, some pending, corrected, withdrawn or unreadable."""
    found = []
    for number in range(draw(st.integers(0, 6))):
        name = draw(st.sampled_from(["SRP", "HMGCR"]))
        one = antibody(name, draw(categories), draw(families), f"{name}-{number}", draw(days), **draw(oddities))
        found.append(one)
    if draw(st.booleans()):
        patterns = st.sampled_from(["CYTO_COMPAT", "CYTO_OTHER", "NUCLEAR", "NEG", "UNSPECIFIED"])
        found.append(hep2(draw(patterns), "HEP2", draw(days), titre=draw(st.sampled_from([80, 160, 640]))))
    for number in range(draw(st.integers(0, 2))):
        times = draw(st.sampled_from(["0.3", "1", "1.5", "3.9", "4", "10", "10.1", "60"]))
        found.append(ck(times, f"CK-{number}", draw(days), **draw(oddities)))
    if draw(st.booleans()):
        found.append(other(draw(st.sampled_from(["JO1", "MI2"])), draw(categories), synthetase=draw(st.booleans())))
    return tuple(found)


@st.composite
def histories(draw: st.DrawFn) -> History:
    given_ = draw(results())
    context = []
    if draw(st.booleans()):
        context.append(stated(ContextKind.SUSPECT_IIM, draw(st.sampled_from(["Y", "N"]))))
    if draw(st.booleans()):
        context.append(stated(ContextKind.KNOWN_MSA, draw(st.sampled_from(["SRP", "HMGCR"]))))
    before = (posted(*(one.ref for one in given_[:2])),) if draw(st.booleans()) else ()
    age = draw(st.sampled_from([48, 9, None]))
    return history(
        *given_,
        context=tuple(context),
        posted=before,
        patient=msgspec.structs.replace(PATIENT, age_years=age),
        identity=draw(st.sampled_from(["", "", "", "sex", "birth_date"])),
    )


def without(outcome: Outcome, *codes: str) -> Outcome:
    """The outcome without these flags, and without what was looked at and which rules fired."""
    kept = tuple(flag for flag in outcome.flags if flag.code not in codes)
    return msgspec.structs.replace(outcome, flags=kept, used=(), fired=(), notes=())


@MANY
@given(histories(), st.randoms(use_true_random=False))
def test_p7_the_order_of_results_does_not_matter(one: History, chance: object) -> None:
    shuffled = list(one.results)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert INTERPRETER(msgspec.structs.replace(one, results=tuple(shuffled))) == INTERPRETER(one)


@MANY
@given(histories(), st.data())
def test_p8_a_replayed_result_adds_nothing_but_its_own_flag(one: History, data: st.DataObject) -> None:
    finals = [result for result in one.results if result.status is Status.FINAL and not result.problems]
    if not finals:
        return
    first = data.draw(st.sampled_from(finals))
    again = msgspec.structs.replace(first, ref=f"{first.ref}@again", received=first.received + timedelta(hours=1))
    once = INTERPRETER(one)
    twice = INTERPRETER(msgspec.structs.replace(one, results=(*one.results, again)))
    assert without(twice, "DUPLICATE_SUPPRESSED") == without(once, "DUPLICATE_SUPPRESSED")
    assert not {"METHOD_DISCORDANCE", "CONFLICTING_DUPLICATE"} & (
        {f.code for f in twice.flags} - {f.code for f in once.flags}
    )


@MANY
@given(
    histories(), st.sampled_from([60, 300, 1200, 6000, 12000, 18000, 60000, 720000]), st.sampled_from([120, 180, 600])
)
def test_p9_units_of_ck_do_not_matter(one: History, number: int, limit: int) -> None:
    """U/L or microkat/L as sent, with the limit in the same unit: the normaliser makes one result of both."""
    found = [
        INTERPRETER(msgspec.structs.replace(one, results=(*one.results, _sent_ck(value, limits, unit))))
        for value, limits, unit in (
            (str(number), f"0-{limit}", "U/L"),
            (str(Decimal(number) / 60), f"0-{Decimal(limit) / 60}", "ukat/L"),
        )
    ]
    assert found[0] == found[1]


def _sent_ck(value: str, limits: str, unit: str) -> Result:
    low, _dash, high = limits.partition("-")
    row = {
        "filler": "SENT", "analyte": "CK", "method": "enzymatic", "value": value, "unit": unit, "ref_low": low,
        "ref_high": high, "specimen": "serum", "status": "F", "collected": str(DAY), "received": str(LOOKED_AT),
    }  # fmt: skip
    case = {"id": "P9", "patient": {"sex": "F", "age_years": 48}, "evaluate_at": str(LOOKED_AT), "results": [row]}
    ((report, received),) = reports(case)
    found, _notes = NORMALISER(report, FEED, received, "SENT")
    (result,) = found.results
    return msgspec.structs.replace(result, value_text="", unit_text="")


@MANY
@given(histories())
def test_every_outcome_is_sound(one: History) -> None:
    found = INTERPRETER(one)
    refs = {result.ref for result in one.results}
    codes = {flag.code for flag in found.flags}
    assert set(found.used) <= refs
    assert not found.subject or found.subject in refs
    assert all(set(flag.evidence) <= refs and flag.citations for flag in found.flags)
    assert all(found.facts[name] in REGISTRY[name].domain for name in REGISTRY)
    assert not any({first, second} <= codes for first, second in FORBIDDEN_PAIRS)
    assert len({retest.analyte for retest in found.retests}) == len(found.retests)
    assert all(retest.families for retest in found.retests)
    assert found.hold is bool(found.held)
    assert not (found.hold and found.comment)


@MANY
@given(histories())
def test_every_comment_keeps_to_its_style(one: History) -> None:
    comment = INTERPRETER(one).comment
    if comment is None:
        return
    assert len(comment.text) <= 500
    assert 1 <= sentences(comment.text) <= 3
    assert len(comment.addenda) == len(comment.addendum_classes) <= 2
    for name, text in zip(comment.addendum_classes, comment.addenda, strict=True):
        assert len(text) <= 200
        assert sentences(text) <= (2 if name == "C19" else 1)
    for text in (comment.text, *comment.addenda):
        assert not re.search(r"[{}]|  |^[a-z]", text)
        assert not [word for word in NEVER if word in text.casefold()]


@MANY
@given(histories())
def test_a_hep2_result_never_removes_an_antibody_test(one: History) -> None:
    """P4: where neither antibody is positive or equivocal, a negative HEp-2 takes no SRP or HMGCR recommendation away."""
    bare = msgspec.structs.replace(one, results=tuple(r for r in one.results if r.analyte.value != "ANA_HEP2"))
    found = INTERPRETER.judge(bare)
    anchor = found.episode.anchor
    if anchor is None or not {found.facts["srp"], found.facts["hmgcr"]} <= {"NEG", "NOT_TESTED"}:
        return
    screen = hep2("NEG", "SCREEN", anchor)  # on the anchor's day: it makes no result older
    screened = msgspec.structs.replace(bare, results=(*bare.results, screen))
    before = {retest.analyte for retest in found.verdict.retests}
    after = {retest.analyte for retest in INTERPRETER(screened).retests}
    assert before & {"SRP", "HMGCR"} <= after


@pytest.mark.parametrize("rounds", [1, 3])
def test_the_same_history_gives_the_same_outcome(rounds: int) -> None:
    one = history(antibody("SRP", "POS_STRONG"), hep2("NEG"), ck(20))
    first = INTERPRETER(one)
    assert all(INTERPRETER(one) == first for _ in range(rounds))
    assert Interpreter(load())(one) == first
    assert first.evaluated_at == LOOKED_AT
