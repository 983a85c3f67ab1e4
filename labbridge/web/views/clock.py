"""How long ago something was, as a page says it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

_UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


class Age(NamedTuple):
    """How long ago, coarsely: so many of a unit."""

    number: int
    unit: str


def age(begun: datetime, now: datetime) -> Age | None:
    """How long ago a moment was, in whole days, hours or minutes; None where it is yet to come."""
    if begun > now:
        return None
    passed = now - begun
    return next((Age(passed // size, unit) for size, unit in _UNITS if passed >= size), Age(0, "min"))
