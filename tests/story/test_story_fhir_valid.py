"""All we write for FHIR servers of all samples, by either wire, held against three validators that are not ours: the models
of fhir.resources, @medplum/core and the npm package `fhir`."""

from __future__ import annotations

import json
import subprocess

import pytest
from fhir_parts import POSTED
from story_parts import Laboratory, Lis
from test_story_fhir_answers import answering

from labbridge import composing
from labbridge.errors import Refused
from labbridge.fhir import conformance
from labbridge.requesting import Asked, orders_of
from labbridge.review import policies
from tests.conftest import ROOT
from tests.interop.interop_parts import environment

SCENARIOS = sorted(path for path in (ROOT / "samples").iterdir() if path.name[:1].isdigit())
VALIDATORS = ("validate_medplum.cjs", "validate_npm_fhir.cjs")
WAYS = [(mode, retest) for mode in ("observation", "report") for retest in ("advise", "order")]


def composed(lab: Laboratory, seen: set[tuple[int, int]]) -> list[bytes]:
    """What would leave for the versions of cases that are new, in each way."""
    found = []
    new = [case for case in lab.cases() if (case.key, case.version) not in seen]
    seen |= {(case.key, case.version) for case in new}
    for case in new:
        letter = composing.letter_of(case, "Alex Smith", "LB-1", lab.clock.now())
        for mode, retest in WAYS:
            answering(lab, case.feed, comment_mode=mode, retest=retest)
            if case.text:
                raw, _specimen = composing.final_bytes(case, letter, lab.desk, lab.letterhead)
                assert conformance.judge(raw, policies.sent_text(case)) == []
                found.append(raw)
            ordering = lab.letterhead.ordering
            if ordering is not None:
                asked = Asked("Alex Smith", lab.clock.now())
                made = orders_of(case, asked, lab.desk, (ordering, lab.judge)).made
                assert [conformance.judge(one.raw, "") for one in made] == [[]] * len(made)
                found += [one.raw for one in made]
    return found


@pytest.mark.parametrize("wire", ["hl7", "json"])
async def test_what_leaves_of_every_sample_is_valid(lab: Laboratory, wire: str) -> None:
    bundles: list[bytes] = []
    seen: set[tuple[int, int]] = set()
    for scenario in SCENARIOS:
        for path in sorted(scenario.glob(f"*.{wire}")):
            await (lab.take(path.read_bytes()) if wire == "hl7" else lab.take_fhir(path.read_bytes(), feed=POSTED))
            bundles += composed(lab, seen)
            await released(lab)  # so that what comes after corrects it
    kinds = {entry["resource"]["resourceType"] for raw in bundles for entry in json.loads(raw)["entry"]}
    assert kinds == {"Observation", "DiagnosticReport", "DetectedIssue", "Task", "ServiceRequest", "Provenance"}
    assert b'"corrected"' in b"".join(bundles)
    text = b"\n".join(dict.fromkeys(bundles))
    for name in VALIDATORS:
        command = ("node", str(ROOT / "tests/interop" / name))
        done = subprocess.run(command, input=text, capture_output=True, env=environment(command), timeout=120)
        assert done.returncode == 0, done.stderr
        said = [json.loads(line) for line in done.stdout.splitlines()]
        assert said == [[]] * (text.count(b"\n") + 1), name


async def released(lab: Laboratory) -> None:
    """Every comment that may leave now does, over HL7 v2 or FHIR alike."""
    for case in lab.cases():
        answering(lab, case.feed)
        try:
            lab.release(f"C{case.key}@{case.version}")
        except Refused:
            continue
    lis = Lis()
    await lab.deliver(lis)
    lab.clock.forward(minutes=1)
