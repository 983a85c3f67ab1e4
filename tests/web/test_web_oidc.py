"""Signing in by the hospital's identity provider (S-15): a real one on a socket, and each way to lie."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from joserfc import jwk, jwt
from provider_parts import CLIENT, CLIENT_SECRET, Guest, Idp, half_hash, part, provided
from story_parts import BLOT, obx, order, oru
from web_parts import HERE, SECRET, Bench, Browser

from labbridge.model.people import Person, Role
from labbridge.model.work import AuditEvent
from labbridge.web import fetching, visits

NOBODY = "gave no answer that proves who you are"


@pytest.fixture
def idp(bench: Bench) -> Iterator[Idp]:
    with provided(bench) as found:
        yield found


def sessions(bench: Bench) -> int:
    return int(bench.rows.execute("SELECT count(*) FROM sessions").fetchone()[0])


def why(bench: Bench) -> list[str]:
    return [detail for _actor, _subject, detail in bench.audit("sign-in failed")]


# ---------------------------------------------------------------- as it should be


def test_who_the_hospital_knows_is_in(anywhere: Bench) -> None:
    with provided(anywhere) as idp:
        guest = Guest(anywhere, idp)
        answer = guest.signs_in()
        assert answer.status_code == 200
        assert '<meta http-equiv="refresh" content="0; url=/">' in answer.text
        cookies = answer.headers.get_list("set-cookie")
        assert cookies[0].startswith("labbridge=")
        assert cookies[0].endswith("; Path=/; HttpOnly; SameSite=Strict")
        assert cookies[1] == "labbridge-begun=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        assert guest.client.get("/worklist").status_code == 200
        person = anywhere.people.by_login("anna")
        assert person is not None
        assert (person.name, person.roles, person.secret) == ("Anna Weber", frozenset({Role.SCIENTIST}), "")
        assert person.subject == f"{idp.issuer}|s-1"
        assert anywhere.audit("account made") == [("labbridge", "anna", "by the identity provider: scientist")]
        assert anywhere.audit("signed in") == [("anna", "workbench", "by the identity provider")]
        assert anywhere.rows.execute("SELECT count(*) FROM sign_ins").fetchone() == (0,)
        assert Guest(anywhere, idp).signs_in().status_code == 200
        assert len(anywhere.audit("account made")) == 1


def test_the_page_to_sign_in_leads_there(bench: Bench, idp: Idp) -> None:
    assert 'href="/login/oidc"' in bench.browser().get("/login").text
    bench.with_parts(hospital=None)
    assert "/login/oidc" not in bench.browser().get("/login").text
    assert bench.browser().get("/login/oidc").status_code == 404
    assert bench.browser().get("/login/oidc/callback?code=1&state=2").status_code == 404


def test_the_cookie_of_what_was_begun_is_short_lived_and_lax(bench: Bench, idp: Idp) -> None:
    answer = bench.browser().get("/login/oidc")
    assert answer.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax; Max-Age=600")
    secure = bench.browser("https://127.0.0.1").get("/login/oidc").headers["set-cookie"]
    assert secure.startswith("__Host-labbridge-begun=")
    assert secure.endswith("; Secure")


def test_over_plain_http_from_elsewhere_nobody_is_sent(bench: Bench, idp: Idp) -> None:
    answer = bench.browser(client=("192.0.2.7", 5)).get("/login/oidc")
    assert answer.status_code == 403
    assert "not encrypted" in answer.text


def test_sites_come_by_their_claim(bench: Bench) -> None:
    with provided(bench, feeds_claim="groups.sites", feeds={"north": "myolis", "south": "elsewhere other"}) as idp:
        idp.person["groups"] = {"sites": ["south", "unknown", "north"]}
        Guest(bench, idp).signs_in()
    person = bench.people.by_login("anna")
    assert person is not None
    assert person.feeds == ("elsewhere", "myolis", "other")


def test_keys_that_were_changed_are_fetched(bench: Bench, idp: Idp) -> None:
    assert Guest(bench, idp).signs_in().status_code == 200
    idp.keys.insert(0, jwk.RSAKey.generate_key(2048, {"kid": "two"}))
    assert Guest(bench, idp).signs_in().status_code == 200
    idp.keys = [jwk.ECKey.generate_key("P-256", {"kid": "three"})]
    idp.header = {"alg": "ES256"}
    assert Guest(bench, idp).signs_in().status_code == 200
    assert idp.asked.count("/keys") == 3


def test_a_token_without_the_hash_of_one_that_is_not_used_is_taken(bench: Bench, idp: Idp) -> None:
    """OpenID Connect Core 3.1.3.6: at_hash may be left out where the code was exchanged; the access token is not used."""
    idp.claims["at_hash"] = None
    assert Guest(bench, idp).signs_in().status_code == 200


# ---------------------------------------------------------------- each way to lie


def unsigned(_header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{part({'alg': 'none'})}.{part(claims)}."


def by_the_public_key(idp: Idp) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    """HS256, with what everybody can read of the provider's key as the secret."""
    key = idp.keys[0].as_pem(private=False)

    def signed(header: dict[str, Any], claims: dict[str, Any]) -> str:
        text = f"{part({**header, 'alg': 'HS256'})}.{part(claims)}"
        made = hmac.new(key, text.encode(), hashlib.sha256).digest()
        return f"{text}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"

    return signed


