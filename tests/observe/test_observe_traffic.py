"""What the sockets did: acknowledgements by peer, direction and code, and how long they took, while a scrape reads."""

from __future__ import annotations

import math
import threading

import pytest

from labbridge.observe.traffic import BOUNDS_S, GIVEN, RECEIVED, Durations, Traffic


def durations(traffic: Traffic) -> dict[tuple[str, str], tuple[int, float]]:
    return {about: (sum(found.counts), found.sum_s) for about, found in traffic.listed()}


def test_nothing_happened_yet() -> None:
    traffic = Traffic()
    assert (dict(traffic.acks), list(traffic.listed()), traffic.listeners, traffic.plaintext) == ({}, [], {}, {})


def test_every_code_is_counted_by_itself() -> None:
    traffic = Traffic()
    for code in ("AA", "AA", "AE", "AR", "AA", "timeout"):
        traffic.answered("lis", GIVEN, code, 0.01)
    assert {code: count for (_peer, _direction, code), count in traffic.acks.items()} == {
        "AA": 3, "AE": 1, "AR": 1, "timeout": 1,
    }  # fmt: skip


def test_a_duration_is_of_its_peer_and_direction_whatever_the_code() -> None:
    traffic = Traffic()
    traffic.answered("lis", GIVEN, "AA", 0.25)
    traffic.answered("lis", GIVEN, "AE", 0.5)
    traffic.answered("lis", RECEIVED, "AA", 2.0)
    traffic.answered("his", RECEIVED, "AA", 4.0)
    assert durations(traffic) == {("lis", GIVEN): (2, 0.75), ("lis", RECEIVED): (1, 2.0), ("his", RECEIVED): (1, 4.0)}


def test_one_name_as_feed_and_as_receiver_is_kept_apart() -> None:
    traffic = Traffic()
    traffic.answered("lis", GIVEN, "AA", 0.1)
    traffic.answered("lis", RECEIVED, "AA", 0.1)
    assert sorted(traffic.acks) == [("lis", "given", "AA"), ("lis", "received", "AA")]


@pytest.mark.parametrize("place", range(len(BOUNDS_S)))
def test_each_bound_is_the_last_of_its_own_bucket(place: int) -> None:
    found = Durations()
    found.add(BOUNDS_S[place])
    found.add(math.nextafter(BOUNDS_S[place], math.inf))
    assert [number for number, count in enumerate(found.counts) if count] == [place, place + 1]


def test_nothing_is_too_short_or_too_long_to_count() -> None:
    found = Durations()
    for seconds in (0.0, 1e-9, 30.5, 86_400.0):
        found.add(seconds)
    assert (found.counts[0], found.counts[-1], sum(found.counts)) == (2, 2, 4)
    assert found.sum_s == pytest.approx(86_430.5)


def test_the_bounds_rise_and_reach_from_a_millisecond_to_half_a_minute() -> None:
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))
    assert (BOUNDS_S[0], BOUNDS_S[-1]) == (0.001, 30.0)


def test_two_of_them_share_no_counts() -> None:
    one, other = Traffic(), Traffic()
    for peer in ("lis", "his"):
        one.answered(peer, GIVEN, "AA", 0.5)
    one.answered("lis", GIVEN, "AA", 0.5)
    assert durations(one) == {("lis", GIVEN): (2, 1.0), ("his", GIVEN): (1, 0.5)}
    assert (durations(other), dict(other.acks)) == ({}, {})


def test_a_scrape_goes_on_over_peers_that_come_meanwhile() -> None:
    traffic = Traffic()
    for number in range(3):
        traffic.answered(f"peer{number}", GIVEN, "AA", 0.1)
    seen = []
    for about, _found in traffic.listed():
        traffic.answered(f"new{len(seen)}", GIVEN, "AA", 0.1)
        seen.append(about[0])
    assert seen == ["peer0", "peer1", "peer2"]
    assert len(list(traffic.listed())) == 6


def test_a_scrape_from_another_thread_breaks_nothing_and_loses_nothing() -> None:
    traffic, stop, failures = Traffic(), threading.Event(), []

    def scrape() -> None:
        while not stop.is_set():
            try:
                assert all(sum(found.counts) >= 0 for _about, found in traffic.listed())
            except RuntimeError as error:
                failures.append(error)

    reader = threading.Thread(target=scrape)
    reader.start()
    for number in range(20_000):
        traffic.answered(f"peer{number % 500}", GIVEN, "AA", 0.001)
    stop.set()
    reader.join(30)
    assert failures == []
    assert sum(traffic.acks.values()) == sum(count for count, _sum in durations(traffic).values()) == 20_000
