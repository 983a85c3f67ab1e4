"""SMART Backend Services as a server: who is given an access token, for what, and once for each assertion."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk
from smart_parts import EC, NAME, OTHER_RSA, RSA, TOKEN_URL, Asking, part, write_keys
from web_parts import Bench, benched

from labbridge.fhir.faults import Unfit
from labbridge.model.people import Admitted
from labbridge.observe import logs
from labbridge.programs import Programs
from labbridge.web.visits import digest

UNPROVEN = "The assertion proves no client of this service"
WHERE = (CONFIGURATION, OF_FHIR, KEYS) = (
    "/.well-known/smart-configuration",
    "/fhir/.well-known/smart-configuration",
    "/.well-known/jwks.json",
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One workbench for all that is refused: each has a client and a throttle of its own."""
    with benched(f"sqlite:///{tmp_path_factory.mktemp('smart') / 'store.db'}") as found:
        yield found


@pytest.fixture
def asking(shared: Bench, tmp_path: Path) -> Asking:
    return Asking(shared, tmp_path)


@pytest.fixture
def anywhere_asking(anywhere: Bench, tmp_path: Path) -> Asking:
    return Asking(anywhere, tmp_path)


def refused(found: Any) -> tuple[int, str, str]:
    assert found.headers["content-type"] == "application/json"
    assert (found.headers["cache-control"], found.headers["pragma"]) == ("no-store", "no-cache")
    told = found.json()
    assert set(told) == {"error", "error_description"}
    assert not set(told["error_description"]) & set('"\\')  # RFC 6749, 5.2
    return found.status_code, told["error"], told["error_description"]


def who(asking: Asking, secret: str) -> Admitted:
    programs = Programs(asking.bench.parts.people, asking.bench.parts.feeds, asking.clock, asking.smart)
    return asyncio.run(programs.admitted(f"Bearer {secret}"))


# ---------------------------------------------------------------- what is given


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS384", "ES384"])
def test_a_client_that_proves_itself_is_given_a_token(anywhere_asking: Asking, key: Any) -> None:
    asking = anywhere_asking
    found = asking.asked(client_assertion=asking.assertion(key))
    assert found.status_code == 200, found.text
    told = found.json()
    assert (found.headers["cache-control"], found.headers["pragma"]) == ("no-store", "no-cache")
    assert {name: told[name] for name in told if name != "access_token"} == {
        "token_type": "bearer",
        "expires_in": 300,
        "scope": "system/Observation.rs",
    }
    one = who(asking, told["access_token"])
    assert one == Admitted(name=NAME, feeds=("posted",), scopes=frozenset({"system/Observation.rs"}))
    assert asking.bench.audit("token given") == [(NAME, "smart", "system/Observation.rs")]


@pytest.mark.parametrize(
    ("scope", "given"),
    [
        ("system/Observation.read", "system/Observation.rs"),
        ("system/*.*", "system/Observation.cruds system/Patient.c"),
        ("system/*.cruds", "system/Observation.cruds system/Patient.c"),
        ("system/Patient.cruds system/Device.rs", "system/Patient.c"),
    ],
)
def test_what_is_asked_for_is_narrowed_to_what_the_client_may(asking: Asking, scope: str, given: str) -> None:
    assert asking.asked(scope=scope).json()["scope"] == given


@pytest.mark.parametrize("scope", ["system/Device.rs", "system/Patient.rs", "launch", "", None, "user/Observation.rs"])
def test_where_nothing_is_left_of_it_no_token_is_given(asking: Asking, scope: str | None) -> None:
    assert refused(asking.asked(scope=scope))[:2] == (400, "invalid_scope")


def test_a_token_ends_after_five_minutes_and_with_its_client(asking: Asking) -> None:
    secret = asking.token()
    asking.clock.forward(minutes=4, seconds=59)
    assert who(asking, secret).name == NAME
    asking.register(frozenset({"system/Observation.s"}))
    assert who(asking, secret).scopes == {"system/Observation.s"}, "as it is registered now"
    asking.register(frozenset({"system/Patient.c"}))
    with pytest.raises(Unfit) as caught:
        who(asking, secret)
    assert caught.value.status == 403
    asking.smart = asking.smart._replace(clients={"another": asking.smart.clients[NAME]})
    with pytest.raises(Unfit) as caught:
        who(asking, secret)
    assert caught.value.status == 401
    asking.register()
    asking.clock.forward(seconds=1)
    with pytest.raises(Unfit) as caught:
        who(asking, secret)
    assert caught.value.status == 401


