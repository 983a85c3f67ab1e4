"""The framer as a byte-stream state machine: every split and concatenation, junk, limits (reliability.md F6, T-42)."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hl7_strategies import streams
from hypothesis import given
from hypothesis import strategies as st

from labbridge.hl7.mllp import HEAD_BYTES, Event, Frame, Framer, Junk, Oversize, frame


def fed(stream: bytes, *cuts: int, limit: int = 1000) -> list[Event]:
    """The events of a stream delivered in pieces that end at these places, the end of the stream included."""
    framer = Framer(limit)
    events: list[Event] = []
    places = [0, *sorted(cuts), len(stream)]
    for start, end in itertools.pairwise(places):
        events += framer.receive_data(stream[start:end])
    return events + framer.close()


def test_a_block_in_one_read_ends_the_junk_before_it() -> None:
    """The line end after the block was told as junk where the block had come in one read."""
    framer = Framer()
    events = [event for piece in (b"junk", frame(b"a"), b"\nz") for event in framer.receive_data(piece)]
    assert events == [Junk(4, b"junk"), Frame(b"a"), Junk(1, b"z")]


def summed(events: list[Event]) -> list[object]:
    """Events with neighbouring junk as one: how much there was does not depend on how it came."""
    found: list[object] = []
    for event in events:
        if isinstance(event, Junk):
            if found and isinstance(found[-1], int):
                found[-1] += event.length
            else:
                found.append(event.length)
        else:
            found.append(event)
    return found


def test_a_message_is_framed_for_one_write() -> None:
    assert frame(b"MSH|x\r") == b"\x0bMSH|x\r\x1c\r"
    assert fed(frame(b"MSH|x\r")) == [Frame(b"MSH|x\r")]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b"\x0b\x1c\r", [Frame(b"")]),
        (frame(b"a") + frame(b"b"), [Frame(b"a"), Frame(b"b")]),
        (frame(b"a") + b"\x0bhalf", [Frame(b"a")]),
        (b"junk" + frame(b"a"), [Junk(4, b"junk"), Frame(b"a")]),
        (frame(b"a") + b"\r\n" + frame(b"b") + b"\r\n", [Frame(b"a"), Frame(b"b")]),
        (b"\r\nju\rnk\n" + frame(b"a"), [Junk(5, b"ju\rnk"), Frame(b"a")]),
        (b"x\r\n\r\ny" + frame(b"a") + b"\rz", [Junk(6, b"x\r\n\r\ny"), Frame(b"a"), Junk(1, b"z")]),
        (b"\xef\xbb\xbf" + frame(b"a"), [Junk(3, b"\xef\xbb\xbf"), Frame(b"a")]),
        (frame(b"\xef\xbb\xbfMSH|"), [Frame(b"\xef\xbb\xbfMSH|")]),
        (b"\x0ba\x1c\x0bb\x1c\r", [Frame(b"a", missing_cr=True), Frame(b"b")]),
        (b"\x0ba\x1c", [Frame(b"a", missing_cr=True)]),
        (b"\x0ba\x1cb\x1c\r", [Frame(b"a\x1cb")]),
        (b"\x0ba\x0bb\x1c\r", [Frame(b"a\x0bb")]),
        (b"\x0ba\x1c\x1c\r", [Frame(b"a\x1c")]),
        (b"\x0ba\rb\nc\x1c\r", [Frame(b"a\rb\nc")]),
        (b"MSH|no frame at all\r", [Junk(19, b"MSH|no frame at all")]),
        (b"\x1c\r", [Junk(1, b"\x1c")]),
    ],
)
def test_what_a_stream_holds_however_it_is_cut(stream: bytes, events: list[Event]) -> None:
    assert fed(stream) == events
    for cut in range(len(stream) + 1):
        assert summed(fed(stream, cut)) == summed(events), cut
    assert summed(fed(stream, *range(len(stream)))) == summed(events)


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=30).map(frame),
        st.binary(max_size=8),
        st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"\x1c\r", b"\x0bMSH|", b"junk"]),
    ),
    max_size=12,
)


@given(pieces=PIECES, cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_split_of_any_concatenation_gives_the_same_events(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)
    whole = summed(fed(stream))
    assert summed(fed(stream, *(min(cut, len(stream)) for cut in cuts))) == whole
    assert summed(fed(stream, *range(len(stream)))) == whole


@given(
    messages=st.lists(
        st.binary(max_size=60).map(lambda raw: raw.replace(b"\x1c", b"").replace(b"\x0b", b"")), max_size=8
    )
)
def test_every_message_comes_out_once_and_in_order(messages: list[bytes]) -> None:
    assert fed(b"".join(map(frame, messages))) == [Frame(message) for message in messages]


@pytest.mark.parametrize("size", [999, 1000])
def test_up_to_the_limit_a_message_is_taken(size: int) -> None:
    message = b"x" * size
    assert fed(frame(message)) == [Frame(message)]
    assert fed(frame(message), *range(size + 3)) == [Frame(message)]


@pytest.mark.parametrize("stream", [frame(b"x" * 1001), b"\x0b" + b"x" * 5000])
def test_beyond_the_limit_nothing_more_is_read(stream: bytes) -> None:
    framer = Framer(1000)
    events = framer.receive_data(stream)
    assert len(events) == 1
    event = events[0]
    assert isinstance(event, Oversize)
    assert event.head == stream[1 : 1 + HEAD_BYTES][: len(event.head)]
    assert event.length > 1000
    assert framer.closed
    assert framer.receive_data(frame(b"good")) == []
    assert framer.close() == []


def test_an_endless_frame_keeps_its_head_and_the_digest_of_what_was_read() -> None:
    framer = Framer(100_000)
    events: list[Event] = []
    fed_bytes = b""
    for _time in range(200):
        if framer.closed:
            break
        piece = b"y" * 1000
        events += framer.receive_data((b"\x0b" if not fed_bytes else b"") + piece)
        fed_bytes += piece
    (event,) = events
    assert isinstance(event, Oversize)
    assert len(event.head) == HEAD_BYTES
    assert event.digest == hashlib.sha256(b"y" * event.length).digest()
    assert event.length <= 100_000 + 1001


def test_how_much_of_a_frame_is_held() -> None:
    framer = Framer()
    assert (framer.in_frame, framer.pending) == (False, 0)
    framer.receive_data(b"\x0babc")
    assert (framer.in_frame, framer.pending) == (True, 3)
    framer.receive_data(b"\x1c")
    assert framer.in_frame
    framer.receive_data(b"\r")
    assert (framer.in_frame, framer.pending) == (False, 0)


def test_an_unfinished_frame_is_no_message_when_the_stream_ends() -> None:
    framer = Framer()
    framer.receive_data(b"\x0babc")
    assert framer.close() == []


# ---------------------------------------------------------------- whatever comes


@given(stream=streams, data=st.data())
def test_any_stream_of_real_messages_gives_the_same_events_however_it_is_cut(
    stream: bytes, data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    whole = summed(fed(stream, limit=200))
    assert summed(fed(stream, *cuts, limit=200)) == whole
    assert summed(fed(stream, *range(len(stream)), limit=200)) == whole


@given(stream=streams, cuts=st.lists(st.integers(0, 600), max_size=6))
def test_nothing_vanishes_but_frame_bytes_and_line_ends(stream: bytes, cuts: list[int]) -> None:
    """Every byte that is no line end is in exactly one event, in order, or still pending."""
    framer = Framer()
    events: list[Event] = []
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(places):
        events += framer.receive_data(stream[start:end])
    out = b"".join(event.data if isinstance(event, Frame) else event.head for event in events)
    kept = sum(len(part.translate(None, b"\r\n\x0b\x1c")) for part in (out,))
    sent = len(stream.translate(None, b"\r\n\x0b\x1c"))
    held = stream[len(stream) - framer.pending :] if framer.pending else b""
    assert kept + len(held.translate(None, b"\r\n\x0b\x1c")) == sent


def test_junk_keeps_its_line_ends_so_that_a_person_can_read_it() -> None:
    unframed = b"MSH|^~\\&|LIS\rPID|1\r\nOBX|1\r"
    assert fed(unframed) == [Junk(len(unframed) - 1, unframed[:-1])]
    assert (
        b"".join(event.head for event in fed(unframed, *range(len(unframed))) if isinstance(event, Junk))
        == unframed[:-1]
    )


def test_line_ends_alone_are_never_junk_and_are_not_held_without_end() -> None:
    framer = Framer()
    for _time in range(100):
        assert framer.receive_data(b"\r\n" * 100) == []
    assert framer.receive_data(b"x") == [Junk(1, b"x")]
    assert framer.receive_data(b"\r" * 200_000) == []
    (junk,) = framer.receive_data(b"y")
    assert isinstance(junk, Junk)
    assert junk.length == len(junk.head) + 1 == HEAD_BYTES + 1
    assert framer.receive_data(frame(b"a") + b"\rz") == [Frame(b"a"), Junk(1, b"z")]


def test_only_the_head_of_much_junk_is_kept() -> None:
    (junk,) = Framer().receive_data(b"j" * 100_000)
    assert junk == Junk(100_000, b"j" * HEAD_BYTES)


@pytest.mark.parametrize("size", [1001, 1002, 1003, 5000])
@pytest.mark.parametrize("step", [1, 7, 512, 10_000])
def test_a_block_beyond_the_limit_is_told_the_same_however_it_comes(size: int, step: int) -> None:
    """So that the same block sent again is found to be the same."""
    stream = b"junk" + frame(b"a") + frame(b"x" * size)
    framer = Framer(1000)
    events = [event for at in range(0, len(stream), step) for event in framer.receive_data(stream[at : at + step])]
    read = b"x" * 1001
    assert events[-1] == Oversize(read, 1001, hashlib.sha256(read).digest())
    assert [event for event in events if isinstance(event, Frame)] == [Frame(b"a")]
    assert framer.closed
    assert (framer.in_frame, framer.pending) == (False, 0)


@pytest.mark.parametrize("text", [b"\x1c", b"\x1cx", b"\x1c" * 10])
def test_marks_inside_a_long_block_do_not_lift_the_limit(text: bytes) -> None:
    framer = Framer(1000)
    events: list[Event] = []
    for _time in range(2000):
        events += framer.receive_data((b"" if framer.in_frame else b"\x0b") + text)
        assert framer.pending <= 1000 + 1 + len(text)
        if framer.closed:
            break
    assert [type(event) for event in events] == [Oversize]


@pytest.mark.parametrize("size", [2**16 - 1, 2**16, 2**16 + 1, 2**20])
def test_the_stream_readers_64_kib_are_no_limit_here(size: int) -> None:
    message = b"M" * size
    pieces = [frame(message)[at : at + 8192] for at in range(0, size + 3, 8192)]
    framer = Framer()
    assert [event for piece in pieces for event in framer.receive_data(piece)] == [Frame(message)]


@pytest.mark.parametrize("late", [b"\r", b"\x0b"])
def test_the_end_is_known_when_the_byte_after_it_has_come(late: bytes) -> None:
    framer = Framer()
    assert framer.receive_data(b"\x0ba\x1c") == []
    assert framer.in_frame
    assert framer.receive_data(late) == [Frame(b"a", missing_cr=late == b"\x0b")]
    assert framer.in_frame is (late == b"\x0b")


def test_the_end_of_the_stream_can_be_asked_for_twice() -> None:
    framer = Framer()
    framer.receive_data(b"\x0ba\x1c")
    assert framer.close() == [Frame(b"a", missing_cr=True)]
    assert framer.close() == []
    assert framer.receive_data(b"\r" + frame(b"b")) == [Frame(b"b")]


class _Looked(bytearray):
    """A buffer that counts how many bytes are searched."""

    looked = 0

    def find(self, *args: int) -> int:  # type: ignore[override]
        at = super().find(*args)
        start = args[1] if len(args) > 1 else 0
        _Looked.looked += (len(self) if at < 0 else at + 1) - start
        return at


def test_no_byte_is_searched_again_with_every_read() -> None:
    framer = Framer()
    framer._buffer = _Looked()
    _Looked.looked = 0
    stream = frame(b"x" * 20_000)
    for at in range(len(stream)):
        framer.receive_data(stream[at : at + 1])
    assert not framer.in_frame
    assert _Looked.looked < 3 * len(stream)


def test_end_bytes_inside_a_block_are_searched_at_once() -> None:
    """Each was looked at alone: 16 MiB of them took five seconds."""
    inside = b"\x1c" * 2**20
    assert fed(frame(inside), *range(0, 2**20, 2**16), limit=2**21) == [Frame(inside)]
