"""Whether a sample is on hand for a further test of an analyte: the test may then be added on to it (clinical.md C10.40)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from labbridge.interpret.evidence import Episode
from labbridge.knowledge.policy import Policy
from labbridge.model.result import Analyte, Result

WINDOWS = {
    Analyte.SRP.value: "add_on_srp_d",
    Analyte.HMGCR.value: "add_on_hmgcr_d",
    Analyte.HEP2.value: "add_on_ana_hep2_d",
    Analyte.CK.value: "add_on_ck_d",
    Analyte.OTHER_MSA.value: "add_on_other_msa_d",
}


def on_hand(found: Episode, analyte: str, policy: Policy) -> bool:
    """The newest antibody or HEp-2 specimen, for CK else the newest of CK's own, is within the window of the analyte, not of
    poor quality and not used up."""
    days = policy.days(WINDOWS[analyte])
    drawn = [(*found.srp.results, *found.hmgcr.results, found.hep2.result, *found.other_positive)]
    if analyte == Analyte.CK.value:
        drawn.append((found.ck.result, found.course.latest, found.course.low_result))
    return any(_newest_serves((one for one in tubes if one is not None), found.today, days) for tubes in drawn)


def _newest_serves(results: Iterable[Result], today: date, days: int) -> bool:
    """A tube of the newest collection day serves: collected on a day that is known, and nothing about it speaks against."""
    every = list(results)
    newest = max((one.collected.day for one in every), default=None)
    if newest is None or not 0 <= (today - newest).days <= days:
        return False
    latest = [one for one in every if one.collected.day == newest]
    unfit = {one.specimen for one in latest if one.quality_poor or one.used_up}
    return any(one.specimen not in unfit and not one.collected_estimated for one in latest)
