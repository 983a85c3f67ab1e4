"""A person's side of the store (ports.Desk). It runs where the writer is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import msgspec

from labbridge.errors import Refused
from labbridge.model.release import Judged
from labbridge.model.retests import Retested
from labbridge.model.review import Call, Decided, Decision, Disposition, Reading, Remark, SecondReading, Signature
from labbridge.model.work import AuditEvent, Case, Count, Edit, Kept, Outgoing, Verdict
from labbridge.states import CaseState, Reason, State
from labbridge.store import (
    backup,
    calls,
    decisions,
    edits,
    journal,
    links,
    orders,
    outcomes,
    reading,
    releases,
    retention,
    retests,
    second,
    sums,
    whole,
)
from labbridge.store.approvals import StoreApprovals
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.changes import StoreChanges
from labbridge.store.connection import Connection
from labbridge.store.lookover import LookOver
from labbridge.store.marks import StoreMarks
from labbridge.store.ranks import StoreRanks
from labbridge.store.replays import StoreReplays
from labbridge.store.tally import add_counts
from labbridge.store.unmapped import StoreUnmapped
from labbridge.store.work import FORGIVEN, FORGIVEN_MOST
from labbridge.store.writer import Job, Writer

SIGN = (
    "UPDATE cases SET state = 'signed', disposition = '', disposition_version = 0, until = '', updated = ?,"  # noqa: S608
    f" state_crc = ?, put_crc = {sums.NOT_PUT} WHERE id = ? AND version = ? AND state IN ('new', 'reopened')"
)
POST = 'INSERT INTO comments("case", version, body) VALUES (?,?,?)'
SEND = (
    'INSERT INTO outbox("case", version, comment, receiver, lane, control_id, raw, state, created, updated, expires,'
    " specimen, digest, due) VALUES (?,?,?,?,?,?,?,'waiting',?,?,?,?,?,?)"
)
SAID = "INSERT INTO texts(digest, comment) VALUES (?,?) ON CONFLICT(digest) DO NOTHING"
AGAIN = (
    "UPDATE work SET state = 'kept', reason = 'reprocessed', sentence = '', notes = '', attempts = 0, forgiven = 0,"
    " updated = ?, crc = ? WHERE message = ? AND lane = ?"
)
LANES = f"SELECT {whole.WORK.format('w')} FROM work w WHERE message = ?"  # noqa: S608
AGAIN_WAITING = (
    "UPDATE outbox SET state = 'waiting', due = '', refusals = 0, updated = ? WHERE id = ? AND state = 'failed'"
)
NEXT = "UPDATE tally SET count = count + 1 WHERE name = ? AND node = 0 RETURNING labels, count"  # one row for all nodes
FIRST = "INSERT INTO tally(name, labels, node, count) VALUES (?, ?, 0, 1) RETURNING labels, count"
CONFIRM = "UPDATE restores SET confirmed = ?, confirmed_by = ? WHERE confirmed = ''"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class StoreDesk:
    """ports.Desk on the writer, with reads on a connection of its own."""

    def __init__(self, writer: Writer, reader: Connection) -> None:
        self._writer, self._reader = writer, reader
        self.approvals = StoreApprovals(reader, writer)
        self.marks = StoreMarks(writer)
        self.releases = releases.StoreReleases(reader, writer)
        self.replays = StoreReplays(reader, writer)
        self.changes, self.unmapped = StoreChanges(reader, writer), StoreUnmapped(reader)
        self.ranks = StoreRanks(writer)

    def case(self, key: int) -> Case | None:
        return reading.case(self._reader, key)

    def message(self, key: int) -> Kept | None:
        return reading.message(self._reader, key)

    def release(self, outgoing: Outgoing, audit: AuditEvent) -> int:
        key: int = self._writer.submit(_releasing(outgoing, audit)).result()
        return key

    def check_specimen(self, outgoing: Outgoing, now: datetime) -> None:
        """Refused where too many comments have left for the specimen, as `release` would refuse it."""
        _check_storm(self._reader, outgoing, now)

    def reprocess(self, key: int, lanes: tuple[str, ...], audit: AuditEvent, edit: Edit | None = None) -> None:
        self._writer.submit(_reprocessing(key, lanes, audit, edit)).result()

    def look_over(self, reader: Connection, lenient: Connection) -> LookOver:
        """What looks over every row, by two connections of its own."""
        return LookOver(reader, lenient, self._writer)

    def forgive(self) -> None:
        """At the start of a service: what was begun alone when the one before ended is not to blame for that, a few times.
        Where only the process that works ends, the message in hand is."""
        self._writer.submit(lambda connection: connection.execute(FORGIVEN, (FORGIVEN_MOST,))).result()

    def expire(self, before: datetime, audit: AuditEvent) -> int:
        """Wipe the bytes of finished messages received before a moment. How many."""
        moment, wiped, last = before.isoformat(), 0, 0
        some: int
        while True:
            some, last = self._writer.submit(partial(retention.expire, before=moment, after=last)).result()
            wiped += some
            if not last:
                break
        self._writer.submit(lambda connection: retention.expire_sent(connection, moment, audit)).result()
        self._writer.submit_outside(retention.scrub).result()
        return wiped

    def erase(self, lane: str, audit: AuditEvent) -> int:
        """Take a patient out of the store and out of its log. How many messages the patient was in."""
        found: int = self._writer.submit(lambda connection: retention.erase(connection, lane, audit)).result()
        self._writer.submit_outside(retention.scrub).result()
        return found

    def hold(self, lane: str, why: str, audit: AuditEvent) -> None:
        """A legal hold over a patient; without a reason the holds there are end."""
        act = (lambda c: retention.hold(c, lane, why, audit)) if why else (lambda c: retention.lift(c, lane, audit))
        self._writer.submit(act).result()

    def mark_restored(self, audit: AuditEvent) -> None:
        """This database was put back by its server's own tools: nothing leaves before a person confirms."""
        self._writer.submit(backup.marked(audit, "")).result()

    def confirm_restore(self, audit: AuditEvent) -> None:
        """Comments leave again. Refused where nothing waits to be confirmed."""

        def job(connection: Connection) -> None:
            if not connection.execute(CONFIRM, (audit.at.isoformat(), audit.actor)).rowcount:
                raise Refused("No restore waits to be confirmed")
            connection.execute(INSERT_AUDIT, audit_row(audit))

        self._writer.submit(job).result()

    def send_again(self, key: int, audit: AuditEvent) -> None:
        """A delivery that was given up goes again, the same bytes under the same control id. Refused in any other state."""

        def job(connection: Connection) -> None:
            if connection.execute(AGAIN_WAITING, (audit.at.isoformat(), key)).rowcount != 1:
                raise Refused(f"D{key} was not given up: there is nothing to send again")
            orders.again(connection, key, audit.at)
            outcomes.of_delivery(connection, key, outcomes.AGAIN)
            connection.execute(INSERT_AUDIT, audit_row(audit))

        self._writer.submit(job).result()

    def pending_edit(self, key: int) -> Edit | None:
        """The newest edit of a message that no second person has approved yet."""
        return edits.pending(self._reader, key)

    def edit(self, key: int, raw: bytes, why: str, audit: AuditEvent, base: int | None = None) -> int:
        """Keep a repaired message beside the one received; it is processed once a second person sends it through. Its
        version. Refused where `base`, from which it was made, is not the newest version any more."""

        def job(connection: Connection) -> int:
            edits.check_base(connection, key, base)
            version = edits.add(connection, key, raw, why, audit)
            connection.execute(INSERT_AUDIT, audit_row(audit))
            return version

        found: int = self._writer.submit(job).result()
        return found

    def decide(self, key: int, who: Sequence[tuple[str, str]], verdict: Verdict, audit: AuditEvent) -> None:
        """What a message states of its patient, in each of its lanes, is the same patient or another; it is processed
        again."""
        self._writer.submit(_deciding(key, who, verdict, audit)).result()

    def review(
        self,
        decision: Decision,
        disposition: Disposition | None,
        audit: AuditEvent,
        judged: Judged | None = None,
        counts: Sequence[Count] = (),
    ) -> None:
        """Keep what a person decided of a case, and what that says of its draft. Refused where it has changed meanwhile, and
        where what is to be undone has left."""
        steps = {Decided.UNDO: decisions.undo, Decided.CORRECT: decisions.correct}
        about = (decision.case, decision.version)

        def job(connection: Connection) -> None:
            step = steps.get(decision.kind)
            if decision.kind is Decided.UNDO:
                releases.unjudged(connection, about)
                orders.call_back(connection, about, f"Undone by {decision.name}", decision.at)
            if judged is not None:
                releases.judged(connection, about, judged, decision.at)
            if step is not None:
                step(connection, decision, audit)
            else:
                decisions.add(connection, decision, disposition, audit)
            add_counts(connection, counts)

        self._writer.submit(job).result()

    def two_readers(self, key: int) -> SecondReading:
        """The first signatures of a case, and what second readers read."""
        return second.of_case(self._reader, key)

    def sign_first(self, signature: Signature, case: Case, audit: AuditEvent) -> None:
        """The first of two signatures. Refused where the case has changed since it was read."""
        about = (case.key, case.version, case.state)
        self._writer.submit(lambda connection: second.sign_first(connection, signature, about, audit)).result()

    def read(self, reading: Reading, audit: AuditEvent) -> None:
        """What a second reader read. Refused where the case waits for none from this person."""
        self._writer.submit(lambda connection: second.add(connection, reading, audit)).result()

    def draft(self, key: int, version: int) -> Case | None:
        """The case as an earlier version had it; None where there was none."""
        return reading.draft(self._reader, key, version)

    def calls(self, key: int) -> list[Call]:
        """The telephone calls about a case, oldest first."""
        return calls.of_case(self._reader, key)

    def call(self, call: Call, audit: AuditEvent) -> None:
        """Keep a telephone call. Refused where the case has changed since it was read."""
        self._writer.submit(lambda connection: calls.add(connection, call, audit)).result()

    def remark(self, remark: Remark, audit: AuditEvent) -> None:
        """Keep a note at a case."""
        self._writer.submit(lambda connection: calls.remark(connection, remark, audit)).result()

    def wording(self, key: int, version: int) -> str:
        """The text a person gave this version of a case; empty where nobody did."""
        return decisions.wording(self._reader, key, version)

    def unlink(self, key: int, audit: AuditEvent) -> None:
        """Undo the link an identity message made; both patients are evaluated anew. Refused where it made none."""
        self._writer.submit(_unlinking(key, audit)).result()

    def naming(self, lane: str) -> Kept | None:
        """The identity message that says who the patient of a surviving lane is now; None where none merged into it."""
        key = links.naming(self._reader, lane)
        return None if key is None else reading.message(self._reader, key)

    def record(self, audit: AuditEvent, counts: Sequence[Count]) -> None:
        """An act that changes nothing of what is kept here, and that it was done."""

        def job(connection: Connection) -> None:
            add_counts(connection, counts)
            connection.execute(INSERT_AUDIT, audit_row(audit))

        self._writer.submit(job).result()

    def next_control_id(self, now: datetime) -> str:
        """`LB`, the moment this store first sent, a running number: unique over stores that replace each other."""
        return self._next("control_id", "LB", now)

    def next_order_number(self, now: datetime) -> str:
        """`LBO`, the moment this store first ordered, a running number: a placer number, never given out a second time."""
        return self._next("order_number", "LBO", now)

    def to_order(self, lanes: Sequence[str]) -> list[Retested]:
        """The advised retests of a patient, oldest first."""
        return orders.to_order(self._reader, lanes)

    def is_ordered(self, lanes: Sequence[str], about: tuple[str, str], case: int) -> bool:
        """Whether the LIS may still carry out an order of this patient for this analyte and reason, or had one in this
        case."""
        return orders.is_ordered(self._reader, lanes, about, case)

    def cancel_retest(self, key: int, name: str, why: str, audit: AuditEvent) -> None:
        """A person ends an open retest. Refused where the LIS may have its order."""
        self._writer.submit(lambda connection: retests.cancel(connection, key, name, why, audit)).result()

    def _next(self, name: str, letters: str, now: datetime) -> str:
        def job(connection: Connection) -> str:
            row = connection.execute(NEXT, (name,)).fetchone()
            if row is None:
                row = connection.execute(FIRST, (name, _base36(int(now.timestamp())))).fetchone()
            return f"{letters}{row[0]}-{row[1]}"

        found: str = self._writer.submit(job).result()
        return found


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = DIGITS[rest] + digits
    return digits or "0"


