"""A row of a laboratory's table as bytes that are kept: every column of it with its value, each kind of value told apart.

    {"view":"lis.results","rows":[{"id":17,"value":"12.30","collected":{"timestamp":"2026-10-25T02:30:00"},"unit":null}]}

NULL is null, an empty text is "", a zero is 0: nothing stands for anything else. A number keeps its digits. What JSON has
no kind for is an object of one member: timestamp, date, time, binary (base64), float (one that is no number), utf16 (a text
that is none, base64)."""

from __future__ import annotations

import base64
import json
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import msgspec

from labbridge.errors import Refuse

Cell = None | bool | int | float | Decimal | str | bytes | datetime | date | time | uuid.UUID
"""A value as a driver gives it."""
Row = Mapping[str, Any]
KIND = "View"
_ROWS = re.compile(rb'\s*\{\s*"view"\s*:')


class Number(str):
    """A number in its digits."""

    __slots__ = ()


class Body(msgspec.Struct, frozen=True):
    """A kept body: the view it was read from, and its rows, each by column."""

    view: str
    rows: tuple[Row, ...]


def is_rows(raw: bytes) -> bool:
    """Whether these bytes are rows of a table."""
    return _ROWS.match(raw) is not None


def at(number: int, column: str = "") -> str:
    """The place of a row, or of a column in it."""
    return f"{KIND}.rows[{number}]{f'.{column}' if column else ''}"


def encode(view: str, rows: Sequence[Mapping[str, Cell]]) -> bytes:
    """The bytes of rows as they were read. The same values give the same bytes."""
    return _encoder.encode({"view": view, "rows": [{name: _written(one) for name, one in row.items()} for row in rows]})


def decode(raw: bytes) -> Body:
    """The body of kept bytes, numbers in their digits. Refuse where they are none."""
    try:
        found = _decoder.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refuse("The row is no JSON", code="100", location=KIND) from None
    rows = found.get("rows") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(one, dict) for one in rows):
        raise Refuse("There is no row", code="100", location=KIND)
    return Body(str(found.get("view", "")), tuple(rows))


def _written(cell: Cell) -> object:
    if cell is None or isinstance(cell, bool | int | Decimal):
        return _finite(cell)
    if isinstance(cell, str):
        return _text(cell)
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else {"float": repr(cell)}
    if isinstance(cell, datetime):
        return {"timestamp": cell.isoformat()}
    if isinstance(cell, date):
        return {"date": cell.isoformat()}
    if isinstance(cell, time):
        return {"time": cell.isoformat()}
    if isinstance(cell, uuid.UUID):
        return str(cell)
    return {"binary": base64.b64encode(cell).decode()}


def _finite(cell: bool | int | Decimal | None) -> object:
    return {"float": str(cell)} if isinstance(cell, Decimal) and not cell.is_finite() else cell


def _text(text: str) -> object:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which no encoding has
        return {"utf16": base64.b64encode(text.encode("utf-16-le", "surrogatepass")).decode()}
    return text


_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = json.JSONDecoder(parse_float=Number, parse_int=Number)
