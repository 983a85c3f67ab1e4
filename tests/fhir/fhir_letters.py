"""Comments for a FHIR server, of one synthetic patient."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from labbridge.fhir.naming import OURS
from labbridge.fhir.outgoing import About, Note, Ordered, ServerForm, Signed, comment_bundle, order_bundle
from labbridge.model.outcome import Flag, Priority, Retest, Severity
from labbridge.model.report import EntityId, Identifier, Observation, Order, Patient, Specimen, Timestamp
from labbridge.model.values import Coding

NOW = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)
TEXT = "Anti-SRP positive by line immunoassay; HEp-2 IIF negative."
FORM = ServerForm(
    base="https://fhir.laba.example/r4",
    systems={"LABA": "https://laba.example/mrn", "MYOLIS": "https://laba.example/filler"},
    facility="LABA",
    comment=(Coding("8251-1", "Service comment", "LN"), Coding("LBCMT", "labbridge interpretive comment", OURS)),
    software="1.0.0",
    timezone="Europe/Paris",
    meanings={"HEP2_NEG_MSA_POS": "HEp-2 is negative beside a positive antibody"},
    analytes={"SRP": "anti-SRP", "CK": "CK"},
    services={("SRP", "ip"): Coding("SRPIP", "anti-SRP by immunoprecipitation", "L")},
)
SRP = Observation(
    at="OBX[1]",
    codes=(Coding("SRPB", "Anti-SRP (line blot)", "L"),),
    number=EntityId("R1", "https://laba.example/result"),
)
HEP2 = Observation(at="OBX[2]", codes=(Coding("ANATIT", "HEp-2 titre", "L"),))
TAKEN = Timestamp("202611100915+0100", datetime.fromisoformat("2026-11-10T09:15:00+01:00"), date(2026, 11, 10))
ORDER = Order(
    at="OBR[1]",
    placer=EntityId("PL-1", "MYOCLIN"),
    filler=EntityId("FL-1", "MYOLIS"),
    collected=TAKEN,
    specimens=(Specimen(filler=EntityId("S-1", "MYOLIS")),),
    observations=(SRP, HEP2),
)
PATIENT = Patient(identifiers=(Identifier("LABA", "PT1", "MR"),), family_name="TEST", given_name="SYNTHETIC")
ABOUT = About(patient=PATIENT, order=ORDER, result=SRP, results={"M1:OBX[1]": (ORDER, SRP), "M1:OBX[2]": (ORDER, HEP2)})
FLAG = Flag(
    code="HEP2_NEG_MSA_POS", severity=Severity.MAJOR, rule="R-1@1", evidence=("M1:OBX[1]", "M1:OBX[2]"), analyte="SRP"
)
RETEST = Retest(
    analyte="SRP", families=("ip", "quant"), priority=Priority.URGENT, reason=FLAG.code, not_before=date(2026, 12, 1)
)
SIGNED = Signed(signer="Alex Smith", control_id="LB-0001", now=NOW, knowledge="2026.11-abc")


def note(text: str = TEXT, **more: Any) -> Note:
    about = {"flags": (FLAG,), "retests": (RETEST,), "used": ("M1:OBX[1]", "M1:OBX[2]")}
    return Note(**{"key": "LB1", "text": text, **about, **more})


def comment(
    text: str = TEXT, form: ServerForm = FORM, signed: Signed = SIGNED, about: About = ABOUT, **more: Any
) -> bytes:
    return comment_bundle(note(text, **more), about, signed, form)


def order(form: ServerForm = FORM, **more: Any) -> bytes:
    found = {
        "number": "LBO-1",
        "service": Coding("SRPIP", "anti-SRP by immunoprecipitation", "L"),
        "priority": Priority.ROUTINE,
        "reason": FLAG.code,
        "note": "Retest R7, requested by rule R-1@1",
        "comment": "LB1",
        "flagged": True,
    }
    return order_bundle(Ordered(**{**found, **more}), ABOUT, SIGNED, form)


def resources(raw: bytes) -> dict[str, list[dict[str, Any]]]:
    """The resources of a Bundle by their type."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in json.loads(raw)["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return found
