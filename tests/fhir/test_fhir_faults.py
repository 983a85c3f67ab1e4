"""What is wrong with a request, as its OperationOutcome."""

from __future__ import annotations

import json

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from labbridge.fhir.faults import MOST_TOLD, STATUS, Issue, Unfit, outcome, unfit

# http://hl7.org/fhir/R4/valueset-issue-type.html
ISSUE_TYPES = frozenset(
    "invalid structure required value invariant security login unknown expired forbidden suppressed processing"
    " not-supported duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly"
    " business-rule conflict transient lock-error no-store exception timeout incomplete throttled informational".split()
)


def test_every_issue_type_is_one_of_r4() -> None:
    assert set(STATUS) <= ISSUE_TYPES


@pytest.mark.parametrize("code", STATUS)
def test_an_error_has_the_status_of_its_first_issue(code: str) -> None:
    fault = unfit(code, "Something is wrong", "Observation.status")
    assert (fault.code, fault.location, fault.text) == (code, "Observation.status", "Something is wrong")
    assert fault.status == STATUS[code]
    assert 400 <= fault.status < 600


def test_a_status_of_its_own_counts_before_that_of_the_issue() -> None:
    assert unfit("structure", "XML is not offered", status=415).status == 415


def test_the_first_of_several_issues_is_the_errors() -> None:
    fault = Unfit([Issue("processing", "One", "Bundle.type"), Issue("processing", "Two")])
    assert (fault.code, fault.status, len(fault.issues)) == ("processing", 422, 2)


def test_an_outcome_is_what_r4_calls_one() -> None:
    raw = outcome([Issue("processing", "A number is expected here", "Observation.valueQuantity.value"),
                   Issue("informational", "Taken", severity="information")])  # fmt: skip
    OperationOutcome.model_validate_json(raw)
    assert json.loads(raw) == {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": "error", "code": "processing", "diagnostics": "A number is expected here",
             "expression": ["Observation.valueQuantity.value"]},
            {"severity": "information", "code": "informational", "diagnostics": "Taken"},
        ],
    }  # fmt: skip


def test_of_a_thousand_issues_the_first_ones_are_told() -> None:
    found = json.loads(outcome([Issue("processing", f"Fault {number}") for number in range(1000)]))
    assert [one["diagnostics"] for one in found["issue"]] == [f"Fault {number}" for number in range(MOST_TOLD)]
