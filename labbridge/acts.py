"""A person's acts, wherever they come from: the command line of a stopped service, or the control socket of a running
one. Same rules, same audit."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from labbridge import __version__, pipeline
from labbridge.config import Config, FeedSection, ReceiverSection
from labbridge.errors import Refuse, Refused, StoreUnavailable
from labbridge.hl7.outgoing import ReceiverFormat
from labbridge.hl7.structure import read_structure
from labbridge.model.values import Coding
from labbridge.model.work import AuditEvent, Feed
from labbridge.ports import Clock
from labbridge.review import policies
from labbridge.store.desk import StoreDesk

JUDGE_WITHIN_S = 60.0


class JudgeProcess:
    """ports.Judge in a process of its own: hl7apy is large and slow, and is needed only while something is released."""

    def __enter__(self) -> JudgeProcess:
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.shutdown()

    def judge(self, raw: bytes, text: str, version: str) -> Sequence[str]:
        return self._pool.submit(_judge, raw, text, version).result(JUDGE_WITHIN_S)


def _judge(raw: bytes, text: str, version: str) -> list[str]:
    from labbridge.hl7 import conformance

    return conformance.judge(raw, text, version)


class Acts:
    """Release and reprocess on one store. `comment`: the code our comments carry, of the knowledge in force."""

    def __init__(self, config: Config, comment: tuple[Coding, ...], desk: StoreDesk, clock: Clock) -> None:
        self._config, self.comment, self._desk, self._clock = config, comment, desk, clock

    def perform(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request of the control socket or the command line: {"command", "keys", "as"}. Each key has its answer."""
        commands: Mapping[str, Callable[[list[str], str], list[dict[str, Any]]]] = {
            "release": self.release,
            "reprocess": self.reprocess,
        }
        act = commands.get(str(request.get("command")))
        keys, name = request.get("keys"), request.get("as", "")
        if act is None or not isinstance(keys, list) or not isinstance(name, str):
            return {"ok": False, "error": "This service does not know the command; is it older than the command line?"}
        done = act([str(key) for key in keys], name)
        return {"ok": all(one["ok"] for one in done), "done": done}

    def release(self, keys: list[str], name: str) -> list[dict[str, Any]]:
        with JudgeProcess() as judge:
            return [self._each(key, lambda key: f"D{self._release(key, name, judge)}") for key in keys]

    def _release(self, shown: str, name: str, judge: JudgeProcess) -> int:
        case = self._desk.case(policies.parse_shown(shown)[0])
        receiver = self._config.receiver_of(case.feed) if case is not None else None
        if case is not None and receiver is None:
            raise Refused("No receiver is configured for this feed; add [receivers.NAME]")
        letterhead = self._letterhead(case.feed if case else "", receiver or "")
        return pipeline.release(shown, name, self._desk, letterhead=letterhead, judge=judge, clock=self._clock)

    def _letterhead(self, feed: str, receiver: str) -> pipeline.Letterhead:
        section = self._config.receivers.get(receiver) or ReceiverSection(address="127.0.0.1:0")
        source = self._config.feeds.get(feed) or FeedSection()
        return pipeline.Letterhead(receiver, format_of(self._config, section, source, self.comment), source.charset)

    def reprocess(self, keys: list[str], name: str) -> list[dict[str, Any]]:
        return [self._each(key, lambda key: self._reprocess(key, name)) for key in keys]

    def _reprocess(self, shown: str, name: str) -> str:
        policies.check_signer(name)
        kind, key = policies.parse_key(shown)
        if kind != "M":
            raise Refused(f"{shown!r} is not a message; write M17")
        message = self._desk.message(key)
        if message is None:
            raise Refused(f"There is no message {shown}")
        section = self._config.feeds.get(message.feed)
        if section is None:
            raise Refused(f"The feed {message.feed} of {shown} is not configured; restore it first")
        try:
            lanes = read_structure(message.raw, feed_of(message.feed, section)).lanes
        except Refuse as fault:
            raise Refused(f"{shown} still cannot be read: {fault.text} {fault.location}".strip()) from None
        event = AuditEvent(at=self._clock.now(), actor=name, action="reprocess", subject=shown)
        self._desk.reprocess(key, lanes, event)
        return shown

    def _each(self, key: str, act: Callable[[str], str]) -> dict[str, Any]:
        try:
            return {"key": key, "ok": True, "result": act(key)}
        except (Refused, StoreUnavailable) as refusal:
            return {"key": key, "ok": False, "error": str(refusal)}


def feed_of(name: str, section: FeedSection) -> Feed:
    """A feed's settings as the story reads them."""
    return Feed(
        name=name,
        sender=section.sender,
        timezone=section.timezone,
        charset=section.charset,
        decimal_mark=section.decimal_mark,
        postfix_comparators=section.postfix_comparators,
        cytoplasmic_reported_as=section.cytoplasmic_reported_as,
        empty_status=section.empty_status,
        processing_id=section.processing_id,
        default_method=section.default_method,
        settle_s=section.settle_s,
        application_ack=section.application_ack,
    )


def format_of(
    config: Config, receiver: ReceiverSection, feed: FeedSection, comment: tuple[Coding, ...]
) -> ReceiverFormat:
    """How a receiver takes comments, from its configuration."""
    return ReceiverFormat(
        version=receiver.version,
        mode=receiver.comment_mode,
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
