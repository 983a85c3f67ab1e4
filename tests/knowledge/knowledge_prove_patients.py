"""Synthetic patients of every kind that rules can ask about, drawn by chance: results of years, context, age."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from labbridge.model.history import History
from labbridge.model.result import Analyte, ContextItem, ContextKind, Method, Result, Status
from labbridge.model.values import Comparator, Missing, Quantity
from tests.interpret.interpret_build import DAY, METHODS, PATIENT, antibody, ck, hep2, history, other, result, stated

BACK = (0, 0, 0, 0, 1, 2, 3, 10, 20, 29, 31, 40, 60, 100, 150, 200, 300, 400)
GRADES = ("NEG", "NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG", "POS_STRONG")
FAMILIES = ("blot", "blot", "quant", "quant", "quant", "ip", "cba", "tissue")
MAKERS = ("", "euroimmun", "werfen")
TIMES = ("0.05", "0.3", "0.9", "1", "1.6", "3.9", "4", "9", "10.1", "30", "60")
PATTERNS = ("CYTO_COMPAT", "CYTO_COMPAT", "CYTO_OTHER", "NUCLEAR", "NEG", "UNSPECIFIED")


def patients(seed: int, count: int) -> Iterator[History]:
    """So many patients; the same for the same seed."""
    chance = Random(seed)
    for _number in range(count):
        yield _patient(chance)


def _patient(chance: Random) -> History:
    found = [_antibody(chance, number) for number in range(chance.randrange(6))]
    found += [_slide(chance, number) for number in range(chance.choice((0, 1, 1, 2)))]
    found += [_ck(chance, number) for number in range(chance.choice((0, 1, 1, 2, 4)))]
    found += [_creatinine(chance, number) for number in range(chance.choice((0, 0, 1)))]
    found += _others(chance)
    age = chance.choice((48, 48, 9, None))
    return history(
        *found,
        context=tuple(_context(chance)),
        patient=msgspec.structs.replace(PATIENT, age_years=age, sex=chance.choice(("F", "M", ""))),
        known=frozenset(name for name in ("SRP", "HMGCR") if chance.random() < 0.1),
        identity=chance.choice(("", "", "", "", "sex", "birth_date")),
    )


def _day(chance: Random) -> Any:
    return DAY - timedelta(days=chance.choice(BACK))


def _odd(chance: Random) -> dict[str, Any]:
    return chance.choice(
        (
            *({} for _ in range(8)),
            {"status": Status.PENDING, "value": Missing.ABSENT},
            {"status": Status.WITHDRAWN, "value": Missing.ABSENT},
            {"quality_poor": True},
            {"collected_estimated": True},
        )
    )


def _antibody(chance: Random, number: int) -> Result:
    name, family = chance.choice(("SRP", "HMGCR")), chance.choice(FAMILIES)
    one = antibody(name, chance.choice(GRADES), family, f"{name}-{number}", _day(chance), **_odd(chance))
    if one.method is None or not isinstance(one.value, Quantity):
        return one
    value = msgspec.structs.replace(one.value, number=one.value.number * chance.choice((1, 1, 2, 3)))
    return msgspec.structs.replace(one, value=value, method=_made(chance, one.method))


def _made(chance: Random, method: Method) -> Method:
    return msgspec.structs.replace(method, manufacturer=chance.choice((*[method.manufacturer] * 4, *MAKERS)))


def _slide(chance: Random, number: int) -> Result:
    stated_ = {"pattern_stated": chance.random() < 0.8, "cytoplasm_stated": chance.random() < 0.8}
    titre = chance.choice((80, 160, 640))
    one = hep2(chance.choice(PATTERNS), f"HEP2-{number}", _day(chance), titre=titre, **stated_)
    return msgspec.structs.replace(one, **_odd(chance))


def _ck(chance: Random, number: int) -> Result:
    given = _odd(chance)
    assumed, laboratory = chance.random() < 0.1, chance.choice(("", "A", "B"))
    one = ck(chance.choice(TIMES), f"CK-{number}", _day(chance), laboratory=laboratory, **given)
    if not isinstance(one.value, Quantity):
        return one
    value = chance.choice((one.value, one.value, Quantity(Decimal(10_000), "U/L", Comparator.GREATER)))
    return msgspec.structs.replace(one, value=value, upper_limit_assumed=assumed)


def _creatinine(chance: Random, number: int) -> Result:
    low = chance.choice((None, Decimal(45)))
    value = Quantity(Decimal(chance.choice((20, 70))), "umol/L")
    return result(
        Analyte.CREATININE, f"CREAT-{number}", _day(chance), value=value, lower_limit=low, method=METHODS["enzymatic"]
    )


def _others(chance: Random) -> list[Result]:
    if chance.random() < 0.6:
        return []
    names = chance.choice((("JO1",), ("MI2",), ("JO1", "MI2"), ("JO1", "PL7", "MI2", "MDA5", "NXP2", "SAE", "TIF1G")))
    grades = chance.choice((("NEG",), ("NEG",), ("POS_LOW",), GRADES))
    synthetases = ("JO1", "PL7")
    return [other(name, chance.choice(grades), synthetase=name in synthetases, day=_day(chance)) for name in names]


def _context(chance: Random) -> Iterator[ContextItem]:
    for kind, values in (
        (ContextKind.SUSPECT_IIM, ("Y", "N")),
        (ContextKind.STATIN, ("Y", "N", "U")),
        (ContextKind.KNOWN_MSA, ("SRP", "HMGCR")),
        (ContextKind.KNOWN_MSA_PARTNER, ("Y", "N")),
        (ContextKind.PREGNANT, ("Y",)),
        (ContextKind.IVIG_DATE, tuple((DAY - timedelta(days=back)).isoformat() for back in (0, 12, 60, 95, 250))),
    ):
        if chance.random() < 0.2:
            yield stated(kind, chance.choice(values))
