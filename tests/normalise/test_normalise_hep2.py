"""HEp-2 patterns in the languages whose words are verified, and what a negative says of the cytoplasm (E40)."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from panels import FEED, codes_of, knowledge, local, obx, one, read

from labbridge.model.report import Observation
from labbridge.model.result import Hep2Class, Hep2Finding, Problem, Result
from labbridge.model.values import Coding, Comparator, Titre
from labbridge.model.work import Feed
from labbridge.normalise import hep2
from labbridge.normalise.hep2 import PatternText, Screen

WORDS = knowledge().terminology.words
CYTOPLASM = (Coding("55171-3", "Cytoplasmic Ab pattern", "LN"),)
CYTOPLASM_TITRE = (Coding("55170-5", "Cytoplasmic Ab titer", "LN"),)
HOMOGENEOUS_TITRE = (Coding("53983-3", "Homogenous nuclear Ab pattern titer", "LN"),)
SPECKLED_TITRE = (Coding("53002-2", "Fine speckled nuclear Ab pattern titer", "LN"),)


def slide(*lines: tuple[str | tuple[Coding, ...], str], feed: Feed = FEED) -> Result:
    """The result of an order of these lines: the code of the demo laboratory, or codings, with the value."""
    return one(*placed(*lines), feed=feed)


def placed(*lines: tuple[str | tuple[Coding, ...], str]) -> list[Observation]:
    return [
        obx(local(code) if isinstance(code, str) else code, value, at=f"OBX[{number}]")
        for number, (code, value) in enumerate(lines, 1)
    ]


def finding(result: Result) -> Hep2Finding:
    assert result.hep2 is not None
    return result.hep2


# ---------------------------------------------------------------- words of patterns


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("cytoplasmic dense fine speckled", Hep2Class.CYTO_COMPAT),
        ("Cytoplasm: fine granular", Hep2Class.CYTO_COMPAT),
        ("cytoplasmique finement granuleuse", Hep2Class.CYTO_COMPAT),
        ("Fluorescence cytoplasmique diffuse", Hep2Class.CYTO_COMPAT),
        ("zytoplasmatisch dicht fein gesprenkelt (AC-19)", Hep2Class.CYTO_COMPAT),
        ("zytoplasmatisch fein gesprenkelt", Hep2Class.CYTO_COMPAT),
        ("cytoplasmic, mitochondrial", Hep2Class.CYTO_OTHER),
        ("cytoplasmic fibrillar", Hep2Class.CYTO_OTHER),
        ("Golgi, cytoplasmic dense", Hep2Class.CYTO_OTHER),
        ("zytoplasmatisch", Hep2Class.CYTO_OTHER),
        ("Nuclear, Speckled", Hep2Class.NUCLEAR),
        ("aspect moucheté", Hep2Class.NUCLEAR),
        ("centromere", Hep2Class.NUCLEAR),
        ("pattern omogeneo", Hep2Class.NUCLEAR),
        ("Omogeneo", Hep2Class.NUCLEAR),
        ("nucleolare", Hep2Class.NUCLEAR),
        ("membrana nucleare", Hep2Class.NUCLEAR),
        ("pattern granulare 1:160", Hep2Class.NUCLEAR),
        ("omogeneo, nucleolare", Hep2Class.NUCLEAR),
    ],
)
def test_the_pattern_of_a_text(text: str, pattern: Hep2Class) -> None:
    result = slide(("ANAS", "Positive"), ("ANAP", text))
    assert (finding(result).pattern, result.problems) == (pattern, ())


@pytest.mark.parametrize(
    "text",
    [
        "omogeneo e citoplasmatico",
        "citoplasmatico granulare fine denso",
        "citoplasmático pontilhado fino denso",
        "moteado fino denso",
        "nukleär homogen",
        "homogen, Zentromer",
        "細胞質",
        "xyz",
    ],
)
def test_a_pattern_in_words_that_no_row_names_holds(text: str) -> None:
    """Recalled words do not ship: a text of them is neither nuclear nor without cytoplasm, and a person reads it."""
    found, notes = read(*placed(("ANAS", "Positive"), ("ANAP", text)))
    (result,) = found.results
    assert result.problems == (Problem.VALUE_UNREADABLE,)
    assert "N217" in codes_of(notes)
    assert finding(result).pattern is Hep2Class.UNSPECIFIED


@pytest.mark.parametrize("text", ["none", "No pattern", "not applicable", "absent", "Negative", "no nuclear staining"])
def test_a_pattern_line_that_denies_is_understood(text: str) -> None:
    result = slide(("ANAS", "Negative"), ("ANAP", text))
    assert (finding(result).pattern, result.problems) == (Hep2Class.NEG, ())


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("Nuclear homogeneous, no cytoplasmic staining", Hep2Class.NUCLEAR),
        ("no nuclear staining; cytoplasmic fine speckled", Hep2Class.CYTO_COMPAT),
        ("no cytoplasmic but nuclear speckled", Hep2Class.NUCLEAR),
    ],
)
def test_what_is_denied_is_no_pattern(text: str, pattern: Hep2Class) -> None:
    assert finding(slide(("ANAS", "Positive"), ("ANAP", text))).pattern is pattern


@pytest.mark.parametrize(
    "text",
    [
        "no nuclear or cytoplasmic staining",
        "No nuclear and cytoplasmic fluorescence",
        "negative for nuclear or cytoplasmic antibodies",
        "pas de fluorescence cytoplasmique ou nuclear",
        "neither nuclear nor cytoplasmic",
        "nuclear and cytoplasmic: negative",
    ],
)
def test_a_denial_of_both_is_a_denial_of_both(text: str) -> None:
    found = finding(slide(("ANAS", "Negative"), ("ANAP", text)))
    assert (found.pattern, found.cytoplasm_stated) == (Hep2Class.NEG, True)


# ---------------------------------------------------------------- lines whose code names the pattern


@pytest.mark.parametrize(
    ("text", "pattern", "stated"),
    [
        ("Speckled", Hep2Class.CYTO_OTHER, False),
        ("Fine speckled", Hep2Class.CYTO_COMPAT, True),
        ("Mitochondrial", Hep2Class.CYTO_OTHER, True),
        ("AC-20", Hep2Class.CYTO_COMPAT, True),
        ("Positive", Hep2Class.CYTO_OTHER, False),
    ],
)
def test_a_text_under_a_cytoplasmic_code(text: str, pattern: Hep2Class, stated: bool) -> None:
    found = finding(slide(("ANAS", "Negative"), (CYTOPLASM, text)))
    assert (found.pattern, found.pattern_stated) == (pattern, stated)


@pytest.mark.parametrize("text", ["Negative", "None seen", "not observed", "absent", "no cytoplasmic staining"])
def test_a_cytoplasmic_line_that_denies_is_no_cytoplasm(text: str) -> None:
    result = slide(("ANAS", "Negative"), (CYTOPLASM, text))
    found = finding(result)
    assert (found.pattern, found.cytoplasm_stated, result.problems) == (Hep2Class.NEG, True, ())


def test_a_cytoplasmic_line_that_cannot_be_read_holds() -> None:
    found, notes = read(*placed(("ANAS", "Negative"), (CYTOPLASM, "ver comentario")))
    assert found.results[0].problems == (Problem.VALUE_UNREADABLE,)
    assert "N217" in codes_of(notes)


@pytest.mark.parametrize(
    ("value", "pattern", "titre"),
    [
        ("1:320", Hep2Class.CYTO_OTHER, Titre(Decimal(320))),
        ("320", Hep2Class.CYTO_OTHER, Titre(Decimal(320))),
        ("<1:80", Hep2Class.NEG, None),
        ("Negative", Hep2Class.NEG, None),
    ],
)
def test_a_cytoplasmic_titre(value: str, pattern: Hep2Class, titre: Titre | None) -> None:
    result = slide(("ANAS", "Negative"), (CYTOPLASM_TITRE, value))
    assert finding(result).pattern is pattern
    assert finding(result).cytoplasm_stated
    assert result.value == titre or (titre is None and not isinstance(result.value, Titre))


@pytest.mark.parametrize(
    ("value", "pattern"), [("320", Hep2Class.NUCLEAR), ("1:320", Hep2Class.NUCLEAR), ("<1:80", Hep2Class.NEG)]
)
def test_the_titre_of_a_nuclear_pattern(value: str, pattern: Hep2Class) -> None:
    result = slide((HOMOGENEOUS_TITRE, value))
    assert (finding(result).pattern, result.problems) == (pattern, ())


def test_of_several_patterns_the_one_that_was_reached_counts() -> None:
    for lines in (
        ((HOMOGENEOUS_TITRE, "<1:80"), (SPECKLED_TITRE, "1:80")),
        ((SPECKLED_TITRE, "1:80"), (HOMOGENEOUS_TITRE, "<1:80")),
    ):
        result = slide(*lines)
        assert (finding(result).pattern, result.value) == (Hep2Class.NUCLEAR, Titre(Decimal(80)))


def test_where_none_was_reached_the_highest_screening_dilution_stands() -> None:
    result = slide((HOMOGENEOUS_TITRE, "<1:80"), (SPECKLED_TITRE, "<1:160"))
    assert (finding(result).pattern, result.value) == (Hep2Class.NEG, Titre(Decimal(160), Comparator.LESS))


# ---------------------------------------------------------------- what a negative says of the cytoplasm

ANSWERS = ("positive", "negative", "negative_with_comment", "unknown")


def reporting(answer: str) -> Feed:
    return msgspec.structs.replace(FEED, cytoplasmic_reported_as=answer)


@pytest.mark.parametrize(
    ("answer", "stated"), [("positive", True), ("negative_with_comment", True), ("negative", False), ("unknown", False)]
)
def test_a_bare_negative_means_what_the_feed_says_it_means(answer: str, stated: bool) -> None:
    found, notes = read(*placed(("ANAS", "Negative"), ("ANAT", "<1:80")), feed=reporting(answer))
    assert finding(found.results[0]).pattern is Hep2Class.NEG
    assert finding(found.results[0]).cytoplasm_stated is stated
    assert ("N218" in codes_of(notes)) is not stated


def test_nobody_knows_unless_the_feed_is_configured() -> None:
    assert Feed(name="x").cytoplasmic_reported_as == "unknown"
    assert not finding(slide(("ANAS", "Negative"))).cytoplasm_stated


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(
    "lines",
    [
        (("ANAS", "Negative"), ("ANAP", "no cytoplasmic staining")),
        (("ANAS", "Negative"), ("ANAP", "AC-0")),
        (("ANAS", "Negative"), (CYTOPLASM, "Negative")),
        (("ANAS", "Negative"), (CYTOPLASM_TITRE, "<1:40")),
        (("ANAS", "Negative"), ("ANAP", "cytoplasme: négatif")),
    ],
)
def test_a_report_that_speaks_of_the_cytoplasm_needs_no_feed(
    answer: str, lines: tuple[tuple[str | tuple[Coding, ...], str], ...]
) -> None:
    found = finding(slide(*lines, feed=reporting(answer)))
    assert (found.pattern, found.cytoplasm_stated) == (Hep2Class.NEG, True)


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_comment_on_the_cytoplasm_outranks_the_negative_of_every_feed(answer: str) -> None:
    line = obx(local("ANAS"), "Negative", notes=("Cytoplasmic fluorescence, fine speckled (AC-20), 1:320.",))
    assert finding(one(line, feed=reporting(answer))).pattern is Hep2Class.CYTO_COMPAT


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("pattern", ["AC-19", "AC-1", "AC-21", "cytoplasmic"])
def test_a_pattern_is_the_same_of_every_feed(answer: str, pattern: str) -> None:
    found = finding(slide(("ANAS", "Positive"), ("ANAP", pattern), feed=reporting(answer)))
    assert found == finding(slide(("ANAS", "Positive"), ("ANAP", pattern)))
    assert found.cytoplasm_stated


# ---------------------------------------------------------------- the finding alone


def test_nothing_is_no_finding() -> None:
    assert hep2.finding((), Screen(), WORDS) is None
    assert hep2.finding((PatternText("xyz"),), Screen(), WORDS) is None


def test_codes_are_written_as_icap_writes_them() -> None:
    assert hep2.codes_in([PatternText("AC 4 and ac-19"), PatternText("AC-04")]) == ("AC-4", "AC-19")


@pytest.mark.parametrize(
    ("text", "understood"),
    [("AC-19", True), ("AC-77", False), ("speckled", True), ("none", True), ("ver", False), ("", False)],
)
def test_what_is_understood(text: str, understood: bool) -> None:
    assert hep2.understood(PatternText(text), WORDS) is understood
