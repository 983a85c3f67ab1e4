"""In French, German and Spanish every comment says what it says in English, in house style (clinical.md D2, C10.8); what a
translation drops, adds or turns round is refused; and nothing but the wording depends on the language."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, get_args

import msgspec
import pytest
from interpret_build import DAY, antibody, ck, hep2, history, posted
from interpret_languages import LANGUAGES, aged, changes, of_core, over, spoken
from interpret_written import Written

from labbridge.config import Config, ReceiverSection
from labbridge.hl7.charset import codec
from labbridge.interpret import Interpreter
from labbridge.interpret.parity import Phrases, check_parity, read_phrases
from labbridge.interpret.slots import Case
from labbridge.interpret.style import breaches, check_style
from labbridge.interpret.vocabulary import check_vocabulary
from labbridge.knowledge.build import Knowledge, build
from labbridge.knowledge.decisions import ENGLISH, TRANSLATIONS, Decisions, read_decisions
from labbridge.knowledge.documents import Fault, Source
from labbridge.knowledge.lock import entries
from labbridge.model.outcome import Comment, Outcome
from labbridge.model.result import Result
from labbridge.offline import Readers, case_history
from labbridge.sources import read_folder, shipped

SOURCES = read_folder(shipped())
SHIPPED = build(SOURCES)[0]


@pytest.fixture(scope="module")
def cases(written: list[Written], knowledge: Knowledge) -> list[Case]:
    found = [*of_core(written, knowledge), *over(knowledge)]
    return [*found, *aged(found), *changes(knowledge)]


@pytest.fixture(scope="module")
def comments(cases: list[Case]) -> dict[str, list[tuple[Case, Comment]]]:
    """Each case with its comment, by language; in the other languages one case for each different English comment."""
    english = {}
    for one in cases:
        said = spoken(one, ENGLISH)
        english.setdefault((said.full_text, one.episode.age_years == 48), (one, said))
    told = list(english.values())
    return {ENGLISH: told, **{name: [(one, spoken(one, name)) for one, _said in told] for name in LANGUAGES}}


@pytest.fixture(scope="module")
def phrases() -> Phrases:
    return read_phrases(SOURCES, [])


def texts(comment: Comment) -> tuple[str, ...]:
    return (comment.text, *comment.addenda)


def shown(faults: Iterable[str]) -> list[str]:
    return sorted(set(faults))[:100]


# ---------------------------------------------------------------- what ships


def test_the_languages_are_those_a_receiver_may_ask_for(knowledge: Knowledge) -> None:
    offered = get_args(ReceiverSection.model_fields["language"].annotation)
    assert offered == (ENGLISH, *TRANSLATIONS) == (ENGLISH, *knowledge.decisions.translations)
    assert TRANSLATIONS == LANGUAGES


def test_every_language_says_the_same(knowledge: Knowledge, phrases: Phrases) -> None:
    assert check_parity(knowledge, phrases, complete=True) == []
    assert len(phrases.wordings) > 100


def test_every_class_is_translated_and_waits_for_its_reader(knowledge: Knowledge) -> None:
    for one in knowledge.decisions.translations.values():
        assert one.comments.keys() == knowledge.decisions.comments.keys()
        assert {row.reviewed for row in one.comments.values()} == {()}
        assert one.forbidden
        assert one.lacks == ()


def test_translations_are_locked_by_language_and_class(knowledge: Knowledge) -> None:
    found = entries(knowledge.decisions)
    for name in LANGUAGES:
        assert {id for id in found if id.startswith(f"comment:{name}:")} == {
            f"comment:{name}:{id}" for id in knowledge.decisions.comments
        }


def test_who_has_read_a_translation_is_not_part_of_what_it_says() -> None:
    read = replaced("fr", "- id: C13\n  version: 2\n  reviewed: []", "- id: C13\n  version: 2\n  reviewed: [M. B.]")
    assert entries(built(read).decisions) == entries(built(SOURCES).decisions)


# ---------------------------------------------------------------- what is written


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_comment_is_in_house_style(
    comments: dict[str, list[tuple[Case, Comment]]], knowledge: Knowledge, language: str
) -> None:
    style = knowledge.decisions.style_in(language)
    wrong = [f"{fault}: {one.full_text}" for _case, one in comments[language] for fault in breaches(one, style)]
    assert shown(wrong) == []


@pytest.mark.parametrize("language", [ENGLISH, *LANGUAGES])
def test_every_class_is_written(
    comments: dict[str, list[tuple[Case, Comment]]], knowledge: Knowledge, language: str
) -> None:
    found = comments[language]
    assert {one.comment_class for _case, one in found} == set(knowledge.decisions.comments)
    spare = {id for id, row in knowledge.decisions.comments.items() if row.addendum}
    assert {name for _case, one in found for name in one.addendum_classes} == spare
    assert len(found) > 1000


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_the_wording_depends_on_the_language(
    comments: dict[str, list[tuple[Case, Comment]]], language: str
) -> None:
    for (_one, english), (_same, said) in zip(comments[ENGLISH], comments[language], strict=True):
        assert (said.language, english.language) == (language, ENGLISH)
        assert (said.comment_class, said.addendum_classes) == (english.comment_class, english.addendum_classes)
        assert said.citations == english.citations
        assert said.text != english.text


ODD = {
    "fr": re.compile(r"[{}]|  | [,.]|\( ?\)|\.\.|;\.|^[a-zàéè]|_|[^ ][;:](?! ?\))|\bde [ae]u?[nx]? "),
    "de": re.compile(r"[{}]|  | [,.;:]|\( ?\)|\.\.|;\.|^[a-zäöü]|_"),
    "es": re.compile(r"[{}]|  | [,.;:]|\( ?\)|\.\.|;\.|^[a-záéó]|_| y i| o o|\bde el\b"),
}
FOREIGN = re.compile(r"\b(the|and|is|are|with|without|suggested|positive|blot analysis|specimen|sample|by)\b")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_slot_is_open_and_no_word_is_missing_or_foreign(
    comments: dict[str, list[tuple[Case, Comment]]], language: str
) -> None:
    found = [text for _case, one in comments[language] for text in texts(one)]
    assert shown(text for text in found if ODD[language].search(text)) == []
    assert shown(text for text in found if FOREIGN.search(text)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_comment_can_be_sent_in_the_character_set_of_its_country(
    comments: dict[str, list[tuple[Case, Comment]]], language: str
) -> None:
    name = codec("8859/1")
    assert name
    for _case, one in comments[language]:
        one.full_text.encode(name)


NEW_SAMPLE = {
    "en": re.compile(r"on a new (?:sample|specimen)"),
    "fr": re.compile(r"sur un nouveau prélèvement"),
    "de": re.compile(r"aus einer neuen Probe"),
    "es": re.compile(r"en una nueva muestra"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_sample_is_asked_for_wherever_english_asks_for_one(
    comments: dict[str, list[tuple[Case, Comment]]], language: str
) -> None:
    asked = 0
    for (_one, english), (_same, said) in zip(comments[ENGLISH], comments[language], strict=True):
        found = [len(NEW_SAMPLE[name].findall(one.text)) for name, one in (("en", english), (language, said))]
        assert found[0] == found[1], said.text
        asked += found[0]
    assert asked > 500


# What no comment says (D2.3-D2.5, D2.8, D2.12), and what is said of adults only (P11), with the classes that may.
NEVER = {
    "fr": (
        "diagnostic de",
        "confirme le",
        "prouve",
        "urgence",
        "pronostic",
        "survie",
        "dose",
        "%",
        "arrêt",
        "traitement",
    ),
    "de": ("diagnos", "beweis", "notfall", "prognose", "überleben", "dosis", "%", "therapie", "absetz", "normal"),
    "es": (
        "diagnóstico",
        "demuestra",
        "urgencia",
        "pronóstico",
        "supervivencia",
        "dosis",
        "%",
        "tratamiento",
        "normal",
    ),
}
ADULT = {
    "fr": {"néoplas": {"C06"}, "statin": {"C02"}, "levure": {"C02"}, "biopsie": {"C06"}},
    "de": {"tumor": {"C06"}, "statin": {"C02"}, "muskelbiopsie": {"C06"}},
    "es": {"neoplas": {"C06"}, "estatin": {"C02"}, "biopsia": {"C06"}},
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_no_comment_says(comments: dict[str, list[tuple[Case, Comment]]], language: str) -> None:
    for word in NEVER[language]:
        assert shown(text for _case, one in comments[language] for text in texts(one) if word in text.casefold()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_malignancy_and_statins_are_for_adults_and_for_one_class_each(
    comments: dict[str, list[tuple[Case, Comment]]], language: str
) -> None:
    for word, classes in ADULT[language].items():
        holding = [(at, one) for at, one in comments[language] if word in one.full_text.casefold()]
        assert {one.comment_class for _at, one in holding} == classes
        if "biops" not in word:
            assert {at.episode.age_years for at, _one in holding} == {48}


# ---------------------------------------------------------------- from results to words

CONCORDANT = (antibody("SRP", "POS_STRONG"), hep2("CYTO_COMPAT"), ck(30))
DISPUTED = (antibody("HMGCR", "POS_STRONG"), antibody("HMGCR", "NEG", "quant", day=DAY - timedelta(days=2)), ck(0.6))
PLAIN = (antibody("SRP", "NEG"), antibody("HMGCR", "NEG", "quant"), ck(30))


def drafted(interpreter: Interpreter, language: str, *results: Result, **fields: Any) -> Comment:
    found = interpreter(history(*results, language=language, **fields)).comment
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "fr",
            "Anticorps anti-SRP fortement positifs (immunodot en ligne), fluorescence cytoplasmique sur HEp-2 et CK très "
            "élevée. Cet ensemble est en faveur d'une myopathie nécrosante auto-immune à anti-SRP si le tableau clinique "
            "est concordant. Les anti-HMGCR n'ont pas été recherchés ; leur recherche est proposée sur le même prélèvement.",
        ),
        (
            "de",
            "Anti-SRP-Antikörper stark positiv (Line-Blot), zytoplasmatische Fluoreszenz auf HEp-2 und deutlich erhöhte CK. "
            "Diese Konstellation spricht für eine Anti-SRP-assoziierte immunvermittelte nekrotisierende Myopathie, sofern "
            "das klinische Bild passt. "
            "Anti-HMGCR wurde nicht untersucht; die Bestimmung aus derselben Probe wird empfohlen.",
        ),
        (
            "es",
            "Anticuerpos anti-SRP fuertemente positivos (inmunoblot en línea), con fluorescencia citoplasmática en HEp-2 y "
            "CK muy elevada. Esta combinación apoya una miopatía necrotizante inmunomediada anti-SRP si el cuadro clínico "
            "es concordante. No se han estudiado los anti-HMGCR; se sugiere su determinación en la misma muestra.",
        ),
    ],
)
def test_a_patient_in_each_language(interpreter: Interpreter, language: str, text: str) -> None:
    assert drafted(interpreter, language, *CONCORDANT).text == text


@pytest.mark.parametrize(
    ("language", "days", "correction"),
    [
        ("en", "samples of 2026-03-08 and 2026-03-10", "This replaces the comment dated 2026-03-10."),
        ("fr", "prélèvements du 08/03/2026 et du 10/03/2026", "Ce commentaire remplace celui du 10/03/2026."),
        ("de", "Proben vom 08.03.2026 und 10.03.2026", "Dies ersetzt den Kommentar vom 10.03.2026."),
        ("es", "muestras del 08/03/2026 y del 10/03/2026", "Este comentario sustituye al del 10/03/2026."),
    ],
)
def test_days_are_written_as_each_language_writes_them(
    interpreter: Interpreter, language: str, days: str, correction: str
) -> None:
    found = drafted(interpreter, language, *DISPUTED, posted=(posted("OTHER@1"),))
    assert days in found.text
    assert found.addenda == (correction,)


@pytest.mark.parametrize("results", [CONCORDANT, DISPUTED, PLAIN])
@pytest.mark.parametrize("language", [*LANGUAGES, "xx"])
def test_an_outcome_is_the_same_in_every_language_but_for_its_text(
    interpreter: Interpreter, results: tuple[Result, ...], language: str
) -> None:
    assert bare(interpreter(history(*results, language=language))) == bare(interpreter(history(*results)))


def bare(outcome: Outcome) -> Outcome:
    """An outcome without its words."""
    assert outcome.comment is not None
    comment = msgspec.structs.replace(outcome.comment, text="", addenda=(), language="")
    return msgspec.structs.replace(outcome, comment=comment)


def test_a_language_we_do_not_have_is_written_in_english(interpreter: Interpreter) -> None:
    assert drafted(interpreter, "xx", *PLAIN) == drafted(interpreter, ENGLISH, *PLAIN)


def test_a_class_or_an_addendum_that_a_language_lacks_puts_the_whole_comment_in_english() -> None:
    at = {"posted": (posted("OTHER@1"),)}
    for lost in ("C06", "C19"):
        interpret = Interpreter(built(replaced("fr", f"- id: {lost}\n", f"- id: {lost}X\n")))
        assert drafted(interpret, "fr", *PLAIN, **at) == drafted(interpret, ENGLISH, *PLAIN, **at)
        assert drafted(interpret, "fr", *CONCORDANT).language == "fr"


def test_a_word_that_a_language_lacks_is_english() -> None:
    interpret = Interpreter(built(replaced("de", "POS_STRONG: stark positiv, ", "")))
    assert "strongly positive (Line-Blot)" in drafted(interpret, "de", *CONCORDANT).text


def test_the_draft_is_in_the_language_of_the_receiver() -> None:
    receivers = {"lis": {"address": "127.0.0.1:1", "language": "fr"}, "other": {"address": "127.0.0.1:2"}}
    config = Config.model_validate(
        {"receivers": receivers, "feeds": {"a": {"receiver": "lis"}, "b": {"receiver": "other"}}}
    )
    assert [config.language_of(name) for name in ("a", "b", "", "gone")] == ["fr", "en", "fr", "fr"]
    assert Config().language_of("a") == "en"


def test_a_case_file_is_drafted_in_the_language_of_the_readers(knowledge: Knowledge) -> None:
    given = {"id": "X", "evaluate_at": "2026-03-10", "patient": {"age": 48, "sex": "F"}, "results": []}
    assert case_history(given, Readers.of(knowledge, "de")).language == "de"


# ---------------------------------------------------------------- what is refused


def replaced(language: str, old: str, new: str, file: str = "") -> list[Source]:
    """The shipped files with one wording changed in a language's file."""
    name = file or f"comments/{language}.yaml"
    (source,) = (one for one in SOURCES if one.name == name)
    assert source.text.count(old) >= 1, old
    return [Source(one.name, one.text.replace(old, new, 1)) if one.name == name else one for one in SOURCES]


