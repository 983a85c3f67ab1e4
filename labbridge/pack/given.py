"""Values of a case file as values that JSON has, and in one line for a reader."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

MOST = 10_000
"""Values of one case: an alias of YAML can say a thousand things in one word."""
_WHOLE = 2**63


def given(case: Mapping[Any, Any]) -> dict[str, Any]:
    """A case as its file gives it. ValueError where it holds too much, or half a character."""
    left = MOST

    def plain(value: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError(f"it holds more than {MOST} values")
        if isinstance(value, Mapping):
            return {str(plain(name)): plain(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [plain(one) for one in value]
        if isinstance(value, set):
            return sorted(str(plain(one)) for one in value)
        if value is None or isinstance(value, bool) or (isinstance(value, float) and isfinite(value)):
            return value
        if isinstance(value, int) and abs(value) < _WHOLE:
            return value
        return _whole(str(value))

    return {str(plain(name)): plain(value) for name, value in case.items()}


def _whole(text: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("it holds half a character; write it out")
    return text


def brief(value: Any) -> str:
    """A value in one line: lists with commas, maps as `name: value`; empty where there is nothing."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {brief(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        inner = (f"({brief(one)})" if isinstance(one, Mapping | list | tuple) else brief(one) for one in value)
        return ", ".join(inner)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
