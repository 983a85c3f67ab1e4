"""A SMART client beside a workbench: its keys, what it signs, and how it asks for a token."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import Any

from joserfc import jwk, jwt
from web_parts import HERE, Bench

from labbridge.model.smart import Client
from labbridge.store.grants import StoreGrants
from labbridge.store.units import LocalUnits
from labbridge.web.authorizing import A_SECOND, ASSERTION_TYPE, Smart
from labbridge.web.parts import Pool
from labbridge.web.throttle import Throttle

NAME = "ward-lis"
TOKEN_URL = f"{HERE}/token"
ALLOWED = frozenset({"system/Observation.cruds", "system/Patient.c"})
RSA = jwk.RSAKey.generate_key(2048, {"kid": "rsa-1"})
EC = jwk.ECKey.generate_key("P-384", {"kid": "ec-1"})
OTHER_RSA = jwk.RSAKey.generate_key(2048, {"kid": "rsa-1"})
"""Another's key by the same name."""


def write_keys(path: Path, *keys: Any, **more: Any) -> Path:
    """A JWK Set of public keys."""
    path.write_text(json.dumps({"keys": [{**one.as_dict(private=False), **more} for one in keys]}))
    return path


class Asking:
    """A workbench at which a client is registered."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench, self.clock = bench, bench.clock
        self.file = write_keys(folder / "client.jwks.json", RSA, EC)
        self.throttle = Throttle(lambda: self.clock.now().timestamp(), A_SECOND)
        self.register()

    def register(self, scopes: frozenset[str] = ALLOWED, **more: Any) -> None:
        client = Client(name=NAME, jwks_file=str(self.file), feeds=("posted",), scopes=scopes)
        grants = Pool(lambda: StoreGrants(self.bench._reader(), LocalUnits(self.bench.writer)), 4)
        self.smart = Smart({NAME: client}, TOKEN_URL, grants, self.throttle, **more)
        self.bench.parts = self.bench.parts._replace(smart=self.smart)
        app: Any = self.bench.app  # the same pages: making them anew takes longer than what is asked of them
        app.parts = app._site.state.parts = self.bench.parts

    def count(self, table: str) -> int:
        return int(self.bench.rows.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])

    # ---------------------------------------------------------------- what it signs

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Those of an assertion that holds; None takes one out."""
        now = int(self.clock.now().timestamp())
        found = {"iss": NAME, "sub": NAME, "aud": TOKEN_URL, "exp": now + 300, "jti": secrets.token_hex(16), **changed}
        return {name: one for name, one in found.items() if one is not None}

    def assertion(self, key: Any = EC, header: dict[str, Any] | None = None, **changed: Any) -> str:
        named = "RS384" if key.key_type == "RSA" else "ES384"
        head = {"alg": named, "kid": key.kid, "typ": "JWT", **(header or {})}
        return jwt.encode(head, self.claims(**changed), key, algorithms=[head["alg"]])

    def form(self, **changed: Any) -> dict[str, Any]:
        found = {
            "grant_type": "client_credentials",
            "scope": "system/Observation.rs",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": changed.get("client_assertion") or self.assertion(),
            **changed,
        }
        return {name: one for name, one in found.items() if one is not None}

    def asked(self, client: tuple[str, int] = ("127.0.0.1", 50_000), **changed: Any) -> Any:
        return self.bench.browser(client=client).post("/token", data=self.form(**changed))

    def token(self, **changed: Any) -> str:
        found = self.asked(**changed)
        assert found.status_code == 200, found.text
        return str(found.json()["access_token"])


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
