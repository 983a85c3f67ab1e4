"""Release by rule: what was looked at and why it stayed a person's, where it is stopped, what persons did with drafts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial

from labbridge.errors import Refused
from labbridge.model.release import Beside, ByRule, Judged, LookedAt, Record, Refusal, Standing, Suspension
from labbridge.model.work import AuditEvent, Case, Count, HeldResults
from labbridge.store import reading
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection, marks
from labbridge.store.tally import add_counts
from labbridge.store.writer import Writer

NEW = (
    "SELECT c.id FROM cases c WHERE c.state = 'new' AND c.feed IN ({0}) AND NOT EXISTS (SELECT 1 FROM releases r"
    " WHERE r.\"case\" = c.id AND r.version = c.version AND (r.due = '' OR r.due > ?)) ORDER BY c.id LIMIT ?"
)
LOOKED_AT = (
    'INSERT INTO releases("case", version, rule, class, analytes, delivery, refusals, due, at) VALUES (?,?,?,?,?,?,?,?,?)'
    ' ON CONFLICT("case", version) DO UPDATE SET rule = excluded.rule, class = excluded.class,'
    " analytes = excluded.analytes, delivery = excluded.delivery, refusals = excluded.refusals, due = excluded.due,"
    " at = excluded.at"
)
OF_CASE = (
    "SELECT r.rule, r.delivery, r.refusals, v.agrees, v.name, v.why FROM releases r LEFT JOIN reviews v"
    ' ON v."case" = r."case" AND v.version = r.version WHERE r."case" = ? AND r.version = ? AND r.due = \'\''
)
REVIEW = 'INSERT INTO reviews("case", version, rule, feed, released) VALUES (?,?,?,?,?)'
TO_REVIEW = "SELECT rule FROM reviews WHERE \"case\" = ? AND version = ? AND agrees = ''"
REVIEWED = 'UPDATE reviews SET agrees = ?, person = ?, name = ?, why = ?, at = ? WHERE "case" = ? AND version = ?'
OF_RULE = "UPDATE outbox SET rule = ? WHERE id = ?"
JUDGED = (
    'INSERT INTO judgements("case", version, feed, class, agreed, at) VALUES (?,?,?,?,?,?)'
    ' ON CONFLICT("case", version) DO UPDATE SET agreed = excluded.agreed, at = excluded.at'
)
UNJUDGED = 'DELETE FROM judgements WHERE "case" = ? AND version = ?'
WORDS = "INSERT INTO words_seen(feed, digest) VALUES (?,?) ON CONFLICT(feed, digest) DO NOTHING"
SEEN = "SELECT 1 FROM words_seen WHERE feed = ? AND digest = ?"
CASES = (  # H4 asks for so many reviewed cases: a case is one, however often it was signed, and agreed to if each time
    'SELECT feed, class, 1 AS reviewed, min(agreed) AS agreed, 0 AS released FROM judgements{} GROUP BY feed, class, "case"'
)
RECORD = (
    "SELECT count(*), coalesce(sum(agreed), 0)"  # noqa: S608
    f" FROM ({CASES.format(' WHERE feed = ? AND class = ?')}) AS cases"
)
RECORDS = (
    "SELECT feed, class, sum(reviewed), sum(agreed), sum(released)"  # noqa: S608
    f" FROM ({CASES.format('')} UNION ALL SELECT c.feed, r.class, 0, 0, 1 FROM releases r JOIN cases c"
    ' ON c.id = r."case" WHERE r.delivery > 0) AS every GROUP BY feed, class ORDER BY feed, class'
)
LOTS = "SELECT lot, first FROM lots WHERE feed = ? AND lot IN ({})"
NOTE_LOT = "INSERT INTO lots(feed, lot, first) VALUES (?,?,?) ON CONFLICT(feed, lot) DO NOTHING"
OTHER = "SELECT 1 FROM cases WHERE lane IN ({}) AND id <> ? AND state NOT IN ('signed', 'closed') LIMIT 1"
HAND = (
    'SELECT 1 FROM opened WHERE "case" = ? AND at >= ? UNION ALL'
    ' SELECT 1 FROM decisions WHERE "case" = ? AND version = ? LIMIT 1'
)
BY_RULE = (
    'SELECT c.feed, o.rule, r.analytes FROM outbox o JOIN cases c ON c.id = o."case"'
    ' JOIN releases r ON r."case" = o."case" AND r.version = o.version WHERE o.id = ?'
)
RESTORED = "SELECT 1 FROM restores WHERE confirmed = '' LIMIT 1"
IN_FORCE = "SELECT id, feed, analyte, rule, why, by, at FROM suspensions WHERE lifted = '' ORDER BY id"
SUSPEND = "INSERT INTO suspensions(feed, analyte, rule, why, by, at) VALUES (?,?,?,?,?,?)"
LIFT = "UPDATE suspensions SET lifted = ?, lifted_by = ? WHERE id = ? AND lifted = ''"


# ---------------------------------------------------------------- what is asked before


def new_cases(connection: Connection, feeds: Sequence[str], now: datetime, limit: int) -> list[int]:
    """New cases of these feeds that were not looked at for release yet in this version, and those that were put off until
    now."""
    asked = (*feeds, now.isoformat(), limit)
    rows = connection.execute(NEW.format(marks(len(feeds))), asked).fetchall() if feeds else []
    return [int(key) for (key,) in rows]


def record(connection: Connection, feed: str, comment_class: str) -> Record:
    return Record(*map(int, connection.execute(RECORD, (feed, comment_class)).fetchone()))


def standings(connection: Connection) -> list[Standing]:
    """By feed and comment class, in their order."""
    return [
        Standing(feed=feed, comment_class=name, record=Record(int(reviewed), int(agreed)), released=int(released))
        for feed, name, reviewed, agreed, released in connection.execute(RECORDS).fetchall()
    ]


def lots(connection: Connection, feed: str, sent: Collection[str]) -> dict[str, datetime]:
    """When each of these lots was first seen."""
    rows = connection.execute(LOTS.format(marks(len(sent))), (feed, *sorted(sent))).fetchall() if sent else []
    return {str(lot): datetime.fromisoformat(first) for lot, first in rows}


def words_seen(connection: Connection, feed: str, digest: bytes) -> bool:
    return connection.execute(SEEN, (feed, digest)).fetchone() is not None


def other_open(connection: Connection, lanes: Sequence[str], case: int) -> bool:
    """Whether the patient of these lanes has another case that a person may have to look at."""
    return connection.execute(OTHER.format(marks(len(lanes))), (*lanes, case)).fetchone() is not None


def in_hand(connection: Connection, case: Case, since: datetime) -> bool:
    """Whether somebody has had it open since then, or decided anything of this version: gave it other words, took it
    back."""
    asked = (case.key, since.isoformat(), case.key, case.version)
    return connection.execute(HAND, asked).fetchone() is not None


def restored(connection: Connection) -> bool:
    return connection.execute(RESTORED).fetchone() is not None


def suspensions(connection: Connection) -> list[Suspension]:
    """Those in force, oldest first."""
    return [
        Suspension(key=key, feed=feed, analyte=analyte, rule=rule, why=why, by=by, at=datetime.fromisoformat(at))
        for key, feed, analyte, rule, why, by, at in connection.execute(IN_FORCE).fetchall()
    ]


def of_case(connection: Connection, case: int, version: int) -> LookedAt | None:
    """What was found when this version was looked at; None where nobody has, or it is to be looked at again."""
    row = connection.execute(OF_CASE, (case, version)).fetchone()
    if row is None:
        return None
    rule, delivery, refusals, agrees, reviewer, why = row
    return LookedAt(
        rule=rule,
        delivery=int(delivery),
        refusals=tuple(Refusal(one) for one in refusals.split()),
        to_review=agrees == "",
        reviewer=reviewer or "",
        agrees=agrees or "",
        why=why or "",
    )


def stopped(connection: Connection, delivery: int) -> bool:
    """Whether what a rule released, and has not left, is stopped by now."""
    found = suspensions(connection)
    if not found:
        return False
    feed, rule, analytes = connection.execute(BY_RULE, (delivery,)).fetchone()
    about = str(feed), frozenset(str(analytes).split()), str(rule).partition("@")[0]
    return any(one.stops(*about) for one in found)


# ---------------------------------------------------------------- what is written


def refused(
    connection: Connection,
    about: tuple[int, int],
    rule: str,
    why: Sequence[Refusal],
    now: datetime,
    *,
    analytes: Sequence[str] = (),
) -> None:
    """This version stays a person's; `analytes` are those of the results it rests on."""
    connection.execute(LOOKED_AT, (*about, rule, "", "", 0, " ".join(why), "", now.isoformat()))
    counts = [Count("auto_release", (analyte, "refused")) for analyte in analytes]
    add_counts(connection, [*(Count("release_refusals", (one.value,)) for one in why), *counts])


