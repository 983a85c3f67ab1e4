"""The tally: how often something happened, by name and labels. The counters of the metrics, kept with what they count."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from labbridge.model.work import Count

COUNT = (
    "INSERT INTO tally(name, labels, count, updated) VALUES (?,?,?,?)"
    " ON CONFLICT(name, labels) DO UPDATE SET count = count + excluded.count, updated = max(updated, excluded.updated)"
)
COUNT_ALL = (
    "INSERT INTO tally(name, labels, count)"
    " SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?)"
    " WHERE true ON CONFLICT(name, labels) DO UPDATE SET count = count + excluded.count"
)
SEPARATOR = "\t"
_encode = msgspec.json.Encoder().encode


def labels(*values: str) -> str:
    """Labels as the table keeps them."""
    return SEPARATOR.join(values)


def counts_row(counts: Sequence[Count]) -> str:
    """The parameter of COUNT_ALL: all counts of a unit in one statement."""
    return _encode([(one.name, labels(*one.labels), one.by) for one in counts]).decode()
