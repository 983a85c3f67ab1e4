"""A person's decisions on cases, as the workbench asks for them where the store is written."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from labbridge import counting
from labbridge.errors import Refused
from labbridge.model.review import Decided, Decision, Reading, Signing
from labbridge.model.work import AuditEvent
from labbridge.ports import Clock
from labbridge.review import decisions, policies, releasing, second
from labbridge.store.desk import StoreDesk

ENDS_WITHOUT = (Decided.NO_ACTION, Decided.REJECT)
LONGEST_UNDO_S = 540  # below the store's own limit for what is put off


class Deciding:
    """Each request: {"kind", "person", "why", "until", "text"}; the key is the case version that was shown (`C12@3`)."""

    def __init__(self, desk: StoreDesk, clock: Clock) -> None:
        self._desk, self._clock = desk, clock

    def perform(self, shown: str, name: str, request: dict[str, Any]) -> str:
        """What was decided. Refused where the case does not allow it, or is not as it was shown."""
        policies.check_signer(name)
        key, version = policies.parse_shown(shown)
        kind = str(request.get("kind", ""))
        if kind not in list(Decided):
            raise Refused("This service does not know the decision; is it older than the workbench?")
        case = self._desk.case(key)
        if case is None:
            raise Refused(f"There is no case C{key}")
        asked = Decision(
            case=key,
            version=version,
            kind=Decided(kind),
            person=str(request.get("person", "")) or name,
            name=name,
            at=self._clock.now(),
            why=str(request.get("why", "")),
            until=moment(str(request.get("until", ""))),
            text=str(request.get("text", "")),
        )
        decision = decisions.check(case, asked)
        disposition = decisions.DISPOSITION.get(decision.kind)
        event = AuditEvent(
            at=decision.at, actor=decision.person, action=decision.kind.value, subject=shown, detail=decision.why
        )
        judged = releasing.judged(case) if decision.kind in ENDS_WITHOUT else None
        against = msgspec.structs.replace(judged, agreed=False, words=b"") if judged else None
        ends = decision.kind in ENDS_WITHOUT
        counts = counting.closed(case.outcome, decision.kind.value) if ends else ()
        self._desk.review(decision, disposition, event, against, counts)
        return shown

    def read(self, shown: str, name: str, request: dict[str, Any]) -> str:
        """What a second reader read of HEp-2: {"person", "finding", "why"}. Refused where the case waits for none of it."""
        policies.check_signer(name)
        key, version = policies.parse_shown(shown)
        case = self._desk.case(key)
        if case is None:
            raise Refused(f"There is no case C{key}")
        known, person = self._desk.two_readers(key), str(request.get("person", ""))
        asked = Reading(
            case=key, version=version, person=person, name=name, at=self._clock.now(),
            finding=str(request.get("finding", "")), first="", first_finding=case.outcome.states.HEP2,
            why=" ".join(str(request.get("why", "")).split()),
        )  # fmt: skip
        first = second.check_reading(case, asked, known)
        event = AuditEvent(at=asked.at, actor=person, action="read second", subject=shown)
        self._desk.read(msgspec.structs.replace(asked, first=first.person), event)
        return shown


def signing_of(request: dict[str, Any], shown: str) -> Signing | None:
    """How a release from the workbench is signed; None for one from the command line. `screens` has the screen of each case,
    where several are signed at once."""
    if "screens" not in request:
        return None
    try:
        screen, undo_s = bytes.fromhex(str(dict(request["screens"])[shown])), float(request.get("undo_s", 0))
    except (KeyError, TypeError, ValueError):
        raise Refused("The signature names no screen it is for: read the case again") from None
    return Signing(
        str(request.get("person", "")),
        str(request.get("meaning", "")),
        screen,
        timedelta(seconds=min(max(undo_s, 0.0), LONGEST_UNDO_S)),
        bool(request.get("second")),
    )


def moment(text: str) -> datetime | None:
    """A moment that a request names; None where it names none."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{text!r} is no moment; write 2026-11-30T08:00+01:00") from None
    if found.tzinfo is None:
        raise Refused(f"{text!r} lacks its offset from UTC; write 2026-11-30T08:00+01:00")
    return found
