"""JSON before anything looks at it (reliability.md 3.1): one meaning per key, exact numbers, and no more of anything than a
reader can bear."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from labbridge.fhir.faults import Issue, Unfit, unfit

LONGEST_BODY = 16 * 2**20
DEPTH = 64
KEYS = 2_000
ITEMS = 50_000
CHARACTERS = 5 * 2**20
NUMBER = 64  # characters of a number
BOM = b"\xef\xbb\xbf"


class _Twice:
    """Stands where an object named a key twice: the place is known once all of it was read."""

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key


def load(raw: bytes) -> dict[str, Any]:
    """The object of a body, its numbers as int and Decimal. Unfit with the place where it is none, or too much of one."""
    if len(raw) > LONGEST_BODY:
        raise unfit("too-costly", f"The body is longer than {LONGEST_BODY} bytes")
    try:
        found = _decoder.decode(raw.removeprefix(BOM).decode("utf-8"))
    except UnicodeDecodeError as fault:
        raise unfit("structure", f"The body is not UTF-8 at byte {fault.start}") from fault
    except json.JSONDecodeError as fault:
        raise unfit("structure", f"This is not JSON at line {fault.lineno}, column {fault.colno}") from fault
    except RecursionError as fault:
        raise unfit("structure", f"Objects and arrays stand within each other more than {DEPTH} deep") from fault
    except _Constant as fault:
        raise unfit("invalid", "NaN and Infinity are no numbers of JSON") from fault
    except _TooLong as fault:
        raise unfit("invalid", f"A number has more than {NUMBER} characters") from fault
    if isinstance(found, _Twice):
        raise unfit("invalid", f"The key {found.key[:NUMBER]} stands twice")
    if not isinstance(found, dict):
        raise unfit("structure", "The body is no JSON object")
    issue = next(_faults(found), None)
    if issue is not None:
        raise Unfit([issue])
    return found


def _faults(root: dict[str, Any]) -> Iterator[Issue]:
    """The first fault of a body; places are worked out for it alone."""
    waiting: list[tuple[Any, int, Any]] = [(root, 1, None)]
    while waiting:
        value, depth, place = waiting.pop()
        fault = _fault(value, depth)
        if fault is not None:
            yield Issue(*fault, _expression(root, place))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, one in items:
            if isinstance(one, dict | list | _Twice):
                if isinstance(one, _Twice):
                    yield Issue("invalid", f"The key {one.key[:NUMBER]} stands twice", _expression(root, (place, key)))
                else:
                    waiting.append((one, depth + 1, (place, key)))
            elif isinstance(one, str) and len(one) > CHARACTERS:
                text = f"A text has more than {CHARACTERS} characters"
                yield Issue("too-costly", text, _expression(root, (place, key)))


def _fault(value: dict[str, Any] | list[Any], depth: int) -> tuple[str, str] | None:
    if depth > DEPTH:
        return "structure", f"Objects and arrays stand within each other more than {DEPTH} deep"
    if isinstance(value, dict):
        return ("too-costly", f"An object has more than {KEYS} keys") if len(value) > KEYS else None
    return ("too-costly", f"An array has more than {ITEMS} items") if len(value) > ITEMS else None


def _expression(root: dict[str, Any], place: Any) -> str:
    """A place as a FHIRPath: `place` is what stands around it and the key in that, up to the root."""
    keys = []
    while place is not None:
        place, key = place
        keys.append(key)
    kind = root.get("resourceType")
    return expression(kind if isinstance(kind, str) and kind.isalpha() else "", reversed(keys))


def expression(kind: str, keys: Any) -> str:
    """The FHIRPath of an element: `("entry", 3, "resource")` of a Bundle is `Bundle.entry[3].resource`. Keys that are no
    element's name are left out: a sender may have written anything there."""
    path = kind
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        elif key.isascii() and key.lstrip("_").isalnum() and len(key) <= NUMBER:
            path += f".{key}" if path else key
    return path


class _Constant(ValueError):
    pass


class _TooLong(ValueError):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        return _Twice(next(key for key, _value in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return found


def _integer(text: str) -> int:
    if len(text) > NUMBER:
        raise _TooLong
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > NUMBER:
        raise _TooLong
    return Decimal(text)


def _constant(_text: str) -> Any:
    raise _Constant


_decoder = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
)
