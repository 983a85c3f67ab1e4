"""Bodies of FHIR as the demo laboratory would send them, with the codes and the patient of its other messages."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from labbridge.model.work import Feed

MRN, CODES, FILLER, PLACER, SERUM = (
    f"https://laba.example/{name}" for name in "mrn codes filler placer specimen".split()
)
POSTED = Feed(
    name="posted",
    kind="fhir",
    sender="MYOLIS|LABA",
    timezone="Europe/Paris",
    authorities={MRN: "LABA", FILLER: "MYOLIS", PLACER: "MYOCLIN"},
    local_systems=(CODES,),
)
"""The demo laboratory by its other wire: one sender, one authority of patient numbers."""
SECTION: dict[str, Any] = {
    "kind": "fhir",
    "sender": POSTED.sender,
    "timezone": POSTED.timezone,
    "authorities": POSTED.authorities,
    "local_systems": list(POSTED.local_systems),
}
"""The same as a configuration has it."""
COLLECTED = "2026-11-10T09:15:00+01:00"

_DIGITS = re.compile('"§([^§]*)§"')

Element = dict[str, Any]


def coded(code: str, display: str, system: str = CODES) -> Element:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def quantity(number: str, unit: str, comparator: str = "") -> Element:
    """`number` stands in the body in these digits."""
    found = {"value": f"§{number}§", "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    return {"valueQuantity": {**found, "comparator": comparator} if comparator else found}


def result(code: Element, value: Element, status: str = "final", **more: Any) -> Element:
    """An Observation of the patient of the body."""
    return {"resourceType": "Observation", "status": status, "code": code, **value, **more}


def blot(value: str, status: str = "final", **more: Any) -> Element:
    return result(coded("SRPB", "Anti-SRP (line blot)"), quantity(value, "intensity"), status, **more)


def elisa(value: str, status: str = "final", **more: Any) -> Element:
    return result(coded("SRPE", "Anti-SRP (ELISA)"), quantity(value, "U/mL"), status, **more)


def clia(value: str, status: str = "final") -> Element:
    return result(coded("HMGCRC", "Anti-HMGCR IgG (CLIA)"), quantity(value, "CU"), status)


def ck(value: str, status: str = "final") -> Element:
    limits = [{"low": {"value": 39, "unit": "U/L"}, "high": {"value": 190, "unit": "U/L"}}]
    code = coded("2157-6", "Creatine kinase", "http://loinc.org")
    return result(code, quantity(value, "U/L"), status, referenceRange=limits)


def posted(
    control_id: str,
    filler: str,
    *results: Element,
    patient: str = "PT1",
    kind: str = "transaction",
    sent: str = "2026-11-13T12:00:00+01:00",
) -> bytes:
    """A Bundle of one order of one patient: Patient and Specimen, the results (from the third entry on), the report."""
    return bundle(control_id, _group(filler, results, patient), kind=kind, sent=sent)


def bundle(
    control_id: str, *groups: Sequence[Element], kind: str = "transaction", sent: str = "2026-11-13T12:00:00+01:00"
) -> bytes:
    """A Bundle of several patients, each with what `_group` gives."""
    entries = []
    for number, one in enumerate(element for group in groups for element in group):
        url = one.pop("url", f"urn:uuid:00000000-0000-4000-8000-{number:012}")
        entry: Element = {"fullUrl": url, "resource": one}
        if kind in ("transaction", "batch"):
            entry["request"] = {"method": "POST", "url": one["resourceType"]}
        entries.append(entry)
    identifier = {"system": "https://laba.example/bundle", "value": control_id}
    body = {"resourceType": "Bundle", "type": kind, "identifier": identifier, "timestamp": sent, "entry": entries}
    return written(body)


def written(body: Element) -> bytes:
    return _DIGITS.sub(r"\1", json.dumps(body, ensure_ascii=False)).encode()


def group(filler: str, *results: Element, patient: str = "PT1") -> list[Element]:
    return _group(filler, results, patient)


def _group(filler: str, results: Sequence[Element], patient: str) -> list[Element]:
    who, tube = (f"urn:uuid:{kind}-{patient}-{filler}" for kind in ("patient", "tube"))
    subject, specimen = {"reference": who}, {"reference": tube}
    named = [{"url": f"urn:uuid:{filler}-{number}", **one} for number, one in enumerate(results)]
    own = {"subject": subject, "specimen": specimen, "effectiveDateTime": COLLECTED}
    type = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    return [
        {
            "url": who,
            "resourceType": "Patient",
            "identifier": [{"type": type, "system": MRN, "value": patient}],
            "name": [{"family": "TEST", "given": ["SYNTHETIC"]}],
            "gender": "male",
            "birthDate": "1969-04-17",
        },
        {
            "url": tube,
            "resourceType": "Specimen",
            "identifier": [{"system": SERUM, "value": f"S{filler}"}],
            "type": coded("SER", "Serum", "http://terminology.hl7.org/CodeSystem/v2-0487"),
            "subject": subject,
            "collection": {"collectedDateTime": COLLECTED},
        },
        *({**one, **own} for one in named),
        {
            "url": f"urn:uuid:report-{filler}",
            "resourceType": "DiagnosticReport",
            "identifier": [{"type": _typed("FILL"), "system": FILLER, "value": filler}],
            "basedOn": [{"identifier": {"system": PLACER, "value": f"P{filler}"}}],
            "status": "final",
            "code": coded("MYO", "Myositis"),
            "subject": subject,
            "specimen": [specimen],
            "effectiveDateTime": COLLECTED,
            "issued": "2026-11-13T11:00:00+01:00",
            "result": [{"reference": one["url"]} for one in named],
        },
    ]


def _typed(code: str) -> Element:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": code}]}


def patient_alone(number: str, family: str = "TEST", born: str = "1969-04-17") -> bytes:
    """A body that says who a patient is, and no more."""
    type = _typed("MR")
    return written(
        {
            "resourceType": "Patient",
            "identifier": [{"type": type, "system": MRN, "value": number}],
            "name": [{"family": family, "given": ["SYNTHETIC"]}],
            "gender": "male",
            "birthDate": born,
        }
    )
