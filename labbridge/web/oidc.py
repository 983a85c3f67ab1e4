"""The hospital's identity provider: where a browser is sent, and what comes back. Authorization code with PKCE (S256), state
and nonce; the token's signature, issuer, audience and times are checked before a claim of it is believed (S-15).

The access token is used for nothing and kept nowhere: what is known of a person is in the ID token.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwk, jwt
from joserfc.errors import InvalidKeyIdError, JoseError

from labbridge.model.provider import Provider
from labbridge.web.fetching import Unanswered, address_of, exchanged
from labbridge.web.proof import Asked, NotProven

LEEWAY_S = 60
KNOWN_FOR_S = 3600.0
AT_ONCE = 4  # that wait for the provider: the pages need their threads when it is slow
ASYMMETRIC = {"RSA", "EC"}
DISCOVERY = "/.well-known/openid-configuration"


class OpenId:
    """One provider. What it publishes of itself is kept for an hour, its keys until one is missing."""

    def __init__(self, provider: Provider, monotonic: Callable[[], float]) -> None:
        self.provider = provider
        self._monotonic, self._lock = monotonic, threading.Lock()
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._tls = ssl.create_default_context(cafile=provider.ca_file or None)
        self._known: tuple[float, dict[str, Any]] | None = None
        self._keys: jwk.KeySet | None = None

    def address(self, asked: Asked) -> str:
        """Where the browser goes to sign in. NotProven where the provider does not say so."""
        with self._turn():
            return self._address(asked)

    def _address(self, asked: Asked) -> str:
        more = {"prompt": "login", "max_age": "0"} if asked.again else {}
        url, _state = self._client(asked).create_authorization_url(
            self._published("authorization_endpoint"),
            state=asked.state,
            code_verifier=asked.verifier,
            nonce=asked.nonce,
            **more,
        )
        return str(url)

    def claims(self, asked: Asked, code: str, issuer: str | None, made: datetime, now: datetime) -> Mapping[str, Any]:
        """What the provider says of the person who signed in. `issuer` is the `iss` of its answer, None without one;
        `made`: when the sign-in was begun. NotProven where anything does not hold."""
        with self._turn():
            self._check_issuer(issuer)
            found = self._claims(asked, code, now)
        if asked.again and not made.timestamp() - LEEWAY_S <= found["auth_time"] <= now.timestamp() + LEEWAY_S:
            raise NotProven("the password was not given again")
        return found

    def _check_issuer(self, issuer: str | None) -> None:
        """Against an answer that another provider gave, in a sign-in that was begun at this one (RFC 9207)."""
        if self._published("authorization_response_iss_parameter_supported") is True and issuer is None:
            raise NotProven("its answer does not say whose it is")
        if issuer is not None and issuer != self.provider.issuer:
            raise NotProven("its answer is of another issuer")

    def _claims(self, asked: Asked, code: str, now: datetime) -> Mapping[str, Any]:
        token = self._token(asked, code)
        raw = token.get("id_token")
        if not isinstance(raw, str):
            raise NotProven("its answer holds no ID token")
        return self._checked(raw, asked, str(token.get("access_token") or ""), now)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(blocking=False):
            raise NotProven("it is slow, and others wait for it already")
        try:
            yield
        finally:
            self._turns.release()

    # ---------------------------------------------------------------- what it publishes

    def _published(self, name: str) -> Any:
        """A value of the discovery document; an address must be one that we may speak to."""
        value = self._document().get(name)
        if name.endswith(("_endpoint", "_uri")):
            try:
                address_of(str(value))
            except Unanswered as fault:
                raise NotProven(f"it publishes as {name} {fault}") from None
        return value

    def _document(self) -> dict[str, Any]:
        with self._lock:
            if self._known is None or self._monotonic() - self._known[0] > KNOWN_FOR_S:
                found = self._fetched(self.provider.issuer.rstrip("/") + DISCOVERY)
                if found.get("issuer") != self.provider.issuer:
                    raise NotProven("it publishes another issuer than the configured one")
                self._known = (self._monotonic(), found)
            return self._known[1]

    def _fetched(self, url: str) -> dict[str, Any]:
        try:
            status, content = exchanged(url, self._tls)
        except Unanswered as fault:
            raise NotProven(f"it gives {fault}") from None
        if status != 200:
            raise NotProven(f"it answers {status}")
        return _object(content)

    def _key_set(self, *, anew: bool = False) -> jwk.KeySet:
        """Its public keys for signatures. One of a kind that we do not know is passed over, so is any that is secret."""
        if self._keys is None or anew:
            published = self._fetched(self._published("jwks_uri")).get("keys")
            self._keys = jwk.KeySet([key for one in published or () if (key := _public(one)) is not None])
        return self._keys

    # ---------------------------------------------------------------- the token

    def _client(self, asked: Asked) -> Any:
        supported = self._document().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "client_secret_basic" if "client_secret_basic" in supported else "client_secret_post"
        return OAuth2Client(
            _Session(self._tls),
            client_id=self.provider.client_id,
            client_secret=self.provider.client_secret or None,
            token_endpoint_auth_method=method if self.provider.client_secret else "none",
            scope=" ".join(self.provider.scopes),
            redirect_uri=asked.back,
            code_challenge_method="S256",
        )

    def _token(self, asked: Asked, code: str) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = self._client(asked).fetch_token(
                self._published("token_endpoint"), code=code, code_verifier=asked.verifier, grant_type="authorization_code",
                redirect_uri=asked.back,
            )  # fmt: skip
        except Unanswered as fault:
            raise NotProven(f"it gives {fault}") from None
        except OAuth2Error:
            raise NotProven("it does not take the code") from None
        return found

    def _checked(self, raw: str, asked: Asked, access_token: str, now: datetime) -> Mapping[str, Any]:
        must = {"essential": True}
        options = {
            "iss": {**must, "value": self.provider.issuer},
            "aud": {**must, "value": self.provider.client_id},
            "sub": must,
            **({"auth_time": must} if asked.again else {}),
        }
        params = {"nonce": asked.nonce, "client_id": self.provider.client_id, "access_token": access_token}
        try:
            token = self._verified(raw)
            claims = CodeIDToken(token.claims, token.header, options, params)
            claims.validate(int(now.timestamp()), LEEWAY_S)
        except JoseError as fault:
            raise NotProven(f"its token does not hold: {_reason(fault)}") from None
        except (ValueError, TypeError) as fault:  # a token that is none, in one of many ways
            raise NotProven(f"its token does not hold: {type(fault).__name__}") from None
        return dict(claims)

    def _verified(self, raw: str) -> jwt.Token:
        """The token, once its signature is one of the provider's. A key that we do not have may be a new one."""
        algorithms = list(self.provider.algorithms)
        try:
            return jwt.decode(raw, self._key_set(), algorithms=algorithms)
        except InvalidKeyIdError:
            return jwt.decode(raw, self._key_set(anew=True), algorithms=algorithms)


class _Session:
    """What Authlib sends a token request by."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls

    def post(self, url: str, data: Mapping[str, str], headers: Mapping[str, str], auth: Any) -> _Answer:
        place, head, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        return _Answer(*exchanged(place, self._tls, body=body.encode(), headers=head))


class _Answer(NamedTuple):
    status_code: int
    content: bytes

    def json(self) -> dict[str, Any]:
        return _object(self.content)

    def raise_for_status(self) -> None:
        raise NotProven(f"it answers {self.status_code}")


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NotProven("it gives an answer that is no JSON object")
    return found


def _public(one: object) -> jwk.Key | None:
    if not isinstance(one, dict) or one.get("kty") not in ASYMMETRIC or one.get("use", "sig") != "sig":
        return None
    try:
        return jwk.import_key(one)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _reason(fault: JoseError) -> str:
    """The library's word for it, and the claim's name where it is one that we ask of; nothing that was sent."""
    claim = str(getattr(fault, "claim", "") or "")
    return f"{fault.error} {claim}".strip() if claim.isidentifier() else fault.error
