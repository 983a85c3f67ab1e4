"""What a case exercises: every active rule, and the wordings its comment was chosen from."""

from __future__ import annotations

import re

import msgspec
import pytest
from interpret_build import antibody, ck, hep2, history

from labbridge.interpret import Interpreter
from labbridge.interpret.exercise import Exercised
from labbridge.interpret.explain import RAISED, Clause, conditions
from labbridge.knowledge.build import Knowledge
from labbridge.model.history import History
from labbridge.model.outcome import Outcome
from labbridge.model.result import Material, Result

POSITIVE = (antibody("SRP", "POS_STRONG"), hep2("CYTO_COMPAT"), ck(30))
SPOKEN: tuple[tuple[Result, ...], ...] = (
    POSITIVE,
    (antibody("SRP", "POS_STRONG"), hep2("NEG"), ck(30)),
    (antibody("SRP", "POS_LOW"), antibody("HMGCR", "NEG", "quant"), hep2("NUCLEAR"), ck(0.5)),
    (antibody("SRP", "NEG"), antibody("HMGCR", "NEG", "quant"), hep2("CYTO_COMPAT"), ck(30)),
    (antibody("SRP", "NEG"), hep2("NEG"), ck(0.5)),
    (antibody("SRP", "POS_STRONG"), antibody("HMGCR", "POS_STRONG", "quant"), ck(5)),
    (antibody("SRP", "POS_STRONG"), antibody("SRP", "NEG", "quant"), ck(5)),
    (hep2("NEG"), ck(20)),
    (  # the addendum is about the other antibody, whose methods disagreed until one decided
        antibody("SRP", "POS_STRONG"),
        antibody("HMGCR", "POS_STRONG", "quant", "H1"),
        antibody("HMGCR", "NEG", "ip", "H2"),
        hep2("CYTO_COMPAT"),
        ck(30),
    ),
)


def said(found: Exercised, comment: str) -> list[tuple[int, int]]:
    return [(one.sentence, one.wording) for one in found.wordings if one.said and one.comment == comment]


@pytest.mark.parametrize("results", SPOKEN)
def test_every_active_rule_has_its_trace_and_the_outcome_is_the_same(
    interpreter: Interpreter, knowledge: Knowledge, results: tuple[Result, ...]
) -> None:
    outcome, found = interpreter.exercised(history(*results))
    assert outcome == interpreter(history(*results))
    active = [rule.name for rule in knowledge.decisions.rules if rule.status == "active"]
    assert [trace.rule for trace in found.rules] == active
    assert {trace.rule for trace in found.rules if trace.fired} == set(outcome.fired)


@pytest.mark.parametrize("results", SPOKEN)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_wordings_that_were_said_are_the_comment(
    interpreter: Interpreter, knowledge: Knowledge, results: tuple[Result, ...], language: str
) -> None:
    """Their texts, each slot open, one behind the other: that is what was written, and nothing is missing or too much."""
    asked = msgspec.structs.replace(history(*results), language=language)
    outcome, found = interpreter.exercised(asked)
    assert outcome.comment is not None
    assert {one.language for one in found.wordings} == {outcome.comment.language}
    rows = knowledge.decisions.comments_in(outcome.comment.language)
    row = rows[outcome.comment.comment_class]
    written = said(found, outcome.comment.comment_class)
    texts = [row.parts[sentence - 1][wording - 1].text for sentence, wording in written if sentence]
    assert re.fullmatch(as_pattern(" ".join(filter(None, texts))), outcome.comment.text)
    for name, text in zip(outcome.comment.addendum_classes, outcome.comment.addenda, strict=True):
        ((sentence, wording),) = said(found, name)
        assert sentence == 0
        assert re.fullmatch(as_pattern(rows[name].addendum[wording - 1].text), text)


def as_pattern(text: str) -> str:
    return re.sub(r"\\\{[A-Za-z_0-9]+\\\}", ".*", re.escape(text))


