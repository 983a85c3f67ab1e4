"""The client of a configured receiver, MLLP or FHIR, with its certificates and its word to the metrics."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from labbridge import sections
from labbridge.certificates import Certificates
from labbridge.config import ReceiverSection
from labbridge.delivery import tokens
from labbridge.delivery.destinations import Destination
from labbridge.delivery.fhir import FhirReceiver, How
from labbridge.delivery.http import HttpSettings
from labbridge.delivery.mllp import MllpReceiver
from labbridge.observe.traffic import RECEIVED, Traffic
from labbridge.processing import SystemClock
from labbridge.smart_settings import access_settings


def receiver_of(
    name: str, section: ReceiverSection, certificates: Certificates, traffic: Traffic
) -> MllpReceiver | FhirReceiver:
    """A renewed certificate is used from the next connection on."""
    answered = partial(traffic.answered, name, RECEIVED)
    if section.kind == "fhir":
        found: MllpReceiver | FhirReceiver = _server(name, section, answered)
    else:
        found = MllpReceiver(name, sections.receiver_settings(section), answered)
    found.tls = certificates.context(f"receivers.{name}.tls", partial(setattr, found, "tls"))
    return found


def _server(name: str, section: ReceiverSection, answered: partial[None]) -> FhirReceiver:
    server_name = section.tls.server_name if section.tls is not None else ""
    how = How(whole=section.interaction == "transaction")
    if section.token_file:
        how = How(whole=how.whole, authorize=tokens.bearer(Path(section.token_file)))
    if section.smart is not None:
        from labbridge.delivery.smart import SmartAccess  # with the libraries of keys: a start waits for them

        access = SmartAccess(access_settings(section), SystemClock())
        how = How(whole=how.whole, authorize=access.authorize, forget=access.forget)
    destination = Destination(section.address, section.networks)
    return FhirReceiver(
        name, destination, HttpSettings(timeout_s=section.timeout_s, server_name=server_name), answered, how
    )
