"""A body as a person looks at it: indented, keys in their order and numbers in their digits, a key that stands twice shown
twice, and each line with the place of its element."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from labbridge.fhir.guard import BOM

STEP = "  "
VIEW = "View"  # a row of a table is no resource, and is shown as one (rows/body.py)
_STEP = re.compile(r"([A-Za-z_][\w$]*)|\[(\d{1,6})\]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Line(msgspec.Struct, frozen=True):
    """`at`: the element whose line it is, as a FHIRPath; of an object or an array both its first line and its last."""

    text: str
    at: str


class _Object(list[tuple[str, Any]]):
    """The members of an object, in their order."""


class _Number(str):
    """A number in the digits it came in."""

    __slots__ = ()


def lines(raw: bytes, place: str = "") -> list[Line] | None:
    """The lines of a body, or of one element of it: none where that is not there. None where the body is no JSON, or stands
    too deep within itself to be shown."""
    try:
        root = _decoder.decode(raw.removeprefix(BOM).decode("utf-8"))
        if place:
            found = element(root, place)
            return list(_lines("", found, place, 0)) if found is not None else []
        return list(_lines("", root, _kind(root), 0))
    except (ValueError, RecursionError):
        return None


def element(root: Any, place: str) -> Any:
    """What stands at a place of a body (`Bundle.entry[5].resource`), as JSON has it; None where there is nothing."""
    _kind, _point, path = place.partition(".")
    for key, number in _STEP.findall(path):
        root = dict(root) if isinstance(root, _Object) else root
        try:
            root = root[int(number)] if number else root[key]
        except (KeyError, IndexError, TypeError):
            return None
    return root


def within(place: str, other: str) -> bool:
    """Whether a place is another one or lies in it."""
    return place == other or (place.startswith(other) and place[len(other)] in ".[")


def _kind(root: Any) -> str:
    members = dict(root) if isinstance(root, _Object) else {}
    kind = members.get("resourceType")
    if isinstance(kind, str) and not isinstance(kind, _Number):
        return kind
    return VIEW if next(iter(members), "") == "view" else ""


def _lines(lead: str, value: Any, at: str, depth: int, end: str = "") -> Iterator[Line]:
    """An element. `lead`: its key, `end`: the comma behind it."""
    margin = STEP * depth
    if not isinstance(value, list):
        yield Line(f"{margin}{lead}{_written(value)}{end}", at)
        return
    opening, closing = "{}" if isinstance(value, _Object) else "[]"
    if not value:
        yield Line(f"{margin}{lead}{opening}{closing}{end}", at)
        return
    yield Line(f"{margin}{lead}{opening}", at)
    last = len(value) - 1
    for number, item in enumerate(value):
        comma = "," if number < last else ""
        if isinstance(value, _Object):
            key, inner = item
            yield from _lines(f"{_written(key)}: ", inner, f"{at}.{key}".lstrip("."), depth + 1, comma)
        else:
            yield from _lines("", item, f"{at}[{number}]", depth + 1, comma)
    yield Line(f"{margin}{closing}{end}", at)


def _written(value: Any) -> str:
    """A scalar as JSON. Half of a surrogate pair, which no encoding has, stays an escape."""
    if isinstance(value, _Number):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_decoder = json.JSONDecoder(object_pairs_hook=_Object, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
