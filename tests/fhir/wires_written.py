"""Results as a laboratory has them, written for either wire: OBX segments, and Observations (v2-to-FHIR)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

TERMS = "http://terminology.hl7.org/CodeSystem"
LAB = "https://laba.example"
SYSTEMS = {
    "L": f"{LAB}/codes",
    "LN": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "UCUM": "http://unitsofmeasure.org",
    "LABBRIDGE": "LABBRIDGE",
    "HL70487": f"{TERMS}/v2-0487",
}
STATUSES = {
    "F": "final", "C": "corrected", "A": "amended", "P": "preliminary", "I": "registered", "X": "cancelled",
    "D": "entered-in-error", "W": "entered-in-error",
}  # fmt: skip
ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
HEAD = "MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113120000+0100||ORU^R01^ORU_R01|M1|P|2.5.1|||||FRA|UNICODE UTF-8"
DRAWN, READY, SENT = "2026-11-10T09:15:00+01:00", "2026-11-13T11:00:00+01:00", "2026-11-13T12:00:00+01:00"

Code = tuple[str, str, str]  # code, name, system as in HL7 v2
Resource = dict[str, Any]


class Number(msgspec.Struct, frozen=True):
    digits: str
    comparator: str = ""


class Titre(msgspec.Struct, frozen=True):
    """A titre as the ratio that it is."""

    reciprocal: str
    comparator: str = ""


class Between(msgspec.Struct, frozen=True):
    low: str
    high: str


class Coded(msgspec.Struct, frozen=True):
    codes: tuple[Code, ...]
    text: str = ""


class Text(msgspec.Struct, frozen=True):
    text: str


class Whole(msgspec.Struct, frozen=True):
    """A count, for which FHIR has a type of its own."""

    digits: str


class Said(msgspec.Struct, frozen=True):
    """Yes or no (table 0136)."""

    yes: bool


class Absent(msgspec.Struct, frozen=True):
    pass


Value = Number | Titre | Between | Coded | Text | Whole | Said | Absent


class Limits(msgspec.Struct, frozen=True):
    """A reference range: two limits, an upper one (`excluded`: written as `<20`), a lower one, or words."""

    low: str = ""
    high: str = ""
    excluded: bool = False
    text: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One result. `unit` stands with a number: a word has none by FHIR."""

    code: tuple[Code, ...]
    value: Value
    status: str = "F"
    unit: Code | None = None
    limits: Limits = Limits()
    flags: tuple[str, ...] = ()
    flag_text: str = ""  # of the first flag, in its sender's words
    method: Code | None = None
    equipment: str = ""
    notes: tuple[str, ...] = ()

    @property
    def measured(self) -> Code | None:
        return self.unit if isinstance(self.value, Number | Between) else None


# ---------------------------------------------------------------- HL7 v2


def message(lines: Sequence[Line], specimen: Code | None) -> bytes:
    found = [HEAD, "PID|1||PT1^^^LABA^MR||TEST^SYNTHETIC||19690417|M", "ORC|RE|P1^MYOCLIN|F1^MYOLIS"]
    found.append(
        f"OBR|1|P1^MYOCLIN|F1^MYOLIS|MYO^Myositis antibodies^L|||{_dtm(DRAWN)}|||||||||||||||{_dtm(READY)}||LAB|F"
    )
    for number, line in enumerate(lines, 1):
        found.append(_obx(number, line))
        found += [f"NTE|{place}|L|{_escaped(text)}" for place, text in enumerate(line.notes, 1)]
    if specimen is not None:
        found.append(f"SPM|1|^S1&MYOLIS||{_field(specimen)}|||||||P^Patient^HL70369||||||{_dtm(DRAWN)}")
    return ("\r".join(found) + "\r").encode()


