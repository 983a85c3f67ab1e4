"""Synthetic messages and settings the tests of hl7/ share. Files hold LF for the eye; the wire has CR."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from labbridge.hl7.outgoing import Letter, ReceiverFormat
from labbridge.model.values import Coding
from labbridge.model.work import Feed

FEED = Feed(name="north", timezone="Europe/Berlin")
NOW = datetime(2026, 4, 18, 8, 0, 5, tzinfo=UTC)
RECEIVED = datetime(2026, 4, 18, 7, 15, 1, tzinfo=UTC)
VERSIONS = ("2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2")
MODES = ("obx", "nte", "report")
COMMENT = (
    Coding("8251-1", "Service comment", "LN"),
    Coding("LBCMT", "labbridge interpretive comment", "L"),
)

# What a person, a code table or a configuration could hold, to break out of its field (reliability.md S-03).
HOSTILE = (
    "|", "^", "&", "~", "\\", "a|b^c&d~e\\f", "\r", "\n", "\rOBX|2|", "\r\nMSH|^~\\&|EVIL", "\x1c\r", "\x0bMSH|",
    "\x1c", "\x00", "\x7f", "\x85", "\u2028OBX|9|", "\u2029", "\\F\\", "\\X0D\\OBX|3", "\\.br\\", "\\", "a\\", "#",
)  # fmt: skip


def wire(name: str) -> bytes:
    """A message of tests/hl7/messages as it goes over the wire: CR, and the bytes of its character set."""
    text = (Path(__file__).parent / "messages" / f"{name}.hl7").read_text(encoding="utf-8").replace("\n", "\r")
    return text.encode("latin-1" if name == "other-delimiters" else "utf-8")


def receiver(**changes: Any) -> ReceiverFormat:
    return msgspec.structs.replace(ReceiverFormat(comment=COMMENT, timezone="Europe/Berlin"), **changes)


def letter(**changes: Any) -> Letter:
    usual = Letter(
        at="OBX[1]",
        lanes=("p:LABN|88-1203",),
        text="Anti-SRP positive by line immunoassay; HEp-2 negative. A negative HEp-2 does not exclude anti-SRP.",
        sub_id="LB12",
        correction=False,
        signer="Ada Smith",
        control_id="LBC-000012",
        now=NOW,
    )
    if "lane" in changes:
        changes["lanes"] = (changes.pop("lane"),)
    return msgspec.structs.replace(usual, **changes)
