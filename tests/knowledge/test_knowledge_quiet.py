"""The quiet corpus: 200 people of a general laboratory with nothing to say about. A rule that speaks here is a false alarm.

They are made by a generator with a fixed seed, from within the limits: no real person is described. Each goes the whole way
of a case file: normaliser, rules, comment.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from knowledge_site import OWN_RULE, lay

from labbridge.model.outcome import Outcome, Severity
from labbridge.offline import Readers, case_history
from labbridge.sources import load

MANY = 200
TODAY = date(2026, 6, 15)
NUCLEAR = (
    "AC-1 homogeneous",
    "AC-2 dense fine speckled",
    "AC-4 fine speckled",
    "AC-5 coarse speckled",
    "AC-3 centromere",
)
ANTIGENS = "Jo-1 PL-7 PL-12 EJ OJ Mi-2 MDA5 NXP2 SAE TIF1gamma".split()
LIMITS = {"F": (26, 170), "M": (39, 308)}
Row = dict[str, Any]


class Person:
    """One of them: the tests they had, each within its limits."""

    def __init__(self, number: int) -> None:
        self._chance = random.Random(number)  # the same people in every run
        self.number = number
        self.sex = self._chance.choice("FM")
        self.age = self._chance.choice((4, 11, 17, 18, 25, 34, 47, 52, 63, 78, 91))
        self._days = sorted(self._chance.sample(range(1, 400), self._chance.randint(1, 4)), reverse=True)

    def case(self) -> dict[str, Any]:
        context: dict[str, Any] = {"suspicion": False} if self._chance.random() < 0.5 else {}
        if self.age >= 18 and self._chance.random() < 0.2:
            context["statin"] = self._chance.choice(("yes", "no"))
        return {
            "id": f"Q{self.number:03}",
            "patient": {"sex": self.sex, "age_years": self.age},
            "context": context,
            "evaluate_at": str(TODAY),
            "results": list(self._results()),
        }

    def _results(self) -> Iterator[Row]:
        """What kind of person it is goes round: chemistry, fluorescence, antibodies, all of them, nothing at all."""
        kind = self.number % 5
        for days in self._days if kind else ():
            if kind in (1, 3, 4):
                yield self._ck(days)
                yield self._creatinine(days)
            if kind in (2, 4):
                yield self._fluorescence(days)
            if kind in (3, 4):
                yield from self._antibodies(days)

    def _row(self, analyte: str, method: str, value: object, days: int, **fields: Any) -> Row:
        collected = TODAY - timedelta(days=days)
        return {
            "filler": f"{analyte}-{days}",
            "analyte": analyte,
            "method": method,
            "value": str(value),
            "specimen": "serum",
            "status": "F",
            "collected": str(collected),
            "received": str(min(TODAY, collected + timedelta(days=self._chance.randint(0, 3)))),
            **fields,
        }

    def _ck(self, days: int) -> Row:
        """From the lower limit to the upper one, both included."""
        low, high = LIMITS[self.sex]
        value = self._chance.choice((low, high, self._chance.randint(low, high)))
        return self._row("CK", "enzymatic", value, days, unit="U/L", ref_low=low, ref_high=high)

    def _creatinine(self, days: int) -> Row:
        return self._row("CREAT", "enzymatic", self._chance.randint(62, 95), days, unit="umol/L")

    def _fluorescence(self, days: int) -> Row:
        if self._chance.random() < 0.6:
            return self._row("ANA_HEP2", "hep2_iif", "Negative", days, titre="<1:80", pattern="AC-0")
        titre, pattern = self._chance.choice((80, 160, 320, 640)), self._chance.choice(NUCLEAR)
        return self._row("ANA_HEP2", "hep2_iif", "Positive", days, titre=f"1:{titre}", pattern=pattern)

    def _antibodies(self, days: int) -> Iterator[Row]:
        blot = {"unit": "intensity", "manufacturer": "euroimmun"}
        yield self._row("SRP", "line_blot", self._chance.randint(0, 5), days, **blot)
        quant = {"unit": "U", "manufacturer": "werfen", "cutoff": 20}
        yield self._row("HMGCR", "elisa", self._chance.randint(0, 19), days, **quant)
        for antigen in self._chance.sample(ANTIGENS, self._chance.randint(0, len(ANTIGENS))):
            yield self._row(f"OTHER_MSA:{antigen}", "line_blot", self._chance.randint(0, 5), days, **blot)


@pytest.fixture(scope="module")
def corpus() -> list[tuple[dict[str, Any], Outcome]]:
    readers = Readers.of(load())
    cases = [Person(number).case() for number in range(MANY)]
    return [(case, readers.interpret(case_history(case, readers))) for case in cases]


def test_nothing_fires_on_normal_reports(corpus: list[tuple[dict[str, Any], Outcome]]) -> None:
    loud = [
        (case["id"], flag.code, flag.severity.value, flag.rule)
        for case, outcome in corpus
        for flag in outcome.flags
        if flag.severity is not Severity.INFO
    ]
    assert loud == []


def test_nothing_is_held_and_no_test_is_asked_for(corpus: list[tuple[dict[str, Any], Outcome]]) -> None:
    assert [case["id"] for case, outcome in corpus if outcome.hold] == []
    assert [(case["id"], outcome.retests) for case, outcome in corpus if outcome.retests] == []


def test_the_only_comment_is_that_both_antibodies_are_negative(corpus: list[tuple[dict[str, Any], Outcome]]) -> None:
    for case, outcome in corpus:
        tested = {row["analyte"] for row in case["results"]} >= {"SRP", "HMGCR"}
        said = outcome.comment.comment_class if outcome.comment else ""
        assert said in (("", "C07") if tested else ("",)), case["id"]


def test_the_corpus_is_of_normal_reports_of_every_kind(corpus: list[tuple[dict[str, Any], Outcome]]) -> None:
    """It would prove nothing if it were empty, or if what it holds were not read as the normal results they are."""
    states = [outcome.states for _case, outcome in corpus]
    assert {one.CK for one in states} == {"NORMAL", "UNKNOWN"}
    assert {one.HEP2 for one in states} == {"NEG", "NUCLEAR", "NOT_TESTED"}
    assert {(one.SRP, one.HMGCR) for one in states} == {("NEG", "NEG"), ("NOT_TESTED", "NOT_TESTED")}
    assert sum(one.SRP == "NEG" for one in states) > MANY // 4
    assert sum(one.HEP2 == "NUCLEAR" for one in states) > MANY // 20
    assert any(not case["results"] for case, _outcome in corpus)
    assert [outcome.notes for _case, outcome in corpus if outcome.notes] == []


def test_a_rule_that_speaks_of_normal_reports_is_heard(tmp_path: Path) -> None:
    lay(tmp_path / "site", {"rules/own.yaml": OWN_RULE.replace("POS_STRONG", "NEG")})
    readers = Readers.of(load(str(tmp_path / "site")))
    cases = [Person(number).case() for number in range(10)]
    outcomes = [readers.interpret(case_history(case, readers)) for case in cases]
    assert any(flag.rule.startswith("own@") for outcome in outcomes for flag in outcome.flags)
