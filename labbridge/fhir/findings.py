"""What this service found, as FHIR: a released comment is an Observation that rests on the results it speaks of
(standards.md 2.6 F), a flag is a DetectedIssue, a recommended retest a ServiceRequest that is proposed (2.9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from labbridge.fhir.results import CATEGORY, concept
from labbridge.model.outcome import Flag, Outcome, Priority, Retest, Severity
from labbridge.model.values import Coding

SEVERITY = {Severity.CRITICAL: "high", Severity.MAJOR: "high", Severity.MINOR: "moderate", Severity.INFO: "low"}
"""DetectedIssue.severity has three grades."""
FLAGS = "urn:labbridge:flags"
ANALYTES = "urn:labbridge:analytes"
Address = Callable[[str], str]
"""The address of a result by its ref (`M17:OBX[3]`: `Observation/M17-OBX3`); empty where it cannot be read here."""


def interpretation(text: str, code: Sequence[Coding], status: str, rests_on: Iterable[str]) -> dict[str, Any]:
    """A comment without its id, meta, subject and times."""
    found: dict[str, Any] = {
        "resourceType": "Observation",
        "status": status,
        "category": [{"coding": [{"system": CATEGORY, "code": "laboratory"}]}],
        "code": concept(code),
        "valueString": text,
    }
    if derived := [{"reference": one} for one in dict.fromkeys(rests_on) if one]:
        found["derivedFrom"] = derived
    return found


def issues(
    outcome: Outcome, prefix: str, status: str, meanings: Mapping[str, str], address: Address
) -> list[dict[str, Any]]:
    """The flags of an outcome, each with an id that begins with `prefix` and ends in its code. Without subject and meta."""
    seen: dict[str, int] = {}
    found = []
    for flag in outcome.flags:
        name = f"{prefix}-{flag.code.replace('_', '-')}{f'-{flag.analyte}' if flag.analyte else ''}".replace("_", "-")
        seen[name] = seen.get(name, 0) + 1
        id = name if seen[name] == 1 else f"{name}-{seen[name]}"
        found.append(_issue(flag, id[:64], status, meanings, address))
    return found


def _issue(flag: Flag, id: str, status: str, meanings: Mapping[str, str], address: Address) -> dict[str, Any]:
    code: dict[str, Any] = {"coding": [{"system": FLAGS, "code": flag.code}]}
    if flag.code in meanings:
        code["text"] = meanings[flag.code]
    found: dict[str, Any] = {
        "resourceType": "DetectedIssue",
        "id": id,
        "status": status,
        "code": code,
        "severity": SEVERITY[flag.severity],
    }
    if there := [{"reference": one} for one in dict.fromkeys(map(address, flag.evidence)) if one]:
        found["implicated"] = there
        found["evidence"] = [{"detail": there}]
    return found


def proposal(retest: Retest, id: str, subject: Mapping[str, Any], because: Iterable[str]) -> dict[str, Any]:
    """A recommended retest. Whoever orders it decides: the intent is `proposal`."""
    families = ", ".join(retest.families)
    found: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "id": id,
        "status": "active",
        "intent": "proposal",
        "priority": "urgent" if retest.priority is Priority.URGENT else "routine",
        "code": {"coding": [{"system": ANALYTES, "code": retest.analyte}], "text": f"{retest.analyte}: {families}"},
        "subject": dict(subject),
        "reasonCode": [{"coding": [{"system": FLAGS, "code": retest.reason}]}],
    }
    if retest.not_before is not None:
        found["occurrencePeriod"] = {"start": retest.not_before.isoformat()}
    if there := [{"reference": one} for one in because]:
        found["supportingInfo"] = there
    return found
