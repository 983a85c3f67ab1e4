"""A resource held against the R4 models of fhir.resources, and against what they do not ask.

They are its R4B models (4.3.0): of the resources that come here nothing changed between R4 and R4B. They leave the required
codes unchecked, some invariants, and numbers written as texts; what of that a result hangs on is asked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ValidationError

from labbridge.fhir import models
from labbridge.fhir.faults import Issue
from labbridge.fhir.guard import expression

STATUSES = {
    "Observation": frozenset(
        "registered preliminary final amended corrected cancelled entered-in-error unknown".split()
    ),
    "DiagnosticReport": frozenset(
        "registered partial preliminary final amended corrected appended cancelled entered-in-error unknown".split()
    ),
}
"""The required codes of `status` (R4, value sets observation-status and diagnostic-report-status)."""
LONGEST_ID = 64
COMPARATORS = frozenset(("<", "<=", ">=", ">"))
WITH_COMPARATOR = ("valueQuantity", "numerator", "denominator")
QUANTITIES = (*WITH_COMPARATOR, "low", "high", "quantity")

CODE = "processing"  # reliability.md 3.1

STUMBLES = (AttributeError, KeyError, TypeError, ValueError)
"""What the library itself stumbles over: a type unknown, an element of another kind than any of its models expects."""

_TOLD = {
    "missing": "A required element is missing",
    "model_field_validation.missing": "A required element is missing",
    "extra_forbidden": "There is no such element here",
    "string_type": "A text is expected here",
    "list_type": "An array is expected here",
    "dict_type": "An object is expected here",
    "model_type": "An object is expected here",
    "model_validation_format": "An object of another type is expected here",
    "fhir-validation-wrong-resource-type": "An object of another type is expected here",
    "bool_type": "true or false is expected here",
    "bool_parsing": "true or false is expected here",
    "string_pattern_mismatch": "The text has not the form of its type",
    "value_error": "The value has not the form of its type, or a required choice is missing",
}


def load() -> None:
    """Build the models of what usually comes, so that no body waits for them."""
    from labbridge.fhir.resources import READ

    for kind in READ:
        issues({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": kind}}]})


def issues(body: Mapping[str, Any]) -> list[Issue]:
    """What is wrong with a resource; empty where nothing is. `body` is as guard.load gives it. Places are FHIRPaths."""
    kind = body.get("resourceType")
    model = models.of_type(kind) if isinstance(kind, str) else None
    if not isinstance(kind, str) or model is None:
        return [Issue(CODE, _unknown(kind), "resourceType")]
    try:
        _hold(model, body)
    except ValidationError as fault:
        told = fault.errors(include_url=False, include_context=False, include_input=False)
        return list(_unknown_within(body, kind)) or [_issue(kind, one) for one in told]
    except STUMBLES:
        return list(_unknown_within(body, kind)) or [Issue(CODE, "It cannot be held against the models", kind)]
    return list(_unasked(body, kind))


def _hold(model: type[BaseModel], body: Mapping[str, Any]) -> None:
    """Whatever the library raises of a resource that does not fit its models. What can be built of them, element by element,
    fits; of anything else the library is asked as a whole, so that it tells of every fault, and where."""
    try:
        models.built(model, body)
    except STUMBLES:
        model.model_validate(body)


def _issue(kind: str, error: Any) -> Issue:
    """Its type and place. The library's own words may quote the value, and are not passed on."""
    text = _TOLD.get(error["type"], "The element has not the form of its type")
    place = [one for one in error["loc"] if one != "root"]  # the library's own step
    return Issue(CODE, text, expression(kind, place))


def _unknown(kind: object) -> str:
    return "There is no such resource type in R4" if kind else "resourceType is missing"


def _unknown_within(value: Any, kind: str, place: tuple[str | int, ...] = ()) -> Iterator[Issue]:
    """Resources within this one, wherever they may stand, of a type that does not exist: the models would raise
    KeyError or ValueError."""
    items: Any = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, one in items:
        if not isinstance(one, dict | list):
            continue
        here = (*place, key)
        if isinstance(one, dict) and ("resourceType" in one or _resource_expected(here)):
            name = one.get("resourceType")
            if not isinstance(name, str) or models.of_type(name) is None:
                yield Issue(CODE, _unknown(name), expression(kind, (*here, "resourceType")))
                continue
        yield from _unknown_within(one, kind, here)


def _resource_expected(place: tuple[str | int, ...]) -> bool:
    """A resource of an entry, or a contained one, says its type."""
    return place[-1] == "resource" or (len(place) > 1 and place[-2] == "contained")


# ---------------------------------------------------------------- what the models do not ask


def _unasked(body: Mapping[str, Any], path: str) -> Iterator[Issue]:
    """Required codes, invariants, and numbers that are texts, of this resource and of those within it."""
    kind = body.get("resourceType")
    if not isinstance(kind, str) or models.of_type(kind) is None:
        yield Issue(CODE, _unknown(kind), f"{path}.resourceType")
        return
    statuses = STATUSES.get(kind)
    if statuses is not None and body.get("status") not in statuses:
        yield Issue(CODE, "This is no code of the required value set", f"{path}.status")
    if len(body.get("id", "")) > LONGEST_ID:
        yield Issue(CODE, f"An id has at most {LONGEST_ID} characters", f"{path}.id")
    if kind == "Observation":
        yield from _of_observation(body, path)
    if kind == "Specimen":
        yield from _of_value((body.get("collection") or {}).get("quantity"), f"{path}.collection.quantity", "quantity")
    for number, entry in enumerate(body.get("entry") or () if kind == "Bundle" else ()):
        if isinstance(inner := entry.get("resource"), dict):
            yield from _unasked(inner, f"{path}.entry[{number}].resource")
    for number, inner in enumerate(body.get("contained") or ()):
        yield from _unasked(inner, f"{path}.contained[{number}]")


def _of_observation(body: Mapping[str, Any], path: str) -> Iterator[Issue]:
    """obs-6: a value or why there is none, never both; and what stands within a value."""
    for part, place in (
        (body, path),
        *((one, f"{path}.component[{n}]") for n, one in enumerate(body.get("component") or ())),
    ):
        valued = [key for key in part if key.startswith("value")]
        if valued and "dataAbsentReason" in part:
            yield Issue(CODE, "A value stands beside the reason for which there is none (obs-6)", place)
        for key in valued:
            yield from _of_value(part[key], f"{place}.{key}", key)
        for number, found in enumerate(part.get("referenceRange") or ()):
            yield from _of_value(found, f"{place}.referenceRange[{number}]", "")


def _of_value(value: Any, path: str, key: str) -> Iterator[Issue]:
    """A number is a number of JSON (R4, decimal, integer), and a comparator is one of the four."""
    if key == "valueInteger" and (isinstance(value, bool) or not isinstance(value, int)):
        yield Issue(CODE, "An integer is expected here", path)
    if not isinstance(value, dict):
        return
    number = value.get("value", 0)
    if key in QUANTITIES and (isinstance(number, bool) or not isinstance(number, int | Decimal)):
        yield Issue(CODE, "A number is expected here, not a text", f"{path}.value")
    comparator = value.get("comparator")
    if key in WITH_COMPARATOR and comparator is not None and comparator not in COMPARATORS:
        yield Issue(CODE, "This is no code of the required value set", f"{path}.comparator")
    for name in ("numerator", "denominator", "low", "high"):
        if name in value:
            yield from _of_value(value[name], f"{path}.{name}", name)
