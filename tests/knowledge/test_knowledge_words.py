"""Words that ship are those a source states: nothing that codes.md marks RECALLED or UNSURE, in no language."""

from __future__ import annotations

import csv
import io

import pytest

from labbridge.knowledge.words import fold, plain
from labbridge.model.result import Hep2Class
from labbridge.model.values import Comparator, Grade
from labbridge.sources import load, shipped

WORDS = load().terminology.words

RECALLED = {  # codes.md 4.1, 4.5: marked RECALLED or not given, and not stated by clinical.md (centromère is AC-3's name)
    "de": "homogen; gesprenkelt; feingranulär; nukleolär; Zentromer; positiv",
    "fr": "mouchete fin dense; homogène; nucléolaire; recherche négative; positif fort",
    "it": "citoplasmatico",
    "es": "moteado fino denso; granular fino denso; homogéneo; moteado; indeterminado; débil positivo; positivo; negativo",
    "pt": "pontilhado fino denso; nuclear pontilhado fino; reagente; positivo; negativo",
    "en": "reticular; AMA; centrosome; centriole; spindle fibers; NuMA; chromosome coat",
    "fi": "positiivinen; negatiivinen",
    "ja": "陽性; 弱陽性; 判定保留",
    "zh": "陽性; 阳性; 阴性",
}


def rows(name: str) -> list[dict[str, str]]:
    text = (shipped() / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return list(csv.DictReader(io.StringIO("\n".join(lines))))


def shipped_words() -> set[str]:
    """Every word of results and patterns that ships, folded, the stems without their star."""
    named = [row["value"] for name in ("qualifiers.csv", "hep2-patterns.csv", "comparators.csv") for row in rows(name)]
    return {plain(word.rstrip("*")) for word in named}


@pytest.mark.parametrize(("language", "words"), RECALLED.items())
def test_no_recalled_word_ships(language: str, words: str) -> None:
    assert {word for word in words.split("; ") if plain(word) in shipped_words()} == set(), language


@pytest.mark.parametrize(
    ("word", "grade"),
    [
        ("Negative", Grade.NEG),
        ("Négatif", Grade.NEG),
        ("négative", Grade.NEG),
        ("negativ", Grade.NEG),
        ("nicht nachweisbar", Grade.NEG),
        ("non détecté", Grade.NEG),
        ("não reagente", Grade.NEG),
        ("NAO REAGENTE", Grade.NEG),
        ("陰性", Grade.NEG),
        ("grenzwertig", Grade.EQUIVOCAL),
        ("douteux", Grade.EQUIVOCAL),
        ("indéterminé", Grade.EQUIVOCAL),
        ("schwach positiv", Grade.POS_LOW),
        ("debole positivo", Grade.POS_LOW),
        ("positif faible", Grade.POS_LOW),
        ("faiblement positif", Grade.POS_LOW),
        ("fort positif", Grade.POS_STRONG),
        ("fortement positif", Grade.POS_STRONG),
        ("positif", Grade.POSITIVE),
    ],
)
def test_the_verified_words_of_results(word: str, grade: Grade) -> None:
    assert WORDS.grades[plain(word)] is grade


@pytest.mark.parametrize(
    ("kind", "phrase"),
    [
        ("cytoplasm", "zytoplasmatisch"),
        ("cytoplasm", "cytoplasmique"),
        ("cytoplasm", "cytoplasmic"),
        ("compatible", "dicht fein gesprenkelt"),
        ("compatible", "fein gesprenkelt"),
        ("compatible", "finement granuleuse"),
        ("alone", "omogeneo"),
        ("alone", "membrana nucleare"),
        ("nuclear", "moucheté"),
    ],
)
def test_the_verified_words_of_patterns(kind: str, phrase: str) -> None:
    assert any(word in fold(phrase) for word in WORDS.hep2_words[kind])


def test_a_language_with_nuclear_words_has_a_word_for_the_cytoplasm() -> None:
    """Else a text that names both would be read as nuclear alone; such words are `alone` rows."""
    languages: dict[str, set[str]] = {}
    for row in rows("hep2-patterns.csv"):
        languages.setdefault(row["kind"], set()).update(row["language"].split())
    assert languages["nuclear"] - {"any"} <= languages["cytoplasm"]
    assert languages["alone"] & languages["cytoplasm"] == set()


@pytest.mark.parametrize(
    "name", ["qualifiers.csv", "hep2-patterns.csv", "comparators.csv", "phrases.csv", "statuses.csv", "specimens.csv"]
)
def test_every_row_names_its_source(name: str) -> None:
    found = rows(name)
    assert found
    assert [
        row
        for row in found
        if not row["source"].startswith(("clinical.md", "codes.md", "field-quirks", "standards.md", "contract.md"))
    ] == []


def test_every_ac_code_of_icap_has_a_class() -> None:
    assert set(WORDS.hep2_codes) == {f"AC-{number}" for number in range(32)}
    assert WORDS.hep2_codes["AC-0"] is Hep2Class.NEG
    compatible = {code for code, its in WORDS.hep2_codes.items() if its is Hep2Class.CYTO_COMPAT}
    assert compatible == {"AC-19", "AC-20"}


# ---------------------------------------------------------------- flags that say neither


def test_known_flags_that_say_neither_positive_nor_negative_are_listed() -> None:
    assert frozenset("HU L LL LU U D B W EXP UNE IE".split()) == WORDS.marks
    assert WORDS.marks & set(WORDS.flags) == set()
    assert WORDS.marks & set(WORDS.comparators["flag"]) == set()


# ---------------------------------------------------------------- comparators


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("prefix", {"above": ">", "below": "<", "greater than": ">", "less than": "<", "inferior a": "<"}),
        (
            "postfix_declared",
            {"超過": ">", "以上": ">=", "未満": "<", "ミマン": "<", "<": ">", ">": "<", "~": ">=", "〜": ">="},
        ),
        ("prefix_declared", {"u": ">=", "l": "<=", "↑": ">=", "↓": "<="}),
        ("flag", {">": ">", "<": "<"}),
    ],
)
def test_the_comparators_that_ship(kind: str, words: dict[str, str]) -> None:
    assert WORDS.comparators[kind] == {plain(word): Comparator(its) for word, its in words.items()}


def test_a_postfix_sign_points_the_other_way() -> None:
    """`100<` is greater than 100 (field-quirks 3.2): the sign stands after the number it is compared with."""
    assert WORDS.comparators["postfix_declared"]["<"] is Comparator.GREATER
    assert WORDS.comparators["postfix_declared"][">"] is Comparator.LESS
