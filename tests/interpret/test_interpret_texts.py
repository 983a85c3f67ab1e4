"""Every comment text over every combination obeys the house style (clinical.md D2) and says only what is so (C10.8)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product

import pytest
from interpret_build import antibody, ck, episode, evidence, hep2, history, site, stated
from interpret_written import Written, write

from labbridge.interpret import Interpreter
from labbridge.interpret.evidence import AntibodyEvidence
from labbridge.interpret.rules import RuleSet
from labbridge.knowledge.build import Knowledge
from labbridge.model.outcome import Comment, Priority
from labbridge.model.result import ContextKind

_SENTENCE_END = re.compile(r"[.!?](?: |$)")
# D2.3, D2.4, D2.5, D2.8, D2.12 and P12: what no comment may say, whatever its facts.
NEVER = (
    "diagnostic of", "confirms the diagnosis", "proves", "rules out", "ruled out", "normal", "emergency", "definite",
    "dose", " mg", "%", "prognosis", "survival", "start ", "stop ", "escalate", "rituximab", "steroid", "probability",
)  # fmt: skip


def sentences(text: str) -> int:
    return len(_SENTENCE_END.findall(text))


def texts(comment: Comment) -> tuple[str, ...]:
    return (comment.text, *comment.addenda)


def shown(faults: Iterable[str]) -> list[str]:
    return sorted(set(faults))[:400]


def test_every_text_keeps_its_length(written: list[Written]) -> None:
    assert shown(one.comment.text for one in written if len(one.comment.text) > 500) == []
    assert shown(text for one in written for text in one.comment.addenda if len(text) > 200) == []


def test_every_text_has_one_to_three_sentences(written: list[Written]) -> None:
    assert shown(one.comment.text for one in written if not 1 <= sentences(one.comment.text) <= 3) == []


def test_every_addendum_is_one_sentence_and_there_are_at_most_two(written: list[Written]) -> None:
    assert shown(t for one in written for t in one.comment.addenda if sentences(t) != 1) == []
    assert all(len(one.comment.addenda) <= 2 for one in written)


def test_no_slot_is_left_open_and_no_word_is_missing(written: list[Written]) -> None:
    odd = re.compile(r"[{}]|  | [,.;]|\( ?\)|\bNone\b|\.\.|;\.|^[a-z]|_")
    assert shown(text for one in written for text in texts(one.comment) if odd.search(text)) == []


@pytest.mark.parametrize("word", NEVER)
def test_no_text_says_what_none_may_say(written: list[Written], word: str) -> None:
    assert shown(text for one in written for text in texts(one.comment) if word in text.casefold()) == []


def test_a_false_positive_is_only_ever_a_possibility(written: list[Written]) -> None:
    found = [text for one in written for text in texts(one.comment) if "false positive" in text]
    assert found
    assert shown(text for text in found if "may represent a false positive" not in text) == []


def test_the_forbidden_words_of_the_style_are_found_in_no_text(written: list[Written], knowledge: Knowledge) -> None:
    forbidden = knowledge.decisions.style.forbidden
    assert forbidden
    assert shown(t for one in written for t in texts(one.comment) for word in forbidden if word in t.casefold()) == []


# ---------------------------------------------------------------- P11: children, and unknown ages


def test_p11_no_malignancy_and_no_statin_sentence_under_18_or_without_an_age(written: list[Written]) -> None:
    young = [one for one in written if one.episode.age_years != 48]
    assert young
    for word in ("malignan", "cancer", "statin"):
        assert shown(text for one in young for text in texts(one.comment) if word in text.casefold()) == []


def test_the_malignancy_sentence_stands_in_c06_only_and_the_statin_sentence_in_c02_only(written: list[Written]) -> None:
    classes = {
        word: {one.comment.comment_class for one in written if word in one.comment.text.casefold()}
        for word in ("malignancy", "statin", "biopsy")
    }
    assert classes == {"malignancy": {"C06"}, "statin": {"C02"}, "biopsy": {"C06"}}


def test_a_child_gets_paediatric_advice_in_place_of_the_biopsy(written: list[Written]) -> None:
    children = [one for one in written if one.episode.age_years == 9 and one.comment.comment_class == "C06"]
    serious = [one.comment.text for one in children if one.episode.ck.band.value == "HIGH"]
    assert serious
    assert all("biopsy" not in one.comment.text for one in children)
    assert all("specialist paediatric advice, including genetic causes" in text for text in serious)


# ---------------------------------------------------------------- C10.8: texts are built from facts


def raised_words(text: str) -> str:
    return "HIGH" if "markedly raised" in text else "raised" if "raised CK" in text or "CK raised" in text else ""


def test_ck_is_called_raised_only_where_it_is(written: list[Written]) -> None:
    allowed = {"": ("NORMAL", "MILD", "MOD", "HIGH", "UNKNOWN"), "raised": ("MILD", "MOD"), "HIGH": ("HIGH",)}
    wrong = [
        f"{one.episode.ck.band}: {one.comment.text}"
        for one in written
        if one.episode.ck.band.value not in allowed[raised_words(one.comment.text)]
    ]
    assert shown(wrong) == []


def test_ck_is_not_available_only_where_it_is_unknown(written: list[Written]) -> None:
    said = [one for one in written if "not available" in one.comment.text]
    assert said
    assert shown(one.comment.text for one in said if one.episode.ck.band.value != "UNKNOWN") == []


def test_not_tested_is_said_only_without_a_result_and_without_an_order(written: list[Written]) -> None:
    said = re.compile(r"(Anti-HMGCR|anti-HMGCR|Anti-SRP|anti-SRP) (?:has not been tested|was not part of this test)")
    wrong = []
    for one in written:
        for name in said.findall(one.comment.text):
            found = one.episode.srp if name.casefold() == "anti-srp" else one.episode.hmgcr
            if found.state.value != "NOT_TESTED" or found.pending:
                wrong.append(one.comment.text)
    assert shown(wrong) == []


def test_in_progress_is_said_only_of_what_is_pending(written: list[Written]) -> None:
    said = [one for one in written if "in progress" in one.comment.text]
    assert said
    for one in said:
        assert one.episode.srp.pending or one.episode.hmgcr.pending, one.comment.text


def test_a_test_is_suggested_only_where_the_list_holds_one(written: list[Written]) -> None:
    """C10's repeat CK, C04's new sample and C06's repeat CK are advice beside the list (C10.8)."""
    advice = re.compile(
        r"(?:a|A) (?:repeat CK|new sample)[^.;]*suggested[^.;]*|and a new sample in 4-6 weeks[^.;]*"
        r"|(?:A repeat CK in 4 weeks and clinical correlation|a repeat CK in 4 weeks and clinical correlation) are suggested"
    )
    wrong = [
        one.comment.text
        for one in written
        if not one.verdict.retests and "suggested" in advice.sub("", one.comment.text)
    ]
    assert shown(wrong) == []


