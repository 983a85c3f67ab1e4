"""Third-party clients that send to the running service: answers, what is kept, and what is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from interop_parts import SENDERS, Answer, Hub, Sender, answers_to, tapped

from labbridge.hl7.mllp import Event, Frame
from tests.service.service_parts import sample

NAME, UNIT = "MÜLLER-ŁÓDŹ^ÉLODIE", "µkat/L"
NO_PATIENT = 3  # the third of the four messages has no PID: it is refused, and the fourth is sent after it


class Talk(msgspec.Struct, frozen=True):
    """One connection of a client: the messages of the files, the answers as it read them, the wire of each connection."""

    sender: Sender
    messages: list[bytes]
    answers: list[Answer]
    wire: list[list[Event]]


def message(control_id: str) -> bytes:
    made = sample("02-srp-hep2-negative/1a-ck.hl7").replace(b"|S2001|", f"|{control_id}|".encode())
    made = made.replace(b"NOVAK^JAN", NAME.encode()).replace(b"U/L^^UCUM", f"{UNIT}^^UCUM".encode())
    assert all(one.encode() in made for one in (control_id, NAME, UNIT))
    return made


def without_patient(raw: bytes) -> bytes:
    return b"\r".join(line for line in raw.split(b"\r") if not line.startswith(b"PID"))


def files_of(messages: list[bytes], folder: Path) -> list[Path]:
    files = [folder / f"{number}.hl7" for number in range(len(messages))]
    for file, raw in zip(files, messages, strict=True):
        file.write_bytes(raw)
    return files


@pytest.fixture(scope="module", params=SENDERS)
def talk(request: pytest.FixtureRequest, hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Talk:
    sender = SENDERS[request.param]
    messages = [message(f"{request.param[:15]}-{number}") for number in (1, 2, 3, 4)]
    messages[NO_PATIENT - 1] = without_patient(messages[NO_PATIENT - 1])
    with tapped(hub.mllp) as tap:
        answers = answers_to(sender, tap.port, files_of(messages, tmp_path_factory.mktemp("files")))
    return Talk(sender, messages, answers, tap.blocks())


def control_id(raw: bytes) -> str:
    return raw.split(b"|")[9].decode()


def as_sent(talk: Talk) -> list[bytes]:
    return [raw if talk.sender.final_cr else raw.rstrip(b"\r") for raw in talk.messages]


def test_each_message_gets_its_own_answer_in_order(talk: Talk) -> None:
    expected = ["AA", "AA", "AE", "AA"]
    wanted = [(code, control_id(raw)) for code, raw in zip(expected, talk.messages, strict=True)]
    assert [(answer["code"], answer["id"]) for answer in talk.answers] == wanted


def test_all_were_sent_on_one_connection_as_they_were_written(talk: Talk) -> None:
    assert talk.wire == [[Frame(raw) for raw in as_sent(talk)]]


def test_the_store_keeps_the_bytes_that_were_sent(talk: Talk, hub: Hub) -> None:
    ids = [control_id(raw) for raw in talk.messages]
    kept = hub.rows(f"SELECT raw FROM journal WHERE control_id IN ({','.join('?' * len(ids))}) ORDER BY id", *ids)
    assert [Frame(raw) for (raw,) in kept] == talk.wire[0]


def test_a_refused_message_is_shown_as_such_on_both_sides(talk: Talk, hub: Hub) -> None:
    answer = talk.answers[NO_PATIENT - 1]
    (listed,) = [one for one in hub.json("quarantine") if one["control_id"] == answer["id"]]
    assert (listed["state"], listed["reason"], listed["code"]) == ("quarantined", "structure", "100")
    assert answer["text"] == listed["detail"] == "ORC stands before PID"