def built(sources: list[Source]) -> Knowledge:
    """The shipped knowledge with the comments of these files."""
    found: list[Fault] = []
    comments = read_decisions([one for one in sources if one.name.startswith("comments/")], found)
    assert found == []
    return worded(comments)


def worded(given: Decisions) -> Knowledge:
    names = ("comments", "words", "translations", "style", "places")
    decisions = msgspec.structs.replace(SHIPPED.decisions, **{name: getattr(given, name) for name in names})
    return msgspec.structs.replace(SHIPPED, decisions=decisions)


def faults_of(sources: list[Source]) -> list[Fault]:
    """What `labbridge check` says of the comments of these files, those of other languages left out."""
    found: list[Fault] = []
    changed = {one.name for one in sources if one not in SOURCES} | {"comments/en.yaml", "comments/phrases.yaml"}
    ours = [one for one in sources if one.name in changed or (len(changed) == 2 and one.name == "comments/fr.yaml")]
    knowledge, phrases = worded(read_decisions(ours, found)), read_phrases(ours, found)
    found += check_parity(knowledge, phrases, complete=True)
    return found + check_vocabulary(knowledge.decisions) + check_style(knowledge.decisions)


C02_LAST = '    - {text: "À confronter à la clinique."}\n'
PLANTED = [
    ("fr", C02_LAST, "", "C01", "sentence 3 has other alternatives or conditions"),
    ("fr", "anti-SRP positifs ({method}), fluo", "anti-SRP positifs, fluo", "C01", "{method} stands in one"),
    ("fr", "n'exclut pas une maladie", "exclut une maladie", "C06", "English says 'does_not_exclude', this does not."),
    ("fr", "sont possibles", "ne sont pas possibles", "C20", "'ne' (fr) stands in no phrase."),
    ("fr", "NEG: non détectés", "NEG: détectés", "grade", "NEG: English says 'not_detected', this does not."),
    ("fr", "en {titre_way} et CK en {ck_way}", "en {ck_way} et CK en {titre_way}", "C16", "in another order"),
    ("fr", "1,5 fois", "2,5 fois", "C07", "1.5, 2.5 stands in one"),
    ("fr", "surtout après 50 ans", "surtout chez l'adulte", "C06", "50 stands in one"),
    ("fr", "up: hausse, down: baisse", "up: baisse, down: hausse", "way", "up: English says 'higher', this does not."),
    ("de", "Anti-SRP zusätzlich schwach positiv", "Anti-SRP zusätzlich stark positiv", "C08", "'low_positive'"),
    ("de", "ist nicht beurteilbar", "ist beurteilbar", "C18", "English says 'not_interpretable', this does not."),
    ("de", "Dies spricht für", "Dies beruht auf", "C01", "English says 'supports', this does not."),
    ("de", "Dies spricht für eine", "Dies spricht nicht für eine", "C01", "'nicht' (de) stands in no phrase."),
    ("de", "hep2: CYTO_COMPAT, retest_srp", "hep2: NEG, retest_srp", "C06", "other alternatives or conditions"),
    ("de", "  version: 3\n  reviewed: []\n  parts", "  version: 3\n  parts", "C01", "does not say who has read it."),
    ("de", "- id: C13\n", "- id: C13X\n", "C13", "this class is not translated"),
    ("de", "- id: C13\n", "- id: C13X\n", "C13X", "this class is not in English."),
    ("de", "line blot: Line-Blot, ", "", "method", "'line blot' has no name."),
    (
        "es",
        "se sugiere sin demora la determinación de CK",
        "se sugiere la determinación de CK",
        "ck_too",
        "'without_delay'",
    ),
    ("es", "apoya una miopatía", "no apoya una miopatía", "C01", "'no' (es) stands in no phrase."),
    ("es", "biopsia muscular", "neoplasia muscular", "C06", "it says 'malignancy', English does not."),
    (
        "es",
        "Se sugiere su determinación{new_others} si",
        "Su determinación{new_others} es posible si",
        "C13",
        "'suggested'",
    ),
    ("es", 'and: " y ", ', "", "join", "and has no word."),
    ("es", "down: descenso", "down: descenso, level: igual", "way", "level is no word in English."),
    (
        "es",
        "reviewed: []\n  parts",
        "reviewed: []\n  subject: SRP\n  parts",
        "C01",
        "subject and citations are its class's",
    ),
]


