"""The status page: the numbers of the store and of the running service, of the person's sites, nothing of any patient."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from web_parts import AGES, Bench
from worklist_parts import BLOT, CK, ELSEWHERE, Lis, Site, filled, obx, order, oru

from labbridge import control
from labbridge.model.people import Role
from labbridge.model.status import Arrivals, Numbers, Standing
from labbridge.observe.standing import standing
from labbridge.observe.traffic import GIVEN, RECEIVED, Traffic
from labbridge.store import opening
from labbridge.store.status import StoreStatus
from labbridge.web import rendering
from labbridge.web.application import application
from labbridge.web.views import plots
from labbridge.web.views.plots import UNKNOWN, Cell, Section
from labbridge.web.views.status import NOT_ASKED, sections

DAY = timedelta(days=1)


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def table(page: str, title: str) -> list[list[str]]:
    """The rows of the table of this title."""
    found = page.split(f"<h3>{title}</h3>")[1].split("<h3>")[0].split("</section>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", found, re.S)[1:]
    return [[plain(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)] for row in rows]


def read(bench: Bench) -> Numbers:
    with bench.parts.status() as store:
        return store.numbers(bench.clock.now())


# ---------------------------------------------------------------- what it looks like


def test_an_empty_store_without_a_service_says_that_nothing_is_known(anywhere: Bench) -> None:
    page = anywhere.signed_in("one", Role.VIEWER).get("/status").text
    assert "No message has come yet." in page
    assert NOT_ASKED in page
    assert "data-plot" not in page
    assert table(page, "Feeds") == [
        [feed, "not known", "not known", "0", "0", "0", "0"] for feed in ("asking", "myolis", "other", "posted")
    ]
    for said in ("Nothing was drafted yet.", "There is no case yet.", "No comment was sent yet.", "None is kept."):
        assert said in page


async def test_a_store_at_work_shows_what_it_counted(anywhere: Bench) -> None:
    site = Site(anywhere)
    await filled(site)
    await site.receive(b"not hl7 at all")
    site.release("C1@1")
    anywhere.clock.forward(minutes=20)
    assert await site.deliver(Lis()) == 1
    site.release("C2@1")
    page = anywhere.signed_in().get("/status").text
    assert table(page, "Feeds")[1] == ["myolis", "20 min", "not known", "4", "0", "1", "0"]
    assert table(page, "Refused messages that are kept") == [["myolis", "not_hl7", "▲ 1", "20 min"]]
    assert ["signed", "2 of 5", "none"] in table(page, "Cases by state")
    assert ["new", "2 of 5", "23 min"] in table(page, "Cases by state")
    assert table(page, "Attempts to send comments") == [["lis", "1 of 1", "0", "0"]]
    assert table(page, "Comments not settled") == [["lis", "Waiting to be sent", "1", "0 min"]]
    assert ["acknowledged", "1", "at most 1 h", "at most 1 h", "at most 1 h"] in table(
        page, "Turnaround: within which time they were done"
    )
    print(table(page, "Results by analyte and method"))
    assert page.count("data-plot") == 2


async def test_numbers_that_are_of_a_feed_are_of_the_persons_sites_alone(bench: Bench) -> None:
    site = Site(bench)
    await site.patient("PT1", obx(BLOT, "58"))
    await site.patient("PT2", obx(CK, "12000"), feed=ELSEWHERE)
    page = bench.signed_in("here", feeds=("myolis",)).get("/status").text
    assert [row[0] for row in table(page, "Feeds")] == ["myolis"]
    assert [row[0] for row in table(page, "Results by analyte and method")] == ["SRP"]
    assert ["new", "1 of 1", "2 min"] in table(page, "Cases by state")
    assert "other" not in re.findall(r'data-plot="([^"]*)"', page)[0]
    none = bench.signed_in("nowhere", feeds=()).get("/status").text
    assert table(none, "Feeds") == []
    assert "myolis" not in plain(none)


async def test_it_shows_no_patient_no_result_and_no_person(bench: Bench) -> None:
    site = Site(bench)
    await site.patient("PT31415", obx(BLOT, "58.75"), filler="F27182")
    bench.signed_in("anna").post("/cases/C1/decide", {"version": "1", "kind": "no_action", "why": "canary words"})
    page = bench.signed_in("bert", Role.ADMIN).get("/status").text
    assert ["no action", "1 of 1"] in table(page, "The newest decisions")
    for canary in ("PT31415", "SYNTHETIC", "58.75", "F27182", "Anna", "anna", "canary", "C1"):
        assert canary not in plain(page), canary


# ---------------------------------------------------------------- what the service alone knows


class Listener:
    """observe.traffic.Listening with numbers of its own."""

    def __init__(self, connections: int, **refused: int) -> None:
        self.connections, self.refused, self.closed = connections, Counter(refused), Counter[str]()


@asynccontextmanager
async def served(bench: Bench, folder: Path, traffic: Traffic, stage: str = "running") -> AsyncIterator[None]:
    """The page asks over a real control socket."""
    now = bench.clock.now()

    async def said(_request: dict[str, Any]) -> dict[str, Any]:
        told = standing(traffic, since=now, stage=stage, role="all", knowledge="abc")
        return {"ok": True, "standing": msgspec.to_builtins(told)}

    async def other(_request: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError("an act")

    server = control.ControlServer(folder / "control.db", other, {"status": said})
    await server.start()
    acting = bench.parts

    def act(request: dict[str, Any]) -> dict[str, Any]:
        return control.ask(folder / "control.db", request, 5.0) or {"ok": False}

    bench.app = application(acting._replace(act=act))
    yield
    await server.stop()


async def asked(bench: Bench, path: str = "/status", **person: Any) -> str:
    browser = bench.signed_in("eve", Role.INTEGRATOR, **person)
    return str((await asyncio.to_thread(browser.get, path)).text)


async def test_what_the_running_service_knows_comes_over_the_control_socket(bench: Bench, tmp_path: Path) -> None:
    traffic = Traffic(lambda: {"feeds.other.tls": 86_400.0 * 3, "receivers.lis.tls": -7200.0})
    traffic.listens("myolis", Listener(2, unknown_authority=3), plaintext=True)
    traffic.listens("other", Listener(1), plaintext=False)
    for _each in range(9):
        traffic.answered("myolis", GIVEN, "AA", 0.004)
    traffic.answered("lis", RECEIVED, "AE", 0.2)
    traffic.answered("other", GIVEN, "AA", 0.2)
    before = bench.rows.execute("SELECT count(*) FROM audit").fetchone()
    async with served(bench, tmp_path, traffic):
        page = await asked(bench, feeds=("myolis",))
    assert NOT_ASKED not in page
    assert table(page, "Listeners since the start") == [
        ["myolis", "2", "▲ no TLS beyond this machine", "unknown_authority 3"]
    ]
    assert table(page, "Acknowledgements since the start") == [
        ["lis", "received", "AE", "▲ 1"], ["myolis", "given", "AA", "9"],
    ]  # fmt: skip
    assert table(page, "Certificates") == [["receivers.lis.tls", "▲ -2 h"]]
    assert table(page, "Feeds")[0][2] == "2"
    assert "myolis, given" in page.replace("&#34;", '"')
    signed_in = bench.rows.execute("SELECT count(*) FROM audit WHERE action <> 'signed in'").fetchone()
    assert signed_in[0] - before[0] == 1, "only the account of the test was written"


async def test_a_service_that_starts_or_has_no_room_says_so(bench: Bench, tmp_path: Path) -> None:
    traffic = Traffic()
    traffic.reading_paused = True
    async with served(bench, tmp_path, traffic, "recovering"):
        page = await asked(bench)
    assert "the disk of the store has no room" in page
    assert re.search(r"▲</span> recovering", page)


@pytest.mark.parametrize("answer", [{"ok": False, "error": "?"}, {"ok": True}, {"ok": True, "standing": {"stage": 7}}])
def test_an_answer_that_is_not_understood_is_no_answer(bench: Bench, answer: dict[str, Any]) -> None:
    bench.app = application(bench.parts._replace(act=lambda _request: answer))
    assert NOT_ASKED in bench.signed_in().get("/status").text


def test_a_socket_that_fails_is_no_answer(bench: Bench, tmp_path: Path) -> None:
    def act(_request: dict[str, Any]) -> dict[str, Any]:
        raise ConnectionResetError("gone")

    bench.app = application(bench.parts._replace(act=act))
    assert NOT_ASKED in bench.signed_in().get("/status").text


# ---------------------------------------------------------------- a feed beside its own normal


async def test_a_silence_is_compared_with_the_same_hour_in_the_weeks_before(anywhere: Bench) -> None:
    site = Site(anywhere)
    start = anywhere.clock.moment
    for week in range(5, 0, -1):  # each week at half past eleven: half an hour before the hour that is looked at
        anywhere.clock.moment = start - week * 7 * DAY - timedelta(minutes=30)
        await site.patient(f"PT{week}", obx(CK, "100"))
        anywhere.clock.moment += 6 * DAY
        await site.patient(f"PT{week}", obx(CK, "101"))
    anywhere.clock.moment = start
    browser = anywhere.signed_in()
    now, *before, said = table(browser.get("/status").text, "Silence, beside the same hour in the weeks before")[1][1:]
    assert before == ["30 min"] * 4
    assert (now, said) == ("▲ 1 d", "▲ longer than in any of them")
    await site.patient("PT9", obx(CK, "100"))
    anywhere.clock.forward(minutes=10)
    row = table(browser.get("/status").text, "Silence, beside the same hour in the weeks before")[1]
    assert row[1:] == ["11 min", *["41 min"] * 4, "as usual"]


async def test_before_the_history_begins_nothing_is_said_of_it(anywhere: Bench) -> None:
    site = Site(anywhere)
    await site.patient("PT1", obx(CK, "100"))
    anywhere.clock.forward(days=10)
    row = table(anywhere.signed_in().get("/status").text, "Silence, beside the same hour in the weeks before")[1]
    assert row == ["myolis", "10 d", "3 d", "not known", "not known", "not known", "not known"]


async def test_the_weeks_before_are_found_over_gaps_in_the_keys(anywhere: Bench) -> None:
    site = Site(anywhere)
    start = anywhere.clock.moment
    for days in range(30, 0, -1):
        anywhere.clock.moment = start - days * DAY
        await site.receive(oru(f"G{days}", order(f"F{days}", obx(CK, "100"))))
    anywhere.clock.moment = start
    for key in range(3, 60, 7):
        anywhere.writer.submit(lambda c, key=key: c.execute("DELETE FROM journal WHERE id = ?", (key,))).result()
    left = [row[0] for row in anywhere.rows.execute("SELECT received FROM journal ORDER BY id").fetchall()]
    weeks = read(anywhere).arrivals.weeks
    for one in weeks:
        before = [moment for moment in left if moment < one.at.isoformat()]
        assert one.newest == ({"myolis": datetime.fromisoformat(before[-1])} if before else {})
    assert len(weeks) == 4
    assert weeks[3].newest


async def test_hours_are_counted_by_feed_from_where_they_are_known(anywhere: Bench) -> None:
    site = Site(anywhere)
    await site.patient("PT1", obx(CK, "100"))
    anywhere.clock.forward(hours=2, minutes=5)
    await site.patient("PT2", obx(CK, "100"))
    await site.patient("PT3", obx(CK, "100"), feed=ELSEWHERE)
    page = anywhere.signed_in().get("/status").text
    chart = msgspec.json.decode(re.findall(r'data-plot="([^"]*)"', page)[0].replace("&#34;", '"'))
    assert [hour - chart["xs"][0] for hour in chart["xs"]] == [0, 3600, 7200]
    assert datetime.fromtimestamp(chart["xs"][0], UTC).hour == 12
    lines = {one["name"]: one["values"] for one in chart["lines"]}
    assert lines == {"asking": [0, 0, 0], "myolis": [1, 0, 1], "other": [0, 0, 1], "posted": [0, 0, 0]}


async def test_the_journal_is_read_no_more_often_than_once_a_minute(bench: Bench) -> None:
    site = Site(bench)
    await site.patient("PT1", obx(CK, "100"))
    store = StoreStatus(opening.reader(bench._url))
    assert sum(store.numbers(bench.clock.now()).arrivals.hours.values()) == 1
    await site.receive(oru("W2", order("F2", obx(CK, "100"))))
    assert sum(store.numbers(bench.clock.now()).arrivals.hours.values()) == 1
    bench.clock.forward(seconds=60)
    assert sum(store.numbers(bench.clock.now()).arrivals.hours.values()) == 2


# ---------------------------------------------------------------- a page that stands open


def test_a_page_that_asks_by_itself_keeps_no_sign_in_alive(bench: Bench) -> None:
    browser = bench.signed_in()
    for _each in range(3):
        bench.clock.forward(minutes=4)
        assert browser.get("/status/figures").status_code == 200
    bench.clock.forward(seconds=AGES.idle.total_seconds() - 12 * 60 + 1)
    assert browser.get("/status/figures", headers={"HX-Request": "true"}).status_code == 401


def test_the_figures_are_the_part_of_the_page_that_is_renewed(bench: Bench) -> None:
    browser = bench.signed_in()
    part, page = browser.get("/status/figures").text, browser.get("/status").text
    assert "<html" not in part
    assert part.strip() in page
    assert 'hx-trigger="renew"' in page


# ---------------------------------------------------------------- no more is said than is known

BOUNDS = (60, 300, 900)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([0, 0, 0, 0], [UNKNOWN] * 3),
        ([1, 0, 0, 0], [Cell(number=1, unit="min", bound="at most")] * 3),
        ([5, 4, 1, 0], [Cell(number=n, unit="min", bound="at most") for n in (1, 5, 15)]),
        ([0, 0, 0, 2], [Cell(number=15, unit="min", bound="more than")] * 3),
    ],
)
def test_a_histogram_tells_within_which_bound_and_no_more(counts: list[int], said: list[Cell]) -> None:
    assert list(plots.parts(counts, BOUNDS)) == said


def test_of_nothing_there_is_no_rate_and_no_curve() -> None:
    assert plots.share(0, 0).unknown
    assert not plots.share(0, 3).unknown
    assert plots.curves("x", {("a",): [0, 0, 0, 0]}, BOUNDS) == ()
    (chart,) = plots.curves("x", {("a",): [1, 0, 2, 1], ("b",): [0, 0, 0, 0]}, BOUNDS)
    assert [line.values for line in chart.lines] == [(0.25, 0.25, 0.75)]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0025, (2.5, "ms")), (2.5, (2.5, "s")), (90, (90, "s")), (14_400, (4, "h")), (259_200, (3, "d"))],
)
def test_a_bound_is_told_in_its_own_unit(seconds: float, said: tuple[float, str]) -> None:
    number, unit = plots.unit_of(seconds)
    assert (number, unit) == (pytest.approx(said[0]), said[1])


def test_everything_that_the_views_say_has_its_french(bench: Bench) -> None:
    said = set(words(sections(read(bench), None, bench.parts.feeds, lambda _feed: True)))
    said |= set(words(sections(full(bench), STANDING, bench.parts.feeds, lambda _feed: True)))
    assert {one for one in said if not rendering.words("fr").get(one) and not one.endswith(" %")} == set()
    assert len(said) > 80


STANDING = Standing(
    since=datetime(2026, 11, 13, tzinfo=UTC), stage="running", version="1", role="all", reading_paused=False
)


def full(bench: Bench) -> Numbers:
    """Every kind of row."""
    numbers = read(bench)
    now = numbers.at
    return msgspec.structs.replace(
        numbers,
        tally={**numbers.tally, "stages": {("drafted", "60"): 1, ("signed", "inf"): 1, ("acknowledged", "300"): 1}},
        newest={"myolis": now},
        cases={("myolis", "new"): 1},
        decided={"no_action": 1, "wording": 2},
        arrivals=Arrivals(now, {("myolis", now): 1}),
    )


def words(found: tuple[Section, ...]) -> list[str]:
    cells = [cell for one in found for table in one.tables for row in table.rows for cell in row]
    of_tables = [
        text for one in found for table in one.tables for text in (table.title, *table.heads, table.empty, table.hint)
    ]
    of_charts = [chart.title for one in found for chart in one.charts] + [
        unit for one in found for chart in one.charts for _number, unit in chart.labels
    ]
    of_cells = [text for cell in cells for text in (cell.word, cell.unit)]
    return [text for text in (*(one.question for one in found), *of_tables, *of_charts, *of_cells, NOT_ASKED) if text]
