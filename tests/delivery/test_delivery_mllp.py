"""The client against a LIS that misbehaves in every known way: nothing counts as delivered that was not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from adversary import DELIVERED, MODES, NOTHING, REFUSED, Adversary
from tls_files import Authority, client_side, server_side

from labbridge.delivery.mllp import MllpReceiver, ReceiverSettings
from labbridge.errors import Retry
from labbridge.hl7.ack import positive


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True, params=["plain", "tls"])
def wire(request: pytest.FixtureRequest, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test of this file runs over a plain connection and over TLS."""
    if request.param == "tls":
        monkeypatch.setattr(Adversary, "tls", (server_side(authority.issue("lis")), client_side(authority)))


def message(control_id: str) -> bytes:
    return f"MSH|^~\\&|LB|H|LIS|H|20260101||ORU^R01|{control_id}|P|2.5.1\rOBX|1|TX|C||text\r".encode()


@asynccontextmanager
async def line(lis: Adversary, **changed: object) -> AsyncIterator[MllpReceiver]:
    settings = {"host": "127.0.0.1", "port": lis.port, "timeout_s": 0.3, "end_grace_s": 0.05} | changed
    tls = lis.tls[1] if lis.tls else None
    receiver = MllpReceiver("lis", ReceiverSettings(**settings), tls=tls)  # type: ignore[arg-type]
    try:
        yield receiver
    finally:
        receiver.close()


def patient(receiver: MllpReceiver) -> None:
    """From here on an answer is expected: a busy machine must not cost it."""
    receiver._settings = msgspec.structs.replace(receiver._settings, timeout_s=20.0)


async def delivered(receiver: MllpReceiver, control_id: str) -> bool | None:
    """True or False by the answer; None where there was none."""
    try:
        return positive(await receiver.send(message(control_id), control_id), control_id)
    except Retry:
        assert not receiver.connected, "the connection must be closed before the next message"
        return None


def test_every_mode_has_its_verdict() -> None:
    assert sorted(DELIVERED + REFUSED + NOTHING) == sorted(MODES)
    assert len(MODES) > 40


@pytest.mark.parametrize("mode", DELIVERED)
async def test_a_matching_acceptance_counts(mode: str) -> None:
    async with Adversary(mode) as lis, line(lis, timeout_s=5.0) as receiver:
        assert await delivered(receiver, "LB1") is True
        assert lis.raw == [message("LB1")]
        assert receiver.failures == 0


@pytest.mark.parametrize("mode", REFUSED)
async def test_a_refusal_comes_back_as_one(mode: str) -> None:
    async with Adversary(mode) as lis, line(lis, timeout_s=5.0) as receiver:
        answer = await receiver.send(message("LB1"), "LB1")
        assert answer.code in ("AE", "AR", "CE", "CR")
        assert answer.control_id == "LB1"
        assert receiver.failures == 0


@pytest.mark.parametrize("mode", NOTHING)
async def test_anything_else_is_no_answer(mode: str) -> None:
    async with Adversary(mode) as lis, line(lis) as receiver:
        assert await delivered(receiver, "LB1") is None
        assert receiver.failures == 1


@pytest.mark.parametrize("mode", MODES)
async def test_no_mode_spoils_the_next_message(mode: str) -> None:
    """Whatever is left over of the first exchange, the second gets its own answer, and only that."""
    async with Adversary(mode, "AE", "plain") as lis, line(lis) as receiver:
        await delivered(receiver, "LB1")
        await asyncio.sleep(0.03)
        patient(receiver)
        answer = await receiver.send(message("LB2"), "LB2")
        assert (answer.code, answer.control_id) == ("AE", "LB2")
        assert await delivered(receiver, "LB3") is True


async def test_a_late_answer_is_never_credited() -> None:
    """The answer to the first message arrives while the second waits for its own, which never comes."""
    async with Adversary("late", "silent") as lis, line(lis, timeout_s=0.5) as receiver:
        assert await delivered(receiver, "LB1") is None
        receiver._settings = msgspec.structs.replace(receiver._settings, timeout_s=1.0)
        assert await delivered(receiver, "LB2") is None
        assert lis.connections == 2


