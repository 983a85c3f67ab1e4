"""FHIR: transaction Bundles of 18 KB with ten results, each held against its models, stored and read into a Report; a CPU
second of all labbridge processes against a CPU second of the models alone (fhir.resources, model_validate)."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.bench import parts
from tests.bench.figures import Line, ratios

ROUNDS, BUNDLES, SENDERS = 7, 600, 32
SHARE_MODELS = 0.6
RESULTS, LENGTH = 10, 18_000
TICK = os.sysconf("SC_CLK_TCK")
ANALYTES = (  # of a general laboratory: what an interpretation costs is asked by the other lines
    ("NA", "Sodium", "140", "mmol/L"), ("K", "Potassium", "4.10", "mmol/L"), ("CL", "Chloride", "101", "mmol/L"),
    ("CREA", "Creatinine", "80.5", "umol/L"), ("ALT", "Alanine aminotransferase", "120", "U/L"),
    ("AST", "Aspartate aminotransferase", "90", "U/L"), ("LDH", "Lactate dehydrogenase", "612", "U/L"),
    ("GLU", "Glucose", "5.30", "mmol/L"), ("HB", "Haemoglobin", "142", "g/L"), ("CRP", "C-reactive protein", "3.2", "mg/L"),
)  # fmt: skip


def body(number: int) -> bytes:
    """A Bundle of its own patient, specimen and results."""
    name = f"B{number}-{uuid.uuid4().hex[:8]}"
    who, tube = f"urn:uuid:{uuid.uuid4()}", f"urn:uuid:{uuid.uuid4()}"
    people = {
        "resourceType": "Patient",
        "identifier": [{"type": _typed("MR"), "system": "https://laba.example/mrn", "value": name}],
        "name": [{"family": "TEST", "given": ["SYNTHETIC"]}],
        "gender": "male",
        "birthDate": "1969-04-17",
    }
    specimen = {
        "resourceType": "Specimen",
        "identifier": [{"system": "https://laba.example/specimen", "value": f"S{name}"}],
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0487", "code": "SER"}]},
        "subject": {"reference": who},
        "collection": {"collectedDateTime": "2026-11-10T09:15:00+01:00"},
    }
    results = [(f"urn:uuid:{uuid.uuid4()}", _result(name, who, tube, one)) for one in ANALYTES[:RESULTS]]
    report = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"type": _typed("FILL"), "system": "https://laba.example/filler", "value": f"F{name}"}],
        "status": "final",
        "code": {"coding": [{"system": "https://laba.example/codes", "code": "MYO", "display": "Myositis"}]},
        "subject": {"reference": who},
        "effectiveDateTime": "2026-11-10T09:15:00+01:00",
        "issued": "2026-11-13T12:00:00+01:00",
        "specimen": [{"reference": tube}],
        "result": [{"reference": url} for url, _one in results],
    }
    resources = [(who, people), (tube, specimen), *results, (f"urn:uuid:{uuid.uuid4()}", report)]
    entries = [
        {"fullUrl": url, "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
        for url, one in resources
    ]
    document = {
        "resourceType": "Bundle",
        "type": "transaction",
        "timestamp": "2026-11-13T12:00:00+01:00",
        "entry": entries,
    }
    return json.dumps(document, indent=2).replace('"value": "#', '"value": ').replace('#"', "").encode()


def _typed(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": code}]}


def _result(name: str, who: str, tube: str, analyte: tuple[str, str, str, str]) -> dict[str, Any]:
    code, display, value, unit = analyte
    category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "https://laba.example/result", "value": f"{name}-{code}"}],
        "status": "final",
        "category": [{"coding": [category]}],
        "code": {"coding": [{"system": "https://laba.example/codes", "code": code, "display": display}]},
        "subject": {"reference": who},
        "effectiveDateTime": "2026-11-10T09:15:00+01:00",
        "issued": "2026-11-13T12:00:00+01:00",
        "performer": [{"display": "Laboratory A"}],
        "valueQuantity": {"value": f"#{value}#", "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
        "specimen": {"reference": tube},
        "referenceRange": [{"text": "<20"}],
    }


MODELS = """
import json, sys, time
from decimal import Decimal
from fhir.resources.R4B.bundle import Bundle
bodies = [json.loads(line, parse_float=Decimal) for line in sys.stdin]
for one in bodies[:20]:
    Bundle.model_validate(one)
