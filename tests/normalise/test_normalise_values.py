"""Every shape of a value seen in the field (field-quirks 3 and 5): read as what it is, or a problem with its note."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from panels import FEED, UL, ck, codes_of, knowledge, local, obx, one, read

from labbridge.model.report import Observation
from labbridge.model.result import Problem, Status
from labbridge.model.values import (
    Coding,
    Comparator,
    Grade,
    Missing,
    Quantity,
    SentAttachment,
    SentCoding,
    SentStructured,
    SentText,
    SentValue,
    Titre,
    Word,
)
from labbridge.normalise import values
from labbridge.normalise.comparisons import writing
from labbridge.normalise.values import Asked

TITRE_UNIT = Coding("{titer}", "Titer", "UCUM")
IU = Coding("IU/mL")


def titre(reciprocal: int, comparator: str = "=") -> Titre:
    return Titre(Decimal(reciprocal), Comparator(comparator))


def repeated(*texts: str, codes: tuple[Coding, ...] = (), **more: Any) -> Observation:
    line = obx(codes or local("SRPB"), "x", **more)
    return msgspec.structs.replace(line, values=tuple(SentText(text) for text in texts))


# ---------------------------------------------------------------- titres


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SentStructured("", "1", ":", "320"), titre(320)),
        (SentStructured("=", "1", ":", "640"), titre(640)),
        (SentStructured("<", "1", "/", "80"), titre(80, "<")),
        (SentStructured(">=", "1", ":", "1280"), titre(1280, ">=")),
        (SentStructured("", "320", "", ""), titre(320)),
        ("1:640", titre(640)),
        (">1:1024", titre(1024, ">")),
        ("<1:64", titre(64, "<")),
        ("1/320", titre(320)),
        ("1 : 80", titre(80)),
        ("320", titre(320)),
        ("<40", titre(40, "<")),
        (">=1280", titre(1280, ">=")),
        (SentCoding((Coding("STD4096", "1:4096", "CDCPHINVS"),)), titre(4096)),
        (SentCoding((), "1:320"), titre(320)),
        (SentCoding((Coding("T320", "", "L"), Coding("1:320", "", "L"))), titre(320)),
    ],
)
@pytest.mark.parametrize("value_type", ["SN", "NM", "ST", "CWE", ""])
def test_titres_in_every_shape(value: str | SentValue, expected: Titre, value_type: str) -> None:
    found = one(obx(local("ANAT"), value, value_type=value_type))
    assert (found.value, found.problems) == (expected, ())


@pytest.mark.parametrize(
    ("value", "expected", "grade"),
    [
        ("320 (+)", titre(320), Grade.EQUIVOCAL),
        ("<40(-)", titre(40, "<"), Grade.NEG),
        ("1:80 (+)", titre(80), Grade.EQUIVOCAL),
        ("320（＋）", titre(320), Grade.EQUIVOCAL),
        ("160 ++", titre(160), Grade.POS_STRONG),
    ],
)
def test_a_titre_and_a_sign_in_one_field(value: str, expected: Titre, grade: Grade) -> None:
    found = one(obx(local("ANAT"), value))
    assert (found.value, found.grade, found.problems) == (expected, grade, ())


@pytest.mark.parametrize("spelling", ["titre", "titer", "titteri", "tiitteri", "titt", "titer:x", "{titer}", "(tit_u)"])
@pytest.mark.parametrize("code", ["ANAS", "ANAT"])
def test_a_number_with_a_titre_unit_is_a_titre_under_any_code_of_the_slide(code: str, spelling: str) -> None:
    found = one(obx(local(code), "320", unit=Coding(spelling)))
    assert (found.value, found.problems) == (titre(320), ())


@pytest.mark.parametrize(
    ("code", "value", "unit", "note"),
    [
        ("ANAT", "1280", IU, "N213"),
        ("ANAT", "1280", Coding("U/mL"), "N213"),
        ("ANAT", "320.5", None, "N213"),
        ("ANAT", "276.8", TITRE_UNIT, "N213"),
        ("ANAT", "0", None, "N213"),
        ("ANAT", "Jan-80", None, "N201"),
        ("ANAT", "1:80:00", None, "N201"),
        ("ANAT", "1:80 and 1:160", None, "N201"),
        ("ANAT", "1e3", None, "N201"),
        ("ANAT", "１：８０", None, "N201"),
    ],
)
def test_what_stands_for_a_titre_and_is_none_holds(code: str, value: str, unit: Coding | None, note: str) -> None:
    found, notes = read(obx(local(code), value, unit=unit), obx(local("ANAP"), "AC-19", at="OBX[2]"))
    (result,) = found.results
    assert result.problems == (Problem.VALUE_UNREADABLE,)
    assert not isinstance(result.value, Titre)
    assert note in codes_of(notes)


def test_a_number_without_unit_under_the_screens_code_is_not_taken_for_a_titre() -> None:
    found, notes = read(obx(local("ANAS"), "320"))
    assert found.results[0].problems == (Problem.VALUE_UNREADABLE,)
    assert "N201" in codes_of(notes)


def test_an_explicit_titre_is_one_whatever_its_unit() -> None:
    assert one(obx(local("ANAT"), "1:640", unit=IU)).value == titre(640)


def test_a_titre_that_cannot_be_read_beside_a_negative_screen_is_a_note() -> None:
    found, notes = read(obx(local("ANAS"), "Negative"), obx(local("ANAT"), "276.8", at="OBX[2]"))
    (result,) = found.results
    assert result.problems == ()
    assert result.hep2 is not None
    assert result.hep2.pattern.value == "NEG"
    assert "N213" in codes_of(notes)


def test_a_titre_is_no_ck() -> None:
    assert one(ck("1:320")).problems == (Problem.VALUE_UNREADABLE,)
    assert one(ck("320", unit=TITRE_UNIT)).problems == (Problem.UNIT_UNKNOWN,)


# ---------------------------------------------------------------- numbers with something beside them


@pytest.mark.parametrize("value", ["85^^Hexoquinasa^false", "85^^Hexoquinasa", " 85 ^^CK-NAC"])
def test_a_method_in_the_wake_of_a_number_is_kept_as_text(value: str) -> None:
    found, notes = read(ck(value, value_type="NM"))
    (result,) = found.results
    assert (result.value, result.problems) == (Quantity(Decimal(85), "U/L"), ())
    assert result.value_text == value.strip()
    assert "N208" in codes_of(notes)


@pytest.mark.parametrize("value", ["85^", "85^^^", "85^ ^"])
def test_empty_components_after_a_number_are_nothing(value: str) -> None:
    found, notes = read(ck(value, value_type="NM"))
    assert found.results[0].value == Quantity(Decimal(85), "U/L")
    assert "N208" not in codes_of(notes)


@pytest.mark.parametrize(
    ("value", "value_type"),
    [
        ("10^3", "NM"),
        ("85^Hexoquinasa", "NM"),
        ("85^^Method 2^false", "NM"),
        ("1.001^1.035^", "NM"),
        ("^85", "NM"),
        ("x^^Hexoquinasa", "NM"),
        ("85^^Hexoquinasa^false", "ST"),
    ],
)
def test_components_that_may_belong_to_the_number_leave_it_unread(value: str, value_type: str) -> None:
    found, notes = read(ck(value, value_type=value_type))
    assert found.results[0].problems == (Problem.VALUE_UNREADABLE,)
    assert "N201" in codes_of(notes)


@pytest.mark.parametrize(
    ("value", "grade"), [("10.3 -", Grade.NEG), ("14 (+)", Grade.EQUIVOCAL), ("14 ++", Grade.POS_STRONG)]
)
def test_a_number_and_a_sign_in_one_field(value: str, grade: Grade) -> None:
    found = one(obx(local("SRPB"), value))
    assert isinstance(found.value, Quantity)
    assert (found.value.number, found.grade) == (Decimal(value.split()[0]), grade)


@pytest.mark.parametrize("value", ["10-", "10+", "10 (?)", "10 (++)", "10 *", "10 H", "10 U/L"])
def test_anything_else_beside_a_number_leaves_it_unread(value: str) -> None:
    assert one(obx(local("SRPB"), value)).problems == (Problem.VALUE_UNREADABLE,)


# ---------------------------------------------------------------- what is no number


@pytest.mark.parametrize(
    "value",
    [
        *(
            "NOVALUE",
            "Hello",
            "0 .07",
            "1_0",
            "1e5",
            "1E999",
            "NaN",
            "inf",
            "Infinity",
            "∞",
            "٣",
            "１２",
            "五",
            "½",
            "1²",
        ),
        *("12.", ".5", "1.2.3", "1 000", "1'000", "0x1F", "12,5,0", "--5", "5±1", "5 to 9", "5-9", "~5", "about 5"),
        *("pending", "cancelled", "Test not done", "see below", "DNR", "*****", "-", "?", "TNP", "hemolyzed"),
    ],
)
def test_a_ck_that_is_no_number(value: str) -> None:
    found, notes = read(ck(value, value_type="NM"))
    (result,) = found.results
    assert (result.value, result.problems) == (Missing.ABSENT, (Problem.VALUE_UNREADABLE,))
    assert "N201" in codes_of(notes)


@pytest.mark.parametrize(
    "texts", [("60", "120"), ("37.0", "37.1"), ("100", "200", "300"), ("14", "1:320"), ("14", "1,234")]
)
def test_repetitions_that_say_different_things_are_not_read(texts: tuple[str, ...]) -> None:
    found = one(repeated(*texts))
    assert found.problems[0] in (Problem.VALUE_UNREADABLE, Problem.VALUE_AMBIGUOUS)
    assert not isinstance(found.value, Quantity)


@pytest.mark.parametrize("texts", [("14", "14"), ("14", ""), ("", "14"), ("14", " ")])
def test_repetitions_that_say_the_same_or_nothing(texts: tuple[str, ...]) -> None:
    found, notes = read(repeated(*texts))
    assert found.results[0].value == Quantity(Decimal(14), "")
    assert "N208" not in codes_of(notes)


def test_a_remark_repeated_after_a_number_is_kept_as_text_with_a_note() -> None:
    found, notes = read(repeated("14", "Recommend repeat."))
    (result,) = found.results
    assert result.value == Quantity(Decimal(14), "")
    assert result.value_text == "14; Recommend repeat."
    assert "N208" in codes_of(notes)


@pytest.mark.parametrize("texts", [("positive", "1:320"), ("1:320", "positive"), ("1:320", "1:320", "positive")])
def test_repetitions_complete_each_other(texts: tuple[str, ...]) -> None:
    asked = Asked(knowledge().terminology, writing(FEED, knowledge().terminology.words))
    found = values.read(repeated(*texts), asked)
    assert (found.number, found.titre, found.grade) == (None, titre(320), Grade.POSITIVE)
    assert (found.problem, found.rest) == (None, False)


def test_blank_repetitions_are_no_value() -> None:
    assert one(repeated(" ", "")).problems == (Problem.VALUE_UNREADABLE,)


def test_a_number_that_cannot_be_read_is_not_hidden_by_the_grade_beside_it() -> None:
    """A line of a test's number that is unreadable holds, though its grade came on another line."""
    from labbridge.knowledge.terminology import CodeRow

    rows = {"SRPQ": "quantity", "SRPG": "grade"}
    terminology = knowledge().terminology
    table = terminology.codes["myolis"]
    more = {
        code: (CodeRow(table="myolis", code=code, analyte="SRP", role=role, method="line_blot"),)
        for code, role in rows.items()
    }
    changed = msgspec.structs.replace(terminology, codes={**terminology.codes, "myolis": {**table, **more}})
    from panels import RECEIVED, report

    from labbridge.normalise import Normaliser

    normaliser = Normaliser(msgspec.structs.replace(knowledge(), terminology=changed))
    lines = [obx(local("SRPQ"), "FOO"), obx(local("SRPG"), "Positive", at="OBX[2]")]
    found, notes = normaliser(report(*lines), FEED, RECEIVED, "M1")
    (result,) = found.results
    assert result.problems == (Problem.VALUE_UNREADABLE,)
    assert result.grade is Grade.POSITIVE
    assert "N201" in codes_of(notes)


