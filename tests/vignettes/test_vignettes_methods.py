"""What the vignettes taught: `Myositis blot` in OBX-17 is the kind of blot that the sender's own code names, so that its
bands hold; a kind that OBX-17 names itself, or that our own code names, is not unsaid by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from vignette_hl7 import messages
from vignette_parts import Case, cases, readers

from labbridge.hl7 import incoming
from labbridge.model.result import Result
from labbridge.model.work import Feed

FEED = Feed(name="viglab", timezone="Europe/Paris")
NOW = datetime(2025, 6, 1, tzinfo=UTC)
SAID = b"|^Myositis blot^L|"


@pytest.fixture
def read() -> Callable[..., Result]:
    """V-S11's anti-SRP, 12 on a blot, with another OBX-17 or OBX-3."""
    case: Case = next(case for case in cases() if case["id"] == "V-S11")
    raw = next(one for one in messages(case, "P1") if b"SRPB" in one)

    def result(method: bytes, code: bytes = b"SRPB^Anti-SRP (line blot)^L^") -> Result:
        assert SAID in raw
        sent = raw.replace(SAID, method).replace(b"SRPB^Anti-SRP (line blot)^L^", code)
        (report,) = incoming.read_reports(sent, FEED, NOW)
        (found,) = readers().normalise(report, FEED, NOW, "M1")[0].results
        return found

    return result


@pytest.mark.parametrize(
    ("said", "method"),
    [
        (SAID, "line_blot"),
        (b"|^Blot^L|", "line_blot"),
        (b"|^Immunoblot^L|", "line_blot"),
        (b"||", "line_blot"),
        (b"|^Dot blot^L|", "dot_blot"),
        (b"|^ELISA^L|", "elisa"),
        (b"|immunoblot^Myositis blot^LABBRIDGE|", "immunoblot"),
    ],
)
def test_a_blot_is_the_kind_that_is_named_nearest_to_the_result(
    read: Callable[..., Result], said: bytes, method: str
) -> None:
    found = read(said)
    assert found.method is not None
    assert found.method.code == method
    assert (found.limits is None) is (method in ("immunoblot", "elisa"))


def test_a_code_that_names_another_family_leaves_the_blot_a_blot(read: Callable[..., Result]) -> None:
    found = read(SAID, b"SRPE^Anti-SRP IgG^L^")
    assert found.method is not None
    assert (found.method.code, found.limits) == ("immunoblot", None)


def test_a_public_code_does_not_say_which_blot(read: Callable[..., Result]) -> None:
    found = read(SAID, b"")
    assert found.method is not None
    assert (found.method.code, found.limits) == ("immunoblot", None)