def _obx(number: int, line: Line) -> str:
    kind, sent = _sent(line.value)
    fields = {
        1: str(number), 2: kind, 3: "^".join(map(_field, line.code)), 4: str(number), 5: sent,
        6: _field(line.measured) if line.measured else "", 7: _escaped(_limits(line.limits)),
        8: _flags(line), 11: line.status, 17: _field(line.method) if line.method else "",
        18: f"{line.equipment}^MYOLIS" if line.equipment else "", 19: _dtm(READY),
    }  # fmt: skip
    return "|".join(("OBX", *(fields.get(place, "") for place in range(1, 20))))


def _flags(line: Line) -> str:
    first, *others = map(_escaped, line.flags or ("",))
    return "~".join((f"{first}^^^^^^^^{_escaped(line.flag_text)}" if first and line.flag_text else first, *others))


def _sent(value: Value) -> tuple[str, str]:
    match value:
        case Number(digits, comparator):
            return ("SN", f"{comparator}^{digits}") if comparator else ("NM", digits)
        case Titre(reciprocal, comparator):
            return "SN", f"{comparator}^1^:^{reciprocal}"
        case Between(low, high):
            return "SN", f"^{low}^-^{high}"
        case Coded(codes, text):
            triplets = "".join(f"{_field(code)}^" for code in codes)
            return "CWE", f"{triplets}{'^' * (8 - triplets.count('^'))}{_escaped(text)}".rstrip("^")
        case Text(text):
            return "ST", _escaped(text)
        case Whole(digits):
            return "NM", digits
        case Said(yes):
            return "ID", "Y" if yes else "N"
        case Absent():
            return "ST", ""


def _limits(limits: Limits) -> str:
    if limits.low and limits.high:
        return f"{limits.low}-{limits.high}"
    if limits.high:
        return f"{'<' if limits.excluded else '<='}{limits.high}"
    return f">={limits.low}" if limits.low else limits.text


def _field(code: Code) -> str:
    return "^".join(map(_escaped, code))


def _escaped(text: str) -> str:
    return "".join(ESCAPES.get(char, char) for char in text)


def _dtm(text: str) -> str:
    return text.replace("-", "").replace(":", "").replace("T", "")


# ---------------------------------------------------------------- FHIR


def body(lines: Sequence[Line], specimen: Code | None, shape: str = "report") -> bytes:
    """A Bundle of the results: `report`, named by a DiagnosticReport; `panel`, members of an Observation; `components` of
    one (what lines have apart, their notes and methods, is then that of the first)."""
    tube = {"specimen": [{"reference": "urn:tube"}]} if specimen else {}
    observations = [_observation(line) | ({"specimen": tube["specimen"][0]} if tube else {}) for line in lines]
    head = {
        "identifier": [{"type": _coded("FILL", "v2-0203"), "system": f"{LAB}/filler", "value": "F1"}],
        "basedOn": [{"identifier": {"system": f"{LAB}/placer", "value": "P1"}}],
        "status": "final",
        "code": _concept((("MYO", "Myositis antibodies", "L"),)),
        "effectiveDateTime": DRAWN,
        "issued": READY,
    }
    entries: list[Resource] = [{"fullUrl": "urn:patient", "resource": _PATIENT}]
    about = {"subject": {"reference": "urn:patient"}}
    if specimen:
        number = {"system": f"{LAB}/specimen", "value": "S1"}
        taken = {"type": _concept((specimen,)), "collection": {"collectedDateTime": DRAWN}}
        resource = {"resourceType": "Specimen", "accessionIdentifier": number, **taken, **about}
        entries.append({"fullUrl": "urn:tube", "resource": resource})
    for place, one in enumerate(observations if shape != "components" else []):
        entries.append({"fullUrl": f"urn:result:{place}", "resource": {**one, **about}})
    entries.append({"resource": {**head, **_holding(shape, observations, tube), **about}})
    bundle = {"resourceType": "Bundle", "type": "collection", "timestamp": SENT, "entry": entries}
    return msgspec.json.encode(bundle)


