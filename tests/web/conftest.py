"""A workbench of its own for each test, once on SQLite and once on PostgreSQL where the store is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from web_parts import Bench, benched


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store."""
    return f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("emptied")


@pytest.fixture
def anywhere(place: str) -> Iterator[Bench]:
    """On both stores."""
    with benched(place) as found:
        yield found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """On SQLite, for what the store has no part in."""
    with benched(f"sqlite:///{tmp_path / 'store.db'}") as found:
        yield found