def put_off(connection: Connection, about: tuple[int, int], due: datetime, now: datetime) -> None:
    """This version is looked at again."""
    connection.execute(LOOKED_AT, (*about, "", "", "", 0, "", due.isoformat(), now.isoformat()))


def released(connection: Connection, about: tuple[int, int, int], by_rule: ByRule, now: datetime) -> None:
    """`about` is case, version, delivery. Refused where it was stopped meanwhile: nothing leaves after that."""
    if any(one.stops(by_rule.feed, frozenset(by_rule.analytes), by_rule.id) for one in suspensions(connection)):
        raise Refused(f"Release by {by_rule.rule} was suspended meanwhile")
    case, version, delivery = about
    connection.execute(OF_RULE, (by_rule.rule, delivery))
    looked_at = (
        case,
        version,
        by_rule.rule,
        by_rule.comment_class,
        " ".join(by_rule.analytes),
        delivery,
        "",
        "",
        now.isoformat(),
    )
    connection.execute(LOOKED_AT, looked_at)
    if by_rule.sampled:
        connection.execute(REVIEW, (case, version, by_rule.rule, by_rule.feed, now.isoformat()))
    counts = [Count("auto_release", (analyte, "released")) for analyte in by_rule.analytes]
    add_counts(connection, [Count("releases", (by_rule.rule,)), *counts])


