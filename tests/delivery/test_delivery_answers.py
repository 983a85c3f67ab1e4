"""Answers of a LIS that adversary.py has no mode for, and what the outbox makes of each (standards.md 2.4, T-30 to T-33)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from adversary import Adversary, ack, block
from delivery_letters import Lis, Reply, answered, receiver

from labbridge import pipeline
from labbridge.errors import Retry
from labbridge.hl7.ack import positive
from labbridge.model.outcome import Outcome, PostedComment, States
from labbridge.model.result import PatientResults
from labbridge.model.work import Arrival, AuditEvent, CaseChange, Draft, Drafted, Outgoing
from labbridge.states import CaseState, Reason, State
from labbridge.store.desk import StoreDesk
from labbridge.store.journal import StoreIntake
from labbridge.store.outbox import StoreOutbox
from labbridge.store.sqlite import open_reader, open_writer
from labbridge.store.units import LocalUnits
from labbridge.store.work import StoreWork
from labbridge.store.writer import Writer

MSH = b"MSH|^~\\&|LIS|S|LB|S|20260602||ACK|A1|P|2.5.1"


def says(*lines: bytes) -> Reply:
    """One block of these segments; $ID stands for the control id of the message."""
    return lambda control_id: [block(b"\r".join(lines).replace(b"$ID", control_id) + b"\r")]


# ---------------------------------------------------------------- delivered, refused, no answer


@pytest.mark.parametrize(
    "reply",
    [
        says(MSH, b"SFT|Maker|1|LIS|1", b"MSA|AA|$ID"),
        says(MSH, b"MSA|AA|$ID", b"ERR||OBX^1^5|0^Message accepted^HL70357|W"),
        says(b"MSH#%?!@#LIS#S#LB#S#20260602##ACK#A1#P#2.5.1", b"MSA#AA#$ID"),
        says(MSH + b"||||||8859/1", b"MSA|AA|$ID|Pr\xfcfung bestanden"),
        says(MSH + b"||||||UNICODE UTF-8", "MSA|AA|$ID|Prüfung µ".encode()),
        lambda id: [bytes([one]) for one in block(ack(id))],
        lambda id: [block(ack(id).rstrip(b"\r"))],
        lambda id: [block(ack(id)), b""],
    ],
    ids="SFT warning odd-delimiters latin utf-8 bytewise no-last-CR closed-after".split(),
)
async def test_a_matching_acceptance_however_it_is_written(reply: Reply) -> None:
    assert positive(await answered(reply), "LB7")


@pytest.mark.parametrize(
    "reply",
    [
        says(MSH, b"MSA|AA|lb7"), says(MSH, b"MSA|AA| $ID"), says(MSH, b"MSA|AA|$ID^1"), says(MSH, b"MSA|AA|$ID~OTHER"),
        says(MSH, b"MSA|AA |$ID"), says(MSH, b"MSA|AAA|$ID"), says(MSH, b"MSA||$ID"), says(MSH, b"MSA"),
        says(MSH, b"MSA|AA|$ID", MSH, b"MSA|AA|$ID"), says(MSH, b"MSA|AA|$ID", b"MSA|AE|$ID"), says(b"MSA|AA|$ID"),
        says(MSH, MSH, b"MSA|AA|$ID"),
        lambda id: [block(ack(id).decode().encode("utf-16"))],
        lambda id: [block(b"<ack code='AA'>" + id + b"</ack>")],
        lambda id: [b"HTTP/1.1 200 OK\r\n\r\n" + ack(id)],
        lambda id: [b"\x0b", b""],
    ],
    ids="case space component repetition code-space code-longer no-code bare two-in-one-frame two-MSA no-MSH two-MSH utf-16 "
    "xml http opened-then-closed".split(),
)  # fmt: skip
async def test_whatever_does_not_name_this_message_exactly_is_no_answer(reply: Reply) -> None:
    with pytest.raises(Retry):
        await answered(reply, timeout_s=0.3)


@pytest.mark.parametrize(("more", "taken"), [(0, True), (1, False)])
async def test_an_answer_may_be_as_large_as_the_limit_and_no_larger(more: int, taken: bool) -> None:
    def reply(control_id: bytes) -> Sequence[bytes]:
        short = ack(control_id, more=b"|")
        return [block(ack(control_id, more=b"|" + b"x" * (4096 - len(short) + more)))]

    try:
        assert positive(await answered(reply, answer_bytes=4096), "LB7") is taken
    except Retry:
        assert not taken


async def test_a_commit_acceptance_is_no_delivery_where_the_application_answer_counts() -> None:
    with pytest.raises(Retry):
        await answered(says(MSH, b"MSA|CA|$ID"), accept_ca=False, timeout_s=0.3)


@pytest.mark.parametrize(
    ("lines", "code", "text", "error"),
    [
        ((MSH, b"MSA|AE|$ID", b"ERR||PID^1^3|204^Unknown key^HL70357|E||||No such patient"), "AE", "No such patient", "204"),
        ((MSH, b"MSA|AR|$ID|Wrong version"), "AR", "Wrong version", ""),
        ((MSH, b"MSA|CE|$ID", b"ERR|PID^1^3^204&Unknown key&HL70357"), "CE", "", "PID^1^3^204"),
        ((MSH, b"MSA|CR|$ID|"), "CR", "", ""),
        ((MSH + b"||||||8859/1", b"MSA|AE|$ID|Pr\xfcfen"), "AE", "Prüfen", ""),
        ((MSH + b"||||||UNICODE UTF-8", "MSA|AE|$ID|Prüfen".encode()), "AE", "Prüfen", "",),
    ],
    ids="ERR-8 MSA-3 ERR-1 bare latin utf-8".split(),
)  # fmt: skip
async def test_a_refusal_brings_its_reason(lines: tuple[bytes, ...], code: str, text: str, error: str) -> None:
    found = await answered(says(*lines))
    assert (found.code, found.control_id, found.text) == (code, "LB7", text)
    assert found.error.startswith(error)


async def test_an_acceptance_that_comes_too_late_is_thrown_away_with_its_connection() -> None:
    """F5: the AA for the first message is on its way while the second waits for its own answer."""
    gate = asyncio.Event()
    async with Lis(lambda id: [block(ack(id, b"AE" if id == b"LB2" else b"AA"))], gate) as lis:
        line = receiver(lis.port, timeout_s=0.2)
        with pytest.raises(Retry):
            await line.send(MSH.replace(b"A1", b"LB1") + b"\r", "LB1")
        assert not line.connected
        line._settings = msgspec.structs.replace(line._settings, timeout_s=20.0)  # a busy machine must not cost it
        gate.set()
        answer = await line.send(MSH.replace(b"A1", b"LB2") + b"\r", "LB2")
        line.close()
        assert (answer.code, answer.control_id, lis.connections) == ("AE", "LB2", 2)


# ---------------------------------------------------------------- the outbox

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)
SENT = b"MSH|^~\\&|LB|S|LIS|S|20260602||ORU^R01|%s|P|2.5.1\rOBX|1|FT|C||text\r"


class Outbox:
    """A real store whose cases C1, C2 ... are drafted; comments are released into it and sent by pipeline.deliver."""

    def __init__(self, path: Path) -> None:
        self.writer = Writer(open_writer(path))
        self.reader = open_reader(path)
        self.desk, self.outbox = StoreDesk(self.writer, open_reader(path)), StoreOutbox(self.writer)
        self.intake, self.work = StoreIntake(self.writer), StoreWork(self.reader, LocalUnits(self.writer))
        self.time, self.cases = NOON, 0

    def now(self) -> datetime:
        return self.time

    async def release(self, control_id: str, lane: str) -> None:
        self.cases += 1
        raw, event = control_id.encode(), AuditEvent(at=NOON, actor="t", action="t", subject="t")
        arrival = Arrival(
            raw=raw, feed="f", peer="", sender="L|S", control_id=control_id, message_type="ORU^R01", received=NOON,
            digest=hashlib.sha256(raw).digest(), length=len(raw), lanes=(f"{lane}/{control_id}",),
        )  # fmt: skip
        await self.intake.keep(arrival, event)
        (message,) = self.work.claim(NOON)
        outcome = Outcome(
            patient=None, evaluated_at=NOON.date(), knowledge="k", states=States("NEG", "NEG", "NEG", "NORMAL")
        )
        draft = Draft(outcome=outcome, text="text", subject_message=message.key, subject_at="OBX[1]")
        change = CaseChange(
            case=None, version=0, state=CaseState.NEW, opened_day=date(2026, 6, 1), draft=draft, unsent=0
        )
        with self.work.unit():
            results = PatientResults(lane=message.lane, patient=None, results=(), unmapped=())
            drafted = Drafted(message=message, results=results, patient=None, cases=(change,), notes=(), knowledge="k")
            self.work.save(drafted, event)
            self.work.set_state(message, State.DONE, Reason.DRAFTED, "", event)
        assert self.work.flush() == [True]
        posted = PostedComment(comment_class="C07", text="text", posted=NOON)
        sent = Outgoing(
            case=self.cases, version=1, receiver="lis", lane=lane, control_id=control_id, raw=SENT % raw,
            correction=False, posted=posted,
        )  # fmt: skip
        self.desk.release(sent, event)

    def rows(self) -> list[tuple[object, ...]]:
        return self.reader.execute("SELECT control_id, state, attempts, refusals FROM outbox ORDER BY id").fetchall()

    async def attempts(self, lis: Adversary, number: int, timeout_s: float = 20.0) -> None:
        line = receiver(lis.port, timeout_s=timeout_s)
        for _ in range(number):
            await pipeline.deliver(line, self.outbox, self, lambda _attempt: timedelta(seconds=1))
            self.time += timedelta(seconds=2)
        line.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    found = Outbox(tmp_path / "store.db")
    try:
        yield found
    finally:
        found.writer.close()
        found.reader.close()


async def test_only_the_matching_answer_makes_a_delivery_and_every_try_has_the_same_bytes(box: Outbox) -> None:
    await box.release("LB1", "lis/a")
    async with Adversary("wrongid", "AE", "close", "twoMSA", "AR", "garbage", "plain", "plain") as lis:
        await box.attempts(lis, 6, timeout_s=0.3)
        assert box.rows() == [("LB1", "waiting", 6, 2)]
        await box.attempts(lis, 3)
        assert box.rows() == [("LB1", "acknowledged", 7, 2)]
        assert lis.raw == [SENT % b"LB1"] * 7


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
async def test_ten_refusals_are_a_dead_letter_and_the_lane_goes_on(box: Outbox, code: str) -> None:
    await box.release("LB1", "lis/a")
    await box.release("LB2", "lis/a")
    async with Adversary(*[code] * 10, "plain") as lis:
        await box.attempts(lis, 9)
        assert box.rows() == [("LB1", "waiting", 9, 9), ("LB2", "waiting", 0, 0)]
        await box.attempts(lis, 2)
        assert box.rows() == [("LB1", "failed", 10, 10), ("LB2", "acknowledged", 1, 0)]


async def test_silence_is_tried_for_ever_and_another_lane_does_not_wait(box: Outbox) -> None:
    await box.release("LB1", "lis/a")
    async with Adversary(*["close"] * 12, "plain") as lis:
        await box.attempts(lis, 12)
        assert box.rows() == [("LB1", "waiting", 12, 0)]
        box.time -= timedelta(seconds=2)  # LB1 rests: it is not due yet
        await box.release("LB2", "lis/b")
        await box.attempts(lis, 1)
        assert box.rows()[1] == ("LB2", "acknowledged", 1, 0)


async def test_a_dead_letter_keeps_what_the_receiver_said(box: Outbox) -> None:
    """standards.md 2.4, policy 4: `10 tries, then dead letter with the ERR text`. The receiver's text is `bad thing`."""
    await box.release("LB1", "lis/a")
    async with Adversary("AE") as lis:
        await box.attempts(lis, 10)
    assert box.rows() == [("LB1", "failed", 10, 10)]
    kept = [*box.reader.execute("SELECT * FROM outbox"), *box.reader.execute("SELECT * FROM audit")]
    assert "bad thing" in str(kept)


