"""What commands tell the running service: kept for the metrics, and bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labbridge.errors import Refused
from labbridge.observe.traffic import Traffic
from labbridge.room import Room
from labbridge.store.marks import StoreMarks
from labbridge.store.scraped import scraped
from labbridge.store.sqlite import open_reader, open_writer
from labbridge.store.writer import Writer
from labbridge.telling import LONGEST_NAME, MOST_ALARMS, Telling, tell

NOON = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)


class Clock:
    def now(self) -> datetime:
        return NOON


class Place:
    """A store, and who is told of it."""

    def __init__(self, folder: Path) -> None:
        self.writer = Writer(open_writer(folder / "store.db"))
        self.reader = open_reader(folder / "store.db")
        self.telling = Telling(StoreMarks(self.writer), Clock())

    def marks(self) -> Mapping[str, Any]:
        return scraped(self.reader, NOON).marks


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    yield found
    found.writer.close()
    found.reader.close()


def test_each_is_kept_under_its_name(place: Place) -> None:
    assert place.telling.perform("backup", {}) == "backup"
    place.telling.perform("audit", {"faults": 0})
    place.telling.perform("drift", {"alarms": [["SRP", "", "blot", "positive_rising", True]]})
    assert place.marks() == {
        "backup": {(): int(NOON.timestamp())},
        "audit_verified": {(): int(NOON.timestamp())},
        "audit_faults": {(): 0},
        "drift": {("SRP", "", "blot", "positive_rising"): 1},
    }


@pytest.mark.parametrize(
    ("key", "request_"),
    [
        ("weather", {}),
        ("drift", {"alarms": [["SRP", "", "x" * (LONGEST_NAME + 1), "positive_rising", True]]}),
        ("drift", {"alarms": [["SRP", "", str(n), "positive_rising", True] for n in range(MOST_ALARMS + 1)]}),
    ],
)
def test_what_is_unknown_or_without_bound_is_refused(place: Place, key: str, request_: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        place.telling.perform(key, request_)
    assert place.marks() == {}


def test_where_no_service_runs_nobody_is_told(tmp_path: Path) -> None:
    config = SimpleNamespace(store=SimpleNamespace(beside=tmp_path / "store.db"))
    assert tell(config, "backup") is False


def test_the_writer_times_its_commits(place: Place) -> None:
    before = sum(place.writer.took.counts)
    for _time in range(3):
        place.telling.perform("backup", {})
    assert sum(place.writer.took.counts) == before + 3 == place.writer.commits
    assert place.writer.took.sum_s > 0


def test_the_room_says_what_is_free_and_a_server_says_nothing(tmp_path: Path) -> None:
    traffic = Traffic()
    Room(tmp_path / "store.db", 0, traffic)
    found = traffic.disk()
    assert found is not None
    assert 0 < found[0] <= found[1]
    Room(None, 0, traffic)
    assert traffic.disk() is None
    assert json.dumps(found)
