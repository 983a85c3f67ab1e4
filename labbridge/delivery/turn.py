"""Whether this node may still send: what it took up may have been taken over, where it was frozen meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from labbridge.errors import Retry
from labbridge.states import Reason

MaySend = Callable[[], bool]


def always() -> bool:
    """There is no other node."""
    return True


def check(may_send: MaySend) -> None:
    """Retry where it may not: nothing was sent."""
    if not may_send():
        raise Retry(Reason.NO_ANSWER, "Not sent: another node may have taken over")
