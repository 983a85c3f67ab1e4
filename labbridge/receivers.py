"""The client of a configured receiver, MLLP or FHIR, with its certificates and its word to the metrics."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from labbridge import sections
from labbridge.certificates import Certificates
from labbridge.config import ReceiverSection
from labbridge.config_smart import ReceiverSmartSection
from labbridge.delivery import tokens
from labbridge.delivery.destinations import Destination
from labbridge.delivery.fhir import FhirReceiver, How
from labbridge.delivery.http import HttpSettings
from labbridge.delivery.mllp import MllpReceiver
from labbridge.observe.traffic import RECEIVED, Traffic
from labbridge.processing import SystemClock

if TYPE_CHECKING:
    from labbridge.delivery.smart import SmartAccess


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
    whole = section.interaction == "transaction"
    how = How(whole=whole)
    if section.token_file:
        how = How(whole=whole, authorize=tokens.bearer(Path(section.token_file)))
    if section.smart is not None:
        access = _access(section.smart, section.networks)
        how = How(whole=whole, authorize=access.authorize, forget=access.forget)
    destination = Destination(section.address, section.networks)
    return FhirReceiver(
        name, destination, HttpSettings(timeout_s=section.timeout_s, server_name=server_name), answered, how
    )


def _access(section: ReceiverSmartSection, networks: tuple[str, ...]) -> SmartAccess:
    """Joined here: the libraries that sign are loaded where a receiver wants them."""
    from labbridge.delivery.smart import SmartAccess, SmartSettings

    settings = SmartSettings(
        token_url=section.token_url,
        client_id=section.client_id,
        key_file=section.key_file,
        scope=section.scope,
        ca_file=section.ca_file,
        networks=networks,
    )
    return SmartAccess(settings, SystemClock())
