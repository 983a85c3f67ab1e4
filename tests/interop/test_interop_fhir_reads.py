"""Third-party FHIR clients write, read, search and page; and what we emit holds against validators of others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from interop_parts import HERE, environment

from tests.service.reading_parts import FORM, Site, body_of

CLIENTS = {
    "fhirpy": (sys.executable, str(HERE / "read_fhirpy.py")),
    "fhirclient": (sys.executable, str(HERE / "read_fhirclient.py")),
    "fhir-kit-client": ("node", str(HERE / "read_fhir_kit.cjs")),
    "medplum": ("node", str(HERE / "read_medplum.cjs")),
}
VALUES = {"fhirpy": 320, "fhirclient": 1245.5, "fhir-kit-client": 200, "medplum": 5.25}
SERVED = ("Observation", "DiagnosticReport", "Patient", "DetectedIssue", "AuditEvent")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("clients"))
    try:
        found.start()
        yield found
    finally:
        found.service.close()


def run(command: tuple[str, ...], *words: str) -> list[Any]:
    done = subprocess.run((*command, *words), env=environment(command), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_of_others_writes_reads_searches_and_pages(site: Site, name: str) -> None:
    (seen,) = run(CLIENTS[name], site.base, site.token())
    made = seen["made"]
    assert len(set(made)) == 3
    assert (seen["read"], seen["updated"]) == (VALUES[name], "amended")
    assert seen["found"] == [made[1]]
    assert sorted(seen["paged"]) == sorted(made)  # the updated one once, in its newer version
    assert seen["missing"]
    assert seen["refused"]


def test_all_that_is_emitted_holds_against_validators_of_others(site: Site) -> None:
    site.send_hl7([f"08-corrected-after-comment/{one}.hl7" for one in ("1a-serology", "1b-ck")])
    for name in ("1a-ck", "1b-serology"):
        site.ask("POST", "/fhir", body_of(f"02-srp-hep2-negative/{name}.json"))
    site.service.settled()
    (case, *_more) = [one for one in site.service.json("show") if one["state"] == "new"]
    assert site.service.json("release", case["shown"], "--as", "Alex Smith")["ok"]
    site.service.settled()
    site.get("metadata")
    for kind in SERVED:
        for one in site.found(f"{kind}?_count=200"):
            site.get(f"{kind}/{one['id']}")
    site.ask("POST", "/fhir/Observation/_search", b"_count=1", kind=FORM)
    for to in ("Observation?nonsense=x", "Observation/nope", "Specimen"):
        assert site.ask("GET", f"/fhir/{to}").status >= 400
    assert site.ask("POST", "/fhir/$interpret", body_of("02-srp-hep2-negative/1b-serology.json")).status == 200
    looked = validated(site.service.folder, site.answers)
    assert looked == len(site.answers) > 60


def test_the_validators_refuse_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "wrong.jsonl"
    wrong = [{"resourceType": "Observation", "status": "final"}, {"resourceType": "Patient", "gender": 3}]
    path.write_text("\n".join(map(json.dumps, wrong)), encoding="utf-8")
    *refused, last = run(("node", str(HERE / "validate_r4.cjs")), str(path))
    assert {(one["by"], one["kind"]) for one in refused} >= {
        ("medplum", "Observation"),
        ("fhir", "Observation"),
        ("medplum", "Patient"),
    }
    assert last["looked"] == 2


def validated(folder: Path, answers: list[bytes]) -> int:
    """How many answers two validators looked at; fails where one refuses any."""
    path = folder / "answers.jsonl"
    path.write_bytes(b"\n".join(answers))
    *refused, last = run(("node", str(HERE / "validate_r4.cjs")), str(path))
    assert refused == []
    looked: int = last["looked"]
    return looked
