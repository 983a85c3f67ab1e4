"""A laboratory beside the story: a real store, the shipped knowledge with the demo site's codes, a clock that is set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import msgspec
from fhir_parts import POSTED

from labbridge import pipeline, reading
from labbridge.composing import Letterhead
from labbridge.delivery.retry import retry_delay
from labbridge.errors import Retry
from labbridge.fhir import structure
from labbridge.fhir.faults import Unfit
from labbridge.hl7.ack import Acknowledgement, read_ack
from labbridge.hl7.ordering import OrderForm, OrderLetter
from labbridge.hl7.outgoing import ReceiverFormat
from labbridge.interpret import Interpreter
from labbridge.model.report import PlacedNote
from labbridge.model.retests import Retested
from labbridge.model.values import Coding
from labbridge.model.work import Arrival, AuditEvent, Case, Feed
from labbridge.normalise import Normaliser
from labbridge.pipeline import Peer, Reader, Reply
from labbridge.requesting import Ordering
from labbridge.sources import comment_code, load
from labbridge.states import Reason, State
from labbridge.store import links, opening, retests
from labbridge.store.desk import StoreDesk
from labbridge.store.journal import StoreIntake
from labbridge.store.outbox import StoreOutbox
from labbridge.store.units import LocalUnits
from labbridge.store.work import StoreWork
from labbridge.store.writer import Writer
from tests.rows.rows_tables import TABLES
from tests.summed import damaged

ROOT = Path(__file__).resolve().parents[2]
SITE = str(ROOT / "samples/site")
NOON = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)
FEED = Feed(name="myolis", timezone="Europe/Paris")
ELSEWHERE = Feed(name="other", timezone="Europe/Paris")
ASKING = Feed(name="asking", timezone="Europe/Paris", application_ack="lis")

SERVICES = {
    ("SRP", "quant"): Coding("SRPELISA", "anti-SRP by ELISA", "L"),
    ("SRP", "ip"): Coding("SRPIP", "anti-SRP by immunoprecipitation", "L"),
    ("SRP", "blot"): Coding("SRPBLOT", "anti-SRP by line blot", "L"),
    ("HMGCR", "quant"): Coding("HMGCRCLIA", "anti-HMGCR by CLIA", "L"),
    ("CK", "enzymatic"): Coding("CKENZ", "Creatine kinase", "L"),
    ("CK", "enzymatic_diluted"): Coding("CKDIL", "Creatine kinase on dilution", "L"),
}
"""What the laboratory calls what it can be asked for; HEp-2 is not among it."""

BLOT = "NM|SRPB^Anti-SRP (line blot)^L|1|{value}|intensity^intensity^L|0-5|A|||{status}"
ELISA = "NM|SRPE^Anti-SRP (ELISA)^L|1|{value}|U/mL^U/mL^L|<20|A|||{status}"
CLIA = "NM|HMGCRC^Anti-HMGCR IgG (CLIA)^L|1|{value}|CU^CU^L|<20|N|||{status}"
CK = "NM|2157-6^Creatine kinase^LN|1|{value}|U/L^U/L^UCUM|39-190|H|||{status}"
SODIUM = "NM|NA^Sodium^L|1|{value}|mmol/L^mmol/L^UCUM|135-145|N|||{status}"


def obx(kind: str, value: str, status: str = "F") -> str:
    return kind.format(value=value, status=status)


def order(filler: str, *lines: str, collected: str = "20261110091500+0100") -> str:
    numbered = [f"OBX|{number}|{line}" for number, line in enumerate(lines, 1)]
    return "\r".join((f"OBR|1|P{filler}^MYOCLIN|{filler}^MYOLIS|MYO^Myositis^L|||{collected}", *numbered))


def oru(control_id: str, *orders: str, patient: str = "PT1", sent: str = "20261113120000+0100", to: str = "P") -> bytes:
    """One patient's message of the demo laboratory."""
    return patients(control_id, (patient, orders), sent=sent, to=to)


def patients(
    control_id: str, *groups: tuple[str, Sequence[str]], sent: str = "20261113120000+0100", to: str = "P"
) -> bytes:
    msh = f"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|{sent}||ORU^R01^ORU_R01|{control_id}|{to}|2.5.1||||||UNICODE UTF-8"
    pids = ["\r".join((f"PID|1||{one}^^^LABA^MR||TEST^SYNTHETIC||19690417|M", *orders)) for one, orders in groups]
    return ("\r".join((msh, *pids)) + "\r").encode()


