"""What a laboratory answers to an order: never accepted unless it says OK of exactly our number, and shown safely."""

from __future__ import annotations

import re

from labbridge.hl7 import ack, order_answers
from labbridge.hl7.order_answers import ACCEPTED, LONGEST_NUMBER, LONGEST_REASON
from tests.fuzz.target import Target, must

OURS = "LB-RT-000112"


def check(data: bytes) -> None:
    found = order_answers.read_answer(data)
    if found is None:
        return
    must(found.code in ack.KNOWN, "a code that table 0008 has not")
    for text in (found.reason, *(one.reason for one in found.orders)):
        must(len(text) <= LONGEST_REASON, "more of a reason is kept than is shown")
        must(text.isprintable(), "something in a reason cannot be seen")
    for number in (found.control_id, *(part for one in found.orders for part in (one.placer, one.filler))):
        must(len(number) <= LONGEST_NUMBER and number.isprintable(), "a number that cannot be kept")
    mine = found.of(OURS)
    if mine is not None and mine.said == ACCEPTED:
        _said(data)


def _said(data: bytes) -> None:
    """Looked at again by other means: one MSA, and an ORC that says OK before the next ORC."""
    lines = [line for line in re.split(rb"[\r\n]+", data.removeprefix(b"\xef\xbb\xbf")) if line]
    must(lines[0][:3] == b"MSH", "accepted without MSH")
    separator, component = lines[0][3:4], lines[0][4:5]
    fields = [line.split(separator) for line in lines]
    must([one[0] for one in fields].count(b"MSA") == 1, "accepted without exactly one MSA")
    said = [one[1].split(component)[0] for one in fields if one[0] == b"ORC" and len(one) > 1]
    must(b"OK" in said, "accepted, and no order says OK")


TARGET = Target(
    name="order_answers",
    check=check,
    product=("labbridge.hl7.order_answers", "labbridge.hl7.head"),
    longest=2048,
    mutated=1000,
)
