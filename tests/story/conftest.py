"""A laboratory of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from story_parts import Laboratory


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Laboratory]:
    found = Laboratory(tmp_path / "store.db")
    yield found
    found.close()
