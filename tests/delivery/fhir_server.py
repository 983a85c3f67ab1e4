"""A FHIR server that misbehaves in the ways seen in the field, on a real socket: it keeps what it takes with all its
versions, and answers as a test tells it to. A fault is named for one request, in the order they come."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

Resource = dict[str, Any]
BASE = "/r4"
JSON = "application/fhir+json"


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class FhirServer:
    """`location`: how a Location is written (absolute, relative, none, foreign). `bodies`: whether a write is answered with
    the resource. `versions`: whether versions are told. `filters`: whether a search filters. `faults`: by method and type
    (`POST Observation`) what happens to the next such requests."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.store: dict[tuple[str, str], list[Resource]] = {}
        self.asked: list[Request] = []
        self.faults: dict[str, list[str]] = {}
        self.location, self.bodies, self.versions, self.filters, self.paged = "absolute", True, True, True, False
        self.token = ""
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}{BASE}"

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fails(self, what: str, *faults: str) -> None:
        self.faults.setdefault(what, []).extend(faults)

    def of(self, kind: str) -> list[Resource]:
        """The newest version of each resource of a type."""
        return [versions[-1] for (one, _id), versions in self.store.items() if one == kind]

    def count(self, method: str, kind: str = "") -> int:
        return sum(one.method == method and one.path.startswith(kind) for one in self.asked)

    # ---- what a server does

    def put(self, kind: str, id: str, resource: Resource) -> Resource:
        versions = self.store.setdefault((kind, id), [])
        meta = {**resource.get("meta", {}), **({"versionId": str(len(versions) + 1)} if self.versions else {})}
        kept = {**resource, "id": id, **({"meta": meta} if meta else {})}
        versions.append(kept)
        return kept

    def create(self, kind: str, resource: Resource) -> Resource:
        return self.put(kind, f"{kind[:3].lower()}-{len(self.store) + 1}", resource)

    def search(self, kind: str, query: str) -> list[Resource]:
        found = self.of(kind)
        for name, token in parse_qsl(query) if self.filters else ():
            system, _bar, value = token.partition("|")
            if name == "identifier":
                found = [one for one in found if {"system": system, "value": value}.items() <= _first(one).items()]
            elif name == "_tag":
                found = [
                    one for one in found if {"system": system, "code": value} in one.get("meta", {}).get("tag", [])
                ]
            else:
                raise LookupError(name)
        return found


def _first(resource: Resource) -> Resource:
    return dict(resource.get("identifier", [{}])[0])


