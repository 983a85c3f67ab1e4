"""What is wrong with a request, and the OperationOutcome that says so: the rule and the place, never a value."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from labbridge.errors import Refuse

STATUS = {
    "structure": 400,
    "invalid": 400,
    "processing": 422,
    "business-rule": 422,
    "not-supported": 422,
    "not-found": 404,
    "deleted": 410,
    "login": 401,
    "expired": 401,
    "forbidden": 403,
    "conflict": 409,
    "multiple-matches": 412,
    "too-costly": 413,
    "throttled": 429,
    "exception": 500,
    "transient": 503,
}
"""The HTTP status of each issue type (http://hl7.org/fhir/issue-type) that is used here."""

MOST_TOLD = 50  # issues of one outcome; a body of a thousand faults is told by its first ones


class Issue(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault: its type (the keys of STATUS, or `informational`), a sentence, and the element as a FHIRPath, if any."""

    code: str
    diagnostics: str
    expression: str = ""
    severity: str = "error"


class Unfit(Refuse):
    """A body that cannot be taken as it is; its sender must change it. `issues` holds every fault that was found, the first
    one first; `status` is the HTTP status of the answer."""

    def __init__(self, issues: Sequence[Issue], status: int = 0) -> None:
        first = issues[0]
        super().__init__(first.diagnostics, code=first.code, location=first.expression)
        self.issues, self.status = tuple(issues), status or STATUS[first.code]


def unfit(code: str, diagnostics: str, expression: str = "", status: int = 0) -> Unfit:
    """The error of a body with one fault."""
    return Unfit((Issue(code, diagnostics, expression),), status)


def outcome(issues: Sequence[Issue]) -> bytes:
    """An OperationOutcome as JSON."""
    return _encode(outcome_of(issues))


def outcome_of(issues: Sequence[Issue]) -> dict[str, object]:
    """An OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": [_issue(one) for one in issues[:MOST_TOLD]]}


def _issue(one: Issue) -> dict[str, object]:
    found: dict[str, object] = {"severity": one.severity, "code": one.code, "diagnostics": one.diagnostics}
    if one.expression:
        found["expression"] = [one.expression]
    return found


_encode = msgspec.json.Encoder().encode
