"""A proxy of HTTP between us and a third-party server, in which answers get lost: each fault is named for the next request
of a method and type (`POST Observation`), in their order."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOP = ("transfer-encoding", "connection", "keep-alive", "content-length")
LATE_S = 1.4


class FaultProxy:
    """`faults`: lost (passed on, then the connection ends), late (passed on, answered after our patience), bare (its answer
    without body and Location), or a status, which is given in the server's place."""

    def __init__(self, target: int, path: str) -> None:
        self.target, self.path = target, path
        self.faults: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.path}"

    def fault(self, method: str, path: str) -> str:
        asked = f"{method} {path.removeprefix(self.path).strip('/').partition('/')[0].partition('?')[0]}".strip()
        with self.lock:
            self.asked.append(asked)
            waiting = self.faults.get(asked, [])
            return waiting.pop(0) if waiting else ""

    def passed(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.target, timeout=20)) as channel:
            channel.request(method, path, body or None, {**headers, "Host": f"127.0.0.1:{self.target}"})
            answer = channel.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, *_about: Any) -> None:
        """Nothing is written: a test reads `asked`."""

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.proxy.fault(self.command, self.path)
        if fault.isdigit():
            return self._answer(int(fault), {}, b"")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        status, told, found = self.proxy.passed(self.command, self.path, body, headers)
        if fault == "late":
            time.sleep(LATE_S)
        if fault == "lost":
            self.close_connection = True
            return None
        return self._answer(status, *(({}, b"") if fault == "bare" else (told, found)))

    do_GET = do_POST = do_PUT = _serve

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def proxied(target: int, path: str) -> Iterator[FaultProxy]:
    found = FaultProxy(target, path)
    thread = threading.Thread(target=found.serve, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.stop()
        thread.join(5)
