"""The CapabilityStatement and the OpenAPI document, both made of the table of routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from labbridge.fhir.routes import PARAMETERS, ROUTES, SAYS, Parameter, Route

VERSION = "4.0.1"
JSON = "application/fhir+json"
SINCE = "2026-11-27"  # when what is said here last changed
_SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
NO_SUBSCRIPTIONS = (
    "Results are taken by create, update, transaction, batch and $process-message, and read and searched as they were sent."
    " A search parameter, modifier or chain that is not listed is refused (400), never ignored. There are no versions to"
    " read (vread, history) and no Subscriptions: ask again with _lastUpdated."
)


def statement(base: str, software: str, token_url: str = "") -> dict[str, Any]:
    """The CapabilityStatement of this server. `base`: its address; `software`: our version; `token_url`: where a program
    gets a token (SMART Backend Services), empty where programs have theirs from a person."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": SINCE,
        "kind": "instance",
        "software": {"name": "labbridge", "version": software},
        "implementation": {"description": "labbridge beside a laboratory information system", "url": base},
        "fhirVersion": VERSION,
        "format": ["json", JSON],
        "rest": [
            {
                "mode": "server",
                "documentation": NO_SUBSCRIPTIONS,
                "security": _security(token_url),
                "resource": [_resource(kind) for kind in _types()],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "operation": [
                    {
                        "name": one.does[1:],
                        "definition": f"{base}/OperationDefinition/{one.does[1:]}",
                        "documentation": one.says,
                    }
                    for one in ROUTES
                    if one.does.startswith("$")
                ],
            }
        ],
    }


def _security(token_url: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "cors": False,
        "description": "A bearer token with each request, but for metadata and openapi.json; SMART v2 scopes system/Type.rs",
    }
    if token_url:
        said["service"] = [{"coding": [{"system": _SECURITY, "code": "SMART-on-FHIR"}]}]
        said["extension"] = [{"url": _URIS, "extension": [{"url": "token", "valueUri": token_url}]}]
    return said


def _types() -> list[str]:
    return sorted({one.type for one in ROUTES if one.type and not one.does.startswith("$")})


def _resource(kind: str) -> dict[str, Any]:
    done = sorted({one.does for one in ROUTES if one.type == kind and not one.does.startswith("$")})
    found: dict[str, Any] = {"type": kind, "interaction": [{"code": code} for code in done]}
    if kind in SAYS:
        found["documentation"] = SAYS[kind]
    if "create" in done:
        found |= {"conditionalCreate": True, "updateCreate": True}
    found["versioning"] = "no-version"
    if kind in PARAMETERS:
        found["searchParam"] = [
            {"name": one.name, "type": one.kind, "documentation": one.says} for one in PARAMETERS[kind]
        ]
    return found


# ---------------------------------------------------------------- OpenAPI

_REFUSED: Mapping[int, str] = {
    400: "The request cannot be understood",
    401: "No token that is in force",
    403: "The token does not allow this",
    404: "There is no such thing, or it is not the program's to see",
    405: "The address does not take this method",
    406: "Another form than JSON was asked for",
    409: "It is in conflict with what is held",
    410: "It was superseded; what stands in its place is named",
    412: "A condition that several resources meet",
    413: "Too much of something",
    415: "Anything else than JSON in UTF-8",
    422: "Not what R4 says of the resource",
    503: "Nothing was done; come again",
}


