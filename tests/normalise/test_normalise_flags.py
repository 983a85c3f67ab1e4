"""Flag fields as senders fill them (field-quirks 5.7): listed codes mean something, everything else is a note."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panels import ck, codes_of, knowledge, local, obx, one, read

from labbridge.hl7.incoming import read_reports
from labbridge.model.result import Problem
from labbridge.model.values import Coding, Comparator, Grade, Quantity, SentStructured, Titre, Word
from labbridge.model.work import Feed
from labbridge.normalise import flags, values
from labbridge.normalise.flags import Flags
from labbridge.normalise.numbers import Number
from labbridge.normalise.values import Read

OFF_HIGH = Coding(">", "Above absolute high-off instrument scale")
OFF_LOW = Coding("<", "Below absolute low-off instrument scale")


def coded(*texts: str) -> tuple[Coding, ...]:
    return tuple(Coding(text) for text in texts)


def of(*codings: Coding, texts: tuple[str, ...] = ()) -> Flags:
    return flags.read(codings, texts, knowledge().terminology)


def marks(found: Flags) -> set[str]:
    return set(found.notes)


# ---------------------------------------------------------------- which codes mean something


@pytest.mark.parametrize(
    ("codings", "grade"),
    [
        (coded("A"), Grade.POSITIVE),
        (coded("AA"), Grade.POSITIVE),
        (coded("H"), Grade.POSITIVE),
        (coded("N"), Grade.NEG),
        (coded("NEG"), Grade.NEG),
        (coded("WR"), Grade.POS_LOW),
        ((Coding("POS", "Positive", "HL70078"), Coding("10828004", "Positive", "SCT")), Grade.POSITIVE),
        ((Coding("A", "A", "HL7nnnn"), Coding("B", "B", "")), Grade.POSITIVE),
        (coded("A", "L"), Grade.POSITIVE),
        (coded("L"), None),
        (coded("HU"), None),
        ((), None),
    ],
)
def test_listed_flags(codings: tuple[Coding, ...], grade: Grade | None) -> None:
    found = of(*codings)
    assert found.grade is grade
    assert found.notes == ()


@pytest.mark.parametrize(
    "codings",
    [
        coded("002", "029"),
        coded("NONE"),
        coded("false"),
        coded("S", "R"),
        coded("UP"),
        coded("AbnormalFlag1"),
        coded("a"),
        coded("QCF"),
        coded("H>"),
        (Coding("", "High"),),
        (Coding("1", "", "UCUM"),),
        (Coding("10828004", "Positive", "L"),),
    ],
)
def test_everything_else_is_a_note_and_no_grade(codings: tuple[Coding, ...]) -> None:
    found = of(*codings)
    assert (found.grade, found.scale, marks(found)) == (None, frozenset(), {"N209"})
    assert found.notes == ("N209",)


def test_a_listed_flag_beside_an_unlisted_one_keeps_its_meaning() -> None:
    found = of(*coded("A", "002"))
    assert (found.grade, marks(found)) == (Grade.POSITIVE, {"N209"})


@pytest.mark.parametrize("codings", [coded("A", "N"), coded("POS", "NEG"), coded("NEG", "H", "A")])
def test_flags_that_say_both_say_nothing(codings: tuple[Coding, ...]) -> None:
    found = of(*codings)
    assert (found.grade, marks(found)) == (None, {"N210"})


def test_instrument_alarms_are_a_note_on_any_result() -> None:
    found, notes = read(ck("22.9780865", flags=coded("NONE")))
    assert found.results[0].value == Quantity(Decimal("22.9780865"), "U/L")
    assert found.results[0].problems == ()
    assert "N209" in codes_of(notes)
    alarm, notes = read(ck("-0.0191002265", flags=coded("002", "029")))
    assert alarm.results[0].problems == (Problem.VALUE_IMPLAUSIBLE,)
    assert "N209" in codes_of(notes)


@pytest.mark.parametrize(("flag", "negative"), [("N", True), ("A", False), ("H", False), ("L", None), ("002", None)])
def test_the_laboratorys_verdict_by_its_flag(flag: str, negative: bool | None) -> None:
    found = one(obx(local("HMGCRC"), "15", flags=coded(flag)))
    assert found.lab_negative is negative


def test_flags_on_hep2_lines_are_noted_too() -> None:
    _found, notes = read(obx(local("ANAS"), "Negative", flags=coded("S", "R")))
    assert "N209" in codes_of(notes)


def test_the_flag_is_never_the_result() -> None:
    """`See Note` with an abnormal flag: codes.md 2.2, never read positive or negative from the flag alone."""
    found, notes = read(obx(local("ANAS"), "See Note", flags=coded("A")))
    assert found.results[0].problems == (Problem.VALUE_UNREADABLE,)
    assert found.results[0].hep2 is None
    assert "N201" in codes_of(notes)


# ---------------------------------------------------------------- off the scale


@pytest.mark.parametrize(
    ("value", "flag", "comparator"),
    [
        ("2000", OFF_HIGH, Comparator.GREATER),
        (">2000", OFF_HIGH, Comparator.GREATER),
        (">=2000", OFF_HIGH, Comparator.GREATER_OR_EQUAL),
        ("7", OFF_LOW, Comparator.LESS),
        ("<7", OFF_LOW, Comparator.LESS),
    ],
)
def test_a_number_off_the_scale_is_a_minimum_or_a_maximum(value: str, flag: Coding, comparator: Comparator) -> None:
    found, notes = read(ck(value, flags=(flag,)))
    (result,) = found.results
    assert isinstance(result.value, Quantity)
    assert (result.value.comparator, result.problems) == (comparator, ())
    assert ("N211" in codes_of(notes)) is value.isdigit()


@pytest.mark.parametrize(("value", "codings"), [("<7", (OFF_HIGH,)), (">9", (OFF_LOW,)), ("9", (OFF_LOW, OFF_HIGH))])
def test_a_scale_that_contradicts_the_value_is_a_doubt(value: str, codings: tuple[Coding, ...]) -> None:
    found, notes = read(ck(value, flags=codings))
    assert found.results[0].problems == (Problem.VALUE_AMBIGUOUS,)
    assert "N214" in codes_of(notes)


def test_a_titre_off_the_scale() -> None:
    found = one(obx(local("ANAT"), "1:2560", flags=(OFF_HIGH,)))
    assert found.value == Titre(Decimal(2560), Comparator.GREATER)


def test_a_value_that_was_not_read_is_no_number_by_its_flag() -> None:
    found, notes = read(ck("NOVALUE", flags=(OFF_HIGH,)))
    assert found.results[0].problems == (Problem.VALUE_UNREADABLE,)
    assert "N211" not in codes_of(notes)


# ---------------------------------------------------------------- a titre in the text of a flag (OBX-8.9)


@pytest.mark.parametrize(
    ("texts", "titre"),
    [
        (("1:640",), Titre(Decimal(640))),
        (("<1:10",), Titre(Decimal(10), Comparator.LESS)),
        (("1:640", "1:640"), Titre(Decimal(640))),
        (("1:640", "1:320"), None),
        (("s/co ratio",), None),
        ((), None),
    ],
)
def test_the_titre_of_the_flags_texts(texts: tuple[str, ...], titre: Titre | None) -> None:
    assert of(texts=texts).titre == titre


def applied(read: Read, titre: Titre) -> tuple[Read, list[str]]:
    found, notes = flags.applied(read, Flags(titre=titre), "OBX[1]")
    return found, [one.code for one in notes]


T640, T320 = Titre(Decimal(640)), Titre(Decimal(320))


def test_a_titre_in_a_flag_that_the_value_repeats_adds_nothing() -> None:
    assert applied(Read(titre=T640, text="1:640"), T640) == (Read(titre=T640, text="1:640"), [])


def test_a_titre_in_a_flag_completes_a_word() -> None:
    found, notes = applied(Read(grade=Grade.POSITIVE, text="Positive"), T640)
    assert (found.titre, found.grade, notes) == (T640, Grade.POSITIVE, ["N215"])


@pytest.mark.parametrize("value", [Read(titre=T320, text="1:320"), Read(grade=Grade.NEG, text="Negative")])
def test_a_titre_in_a_flag_that_contradicts_the_value_is_a_doubt(value: Read) -> None:
    found, notes = applied(value, T640)
    assert (found.problem, found.note, found.titre, notes) == (Problem.VALUE_AMBIGUOUS, "N214", None, [])


def test_a_screening_dilution_in_the_flag_of_a_negative_completes_it() -> None:
    below = Titre(Decimal(10), Comparator.LESS)
    assert applied(Read(grade=Grade.NEG, text="Negative"), below)[0].titre == below


@pytest.mark.parametrize("value", [values.NOTHING, Read(number=Number(Decimal(14)), text="14")])
def test_a_titre_in_a_flag_alone_is_a_note_and_no_value(value: Read) -> None:
    assert applied(value, T640) == (value, ["N215"])


# ---------------------------------------------------------------- the whole way from the wire

MSH = "MSH|^~\\&|MYOLIS|LABA|BRIDGE|HOSP|20261112120000||ORU^R01|M1|P|2.5.1\r"
PID = "PID|1||PT1^^^LABA^MR||DOE^JANE||19710205|F\r"
OBR = "OBR|1|P1|F1|ANA^ANA^L|||20261109080000||||||||||||||||||F\r"
FLAG = "POS^Positive^HL70078^10828004^Positive^SCT^2.7^09012017^{text}^^^^^2.16.840.1.113883.12.78"


def over_the_wire(line: str) -> tuple[object, set[str]]:
    from panels import RECEIVED, normaliser

    feed = Feed(name="lis")
    (report,) = read_reports((MSH + PID + OBR + line).encode(), feed, RECEIVED)
    found, notes = normaliser()(report, feed, RECEIVED, "M1")
    return found.results[0], codes_of(notes)


def test_the_titre_hidden_in_obx_8_9() -> None:
    """A line of the CDC: the titre as SN, and again as the original text of the flag."""
    flag = FLAG.format(text="1:640")
    line = f"OBX|1|SN|ANAT^ANA titre^L|1|=^1^:^640|{{titer}}^Titer^UCUM^^^^2.1|<10 = Negative|{flag}|||F\r"
    result, notes = over_the_wire(line)
    assert result.value == T640  # type: ignore[attr-defined]
    assert result.problems == ()  # type: ignore[attr-defined]
    assert notes & {"N209", "N212", "N214", "N215"} == set()


def test_another_titre_hidden_in_obx_8_9_holds() -> None:
    flag = FLAG.format(text="1:320")
    result, notes = over_the_wire(f"OBX|1|SN|ANAT^ANA titre^L|1|=^1^:^640|||{flag}|||F\r")
    assert Problem.VALUE_AMBIGUOUS in result.problems  # type: ignore[attr-defined]
    assert "N214" in notes


def test_the_text_of_a_flag_on_an_antibody_with_a_word() -> None:
    result, notes = over_the_wire(f"OBX|1|ST|SRPB^SRP^L|1|Positive|||{FLAG.format(text='s/co ratio')}|||F\r")
    assert result.value == Word(Grade.POSITIVE, "Positive")  # type: ignore[attr-defined]
    assert notes & {"N209", "N215"} == set()


def test_a_structured_value_keeps_its_comparator_beside_a_listed_flag() -> None:
    found = one(ck(SentStructured("<", "7", "", ""), flags=coded("L")))
    assert found.value == Quantity(Decimal(7), "U/L", Comparator.LESS)
    assert msgspec.structs.asdict(found)["problems"] == ()


# ---------------------------------------------------------------- remembered


@given(st.lists(st.tuples(st.lists(st.sampled_from(["A", "N", "H", ">", "XX", "POS"]), max_size=3), st.booleans())))
def test_flags_that_were_read_before_are_read_the_same(asked: list[tuple[list[str], bool]]) -> None:
    terminology = knowledge().terminology
    remembering = flags.AbnormalFlags(terminology)
    for codes, titled in asked:
        texts = ("Titre 1:320",) if titled else ()
        found = remembering.of(obx(local("SRPB"), "14", flags=coded(*codes), flag_texts=texts))
        assert found == flags.read(coded(*codes), texts, terminology)


def test_what_is_remembered_of_flags_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flags, "MOST_CACHED", 2)
    remembering = flags.AbnormalFlags(knowledge().terminology)
    for code in ("A", "N", "H", "L", "POS"):
        remembering.of(obx(local("SRPB"), "14", flags=coded(code)))
        assert len(remembering._seen) <= 2
