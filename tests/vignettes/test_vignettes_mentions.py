"""What the comments of the vignettes must and must not mention, in every language that is shipped (clinical.md F).

`mentions.yaml` says by which words a concept is mentioned. `pytest -s` prints the concepts beside each text, for a person.
"""

from __future__ import annotations

import pytest
from vignette_mentions import Words, amiss, in_words, mentioned, quoted, table, told
from vignette_parts import Case, cases, readers

from labbridge.offline import validate_case
from labbridge.sources import shipped

NOT_TEXTS = ("phrases",)  # beside the texts: how the languages say parts of sentences
LANGUAGES = sorted(path.stem for path in (shipped() / "comments").glob("*.yaml") if path.stem not in NOT_TEXTS)


def text_of(case: Case, language: str) -> str:
    comment = validate_case(case, readers(language)).outcome.comment
    return comment.full_text if comment else ""


# ---------------------------------------------------------------- the table


def test_every_concept_has_its_row_and_every_row_its_concept() -> None:
    for kind in ("must", "must_not"):
        wanted = {concept for case in cases() for concept in told(case, kind)}
        assert table()[kind].keys() == wanted


def test_every_row_has_words_in_every_language() -> None:
    rows = [row for kind in table().values() for row in kind.values()]
    lacking = [(row["concept"], language) for row in rows for language in LANGUAGES if not row.get(language)]
    assert lacking == []


def test_what_the_vignettes_quote_is_literal() -> None:
    assert {"diagnostic of", "stop the statin", "HEp-2 negative", "anti-SRP positive"} <= quoted()
    assert not {"rituximab", "dose", "seronegative", "normal CK"} & quoted()
    literal = [(c, table()["must_not"][c]["en"]) for c in quoted()]
    assert [concept for concept, words in literal if concept not in words] == []


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        (["low positive", "weakly positive"], "Anti-SRP Low Positive (blot).", ["low positive"]),
        (["HEp-2*may be negative"], "HEp-2 IIF may be negative.", ["HEp-2*may be negative"]),
        (["HEp-2*may be negative"], "HEp-2 is positive. CK may be negative.", []),
        ([["SRP", "HMGCR"]], "Anti-SRP and anti-HMGCR", ["SRP + HMGCR"]),
        ([["SRP", "HMGCR"]], "Anti-SRP", []),
        (["CT"], "A CT is ordered", ["CT"]),
        (["CT"], "not detected; effect", []),
        (["biops"], "muscle biopsy", ["biops"]),
        (["Erholung"], "CK-Wiederholung", []),
        (["*biopsie"], "Muskelbiopsie", ["*biopsie"]),
        (["CK stays*rest"], "If CK stays above 1.5 times after rest, ...", ["CK stays*rest"]),
        ([" mg", "/kg"], "10 mg/kg", [" mg", "/kg"]),
    ],
)
def test_words_are_found_as_the_table_says(words: Words, text: str, found: list[str]) -> None:
    assert mentioned(words, text) == found


# ---------------------------------------------------------------- the texts


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_a_comment_mentions_what_it_must_and_nothing_it_must_not(case: Case, language: str) -> None:
    text = text_of(case, language)
    print(f"\n{case['id']} {language}: {text or 'no comment'}")
    for kind in ("must", "must_not"):
        for concept in told(case, kind):
            found = " | ".join(mentioned(in_words(kind, concept, language), text))
            print(f"    {kind.replace('_', ' '):8}  {concept}: {found or '-'}")
    assert amiss(case, text, language) == []
