"""Cases in the schema of clinical.md F: few results, every threshold from both sides, serious and rich cases often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar

from hypothesis import strategies as st
from opinion_record import Case, Row

T = TypeVar("T")
Pick = Callable[[Sequence[Any]], Any]

FIRST_DAY = date(2024, 1, 8)
GAPS = (
    0,
    1,
    2,
    3,
    5,
    13,
    14,
    15,
    29,
    30,
    31,
    32,
    60,
    89,
    90,
    91,
    120,
    149,
    150,
    179,
    180,
    181,
    200,
    300,
    365,
    366,
    400,
)
MOST_RESULTS = 8

TEXTS = ("Negative", "négatif", "not detected", "(+)", "borderline", "+", "weak positive", "positive", "++", "+++")
VALUES: dict[str, tuple[str, ...]] = {
    "line_blot": ("0", "5", "5.9", "6", "8", "10.9", "11", "14", "25", "26", "60", "92", "<6", "<10", ">26", ">20"),
    "dot_blot": ("0", "4.9", "5", "8", "10", "10.1", "12", "29", "30", "64", "<5", "<8", ">30", ">12"),
    "quant": ("0", "3", "19.9", "20", "30", "39", "40", "59", "60", "95", "180", "410", "<20", "<30", ">60", ">40"),
    "tier1": ("Negative", "Negative", "Positive", "Positive", "+"),
}
METHODS: dict[str, tuple[str, ...]] = {
    "SRP": ("line_blot",) * 4 + ("dot_blot", "elisa", "elisa", "clia", "albia", "ip_rna", "ip_protein", "tissue_iif"),
    "HMGCR": ("clia",) * 3 + ("elisa",) * 3 + ("line_blot", "dot_blot", "pmat", "ip_protein", "cba", "tissue_iif"),
    "OTHER_MSA": ("line_blot", "line_blot", "dot_blot", "elisa", "ip_protein"),
}
MAKERS: dict[str, tuple[str, ...]] = {
    "line_blot": ("euroimmun", "euroimmun", "euroimmun", "dtek", ""),
    "dot_blot": ("dtek",),
    "elisa": ("werfen", "werfen", "euroimmun"),
    "clia": ("werfen",),
}
ANTIGENS = ("Jo-1", "PL-7", "Mi-2", "MDA5", "TIF1-gamma", "NXP2", "Ro-52", "Ku")
PANEL = ("Jo-1", "PL-7", "PL-12", "Mi-2", "MDA5", "NXP2")
HEP2: tuple[dict[str, str], ...] = (
    {"value": "Negative", "titre": "<1:80", "pattern": "AC-0"},
    {"value": "Negative", "titre": "<1:80", "pattern": "AC-0"},
    {"value": "Negative"},
    {"value": "Positive", "titre": "1:320", "pattern": "AC-19 cytoplasmic dense fine speckled"},
    {"value": "Positive", "titre": "1:320", "pattern": "AC-19"},
    {"value": "Positive", "titre": "1:80", "pattern": "AC-20"},
    {"value": "Positive", "titre": "1/160", "pattern": "AC-20"},
    {"value": "Positive", "titre": "1:640", "pattern": "AC-4 nuclear fine speckled"},
    {"value": "Positive", "titre": "1:640", "pattern": "AC-4", "note": "no cytoplasmic staining"},
    {"value": "Positive", "titre": "1:320", "pattern": "AC-21 cytoplasmic reticular"},
    {"value": "Positive", "titre": "1:320", "pattern": "cytoplasmic"},
    {"value": "Positive", "titre": "1:320"},
    {"value": "Négatif", "note": "Fluorescence cytoplasmique finement granuleuse, titre 1/320"},
    {"value": "Positive", "titre": "1:320", "pattern": "AC-26"},
)
CK_VALUES = (
    *("10", "19", "20", "60", "120", "190", "191", "285", "286", "400", "600", "759", "760", "761", "800", "1500"),
    *("1900", "1901", "2500", "4000", "7000", "9800", "10000", "10001", "31000", "<7", ">10000"),
)
CK_KATAL = ("0.2", "1.5", "3.17", "5", "12.7", "20", "40", "95", "200")
CREATININE: tuple[dict[str, Any], ...] = (
    {"value": "28", "unit": "µmol/L", "ref_low": 45, "ref_high": 84},
    {"value": "44", "unit": "µmol/L"},
    {"value": "62", "unit": "µmol/L"},
    {"value": "0.3", "unit": "mg/dL", "ref_low": 0.5, "ref_high": 1.1},
    {"value": "0.9", "unit": "mg/dL"},
)
# What happens to a result, most often nothing.
FATES = ("final",) * 30 + ("corrected", "withdrawn", "duplicate", "conflict", "pending", "preliminary", "cancelled_ana")
RARE_FATES = ("cancelled", "cancelled_after", "unknown_status", "csf", "edta", "no_specimen", "quality", "late_pending")


def antibody(pick: Pick, analyte: str) -> Row:
    method = str(pick(METHODS[analyte]))
    row: Row = {"method": method, "manufacturer": pick(MAKERS.get(method, ("",))), "unit": ""}
    if method in {"ip_rna", "ip_protein", "cba", "tissue_iif"}:
        return row | {"value": pick(VALUES["tier1"])}
    if pick((False,) * 6 + (True,)):
        row |= {"value": pick(TEXTS)}
    else:
        row |= {"value": pick(VALUES.get(method, VALUES["quant"])), "unit": "U"}
    return row if method in {"line_blot", "dot_blot"} else row | {"cutoff": 20}


def result(pick: Pick, analyte: str) -> Row:
    """One result as sent, without its dates."""
    group = analyte.partition(":")[0]
    if group in METHODS:
        return {"analyte": analyte} | antibody(pick, group)
    if group == "ANA_HEP2":
        if pick((False,) * 12 + (True,)):
            return {"analyte": analyte, "method": "elisa", "value": "Negative", "cutoff": 1.0}
        return {"analyte": analyte, "method": "hep2_iif"} | dict(pick(HEP2))
    row: Row = {"analyte": analyte, "method": "enzymatic"}
    if group == "CREAT":
        return row | dict(pick(CREATININE))
    kind = pick(("usual",) * 8 + ("katal", "no_limit", "odd_limit", "no_unit"))
    limits: Row = {"ref_low": 39, "ref_high": 190}
    if kind == "katal":
        return row | {"value": pick(CK_KATAL), "unit": "µkat/L", "ref_low": 0.65, "ref_high": 3.17}
    if kind == "odd_limit":
        limits = {"ref_low": 0, "ref_high": pick((0, 40, 2500))}
    if kind == "no_limit":
        limits = {}
    return row | {"value": pick(CK_VALUES), "unit": "" if kind == "no_unit" and pick((True, False)) else "U/L"} | limits


def analytes_of_day(pick: Pick) -> list[str]:
    """A day's request: usually the antibodies with CK, sometimes a lone test."""
    kind = pick(("full",) * 4 + ("pair", "srp", "hmgcr", "hep2", "ck", "other", "panel", "two_methods", "follow_up"))
    days: dict[str, list[str]] = {
        "full": ["SRP", "HMGCR", "ANA_HEP2", "CK"],
        "pair": ["SRP", "HMGCR"],
        "srp": ["SRP", "CK"],
        "hmgcr": ["HMGCR", "CK"],
        "hep2": ["ANA_HEP2", "CK"],
        "ck": ["CK"],
        "other": ["SRP", "HMGCR", "CK", f"OTHER_MSA:{pick(ANTIGENS)}"],
        "panel": [f"OTHER_MSA:{antigen}" for antigen in PANEL] + ["SRP"],
        "two_methods": [pick(("SRP", "HMGCR"))] * 2 + ["CK", "ANA_HEP2"],
        "follow_up": [pick(("SRP", "HMGCR")), "CK", "CREAT"],
    }
    return days[kind]


