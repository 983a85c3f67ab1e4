"""What a person and a program see of a store: messages, quarantine, worklist, a case, a delivery, the counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from story_parts import BLOT, CK, CLIA, SODIUM, Laboratory, Lis, obx, order, oru, patients

from labbridge import pipeline, show
from labbridge.errors import Refused
from labbridge.notes import NOTES
from labbridge.states import Reason, State
from labbridge.store import opening
from labbridge.store.connection import FAULTS, Connection

SRP = oru("M1", order("F1", obx(BLOT, "58")))
WITH_CK = oru("M2", order("F2", obx(CK, "7800")))
SALT = oru("M3", order("F3", obx(SODIUM, "140")), patient="PT2")
BAD = SRP.replace(b"PID|", b"PIX|").replace(b"|M1|", b"|M8|")
NOT_HL7 = b"hello\r"


def one(lab: Laboratory, key: str) -> Any:
    return json.loads(show.one(lab.rows, key, "json"))


def rows(printed: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(printed)
    return found


async def release(lab: Laboratory) -> None:
    """The first case's comment, signed and in the outbox."""
    await lab.take(SRP, WITH_CK)
    lab.release("C1@2")


def park(lab: Laboratory) -> list[bool]:
    """What waits is left to a person, each lane with a sentence of its own."""
    now = lab.clock.now()
    for message in lab.work.claim(now):
        with lab.work.unit():
            detail = f"Ask the sender about {message.lane[-3:]}"
            pipeline.set_state(lab.work, message, State.PARKED, Reason.UNREADABLE, now, detail=detail)
    return lab.work.flush()


# ---------------------------------------------------------------- lists


async def test_messages_are_listed_with_their_state_and_reason_newest_first(lab: Laboratory) -> None:
    await lab.take(SRP, SALT)
    await lab.receive(SRP, BAD)
    found = rows(show.messages(lab.rows, 20, "json"))
    assert [(one["key"], one["control_id"], one["state"], one["reason"]) for one in found] == [
        ("M3", "M8", "quarantined", "structure"), ("M2", "M3", "done", "nothing_of_ours"), ("M1", "M1", "done", "drafted"),
    ]  # fmt: skip
    assert {(one["feed"], one["type"]) for one in found[1:]} == {("myolis", "ORU^R01")}
    assert [str(one["duplicates"]) for one in found] == ["0", "0", "1"]


async def test_a_list_is_as_long_as_asked(lab: Laboratory) -> None:
    await lab.take(SRP, WITH_CK, SALT)
    assert [one["key"] for one in rows(show.messages(lab.rows, 2, "json"))] == ["M3", "M2"]
    assert len(show.worklist(lab.rows, 1, "text").splitlines()) == 2


@pytest.mark.parametrize("listed", [show.messages, show.quarantine, show.worklist])
def test_an_empty_store_is_an_empty_list_with_its_headings(
    lab: Laboratory, listed: Callable[[Connection, int, str], str]
) -> None:
    assert json.loads(listed(lab.rows, 5, "json")) == []
    assert len(listed(lab.rows, 5, "text").splitlines()) == 1


async def test_the_columns_of_a_list_stand_below_each_other(lab: Laboratory) -> None:
    await lab.take(SRP, oru("CONTROL-ID-OF-SOME-LENGTH", order("F9", obx(SODIUM, "140")), patient="PT2"))
    head, *below = show.messages(lab.rows, 20, "text").splitlines()
    for name in ("key", "received", "feed", "control_id", "type", "state", "reason"):
        place = head.index(name)
        assert all(line[place] != " " and line[place - 1 : place] in ("", " ") for line in below), name
    assert not any(line.endswith(" ") for line in (head, *below))


async def test_the_quarantine_lists_what_needs_a_person_oldest_first_with_the_sentence(lab: Laboratory) -> None:
    await lab.receive(SRP)
    assert park(lab) == [True]
    await lab.receive(BAD, NOT_HL7)
    await lab.take(oru("M7", order("F7", obx(CLIA, "3.1")), patient="PT7"))
    found = rows(show.quarantine(lab.rows, 20, "json"))
    assert [(one["key"], one["state"], one["reason"]) for one in found] == [
        ("M1", "parked", "unreadable"), ("M2", "quarantined", "structure"), ("M3", "quarantined", "not_hl7"),
    ]  # fmt: skip
    assert found[0]["detail"] == "Ask the sender about PT1"
    assert all(one["detail"] for one in found)
    assert len(rows(show.quarantine(lab.rows, 1, "json"))) == 1


async def test_a_message_of_two_patients_is_listed_once(lab: Laboratory) -> None:
    groups = [(name, [order(f"F{name}", obx(BLOT, "58"))]) for name in ("PT1", "PT2")]
    await lab.receive(patients("M1", *groups))
    assert park(lab) == [True, True]
    (found,) = rows(show.quarantine(lab.rows, 20, "json"))
    sentences = [lane["sentence"] for lane in one(lab, "M1")["work"]]
    assert sentences == ["Ask the sender about PT1", "Ask the sender about PT2"]
    assert found["detail"] in sentences


