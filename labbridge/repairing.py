"""A person's acts on messages and deliveries: sent through again, repaired, whose they are. What one person repaired
another one sends through, and exactly that.

From the workbench a request carries `person`, the login: that is what is recorded and compared. The command line has the
name alone; a login and a name that stands in its account are one person.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from labbridge import reading
from labbridge.config import Config
from labbridge.errors import Refuse, Refused
from labbridge.feed_settings import feed_of
from labbridge.model.work import AuditEvent, Edit, Feed, Kept, Verdict
from labbridge.ports import Clock
from labbridge.review import identity, policies
from labbridge.states import State
from labbridge.store.desk import StoreDesk
from labbridge.store.people import StorePeople


class Repairing:
    """`people`: the accounts, by which a login and a name are known for one person; None where there are none."""

    def __init__(self, config: Config, desk: StoreDesk, clock: Clock, people: StorePeople | None) -> None:
        self._config, self._desk, self._clock, self._people = config, desk, clock, people

    def reprocess(self, shown: str, name: str, request: dict[str, Any]) -> str:
        """A message or a delivery sent through again. From the workbench with {"why"}, and where the message was edited
        with {"version", "digest"}: which edit was read, by the SHA-256 of its bytes in hexadecimal digits."""
        kind, key = policies.parse_key(shown)
        event = self._event("reprocess", shown, name, request)
        if kind == "D":
            self._desk.send_again(key, event)
            return shown
        message = self._message(shown)
        edit = self._desk.pending_edit(key)
        _check_read(shown, edit, request)
        self._check_second_person(shown, edit.editor if edit else "", event.actor)
        if edit is None and message.state is State.QUARANTINED and message.damaged:
            raise Refused(
                f"Of {shown} only the head is here, or its bytes are not the ones that came: they cannot be read"
            )
        lanes = self._lanes(shown, message, edit.raw if edit else message.raw, "still cannot be read")
        self._desk.reprocess(key, lanes, event, edit)
        return shown

    def read_again(self, shown: str, login: str, why: str) -> None:
        """A message goes through again as it is, by the knowledge that is in force now. Refused where a person is repairing
        it: that edit waits for its second person."""
        event = AuditEvent(at=self._clock.now(), actor=login, action="reprocess", subject=shown, detail=why)
        message = self._message(shown)
        if self._desk.pending_edit(message.key) is not None:
            raise Refused(f"{shown} was edited, and waits for the second person")
        lanes = self._lanes(shown, message, message.raw, "cannot be read")
        self._desk.reprocess(message.key, lanes, event, None)

    def edit(self, shown: str, name: str, request: dict[str, Any]) -> str:
        """{"raw": the repaired message in base64, "why": the reason}. From the workbench with {"base"}: the version that
        it was made from, 1 for the message received."""
        event = self._event("edited", shown, name, request, policies.check_reason(str(request.get("why", ""))))
        message = self._message(shown)
        policies.check_editable(shown, message)
        try:
            raw = base64.b64decode(str(request.get("raw", "")), validate=True)
        except ValueError:
            raise Refused("The repaired message did not come in base64") from None
        self._lanes(shown, message, raw, "as edited cannot be read")
        reading.check_places(message.raw, raw, self._feed(shown, message), message.notes)
        base = request.get("base")
        version = self._desk.edit(message.key, raw, event.detail, event, base if isinstance(base, int) else None)
        return f"{shown}, version {version}"

    # ---------------------------------------------------------------- who is who

    def identify(self, shown: str, name: str, request: dict[str, Any]) -> str:
        """{"verdict": "same" or "other"}: whether what a message states is the patient whose number it bears."""
        verdict = str(request.get("verdict", ""))
        if verdict not in list(Verdict):
            policies.check_signer(name)
            raise Refused("Say --is same (of the patient whose number it bears) or --is other (of somebody else)")
        event = self._event(f"identity {verdict}", shown, name, request)
        message = self._message(shown)
        reports = reading.reports_of(message.raw, self._feed(shown, message), message.received, message.notes)
        who = [(report.lane, identity.stated(report.patient)) for report in reports if report.patient.key is not None]
        if not who:
            raise Refused(f"{shown} names no patient: there is nothing to decide")
        self._desk.decide(message.key, who, Verdict(verdict), event)
        return shown

    def unlink(self, shown: str, name: str, request: dict[str, Any]) -> str:
        """The link an identity message made is taken out of force."""
        event = self._event("unlinked", shown, name, request)
        self._desk.unlink(self._message(shown).key, event)
        return shown

    # ---------------------------------------------------------------- who acts, and on what

    def _event(self, action: str, shown: str, name: str, request: dict[str, Any], detail: str = "") -> AuditEvent:
        """The line of the audit. From the workbench every act has its reason."""
        policies.check_signer(name)
        person, why = str(request.get("person", "")), str(request.get("why", ""))
        said = detail or (policies.check_reason(why) if person or why else "")
        return AuditEvent(at=self._clock.now(), actor=person or name, action=action, subject=shown, detail=said)

    def _check_second_person(self, shown: str, editor: str, by: str) -> None:
        """Refused where both are the same person, by whatever name each of the two came."""
        people = self._people
        first = people.by_login(editor) if people and editor else None
        second = people.by_login(by) if people else None
        if first and second:
            policies.check_second_person(shown, first.login, second.login)
        else:
            policies.check_second_person(shown, first.name if first else editor, second.name if second else by)

    def _message(self, shown: str) -> Kept:
        kind, key = policies.parse_key(shown)
        if kind != "M":
            raise Refused(f"{shown!r} is not a message; write M17")
        message = self._desk.message(key)
        if message is None:
            raise Refused(f"There is no message {shown}")
        return message

    def _feed(self, shown: str, message: Kept) -> Feed:
        section = self._config.feeds.get(message.feed)
        if section is None:
            raise Refused(f"The feed {message.feed} of {shown} is not configured; restore it first")
        return feed_of(message.feed, section)

    def _lanes(self, shown: str, message: Kept, raw: bytes, otherwise: str) -> tuple[str, ...]:
        feed = self._feed(shown, message)
        if not raw:
            raise Refused(f"The bytes of {shown} were wiped for their age: there is nothing to read")
        if reading.wire_of(raw, feed) == reading.ARCHIVE and not _is_archive(message, feed):
            raise Refused(f"{shown}: rows of an archive come by `labbridge import` alone")
        try:
            return reading.lanes_of(raw, feed, message.notes)
        except Refuse as fault:
            raise Refused(f"{shown} {otherwise}: {fault.text} {fault.location}".strip()) from None


def _is_archive(message: Kept, feed: Feed) -> bool:
    """Whether a message was imported: a sender's bytes that only look like that were refused."""
    return message.state is not State.QUARANTINED and reading.wire_of(message.raw, feed) == reading.ARCHIVE


def _check_read(shown: str, edit: Edit | None, request: dict[str, Any]) -> None:
    """Whoever approves an edit names the one that was read: another one may have been made since."""
    if "version" in request:
        digest = hashlib.sha256(edit.raw).hexdigest() if edit else ""
        if edit is None or (request["version"], str(request.get("digest", ""))) != (edit.version, digest):
            raise Refused(f"{shown} is not as it was on the screen: read it again before you send it through")
    elif edit and request.get("person"):
        raise Refused(f"{shown} was edited: whoever sends it through reads the edit first, on its own page")
