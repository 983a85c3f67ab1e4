"""Our own words coming back: any report can be asked, and with nothing known nothing of it is taken away."""

from __future__ import annotations

from datetime import UTC, datetime

from labbridge.errors import Refuse
from labbridge.hl7 import echoes, incoming
from labbridge.hl7.outgoing import SOFTWARE
from labbridge.model.report import Report
from tests.fuzz.target import Target, must, parts, text
from tests.fuzz.targets.reading import FEED

NOW = datetime(2026, 4, 18, 8, 0, tzinfo=UTC)
CODES = ("8251-1", "LBCMT")


def check(data: bytes) -> None:
    said, raw = parts(data, 2)
    words = text(said)
    must(echoes.digest(words) == echoes.digest("\n".join(words.split(" "))), "a line break makes another text")
    try:
        reports = incoming.read_reports(raw, FEED, NOW)
    except Refuse:
        return
    for report in reports:
        _asked(report)


def _asked(report: Report) -> None:
    own = echoes.is_own(report, "LABBRIDGE", CODES)
    must(own in (True, False), "neither ours nor theirs")
    must(report.sender.partition("|")[0] != "LABBRIDGE" or own, "sent under our name, and not ours")
    made = [name for order in report.orders for one in order.observations for name in one.equipment]
    if not any(name.startswith(SOFTWARE) for name in made):
        must(echoes.without(report, (), ()) == report, "with nothing known something is taken away")
    known = echoes.texts(report)
    left = echoes.without(report, CODES, known)
    must(len(left.orders) == len(report.orders), "an order is left out")
    before = [one.at for order in report.orders for one in order.observations]
    after = [one.at for order in left.orders for one in order.observations]
    must([at for at in before if at in set(after)] == after, "observations change places")
    for order in left.orders:
        for one in order.observations:
            must(echoes.digest(echoes._text(one)) not in known, "a text that is known is left in the report")


TARGET = Target(name="echoed", check=check, product=("labbridge.hl7.echoes", "labbridge.hl7.incoming"))
