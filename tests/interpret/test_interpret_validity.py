"""C1: which version stands, what waits, what is set aside (clinical.md C1.1-C1.6, C10.11-C10.14; reliability.md H12)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import permutations, product
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_build import DAY, LOOKED_AT, METHODS, ck, hep2, other, result
from interpret_lab import FIRST, POLICY, held, on, quantity, raised, seen, srp, version, versions

from labbridge.interpret.validity import Settled, settle
from labbridge.model.outcome import PostedComment
from labbridge.model.result import Analyte, Hep2Class, Hep2Finding, Material, Problem, Result, Status
from labbridge.model.values import Grade, Missing, Quantity, Word


def settled(results: list[Result], today: date = LOOKED_AT, decided: frozenset[str] = frozenset()) -> Settled:
    return settle(results, today, decided, POLICY)


def codes(found: Settled) -> set[str]:
    return {one.code for one in found.raised}


# ---------------------------------------------------------------- every sequence of versions, against a model

TOKENS = ("F0", "F20", "C0", "C20", "P", "P0", "P20", "X", "W", "?20", "U")
KNOWN = "FCXW"


class Expected(NamedTuple):
    """What a sequence of versions comes to."""

    usable: str | None
    waiting: bool
    flags: frozenset[str]


def standing(said: list[str]) -> tuple[list[str], bool]:
    """The usable values that count, and whether a correction is the oldest of them: back to the last withdrawal or
    cancellation, or to the last correction, which itself counts."""
    since = max((place + 1 for place, one in enumerate(said) if one[0] in "XW"), default=0)
    start = max((place for place, one in enumerate(said) if one[0] == "C" and place >= since), default=since)
    values = [one[1:] for one in said[start:] if one[0] in "FC"]
    return list(dict.fromkeys(values)), said[start : start + 1] != [] and said[start][0] == "C"


def trailing(said: list[str]) -> list[str]:
    """What came after the last version whose standing is known."""
    last = max((place for place, one in enumerate(said) if one[0] in KNOWN), default=-1)
    return said[last + 1 :]


def question(said: list[str]) -> str | None:
    """The last unusable version that casts doubt: of unknown status, or preliminary with another value than stands."""
    values, _ = standing(said)
    doubts = [
        one
        for one in trailing(said)
        if one[0] == "?" or (one[0] == "P" and len(one) > 1 and len(values) == 1 and one[1:] not in values)
    ]
    return doubts[-1] if doubts else None


def waits(said: list[str]) -> str | None:
    """The last preliminary version where nothing usable stands before it."""
    values, _ = standing(said)
    found = [one for one in trailing(said) if one[0] == "P"]
    return found[-1] if found and len(values) != 1 else None


def resolved(tokens: tuple[str, ...]) -> list[str]:
    """U takes the value of the line before; without one its status says nothing."""
    said: list[str] = []
    for token in tokens:
        if token == "U":
            values, _ = standing(said)
            stored = question(said) or (f"F{values[0]}" if len(values) == 1 else None) or waits(said) or ""
            token = f"F{stored[1:]}" if stored[1:] else "?"
        said.append(token)
    return said


def expected(tokens: tuple[str, ...]) -> Expected:
    said = resolved(tokens)
    flags = set()
    for place, one in enumerate(said):
        values, by_correction = standing(said[:place])
        if one[0] == "F" and one[1:] in values:
            flags.add("DUPLICATE_SUPPRESSED")
        if one[0] == "C" and values:
            flags.add("DUPLICATE_SUPPRESSED" if by_correction and values == [one[1:]] else "RESULT_CORRECTED")
        if one[0] in "XW" and values:
            flags.add("RESULT_WITHDRAWN")
    values, _ = standing(said)
    doubt, wait = question(said), waits(said)
    if len(values) > 1:
        flags.add("CONFLICTING_DUPLICATE")
    if doubt is not None:
        flags.add("STATUS_UNKNOWN" if doubt[0] == "?" else "RESULT_NOT_FINAL")
    if wait is not None and len(wait) > 1:
        flags.add("RESULT_NOT_FINAL")
    usable = values[0] if len(values) == 1 and doubt is None else None
    return Expected(usable, wait is not None, frozenset(flags))


def sequences(longest: int) -> Iterator[tuple[str, ...]]:
    for length in range(1, longest + 1):
        yield from product(TOKENS, repeat=length)


def observed(tokens: tuple[str, ...]) -> Expected:
    found = settled(versions(" ".join(tokens)))
    values = [one.value for one in found.usable]
    assert all(isinstance(one, Quantity) for one in values), tokens
    usable = str(values[0].number) if values and isinstance(values[0], Quantity) else None
    return Expected(usable, bool(found.pending), frozenset(codes(found)))


@pytest.mark.parametrize("longest", [3])
def test_every_sequence_of_versions_comes_to_what_the_model_says(longest: int) -> None:
    wrong = [(one, expected(one), observed(one)) for one in sequences(longest) if expected(one) != observed(one)]
    assert wrong == []


@given(st.lists(st.sampled_from(TOKENS), min_size=4, max_size=7).map(tuple))
def test_long_sequences_too(tokens: tuple[str, ...]) -> None:
    assert observed(tokens) == expected(tokens)


def test_nothing_that_is_held_or_preliminary_is_ever_used() -> None:
    for tokens in sequences(3):
        found = settled(versions(" ".join(tokens)))
        assert not (found.usable and any(one.hold for one in found.raised)), tokens
        assert all(one.status in (Status.FINAL, Status.CORRECTED) for one in found.usable), tokens


@given(st.lists(st.sampled_from(TOKENS), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(tokens: list[str], chance: Any) -> None:
    one = versions(" ".join(tokens))
    shuffled = list(one)
    chance.shuffle(shuffled)
    assert settled(shuffled) == settled(one)


@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=5), st.data())
def test_a_version_given_twice_changes_nothing(tokens: list[str], data: st.DataObject) -> None:
    one = versions(" ".join(tokens))
    assert settled([*one, data.draw(st.sampled_from(one))]) == settled(one)


@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=5), st.data())
def test_a_message_sent_again_adds_a_duplicate_at_most(tokens: list[str], data: st.DataObject) -> None:
    """P8: the same status and message time, another receipt and another reference."""
    one = versions(" ".join(tokens))
    place = data.draw(st.integers(0, len(one) - 1))
    again = version(tokens[place], place, ref="AGAIN:OBX[1]", received=FIRST + timedelta(days=1))
    before, after = settled(one), settled([*one, again])
    assert [x.value for x in after.usable] == [x.value for x in before.usable]
    assert len(after.pending) == len(before.pending)
    assert codes(after) - {"DUPLICATE_SUPPRESSED"} == codes(before) - {"DUPLICATE_SUPPRESSED"}


# ---------------------------------------------------------------- single cases, in words


@pytest.mark.parametrize(
    ("text", "usable", "flags"),
    [
        ("F20", "20", set()),
        ("P F20", "20", set()),
        ("P20 F8", "8", set()),  # earlier pending, now usable: silently
        ("F20 F20", "20", {"DUPLICATE_SUPPRESSED"}),
        ("F20 F8", None, {"CONFLICTING_DUPLICATE"}),
        ("F20 F8 C8", "8", {"RESULT_CORRECTED"}),  # a correction settles a conflict
        ("F20 F8 W", None, {"RESULT_WITHDRAWN"}),
        ("F20 C8", "8", {"RESULT_CORRECTED"}),
        ("C8", "8", set()),  # nothing known that it corrects
        ("F20 X", None, {"RESULT_WITHDRAWN"}),  # cancelled after usable
        ("X", None, set()),
        ("F20 W F8", "8", {"RESULT_WITHDRAWN"}),  # a new result
        ("F20 P20", "20", set()),
        ("F20 P8", None, {"RESULT_NOT_FINAL"}),
        ("F20 P8 F20", "20", {"DUPLICATE_SUPPRESSED"}),
        ("F20 P8 C8", "8", {"RESULT_CORRECTED"}),
        ("F20 P8 F8", None, {"CONFLICTING_DUPLICATE"}),  # two usable values and no correction
        ("F20 P8 X", None, {"RESULT_WITHDRAWN"}),  # what stood under the preliminary is withdrawn too
        ("?20", None, {"STATUS_UNKNOWN"}),
        ("?20 F20", "20", set()),
        ("F20 ?20", None, {"STATUS_UNKNOWN"}),  # it may be a withdrawal
        ("P20 U", "20", set()),
        ("F20 U", "20", {"DUPLICATE_SUPPRESSED"}),
        ("U", None, {"STATUS_UNKNOWN"}),
        ("P U", None, {"STATUS_UNKNOWN"}),
        ("F20 W U", None, {"RESULT_WITHDRAWN", "STATUS_UNKNOWN"}),
    ],
)
def test_what_stands(text: str, usable: str | None, flags: set[str]) -> None:
    found = settled(versions(text))
    assert [str(one.value.number) for one in found.usable if isinstance(one.value, Quantity)] == (
        [usable] if usable else []
    )
    assert codes(found) == flags


def test_a_result_sent_again_does_not_outlive_its_withdrawal() -> None:
    """All at one status and message time: the copy counts as received when the result first was."""
    same: dict[str, Any] = {"status_time": FIRST, "message_time": FIRST}
    sent, taken_back, again = version("F20", 0, **same), version("W", 1, **same), version("F20", 2, **same)
    assert settled([sent, taken_back, again]).usable == ()
    assert codes(settled([sent, taken_back, again])) == {"DUPLICATE_SUPPRESSED", "RESULT_WITHDRAWN"}
    other_value = version("F8", 2, **same)
    assert settled([sent, taken_back, other_value]).usable == (other_value,)  # a new result


def test_without_any_time_a_result_after_a_withdrawal_is_a_new_one() -> None:
    none = {"status_time": None, "message_time": None}
    results = [version("F20", 0, **none), version("W", 1, **none), version("F20", 2, **none)]
    assert settled(results).usable == (results[2],)


def test_the_completed_value_is_a_version_of_its_own() -> None:
    found = settled(versions("P20 U")).usable[0]
    assert (found.ref, found.status, found.takes_stored_value) == ("M1:OBX[1]", Status.FINAL, False)


def test_a_stored_value_of_unknown_status_becomes_known() -> None:
    assert settled(versions("?20 U")).usable[0].problems == ()


def test_the_references_of_a_change_end_with_the_new_version() -> None:
    found = settled(versions("F20 F8 C8"))
    assert [one.refs for one in found.raised] == [("M0:OBX[1]", "M1:OBX[1]", "M2:OBX[1]")]


def test_a_conflict_names_all_of_it() -> None:
    (found,) = settled(versions("F20 F8 F11")).raised
    assert (found.refs, found.hold) == (("M0:OBX[1]", "M1:OBX[1]", "M2:OBX[1]"), True)


@pytest.mark.parametrize(
    ("first", "second", "usable"),
    [
        ({"status_time": FIRST + timedelta(hours=2)}, {"status_time": FIRST}, "20"),  # the result's own time first
        ({"status_time": None, "message_time": FIRST + timedelta(hours=2)}, {"status_time": FIRST}, "20"),
        ({"status_time": None, "message_time": None}, {"status_time": None, "message_time": None}, "8"),  # then receipt
    ],
)
def test_versions_are_ordered_by_their_times(first: dict[str, Any], second: dict[str, Any], usable: str) -> None:
    """The correction that is later by its own time stands, whatever came first."""
    one, two = version("C20", 0, **first), version("C8", 1, **second)
    assert [str(x.value.number) for x in settled([two, one]).usable if isinstance(x.value, Quantity)] == [usable]


@pytest.mark.parametrize("order", list(permutations(range(5))))
def test_at_one_time_the_rank_decides(order: tuple[int, ...]) -> None:
    """pending < final < corrected < cancelled < withdrawn (C10.12)."""
    same = {"status_time": FIRST, "message_time": FIRST, "received": FIRST}
    one = [version(token, hour, **same) for hour, token in enumerate(("P20", "F20", "C8", "X", "W"))]
    found = settled([one[place] for place in order])
    assert found.usable == ()
    assert codes(found) == {"RESULT_CORRECTED", "RESULT_WITHDRAWN"}
    without_end = settled([one[place] for place in order if place < 3])
    assert [x.value for x in without_end.usable] == [one[2].value]


def test_a_late_preliminary_of_an_earlier_time_is_ignored_with_a_note() -> None:
    late = version("P8", 5, status_time=FIRST - timedelta(hours=1))
    found = settled([version("F20", 0), late])
    assert len(found.usable) == 1
    assert codes(found) == set()
    assert settled([*versions("F20 P20")]).notes[0].code == "N301"


def test_a_preliminary_at_the_same_status_time_is_ignored() -> None:
    late = version("P8", 5, status_time=FIRST)
    final = version("F20", 0)
    assert codes(settled([final, late])) == set()


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (Word(Grade.NEG, "negative"), Word(Grade.NEG, " Negative "), True),
        (Word(Grade.POS_STRONG, "++"), Word(Grade.POS_STRONG, "+++"), False),
        (quantity("20"), Missing.NULL, False),
    ],
)
def test_when_two_values_are_the_same(one: Any, two: Any, same: bool) -> None:
    results = [version("F", 0, value=one), version("F", 1, value=two)]
    assert codes(settled(results)) == ({"DUPLICATE_SUPPRESSED"} if same else {"CONFLICTING_DUPLICATE"})


def test_an_empty_final_holds_until_the_value_comes() -> None:
    assert codes(settled(versions("F"))) == {"VALUE_IMPLAUSIBLE"}
    assert codes(settled(versions("F F20"))) == set()


def test_two_findings_of_one_slide_conflict() -> None:
    first, second = hep2("NUCLEAR", "A@1"), hep2("CYTO_COMPAT", "A@2")
    assert codes(settled([first, second])) == {"CONFLICTING_DUPLICATE"}


# ---------------------------------------------------------------- pending (C10.13)


@pytest.mark.parametrize(("age", "waiting"), [(0, True), (21, True), (22, False)])
def test_in_progress_for_21_days(age: int, waiting: bool) -> None:
    found = seen(*versions("P"), today=on(age))
    assert found.srp.pending is waiting
    assert raised(found) == set()


@pytest.mark.parametrize("age", [0, 21, 22, 90])
def test_a_preliminary_value_holds_until_it_is_final(age: int) -> None:
    """However old: a positive that nobody finished is not forgotten after three weeks."""
    assert held(seen(*versions("P20"), today=on(age))) == {"RESULT_NOT_FINAL"}
    assert not held(seen(*versions("P20 F20"), today=on(age)))


def test_a_preliminary_after_a_final_holds_however_late() -> None:
    """A positive that is being changed is not forgotten after three weeks."""
    found = seen(*versions("F20 P8"), today=on(60))
    assert held(found) == {"RESULT_NOT_FINAL"}
    assert found.srp.pending


@pytest.mark.parametrize("analyte", list(Analyte))
def test_whose_preliminary_value_holds(analyte: Analyte) -> None:
    found = settled(versions("P20", analyte=analyte, antigen="JO1"))
    holds = analyte in (Analyte.SRP, Analyte.HMGCR, Analyte.HEP2, Analyte.CK)
    assert codes(found) == ({"RESULT_NOT_FINAL"} if holds else set())
    assert [one.analyte for one in found.pending] == [analyte]


def test_companions_in_progress_are_known_as_such() -> None:
    pending: dict[str, Any] = {"status": Status.PENDING, "value": Missing.ABSENT}
    found = seen(ck(1, **pending), result(Analyte.HEP2, "H", method=METHODS["hep2_iif"], **pending))
    assert (found.ck.pending, found.hep2.pending, found.srp.pending) == (True, True, False)


# ---------------------------------------------------------------- what cannot be understood (C1.5, C10.14)

CODES = {
    Problem.STATUS_UNKNOWN: "STATUS_UNKNOWN",
    Problem.METHOD_UNKNOWN: "ASSAY_UNMAPPED",
    Problem.LIMITS_MISSING: "ASSAY_UNMAPPED",
    Problem.LIMITS_DIFFER: "ASSAY_UNMAPPED",
    Problem.UNIT_UNKNOWN: "UNIT_UNKNOWN",
    Problem.VALUE_UNREADABLE: "VALUE_IMPLAUSIBLE",
    Problem.VALUE_AMBIGUOUS: "VALUE_IMPLAUSIBLE",
    Problem.VALUE_IMPLAUSIBLE: "VALUE_IMPLAUSIBLE",
    Problem.CODE_UNMAPPED: "ASSAY_UNMAPPED",
}


@pytest.mark.parametrize("problem", list(Problem))
def test_every_problem_has_its_flag_and_holds(problem: Problem) -> None:
    found = seen(srp("POS_STRONG", problems=(problem,)))
    assert held(found) == raised(found) == {CODES[problem]}
    assert found.srp.pending
    assert found.srp.state == "NOT_TESTED"


@pytest.mark.parametrize("problem", list(Problem))
def test_another_antibody_that_cannot_be_understood_holds(problem: Problem) -> None:
    """It would decide whether several antibodies are positive (O2), so a person looks first (C10.14)."""
    found = seen(srp("POS_STRONG"), result(Analyte.OTHER_MSA, "X", method=METHODS["blot"], problems=(problem,)))
    assert held(found) == raised(found) == {CODES[problem]}
    assert found.other_positive == ()


@pytest.mark.parametrize("problem", list(Problem))
def test_a_creatinine_that_cannot_be_understood_holds_nothing(problem: Problem) -> None:
    found = seen(srp("POS_STRONG"), result(Analyte.CREATININE, "X", problems=(problem,)))
    assert raised(found) == set()


def test_another_antibody_with_two_values_is_used_with_neither_and_holds() -> None:
    found = settled(versions("F20 F0", analyte=Analyte.OTHER_MSA, antigen="JO1"))
    assert found.usable == ()
    assert [(one.code, one.hold) for one in found.raised] == [("CONFLICTING_DUPLICATE", True)]


def test_a_creatinine_with_two_values_is_used_with_neither() -> None:
    assert settled(versions("F20 F0", analyte=Analyte.CREATININE)) == Settled()


def test_a_preliminary_of_another_antibody_after_its_final_changes_nothing() -> None:
    found = settled(versions("F20 P8", analyte=Analyte.OTHER_MSA, antigen="JO1"))
    assert [one.ref for one in found.usable] == ["M0:OBX[1]"]
    assert found.raised == ()


def test_another_antibody_whose_category_is_open_holds() -> None:
    """ "<20" where 11 is positive (C1.6)."""
    open_one = result(Analyte.OTHER_MSA, "X", method=METHODS["blot"], antigen="JO1", value=quantity("20", "<"))
    assert held(seen(srp("POS_STRONG"), open_one)) == {"RESULT_CENSORED"}


def test_two_problems_of_one_kind_are_one_flag() -> None:
    found = settled([srp("NEG", problems=(Problem.LIMITS_MISSING, Problem.METHOD_UNKNOWN, Problem.UNIT_UNKNOWN))])
    assert [one.code for one in found.raised] == ["ASSAY_UNMAPPED", "UNIT_UNKNOWN"]


@pytest.mark.parametrize("text", ["?20", "P20", "F20 F8", "F20 ?8", "F20 P8"])
def test_a_decision_ends_a_hold(text: str) -> None:
    results = versions(text)
    everything = frozenset(one.ref for one in results)
    assert any(one.hold for one in settled(results).raised)
    assert not any(one.hold for one in settled(results, decided=everything).raised)
    assert any(one.hold for one in settled(results, decided=frozenset({"M9:OBX[1]"})).raised)


def test_a_doubt_decided_leaves_what_stood() -> None:
    for text in ("F20 ?8", "F20 P8"):
        found = settled(versions(text), decided=frozenset({"M1:OBX[1]"}))
        assert [one.ref for one in found.usable] == ["M0:OBX[1]"]


def test_a_decision_on_one_of_two_does_not_settle_a_conflict() -> None:
    assert codes(settled(versions("F20 F8"), decided=frozenset({"M1:OBX[1]"}))) == {"CONFLICTING_DUPLICATE"}


def test_a_problem_decided_is_no_result_and_no_hold() -> None:
    one = srp("POS_STRONG", problems=(Problem.LIMITS_DIFFER,))
    found = seen(one, decided=frozenset({one.ref}))
    assert (found.srp.state, found.srp.pending, raised(found)) == ("NOT_TESTED", False, set())


# ---------------------------------------------------------------- scope of a hold (C10.14)


@pytest.mark.parametrize(("age", "holds"), [(180, True), (181, False)])
def test_an_expired_antibody_holds_nothing(age: int, holds: bool) -> None:
    old = srp("POS_STRONG", day=-age, problems=(Problem.LIMITS_DIFFER,))
    assert bool(held(seen(hmgcr_today(), old))) is holds


@pytest.mark.parametrize(("age", "holds"), [(30, True), (31, False)])
def test_a_ck_outside_its_window_holds_nothing(age: int, holds: bool) -> None:
    old = ck(5, day=on(-age), problems=(Problem.UNIT_UNKNOWN,))
    assert bool(held(seen(hmgcr_today(), old))) is holds


def test_the_window_of_ck_reaches_back_from_the_antibodies_too() -> None:
    """A later CK is the anchor; the one that cannot be read lies beside the antibodies."""
    unread = ck(5, "CK-1", on(-20), problems=(Problem.UNIT_UNKNOWN,))
    assert held(seen(hmgcr_today(), unread, ck(5, "CK-2", on(25)))) == {"UNIT_UNKNOWN"}


def test_what_cannot_be_read_and_is_newest_holds() -> None:
    unread = ck(5, day=on(100), problems=(Problem.UNIT_UNKNOWN,))
    assert held(seen(hmgcr_today(), unread, today=on(101))) == {"UNIT_UNKNOWN"}


def test_a_change_of_what_was_posted_is_never_out_of_scope() -> None:
    before, after = ck(5, "CK@1", on(-60)), ck(1, "CK@2", on(-60), status=Status.WITHDRAWN)
    comment = PostedComment(comment_class="C01", text="", posted=FIRST, used=("CK@1",))
    assert raised(seen(hmgcr_today(), before, after)) == set()
    assert raised(seen(hmgcr_today(), before, after, posted=(comment,))) == {"RESULT_WITHDRAWN"}


def hmgcr_today() -> Result:
    return result(Analyte.HMGCR, "H", method=METHODS["quant"], value=Word(Grade.NEG, "negative"))


# ---------------------------------------------------------------- specimens (C1.3, C1.4, C10.11)


@pytest.mark.parametrize(
    ("material", "validated", "invalid"),
    [
        (Material.SERUM, True, False),
        (Material.UNSTATED, False, False),  # the test's usual specimen
        (Material.HEPARIN_PLASMA, True, False),
        (Material.HEPARIN_PLASMA, False, True),
        (Material.OTHER_PLASMA, False, True),
        (Material.OTHER, False, True),
    ],
)
def test_only_a_stated_unsuitable_material_is_invalid(material: Material, validated: bool, invalid: bool) -> None:
    found = seen(srp("NEG", material=material, material_validated=validated, material_text="CSF"))
    assert raised(found) == ({"SPECIMEN_INVALID"} if invalid else set())
    assert found.srp.state == ("NOT_TESTED" if invalid else "NEG")
    assert held(found) == set()


def test_the_material_is_named_as_reported() -> None:
    (found,) = seen(srp("NEG", material=Material.OTHER, material_validated=False, material_text="CSF")).raised
    assert (found.text, found.analyte, found.day) == ("CSF", "SRP", DAY)


def test_a_poor_specimen_is_flagged_and_used() -> None:
    found = seen(srp("POS_LOW", quality_poor=True))
    assert raised(found) == {"SPECIMEN_QUALITY"}
    assert found.srp.state == "POS_LOW"


# ---------------------------------------------------------------- cancelled because of the ANA (C1.1, C6 O7)


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("X", {"MSA_CANCELLED_ON_ANA"}),
        ("X X", {"MSA_CANCELLED_ON_ANA"}),
        ("P X", {"MSA_CANCELLED_ON_ANA"}),
        ("F20 X", {"MSA_CANCELLED_ON_ANA", "RESULT_WITHDRAWN"}),
        ("X P", set()),  # in progress after all
        ("X F20", set()),
        ("X W", set()),
    ],
)
def test_cancelled_because_of_the_ana(text: str, flags: set[str]) -> None:
    found = settled(versions(text, cancelled_for_ana=True))
    assert codes(found) == flags
    assert len(found.raised) == len(flags)


@pytest.mark.parametrize("analyte", list(Analyte))
def test_only_the_two_antibodies_may_not_be_cancelled_so(analyte: Analyte) -> None:
    found = settled(versions("X", cancelled_for_ana=True, analyte=analyte))
    assert bool(codes(found)) is (analyte in (Analyte.SRP, Analyte.HMGCR))


# ---------------------------------------------------------------- solid-phase screens (C2)


@pytest.mark.parametrize("text", ["F20", "P20", "F20 F8", "?20", "F20 W"])
def test_a_solid_phase_screen_is_nothing_to_us(text: str) -> None:
    found = settled(versions(text, analyte=Analyte.HEP2, method=METHODS["solid"]))
    assert found == Settled()


def test_a_hep2_on_cells_beside_it_counts() -> None:
    solid = result(Analyte.HEP2, "S", method=METHODS["solid"], hep2=Hep2Finding(pattern=Hep2Class.NEG))
    assert seen(solid).hep2.state == "NOT_TESTED"
    assert seen(solid, hep2("CYTO_COMPAT")).hep2.state == "CYTO_COMPAT"
    assert seen(solid).anchor is None


def test_results_are_kept_apart_by_their_key() -> None:
    found = settled([srp("NEG"), srp("POS_LOW", "quant"), other("JO1", "NEG")])
    assert len(found.usable) == 3
    assert found.raised == ()
