"""How long a page of the workbench takes the server, beside a bare template that answers as many bytes, in turns.

A store of many cases on SQLite (LABBRIDGE_BENCH_CASES, 20,000 without), one in a hundred of them open; a page
comes through the guard, with its sign-in, its rights and the line in the audit. Both are asked within this process.
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

TESTS = Path(__file__).resolve().parents[1]
CASES = int(os.environ.get("LABBRIDGE_BENCH_CASES", "20000"))
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
    note = f"last {ours[-1] * 1000:.1f} ms to {theirs[-1] * 1000:.1f} ms; {size} bytes, {CASES} cases"
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

    with tempfile.TemporaryDirectory() as folder, benched(f"sqlite:///{folder}/bench.db") as bench:
        asyncio.run(_filled(bench))
        yield bench.signed_in("anna", feeds=("myolis", "other"))


async def _filled(bench: Any) -> None:
    from worklist_parts import BLOT, CK, CLIA, Site, many, obx

    site = Site(bench)
    await site.patient("PT1", obx(BLOT, "58"), obx(CLIA, "25"), obx(CK, "7800"))
    many(site, CASES, open_one_in=OPEN_ONE_IN)