def judged(connection: Connection, about: tuple[int, int], what: Judged, now: datetime) -> None:
    """A person signed a draft, as it was or with other words, or decided that nothing of it leaves."""
    row = (what.feed, what.comment_class, int(what.agreed), now.isoformat())
    connection.execute(JUDGED, (*about, *row))
    if what.words:
        connection.execute(WORDS, (what.feed, what.words))


def unjudged(connection: Connection, about: tuple[int, int]) -> None:
    """What was signed was called back: it says nothing of the draft."""
    connection.execute(UNJUDGED, about)


def suspend(connection: Connection, suspension: Suspension, audit: AuditEvent) -> int:
    """Stop it; its key."""
    one = suspension
    row = (one.feed, one.analyte, one.rule, one.why, one.by, one.at.isoformat())
    key = connection.execute(SUSPEND, row).lastrowid or 0
    connection.execute(INSERT_AUDIT, audit_row(audit))
    return key


def lift(connection: Connection, keys: Sequence[int], audit: AuditEvent) -> None:
    """Refused where one of them is not in force: then none is lifted."""
    for key in keys:
        if connection.execute(LIFT, (audit.at.isoformat(), audit.actor, key)).rowcount != 1:
            raise Refused(f"There is no suspension S{key} in force")
    connection.execute(INSERT_AUDIT, audit_row(audit))


def review(
    connection: Connection, about: tuple[int, int], agrees: bool, by: tuple[str, str, str], audit: AuditEvent
) -> str:
    """What a person says of what a rule released: `by` is login, name, reason. Whoever disagrees stops the rule. The rule.
    Refused where it waits for none."""
    row = connection.execute(TO_REVIEW, about).fetchone()
    if row is None:
        raise Refused(f"C{about[0]}@{about[1]} waits for no review")
    person, name, why = by
    connection.execute(REVIEWED, ("yes" if agrees else "no", person, name, why, audit.at.isoformat(), *about))
    connection.execute(INSERT_AUDIT, audit_row(audit))
    rule = str(row[0])
    add_counts(connection, [Count("release_reviews", (rule, "agrees" if agrees else "disagrees"))])
    if not agrees:
        told = f"independent review of C{about[0]}@{about[1]} disagrees"
        stop = Suspension(key=0, rule=rule.partition("@")[0], why=told, by=person, at=audit.at)
        suspend(connection, stop, AuditEvent(at=audit.at, actor=person, action="suspended", subject=rule, detail=told))
    return rule


# ---------------------------------------------------------------- the same, for whoever is not in a transaction


class StoreReleases:
    """Reads on a connection of its own, each write a job of the writer."""

    def __init__(self, reader: Connection, writer: Writer) -> None:
        self._reader, self._writer = reader, writer

    def new_cases(self, feeds: Sequence[str], now: datetime, limit: int) -> list[int]:
        return new_cases(self._reader, feeds, now, limit)

    def beside(self, case: Case, comment_class: str, words: bytes, idle: datetime) -> Beside:
        """What decides about a case and stands in other tables."""
        held = reading.held(self._reader, case.key) or HeldResults()
        used = {one.ref: one for one in held.results if one.ref in case.outcome.used}
        return Beside(
            results=tuple(used.values()) if len(used) == len(set(case.outcome.used)) else (),
            record=record(self._reader, case.feed, comment_class),
            words_seen=words_seen(self._reader, case.feed, words),
            other_open=other_open(self._reader, case.lanes or (case.lane,), case.key),
            in_hand=in_hand(self._reader, case, idle),
            restored=restored(self._reader),
        )

    def lots(self, feed: str, sent: Collection[str]) -> dict[str, datetime]:
        return lots(self._reader, feed, sent)

    def suspensions(self) -> list[Suspension]:
        return suspensions(self._reader)

    def refused(
        self, about: tuple[int, int], rule: str, why: Sequence[Refusal], now: datetime, analytes: Sequence[str] = ()
    ) -> None:
        job = partial(refused, about=about, rule=rule, why=why, now=now, analytes=analytes)
        self._writer.submit(job).result()

    def put_off(self, about: tuple[int, int], due: datetime, now: datetime) -> None:
        self._writer.submit(lambda connection: put_off(connection, about, due, now)).result()

    def review(self, about: tuple[int, int], agrees: bool, by: tuple[str, str, str], audit: AuditEvent) -> str:
        rule: str = self._writer.submit(lambda connection: review(connection, about, agrees, by, audit)).result()
        return rule

    def suspend(self, suspension: Suspension, audit: AuditEvent) -> int:
        key: int = self._writer.submit(lambda connection: suspend(connection, suspension, audit)).result()
        return key

    def lift(self, keys: Sequence[int], audit: AuditEvent) -> None:
        self._writer.submit(lambda connection: lift(connection, keys, audit)).result()
