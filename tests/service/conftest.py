"""One running service for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from service_parts import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    found = Service(tmp_path_factory.mktemp("service"))
    found.start()
    yield found
    found.close()


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of one test, not yet started."""
    found = Service(tmp_path_factory.mktemp("own"))
    yield found
    found.close()
