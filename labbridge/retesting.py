"""A person ends a retest that nobody is to do."""

from __future__ import annotations

from typing import Any

from labbridge.errors import Refused
from labbridge.model.work import AuditEvent
from labbridge.ports import Clock
from labbridge.review import policies
from labbridge.store.desk import StoreDesk


class Retesting:
    """From the workbench a request carries `person`, the login: that is what is recorded."""

    def __init__(self, desk: StoreDesk, clock: Clock) -> None:
        self._desk, self._clock = desk, clock

    def cancel(self, shown: str, name: str, request: dict[str, Any]) -> str:
        """The key is `R7`; {"why"}. Refused where the LIS may have its order."""
        policies.check_signer(name)
        why = policies.check_reason(str(request.get("why", "")))
        by = str(request.get("person", "")) or name
        audit = AuditEvent(at=self._clock.now(), actor=by, action="retest cancelled", subject=shown, detail=why)
        self._desk.cancel_retest(key_of(shown), name, why, audit)
        return f"{shown} cancelled"


def key_of(shown: str) -> int:
    """The number of a retest as it is shown (`R7`)."""
    digits = shown.removeprefix("R")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise Refused(f"{shown!r} is no retest; write R7, as `labbridge retests` lists them")
    return int(digits)
