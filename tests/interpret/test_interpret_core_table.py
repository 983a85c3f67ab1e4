"""C5 over every combination: the rows agree with a second reading of the table, and with the properties of C9."""

from __future__ import annotations

from collections import Counter

import pytest
from interpret_c5 import BANDS, HI, SEVERITIES, Combination
from interpret_combinations import FORBIDDEN_PAIRS, Judged, contexts, every, judge, plain, recommended

from labbridge.interpret.rules import RuleSet
from labbridge.knowledge.build import Knowledge


@pytest.fixture(scope="module")
def table(rules: RuleSet, knowledge: Knowledge) -> list[Judged]:
    return [judge(at, rules, knowledge) for at in every()]


@pytest.fixture(scope="module")
def context_table(rules: RuleSet, knowledge: Knowledge) -> list[Judged]:
    return [judge(one, rules, knowledge) for at in plain() for one in contexts(at)]


@pytest.fixture(scope="module")
def plain_table(rules: RuleSet, knowledge: Knowledge) -> list[Judged]:
    return [judge(at, rules, knowledge) for at in plain()]


def test_flags_agree_with_the_second_reading(table: list[Judged]) -> None:
    wrong = [(one.at, one.wanted.flags, one.flags) for one in table if one.flags != one.wanted.flags]
    assert wrong == []


def test_retests_agree_with_the_second_reading(table: list[Judged]) -> None:
    wrong = [
        (one.at, one.wanted.retests, recommended(one.verdict))
        for one in table
        if recommended(one.verdict) != one.wanted.retests
    ]
    assert wrong == []


def test_comment_classes_agree_with_the_second_reading(table: list[Judged]) -> None:
    wrong = [(one.at, one.wanted.comment, one.comment) for one in table if one.comment != one.wanted.comment]
    assert wrong == []


def test_in_every_context_flags_retests_and_comment_agree(context_table: list[Judged]) -> None:
    wrong = [
        (one.at, one.wanted, (one.flags, recommended(one.verdict), one.comment))
        for one in context_table
        if (one.flags, recommended(one.verdict), one.comment)
        != (one.wanted.flags, one.wanted.retests, one.wanted.comment)
    ]
    assert wrong[:5] == []


@pytest.mark.parametrize(("one", "other"), FORBIDDEN_PAIRS)
def test_p2_in_every_context(context_table: list[Judged], one: str, other: str) -> None:
    assert [judged.at for judged in context_table if one in judged.flags and other in judged.flags] == []


def test_in_every_context_a_retest_has_a_reason_that_was_raised(context_table: list[Judged]) -> None:
    wrong = [
        (judged.at, retest)
        for judged in context_table
        for retest in judged.verdict.retests
        if retest.reason not in judged.flags and not (judged.at.unspecified and retest.analyte == "ANA_HEP2")
    ]
    assert wrong[:5] == []


def test_p1_the_distribution_of_comment_classes(plain_table: list[Judged]) -> None:
    assert Counter(one.comment for one in plain_table) == {
        "C03": 150, "C04": 125, "C08": 100, "C01": 60, "C02": 60, "C05": 50, "C10": 30, "NONE": 14, "C07": 12,
        "C06": 10, "C12": 5, "C22": 4, "C13": 3, "C11": 2,
    }  # fmt: skip


@pytest.mark.parametrize(("one", "other"), FORBIDDEN_PAIRS)
def test_p2_these_flags_never_stand_together(table: list[Judged], one: str, other: str) -> None:
    assert [judged.at for judged in table if one in judged.flags and other in judged.flags] == []


def test_p3_seronegative_needs_both_antibodies_negative(table: list[Judged]) -> None:
    flagged = [one for one in table if "SERONEG_HIGH_CK" in one.flags]
    assert flagged
    assert all((one.at.srp.state, one.at.hmgcr.state) == ("NEG", "NEG") for one in flagged)


def test_p4_no_hep2_result_removes_a_recommendation(table: list[Judged]) -> None:
    """In G0 and G6 (suspicion and persistence as in the same cell without HEp-2)."""
    without = {_serology(one.at): one for one in table if one.at.hep2 == "NOT_TESTED"}
    looked = 0
    for one in table:
        states = {one.at.srp.state, one.at.hmgcr.state}
        if "NOT_TESTED" in states and states <= {"NOT_TESTED", "NEG"}:
            looked += 1
            here = recommended(one.verdict)
            for analyte, (families, priority) in recommended(without[_serology(one.at)].verdict).items():
                assert analyte in here, one.at
                assert here[analyte] in ((families, priority), (families, "urgent")), one.at
    assert looked > 100


