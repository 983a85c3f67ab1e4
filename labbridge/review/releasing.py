"""Whether a comment may leave without a person: every reason of standards.md R10 against it, and the figures of
reliability.md H4. Nothing here reads the store: what has to be known comes in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from labbridge.knowledge.policy import Policy
from labbridge.knowledge.release import ReleaseRow
from labbridge.model.approvals import Approval, Standing
from labbridge.model.items import Item
from labbridge.model.release import Beside, Judged, Refusal, Suspension
from labbridge.model.result import Analyte, Material, Result, Status
from labbridge.model.review import Disposition
from labbridge.model.work import Case
from labbridge.review import approvals, second
from labbridge.review.alike import SETTLED
from labbridge.states import CaseState

WHOLE_KINDS = ("policy", "table", "code")
"""What every draft rests on, whichever row of it."""
_DIGITS = re.compile(r"\d+")


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What decides beside the case: whether release by rule is on, the knowledge in force, what stands in the store
    (`beside`), where it is stopped, when each reagent lot of the feed was first seen, and the items that the case rests on
    and nobody has approved as they are."""

    enabled: bool
    in_force: str
    beside: Beside
    suspensions: Collection[Suspension] = ()
    lots: Mapping[str, datetime] = {}
    unapproved: Collection[str] = ()
    now: datetime

    @property
    def results(self) -> tuple[Result, ...]:
        return self.beside.results


def row_for(case: Case, rows: Mapping[str, ReleaseRow]) -> ReleaseRow | None:
    """The row that may release the comment of this case; there is one at most."""
    comment = case.outcome.comment
    classes = {comment.comment_class} if comment else set()
    return next((row for row in rows.values() if row.feed == case.feed and classes & set(row.comments)), None)


def refusals(case: Case, row: ReleaseRow | None, known: Known, policy: Policy) -> list[Refusal]:
    """Every reason for which a person has to release it; nothing where the row may."""
    found = list(_of_the_case(case, known))
    if row is None:
        return [*found, Refusal.NO_RULE]
    return [
        *found,
        *_of_signatures(row, known),
        *_of_the_row(case, row, known),
        *_of_the_results(known, policy),
        *_of_the_record(known, policy),
    ]


def _of_the_case(case: Case, known: Known) -> Iterator[Refusal]:
    outcome = case.outcome
    held = outcome.hold or case.state is not CaseState.NEW or outcome.comment is None or not case.text
    changed = any(one.status in (Status.CORRECTED, Status.WITHDRAWN) for one in known.results)
    checks = (
        (not known.enabled, Refusal.OFF),
        (known.beside.restored, Refusal.RESTORED),
        (held, Refusal.NOTHING_TO_RELEASE),
        (outcome.knowledge != known.in_force, Refusal.OTHER_KNOWLEDGE),
        (known.beside.in_hand or case.disposition is not Disposition.NONE, Refusal.IN_HAND),
        (second.needed(case), Refusal.SECOND_READER),
        (not {outcome.states.SRP, outcome.states.HMGCR} <= SETTLED, Refusal.POSITIVE),
        (bool(case.posted or case.unsent or outcome.changes) or changed, Refusal.AMENDED),
        (known.beside.other_open, Refusal.OPEN_CASE),
    )
    yield from (reason for holds, reason in checks if holds)


def _of_signatures(row: ReleaseRow, known: Known) -> Iterator[Refusal]:
    own = f"release:{row.id}"
    if own in known.unapproved:
        yield Refusal.RULE_NOT_APPROVED
    if set(known.unapproved) - {own}:
        yield Refusal.KNOWLEDGE_NOT_APPROVED


def _of_the_row(case: Case, row: ReleaseRow, known: Known) -> Iterator[Refusal]:
    analytes = frozenset(one.analyte.value for one in known.results)
    if any(one.stops(case.feed, analytes, row.id) for one in known.suspensions):
        yield Refusal.SUSPENDED
    if {flag.code for flag in case.outcome.flags} - set(row.flags):
        yield Refusal.FINDING
    if not known.results or analytes - set(row.analytes):
        yield Refusal.ANALYTE
    if any(one.method is None or one.method.code not in row.methods for one in known.results):
        yield Refusal.METHOD


