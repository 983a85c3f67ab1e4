"""A titre and a word of result inside a sentence (field-quirks 3.1, 3.2), read together or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panels import codes_of, knowledge, local, obx, one, read

from labbridge.knowledge.terminology import Words
from labbridge.model.result import Problem
from labbridge.model.values import Comparator, Grade, SentCoding, Titre
from labbridge.normalise import sentences

WORDS = knowledge().terminology.words


def titre(reciprocal: int, comparator: str = "=") -> Titre:
    return Titre(Decimal(reciprocal), Comparator(comparator))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fluorescence, titre 1/320", titre(320)),
        ("See note: POSITIVE 1:640", titre(640)),
        ("Negative≦1:80X(-)", titre(80, "<=")),
        ("1:80 dil", titre(80)),
        ("titre > 1:1280.", titre(1280, ">")),
        ("titre above 1:1280", titre(1280, ">")),
        ("Titre greater than 1:1280", titre(1280, ">")),
        ("below 1:80, not repeated", titre(80, "<")),
        ("抗核抗体 1:80未満", None),
        ("1:640以上 homogeneous", None),
        ("=> 1:640", titre(640, ">=")),
        ("1:320 cytoplasmic, 1:320 again", titre(320)),
        ("1:80 speckled; 1:320 cytoplasmic", None),
        ("1:80 speckled; <1:80 cytoplasmic", None),
        ("less than or equal to 1:80", None),
        ("<> 1:80", None),
        ("above <1:80", None),
        ("1:0 cytoplasmic", None),
        ("no titre here", None),
        ("at 11:320 h", None),
        ("2021:1:80", None),
        ("1:80:00", None),
        ("1:12345678", None),
        ("1:802.8.2", None),
        ("1:80,5", None),
        ("1:80, not repeated", titre(80)),
        ("0.1:80", None),
        ("1：320", None),
        ("１:320", None),
        ("", None),
    ],
)
def test_the_one_titre_of_a_sentence(text: str, expected: Titre | None) -> None:
    assert sentences.titre(text, WORDS) == expected


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("See note: POSITIVE 1:640", Grade.POSITIVE),
        ("Weakly positive, 1:80", Grade.POS_LOW),
        ("schwach positiv 1:160", Grade.POS_LOW),
        ("Negative≦1:80X(-)", Grade.NEG),
        ("<1:40 (-)", Grade.NEG),
        ("not detected, <1:40", Grade.NEG),
        ("1:640 (+)", Grade.EQUIVOCAL),
        ("not positive, <1:40", None),
        ("1:640", None),
        ("see report 1:640", None),
        ("positive or weakly positive 1:640", None),
    ],
)
def test_the_one_word_of_a_sentence(text: str, grade: Grade | None) -> None:
    found = sentences.read(text, WORDS)
    assert (found.grade, found.contradicts) == (grade, False)


@pytest.mark.parametrize(
    "text",
    ["Negative at 1:80", "NEGATIVE >1:640", "positive, negative <1:40", "1:640 (-)", "not detected 1:80", "1:80 neg"],
)
def test_a_sentence_that_says_negative_and_names_a_titre_that_was_reached_contradicts_itself(text: str) -> None:
    found = sentences.read(text, WORDS)
    assert found.contradicts
    assert found.titre is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nuclear speckled 1:320; cytoplasm: negative", titre(320)),
        ("nuclear positive 1:640, cytoplasm negative", titre(640)),
        ("AC-4, 1:160, cytoplasm neg", titre(160)),
    ],
)
def test_a_negative_beside_a_described_pattern_is_of_another_part_of_the_cell(text: str, expected: Titre) -> None:
    found = sentences.read(text, WORDS)
    assert (found.titre, found.contradicts) == (expected, False)
    for code in ("ANAS", "ANAP"):
        result = one(obx(local(code), text))
        assert result.hep2 is not None
        assert (result.hep2.pattern.value, result.value, result.problems) == ("NUCLEAR", expected, ())


@pytest.mark.parametrize(
    "text", ["nuclear positive, cytoplasm negative", "positive, then negative", "Negative. See note."]
)
def test_without_a_titre_a_sentence_states_nothing_here(text: str) -> None:
    assert sentences.read(text, WORDS) == sentences.Sentence()


def test_words_and_comparators_of_sentences_are_rows() -> None:
    bare = sentences.read("Weakly positive, above 1:80", Words())
    assert (bare.titre, bare.grade) == (titre(80), None)


@given(st.text(max_size=20))
def test_any_text_gives_a_whole_titre_above_zero_or_none(text: str) -> None:
    found = sentences.read(text, WORDS)
    assert found.titre is None or (found.titre.reciprocal > 0 and found.titre.reciprocal % 1 == 0)


# ---------------------------------------------------------------- in results


@pytest.mark.parametrize(
    ("value", "expected", "pattern"),
    [
        ("Negative≦1:80X(-)", titre(80, "<="), "NEG"),
        ("See note: POSITIVE 1:640", titre(640), "UNSPECIFIED"),
        ("1:80 dil", titre(80), "UNSPECIFIED"),
        ("<1:80 (neg)", titre(80, "<"), "NEG"),
    ],
)
@pytest.mark.parametrize("code", ["ANAS", "ANAT"])
def test_sentences_in_hep2_lines(code: str, value: str, expected: Titre, pattern: str) -> None:
    found = one(obx(local(code), value))
    assert found.hep2 is not None
    assert (found.value, found.hep2.pattern.value, found.problems) == (expected, pattern, ())
    assert found.value_text == value


@pytest.mark.parametrize("code", ["ANAS", "ANAT"])
def test_a_contradiction_in_a_hep2_line_holds(code: str) -> None:
    found, notes = read(obx(local(code), "Negative at 1:80"))
    assert Problem.VALUE_AMBIGUOUS in found.results[0].problems
    assert "N214" in codes_of(notes)


def test_a_sentence_is_no_value_of_an_antibody_on_a_blot() -> None:
    assert one(obx(local("SRPB"), "See note: POSITIVE 1:640")).problems == (Problem.VALUE_UNREADABLE,)


def test_the_original_text_of_a_coded_value_is_read_as_a_sentence() -> None:
    found = one(obx(local("ANAT"), SentCoding((), "titre greater than 1:1280")))
    assert found.value == titre(1280, ">")


def test_the_dilution_that_a_laboratory_screens_at_is_no_titre() -> None:
    """A note that describes no pattern names no result: without a pattern and a titre nothing is low (C10.20)."""
    noted = obx(local("ANAP"), "AC-19", notes=("All samples are screened at 1:80.",))
    assert not isinstance(one(noted).value, Titre)


def test_the_titre_in_a_note_that_describes_the_pattern_counts() -> None:
    noted = obx(local("ANAS"), "Positive", notes=("Cytoplasmic, fine speckled, 1:640",))
    assert one(noted).value == titre(640)
