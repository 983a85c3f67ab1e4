"""Release by rule: it leaves with the rule's name, and each reason of standards.md R10 keeps it a person's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest
from by_rule_parts import NEGATIVE, POLICY, ROW, Office, knowledge_of, negative
from story_parts import BLOT, CK, CLIA, ELISA, ELSEWHERE, Laboratory, Lis, obx, order, oru

from labbridge import automatic
from labbridge.acts import Acts
from labbridge.config import Config, ReleaseSection
from labbridge.errors import Refused
from labbridge.hl7.ack import Acknowledgement
from labbridge.model.release import SENTENCES, Beside, Judged, Record, Refusal
from labbridge.model.report import Timestamp
from labbridge.model.result import Analyte, Result
from labbridge.model.review import Decided, Decision
from labbridge.model.work import AuditEvent
from labbridge.review import releasing
from labbridge.states import CaseState
from labbridge.store import releases
from labbridge.store.connection import Connection
from tests.summed import summed

CONFIG = Config.model_validate({"feeds": {"myolis": {}}, "receivers": {"lis": {"address": "127.0.0.1:9"}}})
SHIPPED = POLICY.replace("- {id: release_reviewed_least, value: 2, unit: cases, tag: CONVENTION, source: a test}\n", "")


@pytest.fixture(params=["sqlite", "postgres"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    url = f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("emptied")
    with closing(Laboratory(url)) as lab:
        yield Office(lab, tmp_path / "store.db.suspend")


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Office]:
    """On SQLite, for what the store has no part in."""
    with closing(Laboratory(f"sqlite:///{tmp_path / 'store.db'}")) as lab:
        yield Office(lab, tmp_path / "store.db.suspend")


async def test_a_comment_leaves_by_a_rule_and_bears_its_name(office: Office) -> None:
    await office.reviewed()
    await office.lab.take(negative(2))
    assert office.look() == 1
    assert [case.state for case in office.lab.cases()] == [CaseState.SIGNED] * 2
    lis = Lis()
    await office.lab.deliver(lis)
    by_person, by_rule = lis.comments()
    assert by_person[16] == "^Alex Smith"
    assert by_rule[16] == "^rule both-negative@1"
    assert by_person[5] == by_rule[5]
    lines = office.lab.rows.execute(
        "SELECT actor, subject, detail FROM audit WHERE action = 'released by rule'"
    ).fetchall()
    assert [(actor, subject, detail.split()[0]) for actor, subject, detail in lines] == [
        ("labbridge", "C2@1", "both-negative@1")
    ]
    assert office.lab.rows.execute("SELECT rule FROM outbox ORDER BY id").fetchall() == [("",), ("both-negative@1",)]
    assert office.lab.rows.execute("SELECT count(*) FROM signatures").fetchone() == (0,)


async def test_each_version_is_looked_at_once(office: Office) -> None:
    await office.lab.take(negative(1))
    assert office.look() == 0
    before = office.lab.rows.execute("SELECT at FROM releases").fetchall()
    office.lab.clock.forward(minutes=1)
    assert office.look() == 0
    assert office.lab.rows.execute("SELECT at FROM releases").fetchall() == before


# ---------------------------------------------------------------- R10, one reason each


async def refused(office: Office, *messages: bytes, case: int = 2, version: int = 1) -> set[Refusal]:
    """What keeps the last case a person's, beside a laboratory in which nothing else would."""
    await office.reviewed()
    await office.lab.take(*messages)
    assert office.look() == 0
    return set(office.why(case, version))


async def test_nothing_is_approved_by_itself(one: Office) -> None:
    one.lab.writer.submit(
        lambda c: c.execute("UPDATE approvals SET withdrawn = put_forward WHERE item LIKE 'release:%'")
    ).result()
    assert await refused(one, negative(2)) == {Refusal.RULE_NOT_APPROVED}


