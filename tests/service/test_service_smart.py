"""SMART Backend Services by real sockets: our client at our own server, what stays of it, and what a crash makes of it."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import secrets
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jwk, jwt
from service_parts import Service, free_port, sample, sender, until
from test_service_story import waiting

from labbridge.delivery.signing import public, read_key
from labbridge.delivery.smart import ASSERTION_TYPE, SmartAccess, SmartSettings
from labbridge.errors import Retry
from labbridge.processing import SystemClock
from tests.delivery.authority import CLIENT_ID, Authority
from tests.delivery.fhir_server import serving

CLIENT = "ward-lis"
FLOOD = 500
SYSTEMS = '{ LABA = "https://laba.example/mrn", MYOLIS = "https://laba.example/filler" }'
OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "https://laba.example/codes", "code": "SRPB"}]},
    "subject": {"identifier": {"system": "https://laba.example/mrn", "value": "PT-SMART-1"}},
    "effectiveDateTime": "2026-11-10T09:15:00+01:00",
    "issued": "2026-11-13T12:00:00+01:00",
    "valueQuantity": {"value": 58, "unit": "intensity"},
}


class Site:
    """A running service at which one client is registered, and that client's key."""

    def __init__(self, folder: Path) -> None:
        self.port, self.key_file = free_port(), folder / "client.pem"
        self.key_file.write_bytes(jwk.ECKey.generate_key("P-384").as_pem(private=True))
        self.key_file.chmod(0o600)
        keys = folder / "client.jwks.json"
        keys.write_text(json.dumps({"keys": [dict(public(read_key(self.key_file)))]}))
        self.url = f"http://127.0.0.1:{self.port}"
        extra = (
            '[feeds.ward]\nkind = "fhir"\nsettle_s = 0\n[feeds.other]\nkind = "fhir"\n'
            f'[fhir]\npublic_url = "{self.url}"\n[fhir.clients.{CLIENT}]\njwks_file = "{keys}"\n'
            'scopes = ["system/Observation.cruds"]\nfeeds = ["ward"]\n'
        )
        self.service = Service(folder, extra, web=f"127.0.0.1:{self.port}")
        self.start()

    def start(self) -> None:
        self.service.start()
        until(lambda: self._answers())

    def _answers(self) -> bool:
        try:
            return self.call("GET", "/livez")[0] == 200
        except OSError:
            return False

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any, dict[str, str]]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as channel:
            channel.request(method, path, body, {name.replace("_", "-"): one for name, one in headers.items()})
            found = channel.getresponse()
            raw = found.read()
        try:
            return found.status, json.loads(raw), dict(found.getheaders())
        except ValueError:
            return found.status, raw, dict(found.getheaders())

    def access(self, **more: str) -> SmartAccess:
        settings = {
            "token_url": f"{self.url}/token",
            "client_id": CLIENT,
            "key_file": str(self.key_file),
            "scope": "system/*.cu",
        }
        return SmartAccess(SmartSettings(**settings | more), SystemClock())

    def form(self, **changed: str) -> bytes:
        key, now = read_key(self.key_file), int(datetime.now(UTC).timestamp())
        claims = {
            "iss": CLIENT,
            "sub": CLIENT,
            "aud": f"{self.url}/token",
            "exp": now + 240,
            "jti": secrets.token_hex(16),
        }
        shown = jwt.encode({"alg": "ES384", "kid": key.kid}, claims | changed, key, algorithms=["ES384"])
        return urlencode(
            {
                "grant_type": "client_credentials",
                "scope": "system/Observation.rs",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": shown,
            }
        ).encode()

    def asked(self, form: bytes, path: str = "/token", **headers: str) -> tuple[int, Any, dict[str, str]]:
        return self.call("POST", path, form, Content_Type="application/x-www-form-urlencoded", **headers)

    def written(self, *folders: Path) -> bytes:
        """All that the service has written, inflated."""
        found = b""
        for path in (one for folder in (self.service.folder, *folders) for one in folder.rglob("*") if one.is_file()):
            raw = path.read_bytes()
            found += raw + (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else b"")
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("smart"))
    yield found
    found.service.close()