def _releasing(out: Outgoing, audit: AuditEvent) -> Callable[[Connection], int]:
    def job(connection: Connection) -> int:
        now = audit.at.isoformat()
        if out.signature and out.signature.first:
            second.check_first(connection, out.signature, (out.case, out.version))
        state_crc = sums.of_group((CaseState.SIGNED.value, now))
        if connection.execute(SIGN, (now, state_crc, out.case, out.version)).rowcount != 1:
            raise Refused(f"C{out.case} has changed since version {out.version} was read: read it again")
        _check_storm(connection, out, audit.at)
        body = msgspec.json.encode(out.posted)
        comment = connection.execute(POST, (out.case, out.version, body)).lastrowid
        expires = out.expires.isoformat() if out.expires else ""
        row = (out.case, out.version, comment, out.receiver, out.lane, out.control_id, out.raw, now, now)
        due = out.due.isoformat() if out.due else ""
        key = connection.execute(SEND, (*row, expires, out.specimen, sums.of_bytes(out.raw), due)).lastrowid or 0
        if out.orders or out.withheld:
            orders.make(connection, out, _lanes_of(connection, out.case), audit.at)
        if out.by_rule:
            releases.released(connection, (out.case, out.version, key), out.by_rule, audit.at)
        if out.judged:
            releases.judged(connection, (out.case, out.version), out.judged, audit.at)
        if out.signature:
            decisions.sign(connection, out.signature, (out.case, out.version, key), audit.at)
        if out.digest:
            connection.execute(SAID, (out.digest, comment))
        add_counts(connection, (*out.counts, Count(outcomes.NAME, (out.receiver, outcomes.RELEASED))))
        connection.execute(INSERT_AUDIT, audit_row(audit))
        return key

    return job


