"""Whose results are these: two identifiers agree before anything held is used; merges are links, and can be undone."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from story_parts import BLOT, CK, CLIA, Laboratory, Lis, obx, order, oru

from labbridge.acts import Acts
from labbridge.config import Config
from labbridge.model.work import Case
from labbridge.states import CaseState
from labbridge.store import links
from labbridge.store.connection import Statement
from labbridge.store.units import LocalUnits

CONFIG = Config.model_validate({"feeds": {"myolis": {"timezone": "Europe/Paris"}}})
BORN, NAME = "19690417", "TEST^SYNTHETIC"


def of(
    control_id: str, filler: str, line: str, patient: str = "PT1", name: str = NAME, born: str = BORN, sex: str = "M"
) -> bytes:
    """A result of a patient, stated as given."""
    plain = oru(control_id, order(filler, line), patient=patient).decode()
    return plain.replace(f"||{NAME}||{BORN}|M", f"||{name}||{born}|{sex}").encode()


def adt(
    event: str, control_id: str, patient: str, prior: str = "", name: str = NAME, born: str = BORN, sex: str = "M"
) -> bytes:
    msh = (
        f"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113130000+0100||ADT^{event}|{control_id}|P|2.5.1||||||UNICODE UTF-8"
    )
    pid = f"PID|1||{patient}^^^LABA^MR||{name}||{born}|{sex}"
    mrg = (f"MRG|{prior}^^^LABA^MR",) if prior else ()
    return ("\r".join((msh, "EVN||20261113130000+0100", pid, *mrg)) + "\r").encode()


SRP, HMGCR, MUCH_CK = obx(BLOT, "58"), obx(CLIA, "90"), obx(CK, "7800")


def reasons(lab: Laboratory) -> list[str]:
    return [reason for _state, reason in lab.states()]


def states(case: Case) -> tuple[str, str, str]:
    return (case.outcome.states.SRP, case.outcome.states.HMGCR, case.outcome.states.CK)


def live(lab: Laboratory) -> list[Case]:
    return [case for case in lab.cases() if case.state is not CaseState.CLOSED]


def act(lab: Laboratory, command: str, *keys: str, **more: str) -> list[str]:
    """A person's act, then whatever it gives to do; the errors."""
    answer = Acts(CONFIG, (), lab.desk, lab.clock).perform(
        {"command": command, "keys": list(keys), "as": "Alex Smith", **more}
    )
    lab.process()
    return [one["error"] for one in answer["done"] if not one["ok"]]


# ---------------------------------------------------------------- two identifiers agree


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"name": "OTHER^SYNTHETIC"},  # married since: the birth date agrees
        {"born": ""},  # the name agrees
        {"name": "", "sex": ""},
        {"name": "Test^S"},
    ],
)
async def test_a_second_identifier_that_agrees_joins_the_history(lab: Laboratory, stated: dict[str, str]) -> None:
    await lab.take(of("M1", "F1", SRP), of("M2", "F2", MUCH_CK, **stated))
    assert states(lab.case()) == ("POS_STRONG", "NOT_TESTED", "HIGH")


@pytest.mark.parametrize("stated", [{"name": "", "born": ""}, {"name": "", "born": "", "sex": ""}])
async def test_the_number_alone_joins_nothing_and_a_person_says_whose_it_is(
    lab: Laboratory, stated: dict[str, str]
) -> None:
    await lab.take(of("M1", "F1", SRP), of("M2", "F2", MUCH_CK, **stated))
    assert lab.states()[1] == ("parked", "identity_conflict")
    assert states(lab.case()) == ("POS_STRONG", "NOT_TESTED", "UNKNOWN")
    assert act(lab, "identity", "M2", verdict="same") == []
    assert states(lab.case()) == ("POS_STRONG", "NOT_TESTED", "HIGH")
    await lab.take(of("M3", "F3", HMGCR, **stated))  # said once, it holds for what is stated alike
    assert states(lab.case())[1] == "POS_STRONG"


