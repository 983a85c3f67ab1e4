"""Whether every language says what English says (clinical.md D2, C10.8): the same classes, sentences, conditions, slots,
numbers and phrases, in the same order. comments/phrases.yaml is the table of phrases; `labbridge check` runs this.

A phrase of the table that stands in a sentence of one language stands in that sentence of every other. No word of negation
may stand outside a phrase, so that a "not" that comes or goes in one language is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import ENGLISH, Alternative, CommentRow, Decisions, Wording
from labbridge.knowledge.documents import Fault, Source, read_yaml

FILE = "comments/phrases.yaml"
NEGATION, EXCEPTIONS = "negation", "slot_order"
NAMES = ("method", "specimen")  # tables of names, keyed by what English needs no table for
_SLOT = re.compile(r"\{(\w+)\}")
_NUMBER = re.compile(r"(?<!\w)(?<![A-Za-z]-)\d+(?:[.,]\d+)?(?!\w)")
_GAP = " … "

Problem = tuple[str, str]  # message, repair


class _Table(msgspec.Struct, frozen=True):
    """The phrases of one language, the longest wordings first ("markedly raised" is not "raised"), each behind a piece of
    it that a text must hold before it is worth a search; and its words of negation."""

    language: str
    wordings: tuple[tuple[str, re.Pattern[str], str], ...]
    negations: tuple[tuple[str, re.Pattern[str]], ...]


class _Pair(msgspec.Struct, frozen=True):
    """English, another language, and what that one may put in another order."""

    english: _Table
    other: _Table
    reordered: frozenset[str]


class Phrases(msgspec.Struct, frozen=True):
    """The table: wordings of each phrase by language, words of negation by language, and the sentences and words
    (`fr:join.one`) that grammar lets name their slots in another order than English."""

    wordings: Mapping[str, Mapping[str, tuple[str, ...]]] = {}
    negations: Mapping[str, tuple[str, ...]] = {}
    reordered: frozenset[str] = frozenset()


def read_phrases(sources: Sequence[Source], faults: list[Fault]) -> Phrases:
    """The table of these files; a site's rows add wordings to ours."""
    wordings: dict[str, dict[str, tuple[str, ...]]] = {}
    reordered: set[str] = set()
    for row in (row for source in sources if source.name == FILE for row in read_yaml(source, faults)):
        name = str(row.fields.get("id", ""))
        given = {key: value for key, value in row.fields.items() if key != "id"}
        if name == EXCEPTIONS:
            if any(not reason for reason in given.values()):
                faults.append(row.fault("An exception gives no reason.", "Say what in the grammar asks for it."))
            reordered |= given.keys()
        elif not name or not all(isinstance(value, list) and value for value in given.values()):
            faults.append(
                row.fault("A phrase has no id, or a language of it no list.", "Write `id`, then `en: [...]`.")
            )
        else:
            found = wordings.setdefault(name, {})
            for language, texts in given.items():
                found[language] = (*found.get(language, ()), *map(str, texts))
    return Phrases(wordings, wordings.pop(NEGATION, {}), frozenset(reordered))


def check_parity(knowledge: Knowledge, phrases: Phrases, *, complete: bool) -> list[Fault]:
    """Every place where a translation says something else than English. `complete`: and every class or word that it
    lacks and that is written in English until it has it."""
    decisions = knowledge.decisions
    if decisions.translations and not phrases.wordings:
        return [Fault(FILE, 1, "There is no table of phrases.", "Take it back from version control.")]
    languages = (ENGLISH, *decisions.translations)
    faults = [
        Fault(FILE, 1, f"Phrase {name} has no wording in {language}.", "Add its wordings.")
        for name, texts in {**phrases.wordings, NEGATION: phrases.negations}.items()
        for language in languages
        if decisions.translations and language not in texts
    ]
    english = _table(phrases, ENGLISH)
    for language, one in decisions.translations.items():
        pair = _Pair(english, _table(phrases, language), phrases.reordered)
        found = [*_classes(decisions, one, pair), *_words(decisions, one, pair)]
        if complete:
            found += [*_lacking(decisions, one), *_names(knowledge, one)]
        faults += [decisions.fault(f"{language}:{at}", f"{language}:{at}: {m}", repair) for at, (m, repair) in found]
    return faults


def _lacking(decisions: Decisions, one: Wording) -> Iterator[tuple[str, Problem]]:
    for id in sorted(decisions.comments.keys() - one.comments.keys()):
        yield id, ("this class is not translated and is written in English.", "Translate it.")
    for name in one.lacks:
        table, _, key = name.partition(".")
        yield table, (f"{key} has no word.", "Translate it.")


def _names(knowledge: Knowledge, one: Wording) -> Iterator[tuple[str, Problem]]:
    """Methods that we ship and this language has no name for."""
    terms = knowledge.terminology
    shipped = {row.name for row in terms.methods.values()} | {row.name for row in terms.kits.values()} - {""}
    for name in sorted(shipped - one.words.get("method", {}).keys()):
        yield "method", (f"{name!r} has no name.", "Add what it is called, or its own name.")


# ---------------------------------------------------------------- classes and words


def _classes(decisions: Decisions, one: Wording, pair: _Pair) -> Iterator[tuple[str, Problem]]:
    for id, row in one.comments.items():
        english = decisions.comments.get(id)
        if english is None:
            yield id, ("this class is not in English.", "Add it to comments/en.yaml, or remove it.")
            continue
        yield from ((id, problem) for problem in _head(row))
        yield from ((id, problem) for problem in _parts(english, row, pair))


