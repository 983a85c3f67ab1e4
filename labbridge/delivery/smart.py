"""SMART Backend Services as a client: an access token for the receiver's server, asked for with an assertion that our key
signs, and kept until shortly before it ends (SMART App Launch 2, private_key_jwt; RFC 7523).
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2
import msgspec
from joserfc import jwt

from labbridge.delivery.destinations import Destination, Resolve, resolved
from labbridge.delivery.http import HttpSettings, client
from labbridge.delivery.signing import BadKey, algorithm, read_key
from labbridge.errors import Retry
from labbridge.ports import Clock
from labbridge.states import Reason

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
VALID = timedelta(minutes=4)  # of an assertion; five are allowed, and clocks differ
EARLY_S = 30.0  # a token is not used in its last seconds, nor in the last fifth of a short life
WITHIN_S = 10.0  # for the whole exchange
LONGEST_ANSWER = 2**16  # bytes
LONGEST_TOKEN = 8192  # characters
ERRORS = frozenset(
    "invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type invalid_scope"
    " temporarily_unavailable server_error".split()
)
"""What an answer's `error` may be for it to be said again (RFC 6749, 5.2); anything else could hold anything."""


class SmartSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where tokens are asked for, as whom, with which key, and for which scopes (with spaces between). `ca_file`: of the
    authorities of its certificate, empty for those of the system. `networks`: those within which its address may be private
    (destinations.py)."""

    token_url: str
    client_id: str
    key_file: str
    scope: str
    ca_file: str = ""
    networks: tuple[str, ...] = ()


class SmartAccess:
    """Access to one receiver. The server is spoken to at an address that was looked at (reliability.md S-07)."""

    def __init__(
        self,
        settings: SmartSettings,
        clock: Clock,
        since_s: Callable[[], float] = monotonic,
        resolve: Resolve = resolved,
    ) -> None:
        self._settings, self._clock, self._since_s = settings, clock, since_s
        self._destination = Destination(settings.token_url, settings.networks, resolve)
        self._tls: ssl.SSLContext | None = None  # once it is needed
        self._asking = asyncio.Lock()
        self._token, self._until_s = "", 0.0

    async def authorize(self) -> Mapping[str, str]:
        """The header of a request to the receiver. Retry where there is no token to be had."""
        async with self._asking:  # whoever comes meanwhile uses the same one
            if not self._token or self._since_s() >= self._until_s:
                self._token = ""
                token, lasts_s = await self._asked()
                self._until_s = self._since_s() + lasts_s - min(EARLY_S, lasts_s / 5)
                self._token = token
            return {"Authorization": f"Bearer {self._token}"}

    def forget(self) -> None:
        """The receiver did not take the token (401): the next request asks for another."""
        self._token = ""

    async def _asked(self) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "scope": self._settings.scope,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": await asyncio.to_thread(self._assertion),
        }
        try:
            async with (
                asyncio.timeout(WITHIN_S),
                client(await self._context(), HttpSettings(timeout_s=WITHIN_S)) as one,
            ):
                answer = await one.send(await self._request(one, form), stream=True)
                try:
                    content = await _content(answer)
                finally:
                    await answer.aclose()
        except (OSError, TimeoutError, httpx2.HTTPError, httpx2.StreamError) as fault:
            raise _unanswered(type(fault).__name__) from None
        return _read(answer.status_code, content)

    def _assertion(self) -> str:
        """Read anew each time: a key that was exchanged is used at once."""
        try:
            key = read_key(Path(self._settings.key_file))
        except BadKey as fault:
            raise Retry(Reason.NO_ANSWER, f"No access token was asked for: our key: {fault}") from None
        now, who = self._clock.now(), self._settings.client_id
        claims = {
            "iss": who,
            "sub": who,
            "aud": self._settings.token_url,
            "iat": int(now.timestamp()),
            "exp": int((now + VALID).timestamp()),
            "jti": secrets.token_urlsafe(24),
        }
        named = algorithm(key)
        return jwt.encode({"alg": named, "kid": key.kid, "typ": "JWT"}, claims, key, algorithms=[named])

    async def _request(self, one: httpx2.AsyncClient, form: Mapping[str, str]) -> httpx2.Request:
        """By address, not by name: nothing is resolved again."""
        to, named = self._destination, urlsplit(self._settings.token_url)
        address = (await to.addresses())[0]
        host = f"[{address}]" if ":" in address else address
        url = urlunsplit((to.scheme, f"{host}:{to.port}", named.path or "/", "", ""))
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Host": to.authority}
        return one.build_request("POST", url, data=form, headers=headers, extensions={"sni_hostname": to.host})

    async def _context(self) -> ssl.SSLContext | None:
        if self._tls is None and self._destination.scheme == "https":
            self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=self._settings.ca_file or None)
        return self._tls


async def _content(answer: httpx2.Response) -> bytes:
    found = bytearray()
    async for part in answer.aiter_raw():
        found += part
        if len(found) > LONGEST_ANSWER:
            raise _refused(f"it answers with more than {LONGEST_ANSWER} bytes")
    return bytes(found)


def _read(status: int, content: bytes) -> tuple[str, float]:
    """The token of an answer, and for how many seconds it is valid: none where the server does not say."""
    try:
        found = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        found = None
    said: Mapping[str, Any] = found if isinstance(found, dict) else {}
    if status != 200:
        error = said.get("error")
        known = isinstance(error, str) and error in ERRORS
        raise _refused(f"it answers {status}{f', {error}' if known else ''}")
    token, lasts, kind = said.get("access_token"), said.get("expires_in", 0), said.get("token_type")
    if not isinstance(kind, str) or kind.casefold() != "bearer" or not _is_token(token):
        raise _refused("its answer holds no bearer token")
    if isinstance(lasts, bool) or not isinstance(lasts, (int, float)) or lasts < 0:
        raise _refused("its answer does not say for how long the token is valid")
    return str(token), float(lasts)


def _is_token(token: object) -> bool:
    return (
        isinstance(token, str)
        and 0 < len(token) <= LONGEST_TOKEN
        and token.isascii()
        and token.isprintable()
        and " " not in token
    )


def _unanswered(name: str) -> Retry:
    return Retry(Reason.NO_ANSWER, f"No access token: the receiver's authorization server does not answer ({name})")


def _refused(what: str) -> Retry:
    return Retry(Reason.NO_ANSWER, f"No access token: of the receiver's authorization server, {what}")
