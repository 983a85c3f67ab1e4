"""A store that was filled in bulk is one that the service takes for its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from labbridge.store import opening
from labbridge.store.sums import of_result
from tests.bench import stored


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'grown.db'}"
    return str(request.getfixturevalue("emptied"))


def test_the_copies_are_patients_of_their_own(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "PATTERNS", 4)
    stored.grow(url, 200)
    rows = opening.reader(url)

    def count(what: str) -> int:
        return int(rows.execute(f"SELECT {what}").fetchone()[0])

    results, messages = count("count(*) FROM results"), count("count(*) FROM journal")
    assert results >= 200
    assert count("count(DISTINCT lane) FROM results") == messages == count("count(*) FROM patients")
    assert count("count(*) FROM results r JOIN journal j ON j.id = r.message AND j.lanes = r.lane") == results
    assert count('count(*) FROM drafts d JOIN cases c ON c.id = d."case"') == count("count(*) FROM cases") == messages
    lane, message, who, kind, collected, body, crc = rows.execute(
        "SELECT lane, message, who, kind, collected, body, crc FROM results ORDER BY id LIMIT 1"
    ).fetchone()
    assert crc == of_result((lane, message, who, kind, collected), body)
    rows.close()


def test_a_service_goes_on_with_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "PATTERNS", 4)
    stored.grow(url, 100)
    rows = opening.reader(url)
    before = rows.execute("SELECT max(id), count(*) FROM journal").fetchone()
    monkeypatch.setattr(stored, "_name", lambda copy, number: f"Z{number:012}")
    asyncio.run(stored._made(url))
    assert rows.execute("SELECT max(id), count(*) FROM journal").fetchone() == (before[0] + 4, before[1] + 4)
    assert rows.execute("SELECT count(*) FROM work WHERE state <> 'done'").fetchone()[0] == 0
    rows.close()
