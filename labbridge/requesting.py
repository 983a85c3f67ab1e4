"""Retests as orders to the LIS: which leave with a comment, their final bytes, and what the answers say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import NamedTuple

import msgspec

from labbridge import answering, reading
from labbridge.errors import Refuse, Refused
from labbridge.fhir import outgoing
from labbridge.hl7 import order_answers, ordering, reader
from labbridge.hl7.order_answers import ACCEPTED, REFUSED, OrderAnswer
from labbridge.hl7.ordering import OrderForm, OrderLetter
from labbridge.model.outcome import Retest
from labbridge.model.retests import OrderSaid, OrderState, OutgoingOrder, PlacedOrder, Retested, Withheld
from labbridge.model.values import Coding
from labbridge.model.work import Case, Delivery, Feed, Sent, Settled
from labbridge.ports import Desk, Judge
from labbridge.states import DeliveryState

NEW_SPECIMEN = "same_new_specimen"
REASON_SYSTEM = "LBRULE"


class Ordering(msgspec.Struct, frozen=True):
    """How a receiver takes orders: their form, what its laboratory calls each test, by analyte and method family, and the
    feeds that results come by, by name. `server`: how it takes them where it is a FHIR server; then `form` is not used."""

    form: OrderForm
    services: Mapping[tuple[str, str], Coding]
    feeds: Mapping[str, Feed] = {}
    server: outgoing.ServerForm | None = None


class Asked(NamedTuple):
    """Who let it leave (`by_rule`: a row of the site's, and no person), and when."""

    signer: str
    now: datetime
    by_rule: bool = False


class Orders(NamedTuple):
    """The orders that leave with a comment, and the retests of which none is made, each with why."""

    made: tuple[OutgoingOrder, ...] = ()
    withheld: tuple[tuple[int, Withheld], ...] = ()


def orders_of(case: Case, asked: Asked, desk: Desk, by: tuple[Ordering, Judge]) -> Orders:
    """An order of each retest that this case recommends and that has none. A retest that cannot be ordered stays advised,
    and says why; the comment leaves all the same."""
    made: list[OutgoingOrder] = []
    withheld: list[tuple[int, Withheld]] = []
    for row in desk.to_order(case.lanes or (case.lane,)):
        retest = recommended(row, case)
        if retest is not None:
            try:
                made.append(_order(row, case, asked, desk, by))
            except _NotMade as fault:
                withheld.append((row.key, fault.why))
    return Orders(tuple(made), tuple(withheld))


class _NotMade(Exception):
    def __init__(self, why: Withheld) -> None:
        super().__init__(why.value)
        self.why = why


def recommended(row: Retested, case: Case) -> Retest | None:
    """What the version of the case that is signed says of this retest; None where it does not recommend it."""
    return next(
        (
            one
            for one in case.outcome.retests
            if one.analyte == row.analyte and (one.reason == row.reason or set(one.families) & set(row.families))
        ),
        None,
    )


def _order(row: Retested, case: Case, asked: Asked, desk: Desk, by: tuple[Ordering, Judge]) -> OutgoingOrder:
    how, judge = by
    if row.again or row.withheld is Withheld.PROMPT:
        raise _NotMade(Withheld.AGAIN if row.again else Withheld.PROMPT)
    if desk.is_ordered(case.lanes or (case.lane,), (row.analyte, row.reason), case.key):
        raise _NotMade(Withheld.ORDERED)
    family, service = _service(row, how)
    letter = OrderLetter(
        at=_about(row, case)[1],
        lanes=case.lanes or (case.lane,),
        placer=desk.next_order_number(asked.now),
        control_id=desk.next_control_id(asked.now),
        now=asked.now,
        service=service,
        priority=row.priority,
        reason=Coding(row.reason, row.reason, REASON_SYSTEM),
        note=_note(row),
        asked_by=asked.signer,
        not_before=row.not_before,
        new_specimen=family == NEW_SPECIMEN,
    )
    if how.server is not None:
        raw = _bundle(row, case, (letter, asked), desk, how)
        faults = judge.judge(raw, "", outgoing.R4)
    else:
        raw = _bytes(row, case, letter, desk, how)
        faults = judge.judge_order(raw, letter, how.form)
    if faults:
        raise _NotMade(Withheld.NOT_VALID)
    return OutgoingOrder(
        retest=row.key,
        number=letter.placer,
        control_id=letter.control_id,
        family=family,
        raw=raw,
        due=_due(row, asked.now.date()),
    )


def _due(row: Retested, today: date) -> date | None:
    """The day from which it may leave, where that is to come."""
    days = [day for day in (row.not_before, row.order_from) if day is not None and day > today]
    return max(days, default=None)


def _service(row: Retested, how: Ordering) -> tuple[str, Coding]:
    """The first method that would settle it and that the laboratory can be asked for. The same method on a new specimen is
    asked for as the method it was."""
    for family in row.families:
        known = row.raised.family if family == NEW_SPECIMEN else family
        service = how.services.get((row.analyte, known))
        if service is not None:
            return family, service
    raise _NotMade(Withheld.NO_SERVICE)


def _note(row: Retested) -> str:
    return f"Retest R{row.key}, requested by rule {row.raised.rule}: {row.reason}" if row.raised.rule else row.reason


def _about(row: Retested, case: Case) -> tuple[int, str]:
    """The message and the place of the result it hangs on: what raised it, else what the comment hangs on."""
    key, _colon, at = row.raised.ref.partition(":")
    if at and key[1:].isdigit():
        return int(key[1:]), at
    return case.subject_message or 0, case.subject_at


def _bytes(row: Retested, case: Case, letter: OrderLetter, desk: Desk, how: Ordering) -> bytes:
    message = desk.message(_about(row, case)[0])
    if message is None or not message.raw or message.damaged:
        raise _NotMade(Withheld.NO_SOURCE)
    try:
        source = reading.in_hl7(message, letter.at, letter.lanes, how.feeds, how.form)
        naming = reading.naming_in_hl7(desk.naming(letter.lanes[0]), letter.lanes[0], how.feeds)
        named = reader.read(naming, "") if naming else None
        letter = msgspec.structs.replace(letter, at=source.at)
        return ordering.write(letter, how.form, reader.read(source.raw, source.charset), named)
    except (Refuse, Refused):
        raise _NotMade(Withheld.NO_SOURCE) from None


def _bundle(row: Retested, case: Case, wanted: tuple[OrderLetter, Asked], desk: Desk, how: Ordering) -> bytes:
    """The order for a FHIR server, with what it hangs on as that knows it."""
    assert how.server is not None
    letter, asked = wanted
    flagged = any(one.code == row.reason and one.severity in outgoing.SEVERITIES for one in case.outcome.flags)
    ordered = outgoing.Ordered(
        number=letter.placer,
        service=letter.service,
        priority=letter.priority,
        reason=row.reason,
        note=letter.note,
        comment=case.sub_id,
        flagged=flagged,
        not_before=letter.not_before,
        new_specimen=letter.new_specimen,
    )
    signed = outgoing.Signed(
        signer=asked.signer,
        by_rule=asked.by_rule,
        control_id=letter.control_id,
        now=asked.now,
        knowledge=case.outcome.knowledge,
    )
    place = answering.Place(_about(row, case)[0], letter.at, letter.lanes)
    try:
        return outgoing.order_bundle(ordered, answering.about(place, (), desk, how.feeds), signed, how.server)
    except Refused:
        raise _NotMade(Withheld.NO_SOURCE) from None


# ---------------------------------------------------------------- what is answered


def answered(settled: Settled, delivery: Delivery, heard: bytes) -> Settled:
    """What the answer to an attempt says of the order it was. An order that is refused by its own number is not tried again:
    that is an answer, and a person's from here on."""
    if not delivery.order or settled.sent is Sent.UNANSWERED:
        return settled
    answer = order_answers.read_answer(heard)
    said = said_of(answer, delivery.order, delivery.control_id) if answer is not None else None
    negative = settled.sent is Sent.REFUSED
    if said is not None and said.state is OrderState.REFUSED and negative:
        settled = msgspec.structs.replace(settled, state=DeliveryState.FAILED, due=None)
    if said is None or (negative and said.state is OrderState.ACCEPTED):  # a contradiction in itself says nothing
        said = _as_a_message(settled, delivery)
    return msgspec.structs.replace(settled, order=said)


def _as_a_message(settled: Settled, delivery: Delivery) -> OrderSaid | None:
    """An answer without a word of the order: the message was taken, or it was refused too often."""
    state = {DeliveryState.ACKNOWLEDGED: OrderState.ACKNOWLEDGED, DeliveryState.FAILED: OrderState.REFUSED}
    if settled.state not in state:
        return None
    said = settled.reason if settled.state is DeliveryState.FAILED else ""
    return OrderSaid(number=delivery.order, control_id=delivery.control_id, state=state[settled.state], said=said)


def said_of(answer: OrderAnswer, number: str, control_id: str) -> OrderSaid | None:
    """What an answer says of one order of ours; None where it is not about the message it left with, does not name it, or
    says neither of the two."""
    found = answer.of(number)
    if found is None or answer.control_id != control_id:
        return None
    states = {ACCEPTED: OrderState.ACCEPTED, REFUSED: OrderState.REFUSED}
    state = states.get(found.said)
    if state is None:
        return None
    said = found.reason or answer.reason if state is OrderState.REFUSED else ""
    return OrderSaid(number=number, control_id=control_id, state=state, filler=found.filler, said=said)


def ours(answer: OrderAnswer, placed: Mapping[str, PlacedOrder]) -> Iterator[tuple[PlacedOrder, OrderSaid]]:
    """What an answer that came by another way says of orders that are ours, and left with the message that it answers."""
    for number in dict.fromkeys(one.placer for one in answer.orders):
        order = placed.get(number)
        said = said_of(answer, number, order.control_id) if order is not None else None
        if order is not None and said is not None:
            yield order, said
