"""What the flags of a result say (OBX-8): only listed codes mean anything (codes.md 2.2, field-quirks 5.7)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from labbridge.knowledge.terminology import Terminology
from labbridge.model.report import Observation, PlacedNote
from labbridge.model.result import Problem
from labbridge.model.values import Coding, Comparator, Grade, Titre
from labbridge.normalise import sentences
from labbridge.normalise.numbers import Number
from labbridge.normalise.values import Read, reached
from labbridge.notes import note


class Flags(msgspec.Struct, frozen=True):
    """The flags of one observation. `grade`: positive or negative, None where they say neither or both. `scale`: the
    number is off the instrument's scale, and this is how it stands to it. `titre`: one in the text of a flag (OBX-8.9).
    `notes`: the codes of the notes that tell what was odd."""

    grade: Grade | None = None
    scale: frozenset[Comparator] = frozenset()
    titre: Titre | None = None
    notes: tuple[str, ...] = ()


Sent = tuple[tuple[Coding, ...], tuple[str, ...]]
MOST_CACHED = 20_000  # distinct flag fields; beyond it the cache starts over


class AbnormalFlags:
    """Reads flags by the terminology; remembers what it has read: a laboratory sends the same few all day."""

    def __init__(self, terminology: Terminology) -> None:
        self._terminology = terminology
        self._seen: dict[Sent, Flags] = {}

    def of(self, observation: Observation) -> Flags:
        """As `read` reads them."""
        sent = (observation.flags, observation.flag_texts)
        found = self._seen.get(sent)
        if found is None:
            if len(self._seen) >= MOST_CACHED:
                self._seen.clear()
            found = self._seen[sent] = read(*sent, self._terminology)
        return found


def read(flags: Iterable[Coding], texts: Iterable[str], terminology: Terminology) -> Flags:
    """Flags with their original texts; what is not listed is a note, and so is a contradiction."""
    words = terminology.words
    grades: list[Grade] = []
    scale: set[Comparator] = set()
    codes: set[str] = set()
    for coding in flags:
        grade = _grade(coding, terminology)
        if grade is not None:
            grades.append(grade)
        elif (off := words.comparators.get("flag", {}).get(coding.code)) is not None:
            scale.add(off)
        elif coding.code not in words.marks:
            codes.add("N209")
    if len({grade is Grade.NEG for grade in grades}) > 1:
        grades.clear()
        codes.add("N210")
    return Flags(
        grade=grades[0] if grades else None,
        scale=frozenset(scale),
        titre=_titre(texts, terminology),
        notes=tuple(sorted(codes)),
    )


def _grade(coding: Coding, terminology: Terminology) -> Grade | None:
    words = terminology.words
    return words.flags.get(coding.code) or words.grade_codes.get((terminology.system(coding), coding.code))


def _titre(texts: Iterable[str], terminology: Terminology) -> Titre | None:
    found = {one for text in texts if (one := sentences.titre(text, terminology.words)) is not None}
    return found.pop() if len(found) == 1 else None


def applied(read: Read, flags: Flags, at: str) -> tuple[Read, tuple[PlacedNote, ...]]:
    """A value with what its flags add: a number off the scale is a minimum or a maximum (codes.md 2.2), a titre in a
    flag's text completes a word. Flags that contradict the value make it ambiguous; nothing is taken where no value
    was read."""
    if flags.titre is None and not flags.scale:
        return read, ()
    titled, notes = _with_titre(read, flags, at)
    scaled, more = _off_scale(titled, flags, at)
    return scaled, (*notes, *more)


def _off_scale(read: Read, flags: Flags, at: str) -> tuple[Read, tuple[PlacedNote, ...]]:
    value = read.number or read.titre
    if not flags.scale or value is None:
        return read, ()
    (scale,) = flags.scale if len(flags.scale) == 1 else (Comparator.EQUAL,)
    same = (scale.below and value.comparator.below) or (scale.above and value.comparator.above)
    if same:
        return read, ()
    if scale is Comparator.EQUAL or value.comparator is not Comparator.EQUAL:
        return Read(text=read.text, problem=Problem.VALUE_AMBIGUOUS, note="N214"), ()
    return _compared(read, scale), (note("N211", f"{at}-8"),)


def _compared(read: Read, comparator: Comparator) -> Read:
    if isinstance(read.number, Number):
        return msgspec.structs.replace(read, number=msgspec.structs.replace(read.number, comparator=comparator))
    assert read.titre is not None
    return msgspec.structs.replace(read, titre=Titre(read.titre.reciprocal, comparator))


def _with_titre(read: Read, flags: Flags, at: str) -> tuple[Read, tuple[PlacedNote, ...]]:
    if flags.titre is None or read.titre == flags.titre:
        return read, ()
    contradicts = read.titre is not None or (read.grade is Grade.NEG and reached(flags.titre))
    if contradicts:
        return Read(text=read.text, problem=Problem.VALUE_AMBIGUOUS, note="N214"), ()
    if read.grade is None or read.number is not None:
        return read, (note("N215", f"{at}-8"),)
    return msgspec.structs.replace(read, titre=flags.titre), (note("N215", f"{at}-8"),)