async def test_the_same_bytes_go_again_after_silence() -> None:
    async with Adversary("silent", "rst", "wrongid", "plain") as lis, line(lis) as receiver:
        results = [await delivered(receiver, "LB1") for _ in range(3)]
        patient(receiver)
        assert [*results, await delivered(receiver, "LB1")] == [None, None, None, True]
        assert lis.raw == [message("LB1")] * 4
        assert receiver.failures == 0


async def test_a_good_connection_is_kept() -> None:
    async with Adversary("plain") as lis, line(lis, timeout_s=5.0) as receiver:
        for number in range(20):
            assert await delivered(receiver, f"LB{number}") is True
        assert lis.connections == 1


async def test_one_message_in_flight_though_many_call() -> None:
    async with Adversary("splitbody") as lis, line(lis, timeout_s=20.0) as receiver:
        results = await asyncio.gather(*(delivered(receiver, f"LB{number}") for number in range(8)))
        assert results == [True] * 8
        assert lis.connections == 1


@pytest.mark.parametrize("mode", ["CAthenAA", "CA+AAcoalesced", "CAthenAE", "CA+AEcoalesced"])
async def test_without_accept_ca_the_application_answer_decides(mode: str) -> None:
    async with Adversary(mode) as lis, line(lis, timeout_s=5.0, accept_ca=False) as receiver:
        answer = await receiver.send(message("LB1"), "LB1")
        assert answer.code == mode[-2:] or (answer.code == "AA" and "AA" in mode) or (answer.code == "AE")
        assert answer.code != "CA"
        assert positive(answer, "LB1") is ("AA" in mode)


async def test_nobody_listens() -> None:
    async with Adversary("plain") as lis:
        port = lis.port
    receiver = MllpReceiver("lis", ReceiverSettings(host="127.0.0.1", port=port, timeout_s=1))
    assert await delivered(receiver, "LB1") is None
    assert await delivered(receiver, "LB1") is None
    assert receiver.failures == 2


async def test_the_lis_came_back_after_a_restart() -> None:
    async with Adversary("plain") as lis, line(lis, timeout_s=5.0) as receiver:
        assert await delivered(receiver, "LB1") is True
        await lis.__aexit__(None)
        await asyncio.sleep(0.02)
        assert await delivered(receiver, "LB2") is None
        async with Adversary("plain") as again, line(again, timeout_s=20.0) as other:
            assert await delivered(other, "LB2") is True


async def test_a_cancelled_exchange_closes_the_connection() -> None:
    async with Adversary("silent", "plain") as lis, line(lis, timeout_s=20.0) as receiver:
        task = asyncio.create_task(receiver.send(message("LB1"), "LB1"))
        async with asyncio.timeout(20):
            while not lis.seen:
                await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not receiver.connected
        assert await delivered(receiver, "LB2") is True


async def test_who_may_not_send_any_more_sends_not_one_byte() -> None:
    """It is asked once the connection stands: that may have taken long, and another node may have taken over."""
    async with Adversary("plain") as lis, line(lis, timeout_s=20.0) as receiver:
        asked: list[bool] = []

        def may_send() -> bool:
            asked.append(receiver.connected)
            return False

        receiver.may_send = may_send
        with pytest.raises(Retry, match="another node may have taken over"):
            await receiver.send(message("LB1"), "LB1")
        assert (asked, lis.seen) == ([True], [])
        receiver.may_send = lambda: True
        assert await delivered(receiver, "LB2") is True


async def test_a_long_mixture_has_no_false_delivery() -> None:
    """Random modes in a row (seeded): delivered exactly where the LIS took this message, and only then."""
    quick = [mode for mode in MODES if mode not in ("late", "endless", "splitbody")]
    rng = random.Random(20260101)
    modes = [rng.choice(quick) for _ in range(150)]
    async with Adversary(*modes) as lis, line(lis, timeout_s=0.08, end_grace_s=0.02) as receiver:
        for number, mode in enumerate(modes):
            result = await delivered(receiver, f"LB{number}-")
            assert result is not True or mode in DELIVERED, mode
        assert len(lis.seen) == len(modes)
