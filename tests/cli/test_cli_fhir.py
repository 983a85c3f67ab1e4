"""`labbridge interpret` on FHIR files: what is read as FHIR, several bodies of a file, HL7 v2 beside it, the day it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_run import SAMPLES, Done, config, run

from labbridge.wires import is_fhir, split_bodies

BLOT = {"code": "SRPB", "display": "Anti-SRP (line blot)"}
CK = {"system": "http://loinc.org", "code": "2157-6", "display": "Creatine kinase"}
INTENSITY, UNITS_PER_LITRE = (
    {"unit": "intensity"},
    {"unit": "U/L", "system": "http://unitsofmeasure.org", "code": "U/L"},
)
HL7_CK = (
    b"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261114120000+0100||ORU^R01^ORU_R01|M9|P|2.5.1||||||UNICODE UTF-8\r"
    b"PID|1||PT1^^^LABA^MR||TEST^SYNTHETIC||19690417|M\rOBR|1|P9^MYOCLIN|F9^MYOLIS|CK^CK^L|||20261110091500+0100\r"
    b"OBX|1|NM|2157-6^Creatine kinase^LN|1|7800|U/L^U/L^UCUM|39-190|H|||F\r"
)

Body = dict[str, Any]


def observation(code: Body, value: float, unit: Body, high: int) -> Body:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [code]},
        "subject": {"reference": "urn:patient"},
        "effectiveDateTime": "2026-11-10T09:15:00+01:00",
        "valueQuantity": {"value": value, **unit},
        "referenceRange": [{"low": {"value": 0}, "high": {"value": high}}],
    }


def bundle(*results: Body, patient: str = "PT1", timestamp: str = "2026-11-13T12:00:00+01:00") -> Body:
    """Results of a patient whose number is of the authority LABA, under the sender's own codes (no system)."""
    identifier = {"type": {"coding": [{"code": "MR"}]}, "system": "LABA", "value": patient}
    person = {"resourceType": "Patient", "identifier": [identifier], "gender": "male", "birthDate": "1969-04-17"}
    entry = [{"fullUrl": "urn:patient", "resource": person}, *({"resource": one} for one in results)]
    sent = {"timestamp": timestamp} if timestamp else {}
    return {"resourceType": "Bundle", "type": "collection", **sent, "entry": entry}


def srp(value: float, **more: str) -> Body:
    return bundle(observation(BLOT, value, INTENSITY, 5), **more)


def ck(value: float, **more: str) -> Body:
    return bundle(observation(CK, value, UNITS_PER_LITRE, 190), **more)


def wrote(folder: Path, content: bytes | str | Body, name: str = "in.json") -> Path:
    path = folder / name
    text = json.dumps(content) if isinstance(content, dict) else content
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def interpreted(folder: Path, *paths: Path, more: tuple[str, ...] = ()) -> Done:
    return run("interpret", *paths, "--config", config(folder), "--format", "json", *more)


def states(done: Done) -> list[tuple[str, str, str]]:
    return [(one["patient"]["id"], one["states"]["SRP"], one["states"]["CK"]) for one in done.lines]


# ---------------------------------------------------------------- what a FHIR file is


@pytest.mark.parametrize("before", ["", "\ufeff", "\n  ", "\ufeff \r\n\t"])
def test_a_file_that_begins_as_an_object_is_read_as_fhir(tmp_path: Path, before: str) -> None:
    done = interpreted(tmp_path, wrote(tmp_path, before + json.dumps(srp(58))))
    assert (done.code, done.err, states(done)) == (0, "", [("PT1", "POS_STRONG", "UNKNOWN")])


def test_other_files_are_hl7_as_before(tmp_path: Path) -> None:
    for content in (b"", b"[]", b"hello {", b"\xef\xbb\xbf[{}]"):
        assert not is_fhir(content)
        done = interpreted(tmp_path, wrote(tmp_path, content))
        assert done.err == f"{tmp_path / 'in.json'}, message 1: No MSH segment: this is not an HL7 v2 file\n"


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_a_file_may_hold_several_bodies_each_begun_on_a_line(tmp_path: Path, end: str, indent: int | None) -> None:
    bodies = [json.dumps(one, indent=indent) for one in (srp(58), ck(90, patient="PT2"), ck(7800))]
    done = interpreted(tmp_path, wrote(tmp_path, end.join(bodies) + end, name="in.ndjson"))
    assert states(done) == [("PT1", "POS_STRONG", "HIGH"), ("PT2", "NOT_TESTED", "NORMAL")]


def test_braces_within_a_body_part_nothing() -> None:
    body = json.dumps({"text": "} {", "list": [{"a": {}}, {"b": 1}]}, indent=1).encode()
    assert split_bodies(body) == [body]
    assert split_bodies(body.replace(b"\n", b"\r\n")) == [body.replace(b"\n", b"\r\n")]


# ---------------------------------------------------------------- as users call it


