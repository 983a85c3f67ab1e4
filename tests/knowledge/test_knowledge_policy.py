"""policy.yaml: every number a row with unit and source, every fault named, every number that is asked for there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import labbridge
from labbridge.knowledge.documents import Fault, Source, read_yaml
from labbridge.knowledge.policy import Policy, read_policy
from labbridge.sources import load

GOOD = {"id": "window_d", "value": "30", "unit": "d", "tag": "CONVENTION", "source": '"clinical.md C3"'}


def row(**changes: str | None) -> str:
    fields = {**GOOD, **changes}
    return "- {" + ", ".join(f"{name}: {value}" for name, value in fields.items() if value is not None) + "}\n"


def read(*texts: str) -> tuple[Policy, list[Fault]]:
    faults: list[Fault] = []
    sources = [Source("policy.yaml", text, site=place > 0) for place, text in enumerate(texts)]
    rows = [one for source in sources for one in read_yaml(source, faults)]
    return read_policy(rows, faults), faults


def test_a_row_is_a_number_with_its_unit_and_source() -> None:
    policy, faults = read(row(reviewed="[hl]", still_valid_on="2026-11-22", note="validate locally"))
    assert faults == []
    found = policy.numbers["window_d"]
    assert (found.value, found.unit, found.tag, found.source) == (Decimal(30), "d", "CONVENTION", "clinical.md C3")
    assert (found.reviewed, found.still_valid_on, found.note) == (("hl",), "2026-11-22", "validate locally")
    assert policy.days("window_d") == 30
    assert policy.number("window_d") == Decimal(30)


def test_a_number_keeps_the_digits_it_was_written_with() -> None:
    policy, _faults = read(row(value="12.30", unit="U/L"))
    assert str(policy.number("window_d")) == "12.30"


@pytest.mark.parametrize("tag", ["VERIFIED", "DERIVED", "CONVENTION"])
def test_the_tags_that_ship(tag: str) -> None:
    assert read(row(tag=tag))[1] == []


@pytest.mark.parametrize("tag", ["RECALLED", "UNSURE", "verified"])
def test_the_tags_that_do_not(tag: str) -> None:
    policy, faults = read(row(tag=tag))
    assert policy.numbers == {}
    assert [(one.file, one.line) for one in faults] == [("policy.yaml", 1)]
    assert tag in faults[0].message


@pytest.mark.parametrize("missing", list(GOOD))
def test_a_missing_field_is_named(missing: str) -> None:
    policy, faults = read(row(**{missing: None}))
    assert policy.numbers == {}
    assert missing in faults[0].message


def test_an_unknown_field_is_named() -> None:
    assert "vlaue" in read(row(vlaue="30"))[1][0].message


@pytest.mark.parametrize("value", ["thirty", "3,5", "NaN", "Infinity", "-Infinity", "sNaN", "''"])
def test_what_is_no_number(value: str) -> None:
    policy, faults = read(row(value=value, unit="U/L"))
    assert policy.numbers == {}
    assert len(faults) == 1


@pytest.mark.parametrize(("value", "unit", "good"), [("30.5", "d", False), ("-1", "d", False), ("30.5", "U/L", True)])
def test_days_are_whole_and_nothing_is_negative(value: str, unit: str, good: bool) -> None:
    assert (read(row(value=value, unit=unit))[1] == []) is good


def test_zero_is_a_number() -> None:
    policy, faults = read(row(value="0"))
    assert (policy.days("window_d"), faults) == (0, [])


def test_a_site_replaces_a_row_by_its_id() -> None:
    policy, faults = read(row() + row(id="other_d", value="7"), row(value="14"))
    assert faults == []
    assert (policy.days("window_d"), policy.days("other_d")) == (14, 7)


def test_a_row_that_is_there_twice_is_named_with_its_line() -> None:
    _policy, faults = read(row() + row(value="14"))
    assert [(one.file, one.line) for one in faults] == [("policy.yaml", 2)]
    assert "window_d" in faults[0].message


def test_a_fault_does_not_hide_the_rows_after_it() -> None:
    policy, faults = read(row(value="thirty") + row(id="other_d"))
    assert (list(policy.numbers), len(faults)) == (["other_d"], 1)


def test_an_unknown_id_is_a_fault_of_the_program() -> None:
    with pytest.raises(KeyError):
        load().policy.number("no_such_number")


# ---------------------------------------------------------------- the shipped numbers


def asked_for() -> Iterator[tuple[str, str]]:
    """Every id that the program asks the policy for by name, with the file that does."""
    for path in sorted(Path(labbridge.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if called and node.func.attr in ("number", "days") and node.args and isinstance(node.args[0], ast.Constant):  # type: ignore[union-attr,attr-defined]
                yield str(node.args[0].value), path.name  # type: ignore[attr-defined]


def test_every_number_that_is_asked_for_is_there() -> None:
    numbers = load().policy.numbers
    missing = [(name, where) for name, where in asked_for() if name not in numbers]
    assert missing == []


def test_days_are_asked_of_rows_in_days() -> None:
    numbers = load().policy.numbers
    assert {one.unit for name, one in numbers.items() if name.endswith("_d")} == {"d"}


def test_no_shipped_number_is_left_over() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in Path(labbridge.__file__).parent.rglob("*.py"))
    knowledge = load()
    style, flags = knowledge.decisions.style, knowledge.decisions.flags.values()
    named = {*style.repeats.values(), *style.repeats_quiet.values(), *(flag.waits for flag in flags)}  # by rows
    assert [name for name in knowledge.policy.numbers if f'"{name}"' not in text and name not in named] == []


CHOICE = "- {id: owner, value: lis, choices: [lis, us], tag: CONVENTION, source: clinical.md C10.18}\n"


def test_a_site_chooses_among_the_ways_that_ours_names() -> None:
    policy, faults = read(CHOICE, "- {id: owner, value: us, tag: CONVENTION, source: our director}\n")
    assert faults == []
    assert policy.choice("owner") == "us"
    assert (policy.choices["owner"].choices, policy.choices["owner"].source) == (("lis", "us"), "our director")
    assert read(CHOICE)[0].choice("owner") == "lis"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ((CHOICE, "- {id: owner, value: nobody, tag: CONVENTION, source: us}\n"), "owner is never 'nobody'."),
        ((CHOICE.replace("value: lis", "value: nobody"),), "owner is never 'nobody'."),
        ((CHOICE.replace("CONVENTION", "RECALLED"),), "Tag RECALLED does not ship."),
        ((CHOICE + CHOICE,), "'owner' stands twice."),
        ((CHOICE.replace("value: lis, ", ""),), "Object missing required field `value`."),
        ((CHOICE, "- {id: owner, value: us, tag: CONVENTION}\n"), "Object missing required field `source`."),
    ],
)
def test_a_choice_that_cannot_be_used_is_named(texts: tuple[str, ...], message: str) -> None:
    assert [fault.message for fault in read(*texts)[1]] == [message]


def test_every_choice_that_is_asked_for_is_there() -> None:
    choices = load().policy.choices
    assert {name: one.value for name, one in choices.items()} == {
        "partner_elsewhere": "no",
        "critical_owner": "lis",
        "second_reader_positive": "no",
        "second_reader_fluorescence": "no",
        "release_qc_unknown": "no",
        "release_lot_unknown": "no",
        "release_hep2_read": "no",
        "worklist_order": "table",
    }
    assert all(one.still_valid_on and one.reviewed == () for one in choices.values())


def test_every_shipped_number_has_a_date_and_claims_no_review() -> None:
    for one in load().policy.numbers.values():
        assert one.still_valid_on, one.id
        assert one.reviewed == (), one.id


SHIPPED = load().policy

SPECIFIED = {
    "aggregation_window_d": "30",
    "expiry_d": "180",
    "pending_expires_d": "21",
    "repeat_same_method_d": "14",
    "confirmation_window_d": "180",
    "ivig_window_d": "90",
    "ck_window_d": "30",
    "ck_mod_from": "4",
    "ck_high_above": "10",
    "ck_persistent_least_d": "7",
    "ck_persistent_most_d": "90",
    "ck_extreme_above": "10000",
    "known_before_d": "30",
    "hep2_corroborates_from": "160",
    "other_msa_enough": "6",
    "quant_strong_fold": "3",
    "ck_fallback_limit_female": "207",
    "ck_fallback_limit_male": "395",
    "ck_fallback_limit_male_older": "340",
    "ck_fallback_limit_girl": "345",
    "ck_fallback_limit_boy": "870",
    "ck_implausible_above": "1000000",
    "clock_skew_h": "24",
    "release_reviewed_least": "200",
    "release_agreement_least": "99",
    "release_sample": "2",
}


@pytest.mark.parametrize(("name", "value"), list(SPECIFIED.items()))
def test_the_shipped_numbers_are_those_of_the_specification(name: str, value: str) -> None:
    assert SHIPPED.number(name) == Decimal(value)