async def test_the_worklist_has_what_a_release_needs(lab: Laboratory) -> None:
    await lab.take(SRP, WITH_CK, oru("M5", order("F5", obx(CK, "90")), patient="PT3"))
    text = show.worklist(lab.rows, 50, "text").splitlines()
    assert text[0].split() == ["case", "state", "opened", "severity", "comment"]
    assert text[1].split() == ["C1@2", "new", "2026-11-10", "major", "C01"]
    found = json.loads(show.worklist(lab.rows, 50, "json"))
    assert [one["shown"] for one in found] == [line.split()[0] for line in text[1:]]


async def test_a_signed_case_goes_to_the_end_of_the_worklist(lab: Laboratory) -> None:
    await lab.take(SRP, oru("M5", order("F5", obx(CLIA, "90")), patient="PT3"))
    lab.release("C1@1")
    assert [one["key"] for one in json.loads(show.worklist(lab.rows, 50, "json"))] == ["C2", "C1"]


async def test_no_list_names_a_patient(lab: Laboratory) -> None:
    await release(lab)
    await lab.receive(BAD)
    for text in (
        show.messages(lab.rows, 9, "json"),
        show.quarantine(lab.rows, 9, "json"),
        show.counts(lab.rows, "json"),
    ):
        assert text
        assert not any(word in text for word in ("PT1", "SYNTHETIC", "19690417"))


# ---------------------------------------------------------------- a case


async def test_a_case_for_programs(lab: Laboratory) -> None:
    await release(lab)
    found = one(lab, "C1")
    assert {"key": "C1", "shown": "C1@2", "version": 2, "state": "signed", "posted": 0}.items() <= found.items()
    assert found["opened_day"] == "2026-11-10"
    assert found["outcome"] == json.loads(show.outcome_json(lab.case().outcome))
    assert found["text"] == lab.case().text
    await lab.deliver(Lis())
    assert one(lab, "C1")["posted"] == 1


async def test_a_case_for_people_ends_with_what_was_posted(lab: Laboratory) -> None:
    await release(lab)
    assert "posted" not in show.one(lab.rows, "C1", "text")
    await lab.deliver(Lis())
    text = show.one(lab.rows, "C1", "text").splitlines()
    assert text[0] == "C1@2  signed  opened by a result of 2026-11-10"
    assert text[-1].split() == ["posted", "2026-11-13", "12:02Z", "C01"]


async def test_the_version_in_a_key_is_for_signing_and_shows_the_case_as_it_is(lab: Laboratory) -> None:
    await lab.take(SRP, WITH_CK)
    assert one(lab, "C1@1") == one(lab, "C1@2") == one(lab, "C1")


# ---------------------------------------------------------------- a message


async def test_a_message_for_programs(lab: Laboratory) -> None:
    await lab.take(SRP)
    found = one(lab, "M1")
    assert list(found)[:1] == ["key"]
    assert (found["feed"], found["sender"], found["control_id"], found["message_type"]) == (
        "myolis", "MYOLIS|LABA", "M1", "ORU^R01",
    )  # fmt: skip
    assert (found["state"], found["answer"], found["length"], found["duplicates"]) == ("done", "AA", len(SRP), 0)
    assert found["raw"].replace("\n", "\r").encode() == SRP.strip()
    (lane,) = found["work"]
    assert list(lane) == ["state", "reason", "sentence", "attempts", "notes"]
    assert (lane["state"], lane["reason"], lane["attempts"]) == ("done", "drafted", 1)


async def test_odd_input_is_named_by_number_and_place_and_for_people_by_its_sentence(lab: Laboratory) -> None:
    await lab.take(oru("M1", order("F1", obx(BLOT, "58", ""))))
    (lane,) = one(lab, "M1")["work"]
    assert {"code": "N012", "at": "OBX[1]-11"} in lane["notes"]
    text = show.one(lab.rows, "M1", "text")
    assert f"note     N012 OBX[1]-11: {NOTES['N012']}" in text
    assert text.index("note     N012") < text.index("MSH|")


async def test_a_message_of_two_patients_has_their_lanes_apart(lab: Laboratory) -> None:
    groups = [("PT1", [order("F1", obx(BLOT, "58"))]), ("PT2", [order("F2", obx(SODIUM, "140"))])]
    await lab.receive(patients("M1", *groups))
    lab.process()
    assert [(lane["state"], lane["reason"]) for lane in one(lab, "M1")["work"]] == [
        ("done", "drafted"), ("done", "nothing_of_ours"),
    ]  # fmt: skip