@pytest.mark.parametrize(("language", "old", "new", "at", "message"), PLANTED)
def test_a_planted_fault_is_refused(language: str, old: str, new: str, at: str, message: str) -> None:
    sources = replaced(language, old, new)
    found = [one for one in faults_of(sources) if message in one.message]
    assert found, [str(one) for one in faults_of(sources)]
    fault = next(one for one in found if one.message.startswith(f"{language}:{at}: "))
    assert (fault.file, bool(fault.repair)) == (f"comments/{language}.yaml", True) or "not translated" in message
    (text,) = (one.text for one in sources if one.name == f"comments/{language}.yaml")
    assert text.splitlines()[fault.line - 1].startswith(f"- id: {at}") or "not translated" in message


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("comments/fr.yaml", "- id: style\n", "- id: style\n  sentences_most: 5\n", "holds more than forbidden words"),
        ("comments/fr.yaml", "{antibody} reste", "{anticorps} reste", "slot {anticorps} is not known."),
        ("comments/fr.yaml", "subject: SRP}", "subject: SRB}", "subject is never SRB."),
        ("comments/phrases.yaml", ", fr: [sans délai]", "", "Phrase without_delay has no wording in fr."),
        ("comments/phrases.yaml", "{id: uncommon, ", "{", "A phrase has no id"),
        ("comments/phrases.yaml", "de: [zeitnah]", "de: zeitnah", "a language of it no list"),
        ("comments/phrases.yaml", "days are written day, month, year", '""', "An exception gives no reason."),
        ("comments/phrases.yaml", '  "fr:join.date": days are written day, month, year\n', "", "in another order"),
    ],
)
def test_a_faulty_table_is_refused(name: str, old: str, new: str, message: str) -> None:
    sources = replaced("", old, new, file=name)
    found = [one for one in faults_of(sources) if message in one.message]
    assert found
    assert {one.file for one in found} <= {name, "comments/fr.yaml"}


