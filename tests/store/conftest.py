"""A fresh store for each test, once on SQLite and once on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_build import Store, opened


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store; a test that takes `place` or `store` is run on both."""
    return f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("emptied")


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    """A store on SQLite, for what is the file's alone."""
    with opened(f"sqlite:///{tmp_path / 'store.db'}") as found:
        yield found


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with opened(place) as found:
        yield found