def versions(pick: Pick, row: Row, collected: date) -> list[Row]:
    """The messages that report one result."""
    received = collected + timedelta(days=pick((0, 1, 3)))
    first = row | {"specimen": "serum", "status": "F", "collected": str(collected), "received": str(received)}
    later = str(received + timedelta(days=pick((1, 4))))
    changed = result(lambda options: options[0], row["analyte"]) | {"method": row["method"]}
    other = first | {"value": changed["value"], "received": later}
    fate = pick(FATES if pick((True,) * 3 + (False,)) else FATES + RARE_FATES)
    empty: Row = {"value": "", "titre": "", "pattern": "", "note": ""}
    single: dict[str, Row] = {
        "pending": empty | {"status": "I"},
        "preliminary": {"status": "P"},
        "cancelled": empty | {"status": "X"},
        "cancelled_ana": empty | {"status": "X", "reason": "ANA negative, test not performed"},
        "unknown_status": {"status": "Z"},
        "csf": {"specimen": "csf"},
        "edta": {"specimen": "edta_plasma"},
        "no_specimen": {"specimen": ""},
        "quality": {"note": "gross haemolysis"},
    }
    second: dict[str, Row] = {
        "corrected": other | {"status": "C"},
        "withdrawn": first | empty | {"status": "D", "received": later},
        "duplicate": first | {"received": later},
        "conflict": other,
        "cancelled_after": first | empty | {"status": "X", "received": later},
        "late_pending": other | {"status": "P"},
    }
    if (fate == "quality" and row.get("note")) or (fate == "unknown_status" and not row.get("unit")):
        return [first]
    if fate in single:
        return [first | single[fate]]
    return [first, second[fate]] if fate in second else [first]


def context(pick: Pick, last: date) -> dict[str, Any]:
    found: dict[str, Any] = {
        "suspicion": pick((True, False)),
        "statin": pick(("yes", "no", "unknown")),
    }
    if pick((True,) + (False,) * 7):
        found["ivig_last_date"] = str(last - timedelta(days=pick((1, 20, 60, 89, 90, 91, 120, 200))))
    if pick((True,) + (False,) * 4):
        known = {"analyte": pick(("SRP", "HMGCR")), "confirmed": True, "since": "2022-05-02"}
        found["known_msa"] = [known | {"partner_tested": pick((True, False))}]
    return found


def build(pick: Pick) -> Case:
    """One case, from a way of choosing."""
    day = FIRST_DAY + timedelta(days=pick((0, 50)))
    rows: list[Row] = []
    for number in range(pick((1, 1, 2, 2, 3))):
        day += timedelta(days=pick(GAPS)) if number else timedelta()
        for analyte in analytes_of_day(pick):
            if len(rows) < MOST_RESULTS and pick((True,) * 9 + (False,)):
                filler = f"R{len(rows) + 1}"
                rows += [row | {"filler": filler} for row in versions(pick, result(pick, analyte), day)]
    last = max((date.fromisoformat(row["received"]) for row in rows), default=day)
    return {
        "id": "opinion",
        "patient": {
            "sex": pick(("F", "M", "F", "M", "U", "")),
            "age_years": pick((48, 63, 36, 49, 50, 9, 17, 18, None)),
        },
        "context": context(pick, day),
        "evaluate_at": str(last + timedelta(days=pick((0, 1, 3, 10, 18, 21, 22)))),
        "results": rows,
    }


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Hypothesis chooses; shrinking goes to the first option everywhere."""
    return build(lambda options: draw(st.sampled_from(options)))
