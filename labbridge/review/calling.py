"""Telephone calls of critical findings, and what people write to each other about a case. Raises Refused with a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from labbridge.errors import Refused
from labbridge.model.outcome import Outcome, Severity
from labbridge.model.review import Call, Remark
from labbridge.model.work import Case

LONGEST_TOLD, LONGEST_NOTE, LONGEST_REMARK = 200, 500, 1000
OF_THE_LIS = "The telephone call of critical results is the LIS's here (site policy)"
Finding = tuple[str, str, tuple[str, ...]]


def critical(outcome: Outcome) -> frozenset[Finding]:
    """The critical findings of an evaluation, each with the results it rests on: another result is another call."""
    found = (flag for flag in outcome.flags if flag.severity is Severity.CRITICAL)
    return frozenset((flag.code, flag.analyte, flag.evidence) for flag in found)


def check_call(case: Case, call: Call, now: datetime) -> Call:
    """The call as it is to be kept. Refused where the case has changed since it was shown or has nothing critical, and for a
    moment at which this could not have been told."""
    if case.version != call.version:
        raise Refused(f"C{case.key} is at version {case.version} now, not {call.version}: read it again")
    if not critical(case.outcome):
        raise Refused(f"C{case.key} has no critical finding: there is no call to record")
    if call.at > now:
        raise Refused("A call that is yet to come cannot be recorded")
    if case.outcome.newest is not None and call.at < case.outcome.newest:
        raise Refused("The call was before the newest result came: whoever was told has not been told of it")
    told, note = " ".join(call.told.split()), " ".join(call.note.split())
    if not told or len(told) > LONGEST_TOLD or not told.isprintable():
        raise Refused(f"Say who was told: at most {LONGEST_TOLD} printable characters")
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise Refused(f"A note of a call has at most {LONGEST_NOTE} printable characters")
    return msgspec.structs.replace(call, told=told, note=note)


def told(case: Case, calls: Sequence[Call], earlier: Mapping[int, Outcome]) -> bool:
    """Whether what is critical now was told by telephone: with this version, or with an earlier one (its outcome in
    `earlier`) that had the same critical findings of the same results. True where nothing is critical."""
    wanted = critical(case.outcome)
    known = {**earlier, case.version: case.outcome}
    return not wanted or any(one.version in known and critical(known[one.version]) == wanted for one in calls)


def check_told(case: Case, calls: Sequence[Call], earlier: Mapping[int, Outcome]) -> None:
    """Refused where a critical finding would be signed of which nobody was told."""
    if not told(case, calls, earlier):
        raise Refused(f"C{case.key} has a critical finding: record the telephone call before you sign")


def check_remark(remark: Remark) -> Remark:
    """The remark as it is to be kept, with its line breaks."""
    lines = [line.rstrip() for line in remark.text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")]
    text = "\n".join(lines)
    if not text or len(text) > LONGEST_REMARK or not all(line.isprintable() for line in lines):
        raise Refused(f"A note has 1 to {LONGEST_REMARK} printable characters, line breaks apart")
    return msgspec.structs.replace(remark, text=text)
