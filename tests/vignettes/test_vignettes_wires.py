"""Every vignette by both wires and as the rows of its case: one outcome, apart from the addresses of the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
import pytest
from vignette_fhir import FEED, bodies
from vignette_hl7 import messages
from vignette_parts import Case, cases, failures, readers

from labbridge.fhir import incoming as fhir
from labbridge.fhir import structure
from labbridge.hl7 import incoming as hl7
from labbridge.model.history import History
from labbridge.model.outcome import Outcome, PostedComment
from labbridge.model.report import Report
from labbridge.model.result import ContextItem, PatientResults, Result
from labbridge.model.values import Quantity
from labbridge.offline import case_history
from labbridge.show import public

NAMED = {"csf": "Cerebrospinal fluid"}  # what rows give as a code, a laboratory gives a name


class Sent(msgspec.Struct, frozen=True):
    """The messages of a case as read and normalised."""

    parts: tuple[PatientResults, ...]

    @property
    def results(self) -> tuple[Result, ...]:
        return tuple(result for part in self.parts for result in part.results)

    @property
    def context(self) -> list[ContextItem]:
        """In an order of its own: a body need not say its facts where the other wire does."""
        return sorted((item for part in self.parts for item in part.context), key=lambda one: (one.kind, one.value))


def midnight(day: object) -> datetime:
    return datetime.combine(date.fromisoformat(str(day)), time(), UTC)


def by_hl7(case: Case) -> list[Report]:
    return [one for raw in messages(case, "P1") for one in hl7.read_reports(raw, FEED, datetime.min)]


def by_fhir(case: Case) -> list[Report]:
    raws = bodies(case, "P1")
    assert [structure.checked(raw) for raw in raws] == [[] for _raw in raws]
    return [one for raw in raws for one in fhir.read_reports(raw, FEED)]


def normalised(case: Case, reports: Sequence[Report]) -> Sent:
    received = [midnight(row["received"]) + timedelta(hours=15) for row in case["results"]]
    read = zip(reports, received, range(1, 100), strict=False)
    return Sent(tuple(readers().normalise(one, FEED, moment, f"M{number}")[0] for one, moment, number in read))


def posted(case: Case, sent: Sent) -> tuple[PostedComment, ...]:
    """The comment a case says was posted, from the first version of each of its results."""
    comment_class = case["context"].get("comment_already_posted")
    if not comment_class:
        return ()
    first: dict[str, str] = {}
    for result in sent.results:
        first.setdefault(result.key, result.ref)
    yesterday = midnight(case["evaluate_at"]) - timedelta(days=1)
    return (PostedComment(comment_class=comment_class, text="", posted=yesterday, used=tuple(first.values())),)


def interpreted(case: Case, sent: Sent) -> Outcome:
    return readers().interpret(
        History(
            patient=sent.parts[-1].patient,
            results=sent.results,
            context=tuple(item for part in sent.parts for item in part.context),
            posted=posted(case, sent),
            today=date.fromisoformat(str(case["evaluate_at"])),
        )
    )


def meant(results: Sequence[Result]) -> list[Result]:
    """Results without their addresses, the letters of their status, and the pictures of their times. By FHIR a unit stands
    with a number: one beside a word, or beside no value, has no place there."""
    return [
        msgspec.structs.replace(
            one,
            ref="",
            at="",
            status_code="",
            collected=msgspec.structs.replace(one.collected, text=""),
            unit_text=one.unit_text if isinstance(one.value, Quantity) else "",
        )
        for one in results
    ]


def said(outcome: Outcome, results: Sequence[Result]) -> dict[str, Any]:
    """The public outcome, its evidence by what it names; whose it is apart."""
    names = {one.ref: f"{one.filler.id} {one.analyte} {one.status}" for one in results}
    found = public(outcome)
    for flag in found["flags"]:
        flag["evidence"] = [names[ref] for ref in flag["evidence"]]
    for note in found["notes"]:
        del note["at"]
    del found["patient"]
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_a_vignette_normalises_to_the_same_results_by_both_wires(case: Case) -> None:
    one, other = normalised(case, by_hl7(case)), normalised(case, by_fhir(case))
    assert len(one.parts) == len(other.parts) == len(case["results"])
    assert [part.lane for part in one.parts] == [part.lane for part in other.parts]
    assert [part.patient for part in one.parts] == [part.patient for part in other.parts]
    assert meant(one.results) == meant(other.results)
    assert one.context == other.context


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_a_vignette_says_by_both_wires_what_its_rows_say(case: Case) -> None:
    rows = case_history(case, readers())
    wanted = said(readers().interpret(rows), rows.results)
    if wanted["comment"]:
        for code, name in NAMED.items():
            wanted["comment"]["text"] = wanted["comment"]["text"].replace(f": {code} ", f": {name} ")
    for reports in (by_hl7(case), by_fhir(case)):
        sent = normalised(case, reports)
        outcome = interpreted(case, sent)
        assert failures(case, outcome) == []
        assert said(outcome, sent.results) == wanted


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_a_vignette_says_the_same_where_its_messages_come_by_turns(case: Case) -> None:
    pairs = [*zip(by_hl7(case), by_fhir(case), strict=True)]
    sent = normalised(case, [pair[0] for pair in pairs])
    wanted = said(interpreted(case, sent), sent.results)
    for turn in (0, 1):
        mixed = normalised(case, [pair[(number + turn) % 2] for number, pair in enumerate(pairs)])
        assert said(interpreted(case, mixed), mixed.results) == wanted