async def test_messages_that_state_no_second_identifier_at_all_are_of_one_patient(lab: Laboratory) -> None:
    bare = {"name": "", "born": ""}
    await lab.take(of("M1", "F1", SRP, **bare), of("M2", "F2", MUCH_CK, **bare))
    assert states(lab.case()) == ("POS_STRONG", "NOT_TESTED", "HIGH")


async def test_another_birth_date_holds_and_uses_nothing_of_the_history(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP), of("M2", "F2", HMGCR, born="19900101"))
    case = lab.case()
    assert (case.state, case.outcome.hold, case.outcome.comment) == (CaseState.HELD, True, None)
    assert [flag.code for flag in case.outcome.flags if flag.severity == "critical"] == ["IDENTITY_MISMATCH"]


async def test_what_came_under_another_birth_date_is_not_used_by_a_later_message(lab: Laboratory) -> None:
    """The later message agrees with what was stored; the one between them may be of somebody else (H1)."""
    await lab.take(of("M1", "F1", SRP), of("M2", "F2", HMGCR, born="19900101"), of("M3", "F3", MUCH_CK))
    case = lab.case()
    assert case.outcome.hold
    assert case.outcome.states.HMGCR != "POS_STRONG"
    assert act(lab, "identity", "M2", verdict="other") == []
    assert states(lab.case()) == ("POS_STRONG", "NOT_TESTED", "HIGH")
    assert lab.case().state is CaseState.NEW
    assert reasons(lab)[1] == "other_patient"


async def test_a_birth_date_that_was_a_typing_error_is_settled_by_a_person(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP), of("M2", "F2", HMGCR, born="19900101"), of("M3", "F3", MUCH_CK))
    assert act(lab, "identity", "M2", verdict="same") == []
    await lab.take(of("M4", "F4", obx(CK, "7900")))
    assert states(lab.case()) == ("POS_STRONG", "POS_STRONG", "HIGH")
    assert not lab.case().outcome.hold


async def test_the_first_message_may_be_the_wrong_one(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", HMGCR, born="19900101"), of("M2", "F2", SRP), of("M3", "F3", MUCH_CK))
    assert lab.case().outcome.hold
    assert act(lab, "identity", "M1", verdict="other") == []
    await lab.take(of("M4", "F3", MUCH_CK))
    assert states(lab.case()) == ("POS_STRONG", "NOT_TESTED", "HIGH")
    assert not lab.case().outcome.hold


async def test_an_act_on_who_is_who_needs_a_name_a_message_and_a_verdict(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP))
    assert "Say --is same" in act(lab, "identity", "M1", verdict="perhaps")[0]
    assert "is not a message" in act(lab, "identity", "C1", verdict="same")[0]
    assert "There is no message M7" in act(lab, "identity", "M7", verdict="same")[0]
    assert "has linked no two patients" in act(lab, "unlink", "M1")[0]
    assert lab.states() == [("done", "drafted")]


# ---------------------------------------------------------------- demographics that the LIS corrects


async def test_a_corrected_birth_date_goes_on_with_the_history(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP), adt("A08", "A1", "PT1", born="19690714"))
    await lab.take(of("M2", "F2", MUCH_CK, born="19690714"))
    assert states(lab.case()) == ("POS_STRONG", "NOT_TESTED", "HIGH")
    assert reasons(lab) == ["drafted", "identity", "drafted"]


async def test_a_correction_settles_a_case_that_was_held_for_it(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP), of("M2", "F2", MUCH_CK, born="19690714"))
    assert lab.case().state is CaseState.HELD
    await lab.take(adt("A31", "A1", "PT1", born="19690714"))
    assert states(lab.case()) == ("POS_STRONG", "NOT_TESTED", "HIGH")
    assert lab.case().state is CaseState.NEW


async def test_a_number_that_is_given_to_somebody_else_is_left_to_a_person(lab: Laboratory) -> None:
    """Another name and another birth date under one number: overwritten by mistake, or used again."""
    await lab.take(of("M1", "F1", SRP), adt("A08", "A1", "PT1", name="OTHER^X", born="19900101"))
    assert lab.states()[1] == ("parked", "identity_conflict")
    assert act(lab, "identity", "M2", verdict="other") == []
    assert lab.states()[1] == ("done", "other_patient")
    await lab.take(of("M3", "F3", MUCH_CK))
    assert states(lab.case()) == ("POS_STRONG", "NOT_TESTED", "HIGH")


