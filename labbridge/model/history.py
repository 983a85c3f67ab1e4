"""Everything one evaluation looks at: the patient's result versions and context, as of one moment."""

from __future__ import annotations

from datetime import date

import msgspec

from labbridge.model.outcome import PostedComment
from labbridge.model.report import Patient
from labbridge.model.result import ContextItem, Result


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All versions held of a patient's results, in any order (clinical.md P7), and what surrounds them.

    `today` is the evaluation day (`--as-of`, else the receipt day of the triggering message; never the wall clock at a
    re-run, clinical.md C10.32). `posted` are comments of this case sent before. `decided` are refs of held versions a
    person has decided on (C10.14). `known` are analytes a scientist has marked as known (C10.5 c).
    `told` are refs of results whose change was told by another case of the patient: a change is told once (C10.27).
    `identity` is empty, or what disagrees with the stored patient: `birth_date` or `sex` (C10.36).
    """

    patient: Patient
    results: tuple[Result, ...]
    context: tuple[ContextItem, ...] = ()
    posted: tuple[PostedComment, ...] = ()
    decided: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()
    identity: str = ""
    today: date
    language: str = "en"
