"""How long a page of the workbench takes the server, beside a bare template that answers as many bytes, in turns.

A store of many cases (LABBRIDGE_BENCH_CASES, 5,000 without) made by the way of a message: one in fifty with a long
history, one in a hundred open; on SQLite, or on PostgreSQL with LABBRIDGE_BENCH_STORE=postgresql. A page comes through the
guard, with its sign-in, its rights and the line in the audit. Both are asked within this process.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from jinja2 import Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.bench.figures import Line, percentile, ratios
from tests.summed import summed

TESTS = Path(__file__).resolve().parents[1]
CASES = int(os.environ.get("LABBRIDGE_BENCH_CASES", "5000"))
STORE = os.environ.get("LABBRIDGE_BENCH_STORE", "sqlite")
AT_ONCE, LONG_ONE_IN, HISTORY = 250, 50, 24
OPEN_ONE_IN = 100
ROUNDS, REQUESTS, TIMES = 7, 20, 10
PAGES = {
    "page-worklist": "/worklist",
    "page-all-cases": "/worklist?queue=all",
    "page-case": "/cases/C1",
    "page-status": "/status",
}
NO_BAR = frozenset({"page-status"})
ROWS = (
    "<!doctype html><title>Bare</title><table>"
    "{% for row in rows %}<tr><th>{{ row }}</th><td>{{ word }}</td><td>{{ word }}</td></tr>\n{% endfor %}</table>"
)


def workbench() -> list[Line]:
    """The p95 of each page's requests to that of the bare template's."""
    with _signed_in() as browser:
        return [_line(name, path, browser) for name, path in PAGES.items()]


def _line(name: str, path: str, browser: Any) -> Line:
    size = len(browser.get(path).content)
    bare = _bare(size)
    ours, theirs = list[float](), list[float]()
    for _round in range(ROUNDS):
        taken = [(_taken(browser, path), _taken(bare, "/")) for _request in range(REQUESTS)]
        ours.append(percentile([one for one, _other in taken], 95))
        theirs.append(percentile([other for _one, other in taken], 95))
    note = f"last {ours[-1] * 1000:.1f} ms to {theirs[-1] * 1000:.1f} ms; {size} bytes, {CASES} cases on {STORE}"
    bar = float("inf") if name in NO_BAR else TIMES
    return Line(name, "times a bare template, p95", bar, False, ratios(ours, theirs), note)


def _taken(client: Any, path: str) -> float:
    begun = time.perf_counter()
    answer = client.get(path)
    taken = time.perf_counter() - begun
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
    return taken


def _bare(size: int) -> TestClient:
    """A page that asks nothing of anybody: a table of about so many bytes."""
    template = Environment(autoescape=True).from_string(ROWS)

    def filled(count: int) -> str:
        return template.render(rows=range(count), word="some words & a sign")

    count = round(size / len(filled(1000)) * 1000)

    def page(_request: Request) -> HTMLResponse:
        return HTMLResponse(filled(count))

    return TestClient(Starlette(routes=[Route("/", page)]))


@contextmanager
def _signed_in() -> Iterator[Any]:
    sys.path[:0] = [str(TESTS / "web"), str(TESTS / "story")]
    from web_parts import benched

    with tempfile.TemporaryDirectory() as folder, _store(folder) as url, benched(url) as bench:
        asyncio.run(_filled(bench))
        _tidied(url)
        yield bench.signed_in("anna", feeds=("myolis", "other"))


@contextmanager
def _store(folder: str) -> Iterator[str]:
    """On SQLite, or on a PostgreSQL server of its own (LABBRIDGE_BENCH_STORE=postgresql)."""
    if STORE != "postgresql":
        yield f"sqlite:///{folder}/bench.db"
        return
    from tests.clusters import Cluster

    cluster = Cluster()
    try:
        yield cluster.empty()
    finally:
        cluster.close()


def _tidied(url: str) -> None:
    """On PostgreSQL: what its own vacuum does a minute after so much has changed."""
    if STORE != "postgresql":
        return
    import psycopg

    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as server:
        server.execute("VACUUM ANALYZE")


async def _filled(bench: Any) -> None:
    """Every case by the way of a message: received, processed, drafted. What nobody has to look at any more is set so
    afterwards, for a signature takes a judge of its own."""
    from story_parts import ELSEWHERE, FEED

    for start in range(0, CASES, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, CASES))
        found = [one for number in numbers for one in _messages(number)]
        for feed, ours in ((FEED, False), (ELSEWHERE, True)):
            some = [raw for number, raw in found if (number % 10 == 0) is ours]
            await asyncio.gather(*(bench.lab.receive(raw, feed=feed) for raw in some))
        bench.lab.process()
    states = f"CASE WHEN id % {OPEN_ONE_IN} = 1 THEN state WHEN id % 3 = 0 THEN 'signed' ELSE 'closed' END"
    bench.writer.submit(lambda store: store.execute(f"UPDATE cases SET state = {states}")).result()
    bench.writer.submit(summed).result()
    (made,) = bench.rows.execute("SELECT count(*) FROM cases").fetchone()
    if made < CASES:
        raise RuntimeError(f"{made} cases of {CASES} were made")


def _messages(number: int) -> list[tuple[int, bytes]]:
    """A patient's first message, and for one in fifty a history of two years beside it."""
    from story_parts import BLOT, CK, CLIA, obx, order, oru

    patient = f"B{number}"
    first = (obx(BLOT, str(12 + number % 60)), obx(CLIA, str(3 + number % 40)), obx(CK, str(200 + number % 9000)))
    found = [(number, oru(f"B{number}-0", order(f"B{number}", *first), patient=patient))]
    for visit in range(HISTORY if number % LONG_ONE_IN == 0 else 0):
        day = f"{2024 + visit // 12}{visit % 12 + 1:02}05080000+0100"
        lines = obx(CK, str(300 + (visit * 997) % 8000)), obx(BLOT, str(12 + visit))
        raw = oru(f"B{number}-{visit + 1}", order(f"B{number}V{visit}", *lines, collected=day), patient=patient)
        found.append((number, raw))
    return found
