"""The second opinion satisfies the shared cases by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from opinion import evaluate

FILE = Path(__file__).resolve().parent.parent / "knowledge" / "vignettes.yaml"
SHARED = [case for case in yaml.safe_load(FILE.read_text(encoding="utf-8"))["vignettes"] if case.get("expected")]


@pytest.mark.parametrize("case", SHARED, ids=lambda case: case["id"])
def test_a_shared_case_is_satisfied(case: dict[str, Any]) -> None:
    expected, seen = case["expected"], evaluate(case)
    flags = {(code, severity) for code, _analyte, severity in seen["flags"]}
    codes = {code for code, _severity in flags}
    assert seen["states"] == expected["states"]
    assert set((expected.get("flags_required") or {}).items()) <= flags
    assert not codes & set(expected.get("flags_forbidden") or ())
    assert seen["comment"] == expected["comment_class"]
    assert set(expected.get("addenda") or ()) <= set(seen["addenda"])
    assert seen["hold"] == expected["hold"]
    for wanted in expected.get("retest_required") or ():
        families, priority, _not_before = seen["retests"][wanted["analyte"]]
        assert set(families) & set(wanted["family_any_of"])
        assert priority == wanted["priority"]
    for unwanted in expected.get("retest_forbidden") or ():
        offered = seen["retests"].get(unwanted["analyte"], ((), "", None))[0]
        assert not offered or ("family" in unwanted and unwanted["family"] not in offered)
