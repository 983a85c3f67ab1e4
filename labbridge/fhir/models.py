"""A resource built from the models of fhir.resources, its innermost elements first.

Held against its models as a whole, every element is validated twice and every code anew. Built from within, each is
validated once, and what is said again and again, a laboratory's codes and ranges, the references of one body, is remembered.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

ABSTRACT = ("Resource", "DomainResource")
REPEATED = frozenset(("CodeableConcept", "Coding", "ObservationReferenceRange", "BundleEntryRequest", "Reference"))
"""Types of elements that come again and again, by the names that the library has for them."""
LONGEST_KNOWN = 500  # characters; a longer one is built each time, so that the memory stays small
KNOWN_AT_MOST = 2048  # 8 MB
_known: dict[tuple[type[BaseModel], str], BaseModel] = {}


@lru_cache(maxsize=512)
def of_type(kind: str) -> type[BaseModel] | None:
    """The model of a resource type; None where R4 has no such type, or where nothing can be only that."""
    if not kind.isascii() or not kind.isalpha() or not kind[0].isupper():
        return None
    from fhir.resources.R4B import get_fhir_model_class  # 20 MB: only where a body is held against them
    from fhir.resources.R4B.resource import Resource

    try:
        found = get_fhir_model_class(kind)
    except ValueError:
        return None
    concrete = issubclass(found, Resource) and kind not in ABSTRACT
    return found if concrete else None


def built(model: type[BaseModel], body: Mapping[str, Any]) -> BaseModel:
    """The resource or element. Whatever the library raises, and KeyError, TypeError, ValueError of its own, where something
    is not as the models have it: model_validate then says what."""
    within = _elements(model)
    given: dict[str, Any] = {}
    for key, value in body.items():
        if key in within:
            if type(value) is dict:
                value = _element(within[key], value)
            elif type(value) is list:
                value = [_element(within[key], one) if type(one) is dict else one for one in value]
        given[key] = value
    return model(**given)


def _element(model: type[BaseModel] | None, body: dict[str, Any]) -> BaseModel:
    if model is None:
        model = of_type(body["resourceType"])
        if model is None:
            raise ValueError("no such resource type")
    return _known_or_built(model, body) if model.__name__ in REPEATED else built(model, body)


def _known_or_built(model: type[BaseModel], body: dict[str, Any]) -> BaseModel:
    """An element that was built before of the same text, or is built now. Nobody changes what is built here."""
    said = repr(body)
    found = _known.get((model, said))
    if found is None:
        found = built(model, body)
        if len(_known) >= KNOWN_AT_MOST:
            _known.clear()
        if len(said) <= LONGEST_KNOWN:
            _known[model, said] = found
    return found


@lru_cache(maxsize=1024)
def _elements(model: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """The elements of a model that have elements themselves, by their names in JSON; None where it may be any resource."""
    from fhir_core.types import FhirElementOrResourceBase

    found: dict[str, type[BaseModel] | None] = {}
    for name, field in model.model_fields.items():
        kind = _type(field.annotation)
        if kind is not None:
            found[field.alias or name] = None if issubclass(kind, FhirElementOrResourceBase) else kind.get_model_klass()
    return found


def _type(annotation: Any) -> Any:
    """The type of an element in what its field is annotated with: itself, a list of it, or nothing."""
    from fhir_core.types import FhirBase

    if isinstance(annotation, type) and issubclass(annotation, FhirBase):
        return annotation
    return next(filter(None, map(_type, typing.get_args(annotation))), None)
