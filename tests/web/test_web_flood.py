"""Guessing at the door (S-11, S-12): how much of a flood is looked at, and that it tells nobody which accounts there are."""

from __future__ import annotations

import pytest
from web_parts import HERE, PASSWORD, Bench

from labbridge.web import passwords


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that a password was really held against, in order."""
    found: list[str] = []
    real = passwords._hasher

    class Counting:
        def verify(self, secret: str, password: str) -> bool:
            found.append(secret)
            return bool(real.verify(secret, password))

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

    monkeypatch.setattr(passwords, "_hasher", Counting())
    return found


def test_of_ten_thousand_tries_thirty_are_looked_at_and_the_right_one_still_opens(
    bench: Bench, evaluated: list[str]
) -> None:
    """In a quarter of an hour, each an HTTP request of its own, on one account from one address."""
    bench.person()
    browser, told = bench.browser(), dict[int, int]()
    for _number in range(10_000):
        answer = browser.post("/login", data={"login": "anna", "password": "guess"}, headers={"Origin": HERE})
        told[answer.status_code] = told.get(answer.status_code, 0) + 1
        bench.clock.forward(seconds=0.09)
    assert set(told) == {401, 429}
    assert 5 < len(evaluated) <= 30
    assert told[401] == len(evaluated) == len(bench.audit("sign-in failed"))
    bench.clock.forward(seconds=int(answer.headers["retry-after"]))
    answer = browser.post("/login", data={"login": "anna", "password": PASSWORD}, headers={"Origin": HERE})
    assert answer.status_code == 303
    assert browser.get("/worklist").status_code == 200


@pytest.mark.parametrize("login", ["anna", "nobody", "carl", "otto", "", "no login at all"])
def test_every_login_costs_one_hash_of_the_same_figures(bench: Bench, evaluated: list[str], login: str) -> None:
    """Known, unknown, closed, or the hospital's: the time of an answer does not tell which (S-11)."""
    bench.person("anna")
    bench.person("carl", disabled="2026-11-27T09:00:00+00:00")
    hospital = bench.person("otto")
    bench.writer.submit(
        lambda store: store.execute("UPDATE people SET secret = '' WHERE id = ?", (hospital.key,))
    ).result()
    bench.browser().post("/login", data={"login": login, "password": "guess"}, headers={"Origin": HERE})
    assert len(evaluated) == 1
    assert evaluated[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
