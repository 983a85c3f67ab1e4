"""Views and tables as the configuration describes them, for what reads and what writes them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from labbridge.config import Config, FeedSection
from labbridge.config_odbc import FeedOdbcSection, ReceiverOdbcSection
from labbridge.delivery.odbc_link import Staging
from labbridge.feed_settings import feed_of
from labbridge.feeds.odbc_poller import Polling
from labbridge.feeds.odbc_source import View
from labbridge.odbc.connecting import Access
from labbridge.odbc.faults import OdbcFault

LONGEST = 1024
LOADS_WITHIN_S = 60.0
LOADED = """
import json
try:
    import pyodbc
except ModuleNotFoundError:
    print(json.dumps("package_missing"))
except ImportError:
    print(json.dumps("manager_missing"))
else:
    print(json.dumps({"drivers": pyodbc.drivers(), "sources": list(pyodbc.dataSources())}))
"""


def access_of(section: FeedOdbcSection | ReceiverOdbcSection, *, read_only: bool) -> Access:
    """How a database is reached, with its password. ValueError or OSError where its file cannot be used."""
    return Access(
        connection=section.connection,
        password=section.password or (_password(Path(section.password_file)) if section.password_file else ""),
        connect_timeout_s=section.connect_timeout_s,
        timeout_s=section.timeout_s,
        read_only=read_only,
    )


def _password(path: Path) -> str:
    """The first line of a file that is the account's alone."""
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise ValueError("others may read it; chmod 600")
        text = file.read(LONGEST + 1).decode("utf-8", "replace").rstrip("\r\n")
    if not text or len(text) > LONGEST or not text.isprintable() or "\ufffd" in text:
        raise ValueError("it holds no password: one line of UTF-8")
    return text


def view_of(section: FeedOdbcSection) -> View:
    """What is read."""
    return View(
        name=section.view,
        key=section.key,
        changed=section.changed,
        columns=section.selected,
        number=section.number,
        together=section.together,
        page_rows=section.page_rows,
    )


def staging_of(section: ReceiverOdbcSection) -> Staging:
    """Where comments go."""
    return Staging(
        table=section.table, columns=section.columns, procedure=section.procedure, arguments=section.arguments
    )


def polling_of(name: str, section: FeedSection) -> Polling:
    """All that the process has to know that reads a feed's view. ValueError or OSError as access_of."""
    odbc = section.odbc
    assert odbc is not None
    return Polling(
        feed=feed_of(name, section),
        access=access_of(odbc, read_only=True),
        view=view_of(odbc),
        window_s=odbc.window_s,
        recount_s=odbc.recount_s,
        poll_s=odbc.poll_s,
        timezone=odbc.changed_timezone or section.timezone,
        since=odbc.since,
    )


def sections(config: Config) -> Iterator[tuple[str, FeedOdbcSection | ReceiverOdbcSection]]:
    """Every section of ODBC by its key in the configuration."""
    yield from ((f"feeds.{name}", one.odbc) for name, one in config.feeds.items() if one.odbc is not None)
    yield from ((f"receivers.{name}", one.odbc) for name, one in config.receivers.items() if one.odbc is not None)


def faults(config: Config) -> Iterator[str]:
    """Why a configured view or table could not be reached from here at all: one line each."""
    found = list(sections(config))
    if not found:
        return
    for name, section in found:
        try:
            access_of(section, read_only=True)
        except OSError as error:
            yield f"{name}.odbc.password_file: {section.password_file}: {error.strerror}"
        except ValueError as fault:
            yield f"{name}.odbc.password_file: {section.password_file}: {fault}"
    there = _loaded()
    for name, section in found:
        code = there if isinstance(there, str) else _missing(section.connection, there)
        if code:
            yield f"{name}.odbc.connection: {OdbcFault(code).sentence}"


def _loaded() -> str | dict[str, list[str]]:
    """The drivers and data sources of this machine, asked in a process of its own; else the code of what is missing."""
    command = [sys.executable, "-c", LOADED]
    try:
        done = subprocess.run(command, capture_output=True, timeout=LOADS_WITHIN_S, check=True)  # noqa: S603
    except (subprocess.SubprocessError, OSError):
        return "ended"
    found: str | dict[str, list[str]] = json.loads(done.stdout)
    return found


def _missing(connection: str, there: dict[str, list[str]]) -> str:
    kind, _equals, rest = connection.partition("=")
    named = rest.partition(";")[0].strip().strip("{}").casefold()
    if kind.strip().casefold() == "driver":
        known = {one.casefold() for one in there["drivers"]}
        return "" if named in known or named.startswith("/") else "driver_missing"
    if kind.strip().casefold() == "dsn":
        return "" if named in {one.casefold() for one in there["sources"]} else "source_missing"
    return ""
