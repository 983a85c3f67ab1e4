"""Earlier results of an archive in the live store: held beside the others, asked whose they are, and calling for nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from story_parts import BLOT, CK, CLIA, FEED, NOON, Laboratory, obx, order, oru
from test_story_edits import act, edit
from test_story_replay import stands_as_stored

from labbridge import serving_units
from labbridge.model.served import Unit
from labbridge.model.work import Arrival, AuditEvent
from labbridge.rows import archive
from labbridge.rows.archive import Row
from labbridge.states import Reason, State

OLD_BLOT = Row(
    number="a.1", patient="PT1", authority="LABA", birth_date="1969-04-17", sex="M", family_name="TEST", order="H1",
    collected="2026-10-28 09:15", received="2026-10-28 12:00", reported="2026-10-28 12:00", system="L", code="SRPB",
    name="Anti-SRP (line blot)", value="58", unit="intensity", reference_range="0-5", status="F",
    sender="MYOLIS|LABA",
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgres"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Laboratory]:
    url = f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("emptied")
    with closing(Laboratory(url)) as found:
        yield found


async def bring(lab: Laboratory, *bodies: bytes) -> list[bool]:
    """Keep and process what an archive holds; whether each was known before."""
    now = lab.clock.now()
    found = []
    for raw in bodies:
        digest = hashlib.sha256(raw)
        arrival = Arrival(
            raw=raw, feed="myolis", peer="archive", sender="MYOLIS|LABA", control_id=digest.hexdigest()[:32],
            message_type="archive", digest=digest.digest(), length=len(raw), lanes=("p:LABA|PT1",), received=now,
        )  # fmt: skip
        event = AuditEvent(at=now, actor="import", action="received", subject="")
        found.append((await lab.intake.keep(arrival, event)).duplicate)
    lab.process()
    return found


def rows(*changes: dict[str, str]) -> bytes:
    return archive.packed([msgspec.structs.replace(OLD_BLOT, **change) for change in changes])


async def test_a_sender_cannot_write_an_archive(lab: Laboratory) -> None:
    """What a sender sent is refused, also where it looks like rows of an archive, and nobody can have it read as such."""
    assert "AA" not in await lab.codes(rows({}))
    assert await lab.codes(oru("M2", order("F1", obx(BLOT, "58"))).replace(b"OBR|", b"OBX|", 1)) == ["AE"]
    for key in ("M1", "M2"):
        said = edit(lab, rows({}), key=key)
        assert "by `labbridge import` alone" in said, said
        assert "by `labbridge import` alone" in act(lab, "reprocess", "M1", "Ben Lot")
    assert held(lab) == []


def held(lab: Laboratory) -> list[tuple[str, bool]]:
    history = lab.work.history(None, "p:LABA|PT1")
    return [(one.analyte.value, one.historical) for part in history.parts for one in part.results]


async def test_it_is_held_and_opens_nothing(lab: Laboratory) -> None:
    await bring(lab, rows({}))
    assert held(lab) == [("SRP", True)]
    assert lab.cases() == []
    assert lab.retests() == []
    assert lab.states() == [(State.DONE, Reason.HISTORY)]
    assert lab.counted("labbridge_results_total") == 0


async def test_a_result_is_as_old_as_it_was_and_not_as_its_import(lab: Laboratory) -> None:
    await bring(lab, rows({}))
    history = lab.work.history(None, "p:LABA|PT1")
    (result,) = history.parts[0].results
    assert result.received.isoformat() == "2026-10-28T12:00:00+01:00"
    assert result.collected.day.isoformat() == "2026-10-28"


async def test_the_same_rows_again_are_known(lab: Laboratory) -> None:
    assert await bring(lab, rows({}), rows({})) == [False, True]
    assert len(held(lab)) == 1


async def test_a_message_of_the_archive_is_read_as_it_stood(lab: Laboratory) -> None:
    await bring(lab, archive.wrapped(oru("H1", order("F0", obx(BLOT, "58")), sent="20261028120000+0100")))
    assert held(lab) == [("SRP", True)]
    assert lab.cases() == []
    assert lab.states() == [(State.DONE, Reason.HISTORY)]


async def test_a_later_result_is_read_beside_it(lab: Laboratory) -> None:
    """An HMGCR after an earlier SRP: the partner is there, so nobody is asked to test it."""
    await lab.take(oru("M1", order("F1", obx(CLIA, "90"), obx(CK, "7800")), patient="PT2"))
    await bring(lab, rows({"value": "2"}))
    await lab.take(oru("M2", order("F2", obx(CLIA, "90"), obx(CK, "7800"))))
    without, beside = lab.cases()
    assert "SRP" in {one.analyte for one in without.outcome.retests}
    assert "SRP" not in {one.analyte for one in beside.outcome.retests}
    assert beside.outcome.states.SRP == "NEG"


async def test_a_comment_hangs_on_the_message_that_came(lab: Laboratory) -> None:
    await bring(lab, rows({}))
    await lab.take(oru("M1", order("F1", obx(BLOT, "61"), obx(CK, "7800"))))
    case = lab.case()
    assert case.text
    assert case.subject_message == 2
    assert lab.release(f"C{case.key}@{case.version}") > 0


async def test_what_came_later_than_a_case_changes_nothing_by_itself(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(CK, "7800"))))
    before = lab.cases()
    await bring(lab, rows({}))
    assert [(one.key, one.version, one.text) for one in lab.cases()] == [
        (one.key, one.version, one.text) for one in before
    ]


async def test_two_patients_under_one_number_are_not_made_one(lab: Laboratory) -> None:
    """Another birth date: what is on file is not used with it, and a person is asked, as of any message."""
    await bring(lab, rows({"birth_date": "1950-01-01", "family_name": "OTHER"}))
    await lab.take(oru("M1", order("F1", obx(CLIA, "90"))))
    assert "IDENTITY_MISMATCH" in {flag.code for flag in lab.case().outcome.flags}
    assert lab.case().outcome.states.SRP == "NOT_TESTED"


async def test_rows_that_state_nobody_wait_for_a_person_where_the_feed_is_strict(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(CK, "7800"))))
    await bring(lab, rows({"birth_date": "", "family_name": "", "sex": ""}))
    assert lab.states()[-1] == (State.PARKED, Reason.IDENTITY_CONFLICT)


async def test_a_replay_of_the_store_comes_to_the_same(lab: Laboratory) -> None:
    await bring(
        lab,
        rows({}),
        rows({"code": "HMGCRC", "name": "Anti-HMGCR IgG (CLIA)", "value": "3", "unit": "CU", "order": "H2"}),
    )
    await lab.take(oru("M1", order("F1", obx(BLOT, "61"), obx(CK, "7800"))), oru("M2", order("F2", obx(CLIA, "90"))))
    assert stands_as_stored(lab) == 1


async def test_identity_messages_open_no_case_for_what_was_before(lab: Laboratory) -> None:
    """A merge has everything evaluated anew; days that the archive alone knows are no case."""
    await bring(lab, rows({}))
    await lab.take(
        b"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113120000+0100||ADT^A08|A1|P|2.5\r"
        b"EVN|A08|20261113120000+0100\rPID|1||PT1^^^LABA^MR||TEST^SYNTHETIC||19690417|M\r"
    )
    assert lab.cases() == []


async def test_bytes_that_are_no_rows_any_more_are_parked(lab: Laboratory) -> None:
    await bring(lab, archive.MAGIC + b"[{")
    assert lab.states() == [(State.PARKED, Reason.UNREADABLE)]


def test_programs_read_it_as_any_result() -> None:
    """By FHIR: one Observation for each row and a report of the order, under ids that FHIR allows."""
    raw = rows({}, {"number": "a.2", "code": "HMGCRC", "name": "Anti-HMGCR IgG (CLIA)", "value": "3", "unit": "CU"})
    unit = Unit(id=1, message=7, lane="p:LABA|PT1", reason="history", feed="myolis", received=NOON, raw=raw)
    shown = serving_units.opened(unit, FEED, (), "Patient/1")
    assert [one.kind for one in shown] == ["Observation", "Observation", "DiagnosticReport"]
    assert all(re.fullmatch(r"[A-Za-z0-9.-]{1,64}", one.id) for one in shown)
    assert len({one.id for one in shown}) == 3
    assert [one.body["valueString"] for one in shown[:2]] == ["58", "3"]
    by_kind = {one.kind: {key[0] for key in one.same} - {"id"} for one in shown}
    assert by_kind == {"Observation": {"Observation"}, "DiagnosticReport": {"DiagnosticReport"}}
