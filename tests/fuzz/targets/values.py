"""Numbers, titres, units and ranges against the grammar as it is written down; nothing else becomes a number."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from labbridge import sources
from labbridge.knowledge.build import Knowledge
from labbridge.model.report import Observation
from labbridge.model.values import Coding as Code
from labbridge.model.values import SentCoding, SentStructured, SentText
from labbridge.normalise import numbers, ranges, values
from labbridge.normalise.comparisons import Writing
from tests.fuzz.target import Target, must, parts, text

SIGNS = {
    "": "=", "=": "=", "<": "<", "<=": "<=", "=<": "<=", ">": ">", ">=": ">=", "=>": ">=",
    "≤": "<=", "≦": "<=", "≥": ">=", "≧": ">=",
}  # fmt: skip
WIDE = {"＜": "<", "〈": "<", "＞": ">", "〉": ">", "＝": "="}
_SIGN = "[" + "".join({*"<>=", *SIGNS, *WIDE} - {""} - {one for one in SIGNS if len(one) > 1}) + r"\s]*"
_NUMBER = re.compile(
    rf"(?P<colons>:*)(?P<sign>{_SIGN})(?P<number>-?[0-9]{{1,15}}(?:[.,][0-9]{{1,10}})?)(?P<tail>(?:\s*:)*)\s*"
)
_TITRE = re.compile(rf"(?P<colons>:*)(?P<sign>{_SIGN})1\s*[:/]\s*(?P<reciprocal>[0-9]{{1,7}})(?P<tail>\s*:*)")
_DIGITS = re.compile(r"-?[0-9]+(?:[.,][0-9]+)?")


@lru_cache
def knowledge() -> Knowledge:
    return sources.load()


def check(data: bytes) -> None:
    kind, first, second = parts(data, 3)
    sent, other = text(first), text(second)
    for mark in ".,":
        _number(sent, mark)
    _titre(sent)
    _range(sent, other)
    for typed in ("NM", "ST", "SN", "CWE"):
        _read(sent, typed, titres=kind[:1] == b"t")
    _unit(sent, other)


def _sign(found: re.Match[str]) -> str | None:
    """The comparator of the table; None for one that it has not, or colons with nothing behind them."""
    plain = "".join(WIDE.get(one, one) for one in found["sign"] if not one.isspace())
    if found["colons"] and not found["sign"].strip():
        return None
    return SIGNS.get(plain)


def _number(sent: str, mark: str) -> None:
    read = numbers.number(sent, Writing(decimal_mark=mark))
    found = _NUMBER.fullmatch(sent.strip())
    wanted = _sign(found) if found is not None else None
    if found is not None and found["tail"].strip() and found["number"] == "1":
        wanted = None  # what is left of a titre
    if found is None or wanted is None:
        must(read.value is None, "what the grammar has not is read as a number")
        return
    whole, _mark, fraction = found["number"].replace(",", ".").partition(".")
    grouped = len(fraction) == 3 and mark not in found["number"]
    if grouped:
        must(read.value is None and read.problem == "value_ambiguous", "a mark that may group thousands is read")
        return
    must(read.value == Decimal(f"{whole}.{fraction or 0}"), "a number is read as another, or not at all")
    must(read.comparator == wanted, "a number is read with another comparator")
    must(read.value is not None and read.value.is_finite(), "a number that is none")


def _titre(sent: str) -> None:
    read = numbers.titre(sent)
    found = _TITRE.fullmatch(sent.strip())
    wanted = _sign(found) if found is not None and int(found["reciprocal"]) else None
    if wanted is None or found is None:
        must(read is None or read.value is None, "what the grammar has not is read as a titre")
        return
    must(read is not None and read.value == int(found["reciprocal"]), "a titre is read as another, or not at all")
    must(read is not None and read.comparator == wanted, "a titre is read with another comparator")


def _range(sent: str, unit: str) -> None:
    for titres in (False, True):
        read = ranges.reference(sent, unit, knowledge().terminology.words, titres=titres).interval
        if read is None:
            continue
        stated = {Decimal(one.replace(",", ".")) for one in _DIGITS.findall(sent)}
        stated |= {abs(one) for one in stated}  # 5-9: the hyphen is no sign
        limits = {read.low, read.high} - {None}
        must(limits and limits <= stated, "a range has a limit that was not sent")
        must(read.low is None or read.high is None or read.low <= read.high, "a range that is upside down")
    plain = re.fullmatch(r"(\d{1,9}(?:\.\d{1,2})?) ?- ?(\d{1,9}(?:\.\d{1,2})?)", sent, re.ASCII)
    if plain and not unit and Decimal(plain[1]) <= Decimal(plain[2]):
        read = ranges.reference(sent, "", knowledge().terminology.words).interval
        must(
            read is not None and (read.low, read.high) == (Decimal(plain[1]), Decimal(plain[2])), "a range is not read"
        )


def _read(sent: str, typed: str, *, titres: bool) -> None:
    components = (*sent.split("^"), "", "", "", "")[:4]
    value = {"SN": SentStructured(*components), "CWE": SentCoding((Code("", sent, "L"),))}.get(typed, SentText(sent))
    terminology = knowledge().terminology
    asked = values.Asked(terminology, Writing(words=terminology.words.comparators), titres, sentences=titres)
    read = values.read(Observation(at="OBX[1]", codes=(), value_type=typed, values=(value,)), asked)
    amount = read.number.value if read.number else read.titre.reciprocal if read.titre else None
    if amount is None:
        return
    must(amount.is_finite(), "a number that is none")
    stated = {Decimal(one.replace(",", ".")) for one in re.findall(r"[0-9]+(?:[.,][0-9]+)?", sent)}
    stated |= {Decimal(one) for one in re.findall("[0-9]+", sent)} if titres else set()
    must(abs(amount) in stated, "a number is read that was not sent")
    said = sent.partition("^")[0] if read.rest else sent  # what stands behind it is told apart
    around = re.sub(r"[0-9.,]", "", said) if typed != "SN" else ""
    if titres:  # a titre may stand in a sentence, which may say anything else
        return
    must(not any(one.isdecimal() for one in around), "digits of another script stand in what was read")
    must("_" not in said or typed == "SN", "an underscore stands in what was read")


def _unit(spelling: str, analyte: str) -> None:
    """A unit has a row where the table lists it, and nowhere else."""
    row = knowledge().terminology.unit(analyte, spelling)
    if row is not None:
        bare = re.sub(r"\{[^{}]*\}", "", spelling)
        listed = {one for name, one in knowledge().terminology.units if name == analyte}
        must(listed & {spelling, bare}, "a unit that no table lists is known")


TARGET = Target(
    name="values",
    check=check,
    product=(
        "labbridge.normalise.numbers", "labbridge.normalise.comparisons", "labbridge.normalise.ranges",
        "labbridge.normalise.values", "labbridge.normalise.sentences",
    ),
    longest=160,
)  # fmt: skip
