"""What the value of an observation says: a number, a titre, a grade in words; never more than was sent."""

from __future__ import annotations

from collections.abc import Sequence

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
from labbridge.normalise import numbers, sentences
from labbridge.normalise.comparisons import Writing
from labbridge.normalise.numbers import Number

NUMERIC = "NM"
COMPONENT = "^"  # parts of a value in a field that has none: a method in the wake of a number


class Read(msgspec.Struct, frozen=True):
    """What one observation's value was read as. `text` is the value as people read it; `problem` why it was not read,
    `note` the note that tells of it; `rest`: something beside what was read is kept as text only."""

    number: Number | None = None
    titre: Titre | None = None
    grade: Grade | None = None
    text: str = ""
    problem: Problem | None = None
    note: str = ""
    rest: bool = False

    @property
    def says_something(self) -> bool:
        return self.number is not None or self.titre is not None or self.grade is not None


class Asked(msgspec.Struct, frozen=True):
    """How a value is to be read: by the terminology and the feed's way of writing; `titres`: a whole number is a titre;
    `sentences`: a titre and a word of result may stand in a sentence (`See note: POSITIVE 1:640`)."""

    terminology: Terminology
    writing: Writing
    titres: bool = False
    sentences: bool = False


NOTHING = Read()


def read(observation: Observation, asked: Asked) -> Read:
    """The value of an observation. Repetitions that say different things are not read (clinical.md C1.2: no guessing)."""
    sent = [value for value in observation.values if not (isinstance(value, SentText) and not value.text.strip())]
    if not sent:
        return _unread("") if observation.values else NOTHING
    found = [_read(value, asked, observation.value_type) for value in sent]
    return found[0] if len(found) == 1 else _merged(found)


def _merged(found: Sequence[Read]) -> Read:
    """Repetitions may complete each other (`14~weak positive`), not contradict each other. One that was not read beside
    one that was is kept as text; a doubt about one (`1,234`) is a doubt about all."""
    text = "; ".join(filter(None, (one.text for one in found)))
    doubtful = next((one for one in found if one.problem is Problem.VALUE_AMBIGUOUS), None)
    if doubtful is not None:
        return Read(text=text, problem=doubtful.problem, note=doubtful.note)
    amounts = {one.number or one.titre for one in found} - {None}
    grades = {one.grade for one in found} - {None}
    if len(amounts) > 1 or len(grades) > 1 or not any(one.says_something for one in found):
        return _unread(text)
    return Read(
        number=next((one.number for one in found if one.number is not None), None),
        titre=next((one.titre for one in found if one.titre is not None), None),
        grade=next((one.grade for one in found if one.grade is not None), None),
        text=text,
        rest=any(one.rest or one.problem is not None for one in found),
    )


def _read(value: SentValue, asked: Asked, value_type: str) -> Read:
    match value:
        case SentStructured():
            return _structured(value, asked)
        case SentCoding():
            return _coding(value, asked)
        case SentAttachment():
            return _unread("")
        case SentText():
            return _text(value.text, asked) if value_type != NUMERIC else _numeric(value.text, asked)


def _structured(value: SentStructured, asked: Asked) -> Read:
    text = f"{value.comparator}{value.num1}{value.separator}{value.num2}"
    parts = (value.comparator, value.num1, value.separator, value.num2)
    found, is_titre = numbers.structured(*parts, asked.writing)
    if found.value is None:
        return Read(text=text, problem=found.problem, note=found.note)
    return _valued(Read(text=text), found, is_titre or (asked.titres and _whole(found)))


