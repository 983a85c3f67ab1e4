"""Every FHIR file of the corpus: taken, or refused with a place in it; and what all three validators accept and we take by
type is taken, but for what a named class of it asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labbridge.fhir.faults import STATUS, outcome
from tests.checks import corpus_fhir
from tests.checks.corpus_fhir import PAGE, SCOPE, VALIDATORS, Verdict, ours_to_take

STEP = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]")


@pytest.fixture(scope="module")
def found(corpus: Path) -> dict[str, Verdict]:
    return corpus_fhir.verdicts(corpus)


@pytest.fixture(scope="module")
def theirs(corpus: Path) -> dict[str, tuple[str, ...]]:
    return corpus_fhir.of_validators(corpus)


def texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for one in tree.values():
            yield from texts(one)
    elif isinstance(tree, list):
        for one in tree:
            yield from texts(one)
    elif isinstance(tree, str):
        yield tree


def missing(body: Any, expression: str) -> list[str]:
    """The steps of a place that are not in a body; of a missing element that is the last one alone."""
    steps = [name or int(number) for name, number in STEP.findall(expression)]
    if steps and steps[0] == body.get("resourceType"):
        steps = steps[1:]
    inner = body
    for number, step in enumerate(steps):
        there = step in inner if isinstance(inner, dict) else isinstance(inner, list) and isinstance(step, int)
        if not there:
            return [str(one) for one in steps[number:]]
        inner = inner[step]
    return []


def test_the_oracle_names_every_file(corpus: Path, theirs: dict[str, tuple[str, ...]]) -> None:
    there = [str(path.relative_to(corpus / "fhir")) for path in corpus_fhir.files(corpus)]
    assert sorted(theirs) == sorted(there)
    assert len(there) > 100


def test_every_file_is_taken_or_refused_with_a_place_in_it(corpus: Path, found: dict[str, Verdict]) -> None:
    """Verdicts are made by catching Unfit alone: anything else would have ended the run."""
    for name, one in found.items():
        body = json.loads((corpus / "fhir" / name).read_bytes())
        for issue in one.issues:
            assert issue.code in STATUS, name
            assert issue.expression, f"{name}: {issue.diagnostics}"
            assert len(missing(body, issue.expression)) <= 1, f"{name}: {issue.expression}"
    assert sum(one.taken for one in found.values()) > 70
    assert sum(not one.taken for one in found.values()) > 70


def test_what_is_taken_is_read(found: dict[str, Verdict]) -> None:
    assert all(one.reports for one in found.values() if one.taken)
    assert any(one.reports > 1 for one in found.values())


def test_what_every_validator_accepts_and_we_take_by_type_is_taken(
    corpus: Path, found: dict[str, Verdict], theirs: dict[str, tuple[str, ...]]
) -> None:
    every = [name for name in found if len(theirs[name]) == len(VALIDATORS)]
    ours = [name for name in every if ours_to_take((corpus / "fhir" / name).read_bytes())]
    assert len(ours) > 60
    refused = {name: found[name].scope for name in ours if not found[name].taken}
    assert set(refused.values()) == {("not-supported", "request.method")}, refused
    for name in refused:
        methods = {one["request"]["method"] for one in json.loads((corpus / "fhir" / name).read_bytes())["entry"]}
        assert methods & {"DELETE", "GET"}


def test_what_every_validator_accepts_is_refused_for_what_we_are_not_for(
    found: dict[str, Verdict], theirs: dict[str, tuple[str, ...]]
) -> None:
    every = [one for name, one in found.items() if len(theirs[name]) == len(VALIDATORS)]
    assert {one.scope for one in every if not one.taken} == set(SCOPE)


def test_what_no_validator_accepts_is_refused(found: dict[str, Verdict], theirs: dict[str, tuple[str, ...]]) -> None:
    assert [name for name, one in found.items() if one.taken and not theirs[name]] == []


def test_no_refusal_tells_a_text_of_its_file(corpus: Path, found: dict[str, Verdict]) -> None:
    for name, one in found.items():
        if one.taken:
            continue
        told = " ".join(issue["diagnostics"] for issue in json.loads(outcome(one.issues))["issue"])
        long = {text for text in texts(json.loads((corpus / "fhir" / name).read_bytes())) if len(text) > 9}
        assert [text for text in long - {"Observation", "DiagnosticReport"} if text in told] == [], name


def test_every_parting_of_ways_is_on_its_page(corpus: Path) -> None:
    assert PAGE.read_text(encoding="utf-8") == corpus_fhir.page(corpus)
