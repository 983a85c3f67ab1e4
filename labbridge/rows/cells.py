"""A value of a kept row as the text that a result field would have held."""

from __future__ import annotations

from decimal import Decimal

from labbridge.rows.body import Number

TIMES = ("timestamp", "date", "time")


class NoText(Exception):
    """A cell that is none; the sentence says why, without its value."""


def text(cell: object, decimal_mark: str = ".") -> str:
    """The text of a cell: empty for NULL and for blanks, which both say nothing; a number in its digits, with the feed's
    decimal mark; a time as ISO 8601. Blanks around a text are a fixed column's, and left out. NoText for bytes, a
    float that is no number, a text with a NUL."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Number):
        return plain(cell).replace(".", decimal_mark)
    if isinstance(cell, str):
        if "\0" in cell:
            raise NoText("The column holds a NUL character")
        return cell.strip()
    if isinstance(cell, dict) and len(cell) == 1:
        kind, value = next(iter(cell.items()))
        if kind in TIMES and isinstance(value, str):
            return value
    raise NoText("The column holds what is no text, number or time")


def plain(number: Number) -> str:
    """The digits without an exponent, as many as were sent."""
    return f"{Decimal(number):f}" if "e" in number or "E" in number else str(number)
