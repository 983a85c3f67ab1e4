"""Several messages in one frame or file: each on its own, counts and ends checked, the answer shaped like the question."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.errors import Refuse
from labbridge.hl7 import ack, batch
from labbridge.hl7.head import head

NOW = datetime(2026, 4, 20, 8, 0, tzinfo=UTC)
FHS = b"FHS|^~\\&|LIS|LABA|LB|LABB|20260420||F1||FILE7\r"
BHS = b"BHS|^~\\&|LIS|LABA|LB|LABB|20260420||||B7\r"


def message(control_id: str, end: bytes = b"\r") -> bytes:
    msh = f"MSH|^~\\&|LIS|LABA|LB|LABB|20260420||ORU^R01|{control_id}|P|2.5.1".encode()
    return end.join((msh, b"PID|1||PT1^^^LABA^MR", b"OBR|1", b"OBX|1|ST|X||BTS|FTS", b""))


def fault(raw: bytes) -> tuple[str, str]:
    with pytest.raises(Refuse) as caught:
        batch.split(raw)
    assert caught.value.reject is False
    return caught.value.code, caught.value.location


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_messages_one_after_another_are_split_with_every_byte(end: bytes) -> None:
    both = message("A", end) + message("B", end)
    assert batch.several(both)
    assert batch.split(both).messages == (message("A", end), message("B", end))


@pytest.mark.parametrize(
    "raw", [message("A"), b"\xef\xbb\xbf" + message("A"), b"\r\n" + message("A"), b"", b"hello", b"\xff\xfe"]
)
def test_one_message_is_not_several(raw: bytes) -> None:
    assert not batch.several(raw)


@pytest.mark.parametrize(
    ("raw", "ids"),
    [
        (FHS + BHS + message("A") + message("B") + b"BTS|2\rFTS|1\r", ["A", "B"]),
        (BHS + message("A") + b"BTS|1|all of them\r", ["A"]),
        (BHS + message("A") + b"BTS\r", ["A"]),
        (FHS + BHS + message("A") + b"BTS|1\r" + BHS + message("B") + b"BTS|1\rFTS|2\r", ["A", "B"]),
        (FHS + message("A") + message("B") + b"FTS|1\r", ["A", "B"]),
        (b"\xef\xbb\xbf" + BHS + message("A") + b"BTS|1\r", ["A"]),
        (message("A") + b"BTS|1\r", ["A"]),
        (BHS + b"BTS|0\r", []),
    ],
)
def test_a_batch_gives_its_messages_without_the_segments_around_them(raw: bytes, ids: list[str]) -> None:
    assert batch.several(raw)
    found = batch.split(raw)
    assert found.messages == tuple(map(message, ids))
    assert (found.file is not None, found.header is not None) == (b"FHS" in raw, b"BHS" in raw)


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (BHS + message("A") + b"BTS|2\r", "BTS^1^1"),
        (BHS + message("A") + message("B") + b"BTS|1\r", "BTS^1^1"),
        (BHS + message("A") + b"BTS|one\r", "BTS^1^1"),
        (BHS + message("A") + "BTS|١\r".encode(), "BTS^1^1"),
        (BHS + message("A"), "BTS^1"),
        (FHS + BHS + message("A") + b"FTS|1\r", "BTS^1"),
        (FHS + BHS + message("A") + b"BTS|1\r", "FTS^1"),
        (FHS + BHS + message("A") + b"BTS|1\rFTS|2\r", "FTS^1^1"),
        (BHS + message("A") + BHS + message("B") + b"BTS|1\r", "BHS^2"),
        (FHS + message("A") + FHS + message("B") + b"FTS|1\r", "FHS^2"),
        (message("A") + FHS + message("B") + b"FTS|1\r", "FHS^1"),
        (FHS + message("A") + b"FTS|1\r" + message("B"), "MSH^2"),
        (BHS + message("A") + b"BTS|1\r" + BHS + message("B") + b"BTS|3\r", "BTS^2^1"),
    ],
)
def test_a_batch_that_is_not_whole_is_refused_at_its_place(raw: bytes, place: str) -> None:
    assert fault(raw) == ("100", place)


def test_more_messages_than_a_frame_may_hold_are_refused() -> None:
    with pytest.raises(Refuse) as caught:
        batch.split(b"MSH|x\r" * (batch.MAX_MESSAGES + 1))
    assert caught.value.code == "207"


def test_more_batches_than_a_frame_may_hold_are_refused() -> None:
    with pytest.raises(Refuse) as caught:
        batch.split(b"MSH|x\r" + b"BTS\r" * (batch.MAX_BATCHES + 1))
    assert (caught.value.code, caught.value.location) == ("207", "BTS^1")


def test_segments_in_a_batch_of_no_message_are_refused_and_so_kept() -> None:
    """They were answered with nothing and kept nowhere."""
    raw = BHS + b"PID|1||X1\rBTS|0\r"
    assert batch.several(raw)
    with pytest.raises(Refuse) as caught:
        batch.split(raw)
    assert (caught.value.code, caught.value.location) == ("100", "MSH^1")


@pytest.mark.parametrize("raw", [b"BHSMSH|^~\\&|x\r", b"FHSX|1\r", b"MSH1|MSH|x\rMSH|y\r"])
def test_a_longer_name_begins_no_batch(raw: bytes) -> None:
    """Such bytes were taken for a batch, no header was found in them, and nothing was kept."""
    assert not batch.several(raw)


def test_a_frame_is_walked_no_further_than_its_first_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four million trailers in one block took 16 seconds and half a gigabyte before the second was refused."""
    walked: list[str] = []
    step = batch._Walk.step
    monkeypatch.setattr(batch._Walk, "step", lambda self, name, *at: (walked.append(name), step(self, name, *at))[1])
    with pytest.raises(Refuse):
        batch.split(BHS + b"FTS|1\r" * 1000)
    assert walked == ["BHS", "FTS"]


