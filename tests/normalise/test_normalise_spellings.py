"""One fact, every spelling of it: the same normalised result. Everything else is a problem with its note, never a number.

The spellings are those of field-quirks.md 3 and 5 and codes.md 2 and 3, written down here a second time; the grammar
at the end is theirs too, and shares nothing with the one that is tested.
"""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from panels import CK, FEED, RECEIVED, codes_of, local, normaliser, obx, one, read

from labbridge.hl7.incoming import read_reports
from labbridge.interpret.categories import category
from labbridge.model.result import Category, Hep2Class, Problem, Result
from labbridge.model.values import (
    Coding,
    Comparator,
    Grade,
    Quantity,
    SentCoding,
    SentStructured,
    SentText,
    SentValue,
    Titre,
)
from labbridge.model.work import Feed

POSTFIX = msgspec.structs.replace(FEED, postfix_comparators=True)

# ---------------------------------------------------------------- a number with its comparator

SIGNS = {
    "=": ("{}", "={}", "= {}", "＝{}", " {} ", "{}:"),
    "<": tuple("<{}|< {}|＜{}|〈{}|:<{}|<{}:|below {}|less than {}|inferior a {}".split("|")),
    "<=": ("<={}", "=<{}", "< ={}", "≤{}", "≦{}", "<= {}", ":<={}"),
    ">": (">{}", "> {}", "＞{}", "〉{}", ":>{}", ">{}:", "above {}", "Above {}", "greater than {}"),
    ">=": (">={}", "=>{}", "> ={}", "≥{}", "≧{}", ">= {}"),
}
DECLARED = {
    "<": ("{}>", "{} >", "{}＞", "{}未満", "{} 未満", "{}ミマン", "{}ﾐﾏﾝ"),
    "<=": ("L{}", "↓{}"),
    ">": ("{}<", "{} <", "{}＜", "{}超過"),
    ">=": ("U{}", "↑{}", "{}～", "{}〜", "{}以上", "{} 以上"),
}
COMPARATORS = st.sampled_from(sorted(SIGNS))
AMOUNTS = st.decimals(min_value=2, max_value=99_999, places=1).map(lambda amount: amount.quantize(Decimal("0.1")))


def seen(result: Result) -> tuple[object, ...]:
    """What a spelling must not change: value, comparator and unit, the grade, the category, the finding, the problems."""
    pattern = result.hep2.pattern if result.hep2 is not None else None
    return (result.value, result.grade, category(result), pattern, result.problems, result.limits, result.lab_negative)


def ck(text: str, unit: str = "U/L", feed: Feed = FEED) -> Result:
    return one(obx(CK, text, unit=Coding(unit), reference_range="39-190"), feed=feed)


@given(amount=AMOUNTS, comparator=COMPARATORS, data=st.data())
def test_a_number_in_every_spelling_is_the_same_ck(amount: Decimal, comparator: str, data: st.DataObject) -> None:
    spelling = data.draw(st.sampled_from(SIGNS[comparator]))
    for written in (str(amount), str(amount).replace(".", ",")):
        found = ck(spelling.format(written))
        assert found.value == Quantity(amount, "U/L", Comparator(comparator))
        assert seen(found) == seen(ck(SIGNS[comparator][0].format(amount)))


@given(amount=AMOUNTS, comparator=st.sampled_from(sorted(DECLARED)), data=st.data())
def test_a_declared_spelling_is_the_same_ck_and_undeclared_none(
    amount: Decimal, comparator: str, data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from(DECLARED[comparator])).format(amount)
    assert seen(ck(text, feed=POSTFIX)) == seen(ck(SIGNS[comparator][0].format(amount)))
    held = ck(text)
    assert not isinstance(held.value, Quantity)
    assert held.problems == (Problem.VALUE_AMBIGUOUS,)


@given(amount=AMOUNTS, comparator=COMPARATORS, code=st.sampled_from(["SRPB", "HMGCRC"]), data=st.data())
def test_a_number_in_every_spelling_is_the_same_antibody(
    amount: Decimal, comparator: str, code: str, data: st.DataObject
) -> None:
    spelling = data.draw(st.sampled_from(SIGNS[comparator]))
    plain = one(obx(local(code), SIGNS[comparator][0].format(amount)))
    assert seen(one(obx(local(code), spelling.format(amount)))) == seen(plain)
    structured = one(obx(local(code), SentStructured("" if comparator == "=" else comparator, str(amount), "", "")))
    assert seen(structured) == seen(plain)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0", Category.NEG),
        ("5.9", Category.NEG),
        ("6", Category.EQUIVOCAL),
        ("11", Category.POS_LOW),
        ("26", Category.POS_STRONG),
    ],
)
@pytest.mark.parametrize("spelling", SIGNS["="])
def test_the_category_of_a_blot_does_not_depend_on_the_spelling(number: str, expected: Category, spelling: str) -> None:
    found = one(obx(local("SRPB"), spelling.format(number)))
    assert (category(found), found.problems) == (expected, ())


