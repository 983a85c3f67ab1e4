"""Shared fixtures. Real parts only: a missing part skips with what to install, or fails under LABBRIDGE_REQUIRE=all."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.clusters import Cluster

settings.register_profile("default", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("mutate", settings.get_profile("default"), max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

os.environ.setdefault("LABBRIDGE_STORE__VOLATILE", "true")  # a test's folder may be in memory
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A test that sends the logs elsewhere leaves nothing of it to the next one."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    root.handlers, sys.excepthook = handlers, hook
    root.setLevel(level)
    logging.captureWarnings(False)


def missing(part: str, repair: str) -> None:
    """Skip with one line saying what to install; a failure where everything is required."""
    if os.environ.get("LABBRIDGE_REQUIRE") == "all":
        pytest.fail(f"{part} is required here: {repair}")
    pytest.skip(f"{part} is missing: {repair}")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of third-party files (LABBRIDGE_CORPUS)."""
    folder = os.environ.get("LABBRIDGE_CORPUS", "")
    if not folder or not Path(folder).is_dir():
        missing("the corpus", "set LABBRIDGE_CORPUS to its folder")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server of this run (of this worker, where there are several)."""
    from tests.clusters import cluster

    found = cluster()
    yield found
    found.close()


@pytest.fixture
def emptied(postgres: Cluster) -> str:
    """The URL of a PostgreSQL store without rows."""
    return postgres.emptied()