_NAMED = {
    "SRP": r"SRP|different method|further method|Both are|both|immunoprecipitation|confirmation",
    "HMGCR": r"HMGCR|different method|Both are|both|immunoprecipitation|confirmation",
    "ANA_HEP2": r"HEp-2",
    "CK": r"CK",
    "OTHER_MSA": r"other myositis|panel|antibodies are",
}
_ASKED = re.compile(r"suggested|to be checked")


def asking(text: str) -> str:
    """The parts of a text that ask for something."""
    return " ".join(part for part in re.split(r"(?<=[.;:]) ", text) if _ASKED.search(part))


def test_every_urgent_retest_is_named(written: list[Written]) -> None:
    wrong = [
        f"{one.comment.comment_class} {retest.analyte}: {one.comment.text}"
        for one in written
        for retest in one.verdict.retests
        if retest.priority is Priority.URGENT and not re.search(_NAMED[retest.analyte], asking(one.comment.text))
    ]
    assert shown(wrong) == []


def test_an_urgent_text_says_so(written: list[Written]) -> None:
    wrong = [
        f"{one.comment.comment_class}: {one.comment.text}"
        for one in written
        if any(retest.priority is Priority.URGENT for retest in one.verdict.retests)
        and "without delay" not in one.comment.text
    ]
    assert shown(wrong) == []


def test_without_delay_is_said_only_of_an_urgent_retest(written: list[Written]) -> None:
    wrong = [
        one.comment.text
        for one in written
        if "without delay" in one.comment.text
        and not any(retest.priority is Priority.URGENT for retest in one.verdict.retests)
    ]
    assert shown(wrong) == []


def test_a_confirmed_antibody_is_never_to_be_checked_again(written: list[Written]) -> None:
    wrong = []
    for one in written:
        if one.episode.srp.confirmed and one.episode.hmgcr.confirmed and "checked" in one.comment.text:
            wrong.append(one.comment.text)
        if one.comment.comment_class in ("C01", "C02", "C10"):
            its = _about(one)
            if its.confirmed and "onfirmation by" in asking(one.comment.text) and not _other_checked(one, its):
                wrong.append(one.comment.text)
    assert shown(wrong) == []


def _about(one: Written) -> AntibodyEvidence:
    return one.episode.srp if one.episode.srp.state.positive else one.episode.hmgcr


