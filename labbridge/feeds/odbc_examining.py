"""A configured view looked at once, for `labbridge odbc test`: nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import islice

from labbridge import receiving_rows
from labbridge.feeds.odbc_poller import Polling
from labbridge.feeds.odbc_source import Source
from labbridge.feeds.odbc_window import Range
from labbridge.model.work import Arrival
from labbridge.odbc.connecting import connect
from labbridge.states import State

ROWS = 100


def examine(polling: Polling, now: datetime) -> str:
    """What there is, in a line. OdbcFault with what is in the way."""
    with closing(connect(polling.access)) as session:
        source = Source(session, polling.view, {})
        source.check()
        top = source.top()
        said = f"{session.name}: {polling.view.name} can be read"
        if top is None:
            return f"{said}, and has no row"
        rows = islice(_read(source, Range(None, top), polling, now), ROWS)
        unread = [one for one in rows if one.state is State.QUARANTINED]
    if not unread:
        return f"{said}, and its first rows are understood"
    first = unread[0]
    return f"{said}, but {len(unread)} of its first rows would be quarantined: {first.detail} ({first.location})"


def _read(source: Source, wanted: Range, polling: Polling, now: datetime) -> Iterator[Arrival]:
    view = polling.view
    for page in islice(source.pages(wanted), 1):
        for rows in source.groups(page[:ROWS]) if view.together else ([row] for row in page[:ROWS]):
            yield receiving_rows.read(view.name, rows, polling.feed, polling.feed.name, now)
