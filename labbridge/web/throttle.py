"""Sign-ins that fail slow each other down (reliability.md S-12): five are free, then 2, 4, 8 ... seconds up to a quarter of
an hour, by account and by address; nobody is locked out for good. All together at most twenty a second are looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

FREE, LONGEST_S = 5, 900.0
A_SECOND = 20
REMEMBERED = 10_000


class Throttle:
    """`monotonic` gives seconds; `a_second`: how many are looked at in one, all together. What is remembered is bounded: the
    longest unused goes first."""

    def __init__(self, monotonic: Callable[[], float], a_second: int = A_SECOND) -> None:
        self._monotonic, self._a_second = monotonic, a_second
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._second, self._in_second = -1, 0

    def begun(self, *keys: str) -> float:
        """How long a sign-in with these keys has to wait still. 0: it may be looked at, and counts as failed until it has
        succeeded, so that a hundred at once are not a hundred free ones."""
        now = self._monotonic()
        left = max((self._left(key, now) for key in keys), default=0.0)
        if left > 0:
            return left
        if int(now) != self._second:
            self._second, self._in_second = int(now), 0
        if self._in_second >= self._a_second:
            return 1.0
        self._in_second += 1
        for key in keys:
            count, _last = self._failures.get(key, (0, 0.0))
            self._failures[key] = (count + 1, now)
            self._failures.move_to_end(key)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
        return 0.0

    def succeeded(self, *keys: str) -> None:
        for key in keys:
            self._failures.pop(key, None)

    def _left(self, key: str, now: float) -> float:
        count, last = self._failures.get(key, (0, 0.0))
        if count < FREE:
            return 0.0
        return last + min(LONGEST_S, 2.0 ** (count - FREE + 1)) - now