def _coding(value: SentCoding, asked: Asked) -> Read:
    """A coded value: the grade its codes mean; else its text, read as text would be."""
    terminology = asked.terminology
    grades = {
        grade
        for coding in value.codings
        if (grade := terminology.words.grade_codes.get((terminology.system(coding), coding.code))) is not None
    }
    named = value.original_text or next((c.display for c in value.codings if c.display), "")
    text = named or next((coding.code for coding in value.codings), "")
    if len(grades) == 1:
        return Read(grade=grades.pop(), text=text)
    if grades:
        return _unread(text)
    found = _text(named, asked) if named else _unread(text)
    if found.problem is None or found.problem is Problem.VALUE_AMBIGUOUS:
        return found
    codes = [one for coding in value.codings if (one := _code(coding.code, asked)) is not None]
    return msgspec.structs.replace(codes[0], text=text) if len(codes) == 1 else found


def _code(code: str, asked: Asked) -> Read | None:
    """A code that is itself a word of result or a titre (`1:320`); the digits of any other one are never a number."""
    found = _text(code, msgspec.structs.replace(asked, titres=False, sentences=False))
    return found if found.number is None and found.says_something else None


def _numeric(text: str, asked: Asked) -> Read:
    """An NM value. It has no components; where some come (`85^^Hexoquinasa^false`), the number counts, and the rest is
    kept as text, unless the rest may be part of the number."""
    amount, parted, rest = text.partition(COMPONENT)
    if not parted or not rest.strip(COMPONENT + " "):
        return _text(amount, asked)
    found = _text(amount, asked)
    if not rest.startswith(COMPONENT) or any(char.isdigit() for char in rest) or found.problem is not None:
        return _unread(text)
    return msgspec.structs.replace(found, text=text.strip(), rest=True)


def _text(text: str, asked: Asked) -> Read:
    stripped = text.strip()
    words = asked.terminology.words
    grade = words.grades.get(plain(stripped))
    if grade is None and stripped.endswith("."):
        grade = words.grades.get(plain(stripped.rstrip(".")))
    if grade is not None:
        return Read(grade=grade, text=stripped)
    amount, sign = numbers.signed(stripped, words.signs)
    found = _amount(Read(text=stripped, grade=words.signs.get(sign)), amount, asked)
    if found.problem is Problem.VALUE_UNREADABLE and asked.sentences:
        return _sentence(found, asked)
    return found


def _amount(frame: Read, amount: str, asked: Asked) -> Read:
    """The number or titre of a text, in the frame of its text and sign. A whole number is a titre where the code or the
    unit says so."""
    titre = numbers.titre(amount, asked.writing)
    found = titre or numbers.number(amount, asked.writing)
    if found.value is None:
        return Read(text=frame.text, problem=found.problem, note=found.note)
    return _valued(frame, found, titre is not None or (asked.titres and _whole(found)))


def _sentence(unread: Read, asked: Asked) -> Read:
    """The one titre and the one word of result that a sentence states; the text as it was where it states neither."""
    found = sentences.read(unread.text, asked.terminology.words)
    if found.contradicts:
        return Read(text=unread.text, problem=Problem.VALUE_AMBIGUOUS, note="N214")
    if found.titre is None:
        return unread
    return Read(titre=found.titre, grade=found.grade, text=unread.text)


def _valued(frame: Read, found: Number, is_titre: bool) -> Read:
    if is_titre and found.value is not None:
        return Read(titre=Titre(found.value, found.comparator), grade=frame.grade, text=frame.text)
    return Read(number=found, grade=frame.grade, text=frame.text)


def _unread(text: str) -> Read:
    return Read(text=text, problem=Problem.VALUE_UNREADABLE, note="N201")


def _whole(found: Number) -> bool:
    return found.value is not None and found.value > 0 and found.value == found.value.to_integral_value()


def below(titre: Titre | None) -> bool:
    """A titre below the screening dilution: negative at that dilution."""
    return titre is not None and titre.comparator.below


def reached(titre: Titre | None) -> bool:
    """A titre that was reached, exactly or as a minimum."""
    return titre is not None and titre.comparator in (Comparator.EQUAL, Comparator.GREATER, Comparator.GREATER_OR_EQUAL)
