"""The synthetic patient: a message that this service sends to a feed of its own, again and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import Field

from labbridge.config_oidc import loopback
from labbridge.config_wires import FeedSection, Section, split_address


class HeartbeatSection(Section):
    feed: str = Field(
        "", description="feed of its own that the synthetic patient's messages go to; empty: none are sent"
    )
    every_s: float = Field(300.0, ge=1, description="seconds between two of them")
    patient: str = Field(
        "LABBRIDGE|HEARTBEAT",
        pattern=r"^[A-Za-z0-9._-]{1,40}\|[A-Za-z0-9._-]{1,40}$",
        description="the synthetic patient, AUTHORITY|NUMBER: what is of this patient and comes by this feed is interpreted,"
        " counted, and kept from the worklist and from every receiver",
    )

    @property
    def lane(self) -> str:
        """The lane of the synthetic patient."""
        return f"p:{self.patient}"


def faults(heartbeat: HeartbeatSection, feeds: Mapping[str, FeedSection]) -> Iterator[str]:
    """Why it cannot be sent there. The feed is its own: on a sender's it would hide that the sender is silent, and the
    patient is synthetic only where nobody but this machine can send."""
    if not heartbeat.feed:
        return
    section = feeds.get(heartbeat.feed)
    if section is None:
        yield f"heartbeat.feed names {heartbeat.feed!r}, which is not configured"
    elif section.kind != "mllp" or section.tls is not None:
        yield f"heartbeat.feed: feeds.{heartbeat.feed} has to take MLLP without TLS"
    elif not loopback(split_address(section.listen)[0]):
        yield f"heartbeat.feed: feeds.{heartbeat.feed} has to listen on this machine alone (127.0.0.1)"