def test_bodies_and_messages_of_a_patient_are_read_together(tmp_path: Path) -> None:
    body, message = wrote(tmp_path, srp(58)), wrote(tmp_path, HL7_CK, name="ck.hl7")
    for paths in ((body, message), (message, body)):
        done = interpreted(tmp_path, *paths)
        assert (done.code, done.err, states(done)) == (0, "", [("PT1", "POS_STRONG", "HIGH")])
    evidence = {place for flag in done.lines[0]["flags"] for place in flag["evidence"]}
    assert f"{body}#1:Bundle.entry[1].resource" in evidence


def test_a_single_result_and_a_report_are_bodies_too(tmp_path: Path) -> None:
    alone = {**observation(BLOT, 58, INTENSITY, 5), "subject": {"identifier": {"system": "LABA", "value": "PT1"}}}
    done = interpreted(tmp_path, wrote(tmp_path, alone), wrote(tmp_path, HL7_CK, name="ck.hl7"))
    assert states(done) == [("PT1", "POS_STRONG", "HIGH")]


def test_standard_input_may_be_fhir(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labbridge.cli", "interpret", "-", "--config", str(config(tmp_path))]
    sent = json.dumps(srp(58)).encode()
    done = subprocess.run(command, input=sent, capture_output=True, env={**os.environ}, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().startswith("patient LABA|PT1, evaluated 2026-11-13\nanti-SRP POS_STRONG")


def test_an_explanation_names_the_place_in_the_body(tmp_path: Path) -> None:
    done = run("interpret", wrote(tmp_path, srp(58)), "--config", config(tmp_path), "--explain")
    assert done.code == 0
    assert "in.json#1:Bundle.entry[1].resource" in done.out


def test_what_cannot_be_read_is_told_by_its_place_and_costs_no_other(tmp_path: Path) -> None:
    odd = srp(58)
    odd["entry"][1]["resource"]["status"] = "finished"
    bodies = "\n".join(map(json.dumps, (srp(58), odd, {"resourceType": "Basic", "code": {}}, ck(7800))))
    first, second = wrote(tmp_path, bodies), wrote(tmp_path, '{"resourceType": ', name="cut.json")
    done = interpreted(tmp_path, first, second)
    assert (done.code, states(done)) == (1, [("PT1", "POS_STRONG", "HIGH")])
    assert done.err.splitlines() == [
        f"{first}, message 2: This is no code of the required value set Bundle.entry[1].resource.status",
        f"{first}, message 3: This resource is not taken alone; send Observation, DiagnosticReport, Patient, or a Bundle"
        " resourceType",
        f"{second}, message 1: This is not JSON at line 1, column 17",
    ]


# ---------------------------------------------------------------- the day it is


def days(folder: Path, *bodies: Body, more: tuple[str, ...] = ()) -> list[str]:
    paths = [wrote(folder, one, name=f"{number}.json") for number, one in enumerate(bodies)]
    return [one["evaluated_at"] for one in interpreted(folder, *paths, more=more).lines]


def test_now_is_the_newest_time_of_that_patients_bundles(tmp_path: Path) -> None:
    old, new = srp(58, timestamp="2026-03-01T12:00:00Z"), ck(90, timestamp="2026-04-01T12:00:00Z")
    other = srp(2, patient="PT2", timestamp="2026-05-01T23:30:00Z")
    assert days(tmp_path, new, old, other) == ["2026-04-01", "2026-05-02"], "a calendar day of Paris"
    assert days(tmp_path, new, other, more=("--as-of", "2027-01-02")) == ["2027-01-02", "2027-01-02"]


def test_without_a_time_of_its_own_now_is_the_newest_collection(tmp_path: Path) -> None:
    assert days(tmp_path, srp(58, timestamp="")) == ["2026-11-10"]
    later = ck(90, timestamp="")
    later["entry"][1]["resource"]["effectiveDateTime"] = "2026-11-12"
    assert days(tmp_path, later, srp(58, timestamp="")) == ["2026-11-12"]


# ---------------------------------------------------------------- a feed of each wire

FEEDS = """\
[feeds.myolis]
listen = "127.0.0.1:0"
timezone = "Europe/Paris"
[feeds.rest]
kind = "fhir"
sender = "MYOLIS|LABA"
timezone = "Europe/Paris"
local_systems = ["https://laba.example/codes"]
[feeds.rest.authorities]
"https://laba.example/mrn" = "LABA"
"https://laba.example/placer" = "MYOCLIN"
"https://laba.example/filler" = "MYOLIS"
"https://laba.example/specimen" = "MYOLIS"
"""


def test_each_wire_is_read_as_its_feed_would_read_it(tmp_path: Path) -> None:
    where = tmp_path / "two.toml"
    where.write_text(f'{FEEDS}[knowledge]\nsite = "{SAMPLES / "site"}"\n', encoding="utf-8")
    said = []
    for wire in (".hl7", ".json"):
        done = run("interpret", *sorted(SAMPLES.glob(f"0*/*{wire}")), "--config", where, "--format", "json")
        found = done.lines
        assert (done.code, done.err, len(found)) == (0, "", 8)
        for part in (part for outcome in found for part in (*outcome["flags"], *outcome["notes"])):
            part.pop("evidence", None)
            part.pop("at", None)
        said.append(found)
    assert said[0] == said[1]
