"""The scopes of programs: SMART's grammar, what a scope allows, and what is left of a request."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from labbridge.fhir import scopes
from labbridge.fhir.scopes import LETTERS, NoScope

KINDS = ("*", "Observation", "DiagnosticReport", "Patient")
EVERY_LETTERS = ["".join(one) for count in range(1, 6) for one in combinations(LETTERS, count)]
A_SCOPE = some.builds("system/{}.{}".format, some.sampled_from(KINDS), some.sampled_from(EVERY_LETTERS))
SCOPES = some.frozensets(A_SCOPE, max_size=5)


def allowed(found: AbstractSet[str]) -> set[tuple[str, str]]:
    """All that scopes allow, one by one; Media stands for the types that none of them names."""
    return {(kind, letter) for kind in (*KINDS[1:], "Media") for letter in LETTERS if scopes.may(found, kind, letter)}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("system/Observation.rs", "system/Observation.rs"),
        ("system/*.cruds", "system/*.cruds"),
        ("system/Observation.read", "system/Observation.rs"),
        ("system/Observation.write", "system/Observation.cud"),
        ("system/Observation.*", "system/Observation.cruds"),
        ("system/*.*", "system/*.cruds"),
        ("system/Patient.s", "system/Patient.s"),
    ],
)
def test_a_scope_of_either_version_is_written_as_the_second_has_it(text: str, written: str) -> None:
    assert scopes.read_scope(text) == written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("system/Observation.", "letters of cruds in this order"),
        ("system/Observation.sr", "letters of cruds in this order"),
        ("system/Observation.rrs", "letters of cruds in this order"),
        ("system/Observation.READ", "letters of cruds in this order"),
        ("system/Observation", "letters of cruds in this order"),
        ("system/observation.rs", "Write system/, a type or"),
        ("system/.rs", "Write system/, a type or"),
        ("system/**.rs", "Write system/, a type or"),
        ("system/Obs\u0435rvation.rs", "Write system/, a type or"),
        ("system/Observation.rs\n", "Write system/, a type or"),
        ("patient/Observation.rs", "of a person who signs in"),
        ("user/Observation.rs", "of a person who signs in"),
        ("openid", "Write system/, a type or"),
        ("", "Write system/, a type or"),
        ("system/Observation.rs?code=1", "not narrowed by search parameters"),
    ],
)
def test_what_is_no_scope_is_refused_with_what_would_be_one(text: str, said: str) -> None:
    with pytest.raises(NoScope, match=said):
        scopes.read_scope(text)


def test_scopes_come_with_spaces_between_and_one_that_is_none_refuses_all() -> None:
    found = scopes.read_scopes("system/Observation.rs  system/Patient.read system/Observation.c")
    assert found == {"system/Observation.crs", "system/Patient.rs"}
    for text in ("", "  ", "system/Observation.rs launch"):
        with pytest.raises(NoScope):
            scopes.read_scopes(text)


def test_a_scope_allows_its_letters_on_its_type_alone() -> None:
    held = frozenset({"system/Observation.rs", "system/Patient.c"})
    assert allowed(held) == {("Observation", "r"), ("Observation", "s"), ("Patient", "c")}
    assert scopes.may_any(held, "cu")
    assert not scopes.may_any(held, "ud")
    assert not scopes.may(held, "Observations", "r")
    assert not scopes.may(held, "*", "r")


def test_every_type_is_allowed_by_a_star() -> None:
    assert scopes.may({"system/*.r"}, "AuditEvent", "r")
    assert not scopes.may({"system/*.r"}, "AuditEvent", "s")


def test_words_that_are_no_scope_of_smart_allow_nothing() -> None:
    assert not allowed({"ingest", "metrics", "user/Observation.rs", "system/Observation", "system/.rs"})


def test_a_program_that_sends_writes_everything_and_reads_nothing() -> None:
    assert allowed(scopes.EVERYTHING_SENT) == {
        (kind, letter) for kind in ("Observation", "DiagnosticReport", "Patient", "Media") for letter in "cu"
    }


@given(SCOPES, SCOPES)
def test_what_is_left_of_a_request_is_what_both_allow(requested: frozenset[str], held: frozenset[str]) -> None:
    left = scopes.narrowed(requested, held)
    assert allowed(left) == allowed(requested) & allowed(held)
    assert left == scopes.narrowed(held, requested) == scopes.narrowed(left, held)


@given(SCOPES)
def test_scopes_together_allow_what_they_did_apart_and_are_read_again_as_they_stand(held: frozenset[str]) -> None:
    one = scopes.together(held)
    assert allowed(one) == allowed(held)
    assert not one or scopes.read_scopes(" ".join(sorted(one))) == one