def sent(site: Site, access: SmartAccess, to: str, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
    headers = asyncio.run(access.authorize())
    return site.call("POST", to, json.dumps(body).encode(), Content_Type="application/fhir+json", **headers)


def test_a_client_finds_where_to_ask_and_what_it_is_given_lets_it_send(site: Site) -> None:
    status, told, _headers = site.call("GET", "/fhir/.well-known/smart-configuration")
    assert (status, told["token_endpoint"]) == (200, f"{site.url}/token")
    access = site.access(token_url=told["token_endpoint"])
    status, body, headers = sent(site, access, "/fhir/Observation", OBSERVATION)
    assert status == 201, body
    assert headers["location"].startswith(f"{site.url}/fhir/Observation/M")
    assert site.service.json("messages")[0]["feed"] == "ward"
    patient = {"resourceType": "Patient", "identifier": [{"system": "https://laba.example/mrn", "value": "PT-SMART-1"}]}
    status, body, _headers = sent(site, access, "/fhir/Patient", patient)
    assert (status, body["issue"][0]["code"]) == (403, "forbidden")


def test_who_has_another_key_is_nobody(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(jwk.ECKey.generate_key("P-384").as_pem(private=True))
    other.chmod(0o600)
    with pytest.raises(Retry, match=r"it answers 401, invalid_client$"):
        asyncio.run(site.access(key_file=str(other)).authorize())
    assert sum('"reason": "bad_signature"' in line for line in site.service.log().splitlines()) >= 1


def test_nothing_that_proves_somebody_is_written_anywhere(site: Site, tmp_path: Path) -> None:
    """S-18, S-25: store, backup and log hold neither token nor assertion, nor anything of an address or a header."""
    form = site.form(jti="jti-canary-6630")
    status, told, _headers = site.asked(form, "/token?access_token=canary-6631", X_Canary="canary-6632")
    assert status == 200
    secret = told["access_token"]
    made = site.service.run(
        "user", "token", "reader", "--scope", "system/Observation.rs", "--feed", "*", "--as", "Test"
    )
    lasting = made.stdout.strip()
    assert lasting.startswith("lb_"), made.stderr
    for shown in (secret, lasting, "lb_" + "x" * 43, "canary-6633"):
        query = f"/fhir/Observation?_id=canary-6634&access_token={shown}"
        assert (
            site.call("POST", query, b"{}", Authorization=f"Bearer {shown}", Cookie="labbridge=canary-6635")[0] >= 400
        )
    site.call("GET", "/.well-known/jwks.json?canary-6636", Referer="http://127.0.0.1/canary-6637")
    site.asked(form)
    assert site.service.run("backup", str(tmp_path / "backup.db")).returncode == 0
    kept = site.written(tmp_path)
    assert b"ward-lis" in kept
    signature = form.rpartition(b".")[2]
    for canary in (secret[3:].encode(), lasting[3:].encode(), form[-400:], signature, b"canary-66"):
        assert canary not in kept
    assert made.stderr.count(lasting[3:]) == 0


def test_a_token_of_scopes_is_listed_and_ends_within_a_second(site: Site) -> None:
    made = site.service.run("user", "token", "lis", "--scope", "ingest", "--scope", "system/Patient.r", "--feed", "other",
                            "--as", "Test")  # fmt: skip
    bearing = {"Authorization": f"Bearer {made.stdout.strip()}", "Content_Type": "application/fhir+json"}
    assert site.call("POST", "/fhir/Observation", json.dumps(OBSERVATION).encode(), **bearing)[0] == 201
    listed = site.service.run("user", "list").stdout
    (line,) = [one for one in listed.splitlines() if one.startswith("lis ")]
    assert line.split()[1:5] == ["program", "ingest", "system/Patient.r", "other"]
    assert f"used {datetime.now(UTC).date()}" in line
    assert site.service.run("user", "revoke", "lis", "--as", "Test").returncode == 0
    time.sleep(1.0)
    assert site.call("POST", "/fhir/Observation", json.dumps(OBSERVATION).encode(), **bearing)[0] == 401
    assert "revoked" in next(
        one for one in site.service.run("user", "list").stdout.splitlines() if one.startswith("lis ")
    )


def test_an_assertion_that_was_used_is_used_after_a_kill_too(site: Site) -> None:
    form = site.form()
    status, told, _headers = site.asked(form)
    assert status == 200
    site.service.stop(signal.SIGKILL)
    site.start()
    status, refused, _headers = site.asked(form)
    assert (status, refused["error_description"]) == (401, "The assertion was used already")
    bearing = {"Authorization": f"Bearer {told['access_token']}", "Content_Type": "application/fhir+json"}
    assert site.call("POST", "/fhir/Observation", b"{}", **bearing)[0] == 403, "known, and may read alone"


def test_a_flood_of_tokens_that_are_nobodys_writes_nothing_and_keeps_nobody_out(site: Site) -> None:
    access = site.access()
    asyncio.run(access.authorize())
    before = site.service.json("messages")[0]
    lines = len(site.service.log().splitlines())
    asked = "POST /fhir/Observation HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nAuthorization: Bearer lb_{}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", site.port), 30) as channel:
        channel.sendall("".join(asked.format(secrets.token_urlsafe(32)) for _one in range(FLOOD)).encode())
        came = b""
        while came.count(b"HTTP/1.1 ") < FLOOD or not came.endswith(b"}"):
            came += channel.recv(2**16)
    assert came.count(b"HTTP/1.1 401 ") == FLOOD
    changed = OBSERVATION | {"issued": "2026-11-13T13:00:00+01:00"}
    assert sent(site, access, "/fhir/Observation", changed)[0] == 201
    assert site.service.json("messages")[0] != before
    assert len(site.service.log().splitlines()) - lines < 20


