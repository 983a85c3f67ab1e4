"""What this service found, as FHIR: a released comment is an Observation that rests on the results it speaks of
(standards.md 2.6 F), a flag is a DetectedIssue, a recommended retest a ServiceRequest that is proposed (2.9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from labbridge.fhir.outgoing import SEVERITIES
from labbridge.fhir.results import CATEGORY, concept
from labbridge.model.outcome import Flag, Outcome, Priority, Retest
from labbridge.model.values import Coding

Address = Callable[[str], str]
"""The address of a result by its ref (`M17:OBX[3]`: `Observation/M17-OBX3`); empty where it cannot be read here."""


class Words(msgspec.Struct, frozen=True):
    """How our findings are written: the code of our comments, what each flag means, and the system of our codes (as what
    leaves for a server has it: naming.own_system)."""

    code: tuple[Coding, ...] = ()
    meanings: Mapping[str, str] = {}
    system: str = ""


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


def issues(outcome: Outcome, prefix: str, status: str, words: Words, address: Address) -> list[dict[str, Any]]:
    """The flags of an outcome, each with an id that begins with `prefix` and ends in its code; what is for information alone
    is no issue. Without subject and meta."""
    seen: dict[str, int] = {}
    found = []
    for flag in (one for one in outcome.flags if one.severity in SEVERITIES):
        name = f"{prefix}-{flag.code.replace('_', '-')}{f'-{flag.analyte}' if flag.analyte else ''}".replace("_", "-")
        seen[name] = seen.get(name, 0) + 1
        id = name if seen[name] == 1 else f"{name}-{seen[name]}"
        found.append(_issue(flag, id[:64], status, words, address))
    return found


def _issue(flag: Flag, id: str, status: str, words: Words, address: Address) -> dict[str, Any]:
    code: dict[str, Any] = {"coding": [{"system": words.system, "code": flag.code}]}
    if flag.code in words.meanings:
        code["text"] = words.meanings[flag.code]
    found: dict[str, Any] = {
        "resourceType": "DetectedIssue",
        "id": id,
        "status": status,
        "code": code,
        "severity": SEVERITIES[flag.severity],
    }
    if there := [{"reference": one} for one in dict.fromkeys(map(address, flag.evidence)) if one]:
        found["implicated"] = there
        found["evidence"] = [{"detail": there}]
    return found


def proposal(
    retest: Retest, id: str, subject: Mapping[str, Any], because: Iterable[str], system: str
) -> dict[str, Any]:
    """A recommended retest. Whoever orders it decides: the intent is `proposal`."""
    families = ", ".join(retest.families)
    found: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "id": id,
        "status": "active",
        "intent": "proposal",
        "priority": "urgent" if retest.priority is Priority.URGENT else "routine",
        "code": {"coding": [{"system": system, "code": retest.analyte}], "text": f"{retest.analyte}: {families}"},
        "subject": dict(subject),
        "reasonCode": [{"coding": [{"system": system, "code": retest.reason}]}],
    }
    if retest.not_before is not None:
        found["occurrencePeriod"] = {"start": retest.not_before.isoformat()}
    if there := [{"reference": one} for one in because]:
        found["supportingInfo"] = there
    return found
