"""A synthetic archive of a laboratory, by a seed: years of CK and ANA, with myositis antibodies among them.

Nobody is in it. Names and units are what laboratories call these tests (codes.md 3 and 6; the reference tables of the
corpus), the values are drawn. Rows of one order have one number; some are corrected later; some lots drift; some codes,
units and values are such as no table knows, so that there is something not to understand.

    python -m tests.bench.archive_made ROWS FILE [SEED]
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

from labbridge.rows.archive import COLUMNS

FIRST, DAYS = date(2021, 1, 4), 1826
SENDER, AUTHORITY = "MYOLIS|LABA", "LABA"
PANEL, FOLLOWED, ANA_ONLY = 0.06, 0.35, 0.30
CK = (("LN", "2157-6", "Creatine kinase"), ("LN", "24335-2", "CK"), ("L", "S-CK", "S-CK"), ("L", "P-CK", "P-CK"))
UNITS = (("U/L", 1.0), ("U/L", 1.0), ("U/l", 1.0), ("u/l", 1.0), ("ukat/L", 1 / 60))
ANA_TEXTS = (("Negative", "<1:80", "AC-0"), ("Positive", "1:160", "AC-4"), ("Positive", "1:320", "AC-1"),
             ("Positive", "1:640", "AC-3"), ("Positive", "1:320", "AC-19"))  # fmt: skip
ANA_SHARE = (0.72, 0.12, 0.08, 0.05, 0.03)
LOTS = 12
SITE = Path(__file__).with_name("archive_site")


def rows(count: int, seed: int = 9) -> Iterator[tuple[str, ...]]:
    """So many rows in the order of COLUMNS, patients one after the other."""
    random = Random(seed)
    made, patient = 0, 0
    while made < count:
        patient += 1
        for row in _patient(patient, random):
            yield row
            made += 1
            if made == count:
                return


def write(path: Path, count: int, seed: int = 9) -> None:
    """The same as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows(count, seed))


def _row(**cells: str) -> tuple[str, ...]:
    return tuple(cells.get(name, "") for name in COLUMNS)


def _patient(number: int, random: Random) -> Iterator[tuple[str, ...]]:
    born = date(1935, 1, 1) + timedelta(days=random.randrange(27_000))
    sex = "F" if random.random() < 0.6 else "M"
    who = {"patient": f"S{number:08}", "birth_date": born.isoformat(), "sex": sex}
    ill = random.random() < 0.004
    panel = ill or random.random() < PANEL
    visits = random.choice((2, 3, 4, 6)) if ill or random.random() < FOLLOWED else 1
    day = random.randrange(DAYS)
    level = random.lognormvariate(8.2, 0.8) if ill else random.lognormvariate(4.7, 0.6)
    for visit in range(visits):
        yield from _visit(who, f"{number:07}{visit}", day, random, {"ill": ill, "panel": panel, "level": level})
        day += random.randrange(2, 120)
        level *= random.uniform(0.5, 1.2) if ill else random.uniform(0.7, 1.4)
        if day >= DAYS:
            return


def _visit(
    who: dict[str, str], name: str, day: int, random: Random, about: dict[str, float]
) -> Iterator[tuple[str, ...]]:
    collected = datetime.combine(FIRST + timedelta(days=day), datetime.min.time()) + timedelta(
        minutes=420 + random.randrange(600)
    )
    received = collected + timedelta(minutes=30 + random.randrange(240))
    reported = received + timedelta(minutes=60 + int(random.expovariate(1 / 900)))
    common = {
        **who,
        "collected": f"{collected:%Y-%m-%d %H:%M}",
        "received": f"{received:%Y-%m-%d %H:%M}",
        "reported": f"{reported:%Y-%m-%d %H:%M}",
        "status": "F",
        "specimen": "SER",
        "specimen_id": f"T{name}",
    }
    ana_only = not about["panel"] and random.random() < ANA_ONLY
    if not ana_only:
        yield from _ck(common, name, random, about["level"])
    if ana_only or about["panel"] or random.random() < 0.25:
        yield from _ana({**common, "order": f"A{name}"}, random)
    if about["panel"]:
        yield from _antibodies({**common, "order": f"M{name}"}, day, random, ill=bool(about["ill"]))


def _ck(common: dict[str, str], name: str, random: Random, level: float) -> Iterator[tuple[str, ...]]:
    system, code, title = random.choice(CK) if random.random() > 0.0005 else ("L", "CKSUB", "CK, substitute analyser")
    unit, factor = random.choice(UNITS)
    number = level * factor
    value = f"{number:.2f}" if factor < 1 else f"{number:.0f}"
    odd = random.random()
    if odd < 0.0004:
        unit = "U/dl"
    elif odd < 0.0008:
        value = "hemolytic"
    limits = "26-170" if common["sex"] == "F" else "30-200"
    if factor < 1:
        limits = "0.4-2.8" if common["sex"] == "F" else "0.5-3.3"
    cells = {**common, "order": f"C{name}", "system": system, "code": code, "name": title, "unit": unit,
             "reference_range": limits}  # fmt: skip
    yield _row(**cells, value=value)
    if random.random() < 0.003:
        yield _row(**{**cells, "status": "C", "value": f"{number * 1.1:.2f}" if factor < 1 else f"{number * 1.1:.0f}"})


def _ana(common: dict[str, str], random: Random) -> Iterator[tuple[str, ...]]:
    screen, titre, pattern = random.choices(ANA_TEXTS, ANA_SHARE)[0]
    yield _row(**common, code="ANAS", name="ANA HEp-2 IIF, screen", value=screen)
    yield _row(**common, code="ANAT", name="ANA HEp-2 IIF, titre", value=titre, reference_range="<1:80")
    yield _row(**common, code="ANAP", name="ANA HEp-2 IIF, pattern", value=pattern)
    if random.random() < 0.05:
        yield _row(**common, code="ENAX", name="ENA screen", value=screen)


def _antibodies(common: dict[str, str], day: int, random: Random, *, ill: bool) -> Iterator[tuple[str, ...]]:
    srp = ill and random.random() < 0.5
    lot = day * LOTS // DAYS
    drift = 4.0 if lot == LOTS - 3 else 1.0  # one lot reads higher than the others
    blot = random.uniform(30, 95) if srp else random.expovariate(1 / 1.6) * drift
    elisa = random.uniform(40, 180) if srp and random.random() < 0.95 else random.expovariate(1 / 4)
    clia = random.uniform(60, 400) if ill and not srp else random.expovariate(1 / 3.5)
    yield _row(**common, code="SRPB", name="Anti-SRP (line blot)", value=f"{blot:.0f}", unit="intensity",
               reference_range="0-5", kit="EUROLINE", lot=f"D{lot:02}")  # fmt: skip
    yield _row(**common, code="HMGCRC", name="Anti-HMGCR IgG (CLIA)", value=f"{clia:.1f}", unit="CU",
               reference_range="<20", kit="QUANTA Flash HMGCR", lot=f"Q{lot:02}")  # fmt: skip
    if srp or random.random() < 0.5:
        yield _row(**common, code="SRPE", name="Anti-SRP (ELISA)", value=f"{elisa:.1f}", unit="U/mL",
                   reference_range="<20", lot=f"E{lot:02}")  # fmt: skip


if __name__ == "__main__":
    write(Path(sys.argv[2]), int(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else 9)