# ---------------------------------------------------------------- what is kept of an answer


async def test_an_answer_brings_its_bytes_as_they_came() -> None:
    answer = await answered(lambda id: [block(ack(id))[:9], block(ack(id))[9:]])
    assert answer.raw == block(ack(b"LB7"))


@pytest.mark.parametrize(
    ("reply", "heard"),
    [
        (lambda id: [block(ack(b"LB9"))], block(ack(b"LB9"))),
        (lambda id: [b"HTTP/1.1 400 Bad Request\r\n\r\n"], b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        (lambda id: [block(ack(id))[:20], b""], block(ack(b"LB7"))[:20]),
        (lambda id: [b""], b""),
    ],
    ids="of-another no-frame torn none".split(),
)
async def test_what_came_in_place_of_an_answer_is_kept_too(reply: Reply, heard: bytes) -> None:
    with pytest.raises(Retry) as fault:
        await answered(reply, timeout_s=5.0)
    assert fault.value.answer == heard


async def test_of_very_much_the_first_64_kib_are_kept() -> None:
    with pytest.raises(Retry) as fault:
        await answered(lambda id: [b"\x0b" + b"x" * 300_000, b""], answer_bytes=1000)
    assert len(fault.value.answer) <= 65536
    assert fault.value.answer.startswith(b"\x0bxxx")


async def test_one_exchange_brings_nothing_of_the_one_before() -> None:
    async with Lis(lambda id: [block(ack(id))]) as lis:
        line = receiver(lis.port)
        try:
            heard = [(await line.send(MSH.replace(b"A1", name.encode()), name)).raw for name in ("LB1", "LB2")]
        finally:
            line.close()
    assert heard == [block(ack(b"LB1")), block(ack(b"LB2"))]
