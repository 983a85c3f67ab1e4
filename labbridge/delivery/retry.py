"""When a message that did not arrive goes again (reliability.md 6): 1 s, doubled each time, at most 300 s, +-20 %."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

FIRST_S = 1.0
CAP_S = 300.0
JITTER = 0.2


def retry_delay(attempt: int, rng: Callable[[], float]) -> timedelta:
    """How long to wait after the attempt of this number (1 is the first). `rng` gives [0, 1), as random.random does.

    The jitter is applied after the cap, so that messages which have waited long do not come all at once.
    """
    doubled = min(CAP_S, FIRST_S * 2.0 ** min(max(attempt, 1) - 1, 16))
    return timedelta(seconds=doubled * (1 - JITTER + 2 * JITTER * rng()))
