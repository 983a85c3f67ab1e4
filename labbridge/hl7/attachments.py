"""What a sender put beside its results: images and documents in OBX of type ED, and pointers to them in OBX of type RP.

Only what is what it says it is may be shown: it has the first bytes of its declared type. A pointer is never followed.
"""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

import msgspec

from labbridge.hl7.reader import Message, Segment

KINDS = ("ED", "RP")
MOST_BYTES = 10 * 2**20  # of a document, decoded
NOT_FOLLOWED = "a pointer to another system: it is not followed"
NOT_SHOWN = "neither PNG, JPEG nor PDF by its own word"


class Format(NamedTuple):
    """A media type that is shown, the end of its file's name, and the bytes it begins with."""

    media: str
    ending: str
    begins: bytes


PNG = Format("image/png", "png", b"\x89PNG\r\n\x1a\n")
JPEG = Format("image/jpeg", "jpg", b"\xff\xd8\xff")
PDF = Format("application/pdf", "pdf", b"%PDF-")
FORMATS = {"PNG": PNG, "JPEG": JPEG, "JPG": JPEG, "PDF": PDF}
"""By the subtype declared in ED.3 (table 0291 and the names of media types), in upper case."""


class Document(NamedTuple):
    """What its sender says a document is, and its Base64; empty where it only points to it."""

    media: str
    text: str


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """An attachment by its place (`OBX[3]`), with the name of its observation and what its sender says it is: `declared`.
    `format` is None where it cannot be shown, and `reason` says why."""

    at: str
    kind: str
    name: str
    declared: str
    format: Format | None = None
    reason: str = ""


def attachment(message: Message, obx: Segment) -> tuple[Attachment, bytes]:
    """An attachment and, where it can be shown, its bytes."""
    kind, (format, reason, data) = obx.field(2), _read(message, obx)
    return Attachment(
        at=obx.at,
        kind=kind,
        name=message.component(obx.field(3), 2) or message.component(obx.field(3), 1),
        declared="/".join(
            message.component(obx.field(5), number)[:40] for number in ((2, 3) if kind == "ED" else (3, 4))
        ),
        format=format,
        reason=reason,
    ), data


def _read(message: Message, obx: Segment) -> tuple[Format | None, str, bytes]:
    field = obx.field(5)
    if obx.field(2) == "RP":
        return None, NOT_FOLLOWED, b""
    if len(message.repetitions(field)) != 1:
        return None, "not exactly one document in the field", b""
    format = FORMATS.get(message.component(field, 3).strip().upper())
    if format is None:
        return None, NOT_SHOWN, b""
    if message.component(field, 4).strip().casefold() != "base64":
        return None, "not in Base64", b""
    return _decoded(format, "".join(message.component(field, 5).split()))


def document(at: str, kind: str, name: str, sent: Document) -> tuple[Attachment, bytes]:
    """The same of a document that another wire brought."""
    subtype = sent.media.partition(";")[0].strip().rpartition("/")[2].upper()
    format = FORMATS.get(subtype)
    if not sent.text:
        found: tuple[Format | None, str, bytes] = (None, NOT_FOLLOWED, b"")
    elif format is None:
        found = (None, NOT_SHOWN, b"")
    else:
        found = _decoded(format, "".join(sent.text.split()))
    told = Attachment(at=at, kind=kind, name=name, declared=sent.media[:80], format=found[0], reason=found[1])
    return told, found[2]


def _decoded(format: Format, text: str) -> tuple[Format | None, str, bytes]:
    if len(text) > MOST_BYTES // 3 * 4 + 4:
        return None, "longer than 10 MB", b""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None, "its Base64 is broken", b""
    if len(data) > MOST_BYTES:
        return None, "longer than 10 MB", b""
    if not data.startswith(format.begins):
        return None, "its content is not what it says it is", b""
    return format, "", data
