"""The stored past gone through again: it comes to what processing left; a change touches those it should and no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from story_parts import BLOT, CK, CLIA, ELISA, FEED, SITE, Laboratory, obx, order, oru, reader

from labbridge.interpret import Interpreter
from labbridge.knowledge.documents import Source
from labbridge.model.work import AuditEvent, Verdict
from labbridge.normalise import Normaliser
from labbridge.past import Known, Past, differences
from labbridge.review.worklist import said
from labbridge.sources import read_all, understood
from labbridge.store import links
from labbridge.store import past as stored
from tests.summed import summed

MERGE = (
    "MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113120000+0100||ADT^A40|{id}|P|2.5\r"
    "EVN|A40|20261113120000+0100\rPID|1||{into}^^^LABA^MR||TEST^SYNTHETIC||19690417|M\rMRG|{of}^^^LABA^MR\r"
)


@pytest.fixture(params=["sqlite", "postgres"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Laboratory]:
    url = f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("emptied")
    with closing(Laboratory(url)) as found:
        yield found


def again(lab: Laboratory, group: stored.Group, knowledge: object = None) -> Past:
    """The past of one patient by a knowledge; by the laboratory's without one."""
    by = lab.reader
    if knowledge is not None:
        by = msgspec.structs.replace(by, normalise=Normaliser(knowledge), interpret=Interpreter(knowledge))  # type: ignore[arg-type]
    known = Known(
        verdicts=links.verdicts_of(lab.rows, group.lanes),
        undone=stored.undone(lab.rows, group.lanes),
        own_texts=lambda digests: stored.own_texts(lab.rows, digests),
    )
    past = Past(known)
    past.go_through(stored.kept(lab.rows, group), by)
    return past


def stands_as_stored(lab: Laboratory) -> int:
    """How many cases there are; fails where one of them, gone through again, says something else."""
    groups = stored.patients(lab.rows, None)
    found = {}
    for group in groups:
        for case in again(lab, group).cases:
            found[case.lane, case.opened_day] = case
    kept = {(case.lane, case.opened_day): case for case in lab.cases()}
    assert set(found) == set(kept)
    for key, case in kept.items():
        assert said(found[key].outcome) == said(case.outcome)
        assert (found[key].version, found[key].text, found[key].state) == (case.version, case.text, case.state)
    return len(kept)


async def test_it_comes_to_the_cases_that_processing_left(lab: Laboratory) -> None:
    await lab.take(
        oru("M1", order("F1", obx(BLOT, "58"))),
        oru("M2", order("F2", obx(CK, "7800"))),
        oru("M3", order("F1", obx(BLOT, "3", "C"))),
        oru("M4", order("F4", obx(BLOT, "14"), obx(ELISA, "90")), patient="PT2"),
        oru("M5", order("F5", obx(CLIA, "25"), collected="20260110091500+0100"), patient="PT2"),
        oru("M6", order("F6", obx(BLOT, "58", "?")), patient="PT3"),
        oru("M7", order("F7", obx(BLOT, "3"), obx(CLIA, "5"), obx(CK, "100")), patient="PT4"),
    )
    assert stands_as_stored(lab) == 5


async def test_patients_that_were_merged_are_one_past(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))), oru("M2", order("F2", obx(CK, "7800")), patient="PT2"))
    await lab.take(MERGE.format(id="A1", into="PT1", of="PT2").encode())
    await lab.take(oru("M3", order("F3", obx(CLIA, "5")), patient="PT2"))
    (group,) = stored.patients(lab.rows, None)
    assert group.lanes[0] == "p:LABA|PT1"
    assert len(group.messages) == 4
    assert stands_as_stored(lab) >= 1