def test_the_first_message_is_the_one_a_refusal_is_told_to() -> None:
    assert head(batch.first(BHS + message("A") + message("B"))).control_id == "A"
    assert batch.first(BHS + b"BTS|0\r") == b""


def split_or_code(raw: bytes) -> str:
    try:
        found = batch.split(raw).messages
    except Refuse as refusal:
        return refusal.code
    return "whole" if all(one.startswith(b"MSH") for one in found) else "torn"


def answers(*ids: str) -> list[bytes]:
    return [ack.accept(message(one), control_id=f"R{one}", now=NOW) for one in ids]


def test_messages_without_a_batch_are_answered_one_after_another() -> None:
    found = batch.split(message("A") + message("B"))
    given_back = batch.answer(found, answers("A", "B"), control_id="RB", now=NOW)
    assert given_back == b"".join(answers("A", "B"))
    assert ack.codes_of(given_back) == ["AA", "AA"]


def test_a_batch_is_answered_by_a_batch_that_names_it() -> None:
    found = batch.split(FHS + BHS + message("A") + message("B") + b"BTS|2\rFTS|1\r")
    lines = batch.answer(found, answers("A", "B"), control_id="RB", now=NOW).split(b"\r")
    assert lines[0] == b"FHS|^~\\&|LB|LABB|LIS|LABA|20260420080000+0000||||RB|FILE7"
    assert lines[1] == b"BHS|^~\\&|LB|LABB|LIS|LABA|20260420080000+0000||||RB|B7"
    assert [line[:3] for line in lines] == [b"FHS", b"BHS", b"MSH", b"MSA", b"MSH", b"MSA", b"BTS", b"FTS", b""]
    assert lines[-3:-1] == [b"BTS|2", b"FTS|1"]


def test_where_no_message_wants_an_answer_there_is_none() -> None:
    found = batch.split(BHS + message("A") + b"BTS|1\r")
    assert batch.answer(found, [b""], control_id="RB", now=NOW) == b""


@given(st.lists(st.sampled_from(["A", "B", "C1"]), min_size=2, max_size=6), st.sampled_from([b"\r", b"\n", b"\r\n"]))
def test_splitting_puts_nothing_in_and_leaves_nothing_out(ids: list[str], end: bytes) -> None:
    raw = b"".join(message(one, end) for one in ids)
    assert b"".join(batch.split(raw).messages) == raw


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_are_split_or_refused(start: bytes, rest: bytes) -> None:
    raw = start + b"\rMSH|" + rest
    if batch.several(raw):
        assert split_or_code(raw) in ("whole", "100", "207")
