"""The outbox: those that failed first, and each attempt with the bytes of both sides, opened for a reason."""

from __future__ import annotations

import re

import pytest
from messages_parts import WHY, senior, text_of
from web_parts import Bench
from worklist_parts import BLOT, ELSEWHERE, FEED, Lis, Site, obx

from labbridge.errors import Retry
from labbridge.hl7.ack import Acknowledgement
from labbridge.model.people import Role
from labbridge.model.work import Feed
from labbridge.states import Reason
from labbridge.store import deliveries as stored
from tests.summed import summed

SECRET = "PATIENT DOE UNKNOWN"


class Away:
    """A receiver that gives no answer that can be trusted."""

    name = "lis"

    def __init__(self, heard: bytes = b"") -> None:
        self._heard = heard

    async def send(self, raw: bytes, control_id: str) -> Acknowledgement:
        raise Retry(Reason.NO_ANSWER, "No acknowledgement (TimeoutError)", self._heard)


async def signed(site: Site, number: str, feed: Feed = FEED) -> None:
    """A comment on its way."""
    await site.patient(number, obx(BLOT, "58"), feed=feed)
    case = site.cases()[-1]
    site.release(f"C{case.key}@{case.version}")


async def refused(bench: Bench, *, times: int, said: str = "MSA|AE|$ID|PATIENT DOE UNKNOWN") -> None:
    for _attempt in range(times):
        await bench.lab.deliver(Lis(said))
        bench.clock.forward(minutes=10)


async def several(bench: Bench) -> Site:
    """D1 acknowledged, D2 given up, D3 waiting, D4 waiting at another site."""
    site = Site(bench)
    await signed(site, "PT1")
    await bench.lab.deliver(Lis())
    await signed(site, "PT2")
    await refused(bench, times=10)
    await signed(site, "PT3")
    await signed(site, "PT4", ELSEWHERE)
    assert [state for state, _attempts in bench.lab.deliveries()] == ["acknowledged", "failed", "waiting", "waiting"]
    return site


def keys(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/outbox/(D\d+)">', page)


# ---------------------------------------------------------------- the list


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", ["D2", "D3", "D4"]),
        ("?state=failed", ["D2"]),
        ("?state=waiting", ["D3", "D4"]),
        ("?state=sent", []),
        ("?state=acknowledged", ["D1"]),
        ("?state=cancelled", []),
        ("?receiver=lis", ["D2", "D3", "D4"]),
        ("?receiver=other", []),
        ("?after=0-2", ["D3", "D4"]),
        ("?after=1-3", ["D4"]),
    ],
)
async def test_deliveries_by_state_those_that_failed_first(anywhere: Bench, asked: str, found: list[str]) -> None:
    await several(anywhere)
    assert keys(senior(anywhere).get(f"/outbox{asked}").text) == found


async def test_a_row_tells_age_attempts_and_refusals_and_nothing_the_receiver_wrote(bench: Bench) -> None:
    await several(bench)
    page = senior(bench).get("/outbox").text
    shown = text_of(page)
    assert "D2 C2@1 lis ▲ failed · 10 times AE" in shown
    assert "1 h 10 10" in shown
    assert "Send failed 1 oldest 1 h" in shown
    assert SECRET not in page


@pytest.mark.parametrize("asked", ["state=x", "after=3", "after=9-1", "after=x", f"receiver={'x' * 81}"])
async def test_what_no_address_means_is_said(bench: Bench, asked: str) -> None:
    assert senior(bench).get(f"/outbox?{asked}").status_code == 422