EVERY = f"[{', '.join(sorted(one for one in knowledge_of(ROW, POLICY)[1].decisions.comments))}]"
ITEMS = ("rule:both-negative", "comment:C07", "words:en", "kit:%", "method:line_blot", "policy:quant_strong_fold")


@pytest.mark.parametrize("item", [*ITEMS, "table:units.yaml", "code:loinc:2157-6"])
async def test_everything_it_rests_on_is_approved(one: Office, item: str) -> None:
    change = f"UPDATE approvals SET withdrawn = put_forward WHERE item LIKE '{item}'"
    one.lab.writer.submit(lambda c: c.execute(change)).result()
    assert await refused(one, negative(2)) == {Refusal.KNOWLEDGE_NOT_APPROVED}


async def test_a_row_that_changed_since_it_was_approved_releases_nothing(one: Office) -> None:
    one.knows(ROW.replace("analytes: [SRP, HMGCR, CK]", "analytes: [CK, HMGCR, SRP]"), approved="")
    assert await refused(one, negative(2)) == {Refusal.RULE_NOT_APPROVED}


async def test_another_comment_and_another_feed_have_no_row(one: Office) -> None:
    await one.reviewed()
    await one.lab.take(oru("M2", order("F2", obx(BLOT, "58")), patient="P2"))
    await one.lab.take(negative(3), feed=ELSEWHERE)
    assert one.look() == 0
    assert set(one.why(2)) >= {Refusal.NO_RULE, Refusal.POSITIVE}
    kept = one.lab.rows.execute('SELECT "case" FROM releases ORDER BY 1').fetchall()
    assert kept == [(2,)]  # the other feed is not looked at


async def test_a_positive_antibody_is_a_persons(one: Office) -> None:
    one.knows(ROW.replace("[C07]", EVERY))
    found = await refused(one, oru("M2", order("F2", obx(BLOT, "58"), obx(CLIA, "5"), obx(CK, "100")), patient="P2"))
    assert found >= {Refusal.POSITIVE, Refusal.FINDING}


async def test_a_discordance_is_a_persons(one: Office) -> None:
    one.knows(ROW.replace("[C07]", EVERY))
    found = await refused(
        one, oru("M2", order("F2", obx(BLOT, "3"), obx(ELISA, "90"), obx(CLIA, "5"), obx(CK, "100")), patient="P2")
    )
    assert found >= {Refusal.FINDING, Refusal.POSITIVE}


async def test_a_finding_that_the_row_does_not_name_is_a_persons(one: Office) -> None:
    one.knows(ROW.replace("[C07]", EVERY))
    high = await refused(one, negative(2, obx(BLOT, "3"), obx(CLIA, "5"), obx(CK, "3000")))
    assert Refusal.FINDING in high


async def test_an_amended_result_is_a_persons(one: Office) -> None:
    await one.reviewed()
    await one.lab.take(negative(2, *NEGATIVE[:2], obx(CK, "100")))
    await one.lab.take(oru("N2b", order("FN2", *NEGATIVE[:2], obx(CK, "101", "C")), patient="PN2"))
    assert one.look() == 0
    (case,) = one.lab.cases()[1:]
    assert Refusal.AMENDED in one.why(2, case.version)


async def test_a_correction_of_what_was_posted_is_a_persons(one: Office) -> None:
    await one.reviewed()
    await one.lab.take(negative(2))
    assert one.look() == 1
    await one.lab.deliver(Lis())
    await one.lab.take(oru("N2b", order("FN2", obx(BLOT, "58", "C"), *NEGATIVE[1:]), patient="PN2"))
    assert one.look() == 0
    assert one.lab.cases()[1].state is CaseState.REOPENED


async def test_quality_control_that_nobody_answers_for_keeps_it_a_persons(one: Office) -> None:
    one.knows(policy=POLICY.replace('{id: release_qc_unknown, value: "yes"', '{id: release_qc_unknown, value: "no"'))
    assert await refused(one, negative(2)) == {Refusal.QC_UNKNOWN}


