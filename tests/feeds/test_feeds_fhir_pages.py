"""A page of a great store costs what one of a small store does: rows behind a key, so many of them opened at most."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from feeds_fhir import FEED, Site, observation
from reads_fhir import Program, ids, link

from labbridge import serving_fhir
from labbridge.model.served import Unit, Window
from labbridge.model.work import Arrival, AuditEvent, PostedResource
from labbridge.store.journal import keep_all
from labbridge.store.resources import StoreResources

MANY = 1500


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(f"sqlite:///{tmp_path / 'store.db'}")
    yield found
    found.close()


@pytest.fixture
def read_of_the_store(monkeypatch: pytest.MonkeyPatch) -> list[Unit]:
    """The units that the store gave."""
    seen: list[Unit] = []
    units = StoreResources.units

    def noted(self: StoreResources, window: Window) -> list[Unit]:
        found = units(self, window)
        seen.extend(found)
        return found

    monkeypatch.setattr(StoreResources, "units", noted)
    return seen


def fill(site: Site, count: int = MANY) -> None:
    """So many results, each of a patient of its own, as the endpoint keeps them."""
    wanted = []
    for number in range(count):
        body = observation(f"F{number}") | {"subject": {"reference": f"Patient/{number}"}}
        raw = json.dumps(body).encode()
        arrival = Arrival(
            raw=raw,
            feed=FEED.name,
            peer="127.0.0.1",
            sender=FEED.sender,
            control_id=f"{number}",
            message_type="FHIR Observation",
            digest=hashlib.sha256(raw).digest(),
            length=len(raw),
            lanes=(f"p:{FEED.sender}/Patient|{number}",),
            received=site.clock.now(),
            resources=(
                PostedResource(-1, "POST", "Observation", known_by=(f"https://laba.example/result|F{number}",)),
            ),
        )
        wanted.append((arrival, AuditEvent(at=site.clock.now(), actor=FEED.name, action="received", subject="")))
        site.clock.forward(seconds=1)
    site.writer.submit(lambda connection: keep_all(connection, wanted)).result()


async def test_a_page_opens_what_it_shows_wherever_it_begins(site: Site, read_of_the_store: list[Unit]) -> None:
    fill(site)
    program = Program(site)
    page: dict[str, Any] = await program.get("/fhir/Observation?_count=20")
    costs = []
    for _page in range(3):
        read_of_the_store.clear()
        page = await program.get(link(page, "next"))
        assert len(ids(page)) == 20
        costs.append(len(read_of_the_store))
    assert max(costs) <= 2 * (
        20 + serving_fhir.AT_ONCE
    )  # those behind the key, and of each that is shown its patient's
    assert len(set(costs)) == 1


async def test_a_search_that_finds_nothing_stops_and_goes_on(site: Site, read_of_the_store: list[Unit]) -> None:
    fill(site)
    program = Program(site)
    page = await program.get("/fhir/Observation?code=nothing")
    assert ids(page) == []
    assert "total" not in page
    assert len(read_of_the_store) == serving_fhir.OPENED
    pages = 1
    while to := link(page, "next"):
        page = await program.get(to)
        pages += 1
    assert pages == -(-MANY // serving_fhir.OPENED) + 1


@pytest.mark.parametrize(
    "query",
    [
        "identifier=https://laba.example/result|F1400",
        "identifier=F1400",
        "_id=M1401",
        "patient=P1401",
        "_lastUpdated=gt2026-11-13T12:24:58Z",
    ],
)
async def test_what_an_index_leads_to_is_all_that_is_read(
    site: Site, read_of_the_store: list[Unit], query: str
) -> None:
    fill(site)
    read_of_the_store.clear()
    found = await Program(site).found(f"Observation?{query}")
    assert found[0] in ("M1401", "M1500")
    assert len(read_of_the_store) <= 4


async def test_all_of_a_great_store_is_paged_once_each(site: Site) -> None:
    fill(site, 450)
    seen = [one for page in await Program(site).pages("Observation?_count=200") for one in page]
    assert seen == [f"M{key}" for key in range(1, 451)]
