"""The results that each fact was read from: what a flag or a condition rests on."""

from __future__ import annotations

from collections.abc import Callable

from labbridge.interpret.evidence import Episode
from labbridge.model.result import Result


def results_behind(fact: str, episode: Episode) -> tuple[Result, ...]:
    """The results a fact was read from."""
    if fact.startswith(("srp", "hmgcr")):
        return _of_antibody(fact, episode)
    found = _COMPANIONS.get(fact)
    if found is not None:
        return tuple(one for one in found(episode) if one is not None)
    if fact.startswith("hep2"):
        return (episode.hep2.result,) if episode.hep2.result else ()
    if fact.startswith("ck"):
        return (episode.ck.result,) if episode.ck.result else ()
    return episode.other_positive if fact.startswith(("other", "synth")) else ()


def _of_antibody(fact: str, episode: Episode) -> tuple[Result, ...]:
    one = episode.srp if fact.startswith("srp") else episode.hmgcr
    if fact in ("srp_change", "hmgcr_change"):
        return one.trend.results
    if fact in ("srp_titre", "hmgcr_titre"):
        return (*one.trend.titre_results, *one.trend.titre_cks)
    return one.results


_COMPANIONS: dict[str, Callable[[Episode], tuple[Result | None, ...]]] = {
    "ck_extreme": lambda e: (e.ck.extreme_result,),
    "ck_latest": lambda e: (e.course.latest,),
    "ck_rebound": lambda e: (e.course.latest, e.course.previous),
    "ck_low": lambda e: (e.course.low_result,),
    "creatinine_low": lambda e: (e.course.creatinine,),
    "multiple_msa": lambda e: (
        *e.other_positive,
        *(one.results[0] for one in (e.srp, e.hmgcr) if one.state.positive and one.results),
    ),
    "passive": lambda e: (
        *(one.results[0] for one in (e.srp, e.hmgcr) if one.passive and one.results),
        e.hep2.result if e.hep2.passive else None,
    ),
}
