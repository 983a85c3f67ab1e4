"""What becomes of a block that a listener of MLLP has read: the story's receive()."""

from __future__ import annotations

from labbridge import pipeline
from labbridge.feeds.connection import Handlers
from labbridge.hl7.mllp import Frame, Junk, Oversize
from labbridge.model.work import Feed
from labbridge.ports import Clock, Intake


def handlers(feed: Feed, intake: Intake, clock: Clock) -> Handlers:
    """Those of a feed."""

    async def message(block: Frame, address: str) -> pipeline.Reply:
        peer = pipeline.Peer(feed, address)
        return await pipeline.receive(block.data, peer, intake, clock, missing_cr=block.missing_cr)

    async def oversize(event: Oversize, address: str) -> pipeline.Reply:
        return await pipeline.receive_oversize(event, pipeline.Peer(feed, address), intake, clock)

    async def junk(event: Junk, address: str) -> None:
        await pipeline.receive_junk(event, pipeline.Peer(feed, address), intake, clock)

    return Handlers(message, oversize, junk)