async def test_a_fluorescence_that_nobody_confirmed_keeps_it_a_persons(one: Office) -> None:
    hep2 = "CE|ANAS^ANA HEp-2 IIF, screen^L|1|NEG^Negative^L||Negative|N|||{status}"
    row = ROW.replace("[SRP, HMGCR, CK]", "[SRP, HMGCR, CK, ANA_HEP2]").replace("enzymatic]", "enzymatic, hep2_iif]")
    one.knows(row.replace("  why:", "  flags: [ANA_NEG_NOT_EXCLUDING]\n  why:"))
    found = await refused(one, negative(2, *NEGATIVE, obx(hep2, "")))
    assert Refusal.HEP2_UNCONFIRMED in found
    yes = POLICY + '- {id: release_hep2_read, value: "yes", tag: CONVENTION, source: the director}\n'
    one.knows(row.replace("  why:", "  flags: [ANA_NEG_NOT_EXCLUDING]\n  why:"), yes)
    await one.lab.take(negative(3, *NEGATIVE, obx(hep2, "")))
    one.look()
    assert Refusal.HEP2_UNCONFIRMED not in one.why(3)


async def test_a_specimen_that_is_noted_as_poor_is_a_persons(one: Office) -> None:
    poor = order("FN2", *NEGATIVE) + "\rNTE|1|L|Gross haemolysis"
    one.knows(ROW.replace("[C07]", EVERY))
    assert await refused(one, oru("N2", poor, patient="PN2")) >= {Refusal.SPECIMEN, Refusal.FINDING}


async def test_a_lot_that_was_not_sent_keeps_it_a_persons(one: Office) -> None:
    one.knows(policy=POLICY.replace('{id: release_lot_unknown, value: "yes"', '{id: release_lot_unknown, value: "no"'))
    assert await refused(one, negative(2)) == {Refusal.LOT_UNKNOWN}


async def test_another_open_case_of_the_patient_keeps_it_a_persons(one: Office) -> None:
    found = await refused(
        one,
        oru("M1", order("F1", obx(BLOT, "58"), collected="20260810091500+0200"), patient="PN2"),
        negative(2),
        case=3,
    )
    assert Refusal.OPEN_CASE in found


async def test_a_class_that_no_person_decided_yet_is_a_persons(one: Office) -> None:
    await one.lab.take(negative(2))
    assert one.look() == 0
    assert set(one.why(1)) == {Refusal.UNSEEN_CLASS, Refusal.FEW_REVIEWED, Refusal.UNSEEN_TEXT}


async def test_words_that_no_person_signed_yet_are_a_persons(one: Office) -> None:
    await one.reviewed()
    one.lab.writer.submit(lambda connection: connection.execute("DELETE FROM words_seen")).result()
    await one.lab.take(negative(2))
    assert one.look() == 0
    assert set(one.why(2)) == {Refusal.UNSEEN_TEXT}


@pytest.mark.parametrize(
    ("agreed", "otherwise", "expected"),
    [
        (198, 1, {Refusal.FEW_REVIEWED}),
        (198, 2, set()),
        (197, 3, {Refusal.DISAGREEMENT}),
        (199, 0, {Refusal.FEW_REVIEWED}),
        (200, 0, set()),
    ],
)
async def test_the_figures_of_the_record_are_those_of_the_policy(
    one: Office, agreed: int, otherwise: int, expected: set[Refusal]
) -> None:
    one.knows(policy=SHIPPED)
    await one.reviewed(agreed, otherwise)
    await one.lab.take(negative(2))
    assert one.look() == (not expected)
    assert set(one.why(2)) == expected


