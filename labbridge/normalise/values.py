"""What the value of an observation says: a number, a titre, a grade in words; never more than was sent."""

from __future__ import annotations

import msgspec

from labbridge.knowledge.terminology import Terminology
from labbridge.knowledge.words import plain
from labbridge.model.report import Observation
from labbridge.model.result import Problem
from labbridge.model.values import (
    Comparator,
    Grade,
    SentAttachment,
    SentCoding,
    SentStructured,
    SentText,
    SentValue,
    Titre,
)
from labbridge.normalise import numbers
from labbridge.normalise.numbers import Number


class Read(msgspec.Struct, frozen=True):
    """What one observation's value was read as. `text` is the value as people read it; `problem` why it was not read."""

    number: Number | None = None
    titre: Titre | None = None
    grade: Grade | None = None
    text: str = ""
    problem: Problem | None = None


NOTHING = Read()


def read(observation: Observation, terminology: Terminology, decimal_mark: str, titre_unit: bool = False) -> Read:
    """The value of an observation. Repetitions that say different things are not read (clinical.md C1.2: no guessing)."""
    if not observation.values:
        return NOTHING
    found = [_read(value, terminology, decimal_mark, titre_unit) for value in observation.values]
    merged = found[0]
    for one in found[1:]:
        merged = _merged(merged, one)
    return merged


def _merged(one: Read, other: Read) -> Read:
    """Repetitions may complete each other (`14~weak positive`), not contradict each other."""
    text = "; ".join(filter(None, (one.text, other.text)))
    for mine, theirs in ((one.number, other.number), (one.titre, other.titre), (one.grade, other.grade)):
        if mine is not None and theirs is not None and mine != theirs:
            return Read(text=text, problem=Problem.VALUE_UNREADABLE)
    return Read(
        number=one.number or other.number,
        titre=one.titre or other.titre,
        grade=one.grade or other.grade,
        text=text,
        problem=one.problem and other.problem,
    )


def _read(value: SentValue, terminology: Terminology, decimal_mark: str, titre_unit: bool) -> Read:
    match value:
        case SentStructured():
            return _structured(value, decimal_mark)
        case SentCoding():
            return _coding(value, terminology, decimal_mark, titre_unit)
        case SentAttachment():
            return Read(text="", problem=Problem.VALUE_UNREADABLE)
        case SentText():
            return _text(value.text, terminology, decimal_mark, titre_unit)


def _structured(value: SentStructured, decimal_mark: str) -> Read:
    text = f"{value.comparator}{value.num1}{value.separator}{value.num2}"
    number, is_titre = numbers.structured(value.comparator, value.num1, value.separator, value.num2, decimal_mark)
    if number.value is None:
        return Read(text=text, problem=number.problem)
    if is_titre:
        return Read(titre=Titre(number.value, number.comparator), text=text)
    return Read(number=number, text=text)


def _coding(value: SentCoding, terminology: Terminology, decimal_mark: str, titre_unit: bool) -> Read:
    """A coded value: the grade its codes mean; else its text, read as text would be."""
    grades = {
        grade
        for coding in value.codings
        if (grade := terminology.words.grade_codes.get((terminology.system(coding), coding.code))) is not None
    }
    text = value.original_text or next((c.display for c in value.codings if c.display), "")
    text = text or next((coding.code for coding in value.codings), "")
    if len(grades) == 1:
        return Read(grade=grades.pop(), text=text)
    if grades:
        return Read(text=text, problem=Problem.VALUE_UNREADABLE)
    found = _text(text, terminology, decimal_mark, titre_unit)
    if found.problem is None:
        return found
    codes = [_text(coding.code, terminology, decimal_mark, titre_unit) for coding in value.codings if coding.code]
    readable = [one for one in codes if one.problem is None]
    return msgspec.structs.replace(readable[0], text=text) if len(readable) == 1 else found


def _text(text: str, terminology: Terminology, decimal_mark: str, titre_unit: bool) -> Read:
    stripped = text.strip()
    words = terminology.words
    grade = words.grades.get(plain(stripped)) or words.grades.get(plain(stripped.rstrip(".")))
    if grade is not None:
        return Read(grade=grade, text=stripped)
    amount, sign = numbers.signed(stripped)
    if sign and sign not in words.signs:
        return Read(text=stripped, problem=Problem.VALUE_UNREADABLE)
    return _amount(Read(text=stripped, grade=words.signs.get(sign)), amount, decimal_mark, titre_unit)


def _amount(frame: Read, amount: str, decimal_mark: str, titre_unit: bool) -> Read:
    """The number or titre of a text, in the frame of its text and sign. A whole number is a titre where the code or the
    unit says so."""
    found = numbers.titre(amount)
    if found is not None and found.value is not None:
        return _with(frame, titre=Titre(found.value, found.comparator))
    number = numbers.number(amount, decimal_mark)
    if number.value is None:
        return Read(text=frame.text, problem=number.problem)
    if titre_unit and number.value > 0 and number.value == number.value.to_integral_value():
        return _with(frame, titre=Titre(number.value, number.comparator))
    return _with(frame, number=number)


def _with(frame: Read, *, number: Number | None = None, titre: Titre | None = None) -> Read:
    return Read(number=number, titre=titre, grade=frame.grade, text=frame.text)


def below(titre: Titre | None) -> bool:
    """A titre below the screening dilution: negative at that dilution."""
    return titre is not None and titre.comparator.below


def reached(titre: Titre | None) -> bool:
    """A titre that was reached, exactly or as a minimum."""
    return titre is not None and titre.comparator in (Comparator.EQUAL, Comparator.GREATER, Comparator.GREATER_OR_EQUAL)
