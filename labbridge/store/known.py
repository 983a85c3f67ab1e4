"""By what the resources of FHIR bodies are known to their senders, so that what is created once is not created twice.

A row says that a resource of a feed bears an identifier, or its sender's own id. The one writer asks and adds: nobody else
can create the same meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from labbridge.model.work import Arrival, PostedResource
from labbridge.store.connection import Connection, lookup_key, marks

INSERT = "INSERT INTO known(feed, type, token, resource, message) VALUES (?,?,?,?,?)"
ANY = "SELECT 1 FROM known WHERE feed = ? AND type = ? AND token IN ({}) LIMIT 1"
MATCHES = "SELECT DISTINCT resource FROM known WHERE feed = ? AND type = ? AND token = ? LIMIT 2"
OF_MESSAGE = "SELECT type, token, resource FROM known WHERE feed = ? AND message = ?"
FORGET = "DELETE FROM known WHERE message = ?"

Key = tuple[str, str, str]
Row = tuple[str, str, str, str, int]


def conditions(arrival: Arrival) -> Iterator[tuple[PostedResource, Key]]:
    """What has to be looked up before these resources are created: the condition of a POST, the id of a PUT."""
    for one in arrival.resources:
        token = _id(one.id) if one.id else one.only_if_none
        if token:
            yield one, (arrival.feed, one.kind, lookup_key(token))


def all_new(connection: Connection, arrivals: Sequence[Arrival]) -> bool:
    """Whether none of what these arrivals ask to create is there, or asked for by an earlier one of them."""
    borne: set[Key] = set()
    wanted: dict[tuple[str, str], list[str]] = {}
    for arrival in arrivals:
        asked = {key for _one, key in conditions(arrival)}
        if asked & borne:
            return False
        borne |= asked | {key for one in arrival.resources for key in _keys(arrival.feed, one)}
        for feed, kind, token in asked:
            wanted.setdefault((feed, kind), []).append(token)
    return not any(
        connection.execute(ANY.format(marks(len(tokens))), (*of, *tokens)).fetchone() for of, tokens in wanted.items()
    )


def matches(connection: Connection, arrival: Arrival) -> tuple[dict[int, str], int | None]:
    """The entries whose resources are there, with their ids; and the first one whose condition several resources meet."""
    found: dict[int, str] = {}
    for one, key in conditions(arrival):
        rows = connection.execute(MATCHES, key).fetchall()
        if len(rows) > 1:
            return {}, one.entry
        if rows:
            found[one.entry] = rows[0][0]
    return found, None


def rows(arrival: Arrival, key: int, there: Mapping[int, str]) -> list[Row]:
    """What is written of the resources of a body that was kept under a key: each token of those that were created or
    updated."""
    return [
        (*token, there.get(one.entry) or one.id or name(key, one.entry), key)
        for one in arrival.resources
        if one.entry not in there or one.method == "PUT"
        for token in _keys(arrival.feed, one)
    ]


def name(key: int, entry: int) -> str:
    """The id of a resource that came without one: of the message's key and its entry."""
    return f"M{key}-{entry}" if entry >= 0 else f"M{key}"


def _keys(feed: str, one: PostedResource) -> Iterator[Key]:
    for token in (*one.known_by, *([_id(one.id)] if one.id else [])):
        yield feed, one.kind, lookup_key(token)


def _id(id: str) -> str:
    """A sender's own id as a token; an identifier has a bar."""
    return f"/{id}"
