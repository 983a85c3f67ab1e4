"""An OpenID provider on a socket of its own, with keys of its own, that can be told to misbehave in one way at a time."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
from joserfc import jwk, jwt
from web_parts import HERE, Bench

from labbridge.model.provider import Provider
from labbridge.web.oidc import OpenId

CLIENT, CLIENT_SECRET = "labbridge", "the client's secret of canary 5172"
ROLES = {"lab-mta": "scientist", "lab-oa": "senior", "lab-edv": "admin"}


def half_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()


class Idp:
    """`person` is who has signed in there; `claims` changes the ID token, `sign` how it is signed, `answers` what a path
    answers instead (status and bytes), `published` the discovery document."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.keys = [jwk.RSAKey.generate_key(2048, {"kid": "one"})]
        self.person: dict[str, Any] = {
            "sub": "s-1", "preferred_username": "Anna@hospital.example", "name": "Anna Weber",
            "roles": ["lab-mta", "ward-7"],
        }  # fmt: skip
        self.claims: dict[str, Any] = {}
        self.published: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.header: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any], dict[str, Any]], str] = self.signed
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.redirects = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}/realms/lab"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def metadata(self) -> dict[str, Any]:
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_response_iss_parameter_supported": True,
        }
        return {name: one for name, one in (found | self.published).items() if one is not None}

    # ---------------------------------------------------------------- what a browser does there

    def visited(self, url: str, issuer: str | None = "") -> str:
        """The person signs in at the address a browser was sent to; the way back, as path and query."""
        asked = {name: one[0] for name, one in parse_qs(urlsplit(url).query, strict_parsing=True).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self.codes)}-canary-8841"
        self.codes[code] = asked
        more = {"iss": self.issuer if issuer == "" else issuer} if issuer is not None else {}
        back = urlsplit(asked["redirect_uri"])
        return f"{back.path}?{urlencode({'code': code, 'state': asked['state'], **more})}"

    # ---------------------------------------------------------------- the token

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, bytes]:
        expected = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
        asked = self.codes.pop(form.get("code", ""), None)  # a code is good for once
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or authorization != f"Basic {expected}"
            or asked["code_challenge"] != challenge.rstrip(b"=").decode()
            or asked["redirect_uri"] != form.get("redirect_uri")
            or form.get("grant_type") != "authorization_code"
        ):
            said = {"error": "invalid_grant", "error_description": "<script>alert('canary-1207')</script>"}
            return 400, json.dumps(said).encode()
        access, now = "access-token-canary-3319", int(self.now())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": asked["nonce"], "auth_time": now,
            "at_hash": half_hash(access), **self.person, **self.claims,
        }  # fmt: skip
        claims = {name: one for name, one in claims.items() if one is not None}
        header = {"alg": "RS256", "kid": self.keys[0].kid, **self.header}
        told = {"access_token": access, "token_type": "Bearer", "id_token": self.sign(header, claims)}
        return 200, json.dumps(told).encode()

    def signed(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        return jwt.encode(header, claims, self.keys[0])


def part(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


def _handler(idp: Idp) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(b"")

        def do_POST(self) -> None:
            self._reply(self.rfile.read(int(self.headers["Content-Length"])))

        def _reply(self, body: bytes) -> None:
            path = urlsplit(self.path).path.removeprefix("/realms/lab")
            idp.asked.append(path)
            if path in idp.answers:
                status, content = idp.answers[path]
            elif path == "/.well-known/openid-configuration":
                status, content = 200, json.dumps(idp.metadata()).encode()
            elif path == "/keys":
                keys = [key.as_dict(private=False) for key in idp.keys]
                status, content = (
                    200,
                    json.dumps({"keys": [{"kty": "unknown"}, {"kty": "oct", "k": "AAAA"}, *keys]}).encode(),
                )
            else:
                form = {name: one[0] for name, one in parse_qs(body.decode()).items()}
                status, content = idp.token(form, self.headers.get("Authorization", ""))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{idp.issuer}/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_words: Any) -> None:
            return

    return Handler


@contextmanager
def provided(bench: Bench, **settings: Any) -> Iterator[Idp]:
    """The bench's workbench with an identity provider of its own."""
    idp = Idp(lambda: bench.clock.now().timestamp())
    given = {"roles": ROLES, **settings}
    provider = Provider(issuer=idp.issuer, client_id=CLIENT, client_secret=CLIENT_SECRET, **given)
    bench.with_parts(hospital=OpenId(provider, lambda: bench.clock.now().timestamp()))
    try:
        yield idp
    finally:
        idp.close()


class Guest:
    """A browser that signs in there and comes back."""

    def __init__(self, bench: Bench, idp: Idp, base: str = HERE) -> None:
        self.client, self._idp = bench.browser(base), idp

    def begins(self, path: str = "/login/oidc") -> str:
        """The address the browser is sent to."""
        answer = self.client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def comes_back(self, way: str) -> Any:
        """As a navigation from elsewhere: without the cookie that is SameSite=Strict."""
        kept = {name: value for name, value in self.client.cookies.items() if name.endswith("begun")}
        said = "; ".join(f"{name}={value}" for name, value in kept.items())
        strict = {name: value for name, value in self.client.cookies.items() if not name.endswith("begun")}
        for name in strict:
            self.client.cookies.delete(name)
        answer = self.client.get(way, headers={"Sec-Fetch-Site": "cross-site", "Cookie": said} if said else {})
        for name, value in strict.items():
            if name not in self.client.cookies:
                self.client.cookies.set(name, value)
        return answer

    def signs_in(self, path: str = "/login/oidc", issuer: str | None = "") -> Any:
        return self.comes_back(self._idp.visited(self.begins(path), issuer))
