"""What a receiver answers: never taken for positive unless it says AA or CA and names exactly our message."""

from __future__ import annotations

import re

from labbridge.hl7 import ack
from tests.fuzz.target import Target, must

OURS = "LBC-000012"


def check(data: bytes) -> None:
    read = ack.read_ack(data)
    must(len(read.text) <= 200 and len(read.error) <= 80, "more of an answer is kept than is told")
    must(read.code in ("", *ack.KNOWN), "a code that table 0008 has not")
    for control_id in (OURS, "", "LBC-00001"):
        positive = ack.positive(read, control_id)
        if positive:
            _said(data, control_id)
    if data == f"MSH|^~\\&|LIS|A|LB|A|20260418||ACK|9|P|2.5.1\rMSA|AA|{OURS}\r".encode():
        must(ack.positive(read, OURS), "a plain acceptance is not positive")


def _said(data: bytes, control_id: str) -> None:
    """Looked at again by other means: one MSH, one MSA, its two fields."""
    lines = [line for line in re.split(rb"[\r\n]+", data.removeprefix(b"\xef\xbb\xbf")) if line]
    must(lines[0][:3] == b"MSH", "positive without MSH")
    separator = lines[0][3:4]
    named = [line.split(separator)[0] for line in lines]
    must(named.count(b"MSH") == 1, "positive with more than one MSH")
    msa = [line.split(separator) for line, name in zip(lines, named, strict=True) if name == b"MSA"]
    must(len(msa) == 1, "positive without exactly one MSA")
    must(msa[0][1] in (b"AA", b"CA"), "positive without AA or CA")
    must(control_id and msa[0][2] == control_id.encode(), "positive for another message")


TARGET = Target(name="answers", check=check, product=("labbridge.hl7.ack", "labbridge.hl7.head"), longest=2048)
