"""The comment on its way into a table of the LIS: one row, whose values are named by what they are; which column each goes
to, the receiver's configuration says (`[receivers.NAME.odbc] columns`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from labbridge import times
from labbridge.errors import Refuse, Refused
from labbridge.model.outcome import Flag, Retest
from labbridge.model.report import Observation, Order, Patient
from labbridge.rows import body
from labbridge.rows.body import Cell

ODBC = "odbc"
"""What stands for a version of a standard where there is none (ports.Judge)."""
MEANINGS = {
    "id": "our number of this delivery, the same on each attempt",
    "text": "the comment",
    "comment": "key of the comment (LB12), the same in each correction of it",
    "status": "F, or C where it replaces an earlier one of the same key",
    "patient_id": "the patient's number",
    "patient_authority": "who gave it",
    "filler_order": "the laboratory's order number",
    "placer_order": "the requester's",
    "specimen": "number of the specimen",
    "code": "code of the result that the comment hangs on",
    "flags": "what was flagged, a code with its severity each: `PARTNER_MISSING:minor`, divided by blanks",
    "retests": "advised retests, one a line: analyte, method families, priority, not before, reason, divided by tabs",
    "signer": "who signed it",
    "signed": "when, in the time of the feed's zone, to the second",
    "knowledge": "fingerprint of the rules it was written by",
}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class TableForm(msgspec.Struct, frozen=True, kw_only=True):
    """How a table takes comments. `retest` is advise or off; `timezone` the zone of the times that are written."""

    table: str
    retest: str = "advise"
    timezone: str = "UTC"


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """What one comment says: its delivery's number, its key, its text, who signed it when, and what it was written from."""

    control_id: str
    key: str
    text: str
    signer: str
    now: datetime
    correction: bool = False
    flags: Sequence[Flag] = ()
    retests: Sequence[Retest] = ()
    knowledge: str = ""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The patient as now numbered, and the result with its order."""

    patient: Patient
    order: Order
    result: Observation


def comment_row(staged: Staged, about: About, form: TableForm) -> bytes:
    """The final bytes of a comment. Refused, with the reason, where they cannot be made."""
    if not staged.text.strip():
        raise Refused("The comment is empty; there is nothing to send")
    if _CONTROL.search(staged.text):
        raise Refused("The comment holds control characters, which no column should")
    if about.patient.key is None:
        raise Refused("The message names no patient")
    return body.encode(form.table, [_row(staged, about, form)])


def _row(staged: Staged, about: About, form: TableForm) -> dict[str, Cell]:
    who, order = about.patient.key, about.order
    tube = next((one.filler or one.placer for one in order.specimens if one.filler or one.placer), None)
    advised = staged.retests if form.retest != "off" else ()
    assert who is not None
    return {
        "id": staged.control_id,
        "text": staged.text,
        "comment": staged.key,
        "status": "C" if staged.correction else "F",
        "patient_id": who.id,
        "patient_authority": who.authority or None,
        "filler_order": order.filler.id or None,
        "placer_order": order.placer.id or None,
        "specimen": tube.id if tube is not None else None,
        "code": next((one.code for one in about.result.codes if one.code), None),
        "flags": " ".join(f"{one.code}:{one.severity}" for one in staged.flags) or None,
        "retests": "\n".join(map(_retest, advised)) or None,
        "signer": staged.signer,
        "signed": staged.now.astimezone(times.zone(form.timezone)).replace(tzinfo=None, microsecond=0),
        "knowledge": staged.knowledge or None,
    }


def _retest(one: Retest) -> str:
    day = one.not_before.isoformat() if one.not_before is not None else ""
    return "\t".join((one.analyte, ",".join(one.families), one.priority, day, one.reason))


def faults(raw: bytes, text: str) -> list[str]:
    """What is wrong with a comment's bytes, read again as who delivers them reads them."""
    try:
        rows = body.decode(raw).rows
    except Refuse as fault:
        return [f"{fault.text} {fault.location}"]
    (row,) = rows[:1]
    found = [] if len(rows) == 1 else ["there is not one row"]
    found += [] if set(row) == set(MEANINGS) else ["a value is missing, or is one too many"]
    found += [] if row.get("text") == text else ["the text is not the one that was signed"]
    return found + [f"{name} is empty" for name in ("id", "comment", "patient_id", "signer") if not row.get(name)]
