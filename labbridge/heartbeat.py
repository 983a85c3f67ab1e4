"""The synthetic patient's messages: sent to a feed of this service over a real connection, as a sender's are.

What a message of this patient by this feed comes to is counted and kept nowhere (drafting.py): no case opens, so that none
can be signed, sent, read by a program or stand in a report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec

from labbridge.config import Config, split_address
from labbridge.errors import Refused
from labbridge.feed_settings import feed_of
from labbridge.hl7 import ack
from labbridge.hl7.mllp import Frame, Framer, frame
from labbridge.model.work import Feed
from labbridge.observe import logs
from labbridge.observe.traffic import Traffic
from labbridge.ports import Clock

ANSWER_WITHIN_S = 30.0
FIRST_AFTER_S = 2.0
SENDER = "HEARTBEAT"
MESSAGE = (
    "MSH|^~\\&|{sender}|{authority}|LABBRIDGE|{authority}|{now}||ORU^R01^ORU_R01|HB{control}|{processing}|2.5.1"
    "|||||||UNICODE UTF-8\r"
    "PID|1||{number}^^^{authority}^MR||HEARTBEAT^SYNTHETIC^^^^^L||19700101|U\r"
    "OBR|1||HB{control}^{sender}|SRP^Anti-SRP^L|||{now}|||||||{now}|||||||||{now}||LAB|F\r"
    "OBX|1|NM|33921-8^Signal recognition particle Ab [Presence] in Serum^LN|1|58|intensity^intensity^L|0-5|A|||F|||{now}"
    "|||EL16^EUROLINE Autoimmune Inflammatory Myopathies 16 Ag (IgG)^L|LINE01|{now}\r"
    "OBX|2|NM|2157-6^Creatine kinase [Enzymatic activity/volume] in Serum or Plasma^LN|1|6120|U/L^^UCUM|39-190|HH"
    "|||F|||{now}\r"
    "SPM|1|^HB{control}&{sender}||SER^Serum^HL70487|||||||P^Patient^HL70369||||||{now}\r"
)

_log = logs.logger("heartbeat")


def message(patient: str, feed: Feed, now: datetime) -> bytes:
    """One message of the synthetic patient, with a control id of its own."""
    authority, _bar, number = patient.partition("|")
    at = now.strftime("%Y%m%d%H%M%S+0000")
    control = f"{int(now.timestamp() * 1000):x}"
    text = MESSAGE.format(
        sender=SENDER, authority=authority, number=number, now=at, control=control, processing=feed.processing_id
    )
    return text.encode()


def with_heartbeat(config: Config, feeds: Sequence[Feed]) -> tuple[Feed, ...]:
    """The feeds, and of the one that the synthetic patient's messages go to, which patient that is."""
    lane = config.heartbeat.lane
    return tuple(
        msgspec.structs.replace(one, synthetic=lane) if one.name == config.heartbeat.feed else one for one in feeds
    )


class Heartbeat:
    """Sends one every so often, for ever. One that is not answered is told, and the next is sent all the same."""

    def __init__(self, config: Config, feed: Feed, clock: Clock) -> None:
        self._patient, self._every_s = config.heartbeat.patient, config.heartbeat.every_s
        self._address = split_address(config.feeds[feed.name].listen)
        self._feed, self._clock = feed, clock

    async def run(self) -> None:
        await asyncio.sleep(min(FIRST_AFTER_S, self._every_s))  # until everything listens
        while True:
            try:
                await asyncio.wait_for(self.beat(), ANSWER_WITHIN_S)
            except (OSError, TimeoutError, Refused) as fault:
                _log.warning("heartbeat_unanswered", feed=self._feed.name, error=type(fault).__name__)
            await asyncio.sleep(self._every_s)

    async def beat(self) -> None:
        """Send one, and wait for its answer. Refused where that is not positive."""
        raw = message(self._patient, self._feed, self._clock.now())
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(frame(raw))
            framer = Framer()
            while data := await reader.read(65536):
                for event in framer.receive_data(data):
                    if isinstance(event, Frame) and ack.read_ack(event.data).code in ack.POSITIVE:
                        return
            raise Refused("The message of the synthetic patient was not taken")
        finally:
            writer.close()


def of(config: Config, role: str, traffic: Traffic, clock: Clock) -> list[Heartbeat]:
    """What sends the synthetic patient's messages here; nothing where this node does not listen, or none are asked for."""
    name = config.heartbeat.feed
    if not name or role not in ("listen", "all"):
        return []
    traffic.heartbeats[name] = config.heartbeat.every_s
    return [Heartbeat(config, feed_of(name, config.feeds[name]), clock)]