# ---------------------------------------------------------------- a titre

RECIPROCALS = st.sampled_from([10, 40, 80, 100, 160, 320, 640, 1000, 1280, 2560, 3200, 4096, 10240])
SHAPES = ("1:{}", "1/{}", "1 : {}", "1: {}", "{}")
TITRE_UNITS = ("titre", "titer", "titteri", "tiitteri", "titt", "titer:x", "{titer}", "(tit_u)")


def hep2(value: str | SentValue, code: str = "ANAT", unit: str = "", feed: Feed = FEED) -> Result:
    return one(obx(local(code), value, unit=Coding(unit) if unit else None), feed=feed)


@given(reciprocal=RECIPROCALS, comparator=COMPARATORS, data=st.data())
def test_a_titre_in_every_spelling_is_the_same_titre(reciprocal: int, comparator: str, data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from(SHAPES)).format(reciprocal)
    found = hep2(data.draw(st.sampled_from(SIGNS[comparator])).format(shape))
    assert found.value == Titre(Decimal(reciprocal), Comparator(comparator))
    assert found.problems == ()
    assert found.hep2 is not None
    assert found.hep2.pattern is (Hep2Class.NEG if comparator in ("<", "<=") else Hep2Class.UNSPECIFIED)


@given(reciprocal=RECIPROCALS, comparator=COMPARATORS)
def test_a_titre_in_every_data_type_is_the_same_titre(reciprocal: int, comparator: str) -> None:
    sign = "" if comparator == "=" else comparator
    plain = hep2(f"{sign}1:{reciprocal}")
    values: list[str | SentValue] = [
        SentStructured(sign, "1", ":", str(reciprocal)),
        SentStructured(sign or "=", "1", "/", str(reciprocal)),
        SentStructured(sign, str(reciprocal), "", ""),
        SentCoding((Coding(f"STD{reciprocal}", f"{sign}1:{reciprocal}", "CDCPHINVS"),)),
        SentCoding((Coding("X", "", "L"),), f"{sign}1:{reciprocal}"),
        f"{sign}1:{reciprocal} dil",
        f"See note: {sign}1:{reciprocal}",
    ]
    for value in values:
        assert seen(hep2(value)) == seen(plain), value


@given(reciprocal=RECIPROCALS, unit=st.sampled_from(TITRE_UNITS), code=st.sampled_from(["ANAS", "ANAT"]))
def test_a_number_with_a_titre_unit_is_the_same_titre(reciprocal: int, unit: str, code: str) -> None:
    assert seen(hep2(str(reciprocal), code, unit)) == seen(hep2(f"1:{reciprocal}"))


@given(
    reciprocal=RECIPROCALS,
    sign=st.sampled_from([("(-)", Grade.NEG), ("（－）", Grade.NEG), ("(+)", Grade.EQUIVOCAL)]),
    gap=st.sampled_from(["", " "]),
)
def test_a_titre_with_a_sign_is_the_same_titre(reciprocal: int, sign: tuple[str, Grade], gap: str) -> None:
    mark, grade = sign
    below = "<" if grade is Grade.NEG else ""
    found = hep2(f"{below}{reciprocal}{gap}{mark}")
    assert (found.value, found.grade) == (hep2(f"{below}1:{reciprocal}").value, grade)


# ---------------------------------------------------------------- a grade

GRADES = {
    grade: words.split("; ")
    for grade, words in (
        (
            Grade.NEG,
            "negative; neg; négatif; negativ; not detected; non détecté; nicht nachweisbar; não reagente; 陰性; absent",
        ),
        (Grade.EQUIVOCAL, "(+); borderline; equivocal; indeterminate; inconclusive; douteux; indéterminé; grenzwertig"),
        (
            Grade.POS_LOW,
            "+; weak positive; weakly positive; low positive; positif faible; schwach positiv; debole positivo",
        ),
        (Grade.POSITIVE, "positive; pos; positif; detected; reactive; present"),
        (Grade.POS_STRONG, "++; +++; strong positive; strongly positive; fort positif; fortement positif"),
    )
}
CODES = {
    Grade.NEG: "260385009 SCT; 2667000 SCT; 260415000 SCT; LA6577-6 LN; NEG HL70078; ND HL70078; NR HL70078",
    Grade.EQUIVOCAL: "42425007 SCT; 82334004 SCT; 280416009 SCT; 419984006 SCT; IND HL70078; E HL70078",
    Grade.POS_LOW: "260408008 SCT; 441614007 SCT; WR HL70078",
    Grade.POSITIVE: "10828004 SCT; 260373001 SCT; 52101004 SCT; LA6576-8 LN; POS HL70078; DET HL70078; RR HL70078",
    Grade.POS_STRONG: "441517005 SCT",
}
OF_A_BLOT = {
    Grade.NEG: Category.NEG,
    Grade.EQUIVOCAL: Category.EQUIVOCAL,
    Grade.POS_LOW: Category.POS_LOW,
    Grade.POSITIVE: Category.POS_LOW,
    Grade.POS_STRONG: Category.POS_STRONG,
}
CASES = st.sampled_from([str, str.upper, str.title, lambda text: f" {text} ", lambda text: f"{text}."])


