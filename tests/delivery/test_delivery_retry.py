"""The schedule of reliability.md 6 and the loop that follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.delivery.retry import retry_delay
from labbridge.delivery.worker import LINE_CAP_S, DeliveryWorker
from labbridge.errors import StoreUnavailable


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (8, 128), (9, 256), (10, 300), (11, 300), (10**6, 300)],
)
def test_schedule(attempt: int, seconds: float) -> None:
    assert retry_delay(attempt, lambda: 0.5).total_seconds() == pytest.approx(seconds)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_jitter_is_a_fifth_either_side(attempt: int, chance: float) -> None:
    middle = retry_delay(attempt, lambda: 0.5).total_seconds()
    found = retry_delay(attempt, lambda: chance).total_seconds()
    assert 0.8 * middle - 1e-6 <= found <= 1.2 * middle + 1e-6


class Line:
    def __init__(self) -> None:
        self.name, self.failures, self.closed = "lis", 0, False

    def close(self) -> None:
        self.closed = True


async def run(attempt: Callable[[DeliveryWorker, Line], Awaitable[bool]]) -> tuple[Line, list[float]]:
    """Run the loop with rests that take no time; what they would have been is returned."""
    line, rests = Line(), list[float]()

    def rest(seconds: float) -> float:
        rests.append(seconds)
        return 0.001

    worker = DeliveryWorker(line, lambda: attempt(worker, line), poll_s=0.001, rng=lambda: 0.5, pause=rest)
    async with asyncio.timeout(20):
        await worker.run()
    return line, rests


async def test_what_is_due_goes_without_a_rest() -> None:
    left = [True] * 5 + [False]

    async def attempt(worker: DeliveryWorker, _: Line) -> bool:
        if len(left) == 1:
            worker.stop()
        return left.pop(0)

    line, rests = await run(attempt)
    assert left == []
    assert rests == []
    assert line.closed


async def test_a_receiver_that_is_away_is_rested_longer_each_time() -> None:
    async def attempt(worker: DeliveryWorker, line: Line) -> bool:
        line.failures += 1
        if line.failures == 4:
            worker.stop()
        return True

    _, rests = await run(attempt)
    assert rests == [1.0, 2.0, 4.0, 8.0]


async def test_after_an_answer_there_is_no_rest() -> None:
    script = [1, 2, 0, 0, 1]

    async def attempt(worker: DeliveryWorker, line: Line) -> bool:
        line.failures = script.pop(0)
        if not script:
            worker.stop()
        return True

    _, rests = await run(attempt)
    assert rests == [1.0, 2.0, 1.0]


async def test_a_store_that_cannot_answer_is_waited_for() -> None:
    script = [StoreUnavailable("busy"), StoreUnavailable("busy"), None]

    async def attempt(worker: DeliveryWorker, _: Line) -> bool:
        fault = script.pop(0)
        if fault:
            raise fault
        worker.stop()
        return True

    _, rests = await run(attempt)
    assert rests == [1.0, 2.0]


async def test_a_bug_leaves_and_the_line_is_closed() -> None:
    async def attempt(_: DeliveryWorker, __: Line) -> bool:
        raise ValueError("a bug")

    line = Line()
    worker = DeliveryWorker(line, lambda: attempt(worker, line))
    with pytest.raises(ValueError, match="a bug"):
        await worker.run()
    assert line.closed


async def test_wake_ends_the_sleep() -> None:
    calls, worker = 0, None

    async def attempt() -> bool:
        nonlocal calls
        calls += 1
        if calls == 2:
            worker.stop()
        return False

    worker = DeliveryWorker(Line(), attempt, poll_s=3600)
    task = asyncio.create_task(worker.run())
    async with asyncio.timeout(20):
        while not calls:
            await asyncio.sleep(0.001)
        worker.wake()
        await task
    assert calls == 2


async def test_a_wake_during_an_attempt_is_not_lost() -> None:
    """Something was put into the outbox after the attempt had looked: the loop looks again before it sleeps."""
    calls, worker = 0, None

    async def attempt() -> bool:
        nonlocal calls
        calls += 1
        worker.stop() if calls == 2 else worker.wake()
        return False

    worker = DeliveryWorker(Line(), attempt, poll_s=3600)
    async with asyncio.timeout(20):
        await worker.run()
    assert calls == 2


async def test_stop_waits_for_the_attempt_in_hand() -> None:
    begun, go, done = asyncio.Event(), asyncio.Event(), []

    async def attempt() -> bool:
        begun.set()
        await go.wait()
        done.append(True)
        return True

    worker = DeliveryWorker(Line(), attempt)
    task = asyncio.create_task(worker.run())
    await begun.wait()
    worker.stop()
    await asyncio.sleep(0.01)
    assert not task.done()
    go.set()
    await task
    assert done == [True]


def test_the_rest_of_a_line_is_capped() -> None:
    worker = DeliveryWorker(Line(), lambda: asyncio.sleep(0, False))
    assert worker._pause(300.0) == LINE_CAP_S
    assert worker._pause(2.0) == 2.0
