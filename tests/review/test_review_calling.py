"""Calls of critical findings: what is told of what, and when it has to be told again."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from review_build import NOON, case, flag, outcome

from labbridge.errors import Refused
from labbridge.model.outcome import Flag, Outcome, Severity
from labbridge.model.review import Call, Remark
from labbridge.review import calling


def extreme(*evidence: str) -> Flag:
    return msgspec.structs.replace(flag("CK_EXTREME", Severity.CRITICAL, "CK"), evidence=evidence or ("M7:OBX[1]",))


def found(*flags: Flag) -> Outcome:
    return msgspec.structs.replace(outcome(flags=flags), newest=NOON)


def call(version: int = 1, **more: object) -> Call:
    made = Call(case=1, version=version, person="anna", name="Anna", at=NOON, told="Dr Test")
    return msgspec.structs.replace(made, **more)


CRITICAL = case(said=found(extreme(), flag()))


def test_only_what_is_critical_is_told() -> None:
    assert calling.critical(CRITICAL.outcome) == {("CK_EXTREME", "CK", ("M7:OBX[1]",))}
    assert calling.critical(found(flag(), flag(severity=Severity.MINOR))) == frozenset()
    assert calling.told(case(said=found(flag())), (), {})
    assert not calling.told(CRITICAL, (), {})
    with pytest.raises(Refused, match="record the telephone call before you sign"):
        calling.check_told(CRITICAL, (), {})


@pytest.mark.parametrize(
    ("earlier", "version", "told"),
    [
        (CRITICAL.outcome, 1, True),  # of this version
        (found(extreme()), 7, True),  # of another one with the same critical result, whatever else it found
        (found(extreme("M9:OBX[1]")), 7, False),  # of another result
        (found(extreme(), extreme("M9:OBX[1]")), 7, False),
        (found(flag()), 7, False),
    ],
)
def test_a_call_tells_of_the_critical_results_it_was_about(earlier: Outcome, version: int, told: bool) -> None:
    assert calling.told(CRITICAL, (call(version),), {version: earlier}) is told


def test_a_call_about_a_version_that_is_not_known_tells_nothing() -> None:
    assert not calling.told(CRITICAL, (call(7),), {})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (call(2), "is at version 1 now, not 2"),
        (call(at=NOON + timedelta(hours=2)), "yet to come"),
        (call(at=NOON - timedelta(microseconds=1)), "before the newest result"),
        (call(told=""), "Say who was told"),
        (call(told="x" * 201), "at most 200"),
        (call(note="a\x00"), "at most 500"),
    ],
)
def test_a_call_that_cannot_have_been_is_refused(asked: Call, said: str) -> None:
    with pytest.raises(Refused, match=said):
        calling.check_call(CRITICAL, asked, NOON + timedelta(hours=1))


def test_a_call_at_the_very_moment_is_kept_as_one_line() -> None:
    kept = calling.check_call(CRITICAL, call(told=" Dr  Test\n", note=" at\tonce "), NOON)
    assert (kept.told, kept.note) == ("Dr Test", "at once")


def test_without_a_critical_finding_there_is_no_call() -> None:
    with pytest.raises(Refused, match="no critical finding"):
        calling.check_call(case(said=found(flag())), call(), NOON)


@pytest.mark.parametrize(
    ("text", "kept"),
    [(" a \r\n\r\nb ", "a\n\nb"), ("a\rb", "a\nb"), ("x" * 1000, "x" * 1000), ("é ß 漢", "é ß 漢")],
)
def test_a_remark_keeps_its_lines(text: str, kept: str) -> None:
    asked = Remark(case=1, person="anna", name="Anna", at=NOON, text=text)
    assert calling.check_remark(asked).text == kept


@pytest.mark.parametrize("text", ["", " \n ", "x" * 1001, "a\x07", "a\u2028b", "a\u200bb"])
def test_a_remark_of_nothing_or_of_signs_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="A note has 1 to 1000"):
        calling.check_remark(Remark(case=1, person="anna", name="Anna", at=NOON, text=text))