def test_an_attachment_is_no_value() -> None:
    found, notes = read(obx(local("SRPB"), SentAttachment("ED", 12_000)))
    assert found.results[0].problems == (Problem.VALUE_UNREADABLE,)
    assert "N201" in codes_of(notes)


# ---------------------------------------------------------------- absence has many forms, none of them a negative


@pytest.mark.parametrize(
    ("line", "value", "status", "problems"),
    [
        (ck(""), Missing.ABSENT, Status.FINAL, ()),
        (obx(local("SRPB"), Missing.NULL), Missing.NULL, Status.FINAL, ()),
        (ck("0"), Quantity(Decimal(0), "U/L"), Status.FINAL, ()),
        (obx(local("SRPB"), "Negative"), Word(Grade.NEG, "Negative"), Status.FINAL, ()),
        (obx(local("SRPB"), "", status="X"), Missing.ABSENT, Status.CANCELLED, ()),
        (obx(local("SRPB"), "", status="I"), Missing.ABSENT, Status.PENDING, ()),
        (obx(local("SRPB"), "pending"), Missing.ABSENT, Status.FINAL, (Problem.VALUE_UNREADABLE,)),
        (obx(local("SRPB"), '""'), Missing.ABSENT, Status.FINAL, (Problem.VALUE_UNREADABLE,)),
        (ck("-3"), Quantity(Decimal(-3), "U/L"), Status.FINAL, (Problem.VALUE_IMPLAUSIBLE,)),
    ],
)
def test_absent_null_zero_negative_cancelled_and_pending_stay_apart(
    line: Observation, value: object, status: Status, problems: tuple[Problem, ...]
) -> None:
    found = one(line)
    assert (found.value, found.status, found.problems) == (value, status, problems)


