"""What the story counts (standards.md 4.5). The counts are written beside the work they count, in its transaction: the
metrics equal the store, and survive a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from labbridge.interpret.categories import category
from labbridge.interpret.ck import ratio
from labbridge.model.outcome import Outcome
from labbridge.model.result import Analyte, Category, Hep2Class, PatientResults, Result, Status
from labbridge.model.work import EVALUATION_BOUNDS_US, STAGE_BOUNDS_S, Count, Delivery, Sent, Settled
from labbridge.states import DeliveryState

USABLE = (Status.FINAL, Status.CORRECTED)
CATEGORIES = {Category.NEG: "negative", Category.EQUIVOCAL: "equivocal"}  # the other two are positive


def results(found: PatientResults, feed: str) -> list[Count]:
    """Result versions by feed, analyte, method family and category: positive, negative, equivocal, indeterminate (no
    category can be given) or invalid (not a usable result). CK is positive above its upper limit."""
    return _counts(
        "results",
        (
            (feed, one.analyte.value, one.method.family.value if one.method else "unknown", _category(one))
            for one in found.results
        ),
    )


def evaluation(outcome: Outcome, before: Outcome | None) -> list[Count]:
    """One evaluation of a case: rules that held, by verdict (hold where the case is held, else flag), and the flags
    that were not there before."""
    verdict = "hold" if outcome.hold else "flag"
    known = {(flag.code, flag.analyte) for flag in before.flags} if before else set()
    now = {(flag.code, flag.analyte) for flag in outcome.flags}
    opened = [(flag.rule, flag.severity.value) for flag in outcome.flags if (flag.code, flag.analyte) not in known]
    gone = [flag for flag in before.flags if (flag.code, flag.analyte) not in now] if before else []
    return [
        Count("evaluations", ()),
        *(Count("rules", (rule, verdict)) for rule in outcome.fired),
        *_counts("flags", opened),
        *_counts("flags_closed", ((flag.rule, "gone") for flag in gone)),
    ]


def closed(outcome: Outcome, disposition: str, *, edited: bool = False) -> list[Count]:
    """A case was signed, released by rule or ended without a comment: its flags with it. `edited`: the words that left are
    a person's, counted by the rules that held."""
    found = _counts("flags_closed", ((flag.rule, disposition) for flag in outcome.flags))
    return [*found, *_counts("comment_edits", ((rule,) for rule in outcome.fired if edited))]


def problems(found: PatientResults, feed: str) -> list[Count]:
    """What could be read of our results and not understood, by what it was."""
    return _counts("problems", ((feed, problem.value) for one in found.results for problem in one.problems))


def evaluated(begun: datetime, now: datetime) -> list[Count]:
    """How long all cases of a message took: the first bound not below it (`inf` above all), and in microseconds."""
    taken = max(0, round((now - begun).total_seconds() * 1_000_000))
    bound = next((str(one) for one in EVALUATION_BOUNDS_US if taken <= one), "inf")
    return [Count("evaluation_times", (bound,)), Count("evaluation_us", (), taken)]


def collected(found: PatientResults, received: datetime) -> list[Count]:
    """From the collection of the oldest specimen of a message to its receipt; nothing where no time of it is known."""
    moments = [one.collected.moment for one in found.results if one.collected.has_time and not one.collected_estimated]
    return stage("received", min(moments), received) if moments else []


def stage(name: str, begun: datetime, now: datetime) -> list[Count]:
    """The end of a stage: how long it took, as the first bound not below it (`inf` above all), and in seconds."""
    seconds = max(0.0, (now - begun).total_seconds())
    bound = next((str(one) for one in STAGE_BOUNDS_S if seconds <= one), "inf")
    return [Count("stages", (name, bound)), Count("stage_seconds", (name,), round(seconds))]


def sent(delivery: Delivery, settled: Settled, now: datetime) -> list[Count]:
    """One attempt to send, by how it ended; and the time from the signature, where it was acknowledged."""
    comment = delivery.case != 0 and not delivery.order
    kind = "ORU^R01" if comment else "order" if delivery.order else "ACK"
    attempt = [Count("sent", (delivery.receiver, kind, settled.sent.value))]
    if comment and settled.state in (DeliveryState.ACKNOWLEDGED, DeliveryState.FAILED):
        attempt.append(Count("comments", (delivery.receiver, settled.state.value)))
    took = stage("acknowledged", delivery.created, now) if comment and settled.sent is Sent.ACKNOWLEDGED else []
    return [*attempt, *took]


def _counts(name: str, labels: Iterable[tuple[str, ...]]) -> list[Count]:
    return [Count(name, one, by) for one, by in Counter(labels).items()]


def _category(result: Result) -> str:
    if result.status not in USABLE:
        return "invalid"
    if result.hep2 is not None:
        return "negative" if result.hep2.pattern is Hep2Class.NEG else "positive"
    if result.analyte is Analyte.CK:
        value = ratio(result)
        return "indeterminate" if value is None else "positive" if value > 1 else "negative"
    found = category(result)
    return "indeterminate" if found is None else CATEGORIES.get(found, "positive")
