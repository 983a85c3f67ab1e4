"""`make general`: a million messages of a general laboratory, read and normalised; none of their codes may be taken for
one of ours. The menu is general_laboratory.csv; values, dialects and orders are drawn from a seed.

GENERAL_MESSAGES changes how many. Each process reads its own share with a normaliser of its own.
"""

from __future__ import annotations

import csv
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from labbridge.hl7.incoming import read_reports
from labbridge.knowledge.build import Knowledge
from labbridge.model.work import Feed
from labbridge.normalise import Normaliser
from labbridge.sources import load

MENU = Path(__file__).with_name("general_laboratory.csv")
MESSAGES, SEED = 1_000_000, 20261126
RECEIVED = datetime(2026, 11, 12, 12, 0, tzinfo=UTC)
CODINGS = ("local", "loinc first", "local first", "name alone", "code alone", "no system")
ORDERS = (
    "Routine chemistry",
    "Autoimmune antibody panel",
    "Blood count",
    "Antikörper-Diagnostik",
    "Bilan sanguin",
    "Panel",
)
METHODS = (
    "",
    "",
    "ISE^Ion selective^L",
    "ELISA^ELISA^L",
    "BLOT^Immunoblot^L",
    "IIF^Immunofluorescence^L",
    "ENZ^Enzymatic^L",
)
WORDS = ("Negative", "Positive", "NEG^Negative^L", "not detected", "Reactive", "weakly positive", "negativ", "négatif")
TEXTS = (
    "See comment.",
    "No growth after 48 hours",
    "Polychromasia, few target cells",
    "Report follows.",
    "Repeat in 3 weeks",
)
FLAGS = ("", "N", "H", "L", "HH", "A", "<", ">")


class Test(msgspec.Struct, frozen=True):
    """A line of the menu."""

    code: str
    loinc: str
    name: str
    unit: str
    kind: str
    low: str
    high: str


class Found(msgspec.Struct):
    """What a run met: codes that were listed, those of them that may be ours, results, and notes by code."""

    messages: int = 0
    observations: int = 0
    listed: set[tuple[str, str, str]] = msgspec.field(default_factory=set)
    may_be_ours: Counter[str] = msgspec.field(default_factory=Counter)
    results: Counter[str] = msgspec.field(default_factory=Counter)
    notes: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, other: Found) -> None:
        self.messages += other.messages
        self.observations += other.observations
        self.listed |= other.listed
        self.may_be_ours.update(other.may_be_ours)
        self.results.update(other.results)
        self.notes.update(other.notes)


