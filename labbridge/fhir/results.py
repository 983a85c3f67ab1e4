"""Results that came by another wire than FHIR as Observation and DiagnosticReport (v2-to-FHIR; standards.md 2.2, 2.3): what
was sent and nothing else. What is not known is said to be unknown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from labbridge.fhir.naming import SYSTEMS, TYPES
from labbridge.model.report import EntityId, Observation, Order, Report, Specimen, Timestamp
from labbridge.model.report import Patient as Who
from labbridge.model.values import Coding, SentAttachment, SentCoding, SentStructured, SentText, SentValue
from labbridge.model.work import Feed

OBSERVATION_STATUS = {
    "A": "amended",
    "C": "corrected",
    "D": "entered-in-error",
    "F": "final",
    "P": "preliminary",
    "W": "entered-in-error",
    "X": "cancelled",
    "I": "registered",
    "R": "preliminary",
    "S": "preliminary",
    "U": "final",
    "B": "final",
    "V": "final",
}
"""OBX-11 (table 0085): v2-to-FHIR, and our own for what that leaves out (standards.md 2.2). Any other one is `unknown`."""
REPORT_STATUS = {
    "O": "registered",
    "I": "registered",
    "S": "registered",
    "P": "preliminary",
    "C": "corrected",
    "R": "partial",
    "F": "final",
    "X": "cancelled",
}
"""OBR-25 (table 0123), v2-to-FHIR. A and M are not mapped there: `unknown`."""
NO_RESULT, OF_STORED = ("N", "O"), ("U", "B", "V")
GENDER = {"M": "male", "F": "female", "O": "other", "U": "unknown"}
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
SECTION = "http://terminology.hl7.org/CodeSystem/v2-0074"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_COMPARATORS = ("<", "<=", ">", ">=")
_URI = re.compile(r"(?:https?://|urn:)\S+")
_PLACE = re.compile(r"[^A-Za-z0-9.-]")


def place(at: str) -> str:
    """A place of a message as the end of an id: `OBX[3]` is `OBX3`."""
    return _PLACE.sub("", at)[:40]


def lines(report: Report) -> Iterator[tuple[Order | None, Observation]]:
    """The results and facts of a report that are shown, each with its order. A status that finalises a value sent before
    brings none, and what was only asked for is no result."""
    for order in report.orders:
        for line in order.observations:
            if line.status not in NO_RESULT and (line.values or line.status not in OF_STORED):
                yield order, line
    for line in report.observations:
        yield None, line


def observation(line: Observation, order: Order | None, feed: Feed) -> dict[str, Any]:
    """A result without its id, meta and subject. It has no number: the order's is that of all its results (v2-to-FHIR gives
    it to the report), and whoever keeps results by their numbers would put one in the place of another."""
    found: dict[str, Any] = {"resourceType": "Observation", **_asked_by(order, feed)}
    found["status"] = OBSERVATION_STATUS.get(line.status, "unknown")
    found["category"] = [{"coding": [{"system": CATEGORY, "code": "laboratory"}]}]
    found["code"] = concept(line.codes)
    tube = (
        order.specimens[0] if order is not None and len(order.specimens) == 1 else None
    )  # of several: which, is not told
    at = line.observed or (order.collected if order is not None else None) or (tube.collected if tube else None)
    found |= _time("effectiveDateTime", at) | _instant("issued", line.analysed or (order.reported if order else None))
    if line.laboratory:
        found["performer"] = [{"display": line.laboratory}]
    found |= _value(line, feed)
    if line.flags or line.flag_texts:
        found["interpretation"] = _flags(line)
    if line.notes:
        found["note"] = [{"text": one} for one in line.notes if one.strip()] or None
    if line.methods:
        found["method"] = concept(line.methods)
    if tube is not None and (shown := _specimen(tube, feed)):
        found["specimen"] = shown
    if line.equipment:
        found["device"] = {"display": line.equipment[0]}
    if line.reference_range.strip():
        found["referenceRange"] = [{"text": line.reference_range}]
    return {key: one for key, one in found.items() if one is not None}


def report(order: Order, results: Iterable[str], feed: Feed) -> dict[str, Any]:
    """The report of an order without its id, meta and subject. `results`: its results by their addresses."""
    found: dict[str, Any] = {"resourceType": "DiagnosticReport"}
    if order.filler:
        found["identifier"] = [identifier(order.filler, "FILL", feed)]
    found |= _asked_by(order, feed)
    found["status"] = REPORT_STATUS.get(order.status, "unknown")
    found["category"] = [{"coding": [{"system": SECTION, "code": "LAB"}]}]
    found["code"] = concept(order.service)
    found |= _time("effectiveDateTime", order.collected) | _instant("issued", order.reported)
    specimens = [shown for one in order.specimens if (shown := _specimen(one, feed))]
    if specimens:
        found["specimen"] = specimens
    if listed := [{"reference": one} for one in results]:
        found["result"] = listed
    return found


def patient(who: Who, feed: Feed) -> dict[str, Any]:
    """A patient as last named, without id and meta."""
    found: dict[str, Any] = {"resourceType": "Patient"}
    found["identifier"] = [
        {**_typed(one.type), **_assigned(one.authority, feed), "value": one.id} for one in who.identifiers
    ]
    name = {"family": who.family_name} if who.family_name else {}
    given = {"given": [who.given_name]} if who.given_name else {}
    if name or given:
        found["name"] = [{**name, **given}]
    if who.sex in GENDER:
        found["gender"] = GENDER[who.sex]
    if who.birth_date is not None:
        found["birthDate"] = who.birth_date.isoformat()
    return found


# ---------------------------------------------------------------- parts


def concept(codings: Iterable[Coding], text: str = "") -> dict[str, Any]:
    """Codes as sent; one without a code is a text, and where there is nothing it is said to be unknown."""
    given = tuple(codings)
    found: dict[str, Any] = {}
    if coded := [coding(one) for one in given if one.code.strip()]:
        found["coding"] = coded
    shown = text or next((one.display for one in given if one.display.strip()), "")
    if shown.strip():
        found["text"] = shown
    return found or {"extension": [{"url": ABSENT_REASON, "valueCode": "unknown"}]}


def coding(one: Coding) -> dict[str, str]:
    system = SYSTEMS.get(one.system.upper(), one.system if _URI.fullmatch(one.system) else "")
    found = {"system": system} if system else {}
    found["code"] = " ".join(one.code.split())
    return found | ({"display": one.display} if one.display.strip() else {})


def _typed(code: str) -> dict[str, Any]:
    return {"type": {"coding": [{"system": TYPES, "code": code}]}} if code.strip() else {}


def _assigned(authority: str, feed: Feed) -> dict[str, Any]:
    """Who gave a number: as a system where it has one, else by name."""
    system = next((one for one, name in feed.authorities.items() if name == authority), "")
    system = system or (authority if _URI.fullmatch(authority) else "")
    if system:
        return {"system": system}
    return {"assigner": {"display": authority}} if authority.strip() else {}


def identifier(number: EntityId, kind: str, feed: Feed) -> dict[str, Any]:
    return {**_typed(kind), **_assigned(number.namespace, feed), "value": number.id}


def _asked_by(order: Order | None, feed: Feed) -> dict[str, Any]:
    """The order, by its placer's number."""
    if order is None or not order.placer:
        return {}
    return {"basedOn": [{"type": "ServiceRequest", "identifier": identifier(order.placer, "PLAC", feed)}]}


