"""One running labbridge between all the third-party software of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from interop_parts import Hub


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    found = Hub(tmp_path_factory.mktemp("hub"))
    try:
        found.start(stub=False)
        yield found
    finally:
        found.close()
