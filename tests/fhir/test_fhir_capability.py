"""What metadata says of security: the token endpoint of SMART where there is one, and nothing of it where there is none."""

from __future__ import annotations

from typing import Any

from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from labbridge.fhir import capability
from labbridge.fhir.routes import ROUTES

BASE = "https://labbridge.example/fhir"


def security(token_url: str) -> dict[str, Any]:
    found = capability.statement(BASE, "0.1.0", token_url)
    CapabilityStatement.model_validate(found)
    told: dict[str, Any] = found["rest"][0]["security"]
    return told


def test_the_token_endpoint_is_named_where_there_is_one() -> None:
    told = security("https://labbridge.example/token")
    assert told["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    (uris,) = told["extension"]
    assert uris["extension"] == [{"url": "token", "valueUri": "https://labbridge.example/token"}]
    assert {"service", "extension"} & set(security("")) == set()


def test_an_operation_of_the_document_is_named_once() -> None:
    document = capability.openapi(BASE, "0.1.0")
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(set(names)) == len(names) == len(ROUTES)
    assert all("401" in one["responses"] for path in document["paths"].values() for one in path.values())