def _specimen(tube: Specimen, feed: Feed) -> dict[str, Any]:
    number = tube.filler or tube.placer
    kind = "FILL" if tube.filler else "PLAC"
    shown = next((one.display or one.code for one in tube.type if one.display or one.code), "")
    found: dict[str, Any] = {"identifier": identifier(number, kind, feed)} if number else {}
    return found | ({"display": shown} if shown.strip() else {})


def _flags(line: Observation) -> list[dict[str, Any]]:
    texts = [{"text": one} for one in line.flag_texts if one.strip()]
    return [concept((one,)) for one in line.flags if one.code or one.display] or texts


def _time(name: str, sent: Timestamp | None) -> dict[str, str]:
    """A time in the precision it was sent in."""
    if sent is None:
        return {}
    if sent.has_time:
        return {name: sent.moment.isoformat(timespec="milliseconds" if sent.moment.microsecond else "seconds")}
    return {name: sent.day.isoformat()}


def _instant(name: str, sent: Timestamp | None) -> dict[str, str]:
    return _time(name, sent) if sent is not None and sent.has_time else {}


# ---------------------------------------------------------------- values


def _value(line: Observation, feed: Feed) -> dict[str, Any]:
    if not line.values:
        return _absent("unknown")
    if all(isinstance(one, SentText) for one in line.values) and len(line.values) > 1:
        text = "\n".join(one.text for one in line.values if isinstance(one, SentText))
        return {"valueString": text} if text.strip() else _absent("unknown")
    if len(line.values) > 1:
        return {"component": [{"code": concept(line.codes), **_one(one, line, feed)} for one in line.values]}
    return _one(line.values[0], line, feed)


