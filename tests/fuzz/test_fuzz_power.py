"""The proof of the proof: a fault planted in the product is found by the target it belongs to."""

from __future__ import annotations

import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from labbridge import receiving, times
from labbridge.errors import Refuse
from labbridge.fhir import contents, guard, observations, validating, whose
from labbridge.fhir import incoming as fhir_incoming
from labbridge.hl7 import ack, echoes, escapes, incoming, mllp, order_answers, ordering, page, reader, structure
from labbridge.knowledge import documents
from labbridge.normalise import numbers, ranges
from tests.fuzz.mutation import inputs
from tests.fuzz.target import Wrong
from tests.fuzz.targets import TARGETS, large

Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(autouse=True)
def nothing_planted_is_remembered() -> Iterator[None]:
    """What a planted fault gave must not come out of a cache in a later test."""
    yield
    for name, module in list(sys.modules.items()):
        if name.startswith("labbridge."):
            for one in list(vars(module).values()):
                if callable(clear := getattr(one, "cache_clear", None)):
                    clear()


def _found(name: str, count: int = 1500) -> bool:
    """Whether a target finds a fault in its seeds and so many inputs made from them."""
    target = TARGETS[name]
    for data in itertools.chain(target.seeds(), inputs(target, 1, count)):
        try:
            target.check(data)
        except Exception:  # noqa: BLE001
            return True
    return False


def _patched(owner: Any, name: str, make: Callable[[Any], Any]) -> Plant:
    return lambda patch: patch.setattr(owner, name, make(getattr(owner, name)))


def _escaped_in_the_wrong_order(_encode: Any) -> Any:
    def encode(text: str, marks: escapes.Delimiters = escapes.STANDARD, charset: str = "utf-8") -> str:
        e = marks.escape
        for char, name in ((marks.field, "F"), (marks.component, "S"), (e, "E"), ("\r", "X0D")):
            text = text.replace(char, f"{e}{name}{e}")
        return text

    return encode


def _without_the_first_note(read: Any) -> Any:
    def read_reports(*given: Any) -> Any:
        reports = read(*given)
        return [msgspec.structs.replace(one, orders=one.orders[1:]) for one in reports]

    return read_reports


def _quoting(check: Any) -> Any:
    def read(raw: bytes, feed: Any) -> Any:
        try:
            return check(raw, feed)
        except Refuse as fault:
            fault.text = f"{fault.text}: {raw[-20:].decode('latin-1')}"
            raise

    return read


def _answering(change: Callable[[bytes], bytes]) -> Callable[[Any], Any]:
    return lambda answer: lambda *given, **more: change(answer(*given, **more))


def _refusing(*_given: Any) -> Any:
    raise Refuse("The message is not liked", code="999")


def _raising(*_given: Any, **_more: Any) -> Any:
    raise ValueError("not YAML")


def _first_msa(raw: bytes) -> ack.Acknowledgement:
    found = re.search(rb"MSA.([A-Z]{2}).([^|#\r]+)", raw)
    return ack.Acknowledgement(found[1].decode(), found[2].decode("latin-1")) if found else ack.Acknowledgement()