def _other_checked(one: Written, its: AntibodyEvidence) -> bool:
    other = one.episode.hmgcr if its is one.episode.srp else one.episode.srp
    return any(retest.analyte == other.analyte.value for retest in one.verdict.retests)


def test_an_antibody_with_a_result_is_not_called_untested(written: list[Written]) -> None:
    """`anti-X testing` asks for a first test: an equivocal antibody is to be checked by another method instead."""
    wrong = []
    for one in written:
        for name in re.findall(r"[Aa]nti-(SRP|HMGCR) testing", one.comment.text):
            found = one.episode.srp if name == "SRP" else one.episode.hmgcr
            if found.state.value != "NOT_TESTED":
                wrong.append(f"{one.comment.comment_class}: {one.comment.text}")
    assert shown(wrong) == []


def test_strongly_positive_is_said_only_of_a_strong_one(written: list[Written]) -> None:
    wrong = []
    for one in written:
        for name in re.findall(r"[Aa]nti-(SRP|HMGCR) strongly positive", one.comment.text):
            found = one.episode.srp if name == "SRP" else one.episode.hmgcr
            if found.state.value != "POS_STRONG":
                wrong.append(one.comment.text)
    assert shown(wrong) == []


def test_hep2_is_named_where_it_was_not_done_and_is_suggested(written: list[Written]) -> None:
    """C11.27: C01 without HEp-2 says that HEp-2 immunofluorescence is suggested."""
    wrong = [
        one.comment.text
        for one in written
        if one.comment.comment_class == "C01"
        and any(retest.analyte == "ANA_HEP2" for retest in one.verdict.retests)
        and sum(retest.priority is Priority.URGENT for retest in one.verdict.retests) == 0
        and len(one.verdict.retests) <= 2
        and "HEp-2 immunofluorescence" not in asking(one.comment.text)
    ]
    assert shown(wrong) == []


def test_nothing_speaks_of_hep2_that_was_not_done(written: list[Written]) -> None:
    """C02 leaves its HEp-2 sentence out where HEp-2 was not done (C11.19)."""
    said = re.compile(r"fluorescence on HEp-2|HEp-2 immunofluorescence (?:is negative|negative|may be)|HEp-2 shows")
    wrong = [
        one.comment.text
        for one in written
        if one.episode.hep2.state.value == "NOT_TESTED" and said.search(one.comment.text)
    ]
    assert shown(wrong) == []


@pytest.mark.parametrize(("srp", "hmgcr"), list(product(("POS_STRONG", "POS_LOW"), ("EQUIVOCAL", "NEG", "NOT_TESTED"))))
def test_the_text_is_of_the_positive_antibody(rules: RuleSet, knowledge: Knowledge, srp: str, hmgcr: str) -> None:
    found = episode(evidence("SRP", srp, "blot"), evidence("HMGCR", hmgcr, "quant"), "NEG", "MILD")
    one = write(found, rules, knowledge)
    assert one is not None
    assert one.comment.text.startswith("Anti-SRP ")


# ---------------------------------------------------------------- what the site has chosen


@pytest.mark.parametrize(
    ("language", "not_seen", "not_tested"),
    [
        ("en", "was not seen by this service", "was not part of this test"),
        ("fr", "n'ont pas été vus par ce service", "ne font pas partie de cet examen"),
        ("de", "liegt diesem Dienst nicht vor", "war nicht Teil dieser Untersuchung"),
        ("es", "no constan en este servicio", "no formaban parte de este estudio"),
    ],
)
def test_a_partner_that_is_tested_elsewhere_is_not_said_to_be_untested(
    knowledge: Knowledge, language: str, not_seen: str, not_tested: str
) -> None:
    """C10.16: C05, C01 and C22, each in every language."""
    elsewhere = Interpreter(site(knowledge, "partner_elsewhere", "yes"))
    one = history(antibody("SRP", "NEG"), ck(2), language=language)
    here, there = (interpreter(one).comment for interpreter in (Interpreter(knowledge), elsewhere))
    assert here is not None
    assert there is not None
    assert (here.comment_class, there.comment_class) == ("C05", "C05")
    assert not_tested in here.text
    assert not_seen in there.text
    assert not_tested not in there.text
    strong = history(antibody("SRP", "POS_STRONG"), hep2("CYTO_COMPAT"), ck(20), language=language)
    alone = history(ck(20), language=language, context=(stated(ContextKind.SUSPECT_IIM, "Y"),))
    for given, name in ((strong, "C01"), (alone, "C22")):
        said = elsewhere(given).comment
        assert said is not None
        assert said.comment_class == name
        assert not_seen.split()[-1] in said.text