@pytest.mark.parametrize("results", SPOKEN)
def test_of_a_sentence_one_wording_is_said_at_most_and_it_is_the_first_that_holds(
    interpreter: Interpreter, results: tuple[Result, ...]
) -> None:
    _outcome, found = interpreter.exercised(history(*results))
    places = dict.fromkeys((one.comment, one.sentence) for one in found.wordings)
    assert len(places) > 1
    for place in places:
        stood = [one for one in found.wordings if (one.comment, one.sentence) == place]
        assert [one.wording for one in stood] == list(range(1, len(stood) + 1))
        holding = [one.wording for one in stood if one.lacking == 0]
        assert [one.wording for one in stood if one.said] == holding[:1]


def test_every_condition_of_a_wording_that_was_not_said_is_there(interpreter: Interpreter) -> None:
    _outcome, found = interpreter.exercised(history(*POSITIVE))
    silent = [one for one in found.wordings if one.lacking]
    assert silent
    assert any(one.lacking == 1 and len(one.clauses) > 1 for one in silent)
    for one in silent:
        assert one.lacking == sum(clause.seen not in clause.wanted for clause in one.clauses)


def test_what_is_on_hold_says_nothing(interpreter: Interpreter) -> None:
    outcome, found = interpreter.exercised(on_hold())
    assert outcome.hold
    assert found.wordings == ()
    assert found.rules


def on_hold() -> History:
    """Two values of one specimen that cannot both be true."""
    return history(antibody("SRP", "POS_STRONG"), msgspec.structs.replace(antibody("SRP", "NEG"), ref="S2:S1"))


def test_an_addendum_beyond_the_house_styles_number_stood_to_be_said_and_was_not(
    interpreter: Interpreter, knowledge: Knowledge
) -> None:
    none = msgspec.structs.replace(knowledge.decisions.style, addenda_most=0)
    strict = Interpreter(
        msgspec.structs.replace(knowledge, decisions=msgspec.structs.replace(knowledge.decisions, style=none))
    )
    with_addendum = next(one for one in map(history_of, SPOKEN) if addenda(interpreter(one)))
    (name, *_) = addenda(interpreter(with_addendum))
    assert len(said(interpreter.exercised(with_addendum)[1], name)) == 1
    outcome, found = strict.exercised(with_addendum)
    assert addenda(outcome) == ()
    assert said(found, name) == []
    assert any(one.comment == name for one in found.wordings)


def history_of(results: tuple[Result, ...]) -> History:
    """With an anti-HMGCR on a specimen that is not validated: C18 is appended."""
    odd = msgspec.structs.replace(
        antibody("HMGCR", "NEG", "quant"), ref="H9", material=Material.OTHER, material_validated=False
    )
    return history(*results, odd)


def addenda(outcome: Outcome) -> tuple[str, ...]:
    return outcome.comment.addendum_classes if outcome.comment else ()


# ---------------------------------------------------------------- by which value


@pytest.mark.parametrize(
    ("wanted", "seen", "by"),
    [
        (("SPECIMEN_INVALID",), "SPECIMEN_INVALID:CK", ("SPECIMEN_INVALID",)),
        (("SPECIMEN_INVALID",), "SPECIMEN_INVALID", ("SPECIMEN_INVALID",)),
        (("UNIT_UNKNOWN:SRP", "UNIT_UNKNOWN:CK"), "UNIT_UNKNOWN:CK", ("UNIT_UNKNOWN:CK",)),
        (
            ("UNIT_UNKNOWN:SRP", "UNIT_UNKNOWN:CK"), "UNIT_UNKNOWN:CK, UNIT_UNKNOWN:SRP",
            ("UNIT_UNKNOWN:SRP", "UNIT_UNKNOWN:CK"),
        ),
        (("SPECIMEN_INVALID",), "", ()),
        (("UNIT",), "UNIT_UNKNOWN:CK", ()),
    ],
)  # fmt: skip
def test_what_was_raised_meets_the_values_it_names(wanted: tuple[str, ...], seen: str, by: tuple[str, ...]) -> None:
    assert Clause(RAISED, wanted, seen, bool(by)).by == by


def test_a_fact_meets_its_condition_by_the_one_value_it_has() -> None:
    met, unmet, truth = conditions(
        {"ck": ("MOD", "HIGH"), "srp": "NEG", "suspicion": True}, {"ck": "HIGH", "srp": "POS_LOW", "suspicion": True}
    )
    assert (met.by, unmet.by, truth.by) == (("HIGH",), (), (True,))