def _head(row: CommentRow) -> Iterator[Problem]:
    if row.subject or row.citations:
        yield "subject and citations are its class's in English.", "Remove them."
    if row.reviewed is msgspec.UNSET:
        yield "it does not say who has read it.", "Add `reviewed: []`."


def _parts(english: CommentRow, row: CommentRow, pair: _Pair) -> Iterator[Problem]:
    ours, theirs = _sentences(english), _sentences(row)
    if len(english.parts) != len(row.parts):
        yield f"{len(row.parts)} sentences, {len(english.parts)} in English.", "Give each English sentence its own."
        return
    for name, alternatives in ours.items():
        others = theirs[name]
        if [one.when for one in alternatives] != [one.when for one in others]:
            yield f"{name} has other alternatives or conditions than English.", "Take over every `when`, in its order."
            continue
        for number, (here, there) in enumerate(zip(alternatives, others, strict=True), 1):
            at = f"{pair.other.language}:{row.id} {name} {number}"
            for message, repair in _texts(at, (here.text, there.text), pair):
                yield f"{name}, alternative {number}: {message}", repair


def _sentences(row: CommentRow) -> dict[str, tuple[Alternative, ...]]:
    return {**{f"sentence {n}": part for n, part in enumerate(row.parts, 1)}, "addendum": row.addendum}


def _words(decisions: Decisions, one: Wording, pair: _Pair) -> Iterator[tuple[str, Problem]]:
    for table, words in one.words.items():
        if table in NAMES:
            continue
        english = decisions.words.get(table, {})
        for key, text in words.items():
            if f"{table}.{key}" in one.lacks:
                continue
            if key not in english:
                if table != "join" or key.partition("_")[0] not in english:  # `and_i`: "and" before an i
                    yield table, (f"{key} is no word in English.", "Use a key of comments/en.yaml.")
                continue
            at = f"{pair.other.language}:{table}.{key}"
            found = _texts(at, (english[key], text), pair)
            yield from ((table, (f"{key}: {message}", repair)) for message, repair in found)


# ---------------------------------------------------------------- one text against another


def _texts(at: str, texts: tuple[str, str], pair: _Pair) -> Iterator[Problem]:
    """What differs between a text in English and in a language: slots, numbers, phrases, negations."""
    english, other = texts
    ours, theirs = _slots(english), _slots(other)
    if set(ours) != set(theirs):
        odd = ", ".join(f"{{{name}}}" for name in sorted(set(ours) ^ set(theirs)))
        yield f"{odd} stands in one of the two languages only.", "Name the same slots."
    elif ours != theirs and at not in pair.reordered:
        yield "the slots stand in another order than in English.", f"Reword it, or list {at!r} in {FILE} with a reason."
    numbers = _numbers(english) ^ _numbers(other)
    if numbers:
        yield f"{', '.join(sorted(numbers))} stands in one of the two languages only.", "Give the same numbers."
    said, rest = _said(english, pair.english)
    here, left = _said(other, pair.other)
    for name in sorted(said - here):
        yield f"English says {name!r}, this does not.", f"Say it in a wording of {FILE}."
    for name in sorted(here - said):
        yield f"it says {name!r}, English does not.", "Leave it out."
    for table, text in ((pair.english, rest), (pair.other, left)):
        for word in (word for word, pattern in table.negations if pattern.search(text)):
            yield f"{word!r} ({table.language}) stands in no phrase.", f"Add its phrase to {FILE}."


def _slots(text: str) -> list[str]:
    """Slots in their order; {Antibody} is {antibody} at the head of a sentence."""
    return [name.casefold() for name in _SLOT.findall(text)]


def _numbers(text: str) -> set[str]:
    return {found.replace(",", ".") for found in _NUMBER.findall(_SLOT.sub(" ", text))}


def _said(text: str, table: _Table) -> tuple[set[str], str]:
    """The phrases of a text, and the text without them."""
    found, rest = set(), _SLOT.sub(" \x00 ", text).casefold()
    for piece, pattern, name in table.wordings:
        if piece in rest:
            rest, count = pattern.subn(_gaps, rest)
            if count:
                found.add(name)
    return found, rest


def _gaps(found: re.Match[str]) -> str:
    return "\x00".join(("", *found.groups(), ""))


def _table(phrases: Phrases, language: str) -> _Table:
    wordings = [(one, name) for name, texts in phrases.wordings.items() for one in texts.get(language, ())]
    wordings.sort(key=lambda pair: -len(pair[0]))
    return _Table(
        language,
        tuple((_piece(wording), _pattern(wording), name) for wording, name in wordings),
        tuple((word, _pattern(word)) for word in phrases.negations.get(language, ())),
    )


def _pattern(wording: str) -> re.Pattern[str]:
    """A wording as whole words; `…` stands for words between, `*` for any ending."""
    parts = [re.escape(part).replace(r"\*", r"\w*") for part in wording.casefold().split(_GAP)]
    return re.compile(r"(?<!\w)" + r"(?!\w)([^.;:]*?)(?<!\w)".join(parts) + r"(?!\w)")


def _piece(wording: str) -> str:
    return max(re.split(r"\*| … ", wording.casefold()), key=len)
