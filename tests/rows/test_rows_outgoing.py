"""A comment as the row of a staging table, and its judge."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from rows_tables import order, report

from labbridge.errors import Refused
from labbridge.judging import JudgeProcess
from labbridge.model.outcome import Flag, Priority, Retest, Severity
from labbridge.model.report import Patient
from labbridge.rows import body, outgoing
from labbridge.rows.outgoing import MEANINGS, ODBC, About, Staged, TableForm, comment_row, faults

NOW = datetime(2026, 11, 13, 12, 0, 0, 654321, UTC)
TEXT = "Anti-SRP is positive.\nHEp-2 does not exclude it: 5 < 7 & \"x\" 'y' \\ |"
STAGED = Staged(
    control_id="LBC7",
    key="LB1",
    text=TEXT,
    signer="Alex Smith",
    now=NOW,
    flags=(Flag(code="PARTNER_MISSING", severity=Severity.MINOR, rule="r@1"),),
    retests=(
        Retest(analyte="HMGCR", families=("quant", "blot"), priority=Priority.ROUTINE, reason="PARTNER_MISSING"),
        Retest(
            analyte="SRP",
            families=("ip",),
            priority=Priority.URGENT,
            not_before=date(2026, 12, 1),
            reason="UNCONFIRMED",
        ),
    ),
    knowledge="sha256:1",
)
ABOUT = About(patient=report().patient, order=order(), result=order().observations[0])
FORM = TableForm(table="lis.comments", timezone="Europe/Paris")


def row(staged: Staged = STAGED, about: About = ABOUT, form: TableForm = FORM) -> dict[str, Any]:
    (found,) = body.decode(comment_row(staged, about, form)).rows
    return dict(found)


def test_a_comment_is_one_row_of_all_it_says() -> None:
    assert row() == {
        "id": "LBC7",
        "text": TEXT,
        "comment": "LB1",
        "status": "F",
        "patient_id": "PT1",
        "patient_authority": "LABA",
        "filler_order": "F1",
        "placer_order": "PF1",
        "specimen": "T1",
        "code": "SRPB",
        "flags": "PARTNER_MISSING:minor",
        "retests": "HMGCR\tquant,blot\troutine\t\tPARTNER_MISSING\nSRP\tip\turgent\t2026-12-01\tUNCONFIRMED",
        "signer": "Alex Smith",
        "signed": {"timestamp": "2026-11-13T13:00:00"},
        "knowledge": "sha256:1",
    }
    assert set(row()) == set(MEANINGS)


def test_a_correction_says_so_under_the_same_key() -> None:
    found = row(msgspec.structs.replace(STAGED, correction=True, control_id="LBC8"))
    assert (found["status"], found["comment"], found["id"]) == ("C", "LB1", "LBC8")


def test_what_is_not_there_is_null_and_retests_can_be_left_out() -> None:
    bare = About(patient=ABOUT.patient, order=msgspec.structs.replace(order(), specimens=()), result=ABOUT.result)
    found = row(msgspec.structs.replace(STAGED, flags=()), bare, msgspec.structs.replace(FORM, retest="off"))
    assert [found[name] for name in ("specimen", "flags", "retests")] == [None, None, None]


@pytest.mark.parametrize(
    ("staged", "about", "said"),
    [
        (msgspec.structs.replace(STAGED, text=" \n"), ABOUT, "empty"),
        (msgspec.structs.replace(STAGED, text="a\0b"), ABOUT, "control characters"),
        (msgspec.structs.replace(STAGED, text="a\x1bb"), ABOUT, "control characters"),
        (STAGED, msgspec.structs.replace(ABOUT, patient=Patient()), "names no patient"),
    ],
)
def test_what_cannot_be_written_is_refused_before_it_is_signed(staged: Staged, about: About, said: str) -> None:
    with pytest.raises(Refused, match=said):
        comment_row(staged, about, FORM)


def test_the_judge_reads_the_bytes_again() -> None:
    raw = comment_row(STAGED, ABOUT, FORM)
    assert faults(raw, TEXT) == []
    assert faults(raw, TEXT + ".") == ["the text is not the one that was signed"]
    spoiled = json.loads(raw)
    spoiled["rows"][0]["signer"] = ""
    del spoiled["rows"][0]["flags"]
    assert faults(json.dumps(spoiled).encode(), TEXT) == ["a value is missing, or is one too many", "signer is empty"]
    assert faults(b"{}", TEXT) == ["There is no row View"]
    spoiled["rows"] *= 2
    assert "there is not one row" in faults(json.dumps(spoiled).encode(), TEXT)


def test_the_process_that_judges_knows_a_row() -> None:
    judge = JudgeProcess()
    try:
        raw = comment_row(STAGED, ABOUT, FORM)
        assert list(judge.judge(raw, TEXT, ODBC)) == []
        assert list(judge.judge(raw, "something else", ODBC)) == ["the text is not the one that was signed"]
    finally:
        judge.close()


def test_a_text_is_no_statement() -> None:
    """Whatever stands in it is bound; nothing of it is in the SQL (tests/odbc)."""
    text = "'; DROP TABLE comments; --"
    assert row(msgspec.structs.replace(STAGED, text=text))["text"] == text
    assert outgoing.faults(comment_row(msgspec.structs.replace(STAGED, text=text), ABOUT, FORM), text) == []