class SetClock:
    """ports.Clock, set by the test."""

    def __init__(self) -> None:
        self.moment = NOON

    def now(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


class Judge:
    """ports.Judge, in this process."""

    def judge(self, raw: bytes, text: str, version: str) -> Sequence[str]:
        from labbridge.hl7 import conformance

        return conformance.judge(raw, text, version)

    def judge_order(self, raw: bytes, letter: OrderLetter, form: OrderForm) -> Sequence[str]:
        from labbridge.hl7 import order_conformance

        return order_conformance.judge(raw, letter, form)


LOST = "lost"
ORC = {"OK": "ORC|OK|$NUMBER|F-77^MYOLIS", "UA": "ORC|UA|$NUMBER||||||||||||||E5^No serum left^L"}
"""How the LIS answers an order: ORC-1 OK with its own number, UA with a reason. LOST: no answer comes."""


def acknowledged(said: str, control_id: str, kind: str = "ACK") -> bytes:
    header = f"MSH|^~\\&|LIS|LABA|LB|LABA|20261113||{kind}|1|P|2.5.1"
    return f"{header}\r{said}\r".replace("$ID", control_id).encode()


def field(raw: bytes, segment: str, number: int) -> str:
    """A field of a message's first such segment."""
    fields = next(line.split("|") for line in raw.decode().split("\r") if line.startswith(segment))
    return fields[number - 1 if segment == "MSH" else number]


def orl(order: bytes, said: str, control_id: str = "1", number: str = "") -> bytes:
    """The answer of the LIS to an order: `said` is OK or UA."""
    orc = ORC[said].replace("$NUMBER", number or field(order, "ORC", 2))
    answer = acknowledged(f"MSA|AA|$ID\r{orc}", field(order, "MSH", 10), "ORL^O22^ORL_O22")
    return answer.replace(b"|1|P|", f"|{control_id}|P|".encode())


class Lis:
    """The other side: keeps what it is sent, and answers as it is told ($ID is the message's own control id)."""

    name = "lis"

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.received: list[bytes] = []

    @property
    def ordered(self) -> list[bytes]:
        """The orders among what was received."""
        return [raw for raw in self.received if b"|OML^" in raw or b"|ORM^" in raw]

    async def send(self, raw: bytes, control_id: str) -> Acknowledgement:
        self.received.append(raw)
        said = self.answers.pop(0) if self.answers else "MSA|AA|$ID"
        if said == LOST:
            raise Retry(Reason.NO_ANSWER, "No acknowledgement (TimeoutError)", b"")
        answer = orl(raw, said) if said in ORC else acknowledged(said, control_id)
        return msgspec.structs.replace(read_ack(answer), raw=answer)

    def comments(self) -> list[list[str]]:
        """OBX of each message received, as fields."""
        return [line.split("|") for raw in self.received for line in raw.decode().split("\r") if line.startswith("OBX")]


@lru_cache
def reader() -> Reader:
    knowledge = load(SITE)
    codes = frozenset(one.code for one in knowledge.terminology.comment)
    feeds = {feed.name: feed for feed in (FEED, ELSEWHERE, ASKING, POSTED, TABLES)}
    return Reader(Normaliser(knowledge), Interpreter(knowledge), feeds, "LABBRIDGE", codes)


class Laboratory:
    """The story on one store."""

    def __init__(self, url: str) -> None:
        self._held = opening.held(url)
        self.writer = Writer(self._held.__enter__().writer())
        self.rows, self._reads, self._looks = (opening.reader(url) for _each in range(3))
        self.intake, self.outbox = StoreIntake(self.writer), StoreOutbox(self.writer)
        self.work = StoreWork(self._reads, LocalUnits(self.writer))
        self.desk = StoreDesk(self.writer, self._looks)
        self.clock, self.reader, self.judge = SetClock(), reader(), Judge()
        self.damaged_on_purpose = False
        format = ReceiverFormat(facility="LABA", comment=comment_code(SITE))
        self.letterhead = Letterhead("lis", format, reader().feeds)

    def close(self) -> None:
        """Whatever the test did, the product has given every row of work, case and draft its sum."""
        found = [] if self.damaged_on_purpose else damaged(self.rows)
        self.writer.close()
        for reader in (self.rows, self._reads, self._looks):
            reader.close()
        self._held.__exit__(None, None, None)
        assert found == []

    def write_through(self, units: LocalUnits) -> None:
        """Have what is drafted from now on written by these."""
        self.work = StoreWork(self._reads, units)

    async def receive(self, *messages: bytes, feed: Feed = FEED) -> list[Reply]:
        return [await pipeline.receive(one, Peer(feed, "127.0.0.1"), self.intake, self.clock) for one in messages]

    async def codes(self, *messages: bytes, feed: Feed = FEED) -> list[str]:
        return [read_ack(one.raw).code for one in await self.receive(*messages, feed=feed)]

    def process(self) -> int:
        done = 0
        while batch := pipeline.run_once(self.work, self.reader, self.clock):
            done += batch
        return done

    async def take(self, *messages: bytes, feed: Feed = FEED) -> None:
        """Received, accepted and processed, a minute apart."""
        for one in messages:
            assert await self.codes(one, feed=feed) == ["AA"]
            assert self.process() >= 1
            self.clock.forward(minutes=1)

    async def keep_fhir(self, *bodies: bytes, feed: Feed = POSTED, notes: tuple[PlacedNote, ...] = ()) -> None:
        """Bodies of FHIR kept as their endpoint keeps them, those that cannot be read in quarantine."""
        for raw in bodies:
            event = AuditEvent(at=self.clock.now(), actor=feed.name, action="received", subject="")
            arrival = Arrival(
                raw=raw, feed=feed.name, peer="127.0.0.1", digest=hashlib.sha256(raw).digest(), length=len(raw),
                sender=feed.sender, message_type="FHIR", received=self.clock.now(), notes=notes,
            )  # fmt: skip
            try:
                lanes = reading.lanes_of(raw, feed, notes)
                envelope = structure.read_structure(raw, feed, reading.entries(notes, reading.REFUSED))
            except Unfit as fault:
                kept = {"state": State.QUARANTINED, "reason": Reason.STRUCTURE, "detail": fault.text, "answer": "400"}
                refused = msgspec.structs.replace(arrival, **kept, error_code=fault.code, location=fault.location)
                await self.intake.quarantine(refused, event)
                continue
            read = {"control_id": envelope.control_id, "message_type": envelope.message_type, "lanes": lanes}
            await self.intake.keep(msgspec.structs.replace(arrival, **read), event)

    async def take_fhir(self, *bodies: bytes, feed: Feed = POSTED, notes: tuple[PlacedNote, ...] = ()) -> None:
        """Bodies of FHIR kept and processed, a minute apart."""
        for one in bodies:
            await self.keep_fhir(one, feed=feed, notes=notes)
            assert self.process() >= 1
            self.clock.forward(minutes=1)

    def cases(self) -> list[Case]:
        keys = [key for (key,) in self.rows.execute("SELECT id FROM cases ORDER BY id")]
        return [case for key in keys if (case := self.desk.case(key)) is not None]

    def case(self) -> Case:
        (found,) = self.cases()
        return found

    def take_orders(self, **form: str) -> None:
        """The LIS is sent orders of retests from now on."""
        ordering = Ordering(OrderForm(facility="LABA", timezone="Europe/Paris", **form), SERVICES, self.reader.feeds)  # type: ignore[arg-type]
        self.letterhead = msgspec.structs.replace(self.letterhead, ordering=ordering)

    def retests(self, patient: str = "PT1") -> list[Retested]:
        """The ledger of a patient, oldest first."""
        return list(retests.of_lanes(self.rows, links.lanes_of(self.rows, f"p:LABA|{patient}")))

    def retest(self, analyte: str, patient: str = "PT1") -> Retested:
        """The newest one of an analyte."""
        return [one for one in self.retests(patient) if one.analyte == analyte][-1]

    def orders(self) -> list[tuple[str, str, str]]:
        """Number, state and what is said of each order."""
        return list(self.rows.execute("SELECT number, state, said FROM orders ORDER BY id"))

    def limit_per_specimen(self, most: int) -> None:
        """How many comments may leave for one specimen in a day."""
        self.letterhead = msgspec.structs.replace(self.letterhead, per_specimen=most)

    def release(self, shown: str, signer: str = "Alex Smith") -> int:
        return pipeline.release(
            shown, signer, self.desk, letterhead=self.letterhead, judge=self.judge, clock=self.clock
        )

    async def deliver(self, lis: Lis) -> int:
        """Every attempt that is due now."""
        attempts = 0
        while await pipeline.deliver(lis, self.outbox, self.clock, lambda number: retry_delay(number, lambda: 0.5)):
            attempts += 1
        return attempts

    def states(self) -> list[tuple[str, str]]:
        """State and reason of each kept message."""
        return list(self.rows.execute("SELECT state, reason FROM journal ORDER BY id"))

    def deliveries(self) -> list[tuple[str, int]]:
        return list(self.rows.execute("SELECT state, attempts FROM outbox ORDER BY id"))

    def counted(self, name: str) -> int:
        (found,) = self.rows.execute("SELECT coalesce(sum(count), 0) FROM tally WHERE name = ?", (name,)).fetchone()
        return int(found)
