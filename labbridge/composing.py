"""A comment as the message that leaves: its final bytes, judged, addressed as its receiver wants it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from labbridge import counting, reading, requesting
from labbridge.errors import Refused
from labbridge.hl7 import echoes, outgoing
from labbridge.model.work import Case, Feed, Kept, Outgoing
from labbridge.ports import Desk, Judge
from labbridge.review import policies


class Messages(Protocol):
    """What a comment is composed from: the message it hangs on, and the one that names its patient now (ports.Desk)."""

    def message(self, key: int) -> Kept | None: ...

    def naming(self, lane: str) -> Kept | None: ...


class Letterhead(msgspec.Struct, frozen=True):
    """How one receiver wants its comments: its name, the format of contract.md `[receivers.NAME]`, the feeds that results
    come by, by name (of one that is not among them MSH-18 is trusted), and how many may leave for one specimen in a day.
    `ordering`: how it takes orders of retests, where it takes any."""

    receiver: str
    format: outgoing.ReceiverFormat
    feeds: Mapping[str, Feed] = {}
    per_specimen: int = 0
    ordering: requesting.Ordering | None = None


def with_orders(
    out: Outgoing, case: Case, letter: outgoing.Letter, desk: Desk, by: tuple[Letterhead, Judge]
) -> Outgoing:
    """The comment with the orders of the retests that it recommends, where the receiver takes orders."""
    page, judge = by
    if page.ordering is None:
        return out
    found = requesting.orders_of(case, letter.signer, letter.now, desk, (page.ordering, judge))
    return msgspec.structs.replace(out, orders=found.made, withheld=found.withheld)


def outgoing_of(case: Case, letter: outgoing.Letter, desk: Desk, letterhead: Letterhead, judge: Judge) -> Outgoing:
    """The comment as it will leave, judged."""
    raw, specimen = final_bytes(case, letter, desk, letterhead)
    faults = judge.judge(raw, policies.sent_text(case), letterhead.format.version)
    if faults:
        raise Refused(f"The comment of C{case.key} would not be a valid message for {letterhead.receiver}: {faults[0]}")
    return Outgoing(
        case=case.key,
        version=case.version,
        receiver=letterhead.receiver,
        lane=f"{letterhead.receiver}/{letter.lanes[0]}",
        control_id=letter.control_id,
        raw=raw,
        correction=bool(case.posted),
        posted=policies.posted(case, letter.now),
        counts=tuple(counting.stage("signed", case.updated, letter.now)),
        expires=policies.expires(case, letter.now),
        specimen=f"{letterhead.receiver}/{specimen}",
        per_specimen=letterhead.per_specimen,
        digest=echoes.digest(letter.text),
    )


def letter_of(case: Case, signer: str, control_id: str, now: datetime) -> outgoing.Letter:
    return outgoing.Letter(
        at=case.subject_at,
        lanes=case.lanes or (case.lane,),
        text=policies.sent_text(case),
        sub_id=case.sub_id,
        correction=bool(case.posted),
        signer=signer,
        control_id=control_id,
        now=now,
    )


def final_bytes(case: Case, letter: outgoing.Letter, desk: Messages, letterhead: Letterhead) -> tuple[bytes, str]:
    """The comment's bytes, and the specimen it speaks of."""
    message = desk.message(case.subject_message) if case.subject_message is not None else None
    if message is None or not message.raw:
        raise Refused(f"The message C{case.key} was written from is not in this store any more; it cannot be addressed")
    if message.damaged:
        raise Refused(f"M{message.key}, which C{case.key} was written from, was damaged on the disk; restore a backup")
    format, feeds = letterhead.format, letterhead.feeds
    source = reading.in_hl7(message, letter.at, letter.lanes, feeds, format, echoes=format.mode == "nte")
    named = reading.naming_in_hl7(desk.naming(letter.lanes[0]), letter.lanes[0], feeds)
    letter = msgspec.structs.replace(letter, at=source.at)
    raw = outgoing.comment_message(source.raw, source.charset, format, letter, named)
    return raw, outgoing.specimen(source.raw, source.charset, letter)