async def test_a_refused_message_says_what_the_sender_was_told(lab: Laboratory) -> None:
    await lab.receive(BAD)
    found = one(lab, "M1")
    assert (found["state"], found["answer"], found["error_code"]) == ("quarantined", "AE", "100")
    assert found["location"]
    assert found["work"] == []
    assert "AE" in show.one(lab.rows, "M1", "text")


async def test_bytes_of_no_character_set_are_shown_and_not_guessed(lab: Laboratory) -> None:
    await lab.receive(SRP.replace(b"TEST^", b"M\xfcLLER^").replace(b"UNICODE UTF-8", b"8859/1"))
    assert "M\\xfcLLER" in one(lab, "M1")["raw"]


# ---------------------------------------------------------------- a delivery, and keys


async def test_a_delivery_shows_its_bytes_and_how_often_it_went(lab: Laboratory) -> None:
    await release(lab)
    found = one(lab, "D1")
    assert list(found) == [
        "key", "case", "version", "receiver", "control_id", "state", "reason", "attempts", "created", "updated",
        "waits_for", "raw",
    ]  # fmt: skip
    assert (found["case"], found["version"], found["state"], found["attempts"]) == (1, 2, "waiting", 0)
    lis = Lis()
    await lab.deliver(lis)
    found = one(lab, "D1")
    assert (found["state"], found["attempts"]) == ("acknowledged", 1)
    assert found["raw"].replace("\n", "\r").encode() == lis.received[0].strip()
    assert found["control_id"] in show.one(lab.rows, "D1", "text")


@pytest.mark.parametrize(
    "key", ["", "C", "c1", "X1", "CM1", "C1 ", "C-1", "C1.5", "M1;", "MSH|1", "@1", "D@1", "C@", "1"]
)
def test_what_is_no_key_is_refused_with_an_example(lab: Laboratory, key: str) -> None:
    with pytest.raises(Refused, match="is no key; write C12, M17 or D3"):
        show.one(lab.rows, key, "text")


@pytest.mark.parametrize("key", ["C1", "M1", "D1", "C0", "M0", "C7@3"])
@pytest.mark.parametrize("format", ["text", "json"])
def test_a_key_of_nothing_is_said_so(lab: Laboratory, key: str, format: str) -> None:
    with pytest.raises(Refused, match=f"There is no {key.partition('@')[0]}$"):
        show.one(lab.rows, key, format)


# ---------------------------------------------------------------- the counts


async def test_the_equation_of_arrivals_for_people_and_for_programs(lab: Laboratory) -> None:
    await lab.take(SRP, WITH_CK)
    await lab.receive(SRP, SRP, BAD, SALT)
    await lab.receive(oru("M9", order("F9", obx(CLIA, "3.1")), patient="PT9"))
    found = json.loads(show.counts(lab.rows, "json"))
    names = ("received", "stored", "quarantined", "duplicate", "oversize", "waiting", "parked")
    assert [found[name] for name in names] == [7, 4, 1, 2, 0, 2, 0]
    first, second, third = show.counts(lab.rows, "text").splitlines()
    assert first == "received 7 = stored 4 + quarantined 1 + duplicate 2 + oversize 0"
    assert second == "waiting 2, parked 0, cases new 1"
    assert third == "outbox none"


async def test_every_counter_is_listed_with_its_labels_and_its_number_last(lab: Laboratory) -> None:
    await lab.take(SRP)
    await lab.receive(BAD)
    tally = json.loads(show.counts(lab.rows, "json"))["tally"]
    assert tally["stored"] == [["myolis", "ORU^R01", 1]]
    assert tally["quarantined"] == [["myolis", "other", 1]]
    assert tally["duplicate"] == tally["oversize"] == []


async def test_the_outbox_is_counted_by_receiver_and_state(lab: Laboratory) -> None:
    await release(lab)
    assert show.counts(lab.rows, "text").splitlines()[1:] == [
        "waiting 0, parked 0, cases signed 1",
        "outbox lis waiting 1",
    ]
    await lab.deliver(Lis())
    assert json.loads(show.counts(lab.rows, "json"))["outbox"] == {"lis": {"acknowledged": 1}}


def test_an_empty_store_counts_nothing(lab: Laboratory) -> None:
    assert show.counts(lab.rows, "text").splitlines() == [
        "received 0 = stored 0 + quarantined 0 + duplicate 0 + oversize 0", "waiting 0, parked 0, cases none", "outbox none",
    ]  # fmt: skip


async def test_looking_needs_no_more_than_reading(lab: Laboratory, place: str) -> None:
    """The command looks through a connection that cannot write, while the service does."""
    await release(lab)
    reader = opening.reader(place)
    for key in ("C1", "M1", "D1"):
        assert show.one(reader, key, "text")
    assert show.counts(reader, "text")
    with pytest.raises(FAULTS):
        reader.execute("DELETE FROM work")
    reader.close()
