"""The head of a case and why it is here: who the patient is as sent, never guessed; each flag with the words and numbers of
the results it rests on, each of them a link to its cell of the matrix."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from evidence_parts import BLOT, CK, Laboratory, Said, case_of, held_of, matrix_of, obx, oru
from story_parts import NOON, order
from web_parts import Bench
from worklist_parts import Site

from labbridge.model.beside import About
from labbridge.model.outcome import Flag, Outcome, Severity, States
from labbridge.model.people import Role
from labbridge.model.report import Patient
from labbridge.model.result import ContextItem, ContextKind
from labbridge.web.rendering import words
from labbridge.web.views import head as heads
from labbridge.web.views.clock import Age
from labbridge.web.views.head import Head, head
from labbridge.web.views.why import reasons

JANE = Patient(family_name="DOE", given_name="JANE", birth_date=date(1970, 11, 11), sex="F")


@pytest.fixture
def said(bench: Bench) -> Said:
    return Said(bench.lab)


def head_of(lab: Laboratory, patient: Patient | None = JANE, now: datetime = NOON, **more: Any) -> Head:
    about = About(opened=NOON - timedelta(days=2), sender="MYOLIS|LABA", patient=patient)
    return head(case_of(lab), about, matrix_of(lab).entries, held_of(lab).context, now=now, **more)


# ---------------------------------------------------------------- the head


async def test_the_head_says_who_the_patient_is_as_sent(bench: Bench, said: Said) -> None:
    await said("F1", obx(BLOT, "58"))
    found = head_of(bench.lab)
    assert (found.name, found.birth_date, found.sex, found.sender) == ("DOE, JANE", "1970-11-11", "F", "MYOLIS LABA")
    assert (found.age, found.age_stated) == (55, False), "the birthday is the day after the collection"
    assert (found.collected, found.orders, found.specimens) == ("2026-11-10 09:15", ("F1",), ())


@pytest.mark.parametrize(
    ("patient", "age", "stated"),
    [
        (None, None, False),
        (Patient(), None, False),
        (Patient(age_years=61), 61, True),
        (Patient(birth_date=date(2026, 11, 10)), 0, False),
        (Patient(birth_date=date(2026, 11, 11)), -1, False),
    ],
)
async def test_an_age_is_what_was_sent_or_follows_from_it(
    bench: Bench, said: Said, patient: Patient | None, age: int | None, stated: bool
) -> None:
    await said("F1", obx(BLOT, "58"))
    found = head_of(bench.lab, patient)
    assert (found.age, found.age_stated, found.name, found.sex) == (age, stated, "", "")


async def test_the_clock_runs_from_the_newest_result_as_the_worklist_counts_it(bench: Bench, said: Said) -> None:
    await said("F1", obx(BLOT, "58"))
    newest = case_of(bench.lab).outcome.newest
    assert newest is not None
    assert head_of(bench.lab, now=newest + timedelta(minutes=59)).waits == Age(59, "min")
    assert head_of(bench.lab, now=newest + timedelta(hours=25)).waits == Age(1, "d")
    early = head_of(bench.lab, now=newest - timedelta(seconds=1))
    assert (early.waits, early.ahead) == (None, True)


async def test_the_newest_collection_and_every_number_of_what_it_rests_on(bench: Bench, said: Said) -> None:
    spm = "SPM|1|S-1&MYOLIS^S-1&MYOLIS||SER^Serum^HL70487"
    await said("F1", obx(CK, "900"), day="20261101")
    await said("F2", obx(BLOT, "58"), day="20261110", more=spm)
    found = head_of(bench.lab)
    assert found.collected == "2026-11-10 09:15"
    assert found.specimens == ("S-1",)
    assert set(found.orders) == {"F1", "F2"}
    assert found.message == "M2"


def stated(kind: ContextKind, value: str, day: int, since: date | None = None) -> ContextItem:
    return ContextItem(kind=kind, value=value, stated=datetime(2026, 11, day, tzinfo=UTC), since=since)


async def test_what_the_requester_stated_is_shown_the_newest_of_each_kind(bench: Bench, said: Said) -> None:
    await said("F1", obx(BLOT, "58"))
    items = [
        stated(ContextKind.STATIN, "Y", 3),
        stated(ContextKind.STATIN, "U", 2),
        stated(ContextKind.IVIG_DATE, "2026-10-01", 3),
        stated(ContextKind.IVIG_DATE, "2026-10-02", 3),
        stated(ContextKind.KNOWN_MSA, "SRP", 3, date(2024, 5, 1)),
    ]
    about = About(opened=NOON)
    shown = head(case_of(bench.lab), about, (), items, now=NOON).stated
    assert {(one.words, one.answer, one.since) for one in shown} == {
        ("statin exposure", "yes", ""),
        ("immunoglobulins given", "2026-10-01", ""),
        ("immunoglobulins given", "2026-10-02", ""),
        ("known antibody", "SRP", "2024-05-01"),
    }


def test_every_kind_of_statement_has_words_in_both_languages() -> None:
    assert set(heads._STATED) == set(ContextKind)
    assert {one for one in (*heads._STATED.values(), *heads._ANSWERS.values()) if not words("fr").get(one)} == set()


# ---------------------------------------------------------------- on the page


async def test_the_page_names_the_patient_twice_and_says_what_was_not_sent(anywhere: Bench) -> None:
    bare = "PID|||PT9^^^LABA^MR"
    raw = oru("B1", order("F9", obx(BLOT, "58")), patient="PT9").decode()
    await anywhere.lab.take(re.sub(r"PID[^\r]*", bare, raw).encode())
    await Site(anywhere).patient("PT1", obx(BLOT, "58"))
    browser = anywhere.signed_in()
    nobody, somebody = (browser.get(f"/cases/C{key}").text for key in (1, 2))
    for told in ("name not sent", "birth date not sent", "age not sent", "sex not sent"):
        assert told in nobody
        assert told not in somebody
    assert re.search(r"PT1</strong>", somebody)
    row = anywhere.rows.execute("SELECT body FROM patients WHERE identifier = 'PT1'").fetchone()
    patient = msgspec.json.decode(row[0], type=Patient)
    assert patient.birth_date is not None
    assert patient.family_name in somebody
    assert patient.birth_date.isoformat() in somebody
    assert f"{patient.age_on(date(2026, 11, 10))} years at collection" in somebody
    assert "MYOLIS LABA" in somebody


async def test_who_else_has_it_open_is_told_and_oneself_is_not(bench: Bench) -> None:
    await Site(bench).patient("PT1", obx(BLOT, "58"))
    anna, bert = bench.signed_in("anna"), bench.signed_in("bert")
    assert "open at" not in anna.get("/cases/C1").text
    assert "open at Anna Test" in bert.get("/cases/C1").text
    assert "open at Bert Test" in anna.get("/cases/C1").text
    bench.clock.forward(hours=1)
    assert "open at" not in bench.signed_in("carl").get("/cases/C1").text


async def test_the_message_is_a_link_for_who_may_see_messages(bench: Bench) -> None:
    await Site(bench).patient("PT1", obx(BLOT, "58"))
    assert re.search(r'href="/messages/M1"[^>]*data-key="m"', bench.signed_in("anna").get("/cases/C1").text)
    assert "/messages/" not in bench.signed_in("vera", Role.VIEWER).get("/cases/C1").text


# ---------------------------------------------------------------- why it is here


async def test_each_flag_has_the_words_and_numbers_of_what_it_rests_on(bench: Bench, said: Said) -> None:
    await said("F1", obx(BLOT, "14"), obx(CK, "100"))
    page = bench.signed_in().get("/cases/C1").text
    why = page[page.index('aria-labelledby="why"') : page.index("desk-evidence")]
    told = " ".join(re.sub(r"<[^>]+>", " ", why).split())
    assert (
        "SRP: a single low positive anti-SRP line blot 14 intensity low positive, 1.28 × 11 (from our tables)" in told
    )
    assert "CK enzymatic 100 U/L within its limits, 0.526 × 190 (sent with the result)" in told
    assert re.search(r"MSA_LOW_POS_UNCONFIRMED · srp-low@\d+ · \d+ min", told)


async def test_the_results_are_links_to_cells_that_are_there_and_hold_them(bench: Bench, said: Said) -> None:
    await said("F1", obx(BLOT, "14"), obx(CK, "100"))
    page = bench.signed_in().get("/cases/C1").text
    linked = set(re.findall(r'href="#(cell-\d+-\d+)"', page))
    cells = dict(re.findall(r'<td id="(cell-\d+-\d+)">(.*?)</td>', page, re.DOTALL))
    assert len(linked) == 2
    assert all("◆" in cells[one] for one in linked)
    found = matrix_of(bench.lab)
    for reason in reasons(case_of(bench.lab).outcome, found, NOON):
        for basis in reason.basis:
            row, column = map(int, basis.cell.split("-")[1:])
            assert basis.entry in found.rows[row - 1].cells[column - 1].entries


async def test_an_earlier_version_belongs_to_the_cell_of_its_result(bench: Bench, said: Said) -> None:
    await said("F1", obx(BLOT, "58"))
    await said("F1", obx(BLOT, "40", "C"))
    outcome = flagged("M1:OBX[1]", "M2:OBX[1]")
    (only,) = reasons(outcome, matrix_of(bench.lab), NOON)
    assert len({one.cell for one in only.basis} - {""}) == 1
    assert [one.entry.text for one in only.basis if one.entry] == ["58", "40"]


def flagged(*evidence: str, severity: Severity = Severity.MAJOR, more: tuple[Flag, ...] = ()) -> Outcome:
    flag = Flag(code="MSA_POSITIVE", severity=severity, rule="r@1", evidence=evidence)
    return Outcome(
        patient=None,
        evaluated_at=date(2026, 11, 13),
        knowledge="",
        states=States(SRP="NEG", HMGCR="NEG", HEP2="NEG", CK="HIGH"),
        flags=(flag, *more),
    )


async def test_a_flag_is_as_old_as_the_newest_result_it_rests_on(bench: Bench, said: Said) -> None:
    await said("F1", obx(BLOT, "58"))
    bench.clock.forward(hours=5)
    await said("F2", obx(CK, "7800"))
    found = matrix_of(bench.lab)
    received = {one.place: one.result.received for one in found.entries}
    assert len(set(received.values())) == 2
    both, first, none = (
        reasons(flagged(*refs), found, max(received.values()) + timedelta(hours=3))[0]
        for refs in (("M1:OBX[1]", "M2:OBX[1]"), ("M1:OBX[1]",), ("M99:OBX[1]",))
    )
    assert (both.since, both.age) == (received["M2:OBX[1]"], Age(3, "h"))
    assert first.since == received["M1:OBX[1]"]
    assert first.age is not None
    assert first.age.number > 3
    assert (none.since, none.age) == (None, None)
    assert (none.basis[0].entry, none.basis[0].cell) == (None, "")


async def test_the_worst_comes_first(bench: Bench, said: Said) -> None:
    await said("F1", obx(BLOT, "58"))
    worse = Flag(code="CK_EXTREME", severity=Severity.CRITICAL, rule="r@1")
    found = reasons(flagged(severity=Severity.INFO, more=(worse,)), matrix_of(bench.lab), NOON)
    assert [one.flag.code for one in found] == ["CK_EXTREME", "MSA_POSITIVE"]


async def test_the_original_text_stands_in_each_cell_until_it_is_asked_for(bench: Bench, said: Said) -> None:
    await said("F1", obx(BLOT, "58"))
    page = bench.signed_in().get("/cases/C1").text
    assert re.search(r'<button[^>]*data-key="o"[^>]*data-shows="\.as-sent"[^>]*aria-pressed="false"', page)
    assert re.search(r'<div class="as-sent" hidden>.*?58.*?M1:OBX\[1\]', page, re.DOTALL)
