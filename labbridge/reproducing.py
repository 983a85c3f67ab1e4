"""`labbridge reproduce`: a comment of the past said again, from the stored messages and by the knowledge of then; its text
and the bytes that left are compared with what is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import msgspec

from labbridge import composing
from labbridge.acts import letterhead
from labbridge.config import Config
from labbridge.errors import Refused
from labbridge.knowledge.documents import Source
from labbridge.model.work import Case, Kept
from labbridge.past import Past
from labbridge.processing import reader_of
from labbridge.replaying import known_of, settings_of
from labbridge.review import policies
from labbridge.sources import unpacked, words_of
from labbridge.store import decisions, links, reading
from labbridge.store import past as stored
from labbridge.store.approvals import StoreApprovals
from labbridge.store.connection import Connection

DRAFT = 'SELECT knowledge, created FROM drafts WHERE "case" = ? AND version = ?'
LEFT = (
    "SELECT o.receiver, o.raw, o.control_id, o.created, o.rule, coalesce(s.name, a.actor, '') FROM outbox o"
    " LEFT JOIN signatures s ON s.delivery = o.id"
    " LEFT JOIN audit a ON a.action = 'released' AND a.subject = ? AND a.detail = o.control_id"
    ' WHERE o."case" = ? AND o.version = ? AND o.comment > 0 ORDER BY o.id DESC LIMIT 1'
)


class Reading:
    """ports.Desk as far as a message is composed by it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def message(self, key: int) -> Kept | None:
        return reading.message(self._connection, key)

    def naming(self, lane: str) -> Kept | None:
        key = links.naming(self._connection, lane)
        return None if key is None else reading.message(self._connection, key)


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """A version said again. `same_text`: as it was drafted; `same_bytes`: as it left (None: it did not, or a person gave it
    other words). `text` is what is said now."""

    shown: str
    knowledge: str
    messages: int
    same_text: bool
    same_bytes: bool | None
    text: str
    kept: str


def reproduce(shown: str, config: Config, connection: Connection) -> Again:
    """Refused where there is no such version, where its knowledge is not kept here, or its messages were wiped."""
    key, version = policies.parse_shown(shown)
    case = reading.draft(connection, key, version)
    if case is None:
        raise Refused(f"There is no version {version} of C{key}")
    name, created = connection.execute(DRAFT, (key, version)).fetchone()
    body = StoreApprovals(connection).knowledge(name)
    if body is None:
        raise Refused(f"The knowledge {name} that {shown} was said by is not kept in this store")
    texts = unpacked(body)
    group = stored.processed_until(connection, stored.patient_of(connection, case.lane), created)
    kept = list(stored.kept(connection, group))
    past = Past(known_of(connection, group))
    past.go_through(kept, reader_of(settings_of(config), texts))
    again = next((one for one in past.cases if (one.lane, one.opened_day) == (case.lane, case.opened_day)), None)
    if again is None and len(kept) < len(group.messages):
        raise Refused(f"The bytes of messages that {shown} was said from were wiped for their age")
    text = again.text if again else ""
    comparable = again is not None and not case.damaged
    return Again(
        shown=shown,
        knowledge=name,
        messages=len(kept),
        same_text=text == case.text,
        same_bytes=_same_bytes(msgspec.structs.replace(case, text=text), texts, config, connection)
        if comparable
        else None,
        text=text,
        kept="damaged on the disk" if case.damaged else case.text,
    )


def _same_bytes(case: Case, texts: Sequence[Source], config: Config, connection: Connection) -> bool | None:
    """Whether the message composed again is the one that left, byte for byte; None where none left, or a person gave it
    other words."""
    row = connection.execute(LEFT, (f"C{case.key}@{case.version}", case.key, case.version)).fetchone()
    if row is None or decisions.wording(connection, case.key, case.version):
        return None
    receiver, raw, control_id, created, rule, name = row
    now = datetime.fromisoformat(created)
    as_it_was = msgspec.structs.replace(case, posted=tuple(one for one in case.posted if one.posted < now))
    signer = f"rule {rule}" if rule else str(name)
    letter = composing.letter_of(as_it_was, signer, control_id, now, by_rule=bool(rule))
    page = letterhead(config, case.feed, receiver, words_of(texts))
    again, _specimen = composing.final_bytes(as_it_was, letter, Reading(connection), page)
    return again == bytes(raw)


def printed(one: Again, format: str) -> str:
    if format == "json":
        return json.dumps(msgspec.to_builtins(one), ensure_ascii=False)
    told: dict[bool | None, str] = {True: "the same, byte for byte", False: "NOT the same", None: "it did not leave"}
    lines = [
        f"{one.shown}, said again from {one.messages} messages by {one.knowledge}",
        f"text     {told[one.same_text]}",
        f"message  {told[one.same_bytes]}",
    ]
    return "\n".join(lines if one.same_text else [*lines, f"kept     {one.kept}", f"now      {one.text}"])