def test_a_token_is_kept_nowhere_and_goes_when_it_has_ended(anywhere_asking: Asking) -> None:
    asking = anywhere_asking
    shown = asking.assertion(jti="jti-canary-4417")
    secret = asking.token(client_assertion=shown)
    rows = asking.bench.rows
    held = [rows.execute(f"SELECT * FROM {name}").fetchall() for name in ("grants", "assertions", "audit", "tokens")]
    for canary in (secret, secret.removeprefix("lb_"), shown, "jti-canary-4417"):
        assert canary not in repr(held)
    assert digest(secret) in [bytes(row[0]) for row in held[0]]
    asking.clock.forward(minutes=6)
    asking.token()
    assert [len(rows.execute(f"SELECT * FROM {name}").fetchall()) for name in ("grants", "assertions")] == [1, 1]


# ---------------------------------------------------------------- once


def test_an_assertion_proves_its_client_once(anywhere_asking: Asking) -> None:
    asking = anywhere_asking
    shown = asking.assertion()
    asking.token(client_assertion=shown)
    assert refused(asking.asked(client_assertion=shown)) == (401, "invalid_client", "The assertion was used already")
    again = asking.assertion(jti="j1")
    asking.token(client_assertion=again)
    later = asking.assertion(RSA, jti="j1", exp=int(asking.clock.now().timestamp()) + 200)
    assert refused(asking.asked(client_assertion=later))[1] == "invalid_client", "another assertion of the same jti"


def test_of_many_who_show_one_assertion_at_once_one_is_given_a_token(anywhere_asking: Asking) -> None:
    asking = anywhere_asking
    shown = asking.assertion()
    asking.throttle.begun = lambda *_keys: 0.0  # type: ignore[method-assign]  # the store alone is asked
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _one: asking.asked(client_assertion=shown).status_code, range(16)))
    assert sorted(found) == [200] + [401] * 15
    assert len(asking.bench.rows.execute("SELECT * FROM grants").fetchall()) == 1


def test_an_assertion_that_was_used_stays_used_over_a_restart(place: str, tmp_path: Path) -> None:
    with benched(place) as bench:
        asking = Asking(bench, tmp_path)
        shown, secret = asking.assertion(), asking.token()
        asking.token(client_assertion=shown)
        moment = asking.clock.now()
    with benched(place) as bench:
        again = Asking(bench, tmp_path)
        again.clock.moment = moment
        assert refused(again.asked(client_assertion=shown))[2] == "The assertion was used already"
        assert who(again, secret).name == NAME


def test_until_an_assertion_is_refused_by_its_age_it_is_remembered(asking: Asking) -> None:
    """Whatever the leeway of clocks: there is no moment at which it is both forgotten and valid."""
    shown = asking.assertion()
    asking.token(client_assertion=shown)
    for _step in range(8):
        asking.clock.forward(seconds=50)
        asking.token()  # each sweeps
        assert refused(asking.asked(client_assertion=shown))[:2] == (401, "invalid_client")


# ---------------------------------------------------------------- who is refused


def unsigned(asking: Asking) -> str:
    return f"{part({'alg': 'none', 'kid': EC.kid})}.{part(asking.claims())}."


def by_public_key(asking: Asking) -> str:
    """HS384 with the public key for a secret: what a server falls for that takes the algorithm of the header."""
    signed = f"{part({'alg': 'HS384', 'kid': RSA.kid})}.{part(asking.claims())}"
    made = hmac.new(RSA.as_pem(private=False), signed.encode(), hashlib.sha384).digest()
    return f"{signed}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


def by_own_header(asking: Asking) -> str:
    """The key comes with the assertion."""
    header = {"jwk": OTHER_RSA.as_dict(private=False)}
    return asking.assertion(OTHER_RSA, header=header)


def changed_after(asking: Asking) -> str:
    head, _claims, sign = asking.assertion().split(".")
    return f"{head}.{part(asking.claims(jti='other'))}.{sign}"


