"""One running service for the vignettes of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vignette_service import StandingService


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingService]:
    found = StandingService(tmp_path_factory.mktemp("vignettes"))
    found.at("2025-01-01")
    found.start()
    yield found
    found.close()
