"""`labbridge suspend`: stops release by rule whatever the service does; lists what is stopped, and the record of drafts."""

from __future__ import annotations

import json
from typing import Any

from labbridge import show
from labbridge.automatic import switch
from labbridge.cli_parts import NEEDS_A_PERSON
from labbridge.config import Config
from labbridge.control import ask
from labbridge.errors import Refused
from labbridge.model.release import Standing
from labbridge.review.proportions import exact
from labbridge.stopped import acts_on
from labbridge.store import releases
from labbridge.store.connection import Connection

WITHIN_S = 3.0
SUSPENSIONS = ("key", "feed", "analyte", "rule", "why", "by", "since")
RECORD = ("feed", "comment", "decided by persons", "as drafted", "share", "at least (95 %)", "released by rule")


def suspend(config: Config, request: dict[str, Any], format: str) -> tuple[int, str]:
    """Exit code and what to print. A service that does not answer in time is stopped by the file it looks at."""
    try:
        answer = ask(config.store.beside, request, WITHIN_S)
    except (Refused, OSError):
        file = switch(config.store.beside)
        file.touch()
        return 0, f"The service does not answer; {file} stops release by rule within a second, until `labbridge resume`"
    if answer is None:
        with acts_on(config) as acts:
            answer = acts.perform(request)
    return (0 if answer.get("ok") else NEEDS_A_PERSON), show.acted(answer, format)


def listed(store: Connection, format: str) -> str:
    """What is suspended, and by feed and comment class what persons did with drafts and what rules released."""
    stopped = [
        (f"S{one.key}", one.feed, one.analyte, one.rule, one.why, one.by, f"{one.at:%Y-%m-%d %H:%M}")
        for one in releases.suspensions(store)
    ]
    record = [_record(one) for one in releases.standings(store)]
    if format == "json":
        found = {"suspended": [dict(zip(SUSPENSIONS, row, strict=True)) for row in stopped]}
        return json.dumps(
            found | {"record": [dict(zip(RECORD, row, strict=True)) for row in record]}, ensure_ascii=False
        )
    first = show.table(stopped, SUSPENSIONS) if stopped else "nothing is suspended"
    return "\n\n".join((first, show.table(record, RECORD) if record else "no draft was decided by a person yet"))


def _record(one: Standing) -> tuple[object, ...]:
    reviewed, agreed = one.record.reviewed, one.record.agreed
    share = f"{agreed / reviewed:.1%}" if reviewed else ""
    return one.feed, one.comment_class, reviewed, agreed, share, f"{exact(agreed, reviewed)[0]:.1%}", one.released
