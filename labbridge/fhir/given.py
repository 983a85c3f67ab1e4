"""Resources as their sender wrote them, read back: every element and every digit is the sender's. What changes is the id,
what `meta` says of their coming, and references that held within the body alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from labbridge.fhir import guard, structure
from labbridge.fhir.contents import named
from labbridge.model.work import Feed, PostedResource

SERVED = ("Observation", "DiagnosticReport")
_SUBJECT = "subject"


class Given(msgspec.Struct, frozen=True):
    """One resource of a body: its type and id, the place it stands at, its lane, itself. `own`: the id is its sender's."""

    kind: str
    id: str
    at: str
    lane: str
    body: dict[str, Any]
    own: bool = False


class Kept(msgspec.Struct, frozen=True):
    """A body under the key it was kept with. `refused`: entries that were not taken, `known` those whose results were there
    already, from another body. `named`: the resources of it that are known by their sender's own id, `Type/id`: of a body
    that is one resource only this tells a PUT from a POST."""

    raw: bytes
    key: int
    refused: frozenset[int] = frozenset()
    known: frozenset[int] = frozenset()
    named: frozenset[str] = frozenset()


def resources(kept: Kept, feed: Feed) -> list[Given]:
    """The results and reports of a body. Unfit as receiving would."""
    key, left_out = kept.key, kept.refused | kept.known
    body = guard.load(kept.raw)
    envelope = structure.read_structure(kept.raw, feed, kept.refused)
    posted = {one.entry: _named(one, body, kept.named) for one in envelope.resources()}
    inside = _Inside(
        body, {entry: f"{one.kind}/{one.named(key)}" for entry, one in posted.items() if one.kind in SERVED}
    )
    found = []
    for entry, one in posted.items():
        at = one.kind if entry < 0 else f"Bundle.entry[{entry}].resource"
        if one.kind in SERVED and entry not in left_out and at in envelope.owners:
            made = inside.resource(entry, one.named(key))
            found.append(Given(one.kind, one.named(key), at, envelope.owners[at], made, bool(one.id)))
    return found


def _named(one: PostedResource, body: Mapping[str, Any], named_so: Collection[str]) -> PostedResource:
    id = body.get("id") if one.entry < 0 else None
    if isinstance(id, str) and f"{one.kind}/{id}" in named_so:
        return msgspec.structs.replace(one, id=id)
    return one


class _Inside:
    """A body, and the resources of it by what references call them. `served`: the address of those that are read
    alone."""

    def __init__(self, body: dict[str, Any], served: Mapping[int, str]) -> None:
        self._served = served
        self._entries: dict[int, dict[str, Any]] = {-1: body}
        self._by_name: dict[str, int] = {}
        for number, entry in enumerate(body.get("entry", ()) if body.get("resourceType") == "Bundle" else ()):
            resource = entry.get("resource")
            if isinstance(resource, dict):
                self._entries[number] = resource
                self._call(entry.get("fullUrl", ""), number)
                self._call(f"{resource.get('resourceType')}/{resource['id']}" if "id" in resource else "", number)

    def _call(self, name: str, number: int) -> None:
        for one in {name, named(name)} - {""}:
            self._by_name.setdefault(one, number)

    def resource(self, entry: int, id: str) -> dict[str, Any]:
        """A resource as it is read alone: what it refers to in its body, and cannot be read alone, is contained in it."""
        sent = self._entries[entry]
        wanted: dict[int, None] = {}
        members = {key: self._rewritten(value, "", wanted) for key, value in sent.items() if key != "id"}
        held = list(members.get("contained", ()))
        done: set[int] = set()
        while more := [number for number in wanted if number not in done]:
            for number in more:
                done.add(number)
                held += self._contained(number, wanted)
        kind = members.pop("resourceType")
        members.pop("contained", None)
        return {"resourceType": kind, "id": id, **({"contained": held} if held else {}), **members}

    def _contained(self, number: int, wanted: dict[int, None]) -> list[dict[str, Any]]:
        """An entry as a contained resource, and what was contained in it beside it: none stands within another."""
        sent, prefix = self._entries[number], f"e{number}-"
        own = {key: self._rewritten(value, prefix, wanted) for key, value in sent.items() if key not in _OUTSIDE}
        found = [{"resourceType": sent.get("resourceType"), "id": f"e{number}", **own}]
        for inner in sent.get("contained", ()):
            rest = {key: self._rewritten(value, prefix, wanted) for key, value in inner.items() if key != "id"}
            found.append({**rest, "id": f"{prefix}{inner.get('id', '')}"})
        return found

    def _rewritten(self, value: Any, prefix: str, wanted: dict[int, None]) -> Any:
        if isinstance(value, list):
            return [self._rewritten(one, prefix, wanted) for one in value]
        if not isinstance(value, dict):
            return value
        found = {key: self._rewritten(one, prefix, wanted) for key, one in value.items()}
        reference = value.get("reference")
        if isinstance(reference, str):
            found["reference"] = self._reference(reference, prefix, wanted)
        return found

    def _reference(self, sent: str, prefix: str, wanted: dict[int, None]) -> str:
        if sent.startswith("#"):
            return f"#{prefix}{sent[1:]}" if prefix else sent
        number = self._by_name.get(sent, self._by_name.get(named(sent), -1))
        if number < 0 or self._entries[number].get("resourceType") == "Patient":
            return sent
        if number in self._served:
            return self._served[number]
        wanted[number] = None
        return f"#e{number}"


_OUTSIDE = ("resourceType", "id", "contained", "meta")


def of_patient(body: dict[str, Any], patient: str) -> dict[str, Any]:
    """A resource whose subject is the patient as this server names it (`Patient/P12`), wherever it refers to the same one.
    Empty: no patient was named, and a reference that held in its body alone is taken out."""
    sent = body.get(_SUBJECT)
    reference = sent.get("reference", "") if isinstance(sent, dict) else ""
    if not patient and not reference.startswith("urn:"):
        return body
    kept = {key: one for key, one in (sent or {}).items() if key != "reference"}
    subject = {"reference": patient, **kept} if patient else kept
    found = {key: _everywhere(one, reference, patient) for key, one in body.items() if key != _SUBJECT}
    return {**found, _SUBJECT: subject} if subject else found


def _everywhere(value: Any, reference: str, patient: str) -> Any:
    if isinstance(value, list):
        return [_everywhere(one, reference, patient) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _everywhere(one, reference, patient) for key, one in value.items()}
    if reference and patient and found.get("reference") == reference:
        found["reference"] = patient
    return found