async def test_a_case_that_a_person_has_open_is_theirs(one: Office) -> None:
    await one.reviewed()
    await one.lab.take(negative(2))
    opened = 'INSERT INTO opened("case", person, at) VALUES (2, 1, ?)'
    one.lab.writer.submit(lambda c: c.execute(opened, (one.lab.clock.now().isoformat(),))).result()
    assert one.look() == 0
    assert set(one.why(2)) == {Refusal.IN_HAND}


async def test_words_that_a_person_gave_it_are_never_passed_over(office: Office) -> None:
    await office.reviewed()
    await office.lab.take(negative(2))
    now = office.lab.clock.now()
    wording = Decision(case=2, version=1, kind=Decided.WORDING, person="a", name="A", at=now, text="Other words.")
    office.lab.desk.review(wording, None, AuditEvent(at=now, actor="a", action="wording", subject="C2@1"))
    office.lab.clock.forward(hours=3)
    assert office.look() == 0
    assert set(office.why(2)) == {Refusal.IN_HAND}


async def test_a_case_that_two_persons_sign_is_theirs(one: Office) -> None:
    share = POLICY + '- {id: second_reader_share, value: 100, unit: "%", tag: CONVENTION, source: a test}\n'
    await one.lab.take(negative(1))
    one.knows(policy=share)
    await one.lab.take(negative(2))
    one.look()
    assert Refusal.SECOND_READER in one.why(2)


async def test_a_result_by_another_method_is_a_persons(one: Office) -> None:
    one.knows(ROW.replace("line_blot, clia", "clia"))
    assert await refused(one, negative(2)) == {Refusal.METHOD}


async def test_a_result_of_another_analyte_is_a_persons(one: Office) -> None:
    one.knows(ROW.replace("[SRP, HMGCR, CK]", "[SRP, HMGCR]"))
    assert await refused(one, negative(2)) == {Refusal.ANALYTE}


async def test_what_other_knowledge_drafted_is_a_persons(one: Office) -> None:
    await one.reviewed()
    await one.lab.take(negative(2))
    one.knows(policy=POLICY + "- {id: ck_mod_from, value: 5, unit: x upper limit, tag: CONVENTION, source: us}\n")
    assert one.look() == 0
    assert set(one.why(2)) == {Refusal.OTHER_KNOWLEDGE}


async def test_where_there_is_no_comment_or_it_is_on_hold_there_is_nothing_to_release(one: Office) -> None:
    await one.reviewed()
    await one.lab.take(negative(2, obx(BLOT, "3"), obx(CLIA, "5", "?"), obx(CK, "100")))
    assert one.look() == 0
    assert one.lab.cases()[1].state is CaseState.HELD  # it is not even looked at
    case = msgspec.structs.replace(one.lab.cases()[0], text="")
    beside = one.lab.desk.releases.beside(case, "C07", b"", one.lab.clock.now())
    known = releasing.Known(enabled=True, in_force=case.outcome.knowledge, beside=beside, now=one.lab.clock.now())
    assert Refusal.NOTHING_TO_RELEASE in releasing.refusals(case, None, known, knowledge_of(ROW, POLICY)[1].policy)


async def test_a_restored_store_that_nobody_confirmed_releases_nothing(one: Office) -> None:
    await one.reviewed()
    await one.lab.take(negative(2))
    mark = "INSERT INTO restores(at, by, taken) VALUES ('x', 'x', 'x')"
    one.lab.writer.submit(lambda connection: connection.execute(mark)).result()
    assert one.look() == 0
    assert set(one.why(2)) == {Refusal.RESTORED}


async def test_every_reason_has_a_sentence_and_a_test() -> None:
    assert set(SENTENCES) == set(Refusal)
    told = Path(__file__).read_text(encoding="utf-8")
    assert [one.name for one in Refusal if f"Refusal.{one.name}" not in told] == []


# ---------------------------------------------------------------- suspended


