"""Third-party servers as our LIS: a released comment arrives with its text, and nothing else counts as delivered."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from interop_parts import RECEIVERS, STRONG, Hub, Lis, Receiver

from labbridge.delivery.mllp import MllpReceiver, ReceiverSettings
from labbridge.errors import Retry
from labbridge.hl7.ack import positive
from labbridge.hl7.mllp import frame
from tests.service.service_parts import sample, until


class Delivered(msgspec.Struct, frozen=True):
    """A comment on its way: how its case reads, the outbox row as it is shown, the bytes that were stored for it."""

    case: dict[str, Any]
    shown: dict[str, Any]
    raw: bytes


@pytest.fixture(scope="module", params=RECEIVERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def receiver(name: str) -> Receiver:
    return RECEIVERS[name]


@pytest.fixture(scope="module")
def lis(name: str, receiver: Receiver, hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lis]:
    found = Lis(receiver, hub.receivers[name], tmp_path_factory.mktemp(name))
    try:
        until(found.listens)
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def delivered(name: str, lis: Lis, hub: Hub) -> Delivered:
    """A result sent to the feed whose comments go to this LIS; its comment, released by a person and answered."""
    patient = f"PT-{name}"
    result = sample("02-srp-hep2-negative/1b-serology.hl7").replace(b"PT1002", patient.encode())
    assert accepted(hub.feeds[name], result)
    case = until(lambda: newest_case(hub, patient))
    key = hub.json("release", case["shown"], "--as", "Alex Smith")["done"][0]["result"]
    shown = until(lambda: answered(hub, key))
    ((raw,),) = hub.rows("SELECT raw FROM outbox WHERE control_id = ?", shown["control_id"])
    return Delivered(case, shown, raw)


def accepted(port: int, raw: bytes) -> bool:
    with socket.create_connection(("127.0.0.1", port), 10) as channel:
        channel.sendall(frame(raw))
        return b"\rMSA|AA|" in channel.recv(65536)


def newest_case(hub: Hub, patient: str) -> dict[str, Any] | None:
    return next((case for case in hub.json("show") if case["outcome"]["patient"]["id"] == patient), None)


def answered(hub: Hub, key: str) -> dict[str, Any] | None:
    shown: dict[str, Any] = hub.json("show", key)
    return shown if shown["reason"] else None


def test_a_released_comment_is_acknowledged_at_once(delivered: Delivered) -> None:
    shown = delivered.shown
    assert (shown["state"], shown["reason"], shown["attempts"]) == ("acknowledged", "AA received", 1)


def test_the_text_that_was_released_is_what_the_lis_reads(delivered: Delivered, receiver: Receiver, lis: Lis) -> None:
    (heard,) = lis.heard(delivered.shown["control_id"])
    assert STRONG in delivered.case["text"]
    assert receiver.decode(heard["text"]) == delivered.case["text"]


def test_the_message_arrives_as_it_was_stored(delivered: Delivered, lis: Lis) -> None:
    (heard,) = lis.heard(delivered.shown["control_id"])
    assert heard["raw"].encode().rstrip(b"\r") == delivered.raw.rstrip(b"\r")  # two of the five cut the last CR
    assert all(f"\\{name}\\".encode() in delivered.raw for name in (".br", "F", "S", "T", "R", "E"))


# ---------------------------------------------------------------- what counts as delivered


def comment(control_id: str) -> bytes:
    segments = (
        f"MSH|^~\\&|LABBRIDGE|H|LIS|H|20260101120000||ORU^R01^ORU_R01|{control_id}|P|2.5.1||||||UNICODE UTF-8",
        "PID|1||SYN1^^^H^MR||TEST^SYNTHETIC",
        "OBR|1|O1|F1|SRP^Anti-SRP^L|||20260101",
        "OBX|1|TX|LBC^Comment^L||µ||||||F",
    )
    return ("\r".join(segments) + "\r").encode()


@contextlib.contextmanager
def line_to(lis: Lis) -> Iterator[MllpReceiver]:
    found = MllpReceiver("lis", ReceiverSettings(host="127.0.0.1", port=lis.port, timeout_s=20))
    try:
        yield found
    finally:
        found.close()


async def verdict(line: MllpReceiver, control_id: str) -> str:
    """The code that counts, or why none does. A message that met a closed door goes again: hl7apy ends each connection."""
    for _ in range(2):
        try:
            answer = await line.send(comment(control_id), control_id)
        except Retry as fault:
            if "does not name" in str(fault):
                return "not ours"
        else:
            assert positive(answer, control_id) == (answer.code == "AA")
            return answer.code
    return "no answer"


@pytest.mark.parametrize(("control_id", "expected"), [("LB1", "AA"), ("AE1", "AE"), ("AR1", "AR"), ("NO1", "not ours")])
async def test_only_an_acceptance_that_names_the_message_counts(lis: Lis, control_id: str, expected: str) -> None:
    with line_to(lis) as line:
        assert await verdict(line, control_id) == expected
    assert len(lis.heard(control_id)) == 1


async def test_no_answer_is_credited_to_another_message_of_the_line(lis: Lis) -> None:
    """node-hl7-server answers all the earlier messages of a connection again, before the newest and in one write."""
    wanted = {"LB2": "AA", "AE2": "AE", "LB3": "AA", "NO2": "not ours", "AR2": "AR", "LB4": "AA"}
    with line_to(lis) as line:
        assert {control_id: await verdict(line, control_id) for control_id in wanted} == wanted
