"""What the workbench reads: the worklist and its cases. Reads only, so many statements a page and no more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from labbridge.model.beside import About, Alike
from labbridge.model.outcome import DAMAGED, Outcome
from labbridge.model.release import LookedAt, Standing, Suspension
from labbridge.model.retests import ListedRetest, Yield
from labbridge.model.review import Call, Decision, Disposition, Reading, Remark, SecondReading, Signed
from labbridge.model.wordings import Asked, Window
from labbridge.model.work import Case, HeldResults
from labbridge.model.worklist import DONE, MOST_COUNTED, OPEN, RANKS, Chosen, Counted, Listed, Place, Queue
from labbridge.states import CaseState, DeliveryState
from labbridge.store import beside, calls, decisions, ranks, reading, releases, retests, second, whole, wordings
from labbridge.store.connection import Connection, lookup_key, marks

LAST = 2**62  # behind every key
AT_ONCE = 200  # cases in one statement
SET_ASIDE, LEAVING, TO_REVIEW = 1, 2, 3  # parts of COUNT; 0: open, 4: done
STATES, PUT = {one.value: one for one in CaseState}, {one.value: one for one in Disposition}  # else it is damaged: held
UNSETTLED = (DeliveryState.FAILED, DeliveryState.WAITING, DeliveryState.SENT)  # the worst first


def _in(column: str, words: Iterable[str]) -> str:
    """Words of ours in the text of a statement: a partial index is used only where it finds its own."""
    listed = ", ".join(f"'{word}'" for word in words)
    return f"{column} IN ({listed})"


IS_DONE, IS_OPEN = _in("c.state", DONE), "c.state NOT IN ('signed', 'closed')"
ON_ITS_WAY = "o.state IN ('waiting', 'sent', 'failed')"
ROW = (
    f"SELECT c.id, {whole.DRAFT.format('d')}, {whole.CASE}, (SELECT min(CASE o.state"  # noqa: S608
    " WHEN 'failed' THEN 0 WHEN 'waiting' THEN 1 ELSE 2 END) FROM outbox o WHERE o.\"case\" = c.id AND"
    f' {ON_ITS_WAY}) FROM {{}} LEFT JOIN drafts d ON d."case" = c.id AND d.version = c.version'
)
KEYS = "SELECT {0} AS done, c.id FROM cases c WHERE {1} AND c.id > ? AND {2} ORDER BY c.id LIMIT ?"
RANKED = (
    "SELECT 0 AS done, c.id FROM cases c WHERE {0} AND (c.rank < ? OR (c.rank = ? AND c.id > ?)) AND {1}"
    " ORDER BY c.rank DESC, c.id LIMIT ?"
)
PART = "SELECT * FROM ({}) AS p"
IN_FORCE = "c.disposition_version = c.version AND (c.until = '' OR c.until > ?)"
DONE_WITH = f"CASE WHEN {IN_FORCE} THEN c.disposition ELSE '' END"  # what a person did with the present version
WAITS_FOR_READER = f"(c.disposition = '{Disposition.SECOND_READER}' AND c.disposition_version = c.version)"
FEED, UPDATED = "('' || c.feed)", "('' || c.updated)"  # not by their index: what is open or on its way is far less
COUNTS = (
    # what is open, what of it was set aside, what has a comment on its way, what is to be read after its release by rule
    f"SELECT 0, c.feed, c.state, '', count(*) FROM cases c WHERE {IS_OPEN} AND {{1}} GROUP BY c.feed, c.state",  # noqa: S608
    "SELECT 1, c.feed, c.state, c.disposition, count(*) FROM cases c WHERE c.disposition != '' AND"  # noqa: S608
    f" {IS_OPEN} AND {IN_FORCE} AND {{1}} GROUP BY c.feed, c.state, c.disposition",
    "SELECT 2, c.feed, o.state, '', count(DISTINCT c.id) FROM outbox o JOIN cases c ON c.id = o.\"case\""  # noqa: S608
    f" WHERE {ON_ITS_WAY} AND {{1}} GROUP BY c.feed, o.state",
    "SELECT 3, c.feed, '', '', count(*) FROM reviews v JOIN cases c ON c.id = v.\"case\""
    " WHERE v.agrees = '' AND {1} GROUP BY c.feed",
    *(  # of the others, which are all that ever were, as many as anybody wants to know
        f"SELECT 4, '', '{state}', '', count(*) FROM (SELECT 1 FROM cases c"  # noqa: S608
        f" WHERE c.state = '{state}' AND {{0}} LIMIT {MOST_COUNTED + 1}) AS {state}"
        for state in DONE
    ),
)
COUNT = " UNION ALL ".join(COUNTS)
NEWS = "SELECT count(*) FROM cases c WHERE {0} > ? AND {1}"
NEWEST = "SELECT max({0}) FROM cases c WHERE {1}"
FOUND = (  # the lanes of a number, and every lane that is the same patient's
    "WITH named(lane) AS (SELECT lane FROM numbers WHERE number = ?"
    " UNION SELECT 'p:' || authority || '|' || identifier FROM patients WHERE identifier = ?),"
    " patient(lane) AS (SELECT coalesce(m.surviving, n.lane) FROM named n LEFT JOIN merged m ON m.lane = n.lane),"
    " lanes(lane) AS (SELECT lane FROM patient"
    " UNION SELECT m.lane FROM merged m JOIN patient p ON m.surviving = p.lane)"
    " SELECT c.id FROM cases c WHERE c.id IN (SELECT o.id FROM cases o WHERE o.id = ?"
    " UNION SELECT o.id FROM cases o JOIN lanes l ON l.lane = o.lane) AND {} ORDER BY c.id LIMIT 200"
)
OPENED = (
    'SELECT o."case", p.login, p.name FROM opened o JOIN people p ON p.id = o.person'
    ' WHERE o.at >= ? AND o."case" IN ({}) ORDER BY o.at'
)

_outcome = msgspec.json.Decoder(Outcome)


class StoreBench:
    """web/parts.Cases on a connection of its own."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def case(self, key: int) -> Case | None:
        return reading.case(self._reader, key)

    def draft(self, key: int, version: int) -> Case | None:
        """The case as an earlier version had it; None where there was none."""
        return reading.draft(self._reader, key, version)

    def decisions(self, key: int) -> list[Decision]:
        return decisions.of_case(self._reader, key)

    def signatures(self, key: int) -> list[Signed]:
        return decisions.signatures(self._reader, key)

    def looked_at(self, case: Case) -> LookedAt | None:
        """What became of the case when it was looked at for release by rule."""
        return releases.of_case(self._reader, case.key, case.version)

    def release_standings(self) -> list[Standing]:
        """What stands on record of drafts, by feed and comment class."""
        return releases.standings(self._reader)

    def suspensions(self) -> list[Suspension]:
        """Where release by rule is stopped."""
        return releases.suspensions(self._reader)

    def retests(self, case: Case) -> list[ListedRetest]:
        """The retests that a case raised, and those open that others of the patient did."""
        return retests.of_case(self._reader, case.key, case.lanes or (case.lane,))

    def open_retests(self, feeds: Sequence[str] | None, after: int, limit: int) -> list[ListedRetest]:
        """The open retests of these feeds (None: all), oldest first, behind a key."""
        return retests.opened(self._reader, feeds, after, limit)

    def retest_yields(self, feeds: Sequence[str] | None) -> list[Yield]:
        """What became of retests, by rule, assay and signal band."""
        return retests.yields(self._reader, feeds)

    def retest(self, key: int) -> ListedRetest | None:
        return retests.one(self._reader, key)

    def ranked_by(self, key: int, version: int) -> str:
        """The knowledge that a version of a case was ranked by; empty where it was not."""
        return ranks.ranked_by(self._reader, key, version)

    def calls(self, key: int) -> list[Call]:
        """The telephone calls about a case, oldest first."""
        return calls.of_case(self._reader, key)

    def remarks(self, key: int) -> list[Remark]:
        """The notes at a case, oldest first."""
        return calls.remarks(self._reader, key)

    def two_readers(self, key: int) -> SecondReading:
        """The first signatures of a case, and what second readers read."""
        return second.of_case(self._reader, key)

    def readings(self, limit: int) -> list[Reading]:
        """The newest second readings of all cases."""
        return second.newest(self._reader, limit)

    def worded(self, keys: Sequence[int]) -> set[int]:
        """Those of these cases whose words a person changed, in whatever version."""
        asked = f'SELECT DISTINCT "case" FROM decisions WHERE kind = \'wording\' AND "case" IN ({marks(len(keys))})'  # noqa: S608
        return {int(key) for (key,) in self._reader.execute(asked, tuple(keys)).fetchall()} if keys else set()

    def wordings(self, asked: Asked, before: int) -> Window:
        """What people decided of drafts, the newest before a key."""
        return wordings.window(self._reader, asked, before)

    def held(self, key: int) -> HeldResults | None:
        """What is held of the patient of a case, for its evidence; None where there is no such case."""
        return reading.held(self._reader, key)

    def about(self, case: Case) -> About:
        """Whom a case is about, who sent it and since when it is open."""
        return beside.about(self._reader, case)

    def alike(self, case: Case, feeds: Sequence[str] | None) -> list[Alike]:
        """Cases of these feeds (None: all) that ended and were like it."""
        return beside.alike(self._reader, case, feeds)

    def page(self, chosen: Chosen, after: Place, limit: int) -> list[Listed]:
        """The cases that were chosen, behind a place: those that a person has to look at, oldest first, then the others."""
        sql, params = _keys(chosen, after, limit)
        order = "c.rank DESC, c.id" if chosen.queue.ranked else "k.done, c.id"
        asked = f"{ROW.format(f'({sql}) k JOIN cases c ON c.id = k.id')} ORDER BY {order} LIMIT ?"
        return [_listed(row) for row in self._reader.execute(asked, (*params, limit)).fetchall()]

    def keys(self, chosen: Chosen, limit: int) -> list[int]:
        """The same cases by their keys alone."""
        sql, params = _keys(chosen, Place(), limit)
        order = "" if chosen.queue.ranked else " ORDER BY 1, 2"
        rows = self._reader.execute(f"{sql}{order} LIMIT ?", (*params, limit)).fetchall()
        return [int(key) for _done, key in rows]

    def rows(self, keys: Sequence[int]) -> list[Listed]:
        """These cases, at most AT_ONCE of them, in their order; without those that are gone."""
        asked = f"{ROW.format('cases c')} WHERE c.id IN ({marks(len(keys))})"
        found = {row[0]: _listed(row) for row in self._reader.execute(asked, keys).fetchall()} if keys else {}
        return [found[key] for key in keys if key in found]

    def counts(self, feeds: Sequence[str] | None, now: datetime) -> Counted:
        """Every queue of these feeds, in one statement."""
        (along, params), (of_feeds, _same) = _of_feeds(feeds), _of_feeds(feeds, FEED)
        cases: defaultdict[tuple[CaseState, Disposition], int] = defaultdict(int)  # the parts come in any order
        deliveries: defaultdict[DeliveryState, int] = defaultdict(int)
        reviews, seen = 0, set[str]()
        given = (*params, now.isoformat(), *params, *params, *params, *params, *params)
        for kind, feed, state, put, count in self._reader.execute(COUNT.format(along, of_feeds), given).fetchall():
            seen.add(feed)
            if kind == TO_REVIEW:
                reviews += count
            elif kind == LEAVING:
                deliveries[DeliveryState(state)] += count
            else:
                cases[STATES.get(state, CaseState.HELD), PUT.get(put, Disposition.NONE)] += count
            if kind == SET_ASIDE:
                cases[STATES.get(state, CaseState.HELD), Disposition.NONE] -= count
        return Counted(dict(cases), dict(deliveries), reviews, tuple(sorted(seen - {""})))

    def newest(self, chosen: Chosen) -> str:
        """When one of the cases last changed, as the store writes moments; empty where there are none."""
        where, params = _where(chosen)
        row = self._reader.execute(NEWEST.format(_updated(chosen), where), params).fetchone()
        return str(row[0] or "")

    def news(self, chosen: Chosen, seen: str) -> int:
        """How many of the cases are new, or have changed, since a moment that `newest` gave."""
        where, params = _where(chosen)
        return int(self._reader.execute(NEWS.format(_updated(chosen), where), (seen, *params)).fetchone()[0])

    def find(self, number: str, case: int, feeds: Sequence[str] | None) -> list[int]:
        """The cases of a patient, specimen or order by its number, exactly as it was sent, over all numbers of the patient;
        and the case of this key. 200 at most."""
        of_feeds, params = _of_feeds(feeds)
        kept = lookup_key(number)
        rows = self._reader.execute(FOUND.format(of_feeds), (kept, kept, case, *params)).fetchall()
        return [int(key) for (key,) in rows]

    def opened(self, keys: Sequence[int], since: datetime) -> dict[int, list[tuple[str, str]]]:
        """Who has these cases open: login and name."""
        found: dict[int, list[tuple[str, str]]] = {}
        if keys:
            asked = OPENED.format(marks(len(keys)))
            for key, login, name in self._reader.execute(asked, (since.isoformat(), *keys)).fetchall():
                found.setdefault(int(key), []).append((login, name))
        return found


