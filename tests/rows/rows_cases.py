"""Cases in the schema of clinical.md F, written for these tests, and the real readers over the shipped knowledge."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from labbridge.model.outcome import Outcome
from labbridge.model.result import Result
from labbridge.offline import Readers, case_history, validate_case
from labbridge.sources import load

DRAWN, SEEN, TODAY = "2026-02-02", "2026-02-04", "2026-02-06"
Row = dict[str, Any]
Case = dict[str, Any]


@lru_cache
def readers() -> Readers:
    return Readers.of(load())


def row(filler: str, analyte: str, value: str, **more: Any) -> Row:
    """One result of a case: final, on serum, collected and received before the evaluation unless said otherwise."""
    usual = {"specimen": "serum", "status": "F", "format": "hl7v2", "collected": DRAWN, "received": SEEN}
    return {"filler": filler, "analyte": analyte, "value": value} | usual | more


def blot(value: str, filler: str = "S1", **more: Any) -> Row:
    kit = {"method": "line_blot", "method_text": "EUROLINE Myositis", "manufacturer": "euroimmun", "unit": "intensity"}
    return row(filler, value=value, **{"analyte": "SRP", **kit, **more})


def elisa(value: str, filler: str = "H1", **more: Any) -> Row:
    kit = {"method": "elisa", "method_text": "HMGCR ELISA", "manufacturer": "werfen", "unit": "U", "cutoff": 20}
    return row(filler, "HMGCR", value, **{**kit, **more})


def hep2(value: str, filler: str = "A1", **more: Any) -> Row:
    return row(filler, "ANA_HEP2", value, **{"method": "hep2_iif", "method_text": "ANA HEp-2 IIF", **more})


def ck(value: str, filler: str = "K1", **more: Any) -> Row:
    kit = {"method": "enzymatic", "method_text": "CK", "unit": "U/L", "ref_low": 26, "ref_high": 170}
    return row(filler, "CK", value, **{**kit, **more})


def case(*rows: Row, **more: Any) -> Case:
    usual: Case = {"id": "T-1", "patient": {"sex": "F", "age_years": 52}, "context": {}, "evaluate_at": TODAY}
    return {**usual, "results": list(rows), **more}


def outcome(*rows: Row, **more: Any) -> Outcome:
    return validate_case(case(*rows, **more), readers()).outcome


def results(*rows: Row, **more: Any) -> tuple[Result, ...]:
    return case_history(case(*rows, **more), readers()).results


def states(found: Outcome) -> tuple[str, str, str, str]:
    return (found.states.SRP, found.states.HMGCR, found.states.HEP2, found.states.CK)


def flags(found: Outcome) -> dict[str, str]:
    return {flag.code: flag.severity.value for flag in found.flags}


def comment_class(found: Outcome) -> str:
    return found.comment.comment_class if found.comment else "NONE"
