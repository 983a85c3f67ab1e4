"""Whatever is shown in the place of an assertion proves nobody, and is said to in one way."""

from __future__ import annotations

import base64
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from joserfc import jwt
from smart_parts import EC, NAME, write_keys

from labbridge.model.smart import Client
from labbridge.web.assertions import NotAClient, proven

NOW = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)
OURS = "https://labbridge.example/token"
HEADS = [
    *(b"[]", b"null", b"1", b"{}", b"\xff", b"{" * 200, b'{"alg":1}', b'{"alg":[]}', b'{"alg":{}}', b'{"alg":"ES384"}'),
    *(b'{"alg":"ES384","kid":[]}', b'{"alg":"ES384","kid":"ec-1"}', b'{"alg":"RS384","kid":"ec-1"}'),
    *(b'{"alg":"ES384","kid":"ec-1","crit":1}', b'{"alg":"ES384","kid":"ec-1","b64":false,"crit":["b64"]}'),
    *(b'{"alg":"ES384","kid":"ec-1","x5c":1}', b'{"alg":"ES384","kid":"ec-1","jwk":3,"typ":[]}'),
]
CLAIMS = [
    *(b"[]", b"null", b"1", b"{}", b"\xff", b"[" * 5000, b'"ward-lis"', b'{"iss":"ward-lis"}', b'{"iss":["ward-lis"]}'),
    *(b'{"iss":{"ward-lis":1}}', b'{"iss":"\\ud83d"}', b'{"iss":1e999}', b'{"iss":NaN}'),
]
MUTANTS = 1500


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Client]:
    path: Path = write_keys(tmp_path_factory.mktemp("keys") / "keys.json", EC)
    return {NAME: Client(name=NAME, jwks_file=str(path), feeds=(), scopes=frozenset())}


def part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def nobody(shown: str, clients: dict[str, Client]) -> None:
    with pytest.raises(NotAClient, match=r"^The assertion proves no client of this service$"):
        proven(shown, clients, OURS, NOW)


@pytest.mark.parametrize("head", HEADS, ids=lambda one: one[:40].decode("latin-1"))
def test_parts_that_are_no_assertion(head: bytes, clients: dict[str, Client]) -> None:
    for claims in CLAIMS:
        for signature in ("", "A", "AAAA", "!!", "\u00e9"):
            nobody(f"{part(head)}.{part(claims)}.{signature}", clients)


def test_an_assertion_in_which_anything_was_changed(clients: dict[str, Client]) -> None:
    ends = int(NOW.timestamp()) + 100
    claims = {"iss": NAME, "sub": NAME, "aud": OURS, "exp": ends, "jti": "1"}
    shown = jwt.encode({"alg": "ES384", "kid": EC.kid}, claims, EC, algorithms=["ES384"])
    client, assertion = proven(shown, clients, OURS, NOW)
    assert (client.name, assertion.client) == (NAME, NAME)
    chance = random.Random(20261127)
    for _one in range(MUTANTS):
        letters = list(shown)
        for _change in range(chance.randint(1, 4)):
            letters[chance.randrange(len(letters))] = chr(
                chance.choice([chance.randrange(32, 127), chance.randrange(256)])
            )
        if (changed := "".join(letters)) != shown:
            nobody(changed, clients)
