"""The answer of $interpret: what is found in the results of a Bundle, as a collection. Nobody has signed it, and nothing
of it is kept: every interpretation is preliminary."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from labbridge.fhir import findings, guard
from labbridge.fhir.findings import Words
from labbridge.fhir.results import ABSENT_REASON, identifier
from labbridge.model.outcome import Outcome
from labbridge.model.report import EntityId, Identifier
from labbridge.model.work import Feed
from labbridge.notes import NOTES

COMPONENT = ".component["
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Asked(msgspec.Struct, frozen=True):
    """The body that was sent, the feed it was read as, when, and how our findings are written."""

    raw: bytes
    feed: Feed
    now: datetime
    words: Words


def answer(asked: Asked, outcomes: Sequence[Outcome]) -> bytes:
    """A Bundle of type collection as JSON: an entry for each comment, flag, recommended retest, and for what is held or was
    noted."""
    addresses = _addresses(guard.load(asked.raw))
    entries = []
    for number, outcome in enumerate(outcomes, 1):
        for id, body in _found(asked, outcome, number, addresses):
            entries.append(
                {"fullUrl": _url(asked.raw, id), "resource": {"resourceType": body["resourceType"], "id": id, **body}}
            )
    body = {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": asked.now.isoformat(timespec="milliseconds"),
    }
    return _encode(body | ({"entry": entries} if entries else {}))


def _url(raw: bytes, id: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{hashlib.sha256(raw).hexdigest()}/{id}").urn


def _addresses(body: Mapping[str, Any]) -> dict[str, str]:
    """What each entry is called in the Bundle that was sent, by its place."""
    return {
        f"Bundle.entry[{number}].resource": str(entry["fullUrl"])
        for number, entry in enumerate(body.get("entry", ()))
        if "fullUrl" in entry
    }


def _found(
    asked: Asked, outcome: Outcome, number: int, addresses: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    def address(ref: str) -> str:
        return addresses.get(ref.partition(":")[2].partition(COMPONENT)[0], "")

    subject = _subject(outcome.patient, asked.feed)
    day, words = outcome.evaluated_at.isoformat(), asked.words
    if outcome.comment is not None:
        rests_on = map(address, outcome.used)
        body = findings.interpretation(outcome.comment.full_text, words.code, "preliminary", rests_on)
        yield f"I{number}", {**body, **({"subject": subject} if subject else {}), "effectiveDateTime": day}
    because: dict[str, list[str]] = {}
    for body in findings.issues(outcome, f"I{number}", "preliminary", words, address):
        because.setdefault(body["code"]["coding"][0]["code"], []).append(_url(asked.raw, body["id"]))
        yield body["id"], {**body, **({"patient": subject} if subject else {}), "identifiedDateTime": day}
    whose = subject or {"extension": [{"url": ABSENT_REASON, "valueCode": "unknown"}]}
    for place, retest in enumerate(outcome.retests, 1):
        id = f"I{number}-retest-{place}"
        yield id, findings.proposal(retest, id, whose, because.get(retest.reason, ()), words.system)
    if told := _told(outcome):
        yield f"I{number}-notes", {"resourceType": "OperationOutcome", "issue": told}


def _subject(patient: Identifier | None, feed: Feed) -> dict[str, Any]:
    if patient is None:
        return {}
    number = identifier(EntityId(patient.id, patient.authority), patient.type, feed)
    return {"type": "Patient", "identifier": number}


def _told(outcome: Outcome) -> list[dict[str, Any]]:
    """What holds a comment, and the odd things that were noted, each with its place."""
    found: list[dict[str, Any]] = []
    if outcome.hold:
        held = ", ".join(outcome.held)
        text = f"On hold for a person: {held}" if held else "On hold for a person"
        found.append({"severity": "warning", "code": "incomplete", "diagnostics": text})
    for note in outcome.notes:
        one = {"severity": "information", "code": "informational", "diagnostics": f"{note.code}: {NOTES[note.code]}"}
        found.append(one | ({"expression": [note.at]} if note.at else {}))
    return found