def _serology(at: Combination) -> tuple[object, ...]:
    return (at.srp, at.hmgcr, at.ck, at.suspicion, at.persistent)


def test_p5_hmgcr_alone_is_retested_alike_whatever_hep2_shows(table: list[Judged]) -> None:
    lists: dict[tuple[object, ...], set[object]] = {}
    for one in table:
        if one.at.hmgcr.state.startswith("POS") and one.at.srp.state in ("NEG", "NOT_TESTED"):
            lists.setdefault(_serology(one.at), set()).add(tuple(sorted(recommended(one.verdict).items())))
    assert lists
    assert all(len(found) == 1 for found in lists.values())


def test_p6_no_family_twice_and_nothing_confirmed_again(table: list[Judged]) -> None:
    for judged in table:
        for one in (judged.at.srp, judged.at.hmgcr):
            families, _priority = recommended(judged.verdict).get(one.name, ((), ""))
            assert not (families and one.confirmed), judged.at
            assert not set(families) & set(one.used) & {"blot", "quant"}, judged.at


def test_p10_a_higher_ck_lowers_no_severity(table: list[Judged]) -> None:
    cells = {
        (one.at.srp, one.at.hmgcr, one.at.hep2, one.at.suspicion, one.at.persistent, one.at.ck): one for one in table
    }
    for key, low in cells.items():
        if key[-1] == "UNKNOWN":
            continue
        for band in BANDS[BANDS.index(str(key[-1])) + 1 : 4]:
            high = cells[(*key[:-1], band)]
            for code, severity in low.flags.items():
                if code != "MSA_POS_CK_NORMAL":
                    seen = high.flags.get(code)
                    assert seen is not None, (key, band, code)
                    assert SEVERITIES.index(seen) >= SEVERITIES.index(severity), (key, band, code)


def test_every_flag_names_the_rule_and_its_citations(table: list[Judged], knowledge: Knowledge) -> None:
    names = {rule.name for rule in knowledge.decisions.rules}
    for judged in table:
        for flag in judged.verdict.flags:
            assert flag.rule in names
            assert flag.citations
            assert set(flag.citations) <= knowledge.decisions.citations


def test_every_flag_of_the_table_rests_on_a_result_or_on_its_absence(table: list[Judged]) -> None:
    """With any result in the episode a flag names at least one, and only results that are there."""
    for judged in table:
        found = judged.episode
        refs = {one.ref for one in (*found.srp.results, *found.hmgcr.results)}
        refs |= {one.ref for one in (found.hep2.result, found.ck.result) if one is not None}
        for flag in judged.verdict.flags:
            assert set(flag.evidence) <= refs, judged.at
            assert flag.evidence or not refs, (judged.at, flag.code)


def test_the_reason_of_a_retest_is_a_flag_that_was_raised(table: list[Judged]) -> None:
    for judged in table:
        for retest in judged.verdict.retests:
            assert retest.reason in judged.flags, (judged.at, retest)


def test_every_active_rule_without_a_special_condition_fires_somewhere(
    table: list[Judged], knowledge: Knowledge
) -> None:
    """A row that no combination reaches is dead, or asks something the core table does not have."""
    plain_facts = {"srp", "hmgcr", "srp_now", "hmgcr_now", "hep2", "ck", "srp_source", "hmgcr_source"}
    plain_facts |= {"srp_confirmed", "hmgcr_confirmed", "srp_discordant", "hmgcr_discordant"}
    fired = {name for judged in table for name in judged.verdict.fired}
    silent = [
        rule.name
        for rule in knowledge.decisions.rules
        if rule.status == "active"
        and not rule.on
        and set(rule.when) <= plain_facts
        and rule.name not in fired
        and "KNOWN" not in (rule.when.get("srp"), rule.when.get("hmgcr"))
    ]
    assert silent == []


def test_urgent_only_where_ck_is_raised_or_unknown(table: list[Judged]) -> None:
    """Urgency comes from CK: routine everywhere else, except a missing CK beside a strong antibody."""
    for judged in table:
        if judged.at.ck not in HI:
            urgent = [one.analyte for one in judged.verdict.retests if one.priority.value == "urgent"]
            assert urgent in ([], ["CK"]), judged.at
