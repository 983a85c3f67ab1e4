"""The HEp-2 finding of an episode: which one counts, and whether its titre corroborates (C2, C10.19, C10.20)."""

from __future__ import annotations

from collections.abc import Sequence

from labbridge.interpret.evidence import Hep2Evidence, Hep2State
from labbridge.knowledge.policy import Policy
from labbridge.model.result import Hep2Class, Result
from labbridge.model.values import Titre

_RANK = (Hep2Class.CYTO_COMPAT, Hep2Class.CYTO_OTHER, Hep2Class.NUCLEAR, Hep2Class.UNSPECIFIED, Hep2Class.NEG)


def evidence(results: Sequence[Result], policy: Policy) -> Hep2Evidence:
    """The latest finding counts. A positive without a pattern leaves an earlier pattern standing, never an earlier
    negative: then the state is NOT_TESTED and the pattern is wanting (C10.19 a)."""
    newest = _latest(results)
    if newest is None:
        return Hep2Evidence()
    if _pattern(newest) is not Hep2Class.UNSPECIFIED:
        return _stated(newest, policy)
    earlier = _latest([one for one in results if _pattern(one) is not Hep2Class.UNSPECIFIED])
    if earlier is None or _pattern(earlier) is Hep2Class.NEG:
        return Hep2Evidence(unspecified=True, result=newest)
    return _stated(earlier, policy)


def _latest(results: Sequence[Result]) -> Result | None:
    """The newest by day, then by time where all of that day have one; of simultaneous ones the pattern that tells
    most, cytoplasm before nucleus before a positive without pattern before negative (C10.32)."""
    last = max((one.collected.day for one in results), default=None)
    near = [one for one in results if one.collected.day == last]
    timed = all(one.collected.has_time for one in near)
    return max(near, key=lambda one: _order(one, timed), default=None)


def _order(result: Result, timed: bool) -> tuple[object, ...]:
    moment = result.collected.moment.timestamp() if timed else 0.0
    return (moment, -_RANK.index(_pattern(result)), result.received, result.ref)


def _pattern(result: Result) -> Hep2Class:
    return result.hep2.pattern if result.hep2 is not None else Hep2Class.UNSPECIFIED


def _stated(result: Result, policy: Policy) -> Hep2Evidence:
    finding = result.hep2
    return Hep2Evidence(
        state=Hep2State(_pattern(result).value),
        pattern_stated=finding is not None and finding.pattern_stated,
        cytoplasm_stated=finding is not None and finding.cytoplasm_stated,
        titre_low=_titre_low(result, policy),
        result=result,
    )


def _titre_low(result: Result, policy: Policy) -> bool:
    """Whether a titre was reported that is not shown to reach the policy's; without a titre nothing is low (C10.20)."""
    value = result.value
    if not isinstance(value, Titre) or _pattern(result) is Hep2Class.NEG:
        return False
    return value.comparator.below or value.reciprocal < policy.number("hep2_corroborates_from")