@pytest.mark.parametrize(
    "coding", [Coding("320", "", "L"), Coding("26", "see report", "L"), Coding("LA6577", "x", "L")]
)
@pytest.mark.parametrize("code", ["ANAT", "SRPB"])
def test_the_digits_of_a_code_are_never_a_number(code: str, coding: Coding) -> None:
    found = one(obx(local(code), SentCoding((coding,))))
    assert not isinstance(found.value, Quantity | Titre)
    assert Problem.VALUE_UNREADABLE in found.problems


def test_a_number_written_as_the_text_of_a_code_is_one() -> None:
    assert one(obx(local("SRPB"), SentCoding((Coding("X1", "14", "L"),)))).value == Quantity(Decimal(14), "")


@pytest.mark.parametrize("code", ["373121007", "125154007", "385660001"])
def test_a_test_that_was_not_done_is_no_negative(code: str) -> None:
    found = one(obx(local("SRPB"), SentCoding((Coding(code, "Test not done", "SCT"),))))
    assert (found.grade, found.problems) == (None, (Problem.VALUE_UNREADABLE,))


# ---------------------------------------------------------------- locale decimals


@pytest.mark.parametrize(
    ("value", "mark", "number"),
    [
        ("12,5", ".", "12.5"),
        ("12,5", ",", "12.5"),
        ("1,234", ",", "1.234"),
        ("1.234", ".", "1.234"),
        ("1,234", ".", None),
        ("1.234", ",", None),
        ("<1,234", ".", None),
        ("1.234,5", ",", None),
        ("1,234.5", ".", None),
    ],
)
def test_a_mark_counts_by_the_feeds_declaration(value: str, mark: str, number: str | None) -> None:
    found, notes = read(ck(value), feed=msgspec.structs.replace(FEED, decimal_mark=mark))
    (result,) = found.results
    if number is not None:
        assert result.value == Quantity(Decimal(number), "U/L")
        assert result.problems == ()
    else:
        assert result.problems[0] in (Problem.VALUE_AMBIGUOUS, Problem.VALUE_UNREADABLE)
        assert codes_of(notes) & {"N201", "N202"}