def _holding(shape: str, observations: Sequence[Resource], tube: Resource) -> Resource:
    """What holds the results together, and how."""
    members = [{"reference": f"urn:result:{number}"} for number in range(len(observations))]
    if shape == "report":
        return {"resourceType": "DiagnosticReport", "result": members, **tube}
    one = {name: sent[0] for name, sent in tube.items()}
    if shape == "panel":
        return {"resourceType": "Observation", "hasMember": members, **one}
    parts = ("code", "interpretation", "referenceRange")
    components = [
        {name: value for name, value in sent.items() if name in parts or name.startswith(("value", "dataAbsent"))}
        for sent in observations
    ]
    shared = {name: observations[0][name] for name in ("method", "device", "note") if name in observations[0]}
    return {"resourceType": "Observation", "component": components, **shared, **one}


_PATIENT = {
    "resourceType": "Patient",
    "identifier": [
        {"type": {"coding": [{"system": f"{TERMS}/v2-0203", "code": "MR"}]}, "system": f"{LAB}/mrn", "value": "PT1"}
    ],
    "name": [{"family": "TEST", "given": ["SYNTHETIC"]}],
    "gender": "male",
    "birthDate": "1969-04-17",
}


def _observation(line: Line) -> Resource:
    found: Resource = {
        "resourceType": "Observation",
        "status": STATUSES[line.status],
        "code": _concept(line.code),
        "effectiveDateTime": DRAWN,
        "issued": READY,
        **_value(line),
    }
    if line.flags:
        found["interpretation"] = [_coded(flag, "v3-ObservationInterpretation") for flag in line.flags]
        found["interpretation"][0] |= {"text": line.flag_text} if line.flag_text else {}
    if line.method:
        found["method"] = _concept((line.method,))
    if line.equipment:
        found["device"] = {"display": line.equipment}
    if line.notes:
        found["note"] = [{"text": text} for text in line.notes]
    if line.limits != Limits():
        found["referenceRange"] = [_range(line.limits, line.measured)]
    return found


def _value(line: Line) -> Resource:
    match line.value:
        case Number(digits, comparator):
            return {"valueQuantity": _quantity(digits, line.measured, comparator)}
        case Titre(reciprocal, comparator):
            return {"valueRatio": {"numerator": _quantity("1", None, comparator), "denominator": _quantity(reciprocal)}}
        case Between(low, high):
            return {"valueRange": {"low": _quantity(low, line.measured), "high": _quantity(high, line.measured)}}
        case Coded(codes, text):
            return {"valueCodeableConcept": {**(_concept(codes) if codes else {}), **({"text": text} if text else {})}}
        case Text(text):
            return {"valueString": text}
        case Whole(digits):
            return {"valueInteger": int(digits)}
        case Said(yes):
            return {"valueBoolean": yes}
        case Absent():
            return {"dataAbsentReason": _coded("unknown", "data-absent-reason")}


def _quantity(digits: str, unit: Code | None = None, comparator: str = "") -> Resource:
    found: Resource = {"value": msgspec.Raw(digits.encode())}
    if comparator:
        found["comparator"] = comparator
    if unit is not None:
        code, name, system = unit
        found |= {"unit": name} | ({"system": SYSTEMS[system], "code": code} if code else {})
    return found


def _range(limits: Limits, unit: Code | None) -> Resource:
    found: Resource = {
        name: _quantity(digits, unit) for name, digits in (("low", limits.low), ("high", limits.high)) if digits
    }
    text = f"<{limits.high}" if limits.excluded and limits.high and not limits.low else limits.text
    return {**found, **({"text": text} if text else {})}


def _coded(code: str, system: str) -> Resource:
    return {"coding": [{"system": f"{TERMS}/{system}", "code": code}]}


def _concept(codes: Sequence[Code]) -> Resource:
    """A coding of each; a name alone is the concept's text."""
    coded = [
        {"system": SYSTEMS[system], "code": code, **({"display": name} if name else {})}
        for code, name, system in codes
        if code
    ]
    return {"coding": coded} if coded else {"text": codes[0][1]}