PLANTED: dict[str, tuple[str, Plant]] = {
    "a block ends at any end byte": ("framing", _patched(mllp, "_END", lambda _old: re.compile(rb"\x1c"))),
    "the junk before a block stays": (
        "framing",
        _patched(mllp.Framer, "_one_block", lambda _old: lambda self, data: mllp.Frame(data[1:-2])),
    ),
    "LF becomes CR": ("reading", _patched(reader, "_lines", lambda old: lambda text: old(text.replace("\n", "\r")))),
    "equal delimiters are taken": (
        "reading",
        _patched(reader, "_delimiters", lambda _old: lambda field, encoding: escapes.Delimiters(field, *encoding[:5])),
    ),
    "a refusal has another code": ("reading", _patched(structure, "_check_header", lambda _old: _refusing)),
    "MSA-2 is stripped": (
        "receiving",
        _patched(
            ack,
            "_msa",
            lambda _old: (
                lambda head, code: (
                    f"MSA{head.delimiters.field}{code}{head.delimiters.field}{head.control_id.strip('F')}"
                )
            ),
        ),
    ),
    "an answer has no such code": (
        "receiving",
        _patched(ack, "accept", _answering(lambda raw: raw.replace(b"|AA|", b"|OK|"))),
    ),
    "a refusal quotes the message": ("receiving", _patched(receiving, "read_structure", _quoting)),
    "an order is left out": ("reports", _patched(incoming, "read_reports", _without_the_first_note)),
    "a repetition is left out": (
        "reports",
        _patched(reader.Message, "repetitions", lambda old: lambda self, field: old(self, field)[:1]),
    ),
    "the escape is escaped last": ("escaping", _patched(escapes, "encode", _escaped_in_the_wrong_order)),
    "an open escape is dropped": (
        "escaping",
        _patched(escapes, "decode", lambda old: lambda text, *more: old(text, *more).rstrip("\\")),
    ),
    "a comment is not escaped": ("writing", _patched(page.Page, "text", lambda _old: lambda self, text: text)),
    "a name is cut": (
        "writing",
        _patched(page.Page, "copied", lambda old: lambda self, field: old(self, field)[:10]),
    ),
    "MSA-2 is not looked at": (
        "answers",
        _patched(ack, "positive", lambda _old: lambda answer, control_id: answer.code in ack.POSITIVE),
    ),
    "the first MSA of two counts": ("answers", _patched(ack, "read_ack", lambda _old: _first_msa)),
    "an underscore is a digit group": (
        "values",
        _patched(numbers, "number", lambda old: lambda text, *more: old(text.replace("_", ""), *more)),
    ),
    "digits are digits in any script": (
        "values",
        _patched(
            numbers, "_NUMBER", lambda old: re.compile(old.pattern.replace("[0-9]", r"\d").replace("[^0-9]", r"\D"))
        ),
    ),
    "the thousands mark is a decimal mark": (
        "values",
        _patched(numbers, "GROUPED", lambda _old: numbers.Number(numbers.Decimal(1))),
    ),
    "a range is upside down": (
        "values",
        _patched(ranges, "Interval", lambda old: lambda low, high, *more: old(high, low, *more)),
    ),
    "the offset is left out": ("times", _patched(times, "_offset", lambda _old: lambda text: None)),
    "no hour is doubtful": ("times", _patched(times, "_ambiguous", lambda _old: lambda moment: False)),
    "a fault has no line": (
        "knowledge",
        _patched(
            documents, "_not_yaml", lambda _old: lambda source, error, line: documents.Fault(source.name, 0, "x", "y")
        ),
    ),
    "a broken file is left out": ("knowledge", _patched(documents.yaml, "compose", lambda old: _raising)),
    "a note is taken away": ("echoed", _patched(echoes, "_left", lambda _old: lambda notes, known: notes[1:])),
    "a note of an order is not escaped": (
        "ordering",
        _patched(ordering._Order, "_note", lambda _old: lambda self: [f"NTE|1|L|{self._letter.note}"]),
    ),
    "the tube is another": (
        "ordering",
        _patched(ordering._Order, "_pieces", lambda old: lambda self, field, most: old(self, field.lower(), most)),
    ),
    "a received order is an accepted one": (
        "order_answers",
        _patched(order_answers, "SAID", lambda old: {**old, "": order_answers.ACCEPTED}),
    ),
    "a reason is shown as it came": (
        "order_answers",
        _patched(order_answers._Answer, "_shown", lambda _old: lambda self, text: text[:100]),
    ),
    "a number of a body is a float": (
        "fhir",
        _patched(observations, "digits", lambda _old: lambda raw: repr(float(bytes(raw)))),
    ),
    "a key of a body may stand twice": (
        "fhir",
        _patched(guard, "_decoder", lambda _old: json.JSONDecoder(parse_float=Decimal)),
    ),
    "a refusal says the models' own words": (
        "fhir",
        _patched(
            validating,
            "_issue",
            lambda old: lambda kind, error: msgspec.structs.replace(old(kind, error), diagnostics=str(error)),
        ),
    ),
    "a result of a body is left out": (
        "fhir",
        _patched(fhir_incoming._Reading, "_members", lambda old: lambda self, *given: old(self, *given)[1:]),
    ),
    "a reference is its own last part": (
        "fhir",
        _patched(contents, "_parts", lambda _old: lambda reference: ("", reference[:5].rpartition("/")[2])),
    ),
    "all of a body is one patient's": ("fhir", _patched(whose, "patient_of", lambda _old: lambda *given: ())),
    "a known text stays": ("echoed", _patched(echoes, "_known", lambda _old: lambda lines, known: False)),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, plant = PLANTED[fault]
    plant(monkeypatch)
    assert _found(name)


def test_reading_that_takes_too_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(raw: bytes) -> object:
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass
        return raw

    monkeypatch.setattr(large, "AT_MOST_S", 0.05)
    monkeypatch.setattr(large, "WORK", {"reports": (2**16, slow)})
    with pytest.raises(Wrong, match="reports: the longest there may be takes more than two seconds"):
        large.check(b"MSH\xff\r\xff")
