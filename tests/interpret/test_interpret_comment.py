"""Which comment is written (clinical.md C8, C10.7), and how its sentences are chosen and filled (C10.8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from interpret_build import DAY, antibody, case, ck, episode, evidence, hep2, history, other, posted

from labbridge.interpret.comment import UnfilledSlot, choose, render
from labbridge.interpret.evidence import Change, CkCourse, Episode, Raised, Titre, Trend
from labbridge.interpret.rules import Verdict
from labbridge.interpret.slots import ASKED, MAY_BE_EMPTY, SLOTS, Case, asked, words
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import Alternative, CommentRow
from labbridge.model.outcome import Flag, Priority, Retest, Severity
from labbridge.model.result import Hep2Class, Hep2Finding

STRONG, ABSENT = evidence("SRP", "POS_STRONG", "blot"), evidence("HMGCR", "NOT_TESTED", "")
HERE = episode(STRONG, ABSENT, "CYTO_COMPAT", "HIGH")
HMGCR = Retest(analyte="HMGCR", families=("quant",), priority=Priority.ROUTINE, reason="PARTNER_MISSING")
CONFIRM = Retest(analyte="SRP", families=("quant", "ip"), priority=Priority.URGENT, reason="HEP2_NEG_MSA_POS")


def verdict(
    *classes: str, retests: tuple[Retest, ...] = (), flags: tuple[str, ...] = (), hold: bool = False
) -> Verdict:
    found = tuple(Flag(code=code, severity=Severity.MAJOR, rule="r@1") for code in flags)
    return Verdict(found, retests, dict.fromkeys(classes, ()), {}, hold, ("SRP",) if hold else (), ())


def a_case(knowledge: Knowledge, *classes: str, at: Episode = HERE, **fields: Any) -> Case:
    given = {name: fields.pop(name) for name in ("retests", "flags", "hold") if name in fields}
    found = case(at, verdict(*classes, **given), knowledge)
    return msgspec.structs.replace(found, **fields)


def written(one: Case) -> str:
    found = choose(one)
    return found.comment_class if found else "NONE"


# ---------------------------------------------------------------- which class


@pytest.mark.parametrize(
    ("classes", "first"),
    [
        (("C01", "C08"), "C08"),
        (("C04", "C09"), "C09"),
        (("C07", "C13"), "C13"),
        (("C05",), "C05"),
        ((), "NONE"),
    ],
)
def test_the_first_of_the_ranks_is_written(knowledge: Knowledge, classes: tuple[str, ...], first: str) -> None:
    at = (
        episode(evidence("SRP", "EQUIVOCAL", "quant", "discordant"), ABSENT, "NEG", "HIGH")
        if "C09" in classes
        else HERE
    )
    for order in (classes, classes[::-1]):
        assert written(a_case(knowledge, *order, at=at)) == first


def test_a_hold_writes_nothing(knowledge: Knowledge) -> None:
    assert choose(a_case(knowledge, "C01", hold=True)) is None


def raised(code: str, analyte: str = "SRP", *, refs: tuple[str, ...] = ("S@1", "S@2"), text: str = "") -> Raised:
    return Raised(code=code, analyte=analyte, refs=refs, day=DAY, text=text)


def after(*found: Raised, bare: bool = True) -> Episode:
    none = evidence("SRP", "NOT_TESTED", "")
    return msgspec.structs.replace(episode(none, ABSENT, "NOT_TESTED", "UNKNOWN") if bare else HERE, raised=found)


WITHDRAWN, CORRECTED = raised("RESULT_WITHDRAWN"), raised("RESULT_CORRECTED")
INVALID = raised("SPECIMEN_INVALID", text="CSF")


@pytest.mark.parametrize(
    ("at", "classes", "first", "added"),
    [
        (after(WITHDRAWN), (), "C19", ()),
        (after(WITHDRAWN, bare=False), ("C01",), "C01", ("C19",)),
        (after(CORRECTED), (), "NONE", ()),
        (after(CORRECTED, bare=False), ("C01",), "C01", ("C19",)),
        (after(INVALID), (), "C18", ()),
        (after(INVALID), ("C11",), "C18", ()),
        (after(INVALID, bare=False), ("C01",), "C01", ("C18",)),
        (after(raised("SPECIMEN_INVALID", "CK", text="EDTA plasma")), (), "C18", ()),
        (after(raised("SPECIMEN_INVALID", "CK", text="EDTA plasma")), ("C22",), "C22", ("C18",)),
        (after(INVALID, WITHDRAWN, bare=False), ("C01",), "C01", ("C19", "C18")),
    ],
)
def test_withdrawn_corrected_invalid(
    knowledge: Knowledge, at: Episode, classes: tuple[str, ...], first: str, added: tuple[str, ...]
) -> None:
    found = choose(a_case(knowledge, *classes, at=at))
    assert (found.comment_class, found.addendum_classes) == (first, added) if found else first == "NONE"


def test_at_most_two_addenda_the_first_of_their_ranks(knowledge: Knowledge) -> None:
    disputed = evidence("HMGCR", "EQUIVOCAL", "quant", "discordant")
    at = msgspec.structs.replace(episode(STRONG, disputed, "CYTO_COMPAT", "HIGH"), raised=(INVALID, WITHDRAWN))
    found = choose(a_case(knowledge, "C01", at=at))
    assert found is not None
    assert found.addendum_classes == ("C19", "C09")


# ---------------------------------------------------------------- C19: never claim to replace what was not sent


def test_the_change_that_concerns_what_was_posted(knowledge: Knowledge) -> None:
    other = raised("RESULT_CORRECTED", "CK", refs=("C@1", "C@2"))
    given = history(posted=(posted("C@1"),))
    one = a_case(knowledge, "C01", at=after(CORRECTED, other, bare=False), history=given)
    assert one.changed == other
    found = choose(one)
    assert found is not None
    assert found.addenda[0].startswith(f"This replaces the comment dated {DAY}: the CK result was corrected.")


def test_a_change_of_what_was_not_posted_is_not_named_in_the_replacement(knowledge: Knowledge) -> None:
    given = history(posted=(posted("OTHER@1"),))
    found = choose(a_case(knowledge, "C01", at=after(CORRECTED, bare=False), history=given))
    assert found is not None
    assert found.addenda == (f"This replaces the comment dated {DAY}.",)


def test_the_last_of_several_posted_comments_is_replaced(knowledge: Knowledge) -> None:
    later = DAY + timedelta(days=1)
    given = history(posted=(posted("S@1", day=later), posted("S@1")))
    found = choose(a_case(knowledge, "C01", at=after(CORRECTED, bare=False), history=given))
    assert found is not None
    assert str(later) in found.addenda[0]


def test_a_withdrawal_comes_before_a_correction_and_the_newest_before_older_ones(knowledge: Knowledge) -> None:
    older = Raised(code="RESULT_CORRECTED", analyte="CK", refs=("A@1", "A@2"), day=DAY - timedelta(days=5))
    assert a_case(knowledge, at=after(older, CORRECTED)).changed == CORRECTED
    assert a_case(knowledge, at=after(CORRECTED, older)).changed == CORRECTED
    assert a_case(knowledge, at=after(CORRECTED, WITHDRAWN)).changed == WITHDRAWN


# ---------------------------------------------------------------- sentences and slots


def text_of(*parts: tuple[Alternative, ...]) -> CommentRow:
    return CommentRow(id="C01", subject="SRP", parts=parts)


def test_of_each_sentence_the_first_alternative_that_holds(knowledge: Knowledge) -> None:
    one = a_case(knowledge)
    first = (
        Alternative(when={"ck": "MILD"}, text="A."),
        Alternative(when={"ck": ("MOD", "HIGH")}, text="B."),
        Alternative(text="C."),
    )
    assert render(text_of(first, (Alternative(text="D."),)), one, "SRP") == "B. D."


def test_a_sentence_none_of_whose_alternatives_holds_is_left_out(knowledge: Knowledge) -> None:
    row = text_of((Alternative(when={"ck": "MILD"}, text="A."),), (Alternative(text="B."),))
    assert render(row, a_case(knowledge), "SRP") == "B."


def test_a_slot_without_its_fact_is_a_fault_of_the_text(knowledge: Knowledge) -> None:
    with pytest.raises(UnfilledSlot, match="negative_method"):
        render(text_of((Alternative(text="By {negative_method}."),)), a_case(knowledge), "SRP")


def test_the_words_of_a_subject(knowledge: Knowledge) -> None:
    found = words(a_case(knowledge, retests=(HMGCR, CONFIRM)), "SRP")
    assert {name: found[name] for name in ("antibody", "Antibody", "other", "Other", "method", "grade", "families")} == {
        "antibody": "anti-SRP", "Antibody": "Anti-SRP", "other": "anti-HMGCR", "Other": "Anti-HMGCR",
        "method": "line blot", "grade": "strongly positive", "families": "ELISA/CLIA or immunoprecipitation",
    }  # fmt: skip
    assert found["next"] == (
        "Confirmation by a different method (ELISA/CLIA or immunoprecipitation) is suggested without delay; "
        "anti-HMGCR testing is suggested"
    )
    assert found["ck_comma"] == ", with markedly raised CK"


@pytest.mark.parametrize(
    ("retests", "text"),
    [
        ((HMGCR,), "Anti-HMGCR testing is suggested"),
        (
            (HMGCR, Retest(analyte="CK", families=("enzymatic",), priority=Priority.ROUTINE, reason="CK_MISSING")),
            "Anti-HMGCR testing and CK are suggested",
        ),
        (
            (
                Retest(
                    analyte="SRP", families=("same_new_specimen",), priority=Priority.ROUTINE, reason="SPECIMEN_QUALITY"
                ),
            ),
            "A new specimen is suggested",
        ),
    ],
)
def test_the_next_step(knowledge: Knowledge, retests: tuple[Retest, ...], text: str) -> None:
    assert words(a_case(knowledge, retests=retests), "SRP")["next"] == text


def test_of_routine_steps_two_are_named_of_urgent_ones_all(knowledge: Knowledge) -> None:
    routine = [
        Retest(analyte=name, families=("x",), priority=Priority.ROUTINE, reason="A")
        for name in ("ANA_HEP2", "OTHER_MSA")
    ]
    urgent = [msgspec.structs.replace(one, priority=Priority.URGENT) for one in routine]
    ck = Retest(analyte="CK", families=("enzymatic",), priority=Priority.URGENT, reason="CK_MISSING")
    named = words(a_case(knowledge, retests=(HMGCR, *routine)), "SRP")["next"]
    assert "other myositis" not in named
    named = words(a_case(knowledge, retests=(ck, *urgent, HMGCR)), "SRP")["next"]
    assert named == (
        "CK, HEp-2 immunofluorescence and testing for other myositis-specific antibodies are suggested without delay"
    )


def test_where_both_are_reactive_the_check_says_of_which(knowledge: Knowledge) -> None:
    both = episode(STRONG, evidence("HMGCR", "EQUIVOCAL", "quant"), "CYTO_COMPAT", "HIGH")
    check = Retest(analyte="HMGCR", families=("ip",), priority=Priority.ROUTINE, reason="MSA_EQUIVOCAL")
    named = words(a_case(knowledge, at=both, retests=(check,)), "SRP")["next"]
    assert named == "A different method for anti-HMGCR (immunoprecipitation) is suggested"


@pytest.mark.parametrize(("codes", "text"), [((), ""), (("AC-19",), " (AC-19)"), (("AC-19", "AC-4"), " (AC-19, AC-4)")])
def test_codes_stand_only_where_they_were_sent(knowledge: Knowledge, codes: tuple[str, ...], text: str) -> None:
    coded = msgspec.structs.replace(hep2("CYTO_COMPAT"), hep2=Hep2Finding(pattern=Hep2Class.CYTO_COMPAT, codes=codes))
    at = msgspec.structs.replace(HERE, hep2=msgspec.structs.replace(HERE.hep2, result=coded))
    assert words(a_case(knowledge, at=at), "SRP")["codes"] == text


@pytest.mark.parametrize(("apart", "sample"), [(0, "same sample"), (2, "samples of 2026-03-08 and 2026-03-10")])
def test_the_sample_of_two_methods(knowledge: Knowledge, apart: int, sample: str) -> None:
    results = (antibody("SRP", "NEG", "quant"), antibody("SRP", "POS_STRONG", day=DAY - timedelta(days=apart)))
    disputed = evidence("SRP", "EQUIVOCAL", "quant", "discordant", results=results)
    at = msgspec.structs.replace(HERE, srp=disputed)
    found = words(a_case(knowledge, at=at), "SRP")
    assert (found["reactive_method"], found["negative_method"], found["sample"]) == ("line blot", "ELISA", sample)


def test_what_texts_may_ask_and_name_is_what_there_is(knowledge: Knowledge) -> None:
    """The closed lists that `check_vocabulary` holds the rows against are those of the code."""
    one = a_case(knowledge, "C01", retests=(HMGCR, CONFIRM), flags=("MSA_POS_CONCORDANT",))
    seen = asked(one, "SRP")
    assert all(seen[name] in asking.domain for name, asking in ASKED.items())
    disputed = episode(evidence("SRP", "EQUIVOCAL", "quant", "discordant"), ABSENT, "NUCLEAR", "HIGH")
    moved = (antibody("SRP", "POS_STRONG", "quant"), antibody("SRP", "NEG", "quant", "OLD", DAY - timedelta(days=90)))
    trend = Trend(change=Change.BECAME_POSITIVE, results=moved, titre=Titre.RISING, titre_results=moved)
    everything = msgspec.structs.replace(
        one,
        episode=msgspec.structs.replace(
            disputed,
            srp=msgspec.structs.replace(disputed.srp, trend=trend),
            course=CkCourse(latest=ck(3), previous=ck(1, "CK-0")),
            other_positive=(other("JO1", "POS_LOW"),),
            raised=(INVALID, CORRECTED),
        ),
        history=history(posted=(posted("S@1"),)),
    )
    named = words(everything, "SRP")
    assert {name for name in SLOTS if not named[name]} <= set(MAY_BE_EMPTY)


@pytest.mark.parametrize("name", ["wish", "Antibodi", "retest_any"])
def test_what_no_text_may_name(knowledge: Knowledge, name: str) -> None:
    with pytest.raises(KeyError):
        words(a_case(knowledge), "SRP")[name]


def test_what_no_text_may_ask(knowledge: Knowledge) -> None:
    with pytest.raises(KeyError):
        asked(a_case(knowledge), "SRP")["wish"]


def test_the_flag_of_concordance_is_what_a_text_calls_support(knowledge: Knowledge) -> None:
    for flags, supported in (((), False), (("MSA_POS_CONCORDANT",), True)):
        assert asked(a_case(knowledge, flags=flags), "SRP")["subject_supported"] is supported
