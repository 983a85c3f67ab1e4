"""FHIR bodies: refused with a place and without a value, or read: no result lost, doubled or put into other digits.

An input is a body, or after PATHS a body told by its elements, one a line: its place, a bar, its JSON (or a text). A line
that is changed, left out or moved is a body still.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal
from typing import Any

from labbridge.fhir import incoming, structure
from labbridge.fhir.faults import STATUS, Issue, Unfit, outcome
from labbridge.fhir.structure import Envelope
from labbridge.model.report import Observation, Report
from labbridge.model.values import SentText
from labbridge.model.work import Feed
from tests.fuzz.target import DICTIONARY, Target, must

FEED = Feed(name="fuzz", kind="fhir", timezone="Europe/Berlin", local_systems=("urn:local",))
PLACE = re.compile(r"(?:_?[A-Za-z][A-Za-z0-9]*(?:\[\d+\])*(?:\.|$))*")
SAID = 12  # characters of a text of the body that may not stand in what is told of it
OURS = frozenset((b"DiagnosticReport", b"resourceType"))  # names of R4 that our own sentences hold
_STEP = re.compile(r"([A-Za-z_]+)|\[(\d+)\]")


PATHS = b"#paths\r"
DEEPEST, MOST = 70, 60  # steps of a place, items of an array


def check(data: bytes) -> None:
    _checked(told_by_paths(data[len(PATHS) :]) if data.startswith(PATHS) else data)


def told_by_paths(data: bytes) -> bytes:
    root: dict[str, Any] = {}
    for line in data.decode("utf-8", "replace").split("\r"):
        place, bar, value = line.partition("|")
        if not bar:
            continue
        try:
            found = json.loads(value, parse_float=_Written, parse_int=_Written)
        except (ValueError, RecursionError):
            found = value
        _set(root, place.split(".")[:DEEPEST], found)
    return _json(root).encode("utf-8", "surrogatepass")


def _set(inner: Any, steps: list[str], value: Any) -> None:
    """What stands in the way of a place is put away."""
    for step, following in zip(steps, [*steps[1:], ""], strict=True):
        key: Any = step
        if isinstance(inner, list):
            key = min(int(step) if re.fullmatch("[0-9]{1,3}", step) else MOST, len(inner), MOST)
            inner[key:] = inner[key:] or [None]
        there = inner[key] if isinstance(inner, list) else inner.get(key)
        if not following:
            there = value
        elif not isinstance(there, dict | list):
            there = [] if following.isdecimal() else {}
        inner[key] = there
        inner = there
        if not following:
            return


def _json(tree: Any) -> str:
    if isinstance(tree, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_json(one)}" for key, one in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(map(_json, tree)) + "]"
    return str(tree) if isinstance(tree, _Written) else json.dumps(tree)


def _checked(data: bytes) -> None:
    try:
        issues = structure.checked(data)
        if not issues:
            envelope = structure.read_structure(data, FEED)
            structure.unasked(envelope.contents)
            reports = incoming.read_reports(data, FEED)
    except Unfit as fault:
        issues = list(fault.issues)
        must(fault.status == STATUS[fault.code], "a refusal with a status that its issue has not")
    if issues:
        _told(issues, data)
        return
    body = _body(data)
    _whose(envelope, reports)
    _once(envelope, reports, body)
    _named(envelope, reports, body)
    for report in reports:
        for order in report.orders:
            for line in order.observations:
                _digits(line, body)


def _body(data: bytes) -> Any:
    """The body as JSON says it, each number as it was written. A key that stands twice has no one meaning."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        must(len({key for key, _value in found}) == len(found), "a key that stands twice was taken")
        return dict(found)

    def constant(_text: str) -> None:
        must(False, "NaN or Infinity was taken")

    return json.loads(
        data.decode("utf-8-sig"), object_pairs_hook=pairs, parse_float=_Written, parse_int=_Written,
        parse_constant=constant,
    )  # fmt: skip


class _Written(str):
    """The digits of a number."""


