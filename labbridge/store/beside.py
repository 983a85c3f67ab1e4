"""What a case's page shows beside the case: whom it is about, and how cases like it ended. Reads only, a statement each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from labbridge.model.beside import About, Alike
from labbridge.model.outcome import PostedComment
from labbridge.model.report import Patient
from labbridge.model.review import Decided
from labbridge.model.work import Case
from labbridge.model.worklist import words
from labbridge.states import CaseState
from labbridge.store.connection import Connection, marks
from labbridge.store.reading import patient_key

LOOKED_AT, SHOWN = 200, 5  # the newest cases of the same flags, and how many of them with the same states
ABOUT = (
    "SELECT c.opened, (SELECT j.sender FROM journal j WHERE j.id = ?),"
    " (SELECT p.body FROM patients p WHERE p.authority = ? AND p.identifier = ?) FROM cases c WHERE c.id = ?"
)
ALIKE = (
    "WITH newest AS (SELECT c.id, c.version, c.feed, c.opened_day, c.state FROM cases c WHERE c.flags = ?"  # noqa: S608
    f" AND c.state IN ('signed', 'closed') ORDER BY c.id DESC LIMIT {LOOKED_AT}),"
    ' alike AS (SELECT newest.id, newest.opened_day, newest.state FROM newest JOIN drafts d ON d."case" = newest.id'
    " AND d.version = newest.version WHERE newest.id <> ? AND instr(d.outcome, ?) > 0 AND {}"
    f" ORDER BY newest.id DESC LIMIT {SHOWN})"
    " SELECT alike.id, 2, m.id, '', '', m.body FROM alike JOIN comments m ON m.\"case\" = alike.id AND m.void = 0"
    " UNION ALL SELECT alike.id, 1, d.id, '', d.kind, NULL FROM alike JOIN decisions d ON d.\"case\" = alike.id"
    " UNION ALL SELECT alike.id, 0, 0, alike.opened_day, alike.state, NULL FROM alike"
    " ORDER BY 1 DESC, 2, 3"
)
CASE, DECISION = 0, 1  # parts of ALIKE

_patient = msgspec.json.Decoder(Patient)
_posted = msgspec.json.Decoder(PostedComment)


def about(connection: Connection, case: Case) -> About:
    """The patient of a case as last stated, the sender, and when the case was opened."""
    patient = patient_key(case.patient) if case.patient is not None else ("", "")
    row = connection.execute(ABOUT, (case.subject_message or 0, *patient, case.key)).fetchone()
    opened, sender, body = row or ("", "", None)
    return About(
        opened=datetime.fromisoformat(opened) if opened else case.updated,
        sender=sender or "",
        patient=_patient.decode(body) if body and case.patient is not None else None,
    )


def alike(connection: Connection, case: Case, feeds: Sequence[str] | None) -> list[Alike]:
    """The newest cases of these feeds (None: all) that are done and had the same flags and the same four states: at most
    SHOWN, found among the newest LOOKED_AT of the same flags."""
    flags = words(case.outcome)[1]
    states = b'"states":' + msgspec.json.encode(case.outcome.states)
    of_feeds = "1 = 1" if feeds is None else f"newest.feed IN ({marks(len(feeds))})" if feeds else "1 = 0"
    given = (flags, case.key, states, *(feeds or ()))
    found: dict[int, Alike] = {}
    for key, part, _place, day, word, body in connection.execute(ALIKE.format(of_feeds), given).fetchall():
        if part == CASE:
            found[key] = Alike(key=key, day=date.fromisoformat(day), state=CaseState(word))
            continue
        one = found[key]
        if part == DECISION:
            found[key] = msgspec.structs.replace(one, decided=(*one.decided, Decided(word)))
        else:
            found[key] = msgspec.structs.replace(one, classes=(*one.classes, _posted.decode(body).comment_class))
    return list(found.values())
