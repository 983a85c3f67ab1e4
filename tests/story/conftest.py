"""A laboratory of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from story_parts import Laboratory

ON_BOTH = (
    "acts",
    "edits",
    "expiry",
    "identity",
    "orders",
    "process",
    "release",
    "show",
)  # what is asked of the store differs by them


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "place" in metafunc.fixturenames:
        both = metafunc.module.__name__.removeprefix("test_story_") in ON_BOTH
        metafunc.parametrize("place", ["sqlite", "postgres"] if both else ["sqlite"], indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store without rows."""
    return f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("emptied")


@pytest.fixture
def lab(place: str) -> Iterator[Laboratory]:
    found = Laboratory(place)
    yield found
    found.close()