begun = time.process_time()
for one in bodies:
    Bundle.model_validate(one)
print(len(bodies) / (time.process_time() - begun))
"""


def models(bodies: list[bytes]) -> float:
    """Bundles that the models alone validate in a CPU second, on every processor at once: two threads of one core share
    it, and a second of either is worth less than one alone."""
    count = os.cpu_count() or 1
    shares = ["\n".join(json.dumps(json.loads(one)) for one in bodies[turn::count]) for turn in range(count)]
    with ThreadPoolExecutor(count) as pool:
        return statistics.mean(pool.map(_validated, shares))


def _validated(lines: str) -> float:
    done = subprocess.run([sys.executable, "-c", MODELS], input=lines, capture_output=True, text=True, check=True)
    return float(done.stdout)


class FhirService(parts.Labbridge):
    """A service with a FHIR feed beside the other one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.web = parts.free_port()
        text = self.config.read_text(encoding="utf-8").replace(
            '[web]\nlisten = ""', f'[web]\nlisten = "127.0.0.1:{self.web}"'
        )
        text += (
            '[feeds.ward]\nkind = "fhir"\nsender = "MYOLIS|LABA"\ntimezone = "Europe/Paris"\n'
            'authorities = { "https://laba.example/mrn" = "LABA" }\nlocal_systems = ["https://laba.example/codes"]\n'
        )
        self.config.write_text(text, encoding="utf-8")

    def token(self) -> str:
        words = ("user", "token", "lis", "--scope", "ingest", "--as", "Ada Martin", "--config", str(self.config))
        command = [sys.executable, "-m", "labbridge.cli", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def labbridge(bodies: list[bytes]) -> tuple[float, dict[str, float]]:
    """Bundles a CPU second of the service, from before they came until each was read; and CPU us a Bundle by process."""
    with tempfile.TemporaryDirectory() as folder:
        service = FhirService(Path(folder))
        with parts.running(*service.command("all")) as process:
            parts.ready(service.admin)
            parts.listening(service.web)
            token = service.token()
            asyncio.run(_send(service.web, token, [body(-number) for number in range(40)]))
            _read(service)
            before = cpu_of(process.pid)
            asyncio.run(_send(service.web, token, bodies))
            _read(service)
            spent = {name: after - before.get(name, 0.0) for name, after in cpu_of(process.pid).items()}
    each = {name: seconds * 1e6 / len(bodies) for name, seconds in spent.items()}
    return len(bodies) / sum(spent.values()), each


def _read(service: FhirService) -> None:
    while service.waiting():
        time.sleep(0.1)


def cpu_of(pid: int) -> dict[str, float]:
    """CPU seconds so far of a process and its children, in the order in which they were begun."""
    found = {}
    for number, one in enumerate(parts.family(pid)):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        found[f"p{number}"] = (int(fields[11]) + int(fields[12])) / TICK
    return found


async def _send(port: int, token: str, bodies: list[bytes]) -> None:
    """All of them over so many connections. Whatever is not answered 200 makes the run worthless."""
    waiting = list(bodies)
    head = f"POST /fhir HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
    head += "Content-Type: application/fhir+json\r\nContent-Length: "

    async def sender() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            one = waiting.pop()
            writer.write(head.encode() + f"{len(one)}\r\n\r\n".encode() + one)
            answer = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in answer.split(b"\r\n")[0]:
                raise RuntimeError(f"not every Bundle was taken: {answer[:80]!r}")
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
        writer.close()

    await asyncio.gather(*(sender() for _sender in range(SENDERS)))


def fhir() -> list[Line]:
    """A B A B ..., each round with Bundles of its own."""
    theirs, ours, told = [], [], {}
    length = 0
    for turn in range(ROUNDS):
        bodies = [body(turn * BUNDLES + number) for number in range(BUNDLES)]
        length = len(bodies[0])
        theirs.append(models(bodies))
        rate, told = labbridge(bodies)
        ours.append(rate)
    note = f"{statistics.median(ours):.0f} to {statistics.median(theirs):.0f} a CPU second, {length} bytes"
    return [
        Line(
            "fhir-bundles", "of the models", SHARE_MODELS, True, ratios(ours, theirs), f"{note}; us {parts.told(told)}"
        )
    ]
