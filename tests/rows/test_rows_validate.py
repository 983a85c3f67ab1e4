"""Cases through the real normaliser and rules: clinical.md C1 and C5 by literal expectation, and the comparison."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from rows_cases import Row, blot, case, ck, comment_class, elisa, flags, hep2, outcome, readers, states

from labbridge.offline import validate_case

RAISED = ck("2040")  # 12 times the limit of 170
IP = {"method": "ip_rna", "method_text": "RNA immunoprecipitation", "manufacturer": "", "unit": "", "filler": "S2"}


# ---------------------------------------------------------------- C5: whole pictures


@pytest.mark.parametrize(
    ("rows", "shown", "wanted", "forbidden", "comment", "retests"),
    [
        (
            [blot("31"), elisa("3"), hep2("Positive", pattern="AC-20"), ck("900")],
            ("POS_STRONG", "NEG", "CYTO_COMPAT", "MOD"), {"MSA_POSITIVE": "major", "MSA_POS_CONCORDANT": "major"},
            ["PARTNER_MISSING", "HEP2_NEG_MSA_POS"], "C01", set(),
        ),
        (
            [blot("58"), elisa("3"), hep2("Negative", titre="<1:80"), RAISED],
            ("POS_STRONG", "NEG", "NEG", "HIGH"), {"MSA_POSITIVE": "major", "HEP2_NEG_MSA_POS": "major"},
            ["MSA_POS_CONCORDANT", "ANA_NEG_NOT_EXCLUDING"], "C01", {("SRP", "urgent")},
        ),
        (
            [blot("2"), hep2("Negative"), ck("100")], ("NEG", "NOT_TESTED", "NEG", "NORMAL"),
            {"PARTNER_MISSING": "minor", "ANA_NEG_NOT_EXCLUDING": "info"}, ["SERONEG_HIGH_CK"], "C05",
            {("HMGCR", "routine")},
        ),
        (
            [blot("2"), elisa("3"), hep2("Positive", pattern="AC-19"), RAISED], ("NEG", "NEG", "CYTO_COMPAT", "HIGH"),
            {"SERONEG_HIGH_CK": "major", "HEP2_CYTO_MSA_NEG": "major"}, ["PARTNER_MISSING"], "C06",
            {("SRP", "urgent"), ("OTHER_MSA", "urgent")},
        ),
        (
            [hep2("Negative", titre="<1:80"), ck("700")], ("NOT_TESTED", "NOT_TESTED", "NEG", "MOD"),
            {"MSA_NOT_TESTED_CK_HIGH": "major", "ANA_NEG_NOT_EXCLUDING": "info"}, ["HEP2_NEG_MSA_POS"], "C11",
            {("SRP", "routine"), ("HMGCR", "routine")},
        ),
        (
            [blot("58"), elisa("90")], ("POS_STRONG", "POS_STRONG", "NOT_TESTED", "UNKNOWN"),
            {"DUAL_SRP_HMGCR": "major", "CK_MISSING": "minor"}, ["MSA_POSITIVE"], "C08",
            {("SRP", "routine"), ("HMGCR", "routine"), ("ANA_HEP2", "routine"), ("CK", "urgent")},
        ),
        (
            [blot("14"), blot("Positive", **IP), elisa("3"), RAISED], ("POS_STRONG", "NEG", "NOT_TESTED", "HIGH"),
            {"MSA_POSITIVE": "major", "MSA_POS_CONCORDANT": "major"}, ["MSA_LOW_POS_UNCONFIRMED"], "C01", set(),
        ),
    ],
    ids="concordant discordant partner both-neg-cyto ana-only dual confirmed".split(),
)  # fmt: skip
def test_a_picture(
    rows: list[Row], shown: tuple[str, ...], wanted: dict[str, str], forbidden: list[str], comment: str,
    retests: set[tuple[str, str]],
) -> None:  # fmt: skip
    found = outcome(*rows)
    assert states(found) == shown
    assert wanted.items() <= flags(found).items()
    assert not flags(found).keys() & set(forbidden)
    assert comment_class(found) == comment
    assert {(one.analyte, one.priority) for one in found.retests} == retests
    assert outcome(*reversed(rows)).states == found.states, "P7: the order of rows does not matter"


# ---------------------------------------------------------------- C1: versions of a result


@pytest.mark.parametrize(
    ("second", "state", "flag", "hold", "comment"),
    [
        ({"value": "58"}, "POS_STRONG", "DUPLICATE_SUPPRESSED", False, "C01"),
        ({"value": "5"}, "NOT_TESTED", "CONFLICTING_DUPLICATE", True, "NONE"),
        ({"value": "5", "status": "C"}, "NEG", "RESULT_CORRECTED", False, "C05"),
        ({"value": "", "status": "D"}, "NOT_TESTED", "RESULT_WITHDRAWN", False, "C19"),
        ({"value": "58", "status": "W"}, "NOT_TESTED", "RESULT_WITHDRAWN", False, "C19"),
        ({"value": "", "status": "X"}, "NOT_TESTED", "RESULT_WITHDRAWN", False, "C19"),
        ({"value": "58", "status": "V"}, "POS_STRONG", "MSA_POSITIVE", False, "C01"),
        ({"value": "58", "status": "P"}, "POS_STRONG", "MSA_POSITIVE", False, "C01"),
    ],
    ids="again conflict corrected deleted wrong cancelled verified late-preliminary".split(),
)
def test_a_second_version_of_a_filler(second: Row, state: str, flag: str, hold: bool, comment: str) -> None:
    found = outcome(blot("58"), blot(**{"received": "2026-02-05", **second}))
    assert (found.states.SRP, found.hold, comment_class(found)) == (state, hold, comment)
    assert flag in flags(found)


# ---------------------------------------------------------------- the comparison with what is expected

MET: Row = {
    "states": {"SRP": "POS_STRONG", "CK": "HIGH"},
    "flags_required": {"MSA_POSITIVE": "major", "PARTNER_MISSING": "minor"},
    "flags_forbidden": ["SERONEG_HIGH_CK"],
    "retest_required": [{"analyte": "HMGCR", "family_any_of": ["cba", "quant"], "priority": "routine"}],
    "retest_forbidden": [{"analyte": "SRP"}, {"analyte": "HMGCR", "family": "ip"}],
    "comment_class": "C01",
    "addenda": [],
    "hold": False,
    "comment_must_mention": ["anti-SRP"],
    "comment_must_not_mention": ["rituximab"],
}


def failures(**changed: Any) -> tuple[str, ...]:
    sent = case(blot("58"), hep2("Positive", pattern="AC-19"), RAISED, expected={**MET, **changed})
    found = validate_case(sent, readers())
    assert found.passed is False
    return found.failures


def test_a_case_that_is_met_has_no_failure() -> None:
    sent = case(blot("58"), hep2("Positive", pattern="AC-19"), RAISED, expected=MET)
    found = validate_case(sent, readers())
    assert (found.id, found.passed, found.failures, found.must_mention) == ("T-1", True, (), ("anti-SRP",))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"states": {"HMGCR": "NEG"}}, ["HMGCR", "NEG", "NOT_TESTED"]),
        ({"flags_required": {"MSA_POSITIVE": "minor"}}, ["MSA_POSITIVE", "minor", "major"]),
        ({"flags_required": {"CK_MISSING": "minor"}}, ["CK_MISSING", "none"]),
        ({"flags_forbidden": ["MSA_POS_CONCORDANT"]}, ["MSA_POS_CONCORDANT", "forbidden"]),
        ({"retest_required": [{"analyte": "HMGCR", "family_any_of": ["quant"], "priority": "urgent"}]}, ["urgent"]),
        ({"retest_required": [{"analyte": "HMGCR", "family_any_of": ["ip"], "priority": "routine"}]}, ["HMGCR", "ip"]),
        ({"retest_required": [{"analyte": "SRP", "family_any_of": ["quant"], "priority": "routine"}]}, ["SRP"]),
        ({"retest_forbidden": [{"analyte": "HMGCR"}]}, ["HMGCR", "forbidden"]),
        ({"retest_forbidden": [{"analyte": "HMGCR", "family": "quant"}]}, ["HMGCR", "forbidden"]),
        ({"comment_class": "NONE"}, ["NONE", "C01"]),
        ({"addenda": ["C19"]}, ["C19"]),
        ({"hold": True}, ["hold"]),
        ({"comment_must_not_mention": ["ANTI-srp"]}, ["ANTI-srp"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_expectation_that_is_not_met_is_one_failure_that_names_it(changed: Row, words: list[str]) -> None:
    (failure,) = failures(**changed)
    assert all(word in failure for word in words), failure


def test_evidence_of_a_case_is_named_by_its_filler() -> None:
    """contract.md, outcome of a case: `"evidence": ["A101"]`, the filler of V-S01."""
    found = outcome(blot("58", "B77"), ck("2040", "K5"))
    assert {ref for flag in found.flags for ref in flag.evidence} <= {"B77", "K5"}


# ---------------------------------------------------------------- the command


def validate(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labbridge.cli", "validate", *words]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ}, timeout=120)


def written(folder: Path, *cases: Row, name: str = "cases.yaml") -> str:
    path = folder / name
    text = yaml.safe_dump({"schema_version": 1, "set": "own", "vignettes": list(cases)}, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_json_has_every_case_of_every_file_and_one_failure_needs_a_person(tmp_path: Path) -> None:
    one = written(tmp_path, case(blot("58"), id="P1", expected={"hold": False}), case(blot("2"), id="P2"))
    two = written(tmp_path, case(hep2("Négatif"), id="P3", expected={"hold": True}), name="more.yaml")
    done = validate(one, two, "--format", "json")
    assert done.returncode == 1
    assert done.stderr == ""
    found = json.loads(done.stdout)["cases"]
    assert [(one["id"], one["passed"], len(one["failures"])) for one in found] == [
        ("P1", True, 0), ("P2", None, 0), ("P3", False, 1),
    ]  # fmt: skip
    assert found[0]["outcome"]["states"] == {
        "SRP": "POS_STRONG", "HMGCR": "NOT_TESTED", "HEP2": "NOT_TESTED", "CK": "UNKNOWN",
    }  # fmt: skip
    assert found[0]["outcome"]["evaluated_at"] == "2026-02-06"
    assert found[2]["outcome"]["comment"] is None


def test_text_says_what_should_be_mentioned_beside_the_comment(tmp_path: Path) -> None:
    expected = {"comment_class": "C01", "comment_must_mention": ["anti-SRP", "clinical correlation"]}
    done = validate(written(tmp_path, case(blot("58"), id="P1", expected=expected)))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["P1", "passed"]
    assert "anti-SRP; clinical correlation" in lines[1]
    assert lines[2].strip().startswith("Anti-SRP strongly positive (line blot)")
    assert lines[-1] == "1 of 1 passed"


@pytest.mark.parametrize(
    "text",
    [
            "cases: []",
            "vignettes: [",
            'vignettes: [{id: A, evaluate_at: "2026-02-06", results: [{analyte: SRP, value: "1"}]}]',
    ],
    ids=["no vignettes", "not yaml", "a row without filler and dates"],
)  # fmt: skip
def test_a_case_file_that_cannot_be_read_is_one_sentence_with_the_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    done = validate(str(path))
    assert "Traceback" not in done.stderr
    assert "bad.yaml" in done.stderr
    assert done.returncode == 2 or 64 <= done.returncode <= 78
