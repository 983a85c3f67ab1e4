"""How fast a message is read, beside the two Python libraries that read HL7, in rounds that take turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import hl7
from hl7apy.parser import parse_message

from labbridge.hl7 import incoming, reader
from labbridge.model.work import Feed
from labbridge.normalise import Normaliser
from labbridge.sources import load
from tests.bench.figures import Line, ratios

PANEL = Path(__file__).with_name("panel.hl7").read_bytes().replace(b"\n", b"\r")
FEED = Feed(name="bench", timezone="Europe/Paris")
NOW = datetime(2026, 4, 12, 8, 0, tzinfo=UTC)
ROUNDS = 9
TIMES = {"hl7apy": 4, "python-hl7": 60, "ours": 600, "whole": 300}  # about as long each


def read_every_field() -> int:
    """Segments, every field of them, escapes decoded: what a message says, before anything in it is understood."""
    message = reader.read(PANEL)
    read = 0
    for segment in message.segments:
        for number in range(1, segment.length + 1):
            field = segment.field(number)
            if field:
                message.decoded(field)
                read += 1
    return read


def reading() -> list[Line]:
    """Reader alone, and reader with groups, reports and normalising, each against both libraries' parsing alone."""
    text = PANEL.decode()
    normalise = Normaliser(load())

    def whole() -> None:
        for report in incoming.read_reports(PANEL, FEED, NOW):
            normalise(report, FEED, NOW, "M1")

    contestants: dict[str, Callable[[], object]] = {
        "hl7apy": lambda: parse_message(text, find_groups=True),
        "python-hl7": lambda: hl7.parse(text),
        "ours": read_every_field,
        "whole": whole,
    }
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for _round in range(ROUNDS):
        for name, call in contestants.items():
            rates[name].append(_rate(call, TIMES[name]))
    size = f"{len(PANEL)} bytes, {PANEL.count(b'OBX|')} OBX, {read_every_field()} fields"
    return [
        Line("reader-hl7apy", "times parse_message", 300, True, ratios(rates["ours"], rates["hl7apy"]), size),
        Line("reader-python-hl7", "times hl7.parse", 12, True, ratios(rates["ours"], rates["python-hl7"]), size),
        Line("whole-hl7apy", "times parse_message", 100, True, ratios(rates["whole"], rates["hl7apy"]), size),
        Line("whole-python-hl7", "times hl7.parse", 3, True, ratios(rates["whole"], rates["python-hl7"]), size),
    ]


def _rate(call: Callable[[], object], times: int) -> float:
    """Calls a second of processor time."""
    begun = time.process_time()
    for _time in range(times):
        call()
    return times / (time.process_time() - begun)