async def test_who_a_patient_is_of_whom_nothing_is_held_changes_nothing(lab: Laboratory) -> None:
    await lab.take(adt("A08", "A1", "PT5"), adt("A40", "A2", "PT6", "PT7"))
    assert (reasons(lab), lab.cases()) == (["identity", "identity"], [])


# ---------------------------------------------------------------- merges


async def test_a_merge_joins_two_histories_into_one_case(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP, "PT1"), of("M2", "F2", MUCH_CK, "PT2"), adt("A40", "A1", "PT2", "PT1"))
    (case,) = live(lab)
    assert states(case) == ("POS_STRONG", "NOT_TESTED", "HIGH")


@pytest.mark.parametrize("event", ["A40", "A18", "A34"])
async def test_order_of_arrival_makes_no_difference(lab: Laboratory, event: str) -> None:
    """The identity message before, between or after the results, and results of the old number after it."""
    messages = {
        "srp": lambda n: of(f"M{n}S", f"S{n}", SRP, f"A{n}"),
        "ck": lambda n: of(f"M{n}C", f"C{n}", MUCH_CK, f"B{n}"),
        "merge": lambda n: adt(event, f"M{n}A", f"B{n}", f"A{n}"),
        "hmgcr": lambda n: of(f"M{n}H", f"H{n}", HMGCR, f"A{n}"),
    }
    for number, names in enumerate(permutations(messages)):
        before = {case.key for case in lab.cases()}
        for name in names:
            await lab.take(messages[name](number))
        (case,) = [case for case in live(lab) if case.key not in before]
        assert states(case) == ("POS_STRONG", "POS_STRONG", "HIGH"), names


async def test_two_lanes_that_become_one_in_the_same_batch_end_alike(lab: Laboratory) -> None:
    """All at once: the two messages and the merge wait together, and are worked on in one batch."""
    for number in range(8):
        a, b = f"A{number}", f"B{number}"
        await lab.receive(
            of(f"{a}S", f"S{number}", SRP, a), of(f"{b}C", f"C{number}", MUCH_CK, b),
            adt("A40", f"{a}M", b, a), of(f"{a}H", f"H{number}", HMGCR, a),
        )  # fmt: skip
    lab.process()
    assert [states(case) for case in live(lab)] == [("POS_STRONG", "POS_STRONG", "HIGH")] * 8


async def test_the_case_that_spoke_to_the_lis_is_the_one_that_stays(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP, "PT1"), of("M2", "F2", HMGCR, "PT2"))
    lab.release("C2@1")
    lis = Lis()
    await lab.deliver(lis)
    await lab.take(adt("A40", "A1", "PT2", "PT1"))
    assert [(case.key, case.state) for case in lab.cases()] == [(1, CaseState.CLOSED), (2, CaseState.REOPENED)]
    lab.release("C2@2")
    await lab.deliver(lis)
    first, second = lis.comments()
    assert (second[4], second[11]) == (first[4], "C")


async def test_a_comment_names_the_patient_by_the_number_that_holds(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP, "OLD"), adt("A40", "A1", "NEW", "OLD", name="TEST^MARIE"))
    (case,) = live(lab)
    lab.release(f"C{case.key}@{case.version}")
    lis = Lis()
    await lab.deliver(lis)
    sent = lis.received[0].decode()
    assert "PID|1||NEW^^^LABA^MR||TEST^MARIE||19690417|M\r" in sent
    assert "OLD^^^LABA" not in sent
    assert "|F1^MYOLIS|" in sent
    assert lab.rows.execute("SELECT lane FROM outbox").fetchone() == ("lis/p:LABA|NEW",)


async def test_chains_of_merges_are_one_patient(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP, "A"), of("M2", "F2", MUCH_CK, "C"))
    await lab.take(adt("A40", "X1", "B", "A"), adt("A40", "X2", "C", "B"), of("M3", "F3", HMGCR, "B"))
    (case,) = live(lab)
    assert states(case) == ("POS_STRONG", "POS_STRONG", "HIGH")