ATTACKS = {
    "unsigned": unsigned,
    "by the public key": by_public_key,
    "by a key of its own header": by_own_header,
    "changed after it was signed": changed_after,
    "another's key of that kid": lambda asking: asking.assertion(OTHER_RSA),
    "RS256": lambda asking: asking.assertion(RSA, header={"alg": "RS256"}),
    "PS384": lambda asking: asking.assertion(RSA, header={"alg": "PS384"}),
    "a kid that is not there": lambda asking: asking.assertion(header={"kid": "nope"}),
    "no kid": lambda asking: asking.assertion(header={"kid": ""}),
    "the kid of the other key": lambda asking: asking.assertion(header={"kid": "rsa-1"}),
    "critical header": lambda asking: (
        f"{part({'alg': 'ES384', 'kid': EC.kid, 'crit': ['x'], 'x': 1})}." + asking.assertion().split(".", 1)[1]
    ),
    "nobody's": lambda asking: asking.assertion(iss="nobody", sub="nobody"),
    "no issuer": lambda asking: asking.assertion(iss=None),
    "a list for an issuer": lambda asking: asking.assertion(iss=[NAME]),
    "no token": lambda _asking: "canary-7731",
    "five parts": lambda asking: f"{asking.assertion()}.e.f",
    "claims that are no object": lambda _asking: f"{part({'alg': 'ES384', 'kid': EC.kid})}.{part([1])}.AAAA",
    "deep": lambda _asking: f"{part({'alg': 'ES384'})}.{part('[' * 3000)}.AAAA",
    "no ASCII": lambda _asking: "\u00e9.\u00e9.\u00e9",
}


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_an_assertion_that_is_not_signed_by_a_client_proves_nobody(asking: Asking, attack: str) -> None:
    """Each is told the same: whether there is such a client, and what was wrong, is no business of who cannot sign."""
    given = asking.count("grants")
    found = asking.asked(client_assertion=ATTACKS[attack](asking))
    assert refused(found) == (401, "invalid_client", UNPROVEN)
    assert found.headers["www-authenticate"] == "Bearer"
    assert "canary" not in found.text
    assert asking.count("grants") == given


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sub": "another"}, "iss and sub of the assertion have to be the client id, both"),
        ({"sub": None}, "iss and sub of the assertion have to be the client id, both"),
        ({"aud": f"{TOKEN_URL}/"}, f"aud of the assertion has to be {TOKEN_URL}"),
        ({"aud": TOKEN_URL.upper()}, f"aud of the assertion has to be {TOKEN_URL}"),
        ({"aud": [TOKEN_URL, "https://other.example/token"]}, f"aud of the assertion has to be {TOKEN_URL}"),
        ({"aud": None}, f"aud of the assertion has to be {TOKEN_URL}"),
        ({"aud": {"a": 1}}, f"aud of the assertion has to be {TOKEN_URL}"),
        ({"exp": None}, "exp of the assertion is missing or past"),
        ({"exp": "soon"}, "exp of the assertion is missing or past"),
        ({"exp": True}, "exp of the assertion is missing or past"),
        ({"exp": 1e300}, "exp of the assertion is missing or past"),
        ({"exp": -31}, "exp of the assertion is missing or past"),
        ({"exp": 331}, "exp of the assertion is more than 300 seconds from now"),
        ({"exp": 86_400}, "exp of the assertion is more than 300 seconds from now"),
        ({"nbf": 31}, "nbf of the assertion is no time that has come"),
        ({"iat": 31}, "iat of the assertion is no time that has come"),
        ({"iat": "now"}, "iat of the assertion is no time that has come"),
        ({"jti": None}, "jti of the assertion has to be a text of at most 256 characters"),
        ({"jti": ""}, "jti of the assertion has to be a text of at most 256 characters"),
        ({"jti": 7}, "jti of the assertion has to be a text of at most 256 characters"),
        ({"jti": "x" * 257}, "jti of the assertion has to be a text of at most 256 characters"),
    ],
)
def test_who_can_sign_is_told_what_is_wrong_with_the_assertion(
    asking: Asking, changed: dict[str, Any], said: str
) -> None:
    now = int(asking.clock.now().timestamp())
    moments = {name: now + one for name, one in changed.items() if type(one) is int and name != "jti"}
    assert refused(asking.asked(client_assertion=asking.assertion(**changed | moments))) == (
        401,
        "invalid_client",
        said,
    )


@pytest.mark.parametrize(
    "changed",
    [{"aud": [TOKEN_URL]}, {"exp": 329}, {"exp": -29}, {"nbf": 29, "iat": 0}, {"exp": 12.5}, {"jti": "\u00e9"}],
)
def test_an_assertion_may_differ_as_clocks_and_libraries_do(asking: Asking, changed: dict[str, Any]) -> None:
    now = int(asking.clock.now().timestamp())
    moments = {name: now + one for name, one in changed.items() if isinstance(one, (int, float))}
    assert asking.asked(client_assertion=asking.assertion(**changed | moments)).status_code == 200


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, 400, "unsupported_grant_type"),
        ({"client_assertion_type": "jwt-bearer"}, 401, "invalid_client"),
        ({"client_assertion_type": None}, 401, "invalid_client"),
        ({"client_id": "another"}, 401, "invalid_client"),
        ({"grant_type": ["client_credentials", "client_credentials"]}, 400, "invalid_request"),
        ({f"more{number}": "x" for number in range(20)}, 400, "invalid_request"),
    ],
)
def test_a_request_that_is_none_is_told_so(asking: Asking, changed: dict[str, Any], status: int, error: str) -> None:
    assert refused(asking.asked(**changed))[:2] == (status, error)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{}", "application/json"),
        (b"grant_type=client_credentials", ""),
        (b"grant_type", "application/x-www-form-urlencoded"),
        (b"grant_type=\xff\xfe", "application/x-www-form-urlencoded"),
        (b"grant_type=%ff%fe", "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
        (b"a=" + b"x" * 20_000, "application/x-www-form-urlencoded"),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    ],
)
def test_a_body_that_is_no_form_is_told_so(asking: Asking, body: bytes, kind: str) -> None:
    found = asking.bench.browser().post("/token", content=body, headers={"Content-Type": kind})
    assert refused(found)[:2] == (400, "invalid_request")


