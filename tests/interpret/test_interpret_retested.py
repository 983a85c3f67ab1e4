"""Results as answers to retests: what a result says is what the interpretation calls it."""

from __future__ import annotations

from typing import Any

import pytest
from interpret_build import DAY, antibody, ck, hep2, history, other

from labbridge.interpret import Interpreter
from labbridge.interpret.retested import heard, message_of, raised, signal_band
from labbridge.knowledge.build import Knowledge
from labbridge.model.report import EntityId
from labbridge.model.result import Result, Status
from labbridge.model.retests import Closing, Raised
from labbridge.model.values import Comparator, Quantity


@pytest.mark.parametrize(
    ("result", "closing"),
    [
        (antibody("SRP", "POS_LOW"), Closing.CONFIRMED),
        (antibody("SRP", "POS_STRONG", "quant"), Closing.CONFIRMED),
        (antibody("HMGCR", "EQUIVOCAL", "quant"), Closing.EQUIVOCAL),
        (antibody("HMGCR", "NEG", "ip"), Closing.REFUTED),
        (antibody("HMGCR", "POS_LOW", "tissue"), Closing.EQUIVOCAL),
        (other("Jo-1", "POS_STRONG"), Closing.CONFIRMED),
        (other("Jo-1", "NEG"), Closing.REFUTED),
        (hep2("CYTO_COMPAT"), Closing.CONFIRMED),
        (hep2("NUCLEAR"), Closing.CONFIRMED),
        (hep2("UNSPECIFIED"), Closing.EQUIVOCAL),
        (hep2("NEG"), Closing.REFUTED),
        (ck("0.9"), Closing.REFUTED),
        (ck(1), Closing.REFUTED),
        (ck("1.01"), Closing.CONFIRMED),
        (ck(30), Closing.CONFIRMED),
    ],
)
def test_positive_confirms_negative_refutes_and_neither_is_equivocal(
    knowledge: Knowledge, result: Result, closing: Closing
) -> None:
    (answer,) = heard(history(result), knowledge.policy).answers
    assert (answer.closing, answer.ref, answer.analyte) == (closing, result.ref, result.analyte.value)
    assert answer.family == (result.method.family.value if result.method else "")


@pytest.mark.parametrize(
    "result",
    [
        antibody("SRP", "POS_LOW", status=Status.WITHDRAWN),
        antibody("SRP", "POS_LOW", status=Status.CANCELLED),
        antibody("SRP", "POS_LOW", method=None),
        antibody("SRP", "POS_LOW", value=Quantity(antibody("SRP", "POS_LOW").value.number, "x", Comparator.GREATER)),  # type: ignore[union-attr]
        ck(5, upper_limit=None),
        antibody("SRP", "POS_LOW", "solid"),
    ],
    ids=["withdrawn", "cancelled", "no method", "left open", "no limit", "solid phase"],
)
def test_what_the_interpretation_cannot_use_answers_nothing(knowledge: Knowledge, result: Result) -> None:
    assert heard(history(result), knowledge.policy).answers == ()


def test_what_is_in_progress_or_held_is_waited_for(knowledge: Knowledge) -> None:
    pending = antibody("HMGCR", "POS_LOW", "quant", status=Status.PENDING)
    assert heard(history(ck(5), pending), knowledge.policy).waiting == {"HMGCR"}
    assert heard(history(ck(5)), knowledge.policy).waiting == frozenset()


def test_answers_come_in_the_order_of_their_messages(knowledge: Knowledge) -> None:
    every = [antibody("SRP", "NEG", family, ref=f"M{key}:OBX[1]") for key, family in ((12, "ip"), (3, "quant"))]
    assert [one.message for one in heard(history(*every), knowledge.policy).answers] == [3, 12]


@pytest.mark.parametrize(("ref", "key"), [("M17:OBX[3]", 17), ("A101", 0), ("", 0), ("Mx:OBX[1]", 0)])
def test_a_ref_names_its_message(ref: str, key: int) -> None:
    assert message_of(ref) == key


@pytest.mark.parametrize(
    ("result", "band"),
    [
        (antibody("SRP", "POS_STRONG"), "POS_STRONG"),
        (hep2("CYTO_OTHER"), "CYTO_OTHER"),
        (ck(30), "HIGH"),
        (ck(5, upper_limit=None), "UNKNOWN"),
        (antibody("SRP", "POS_LOW", limits=None), ""),
    ],
)
def test_a_signal_is_named_as_the_interpretation_names_it(knowledge: Knowledge, result: Result, band: str) -> None:
    assert signal_band(result, knowledge.policy) == band


def test_a_retest_knows_its_rule_and_the_result_behind_it(interpreter: Interpreter) -> None:
    number: Any = EntityId("S1", "MYOLIS")
    blot, slide = antibody("SRP", "POS_LOW", specimen=number), hep2("NEG")
    looked_at = history(blot, slide, ck(20), antibody("HMGCR", "NEG", "quant"))
    outcome = interpreter(looked_at)
    retest = next(one for one in outcome.retests if one.analyte == "SRP")
    found = raised(outcome, retest, looked_at.results, interpreter.knowledge.policy)
    assert (found.ref, found.family, found.assay, found.band) == (blot.ref, "blot", "line_blot", "POS_LOW")
    assert (found.specimen, found.day) == ("MYOLIS|S1", DAY)
    assert found.rule in outcome.fired
    assert raised(outcome, retest, (), interpreter.knowledge.policy) == Raised(rule=found.rule)
