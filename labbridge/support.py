"""`labbridge support`: what somebody far away needs to know of an installation, in one file, without patient data.

Nothing of a message, a case or a comment is read for it. A log line goes in with the fields that the logs may carry, each of
its shape (observe/logs.py); a line that is none of ours does not go in.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sqlite3
import sys
import urllib.request
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from labbridge import __version__, config_text
from labbridge.checking import examine
from labbridge.config import Config
from labbridge.errors import CannotCreate, Refused, StoreUnavailable
from labbridge.observe import logs
from labbridge.ports import Clock
from labbridge.store import opening
from labbridge.store.connection import FAULTS, StoreRefused
from labbridge.store.scraped import Scraped, scraped

PAGE_WITHIN_S = 10.0
LIBRARIES = ("alembic", "fastapi", "hl7apy", "msgspec", "prometheus-client", "psycopg", "pydantic", "pyodbc",
             "sqlalchemy", "structlog", "uvicorn")  # fmt: skip


class Wanted(msgspec.Struct, frozen=True):
    """Where it goes; the log to take the last lines of (`-`: standard input, empty: none), and how many."""

    out: Path
    log: str = ""
    lines: int = 1000


def bundle(config: Config, wanted: Wanted, clock: Clock) -> str:
    """Write it; what is in it. Refused where the file is there."""
    if wanted.out.exists():
        raise Refused(f"{wanted.out} is there already; name another file, nothing is overwritten")
    parts = dict(_parts(config, wanted, clock))
    listed = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in parts.items()}
    parts["manifest.json"] = json.dumps({"made": clock.now().isoformat(), "sha256": listed}, indent=1)
    try:
        handle = os.open(wanted.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as fault:
        raise CannotCreate(f"{wanted.out}: {fault.strerror}; name a place that may be written") from None
    with open(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return f"{wanted.out}: {', '.join(parts)}; no patient data, and no secret of the configuration"


def _parts(config: Config, wanted: Wanted, clock: Clock) -> Iterator[tuple[str, str]]:
    yield "versions.json", json.dumps(_versions(config), indent=1)
    yield "config.toml", config_text.effective(config)
    lines, _sound = examine(config)
    yield "doctor.txt", "\n".join(lines) + "\n"
    yield "metrics.txt", _page(config, "metrics") or "No service answers at [admin] listen; see counts.json\n"
    yield "ready.json", _page(config, "readyz") or json.dumps({"ready": False, "code": "no_service"}) + "\n"
    yield "counts.json", _counts(config, clock)
    if wanted.log:
        yield "log.jsonl", _log(wanted)


def _versions(config: Config) -> dict[str, Any]:
    def of(name: str) -> str:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return "not installed"

    return {
        "labbridge": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "sqlite": sqlite3.sqlite_version,
        "store": "sqlite" if config.store.file else "postgresql",
        "libraries": {name: of(name) for name in LIBRARIES},
    }


def _page(config: Config, name: str) -> str:
    """A page of the admin port, whatever its status; empty where nobody answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _AnyStatus())
    try:
        with opener.open(f"http://{config.admin.listen}/{name}", timeout=PAGE_WITHIN_S) as answer:
            return str(answer.read().decode("utf-8", "replace"))
    except OSError:
        return ""


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """A service that is not ready says why with 503."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response


def _counts(config: Config, clock: Clock) -> str:
    """What waits, how much of it, and every counter of the store."""
    try:
        if not opening.present(config.store.url):
            return json.dumps({"store": "there is none yet"}) + "\n"
        with closing(opening.reader(config.store.url)) as store:
            found = scraped(store, clock.now())
    except (*FAULTS, StoreRefused, StoreUnavailable) as fault:
        return json.dumps({"store": type(fault).__name__}) + "\n"
    return json.dumps(_plain(found), indent=1) + "\n"


def _plain(found: Scraped) -> dict[str, Any]:
    """Labels as one text: JSON knows no others as keys."""
    told: dict[str, Any] = {}
    for name in Scraped.__struct_fields__:
        value = getattr(found, name)
        told[name] = {_key(key): _inner(one) for key, one in value.items()} if isinstance(value, dict) else value
    return told


def _inner(value: Any) -> Any:
    return {_key(key): one for key, one in value.items()} if isinstance(value, dict) else value


def _key(key: str | tuple[str, ...]) -> str:
    return key if isinstance(key, str) else ", ".join(key)


def _log(wanted: Wanted) -> str:
    """The last lines of ours, and how many others were left out."""
    if wanted.log == "-":
        return _filtered(sys.stdin, wanted.lines)
    with Path(wanted.log).open(encoding="utf-8", errors="replace") as file:
        return _filtered(file, wanted.lines)


def _filtered(lines: Iterable[str], most: int) -> str:
    kept: deque[str] = deque(maxlen=most)
    others = 0
    for line in lines:
        found = _ours(line)
        if found is None:
            others += 1
        else:
            kept.append(json.dumps(found))
    return "\n".join((*kept, json.dumps({"event": "lines_left_out", "count": others}))) + "\n"


def _ours(line: str) -> dict[str, Any] | None:
    """A line as the logs may say it; None where it is none of them."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or not {"event", "level", "timestamp"} <= found.keys():
        return None
    return dict(logs.only_listed(None, "", {str(name): value for name, value in found.items()}))
