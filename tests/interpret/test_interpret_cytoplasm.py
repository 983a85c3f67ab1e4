"""A negative HEp-2 of a laboratory that may call cytoplasmic fluorescence negative (standards.md, clinical.md E40)."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from interpret_build import antibody, ck, hep2, history
from interpret_lab import on

from labbridge.interpret import Interpreter
from labbridge.interpret.validity import settle
from labbridge.knowledge.build import Knowledge
from labbridge.model.outcome import Outcome
from labbridge.model.result import Result


@pytest.fixture(scope="module")
def interpreter(knowledge: Knowledge) -> Interpreter:
    return Interpreter(knowledge)


def outcome(interpreter: Interpreter, stated: bool, *others: Result, pattern: str = "NEG") -> Outcome:
    return interpreter(history(hep2(pattern, cytoplasm_stated=stated), *others))


STRONG = (antibody("SRP", "POS_STRONG"), antibody("HMGCR", "NEG", "quant"), ck(12))


@pytest.mark.parametrize("stated", [True, False])
def test_the_fact_is_what_the_finding_says(interpreter: Interpreter, stated: bool) -> None:
    assert outcome(interpreter, stated, *STRONG).facts["hep2_cytoplasm_stated"] is stated


def test_without_hep2_nothing_is_unstated(interpreter: Interpreter) -> None:
    assert interpreter(history(*STRONG)).facts["hep2_cytoplasm_stated"] is True


@pytest.mark.parametrize(
    "results",
    [
        STRONG,
        (antibody("SRP", "POS_LOW"), antibody("HMGCR", "NEG", "quant"), ck(0.5)),
        (antibody("SRP", "NEG"), antibody("HMGCR", "POS_STRONG", "quant"), ck(12)),
        (antibody("SRP", "NEG"), antibody("HMGCR", "NEG", "quant"), ck(12)),
        (ck(12),),
    ],
)
def test_states_flags_and_retests_are_those_of_a_negative_hep2(
    interpreter: Interpreter, results: tuple[Result, ...]
) -> None:
    """No page asks for another reading because the cytoplasm was not stated (P4, P5): only the words change."""
    unstated, stated = outcome(interpreter, False, *results), outcome(interpreter, True, *results)
    assert unstated.states == stated.states
    assert unstated.states.HEP2 == "NEG"
    assert unstated.flags == stated.flags
    assert unstated.retests == stated.retests


@pytest.mark.parametrize("pattern", ["CYTO_COMPAT", "CYTO_OTHER", "NUCLEAR"])
def test_a_described_pattern_does_not_ask(interpreter: Interpreter, pattern: str) -> None:
    one, other = (outcome(interpreter, stated, *STRONG, pattern=pattern) for stated in (True, False))
    assert one.retests == other.retests
    assert one.comment == other.comment


def test_the_comment_does_not_call_the_cytoplasm_negative(interpreter: Interpreter) -> None:
    unstated, stated = outcome(interpreter, False, *STRONG), outcome(interpreter, True, *STRONG)
    assert unstated.comment is not None
    assert stated.comment is not None
    assert unstated.comment.comment_class == stated.comment.comment_class == "C01"
    assert "without a statement on the cytoplasm" in unstated.comment.text
    assert "lowers confidence" not in unstated.comment.text
    assert "lowers confidence in a blot result" in stated.comment.text


def test_a_change_of_the_feeds_configuration_is_no_other_result(knowledge: Knowledge) -> None:
    """The same slide sent again, after the feed was told what its negative means: no conflict, no correction."""
    first = hep2("NEG", "H@1", cytoplasm_stated=False)
    assert first.hep2 is not None
    known = msgspec.structs.replace(first.hep2, cytoplasm_stated=True)
    again = msgspec.structs.replace(first, ref="H@2", hep2=known, received=first.received + timedelta(days=1))
    found = settle((first, again), on(3), frozenset(), knowledge.policy)
    assert [one.code for one in found.raised] == ["DUPLICATE_SUPPRESSED"]
    assert len(found.usable) == 1
