"""Signing in, staying, signing out (S-11 to S-13)."""

from __future__ import annotations

import msgspec
import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters
from web_parts import AGES, HERE, PASSWORD, SECRET, Bench

from labbridge.errors import Refused
from labbridge.model.people import Role
from labbridge.model.work import AuditEvent
from labbridge.web import passwords, throttle, visits


def sign_in(bench: Bench, login: str = "anna", password: str = PASSWORD, base: str = HERE, **client: object) -> object:
    browser = bench.browser(base, **client)  # type: ignore[arg-type]
    return browser.post("/login", data={"login": login, "password": password}, headers={"Origin": base})


def test_who_gives_login_and_password_is_in(anywhere: Bench) -> None:
    anywhere.person()
    browser = anywhere.browser()
    answer = browser.post("/login", data={"login": " Anna ", "password": PASSWORD}, headers={"Origin": HERE})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("labbridge=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert len(answer.cookies["labbridge"]) == 43  # 256 bits
    assert browser.get("/worklist").status_code == 200
    assert anywhere.audit("signed in") == [("anna", "workbench", "")]


@pytest.mark.parametrize(("login", "password"), [("anna", "another one"), ("nobody", PASSWORD), ("", ""), ("anna", "")])
def test_who_does_not_is_told_no_more_than_that(bench: Bench, login: str, password: str) -> None:
    bench.person()
    answer = sign_in(bench, login, password)
    assert answer.status_code == 401
    assert "do not belong together" in answer.text
    assert "set-cookie" not in answer.headers
    assert login not in {subject for _actor, subject, _detail in bench.audit("sign-in failed")} - {""}


def test_a_closed_account_is_no_account(bench: Bench) -> None:
    person = bench.person()
    browser = bench.signed_in()
    assert browser.get("/worklist").status_code == 200
    closed = msgspec.structs.replace(person, disabled="2026-11-27T09:00:00+00:00")
    bench.people.change(closed, AuditEvent(at=bench.clock.now(), actor="boss", action="account closed", subject="anna"))
    assert browser.get("/worklist").status_code == 401
    assert sign_in(bench).status_code == 401


def test_a_change_of_roles_ends_every_sign_in(anywhere: Bench) -> None:
    browser, admin = anywhere.signed_in(), anywhere.signed_in("boss", Role.ADMIN)
    changed = admin.post("/people/anna", {"name": "Anna Test", "role": ["viewer"], "feeds": "*"})
    assert (changed.status_code, changed.headers["hx-redirect"]) == (204, "/people")
    assert browser.get("/worklist").status_code == 401
    assert anywhere.audit("account changed") == [("boss", "anna", "viewer for *")]


# ---------------------------------------------------------------- how long it lasts


def test_a_sign_in_that_nobody_uses_ends(anywhere: Bench) -> None:
    browser = anywhere.signed_in()
    for _times in range(5):
        anywhere.clock.forward(minutes=14)
        assert browser.get("/worklist").status_code == 200
    anywhere.clock.forward(minutes=15)
    assert browser.get("/worklist").status_code == 401


def test_a_sign_in_ends_after_its_day_however_much_it_is_used(bench: Bench) -> None:
    browser = bench.signed_in()
    used = 0
    while browser.get("/worklist").status_code == 200:
        bench.clock.forward(minutes=10)
        used += 1
        assert used < 100
    assert used == 60


def test_a_clock_set_far_back_ends_a_sign_in(bench: Bench) -> None:
    browser = bench.signed_in()
    bench.clock.forward(hours=-2)
    assert browser.get("/worklist").status_code == 401


def test_signed_out_is_signed_out(anywhere: Bench) -> None:
    browser = anywhere.signed_in()
    answer = browser.post("/logout")
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/login")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    replayed = anywhere.browser()
    replayed.cookies.set(visits.COOKIE, browser.secret)
    assert replayed.get("/worklist").status_code == 401
    assert anywhere.audit("signed out") == [("anna", "workbench", "")]


def test_a_cookie_that_was_there_before_is_not_taken_over(bench: Bench) -> None:
    """Somebody else's choice of a session never becomes a sign-in."""
    bench.person()
    browser = bench.browser()
    browser.cookies.set(visits.COOKIE, "chosen-by-somebody-else")
    answer = browser.post("/login", data={"login": "anna", "password": PASSWORD}, headers={"Origin": HERE})
    assert answer.cookies["labbridge"] != "chosen-by-somebody-else"
    chosen = bench.browser()
    chosen.cookies.set(visits.COOKIE, "chosen-by-somebody-else")
    assert chosen.get("/worklist").status_code == 401


def test_old_sign_ins_are_swept_when_a_new_one_begins(anywhere: Bench) -> None:
    anywhere.signed_in()
    anywhere.clock.forward(hours=1)
    anywhere.signed_in()
    assert anywhere.rows.execute("SELECT count(*) FROM sessions").fetchone() == (1,)


def test_no_secret_is_kept(anywhere: Bench) -> None:
    browser = anywhere.signed_in()
    told = anywhere.rows.execute("SELECT digest FROM sessions").fetchone()
    assert bytes(told[0]) == visits.digest(browser.secret)
    assert browser.secret.encode() not in bytes(told[0])


# ---------------------------------------------------------------- over which connection


def test_over_tls_the_cookie_is_bound_to_this_host(bench: Bench) -> None:
    bench.person()
    cookie = sign_in(bench, base="https://127.0.0.1").headers["set-cookie"]
    assert cookie.startswith("__Host-labbridge=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")


def test_over_tls_a_cookie_that_plain_http_may_have_set_counts_for_nothing(bench: Bench) -> None:
    browser = bench.signed_in()
    secure = bench.browser("https://127.0.0.1")
    secure.cookies.set(visits.COOKIE, browser.secret)
    assert secure.get("/worklist").status_code == 401


def test_plain_http_from_another_machine_signs_nobody_in(bench: Bench) -> None:
    bench.person()
    answer = sign_in(bench, client=("192.0.2.7", 50_000))
    assert answer.status_code == 403
    assert "not encrypted" in answer.text
    page = bench.browser(client=("192.0.2.7", 50_000)).get("/login")
    assert "not encrypted" in page.text
    assert "<form" not in page.text


# ---------------------------------------------------------------- guessing


def test_the_hash_is_made_by_the_figures_owasp_gives() -> None:
    assert SECRET.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.matches(SECRET, PASSWORD)
    assert not passwords.matches(SECRET, PASSWORD + " ")
    assert not passwords.matches("", "nobody has this password")
    assert not passwords.matches("no hash at all", PASSWORD)


@pytest.mark.parametrize(
    "password", ["short", "x" * 257, "password1234", "qwertyuiop123", "111111111111", "Anna Weber 2026"]
)
def test_a_password_that_is_quickly_guessed_is_refused(password: str) -> None:
    with pytest.raises(Refused):
        passwords.hashed(password, "anna", "Anna Weber")


def test_a_hash_of_weaker_figures_is_made_anew_at_the_sign_in(bench: Bench) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    person = bench.person()
    event = AuditEvent(at=bench.clock.now(), actor="test", action="weakened", subject="anna")
    bench.people.change(msgspec.structs.replace(person, secret=weak), event)
    assert sign_in(bench).status_code == 303
    found = bench.people.by_login("anna")
    assert found is not None
    assert found.secret.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.matches(found.secret, PASSWORD)


def test_an_unknown_login_costs_the_same_work_as_a_known_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not be told by the clock whether an account is there: one hash by the same figures is computed either way."""
    bench.person()
    looked: list[tuple[Parameters, str]] = []
    real = PasswordHasher.verify

    def verify(hasher: PasswordHasher, secret: str, given: str) -> bool:
        looked.append((extract_parameters(secret), given))
        return real(hasher, secret, given)

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    answers = [sign_in(bench, login, "wrong password").status_code for login in ("anna", "nobody")]
    known, unknown = looked
    assert known == unknown
    assert answers[0] == answers[1]


def test_ten_thousand_guesses_are_hardly_looked_at(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a quarter of an hour from one address: thirty at most. Afterwards the right password opens the door."""
    bench.person()
    looked: list[str] = []
    real = passwords.matches
    monkeypatch.setattr(passwords, "matches", lambda secret, given: looked.append(given) or False)
    browser = bench.browser()
    for _number in range(10_000 // 50):
        answer = browser.post("/login", data={"login": "anna", "password": "guess"}, headers={"Origin": HERE})
        assert answer.status_code in (401, 429)
        bench.clock.forward(seconds=900 / 200)
    assert 5 < len(looked) <= 30
    assert int(answer.headers["retry-after"]) > 1
    monkeypatch.setattr(passwords, "matches", real)
    bench.clock.forward(minutes=16)
    assert sign_in(bench).status_code == 303


def test_guesses_at_once_are_counted_before_they_are_looked_at() -> None:
    now = [0.0]
    one = throttle.Throttle(lambda: now[0])
    assert [one.begun("login anna") for _times in range(7)] == [0, 0, 0, 0, 0, 2.0, 2.0]


def test_a_sign_in_that_succeeds_counts_nothing() -> None:
    now = [0.0]
    one = throttle.Throttle(lambda: now[0])
    for _times in range(50):
        now[0] += 1
        assert one.begun("login anna", "address a") == 0
        one.succeeded("login anna", "address a")


def test_no_wait_is_longer_than_a_quarter_of_an_hour() -> None:
    now = [0.0]
    one = throttle.Throttle(lambda: now[0])
    waits = []
    for _times in range(40):
        while (left := one.begun("login anna")) > 0:
            waits.append(left)
            now[0] += left
    assert max(waits) == throttle.LONGEST_S


def test_all_together_are_at_most_so_many_a_second() -> None:
    now = [0.5]
    one = throttle.Throttle(lambda: now[0])
    assert sum(one.begun(f"login {number}") == 0 for number in range(100)) == throttle.A_SECOND
    now[0] += 1
    assert one.begun("login 101") == 0


def test_what_is_remembered_is_bounded() -> None:
    now = [0.0]
    one = throttle.Throttle(lambda: now[0])
    for number in range(throttle.REMEMBERED + 500):
        now[0] += 0.1
        one.begun(f"login {number}")
    assert len(one._failures) == throttle.REMEMBERED


# ---------------------------------------------------------------- one's own account


def test_theme_and_language_are_a_persons_own(anywhere: Bench) -> None:
    browser = anywhere.signed_in()
    assert browser.post("/account", {"theme": "darkroom", "language": "fr"}).status_code == 204
    page = browser.get("/account")
    assert '<html lang="fr" data-theme="darkroom">' in page.text
    assert browser.post("/account", {"theme": "pink"}).status_code == 422


def test_another_password_needs_the_present_one_and_ends_every_sign_in(anywhere: Bench) -> None:
    browser, elsewhere = anywhere.signed_in(), anywhere.signed_in()
    assert browser.post("/account/password", {"password": "wrong", "new": "copper violin meadow 7"}).status_code == 422
    assert browser.post("/account/password", {"password": PASSWORD, "new": "short"}).status_code == 422
    assert elsewhere.get("/account").status_code == 200
    assert browser.post("/account/password", {"password": PASSWORD, "new": "copper violin meadow 7"}).status_code == 204
    assert [one.get("/account").status_code for one in (browser, elsewhere)] == [401, 401]
    assert sign_in(anywhere, password="copper violin meadow 7").status_code == 303
    assert anywhere.audit("password changed") == [("anna", "anna", "")]


def test_the_throttle_counts_guesses_of_the_present_password_too(bench: Bench) -> None:
    browser = bench.signed_in()
    for _times in range(5):
        browser.post("/account/password", {"password": "guess", "new": "copper violin meadow 7"})
    assert browser.post("/account/password", {"password": PASSWORD, "new": "copper violin meadow 7"}).status_code == 422


def test_the_ages_are_those_of_the_configuration() -> None:
    assert (AGES.idle.total_seconds(), AGES.longest.total_seconds(), AGES.signing.total_seconds()) == (900, 36_000, 300)
