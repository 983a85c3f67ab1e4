"""The results of a patient as a person reads them: the newest version of each, and under it those that came before.

Versions follow each other as the interpreter takes them (clinical.md C1.2), so that what is shown as standing is what the
case was made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from labbridge.interpret.validity import finalised, has_value, in_order, same
from labbridge.model.outcome import Outcome
from labbridge.model.result import Analyte, Family, Method, Problem, Result, Status
from labbridge.model.values import Missing
from labbridge.web.views import figures
from labbridge.web.views.figures import Distance, Limit
from labbridge.web.views.signs import STANDING, Sign, sign

FAMILIES = {
    Family.BLOT: "blot",
    Family.QUANT: "ELISA/CLIA",
    Family.IP: "immunoprecipitation",
    Family.CBA: "cell-based assay",
    Family.TISSUE: "tissue IIF",
    Family.HEP2_IIF: "HEp-2 IIF",
    Family.SOLID_PHASE_ANA: "solid-phase screen",
    Family.ENZYMATIC: "enzymatic",
}
NO_METHOD = "method not known"
_NAMES = {
    Analyte.SRP: "anti-SRP",
    Analyte.HMGCR: "anti-HMGCR",
    Analyte.HEP2: "HEp-2",
    Analyte.CK: "CK",
    Analyte.CREATININE: "creatinine",
}
_MISSING = {Missing.ABSENT: "no value", Missing.NULL: "deleted by the sender"}
_PROBLEMS = {
    Problem.STATUS_UNKNOWN: "status unknown",
    Problem.CODE_UNMAPPED: "no table names its code",
    Problem.METHOD_UNKNOWN: "method not known",
    Problem.LIMITS_MISSING: "no limit to read it by",
    Problem.LIMITS_DIFFER: "the laboratory's limits and ours differ in sign",
    Problem.UNIT_UNKNOWN: "unit not known",
    Problem.VALUE_UNREADABLE: "value not readable",
    Problem.VALUE_AMBIGUOUS: "value can be read in two ways",
    Problem.VALUE_IMPLAUSIBLE: "value or day implausible",
}
_ENDED = (Status.CANCELLED, Status.WITHDRAWN)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a result.

    `text`, `unit`, `grade_text` and `pattern` are as sent, and so are notes, lots, dilution and material of `result`. Where
    there is no text, `missing` says why. `carried`: the version finalises a value that was sent before it.
    `laboratory_said` is the laboratory's own verdict, if it gave one. `day` is the collection day (ISO); `day_estimated`: a
    later day stands for it. `place` is message and segment (`M17:OBX[3]`), `message` the first of the two. `read_only`:
    another laboratory's, by its name. `rests`: the case rests on this version; `rests_on_earlier`: on one that came before
    it. `earlier` are the versions before it, newest first.
    """

    analyte: Analyte
    name: str
    family: Family | None
    sign: Sign
    text: str
    unit: str
    missing: str
    carried: bool
    converted: str
    titre: str
    pattern: str
    codes: tuple[str, ...]
    grade_text: str
    laboratory_said: str
    distance: Distance | None
    limits: tuple[Limit, ...]
    limits_source: str
    limits_row: str
    limit_assumed: bool
    day: str
    day_estimated: bool
    status: str
    problems: tuple[str, ...]
    method: Method | None
    laboratory: str
    read_only: bool
    place: str
    message: str
    contradicts: bool
    rests: bool
    rests_on_earlier: bool
    earlier: tuple[Entry, ...]
    result: Result

    @property
    def standing(self) -> bool:
        """Final or corrected; all else is shown, and says nothing yet or no more."""
        return self.result.status in STANDING


def entries(results: Iterable[Result], outcome: Outcome, ours: frozenset[str] = frozenset()) -> list[Entry]:
    """The newest version of each result, the newest collection first. `ours` are the names by which the site's own
    laboratories sign their results; every other name is another laboratory's, and no name is nobody's: none is guessed."""
    several: dict[str, dict[str, Result]] = {}
    for one in results:
        several.setdefault(one.key, {})[one.ref] = one
    rested = {*outcome.used, *(ref for flag in outcome.flags for ref in flag.evidence)}
    found = [_newest(list(versions.values()), rested, ours) for versions in several.values()]
    return sorted(found, key=collected, reverse=True)


def collected(entry: Entry) -> tuple[str, datetime, str]:
    """Its place in time: by day, within a day by time, then as the results came."""
    result = entry.result
    return entry.day, result.collected.moment if result.collected.has_time else result.received, entry.place


def _newest(versions: list[Result], rested: set[str], ours: frozenset[str]) -> Entry:
    shown: list[Entry] = []
    standing: tuple[Result, ...] = ()
    stored: Result | None = None
    for sent in in_order(versions):
        carried = stored if sent.takes_stored_value else None
        version = sent if carried is None else finalised(carried, sent)
        standing, against = _after(standing, version)
        made = _entry(version, shown, against=against, ours=ours, rested=rested)
        shown.append(msgspec.structs.replace(made, carried=carried is not None))
        stored = None if version.status in _ENDED else version if has_value(version) else stored
    return shown[-1]


def _after(standing: tuple[Result, ...], version: Result) -> tuple[tuple[Result, ...], bool]:
    """What stands after a version, and whether it is contradicted: two final versions say different things, and none of
    them is called a correction (clinical.md C1.2)."""
    if version.status in _ENDED:
        return (), False
    if version.status not in STANDING or not has_value(version):
        return standing, False
    if version.status is Status.CORRECTED or not standing:
        return (version,), False
    if not any(same(one, version) for one in standing):
        standing = (*standing, version)
    return standing, len(standing) > 1


def _entry(one: Result, before: Sequence[Entry], *, against: bool, ours: frozenset[str], rested: set[str]) -> Entry:
    source, row = figures.limits_source(one)
    finding, missing = one.hep2, one.value if isinstance(one.value, Missing) else Missing.ABSENT
    return Entry(
        analyte=one.analyte,
        name=name_of(one),
        family=one.method.family if one.method is not None else None,
        sign=sign(one, against),
        text=one.value_text,
        unit=one.unit_text,
        missing="" if one.value_text else _MISSING[missing],
        carried=False,
        converted=figures.converted(one),
        titre=figures.titre(one),
        pattern=finding.text if finding is not None else "",
        codes=finding.codes if finding is not None else (),
        grade_text=one.grade_text if one.grade_text != one.value_text else "",
        laboratory_said=_said(one.lab_negative),
        distance=figures.distance(one),
        limits=figures.limits(one),
        limits_source=source,
        limits_row=row,
        limit_assumed=one.upper_limit_assumed,
        day=one.collected.day.isoformat(),
        day_estimated=one.collected_estimated,
        status=one.status.value,
        problems=tuple(_PROBLEMS[problem] for problem in one.problems),
        method=one.method,
        laboratory=one.laboratory,
        read_only=bool(one.laboratory) and one.laboratory not in ours,
        place=one.ref,
        message=one.ref.partition(":")[0] if ":" in one.ref else "",
        contradicts=against,
        rests=one.ref in rested,
        rests_on_earlier=any(entry.rests for entry in before),
        earlier=tuple(msgspec.structs.replace(entry, earlier=()) for entry in reversed(before)),
        result=one,
    )


def name_of(result: Result) -> str:
    return _NAMES.get(result.analyte) or f"anti-{result.antigen}"


def name(analyte: Analyte) -> str:
    return _NAMES[analyte]


def _said(negative: bool | None) -> str:
    return "" if negative is None else "negative" if negative else "not negative"
