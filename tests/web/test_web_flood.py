"""Guessing at the door (S-11, S-12): how much of a flood is looked at, and that it tells nobody which accounts there are."""

from __future__ import annotations

from collections import Counter
from typing import Any

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


GUESS = b"login=anna&password=guess"
POST = {
    "type": "http", "method": "POST", "path": "/login", "raw_path": b"/login", "query_string": b"", "scheme": "http",
    "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "http_version": "1.1", "root_path": "",
    "headers": [
        (b"host", b"127.0.0.1"), (b"origin", HERE.encode()), (b"content-length", str(len(GUESS)).encode()),
        (b"content-type", b"application/x-www-form-urlencoded"),
    ],
}  # fmt: skip


async def tried(bench: Bench) -> dict[str, Any]:
    """The head of the answer to a guess, asked without a client's own time."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": GUESS, "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await bench.app({**POST, "state": {}}, receive, send)
    return {"status": said[0]["status"], **{name.decode(): one.decode() for name, one in said[0]["headers"]}}


async def test_of_ten_thousand_tries_thirty_are_looked_at_and_the_right_one_still_opens(
    bench: Bench, evaluated: list[str]
) -> None:
    """In a quarter of an hour, each a request of its own, on one account from one address."""
    bench.person()
    told: Counter[int] = Counter()
    for _number in range(10_000):
        answer = await tried(bench)
        told[answer["status"]] += 1
        bench.clock.forward(seconds=0.09)
    assert set(told) == {401, 429}
    assert 5 < len(evaluated) <= 30
    assert told[401] == len(evaluated) == len(bench.audit("sign-in failed"))
    bench.clock.forward(seconds=int(answer["retry-after"]))
    browser = bench.browser()
    opened = browser.post("/login", data={"login": "anna", "password": PASSWORD}, headers={"Origin": HERE})
    assert opened.status_code == 303
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