def _outcome(code: str, expression: str = "") -> Resource:
    issue = {"severity": "error", "code": code, "diagnostics": "Roe, Jane was refused", "expression": [expression]}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _handler(server: FhirServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        fhir = server

    return Handler


class _Handler(BaseHTTPRequestHandler):
    fhir: FhirServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_about: Any) -> None:
        """Nothing is written: a test reads `asked`."""

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path.removeprefix(BASE))
        path = parts.path.strip("/")
        with self.fhir.lock:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.fhir.asked.append(
                Request(self.command, path + (f"?{parts.query}" if parts.query else ""), headers, body)
            )
            waiting = self.fhir.faults.get(f"{self.command} {path.partition('/')[0]}".strip(), [])
            fault = waiting.pop(0) if waiting else ""
        if self.fhir.token and self.headers.get("Authorization") != f"Bearer {self.fhir.token}":
            return self._answer(401, _outcome("login"))
        if fault.isdigit():
            return self._answer(
                int(fault), _outcome("conflict" if fault == "409" else "processing", "Observation.code")
            )
        if fault and not fault.endswith("after"):
            return _FAULTS[fault](self)
        if fault == "sibling after":  # somebody else was a moment faster
            with self.fhir.lock:
                self.fhir.create(path, json.loads(body))
            return self._answer(409, _outcome("conflict"))
        with self.fhir.lock:
            answer = self._done(path, parts.query, body)
        if fault:
            return _FAULTS[fault](self)
        self._answer(*answer)

    def _done(self, path: str, query: str, body: bytes) -> tuple[Any, ...]:
        kind, _slash, id = path.partition("/")
        if self.command == "GET" and not id:
            return self._found(kind, query)
        if self.command == "GET":
            versions = self.fhir.store.get((kind, id))
            return (200, versions[-1]) if versions else (404, _outcome("not-found"))
        resource = json.loads(body)
        if self.command == "PUT":
            return self._replaced(kind, id, resource, self.headers.get("If-Match", ""))
        if not kind:
            return self._transaction(resource)
        return self._created(kind, resource, self.headers.get("If-None-Exist", ""))

    def _found(self, kind: str, query: str) -> tuple[Any, ...]:
        try:
            found = self.fhir.search(kind, query)
        except LookupError:
            return 400, _outcome("not-supported")
        links = [{"relation": "next", "url": f"{self.fhir.base}/{kind}?page=2"}] if self.fhir.paged else []
        entries = [{"resource": one, "search": {"mode": "match"}} for one in found]
        return 200, {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}

    def _created(self, kind: str, resource: Resource, unless: str) -> tuple[Any, ...]:
        found = self.fhir.search(kind, unless) if unless else []
        if len(found) > 1:
            return 412, _outcome("multiple-matches")
        if found:
            return 200, found[0]
        made = self.fhir.create(kind, resource)
        return 201, made, self._where(kind, made["id"])

    def _replaced(self, kind: str, id: str, resource: Resource, tag: str) -> tuple[Any, ...]:
        versions = self.fhir.store.get((kind, id))
        if versions is None:
            return 404, _outcome("not-found")
        if tag and self.fhir.versions and tag != f'W/"{len(versions)}"':
            return 412, _outcome("conflict")
        return 200, self.fhir.put(kind, id, resource)

    def _transaction(self, bundle: Resource) -> tuple[Any, ...]:
        """All or nothing."""
        before = {key: list(versions) for key, versions in self.fhir.store.items()}
        ids: dict[str, str] = {}
        answers = []
        for entry in bundle["entry"]:
            request = entry["request"]
            text = json.dumps(entry["resource"])
            for url, reference in ids.items():
                text = text.replace(url, reference)
            kind, _slash, id = request["url"].partition("/")
            if request["method"] == "PUT":
                found = self._replaced(kind, id, json.loads(text), request.get("ifMatch", ""))
            else:
                found = self._created(kind, json.loads(text), request.get("ifNoneExist", ""))
            if found[0] >= 400:
                self.fhir.store = before
                return found[:2]
            ids[entry["fullUrl"]] = f"{kind}/{found[1]['id']}"
            answers.append({"response": {"status": str(found[0])}})
        return 200, {"resourceType": "Bundle", "type": "transaction-response", "entry": answers}

    def _where(self, kind: str, id: str) -> str:
        ways = {"absolute": f"{self.fhir.base}/{kind}/{id}/_history/1", "relative": f"{kind}/{id}", "none": ""}
        return {**ways, "foreign": f"https://other.example/fhir/{kind}/{id}"}[self.fhir.location]

    def _answer(self, status: int, resource: Resource, location: str = "") -> None:
        bare = self.command != "GET" and status < 300 and not self.fhir.bodies
        raw = b"" if bare else json.dumps(resource).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        if raw:
            self.send_header("Content-Type", JSON)
        if location:
            self.send_header("Location", location)
        if status in (429, 503):
            self.send_header("Retry-After", "120")
        self.end_headers()
        self.wfile.write(raw)

    # ---- faults

    def silent(self) -> None:
        time.sleep(1.5)
        self.close_connection = True

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        for _byte in range(200):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.05)

    def huge(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(2**30))
        self.end_headers()
        block = b" " * 2**16
        for _block in range(2**14):
            self.wfile.write(block)

    def half(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "500")
        self.end_headers()
        self.wfile.write(b'{"resourceType":')
        self.close_connection = True

    def page(self) -> None:
        raw = b"<html>Please sign in to the network</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def redirect(self) -> None:
        self.send_response(302)
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def squeezed(self) -> None:
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"\x1f\x8b\x08")


_FAULTS: dict[str, Any] = {
    name: getattr(_Handler, name.removesuffix(" after"))
    for name in (
        "silent",
        "reset",
        "drip",
        "huge",
        "half",
        "page",
        "redirect",
        "squeezed",
        "silent after",
        "reset after",
    )
}


@contextmanager
def serving(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[FhirServer]:
    """A server for the time of a test."""
    found = FhirServer(port, tls)
    thread = threading.Thread(target=found.serve, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.stop()
        thread.join(5)