def _lanes_of(connection: Connection, case: int) -> Sequence[str]:
    (lane,) = connection.execute("SELECT lane FROM cases WHERE id = ?", (case,)).fetchone()
    return links.lanes_of(connection, lane)


def _check_storm(connection: Connection, out: Outgoing, now: datetime) -> None:
    """Comments that follow each other on one specimen are a loop, or a laboratory at odds with itself: somebody looks."""
    if not out.per_specimen or not out.specimen:
        return
    left = orders.left_of(connection, out.specimen, now)
    if left >= out.per_specimen:
        raise Refused(
            f"C{out.case}: {left} comments have left for this specimen within 24 hours; find out what sends its results"
            " again and again ([limits] comments_per_specimen)"
        )


def _reprocessing(
    key: int, lanes: tuple[str, ...], audit: AuditEvent, edit: Edit | None
) -> Callable[[Connection], None]:
    def job(connection: Connection) -> None:
        now = audit.at.isoformat()
        row = connection.execute("SELECT state FROM journal WHERE id = ?", (key,)).fetchone()
        if row is None:
            raise Refused(f"There is no message M{key}")
        edits.approve(connection, key, edit, audit.actor)
        if row[0] == State.QUARANTINED:
            journal.take_up(connection, key, lanes, now)
        else:
            edits.move(connection, key, lanes, now)
            _again(connection, key, now, lanes)
        connection.execute(INSERT_AUDIT, audit_row(audit))

    return job


