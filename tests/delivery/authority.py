"""A receiver's authorization server by Authlib on a socket of its own: another reading of RFC 7523 than ours. It can be told
to answer something else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Payload, OAuth2Request
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jwk, jwt

CLIENT_ID = "labbridge at ward"
SCOPES = ["system/Observation.cu", "system/DiagnosticReport.cu"]


class _Client(ClientMixin):
    """The one client that is registered. `keys` gives its JWK Set, as it is published then."""

    def __init__(self, keys: Callable[[], Mapping[str, Any]]) -> None:
        self.keys = keys

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(one for one in scope.split() if one in SCOPES)

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == JWTBearerClientAssertion.CLIENT_AUTH_METHOD

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


class _Assertion(JWTBearerClientAssertion):
    def __init__(self, audience: str) -> None:
        super().__init__()
        self._audience, self._seen = audience, set[str]()

    def get_audiences(self) -> list[str]:
        return [self._audience]

    def validate_jti(self, _claims: Mapping[str, Any], jti: str) -> bool:
        new = jti not in self._seen
        self._seen.add(jti)
        return new

    def process_assertion_claims(self, assertion: str, resolve_key: Any) -> Any:
        """With the algorithms of SMART, which Authlib does not take by itself."""
        token = jwt.decode(assertion, resolve_key, algorithms=["RS384", "ES384"])
        self.verify_claims(token.claims)
        return token.claims

    def resolve_client_public_key(self, client: _Client) -> jwk.KeySet:
        return jwk.KeySet.import_key_set(client.keys())


class _Grant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = [JWTBearerClientAssertion.CLIENT_AUTH_METHOD]


class _Payload(OAuth2Payload):
    def __init__(self, form: dict[str, str]) -> None:
        self._form = form

    @property
    def data(self) -> dict[str, str]:
        return self._form

    @property
    def datalist(self) -> dict[str, list[str]]:
        return {name: [one] for name, one in self._form.items()}


class _Request(OAuth2Request):
    def __init__(self, uri: str, headers: Mapping[str, str], form: dict[str, str]) -> None:
        super().__init__("POST", uri, headers=dict(headers))
        self._form, self.payload = form, _Payload(form)

    @property
    def form(self) -> dict[str, str]:
        return self._form


class _Server(AuthorizationServer):
    def __init__(self, authority: Authority) -> None:
        super().__init__()
        self._authority = authority
        self.register_grant(_Grant)
        self.register_token_generator("default", self._generated)
        method = JWTBearerClientAssertion.CLIENT_AUTH_METHOD
        self.register_client_auth_method(method, _Assertion(authority.token_url))

    def query_client(self, client_id: str) -> _Client | None:
        return _Client(self._authority.keys) if client_id == CLIENT_ID else None

    def save_token(self, token: dict[str, Any], _request: Any) -> None:
        self._authority.given.append(token["access_token"])

    def _generated(self, scope: str, **_more: Any) -> dict[str, Any]:
        number = len(self._authority.given) + 1
        return {"token_type": "Bearer", "access_token": f"access-{number}", "expires_in": 300, "scope": scope}

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, bytes]:
        return status, json.dumps(body).encode()

    def send_signal(self, name: str, *args: Any, **more: Any) -> None:
        """Nobody listens."""


class Authority:
    """`given` are the tokens it gave, `asked` the forms that came. `answer`, where it is set, is given instead: status, body
    and headers."""

    def __init__(self, keys: Callable[[], Mapping[str, Any]]) -> None:
        self.keys = keys
        self.given: list[str] = []
        self.asked: list[dict[str, str]] = []
        self.hosts: list[str] = []
        self.answer: tuple[int, bytes, dict[str, str]] | None = None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.token_url = f"http://127.0.0.1:{self.server.server_address[1]}/auth/token"
        self._oauth = _Server(self)
        self._closed = False
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answered(self, headers: Mapping[str, str], raw: bytes) -> tuple[int, bytes, dict[str, str]]:
        form = dict(parse_qsl(raw.decode("ascii"), strict_parsing=True))
        self.asked.append(form)
        self.hosts.append(headers.get("Host", ""))
        if self.answer is not None:
            return self.answer
        status, body = self._oauth.create_token_response(_Request(self.token_url, headers, form))
        return status, body, {}

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.server.shutdown()
            self.server.server_close()


def _handler(authority: Authority) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            status, body, headers = authority.answered(dict(self.headers.items()), raw)
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_said: Any) -> None:
            """Nothing is said."""

    return Handler
