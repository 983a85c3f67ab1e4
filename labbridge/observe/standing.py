"""What the service says of itself to whoever asks over the control socket. It changes nothing and leaves no line."""

from __future__ import annotations

from datetime import datetime

from labbridge import __version__
from labbridge.model.status import Answers, Listener, Standing, Took
from labbridge.observe.traffic import BOUNDS_S, Traffic


def standing(traffic: Traffic, *, since: datetime, stage: str, role: str, knowledge: str) -> Standing:
    """As of now; `knowledge` is the identity of the one in force, empty where this process has none."""
    listeners = {
        feed: Listener(connections=one.connections, plaintext=traffic.plaintext[feed], refused=dict(one.refused))
        for feed, one in traffic.listeners.items()
    }
    return Standing(
        since=since,
        stage=stage,
        version=__version__,
        role=role,
        reading_paused=traffic.reading_paused,
        knowledge=knowledge,
        listeners=listeners,
        answers=[
            Answers(peer=peer, direction=direction, code=code, count=count)
            for (peer, direction, code), count in sorted(traffic.acks.items())
        ],
        took=[
            Took(peer=peer, direction=direction, counts=list(found.counts))
            for (peer, direction), found in sorted(traffic.listed())
        ],
        bounds_s=list(BOUNDS_S),
        expiries_s=traffic.expiries(),
    )
