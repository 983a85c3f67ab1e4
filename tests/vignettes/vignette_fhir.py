"""A vignette as a laboratory would send it by FHIR: one Bundle a result, the questions at order entry with the first one.

The same rows, codes and texts as in vignette_hl7; what a row leaves out is absent. The forms vary as senders' do: a titre
as a Ratio, the maker as a Device, facts as Observation, MedicationStatement and Condition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from vignette_hl7 import (
    ANA,
    CODES,
    COMPARED,
    FACILITY,
    NUMBER,
    PATTERN,
    SENDER,
    SPECIMENS,
    TITRE,
    Case,
    Row,
    abnormal,
    born,
)

from labbridge.model.work import Feed

LAB, TERMS = "https://viglab.example", "http://terminology.hl7.org/CodeSystem"
OWN = f"{LAB}/codes"
FEED = Feed(
    name="viglab",
    kind="fhir",
    sender=f"{SENDER}|{FACILITY}",
    timezone="Europe/Paris",
    cytoplasmic_reported_as="positive",
    authorities={f"{LAB}/mrn": FACILITY, f"{LAB}/orders": SENDER, f"{LAB}/requests": "VIGCLIN"},
    local_systems=(OWN,),
)
SYSTEMS = {"L": OWN, "LN": "http://loinc.org", "HL70487": f"{TERMS}/v2-0487"}
STATUSES = {"F": "final", "P": "preliminary", "C": "corrected", "I": "registered"}
RATIO = re.compile(r"(?P<comparator>[<>]=?)?1[:/](?P<reciprocal>[0-9]+)")
TAKEN = {"yes": "active", "no": "not-taken"}

Resource = dict[str, Any]


def bodies(case: Case, patient: str) -> list[bytes]:
    """The bodies of a case in the order of its results, for a patient of this identifier."""
    return [_body(case, patient, number) for number in range(1, len(case["results"]) + 1)]


def _body(case: Case, patient: str, number: int) -> bytes:
    row = case["results"][number - 1]
    found = [*_order(row), *(_facts(case.get("context") or {}) if number == 1 else ())]
    subject = {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"}
    about = [{**one, "subject": subject} if one["resourceType"] != "Device" else one for one in found]
    person = {
        "resourceType": "Patient",
        "identifier": [{"type": _coded("MR", "v2-0203"), "system": f"{LAB}/mrn", "value": patient}],
        "name": [{"family": "VIGNETTE", "given": ["SYNTHETIC"]}],
        "gender": {"F": "female", "M": "male"}[case["patient"]["sex"]],
        "birthDate": born(case).isoformat(),
    }
    entries = [{"fullUrl": subject["reference"], "resource": person}]
    entries += [{"fullUrl": f"{LAB}/{one['resourceType']}/{one['id']}", "resource": one} for one in about]
    bundle = {
        "resourceType": "Bundle",
        "identifier": {"system": f"{LAB}/messages", "value": f"{patient}-{number}"},
        "type": "collection",
        "timestamp": _at(row["received"], 15),
        "entry": entries,
    }
    return json.dumps(bundle, ensure_ascii=False).encode()


# ---------------------------------------------------------------- the order of a result


def _order(row: Row) -> Iterator[Resource]:
    drawn, ready, name = _at(row["collected"], 8), _at(row["received"], 15), str(row["filler"])
    lines = [_line(row, place, code, value) for place, (code, value) in enumerate(_lines(row), 1)]
    texts = [{"text": str(row[key])} for key in ("note", "reason") if row.get(key)]
    if texts:
        lines[0]["note"] = texts
    yield from lines
    if row.get("manufacturer"):
        named = {"name": row["manufacturer"], "type": "manufacturer-name"}
        yield {"resourceType": "Device", "id": f"D{name}", "deviceName": [named]}
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "id": name,
        "identifier": [{"type": _coded("FILL", "v2-0203"), "system": f"{LAB}/orders", "value": name}],
        "basedOn": [{"identifier": {"system": f"{LAB}/requests", "value": f"P{name}"}}],
        "status": lines[0]["status"],
        "code": _concept(_code(row)),
        "effectiveDateTime": drawn,
        "issued": ready,
        "result": [{"reference": f"Observation/{one['id']}"} for one in lines],
    }
    if row.get("specimen"):
        report["specimen"] = [{"reference": f"Specimen/S{name}"}]
        yield {
            "resourceType": "Specimen",
            "id": f"S{name}",
            "accessionIdentifier": {"system": f"{LAB}/orders", "value": f"S{name}"},
            "type": _concept(SPECIMENS[row["specimen"]]),
            "receivedTime": drawn,
            "collection": {"collectedDateTime": drawn},
        }
    yield report


def _lines(row: Row) -> Iterator[tuple[str, str]]:
    yield _code(row), str(row.get("value") or "")
    if row.get("titre"):
        yield TITRE, str(row["titre"])
    if row.get("pattern"):
        yield PATTERN, str(row["pattern"])


def _code(row: Row) -> str:
    return ANA if row["analyte"] == "ANA_HEP2" else CODES[row["analyte"], row["method"]]


def _line(row: Row, place: int, code: str, value: str) -> Resource:
    status, flag = str(row["status"]), abnormal(row, value)
    found: Resource = {
        "resourceType": "Observation",
        "id": f"{row['filler']}-{place}",
        "status": STATUSES.get(status, status),
        "code": _concept(code),
        "effectiveDateTime": _at(row["collected"], 8),
        "issued": _at(row["received"], 14),
        **_value(value, str(row.get("unit") or "")),
    }
    if flag:
        found["interpretation"] = [_coded(flag, "v3-ObservationInterpretation")]
    if row.get("method_text"):
        found["method"] = {"text": row["method_text"]}
    if row.get("manufacturer"):
        found["device"] = {"reference": f"Device/D{row['filler']}"}
    if row.get("specimen"):
        found["specimen"] = {"reference": f"Specimen/S{row['filler']}"}
    return {**found, **_range(row)}


def _value(value: str, unit: str) -> Resource:
    """A number, a comparison, a titre as the ratio it is, or text; without a value, that there is none."""
    units = {"unit": unit} if unit else {}
    if not value:
        return {"dataAbsentReason": _coded("unknown", "data-absent-reason")}
    if compared := COMPARED.fullmatch(value):
        return {"valueQuantity": {"value": _number(compared[2]), "comparator": compared[1], **units}}
    if NUMBER.fullmatch(value):
        return {"valueQuantity": {"value": _number(value), **units}}
    if titre := RATIO.fullmatch(value):
        comparator = {"comparator": titre["comparator"]} if titre["comparator"] else {}
        return {
            "valueRatio": {"numerator": {"value": 1, **comparator}, "denominator": {"value": int(titre["reciprocal"])}}
        }
    return {"valueString": value}


def _range(row: Row) -> Resource:
    if row.get("cutoff") not in (None, ""):
        return {"referenceRange": [{"high": {"value": _number(row["cutoff"])}, "text": f"<{row['cutoff']}"}]}
    if not row.get("ref_high"):
        return {}
    low, high = ({"value": _number(row[name]), "unit": row["unit"]} for name in ("ref_low", "ref_high"))
    return {"referenceRange": [{"low": low, "high": high}]}


# ---------------------------------------------------------------- questions at order entry (contract.md)


def _facts(context: dict[str, Any]) -> Iterator[Resource]:
    if "suspicion" in context:
        yield _asked("SUSPECT_IIM", {"valueBoolean": context["suspicion"]})
    if context.get("statin") in TAKEN:
        yield {
            "resourceType": "MedicationStatement",
            "id": "STATIN",
            "status": TAKEN[context["statin"]],
            "medicationCodeableConcept": _concept("STATIN^Statin exposure^L"),
        }
    elif "statin" in context:
        yield _asked("STATIN", {"valueCodeableConcept": _coded("U", "v2-0136")})
    if "ivig_last_date" in context:
        yield _asked("IVIG_DATE", {"valueDateTime": str(context["ivig_last_date"])})
    for known in context.get("known_msa") or ():
        if known["confirmed"]:
            yield {
                "resourceType": "Condition",
                "id": "KNOWN-MSA",
                "verificationStatus": _coded("confirmed", "condition-ver-status"),
                "code": {"coding": [{"system": OWN, "code": "KNOWN_MSA"}, {"system": OWN, "code": known["analyte"]}]},
                "onsetDateTime": str(known["since"]),
            }
            yield _asked("KNOWN_MSA_PARTNER", {"valueBoolean": known["partner_tested"]})


def _asked(code: str, value: Resource) -> Resource:
    said = {"status": "final", "code": {"coding": [{"system": OWN, "code": code}]}, **value}
    return {"resourceType": "Observation", "id": code.replace("_", "-"), **said}


# ---------------------------------------------------------------- parts


def _number(digits: object) -> Any:
    return json.loads(str(digits))


def _coded(code: str, system: str) -> Resource:
    return {"coding": [{"system": f"{TERMS}/{system}", "code": code}]}


def _concept(field: str) -> Resource:
    """The codings of a CWE field: code, name and system, and the same again."""
    parts = field.split("^")
    triplets = (parts[at : at + 3] for at in range(0, len(parts), 3))
    return {"coding": [{"system": SYSTEMS[system], "code": code, "display": name} for code, name, system in triplets]}


def _at(day: object, hour: int) -> str:
    """The hour of the laboratory's clock, with the offset it then has. At 8 it is half past, as on the other wire."""
    minute = 30 if hour == 8 else 0
    return datetime.fromisoformat(f"{day}T{hour:02}:{minute:02}:00").replace(tzinfo=ZoneInfo(FEED.timezone)).isoformat()
