"""What a pack says is otherwise than in the one before: rows, cases, and coverage that was lost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pack_cases import (
    Case,
    Laid,
    case,
    ck,
    hep2,
    hmgcr,
    knowledge,
    laid,
    pack_of,
    readers_changed,
    readers_with,
    rule,
    srp,
)

from labbridge.knowledge.decisions import Alternative, Then
from labbridge.knowledge.lock import entries
from labbridge.offline import Readers
from labbridge.pack.difference import difference
from labbridge.pack.form import Changed, Difference, OfCondition, OfValue, Pack, Places, Word

RULE = "srp-strong-hep2-negative-ck-high"
POSITIVE = case(
    "POSITIVE", srp("58"), hmgcr("3"), hep2("Negative", titre="<1:80"), ck("2040"),
    expected={"flags_required": {"HEP2_NEG_MSA_POS": "major"}},
)  # fmt: skip
NEGATIVE = case("NEGATIVE", srp("2"), hmgcr("3"), ck("100"))


def compared(before: Pack, now: Pack) -> Difference:
    return difference(before, now, "ef" * 32)


def of(*cases: Case, by: Readers | Laid | None = None, earlier: Readers | None = None) -> Difference:
    """The same cases by the shipped rules and by others."""
    return compared(pack_of(*cases, by=earlier), pack_of(*cases, by=by))


def told(changes: tuple[Changed, ...]) -> dict[str, tuple[str, str]]:
    return {one.what: (one.before, one.after) for one in changes}


def test_the_same_cases_by_the_same_rules_differ_in_nothing() -> None:
    found = of(POSITIVE, NEGATIVE)
    assert msgspec.structs.replace(found, before=None) == Difference(  # type: ignore[arg-type]
        before=None,  # type: ignore[arg-type]
        new_rows=(), gone_rows=(), changed_rows=(), new_cases=(), gone_cases=(), changed_cases=(), lost=Places(),
    )  # fmt: skip


def test_the_pack_before_is_named() -> None:
    before = pack_of(POSITIVE, tester="B. Jones")
    found = compared(before, pack_of(POSITIVE)).before
    assert (found.sha256, found.at, found.tester) == ("ef" * 32, before.at, "B. Jones")
    assert (found.software, found.knowledge) == (before.software, before.knowledge)


# ---------------------------------------------------------------- rows


def test_a_changed_rule_shows_with_version_and_hash_of_then_and_now() -> None:
    (row,) = [one for one in knowledge().decisions.rules if one.id == RULE]
    changed = readers_changed(RULE, version=row.version + 1, when={**row.when, "ck": "MOD"})
    (only,) = of(POSITIVE, by=changed).changed_rows
    assert only.id == f"rule:{RULE}"
    locked = entries(knowledge().decisions)[only.id]
    now = entries(changed.interpret.knowledge.decisions)[only.id]
    assert locked.sha256 != now.sha256
    assert told(only.changes)["version"] == (str(row.version), str(row.version + 1))
    assert told(only.changes)["sha256"] == (locked.sha256, now.sha256)
    assert set(told(only.changes)) == {"version", "sha256", "says"}


def test_what_a_rule_says_is_compared_word_by_word() -> None:
    (row,) = [one for one in knowledge().decisions.rules if one.id == RULE]
    (only,) = of(by=readers_changed(RULE, when={**row.when, "ck": "MOD"})).changed_rows
    (says,) = [one for one in only.changes if one.what == "says"]
    assert [one for one in says.words if one.kind != "same"] == [
        Word("deleted", "MOD or HIGH,"),
        Word("inserted", "MOD,"),
    ]
    assert " ".join(one.text for one in says.words if one.kind != "inserted") == says.before
    assert " ".join(one.text for one in says.words if one.kind != "deleted") == says.after


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"when": {"srp": "NEG"}}, {"sha256", "says"}),
        ({"then": Then()}, {"sha256", "says"}),
        ({"why": "for another reason"}, {"sha256", "why"}),
        ({"citations": ("picard-2016",)}, {"sha256", "citations"}),
        ({"status": "retired"}, {"sha256", "status"}),
        ({"about": "HMGCR"}, {"sha256", "says"}),
        ({"version": 99}, {"sha256", "version"}),
        ({"reviewed": ("A. Smith", "B. Jones")}, {"reviewed"}),
        ({"still_valid_on": "2026-01-01", "known_gaps": ("one",), "authors": ("us",)}, set()),
    ],
    ids="when then why citations status about version reviewed for-the-reader".split(),
)
def test_each_part_of_a_rule_that_changes_is_named(fields: dict[str, Any], what: set[str]) -> None:
    found = of(by=readers_changed(RULE, **fields)).changed_rows
    assert [one.id for one in found] == ([f"rule:{RULE}"] if what else [])
    assert {name for one in found for name in told(one.changes)} == what


def test_rules_that_are_new_and_gone_are_listed() -> None:
    one, other, third = rule("one"), rule("other"), rule("third")
    found = of(by=readers_with(other, third), earlier=readers_with(one, other))
    assert (found.new_rows, found.gone_rows, found.changed_rows) == (("rule:third",), ("rule:one",), ())


def test_a_changed_comment_text_and_a_flag_show_too() -> None:
    decisions = knowledge().decisions
    worded = msgspec.structs.replace(decisions.comments["C01"], parts=((Alternative(text="Otherwise."),),))
    flag = msgspec.structs.replace(decisions.flags["CK_MISSING"], severity="critical")
    by = readers_with(comments={**decisions.comments, "C01": worded}, flags={**decisions.flags, "CK_MISSING": flag})
    found = of(by=by).changed_rows
    assert [one.id for one in found] == ["comment:C01", "flag:CK_MISSING"]
    assert told(found[0].changes)["says"][1] == "[1.1] Otherwise."
    assert told(found[1].changes)["says"][1].startswith("critical: ")


def test_what_a_site_lays_over_ours_shows_by_its_items() -> None:
    number = "- {id: ck_high_above, value: 11, unit: x upper limit, tag: CONVENTION, source: us, reviewed: [A. Smith]}"
    kit = "- {id: ours, method: line_blot, name: our blot, words: [our blot], source: us}"
    found = of(by=laid(policy_yaml=number, assays__kits_yaml=kit, units_yaml=""))
    assert found.new_rows == ("kit:ours",)
    (changed, table) = found.changed_rows
    assert (changed.id, table.id) == ("policy:ck_high_above", "table:units.yaml")
    assert told(changed.changes)["says"] == ("10 x upper limit", "11 x upper limit")
    assert told(changed.changes)["why"] == ("clinical.md C2", "us")
    assert told(changed.changes)["reviewed"] == ("", "A. Smith")
    assert set(told(table.changes)) == {"sha256"}


# ---------------------------------------------------------------- cases


def test_cases_that_are_new_and_gone_are_listed_and_nothing_else_is_said_of_them() -> None:
    found = compared(pack_of(POSITIVE, NEGATIVE), pack_of(case("NEW", ck("100")), NEGATIVE))
    assert (found.new_cases, found.gone_cases, found.changed_cases) == (("NEW",), ("POSITIVE",), ())


def test_a_changed_rule_shows_in_the_outcome_of_its_case_and_in_no_other() -> None:
    silenced = readers_changed(RULE, status="retired")
    found = of(POSITIVE, NEGATIVE, by=silenced)
    (only,) = found.changed_cases
    assert only.id == "POSITIVE"
    changes = told(only.changes)
    assert changes["passed"] == ("passed", "failed")
    assert "HEP2_NEG_MSA_POS major (SRP)" in changes["flags"][0]
    assert "HEP2_NEG_MSA_POS" not in changes["flags"][1]
    assert "SRP by quant or ip, urgent: HEP2_NEG_MSA_POS" in changes["retests"][0]
    assert changes["retests"][1] == ""
    assert "given" not in changes
    assert "states" not in changes


def test_the_texts_of_a_comment_are_compared_word_by_word() -> None:
    (only,) = of(POSITIVE, by=readers_changed(RULE, status="retired")).changed_cases
    (comment,) = [one for one in only.changes if one.what == "comment"]
    assert comment.before.startswith("C01: ")
    assert {one.kind for one in comment.words} >= {"same", "deleted"}
    assert " ".join(one.text for one in comment.words if one.kind != "inserted") == comment.before
    assert " ".join(one.text for one in comment.words if one.kind != "deleted") == comment.after


def test_a_comment_that_is_there_no_more_has_no_words_to_compare() -> None:
    before = case("ONE", srp("58"), ck("2040"))
    held = case("ONE", srp("58"), srp("5"), ck("2040"))
    (only,) = compared(pack_of(before), pack_of(held)).changed_cases
    (comment,) = [one for one in only.changes if one.what == "comment"]
    assert (comment.before[:4], comment.after, comment.words) == ("C01:", "", ())
    assert told(only.changes)["hold"] == ("no", "yes")
    assert told(only.changes)["states"][0].startswith("SRP: POS_STRONG")


@pytest.mark.parametrize(
    ("now", "what"),
    [
        ({"title": "another title"}, {"given"}),
        ({"expected": {"flags_required": {"HEP2_NEG_MSA_POS": "minor"}}}, {"expected", "passed"}),
        ({"expected": None}, {"expected", "passed"}),
        ({"expected": {"hold": False}}, {"expected"}),
        ({"patient": {"sex": "M", "age_years": 52}}, {"given"}),
    ],
)
def test_a_case_that_is_given_or_judged_otherwise_is_named(now: Case, what: set[str]) -> None:
    (only,) = compared(pack_of(POSITIVE), pack_of({**POSITIVE, **now})).changed_cases
    assert set(told(only.changes)) == what


def test_a_case_that_is_given_otherwise_shows_the_words_that_changed() -> None:
    now = {**POSITIVE, "patient": {"sex": "M", "age_years": 52}}
    ((given,),) = [one.changes for one in compared(pack_of(POSITIVE), pack_of(now)).changed_cases]
    assert [one for one in given.words if one.kind != "same"] == [Word("deleted", "F;"), Word("inserted", "M;")]


def test_a_verdict_is_told_in_words() -> None:
    found = compared(pack_of(POSITIVE), pack_of({**POSITIVE, "expected": None}))
    assert told(found.changed_cases[0].changes)["passed"] == ("passed", "no expectation")


def test_another_version_of_the_rule_behind_a_flag_is_a_changed_row_and_no_changed_case() -> None:
    found = of(POSITIVE, by=readers_changed(RULE, version=9, citations=("picard-2016",)))
    assert [one.id for one in found.changed_rows] == [f"rule:{RULE}"]
    assert found.changed_cases == ()


def test_the_day_before_which_a_retest_is_not_done_is_part_of_it() -> None:
    plain = pack_of(POSITIVE)
    outcome = plain.cases[0].outcome
    waiting = {**outcome, "retests": [{**outcome["retests"][0], "not_before": "2026-05-01"}, *outcome["retests"][1:]]}
    changed = msgspec.structs.replace(plain, cases=(msgspec.structs.replace(plain.cases[0], outcome=waiting),))
    (only,) = compared(plain, changed).changed_cases
    assert "not before 2026-05-01" in told(only.changes)["retests"][1]


def test_an_addendum_and_the_place_on_the_pathway_are_part_of_the_outcome() -> None:
    plain = case("ONE", srp("58"), hmgcr("3"), ck("2040"), hep2("Negative"))
    odd = case("ONE", srp("58"), hmgcr("3"), ck("2040"), hep2("Negative", specimen="csf"))
    (only,) = compared(pack_of(plain), pack_of(odd)).changed_cases
    (addendum,) = pack_of(odd).cases[0].outcome["comment"]["addenda"]
    assert told(only.changes)["comment"][1].endswith(addendum)
    assert not told(only.changes)["comment"][0].endswith(addendum)
    (moved,) = compared(pack_of(NEGATIVE), pack_of({**plain, "id": "NEGATIVE"})).changed_cases
    ends = [pack_of(one).cases[0].outcome["pathway"]["at"] for one in (NEGATIVE, plain)]
    assert ends[0] != ends[1]
    assert told(moved.changes)["pathway"] == tuple(ends)


# ---------------------------------------------------------------- coverage lost

ONE = rule("one", when={"srp": ("POS_STRONG", "POS_LOW"), "ck": "HIGH"})
STRONG, LOW = case("STRONG", srp("58"), ck("2040")), case("LOW", srp("14"), ck("2040"))
LOW_CK = case("LOW-CK", srp("58"), ck("100"))


def lost(before: tuple[Case, ...], now: tuple[Case, ...]) -> Places:
    by = readers_with(ONE)
    return compared(pack_of(*before, by=by), pack_of(*now, by=by)).lost


def test_a_rule_that_no_case_makes_hold_any_more_is_lost_with_its_values() -> None:
    found = lost((STRONG,), (LOW_CK,))
    assert found.rules == ("rule:one",)
    assert found.values == (OfValue("rule:one", "srp", "POS_STRONG"), OfValue("rule:one", "ck", "HIGH"))


def test_a_value_and_a_near_miss_are_lost_each_for_itself() -> None:
    assert lost((STRONG, LOW), (STRONG,)) == Places(values=(OfValue("rule:one", "srp", "POS_LOW"),))
    assert lost((STRONG, LOW_CK), (STRONG,)) == Places(conditions=(OfCondition("rule:one", "ck"),))
    assert lost((STRONG,), (STRONG, LOW, LOW_CK)) == Places()


def test_what_was_never_exercised_is_not_lost_and_neither_is_what_is_gone() -> None:
    assert compared(pack_of(by=readers_with(ONE)), pack_of(by=readers_with(ONE))).lost == Places()
    gone = compared(pack_of(STRONG, by=readers_with(ONE)), pack_of(STRONG, by=readers_with(rule("other")))).lost
    assert gone == Places()


def test_comments_wordings_and_nodes_are_lost_with_their_case() -> None:
    found = compared(pack_of(POSITIVE, NEGATIVE), pack_of(NEGATIVE)).lost
    assert "comment:C01" in found.comments
    assert {one.comment for one in found.wordings} >= {"comment:C01"}
    assert all(one.text for one in found.wordings if one.comment == "comment:C01")
    assert found.nodes
    assert compared(pack_of(NEGATIVE), pack_of(NEGATIVE, POSITIVE)).lost == Places()


def test_a_wording_that_moved_to_another_place_is_not_lost() -> None:
    row = knowledge().decisions.comments["C01"]
    new = Alternative(when={"ck": "MILD"}, text="Something else.")
    moved = msgspec.structs.replace(row, parts=((new, *row.parts[0]), *row.parts[1:]))
    by = readers_with(comments={**knowledge().decisions.comments, "C01": moved})
    found = of(POSITIVE, by=by)
    assert found.lost == Places()
    assert [one.id for one in found.changed_rows] == ["comment:C01"]


def test_a_text_that_stands_twice_is_not_lost_while_it_is_said_at_one_of_its_places() -> None:
    row = knowledge().decisions.comments["C01"]
    twice = tuple(Alternative(when={"hep2": one}, text="The same words.") for one in ("NEG", "NUCLEAR"))
    by = readers_with(comments={**knowledge().decisions.comments, "C01": msgspec.structs.replace(row, parts=(twice,))})
    nuclear = case("POSITIVE", srp("58"), hmgcr("3"), hep2("Positive", pattern="AC-4"), ck("2040"))
    found = compared(pack_of(POSITIVE, by=by), pack_of(nuclear, by=by)).lost
    assert [one.text for one in found.wordings if one.comment == "comment:C01"] == []
    gone = compared(pack_of(POSITIVE, by=by), pack_of(NEGATIVE, by=by)).lost
    assert {one.text for one in gone.wordings if one.comment == "comment:C01"} == {"The same words."}
