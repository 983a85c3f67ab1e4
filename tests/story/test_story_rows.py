"""Results that were read from a table: the same story, whatever the comments leave by."""

from __future__ import annotations

import json

import msgspec
import pytest
from fhir_parts import blot, ck, posted
from rows_parts import CK, SECTION, TABLES, keep_rows, row, take_rows
from story_parts import BLOT, SITE, Laboratory, Lis, field, obx, order, oru
from story_parts import CK as CK_LINE

from labbridge.acts import feeds_of, letterhead
from labbridge.config import Config
from labbridge.errors import Refused
from labbridge.hl7 import conformance
from labbridge.rows import body
from labbridge.rows.outgoing import faults
from labbridge.sources import read_all, words_of

CONFIG = Config.model_validate(
    {
        "facility": "LABA",
        "feeds": {"tables": SECTION},
        "receivers": {
            "lis": {
                "kind": "odbc",
                "odbc": {"connection": "DSN=lis", "table": "comments", "columns": {"id": "i", "text": "t"}},
            }
        },
        "knowledge": {"site": SITE},
    }
)


def to_a_table(lab: Laboratory) -> None:
    """Comments leave as rows from now on, as the configuration says."""
    lab.letterhead = letterhead(CONFIG, "tables", "lis", words_of(read_all(SITE)))

    class Judging:
        def judge(self, raw: bytes, text: str, version: str) -> list[str]:
            assert version == "odbc"
            return faults(raw, text)

        def judge_order(self, *_about: object) -> list[str]:
            raise AssertionError

    lab.judge = Judging()  # type: ignore[assignment]


def outcome(lab: Laboratory) -> tuple[object, ...]:
    case = lab.case()
    flags = [(one.code, one.severity) for one in case.outcome.flags]
    return case.outcome.states, flags, case.outcome.retests, case.text


async def test_rows_give_what_the_same_results_give_on_the_other_wires(lab: Laboratory, tmp_path: object) -> None:
    take_rows(lab, row(), row(**CK))
    by_rows = outcome(lab)
    assert lab.states() == [("done", "drafted")] * 2
    for take in ("hl7", "fhir"):
        other = Laboratory(f"sqlite:///{tmp_path}/{take}.db")
        try:
            if take == "hl7":
                await other.take(oru("A1", order("F1", obx(BLOT, "58"))), oru("A2", order("F1", obx(CK_LINE, "3400"))))
            else:
                await other.take_fhir(posted("B1", "F1", blot("58"), ck("3400")))
            assert outcome(other)[1:] == by_rows[1:]
        finally:
            other.close()


def test_a_row_that_is_read_again_is_known_and_counted_nowhere(lab: Laboratory) -> None:
    assert keep_rows(lab, row(), row(**CK)) == 2
    assert keep_rows(lab, row(), row(**CK), row(id=3, order_no="F2")) == 1
    assert keep_rows(lab, row()) == 0
    assert lab.rows.execute("SELECT sum(duplicates), count(*) FROM journal").fetchone() == (0, 3)
    assert (lab.counted("duplicate"), lab.counted("stored")) == (0, 3)


def test_the_same_row_twice_in_one_commit_is_one(lab: Laboratory) -> None:
    assert keep_rows(lab, row(), row()) == 1


def test_a_corrected_row_is_a_new_version_of_the_result(lab: Laboratory) -> None:
    take_rows(lab, row(), row(**CK))
    before = lab.case()
    take_rows(lab, row(result="3", state="C", flag=None))
    after = lab.case()
    assert (before.key, after.key) == (1, 1)
    assert (before.outcome.states.SRP, after.outcome.states.SRP) == ("POS_STRONG", "NEG")
    assert lab.rows.execute("SELECT control_id FROM journal ORDER BY id").fetchall()[0][0].startswith("1#")
    assert lab.rows.execute("SELECT count(*) FROM journal WHERE notes LIKE '%N014%'").fetchone() == (0,)