async def test_pages_miss_nothing(anywhere: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(anywhere)
    await signed(site, "PT1")
    copy = (
        'INSERT INTO outbox(id, "case", version, comment, receiver, lane, control_id, raw, state, reason, created, updated)'
        " SELECT {0}, \"case\", version, comment, receiver, lane, 'X{0}', raw, '{1}', '', created, updated FROM outbox"
        " WHERE id = 1"
    )
    for number in range(2, 121):
        state = ("failed", "waiting", "sent")[number % 3] if number <= 80 else "acknowledged"
        sql = copy.format(number, state)
        anywhere.writer.submit(lambda c, sql=sql: c.execute(sql)).result()
    browser, seen = senior(anywhere), list[str]()
    monkeypatch.setattr(stored, "SPAN", 30)
    for path in ("/outbox", "/outbox?state=acknowledged"):
        pages = 0
        while path and pages < 9:
            page = browser.get(path).text
            seen += keys(page)
            following = re.search(r'<a href="([^"]*)" rel="next">', page)
            path, pages = (following[1].replace("&amp;", "&") if following else ""), pages + 1
        assert path == ""
    assert sorted(seen) == sorted(f"D{number}" for number in range(1, 121))
    assert [int(one[1:]) % 3 for one in seen[:26]] == [0] * 26


async def test_another_sites_deliveries_are_not_there(anywhere: Bench) -> None:
    await several(anywhere)
    browser = senior(anywhere, feeds=("myolis",))
    assert keys(browser.get("/outbox").text) == ["D2", "D3"]
    assert browser.get("/outbox/D4").status_code == 404
    assert browser.post("/outbox/D4/open", WHY).status_code == 404
    assert browser.post("/outbox/D4/again", WHY).status_code == 404
    assert keys(senior(anywhere, "none", feeds=()).get("/outbox").text) == []
    for key in ("D9", "D0", "M1", "D1x", "D" + "9" * 30):
        assert browser.get(f"/outbox/{key}").status_code == 404


async def test_an_application_acknowledgement_is_for_who_belongs_to_every_site(bench: Bench) -> None:
    await signed(Site(bench), "PT1")
    bench.writer.submit(lambda c: c.execute('UPDATE outbox SET "case" = 0')).result()
    assert "application acknowledgement" in senior(bench).get("/outbox").text
    assert senior(bench).get("/outbox/D1").status_code == 200
    assert senior(bench, "ben", feeds=("myolis",)).get("/outbox/D1").status_code == 404


# ---------------------------------------------------------------- one delivery


async def test_both_sides_bytes_of_every_attempt_are_opened_for_a_reason(anywhere: Bench) -> None:
    site = Site(anywhere)
    await signed(site, "PT1")
    await anywhere.lab.deliver(Away(b"\x0bMSH|late"))  # type: ignore[arg-type]
    anywhere.clock.forward(minutes=10)
    await anywhere.lab.deliver(Away())  # type: ignore[arg-type]
    anywhere.clock.forward(minutes=10)
    await refused(anywhere, times=1)
    lis = Lis()
    await anywhere.lab.deliver(lis)
    browser = senior(anywhere)
    closed = browser.get("/outbox/D1").text
    assert text_of(closed).count("no answer · No acknowledgement (TimeoutError)") == 2
    assert "refused · AE" in text_of(closed)
    assert "acknowledged · AA received" in text_of(closed)
    assert SECRET not in closed
    assert "SYNTHETIC" not in closed
    for why in ("", "x" * 201):
        answer = browser.post("/outbox/D1/open", {"why": why})
        assert answer.status_code == 422
        assert SECRET not in answer.text
    assert anywhere.audit("raw opened") == []
    page = browser.post("/outbox/D1/open", WHY).text
    assert anywhere.audit("raw opened") == [("anna", "D1", "the sender asked")]
    shown = text_of(page)
    for line in lis.received[0].decode().split("\r"):
        assert " ".join(line.split()) in shown
    assert "⟦0B⟧ MSH|late" in shown
    assert re.search(r"MSA\|AE\|LB[^ |]*\|PATIENT DOE UNKNOWN", shown)
    assert re.search(r"MSA\|AA\|LB[^ |]*", shown)
    assert "anna: raw opened – the sender asked" in text_of(browser.get("/outbox/D1").text)


async def test_one_that_was_given_up_goes_again_for_a_reason(anywhere: Bench) -> None:
    await several(anywhere)
    browser = senior(anywhere)
    assert 'hx-post="/outbox/D2/again"' in browser.get("/outbox/D2").text
    assert browser.post("/outbox/D2/again", {"why": ""}).status_code == 422
    assert browser.post("/outbox/D2/again", WHY).status_code == 204
    assert anywhere.audit("reprocess") == [("anna", "D2", "the sender asked")]
    assert anywhere.lab.deliveries()[1][0] == "waiting"
    again = browser.post("/outbox/D2/again", WHY)
    assert again.status_code == 422
    assert "D2 was not given up" in again.text


@pytest.mark.parametrize("role", [Role.SCIENTIST, Role.AUDITOR])
async def test_who_sees_deliveries_need_not_see_their_bytes(bench: Bench, role: Role) -> None:
    await several(bench)
    browser = bench.signed_in("one", role)
    assert browser.get("/outbox/D2").status_code == 200
    assert browser.post("/outbox/D2/open", WHY).status_code == 403
    assert browser.post("/outbox/D2/again", WHY).status_code == 403


async def test_what_a_receiver_writes_does_nothing(bench: Bench) -> None:
    await signed(Site(bench), "PT1")
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    await refused(bench, times=10, said=f"MSA|AE|$ID|{hostile}\rERR|{hostile}||{hostile}|||||{hostile}")
    browser = senior(bench)
    for page in (
        browser.get("/outbox").text,
        browser.get("/outbox/D1").text,
        browser.post("/outbox/D1/open", WHY).text,
    ):
        assert "<script>alert" not in page
        assert "<img src=x" not in page


async def test_bytes_that_were_wiped_or_damaged_say_so(bench: Bench) -> None:
    await signed(Site(bench), "PT1")
    browser = senior(bench)
    bench.writer.submit(lambda c: c.execute("UPDATE outbox SET raw = ?", (b"MSH|other",))).result()
    assert "no longer those that were signed" in browser.post("/outbox/D1/open", WHY).text
    bench.writer.submit(lambda c: c.execute("UPDATE outbox SET raw = ?", (b"",))).result()
    assert "nothing is left to show" in browser.post("/outbox/D1/open", WHY).text


async def test_what_it_waits_for_is_named(bench: Bench) -> None:
    site = Site(bench)
    await signed(site, "PT1")
    bench.writer.submit(lambda c: c.execute("UPDATE work SET state = 'parked'")).result()
    bench.writer.submit(summed).result()
    page = text_of(senior(bench).get("/outbox/D1").text)
    assert "It waits until these messages of its patient are processed : M1" in page.replace(
        "processed:", "processed :"
    )
