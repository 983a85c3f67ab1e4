"""Results of an archive inform, and by themselves call for nothing: no finding, no retest, no comment, no hold."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from labbridge.model.history import History
from labbridge.model.outcome import Outcome
from labbridge.model.result import Result
from labbridge.offline import Readers, case_history
from labbridge.sources import load

TODAY = "2026-04-12"
COMMON = {"specimen": "serum", "status": "F"}


@pytest.fixture(scope="module")
def readers() -> Readers:
    return Readers.of(load())


def blot(filler: str, value: str, day: str) -> dict[str, Any]:
    return {"filler": filler, "analyte": "SRP", "method": "line_blot", "manufacturer": "euroimmun", "value": value,
            "unit": "intensity", "collected": day, "received": day, **COMMON}  # fmt: skip


def clia(filler: str, value: str, day: str) -> dict[str, Any]:
    return {"filler": filler, "analyte": "HMGCR", "method": "clia", "manufacturer": "werfen", "value": value, "unit": "CU",
            "cutoff": 20, "collected": day, "received": day, **COMMON}  # fmt: skip


def ck(filler: str, value: str, day: str) -> dict[str, Any]:
    return {"filler": filler, "analyte": "CK", "method": "enzymatic", "value": value, "unit": "U/L", "ref_low": 26,
            "ref_high": 170, "collected": day, "received": day, **COMMON}  # fmt: skip


def history(readers: Readers, *rows: dict[str, Any], old: set[str] = frozenset()) -> History:  # type: ignore[assignment]
    found = case_history(
        {"id": "H1", "patient": {"sex": "F", "age_years": 50}, "evaluate_at": TODAY, "results": list(rows)}, readers
    )

    def marked(one: Result) -> Result:
        return msgspec.structs.replace(one, historical=one.at in old)

    return msgspec.structs.replace(found, results=tuple(map(marked, found.results)))


def silent(outcome: Outcome) -> bool:
    return not (outcome.flags or outcome.retests or outcome.comment or outcome.hold or outcome.held)


OLD = (
    blot("A", "58", "2026-04-08"), blot("A", "9", "2026-04-08"),
    clia("B", "90", "2026-04-08"), clia("B", "21", "2026-04-08"), ck("C", "25000", "2026-04-08"),
    {**ck("C", "700", "2026-04-08"), "unit": "mg/dL"}, {**blot("A", "58", "2026-04-08"), "status": "?"},
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(OLD)))
def test_an_earlier_result_alone_calls_for_nothing(readers: Readers, number: int) -> None:
    row = OLD[number]
    assert not silent(readers.interpret(history(readers, row)))
    assert silent(readers.interpret(history(readers, row, old={row["filler"]})))


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(range(len(OLD)), 2)))
def test_nor_do_two_of_them(readers: Readers, one: int, other: int) -> None:
    rows = (OLD[one], {**OLD[other], "filler": "Z"})
    assert silent(readers.interpret(history(readers, *rows, old={rows[0]["filler"], "Z"})))


def test_they_take_their_part_in_the_states(readers: Readers) -> None:
    found = readers.interpret(history(readers, blot("A", "58", "2026-04-08"), ck("C", "100", "2026-04-10"), old={"A"}))
    assert found.states.SRP == "POS_STRONG"
    assert "PARTNER_MISSING" not in {flag.code for flag in found.flags}


def test_a_new_result_is_read_beside_them(readers: Readers) -> None:
    """A new HMGCR beside an earlier SRP: the pair is complete, and nobody is told to test SRP."""
    old = history(
        readers, blot("A", "2", "2026-04-08"), clia("B", "90", "2026-04-10"), ck("C", "100", "2026-04-10"), old={"A"}
    )
    alone = history(readers, clia("B", "90", "2026-04-10"), ck("C", "100", "2026-04-10"))
    assert "SRP" in {one.analyte for one in readers.interpret(alone).retests}
    found = readers.interpret(old)
    assert "SRP" not in {one.analyte for one in found.retests}
    assert found.comment is not None
    assert found.subject.endswith("B")


def test_a_new_positive_is_commented_though_an_earlier_one_was_the_same(readers: Readers) -> None:
    found = readers.interpret(history(readers, blot("A", "58", "2026-03-28"), blot("B", "61", "2026-04-10"), old={"A"}))
    alone = readers.interpret(history(readers, blot("B", "61", "2026-04-10")))
    assert found.comment is not None
    assert alone.comment is not None
    assert found.subject.endswith("B")
    assert {flag.code for flag in found.flags} >= {"MSA_POSITIVE"}


def test_a_comment_never_hangs_on_an_earlier_result(readers: Readers) -> None:
    for row in OLD:
        found = readers.interpret(history(readers, row, {**ck("N", "9000", "2026-04-10")}, old={row["filler"]}))
        assert not found.subject or found.subject.endswith("N"), row


def test_a_new_result_that_is_not_understood_holds_whatever_is_on_file(readers: Readers) -> None:
    bad = {**ck("N", "700", "2026-04-10"), "unit": "mg/dL"}
    found = readers.interpret(history(readers, {**bad, "filler": "C", "collected": "2026-04-08"}, bad, old={"C"}))
    assert found.hold
    assert "CK" in found.held


def test_what_is_explained_is_what_is_said(readers: Readers) -> None:
    one = history(readers, blot("A", "58", "2026-04-08"), ck("C", "9000", "2026-04-10"), old={"A"})
    assert readers.interpret.explained(one)[0] == readers.interpret(one)


def test_without_earlier_results_nothing_is_different(readers: Readers) -> None:
    one = history(readers, blot("A", "58", "2026-04-08"), ck("C", "9000", "2026-04-10"))
    assert readers.interpret(one) == readers.interpret._all(one)


VISITS = (
    (blot("A", "58", "2025-12-20"), clia("B", "2", "2025-12-20"), ck("C", "9000", "2025-12-20")),
    (blot("D", "40", "2026-02-20"), ck("E", "900", "2026-02-20")),
    (ck("F", "4000", "2026-04-10"),),
)


@pytest.mark.parametrize("earlier", [1, 2])
def test_they_inform_as_any_result_does(readers: Readers, earlier: int) -> None:
    """Every fact that the rules ask for, known antibodies and trends among them, is the same wherever a result came from."""
    rows = [row for visit in VISITS for row in visit]
    old = {row["filler"] for visit in VISITS[:earlier] for row in visit}
    found, plain = readers.interpret(history(readers, *rows, old=old)), readers.interpret(history(readers, *rows))
    assert found.facts == plain.facts
    assert found.states == plain.states


def elisa(filler: str, value: str, day: str) -> dict[str, Any]:
    return {"filler": filler, "analyte": "SRP", "method": "elisa", "value": value, "unit": "U/mL", "cutoff": 20,
            "collected": day, "received": day, **COMMON}  # fmt: skip


def test_an_antibody_that_is_known_from_an_archive_is_known(readers: Readers) -> None:
    """Two methods agreed months ago: a CK of today is read as that of a patient whose antibody is known."""
    old = (blot("A", "58", "2025-12-20"), elisa("B", "90", "2025-12-20"))
    now = (ck("F", "4000", "2026-04-10"), blot("G", "60", "2026-04-10"))
    found = readers.interpret(history(readers, *old, *now, old={"A", "B"}))
    alone = readers.interpret(history(readers, *now))
    assert found.facts["srp_known"] is True
    assert alone.facts["srp_known"] is False
    assert alone.comment is not None
    assert found.comment is None or found.comment.comment_class != alone.comment.comment_class
