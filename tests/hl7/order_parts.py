"""What the tests of orders share: a letter, how receivers want orders, and messages to order about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from hl7_messages import NOW, wire

from labbridge.errors import Refuse
from labbridge.hl7 import reader, structure
from labbridge.hl7.ordering import OrderForm, OrderLetter, write
from labbridge.hl7.reader import Message
from labbridge.model.outcome import Priority
from labbridge.model.values import Coding

ROOT = Path(__file__).resolve().parent.parent.parent
KINDS = [
    ("2.3.1", "ORM"), ("2.4", "OML"), ("2.4", "ORM"), ("2.5", "OML"), ("2.5", "ORM"), ("2.5.1", "OML"), ("2.5.1", "ORM"),
    ("2.6", "OML"), ("2.6", "ORM"), ("2.7", "OML"), ("2.7.1", "OML"), ("2.8", "OML"), ("2.8.1", "OML"), ("2.8.2", "OML"),
]  # fmt: skip
"""Every version a receiver may have, with each message that it knows."""

LANES = ("p:LABN|88-1203", "p:LABO|4711", "p:LABD|D99")


def form(version: str = "2.5.1", message: str = "OML", action: str = "G", **changes: Any) -> OrderForm:
    usual = OrderForm(version=version, message=message, action=action, timezone="Europe/Berlin")  # type: ignore[arg-type]
    return msgspec.structs.replace(usual, **changes)


def letter(**changes: Any) -> OrderLetter:
    usual = OrderLetter(
        at="OBX[1]",
        lanes=LANES,
        placer="LB-RT-000112",
        control_id="LBR-000007",
        now=NOW,
        service=Coding("SRPIP", "anti-SRP by second method", "L"),
        priority=Priority.ROUTINE,
        reason=Coding("HEP2_NEG_MSA_POS", "Anti-SRP positive with HEp-2 negative", "LBRULE"),
        note="Line immunoassay positive, HEp-2 negative (<1:80).\nPlease confirm.",
        asked_by="Ada Smith",
    )
    return msgspec.structs.replace(usual, **changes)


def source(name: str | bytes = "panel-2.5.1") -> Message:
    return reader.read(wire(name) if isinstance(name, str) else name)


def ordered(name: str | bytes = "panel-2.5.1", how: OrderForm | None = None, **changes: Any) -> bytes:
    """An order about a message, named or given."""
    return write(letter(**changes), how or form(), source(name))


def results(raw: bytes) -> Iterator[tuple[Message, str, tuple[str, ...]]]:
    """The first result of each order of a message, with its place and its patient's lanes; none of what is refused."""
    try:
        message = reader.read(raw)
        patients = structure.patients_of(message)
    except Refuse:
        return
    for patient in patients:
        for order in patient.orders:
            for group in order.observations[:1]:
                yield message, group.obx.at, patient.lanes


def own_messages() -> list[Path]:
    """The messages of this project, each as it goes over the wire."""
    return sorted([*ROOT.glob("samples/*/*.hl7"), *ROOT.glob("tests/corpus/odd/*.hl7")])
