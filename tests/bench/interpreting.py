"""How many patients are interpreted in a second of one processor: normalised history in, outcome out.

192 patients whose serology, HEp-2 and CK differ; each also with 50 earlier results over more than a year, of the same
serology with a CK that went up and down: what such results make known is recomputed each time.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from labbridge.interpret import Interpreter
from labbridge.model.history import History
from labbridge.normalise import Normaliser
from labbridge.offline import Readers, case_history
from labbridge.sources import load
from tests.bench.figures import Line, ratios

ROUNDS = 9
RATE, RATE_EXPLAINED, TIMES_AS_LONG = 2000, 1000, 2
TODAY = date(2026, 4, 12)
BLOT, CLIA, CK = ("2", "8", "20", "90"), ("3", "25", "90"), ("120", "500", "1500", "9000")
PATTERN = (("Negative", ""), ("Positive", "AC-19"), ("Positive", "AC-1"), ("", ""))
VISITS, APART_D = 10, 40


def interpreting() -> list[Line]:
    knowledge = load()
    readers = Readers(Normaliser(knowledge), Interpreter(knowledge))
    values = list(itertools.product(BLOT, CLIA, PATTERN, CK))
    new = [_history(number, [found], readers) for number, found in enumerate(values)]
    long = [
        _history(
            number, [(*found[:3], CK[(CK.index(found[3]) + visit) % len(CK)]) for visit in range(VISITS + 1)], readers
        )
        for number, found in enumerate(values)
    ]
    interpret = readers.interpret
    rates: dict[str, list[float]] = {"plain": [], "explained": [], "long": []}
    contestants: list[tuple[str, Callable[[History], object], Sequence[History]]] = [
        ("plain", interpret, new),
        ("explained", interpret.explained, new),
        ("long", interpret, long),
    ]
    for _round in range(ROUNDS):
        for name, call, histories in contestants:
            rates[name].append(_rate(call, histories))
    results = f"{min(len(one.results) for one in new)}-{max(len(one.results) for one in new)} results"
    priors = min(len(one.results) for one in long) - max(len(one.results) for one in new)
    return [
        Line("interpret", "patients a second of one processor", RATE, True, tuple(rates["plain"]), results),
        Line("interpret-why", "patients a second, explained", RATE_EXPLAINED, True, tuple(rates["explained"])),
        Line(
            "interpret-50",
            "times as long with 50 earlier results",
            TIMES_AS_LONG,
            False,
            ratios(rates["plain"], rates["long"]),
            f"at least {priors} earlier results",
        ),
    ]


Values = tuple[str, str, tuple[str, str], str]


def _history(number: int, visits: list[Values], readers: Readers) -> History:
    """A patient seen at these visits, the newest first, 40 days apart."""
    rows: list[dict[str, Any]] = []
    for back, values in enumerate(visits):
        day = TODAY - timedelta(days=APART_D * back + 4)
        rows += _rows(f"{number}-{back}", day, values, earlier=back > 0)
    case = {"id": f"B{number}", "patient": {"sex": "F", "age_years": 50}, "evaluate_at": str(TODAY), "results": rows}
    return case_history(case, readers)


def _rows(name: str, day: date, values: Values, *, earlier: bool) -> list[dict[str, Any]]:
    """The results of one visit; an earlier one always has all five."""
    blot, clia, (grade, pattern), ck = values
    common = {"specimen": "serum", "status": "F", "collected": str(day), "received": str(day + timedelta(days=2))}
    rows: list[dict[str, Any]] = [
        {"filler": f"S{name}", "analyte": "SRP", "method": "line_blot", "manufacturer": "euroimmun", "value": blot,
         "unit": "intensity"},
        {"filler": f"H{name}", "analyte": "HMGCR", "method": "clia", "manufacturer": "werfen", "value": clia, "unit": "CU",
         "cutoff": 20},
        {"filler": f"C{name}", "analyte": "CK", "method": "enzymatic", "value": ck, "unit": "U/L", "ref_low": 26,
         "ref_high": 170},
    ]  # fmt: skip
    if grade or earlier:
        rows.append(
            {"filler": f"E{name}", "analyte": "ANA_HEP2", "method": "hep2_iif", "value": grade or "Negative",
             "titre": "1:320" if pattern else "<1:80", "pattern": pattern or "AC-0"}
        )  # fmt: skip
    if earlier:
        rows.append(
            {
                "filler": f"K{name}",
                "analyte": "CREAT",
                "method": "enzymatic",
                "value": "70",
                "unit": "umol/L",
                "ref_low": 45,
            }
        )
    return [{**row, **common} for row in rows]


def _rate(call: Callable[[History], object], histories: Sequence[History]) -> float:
    begun = time.process_time()
    for one in histories:
        call(one)
    return len(histories) / (time.process_time() - begun)
