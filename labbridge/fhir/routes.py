"""The addresses below /fhir: one table, from which requests are dispatched, the CapabilityStatement and the OpenAPI document
are made, and search parameters are refused that are not in it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from labbridge.fhir.faults import unfit
from labbridge.fhir.structure import ALONE


class Parameter(msgspec.Struct, frozen=True):
    """A search parameter: its name, its type (http://hl7.org/fhir/search-param-type), and what it asks."""

    name: str
    kind: str
    says: str


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """An address and a method. `does`: the interaction (http://hl7.org/fhir/restful-interaction), of an operation its name
    with $. `letter`: what of SMART's c r u d s a program's scope must have for the type; empty where no scope is asked
    for. `parts`: the address below the base, `{id}` for any id. `reads`: it answers from what is held."""

    method: str
    parts: tuple[str, ...]
    does: str
    says: str
    type: str = ""
    letter: str = ""
    reads: bool = False
    parameters: tuple[Parameter, ...] = ()

    @property
    def path(self) -> str:
        return "/".join(self.parts)


ID = "{id}"
COUNT, CURSOR, FORMAT = "_count", "cursor", "_format"
_ALWAYS = (
    Parameter("_id", "token", "The id of the resource; several with a comma between"),
    Parameter("_lastUpdated", "date", "When it came or was last written; eq, ge, gt, le and lt before the date"),
)
_OF_PAGES = (
    Parameter(COUNT, "number", "How many on a page, 1 to 200"),
    Parameter(FORMAT, "token", "json alone"),
)
_PATIENT = (
    Parameter("patient", "reference", "Patient/id as this server names the patient"),
    Parameter("patient.identifier", "token", "A number of the patient: system|value, |value or value"),
)
_IDENTIFIER = Parameter("identifier", "token", "A number of the resource: system|value, |value or value")
_CODE = Parameter("code", "token", "system|code, |code or code; several with a comma between")
_STATUS = Parameter("status", "token", "Its status; several with a comma between")


def _date(name: str) -> Parameter:
    return Parameter(name, "date", "When it was; eq, ge, gt, le and lt before the date")


PARAMETERS: dict[str, tuple[Parameter, ...]] = {
    "Observation": (*_ALWAYS, *_PATIENT, _IDENTIFIER, _CODE, _STATUS, _date("date")),
    "DiagnosticReport": (*_ALWAYS, *_PATIENT, _IDENTIFIER, _CODE, _STATUS, _date("date")),
    "Patient": (*_ALWAYS, _IDENTIFIER),
    "DetectedIssue": (*_ALWAYS, *_PATIENT, _CODE, _date("identified")),
    "AuditEvent": (*_ALWAYS, _date("date")),
}
"""What can be searched for, by the names that R4 gives the parameters of each type."""

SAYS = {
    "Observation": "Results as they were sent, and our released interpretations (C17)",
    "DiagnosticReport": "Reports as they were sent, with their results",
    "Patient": "Whom results were sent of",
    "DetectedIssue": "What was found discordant, unconfirmed or incomplete in a patient's results (flags of a case)",
    "AuditEvent": "Who did what, for auditors (IHE BALP)",
}
_MOST = 64  # characters of an id


def _table() -> Iterator[Route]:
    yield Route(method="GET", parts=("metadata",), does="capabilities", says="What this server does", reads=True)
    yield Route(method="GET", parts=("openapi.json",), does="openapi", says="These addresses as OpenAPI", reads=True)
    yield Route(method="POST", parts=(), does="transaction", says="A Bundle: transaction, batch, collection, document")
    yield Route(
        method="POST", parts=("$process-message",), does="$process-message", says="A Bundle of type message is kept"
    )
    yield Route(
        method="POST",
        parts=("$interpret",),
        does="$interpret",
        says="What is found in the results of a Bundle, of which nothing is kept",
        type="Observation",
        letter="c",
    )
    for kind in sorted(ALONE):
        yield Route(method="POST", parts=(kind,), does="create", says=f"One {kind} is kept", type=kind)
        yield Route(
            method="PUT", parts=(kind, ID), does="update", says=f"One {kind} under its sender's id is kept", type=kind
        )
    for kind, parameters in PARAMETERS.items():
        every = (
            *parameters,
            *_OF_PAGES,
            Parameter(CURSOR, "string", "The next page, as the link of the one before says"),
        )
        yield Route(method="GET", parts=(kind, ID), does="read", says=SAYS[kind], type=kind, letter="r", reads=True)
        for method, parts in (("GET", (kind,)), ("POST", (kind, "_search"))):
            yield Route(
                method=method,
                parts=parts,
                does="search-type",
                says=SAYS[kind],
                type=kind,
                letter="s",
                reads=True,
                parameters=every,
            )


ROUTES: tuple[Route, ...] = tuple(_table())


def find(method: str, path: str) -> tuple[Route, str]:
    """The route of a request and the id in its address, empty where it has none. Unfit (404, 405) where there is none."""
    parts = tuple(path.split("/")) if path else ()
    there = [one for one in ROUTES if _same(one.parts, parts)]
    found = next((one for one in there if one.method == method), None)
    if found is not None:
        return found, parts[-1] if found.parts[-1:] == (ID,) else ""
    if there:
        raise unfit("not-supported", f"This address takes {', '.join(allowed(path))}", status=405)
    raise unfit("not-found", "There is nothing at this address")


def allowed(path: str) -> list[str]:
    """The methods that an address takes."""
    parts = tuple(path.split("/")) if path else ()
    return sorted({one.method for one in ROUTES if _same(one.parts, parts)})


def _same(wanted: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """`_search` and `$interpret` are no ids; nothing else has a reserved name."""
    return len(wanted) == len(parts) and all(
        one == other or (one == ID and other and other[0] not in "_$" and len(other) <= _MOST)
        for one, other in zip(wanted, parts, strict=True)
    )