def menu() -> list[Test]:
    lines = (line for line in MENU.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return [Test(**row) for row in csv.DictReader(lines)]


def messages(tests: list[Test], count: int, seed: int) -> Iterator[tuple[bytes, Feed]]:
    """Messages as a laboratory sends them: one to twelve tests of the menu, each feed in its own dialect."""
    draw = random.Random(seed)
    feeds = [
        Feed(name=f"lab{number}", timezone="Europe/Paris", decimal_mark=mark) for number, mark in enumerate(".,." * 2)
    ]
    for number in range(count):
        which = draw.randrange(len(feeds))
        chosen = draw.sample(tests, draw.randint(1, 12))
        version, day, born = f"2.{draw.randint(3, 6)}", draw.randint(1, 12), draw.randint(1930, 2020)
        order = f"{draw.randrange(9999)}^{draw.choice(ORDERS)}^L"
        lines = [
            f"MSH|^~\\&|LIS{which}|LAB|LB|LAB|20261112110000||ORU^R01|G{number}|P|{version}|||||FR|UNICODE UTF-8",
            f"PID|1||P{draw.randrange(10**7)}^^^LAB^MR||TEST^{number}||{born}0101|{draw.choice('FMU')}",
            f"OBR|1||F{number}|{order}|||202611{day:02}0800|||||||||||||||||LAB|F",
            *(_obx(place, test, CODINGS[which], feeds[which], draw) for place, test in enumerate(chosen, 1)),
        ]
        yield "\r".join((*lines, "")).encode(), feeds[which]


def _obx(place: int, test: Test, coding: str, feed: Feed, draw: random.Random) -> str:
    value_type, value = _value(test, feed, draw)
    limits = f"{test.low}-{test.high}" if test.low and draw.random() < 0.8 else ""
    fields = (
        "OBX",
        str(place),
        value_type,
        _coding(test, coding),
        "",
        value,
        test.unit,
        limits,
        draw.choice(FLAGS),
        "",
        "",
        "F",
    )
    return "|".join((*fields, "", "", "", "", "", draw.choice(METHODS)))


def _coding(test: Test, coding: str) -> str:
    local, public = f"{test.code}^{test.name}^L", f"{test.loinc}^{test.name}^LN"
    if coding == "loinc first" and test.loinc:
        return f"{public}^{local}"
    if coding == "local first" and test.loinc:
        return f"{local}^{public}"
    return {
        "name alone": f"^{test.name}",
        "code alone": f"{test.code}^^L",
        "no system": f"{test.code}^{test.name}",
    }.get(coding, local)


def _value(test: Test, feed: Feed, draw: random.Random) -> tuple[str, str]:
    if test.kind == "titre":
        reciprocal = 10 * 2 ** draw.randint(0, 8)
        return draw.choice(
            (
                ("SN", f"^1^:^{reciprocal}"),
                ("ST", f"<1:{reciprocal}"),
                ("ST", f"1:{reciprocal}"),
                ("NM", str(reciprocal)),
            )
        )
    if test.kind == "word":
        return "CWE", draw.choice(WORDS)
    if test.kind == "text":
        return "TX", draw.choice(TEXTS)
    number = f"{draw.uniform(float(test.low), float(test.high)):.{draw.randint(0, 2)}f}"
    sign = draw.choice(("", "", "", "", "", "<", ">"))
    return ("ST" if sign else "NM"), sign + number.replace(".", feed.decimal_mark)


def read(sent: Iterable[tuple[bytes, Feed]], knowledge: Knowledge) -> Found:
    """The messages through reader and normaliser, as the service takes them."""
    normalise = Normaliser(knowledge)
    found = Found()
    for raw, feed in sent:
        found.messages += 1
        for report in read_reports(raw, feed, RECEIVED):
            results, notes = normalise(report, feed, RECEIVED, f"M{found.messages}")
            found.observations += sum(len(order.observations) for order in report.orders)
            found.results.update(f"{one.analyte.value} {one.at}" for one in results.results)
            found.listed.update((feed.name, one.code, one.label) for one in results.unmapped)
            found.may_be_ours.update(
                f"{one.may_be}: {one.code} {one.name} {one.unit}" for one in results.unmapped if one.may_be
            )
            found.notes.update(one.code for one in (*report.notes, *notes))
    return found


def _share(count: int, seed: int) -> Found:
    return read(messages(menu(), count, seed), load())


def main() -> int:
    count, workers = int(os.environ.get("GENERAL_MESSAGES", MESSAGES)), os.cpu_count() or 2
    shares = [count // workers + (number < count % workers) for number in range(workers)]
    begun, found = time.monotonic(), Found()
    with ProcessPoolExecutor(workers) as pool:
        for one in pool.map(_share, shares, range(SEED, SEED + workers)):
            found.add(one)
    for what, times in (found.may_be_ours + found.results).most_common(40):
        print(f"false row: {what} ({times} times)")
    rows = len(found.may_be_ours) + len(found.results)
    notes = ", ".join(f"{code} {times}" for code, times in sorted(found.notes.items())) or "none"
    print(
        f"{'NOT MET' if rows else 'met'}: {found.messages} messages, {found.observations} observations of"
        f" {len(menu())} tests, {len(found.listed)} codes listed, {rows} of them taken for ours (bar 0), seed {SEED},"
        f" {(time.monotonic() - begun) / 60:.1f} minutes; notes: {notes}"
    )
    return 1 if rows else 0


if __name__ == "__main__":
    sys.exit(main())
