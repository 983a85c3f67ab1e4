"""What a sender put into a result field, and what it means once normalised.

The two families never mix: a *Sent* value is source-free text exactly as it stood in the field (escapes decoded,
nothing interpreted); `Quantity`, `Titre` and `Word` are what `normalise/` made of it.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec


class Missing(StrEnum):
    """Why there is no value. Neither is zero, and neither is a negative result."""

    ABSENT = "absent"  # the field was not sent, or sent empty: no information
    NULL = "null"  # HL7 `""`: the sender deletes what it said before


class Coding(msgspec.Struct, frozen=True, cache_hash=True):
    """One code as sent. `system` is the sender's own spelling (`LN`, `LOINC`, an OID, empty when none was given)."""

    code: str
    display: str = ""
    system: str = ""


class SentText(msgspec.Struct, frozen=True, tag="text"):
    """A value of ST, TX, FT, NM, DT, TM, DTM, IS or an unknown type: its text, escapes decoded, not read further."""

    text: str


class SentStructured(msgspec.Struct, frozen=True, tag="structured"):
    """An SN value: comparator, first number, separator or suffix, second number; each exactly as sent, or empty."""

    comparator: str
    num1: str
    separator: str
    num2: str


class SentCoding(msgspec.Struct, frozen=True, tag="coding"):
    """A CE, CWE or CNE value: up to three codings, and the original text (component 9) if sent."""

    codings: tuple[Coding, ...]
    original_text: str = ""


class SentAttachment(msgspec.Struct, frozen=True, tag="attachment"):
    """An ED or RP value. Its content stays in the raw message; only the type and the length in bytes are kept."""

    value_type: str
    length_bytes: int


SentValue = SentText | SentStructured | SentCoding | SentAttachment


class Comparator(StrEnum):
    """How a number stands to the true value; `EQUAL` when none was sent."""

    EQUAL = "="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="

    @property
    def below(self) -> bool:
        """True for `<` and `<=`: the true value lies at or below the number."""
        return self in (Comparator.LESS, Comparator.LESS_OR_EQUAL)

    @property
    def above(self) -> bool:
        """True for `>` and `>=`: the true value lies at or above the number."""
        return self in (Comparator.GREATER, Comparator.GREATER_OR_EQUAL)


class Quantity(msgspec.Struct, frozen=True, tag="quantity"):
    """A number with its unit: canonical UCUM (`U/L`), or an arbitrary scale's id that is compared with nothing else.

    `unit` is empty for a count without one. The comparator of the sender is kept: `<7` never becomes 7.
    """

    number: Decimal
    unit: str
    comparator: Comparator = Comparator.EQUAL


class Titre(msgspec.Struct, frozen=True, tag="titre"):
    """The reciprocal of the last positive dilution (1:320 is 320). With `<`: the screening dilution of a negative."""

    reciprocal: Decimal
    comparator: Comparator = Comparator.EQUAL


class Grade(StrEnum):
    """A result given in words or plus signs (clinical.md C2, "Text only"). POSITIVE is a bare "positive"."""

    NEG = "NEG"
    EQUIVOCAL = "EQUIVOCAL"
    POS_LOW = "POS_LOW"
    POSITIVE = "POSITIVE"
    POS_STRONG = "POS_STRONG"


class Word(msgspec.Struct, frozen=True, tag="word"):
    """A result in words: the grade it means, and the words as the performing laboratory reported them."""

    grade: Grade
    text: str


Value = Quantity | Titre | Word
