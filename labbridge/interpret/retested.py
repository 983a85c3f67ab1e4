"""Results as the answers to retests, and what a retest was recommended for.

What a result says is what the interpretation calls it, and nothing else: an antibody by its category (C2), HEp-2 by whether
it has a pattern, CK by whether it is above its limit. Positive confirms, negative refutes, neither is equivocal. A result
that the interpretation cannot use, or that a comparator leaves open, answers nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from labbridge.interpret import ck, validity
from labbridge.interpret.categories import category
from labbridge.interpret.evidence import CkBand
from labbridge.interpret.held import ANTIBODIES
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.policy import Policy
from labbridge.model.history import History
from labbridge.model.outcome import Outcome, Priority, Retest
from labbridge.model.result import Analyte, Category, Hep2Class, Result
from labbridge.model.retests import Answer, Closing, Heard, Raised


def heard(history: History, policy: Policy) -> Heard:
    """The usable results of a patient as answers, and the analytes of which nothing can be said yet: those in progress, and
    those on hold."""
    found = validity.settle(history.results, history.today, history.decided, policy)
    held = {one.analyte for one in found.raised if one.hold}
    answers = [answer for one in found.usable if (answer := _answer(one, policy)) is not None]
    return Heard(
        answers=tuple(sorted(answers, key=lambda one: (one.message, one.ref))),
        waiting=frozenset({*held, *(one.analyte.value for one in found.pending)}),
    )


def _answer(result: Result, policy: Policy) -> Answer | None:
    closing = _says(result, policy)
    if closing is None or result.method is None:
        return None
    return Answer(
        ref=result.ref,
        message=message_of(result.ref),
        analyte=result.analyte.value,
        family=result.method.family.value,
        day=result.collected.day,
        closing=closing,
        specimen=_specimen(result),
    )


def _says(result: Result, policy: Policy) -> Closing | None:
    if result.hep2 is not None:
        if result.hep2.pattern is Hep2Class.NEG:
            return Closing.REFUTED
        return Closing.EQUIVOCAL if result.hep2.pattern is Hep2Class.UNSPECIFIED else Closing.CONFIRMED
    if result.analyte is Analyte.CK:
        band = ck.band_of(result, policy)
        if band is CkBand.UNKNOWN:
            return None
        return Closing.REFUTED if band is CkBand.NORMAL else Closing.CONFIRMED
    found = category(result)
    if found is None:
        return None
    if found.positive:
        return Closing.CONFIRMED
    return Closing.REFUTED if found is Category.NEG else Closing.EQUIVOCAL


def raised(outcome: Outcome, retest: Retest, results: Iterable[Result], policy: Policy) -> Raised:
    """The rule that raised the reason of a retest, and the result behind it: of the same analyte where the flag rests on
    one, else the first that it rests on."""
    flags = [one for one in outcome.flags if one.code == retest.reason]
    flag = next((one for one in flags if one.analyte == retest.analyte), flags[0] if flags else None)
    if flag is None:
        return Raised()
    by_ref = {one.ref: one for one in results}
    behind = [by_ref[ref] for ref in flag.evidence if ref in by_ref]
    result = next((one for one in behind if one.analyte == retest.analyte), behind[0] if behind else None)
    if result is None:
        return Raised(rule=flag.rule)
    method = result.method
    return Raised(
        rule=flag.rule,
        ref=result.ref,
        assay=(method.assay or method.code) if method else "",
        family=method.family.value if method else "",
        band=signal_band(result, policy),
        specimen=_specimen(result),
        day=result.collected.day,
    )


def waits(outcome: Outcome, results: Iterable[Result], knowledge: Knowledge) -> dict[str, date]:
    """From which day retests may be ordered that a prompt asks for, by analyte: so many days after the first of the pair was
    final; an urgent one at once (C10.16)."""
    days = {
        one.analyte: knowledge.policy.days(name)
        for one in outcome.retests
        if one.priority is not Priority.URGENT and (name := _waits_for(one.reason, knowledge))
    }
    if not days:
        return {}
    final = [
        one.status_time or one.received for one in results if one.ref in outcome.used and one.analyte in ANTIBODIES
    ]
    return {analyte: (min(final) + timedelta(days=so_many)).date() for analyte, so_many in days.items() if final}


def _waits_for(reason: str, knowledge: Knowledge) -> str:
    flag = knowledge.decisions.flags.get(reason)
    return flag.waits if flag is not None else ""


def _specimen(result: Result) -> str:
    return f"{result.specimen.namespace}|{result.specimen.id}" if result.specimen.id else ""


def signal_band(result: Result, policy: Policy) -> str:
    """How strong a result is, in the interpretation's own words: an antibody's category, the class of a HEp-2 pattern, the
    band of a CK. Empty where it can be put into none."""
    if result.hep2 is not None:
        return result.hep2.pattern.value
    if result.analyte is Analyte.CK:
        return ck.band_of(result, policy).value
    found = category(result)
    return found.value if found is not None else ""


def message_of(ref: str) -> int:
    """The key of the message of a ref `M17:OBX[3]`; 0 where it names none."""
    key = ref.partition(":")[0]
    return int(key[1:]) if key[:1] == "M" and key[1:].isdigit() else 0