async def test_a_merge_of_two_birth_dates_is_left_to_a_person(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP, "PT1", born="19900101"), of("M2", "F2", MUCH_CK, "PT2"))
    await lab.take(adt("A40", "A1", "PT2", "PT1"))
    assert lab.states()[2] == ("parked", "identity_conflict")
    assert [states(case)[0] for case in live(lab)] == ["POS_STRONG"]
    assert act(lab, "identity", "M3", verdict="same") == []
    assert [states(case) for case in live(lab)] == [("POS_STRONG", "NOT_TESTED", "HIGH")]


async def test_an_undone_merge_leaves_two_patients_as_they_were(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP, "PT1"), of("M2", "F2", HMGCR, "PT2"))
    before = [states(case) for case in lab.cases()]
    await lab.take(adt("A40", "A1", "PT2", "PT1"))
    assert len(live(lab)) == 1
    assert act(lab, "unlink", "M3") == []
    assert [states(case) for case in live(lab)] == before
    assert "was undone before" in act(lab, "unlink", "M3")[0]
    await lab.take(of("M4", "F4", MUCH_CK, "PT1"))
    assert [states(case)[2] for case in live(lab)] == ["HIGH", "UNKNOWN"]


async def test_a_comment_written_from_both_is_taken_back_when_they_are_two_again(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP, "PT1"), of("M2", "F2", HMGCR, "PT2"), adt("A40", "A1", "PT2", "PT1"))
    (case,) = live(lab)
    lab.release(f"C{case.key}@{case.version}")
    lis = Lis()
    await lab.deliver(lis)
    act(lab, "unlink", "M3")
    again = next(one for one in lab.cases() if one.key == case.key)
    assert again.state is CaseState.REOPENED
    lab.release(f"C{again.key}@{again.version}")
    await lab.deliver(lis)
    assert lis.comments()[1][11] == "C"
    assert lis.comments()[1][5].startswith("This replaces the comment dated")


async def test_a_signed_comment_about_results_that_are_anothers_now_is_a_persons_again(lab: Laboratory) -> None:
    """Also where nothing is left to say: what the LIS holds speaks of somebody else's antibody."""
    await lab.take(of("M1", "F1", MUCH_CK, patient="PT2"), adt("A40", "M2", "PT2", "PT1"))
    await lab.take(of("M3", "F1", obx(CK, "120", "C"), patient="PT2"), of("M4", "F4", HMGCR, patient="PT1"))
    case = lab.case()
    assert (case.lane, states(case)[1]) == ("p:LABA|PT2", "POS_STRONG")
    lab.release(f"C{case.key}@{case.version}")
    await lab.deliver(Lis())
    assert act(lab, "unlink", "M2") == []
    spoke = next(one for one in live(lab) if one.key == case.key)
    assert (states(spoke)[1], spoke.state) == ("NOT_TESTED", CaseState.REOPENED)
    assert states(next(one for one in live(lab) if one.lane == "p:LABA|PT1"))[1] == "POS_STRONG"


async def test_two_merges_of_one_chain_in_one_batch_are_read_one_after_the_other(lab: Laboratory) -> None:
    """Both are claimed before either is written: the second must see where the first has led."""
    await lab.take(of("M1", "F1", SRP, patient="PT1"), of("M2", "F2", HMGCR, patient="PT2"))
    await lab.take(of("M3", "F3", MUCH_CK, patient="PT3"))
    await lab.receive(adt("A40", "M4", "PT3", "PT2"), adt("A40", "M5", "PT2", "PT1"))
    lab.process()
    assert {state for state, _reason in lab.states()} == {"done"}
    (case,) = live(lab)
    assert states(case) == ("POS_STRONG", "POS_STRONG", "HIGH")
    assert case.lanes[0] == "p:LABA|PT3"