def _again(connection: Connection, key: int, now: str, lanes: Sequence[str] | None = None) -> None:
    """Refused where a row of it is damaged and nobody has said in which lanes it belongs: reprocessing does."""
    rows = connection.execute(LANES, (key,)).fetchall()
    if lanes is None and not all(whole.work(row) for row in rows):
        raise Refused(f"What M{key} waits in is no longer what was written: `labbridge reprocess` it first")
    for lane in {row[1] for row in rows} if lanes is None else lanes:
        crc = sums.of_work((key, lane, State.KEPT.value, Reason.REPROCESSED.value, "", "", now))
        connection.execute(AGAIN, (now, crc, key, lane))
    connection.execute("UPDATE journal SET state = 'kept', reason = 'reprocessed' WHERE id = ?", (key,))
    for table in ("results", "numbers"):  # they are read again from the bytes
        connection.execute(f"DELETE FROM {table} WHERE message = ?", (key,))  # noqa: S608


def _deciding(key: int, who: Sequence[tuple[str, str]], verdict: Verdict, audit: AuditEvent) -> Job:
    def job(connection: Connection) -> None:
        now = audit.at.isoformat()
        for lane, stated in who:
            connection.execute(links.DECIDE, (lane, stated, verdict.value, key, now))
        _again(connection, key, now)
        connection.execute(INSERT_AUDIT, audit_row(audit))

    return job


def _unlinking(key: int, audit: AuditEvent) -> Job:
    def job(connection: Connection) -> None:
        now = audit.at.isoformat()
        if not links.undo(connection, key, now):
            raise Refused(f"M{key} has linked no two patients, or its link was undone before")
        _again(connection, key, now)
        connection.execute(INSERT_AUDIT, audit_row(audit))

    return job
