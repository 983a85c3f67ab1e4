"""A person's acts, wherever they come from: the command line of a stopped service, or the control socket of a running
one. Same rules, same audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from labbridge import __version__, composing, pipeline
from labbridge.accounts import Accounts
from labbridge.approving import Approving
from labbridge.calling import Calling
from labbridge.config import Config, FeedSection, ReceiverSection
from labbridge.deciding import Deciding, signing_of
from labbridge.errors import Refused, StoreUnavailable
from labbridge.feed_settings import feed_of, fhir_feeds
from labbridge.hl7.outgoing import ReceiverFormat
from labbridge.judging import JudgeProcess
from labbridge.knowledge.documents import Source
from labbridge.knowledge.ordering import Services
from labbridge.model.values import Coding
from labbridge.model.work import AuditEvent, Feed
from labbridge.ports import Clock, Judge
from labbridge.previewing import Preview, case_of, preview
from labbridge.repairing import Repairing
from labbridge.requesting import Ordering
from labbridge.retesting import Retesting
from labbridge.review import alike, policies
from labbridge.sections import order_form, server_form, table_form
from labbridge.sources import ItemsOnDemand, Words, called_here, words_of
from labbridge.store.desk import StoreDesk
from labbridge.store.people import StorePeople
from labbridge.suspending import Suspending
from labbridge.telling import Telling
from labbridge.trying import say


class Acts:
    """A person's acts on one store. `comment`: the code our comments carry, of the knowledge in force; `called_here`:
    whether by its policy telephone calls of critical results are recorded here before a case is signed at the workbench;
    `services`: what the LIS calls each test that can be ordered."""

    def __init__(
        self,
        config: Config,
        comment: tuple[Coding, ...],
        desk: StoreDesk,
        clock: Clock,
        people: StorePeople | None = None,
        *,
        called_here: bool = False,
        judge: Judge | None = None,
        services: Services | None = None,
    ) -> None:
        self._config, self._desk, self._clock = config, desk, clock
        self.words = Words(comment=comment, services=services or {})
        self._judge = judge or JudgeProcess()
        issuer = config.web.oidc.issuer if config.web.oidc else ""
        taking = fhir_feeds(config)
        others = [name for name in config.feeds if name not in taking]
        self._accounts = Accounts(people, clock, issuer, taking, others) if people is not None else None
        self._deciding = Deciding(desk, clock)
        self.calling = Calling(desk, clock, called_here=called_here)
        self.people, self.repairing = people, Repairing(config, desk, clock, people)
        self._suspending = Suspending(desk.releases, clock)
        self._retesting = Retesting(desk, clock)
        self._telling = Telling(desk.marks, clock)
        self.approving = Approving(ItemsOnDemand(config.knowledge.site), desk.approvals, people, clock)

    def take(self, texts: Sequence[Source]) -> None:
        """Knowledge that is in force from now on: the code of our comments, what the LIS calls each test, who calls."""
        self.words = words_of(texts)
        self.calling.called_here = called_here(texts)

    def perform(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request of the control socket or the command line: {"command", "keys", "as"}, and what the command needs
        beside. Each key has its answer."""
        commands: Mapping[str, Callable[[list[str], str, dict[str, Any]], list[dict[str, Any]]]] = {
            "release": self._released,
            "preview": self._previewed,
            "reprocess": self._reprocessed,
            "edit": self._edited,
            "identity": self._identified,
            "unlink": self._unlinked,
            "confirm": self._confirmed,
            "mark": self._marked,
            "expire": self._expired,
            "erase": self._erased,
            "hold": self._held,
            "user": self._accounted,
            "decide": self._decided,
            "read": self._read,
            "call": self._called,
            "remark": self._remarked,
            "sign": self.approving.perform,
            "suspend": self._suspended,
            "resume": self._resumed,
            "review": self._reviewed,
            "say": self._said,
            "tell": self._told,
            "retest": self._retested,
        }
        act = commands.get(str(request.get("command")))
        keys, name = request.get("keys"), request.get("as", "")
        if act is None or not isinstance(keys, list) or not isinstance(name, str):
            return {"ok": False, "error": "This service does not know the command; is it older than the command line?"}
        done = act([str(key) for key in keys], name, request)
        return {"ok": all(one["ok"] for one in done), "done": done}

    def _decided(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: self._deciding.perform(key, name, request)) for key in keys]

    def _read(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: self._deciding.read(key, name, request)) for key in keys[:1]]

    def _called(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: self.calling.call(key, name, request)) for key in keys[:1]]

    def _remarked(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: self.calling.remark(key, name, request)) for key in keys[:1]]

    def _released(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        """From the workbench with {"person", "meaning", "screens", "undo_s"}: which signature it is, for which screens.
        {"alike"}: one signature under several, which have to be like each other."""
        if request.get("alike") and (refused := _tried(lambda: self._check_alike(keys))):
            return [{"key": key, "ok": False, "error": refused} for key in keys or [""]]
        return [_each(key, lambda key: self._release(key, name, request)) for key in keys]

    def _check_alike(self, keys: list[str]) -> None:
        cases = [self._desk.case(policies.parse_shown(key)[0]) for key in keys]
        found = [one for one in cases if one is not None]
        alike.check(found, [one.key for one in found if self._desk.wording(one.key, one.version)])

    def _release(self, shown: str, name: str, request: dict[str, Any]) -> str:
        signing = signing_of(request, shown)
        case = self._desk.case(policies.parse_shown(shown)[0])
        if signing is not None and case is not None:
            policies.check_release(case, policies.parse_shown(shown)[1], name)
            self.calling.check_told(case)
        page = self.letterhead_of(case.feed) if case else self._letterhead("", "")
        key = pipeline.release(
            shown, name, self._desk, letterhead=page, judge=self._judge, clock=self._clock, signing=signing
        )
        return f"D{key}" if key else shown

    def _previewed(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        """One key alone. {"text"}: what a person is writing in place of the kept words."""
        return [_each(key, lambda key: self._preview(key, name, request)) for key in keys[:1]]

    def _preview(self, shown: str, name: str, request: dict[str, Any]) -> dict[str, Any]:
        asked = Preview(shown=shown, signer=name, text=str(request["text"]) if "text" in request else None)
        case = case_of(asked, self._desk)
        page = self.letterhead_of(case.feed)
        return preview(asked, case, self._desk, letterhead=page, judge=self._judge, clock=self._clock)

    def letterhead_of(self, feed: str) -> composing.Letterhead:
        """How the receiver of a feed takes comments. Refused where it has none."""
        return self._letterhead(feed, self._receiver(feed))

    def _receiver(self, feed: str) -> str:
        receiver = self._config.receiver_of(feed)
        if receiver is None:
            raise Refused("No receiver is configured for this feed; add [receivers.NAME]")
        return receiver

    def _letterhead(self, feed: str, receiver: str) -> composing.Letterhead:
        page = letterhead(self._config, feed, receiver, self.words)
        return msgspec.structs.replace(page, ordering=ordering_of(self._config, feed, receiver, self.words))

    # ---------------------------------------------------------------- release by rule

    def _suspended(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda _key: self._suspending.suspend(name, request)) for key in keys[:1]]

    def _resumed(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(" ".join(keys), lambda _key: self._suspending.resume(keys, name, request))]

    def _reviewed(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: self._suspending.review(key, name, request)) for key in keys]

    def _retested(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: self._retesting.cancel(key, name, request)) for key in keys]

    def _told(self, keys: list[str], _name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: self._telling.perform(key, request)) for key in keys[:1]]

    def _said(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: say(self._desk.replays, self._clock, key, name, request)) for key in keys]

    # ---------------------------------------------------------------- messages and deliveries that need a person

    def _reprocessed(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: self.repairing.reprocess(key, name, request)) for key in keys]

    def _edited(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        """One key alone."""
        return [_each(key, lambda key: self.repairing.edit(key, name, request)) for key in keys[:1]]

    def _identified(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: self.repairing.identify(key, name, request)) for key in keys]

    def _unlinked(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: self.repairing.unlink(key, name, request)) for key in keys]

    # ---------------------------------------------------------------- a restored store

    def _confirmed(self, keys: list[str], name: str, _request: dict[str, Any]) -> list[dict[str, Any]]:
        """The key is `restore`: what left since the backup was looked at, and comments may leave again."""
        return [_each(key, lambda _key: self._confirm(name)) for key in keys[:1]]

    def _marked(self, keys: list[str], name: str, _request: dict[str, Any]) -> list[dict[str, Any]]:
        """The key is `restore`: the database was put back by its server's own tools."""
        return [_each(key, lambda _key: self._mark(name)) for key in keys[:1]]

    def _mark(self, name: str) -> str:
        policies.check_signer(name)
        self._desk.mark_restored(AuditEvent(at=self._clock.now(), actor=name, action="restored", subject="store"))
        return "nothing leaves until `labbridge restore --confirm`"

    def _confirm(self, name: str) -> str:
        policies.check_signer(name)
        self._desk.confirm_restore(AuditEvent(at=self._clock.now(), actor=name, action="confirmed", subject="restore"))
        return "comments leave again"

    # ---------------------------------------------------------------- what is kept how long

    def _expired(self, keys: list[str], name: str, _request: dict[str, Any]) -> list[dict[str, Any]]:
        """The key is the number of days ([retention] raw_d without)."""
        return [_each(key, lambda key: self._expire(key, name)) for key in keys[:1]]

    def _expire(self, days: str, name: str) -> str:
        policies.check_signer(name)
        now = self._clock.now()
        before = now - timedelta(days=policies.parse_days(days or str(self._config.retention.raw_d)))
        event = AuditEvent(at=now, actor=name, action="expired", subject="store", detail=f"before {before:%Y-%m-%d}")
        return f"the bytes of {self._desk.expire(before, event)} messages wiped"

    def _erased(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: self._erase(key, name, request)) for key in keys[:1]]

    def _erase(self, patient: str, name: str, request: dict[str, Any]) -> str:
        policies.check_signer(name)
        why = policies.check_reason(str(request.get("why", "")))
        event = AuditEvent(at=self._clock.now(), actor=name, action="erased", subject="patient", detail=why)
        found = self._desk.erase(policies.parse_patient(patient), event)
        return f"erased from {found} messages; backups keep the patient until they expire"

    def _held(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [_each(key, lambda key: self._hold(key, name, request)) for key in keys[:1]]

    def _hold(self, patient: str, name: str, request: dict[str, Any]) -> str:
        policies.check_signer(name)
        lifts = bool(request.get("lift"))
        why = "" if lifts else policies.check_reason(str(request.get("why", "")))
        action = "legal hold lifted" if lifts else "legal hold"
        event = AuditEvent(at=self._clock.now(), actor=name, action=action, subject="patient", detail=why)
        self._desk.hold(policies.parse_patient(patient), why, event)
        return action

    # ---------------------------------------------------------------- accounts

    def _accounted(self, keys: list[str], name: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        """The key is a login; accounts.py says what goes with it."""
        accounts = self._accounts
        if accounts is None:
            return [{"key": key, "ok": False, "error": "There are no accounts here"} for key in keys]
        return [_each(key, lambda key: accounts.perform(key, name, request)) for key in keys[:1]]


def _tried(act: Callable[[], None]) -> str:
    """Why it was refused; empty where it was not."""
    try:
        act()
    except Refused as refusal:
        return str(refusal)
    return ""


def _each(key: str, act: Callable[[str], Any]) -> dict[str, Any]:
    try:
        return {"key": key, "ok": True, "result": act(key)}
    except (Refused, StoreUnavailable) as refusal:
        return {"key": key, "ok": False, "error": str(refusal)}


def letterhead(config: Config, feed: str, receiver: str, words: Words) -> composing.Letterhead:
    """How a receiver takes the comments on a feed's results."""
    section = config.receivers.get(receiver) or ReceiverSection(address="127.0.0.1:0")
    source = config.feeds.get(feed) or FeedSection()
    format = format_of(config, section, source, words.comment)
    page = composing.Letterhead(receiver, format, feeds_of(config), config.limits.comments_per_specimen)
    if section.kind == "fhir":
        return msgspec.structs.replace(page, server=server_form(config, section, source, words))
    if section.odbc is not None:
        return msgspec.structs.replace(page, table=table_form(section.odbc, section.retest, source))
    return page


def feeds_of(config: Config) -> dict[str, Feed]:
    """The feeds by name, as their messages are read."""
    return {name: feed_of(name, section) for name, section in config.feeds.items()}


def ordering_of(config: Config, feed: str, receiver: str, words: Words) -> Ordering | None:
    """How a receiver takes orders of retests; None where it is to be sent none."""
    section = config.receivers.get(receiver)
    if section is None or section.retest != "order":
        return None
    source = config.feeds.get(feed) or FeedSection()
    server = server_form(config, section, source, words) if section.kind == "fhir" else None
    return Ordering(order_form(config, section, source), words.services, feeds_of(config), server)


def format_of(
    config: Config, receiver: ReceiverSection, feed: FeedSection, comment: tuple[Coding, ...]
) -> ReceiverFormat:
    """How a receiver takes comments, from its configuration."""
    return ReceiverFormat(
        version=receiver.version,
        mode=receiver.mode,
        line_length=receiver.line_length,
        charset=receiver.charset,
        application=config.application,
        facility=config.facility,
        receiving_application=receiver.application,
        receiving_facility=receiver.facility,
        comment=comment,
        software=f"labbridge-{__version__}",
        timezone=feed.timezone,
    )
