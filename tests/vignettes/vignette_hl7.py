"""A vignette as a laboratory would send it: one ORU^R01 a result, the questions at order entry with the first of them.

What a row leaves out is absent. Local codes are those of tests/vignettes/site; CK and creatinine go by their LOINC codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

SENDER, FACILITY = "VIGLAB", "LABA"
CODES = {
    ("SRP", "line_blot"): "SRPB^Anti-SRP (line blot)^L^33921-8^SRP Ab^LN",
    ("SRP", "dot_blot"): "SRPD^Anti-SRP (dot blot)^L^33921-8^SRP Ab^LN",
    ("SRP", "elisa"): "SRPE^Anti-SRP IgG (ELISA)^L^33921-8^SRP Ab^LN",
    ("HMGCR", "elisa"): "HMGE^Anti-HMGCR IgG (ELISA)^L^93493-5^HMGCR IgG^LN",
    ("HMGCR", "clia"): "HMGC^Anti-HMGCR IgG (CLIA)^L^93493-5^HMGCR IgG^LN",
    ("CK", "enzymatic"): "2157-6^Creatine kinase [Enzymatic activity/volume] in Serum or Plasma^LN",
    ("CREAT", "enzymatic"): "14682-9^Creatinine [Moles/volume] in Serum or Plasma^LN",
}  # fmt: skip
ANA = "ANAS^ANA^L"  # also for a solid-phase screen that this laboratory shows under the same name
TITRE, PATTERN = "ANAT^ANA, titre^L", "ANAP^ANA, pattern^L"
SPECIMENS = {
    "serum": "SER^Serum^HL70487",
    "heparin_plasma": "PLAS^Heparin plasma^HL70487",
    "edta_plasma": "PLAS^EDTA plasma^HL70487",
    "csf": "CSF^Cerebrospinal fluid^HL70487",
}
STATUSES = {"final": "F", "preliminary": "P", "corrected": "C"}  # a FHIR word where the row came by FHIR
YES_NO = {True: "Y^Yes^HL70136", False: "N^No^HL70136"}
STATIN = {"yes": "Y^Yes^HL70136", "no": "N^No^HL70136", "unknown": "U^Unknown^HL70136"}
ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
COMPARED = re.compile(r"([<>]=?)\s*([0-9]+(?:\.[0-9]+)?)")

Case = dict[str, Any]
Row = dict[str, Any]


def messages(case: Case, patient: str) -> list[bytes]:
    """The messages of a case in the order of its results, for a patient of this identifier."""
    groups = [[*_order(case, row)] for row in case["results"]]
    asked = _asked(case)
    if asked:
        groups[0] += [f"OBR|2|AOE{case['id']}^VIGCLIN|AOE{case['id']}^{SENDER}|AOE^Questions at order entry^L", *asked]
    return [_message(case, patient, number, lines) for number, lines in enumerate(groups, 1)]


def _message(case: Case, patient: str, number: int, lines: list[str]) -> bytes:
    row = case["results"][number - 1]
    head = (
        f"MSH|^~\\&|{SENDER}|{FACILITY}|LABBRIDGE|{FACILITY}|{_at(row['received'], '1500')}||ORU^R01^ORU_R01"
        f"|{patient}-{number}|P|2.5.1|||||FRA|UNICODE UTF-8"
    )
    pid = f"PID|1||{patient}^^^{FACILITY}^MR||VIGNETTE^SYNTHETIC^^^^^L||{born(case):%Y%m%d}|{case['patient']['sex']}"
    return ("\r".join((head, pid, *lines)) + "\r").encode()


def born(case: Case) -> date:
    """A birthday some months before the evaluation, at which the patient then had the age of the case."""
    then = date.fromisoformat(str(case["evaluate_at"])) - timedelta(days=100)
    return date(then.year - int(case["patient"]["age_years"]), then.month, min(then.day, 28))


# ---------------------------------------------------------------- the order of a result


def _order(case: Case, row: Row) -> Iterator[str]:
    drawn, ready, status = _at(row["collected"], "0830"), _at(row["received"], "1500"), _status(row)
    info = _escaped(str((case.get("context") or {}).get("clinical_info") or ""))
    service = _code(row).split("^")
    placer, filler = f"P{row['filler']}^VIGCLIN", f"{row['filler']}^{SENDER}"
    yield f"ORC|RE|{placer}|{filler}"
    yield (
        f"OBR|1|{placer}|{filler}|{service[0]}^{service[1]}^{service[2]}|||{drawn}||||||{info}|{drawn}||||||||{ready}"
        f"||LAB|{status if status in 'CF' else 'P'}"
    )
    for place, (code, value) in enumerate(_lines(row), 1):
        yield _obx(place, code, value, row)
        if place == 1:
            texts = [str(row[name]) for name in ("note", "reason") if row.get(name)]
            yield from (f"NTE|{n}|L|{_escaped(text)}" for n, text in enumerate(texts, 1))
    if row.get("specimen"):
        yield f"SPM|1|^S{row['filler']}&{SENDER}||{SPECIMENS[row['specimen']]}|||||||P^Patient^HL70369||||||{drawn}|{drawn}"


def _lines(row: Row) -> Iterator[tuple[str, str]]:
    """One observation; a HEp-2 slide is several of one order: screen, titre, pattern."""
    yield _code(row), str(row.get("value") or "")
    if row.get("titre"):
        yield TITRE, str(row["titre"])
    if row.get("pattern"):
        yield PATTERN, str(row["pattern"])


def _code(row: Row) -> str:
    return ANA if row["analyte"] == "ANA_HEP2" else CODES[row["analyte"], row["method"]]


def _obx(place: int, code: str, value: str, row: Row) -> str:
    kind, sent = _typed(value)
    unit = _escaped(str(row.get("unit") or ""))
    fields = {
        1: str(place), 2: kind, 3: code, 4: "1", 5: sent, 6: f"{unit}^{unit}^L" if unit else "", 7: _range(row),
        8: abnormal(row, value), 11: _status(row), 14: _at(row["collected"], "0830"),
        17: f"^{_escaped(str(row['method_text']))}^L" if row.get("method_text") else "",
        18: f"{_escaped(str(row['manufacturer']))}^{SENDER}" if row.get("manufacturer") else "",
        19: _at(row["received"], "1400"),
    }  # fmt: skip
    return "|".join(("OBX", *(fields.get(number, "") for number in range(1, 20))))


def _typed(value: str) -> tuple[str, str]:
    """OBX-2 and OBX-5: a number, a comparison as SN, or text."""
    compared = COMPARED.fullmatch(value)
    if compared:
        return "SN", f"{compared[1]}^{compared[2]}"
    return ("NM", value) if not value or NUMBER.fullmatch(value) else ("ST", _escaped(value))


def _range(row: Row) -> str:
    if row.get("cutoff") not in (None, ""):
        return f"<{row['cutoff']}"
    return f"{row['ref_low']}-{row['ref_high']}" if row.get("ref_high") else ""


def abnormal(row: Row, value: str) -> str:
    """OBX-8 of a number beside an interval."""
    if not row.get("ref_high") or not NUMBER.fullmatch(value):
        return ""
    number = float(value)
    return "H" if number > row["ref_high"] else "L" if number < row["ref_low"] else "N"


def _status(row: Row) -> str:
    status = str(row["status"])
    return STATUSES.get(status, status)


# ---------------------------------------------------------------- questions at order entry (contract.md)


def _asked(case: Case) -> list[str]:
    facts = [*_facts(case.get("context") or {})]
    return [
        f"OBX|{place}|{kind}|{code}|{place}|{value}||||||F|||{since}"
        for place, (kind, code, value, since) in enumerate(facts, 1)
    ]


def _facts(context: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    if "suspicion" in context:
        yield "CWE", "SUSPECT_IIM^Myositis suspected^L", YES_NO[context["suspicion"]], ""
    if "statin" in context:
        yield "CWE", "STATIN^Statin exposure^L", STATIN[context["statin"]], ""
    if "ivig_last_date" in context:
        yield "DT", "IVIG_DATE^Last immunoglobulin infusion^L", str(context["ivig_last_date"]).replace("-", ""), ""
    for known in context.get("known_msa") or ():
        if known["confirmed"]:
            since = str(known["since"]).replace("-", "")
            yield "CWE", "KNOWN_MSA^Antibody known^L", f"{known['analyte']}^anti-{known['analyte']}^L", since
            yield "CWE", "KNOWN_MSA_PARTNER^The other was tested^L", YES_NO[known["partner_tested"]], ""


def _at(day: object, time: str) -> str:
    """A local time without an offset; the feed knows its zone."""
    return f"{str(day).replace('-', '')}{time}00"


def _escaped(text: str) -> str:
    return "".join(ESCAPES.get(char, char) for char in text)
