"""What `labbridge odbc` says: a connection tried in a process of its own, and the list of gaps."""

from __future__ import annotations

import json

import msgspec

from labbridge import odbc_settings
from labbridge.children import Aside
from labbridge.config import Config
from labbridge.delivery.odbc_link import Staging
from labbridge.errors import Refused
from labbridge.feeds.odbc_poller import Polling
from labbridge.feeds.odbc_window import Progress
from labbridge.odbc.connecting import Access
from labbridge.odbc.faults import OdbcFault
from labbridge.odbc_settings import access_of, polling_of, staging_of
from labbridge.processing import SystemClock
from labbridge.store import polls
from labbridge.store.connection import Connection

GRACE_S = 30.0
_progress = msgspec.json.Decoder(Progress).decode


class Told(msgspec.Struct, frozen=True):
    """What came of a test; `well`: nothing is wrong."""

    lines: list[str]
    well: bool


def names(config: Config) -> list[str]:
    """The feeds and receivers of the kind odbc."""
    return [key.partition(".")[2] for key, _section in odbc_settings.sections(config)]


def tested(config: Config, name: str) -> Told:
    """The view and the table of this name, tried."""
    told = [_tried(key, config, name) for key, _one in odbc_settings.sections(config) if key.partition(".")[2] == name]
    return Told([one.lines[0] for one in told], all(one.well for one in told))


def _tried(key: str, config: Config, name: str) -> Told:
    fault = next((one for one in odbc_settings.faults(config) if one.startswith(f"{key}.")), "")
    if fault:
        return Told([fault], False)
    section = dict(odbc_settings.sections(config))[key]
    within_s = section.connect_timeout_s + 3 * section.timeout_s + GRACE_S
    aside = Aside("test of the connection", within_s)
    try:
        if key.startswith("feeds."):
            answer = aside.run(_view, polling_of(name, config.feeds[name]))
        else:
            odbc = config.receivers[name].odbc
            assert odbc is not None
            answer = aside.run(_table, access_of(odbc, read_only=False), staging_of(odbc))
    except Refused:
        return Told([f"{key}: {OdbcFault('silent').sentence}"], False)
    found = msgspec.json.decode(answer, type=Told)
    return Told([f"{key}: {found.lines[0]}"], found.well)


def _view(polling: Polling) -> bytes:
    """Body of the process."""
    from labbridge.feeds.odbc_examining import examine

    try:
        said = examine(polling, SystemClock().now())
    except OdbcFault as fault:
        return msgspec.json.encode(Told([fault.sentence], False))
    return msgspec.json.encode(Told([said], ", but " not in said))


def _table(access: Access, staging: Staging) -> bytes:
    """Body of the process."""
    from labbridge.delivery.odbc_examining import examine

    try:
        return msgspec.json.encode(Told([examine(access, staging)], True))
    except OdbcFault as fault:
        return msgspec.json.encode(Told([fault.sentence], False))


def gaps(store: Connection, name: str, format: str) -> str:
    """The gaps of a feed, oldest first."""
    found = polls.load(store, name)
    listed = (_progress(found) if found else Progress()).listed
    if format == "json":
        return json.dumps({"feed": name, "gaps": msgspec.to_builtins(listed)})
    lines = [
        f"{one.first}-{one.last}  {'may still come' if one.open else 'did not come'}, since {one.seen:%Y-%m-%d %H:%M:%S} UTC"
        for one in listed
    ]
    return "\n".join(lines or [f"{name}: no gap is known"])