def _told(issues: list[Issue], data: bytes) -> None:
    must(all(one.code in STATUS for one in issues), "an issue of a type that has no status")
    must(all(PLACE.fullmatch(one.expression) for one in issues), "an issue at a place that is none")
    told = " ".join(one["diagnostics"] for one in json.loads(outcome(issues))["issue"])
    for text in set(re.findall(rb'"([^"\\]{%d,})"' % SAID, data)):
        must(text.decode("utf-8", "replace") not in told or text in OURS, "a refusal quotes the body")


def _whose(envelope: Envelope, reports: list[Report]) -> None:
    lanes = [one.lane for one in reports]
    must(lanes == list(envelope.lanes), "the reports are not those of the lanes")
    must(len(set(lanes)) == len(lanes), "a lane has two reports")
    must(set(envelope.owners.values()) <= set(lanes), "a result is in a lane without a report")


def _once(envelope: Envelope, reports: list[Report], body: Any) -> None:
    """Every observation that says something is one line, in the report of its lane; a component likewise."""
    counts = Counter(line.at for one in reports for order in one.orders for line in order.observations)
    must(all(count == 1 for count in counts.values()), "a result is read twice")
    for node in envelope.contents.of("Observation"):
        sent = _at(body, node.at)
        parts = [f"{node.at}.component[{number}]" for number in range(len(sent.get("component", ())))]
        silent = not any(key.startswith("value") for key in sent)
        must(silent or node.at in counts or parts or "hasMember" in sent, "a result is left out")
        must(all(part in counts for part in parts), "a component is left out")
    for one in reports:
        for order in one.orders:
            for line in order.observations:
                place = line.at.partition(".contained[")[0].partition(".component[")[0]
                must(envelope.owners[place] == one.lane, "a result stands in another lane's report")


def _named(envelope: Envelope, reports: list[Report], body: Any) -> None:
    """A result that names the one Patient of an id, in a body of one server, is in the report of that patient."""
    known: dict[str, list[set[str]]] = {}
    for node in envelope.contents.of("Patient"):
        sent = _at(body, node.at)
        numbers = {
            one["value"].strip() for one in sent.get("identifier", ()) if "value" in one and one.get("use") != "old"
        }
        known.setdefault(f"Patient/{sent.get('id')}", []).append((numbers - {""}) or {sent.get("id", "")})
    if any("/" in entry.full_url for entry in (envelope.contents.bundle.entry if envelope.contents.bundle else ())):
        return
    of_lane = {one.lane: {each.id for each in one.patient.identifiers} for one in reports}
    for place, lane in envelope.owners.items():
        named = _at(body, place).get("subject", {}).get("reference", "")
        if len(found := known.get(named, [])) == 1 and not envelope.identity:
            must(found[0] & of_lane[lane], "a result is in the report of another patient than it names")


def _at(body: Any, place: str) -> Any:
    steps = [name or int(number) for name, number in _STEP.findall(place)]
    for step in steps[1:]:
        body = body[step]
    return body


def _digits(line: Observation, body: Any) -> None:
    """A number of a quantity is in the sender's digits, or the same number where an exponent was written out."""
    sent = _at(body, line.at)
    quantity = sent.get("valueQuantity", {})
    number = quantity.get("value", sent.get("valueInteger"))
    if not isinstance(number, _Written) or "comparator" in quantity:
        return
    (value,) = line.values
    must(isinstance(value, SentText), "a number is read as something else")
    assert isinstance(value, SentText)
    exact = value.text == number if "e" not in number.lower() else Decimal(value.text) == Decimal(number)
    must(exact, "a number is read in other digits")


TARGET = Target(
    name="fhir",
    check=check,
    product=(
        "labbridge.fhir.guard", "labbridge.fhir.validating", "labbridge.fhir.contents", "labbridge.fhir.structure",
        "labbridge.fhir.whose", "labbridge.fhir.incoming", "labbridge.fhir.observations", "labbridge.fhir.facts",
    ),
    longest=6000,
    dictionary=DICTIONARY.with_name("dictionary-fhir.txt"),
)  # fmt: skip