def _of_the_results(known: Known, policy: Policy) -> Iterator[Refusal]:
    results = known.results
    if any(one.analyte is Analyte.HEP2 for one in results) and not _chosen(policy, "release_hep2_read"):
        yield Refusal.HEP2_UNCONFIRMED
    if not _chosen(policy, "release_qc_unknown"):
        yield Refusal.QC_UNKNOWN
    if any(
        one.quality_poor or (one.material is not Material.UNSTATED and not one.material_validated) for one in results
    ):
        yield Refusal.SPECIMEN
    if any(not one.lots for one in results) and not _chosen(policy, "release_lot_unknown"):
        yield Refusal.LOT_UNKNOWN
    first_days = timedelta(days=policy.days("release_new_lot_d"))
    sent = {lot for one in results for lot in one.lots}
    if any(known.now - known.lots.get(lot, known.now) < first_days for lot in sent):
        yield Refusal.NEW_LOT


def _of_the_record(known: Known, policy: Policy) -> Iterator[Refusal]:
    record = known.beside.record
    if not record.reviewed:
        yield Refusal.UNSEEN_CLASS
    if record.reviewed < policy.number("release_reviewed_least"):
        yield Refusal.FEW_REVIEWED
    if record.agreed * 100 < policy.number("release_agreement_least") * record.reviewed:
        yield Refusal.DISAGREEMENT
    if not known.beside.words_seen:
        yield Refusal.UNSEEN_TEXT


def _chosen(policy: Policy, id: str) -> bool:
    return policy.choice(id) == "yes"


# ---------------------------------------------------------------- what it rests on


def unapproved(
    case: Case,
    row: ReleaseRow,
    results: Collection[Result],
    items: Mapping[str, Item],
    signed: Mapping[tuple[str, str], Approval],
) -> list[str]:
    """The items that the comment and its release rest on and that are not approved in the content they have now; also one
    that is there no more."""
    wanted = sorted(_rests_on(case, row, results) | {key for key, one in items.items() if one.kind in WHOLE_KINDS})
    return [
        key for key in wanted if key not in items or approvals.standing(items[key], signed) is not Standing.APPROVED
    ]


def _rests_on(case: Case, row: ReleaseRow, results: Collection[Result]) -> set[str]:
    comment = case.outcome.comment
    found = {f"release:{row.id}", *(f"rule:{name.partition('@')[0]}" for name in case.outcome.fired)}
    if comment is not None:
        of_language = "" if comment.language == "en" else f"{comment.language}:"
        found |= {f"comment:{of_language}{name}" for name in (comment.comment_class, *comment.addendum_classes)}
        found.add(f"words:{comment.language}")
    for method in (one.method for one in results if one.method is not None):
        found.add(f"method:{method.code}")
        found |= {f"kit:{method.assay}"} if method.assay else set()
        found |= {f"manufacturer:{method.manufacturer}"} if method.manufacturer else set()
    return found


def judged(case: Case) -> Judged | None:
    """What signing the case says of its draft; None where there was none."""
    comment = case.outcome.comment
    if comment is None:
        return None
    return Judged(
        feed=case.feed,
        comment_class=comment.comment_class,
        agreed=case.text == comment.full_text,
        words=words(case.text),
    )


def words(text: str) -> bytes:
    """What a comment's words are known by, whichever numbers and days stand in it."""
    return hashlib.sha256(_DIGITS.sub("#", text).encode()).digest()


def sampled(key: int, percent: int) -> bool:
    """Whether a released case is read by a person afterwards. It hangs on the case's number: nobody can choose which."""
    number = int.from_bytes(hashlib.sha256(f"independent review of C{key}".encode()).digest()[:8])
    return number % 10_000 < percent * 100
