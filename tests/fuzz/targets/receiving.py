"""receive() over arbitrary bytes: one answer that others can read, that names the message, and tells no value of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import hl7

from labbridge import pipeline
from labbridge.hl7 import ack, batch
from labbridge.model.work import Arrival, AuditEvent, Receipt
from labbridge.pipeline import Peer, Reply
from tests.fuzz.target import REFUSALS, Target, must
from tests.fuzz.targets.reading import FEED, PLACE

NOW = datetime(2026, 4, 18, 8, 0, tzinfo=UTC)
HL7 = Path(ack.__file__).parent
_BEFORE = re.compile(rb"\x0b*(?:\xef\xbb\xbf)?[\r\n]*")
_VARIABLE = r"(?:[A-Z]{3}|[PTD]|\d{1,8}|ascii|utf-8|cp125[02]|iso8859_\d+|gb18030|big5|euc_kr|messages|batches)"


class Clock:
    def now(self) -> datetime:
        return NOW


class Door:
    """ports.Intake in memory: what was kept, in order."""

    def __init__(self) -> None:
        self.kept: list[Arrival] = []

    async def keep(self, arrival: Arrival, audit: AuditEvent) -> Receipt:
        self.kept.append(arrival)
        return Receipt(len(self.kept))

    async def keep_all(self, wanted: Sequence[tuple[Arrival, AuditEvent]]) -> list[Receipt]:
        return [await self.keep(arrival, audit) for arrival, audit in wanted]

    quarantine = keep


def check(data: bytes) -> None:
    door = Door()
    reply: Reply = _now(pipeline.receive(data, Peer(FEED, "fuzz"), door, Clock()))
    empty = {line[:3] for line in re.split(rb"[\r\n]+", data) if line} <= {b"FHS", b"BHS", b"BTS", b"FTS"}
    must(door.kept or (empty and batch.several(data)), "nothing was kept of what came")
    for arrival in door.kept:
        _tells_no_value(arrival)
    if not batch.several(data):
        must(door.kept[0].raw == data, "other bytes were kept than came")
        _one(data, reply.raw)
        must(
            door.kept[0].error_code in ack.read_ack(reply.raw).error or not reply.raw,
            "ERR has another code than was kept",
        )
    elif len(door.kept) > 1:
        must(sum(len(one.raw) for one in door.kept) <= len(data), "more was kept than came")
        must(len(ack.codes_of(reply.raw)) <= len(door.kept), "more answers than messages")


def _now(running: Coroutine[Any, Any, Reply]) -> Reply:
    """What a coroutine that waits for nothing gives."""
    try:
        running.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("receive() waits for something")


def _one(data: bytes, answer: bytes) -> None:
    found = _BEFORE.match(data)
    body = data[found.end() if found else 0 :]
    if body[:3] != b"MSH":
        must(answer == b"", "an answer to bytes without MSH")
        return
    fields = re.split(rb"[\r\n]", body)[0].decode("latin-1").split(chr(body[3])) if len(body) > 3 else []
    fields += [""] * 20
    separable = len(body) > 3 and 0x20 < body[3] < 0x7F and not chr(body[3]).isalnum()
    if not answer:
        silent = {"NE", "SU", "ER"} & {fields[14]} or fields[8][:3] in ("ACK", "MCF")
        must(silent and separable, "no answer to a message that wants one")
        return
    control_id = fields[9] if separable and fields[9] != '""' else None
    read = ack.read_ack(answer)
    must(read.code in ack.KNOWN, "our own reader does not read the answer")
    if control_id is not None:
        must(read.control_id == control_id, "MSA-2 is not MSH-10 as sent")
    _by_others(answer, read)


def _by_others(answer: bytes, read: ack.Acknowledgement) -> None:
    if len(answer[4:].split(answer[3:4])[0]) < 4:  # python-hl7 puts its usual ones beside those that are given
        return
    parsed = hl7.parse(answer.decode("latin-1"))
    msa = parsed.segment("MSA")
    must(str(msa[1]) == read.code, "python-hl7 reads another code")
    found = str(msa[2]) if len(msa) > 2 else ""
    must(found.strip() == read.control_id.strip(), "python-hl7 reads another control id")


def _tells_no_value(arrival: Arrival) -> None:
    if arrival.error_code:
        must(arrival.error_code in REFUSALS, "ERR-3 has a code that the table has not")
        must(PLACE.fullmatch(arrival.location), "ERR-2 is no place")
        must(sentences().fullmatch(arrival.detail), "ERR-8 says what no sentence of the product says")


@lru_cache
def sentences() -> re.Pattern[str]:
    """Every sentence the product refuses with, as one expression: what varies in it is a number or a name of ours."""
    found = []
    for path in HL7.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                values = (
                    re.escape(str(one.value)) if isinstance(one, ast.Constant) else _VARIABLE for one in node.values
                )
                found.append("".join(values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                found.append(re.escape(node.value))
    return re.compile("|".join(one for one in found if len(one) > 12))


TARGET = Target(name="receiving", check=check, product=("labbridge.hl7", "labbridge.receiving", "labbridge.pipeline"))