def test_ten_megabytes_are_not_read_to_their_end(asking: Asking) -> None:
    came = 0

    async def receive() -> dict[str, Any]:
        nonlocal came
        came += 1
        return {"type": "http.request", "body": b"x" * 4096, "more_body": True}

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": "/token", "raw_path": b"/token", "query_string": b"", "scheme": "http",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/x-www-form-urlencoded")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    asyncio.run(asking.bench.app(scope, receive, send))
    assert (sent[0]["status"], came) == (400, 5)


def test_failures_slow_each_other_down_by_address_and_nobody_else(asking: Asking) -> None:
    for _one in range(5):
        assert asking.asked(client_assertion="nope").status_code == 401
    found = asking.asked()
    assert refused(found)[:2] == (429, "temporarily_unavailable")
    assert found.headers["retry-after"] == "3"
    assert asking.asked(client=("192.0.2.7", 1)).status_code == 200
    asking.clock.forward(seconds=3)
    assert asking.asked().status_code == 200
    assert asking.asked(client_assertion="nope").status_code == 401, "who succeeded begins anew"


# ---------------------------------------------------------------- keys


def test_a_client_changes_its_key_by_two_that_stand_beside_each_other(asking: Asking) -> None:
    follows = jwk.ECKey.generate_key("P-384", {"kid": "ec-2"})
    before = asking.assertion(follows)
    assert refused(asking.asked(client_assertion=before))[2] == UNPROVEN
    write_keys(asking.file, EC, follows)
    assert asking.asked(client_assertion=before).status_code == 200
    assert asking.asked(client_assertion=asking.assertion(EC)).status_code == 200
    write_keys(asking.file, follows)
    assert refused(asking.asked(client_assertion=asking.assertion(EC)))[2] == UNPROVEN
    assert asking.asked(client_assertion=asking.assertion(follows)).status_code == 200


@pytest.mark.parametrize(
    "text", [None, "{", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}]}']
)
def test_where_keys_cannot_be_read_nobody_is_let_in_by_them(asking: Asking, text: str | None) -> None:
    if text is None:
        asking.file.unlink()
    else:
        asking.file.write_text(text)
    assert refused(asking.asked())[:2] == (503, "server_error")


# ---------------------------------------------------------------- what is published


def test_programs_learn_where_tokens_are_given_and_how(asking: Asking) -> None:
    for path in (CONFIGURATION, OF_FHIR):
        found = asking.bench.browser().get(path)
        assert found.headers["content-type"] == "application/json"
        assert found.json() == {
            "token_endpoint": TOKEN_URL,
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
            "grant_types_supported": ["client_credentials"],
            "scopes_supported": ["system/Observation.cruds", "system/Patient.c"],
            "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
        }
    assert asking.bench.browser().get(KEYS).json() == {"keys": []}


def test_our_own_public_keys_are_published(asking: Asking) -> None:
    asking.register(published=(EC.as_dict(private=False),))
    assert asking.bench.browser().get(KEYS).json() == {"keys": [EC.as_dict(private=False)]}


def test_where_no_client_is_registered_there_is_nothing_to_ask(bench: Bench) -> None:
    for path in (CONFIGURATION, OF_FHIR):
        found = bench.browser().get(path)
        assert (found.status_code, found.json()["resourceType"]) == (404, "OperationOutcome")
    assert bench.browser().get(KEYS).json() == {"keys": []}
    assert refused(bench.browser().post("/token", data={"grant_type": "client_credentials"}))[:2] == (
        401,
        "invalid_client",
    )


def test_nothing_that_was_sent_stands_in_the_log(asking: Asking) -> None:
    """S-25: neither the assertion nor a parameter, of the body or of the address."""
    out = io.StringIO()
    logs.configure(json=True, stream=out)
    body = asking.form(client_assertion=asking.assertion(RSA, aud="https://canary-1177.example"), more="canary-1178")
    found = asking.bench.browser().post(
        "/token?client_secret=canary-1179", data=body, headers={"X-Canary": "canary-1180"}
    )
    assert refused(found)[1] == "invalid_client"
    said = out.getvalue()
    (line,) = [json.loads(one) for one in said.splitlines() if "token_refused" in one]
    assert line["reason"] == "other_audience"
    for canary in ("canary", body["client_assertion"]):
        assert canary not in said
