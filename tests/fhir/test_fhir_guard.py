"""JSON before anything looks at it: each limit just within and just over, with issue type, HTTP status and place."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from fhir_bodies import bundle, observation, wire, with_json
from hypothesis import given
from hypothesis import strategies as st

from labbridge.fhir import guard
from labbridge.fhir.faults import STATUS, Unfit, outcome


def refused(raw: bytes) -> Unfit:
    with pytest.raises(Unfit) as caught:
        guard.load(raw)
    return caught.value


def told(raw: bytes) -> tuple[str, int, str]:
    """Issue type, HTTP status and place."""
    fault = refused(raw)
    assert len(fault.issues) == 1
    assert fault.status == STATUS[fault.code]
    return fault.code, fault.status, fault.location


def nested(depth: int) -> bytes:
    """Objects within each other, the outermost one counted."""
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


def object_of(keys: int) -> bytes:
    return json.dumps({"resourceType": "Patient", "x": {f"k{number}": 1 for number in range(keys)}}).encode()


def array_of(items: int) -> bytes:
    return b'{"resourceType": "Bundle", "entry": [' + b",".join([b"1"] * items) + b"]}"


def text_of(characters: int) -> bytes:
    return b'{"resourceType": "Observation", "note": [{"text": "' + b"x" * characters + b'"}]}'


# ---------------------------------------------------------------- within


def test_numbers_are_exact() -> None:
    body = guard.load(b'{"a": 12.30, "b": 0.12345678901234567890, "c": 7, "d": 1.5e3}')
    assert body == {"a": Decimal("12.30"), "b": Decimal("0.12345678901234567890"), "c": 7, "d": Decimal("1.5e3")}
    assert str(body["a"]) == "12.30"
    assert isinstance(body["c"], int)


@pytest.mark.parametrize(
    "raw",
    [
        nested(64),
        object_of(2000),
        array_of(50_000),
        text_of(5 * 2**20),
        b'{"a": ' + b"1" * 64 + b"}",
        b'{"a": 1.' + b"1" * 62 + b"}",
        b'{"a": 1e400, "b": 1E-400}',
        b'\xef\xbb\xbf{"a": 1}',
        b' \r\n\t{"a": 1}\n',
        b'{"a": [null, "x"]}',
        '{"a": "ä漢😀"}'.encode(),
        b'{"a": {"b": 1}, "c": {"b": 1}}',
    ],
    ids=lambda raw: f"{raw[:30]!r}..",
)  # fmt: skip
def test_what_is_just_within_is_taken(raw: bytes) -> None:
    assert isinstance(guard.load(raw), dict)


def test_a_body_of_16_mib_is_taken_and_one_byte_more_is_not() -> None:
    raw = b'{"a": 1}'
    raw += b" " * (16 * 2**20 - len(raw))
    assert guard.load(raw) == {"a": 1}
    assert told(raw + b" ") == ("too-costly", 413, "")


# ---------------------------------------------------------------- over

OVER: dict[str, tuple[bytes, str, int, str]] = {
    "65 objects deep": (nested(65), "structure", 400, "a" + ".a" * 63),
    "too deep to count": (b'{"a":' * 200_000, "structure", 400, ""),
    "arrays too deep to count": (b"[" * 200_000, "structure", 400, ""),
    "2001 keys": (object_of(2001), "too-costly", 413, "Patient.x"),
    "50001 items": (array_of(50_001), "too-costly", 413, "Bundle.entry"),
    "a text of 5 MiB and one": (text_of(5 * 2**20 + 1), "too-costly", 413, "Observation.note[0].text"),
    "a number of 65 digits": (b'{"a": [{"b": ' + b"1" * 65 + b"}]}", "invalid", 400, "a[0].b"),
    "a decimal of 65 characters": (b'{"a": 1.' + b"1" * 63 + b"}", "invalid", 400, "a"),
    "an exponent of 401": (b'{"a": 1e401}', "invalid", 400, "a"),
    "an exponent of -401": (b'{"a": 1e-401}', "invalid", 400, "a"),
    "an exponent that no number has": (b'{"a": 1e999999999999999999999}', "invalid", 400, "a"),
    "NaN": (b'{"resourceType": "Observation", "valueQuantity": {"value": NaN}}', "invalid", 400,
            "Observation.valueQuantity.value"),
    "Infinity": (b'{"a": [1, Infinity]}', "invalid", 400, "a[1]"),
    "-Infinity": (b'{"a": -Infinity}', "invalid", 400, "a"),
    "a key twice": (b'{"resourceType": "Observation", "status": "final", "status": "final"}', "invalid", 400, "status"),
    "a key twice in an entry": (
        b'{"resourceType": "Bundle", "entry": [{}, {"resource": {"status": "final", "id": "1", "status": "x"}}]}',
        "invalid", 400, "Bundle.entry[1].resource.status",
    ),
    "a key twice, once escaped": (b'{"a": {"b": 1, "\\u0062": 1}}', "invalid", 400, "a.b"),
    "a key that is no name twice": (b'{"a": {"n 1": 1, "n 1": 2}}', "invalid", 400, "a"),
    "a lone surrogate twice": (b'{"\\ud800": 1, "\\ud800": 2}', "invalid", 400, ""),
    "null as a value": (b'{"resourceType": "Observation", "valueInteger": null}', "structure", 400,
                        "Observation.valueInteger"),
    "not UTF-8": (b'{"a": "\xe9"}', "structure", 400, ""),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "structure", 400, ""),
    "a surrogate in UTF-8": (b'{"a": "\xed\xa0\x80"}', "structure", 400, ""),
    "two byte order marks": (b'\xef\xbb\xbf\xef\xbb\xbf{"a": 1}', "structure", 400, ""),
    "nothing": (b"", "structure", 400, ""),
    "an array": (b"[]", "structure", 400, ""),
    "a text": (b'"Observation"', "structure", 400, ""),
    "a number": (b"1", "structure", 400, ""),
    "NaN alone": (b"NaN", "invalid", 400, ""),
    "null alone": (b"null", "structure", 400, ""),
    "half an object": (b'{"a": 1', "structure", 400, ""),
    "two objects": (b"{}{}", "structure", 400, ""),
    "a comma too many": (b'{"a": 1,}', "structure", 400, ""),
    "a number that is none": (b'{"a": 01}', "structure", 400, ""),
    "a plus": (b'{"a": +1}', "structure", 400, ""),
    "a line break in a text": (b'{"a": "x\ny"}', "structure", 400, ""),
    "XML": (b"<Patient xmlns='http://hl7.org/fhir'/>", "structure", 400, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", OVER)
def test_what_is_just_over_is_refused_with_its_place(name: str) -> None:
    raw, code, status, place = OVER[name]
    assert told(raw) == (code, status, place)


def test_the_first_of_what_is_no_json_is_told_by_line_and_column() -> None:
    assert refused(b'{"a": 1,\n  oops}').text == "This is not JSON at line 2, column 3"
    assert refused(b'{"a": "\xff"}').text == "The body is not UTF-8 at byte 7"


def test_a_hundred_thousand_digits_are_no_number() -> None:
    assert told(with_json(observation(), "valueInteger", "9" * 100_000))[0] == "invalid"


# ---------------------------------------------------------------- what is told

CANARY = "Kanarienvogel"


@pytest.mark.parametrize(
    "raw",
    [
        f'{{"{CANARY} 1": 1, "{CANARY} 1": 2}}',
        f'{{"a": {{"{CANARY}-x": NaN}}}}',
        f'{{"a": {{"{CANARY}é": {"1" * 65}}}}}',
        f'{{"resourceType": "{CANARY}", "a": NaN}}',
        f'{{"resourceType": "{CANARY}", "{CANARY}": {{"a": 1, "a": 1}}}}',
        f'["{CANARY}"]',
        f'"{CANARY}"',
        f'{{"a": "{CANARY}" oops}}',
        f'{{"{CANARY}": null}}',
    ],
)
def test_nothing_of_the_body_is_told(raw: str) -> None:
    fault = refused(raw.encode())
    assert CANARY.encode() not in outcome(fault.issues)


names = st.text(max_size=8) | st.sampled_from(["resourceType", "entry", "resource", "value", "\ud800", "_a"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\udfff")
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=25
)


def loaded(raw: bytes) -> dict[str, Any] | None:
    """The object, or None; whatever else leaves is a failure. What refuses can be told."""
    try:
        return guard.load(raw)
    except Unfit as fault:
        json.loads(outcome(fault.issues))
        return None


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,0123456789eE.-+\\ud8NaInfity ', max_size=60).map(str.encode))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    loaded(raw)


@given(trees)
def test_no_json_raises_anything_else_and_what_is_taken_is_what_was_sent(tree: Any) -> None:
    raw = json.dumps(tree).encode()
    found = loaded(raw)
    if found is not None:
        assert json.dumps(found, default=float) == json.dumps(tree)


@given(trees, trees, st.booleans())
def test_a_key_that_stands_twice_is_refused_wherever_it_stands(first: Any, second: Any, deep: bool) -> None:
    twice = f'{{"status": {json.dumps(first)}, "id": 1, "status": {json.dumps(second)}}}'
    raw = f'{{"entry": [{twice}]}}' if deep else twice
    assert loaded(raw.encode()) is None


def test_a_bundle_of_ours_is_taken_as_it_is() -> None:
    body = bundle(observation(valueString="negative"))
    assert guard.load(wire(body)) == body