# ---------------------------------------------------------------- units


@pytest.mark.parametrize(
    ("unit", "number"),
    [
        ("mckat/L", "60"),
        ("\\Z03BC\\kat/L", "60"),
        ("µkat/L", "60"),
        ("μkat/L", "60"),
        ("U/L{37Cel}", "1"),
        ("{CK}U/L", "1"),
        ("ukat{tot}/L", "60"),
        ("nkat/L", "0.06"),
    ],
)
def test_spellings_and_annotations_of_units(unit: str, number: str) -> None:
    found = one(ck("1", unit=Coding(unit)))
    assert (found.value, found.problems) == (Quantity(Decimal(number), "U/L"), ())
    assert found.unit_text == unit


@pytest.mark.parametrize(
    "unit", ["ľkat/L", "Ákat/L", "?kat/L", "\ufffdkat/L", "mkat/L", "U/L}", "{U/L}", "U/L {x", "kat/L", "E/l"]
)
def test_any_other_spelling_is_unknown(unit: str) -> None:
    assert one(ck("1", unit=Coding(unit))).problems == (Problem.UNIT_UNKNOWN,)


@pytest.mark.parametrize("unit", ["ng/mL{CK}", "{CK-MB}ug/L"])
def test_the_mass_of_ck_is_no_activity_though_annotated(unit: str) -> None:
    assert one(ck("1", unit=Coding(unit))).problems == (Problem.UNIT_UNKNOWN,)


@pytest.mark.parametrize("unit", [UL, Coding("U/L", "Units per liter", "UCUM"), Coding("", "U/L", "L")])
def test_a_unit_is_its_code_else_its_text(unit: Coding) -> None:
    assert one(ck("312", unit=unit)).value == Quantity(Decimal(312), "U/L")


# ---------------------------------------------------------------- reading alone


def test_what_is_asked_decides_what_a_bare_number_is() -> None:
    terminology = knowledge().terminology
    asked = Asked(terminology, writing(FEED, terminology.words))
    line = obx(local("ANAT"), "320")
    assert values.read(line, asked).number is not None
    assert values.read(line, msgspec.structs.replace(asked, titres=True)).titre == titre(320)
    assert values.read(obx(local("ANAT"), "see 1:320"), asked).problem is Problem.VALUE_UNREADABLE
    assert values.read(obx(local("ANAT"), "see 1:320"), msgspec.structs.replace(asked, sentences=True)).titre == titre(
        320
    )


def test_nothing_sent_is_nothing_read() -> None:
    terminology = knowledge().terminology
    asked = Asked(terminology, writing(FEED, terminology.words))
    assert values.read(obx(local("ANAT"), ""), asked) == values.NOTHING
    assert not values.NOTHING.says_something
