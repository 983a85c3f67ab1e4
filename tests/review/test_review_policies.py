"""What the state of a case allows a person to do."""

from __future__ import annotations

import pytest
from review_build import NOON, case, flag, outcome

from labbridge.errors import Refused
from labbridge.review import policies
from labbridge.states import CaseState


@pytest.mark.parametrize(("text", "expected"), [("C12@3", (12, 3)), (" C1@1 ", (1, 1)), ("C900@21", (900, 21))])
def test_a_case_is_named_with_the_version_that_was_read(text: str, expected: tuple[int, int]) -> None:
    assert policies.parse_shown(text) == expected


@pytest.mark.parametrize("text", ["", "12", "M12@1", "C0@1", "C1@0", "C1@", "C1@x", "c1@1", "C1@1;C2@1", "C-1@1"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not a case"):
        policies.parse_shown(text)


def test_a_case_without_version_is_refused_with_the_repair() -> None:
    with pytest.raises(Refused, match="Say which version of C12 was read, for example C12@1"):
        policies.parse_shown("C12")


def test_a_new_case_with_a_comment_may_be_released() -> None:
    policies.check_release(case(), 1, "Alex Smith")
    policies.check_release(case(state=CaseState.REOPENED, posted=True), 1, "Alex Smith")


def test_another_version_than_the_one_read_is_refused() -> None:
    with pytest.raises(Refused, match="is at version 1 now, not 2"):
        policies.check_release(case(), 2, "Alex Smith")


def test_a_held_case_is_refused_and_says_for_what() -> None:
    with pytest.raises(Refused, match="on hold for SRP"):
        policies.check_release(case(state=CaseState.HELD, said=outcome(hold=True)), 1, "Alex Smith")


@pytest.mark.parametrize("state", [CaseState.SIGNED, CaseState.CLOSED])
def test_a_signed_case_is_not_released_twice(state: CaseState) -> None:
    with pytest.raises(Refused, match="there is nothing to release"):
        policies.check_release(case(state=state), 1, "Alex Smith")


def test_a_case_without_comment_has_nothing_to_release() -> None:
    with pytest.raises(Refused, match="has no comment"):
        policies.check_release(case(said=outcome(text="")), 1, "Alex Smith")


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 81, "\x0b"])
def test_a_signature_needs_a_printable_name(name: str) -> None:
    with pytest.raises(Refused, match="needs a name"):
        policies.check_release(case(), 1, name)


def test_what_is_remembered_of_a_released_comment() -> None:
    shown = outcome(flags=(flag(), flag("CK_MISSING", analyte="CK"), flag("X", analyte="")))
    posted = policies.posted(case(said=shown), NOON)
    assert (posted.comment_class, posted.text, posted.posted) == ("C01", "A text.", NOON)
    assert posted.used == ("M7:OBX[3]",)
    assert posted.analytes == ("CK", "SRP")
    assert policies.sent_text(case()) == "A text."
