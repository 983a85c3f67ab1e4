"""The words of what changed: an antibody against its earlier result, CK over time, and several antibodies at once (C7)."""

from __future__ import annotations

from collections.abc import Mapping

from labbridge.interpret import spoken
from labbridge.interpret.categories import category
from labbridge.interpret.evidence import AntibodyEvidence, CkBand, CkCourse, Episode, Titre, Trend
from labbridge.model.result import Analyte, Result
from labbridge.model.values import Quantity

Words = Mapping[str, Mapping[str, str]]
_RISING = (Titre.RISING, Titre.RISING_CK_FALLING, Titre.RISING_CK_INCOMPARABLE)


def now(one: AntibodyEvidence, words: Words) -> str:
    """What the antibody is now, in a word."""
    return words["grade"]["POSITIVE" if one.state.positive else one.state.value]


def before(trend: Trend, words: Words) -> str:
    """What the antibody was before; empty where no earlier result is on file."""
    return _sign(trend.results[1], words) if len(trend.results) > 1 else ""


def before_day(trend: Trend, words: Words) -> str:
    return _day(trend.results[1], words) if len(trend.results) > 1 else ""


def before_method(trend: Trend, words: Words) -> str:
    return spoken.method(trend.results[1], words) if len(trend.results) > 1 else ""


def _sign(result: Result, words: Words) -> str:
    its = category(result)
    return words["grade"]["POSITIVE" if its is not None and its.positive else "NEG"]


def titre_way(trend: Trend, words: Words) -> str:
    """Whether the antibody is higher or lower than before."""
    return words["way"]["up" if trend.titre in _RISING else "down"]


def ck_way(trend: Trend, words: Words) -> str:
    """CK went the other way."""
    return words["way"]["down" if trend.titre in _RISING else "up"]


def titre_day(trend: Trend, words: Words) -> str:
    return _day(trend.titre_results[1], words) if trend.titre_results else ""


def ck_level(course: CkCourse, words: Words) -> str:
    """CK below its limits, within them, or only slightly raised."""
    latest = course.latest
    if latest is None:
        return ""
    value, low = latest.value, latest.lower_limit
    if isinstance(value, Quantity) and low is not None and value.number < low:
        return words["ck_level"]["below"]
    return words["ck_level"]["within" if course.band is CkBand.NORMAL else "slightly"]


def ck_from(course: CkCourse, words: Words) -> str:
    return _number(course.previous, words)


def ck_to(course: CkCourse, words: Words) -> str:
    return _number(course.latest, words)


def ck_from_day(course: CkCourse, words: Words) -> str:
    return _day(course.previous, words) if course.previous is not None else ""


def reactive(episode: Episode, words: Words, *, others_only: bool = False) -> list[str]:
    """The names of the myositis-specific antibodies that are positive: these two, then the others in their order."""
    ours = [(Analyte.SRP, episode.srp), (Analyte.HMGCR, episode.hmgcr)]
    named = [] if others_only else [words["antibody"][name.value] for name, one in ours if one.state.positive]
    antigens = dict.fromkeys(sorted(one.antigen for one in episode.other_positive))
    return named + [words["msa"].get(antigen, f"anti-{antigen}") for antigen in antigens]


def _number(result: Result | None, words: Words) -> str:
    return spoken.number(result.value.number, words) if result and isinstance(result.value, Quantity) else ""


def _day(result: Result, words: Words) -> str:
    return spoken.day(result.collected.day, words)
