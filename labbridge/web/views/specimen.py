"""The specimens a case rests on: what they are, how old, and until when a test may be added on to one of them.

The windows are the policy's (mappings/policy.yaml). This is for the reader: what is proposed is the rules' (clinical.md
C10.40), which count the same days.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

import msgspec

from labbridge.model.reference import AddOnWindow
from labbridge.model.result import Material, Result
from labbridge.web.views.clock import Age, age
from labbridge.web.views.entries import Entry, name_of
from labbridge.web.views.head import versions


class AddOn(msgspec.Struct, frozen=True, kw_only=True):
    """Analytes with one and the same window: the last day on which a test of them may be added on, and how many days are
    left (0: today is the last, negative: it is over, None: the collection day is not known). `proposed`: the case
    proposes a retest of one of them. `reviewed`: somebody has reviewed each of the numbers for this laboratory."""

    analytes: tuple[str, ...]
    days: int
    last: str
    left: int | None
    proposed: bool
    tag: str
    source: str
    reviewed: bool


class Tube(msgspec.Struct, frozen=True, kw_only=True):
    """A specimen by its number, or without one by its collection. `material` as sent, empty where it was not.
    `not_validated` are the analytes that this stated material is not validated for. `age` since its collection, None where
    that is estimated or lies ahead. `against` says why nothing should be added on to it; empty where nothing is known
    against it."""

    number: str
    material: str
    collected: str
    estimated: bool
    age: Age | None
    analytes: tuple[str, ...]
    not_validated: tuple[str, ...]
    against: tuple[str, ...]
    windows: tuple[AddOn, ...]


def tubes(
    entries: Iterable[Entry], windows: Sequence[AddOnWindow], proposed: frozenset[str], now: datetime
) -> tuple[Tube, ...]:
    """The specimens of the results the case rests on (where it rests on none: of all that is held), the newest first.
    `proposed` are the analytes of its proposed retests."""
    every = versions(entries)
    rested = [one.result for one in every if one.rests] or [one.result for one in every]
    several: dict[tuple[str, str], list[Result]] = {}
    for one in rested:
        several.setdefault(_key(one), []).append(one)
    found = sorted(several.values(), key=lambda of: (of[0].collected.day, of[0].collected.moment), reverse=True)
    return tuple(_tube(of, windows, proposed, now) for of in found)


def _key(result: Result) -> tuple[str, str]:
    """Its number; of specimens without one, those collected at the same moment are one."""
    return (result.specimen.namespace, result.specimen.id) if result.specimen else ("", result.collected.text)


def _tube(of: Sequence[Result], windows: Sequence[AddOnWindow], proposed: frozenset[str], now: datetime) -> Tube:
    first = of[0]
    sent, estimated = first.collected, any(one.collected_estimated for one in of)
    today = now.astimezone(sent.moment.tzinfo).date()
    return Tube(
        number=first.specimen.id,
        material=next((one.material_text for one in of if one.material_text), ""),
        collected=sent.moment.strftime("%Y-%m-%d %H:%M") if sent.has_time else sent.day.isoformat(),
        estimated=estimated,
        age=None if estimated else _age(sent.moment if sent.has_time else None, sent.day, today, now),
        analytes=tuple(dict.fromkeys(name_of(one) for one in of)),
        not_validated=tuple(dict.fromkeys(name_of(one) for one in of if _unfit(one))),
        against=_against(of),
        windows=add_ons(windows, None if estimated else sent.day, today, proposed),
    )


def _age(moment: datetime | None, day: date, today: date, now: datetime) -> Age | None:
    """By the hour where a time was sent, else in days."""
    if moment is not None:
        return age(moment, now)
    return Age((today - day).days, "d") if day <= today else None


def _unfit(result: Result) -> bool:
    return result.material is not Material.UNSTATED and not result.material_validated


def _against(of: Iterable[Result]) -> tuple[str, ...]:
    every = list(of)
    poor, empty = any(one.quality_poor for one in every), any(one.used_up for one in every)
    return (*(("poor specimen",) if poor else ()), *(("used up",) if empty else ()))


def add_ons(
    windows: Iterable[AddOnWindow], collected: date | None, today: date, proposed: frozenset[str]
) -> tuple[AddOn, ...]:
    """The windows of a specimen collected on a day (None: not known), those with the same number of days as one. The day of
    collection is day 0; the last day is the one that many days later, and counts."""
    several: dict[tuple[int, str, str], list[AddOnWindow]] = {}
    for one in windows:
        several.setdefault((one.days, one.tag, one.source), []).append(one)
    return tuple(
        AddOn(
            analytes=tuple(one.analyte for one in of),
            days=days,
            last=(collected + timedelta(days=days)).isoformat() if collected is not None else "",
            left=days - (today - collected).days if collected is not None and collected <= today else None,
            proposed=any(one.analyte in proposed for one in of),
            tag=tag,
            source=source,
            reviewed=all(one.reviewed for one in of),
        )
        for (days, tag, source), of in several.items()
    )