def _keys(chosen: Chosen, after: Place, limit: int) -> tuple[str, list[object]]:
    """The keys of a page in two parts, each along the keys: one order over both would be sorted anew for each page. A
    ranked queue has one part, along the ranks."""
    if chosen.queue.ranked:
        where, params = _where(chosen)
        return PART.format(RANKED.format(IS_OPEN, where)), [after.rank, after.rank, after.key, *params, limit]
    parts, given = [], list[object]()
    states = set(chosen.queue.states)
    if not states or states - set(DONE):
        where, params = _where(chosen)
        parts.append(PART.format(KEYS.format(0, IS_OPEN, where)))
        given += [LAST if after.done else after.key, *params, limit]
    if not states or states & set(DONE):
        where, params = _where(chosen, "c.feed" if states else FEED)
        parts.append(PART.format(KEYS.format(1, IS_DONE, where)))
        given += [after.key if after.done else 0, *params, limit]
    return " UNION ALL ".join(parts), given


def _updated(chosen: Chosen) -> str:
    """Along the moments of all cases, or over those that are open or on their way."""
    return "c.updated" if set(chosen.queue.states) & set(DONE) else UPDATED


def _where(chosen: Chosen, feed: str = FEED) -> tuple[str, list[object]]:
    where, params = _of_feeds(chosen.feeds, feed)
    parts = [where, _of_queue(chosen.queue)]
    if chosen.queue.states and chosen.queue.dispositions is not None:
        parts.append(_in(DONE_WITH, chosen.queue.dispositions))
        params.append(chosen.now.isoformat())
    if chosen.feed:
        parts.append(f"{feed} = ?")
        params.append(chosen.feed)
    if chosen.since is not None:
        parts.append("c.opened >= ?")
        params.append(chosen.since.isoformat())
    found, given = _found(chosen)
    if found and chosen.unread:
        found = f"({WAITS_FOR_READER} OR {found})"
    return " AND ".join([*parts, found] if found else parts), [*params, *given]