def by_another_key(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return jwt.encode(header, claims, jwk.RSAKey.generate_key(2048, {"kid": "one"}))


def with_a_key_of_its_own(header: dict[str, Any], claims: dict[str, Any]) -> str:
    own = jwk.RSAKey.generate_key(2048)
    return jwt.encode({**header, "kid": "mine", "jwk": own.as_dict(private=False)}, claims, own)


HOUR = 3600
LIES: dict[str, Callable[[Idp, float], Any]] = {
    "alg none": lambda idp, now: setattr(idp, "sign", unsigned),
    "HS256 by the public key": lambda idp, now: setattr(idp, "sign", by_the_public_key(idp)),
    "another key": lambda idp, now: setattr(idp, "sign", by_another_key),
    "a key that it brings along": lambda idp, now: setattr(idp, "sign", with_a_key_of_its_own),
    "an algorithm that was not configured": lambda idp, now: idp.header.update(alg="RS512"),
    "a word": lambda idp, now: setattr(idp, "sign", lambda header, claims: "no.token"),
    "a list": lambda idp, now: setattr(idp, "sign", lambda header, claims: f"{part(header)}.{part([])}.AAAA"),
    "another audience": lambda idp, now: idp.claims.update(aud="another"),
    "two audiences and no azp": lambda idp, now: idp.claims.update(aud=[CLIENT, "another"]),
    "issued to another": lambda idp, now: idp.claims.update(azp="another"),
    "no audience": lambda idp, now: idp.claims.update(aud=None),
    "another issuer": lambda idp, now: idp.claims.update(iss="https://elsewhere.example"),
    "no issuer": lambda idp, now: idp.claims.update(iss=None),
    "another nonce": lambda idp, now: idp.claims.update(nonce="another"),
    "no nonce": lambda idp, now: idp.claims.update(nonce=None),
    "no subject": lambda idp, now: idp.claims.update(sub=None),
    "an empty subject": lambda idp, now: idp.claims.update(sub=""),
    "a subject that is a number": lambda idp, now: idp.claims.update(sub=5),
    "expired": lambda idp, now: idp.claims.update(exp=now - HOUR),
    "no expiry": lambda idp, now: idp.claims.update(exp=None),
    "an expiry in words": lambda idp, now: idp.claims.update(exp="tomorrow"),
    "of the future": lambda idp, now: idp.claims.update(iat=now + HOUR, exp=now + 2 * HOUR),
    "not valid yet": lambda idp, now: idp.claims.update(nbf=now + HOUR),
    "the hash of another token": lambda idp, now: idp.claims.update(at_hash=half_hash("another")),
    "no token": lambda idp, now: idp.answers.update(
        {"/token": (200, b'{"access_token": "a", "token_type": "Bearer"}')}
    ),
    "a refusal": lambda idp, now: idp.answers.update({"/token": (400, b'{"error": "<script>canary-1207</script>"}')}),
    "a fault": lambda idp, now: idp.answers.update({"/token": (500, b"<html>")}),
    "no JSON": lambda idp, now: idp.answers.update({"/token": (200, b"<html>")}),
    "deep JSON": lambda idp, now: idp.answers.update({"/token": (200, b"[" * 200_000)}),
    "an answer without end": lambda idp, now: idp.answers.update({"/token": (200, b"x" * (fetching.LONGEST + 1))}),
    "elsewhere": lambda idp, now: idp.answers.update({"/token": (302, b"")}),
    "keys without end": lambda idp, now: idp.answers.update({"/keys": (200, b"x" * (fetching.LONGEST + 1))}),
    "no keys": lambda idp, now: idp.answers.update({"/keys": (200, b'{"keys": []}')}),
    "keys elsewhere": lambda idp, now: idp.published.update(jwks_uri="http://keys.example/"),
    "a token endpoint without TLS": lambda idp, now: idp.published.update(token_endpoint="http://tokens.example/"),
}


@pytest.mark.parametrize("lie", list(LIES))
def test_an_answer_that_lies_signs_nobody_in(bench: Bench, idp: Idp, lie: str) -> None:
    LIES[lie](idp, bench.clock.now().timestamp())
    guest = Guest(bench, idp)
    answer = guest.signs_in()
    assert answer.status_code == 403, lie
    assert NOBODY in answer.text
    assert not any(one.startswith("labbridge=") for one in answer.headers.get_list("set-cookie"))
    assert sessions(bench) == 0
    assert bench.people.everybody() == []
    (told,) = why(bench)
    assert told.startswith("identity provider: it")
    assert "canary" not in told + answer.text
    assert bench.rows.execute("SELECT count(*) FROM sign_ins").fetchone() == (0,)
    assert "/elsewhere" not in idp.asked


BEFORE: dict[str, Callable[[Idp], Any]] = {
    "another issuer": lambda idp: idp.published.update(issuer="https://elsewhere.example"),
    "no address": lambda idp: idp.published.update(authorization_endpoint=None),
    "an address without TLS": lambda idp: idp.published.update(authorization_endpoint="http://login.example/"),
    "a script": lambda idp: idp.published.update(authorization_endpoint="javascript:alert(1)"),
    "a document without end": lambda idp: idp.answers.update(
        {"/.well-known/openid-configuration": (200, b" " * (fetching.LONGEST + 1))}
    ),
    "a document elsewhere": lambda idp: idp.answers.update({"/.well-known/openid-configuration": (302, b"")}),
    "nothing": lambda idp: idp.answers.update({"/.well-known/openid-configuration": (404, b"")}),
}


@pytest.mark.parametrize("fault", list(BEFORE))
def test_nobody_is_sent_to_a_provider_that_describes_itself_wrongly(bench: Bench, idp: Idp, fault: str) -> None:
    BEFORE[fault](idp)
    answer = bench.browser().get("/login/oidc")
    assert answer.status_code == 502
    assert NOBODY in answer.text
    assert len(why(bench)) == 1


def test_a_provider_that_is_not_there_is_said(bench: Bench, idp: Idp) -> None:
    idp.close()
    assert bench.browser().get("/login/oidc").status_code == 502
    assert why(bench) == ["identity provider: it gives no whole answer (ConnectionRefusedError)"]


def test_a_provider_that_drips_is_left(bench: Bench, idp: Idp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps no thread: the time is of the whole exchange."""
    monkeypatch.setattr(fetching, "WITHIN_S", 0.6)
    waits = iter(lambda: time.sleep(0.2), None)
    monkeypatch.setattr(
        idp.server.RequestHandlerClass,
        "_reply",
        lambda handler, _body: [handler.wfile.write(b"H") for _one in zip(range(40), waits, strict=False)],
    )
    began = time.monotonic()
    assert bench.browser().get("/login/oidc").status_code == 502
    assert time.monotonic() - began < 6.0


def test_more_than_a_few_do_not_wait_for_it(bench: Bench, idp: Idp) -> None:
    assert bench.parts.hospital is not None
    turns = bench.parts.hospital._turns
    held = [turns.acquire(blocking=False) for _number in range(4)]
    assert bench.browser().get("/login/oidc").status_code == 502
    for _one in held:
        turns.release()
    assert bench.browser().get("/login/oidc").status_code == 303


# ---------------------------------------------------------------- whose answer, for what


def test_an_answer_is_good_for_once(bench: Bench, idp: Idp) -> None:
    guest = Guest(bench, idp)
    way = idp.visited(guest.begins())
    kept = guest.client.cookies.get(visits.BEGUN)
    assert guest.comes_back(way).status_code == 200
    guest.client.cookies.set(visits.BEGUN, kept)
    assert guest.comes_back(way).status_code == 400
    assert sessions(bench) == 1


def test_a_code_is_good_for_once(bench: Bench, idp: Idp) -> None:
    """A stolen one, in a sign-in that the thief began: PKCE binds it to whoever it was given to."""
    guest, thief = Guest(bench, idp), Guest(bench, idp)
    code = idp.visited(guest.begins()).partition("code=")[2].partition("&")[0]
    own = idp.visited(thief.begins())
    mixed = own.replace(own.partition("code=")[2].partition("&")[0], code)
    assert thief.comes_back(mixed).status_code == 403
    assert sessions(bench) == 0


@pytest.mark.parametrize("what", ["another browser", "no browser of ours", "another state", "no state", "too late"])
def test_an_answer_to_what_this_browser_did_not_begin_is_none(bench: Bench, idp: Idp, what: str) -> None:
    guest = Guest(bench, idp)
    way = idp.visited(guest.begins())
    before = len(idp.asked)
    if what == "another browser":
        guest = Guest(bench, idp)
        guest.begins()
    elif what == "no browser of ours":
        guest = Guest(bench, idp)
    elif what == "another state":
        way = way.replace("state=", "state=x")
    elif what == "no state":
        way = way.replace("state=", "other=")
    else:
        bench.clock.forward(minutes=10)
    answer = guest.comes_back(way)
    assert answer.status_code == 400
    assert "was not begun in this browser" in answer.text
    assert "/token" not in idp.asked[before:], "no code is spent for it"
    assert sessions(bench) == 0


@pytest.mark.parametrize("issuer", [None, "https://elsewhere.example"])
def test_an_answer_of_another_provider_is_none(bench: Bench, idp: Idp, issuer: str | None) -> None:
    """The mix-up attack: the code goes nowhere."""
    before = idp.asked.count("/token")
    assert Guest(bench, idp).signs_in(issuer=issuer).status_code == 403
    assert idp.asked.count("/token") == before


def test_a_provider_that_does_not_say_who_it_is_need_not(bench: Bench, idp: Idp) -> None:
    idp.published["authorization_response_iss_parameter_supported"] = None
    assert Guest(bench, idp).signs_in(issuer=None).status_code == 200


def test_a_refusal_is_told_in_our_words(bench: Bench, idp: Idp) -> None:
    guest = Guest(bench, idp)
    state = idp.visited(guest.begins()).partition("state=")[2].partition("&")[0]
    way = f"/login/oidc/callback?state={state}&error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E"
    answer = guest.comes_back(way)
    assert answer.status_code == 403
    assert "did not sign you in" in answer.text
    assert "alert(1)" not in answer.text
    assert why(bench) == ["identity provider: it signed nobody in"]


def test_what_nobody_came_back_from_is_swept(bench: Bench, idp: Idp) -> None:
    for _number in range(3):
        bench.browser().get("/login/oidc")
    bench.clock.forward(minutes=11)
    bench.browser().get("/login/oidc")
    assert bench.rows.execute("SELECT count(*) FROM sign_ins").fetchone() == (1,)


def test_whoever_begins_again_and_again_waits(bench: Bench, idp: Idp) -> None:
    browser = bench.browser()
    told = [browser.get("/login/oidc").status_code for _number in range(6)]
    assert told == [303] * 5 + [429]


def test_no_secret_is_kept(bench: Bench, idp: Idp) -> None:
    """Neither state nor cookie of what was begun, nor code, token or the client's secret, in any table."""
    guest = Guest(bench, idp)
    url = guest.begins()
    state, kept = url.partition("state=")[2].partition("&")[0], guest.client.cookies[visits.BEGUN]
    held = dumped(bench)
    assert state not in held
    assert kept.strip('"').partition(".")[0] not in held
    guest.comes_back(idp.visited(url))
    held = dumped(bench)
    for one in ("canary-8841", "canary-3319", CLIENT_SECRET, guest.client.cookies[visits.COOKIE], "eyJ"):
        assert one not in held


def dumped(bench: Bench) -> str:
    tables = [row[0] for row in bench.rows.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
    return repr([bench.rows.execute(f'SELECT * FROM "{one}"').fetchall() for one in tables])


# ---------------------------------------------------------------- which account


@pytest.mark.parametrize("roles", [[], ["ward-7"], "lab", None, {"lab-mta": True}, [["lab-mta"]]])
def test_nobody_has_a_role_by_default(bench: Bench, idp: Idp, roles: Any) -> None:
    idp.person["roles"] = roles
    answer = Guest(bench, idp).signs_in()
    assert answer.status_code == 403
    assert "has no role at this workbench" in answer.text
    assert bench.people.everybody() == []


def test_without_a_map_of_roles_nobody_gets_one(bench: Bench) -> None:
    with provided(bench, roles={}) as idp:
        idp.person["roles"] = ["admin", "scientist"]
        assert Guest(bench, idp).signs_in().status_code == 403


def test_roles_that_do_not_go_together_are_refused(bench: Bench, idp: Idp) -> None:
    idp.person["roles"] = ["lab-mta", "lab-edv"]
    answer = Guest(bench, idp).signs_in()
    assert answer.status_code == 403
    assert "signs no results" in answer.text


@pytest.mark.parametrize("login", ["", "a", "Anna Weber", "@hospital.example", "anna<script>", "x" * 60, 7])
def test_a_login_that_is_none_is_refused(bench: Bench, idp: Idp, login: Any) -> None:
    idp.person["preferred_username"] = login
    answer = Guest(bench, idp).signs_in()
    assert answer.status_code == 403
    assert "is no login" in answer.text
    assert "<script>" not in answer.text.partition("<main")[2]


def test_an_account_with_a_password_is_not_taken_over(bench: Bench, idp: Idp) -> None:
    bench.person("anna", Role.SENIOR)
    answer = Guest(bench, idp).signs_in()
    assert answer.status_code == 403
    assert "an administrator has to link it" in answer.text
    found = bench.people.by_login("anna")
    assert found is not None
    assert (found.subject, found.secret) == ("", SECRET)


def test_an_administrator_links_an_account(bench: Bench, idp: Idp) -> None:
    bench.person("anna", Role.SENIOR, feeds=("myolis",))
    from web_parts import CONFIG

    from labbridge.accounts import Accounts

    assert CONFIG.web.oidc is None
    accounts = Accounts(bench.people, bench.clock, idp.issuer)
    accounts.perform("anna", "Ada Martin", {"act": "link", "subject": "s-1"})
    assert Guest(bench, idp).signs_in().status_code == 200
    found = bench.people.by_login("anna")
    assert found is not None
    assert (found.secret, found.roles, found.feeds) == ("", frozenset({Role.SCIENTIST}), ("myolis",))
    assert bench.audit("account linked") == [("Ada Martin", "anna", "")]
    assert [one.login for one in bench.people.everybody()] == ["anna"]


def test_a_change_of_roles_there_ends_the_other_sign_ins(bench: Bench, idp: Idp) -> None:
    first = Guest(bench, idp)
    first.signs_in()
    idp.person["roles"] = ["lab-oa"]
    second = Guest(bench, idp)
    second.signs_in()
    assert first.client.get("/worklist").status_code == 401
    assert second.client.get("/readings").status_code == 200
    assert bench.audit("account changed") == [("labbridge", "anna", "by the identity provider: senior")]


def test_roles_that_were_taken_away_there_are_none_here(bench: Bench, idp: Idp) -> None:
    first = Guest(bench, idp)
    first.signs_in()
    idp.person["roles"] = []
    assert Guest(bench, idp).signs_in().status_code == 403
    assert first.client.get("/worklist").status_code == 401
    found = bench.people.by_login("anna")
    assert found is not None
    assert found.roles == frozenset()


def test_a_closed_account_stays_closed(bench: Bench, idp: Idp) -> None:
    Guest(bench, idp).signs_in()
    found = bench.people.by_login("anna")
    assert found is not None
    closed = msgspec.structs.replace(found, disabled=bench.clock.now().isoformat())
    bench.people.change(closed, AuditEvent(at=bench.clock.now(), actor="test", action="closed", subject="anna"))
    answer = Guest(bench, idp).signs_in()
    assert answer.status_code == 403
    assert "is closed" in answer.text


def test_an_account_of_the_hospital_has_no_password(bench: Bench, idp: Idp) -> None:
    Guest(bench, idp).signs_in()
    for password in ("", "nobody has this password"):
        answer = bench.browser().post("/login", data={"login": "anna", "password": password}, headers={"Origin": HERE})
        assert answer.status_code == 401


# ---------------------------------------------------------------- before a signature


def hospital_person(bench: Bench, idp: Idp) -> Guest:
    guest = Guest(bench, idp)
    guest.signs_in()
    found = bench.people.by_login("anna")
    assert found is not None
    widened = msgspec.structs.replace(found, feeds=("*",))
    bench.people.change(widened, AuditEvent(at=bench.clock.now(), actor="test", action="widened", subject="anna"))
    guest.signs_in()
    return guest


def proven(bench: Bench, guest: Guest) -> bool:
    session = bench.people.session(visits.digest(guest.client.cookies[visits.COOKIE]))
    assert session is not None
    return bench.parts.ages.proven(session, bench.clock.now())


def test_a_sign_in_of_the_morning_proves_nothing_now(bench: Bench, idp: Idp) -> None:
    idp.claims["auth_time"] = bench.clock.now().timestamp() - 2 * HOUR
    assert not proven(bench, hospital_person(bench, idp))
    idp.claims["auth_time"] = None
    assert not proven(bench, hospital_person(bench, idp))


async def test_who_has_no_password_proves_it_there_and_comes_back_to_the_case(bench: Bench, idp: Idp) -> None:
    await bench.lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    guest = hospital_person(bench, idp)
    bench.clock.forward(minutes=6)
    page = guest.client.get("/cases/C1").text
    assert 'href="/login/oidc/again?case=C1"' in page
    assert 'id="sign-password"' not in page
    before = guest.client.cookies[visits.COOKIE]
    url = guest.begins("/login/oidc/again?case=C1")
    assert "prompt=login" in url
    assert "max_age=0" in url
    answer = guest.comes_back(idp.visited(url))
    assert 'content="0; url=/cases/C1"' in answer.text
    assert proven(bench, guest)
    assert guest.client.cookies[visits.COOKIE] != before
    assert bench.people.session(visits.digest(before)) is None, "one sign-in stands in the other's place"
    page = guest.client.get("/cases/C1").text
    assert "/login/oidc/again" not in page
    assert bench.audit("proven again") == [("anna", "workbench", "by the identity provider")]


@pytest.mark.parametrize("when", [-2 * HOUR, -90, HOUR, None, "now", 0])
def test_a_proof_that_is_old_is_none(bench: Bench, idp: Idp, when: Any) -> None:
    guest = hospital_person(bench, idp)
    bench.clock.forward(minutes=6)
    now = bench.clock.now().timestamp()
    idp.claims["auth_time"] = now + when if isinstance(when, int) and when else when
    answer = guest.signs_in("/login/oidc/again?case=C1")
    assert answer.status_code == 403
    assert not proven(bench, guest)
    assert guest.client.get("/worklist").status_code == 200, "the sign-in that was there stays"


def test_somebody_else_proves_nothing(bench: Bench, idp: Idp) -> None:
    guest = hospital_person(bench, idp)
    bench.clock.forward(minutes=6)
    idp.person = {**idp.person, "sub": "s-2", "preferred_username": "berta"}
    answer = guest.signs_in("/login/oidc/again?case=C1")
    assert answer.status_code == 403
    assert "somebody else" in answer.text
    assert not proven(bench, guest)
    assert bench.people.by_login("berta") is None


def test_who_has_signed_out_meanwhile_proves_nothing(bench: Bench, idp: Idp) -> None:
    guest = hospital_person(bench, idp)
    way = idp.visited(guest.begins("/login/oidc/again?case=C1"))
    Browser(guest.client, guest.client.cookies[visits.COOKIE]).post("/logout")
    assert sessions(bench) == 0
    answer = guest.comes_back(way)
    assert answer.status_code == 403
    assert "has ended meanwhile" in answer.text
    assert sessions(bench) == 0


@pytest.mark.parametrize(
    "case", ["", "//elsewhere.example", "https://elsewhere.example", "C1/../../people", "C1\r\nX: y", "1"]
)
def test_the_way_back_is_to_a_case_or_to_the_start(bench: Bench, idp: Idp, case: str) -> None:
    guest = hospital_person(bench, idp)
    answer = guest.client.get("/login/oidc/again", params={"case": case})
    assert answer.status_code == 303
    assert 'content="0; url=/"' in guest.comes_back(idp.visited(answer.headers["location"])).text


def test_the_pages_are_in_french_too(bench: Bench, idp: Idp) -> None:
    page = bench.browser().get("/login", headers={"Accept-Language": "fr"}).text
    assert "Se connecter avec votre compte de l&#39;hôpital" in page


def test_a_person_is_not_found_by_an_empty_subject(bench: Bench) -> None:
    bench.person()
    assert bench.people.by_subject("") is None
    assert isinstance(bench.people.by_login("anna"), Person)
