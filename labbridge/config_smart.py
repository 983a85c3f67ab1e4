"""[fhir], [fhir.clients.NAME] and [receivers.NAME.smart]: SMART Backend Services, as server and as client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from labbridge.config_urls import base_url
from labbridge.fhir.scopes import may_any, read_scopes
from labbridge.model.people import EVERY_FEED


def _url(text: str) -> str:
    base_url(text)
    return text


def _scope(text: str) -> str:
    return " ".join(sorted(read_scopes(text)))


Url = Annotated[str, AfterValidator(_url)]
OptionalUrl = Annotated[str, AfterValidator(lambda text: text and _url(text))]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClientSection(_Section):
    jwks_file: str = Field(
        min_length=1, description="JSON file: the client's public keys (JWK Set); two while it changes its key"
    )
    scopes: tuple[Annotated[str, AfterValidator(_scope)], ...] = Field(
        min_length=1, description="what it may do, as system/Observation.rs; what it asks for is narrowed to this"
    )
    feeds: tuple[str, ...] = Field(
        (), description="feeds of what it sends or reads; * for all; empty: the only one that takes FHIR"
    )


class FhirSection(_Section):
    public_url: OptionalUrl = Field(
        "", description="address by which programs reach [web], as https://labbridge.hospital.example; without /fhir"
    )
    clients: dict[str, ClientSection] = Field(
        {}, description="see [fhir.clients.NAME]; NAME is the client id of a program that comes with a key of its own"
    )

    @property
    def token_url(self) -> str:
        """Where clients ask for access tokens, and the `aud` of their assertions; empty where none is registered."""
        return f"{self.public_url.rstrip('/')}/token" if self.clients else ""

    @model_validator(mode="after")
    def _addressed(self) -> FhirSection:
        if self.clients and not self.public_url:
            raise ValueError("clients need public_url: the address they reach this service by is in what they sign")
        return self


class ReceiverSmartSection(_Section):
    token_url: Url = Field(description="where the receiver's authorization server gives access tokens")
    client_id: str = Field(min_length=1, description="what it calls this service")
    key_file: str = Field(
        min_length=1,
        description="PEM file, readable by its owner alone: our private key, RSA or P-384, without password",
    )
    next_key_file: str = Field(
        "", description="the key that follows: published beside the other, so that it is known before it is used"
    )
    scope: Annotated[str, AfterValidator(_scope)] = Field(
        "system/*.cu", description="what is asked for, with spaces between, in the form of SMART version 2"
    )
    ca_file: str = Field("", description="PEM file: authorities of its certificate; empty: those of the system")


def faults(section: FhirSection, kinds: Mapping[str, str]) -> Iterator[str]:
    """What does not fit of the clients. `kinds`: each feed's."""
    taking = [name for name, kind in kinds.items() if kind == "fhir"]
    for name, client in section.clients.items():
        for feed in client.feeds:
            if feed != EVERY_FEED and feed not in kinds:
                yield f"fhir.clients.{name}.feeds names {feed!r}, which is not configured"
        named = client.feeds or tuple(taking)
        written = [feed for feed in taking if feed in named or EVERY_FEED in named]
        if (may_any(client.scopes, "cu") or not client.feeds) and len(written) != 1:
            yield f"fhir.clients.{name}.feeds: what a client writes has to be of one FHIR feed; name it"