@pytest.mark.parametrize("where", [{}, {"feed": "myolis"}, {"analyte": "CK"}, {"rule": "both-negative"}])
async def test_it_is_suspended_for_all_or_in_part_until_a_person_lifts_it(
    office: Office, where: dict[str, str]
) -> None:
    await office.reviewed()
    said = office.suspending.suspend("Cora", {**where, "why": "control is out"})
    assert said.startswith("S1: ")
    await office.lab.take(negative(2))
    assert office.look() == 0
    assert set(office.why(2)) == {Refusal.SUSPENDED}
    office.suspending.resume(["S1"], "Dora", {})
    await office.lab.take(negative(3))
    assert office.look() == 1
    told = office.lab.rows.execute(
        "SELECT actor, action FROM audit WHERE subject = 'release by rule' ORDER BY id"
    ).fetchall()
    assert [tuple(one) for one in told] == [("Cora", "suspended"), ("Dora", "resumed")]


@pytest.mark.parametrize("where", [{"feed": "other"}, {"analyte": "ANA_HEP2"}, {"rule": "another"}])
async def test_what_is_suspended_elsewhere_goes_on_here(one: Office, where: dict[str, str]) -> None:
    await one.reviewed()
    one.suspending.suspend("Cora", {**where, "why": "control is out"})
    await one.lab.take(negative(2))
    assert one.look() == 1


async def test_a_file_beside_the_store_stops_it_and_its_going_lifts_nothing(one: Office) -> None:
    await one.reviewed()
    one.switch.touch()
    await one.lab.take(negative(2))
    assert one.look() == 0
    assert set(one.why(2)) == {Refusal.SUSPENDED}
    one.switch.unlink()
    await one.lab.take(negative(3))
    assert one.look() == 0
    one.suspending.resume([], "Dora", {})
    await one.lab.take(negative(4))
    assert one.look() == 1


async def test_what_was_released_and_has_not_left_does_not_leave_any_more(office: Office) -> None:
    await office.reviewed()
    lis = Lis()
    await office.lab.deliver(lis)
    await office.lab.take(negative(2), negative(3))
    assert office.look() == 2
    office.suspending.suspend("Cora", {"feed": "myolis", "why": "control is out"})
    await office.lab.deliver(lis)
    assert len(lis.received) == 1
    assert [case.state for case in office.lab.cases()] == [CaseState.SIGNED, CaseState.NEW, CaseState.NEW]
    reasons = office.lab.rows.execute("SELECT state, reason FROM outbox ORDER BY id").fetchall()
    assert [state for state, _reason in reasons] == ["acknowledged", "cancelled", "cancelled"]
    assert "suspended before it left" in reasons[1][1]
    assert office.look() == 0  # they are a person's


async def test_a_suspension_between_the_look_and_the_writing_is_obeyed(office: Office) -> None:
    await office.reviewed()
    await office.lab.take(negative(2))
    real = office.lab.desk.release

    def meanwhile(out, audit):  # type: ignore[no-untyped-def]
        office.suspending.suspend("Cora", {"why": "control is out"})
        return real(out, audit)

    office.lab.desk.release = meanwhile  # type: ignore[method-assign]
    assert office.look() == 0
    assert office.lab.cases()[1].state is CaseState.NEW
    assert set(office.why(2)) == {Refusal.SUSPENDED}


async def test_a_case_that_changes_between_the_look_and_the_writing_stays_a_persons(one: Office) -> None:
    await one.reviewed()
    await one.lab.take(negative(2))
    real = one.lab.desk.release

    def meanwhile(out, audit):  # type: ignore[no-untyped-def]
        one.lab.writer.submit(lambda c: c.execute("UPDATE cases SET version = 2 WHERE id = 2")).result()
        one.lab.writer.submit(summed).result()
        return real(out, audit)

    one.lab.desk.release = meanwhile  # type: ignore[method-assign]
    assert one.look() == 0
    assert one.lab.deliveries() == [("waiting", 0)]


