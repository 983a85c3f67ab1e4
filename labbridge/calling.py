"""What people keep beside a case, as the workbench asks for it where the store is written: telephone calls of critical
findings, and notes that stay in the laboratory."""

from __future__ import annotations

from typing import Any

from labbridge.deciding import moment
from labbridge.errors import Refused
from labbridge.model.review import Call, Remark
from labbridge.model.work import AuditEvent, Case
from labbridge.ports import Clock
from labbridge.review import calling, policies
from labbridge.store.desk import StoreDesk


class Calling:
    """`called_here`: whether the site's policy has the calls of critical results recorded here; else they are the LIS's."""

    def __init__(self, desk: StoreDesk, clock: Clock, *, called_here: bool) -> None:
        self._desk, self._clock, self.called_here = desk, clock, called_here

    def call(self, shown: str, name: str, request: dict[str, Any]) -> str:
        """{"person", "told", "at", "read_back", "note"}: somebody was told by telephone of the version that was shown. `at`
        is now where it is empty."""
        if not self.called_here:
            raise Refused(calling.OF_THE_LIS)
        case, version, now = *self._case(shown, name), self._clock.now()
        asked = Call(
            case=case.key, version=version, person=str(request.get("person", "")) or name, name=name,
            at=moment(str(request.get("at", ""))) or now, told=str(request.get("told", "")),
            read_back=request.get("read_back") is True, note=str(request.get("note", "")),
        )  # fmt: skip
        call = calling.check_call(case, asked, now)
        said = "read back" if call.read_back else "not read back"
        self._desk.call(call, AuditEvent(at=now, actor=call.person, action="called", subject=shown, detail=said))
        return shown

    def remark(self, shown: str, name: str, request: dict[str, Any]) -> str:
        """{"person", "text"}: a note at a case, whatever its version. The audit has no word of it."""
        case, _version, now = *self._case(shown, name), self._clock.now()
        person = str(request.get("person", "")) or name
        asked = Remark(case=case.key, person=person, name=name, at=now, text=str(request.get("text", "")))
        event = AuditEvent(at=now, actor=person, action="remarked", subject=f"C{case.key}")
        self._desk.remark(calling.check_remark(asked), event)
        return shown

    def check_told(self, case: Case) -> None:
        """Refused where it would be signed here without a call that the site's policy asks for."""
        if not self.called_here or not calling.critical(case.outcome):
            return
        calls = self._desk.calls(case.key)
        drafts = [self._desk.draft(case.key, version) for version in {one.version for one in calls}]
        calling.check_told(case, calls, {one.version: one.outcome for one in drafts if one is not None})

    def _case(self, shown: str, name: str) -> tuple[Case, int]:
        policies.check_signer(name)
        key, version = policies.parse_shown(shown)
        case = self._desk.case(key)
        if case is None:
            raise Refused(f"There is no case C{key}")
        return case, version