async def test_a_link_to_what_was_merged_since_it_was_read_is_not_written(lab: Laboratory) -> None:
    """Then its message is read again, and follows the chain."""
    linked = LocalUnits(lab.writer).post(
        [[Statement(links.JOIN, pair, 1)] for pair in (("B", "C"), ("A", "B"), ("A", "C"))]
    )
    assert linked() == [True, False, True]
    assert [tuple(row) for row in lab.rows.execute("SELECT lane, surviving FROM merged ORDER BY lane").fetchall()] == [
        ("A", "C"),
        ("B", "C"),
    ]


async def test_a_chain_told_backwards_names_the_patient_by_its_last_number(lab: Laboratory) -> None:
    """B became C, and only then A became B: the comment on A's result is C's, and each link can be undone alone."""
    await lab.take(of("M1", "F1", SRP, "A"), adt("A40", "X1", "C", "B"), adt("A40", "X2", "B", "A"))
    (case,) = live(lab)
    lab.release(f"C{case.key}@{case.version}")
    lis = Lis()
    await lab.deliver(lis)
    assert "PID|1||C^^^LABA^MR|" in lis.received[0].decode()
    assert lab.rows.execute("SELECT prior, surviving FROM links ORDER BY id").fetchall() == [
        ("p:LABA|B", "p:LABA|C"), ("p:LABA|A", "p:LABA|B"),
    ]  # fmt: skip
    assert act(lab, "unlink", "M2") == []
    assert lab.rows.execute("SELECT lane, surviving FROM merged").fetchall() == [("p:LABA|A", "p:LABA|B")]


async def test_undoing_one_link_of_a_chain_leaves_the_others(lab: Laboratory) -> None:
    await lab.take(of("M1", "F1", SRP, "A"), of("M2", "F2", HMGCR, "B"), of("M3", "F3", MUCH_CK, "C"))
    await lab.take(adt("A40", "X1", "B", "A"), adt("A40", "X2", "C", "B"))
    assert [states(case) for case in live(lab)] == [("POS_STRONG", "POS_STRONG", "HIGH")]
    act(lab, "unlink", "M4")
    assert sorted(states(case) for case in live(lab)) == [
        ("NOT_TESTED", "POS_STRONG", "HIGH"), ("POS_STRONG", "NOT_TESTED", "UNKNOWN"),
    ]  # fmt: skip


# ---------------------------------------------------------------- generated (H1)


@pytest.mark.parametrize("seed", range(6))
async def test_no_patients_results_are_ever_read_as_anothers(lab: Laboratory, seed: int) -> None:
    """Everybody has two numbers. Results, wrong wristbands, merges of one person's numbers and of two persons', and undone
    ones, at random: every case that is not held rests on the results of one person alone."""
    rng = random.Random(seed)
    people = {n: {"born": f"19{50 + n}0101", "name": f"N{n}^X"} for n in range(6)}
    numbers = {f"P{n}{side}": n for n in people for side in "ab"}
    owner: dict[str, int] = {}
    merges: list[str] = []
    for step in range(80):
        number, chance, key = rng.choice(list(numbers)), rng.random(), len(lab.states()) + 1
        person = numbers[number]
        if chance < 0.6:
            wearer = person if chance < 0.5 else rng.choice(list(people))
            owner[f"M{key}"] = wearer
            line = rng.choice((SRP, HMGCR, MUCH_CK))
            await lab.receive(of(f"G{step}", f"F{step}", line, number, **people[wearer]))
        elif chance < 0.85:
            twin = number[:-1] + ("b" if number.endswith("a") else "a")
            other = twin if chance < 0.75 else rng.choice([one for one in numbers if one != number])
            await lab.receive(adt("A40", f"G{step}", other, number, **people[numbers[other]]))
            merges.append(f"M{key}")
        elif merges:
            act(lab, "unlink", rng.choice(merges))
        if rng.random() < 0.7:
            lab.process()
        lab.clock.forward(minutes=1)
    lab.process()
    free = [case for case in live(lab) if not case.outcome.hold]
    for case in free:
        assert len({owner[ref.partition(":")[0]] for ref in case.outcome.used}) == 1, (case.key, case.outcome.used)
    assert len(free) > 2
    assert lab.rows.execute("SELECT count(*) FROM links").fetchone()[0] > 2
