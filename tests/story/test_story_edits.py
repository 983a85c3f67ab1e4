"""Dead letters: a message repaired by one person and sent through by another; a comment given up, sent again."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from story_parts import BLOT, Laboratory, Lis, obx, order, oru

from labbridge.acts import Acts
from labbridge.config import Config
from labbridge.show import one
from labbridge.states import CaseState
from tests.summed import summed

CONFIG = Config.model_validate({"feeds": {"myolis": {"timezone": "Europe/Paris"}}, "receivers": {}})
GOOD = oru("M1", order("F1", obx(BLOT, "58")))
BAD = GOOD.replace(b"OBR|", b"OBX|", 1)


def act(lab: Laboratory, command: str, key: str, name: str, **more: Any) -> str:
    """What an act came to: its result, or why it was refused."""
    answer = Acts(CONFIG, (), lab.desk, lab.clock).perform({"command": command, "keys": [key], "as": name, **more})
    lab.process()
    (done,) = answer["done"]
    return str(done["result"] if done["ok"] else done["error"])


def edit(lab: Laboratory, raw: bytes, key: str = "M1", name: str = "Ada Roth", why: str = "OBR was named OBX") -> str:
    return act(lab, "edit", key, name, raw=base64.b64encode(raw).decode(), why=why)


async def quarantined(lab: Laboratory) -> None:
    assert await lab.codes(BAD) == ["AE"]
    lab.process()


async def test_an_edit_waits_for_a_second_person_and_is_then_interpreted(lab: Laboratory) -> None:
    await quarantined(lab)
    assert edit(lab, GOOD) == "M1, version 2"
    assert (lab.cases(), lab.states()[0][0]) == ([], "quarantined")
    assert "somebody else has to read the edit" in act(lab, "reprocess", "M1", "ada  ROTH")
    assert lab.cases() == []
    assert act(lab, "reprocess", "M1", "Ben Lot") == "M1"
    assert lab.case().outcome.states.SRP == "POS_STRONG"


async def test_the_bytes_received_stay_as_they_came(lab: Laboratory) -> None:
    await quarantined(lab)
    edit(lab, GOOD)
    act(lab, "reprocess", "M1", "Ben Lot")
    assert lab.rows.execute("SELECT raw FROM journal").fetchone() == (BAD,)
    row = lab.rows.execute("SELECT version, raw, editor, why, approved_by FROM edits").fetchone()
    assert row == (2, GOOD, "Ada Roth", "OBR was named OBX", "Ben Lot")
    audit = lab.rows.execute("SELECT actor, action, subject, detail FROM audit").fetchall()
    assert ("Ada Roth", "edited", "M1", "OBR was named OBX") in audit
    assert ("Ben Lot", "reprocess", "M1", "") in audit


async def test_a_comment_on_an_edited_message_is_addressed_from_the_edit(lab: Laboratory) -> None:
    await quarantined(lab)
    edit(lab, GOOD.replace(b"|F1^MYOLIS|", b"|F77^MYOLIS|"))
    act(lab, "reprocess", "M1", "Ben Lot")
    case = lab.case()
    lab.release(f"C{case.key}@{case.version}")
    lis = Lis()
    await lab.deliver(lis)
    assert b"|F77^MYOLIS|" in lis.received[0]


async def test_the_sender_who_repeats_the_bad_bytes_gets_the_same_answer(lab: Laboratory) -> None:
    await quarantined(lab)
    edit(lab, GOOD)
    act(lab, "reprocess", "M1", "Ben Lot")
    assert await lab.codes(BAD) == ["AE"]
    lab.process()
    assert len(lab.states()) == 1


async def test_a_parked_message_may_be_edited_into_another_patients(lab: Laboratory) -> None:
    await lab.receive(oru("M1", order("F1", obx(BLOT, "58")), patient="WRONG"))
    lab.writer.submit(lambda c: c.execute("UPDATE work SET attempts = 9")).result()
    lab.writer.submit(summed).result()
    lab.process()
    assert lab.states() == [("parked", "crashed")]
    edit(lab, GOOD, why="wrong patient")
    act(lab, "reprocess", "M1", "Ben Lot")
    assert lab.case().patient is not None
    assert lab.case().patient.id == "PT1"
    assert lab.rows.execute("SELECT lane, state FROM work").fetchall() == [("p:LABA|PT1", "done")]


async def test_the_newest_edit_is_the_one_that_counts(lab: Laboratory) -> None:
    await quarantined(lab)
    edit(lab, GOOD.replace(b"|58|", b"|3|"))
    assert edit(lab, GOOD, name="Ben Lot") == "M1, version 3"
    assert "somebody else" in act(lab, "reprocess", "M1", "Ben Lot")
    act(lab, "reprocess", "M1", "Ada Roth")
    assert lab.case().outcome.states.SRP == "POS_STRONG"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"raw": BAD}, "as edited cannot be read"),
        ({"raw": b"hello"}, "as edited cannot be read"),
        ({"why": "  "}, "needs its reason"),
        ({"why": "x" * 201}, "needs its reason"),
        ({"name": " "}, "needs a name"),
        ({"key": "M9"}, "There is no message M9"),
        ({"key": "C1"}, "is not a message"),
    ],
)
async def test_an_edit_that_helps_nobody_is_refused(lab: Laboratory, changes: dict[str, Any], says: str) -> None:
    await quarantined(lab)
    assert says in edit(lab, **{"raw": GOOD, **changes})
    assert lab.rows.execute("SELECT count(*) FROM edits").fetchone() == (0,)


async def test_a_message_that_was_processed_is_its_senders_to_correct(lab: Laboratory) -> None:
    await lab.take(GOOD)
    assert "only a parked or quarantined message" in edit(lab, GOOD)


# ---------------------------------------------------------------- a comment that was given up


async def given_up(lab: Laboratory) -> bytes:
    await lab.take(GOOD)
    lab.release("C1@1")
    lis = Lis(*["MSA|AE|$ID"] * 10)
    for _attempt in range(10):
        await lab.deliver(lis)
        lab.clock.forward(minutes=10)
    assert lab.deliveries() == [("failed", 10)]
    return lis.received[0]


async def test_a_comment_given_up_goes_again_the_same_to_the_byte(lab: Laboratory) -> None:
    first = await given_up(lab)
    assert act(lab, "reprocess", "D1", "Ben Lot") == "D1"
    lis = Lis()
    await lab.deliver(lis)
    assert lis.received == [first]
    assert lab.deliveries() == [("acknowledged", 11)]


async def test_one_that_is_out_of_date_by_then_does_not(lab: Laboratory) -> None:
    await given_up(lab)
    await lab.take(oru("M3", order("F1", obx(BLOT, "2", "C")), sent="20261113150000+0100"))
    act(lab, "reprocess", "D1", "Ben Lot")
    lis = Lis()
    await lab.deliver(lis)
    assert lis.received == []
    assert lab.case().state is CaseState.REOPENED


async def test_only_one_that_was_given_up_can_be_sent_again(lab: Laboratory) -> None:
    await lab.take(GOOD)
    lab.release("C1@1")
    await lab.deliver(Lis())
    assert "was not given up" in act(lab, "reprocess", "D1", "Ben Lot")
    assert "was not given up" in act(lab, "reprocess", "D7", "Ben Lot")


# ---------------------------------------------------------------- what a person is shown


async def test_an_edit_is_shown_with_its_reason_and_who_has_to_read_it(lab: Laboratory) -> None:
    await quarantined(lab)
    edit(lab, GOOD)
    assert "edited   version 2 by Ada Roth: OBR was named OBX; waits for a second person" in one(lab.rows, "M1", "text")
    act(lab, "reprocess", "M1", "Ben Lot")
    (shown,) = json.loads(one(lab.rows, "M1", "json"))["edits"]
    assert (shown["editor"], shown["approved_by"]) == ("Ada Roth", "Ben Lot")
    assert shown["raw"].startswith("MSH|")


async def test_a_comment_that_waits_for_a_message_names_it(lab: Laboratory) -> None:
    await lab.take(GOOD)
    lab.release("C1@1")
    assert json.loads(one(lab.rows, "D1", "json"))["waits_for"] == []
    await lab.receive(oru("M2", order("F2", obx(BLOT, "3"))))
    assert json.loads(one(lab.rows, "D1", "json"))["waits_for"] == ["M2"]
    assert "waits    until M2 of the same patient is processed" in one(lab.rows, "D1", "text")
