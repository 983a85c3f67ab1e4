"""The codes that no table names, with the messages that carried those that may be ours: what writes them, and what reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from labbridge.model.mapping import LocalCode, SeenCode
from labbridge.model.result import Unmapped
from labbridge.model.work import Kept
from labbridge.store.connection import Connection, Statement, lookup_key, marks

LISTED = (
    "SELECT u.feed, u.system, u.code, u.label, u.name, u.unit, u.may_be, u.seen, u.last_seen,"
    " (SELECT count(*) FROM unmapped_in i WHERE i.feed = u.feed AND i.system = u.system AND i.code = u.code"
    " AND i.label = u.label) FROM unmapped u WHERE u.may_be <> '' AND {} ORDER BY u.feed, u.seen DESC, u.code, u.label"
    " LIMIT ?"
)
OTHERS = "SELECT feed, count(*), sum(seen) FROM unmapped WHERE may_be = '' AND {} GROUP BY feed ORDER BY feed"
EVERY = 2**31 - 1
WIDTH = 11  # values of a row of SEEN_UNMAPPED
SEEN_UNMAPPED = (
    "INSERT INTO unmapped(feed, system, code, label, name, unit, may_be, seen, last_seen, first_message, last_message)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(feed, system, code, label) DO UPDATE SET"
    " seen = unmapped.seen + excluded.seen,"
    " last_seen = excluded.last_seen, last_message = excluded.last_message, name = excluded.name, unit = excluded.unit,"
    " may_be = CASE WHEN excluded.may_be <> '' THEN excluded.may_be ELSE unmapped.may_be END"
)
SEEN_IN = (
    "INSERT INTO unmapped_in(feed, system, code, label, message) VALUES (?,?,?,?,?)"
    " ON CONFLICT(feed, system, code, label, message) DO NOTHING"
)
OF_CODE = "feed = ? AND system = ? AND code = ? AND label = ?"
MESSAGES = f"SELECT message FROM unmapped_in WHERE {OF_CODE} ORDER BY message DESC LIMIT ?"  # noqa: S608 - a constant


class StoreUnmapped:
    """Reads, on a connection of its own. `feeds`: those that a person may see, None for all."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def listed(self, feeds: Sequence[str] | None, limit: int) -> list[SeenCode]:
        """The codes that may be ours, by feed, the commonest first."""
        where, params = _of(feeds, "u.feed")
        return [_seen(row) for row in self._reader.execute(LISTED.format(where), (*params, limit)).fetchall()]

    def one(self, code: LocalCode) -> SeenCode | None:
        where = "u.feed = ? AND u.system = ? AND u.code = ? AND u.label = ?"
        of = (code.feed, code.system, code.code, code.label)
        row = self._reader.execute(LISTED.format(where), (*of, 1)).fetchone()
        return _seen(row) if row else None

    def others(self, feeds: Sequence[str] | None) -> dict[str, tuple[int, int]]:
        """By feed, how many codes of other analytes came, and how often together."""
        where, params = _of(feeds, "feed")
        rows = self._reader.execute(OTHERS.format(where), params).fetchall()
        return {str(feed): (int(count), int(seen)) for feed, count, seen in rows}

    def messages(self, code: LocalCode, limit: int = EVERY) -> list[int]:
        """The newest messages that carried a code and were not read again since."""
        of = (code.feed, code.system, code.code, code.label)
        return [int(message) for (message,) in self._reader.execute(MESSAGES, (*of, limit)).fetchall()]


def statements(unmapped: Sequence[Unmapped], message: Kept, now: datetime) -> Iterator[Statement]:
    """What writes the codes of a message that no table names: rows of SEEN_UNMAPPED and SEEN_IN, which are joined."""
    seen: list[object] = []
    within: dict[tuple[object, ...], None] = {}
    for one in unmapped:
        of = (message.feed, lookup_key(one.system), lookup_key(one.code), lookup_key(one.label))
        seen += (*of, one.name, one.unit, one.may_be, 1, now.isoformat(), message.key, message.key)
        if one.may_be:
            within[*of, message.key] = None
    yield Statement(SEEN_UNMAPPED, tuple(seen))
    yield Statement(SEEN_IN, tuple(value for row in within for value in row))


def together(params: Sequence[Any]) -> list[object]:
    """Rows of SEEN_UNMAPPED with each code once, in one order for all: a statement may change no row twice, and two nodes
    that saw the same wait for each other and not in a ring. Of a code the last name counts, and any analyte that it may
    be."""
    rows: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for start in range(0, len(params), WIDTH):
        *of, name, unit, may_be, seen, last_seen, first, last = params[start : start + WIDTH]
        before = rows.get(tuple(of))
        if before is not None:
            may_be, seen, first = may_be or before[2], seen + before[3], before[5]
        rows[tuple(of)] = (name, unit, may_be, seen, last_seen, first, last)
    return [value for of, row in sorted(rows.items()) for value in (*of, *row)]


def _of(feeds: Sequence[str] | None, column: str) -> tuple[str, tuple[str, ...]]:
    if feeds is None:
        return "1 = 1", ()
    return (f"{column} IN ({marks(len(feeds))})", tuple(feeds)) if feeds else ("1 = 0", ())


def _seen(row: Sequence[object]) -> SeenCode:
    feed, system, code, label, name, unit, may_be, seen, last_seen, messages = row
    return SeenCode(
        of=LocalCode(feed=str(feed), system=str(system), code=str(code), label=str(label)),
        name=str(name),
        unit=str(unit),
        may_be=str(may_be),
        seen=int(str(seen)),
        messages=int(str(messages)),
        last_seen=datetime.fromisoformat(str(last_seen)) if last_seen else None,
    )
