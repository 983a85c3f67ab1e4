"""A comment as the message that leaves: its final bytes, judged, addressed as its receiver wants it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from labbridge import answering, counting, reading, requesting
from labbridge.answering import Messages
from labbridge.errors import Refused
from labbridge.fhir import outgoing as fhir_outgoing
from labbridge.hl7 import echoes, outgoing
from labbridge.model.work import Case, Feed, Outgoing
from labbridge.ports import Desk, Judge
from labbridge.review import policies
from labbridge.rows import outgoing as rows_outgoing


class Letterhead(msgspec.Struct, frozen=True):
    """How one receiver wants its comments: its name, the format of contract.md `[receivers.NAME]`, the feeds that results
    come by, by name (of one that is not among them MSH-18 is trusted), and how many may leave for one specimen in a day.
    `ordering`: how it takes orders of retests, where it takes any. `server`: how it takes comments where it is a FHIR
    server, `table` where it is a table; then `format` is not used."""

    receiver: str
    format: outgoing.ReceiverFormat
    feeds: Mapping[str, Feed] = {}
    per_specimen: int = 0
    ordering: requesting.Ordering | None = None
    server: fhir_outgoing.ServerForm | None = None
    table: rows_outgoing.TableForm | None = None

    @property
    def version(self) -> str:
        """The version of its standard, by which what leaves for it is judged."""
        if self.table is not None:
            return rows_outgoing.ODBC
        return fhir_outgoing.R4 if self.server is not None else self.format.version


def with_orders(
    out: Outgoing, case: Case, letter: outgoing.Letter, desk: Desk, by: tuple[Letterhead, Judge]
) -> Outgoing:
    """The comment with the orders of the retests that it recommends, where the receiver takes orders."""
    page, judge = by
    if page.ordering is None:
        return out
    asked = requesting.Asked(letter.signer, letter.now, letter.by_rule)
    found = requesting.orders_of(case, asked, desk, (page.ordering, judge))
    return msgspec.structs.replace(out, orders=found.made, withheld=found.withheld)


def outgoing_of(case: Case, letter: outgoing.Letter, desk: Desk, letterhead: Letterhead, judge: Judge) -> Outgoing:
    """The comment as it will leave, judged."""
    raw, specimen = final_bytes(case, letter, desk, letterhead)
    faults = judge.judge(raw, policies.sent_text(case), letterhead.version)
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


def letter_of(case: Case, signer: str, control_id: str, now: datetime, *, by_rule: bool = False) -> outgoing.Letter:
    """`by_rule`: the signer is a row of the site's, and no person."""
    return outgoing.Letter(
        at=case.subject_at,
        lanes=case.lanes or (case.lane,),
        text=policies.sent_text(case),
        sub_id=case.sub_id,
        correction=bool(case.posted),
        signer=signer,
        by_rule=by_rule,
        control_id=control_id,
        now=now,
    )


def final_bytes(case: Case, letter: outgoing.Letter, desk: Messages, letterhead: Letterhead) -> tuple[bytes, str]:
    """The comment's bytes, and the specimen it speaks of."""
    if letterhead.server is not None:
        return _for_a_server(case, letter, desk, letterhead.server, letterhead.feeds)
    if letterhead.table is not None:
        return _for_a_table(case, letter, desk, letterhead.table, letterhead.feeds)
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


def _for_a_server(
    case: Case,
    letter: outgoing.Letter,
    desk: Messages,
    form: fhir_outgoing.ServerForm,
    feeds: Mapping[str, Feed],
) -> tuple[bytes, str]:
    place = answering.Place(case.subject_message or 0, letter.at, letter.lanes)
    about = answering.about(place, answering.refs_of(case), desk, feeds)
    signed = fhir_outgoing.Signed(
        signer=letter.signer,
        by_rule=letter.by_rule,
        control_id=letter.control_id,
        now=letter.now,
        knowledge=case.outcome.knowledge,
    )
    note = answering.note_of(case, letter.text)
    return fhir_outgoing.comment_bundle(note, about, signed, form), answering.specimen(about)


def _for_a_table(
    case: Case, letter: outgoing.Letter, desk: Messages, form: rows_outgoing.TableForm, feeds: Mapping[str, Feed]
) -> tuple[bytes, str]:
    place = answering.Place(case.subject_message or 0, letter.at, letter.lanes)
    found = answering.about(place, (), desk, feeds)
    staged = rows_outgoing.Staged(
        control_id=letter.control_id,
        key=letter.sub_id,
        text=letter.text,
        signer=letter.signer,
        now=letter.now,
        correction=letter.correction,
        flags=case.outcome.flags,
        retests=case.outcome.retests,
        knowledge=case.outcome.knowledge,
    )
    about = rows_outgoing.About(patient=found.patient, order=found.order, result=found.result)
    return rows_outgoing.comment_row(staged, about, form), answering.specimen(found)
