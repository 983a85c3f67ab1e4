"""A further test is added on to the sample only where one is on hand (clinical.md C10.40); else a new one is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from interpret_build import DAY, antibody, case, ck, episode, evidence, hep2, history, other, posted, result
from interpret_written import Written

from labbridge.interpret.comment import choose, render
from labbridge.interpret.evidence import CkCourse, CkEvidence, Episode, Hep2Evidence, Raised
from labbridge.interpret.on_hand import WINDOWS, on_hand
from labbridge.interpret.rules import Verdict
from labbridge.interpret.slots import Case, asked, words
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.policy import Policy
from labbridge.model.outcome import Priority, Retest
from labbridge.model.report import EntityId
from labbridge.model.result import Analyte, Result

replace = msgspec.structs.replace
SEROLOGY = ("SRP", "HMGCR", "ANA_HEP2", "OTHER_MSA")
NONE = (evidence("SRP", "NOT_TESTED", ""), evidence("HMGCR", "NOT_TESTED", ""))


def at(*results: Result, today: date = DAY) -> Episode:
    """An episode with these results and nothing else."""
    of = {name: tuple(one for one in results if one.analyte.value == name) for name in Analyte}
    srp, hmgcr = (replace(one, results=of[Analyte(one.analyte)]) for one in NONE)
    slides, cks = of[Analyte.HEP2], of[Analyte.CK]
    return replace(
        episode(srp, hmgcr, "NOT_TESTED", "UNKNOWN"),
        today=today,
        hep2=Hep2Evidence(result=slides[0] if slides else None),
        ck=CkEvidence(result=cks[0] if cks else None),
        other_positive=of[Analyte.OTHER_MSA],
    )


def windows(policy: Policy, **days: int) -> Policy:
    changed = {id: replace(policy.numbers[id], value=Decimal(value)) for id, value in days.items()}
    return Policy({**policy.numbers, **changed}, policy.choices)


def late(*results: Result, days: int) -> Episode:
    return at(*results, today=DAY + timedelta(days=days))


# ---------------------------------------------------------------- on hand


@pytest.mark.parametrize("analyte", WINDOWS)
@pytest.mark.parametrize(
    "tube", [antibody("SRP", "NEG"), antibody("HMGCR", "NEG"), hep2("NEG"), other("JO1", "POS_LOW")]
)
def test_each_analyte_has_its_own_window(knowledge: Knowledge, analyte: str, tube: Result) -> None:
    policy = windows(knowledge.policy, **{WINDOWS[analyte]: 5})
    for name in WINDOWS:
        last = 5 if name == analyte else 14
        for days, here in ((0, True), (last, True), (last + 1, False)):
            assert on_hand(late(tube, days=days), name, policy) is here


def test_there_is_a_window_for_every_analyte_that_may_be_asked_for(knowledge: Knowledge) -> None:
    tested = {analyte for analyte, _source in knowledge.decisions.retests}
    assert tested == set(WINDOWS) == {*SEROLOGY, "CK"}
    assert {knowledge.policy.numbers[id].unit for id in WINDOWS.values()} == {"d"}


@pytest.mark.parametrize("analyte", WINDOWS)
def test_without_a_specimen_or_with_one_from_tomorrow_none_is_on_hand(knowledge: Knowledge, analyte: str) -> None:
    tomorrow = antibody("SRP", "NEG", day=DAY + timedelta(days=1))
    for found in (at(), at(tomorrow), at(antibody("HMGCR", "NEG"), tomorrow)):
        assert not on_hand(found, analyte, knowledge.policy)
    assert on_hand(late(tomorrow, days=1), analyte, knowledge.policy)


def test_the_newest_specimen_counts(knowledge: Knowledge) -> None:
    old, new = antibody("SRP", "POS_LOW"), hep2("NEG", day=DAY + timedelta(days=10))
    assert on_hand(late(old, new, days=24), "HMGCR", knowledge.policy)
    assert not on_hand(late(old, new, days=25), "HMGCR", knowledge.policy)
    assert not on_hand(late(old, replace(new, quality_poor=True), days=12), "HMGCR", knowledge.policy)
    assert on_hand(late(replace(old, quality_poor=True), new, days=12), "HMGCR", knowledge.policy)


def test_what_is_wrong_with_a_tube_is_of_all_that_was_tested_in_it(knowledge: Knowledge) -> None:
    one, two = EntityId("T1"), EntityId("T2")
    for unfit in ({"quality_poor": True}, {"used_up": True}):
        poor = antibody("SRP", "POS_LOW", specimen=one, **unfit)
        for tube, here in ((one, False), (two, True)):
            assert on_hand(at(poor, antibody("HMGCR", "NEG", specimen=tube)), "SRP", knowledge.policy) is here


def test_a_collection_that_is_not_known_is_none(knowledge: Knowledge) -> None:
    guessed = antibody("SRP", "POS_LOW", collected_estimated=True)
    assert not on_hand(at(guessed), "SRP", knowledge.policy)


def test_cks_own_specimen_serves_for_ck_alone(knowledge: Knowledge) -> None:
    for found in (at(ck(9)), replace(at(), course=CkCourse(low_result=ck("0.02")))):
        assert {name for name in WINDOWS if on_hand(found, name, knowledge.policy)} == {"CK"}
    old, fresh = antibody("SRP", "NEG"), ck(9, day=DAY + timedelta(days=20))
    assert {name for name in WINDOWS if on_hand(late(old, fresh, days=30), name, knowledge.policy)} == {"CK"}
    spoilt = replace(fresh, quality_poor=True)
    assert not on_hand(late(old, spoilt, days=30), "CK", knowledge.policy)
    assert on_hand(late(old, replace(spoilt, collected=old.collected), days=2), "CK", knowledge.policy)


def test_a_creatinine_is_no_specimen_of_the_episode(knowledge: Knowledge) -> None:
    assert not on_hand(at(result(Analyte.CREATININE, "KR")), "CK", knowledge.policy)


# ---------------------------------------------------------------- facts and words


def step(analyte: str, *families: str, urgent: bool = False) -> Retest:
    priority = Priority.URGENT if urgent else Priority.ROUTINE
    return Retest(analyte=analyte, families=families or ("quant",), priority=priority, reason="A")


def a_case(knowledge: Knowledge, *retests: Retest, today: int = 4, **fields: Any) -> Case:
    found = episode(evidence("SRP", "EQUIVOCAL", "blot"), NONE[1], "CYTO_COMPAT", "HIGH")
    found = replace(found, today=DAY + timedelta(days=today), **fields)
    return case(found, Verdict((), retests, {}, {}, False, (), ()), knowledge)


@pytest.mark.parametrize(("subject", "window"), [("SRP", "add_on_srp_d"), ("HMGCR", "add_on_hmgcr_d")])
def test_the_facts_of_the_subject_and_of_the_other(knowledge: Knowledge, subject: str, window: str) -> None:
    one = replace(a_case(knowledge, srp=NONE[0]), policy=windows(knowledge.policy, **{window: 2}))
    assert asked(one, subject)["same_sample"] is False
    assert asked(one, subject)["other_same_sample"] is True
    other_one = {"SRP": "HMGCR", "HMGCR": "SRP"}[subject]
    assert (asked(one, other_one)["same_sample"], asked(one, other_one)["other_same_sample"]) == (True, False)


def test_where_both_are_equivocal_one_sample_must_do_for_both(knowledge: Knowledge) -> None:
    both = a_case(knowledge, hmgcr=evidence("HMGCR", "EQUIVOCAL", "quant"))
    assert asked(both, "SRP")["same_sample"] is True
    assert asked(replace(both, policy=windows(knowledge.policy, add_on_hmgcr_d=2)), "SRP")["same_sample"] is False


def test_no_sample_serves_where_a_rule_asks_for_a_new_one(knowledge: Knowledge) -> None:
    one = a_case(knowledge, step("SRP", "quant", "same_new_specimen"))
    assert (asked(one, "SRP")["same_sample"], asked(one, "SRP")["retest_subject_new"]) == (False, False)
    assert words(one, "SRP")["new_subject"] == " on a new sample"
    alone = a_case(knowledge, step("SRP", "same_new_specimen"))
    assert asked(alone, "SRP")["retest_subject_new"] is True
    assert words(alone, "SRP")["new_subject"] == ""


NEXT = [
    ((step("HMGCR"),), "Anti-HMGCR testing is suggested", " on a new sample"),
    ((step("HMGCR", urgent=True),), "Anti-HMGCR testing is suggested without delay", " on a new sample"),
    ((step("HMGCR"), step("CK")), "Anti-HMGCR testing and CK are suggested", " on a new sample"),
    (
        (step("SRP", "ip", urgent=True), step("HMGCR")),
        "Confirmation by a different method (immunoprecipitation) is suggested without delay; "
        "anti-HMGCR testing is suggested",
        ", all on a new sample",
    ),
    ((step("SRP", "same_new_specimen"), step("CK")), "CK and a new specimen are suggested", ""),
    (
        (step("SRP", "ip", "same_new_specimen", urgent=True), step("HMGCR")),
        "Confirmation by a different method (immunoprecipitation) and a new specimen are suggested without delay; "
        "anti-HMGCR testing is suggested",
        "",
    ),
]


@pytest.mark.parametrize(("retests", "text", "new"), NEXT)
def test_the_next_step_without_a_sample(knowledge: Knowledge, retests: tuple[Retest, ...], text: str, new: str) -> None:
    assert words(a_case(knowledge, *retests), "SRP")["next"] == text
    assert words(a_case(knowledge, *retests, today=30), "SRP")["next"] == text + new


def test_each_group_says_it_for_itself_where_the_other_has_a_sample(knowledge: Knowledge) -> None:
    one = a_case(knowledge, step("CK", urgent=True), step("HMGCR"), today=30)
    one = replace(one, episode=replace(one.episode, ck=CkEvidence(result=ck(9, day=DAY + timedelta(days=29)))))
    assert words(one, "SRP")["next"] == "CK is suggested without delay; anti-HMGCR testing is suggested on a new sample"


@pytest.mark.parametrize(
    ("named", "tests"),
    [
        ("new_subject", {"SRP"}),
        ("new_other", {"HMGCR"}),
        ("new_antibodies", {"SRP", "HMGCR"}),
        ("new_others", {"OTHER_MSA"}),
        ("new_serology", {"SRP", "HMGCR", "OTHER_MSA"}),
        ("new_beside", {"SRP", "HMGCR", "OTHER_MSA"}),
    ],
)
def test_a_slot_speaks_of_the_tests_that_are_listed_beside_it(
    knowledge: Knowledge, named: str, tests: set[str]
) -> None:
    for analyte in WINDOWS:
        said = words(a_case(knowledge, step(analyte), today=30), "SRP")[named]
        assert said == (" on a new sample" if analyte in tests else "")
        assert words(a_case(knowledge, step(analyte)), "SRP")[named] == ""


def test_what_the_urgent_steps_have_said_is_not_said_again(knowledge: Knowledge) -> None:
    for urgent, said in ((True, ""), (False, " on a new sample")):
        one = a_case(knowledge, step("HMGCR", urgent=urgent), step("OTHER_MSA"), today=30)
        assert words(one, "SRP")["new_beside"] == said
    drawn = a_case(knowledge, step("HMGCR", "same_new_specimen", urgent=True), step("OTHER_MSA"), today=30)
    assert words(drawn, "SRP")["new_beside"] == ""


def test_ck_that_is_named_behind_a_check_has_its_own_sample(knowledge: Knowledge) -> None:
    one = a_case(knowledge, step("CK", urgent=True), today=30)
    assert words(one, "SRP")["ck_too"] == "; CK is suggested without delay on a new sample"
    fresh = replace(one.episode, ck=CkEvidence(result=ck(9, day=DAY + timedelta(days=29))))
    assert words(replace(one, episode=fresh), "SRP")["ck_too"] == "; CK is suggested without delay"


@pytest.mark.parametrize(
    ("retests", "text"),
    [
        ((step("SRP", "same_new_specimen"),), "A new specimen is suggested before this result is used; "),
        ((step("SRP", "same_new_specimen"), step("HMGCR")), "Anti-HMGCR testing and a new specimen are suggested; "),
        ((step("SRP", "ip"),), "A different method (immunoprecipitation) is suggested before this result is used; "),
    ],
)
def test_a_low_positive_whose_next_step_is_a_new_specimen(
    knowledge: Knowledge, retests: tuple[Retest, ...], text: str
) -> None:
    found = episode(evidence("SRP", "POS_LOW", "blot"), NONE[1], "NEG", "MILD")
    one = case(found, Verdict((), retests, {"C03": ()}, {}, False, (), ()), knowledge)
    assert f"{text}please correlate with muscle symptoms and CK." in render(one.texts["C03"], one, "SRP")


def test_a_correction_of_another_antibody_is_named_in_english(knowledge: Knowledge) -> None:
    raised = Raised(code="RESULT_CORRECTED", analyte="OTHER_MSA", refs=("S@1", "S@2"), day=DAY)
    found = replace(episode(evidence("SRP", "NEG", "blot"), NONE[1], "NEG", "MILD"), raised=(raised,))
    past = history(posted=(posted("S@1"),))
    one = case(found, Verdict((), (), {"C05": ()}, {}, False, (), ()), knowledge, history=past)
    comment = choose(one)
    assert comment is not None
    assert ": the other myositis-specific antibody result was corrected." in comment.addenda[0]


# ---------------------------------------------------------------- every comment

_ALL = re.compile(r"([^.]*suggested[^;.]*); ([^;.]*suggested[^;.]*), all on a new sample")
_ADVICE = re.compile(
    r",? and (?:a new|another) sample in 4-6 weeks[^;.]*|(?:A|a|Another|another)(?: new)? sample in 4-6 weeks[^;.]*"
    r"|(?: and a|A|a) repeat CK in 4 weeks|clinical correlation are suggested|A repeat CK after a week[^;.]*"
    r"|parallel testing of both specimens[^;.]*|A repeat of both on a new specimen[^;.]*|A repeat in 1-2 weeks[^;.]*"
    r"|[Tt]esting of a pre-infusion sample[^;.]*"
)
_SEROLOGY = re.compile(r"[Aa]nti-|method|[Tt]esting|antibod|HEp-2 immuno|onfirmation|panel|recipitation|assay|ELISA")
_BEHIND = "confirmation by a different method is suggested before interpretation."  # C23, behind its urgent steps
NEW = "on a new sample"


def clauses(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of a comment that ask for a test, and whether a new specimen is asked for beside them."""
    text = _ALL.sub(rf"\1 {NEW}; \2 {NEW}", text)
    for sentence in re.split(r"(?<=[.]) ", text):
        found = [part for part in _ADVICE.sub("", sentence).split("; ") if re.search("suggested|to be checked", part)]
        specimen = any("new specimen" in part or "new serum specimen" in part for part in found)
        said = any(NEW in part for part in found)
        yield from ((part, specimen) for part in found if not (said and part == _BEHIND))


