"""Which rules, conditions, values and wordings the cases exercise, and which no case does."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
import yaml
from pack_cases import (
    VIGNETTES,
    all_facts,
    case,
    ck,
    hep2,
    hmgcr,
    knowledge,
    pack_of,
    readers,
    readers_with,
    rule,
    srp,
)

from labbridge.offline import Readers, validate_case
from labbridge.pack.coverage import places
from labbridge.pack.form import (
    Condition,
    Counted,
    Coverage,
    OfCondition,
    OfValue,
    OfWording,
    Pack,
    RuleCoverage,
    Value,
)

HIGH, NORMAL = ck("2040"), ck("100")
RULE = rule("strong", when={"srp": ("POS_STRONG", "POS_LOW"), "ck": "HIGH"})
FIRES = case("FIRES", srp("58"), HIGH)
LOW_CK = case("LOW-CK", srp("58"), NORMAL)
NEGATIVE = case("NEGATIVE", srp("2"), HIGH)
LOW = case("LOW", srp("14"), NORMAL)
NEITHER = case("NEITHER", srp("2"), NORMAL)


def covered(*cases: dict[str, Any], by: Readers | None = None) -> Coverage:
    return pack_of(*cases, by=by or readers_with(RULE)).coverage


# ---------------------------------------------------------------- a rule


def test_a_rule_is_counted_condition_by_condition() -> None:
    found = covered(FIRES, LOW_CK, NEGATIVE, LOW, NEITHER)
    assert found.rules == (
        RuleCoverage(
            id="rule:strong",
            fired=("FIRES",),
            conditions=(
                Condition(
                    fact="srp",
                    values=(Value(value="POS_STRONG", met=2, fired=1), Value(value="POS_LOW", met=1, fired=0)),
                    near=1,
                ),
                Condition(fact="ck", values=(Value(value="HIGH", met=2, fired=1),), near=2),
            ),
        ),
    )


def test_a_value_by_which_the_rule_never_held_is_listed() -> None:
    found = covered(FIRES, LOW_CK, NEGATIVE, LOW).uncovered
    assert found.values == (OfValue("rule:strong", "srp", "POS_LOW"),)
    assert (found.rules, found.conditions) == ((), ())
    mended = covered(FIRES, LOW_CK, NEGATIVE, case("LOW", srp("14"), HIGH)).uncovered
    assert mended.values == ()


def test_a_condition_that_no_case_lacked_alone_is_listed() -> None:
    assert covered(FIRES, NEGATIVE).uncovered.conditions == (OfCondition("rule:strong", "ck"),)
    assert covered(FIRES, LOW_CK).uncovered.conditions == (OfCondition("rule:strong", "srp"),)
    assert covered(FIRES, NEITHER).uncovered.conditions == (
        OfCondition("rule:strong", "srp"),
        OfCondition("rule:strong", "ck"),
    ), "a case that lacked both is no near miss of either"
    assert covered(FIRES, NEGATIVE, LOW_CK).uncovered.conditions == ()


def test_a_rule_that_held_in_no_case_is_listed_with_all_that_it_asks() -> None:
    found = covered(LOW_CK, NEGATIVE).uncovered
    assert found.rules == ("rule:strong",)
    assert found.values == (
        OfValue("rule:strong", "srp", "POS_STRONG"),
        OfValue("rule:strong", "srp", "POS_LOW"),
        OfValue("rule:strong", "ck", "HIGH"),
    )


def test_without_a_case_everything_is_open() -> None:
    found = covered()
    (only,) = found.rules
    assert (only.fired, [one.fact for one in only.conditions]) == ((), ["srp", "ck"])
    assert found.uncovered.rules == ("rule:strong",)
    assert {name: one.exercised for name, one in found.numbers.items()} == dict.fromkeys(found.numbers, 0)
    assert found.numbers["values"] == Counted(all=3, exercised=0)
    assert found.numbers["nodes"].all == len(knowledge().decisions.pathway.nodes)


def test_rules_that_are_not_active_are_not_covered_and_not_asked_for() -> None:
    by = readers_with(RULE, rule("old", status="retired", when={"ck": "HIGH"}), rule("draft", status="draft"))
    assert [one.id for one in covered(FIRES, by=by).rules] == ["rule:strong"]


def test_a_rule_without_conditions_holds_in_every_case() -> None:
    (only,) = covered(FIRES, NEGATIVE, by=readers_with(rule("always"))).rules
    assert (only.fired, only.conditions) == (("FIRES", "NEGATIVE"), ())


def test_what_a_rule_waits_for_is_a_condition_with_the_analytes_as_values() -> None:
    waits = rule("tube", on="SPECIMEN_INVALID", analytes=("SRP", "HMGCR"), when={"ck": "HIGH"})
    by = readers_with(waits)
    tube = case("TUBE", srp("58", specimen="edta_plasma"), HIGH)
    (only,) = covered(tube, FIRES, case("BOTH", srp("58", specimen="csf"), NORMAL), by=by).rules
    assert only.fired == ("TUBE",)
    assert only.conditions[0] == Condition(
        fact="raised",
        values=(
            Value(value="SPECIMEN_INVALID:SRP", met=2, fired=1),
            Value(value="SPECIMEN_INVALID:HMGCR", met=0, fired=0),
        ),
        near=1,
    )
    assert only.conditions[1].near == 1


def test_a_truth_is_not_taken_for_a_word() -> None:
    by = readers_with(rule("truth", when={"suspicion": (True, False)}))
    (only,) = covered(FIRES, case("SUSPECT", srp("58"), context={"suspicion": True}), by=by).rules
    assert only.conditions[0].values == (Value(value=True, met=1, fired=1), Value(value=False, met=1, fired=1))


# ---------------------------------------------------------------- the shipped rules


@pytest.fixture(scope="module")
def shipped() -> Pack:
    cases = yaml.safe_load(VIGNETTES.read_text(encoding="utf-8"))["vignettes"]
    return pack_of(*cases)


def test_every_active_rule_is_there_with_every_value_it_asks(shipped: Pack) -> None:
    active = [one for one in knowledge().decisions.rules if one.status == "active"]
    assert [one.id for one in shipped.coverage.rules] == [f"rule:{one.id}" for one in active]
    for row, found in zip(active, shipped.coverage.rules, strict=True):
        asked = {name: values if isinstance(values, tuple) else (values,) for name, values in row.when.items()}
        told = {one.fact: tuple(value.value for value in one.values) for one in found.conditions}
        told.pop("raised", None)
        assert told == asked
        assert bool(row.on) is any(one.fact == "raised" for one in found.conditions)


def test_the_cases_in_which_a_rule_held_are_those_whose_outcome_names_it(shipped: Pack) -> None:
    by = readers()
    cases = yaml.safe_load(VIGNETTES.read_text(encoding="utf-8"))["vignettes"]
    named: dict[str, list[str]] = {}
    for one in cases:
        for name in validate_case(one, by).outcome.fired:
            named.setdefault(f"rule:{name.partition('@')[0]}", []).append(one["id"])
    assert {one.id: list(one.fired) for one in shipped.coverage.rules if one.fired} == named
    assert 10 < len(named) < len(shipped.coverage.rules)


def test_near_misses_are_what_a_reading_of_the_facts_without_the_engine_finds(shipped: Pack) -> None:
    """Every rule that waits for nothing, judged from the facts of the outcomes alone."""
    cases = yaml.safe_load(VIGNETTES.read_text(encoding="utf-8"))["vignettes"]
    facts = [validate_case(one, readers()).outcome.facts for one in cases]
    rules = {f"rule:{one.id}": one for one in knowledge().decisions.rules if not one.on}
    seen = 0
    for found in shipped.coverage.rules:
        row = rules.get(found.id)
        if row is None:
            continue
        lacking = [[name for name, values in row.when.items() if not _in(one[name], values)] for one in facts]
        for condition in found.conditions:
            assert condition.near == lacking.count([condition.fact])
            for value in condition.values:
                held = [one[condition.fact] for one, left in zip(facts, lacking, strict=True) if not left]
                assert (value.met, value.fired) == (
                    [one[condition.fact] for one in facts].count(value.value),
                    held.count(value.value),
                )
            seen += condition.near
    assert seen > 100


def _in(value: object, values: object) -> bool:
    return value in values if isinstance(values, tuple) else value == values


def test_the_numbers_are_those_of_the_lists(shipped: Pack) -> None:
    found = shipped.coverage
    covered = places(found.rules, found.comments, found.nodes, exercised=True)
    for name, one in found.numbers.items():
        open_, seen = getattr(found.uncovered, name), getattr(covered, name)
        assert one == Counted(all=len(open_) + len(seen), exercised=len(seen))
        assert not set(open_) & set(seen)
        assert one.exercised > 0, name


def test_facts_are_named_as_the_registry_names_them(shipped: Pack) -> None:
    facts = all_facts()
    for found in shipped.coverage.rules:
        for one in found.conditions:
            assert one.fact == "raised" or {value.value for value in one.values} <= set(facts[one.fact])


# ---------------------------------------------------------------- comments and nodes

POSITIVE = case("POSITIVE", srp("58"), hep2("Negative", titre="<1:80"), HIGH)
MISSING = case("MISSING", hep2("Negative", titre="<1:80"), ck("700"))
INVALID = case("INVALID", srp("58"), hmgcr("3"), HIGH, hep2("Negative", specimen="csf"))


def comments(found: Pack) -> dict[str, Any]:
    return {one.id: one for one in found.coverage.comments}


def test_a_comment_names_the_cases_that_have_it_and_those_it_is_appended_in() -> None:
    found = comments(pack_of(POSITIVE, MISSING, INVALID))
    assert found["comment:C01"].chosen == ("POSITIVE", "INVALID")
    assert found["comment:C11"].chosen == ("MISSING",)
    assert (found["comment:C18"].chosen, found["comment:C18"].appended) == ((), ("INVALID",))
    assert "comment:C18" not in pack_of(INVALID).coverage.uncovered.comments
    assert "comment:C08" in pack_of(INVALID).coverage.uncovered.comments


def test_every_wording_is_there_with_its_text_and_its_conditions() -> None:
    found = comments(pack_of())
    rows = knowledge().decisions.comments
    assert list(found) == [f"comment:{name}" for name in rows]
    for name, row in rows.items():
        told = [(one.sentence, one.wording, one.text) for one in found[f"comment:{name}"].wordings]
        numbered = [*enumerate(row.parts, 1), (0, row.addendum)]
        assert told == [(number, at, one.text) for number, part in numbered for at, one in enumerate(part, 1)]
    asked = [one for comment in found.values() for one in comment.wordings if one.when]
    assert asked
    assert all(isinstance(values, tuple) for one in asked for values in one.when.values())


def test_a_wording_is_said_where_the_comment_has_its_words() -> None:
    found = pack_of(POSITIVE, MISSING)
    text = {one.id: one.outcome["comment"]["text"] for one in found.cases}
    for id, comment in (("POSITIVE", "comment:C01"), ("MISSING", "comment:C11")):
        said = [one for one in comments(found)[comment].wordings if one.said]
        assert {one.said for one in said} == {1}
        joined = " ".join(one.text for one in said if one.text)
        assert re.fullmatch(re.sub(r"\\\{\w+\\\}", ".*", re.escape(joined)), text[id])
    assert sum(one.said for one in comments(found)["comment:C02"].wordings) == 0


def test_a_wording_that_no_case_has_is_listed() -> None:
    found = pack_of(POSITIVE, MISSING).coverage
    said = [(one.id, word.text) for one in found.comments for word in one.wordings if word.said]
    open_ = [(one.comment, one.text) for one in found.uncovered.wordings]
    assert len(said) >= 4
    assert not {(id, text) for id, text in said} & {pair for pair in open_ if pair[1]} - _twice(found)
    assert found.numbers["wordings"].exercised == len(said)
    assert all(isinstance(one, OfWording) for one in found.uncovered.wordings)


def _twice(found: Coverage) -> set[tuple[str, str]]:
    """Texts that stand at two places of one comment."""
    all_ = [(one.id, word.text) for one in found.comments for word in one.wordings]
    return {one for one in all_ if all_.count(one) > 1}


def test_a_wording_that_lacked_one_condition_is_counted_where_its_sentence_stood() -> None:
    found = comments(pack_of(POSITIVE))
    near = [one for one in found["comment:C01"].wordings if one.near]
    assert near
    assert all(one.when and not one.said for one in near)
    assert not any(one.near for id, comment in found.items() if id != "comment:C01" for one in comment.wordings)


def test_in_another_language_its_own_texts_are_covered() -> None:
    found = pack_of(POSITIVE, by=readers("fr"))
    assert found.language == "fr"
    assert {one.id.rpartition(":")[0] for one in found.coverage.comments} == {"comment:fr"}
    (said,) = [one for one in found.coverage.comments if one.chosen]
    assert said.id == "comment:fr:C01"
    assert sum(one.said for one in said.wordings) >= 2


def test_where_a_translation_lacks_a_class_the_english_it_falls_back_to_is_covered_too() -> None:
    french = knowledge().decisions.translations["fr"]
    kept = {name: one for name, one in french.comments.items() if name != "C01"}
    translations = {"fr": msgspec.structs.replace(french, comments=kept)}
    by = readers_with(language="fr", translations=translations)
    found = comments(pack_of(POSITIVE, MISSING, by=by))
    assert found["comment:C01"].chosen == ("POSITIVE",)
    assert found["comment:fr:C11"].chosen == ("MISSING",)
    assert "comment:fr:C01" not in found
    assert sum(one.said for one in found["comment:C01"].wordings) >= 2


def test_what_was_said_in_one_language_is_not_counted_in_another() -> None:
    """C18 is not translated: the case that has it is drafted in English, the other in French."""
    french = knowledge().decisions.translations["fr"]
    kept = {name: one for name, one in french.comments.items() if name != "C18"}
    translations = {"fr": msgspec.structs.replace(french, comments=kept)}
    found = comments(pack_of(POSITIVE, INVALID, by=readers_with(language="fr", translations=translations)))
    assert (found["comment:fr:C01"].chosen, found["comment:C01"].chosen) == (("POSITIVE",), ("INVALID",))
    for id in ("comment:fr:C01", "comment:C01"):
        assert {one.said for one in found[id].wordings} == {0, 1}
        first = [one.said for one in found[id].wordings if one.sentence == 1]
        assert sum(first) == 1


def test_a_node_names_the_cases_that_reached_it(shipped: Pack) -> None:
    reached = {one.id: one.outcome["pathway"]["reached"] for one in shipped.cases}
    for node in shipped.coverage.nodes:
        assert list(node.reached) == [id for id, nodes in reached.items() if node.id.partition(":")[2] in nodes]
    assert {f"pathway:{id}" for nodes in reached.values() for id in nodes} == {
        one.id for one in shipped.coverage.nodes if one.reached
    }
    assert set(shipped.coverage.uncovered.nodes) == {one.id for one in shipped.coverage.nodes if not one.reached}