def _found(chosen: Chosen) -> tuple[str, list[object]]:
    """By what was found in a case; empty where that is not asked."""
    parts, params = list[str](), list[object]()
    if chosen.severity is not None:
        parts.append("c.severity >= ?")
        params.append(RANKS[chosen.severity])
    for column, word in (("c.flags", chosen.flag), ("c.analytes", chosen.analyte)):
        if word:
            parts.append(f"{column} LIKE ? ESCAPE '!'")
            params.append(f"% {_literally(word)} %")
    return " AND ".join(parts), params


def _of_queue(queue: Queue) -> str:
    if queue.states == OPEN:
        return IS_OPEN
    if queue.states:
        found = _in("c.state", queue.states)
        return found if set(queue.states) & set(DONE) else f"{IS_OPEN} AND {found}"
    if queue.review:
        return "c.id IN (SELECT v.\"case\" FROM reviews v WHERE v.agrees = '')"
    return f'c.id IN (SELECT o."case" FROM outbox o WHERE {ON_ITS_WAY} AND {_in("o.state", queue.deliveries)})'  # noqa: S608


def _of_feeds(feeds: Sequence[str] | None, feed: str = "c.feed") -> tuple[str, list[object]]:
    """Of no feed there is nothing."""
    if feeds is None:
        return "1 = 1", []
    return (f"{feed} IN ({marks(len(feeds))})", list(feeds)) if feeds else ("1 = 0", [])


def _literally(word: str) -> str:
    return "".join(f"!{char}" if char in "!%_" else char for char in word)


def _listed(found: Sequence[Any]) -> Listed:
    key, drafted, row, leaving = found[0], found[1:10], whole.CaseRow(*found[10:-1]), found[-1]
    said = whole.draft(drafted)
    sound = said and row.decides
    return Listed(
        key=key,
        version=row.version,
        state=CaseState(row.state) if sound else CaseState.HELD,
        feed=str(row.feed),
        opened=reading.moment(row.opened_at, row.opened),
        updated=reading.moment(row.updated, row.stands),
        outcome=_outcome.decode(drafted[7]) if sound else DAMAGED,
        rank=int(row.rank),
        delivery=None if leaving is None else UNSETTLED[int(str(leaving))],
        damaged=not sound,
        **reading.disposed(row),
    )