# ---------------------------------------------------------------- as a client


def test_a_comment_leaves_for_a_server_that_gives_tokens_to_the_keys_that_we_publish(tmp_path: Path) -> None:
    """The receiver's authorization server is Authlib's; it reads our keys where we publish them."""
    port, key = free_port(), tmp_path / "ours.pem"
    key.write_bytes(jwk.RSAKey.generate_key(2048).as_pem(private=True))
    key.chmod(0o600)

    def keys() -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/.well-known/jwks.json", timeout=10) as answer:
            return json.loads(answer.read())

    authority = Authority(keys)
    with serving() as server:
        server.token = "access-1"
        service = Service(tmp_path, web=f"127.0.0.1:{port}")
        smart = f'[receivers.lis.smart]\ntoken_url = "{authority.token_url}"\nclient_id = "{CLIENT_ID}"\n'
        ehr = f'kind = "fhir"\naddress = "{server.base}"\nsystems = {SYSTEMS}\n{smart}key_file = "{key}"\n'
        ehr += 'scope = "system/*.cu"\n'
        text = service.config.read_text(encoding="utf-8").replace(f'address = "127.0.0.1:{service.lis}"\n', ehr)
        service.config.write_text(text, encoding="utf-8")
        try:
            service.start(stub=False)
            with sender(service) as line:
                for name in ("1a-ck.hl7", "1b-serology.hl7"):
                    assert line.send(sample(f"02-srp-hep2-negative/{name}")) is not None
            service.settled()
            (case,) = until(lambda: waiting(service))
            assert service.json("release", case["shown"], "--as", "Alex Smith")["ok"]
            until(lambda: server.of("Observation"))
            assert authority.given == ["access-1"]
            shown = authority.asked[0]["client_assertion"].encode()
            assert until(lambda: service.json("show", "D1")["state"] == "acknowledged")
            kept = (
                b"".join(one.read_bytes() for one in tmp_path.glob("store.db*") if one.is_file())
                + service.log().encode()
            )
            for secret in (b"access-1", shown, b"PRIVATE KEY"):
                assert secret not in kept
        finally:
            service.close()
            authority.close()
