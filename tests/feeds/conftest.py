"""A listener started for a test, and stopped after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from feeds_listening import QUICK, Keeper, Listen, Listening

from labbridge.feeds.connection import Handlers
from labbridge.feeds.limits import Limits
from labbridge.feeds.mllp import MllpServer


@pytest.fixture
async def listen(tmp_path: Path) -> AsyncIterator[Listen]:
    started: list[Listening] = []

    async def start(limits: Limits = QUICK, **settings: object) -> Listening:
        keeper = Keeper(tmp_path / f"kept{len(started)}")
        handlers = Handlers(keeper.message, keeper.too_long, keeper.outside)
        server = MllpServer(handlers, limits, **settings)  # type: ignore[arg-type]
        await server.start("127.0.0.1", 0)
        started.append(Listening(server, keeper))
        return started[-1]

    yield start
    for one in started:
        await one.__aexit__(None, None, None)
