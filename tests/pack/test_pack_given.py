"""What a case file may hold, as values of JSON, and in one line."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec
import pytest
import yaml

from labbridge.pack.given import MOST, brief, given


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("58", "58"),
        (58, 58),
        (0.5, 0.5),
        (True, True),
        (None, None),
        ([1, [2, {"a": None}]], [1, [2, {"a": None}]]),
        ({"a": {"b": "c"}}, {"a": {"b": "c"}}),
        (date(2026, 2, 6), "2026-02-06"),
        (datetime(2026, 2, 6, 10, 30), "2026-02-06 10:30:00"),
        ({3: "x", None: "y", True: "z"}, {"3": "x", "None": "y", "True": "z"}),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (2**63 - 1, 2**63 - 1),
        (2**63, str(2**63)),
        (-(2**80), str(-(2**80))),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (b"\x00\xff", "b'\\x00\\xff'"),
        ("<script>", "<script>"),
        ("\x00\x1b\u202e", "\x00\x1b\u202e"),
    ],
)
def test_each_value_is_one_that_json_has(value: object, told: object) -> None:
    found = given({"id": value})
    assert found == {"id": told}
    assert type(found["id"]) is type(told)
    assert msgspec.json.decode(msgspec.json.encode(found)) == found


def test_names_stay_in_their_order() -> None:
    assert list(given({"z": 1, "a": 2, "m": 3})) == ["z", "a", "m"]


def test_a_case_is_copied_and_not_shared() -> None:
    rows: list[Any] = [{"value": "58"}]
    found = given({"results": rows})
    rows[0]["value"] = "59"
    assert found == {"results": [{"value": "58"}]}


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb", {"\ud83d": 1}, ["\udc80"]])
def test_half_a_character_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="half a character"):
        given({"id": value})
    assert given({"id": "\U0001f600"}) == {"id": "\U0001f600"}


def test_what_says_a_million_things_in_a_few_lines_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 7)]
    with pytest.raises(ValueError, match=f"more than {MOST} values"):
        given(yaml.safe_load("\n".join(lines)))


def test_what_holds_itself_is_refused() -> None:
    with pytest.raises((ValueError, RecursionError)):
        given(yaml.safe_load("&a {id: A, results: *a}"))


def test_a_large_case_is_taken() -> None:
    assert len(given({"results": [{"value": str(n)} for n in range(MOST // 4)]})["results"]) == MOST // 4


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("58", "58"),
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        ([], ""),
        (["a", "b"], "a, b"),
        ({"SRP": "NEG", "CK": "HIGH"}, "SRP: NEG; CK: HIGH"),
        ([{"analyte": "SRP", "families": ["quant", "ip"]}], "(analyte: SRP; families: quant, ip)"),
        ([["a", "b"], "c"], "(a, b), c"),
        ({"known": [{"since": None}]}, "known: (since: )"),
    ],
)
def test_a_value_in_one_line(value: object, line: str) -> None:
    assert brief(value) == line
