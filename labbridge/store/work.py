"""Processing's side of the store (ports.Work): claim in lane order, read a history, write drafts as guarded units."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

import msgspec

from labbridge.errors import StoreUnavailable
from labbridge.model.report import Identifier
from labbridge.model.result import Result
from labbridge.model.retests import OrderSaid, PlacedOrder
from labbridge.model.work import ApplicationAck, AuditEvent, CaseChange, Count, Drafted, Kept, StoredHistory, Verdict
from labbridge.model.worklist import words
from labbridge.states import Reason, State
from labbridge.store import edits, links, orders, outcomes, reading, retests, sums, unmapped, whole
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.choosing import Row, Share, Whole, kept_of
from labbridge.store.connection import Connection, Statement, lookup_key, marks
from labbridge.store.joining import INSERT_RESULT, KEEP_PATIENT, NUMBER
from labbridge.store.marks import HEARTBEAT, moment
from labbridge.store.releases import NOTE_LOT
from labbridge.store.tally import COUNT_ALL, counted, params_of

BATCH = 64
AHEAD = 2  # batches begun while one is worked on and one is on its way to the disk
BEGUN_AT_MOST = (AHEAD + 2) * BATCH
LOOK_AHEAD = 512
BODIES = (
    f"SELECT j.id, {edits.IN_FORCE}, j.feed, j.sender, j.control_id, j.received, j.notes FROM journal j"  # noqa: S608
    " WHERE j.id IN ({})"
)
BEGUN = (  # with others: it counts once, however often the service ends meanwhile; who stopped it is found alone
    "UPDATE work SET attempts = CASE WHEN attempts = 0 THEN 1 ELSE attempts END, crc = CASE WHEN attempts = 0"  # noqa: S608
    f" THEN crc + {sums.ATTEMPT} ELSE crc END WHERE id IN ({{}}) AND state = 'kept'"
)
BEGUN_ALONE = (
    f"UPDATE work SET attempts = attempts + 1, crc = crc + {sums.ATTEMPT} WHERE id IN ({{}}) AND state = 'kept'"  # noqa: S608
)
FORGIVEN_MOST = 4  # that the service itself is ended so often within one message, and not by it, is not believed
FORGIVEN = (
    f"UPDATE work SET attempts = attempts - 1, forgiven = forgiven + 1, crc = crc + {sums.FORGIVEN - sums.ATTEMPT}"  # noqa: S608
    " WHERE state = 'kept' AND attempts > 1 AND forgiven < ?"
)
GIVEN_BACK = (
    f"UPDATE work SET attempts = 0, crc = crc - {sums.ATTEMPT} WHERE id IN ({{}}) AND state = 'kept' AND attempts = 1"  # noqa: S608
)
SETTLED = (
    "UPDATE work SET state = ?, reason = ?, sentence = ?, notes = ?, updated = ?,"  # noqa: S608
    f" crc = ? + attempts * {sums.ATTEMPT} + forgiven * {sums.FORGIVEN} WHERE message = ? AND lane = ? AND state = ?"
)
# Of two lanes of a message, one node after the other.
TURN = "UPDATE journal SET reason = reason WHERE id = ? AND instr(lanes, ?) > 0"
MESSAGE = (
    "UPDATE journal SET state = CASE WHEN EXISTS (SELECT 1 FROM work WHERE message = ?1 AND state = 'parked') THEN 'parked'"
    " WHEN EXISTS (SELECT 1 FROM work WHERE message = ?1 AND state = 'kept') THEN 'kept' ELSE 'done' END, reason = ?2"
    " WHERE id = ?1"
)
ACKNOWLEDGE = (
    'INSERT INTO outbox("case", version, comment, receiver, lane, control_id, raw, digest, state, created, updated)'
    " SELECT 0, 0, 0, ?1, ?2, ?3, raw, CASE WHEN raw = ?6 THEN ?8 ELSE ?9 END, 'waiting', ?4, ?4 FROM (SELECT CASE WHEN"
    " EXISTS (SELECT 1 FROM work WHERE message = ?5 AND state = 'parked') THEN ?6 ELSE ?7 END AS raw) WHERE length(raw) > 0"
    " AND NOT EXISTS (SELECT 1 FROM work WHERE message = ?5 AND state = 'kept') ON CONFLICT(control_id) DO NOTHING"
)
OWN_TEXTS = "SELECT digest FROM texts WHERE digest IN ({})"
OPEN_CASE = (  # none that was not seen, in any lane of the patient: two units at once must not open two
    "INSERT INTO cases(lane, feed, opened_day, version, state, opened, updated, restore, severity, flags, analytes, crc,"  # noqa: S608
    " version_crc, state_crc, put_crc, rank_crc)"
    " SELECT ?1, ?2, ?3, 1, ?4, ?5, ?5, (SELECT count(*) FROM restores), ?7, ?8, ?9,"
    f" ?10 + (SELECT count(*) FROM restores) * {sums.RESTORE}, ?11, ?12, {sums.NOT_PUT}, {sums.NOT_RANKED}"
    f" WHERE {links.count_of_patient('cases', '?1')} = ?6"
)
NEXT_VERSION = (
    "UPDATE cases SET version = version + 1, state = ?, updated = ?, severity = ?, flags = ?, analytes = ?,"
    " version_crc = ?, state_crc = ? WHERE id = ? AND version = ?"
)
OVER = (  # no such version was ever written: what stands there is an older one whose key was damaged
    ' ON CONFLICT("case", version) DO UPDATE SET outcome = excluded.outcome, text = excluded.text, crc = excluded.crc,'
    " subject_message = excluded.subject_message, subject_at = excluded.subject_at, knowledge = excluded.knowledge,"
    " created = excluded.created"
)
INTO_DRAFTS = 'INSERT INTO drafts("case", version, outcome, text, subject_message, subject_at, knowledge, created, crc)'
NEW_DRAFT = f"{INTO_DRAFTS} VALUES (last_insert_rowid(),1,?,?,?,?,?,?, ? + last_insert_rowid() * {sums.CASE}){OVER}"
DRAFT = f"{INTO_DRAFTS} VALUES (?,?,?,?,?,?,?,?,?){OVER}"
VOID_UNSENT = (
    "UPDATE comments SET void = 1 WHERE id IN (SELECT comment FROM outbox WHERE \"case\" = ? AND state = 'waiting'"
    " AND attempts = 0)"
)
CANCEL_UNSENT = (  # an order that waits has its own reasons not to leave (retests.py)
    "UPDATE outbox SET state = 'cancelled', reason = 'A newer version came before it was sent', updated = ?"
    " WHERE \"case\" = ? AND comment > 0 AND state = 'waiting' AND attempts = 0"
)

_encode = msgspec.json.Encoder().encode


class UnitWriter(Protocol):
    """Whoever commits units: the writer of this process, or the other end of a pipe."""

    def post(self, units: Sequence[Sequence[Statement]], fence: Statement | None = None) -> Callable[[], list[bool]]:
        """Have units committed in one go, where the fence holds. What comes back waits for one verdict per unit; it is
        called once, before the next post. StoreUnavailable where the commit failed, or the fence does not hold."""


class StoreWork:
    """ports.Work: reads on a connection of its own, writes through a UnitWriter.

    While what was handed over is committed, the next rows are worked on. They were begun in the transaction before, and
    are of other lanes: nothing of the lanes on their way is read until they have arrived.
    """

    def __init__(self, reader: Connection, writer: UnitWriter, share: Share | None = None) -> None:
        self._reader, self._writer = reader, writer
        self._share = share or Whole(reader)
        self._fence: Statement | None = None  # under which all in hand was taken up
        self._careful = 0  # so many are taken singly: another node may have begun them
        self._own: set[int] = set()  # rows begun here: that they were is no sign of what stopped another node
        self._units: list[list[Statement]] = []
        self._unit: list[Statement] | None = None
        self._notes = ""  # of the message of this unit: written with its state
        self._taken: list[Row] = []  # what the last claim gave
        self._looked_up: list[Row] = []  # for which `_new` was asked:
        self._new: frozenset[str] = frozenset()  # the lanes of which nothing is held
        self._sent: list[Row] = []  # whose units are on their way
        self._undone: Counter[int] = Counter()  # how often in a row the unit of a row of work was undone
        self._ahead: deque[list[Row]] = deque()  # begun, and not given yet
        self._asked: list[list[Row]] = []  # begun where the commit on its way succeeds
        self._posted: Callable[[], list[bool]] | None = None

    def claim(self, now: datetime, singly: bool = False) -> list[Kept]:
        alone = singly or self._careful > 0
        if alone:
            self._give_back()
        elif not self._ahead:
            self._settle()
        if self._ahead:
            self._taken = self._ahead.popleft()
        else:
            if self._share.look():
                self._careful = BEGUN_AT_MOST
            self._fence = self._share.fence()
            rows, alone = self._now(singly)
            self._taken = self._begun(rows, alone=alone)
            self._careful = max(0, self._careful - 1) if self._taken else 0
            if not self._taken and (given := self._share.leaving(())):
                self._commit([given])
        return self._kept(self._taken, alone=alone)

    def _now(self, singly: bool) -> tuple[list[Row], bool]:
        """The rows to be begun now, and whether one is taken alone: of what came from another node those that it had begun,
        before all others. What nobody had begun has stopped nobody, and does not wait for its turn singly."""
        if singly:
            return self._chosen((), 1), True
        if self._careful:
            begun = [one for one in self._chosen((), LOOK_AHEAD) if one.attempts and one.id not in self._own]
            if begun:
                return begun[:1], True
            self._careful = 0
        return self._chosen((), BATCH), False

    def _chosen(self, others: Iterable[Row], most: int) -> list[Row]:
        """The oldest rows that wait, one of each patient, none of a patient of the others."""
        found: list[Row] = []
        patients = {one.patient for one in others}
        for id, patient, *row in self._share.open(LOOK_AHEAD):
            message, lane, state, reason, *_rest, attempts, _forgiven, _crc = row
            if patient not in patients and state == State.KEPT and len(found) < most and whole.work(row):
                found.append(Row(id, message, lane, attempts, patient, reason))
            patients.add(patient)  # a parked, waiting or damaged message holds back the later ones of its patient
        return found

    def _begun(self, rows: list[Row], *, alone: bool) -> list[Row]:
        """Those of the rows that could be marked begun: all of them, or where some were taken up meanwhile each alone."""
        self._own |= {one.id for one in rows}
        if not rows or self._commit([_begin(rows, alone=alone)]) == [True]:
            return rows
        return [one for one in rows if self._commit([_begin([one])]) == [True]]

    def _kept(self, rows: Sequence[Row], *, alone: bool) -> list[Kept]:
        if not rows:
            return []
        asked = BODIES.format(marks(len(rows)))
        bodies = {body[0]: body[1:] for body in self._reader.execute(asked, [one.message for one in rows]).fetchall()}
        return [kept_of(one.tried(alone, self._undone[one.id]), *bodies[one.message]) for one in rows]

    @contextmanager
    def unit(self) -> Iterator[None]:
        self._unit, self._notes = [], ""
        try:
            yield
            self._units.append(self._unit)
        finally:
            self._unit = None

    def flush(self) -> list[bool]:
        units, self._units, self._taken = self._units, [], []
        return self._commit(units)

    def hand_over(self) -> None:
        units, self._units, taken, self._taken = self._units, [], self._taken, []
        self._settle()
        self._sent = taken
        ahead = [one for some in self._ahead for one in some]
        if self._share.look():
            self._careful = BEGUN_AT_MOST
        self._asked = [] if self._careful else self._next((*taken, *ahead))
        asked = [one for some in self._asked for one in some]
        self._own |= {one.id for one in asked}
        given = [some] if (some := self._share.leaving((*ahead, *asked))) else []
        begun = [_begin(asked)] if asked else []
        posted = [*units, *given, *begun]
        self._posted = self._writer.post(posted, self._fence) if posted else None

    def _next(self, others: Sequence[Row]) -> list[list[Row]]:
        """The next batches, as many as may be begun ahead."""
        rows = self._chosen(others, AHEAD * BATCH)
        some = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        return some[: AHEAD - len(self._ahead)]

    def _commit(self, units: Sequence[Sequence[Statement]]) -> list[bool]:
        self._settle()
        return self._writer.post(units, self._fence)() if units else []

    def _settle(self) -> None:
        """Wait for what is on its way. A unit that was undone is still KEPT, and is chosen again."""
        posted, self._posted = self._posted, None
        asked, self._asked = self._asked, []
        sent, self._sent = self._sent, []
        if posted is None:
            return
        try:
            verdicts = posted()
        except StoreUnavailable:
            self._ahead.clear()
            raise
        if asked and verdicts[-1]:
            self._ahead += asked
        for row, written in zip(sent, verdicts, strict=False):  # the last verdict may be of those begun
            if written:
                self._undone.pop(row.id, None)
                self._own.discard(row.id)
            else:
                self._undone[row.id] += 1

    def _give_back(self) -> None:
        """What was begun and not taken up was not begun."""
        self._settle()
        rows = [one for some in self._ahead for one in some]
        self._ahead.clear()
        if rows:
            self._commit([[_of(GIVEN_BACK, rows)]])

    def leave(self) -> None:
        """Before a clean end: what is on its way has arrived, and what was begun and not taken up was not begun."""
        self._give_back()

    def failed(self) -> None:
        """After an exception: nothing of the batch is written, only that there was one."""
        self._give_back()
        self._units = [[Statement(*counted((Count("failures", ()),)))]]
        self.flush()

    def history(self, patient: Identifier | None, lane: str) -> StoredHistory:
        """A person who sends a message through again has the damaged drafts of its patient made again."""
        if self._looked_up is not self._taken:
            self._looked_up = self._taken
            self._new = reading.new_among(self._reader, [one.lane for one in self._taken])
        if lane in self._new:
            return reading.history_of_new(self._reader, patient, lane)
        again = any(one.lane == lane and one.reason == Reason.REPROCESSED for one in self._taken)
        return reading.history(self._reader, patient, lane, again=again)

    def own_texts(self, digests: Sequence[bytes]) -> frozenset[bytes]:
        asked = OWN_TEXTS.format(",".join("?" * len(digests)))
        return frozenset(bytes(one) for (one,) in self._reader.execute(asked, list(digests)).fetchall())

    def save(self, drafted: Drafted, audit: AuditEvent) -> None:
        found, message = drafted.results, drafted.message
        rows = [("result", one.collected.day.isoformat(), _encode(one)) for one in found.results]
        rows += [("context", item.stated.date().isoformat(), _encode(item)) for item in found.context]
        told = [((found.lane, message.key, drafted.who, *about), body) for *about, body in rows]
        self._add(
            INSERT_RESULT, *(value for about, body in told for value in (*about, body, sums.of_result(about, body)))
        )
        self._add(NUMBER, *(value for one in _numbers(found.results) for value in (one, found.lane, message.key)))
        for lot in sorted({lot for one in found.results for lot in one.lots}):
            self._add(NOTE_LOT, message.feed, lookup_key(lot), message.received.isoformat())
        patient = drafted.patient
        if patient is not None and patient.key is not None:
            self._add(KEEP_PATIENT, *reading.patient_key(patient.key), _encode(patient))
        if found.unmapped:
            self._run(unmapped.statements(found.unmapped, message, audit.at))
        self._notes = _encode(drafted.notes).decode() if drafted.notes else ""
        self._add(COUNT_ALL, *params_of(drafted.counts))
        self._identify(drafted, audit.at.isoformat())
        for change in drafted.cases:
            self._change(change, drafted, audit.at.isoformat())
        self._run(retests.statements(drafted.retests, audit.at))
        self._add(INSERT_AUDIT, *audit_row(audit))

    def _identify(self, drafted: Drafted, now: str) -> None:
        for lane, who in drafted.same:
            self._add(links.DECIDE, lane, who, Verdict.SAME.value, drafted.message.key, now)
        if drafted.link is not None:
            link = drafted.link
            self._add(links.LINK, link.prior, link.surviving, link.message, now)
            self._add(links.REPOINT, link.last, link.prior)
            self._add(links.JOIN, link.prior, link.last, rows=1)

    def _change(self, change: CaseChange, drafted: Drafted, now: str) -> None:
        draft, found, version = change.draft, words(change.draft.outcome), change.version + 1
        about = (draft.text, draft.subject_message, draft.subject_at, drafted.knowledge, now)
        outcome = _encode(draft.outcome)
        version_crc = sums.of_group((version, *found))
        state_crc = sums.of_group((change.state.value, now))
        if change.case is None:
            opened = (drafted.results.lane, drafted.message.feed, change.opened_day.isoformat())
            crc = sums.of_case((*opened, now))
            row = (*opened, change.state.value, now, change.seen, *found)
            self._add(OPEN_CASE, *row, crc, version_crc, state_crc, rows=1)
            self._add(NEW_DRAFT, outcome, *about, sums.of_draft((1, *about), outcome))
            return
        told = (change.state.value, now, *found, version_crc, state_crc)
        self._add(NEXT_VERSION, *told, change.case, change.version, rows=1)
        self._add(VOID_UNSENT, change.case)
        if change.unsent:
            self._run([outcomes.unsent(change.case)])
        self._add(CANCEL_UNSENT, now, change.case, rows=change.unsent)
        crc = sums.of_draft((version, *about), outcome, change.case)
        self._add(DRAFT, change.case, version, outcome, *about, crc)

    def placed(self, numbers: Sequence[str]) -> Mapping[str, PlacedOrder]:
        return orders.placed(self._reader, numbers)

    def answered(self, said: Sequence[tuple[PlacedOrder, OrderSaid]], now: datetime) -> None:
        for order, one in said:
            self._run(orders.answered(order, one, now))

    def acknowledge(self, message: Kept, answer: ApplicationAck, now: datetime) -> None:
        lane = f"{answer.receiver}/ack/{message.feed}"
        row = (answer.receiver, lane, answer.control_id, now.isoformat(), message.key, answer.parked, answer.processed)
        self._add(ACKNOWLEDGE, *row, sums.of_bytes(answer.parked), sums.of_bytes(answer.processed))

    def set_state(self, message: Kept, state: State, reason: Reason, sentence: str, audit: AuditEvent) -> None:
        before = message.state.value
        if self._share.several and self._unit is not None:
            self._unit.insert(0, Statement(TURN, (message.key, "\n")))
        said = (state.value, reason.value, sentence, self._notes, audit.at.isoformat())
        crc = sums.of_work((message.key, message.lane, *said))
        self._add(SETTLED, *said, crc, message.key, message.lane, before, rows=1)
        self._add(MESSAGE, message.key, reason.value)
        self._run([Statement(*counted((Count("processed", (message.feed, reason.value)),)))])
        self._add(INSERT_AUDIT, *audit_row(audit))

    def beat(self, feed: str, at: datetime) -> None:
        self._run([moment(HEARTBEAT, feed, at), Statement(*counted((Count("heartbeats", (feed,)),)))])

    def _add(self, sql: str, *params: object, rows: int | None = None) -> None:
        self._run([Statement(sql, params, rows)])

    def _run(self, statements: Iterable[Statement]) -> None:
        if self._unit is None:
            raise RuntimeError("a write outside unit()")
        self._unit += statements


def _numbers(results: Iterable[Result]) -> list[str]:
    """The numbers on the specimens and orders of these results, each once."""
    found = {id for one in results for id in (one.specimen.id, one.filler.id, one.placer.id, one.group.id) if id}
    return sorted({lookup_key(id) for id in found})


def _begin(rows: Sequence[Row], *, alone: bool = False) -> list[Statement]:
    """Mark all of them begun, or none."""
    return [_of(BEGUN_ALONE if alone else BEGUN, rows, changes=len(rows))]


def _of(sql: str, rows: Sequence[Row], changes: int | None = None) -> Statement:
    """A statement about rows of work."""
    return Statement(sql.format(marks(len(rows))), tuple(one.id for one in rows), changes)
