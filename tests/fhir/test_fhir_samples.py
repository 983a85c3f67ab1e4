"""The samples by both wires: each message as HL7 v2 and as a FHIR transaction says the same, in any mixture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import msgspec
import pytest
from wires_parts import MYOLIS, SAMPLES, facts, interpreted, meant, said

from labbridge.fhir import structure
from labbridge.model.result import Analyte

WIRES = (".hl7", ".json")
SCENARIOS = sorted(path for path in SAMPLES.iterdir() if path.name[:1].isdigit())
CORRECTED = SAMPLES / "08-corrected-after-comment"


def messages(scenario: Path) -> list[Path]:
    return sorted(scenario.glob("*.hl7"))


def prefixes() -> Iterator[list[Path]]:
    """Every scenario, message by message."""
    for scenario in SCENARIOS:
        sent = messages(scenario)
        yield from (sent[:number] for number in range(1, len(sent) + 1))


def named(paths: list[Path]) -> str:
    return f"{paths[0].parent.name}:{paths[-1].stem}"


def test_every_sample_is_there_on_both_wires_and_holds_against_the_models() -> None:
    assert len(SCENARIOS) == 8
    bodies = sorted(SAMPLES.glob("0*/*.json"))
    assert [path.with_suffix(".hl7") for path in bodies] == sorted(SAMPLES.glob("0*/*.hl7"))
    for path in bodies:
        assert structure.checked(path.read_bytes()) == [], path
        assert structure.unasked(structure.read_structure(path.read_bytes(), MYOLIS).contents) == [], path


@pytest.mark.parametrize("sent", [*prefixes()], ids=named)
def test_a_scenario_says_the_same_by_either_wire_and_by_any_mixture_of_both(sent: list[Path]) -> None:
    first = interpreted(sent)
    for wires in product(WIRES, repeat=len(sent)):
        found = interpreted(path.with_suffix(wire) for path, wire in zip(sent, wires, strict=True))
        assert meant(found.history.results) == meant(first.history.results), wires
        assert facts(found.history.context) == facts(first.history.context), wires
        assert found.history.patient == first.history.patient, wires
        assert said(found) == said(first), wires


@pytest.mark.parametrize("wires", [*product(WIRES, repeat=2)], ids="".join)
def test_a_correction_counts_by_whichever_wire_it_comes(wires: tuple[str, str]) -> None:
    before, after = (
        CORRECTED / f"{name}{wire}" for name, wire in zip(("1a-serology", "2a-correction"), wires, strict=True)
    )
    found = interpreted((before, after))
    versions = [one for one in found.history.results if one.analyte is Analyte.SRP]
    assert len(versions) == 2
    assert len({one.key for one in versions}) == 1
    assert [one.value_text for one in versions] == ["55", "5"]
    assert "RESULT_CORRECTED" in {flag.code for flag in found.outcome.flags}
    assert (
        found.outcome.states.SRP
        == interpreted((after,)).outcome.states.SRP
        != interpreted((before,)).outcome.states.SRP
    )


def test_numbers_of_a_system_that_the_feed_does_not_name_are_nobody_elses() -> None:
    """Without `authorities` the correction is another result, of another patient: nothing is joined by a guess."""
    alone = msgspec.structs.replace(MYOLIS, authorities={})
    before, after = CORRECTED / "1a-serology.hl7", CORRECTED / "2a-correction.json"
    keys = {one.key for path in (before, after) for one in interpreted((path,), alone).history.results}
    known = {one.key for path in (before, after) for one in interpreted((path,)).history.results}
    assert len({key for key in keys if "|SRP|" in key}) == 2
    assert len({key for key in known if "|SRP|" in key}) == 1


def test_the_bodies_are_one_entry_a_line_and_say_their_time() -> None:
    """So that a person can read them, and a difference shows its entry."""
    for path in sorted(SAMPLES.glob("0*/*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        assert len(path.read_text(encoding="utf-8").splitlines()) == len(body["entry"]) + 2
        assert body["timestamp"]
