"""When a draft is offered for release, and whether what it says was said already (clinical.md C10.15, C10.39)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import msgspec

from labbridge.model.outcome import Outcome, PostedComment


def offered(outcome: Outcome, elsewhere: Iterable[PostedComment], today: date, settle: timedelta) -> Outcome:
    """The outcome with the moment from which it is offered: at once; its comment, while analytes ordered together are in
    progress, `settle` after the newest result; prompts that wait, when they have (C10.16). `elsewhere` are the comments of
    the patient's other cases: one that says the same of the same analytes is not said again for a while."""
    before = _said(outcome, elsewhere, today)
    if before is not None:
        return msgspec.structs.replace(outcome, comment=None, said_on=before)
    if outcome.settles and outcome.outstanding and outcome.newest is not None:
        return msgspec.structs.replace(outcome, offered_from=outcome.newest + settle)
    return (
        outcome if outcome.prompts_from is None else msgspec.structs.replace(outcome, offered_from=outcome.prompts_from)
    )


def _said(outcome: Outcome, elsewhere: Iterable[PostedComment], today: date) -> date | None:
    if outcome.comment is None or not outcome.repeat_d:
        return None
    same = [
        one.posted.date()
        for one in elsewhere
        if one.comment_class == outcome.comment.comment_class and one.analytes == named(outcome)
    ]
    return next((day for day in sorted(same, reverse=True) if 0 <= (today - day).days <= outcome.repeat_d), None)


def named(outcome: Outcome) -> tuple[str, ...]:
    """The analytes that the findings of an outcome name."""
    return tuple(sorted({flag.analyte for flag in outcome.flags if flag.analyte}))
