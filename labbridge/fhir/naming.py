"""How what we write for a FHIR server names what is not ours: the patient, orders, specimens and results by their
identifiers (logical references), codes by the systems of FHIR, and our own things by a system that is derived from the
configuration."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from labbridge.errors import Refused
from labbridge.model.report import EntityId, Observation, Order, Patient
from labbridge.model.values import Coding

LABBRIDGE = uuid.UUID("a9a4b3de-6a3c-4f0c-9c6e-0f6c7c4f6d2b")
"""The name space of the systems of sites that have none of their own: no domain is invented for them."""
SYSTEMS = {
    **dict.fromkeys(("LN", "LOINC", "2.16.840.1.113883.6.1"), "http://loinc.org"),
    **dict.fromkeys(("SCT", "2.16.840.1.113883.6.96"), "http://snomed.info/sct"),
    "UCUM": "http://unitsofmeasure.org",
    "HL70078": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
}
"""Coding systems of table 0396 that FHIR has a name for. One that is not here is given without a system."""
OURS = "labbridge"
"""Stands for the system of our own codes in a Coding; `L` is the laboratory's."""
TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"

Element = dict[str, object]


def own_system(application: str, facility: str) -> str:
    """The system of our identifiers and codes where the site has named none: one that nobody else has."""
    return uuid.uuid5(LABBRIDGE, f"{application}|{facility}").urn


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """`base`: the receiver's base URL. `systems`: identifier systems by assigning authority, as the receiver knows them;
    `application`, `facility`: who we say we are."""

    base: str = ""
    systems: Mapping[str, str] = {}
    application: str = "LABBRIDGE"
    facility: str = ""

    @property
    def own(self) -> str:
        """The system of our identifiers and codes: the site's, else one that nobody else has."""
        return self.systems.get(self.application, "") or own_system(self.application, self.facility)

    def system(self, authority: str) -> str:
        """The system of an assigning authority; empty where none is known. An authority that is a URI is one itself."""
        return self.systems.get(authority, "") or (authority if ":" in authority else "")

    # ---- ours

    def identifier(self, value: str) -> Element:
        found: Element = {"system": self.own, "value": value}
        assigner = " ".join(filter(None, (self.application, self.facility)))
        return {**found, "assigner": {"display": assigner}} if assigner else found

    def search(self, parameter: str, value: str) -> str:
        """One of ours as a search names it (`identifier=system|value`)."""
        return f"{parameter}={quote(f'{self.own}|{value}', safe='')}"

    def coded(self, *codings: Coding) -> Element:
        """A concept of these codes; without a code the name alone."""
        found = [self._coding(one) for one in codings if one.code]
        text = next((one.display for one in codings if one.display), "")
        return {**({"coding": found} if found else {}), **({"text": text} if text else {})}

    def _coding(self, one: Coding) -> Element:
        system = self.own if one.system == OURS else SYSTEMS.get(one.system.upper()) or self.system(one.system)
        named: Element = {"system": system} if ":" in system else {}
        return {**named, "code": one.code, **({"display": one.display} if one.display else {})}

    # ---- what is not ours

    def patient(self, patient: Patient) -> Element:
        """Refused where the receiver could not tell whom a number is of: a patient is never guessed."""
        key = patient.key
        if key is None:
            raise Refused("The message names no patient")
        server, slash, _kind = key.authority.rpartition("/Patient")
        if slash and self.base and server.rstrip("/") == self.base:
            return {"reference": f"Patient/{key.id}", "type": "Patient"}
        system = self.system(key.authority)
        if not system:
            raise Refused(
                "The patient's number cannot be written for a FHIR server: systems of the receiver has no identifier"
                f" system for the authority {key.authority!r}; add it there"
            )
        kind: Element = {"type": {"coding": [{"system": TYPES, "code": key.type}]}} if key.type else {}
        return {"type": "Patient", "identifier": {**kind, "system": system, "value": key.id}}

    def order(self, order: Order) -> Element | None:
        """The order that a result is of: by its placer's number, else by the laboratory's; None where it has neither."""
        return self._entity("ServiceRequest", order.placer, "PLAC") or self._entity(
            "ServiceRequest", order.filler, "FILL"
        )

    def report(self, order: Order) -> Element | None:
        """The laboratory's report of an order (v2-to-FHIR: the filler's number is the DiagnosticReport's)."""
        return self._entity("DiagnosticReport", order.filler, "FILL")

    def specimen(self, order: Order) -> Element | None:
        """The specimen of an order, where that is one alone: which of several is meant cannot be told."""
        found = {(one.filler or one.placer): one for one in order.specimens if one.filler or one.placer}
        if len(found) != 1:
            return None
        (number, tube) = next(iter(found.items()))
        return self._entity("Specimen", number, "FILL" if tube.filler else "PLAC")

    def result(self, result: Observation) -> Element | None:
        """A result by its own number; None where it came without one."""
        found = self._entity("Observation", result.number, "")
        display = next((one.display or one.code for one in result.codes if one.display or one.code), "")
        return {**found, "display": display} if found and display else found

    def _entity(self, kind: str, number: EntityId, role: str) -> Element | None:
        if not number:
            return None
        typed: Element = {"type": {"coding": [{"system": TYPES, "code": role}]}} if role else {}
        system = self.system(number.namespace)
        whose: Element = {"system": system} if system else {}
        if number.namespace and not system:
            whose = {"assigner": {"display": number.namespace}}
        return {"type": kind, "identifier": {**typed, "value": number.id, **whose}}
