"""JSON before anything looks at it (reliability.md 3.1): one meaning per key, exact numbers, and no more of anything than a
reader can bear."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from labbridge.fhir.faults import Issue, Unfit, unfit
from labbridge.fhir.resources import READ

LONGEST_BODY = 16 * 2**20
DEPTH = 64
KEYS = 2_000
ITEMS = 50_000
CHARACTERS = 5 * 2**20
NUMBER = 64  # characters of a number
EXPONENT = 400  # of ten; 1e999999999 would be a text of a gigabyte once it is written out
BOM = b"\xef\xbb\xbf"
_ELEMENT = re.compile(r"_?[a-z][A-Za-z0-9]{0,63}")


class _Odd:
    """Stands where something cannot be taken: the place is known once all of the body was read. `key`: that of the object
    it stands for, if the fault is in there."""

    __slots__ = ("key", "text")

    def __init__(self, text: str, key: str | None = None) -> None:
        self.text, self.key = text, key


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
    if isinstance(found, _Odd):
        raise Unfit([_odd(found, {}, None)])
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
            if isinstance(one, dict | list):
                waiting.append((one, depth + 1, (place, key)))
            elif isinstance(one, _Odd):
                yield _odd(one, root, (place, key))
            elif isinstance(one, str) and len(one) > CHARACTERS:
                text = f"A text has more than {CHARACTERS} characters"
                yield Issue("too-costly", text, _expression(root, (place, key)))
            elif one is None and isinstance(value, dict):
                yield Issue("structure", "null is no value of a key (R4, JSON)", _expression(root, (place, key)))


def _odd(one: _Odd, root: dict[str, Any], place: Any) -> Issue:
    return Issue("invalid", one.text, _expression(root, place if one.key is None else (place, one.key)))


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
    known = isinstance(kind, str) and (kind == "Bundle" or kind in READ)
    return expression(str(kind) if known else "", reversed(keys))


def expression(kind: str, keys: Any) -> str:
    """The FHIRPath of an element: `("entry", 3, "resource")` of a Bundle is `Bundle.entry[3].resource`. Keys that are no
    element's name are left out: a sender may have written anything there."""
    path = kind
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        elif _ELEMENT.fullmatch(key):
            path += f".{key}" if path else key
    return path


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _value in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return _Odd("A key stands twice in one object", twice)
    return found


def _integer(text: str) -> Any:
    return int(text) if len(text) <= NUMBER else _Odd(f"A number has more than {NUMBER} characters")


def _decimal(text: str) -> Any:
    if len(text) > NUMBER:
        return _Odd(f"A number has more than {NUMBER} characters")
    _digits, _e, exponent = text.lower().partition("e")
    return Decimal(text) if abs(int(exponent or 0)) <= EXPONENT else _Odd(f"An exponent is beyond {EXPONENT}")


def _constant(_text: str) -> Any:
    return _Odd("NaN and Infinity are no numbers of JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
)