@pytest.mark.parametrize("wrong", [{"analyte": "GLUCOSE", "why": "x"}, {"why": ""}])
def test_a_suspension_needs_its_reason_and_an_analyte_of_ours(one: Office, wrong: dict[str, str]) -> None:
    with pytest.raises(Refused):
        one.suspending.suspend("Cora", wrong)
    with pytest.raises(Refused):
        one.suspending.resume([], "Cora", {})
    with pytest.raises(Refused):
        one.suspending.resume(["S7"], "Cora", {})


# ---------------------------------------------------------------- read afterwards


async def test_a_sample_is_read_afterwards_and_who_disagrees_stops_the_rule(office: Office) -> None:
    office.knows(policy=POLICY.replace("release_sample, value: 0", "release_sample, value: 100"))
    await office.reviewed()
    await office.lab.take(negative(2), negative(3))
    assert office.look() == 2
    assert office.suspending.review("C2@1", "Cora", {"agrees": True}) == "C2@1 agreed with"
    with pytest.raises(Refused, match="waits for no review"):
        office.suspending.review("C2@1", "Cora", {"agrees": True})
    with pytest.raises(Refused, match="reason"):
        office.suspending.review("C3@1", "Cora", {"agrees": False})
    assert "suspended" in office.suspending.review("C3@1", "Cora", {"agrees": False, "why": "kit lot 7"})
    await office.lab.take(negative(4))
    assert office.look() == 0
    assert set(office.why(4)) == {Refusal.SUSPENDED}
    assert office.lab.counted("release_reviews") == 2


@pytest.mark.parametrize("percent", [0, 1, 2, 10, 50, 100])
def test_the_sample_is_as_large_as_it_is_said_to_be(percent: int) -> None:
    of = 50_000
    found = sum(releasing.sampled(key, percent) for key in range(1, of + 1))
    spread = 4 * (of * percent / 100 * (1 - percent / 100)) ** 0.5  # 4 standard deviations
    assert abs(found - of * percent / 100) <= spread


def test_the_sample_of_a_larger_share_holds_that_of_a_smaller() -> None:
    two = {key for key in range(5000) if releasing.sampled(key, 2)}
    ten = {key for key in range(5000) if releasing.sampled(key, 10)}
    assert two < ten


# ---------------------------------------------------------------- what persons did with drafts


async def test_what_a_person_signs_is_counted_as_drafted_or_not(office: Office) -> None:
    await office.lab.take(negative(1), negative(2))
    office.lab.release("C1@1")
    now = office.lab.clock.now()
    wording = Decision(case=2, version=1, kind=Decided.WORDING, person="a", name="A", at=now, text="Other words.")
    event = AuditEvent(at=now, actor="a", action="wording", subject="C2@1")
    office.lab.desk.review(wording, None, event)
    office.lab.release("C2@1")
    rows = office.lab.rows.execute('SELECT "case", class, agreed FROM judgements ORDER BY 1').fetchall()
    assert [tuple(row) for row in rows] == [(1, "C07", 1), (2, "C07", 0)]


async def test_a_case_that_is_signed_three_times_is_one_reviewed_case(office: Office) -> None:
    """Agreed to only where each of its versions was signed as drafted (H4 asks for reviewed cases)."""
    now = office.lab.clock.now()

    def judge(connection: Connection) -> None:
        for about, agreed in (((1, 1), True), ((1, 2), True), ((1, 3), True), ((2, 1), False), ((2, 2), True)):
            releases.judged(connection, about, Judged(feed="myolis", comment_class="C07", agreed=agreed), now)
        releases.judged(connection, (3, 1), Judged(feed="elsewhere", comment_class="C07", agreed=True), now)

    office.lab.writer.submit(judge).result()
    assert releases.record(office.lab.rows, "myolis", "C07") == Record(2, 1)
    assert releases.record(office.lab.rows, "myolis", "C01") == Record(0, 0)
    assert [one.record for one in releases.standings(office.lab.rows)] == [Record(1, 1), Record(2, 1)]


