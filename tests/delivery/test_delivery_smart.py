"""Our side of SMART Backend Services as a client: asked once, kept while it is valid, and never said aloud."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from authority import CLIENT_ID, Authority
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fhir_server import serving
from joserfc import jwk, jwt

from labbridge.delivery.destinations import Destination, NotAllowed, Resolve, resolved
from labbridge.delivery.fhir import FhirReceiver, How
from labbridge.delivery.http import HttpSettings
from labbridge.delivery.signing import BadKey, algorithm, public, read_key
from labbridge.delivery.smart import SmartAccess, SmartSettings
from labbridge.errors import Retry
from tests.fhir.fhir_letters import comment

SCOPE = "system/DiagnosticReport.cu system/Observation.cu"
SHORT = generate_private_key(65537, 1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
RSA, EC = jwk.RSAKey.generate_key(2048), jwk.ECKey.generate_key("P-384")


class Watch:
    """A clock of the day and one that only goes forward."""

    def __init__(self) -> None:
        self.day, self.passed_s = datetime.now(UTC), 0.0

    def now(self) -> datetime:
        return self.day

    def since_s(self) -> float:
        return self.passed_s


def write_key(path: Path, key: Any = EC, mode: int = 0o600) -> Path:
    path.write_bytes(key.as_pem(private=True))
    path.chmod(mode)
    return path


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return write_key(tmp_path / "key.pem")


@pytest.fixture
def authority(key_file: Path) -> Iterator[Authority]:
    found = Authority(lambda: {"keys": [dict(public(read_key(key_file)))]})
    yield found
    found.close()


def access(
    authority: Authority, key_file: Path, watch: Watch | None = None, resolve: Resolve = resolved, **more: Any
) -> SmartAccess:
    watch = watch or Watch()
    settings = {"token_url": authority.token_url, "client_id": CLIENT_ID, "key_file": str(key_file), "scope": SCOPE}
    return SmartAccess(SmartSettings(**settings | more), watch, watch.since_s, resolve)


# ---------------------------------------------------------------- what is had


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS384", "ES384"])
async def test_another_server_gives_us_a_token_for_what_our_key_signs(
    authority: Authority, key_file: Path, key: Any
) -> None:
    write_key(key_file, key)
    assert await access(authority, key_file).authorize() == {"Authorization": "Bearer access-1"}
    (asked,) = authority.asked
    assert (asked["grant_type"], asked["scope"]) == ("client_credentials", SCOPE)
    shown = jwt.decode(asked["client_assertion"], key, algorithms=["RS384", "ES384"])
    assert shown.header == {"alg": algorithm(key), "kid": key.thumbprint(), "typ": "JWT"}
    assert shown.claims["exp"] - shown.claims["iat"] <= 300
    assert len(shown.claims["jti"]) >= 32


async def test_a_token_is_asked_for_once_and_kept_until_shortly_before_it_ends(
    authority: Authority, key_file: Path
) -> None:
    watch = Watch()
    one = access(authority, key_file, watch)
    together = await asyncio.gather(*(one.authorize() for _one in range(8)))
    assert {found["Authorization"] for found in together} == {"Bearer access-1"}
    watch.passed_s = 269.9
    assert (await one.authorize())["Authorization"] == "Bearer access-1"
    watch.passed_s = 270.0
    assert (await one.authorize())["Authorization"] == "Bearer access-2"
    assert len(authority.given) == 2


async def test_a_clock_that_is_set_back_keeps_no_token_alive(authority: Authority, key_file: Path) -> None:
    watch = Watch()
    one = access(authority, key_file, watch)
    await one.authorize()
    watch.day -= timedelta(seconds=250)
    watch.passed_s = 280.0
    assert (await one.authorize())["Authorization"] == "Bearer access-2"


async def test_a_token_that_the_receiver_does_not_take_is_replaced(authority: Authority, key_file: Path) -> None:
    one = access(authority, key_file)
    await one.authorize()
    one.forget()
    assert (await one.authorize())["Authorization"] == "Bearer access-2"
    assert len({form["client_assertion"] for form in authority.asked}) == 2


async def test_our_key_is_changed_without_a_pause(authority: Authority, key_file: Path, tmp_path: Path) -> None:
    """Both are published; then the other is used, as soon as the file is exchanged."""
    follows = write_key(tmp_path / "next.pem", RSA)
    both = [dict(public(read_key(one))) for one in (key_file, follows)]
    authority.keys = lambda: {"keys": both}
    one = access(authority, key_file)
    await one.authorize()
    follows.replace(key_file)
    one.forget()
    assert (await one.authorize())["Authorization"] == "Bearer access-2"


async def test_a_token_of_unknown_life_is_used_once(authority: Authority, key_file: Path) -> None:
    authority.answer = answer(access_token="a", token_type="Bearer")
    one = access(authority, key_file)
    assert await one.authorize() == await one.authorize() == {"Authorization": "Bearer a"}
    assert len(authority.asked) == 2


# ---------------------------------------------------------------- what is not


def answer(status: int = 200, **body: Any) -> tuple[int, bytes, dict[str, str]]:
    return status, json.dumps(body).encode(), {}


REFUSALS = {
    "it answers 400, invalid_client": answer(400, error="invalid_client", error_description="canary-8812"),
    "it answers 401": answer(401, error="canary-8812"),
    "it answers 403": answer(403, error=["invalid_client"]),
    "it answers 500": (500, b"canary-8812", {}),
    "it answers 302": (302, b"", {"Location": "http://169.254.169.254/canary-8812"}),
    "its answer holds no bearer token": answer(access_token="canary 8812", token_type="bearer", expires_in=300),
    "its answer holds no bearer token ": answer(access_token="canary-8812", token_type="mac", expires_in=300),
    "its answer holds no bearer token  ": answer(token_type="bearer", expires_in=300),
    "its answer holds no bearer token   ": (200, b"[]", {}),
    "its answer holds no bearer token    ": (200, b"<html>canary-8812", {}),
    "its answer holds no bearer token     ": answer(access_token="a\r\nX: canary-8812", token_type="bearer"),
    "its answer holds no bearer token      ": (200, gzip.compress(b"{}"), {"Content-Encoding": "gzip"}),
    "its answer does not say for how long": answer(access_token="canary-8812", token_type="bearer", expires_in="300"),
    "its answer does not say for how long ": answer(access_token="canary-8812", token_type="bearer", expires_in=-1),
    "it answers with more than 65536 bytes": (200, b" " * 70_000, {}),
}


@pytest.mark.parametrize("said", list(REFUSALS))
async def test_a_fault_is_a_sentence_without_what_was_sent_or_came(
    authority: Authority, key_file: Path, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    authority.answer = REFUSALS[said]
    one = access(authority, key_file)
    with pytest.raises(Retry) as caught:
        await one.authorize()
    text = str(caught.value)
    assert f"No access token: of the receiver's authorization server, {said.strip()}" in text
    shown = authority.asked[0]["client_assertion"]
    for secret in ("canary", shown, shown.rpartition(".")[2]):
        assert secret not in text + repr(caught.value.__cause__) + "".join(capfd.readouterr())
    authority.answer = None
    assert (await one.authorize())["Authorization"] == "Bearer access-1", "the next one is asked for anew"


async def test_a_server_that_is_away_is_waited_for(authority: Authority, key_file: Path) -> None:
    authority.close()
    with pytest.raises(Retry, match=r"does not answer \(ConnectError\)$"):
        await access(authority, key_file).authorize()


async def test_a_server_that_says_nothing_is_given_up(
    authority: Authority, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labbridge.delivery.smart.WITHIN_S", 0.2)
    waits = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await waits.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Retry, match=r"does not answer \((ReadTimeout|TimeoutError)\)$"):
        await access(authority, key_file, token_url=f"http://127.0.0.1:{port}/token").authorize()
    waits.set()
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.05)


async def test_no_proxy_of_the_environment_is_told_our_assertion(
    authority: Authority, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await access(authority, key_file).authorize())["Authorization"] == "Bearer access-1"


@pytest.mark.parametrize("leads_to", ["169.254.169.254", "10.0.0.7", "::ffff:127.0.0.1", "fe80::1", "192.168.1.1"])
async def test_a_name_that_leads_where_nothing_may_be_sent_is_not_asked(
    authority: Authority, key_file: Path, leads_to: str
) -> None:
    """S-07: our assertion goes nowhere else than to the server that was named."""
    port = authority.token_url.split(":")[2].partition("/")[0]
    one = access(authority, key_file, token_url=f"https://auth.example:{port}/token", resolve=leading(leads_to))
    with pytest.raises(NotAllowed, match="No connection was made"):
        await one.authorize()
    assert authority.asked == []


async def test_an_address_that_was_looked_at_is_asked_by_the_name_of_the_configuration(
    authority: Authority, key_file: Path
) -> None:
    place = authority.token_url.replace("127.0.0.1", "localhost")
    authority.answer = answer(access_token="a", token_type="bearer", expires_in=300)
    one = access(authority, key_file, token_url=place, resolve=leading("127.0.0.1"), networks=("127.0.0.0/8",))
    assert await one.authorize() == {"Authorization": "Bearer a"}
    assert authority.hosts == [place.split("/")[2]]
    claims = json.loads(base64.urlsafe_b64decode(authority.asked[0]["client_assertion"].split(".")[1] + "=="))
    assert claims["aud"] == place


def leading(address: str) -> Resolve:
    async def resolve(_host: str, _port: int) -> list[str]:
        return [address]

    return resolve


# ---------------------------------------------------------------- with it to the receiver


async def test_a_comment_is_delivered_with_it_and_with_another_where_it_was_refused(
    authority: Authority, key_file: Path
) -> None:
    one = access(authority, key_file)
    with serving() as server:
        how = How(authorize=one.authorize, forget=one.forget)
        to = FhirReceiver("ehr", Destination(server.base), HttpSettings(timeout_s=5.0), how=how)
        server.token = "access-1"
        first = await to.send(comment(), "LB-0001")
        assert first.takes("LB-0001")
        server.token = "access-2"  # the first one is no longer taken
        assert (await to.send(comment(), "LB-0001")).takes("LB-0001")
        assert len(authority.given) == 2
        assert len(server.of("Observation")) == 1
        assert b"access-" not in first.raw
        authority.close()
        server.token = "access-3"
        with pytest.raises(
            Retry, match=r"No access token: the receiver's authorization server does not answer"
        ) as caught:
            await to.send(comment(), "LB-0001")
        assert b"access-" not in caught.value.answer


# ---------------------------------------------------------------- our key


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
async def test_a_key_that_others_may_read_signs_nothing(authority: Authority, key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(Retry, match="others than its owner may read or write it; chmod 600"):
        await access(authority, key_file).authorize()
    assert authority.asked == []


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "it is no private key in PEM"),
        (b"canary-2205", "it is no private key in PEM"),
        (EC.as_pem(private=False), "it is no private key in PEM"),
        (jwk.ECKey.generate_key("P-256").as_pem(private=True), "it is no private key in PEM"),
        (SHORT, "shorter than 2048 bits"),
        (EC.as_pem(private=True, password="canary-2206"), "without password"),
        (jwk.OKPKey.generate_key("Ed25519").as_pem(private=True), "it is no private key in PEM"),
    ],
)
def test_what_is_no_key_of_ours_is_said_without_its_content(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(raw)
    path.chmod(0o600)
    with pytest.raises(BadKey, match=said) as caught:
        read_key(path)
    assert "canary" not in str(caught.value)


def test_only_the_public_half_is_published(key_file: Path) -> None:
    for key in (EC, RSA):
        write_key(key_file, key)
        shown = public(read_key(key_file))
        assert {"use", "alg", "kid", "kty"} <= set(shown)
        assert not set(shown) & {"d", "p", "q", "dp", "dq", "qi"}
        assert jwk.import_key(dict(shown)).thumbprint() == shown["kid"] == key.thumbprint()


def test_a_key_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadKey, match="No such file"):
        read_key(tmp_path / "nope.pem")
