"""Cases as programs read them: the comment once a person or a signed rule has released it, and the flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labbridge.fhir import findings
from labbridge.fhir.findings import Address, Words
from labbridge.model.values import Coding
from labbridge.model.work import Case
from labbridge.states import CaseState


def interpretation(case: Case, subject: str, code: Sequence[Coding], address: Address) -> dict[str, Any] | None:
    """The comment of a case as an Observation; None where none was released, where it can still be undone, and where the
    case was opened again since: what it said then is not shown as if it stood."""
    if case.state is not CaseState.SIGNED or case.unsent or not case.posted or not case.text or case.damaged:
        return None
    status = "final" if len(case.posted) == 1 else "corrected"
    found = findings.interpretation(case.text, code, status, map(address, case.outcome.used))
    return _of(case, f"C{case.key}", found, {"subject": subject}, "effectiveDateTime") | {
        "issued": case.updated.isoformat(timespec="milliseconds")
    }


def issues(case: Case, subject: str, words: Words, address: Address) -> list[dict[str, Any]]:
    """The flags of a case. None of a case that is no longer what was written, or that another one covers."""
    if case.damaged or case.state is CaseState.CLOSED:
        return []
    status = "final" if case.state is CaseState.SIGNED else "preliminary"
    found = findings.issues(case.outcome, f"C{case.key}", status, words, address)
    return [_of(case, one["id"], one, {"patient": subject}, "identifiedDateTime") for one in found]


def _of(case: Case, id: str, body: dict[str, Any], whose: Mapping[str, str], when: str) -> dict[str, Any]:
    """With id, meta, patient and day."""
    updated = case.updated.isoformat(timespec="milliseconds")
    rest = {key: one for key, one in body.items() if key not in ("resourceType", "id")}
    return {
        "resourceType": body["resourceType"],
        "id": id,
        "meta": {"versionId": str(case.version), "lastUpdated": updated, "source": f"urn:labbridge:feed:{case.feed}"},
        **{name: {"reference": one} for name, one in whose.items() if one},
        when: case.outcome.evaluated_at.isoformat(),
        **rest,
    }
