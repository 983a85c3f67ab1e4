"""A resource built from within: what the models refuse is refused, and what is remembered is never another element."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fhir_bodies import Body, bundle, concept, fits, observation, patient, report
from pydantic import BaseModel

from labbridge.fhir import guard, models
from labbridge.fhir.faults import Unfit


def model_of(kind: str) -> type[BaseModel]:
    found = models.of_type(kind)
    assert found is not None
    return found


def built(body: Body) -> dict[str, Any]:
    return models.built(model_of(body["resourceType"]), body).model_dump()


@pytest.mark.parametrize(
    "body",
    [
        observation(valueQuantity={"value": 58, "unit": "U/L"}, interpretation=[concept("urn:t", "H")]),
        observation(contained=[patient("p")], subject={"reference": "#p"}, _status={"id": "x"}),
        report("Observation/o1", conclusionCode=[concept("urn:t", "1"), concept("urn:t", "1")]),
        bundle(observation(), {"fullUrl": "urn:uuid:1", "resource": patient("p")}, type="collection"),
    ],
)
def test_the_resource_is_the_one_that_the_models_give(body: Body) -> None:
    whole = model_of(body["resourceType"]).model_validate(body)
    assert built(body) == whole.model_dump()
    assert models.built(type(whole), body) == whole


@pytest.mark.parametrize(
    ("taken", "refused"),
    [
        ({"code": "1"}, {"code": 1}),
        ({"code": "1"}, {"code": ["1"]}),
        ({"userSelected": True}, {"userSelected": "maybe"}),
        ({"display": "x'}"}, {"display": {"x": ""}}),
    ],
)
def test_what_was_taken_once_is_not_taken_for_what_only_looks_like_it(taken: Body, refused: Body) -> None:
    for _time in range(2):
        built(observation(code={"coding": [taken]}))
        assert not fits(lambda: built(observation(code={"coding": [refused]})))


def test_an_element_that_was_refused_is_refused_again() -> None:
    for _time in range(3):
        assert not fits(lambda: built(observation(code={"coding": [{"colour": "red"}]})))


def test_what_is_remembered_is_bounded_in_number_and_length() -> None:
    for number in range(2 * models.KNOWN_AT_MOST + 10):
        models._element(_concept(), {"text": f"{number}"})
        assert len(models._known) <= models.KNOWN_AT_MOST
    before = len(models._known)
    models._element(_concept(), {"text": "x" * models.LONGEST_KNOWN})
    assert len(models._known) == before


def _concept() -> type[BaseModel]:
    found = models._elements(model_of("Observation"))["code"]
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["Blutbild", "Resource", "DomainResource", "Quantity", "os.path", "", "observation"])
def test_what_is_no_resource_has_no_model(kind: str) -> None:
    assert models.of_type(kind) is None
    assert not fits(lambda: models.built(model_of("Bundle"), bundle({"resource": {"resourceType": kind}})))


def test_a_file_of_others_is_built_where_the_models_take_it_as_a_whole(corpus: Path) -> None:
    both = [_both(path.read_bytes()) for path in sorted((corpus / "fhir").rglob("*.json"))]
    assert [one for one in both if one and one[0] != one[1]] == []
    assert sum(one == (True, True) for one in both) > 100


def _both(raw: bytes) -> tuple[bool, bool] | None:
    """Whether a body is built, and whether the models take it as a whole; None where it is no resource."""
    try:
        body = guard.load(raw)
    except Unfit:
        return None
    kind = body.get("resourceType")
    model = models.of_type(kind) if isinstance(kind, str) else None
    if model is None:
        return None
    return fits(lambda: models.built(model, body)), fits(lambda: model.model_validate(body))


def test_a_body_as_json_gives_it_is_built() -> None:
    body = guard.load(json.dumps(observation(valueInteger=5)).encode())
    assert built(body)["valueInteger"] == 5
