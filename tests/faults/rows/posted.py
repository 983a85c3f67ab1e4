"""The same over FHIR: T-12."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections import Counter

from tests.faults.outcome import Outcome, Run
from tests.faults.service import Service, free_port, until

HANDS = 64
FEED = '[feeds.ward]\nkind = "fhir"\ntimezone = "Europe/Paris"\nsettle_s = 0\nreceiver = "lis"\n'
KEPT = "SELECT count(*), sum(duplicates) FROM journal"
CONDITION = "identifier=https://laba.example/result|"


def at_once(run: Run) -> Outcome:
    """T-12, FHIR part. The same body on 64 connections at the same moment, by turns a result and a transaction that creates
    only where there is none: one is created (201), the others are told that it is there (200), by the same id."""
    found = Outcome()
    port = free_port()
    service = Service(run.folder / "s", extra=f'{FEED}[web]\nlisten = "127.0.0.1:{port}"\n', patched=run.patched)
    service.configure()
    text = (service.folder / "labbridge.toml").read_text(encoding="utf-8")
    (service.folder / "labbridge.toml").write_text(text.replace('[web]\nlisten = ""\n', "", 1), encoding="utf-8")
    try:
        service.start()
        found.must(until(lambda: _listens(port)), "the address of FHIR did not open")
        token = service.run("user", "token", "ward", "--scope", "ingest", "--as", "Ada Martin").stdout.strip()
        asyncio.run(_rounds(found, run.size(4, 1000), port, token))
        until(service.processed)
        kept, again = service.rows(KEPT)[0]
        found.must(kept == _bodies(found.trials), f"{kept} messages kept of {_bodies(found.trials)} different ones")
        found.note = f"{kept} kept, {again} duplicates"
    finally:
        service.close()
    found.exposures = found.trials * HANDS
    return found


def _bodies(rounds: int) -> int:
    """A result is the same bytes for all hands; of a transaction each hand has bytes of its own."""
    return (rounds + 1) // 2 + rounds // 2 * HANDS


def _listens(port: int) -> bool:
    try:
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/fhir", b"{}"), timeout=5)
    except urllib.error.HTTPError as answer:
        return answer.code == 401
    except OSError:
        return False
    return False


async def _rounds(found: Outcome, rounds: int, port: int, token: str) -> None:
    channels = [await asyncio.open_connection("127.0.0.1", port) for _hand in range(HANDS)]
    for number in range(rounds):
        conditional = number % 2 == 1
        to = "/fhir" if conditional else "/fhir/Observation"
        bodies = [_transaction(number, hand) if conditional else _result(number) for hand in range(HANDS)]
        answers = await asyncio.gather(
            *(_post(*channel, (to, token, one)) for channel, one in zip(channels, bodies, strict=True))
        )
        codes = Counter(status for status, _place in answers)
        places = {place for _status, place in answers}
        found.must(codes == Counter({"200": HANDS - 1, "201": 1}), f"round {number} was answered {dict(codes)}")
        found.must(len(places) == 1, f"round {number} has {len(places)} ids")
        found.trials += 1
    for _reader, writer in channels:
        writer.close()


def _observation(number: int, hand: int = 0) -> dict[str, object]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "https://laba.example/result", "value": f"F{number}"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2157-6", "display": "Creatine kinase"}]},
        "subject": {"identifier": {"system": "https://laba.example/mrn", "value": f"P{number}"}},
        "issued": f"2026-11-13T12:00:00.{hand:03}+01:00",
        "valueQuantity": {"value": 900, "unit": "U/L"},
    }


def _result(number: int) -> bytes:
    return json.dumps(_observation(number)).encode()


def _transaction(number: int, hand: int) -> bytes:
    request = {"method": "POST", "url": "Observation", "ifNoneExist": f"{CONDITION}F{number}"}
    entry = {"resource": _observation(number, hand), "request": request}
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}).encode()


async def _post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: tuple[str, str, bytes]
) -> tuple[str, str]:
    """The status of the one resource, and its id."""
    to, token, body = what
    head = f"POST {to} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    head += "Content-Type: application/fhir+json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    told = json.loads(await reader.readexactly(int(length.partition(b":")[2])))
    if told["resourceType"] != "Bundle":
        return answer.split(b" ")[1].decode(), str(told.get("id"))
    response = told["entry"][0]["response"]
    return response["status"][:3], response["location"].split("/")[1]