def _absent(reason: str) -> dict[str, Any]:
    return {"dataAbsentReason": {"coding": [{"system": ABSENT, "code": reason}]}}


def _one(value: SentValue, line: Observation, feed: Feed) -> dict[str, Any]:
    match value:
        case SentAttachment():
            return _absent("unsupported")
        case SentCoding(codings, text):
            return {"valueCodeableConcept": concept(codings, text)}
        case SentStructured():
            return _structured(value, line, feed)
    number = _number(value.text, feed) if line.value_type == "NM" else None
    if number is not None:
        return {"valueQuantity": _quantity(number, line.unit)}
    return {"valueString": value.text} if value.text.strip() else _absent("unknown")


def _structured(value: SentStructured, line: Observation, feed: Feed) -> dict[str, Any]:
    """An SN: with `:` or `/` a ratio, with `-` a range, with a comparator alone a quantity; any other as text."""
    first, second = _number(value.num1, feed), _number(value.num2, feed)
    known = value.comparator in ("", "=", *_COMPARATORS)
    sign = value.comparator if value.comparator in _COMPARATORS else ""
    if first is not None and known:
        if second is not None and value.separator in (":", "/"):
            above = {"value": first} | ({"comparator": sign} if sign else {})
            return {"valueRatio": {"numerator": above, "denominator": {"value": second}}}
        if second is not None and value.separator == "-" and not sign:
            return {"valueRange": {"low": _quantity(first, line.unit), "high": _quantity(second, line.unit)}}
        if not value.num2 and not value.separator:
            return {"valueQuantity": _quantity(first, line.unit, sign)}
    text = f"{value.comparator}{value.num1}{value.separator}{value.num2}"
    return {"valueString": text} if text.strip() else _absent("unknown")


def _number(text: str, feed: Feed) -> Decimal | None:
    """A number in its digits; None where the text is none. A comma counts where the feed writes one."""
    plain = text.strip().removeprefix("+")
    if feed.decimal_mark == "," and plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    return Decimal(plain) if _DECIMAL.fullmatch(plain) else None


def _quantity(number: Decimal, unit: Coding | None, comparator: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"value": number}
    if comparator:
        found["comparator"] = comparator
    if unit is not None and (unit.display or unit.code):
        found["unit"] = unit.display or unit.code
        if (system := coding(unit).get("system")) and unit.code.strip():
            found |= {"system": system, "code": unit.code.strip()}
    return found
