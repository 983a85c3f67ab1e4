"""Rows as the story's types: cases with their comments, messages, histories. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from labbridge.errors import Park
from labbridge.model.outcome import DAMAGED, Outcome, PostedComment
from labbridge.model.report import Identifier, Patient, PlacedNote
from labbridge.model.result import ContextItem, Result
from labbridge.model.review import Disposition
from labbridge.model.work import Case, HeldPart, HeldResults, Kept, StoredHistory
from labbridge.states import CaseState, Reason, State
from labbridge.store import edits, links, retests, sums, whole
from labbridge.store.connection import Connection, lookup_key, marks

CASE = (  # also one whose draft is not there any more: it is damaged, not gone
    f"SELECT c.id, {whole.DRAFT.format('d')}, {whole.CASE},"  # noqa: S608
    " EXISTS (SELECT 1 FROM retests t WHERE t.lane = c.lane)"
    ' FROM cases c LEFT JOIN drafts d ON d."case" = c.id AND d.version = c.version'
)
POSTED = (
    'SELECT m.body, o.attempts, o.state FROM comments m JOIN outbox o ON o."case" = m."case" AND o.comment = m.id'
    ' WHERE m."case" = ? AND m.void = 0 ORDER BY m.id'
)
HELD_IN = "SELECT lane, message, kind, collected, body, who, crc FROM results WHERE lane IN ({}) ORDER BY id"
HELD = "SELECT message, kind, collected, body, who, crc FROM results WHERE lane = ? ORDER BY id"
NEW = (
    "WITH wanted(lane) AS (VALUES {}) SELECT lane FROM wanted"
    " WHERE NOT EXISTS (SELECT 1 FROM results r WHERE r.lane = wanted.lane)"
    " AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.lane = wanted.lane)"
    " AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.lane = wanted.lane)"
    " AND NOT EXISTS (SELECT 1 FROM links l WHERE l.prior = wanted.lane)"
    " AND NOT EXISTS (SELECT 1 FROM links l WHERE l.surviving = wanted.lane)"
    " AND NOT EXISTS (SELECT 1 FROM merged m WHERE m.lane = wanted.lane)"
    " AND NOT EXISTS (SELECT 1 FROM merged m WHERE m.surviving = wanted.lane)"
)

_result = msgspec.json.Decoder(Result)
_context = msgspec.json.Decoder(ContextItem)
_outcome = msgspec.json.Decoder(Outcome)
_posted = msgspec.json.Decoder(PostedComment)
_patient = msgspec.json.Decoder(Patient)
_notes = msgspec.json.Decoder(tuple[PlacedNote, ...])


def case(connection: Connection, key: int) -> Case | None:
    row = connection.execute(f"{CASE} WHERE c.id = ?", (key,)).fetchone()
    return as_case(connection, row) if row else None


def draft(connection: Connection, key: int, version: int) -> Case | None:
    """A case as an earlier version had it."""
    asked = CASE.replace("LEFT JOIN", "JOIN").replace("d.version = c.version", "d.version = ?")
    row = connection.execute(f"{asked} WHERE c.id = ?", (version, key)).fetchone()
    return msgspec.structs.replace(as_case(connection, row), version=version) if row else None


def cases_of(connection: Connection, lane: str) -> tuple[Case, ...]:
    rows = connection.execute(f"{CASE} WHERE c.lane = ? ORDER BY c.opened_day, c.id", (lane,)).fetchall()
    return tuple(as_case(connection, row) for row in rows)


def worklist(connection: Connection, limit: int) -> list[Case]:
    """The cases a person may have to look at, oldest first, then the others."""
    order = "ORDER BY c.state IN ('signed', 'closed'), c.id LIMIT ?"
    return [as_case(connection, row) for row in connection.execute(f"{CASE} {order}", (limit,)).fetchall()]


def as_case(connection: Connection, found: tuple[Any, ...]) -> Case:
    """A row of CASE."""
    key, drafted, row = found[0], found[1:10], whole.CaseRow(*found[10:-1])
    _case_key, _version, text, message, at, _knowledge, _created, outcome, _crc = drafted
    said = whole.draft(drafted)
    released = connection.execute(POSTED, (key,)).fetchall()
    unsent = [one for one in released if one[1] == 0 and one[2] == "waiting"]
    left = [one for one in released if not (one[1] == 0 and one[2] == "waiting")]
    decoded = _outcome.decode(outcome) if said else DAMAGED
    return Case(
        key=key,
        version=row.version,
        state=CaseState(row.state) if said and row.decides else CaseState.HELD,
        patient=decoded.patient,
        lane=str(row.lane),
        lanes=links.lanes_of(connection, str(row.lane)),
        feed=str(row.feed),
        opened_day=date.fromisoformat(row.opened_day) if row.opened else date.min,
        outcome=decoded if row.decides else DAMAGED,
        text=text if said and row.decides else "",
        subject_message=message if said else None,
        subject_at=at if said else "",
        sub_id=f"LB{row.restore}{key:09}"
        if row.restore
        else f"LB{key}",  # a number that was given out and lost is not given again
        posted=tuple(_posted.decode(one[0]) for one in left),
        unsent=len(unsent),
        updated=moment(row.updated, row.stands),
        damaged=not (said and row.decides),
        mendable=row.opened and row.said and row.put,
        retested=bool(found[-1]),
        **disposed(row),
    )


def moment(text: str, stands: bool) -> datetime:
    """A moment of a case; where it is no longer what was written, the first of all."""
    return datetime.fromisoformat(text) if stands else datetime.min.replace(tzinfo=UTC)


def disposed(row: whole.CaseRow) -> dict[str, Any]:
    """Where a person put the case, if that was its present version."""
    if not row.put or not row.disposition or row.disposition_version != row.version:
        return {}
    return {
        "disposition": Disposition(row.disposition),
        "until": datetime.fromisoformat(row.until) if row.until else None,
    }


def history(connection: Connection, patient: Identifier | None, lane: str, *, again: bool = False) -> StoredHistory:
    """All that is held of the patient of a lane: results and context of each of its lanes, cases, the stored patient. Park
    where one of the results is not what was written, and where a case or its draft is not: unless a person asked for it to
    be made `again`, and a new draft mends it."""
    lanes = links.lanes_of(connection, lane)
    cases = [case for one in lanes for case in cases_of(connection, one)]  # also where no result is left of them
    for case in cases:
        _check_whole(case, again=again)
    linked = links.links_of(connection, lanes)
    advised = bool(linked) or any(case.retested for case in cases)  # a row of a linked patient may be in another lane
    return StoredHistory(
        patient=_stored(connection, patient),
        lanes=lanes,
        parts=tuple(part for one in lanes for part in _parts(connection, one)),
        cases=tuple(sorted(cases, key=lambda case: (case.opened_day, case.key))),
        verdicts=links.verdicts_of(connection, lanes),
        links=linked,
        retests=retests.of_lanes(connection, lanes) if advised else (),
    )


def new_among(connection: Connection, lanes: Sequence[str]) -> frozenset[str]:
    """Those of these lanes of which nothing is held, in one statement: most patients are seen for the first time, and each
    look-up of theirs would find nothing."""
    if not lanes:
        return frozenset()
    asked = NEW.format(",".join(["(?)"] * len(lanes)))
    return frozenset(lane for (lane,) in connection.execute(asked, lanes).fetchall())


def history_of_new(connection: Connection, patient: Identifier | None, lane: str) -> StoredHistory:
    """history() of one of those. The patient may have been stored under another lane all the same."""
    return StoredHistory(patient=_stored(connection, patient), lanes=(lane,))


def _check_whole(case: Case, *, again: bool) -> None:
    if case.damaged and not case.mendable:
        text = (
            f"It is C{case.key}, and more than its draft: start the service anew, which looks over it, then reprocess"
        )
        raise Park(Reason.CASE_DAMAGED, text)
    if case.damaged and not again:
        raise Park(Reason.CASE_DAMAGED, f"It is C{case.key}: reprocess this message, and its draft is made again")


def _parts(connection: Connection, lane: str) -> list[HeldPart]:
    found: dict[str, tuple[list[Result], list[ContextItem]]] = {}
    for message, kind, collected, body, who, crc in connection.execute(HELD, (lane,)):
        if crc is not None and crc != sums.of_result((lane, message, who, kind, collected), body):
            raise Park(Reason.HELD_DAMAGED, f"It is of M{message}: reprocess that one first")
        results, context = found.setdefault(who, ([], []))
        if kind == "result":
            results.append(_result.decode(body))
        else:
            context.append(_context.decode(body))
    return [HeldPart(lane=lane, who=who, results=tuple(r), context=tuple(c)) for who, (r, c) in found.items()]


def held(connection: Connection, case: int) -> HeldResults | None:
    """What is held of a case's patient over all its lanes, in four statements however many they are; None where there is no
    such case. Nothing is parked here: what is damaged is named beside what is whole."""
    row = connection.execute("SELECT lane FROM cases WHERE id = ?", (case,)).fetchone()
    if row is None:
        return None
    lanes = links.lanes_of(connection, row[0])
    others = links.others_in(connection, lanes)
    results, context, damaged = [], [], dict[int, None]()
    for lane, message, kind, collected, body, who, crc in connection.execute(HELD_IN.format(marks(len(lanes))), lanes):
        if (lane, who) in others:
            continue
        if crc is not None and crc != sums.of_result((lane, message, who, kind, collected), body):
            damaged[message] = None
        elif kind == "result":
            results.append(_result.decode(body))
        else:
            context.append(_context.decode(body))
    return HeldResults(results=tuple(results), context=tuple(context), damaged=tuple(damaged))


def _stored(connection: Connection, patient: Identifier | None) -> Patient | None:
    if patient is None:
        return None
    row = connection.execute(
        "SELECT body FROM patients WHERE authority = ? AND identifier = ?", patient_key(patient)
    ).fetchone()
    return _patient.decode(row[0]) if row else None


def unread_of(connection: Connection, case: int) -> list[int]:
    """The messages of a case's patient that are acknowledged and not processed: no comment of the case leaves before."""
    row = connection.execute("SELECT lane FROM cases WHERE id = ?", (case,)).fetchone()
    lanes = links.lanes_of(connection, row[0]) if row else ()
    asked = "SELECT message FROM work WHERE lane = ? AND state IN ('kept', 'parked') ORDER BY id"
    return [message for lane in lanes for (message,) in connection.execute(asked, (lane,)).fetchall()]


def patient_key(patient: Identifier) -> tuple[str, str]:
    """What a patient is kept under."""
    return lookup_key(patient.authority), lookup_key(patient.id)


def message(connection: Connection, key: int) -> Kept | None:
    row = connection.execute(
        f"SELECT j.id, {edits.IN_FORCE}, j.feed, j.sender, j.control_id, j.lanes, j.received, j.state, j.notes"  # noqa: S608
        " FROM journal j WHERE j.id = ?",
        (key,),
    ).fetchone()
    if row is None:
        return None
    return Kept(
        key=row[0],
        raw=row[1],
        digest=row[2] or b"",
        feed=row[3],
        sender=row[4],
        control_id=row[5],
        lane=row[6].split("\n")[0],
        received=datetime.fromisoformat(row[7]),
        state=State(row[8]),
        notes=noted(row[9]),
    )


def noted(text: str | None) -> tuple[PlacedNote, ...]:
    """The notes of a message's receipt."""
    return _notes.decode(text) if text else ()
