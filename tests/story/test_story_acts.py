"""A person's acts on a store, as the command line and the control socket ask for them: each key has its own answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from story_parts import BLOT, CK, CLIA, SITE, Laboratory, Lis, obx, order, oru, patients

from labbridge.acts import Acts, format_of
from labbridge.config import Config, FeedSection, ReceiverSection
from labbridge.config_odbc import FeedOdbcSection
from labbridge.control import ControlServer, ask
from labbridge.feed_settings import feed_of
from labbridge.model.work import Feed
from labbridge.sources import comment_code
from labbridge.states import CaseState

SRP = oru("M1", order("F1", obx(BLOT, "58")))
HMGCR = oru("M2", order("F2", obx(CLIA, "90")), patient="PT2")
BAD = oru("M8", order("F8", obx(BLOT, "58"))).replace(b"OBR|", b"OBX|", 1)
WHO = "Alex Smith"


def config(**receivers: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            "facility": "LABA",
            "feeds": {"myolis": {"timezone": "Europe/Paris", "receiver": "lis" if len(receivers) > 1 else ""}},
            "receivers": {name: {"address": "127.0.0.1:9", **more} for name, more in receivers.items()},
            "knowledge": {"site": SITE},
        }
    )


def acts(lab: Laboratory, using: Config | None = None) -> Acts:
    return Acts(using or config(lis={}), comment_code(SITE), lab.desk, lab.clock)


def release(lab: Laboratory, *keys: str, name: str = WHO, using: Config | None = None) -> dict[str, Any]:
    return acts(lab, using).perform({"command": "release", "keys": list(keys), "as": name})


def reprocess(lab: Laboratory, *keys: str, name: str = WHO, using: Config | None = None) -> dict[str, Any]:
    return acts(lab, using).perform({"command": "reprocess", "keys": list(keys), "as": name})


def errors(answer: dict[str, Any]) -> list[str]:
    return [one["error"] for one in answer["done"] if not one["ok"]]


def sent(lab: Laboratory) -> list[str]:
    return [raw.decode() for (raw,) in lab.rows.execute("SELECT raw FROM outbox ORDER BY id")]


# ---------------------------------------------------------------- what is asked


@pytest.mark.parametrize(
    "request_",
    [
        {}, {"command": "delete", "keys": ["M1"], "as": WHO}, {"command": None, "keys": [], "as": WHO},
        {"command": "release", "as": WHO}, {"command": "release", "keys": "C1@1", "as": WHO},
        {"command": "release", "keys": ["C1@1"], "as": 7}, {"command": "RELEASE", "keys": ["C1@1"], "as": WHO},
        {"command": "reprocess", "keys": {"M1": 1}, "as": WHO},
    ],
)  # fmt: skip
async def test_what_is_not_understood_does_nothing_and_says_so(lab: Laboratory, request_: dict[str, Any]) -> None:
    await lab.take(SRP)
    answer = acts(lab).perform(request_)
    assert answer["ok"] is False
    assert "does not know the command" in answer["error"]
    assert (lab.case().state, sent(lab)) == (CaseState.NEW, [])


async def test_of_several_cases_each_has_its_own_answer(lab: Laboratory) -> None:
    await lab.take(SRP, HMGCR)
    answer = release(lab, "C1@1", "C2@9", "C7@1", "M1", "C2@1")
    assert answer["ok"] is False
    assert [(one["key"], one["ok"], one.get("result")) for one in answer["done"]] == [
        ("C1@1", True, "D1"), ("C2@9", False, None), ("C7@1", False, None), ("M1", False, None), ("C2@1", True, "D2"),
    ]  # fmt: skip
    assert ["at version 1 now, not 9" in errors(answer)[0], "no case C7" in errors(answer)[1]] == [True, True]
    assert [case.state for case in lab.cases()] == [CaseState.SIGNED, CaseState.SIGNED]


async def test_the_same_case_twice_in_one_request_is_signed_once(lab: Laboratory) -> None:
    await lab.take(SRP)
    answer = release(lab, "C1@1", "C1@1")
    assert [one["ok"] for one in answer["done"]] == [True, False]
    assert len(sent(lab)) == 1


async def test_without_a_name_nothing_is_signed(lab: Laboratory) -> None:
    await lab.take(SRP, HMGCR)
    answer = release(lab, "C1@1", "C2@1", name="  ")
    assert answer["ok"] is False
    assert all("needs a name" in one for one in errors(answer))
    assert len(errors(answer)) == 2
    assert sent(lab) == []


# ---------------------------------------------------------------- to whom a comment goes


async def test_a_case_of_a_feed_without_a_receiver_is_not_signed(lab: Laboratory) -> None:
    await lab.take(SRP)
    answer = release(lab, "C1@1", using=config())
    assert errors(answer) == ["No receiver is configured for this feed; add [receivers.NAME]"]
    assert lab.case().state is CaseState.NEW


async def test_of_two_receivers_the_feeds_own_takes_the_comment(lab: Laboratory) -> None:
    await lab.take(SRP)
    using = config(other={"application": "OTHER"}, lis={"application": "MYLIS", "facility": "LABZ"})
    assert release(lab, "C1@1", using=using)["ok"]
    assert lab.rows.execute("SELECT receiver FROM outbox").fetchall() == [("lis",)]
    head = sent(lab)[0].split("\r")[0].split("|")
    assert head[2:6] == ["LABBRIDGE", "LABA", "MYLIS", "LABZ"]


@pytest.mark.parametrize(("version", "mode"), [("2.3.1", "obx"), ("2.5.1", "nte"), ("2.8", "report")])
async def test_a_comment_leaves_as_its_receiver_takes_it(lab: Laboratory, version: str, mode: str) -> None:
    await lab.take(SRP)
    assert release(lab, "C1@1", using=config(lis={"version": version, "comment_mode": mode}))["ok"]
    (raw,) = sent(lab)
    assert raw.split("\r")[0].split("|")[11].startswith(version)
    carrier = "NTE" if mode == "nte" else "OBX"
    assert any(line.startswith(carrier) and "Anti-SRP" in line for line in raw.split("\r"))


async def test_a_receivers_line_length_is_kept(lab: Laboratory) -> None:
    await lab.take(SRP, oru("M3", order("F3", obx(CK, "7800"))))
    assert release(lab, "C1@2", using=config(lis={"line_length": 40}))["ok"]
    (line,) = [one for one in sent(lab)[0].split("\r") if one.startswith("OBX") and "Anti-SRP" in one]
    parts = line.split("|")[5].replace("\\.br\\", "~").split("~")
    assert len(parts) > 2
    assert max(map(len, parts)) <= 40


# ---------------------------------------------------------------- through again


async def test_a_processed_message_waits_again_and_gives_the_same_case(lab: Laboratory) -> None:
    await lab.take(SRP, oru("M3", order("F3", obx(CK, "7800"))))
    before = lab.case()
    assert reprocess(lab, "M1") == {"ok": True, "done": [{"key": "M1", "ok": True, "result": "M1"}]}
    assert lab.states() == [("kept", "reprocessed"), ("done", "drafted")]
    lab.process()
    assert lab.states() == [("done", "drafted"), ("done", "drafted")]
    assert (lab.case().key, lab.case().text) == (before.key, before.text)
    assert lab.case().outcome.states == before.outcome.states


async def test_a_refused_message_is_taken_up_once_it_can_be_read(lab: Laboratory) -> None:
    """A feed that was set up for tests refuses the first messages of the day; the setting is mended, nobody resends."""
    test_feed = Feed(name="myolis", timezone="Europe/Paris", processing_id="T")
    assert await lab.codes(SRP, feed=test_feed) == ["AR"]
    assert lab.process() == 0
    assert reprocess(lab, "M1")["ok"]
    lab.process()
    assert lab.case().outcome.states.SRP == "POS_STRONG"
    assert (lab.counted("stored"), lab.counted("quarantined")) == (1, 0)


async def test_what_still_cannot_be_read_stays_with_the_reason(lab: Laboratory) -> None:
    await lab.receive(BAD)
    (answer,) = reprocess(lab, "M1")["done"]
    assert answer["ok"] is False
    assert answer["error"].startswith("M1 still cannot be read: ")
    assert lab.states()[0][0] == "quarantined"
    assert lab.rows.execute("SELECT count(*) FROM work").fetchone() == (0,)


async def test_a_message_of_a_feed_that_is_gone_waits_for_its_settings(lab: Laboratory) -> None:
    await lab.receive(SRP, feed=Feed(name="oldlis", timezone="Europe/Paris"))
    (answer,) = reprocess(lab, "M1")["done"]
    assert answer["error"] == "The feed oldlis of M1 is not configured; restore it first"


async def test_each_patient_of_a_message_goes_through_again(lab: Laboratory) -> None:
    groups = [(name, [order(f"F{name}", obx(BLOT, "58"))]) for name in ("PT1", "PT2")]
    await lab.receive(patients("M1", *groups))
    assert lab.process() == 2
    assert reprocess(lab, "M1")["ok"]
    lanes = "SELECT lane, state, attempts FROM work ORDER BY id"
    assert lab.rows.execute(lanes).fetchall() == [("p:LABA|PT1", "kept", 0), ("p:LABA|PT2", "kept", 0)]
    assert lab.process() == 2
    assert lab.states() == [("done", "drafted")]


@pytest.mark.parametrize("key", ["M9", "C1@1", "m1", "M", "1", "M1@2", "M-1", "", "M1 OR 1=1"])
async def test_what_is_no_kept_message_is_refused_and_the_others_go(lab: Laboratory, key: str) -> None:
    await lab.take(SRP)
    answer = reprocess(lab, key, "M1")
    assert [one["ok"] for one in answer["done"]] == [False, True]
    assert ("There is no message" in errors(answer)[0]) is (key == "M9")


async def test_who_acted_on_what_is_audited_and_what_failed_is_not(lab: Laboratory) -> None:
    await lab.take(SRP)
    before = len(lab.rows.execute("SELECT id FROM audit").fetchall())
    reprocess(lab, "M1", "M9")
    release(lab, "C1@7")
    found = lab.rows.execute("SELECT actor, action, subject FROM audit ORDER BY id").fetchall()[before:]
    assert found == [(WHO, "reprocess", "M1")]


# ---------------------------------------------------------------- over the control socket


async def test_a_running_service_acts_as_the_command_itself_would(lab: Laboratory, tmp_path: Path) -> None:
    await lab.take(SRP)
    database = tmp_path / "store.db"

    async def handler(request: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(acts(lab).perform, request)

    server = ControlServer(database, handler)
    await server.start()
    try:
        request = {"command": "release", "keys": ["C1@1", "C2@1"], "as": WHO}
        answer = await asyncio.to_thread(ask, database, request)
    finally:
        await server.stop()
    assert answer is not None
    assert [(one["key"], one["ok"]) for one in answer["done"]] == [("C1@1", True), ("C2@1", False)]
    lis = Lis()
    assert await lab.deliver(lis) == 1
    assert WHO in lis.received[0].decode()


# ---------------------------------------------------------------- settings as the story reads them


def test_every_setting_of_a_feed_reaches_its_reader() -> None:
    section = FeedSection(
        sender="LIS|LABA", timezone="Europe/Paris", charset="8859/1", decimal_mark=",", empty_status="final",
        cytoplasmic_reported_as="negative", processing_id="T", default_method={"SRP": "line_blot"}, settle_s=5.0,
        application_ack="lis",
        postfix_comparators=True, second_identifier="where_sent",
    )  # fmt: skip
    other = FeedSection(
        kind="fhir", authorities={"https://laba.example": "LABA"}, local_systems=("https://laba.example",)
    )
    view = FeedOdbcSection(
        connection="DSN=lis", view="results", key=("id",), changed="at",
        columns={"code": "test", "value": "result"}, parts={"titre": "ANAT"},
    )  # fmt: skip
    rows = FeedSection(kind="odbc", sender="LIS|LABA", odbc=view)
    plain, tried = Feed(name="plain"), set[str]()
    for one in (section, other, rows):
        found = feed_of("myolis", one)
        ours = {name: getattr(found, name) for name in Feed.__struct_fields__ if name != "name"}
        of_rows = {name: getattr(one.odbc or plain, name) for name in ("columns", "parts", "key")}
        of_rows["synthetic"] = ""  # of [heartbeat]: test_story_heartbeat.py
        assert (found.name, ours) == ("myolis", {name: getattr(one, name) for name in ours.keys() - of_rows} | of_rows)
        tried |= {name for name in ours if ours[name] != getattr(plain, name)}
    assert tried == set(Feed.__struct_fields__) - {"name", "synthetic"}, "a setting was not tried"


def test_a_receivers_format_has_its_settings_and_the_feeds_time_zone() -> None:
    receiver = ReceiverSection(
        address="127.0.0.1:9", version="2.4", comment_mode="nte", line_length=72, charset="8859/1", application="A",
        facility="F",
    )  # fmt: skip
    found = format_of(config(lis={}), receiver, FeedSection(timezone="Europe/Paris"), comment_code(SITE))
    assert (found.version, found.mode, found.line_length, found.charset) == ("2.4", "nte", 72, "8859/1")
    assert (found.application, found.facility) == ("LABBRIDGE", "LABA")
    assert (found.receiving_application, found.receiving_facility, found.timezone) == ("A", "F", "Europe/Paris")
    assert [coding.code for coding in found.comment] == ["8251-1", "LBCMT"]