async def test_a_lot_in_its_first_days_keeps_it_a_persons(one: Office) -> None:
    found = releasing_with_lot(one, days=13)
    assert found == {Refusal.NEW_LOT}
    assert releasing_with_lot(one, days=14) == set()


def releasing_with_lot(office: Office, days: int) -> set[Refusal]:
    """The reasons about a lot that was first seen so many days ago."""

    now = office.lab.clock.now()
    one = Result(
        ref="M1:OBX[1]",
        key="k",
        analyte=Analyte.CK,
        lots=("L7",),
        collected=Timestamp("20261113", now, now.date()),
        received=now,
    )
    beside = Beside(
        results=(one,), record=Record(2, 2), words_seen=True, other_open=False, in_hand=False, restored=False
    )
    known = releasing.Known(enabled=True, in_force="x", beside=beside, lots={"L7": now - timedelta(days=days)}, now=now)
    return set(releasing._of_the_results(known, knowledge_of(ROW, POLICY)[1].policy))


def test_off_is_off(one: Office) -> None:
    assert Config().release.enabled is False
    parts = (one.lab.judge, one.lab.clock, print)
    acts = Acts(CONFIG, (), one.lab.desk, one.lab.clock)
    assert automatic.of(CONFIG, one.automatic._texts, one.lab.desk, acts, parts) == []
    on = CONFIG.model_copy(update={"release": ReleaseSection(enabled=True)})
    assert automatic.of(on, one.automatic._texts, one.lab.desk, acts, parts) != []


async def test_where_it_is_off_that_is_the_reason(one: Office) -> None:
    await one.lab.take(negative(1))
    beside = one.lab.desk.releases.beside(one.lab.case(), "C07", b"", one.lab.clock.now())
    known = releasing.Known(enabled=False, in_force="", beside=beside, now=one.lab.clock.now())
    assert Refusal.OFF in releasing.refusals(one.lab.case(), None, known, knowledge_of(ROW, POLICY)[1].policy)


# ---------------------------------------------------------------- suspended under load


@pytest.mark.parametrize("part", range(4))
async def test_after_the_switch_one_message_leaves_at_most(one: Office, part: int) -> None:
    """25 of 100 trials: comments are released and delivered as fast as can be while somebody stops it."""
    await one.reviewed()
    lis, random = SlowLis(), Random(part)
    await one.lab.deliver(lis)
    for trial in range(25):
        await one.lab.take(*(negative(100 * trial + number) for number in range(10, 18)))
        if busy := random.random() < 0.5:
            lis.free.clear()
        working = asyncio.create_task(delivering(one, lis))
        looking = asyncio.create_task(asyncio.to_thread(one.look))
        await asyncio.sleep(random.uniform(0, 0.2))
        await asyncio.to_thread(one.suspending.suspend, "Cora", {"why": "control is out"})
        left = len(lis.received)
        if busy:
            lis.free.set()
        await looking
        await asyncio.sleep(0.01)
        await one.lab.deliver(lis)
        working.cancel()
        assert len(lis.received) <= left + 1, trial
        assert all(case.state in (CaseState.SIGNED, CaseState.NEW) for case in one.lab.cases())
        one.suspending.resume([], "Dora", {})
    assert len(lis.received) > 10  # of 200: some had left before, however busy the machine is
    stopped = "SELECT count(*) FROM outbox WHERE state = 'cancelled'"
    assert one.lab.rows.execute(stopped).fetchone()[0] + one.lab.counted("release_refusals") > 25


class SlowLis(Lis):
    """One that may be busy: then it takes a message and answers later, while others wait in the outbox."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.free.set()

    async def send(self, raw: bytes, control_id: str) -> Acknowledgement:
        await self.free.wait()
        return await super().send(raw, control_id)


async def delivering(office: Office, lis: Lis) -> None:
    while True:
        await office.lab.deliver(lis)
        await asyncio.sleep(0.001)