def wrong(written: Iterable[Written], knowledge: Knowledge) -> list[str]:
    """Comments that ask for a new sample where one is on hand, or do not where none is."""
    found = []
    for one in written:
        if any("same_new_specimen" in retest.families[1:] for retest in one.verdict.retests):
            continue  # a method and a new specimen: what C10.8 makes of it depends on the sentence
        for part, specimen in clauses(one.comment.text):
            analyte = "SRP" if _SEROLOGY.search(part) else "CK"
            needed = not specimen and not on_hand(one.episode, analyte, knowledge.policy)
            if (NEW in part) is not needed:
                found.append(f"{one.comment.comment_class} {part!r}: {one.comment.text}")
    return sorted(set(found))[:100]


def test_a_new_sample_is_asked_for_exactly_where_none_is_on_hand(
    written: list[Written], late: list[Written], knowledge: Knowledge
) -> None:
    assert wrong(written, knowledge) == []
    assert wrong(late, knowledge) == []
    assert sum(NEW in one.comment.text for one in late) > 1000
    assert sum("same sample" in one.comment.text for one in written if one.comment.comment_class == "C01") > 10


def test_no_comment_names_the_sample_when_it_is_gone(late: list[Written]) -> None:
    named = re.compile(r"suggested on the same sample|on this sample")
    assert [one.comment.text for one in late if named.search(one.comment.text)] == []


def test_a_method_and_a_new_specimen_are_two_things(written: list[Written], late: list[Written]) -> None:
    several = [
        one.comment.text
        for one in (*written, *late)
        if any("same_new_specimen" in retest.families[1:] for retest in one.verdict.retests)
    ]
    assert several
    assert [text for text in several if "or a new specimen" in text or "(a new specimen" in text] == []
    asking = [text for text in several if re.search("suggested|to be checked", _ADVICE.sub("", text))]
    assert [text for text in asking if "new specimen" not in text and NEW not in text][:20] == []


def test_the_late_comments_are_in_house_style(late: list[Written]) -> None:
    assert [one.comment.text for one in late if len(one.comment.text) > 500] == []
    suggesting = (1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 22, 23)
    assert {one.comment.comment_class for one in late} >= {f"C{number:02}" for number in suggesting}