def openapi(base: str, software: str) -> dict[str, Any]:
    """The addresses below the base as an OpenAPI 3.0 document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(f"/{route.path}", {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.0.3",
        "info": {"title": "labbridge FHIR R4", "version": software, "description": NO_SUBSCRIPTIONS},
        "servers": [{"url": base}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Resource": _SCHEMA, "OperationOutcome": _OUTCOME},
        },
    }


_SCHEMA = {
    "type": "object",
    "required": ["resourceType"],
    "properties": {"resourceType": {"type": "string"}},
    "additionalProperties": True,
}
_OUTCOME = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"type": "string", "enum": ["OperationOutcome"]},
        "issue": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["severity", "code"],
                "properties": {"severity": {"type": "string"}, "code": {"type": "string"}},
            },
        },
    },
}
_OPEN = ("capabilities", "openapi")
_FORM = "application/x-www-form-urlencoded"


def _operation(route: Route) -> dict[str, Any]:
    name = "-".join(
        filter(None, (route.type, route.does.lstrip("$"), route.method.lower() if route.parameters else ""))
    )
    found: dict[str, Any] = {
        "operationId": name,
        "summary": route.says,
        "parameters": [*_of_path(route), *(_of_query(route.parameters) if route.method == "GET" else ())],
        "responses": _responses(route),
    }
    if route.does not in _OPEN:
        found["security"] = [{"bearer": []}]
    if route.method != "GET":
        found["requestBody"] = _body(route)
    return found


def _of_path(route: Route) -> Iterable[dict[str, Any]]:
    if route.path.endswith("{id}"):
        schema = {"type": "string", "pattern": "^[A-Za-z0-9\\-.]{1,64}$"}
        yield {"name": "id", "in": "path", "required": True, "schema": schema}


def _of_query(parameters: Iterable[Parameter]) -> Iterable[dict[str, Any]]:
    for one in parameters:
        yield {"name": one.name, "in": "query", "description": one.says, "schema": _schema(one)}


def _schema(one: Parameter) -> dict[str, Any]:
    if one.kind == "number":
        return {"type": "integer", "minimum": 1, "maximum": 200}
    return {"type": "string", **_FORMS.get(one.name, _FORMS.get(one.kind, {"minLength": 1}))}


_FORMS: Mapping[str, dict[str, Any]] = {
    "date": {"pattern": "^(eq|ge|gt|le|lt)?(19|20)[0-9]{2}(-(0[1-9]|1[0-2])(-(0[1-9]|1[0-9]|2[0-8]))?)?$"},
    "reference": {"pattern": "^(Patient/)?[A-Za-z0-9.-]{1,64}$"},
    "token": {"pattern": "^[A-Za-z0-9:/. -]{0,40}[|]?[A-Za-z0-9.-]{1,40}(,[A-Za-z0-9.-]{1,40})?$"},
    "_id": {"pattern": "^[A-Za-z0-9.-]{1,64}(,[A-Za-z0-9.-]{1,64}){0,3}$"},
    "_format": {"enum": ["json", "application/fhir+json"]},
}
"""What a value looks like, by the parameter or its type. More is taken than is written here (times of day, escapes)."""


def _body(route: Route) -> dict[str, Any]:
    if route.does == "search-type":
        properties = {one.name: _schema(one) for one in route.parameters}
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        return {"required": False, "content": {_FORM: {"schema": schema}}}
    schema = (
        {"$ref": "#/components/schemas/Resource"} if not route.type or route.does == "$interpret" else _one_of(route)
    )
    return {"required": True, "content": {JSON: {"schema": schema}}}


def _one_of(route: Route) -> dict[str, Any]:
    """A resource of one type, as far as it is said here: the rest is R4's."""
    properties: dict[str, Any] = {"resourceType": {"type": "string", "enum": [route.type]}}
    if route.type != "Patient":
        properties["status"] = {
            "type": "string",
            "enum": ["registered", "preliminary", "final", "corrected", "amended"],
        }
        text = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9 ]{0,40}$"}
        concept = {"type": "object", "required": ["text"], "properties": {"text": text}}
        properties["code"] = concept
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": True}


def _responses(route: Route) -> dict[str, Any]:
    done = {"description": "Done", "content": {_type_of(route): {"schema": _answer(route)}}}
    fault = {JSON: {"schema": {"$ref": "#/components/schemas/OperationOutcome"}}}
    answers: dict[str, Any] = {"200": done}
    if route.does in ("create", "update"):
        answers["201"] = done
    return answers | {str(status): {"description": text, "content": fault} for status, text in _REFUSED.items()}


def _type_of(route: Route) -> str:
    return "application/json" if route.does == "openapi" else JSON


def _answer(route: Route) -> dict[str, Any]:
    return {"type": "object"} if route.does == "openapi" else {"$ref": "#/components/schemas/Resource"}