@given(grade=st.sampled_from(list(GRADES)), case=CASES, data=st.data())
def test_a_grade_in_every_word_is_the_same_grade(grade: Grade, case: object, data: st.DataObject) -> None:
    word = case(data.draw(st.sampled_from(GRADES[grade])))  # type: ignore[operator]
    found = one(obx(local("SRPB"), word))
    assert (found.grade, category(found), found.lab_negative) == (grade, OF_A_BLOT[grade], grade is Grade.NEG)
    assert found.problems == ()


@pytest.mark.parametrize(("grade", "coding"), [(its, one) for its, codes in CODES.items() for one in codes.split("; ")])
def test_a_grade_in_every_code_is_the_same_grade(grade: Grade, coding: str) -> None:
    code, system = coding.split()
    found = one(obx(local("SRPB"), SentCoding((Coding(code, "whatever", system),))))
    assert (found.grade, category(found), found.problems) == (grade, OF_A_BLOT[grade], ())


@given(amount=st.integers(0, 200), grade=st.sampled_from(list(GRADES)), data=st.data())
def test_a_number_and_a_grade_of_one_field_stay_both(amount: int, grade: Grade, data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(GRADES[grade]))
    line = obx(local("SRPB"), "x")
    for order in ((str(amount), word), (word, str(amount))):
        found = one(msgspec.structs.replace(line, values=tuple(SentText(text) for text in order)))
        assert (found.value, found.grade) == (Quantity(Decimal(amount), ""), grade)


# ---------------------------------------------------------------- CK in every unit and character set

PER_UNIT = {
    "1": ("U/L", "u/l", "U/l", "UI/L", "IU/L", "iu/l", "[IU]/L", "mU/mL", "u/l37°c", "U/L{37Cel}"),
    "1000": ("kU/L", "ku/l"),
    "60": ("ukat/L", "ukat/l", "µkat/L", "µkat/l", "μkat/L", "μkat/l", "mckat/L", "\\Z03BC\\kat/L"),
    "0.06": ("nkat/L", "nkat/l"),
}
UNITS = st.sampled_from([(Decimal(factor), unit) for factor, units in PER_UNIT.items() for unit in units])
ACTIVITIES = st.decimals(min_value=Decimal("0.1"), max_value=900, places=2)


@given(amount=ACTIVITIES, unit=UNITS, comparator=COMPARATORS)
def test_ck_in_every_unit_is_the_same_activity(amount: Decimal, unit: tuple[Decimal, str], comparator: str) -> None:
    factor, spelling = unit
    found = ck(SIGNS[comparator][0].format(amount), spelling)
    assert found.value == Quantity(amount * factor, "U/L", Comparator(comparator))
    assert found.problems == ()


CHARSETS = {
    "utf-8": "UNICODE UTF-8",
    "iso8859_1": "8859/1",
    "iso8859_15": "8859/15",
    "iso8859_7": "8859/7",
    "cp1250": "WINDOWS-1250",
    "cp1252": "WINDOWS-1252",
    "gb18030": "GB 18030-2000",
    "euc_kr": "KS X 1001",
    "big5": "BIG-5",
    "ascii": "ASCII",
}
WIRE = (
    "MSH|^~\\&|MYOLIS|LABA|BRIDGE|HOSP|20261112120000||ORU^R01|M1|P|2.5.1||||||{charset}\r"
    "PID|1||PT1^^^LABA^MR||DOE^JANE||19710205|F\rOBR|1|P1|F1|CK^CK^L|||20261109080000||||||||||||||||||F\r"
    "OBX|1|NM|2157-6^Creatine kinase^LN||{value}|{unit}|||||F\r"
)


def over_the_wire(codec: str, unit: str, value: str = "95", read_as: str = "") -> Result | None:
    """The CK of a message in this character set; None where it cannot be written in it."""
    text = WIRE.format(charset=CHARSETS[codec], value=value, unit=unit)
    try:
        raw = text.encode(codec)
    except UnicodeEncodeError:
        return None
    feed = Feed(name="lis", charset=read_as)
    (report,) = read_reports(raw, feed, RECEIVED)
    found, _notes = normaliser()(report, feed, RECEIVED, "M1")
    return found.results[0]


