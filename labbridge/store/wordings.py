"""What people decided of drafts, for who writes the rules: the newest decisions, so many at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from labbridge.model.outcome import Outcome
from labbridge.model.review import Decided
from labbridge.model.wordings import Asked, Drafted, Judged, Window
from labbridge.store import whole
from labbridge.store.connection import Connection, marks

AT_ONCE = 500  # decisions, and signatures
SIGNED = (
    'SELECT 1 FROM signatures s JOIN outbox o ON o.id = s.delivery WHERE s."case" = {0}."case" AND s.version = {0}.version'
    " AND o.state <> 'cancelled'"
)
SHOWN = "NOT (c.disposition = 'second_reader' AND c.disposition_version = c.version)"  # its second reader may look here
ROWS = (
    f"SELECT newest.id, newest.kind, newest.at, newest.why, newest.text, {whole.DRAFT.format('f')},"  # noqa: S608
    f" CASE WHEN EXISTS ({SIGNED.format('newest')}) THEN 1 ELSE 0 END"
    ' FROM (SELECT id, "case", version, kind, at, why, text FROM decisions WHERE id < ? ORDER BY id DESC LIMIT ?) AS newest'
    ' JOIN cases c ON c.id = newest."case" JOIN drafts f ON f."case" = newest."case" AND f.version = newest.version'
    f" WHERE newest.kind IN ('wording', 'no_action', 'reject') AND {SHOWN}"
    " AND newest.at >= ? AND {} ORDER BY newest.id DESC"
)
PLACE = (
    "SELECT min(newest.id), count(*) FROM (SELECT id FROM decisions WHERE id < ? ORDER BY id DESC LIMIT ?) AS newest"
)
AS_DRAFTED = (
    f"SELECT DISTINCT {whole.DRAFT.format('f')}"  # noqa: S608
    ' FROM (SELECT g."case", g.version, g.delivery, g.at FROM signatures g'
    " WHERE g.id > (SELECT max(id) FROM signatures WHERE id > 0) - ?) AS newest"
    " JOIN outbox o ON o.id = newest.delivery AND o.state <> 'cancelled'"
    ' JOIN cases c ON c.id = newest."case" JOIN drafts f ON f."case" = newest."case" AND f.version = newest.version'
    ' WHERE NOT EXISTS (SELECT 1 FROM decisions w WHERE w."case" = newest."case" AND w.version = newest.version'
    f" AND w.kind = 'wording') AND {SHOWN} AND newest.at >= ? AND {{}}"
)

_outcome = msgspec.json.Decoder(Outcome)


def window(connection: Connection, asked: Asked, before: int) -> Window:
    """Three statements, whatever there is. A damaged draft is left out: nobody can say what was decided of."""
    feeds, params = _of_feeds(asked.feeds)
    since = asked.since.isoformat() if asked.since else ""
    rows = connection.execute(ROWS.format(feeds), (before, AT_ONCE, since, *params)).fetchall()
    least, count = connection.execute(PLACE, (before, AT_ONCE)).fetchone()
    signed = connection.execute(AS_DRAFTED.format(feeds), (AT_ONCE, since, *params)).fetchall()
    as_drafted = (_drafted(row) for row in signed if whole.draft(row))
    return Window(
        tuple(one for one in map(_judged, _sound(rows)) if _wanted(one.draft, asked)),
        tuple(one for one in as_drafted if _wanted(one, asked)),
        int(least) if count == AT_ONCE else 0,
    )


def _sound(rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    return (row for row in rows if whole.draft(row[5:14]))


def _judged(row: Sequence[Any]) -> Judged:
    key, kind, at, why, worded, *drafted, signed = row
    return Judged(
        key=key, draft=_drafted(drafted), kind=Decided(kind), at=datetime.fromisoformat(str(at)),
        why=str(why), drafted=str(drafted[2]), worded=str(worded), signed=bool(signed),
    )  # fmt: skip


def _drafted(row: Sequence[Any]) -> Drafted:
    case, version, *_about, raw, _crc = row
    outcome = _outcome.decode(raw)
    comment = outcome.comment
    return Drafted(
        case=int(str(case)),
        version=int(str(version)),
        comment_class=comment.comment_class if comment else "",
        language=comment.language if comment else "",
        rules=outcome.fired,
    )


def _wanted(draft: Drafted, asked: Asked) -> bool:
    rules = {rule.partition("@")[0] for rule in draft.rules}
    of_class = not asked.comment_class or draft.comment_class == asked.comment_class
    return of_class and (not asked.rule or asked.rule in rules)


def _of_feeds(feeds: Sequence[str] | None) -> tuple[str, tuple[str, ...]]:
    if feeds is None:
        return "1 = 1", ()
    return (f"c.feed IN ({marks(len(feeds))})", tuple(feeds)) if feeds else ("1 = 0", ())