async def test_what_persons_decided_of_who_is_who_holds_in_the_past_too(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    await lab.receive(oru("M2", order("F2", obx(CK, "7800"))).replace(b"19690417", b"19580228"))
    lab.process()
    who = lab.rows.execute("SELECT who FROM results WHERE message = 2").fetchone()
    if who is not None:
        event = AuditEvent(at=lab.clock.now(), actor="a", action="identity other", subject="M2")
        lab.desk.decide(2, [("p:LABA|PT1", who[0])], Verdict.OTHER, event)
        lab.process()
    (case,) = again(lab, stored.patients(lab.rows, None)[0]).cases
    assert said(case.outcome) == said(lab.case().outcome)
    assert case.outcome.states.CK == "UNKNOWN"  # it is somebody else's


async def test_our_own_comments_that_come_back_are_no_result(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    lab.release("C1@1")
    (raw,) = lab.rows.execute("SELECT raw FROM outbox").fetchone()
    await lab.receive(bytes(raw).replace(b"|LABBRIDGE|", b"|MYOLIS|", 1).replace(b"|LB", b"|XX", 1))
    lab.process()
    assert len(again(lab, stored.patients(lab.rows, None)[0]).cases) == 1


async def test_bytes_that_were_wiped_and_what_stopped_the_service_are_left_out(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))), oru("M2", order("F2", obx(CK, "7800"))))
    lab.writer.submit(lambda c: c.execute("UPDATE journal SET raw = substr(raw, 1, 0) WHERE id = 1")).result()
    crashed = "UPDATE work SET state = 'parked', reason = 'crashed' WHERE message = 2"
    lab.writer.submit(lambda c: c.execute(crashed)).result()
    lab.writer.submit(summed).result()
    past = again(lab, stored.patients(lab.rows, None)[0])
    assert (past.cases, list(past.parked)) == ([], [2])


async def test_only_patients_of_whom_something_came_since_a_day_are_looked_at(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    lab.clock.forward(days=3)
    await lab.take(oru("M2", order("F2", obx(BLOT, "58")), patient="PT2"))
    since = lab.clock.now().date()
    assert [one.lanes for one in stored.patients(lab.rows, since)] == [("p:LABA|PT2",)]
    assert len(stored.patients(lab.rows, None)) == 2
    lab.clock.forward(days=3)
    assert stored.patients(lab.rows, lab.clock.now().date()) == []


# ---------------------------------------------------------------- a planted change


@pytest.mark.parametrize(("site", "touched"), [
    ("- {id: ck_mod_from, value: 6, unit: x upper limit, tag: CONVENTION, source: us}\n", {"PT5"}),
    ("- {id: ck_mod_from, value: 4.0, unit: x upper limit, tag: CONVENTION, source: us}\n", set()),
])  # fmt: skip
async def test_a_change_touches_those_it_should(lab: Laboratory, site: str, touched: set[str]) -> None:
    """CK of 5 times its limit (190) is moderate from 4 on, and mild from 6 on."""
    for number, value in enumerate(("100", "700", "7800", "500", "950"), 1):
        await lab.take(oru(f"M{number}", order(f"F{number}", obx(BLOT, "58"), obx(CK, value)), patient=f"PT{number}"))
    other = understood([*read_all(SITE), Source("policy.yaml", site, True)])
    found = [
        one
        for group in stored.patients(lab.rows, None)
        for one in differences(again(lab, group), again(lab, group, other))
    ]
    assert {one.patient.id for one in found if one.patient} == touched
    assert all("states" in one.changed for one in found)


async def test_a_case_that_would_come_or_go_is_told(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    there, nothing = again(lab, stored.patients(lab.rows, None)[0]), Past(Known())
    (gone,), (come,) = differences(there, nothing), differences(nothing, there)
    assert (gone.changed, gone.after, come.changed, come.before) == (("case",), None, ("case",), None)
    assert (come.patient.id if come.patient else "", come.opened_day) == ("PT1", "2026-11-10")


def test_the_laboratory_reads_by_the_site_of_the_demo() -> None:
    assert reader().feeds[FEED.name] is FEED