@pytest.mark.parametrize("unit", [*PER_UNIT["60"], "µkat/L^microkatal per liter^UCUM"])
@pytest.mark.parametrize("codec", CHARSETS)
def test_ck_in_every_character_set_is_the_same_activity(codec: str, unit: str) -> None:
    found = over_the_wire(codec, unit)
    if found is None:
        assert not unit.isascii()
        assert codec != "utf-8"
        return
    assert (found.value, found.problems) == (Quantity(Decimal(5700), "U/L"), ())


def test_every_character_set_but_ascii_writes_one_of_the_two_micro_signs() -> None:
    able = {codec for codec in CHARSETS for unit in ("µkat/L", "μkat/L") if over_the_wire(codec, unit) is not None}
    assert able == set(CHARSETS) - {"ascii"}


@pytest.mark.parametrize("wrong", ["8859/2", "8859/5"])
def test_a_micro_sign_read_in_the_wrong_character_set_is_an_unknown_unit(wrong: str) -> None:
    """Byte B5 is another letter there (reliability.md F10): held, never converted."""
    found = over_the_wire("iso8859_1", "µkat/L", read_as=wrong)
    assert found is not None
    assert found.problems == (Problem.UNIT_UNKNOWN,)


@settings(max_examples=60)
@given(amount=AMOUNTS, comparator=COMPARATORS, data=st.data())
def test_spellings_survive_the_wire(amount: Decimal, comparator: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SIGNS[comparator])).format(amount)
    found = over_the_wire("utf-8", "U/L", text)
    assert found is not None
    assert (found.value, found.problems) == (Quantity(amount, "U/L", Comparator(comparator)), ())


# ---------------------------------------------------------------- everything else

_SIGN = "(?:[<＜〈>＞〉][ ]*[=＝]|[=＝][ ]*[<＜〈>＞〉]|[<＜〈>＞〉=＝≤≦≥≧])"
_WORDED_BEFORE = "(?:above|below|greater than|less than|inferior a)"
_DIGITS = "(?P<number>-?[0-9]{1,15}(?:[.,][0-9]{1,10})?)"
ACCEPTED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?::*[ ]*{_SIGN}[ ]*)?{_DIGITS}[ ]*:*",
        rf"(?::*[ ]*{_WORDED_BEFORE}[ ]*){_DIGITS}[ ]*:*",
    )
)
ALPHABET = "0123456789.,<>=≤≥＜＞〈〉≦≧:-+ eE_xNa１٣५∞^()~/%以上未満超過ミマン↑UL～"


def accepted(text: str) -> bool:
    """Whether a text is a number by the pages, with the dot as the declared mark."""
    stripped = text.strip()
    found = next((one for pattern in ACCEPTED if (one := pattern.fullmatch(stripped)) is not None), None)
    if found is None:
        return False
    number = found["number"]
    if re.fullmatch("-?[0-9]+,[0-9]{3}", number):
        return False  # `1,234` may be grouped
    return not (stripped.endswith(":") and number == "1")  # `1:` may be what is left of a titre


@settings(max_examples=1500)
@given(st.text(alphabet=ALPHABET, max_size=9))
@example("100<")
@example("1e5")
@example("１２")
@example("1:320")
@example("5以上")
@example("85^^x")
@example("320 (+)")
def test_a_text_is_a_number_where_the_pages_say_so_and_nowhere_else(text: str) -> None:
    assume(not re.search(r"[0-9][ 　]*(?:\(-\)|\(\+\)|[ ]\+{1,3}|[ ]-)$", text.strip()))  # number and sign: above
    found, notes = read(obx(CK, text, unit=Coding("U/L"), reference_range="39-190"))
    (result,) = found.results
    if accepted(text):
        assert isinstance(result.value, Quantity)
        assert result.value.number.is_finite()
    elif text:
        assert not isinstance(result.value, Quantity)
        assert set(result.problems) & {Problem.VALUE_UNREADABLE, Problem.VALUE_AMBIGUOUS}
        assert codes_of(notes) & {"N201", "N202", "N216"}


SPOILERS = (
    "_",
    "e",
    "E5",
    "x",
    "１",
    "٣",
    "²",
    "∞",
    "\u200b1",
    " 7",
    "'",
    "^9",
    "±",
    "%",
    "..",
    ",,",
    "~",
    "/",
    "a",
    "−",
)


@given(amount=AMOUNTS, comparator=COMPARATORS, spoiler=st.sampled_from(SPOILERS), data=st.data())
def test_one_wrong_character_makes_a_number_none(
    amount: Decimal, comparator: str, spoiler: str, data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from(SIGNS[comparator])).format(amount)
    place = data.draw(st.integers(0, len(text)))
    spoiled = text[:place] + spoiler + text[place:]
    assume(not accepted(spoiled))
    found = ck(spoiled)
    assert not isinstance(found.value, Quantity)
    assert found.problems
