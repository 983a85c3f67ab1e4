"""What leaves for a FHIR server, held against the R4 models before it is stored: that it is a Bundle of valid resources,
that its comment is the one that was signed, whole, and that nothing refers to what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labbridge.fhir import guard, validating
from labbridge.fhir.faults import Unfit

STATUSES = {
    **validating.STATUSES,
    "DetectedIssue": validating.STATUSES["Observation"],
    "Task": frozenset(
        "draft requested received accepted rejected ready cancelled in-progress on-hold failed completed"
        " entered-in-error".split()
    ),
    "ServiceRequest": frozenset("draft active on-hold revoked completed entered-in-error unknown".split()),
}
"""The required codes of `status` (R4) of what is written here."""
TEXTS = {"Observation": "valueString", "DiagnosticReport": "conclusion"}


def judge(raw: bytes, text: str) -> list[str]:
    """The faults of a Bundle, empty where there are none. `text`: the comment that it has to carry; empty: it carries none
    (an order)."""
    try:
        body = guard.load(raw)
    except Unfit as fault:
        return [f"{one.expression}: {one.diagnostics}" for one in fault.issues]
    return list(_faults(body, text))


def carried(body: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The comments of a Bundle: resource type, element, text."""
    for entry in body.get("entry", ()):
        kind = entry["resource"]["resourceType"]
        if kind in TEXTS:
            yield kind, TEXTS[kind], entry["resource"].get(TEXTS[kind], "")


def _faults(body: dict[str, Any], text: str) -> Iterator[str]:
    issues = validating.issues(body)
    yield from (f"{one.expression}: {one.diagnostics}" for one in issues)
    if issues:
        return
    entries = body.get("entry", ())
    for number, entry in enumerate(entries):
        kind, status = entry["resource"]["resourceType"], entry["resource"].get("status")
        if kind in STATUSES and status not in STATUSES[kind]:
            yield f"Bundle.entry[{number}].resource.status: This is no code of the required value set"
    if [found for _kind, _element, found in carried(body)] != ([text] if text else []):
        yield "Bundle.entry: The comment is not the one that was signed"
    known = {entry["fullUrl"] for entry in entries}
    if len(known) < len(entries):
        yield "Bundle.entry.fullUrl: Two entries have the same one"
    for place, reference in _references(body, "Bundle"):
        if reference.startswith("urn:") and reference not in known:
            yield f"{place}: There is no such entry"


def _references(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "reference" and isinstance(one, str):
                yield f"{place}.reference", one
            else:
                yield from _references(one, f"{place}.{key}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _references(one, f"{place}[{number}]")