def test_without_the_table_of_phrases_nothing_is_compared(knowledge: Knowledge) -> None:
    (fault,) = check_parity(knowledge, Phrases(), complete=True)
    assert (fault.file, fault.message) == ("comments/phrases.yaml", "There is no table of phrases.")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_forbidden_words_of_each_language_are_refused(knowledge: Knowledge, language: str) -> None:
    assert check_style(knowledge.decisions) == []
    word = knowledge.decisions.translations[language].forbidden[0]
    (row,) = re.findall(
        r"- id: C13\n.*?\.\"}", next(o.text for o in SOURCES if o.name == f"comments/{language}.yaml"), re.S
    )
    found = check_style(built(replaced(language, row, row.replace('."}', f' {word} X."}}'))).decisions)
    assert [one.message for one in found] == [f"{language}:C13: the words {word!r}"]


# ---------------------------------------------------------------- a site


def site(language: str, text: str) -> Source:
    return Source(f"comments/{language}.yaml", text, site=True)


OURS = "- {id: C07, version: 2, reviewed: [], parts: [[{text: %s}]], citations: [labbridge-specification]}"


def test_a_class_that_a_site_words_anew_is_no_longer_what_ours_translates() -> None:
    english = site("en", OURS % "Ours.")
    knowledge = built([*SOURCES, english])
    assert "C07" not in knowledge.decisions.translations["fr"].comments
    assert check_parity(knowledge, read_phrases(SOURCES, []), complete=False) == []
    both = built([*SOURCES, english, site("fr", "- {id: C07, version: 2, reviewed: [], parts: [[{text: Nôtre.}]]}")])
    assert both.decisions.translations["fr"].comments["C07"].parts[0][0].text == "Nôtre."


def test_a_site_may_word_a_class_in_its_language_alone_and_add_phrases() -> None:
    (row,) = re.findall(
        r"- id: C13\n.*?\n\n", next(one.text for one in SOURCES if one.name == "comments/fr.yaml"), re.S
    )
    theirs = [*SOURCES, site("fr", row.replace("Leur recherche est proposée", "Leur recherche est suggérée"))]
    knowledge = built(theirs)
    (fault,) = check_parity(knowledge, read_phrases(theirs, []), complete=False)
    assert "'suggested'" in fault.message
    theirs.append(Source("comments/phrases.yaml", "- {id: suggested, fr: [est suggérée]}", site=True))
    assert check_parity(knowledge, read_phrases(theirs, []), complete=False) == []
