"""A retest on its way to the laboratory: OML^O21, or ORM^O01 where the receiver takes that (standards.md 2.7).

One message holds one order, with a placer number of ours that is never used again, hung on the order and the result it is
about (ORC-8, OBR-29, OBR-26). Everything of the patient, the specimen and the parent order is copied from the source and
rewritten in our delimiters and characters; nothing is guessed. These bytes are judged (order_conformance.py) before they
are stored, and stored before they are sent.

Which specimen. A retest is made on the specimen of its result. From 2.5 an OML carries that specimen's number (SPM-2); an
add-on (`action` A) to a tube whose number is not known cannot be made and is refused, a reflex (G) then goes without SPM:
the laboratory finds the tube by the parent order it gave us. ORM has no SPM in any version, nor has any message before 2.5:
there the parent order alone names the tube, and OBR-15 its type. An order for a later specimen (`new_specimen`, or a
`not_before` day: until then nothing drawn is of use) names no specimen at all, and is refused as an add-on.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from labbridge.hl7.reader import Message
from labbridge.model.outcome import Priority
from labbridge.model.values import Coding


class OrderForm(msgspec.Struct, frozen=True, kw_only=True):
    """How one receiver takes orders. `application` and `facility` are who we say we are (the application is also the
    namespace of our placer numbers), `receiving_*` whom we write to (empty: whoever sent the result). `timezone` is the
    zone our times are written in. `message`: OML (from 2.4 on) or ORM (up to 2.6). `action` is OBR-11: A, add the test to
    the specimen at hand, or G, a reflex."""

    version: str = "2.5.1"
    charset: str = "UNICODE UTF-8"
    application: str = "LABBRIDGE"
    facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    timezone: str = "UTC"
    message: Literal["OML", "ORM"] = "OML"
    action: Literal["A", "G"] = "G"


class OrderLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One order. `at` is the result it is about (`OBX[3]`), which must be of the patient of `lanes` (the surviving one
    first), as in a comment's letter. `placer` is our number, never used before; `service` what is ordered, as the LIS's
    catalogue has it. `reason` goes into ORC-16, `note` into NTE-3. `asked_by` let the order leave (ORC-10 and 11)."""

    at: str
    lanes: tuple[str, ...]
    placer: str
    control_id: str
    now: datetime
    service: Coding
    priority: Priority
    reason: Coding
    note: str
    asked_by: str
    not_before: date | None = None
    new_specimen: bool = False


def write(letter: OrderLetter, form: OrderForm, source: Message, naming: Message | None = None) -> bytes:
    """The final bytes of an order about a result of `source`. Refused, with the reason, where they cannot be made.

    `naming` is the identity message by which the patient has another number by now (ADT^A40), as for a comment.
    """
    raise NotImplementedError
