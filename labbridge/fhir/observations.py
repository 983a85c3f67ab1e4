"""One Observation, or one component of it, as the laboratory's result line that it is (v2-to-FHIR, read backwards)."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

import msgspec

from labbridge.fhir.resources import UNSENT, CodeableConcept, Quantity, Range, Ratio, ReferenceRange, Valued
from labbridge.model.report import Observation
from labbridge.model.values import Coding, Missing, SentAttachment, SentCoding, SentStructured, SentText, SentValue

LOCAL = "L"
NORMAL = "normal"  # referencerange-meaning
_EXCLUDED = re.compile(r"\(?\s*([<>])\s*([0-9]{1,15}(?:\.[0-9]{1,10})?)(?![0-9.,:/])")


NO_SYSTEMS: frozenset[str] = frozenset()


def codings(concept: CodeableConcept | None, local: frozenset[str] = NO_SYSTEMS) -> tuple[Coding, ...]:
    """The codings of a concept; its text as a coding without a code where it has none. `local`: the systems that are the
    laboratory's own codes."""
    return _codings(concept, local) if concept is not None else ()


@lru_cache(maxsize=8192)  # a laboratory sends the same few hundred concepts all day
def _codings(concept: CodeableConcept, local: frozenset[str]) -> tuple[Coding, ...]:
    found = tuple(
        Coding(one.code, one.display, LOCAL if one.system in local else one.system)
        for one in concept.coding
        if one.code or one.display
    )
    if not found:
        return (Coding("", concept.text),) if concept.text.strip() else ()
    if concept.text and not any(one.display for one in found):
        found = (msgspec.structs.replace(found[0], display=concept.text), *found[1:])
    return found


def line(part: Valued, at: str, local: frozenset[str]) -> Observation:
    """What an Observation and its components say alike; the rest is the Observation's (incoming.py)."""
    values, kind, unit = _value(part, local)
    return Observation(
        at=at,
        codes=codings(part.code, local),
        value_type=kind,
        values=values,
        missing=None if values else Missing.ABSENT,
        unit=unit,
        reference_range=_range(part.reference_range, unit),
        flags=tuple(coding for one in part.interpretation for coding in codings(one)),
        flag_texts=tuple(one.text for one in part.interpretation if one.text),
    )


def _value(part: Valued, local: frozenset[str]) -> tuple[tuple[SentValue, ...], str, Coding | None]:
    """The value as sent, the HL7 v2 type it would have come in, and its unit."""
    if part.value_quantity is not None:
        return _quantity(part.value_quantity)
    if part.value_ratio is not None:
        return _ratio(part.value_ratio)
    if part.value_range is not None:
        return _interval(part.value_range)
    if part.value_codeable_concept is not None:
        concept = part.value_codeable_concept
        found = SentCoding(codings(concept, local), concept.text)
        return ((found,), "CWE", None) if found.codings else ((), "CWE", None)
    if part.value_integer is not UNSENT:
        return (SentText(digits(part.value_integer)),), "NM", None
    return _text(part)


def _text(part: Valued) -> tuple[tuple[SentValue, ...], str, Coding | None]:
    if part.value_string is not None:
        return ((SentText(part.value_string),) if part.value_string.strip() else ()), "ST", None
    if part.value_boolean is not None:
        return (SentText("Y" if part.value_boolean else "N"),), "ID", None  # table 0136 (v2-to-FHIR)
    if part.value_sampled_data is not UNSENT:
        return (SentAttachment("SampledData", len(bytes(part.value_sampled_data))),), "ED", None
    period = part.value_period
    written = part.value_date_time or part.value_time or (f"{period.start}/{period.end}" if period else "")
    return ((SentText(written),) if written else ()), "ST", None


def _quantity(value: Quantity) -> tuple[tuple[SentValue, ...], str, Coding | None]:
    unit = unit_of(value)
    if value.value is UNSENT:
        return (), "NM", unit
    number = digits(value.value)
    if value.comparator:
        return (SentStructured(value.comparator, number, "", ""),), "SN", unit
    return (SentText(number),), "NM", unit


def _ratio(value: Ratio) -> tuple[tuple[SentValue, ...], str, Coding | None]:
    """1:320 is a titre; with a comparator on either side, which must not differ, it is the ratio's."""
    above, below = value.numerator or Quantity(), value.denominator or Quantity()
    if above.value is UNSENT or below.value is UNSENT:
        return (), "SN", None
    comparators = {one.comparator for one in (above, below) if one.comparator}
    if len(comparators) > 1:
        text = f"{above.comparator}{digits(above.value)}:{below.comparator}{digits(below.value)}"
        return (SentText(text),), "ST", None
    return (SentStructured("".join(comparators), digits(above.value), ":", digits(below.value)),), "SN", None


def _interval(value: Range) -> tuple[tuple[SentValue, ...], str, Coding | None]:
    low, high = value.low or Quantity(), value.high or Quantity()
    unit = unit_of(low) or unit_of(high)
    if low.value is not UNSENT and high.value is not UNSENT:
        return (SentStructured("", digits(low.value), "-", digits(high.value)),), "SN", unit
    if low.value is not UNSENT:
        return (SentStructured(">=", digits(low.value), "", ""),), "SN", unit
    if high.value is not UNSENT:
        return (SentStructured("<=", digits(high.value), "", ""),), "SN", unit
    return (), "SN", unit


def unit_of(value: Quantity) -> Coding | None:
    """The unit: its code, else its text."""
    if not value.code and not value.unit:
        return None
    return Coding(value.code or value.unit, value.unit or value.code, value.system)


def digits(raw: msgspec.Raw) -> str:
    """A number in the sender's own digits; written out where it came with an exponent."""
    text = bytes(raw).decode("ascii")
    return f"{Decimal(text):f}" if "e" in text or "E" in text else text


def _range(ranges: tuple[ReferenceRange, ...], unit: Coding | None) -> str:
    """The laboratory's limits as text. Of several ranges the normal one counts; which of two is normal is not guessed."""
    normal = [one for one in ranges if not one.type.coding or any(c.code == NORMAL for c in one.type.coding)]
    if len(normal) != 1:
        return ""
    low, high = normal[0].low or Quantity(), normal[0].high or Quantity()
    bounds = [one for one in (low, high) if one.value is not UNSENT]
    if not bounds:
        return normal[0].text
    other = next((one for bound in bounds if (one := unit_of(bound)) is not None and not _same(one, unit)), None)
    behind = f" {other.code}" if other is not None else ""
    if low.value is UNSENT or high.value is UNSENT:
        sign, bound = ("<=", high) if low.value is UNSENT else (">=", low)
        if _excludes(normal[0].text, sign[0], bound.value):
            sign = sign[0]
        return f"{sign}{digits(bound.value)}{behind}"
    return f"{digits(low.value)}-{digits(high.value)}{behind}"


def _excludes(text: str, sign: str, bound: msgspec.Raw) -> bool:
    """Whether the text beside a limit says that the limit itself lies outside (`<20`): the element cannot (R4: it has no
    comparator, and is included), and a result that reaches the cut-off is positive."""
    found = _EXCLUDED.match(text.strip())
    return found is not None and found[1] == sign and Decimal(found[2]) == Decimal(digits(bound))


def _same(one: Coding, other: Coding | None) -> bool:
    return other is not None and bool({one.code, one.display} & {other.code, other.display})


def concept_text(concept: CodeableConcept | None) -> str:
    """What a person would read of a concept."""
    if concept is None:
        return ""
    named = next((one.display or one.code for one in concept.coding if one.display or one.code), "")
    return concept.text or named
