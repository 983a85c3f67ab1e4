"""Every vignette in every order of arrival through the pure path: reports, normaliser, interpreter (clinical.md P7).

Twice: its rows as `labbridge validate` reads them, and the bytes of its messages as the feed reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import pytest
from vignette_hl7 import messages
from vignette_parts import Case, cases, failures, orders, readers

from labbridge.hl7 import incoming
from labbridge.model.history import History
from labbridge.model.outcome import Outcome, PostedComment
from labbridge.model.report import Report
from labbridge.model.work import Feed
from labbridge.rows import case as case_rows

FEED = Feed(name="viglab", timezone="Europe/Paris", cytoplasmic_reported_as="positive")
Received = tuple[Report, datetime]


def midnight(day: object) -> datetime:
    return datetime.combine(date.fromisoformat(str(day)), time(), UTC)


def sent(case: Case) -> list[Received]:
    """The reports of the case's messages, each received on the afternoon of its day."""
    afternoons = [midnight(row["received"]) + timedelta(hours=15) for row in case["results"]]
    return [
        (report, received)
        for raw, received in zip(messages(case, "P1"), afternoons, strict=True)
        for report in incoming.read_reports(raw, FEED, received)
    ]


def interpreted(case: Case, reports: Sequence[Received], feed: Feed, posted: tuple[PostedComment, ...]) -> Outcome:
    parts = [readers().normalise(report, feed, received, report.control_id)[0] for report, received in reports]
    return readers().interpret(
        History(
            patient=parts[-1].patient,
            results=tuple(result for part in parts for result in part.results),
            context=tuple(item for part in parts for item in part.context),
            posted=posted,
            today=date.fromisoformat(str(case["evaluate_at"])),
        )
    )


def posted_from(case: Case, reports: Sequence[Received]) -> tuple[PostedComment, ...]:
    """The comment a case says was posted, from the first version of each of its orders."""
    comment_class = case["context"].get("comment_already_posted")
    if not comment_class:
        return ()
    first: dict[str, str] = {}
    for report, received in reports:
        for result in readers().normalise(report, FEED, received, report.control_id)[0].results:
            first.setdefault(result.key, result.ref)
    yesterday = midnight(case["evaluate_at"]) - timedelta(days=1)
    return (PostedComment(comment_class=comment_class, text="", posted=yesterday, used=tuple(first.values())),)


def wrong(case: Case, reports: Sequence[Received], feed: Feed, posted: tuple[PostedComment, ...]) -> list[str]:
    """What fails in any order, and where an order says anything else than the first."""
    first = interpreted(case, reports, feed, posted)
    found: dict[str, None] = {}
    for order in orders(reports):
        outcome = interpreted(case, order, feed, posted)
        names = " ".join(report.control_id for report, _received in order)
        found |= dict.fromkeys(f"{names}: {failure}" for failure in failures(case, outcome))
        if outcome != first:
            found[f"{names}: not the outcome of the first order"] = None
    return list(found)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_the_rows_of_a_vignette_pass_in_every_order(case: Case) -> None:
    posted = case_rows.posted(case, midnight(case["evaluate_at"]))
    assert wrong(case, [*case_rows.reports(case)], case_rows.FEED, posted) == []


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_the_messages_of_a_vignette_pass_in_every_order(case: Case) -> None:
    reports = sent(case)
    assert len(reports) == len(case["results"])
    assert wrong(case, reports, FEED, posted_from(case, reports)) == []


def test_five_parts_have_every_order_and_more_have_120_seeded_ones() -> None:
    assert len({*orders(range(5))}) == 120
    many = [*orders(range(8))]
    assert len({*many}) == 120
    assert many == [*orders(range(8))]
    assert all(sorted(one) == [*range(8)] for one in many)


def test_there_are_twenty_vignettes() -> None:
    assert [case["id"] for case in cases()] == [f"V-S{number:02}" for number in range(1, 21)]