def test_what_cannot_be_read_is_quarantined_whole_and_taken_up_once_it_can(lab: Laboratory) -> None:
    bad = row(test=None, test_name=None)
    assert keep_rows(lab, bad) == 1
    (state, code, location, raw, duplicates) = lab.rows.execute(
        "SELECT state, error_code, location, raw, duplicates FROM journal"
    ).fetchone()
    assert (state, code, location, duplicates) == ("quarantined", "101", "View.rows[0].test", 0)
    assert json.loads(raw)["rows"][0]["pat_no"] == "PT1"
    assert keep_rows(lab, bad) == 0
    lenient = msgspec.structs.replace(TABLES, columns={**TABLES.columns, "code": "flag"})
    assert keep_rows(lab, bad, feed=lenient) == 1
    assert lab.rows.execute("SELECT state, count(*) FROM journal").fetchone() == ("kept", 1)
    assert lab.counted("quarantined") == 0


def test_rows_that_belong_together_are_drafted_together(lab: Laboratory) -> None:
    together = msgspec.structs.replace(TABLES, key=("order_no",))
    lab.reader = msgspec.structs.replace(lab.reader, feeds={**lab.reader.feeds, "tables": together})
    assert keep_rows(lab, [row(), row(**CK)], feed=together) == 1
    lab.process()
    assert lab.states() == [("done", "drafted")]
    states = lab.case().outcome.states
    assert (states.SRP, states.CK) == ("POS_STRONG", "HIGH")


@pytest.mark.parametrize("mode", ["obx", "nte", "report"])
async def test_a_comment_on_rows_leaves_in_hl7_in_each_mode(lab: Laboratory, mode: str) -> None:
    page = lab.letterhead
    lab.letterhead = msgspec.structs.replace(page, format=msgspec.structs.replace(page.format, mode=mode))
    take_rows(lab, row(), row(**CK))
    lis = Lis()
    lab.release("C1@2")
    assert await lab.deliver(lis) == 1
    (raw,) = lis.received
    assert conformance.judge(raw, lab.case().posted[0].text, "2.5.1") == []
    assert field(raw, "PID", 3) == "PT1^^^LABA"
    assert field(raw, "OBR", 3) == "F1^MYOLIS" if mode != "report" else True


async def test_a_comment_leaves_as_a_row_whatever_wire_its_results_came_by(lab: Laboratory) -> None:
    to_a_table(lab)
    take_rows(lab, row(), row(**CK))
    text = lab.case().text
    lab.release("C1@2")
    (raw, control_id) = lab.rows.execute("SELECT raw, control_id FROM outbox").fetchone()
    (sent,) = body.decode(raw).rows
    assert (sent["id"], sent["text"], sent["comment"], sent["status"]) == (control_id, text, "LB1", "F")
    assert (sent["patient_id"], sent["patient_authority"], sent["filler_order"], sent["specimen"]) == (
        "PT1",
        "LABA",
        "F1",
        "T1",
    )
    assert sent["signer"] == "Alex Smith"
    assert sent["signed"]["timestamp"] == "2026-11-13T13:02:00"
    assert sent["retests"]


async def test_a_comment_on_hl7_leaves_as_a_row(lab: Laboratory) -> None:
    to_a_table(lab)
    lab.letterhead = msgspec.structs.replace(lab.letterhead, feeds=lab.reader.feeds)
    await lab.take(oru("A1", order("F1", obx(BLOT, "58"), obx(CK_LINE, "3400"))))
    lab.release("C1@1")
    (sent,) = body.decode(lab.rows.execute("SELECT raw FROM outbox").fetchone()[0]).rows
    assert (sent["patient_id"], sent["filler_order"], sent["placer_order"]) == ("PT1", "F1", "PF1")


async def test_without_a_patient_there_is_nothing_to_sign(lab: Laboratory) -> None:
    to_a_table(lab)
    take_rows(lab, row(pat_no=None))
    assert lab.states() == [("done", "no_patient")]
    with pytest.raises(Refused):
        lab.release("C1@1")


def test_a_feed_that_is_not_configured_any_more_parks_its_rows(lab: Laboratory) -> None:
    keep_rows(lab, row())
    feeds = {name: one for name, one in lab.reader.feeds.items() if name != "tables"}
    lab.reader = msgspec.structs.replace(lab.reader, feeds=feeds)
    lab.process()
    assert lab.states()[0][0] == "parked"


def test_the_feed_of_the_configuration_reads_as_the_one_of_these_tests() -> None:
    found = feeds_of(CONFIG)["tables"]
    assert (found.kind, found.columns, found.key) == ("odbc", TABLES.columns, ("id",))
