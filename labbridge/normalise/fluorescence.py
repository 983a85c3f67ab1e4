"""The lines that an order sends of one HEp-2 slide (screen, titres, patterns, notes), read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from labbridge.knowledge.terminology import Words
from labbridge.model.report import PlacedNote
from labbridge.model.result import Hep2Class, Hep2Finding, Problem
from labbridge.model.values import Grade, Titre
from labbridge.normalise import hep2, sentences
from labbridge.normalise.hep2 import PatternText, Screen
from labbridge.normalise.ranges import Reference, within
from labbridge.normalise.values import Read, below, reached
from labbridge.notes import note

TITRES = ("titre", "nuclear_titre", "cytoplasmic_titre")
SCREENS = ("screen", "result")
PATTERNS = ("pattern", "cytoplasmic_pattern")
ABOUT = {
    "cytoplasmic_pattern": Hep2Class.CYTO_OTHER,
    "cytoplasmic_titre": Hep2Class.CYTO_OTHER,
    "nuclear_titre": Hep2Class.NUCLEAR,
}
COVERED = ("positive", "negative_with_comment")  # how a feed reports cytoplasm, so that its negative speaks of it too


class Line(msgspec.Struct, frozen=True):
    """One line of the slide: what its code is for, its value, its texts as sent, the notes under it, its range."""

    role: str
    read: Read
    texts: tuple[str, ...]
    notes: tuple[str, ...] = ()
    reference: Reference = Reference()
    sent: bool = True
    at: str = ""


class Slide(msgspec.Struct, frozen=True):
    """A slide as read: its finding (None: nothing of it is a result), titre, grade, and what could not be read."""

    finding: Hep2Finding | None
    titre: Titre | None
    grade: Grade | None
    problems: tuple[Problem, ...] = ()
    notes: tuple[PlacedNote, ...] = ()


def read(lines: Sequence[Line], reported_as: str, words: Words) -> Slide:
    """The lines of an order as one slide; `reported_as` is how the feed reports cytoplasmic fluorescence."""
    texts = [text for line in lines for text in _texts(line)]
    grade, titre = _grade(lines), _titre(lines) or _titre_of_texts(texts, words)
    inside = any(within(line.read.titre, line.reference.interval) for line in lines if line.read.titre == titre)
    screen = Screen(grade, below(titre), reached(titre), within=inside)
    found = hep2.finding(texts, screen, words, covered=reported_as in COVERED)
    troubles = [one for line in lines if (one := _trouble(line, grade, words)) is not None]
    notes = [note(code, f"{line_at}-5") for code, line_at, _problem in troubles]
    if found is None and any(line.sent for line in lines) and not troubles:
        troubles = [("N201", lines[0].at, Problem.VALUE_UNREADABLE)]
        notes = [note("N201", f"{lines[0].at}-5")]
    if found is not None and found.pattern is Hep2Class.NEG and not found.cytoplasm_stated:
        notes.append(note("N218", lines[0].at))
    problems = dict.fromkeys(problem for _code, _at, problem in troubles if problem is not None)
    return Slide(found, titre, grade, tuple(problems), tuple(notes))


def _grade(lines: Sequence[Line]) -> Grade | None:
    """The order's own positive or negative: of the screen's line, else the sign beside a titre (`1:80 (-)`)."""
    grades = [(line.role, line.read.grade) for line in lines if line.read.grade is not None]
    for roles in (SCREENS, ("titre",)):
        found = next((grade for role, grade in grades if role in roles), None)
        if found is not None:
            return found
    return None


def _titre(lines: Sequence[Line]) -> Titre | None:
    """The titre of the finding: the highest that was reached, of the cytoplasm where one was; else the screening
    dilution that none reached."""
    sent = [(line.role, line.read.titre) for line in lines if line.read.titre is not None]
    seen = [(role, titre) for role, titre in sent if reached(titre)]
    cytoplasmic = [titre for role, titre in seen if role == "cytoplasmic_titre"]
    found = cytoplasmic or [titre for _role, titre in seen]
    if not found:
        found = [titre for role, titre in sent if role != "cytoplasmic_titre"]
    return max(found, key=lambda titre: titre.reciprocal, default=None)


def _titre_of_texts(texts: Sequence[PatternText], words: Words) -> Titre | None:
    """The one titre of the texts that describe a pattern (`AC-4, 1:320`); a note of the laboratory's dilutions is none."""
    described = (one.text for one in texts if one.seen is None and hep2.understood(one, words))
    return sentences.titre("; ".join(described), words)


def _texts(line: Line) -> Iterator[PatternText]:
    """The texts of a line that may describe a pattern: its values where they are no plain grade or titre, however that was
    written, and its notes; of a line whose code names a pattern, that it is there or not."""
    about, seen = ABOUT.get(line.role), _seen(line)
    if about is not None and seen is not None:
        yield PatternText("; ".join(line.texts), about, seen)
    elif line.read.grade is None or line.read.titre is not None:
        yield from (PatternText(text, about) for text in line.texts if line.read.titre is None or _worded(text))
    yield from (PatternText(text) for text in line.notes)


def _worded(text: str) -> bool:
    return any(char.isalpha() for char in text)


def _seen(line: Line) -> bool | None:
    if line.read.titre is not None:
        return reached(line.read.titre) and line.read.grade is not Grade.NEG
    return None if line.read.grade is None else line.read.grade is not Grade.NEG


def _trouble(line: Line, screen: Grade | None, words: Words) -> tuple[str, str, Problem | None] | None:
    """Why a line was not read, with its note: doubt always holds; a titre or pattern that cannot be read holds, because
    it would count, except a titre beside a negative screen."""
    if not line.sent:
        return None
    if line.read.problem is Problem.VALUE_AMBIGUOUS:
        return line.read.note, line.at, line.read.problem
    if line.role in TITRES and line.read.titre is None and line.read.grade is None:
        code = "N213" if line.read.number is not None else line.read.note or "N201"
        return code, line.at, None if screen is Grade.NEG else Problem.VALUE_UNREADABLE
    if line.role in PATTERNS and not line.read.says_something and not _understood(line, words):
        return "N217", line.at, Problem.VALUE_UNREADABLE
    return None


def _understood(line: Line, words: Words) -> bool:
    about = ABOUT.get(line.role)
    return any(hep2.understood(PatternText(text, about), words) for text in line.texts)
