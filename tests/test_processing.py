"""The processing process waits for a wake-up, and ends when the main process has gone: for nothing else."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from labbridge import processing

Ends = tuple[int, int, Connection, Connection]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The wake pipe, and the two ends of the units' pipe: the process's own and the main one's."""
    own, main = multiprocessing.get_context("fork").Pipe()
    read, write = os.pipe()
    yield read, write, own, main
    for connection in (own, main):
        if not connection.closed:
            connection.close()


def test_a_verdict_that_came_back_is_not_the_end_of_the_main_process(ends: Ends) -> None:
    """On a busy machine the verdict on a batch is there before anybody waits: the process ended after each."""
    read, _write, own, main = ends
    main.send_bytes(b"a verdict")
    assert processing._wait(read, own, 0)
    assert processing._wait(read, own, 0.01)
    assert own.recv_bytes() == b"a verdict"


def test_a_wake_up_is_taken_and_not_taken_for_an_end(ends: Ends) -> None:
    read, write, own, _main = ends
    os.write(write, b"\0\0")
    assert processing._wait(read, own, None)
    assert processing._wait(read, own, 0)


@pytest.mark.parametrize("waiting", [False, True])
def test_the_main_process_that_has_gone_ends_it_whether_or_not_a_verdict_waits(ends: Ends, waiting: bool) -> None:
    read, _write, own, main = ends
    if waiting:
        main.send_bytes(b"a verdict")
    main.close()
    assert not processing._wait(read, own, None)


def test_a_closed_wake_pipe_asks_it_to_end(ends: Ends) -> None:
    read, write, own, _main = ends
    os.close(write)
    assert not processing._wait(read, own, None)
