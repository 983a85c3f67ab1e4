"""The client of a configured receiver, MLLP, FHIR or ODBC, with its certificates and its word to the metrics."""

from __future__ import annotations

import multiprocessing
import signal
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from labbridge import sections
from labbridge.certificates import Certificates
from labbridge.children import go_with_the_service
from labbridge.config import ReceiverSection
from labbridge.delivery import tokens
from labbridge.delivery.destinations import Destination
from labbridge.delivery.fhir import FhirReceiver, How
from labbridge.delivery.http import HttpSettings
from labbridge.delivery.mllp import MllpReceiver
from labbridge.delivery.odbc import OdbcReceiver, Started
from labbridge.delivery.odbc_link import Staging
from labbridge.observe.traffic import RECEIVED, Traffic
from labbridge.odbc.connecting import Access
from labbridge.odbc_settings import access_of, staging_of
from labbridge.processing import SystemClock
from labbridge.smart_settings import access_settings

GRACE_S = 15.0  # beyond what its statements may take

Client = MllpReceiver | FhirReceiver | OdbcReceiver


def receiver_of(name: str, section: ReceiverSection, certificates: Certificates, traffic: Traffic) -> Client:
    """A renewed certificate is used from the next connection on."""
    answered = partial(traffic.answered, name, RECEIVED)
    if section.odbc is not None:
        odbc = section.odbc
        begin = partial(start_writer, name, access_of(odbc, read_only=False), staging_of(odbc))
        return OdbcReceiver(name, begin, odbc.connect_timeout_s + 4 * odbc.timeout_s + GRACE_S, answered)
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


def start_writer(name: str, access: Access, staging: Staging) -> Started:
    """A process that writes this table."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_write, args=(access, staging, theirs), name=f"labbridge-odbc-{name}", daemon=True)
    process.start()
    theirs.close()
    return Started(process, ours)


def _write(access: Access, staging: Staging, pipe: Connection) -> None:
    """Body of the process."""
    from labbridge.delivery.odbc_writer import serve

    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # the service ends us in its own time
    go_with_the_service()
    serve(access, staging, pipe)
