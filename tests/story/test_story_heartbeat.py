"""The synthetic patient: goes the whole way, and is kept nowhere. Whoever else comes by that feed, or bears that number
elsewhere, is a person."""

from __future__ import annotations

import msgspec
import pytest
from story_parts import BLOT, CK, FEED, Laboratory, obx, order, oru

from labbridge.config import Config, FeedSection
from labbridge.heartbeat import message, with_heartbeat
from labbridge.hl7.ack import read_ack
from labbridge.model.work import Feed
from labbridge.pipeline import Peer, receive
from labbridge.store import past

PATIENT, LANE = "LABBRIDGE|HEARTBEAT", "p:LABBRIDGE|HEARTBEAT"
BEAT = Feed(name="beat", synthetic=LANE)
NOTHING = (
    "cases", "drafts", "results", "numbers", "patients", "known", "unmapped", "unmapped_in", "retests", "orders", "outbox",
    "comments", "lots", "texts",
)  # fmt: skip


@pytest.fixture
def beating(lab: Laboratory) -> Laboratory:
    lab.reader = msgspec.structs.replace(lab.reader, feeds={**lab.reader.feeds, "beat": BEAT})
    return lab


def beat(lab: Laboratory) -> bytes:
    return message(PATIENT, BEAT, lab.clock.now())


def tally(lab: Laboratory) -> dict[str, int]:
    rows = lab.rows.execute("SELECT name, sum(count) FROM tally GROUP BY name").fetchall()
    return {str(name): int(count) for name, count in rows}


async def test_it_goes_the_whole_way_and_nothing_is_written_of_it(beating: Laboratory) -> None:
    lab = beating
    for _time in range(3):
        await lab.take(beat(lab), feed=BEAT)
    assert lab.states() == [("done", "heartbeat")] * 3
    for table in NOTHING:
        assert lab.rows.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0, table
    found = tally(lab)
    last = int(lab.clock.now().timestamp()) - 60
    assert found == {"stored": 3, "heartbeat": last, "heartbeats": 3, "processed": 3}, "no result, rule, flag or stage"


async def test_no_replay_goes_through_it(beating: Laboratory) -> None:
    """It would be a patient of a hundred thousand messages a year, and open a case."""
    await beating.take(beat(beating), feed=BEAT)
    await beating.take(oru("S1", order("F1", obx(CK, "100"))))
    (group,) = past.patients(beating.rows, None)
    assert group.lanes == ("p:LABA|PT1",)
    alone = past.Group((LANE,), (1,))
    assert list(past.kept(beating.rows, alone)) == []
    assert past.patient_of(beating.rows, LANE).messages == ()


async def test_each_is_a_message_of_its_own(beating: Laboratory) -> None:
    first = beat(beating)
    beating.clock.forward(seconds=1)
    assert (
        read_ack((await receive(beat(beating), Peer(BEAT, "127.0.0.1"), beating.intake, beating.clock)).raw).code
        == "AA"
    )
    assert first != beat(beating)


async def test_another_patient_on_its_feed_is_a_person(beating: Laboratory) -> None:
    await beating.take(oru("S1", order("F1", obx(BLOT, "58"), obx(CK, "3000"))), feed=BEAT)
    assert beating.states() == [("done", "drafted")]
    assert len(beating.cases()) == 1


async def test_its_number_on_another_feed_is_a_person(beating: Laboratory) -> None:
    await beating.take(beat(beating), feed=FEED)
    assert beating.states() == [("done", "drafted")]
    assert len(beating.cases()) == 1
    assert "heartbeats" not in tally(beating)


async def test_one_that_brings_no_comment_is_told_apart_and_counts_as_none(beating: Laboratory) -> None:
    lab = beating
    nothing = beat(lab).replace(b"33921-8^Signal recognition particle Ab [Presence] in Serum^LN", b"NA^Sodium^L")
    await lab.take(
        nothing.replace(b"2157-6^Creatine kinase [Enzymatic activity/volume] in Serum or Plasma^LN", b"K^K^L"),
        feed=BEAT,
    )
    assert lab.states() == [("done", "no_heartbeat")]
    assert "heartbeats" not in tally(lab)
    assert lab.rows.execute("SELECT count(*) FROM unmapped").fetchone()[0] == 0


def test_only_the_named_feed_knows_the_synthetic_patient() -> None:
    config = Config.model_validate(
        {"feeds": {"main": {}, "beat": {"listen": "127.0.0.1:2599"}}, "heartbeat": {"feed": "beat"}}
    )
    assert isinstance(config.feeds["beat"], FeedSection)
    found = with_heartbeat(config, [Feed(name="main"), Feed(name="beat")])
    assert [one.synthetic for one in found] == ["", LANE]


@pytest.mark.parametrize(
    ("feeds", "sentence"),
    [
        ({}, "'beat', which is not configured"),
        ({"beat": {"listen": "0.0.0.0:2599", "allow_plaintext": True}}, "on this machine alone"),
        ({"beat": {"kind": "fhir"}}, "has to take MLLP without TLS"),
        ({"beat": {"tls": {"certificate": "a", "key": "b"}}}, "has to take MLLP without TLS"),
    ],
)
def test_where_anybody_else_could_send_it_is_refused(feeds: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Config.model_validate({"feeds": feeds, "heartbeat": {"feed": "beat"}})
