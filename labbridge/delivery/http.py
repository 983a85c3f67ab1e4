"""HTTP with one FHIR server for the time of one delivery: to an address that was looked at, without redirects, no longer and
no more than was allowed, and with every exchange kept for the person who looks."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC

import httpx2
import msgspec

from labbridge.delivery.destinations import Destination
from labbridge.errors import Retry
from labbridge.states import Reason

JSON = "application/fhir+json"
LONGEST_HEARD = 2**16  # of both sides of all exchanges of a delivery; a person reads it
LONGEST_WAIT_S = 300.0  # that a server may ask for; longer than this nothing is put off
LATER = frozenset((408, 425, 429))
UNAUTHORIZED = 401
SHOWN = ("location", "content-location", "etag", "content-type", "retry-after")

Authorize = Callable[[], Awaitable[Mapping[str, str]]]


async def nobody() -> Mapping[str, str]:
    """Headers of a request to a server that asks for none."""
    return {}


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds for one exchange and for the connection, and bytes of one answer. `server_name`: the name in the receiver's
    certificate (empty: the host)."""

    timeout_s: float = 30.0
    connect_s: float = 10.0
    answer_bytes: int = 2**20
    server_name: str = ""


class Reply(msgspec.Struct, frozen=True):
    """An answer that came whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """The talk with one server. `authorize` gives the headers of a request that say who asks; `forget` is told that they
    were refused."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        to: tuple[Destination, Sequence[str]],
        settings: HttpSettings,
        authorize: Authorize,
        forget: Callable[[], None],
    ) -> None:
        self._client, self._settings = client, settings
        self._destination, self._addresses = to[0], list(to[1])
        self._authorize, self._forget = authorize, forget
        self._heard = bytearray()

    @property
    def heard(self) -> bytes:
        """What was asked and answered so far, without what says who we are."""
        return bytes(self._heard)

    async def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """One request. Retry where its answer is none, or says to come again; OSError and httpx2.HTTPError where none came.
        A server that does not believe who we are is asked once more, with proof that is got afresh."""
        reply = await self._once(method, path, body, headers or {})
        if reply.status == UNAUTHORIZED:
            self._forget()
            reply = await self._once(method, path, body, headers or {})
        if reply.status == UNAUTHORIZED or reply.status in LATER or reply.status >= 500:
            raise Retry(Reason.NO_ANSWER, f"HTTP {reply.status}", after_s=_after(reply))
        return reply

    async def _once(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        self._keep(f"> {method} {path}\n".encode(), *([body, b"\n"] if body else []))
        sent = {"Accept": JSON, "Accept-Encoding": "identity", "Host": self._destination.authority, **headers}
        if body:
            sent["Content-Type"] = JSON
        try:
            return await self._answered(method, path, body, sent)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            if len(self._addresses) == 1:
                raise
            del self._addresses[0]  # another of those that were looked at
            return await self._once(method, path, body, headers)

    async def _answered(self, method: str, path: str, body: bytes, sent: Mapping[str, str]) -> Reply:
        async with asyncio.timeout(self._settings.timeout_s):
            request = self._client.build_request(
                method,
                self._url(path),
                content=body or None,
                headers={**sent, **await self._authorize()},
                extensions={"sni_hostname": self._settings.server_name or self._destination.host},
            )
            answer = await self._client.send(request, stream=True, follow_redirects=False)
            try:
                self._keep(f"< {answer.status_code}\n".encode())
                self._keep(
                    *(f"< {name}: {answer.headers[name]}\n".encode() for name in SHOWN if name in answer.headers)
                )
                found = await self._body(answer)
            finally:
                await answer.aclose()
        return Reply(answer.status_code, answer.headers, found)

    async def _body(self, answer: httpx2.Response) -> bytes:
        found = bytearray()
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise Retry(Reason.NO_ANSWER, "The answer is compressed, which was not asked for")
        async for part in answer.aiter_raw():
            self._keep(part)
            found += part
            if len(found) > self._settings.answer_bytes:
                raise Retry(Reason.NO_ANSWER, "Oversize answer")
        self._keep(b"\n" if found else b"")
        return bytes(found)

    def _url(self, path: str) -> str:
        """By address, not by name: nothing is resolved again."""
        to = self._destination
        address = self._addresses[0]
        host = f"[{address}]" if ":" in address else address
        base = f"{to.scheme}://{host}:{to.port}{to.path}"
        return f"{base}/{path}" if path else base

    def _keep(self, *parts: bytes) -> None:
        for part in parts:
            self._heard += part[: LONGEST_HEARD - len(self._heard)]


def _after(reply: Reply) -> float:
    """Seconds that the server asks to be left alone (RFC 9110, 10.2.3): a number, or a moment by its own clock."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(LONGEST_WAIT_S, float(text[:9]))
    try:
        asked, said = (
            email.utils.parsedate_to_datetime(one).replace(tzinfo=UTC) for one in (text, reply.headers.get("date", ""))
        )
    except ValueError:
        return 0.0
    return min(LONGEST_WAIT_S, max(0.0, (asked - said).total_seconds()))


@contextlib.asynccontextmanager
async def client(tls: ssl.SSLContext | None, settings: HttpSettings) -> AsyncIterator[httpx2.AsyncClient]:
    """Connections for one delivery. Neither proxies nor passwords are taken from the environment: the target is the
    configuration's."""
    timeout = httpx2.Timeout(settings.timeout_s, connect=settings.connect_s)
    verify = tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # of plain http nothing is verified: this one trusts nobody
    async with httpx2.AsyncClient(verify=verify, trust_env=False, follow_redirects=False, timeout=timeout) as found:
        yield found
