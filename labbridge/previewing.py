"""A comment as it would leave now, without its leaving: nothing is written, and no control id is taken for it."""

from __future__ import annotations

from typing import Any

import msgspec

from labbridge import composing
from labbridge.composing import Letterhead
from labbridge.errors import Refused
from labbridge.fhir.read_back import read_back as fhir_read_back
from labbridge.hl7.read_back import read_back
from labbridge.model.work import Case
from labbridge.ports import Clock, Judge
from labbridge.review import decisions, policies
from labbridge.store.desk import StoreDesk

CONTROL_ID = "PREVIEW"


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: the case version that was shown (`C12@3`), by whom, and the text in place of the kept one (None: the
    kept one)."""

    shown: str
    signer: str
    text: str | None = None


def case_of(asked: Preview, desk: StoreDesk) -> Case:
    """The case in the words that are to be looked at. Refused where it is not as it was shown, or has none."""
    key, version = policies.parse_shown(asked.shown)
    case = desk.case(key)
    if case is None:
        raise Refused(f"There is no case C{key}")
    if case.version != version or case.outcome.comment is None or not case.text:
        policies.check_release(case, version, asked.signer)
        raise Refused(f"C{key} has no comment to release; its findings are for the worklist only")
    text = desk.wording(key, version) if asked.text is None else decisions.wording(asked.text)
    return policies.worded(case, text)


def preview(
    asked: Preview, case: Case, desk: StoreDesk, *, letterhead: Letterhead, judge: Judge, clock: Clock
) -> dict[str, Any]:
    """The comment read back from its final bytes, with how its receiver takes it; `refused` is why it could not be released
    as it is, empty where it could. Refused where there are no such bytes."""
    letter = composing.letter_of(case, asked.signer, CONTROL_ID, clock.now())
    refused, server = "", letterhead.server
    try:
        policies.check_release(case, case.version, asked.signer)
        out = composing.outgoing_of(case, letter, desk, letterhead, judge)
        desk.check_specimen(out, letter.now)
        raw = out.raw
    except Refused as refusal:
        refused = str(refusal)
        raw, _specimen = composing.final_bytes(case, letter, desk, letterhead)
    return {
        **msgspec.to_builtins(read_back(raw) if server is None else fhir_read_back(raw)),
        "mode": letterhead.format.mode if server is None else server.mode,
        "wire": "hl7" if server is None else "fhir",
        "receiver": letterhead.receiver,
        "line_length": letterhead.format.line_length if server is None else 0,
        "language": case.outcome.comment.language if case.outcome.comment else "",
        "refused": refused,
    }
