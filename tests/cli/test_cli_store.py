"""The commands that look into a store or act on it while no service runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_run import ROOT, SAMPLES, config, run

from labbridge import pipeline
from labbridge.acts import feed_of
from labbridge.config import load as load_config
from labbridge.model.work import Feed
from labbridge.pipeline import Peer
from labbridge.processing import Settings, SystemClock, reader_of
from labbridge.store.journal import StoreIntake
from labbridge.store.sqlite import StoreLock, open_reader, open_writer
from labbridge.store.units import LocalUnits
from labbridge.store.work import StoreWork
from labbridge.store.writer import Writer

FILES = ("01-concordant-srp/1b-serology.hl7", "01-concordant-srp/1a-ck.hl7", "04-low-positive-blot/1a-serology.hl7")
BAD = b"MSH|^~\\&|MYOLIS|LABA|LB|LABA|20261113||ORU^R01|BAD1|P|2.5.1\rPID|1||PT9^^^LABA^MR||SECRET^NAME\r"


async def fill(where: Path) -> None:
    """The samples, one of them twice, and one that cannot be read, as a service would have left them."""
    settings = load_config(where)
    feed: Feed = feed_of("myolis", settings.feeds["myolis"])
    reader = reader_of(Settings(settings.store.url, settings.knowledge.site, (feed,), "LABBRIDGE", True))
    writer = Writer(open_writer(settings.store.beside))
    intake, clock = StoreIntake(writer), SystemClock()
    raws = [(SAMPLES / name).read_bytes().replace(b"\n", b"\r") for name in FILES]
    for raw in (*raws, raws[0], BAD):
        await pipeline.receive(raw, Peer(feed, "127.0.0.1"), intake, clock)
    work = StoreWork(open_reader(settings.store.beside), LocalUnits(writer))
    while pipeline.run_once(work, reader, clock):
        pass
    writer.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    import asyncio

    where = config(tmp_path_factory.mktemp("filled"))
    asyncio.run(fill(where))
    return where


@pytest.fixture
def own(filled: Path, tmp_path: Path) -> Path:
    """The same store, to be changed."""
    with sqlite3.connect(filled.parent / "store.db") as source, sqlite3.connect(tmp_path / "store.db") as target:
        source.backup(target)
    return config(tmp_path)


# ---------------------------------------------------------------- looking


def test_the_counts_add_up(filled: Path) -> None:
    done = run("messages", "--count", "--config", filled)
    assert done.code == 0
    assert done.out.startswith("received 5 = stored 3 + quarantined 1 + duplicate 1 + oversize 0\n")
    found = run("messages", "--count", "--config", filled, "--format", "json").json
    assert found["received"] == found["stored"] + found["quarantined"] + found["duplicate"] + found["oversize"] == 5
    assert found["waiting"] == found["parked"] == 0


def test_messages_are_listed_newest_first(filled: Path) -> None:
    found = run("messages", "--config", filled, "--format", "json").json
    assert [one["key"] for one in found] == ["M4", "M3", "M2", "M1"]
    assert {one["state"] for one in found} == {"done", "quarantined"}
    assert len(run("messages", "--limit", "2", "--config", filled, "--format", "json").json) == 2


def test_a_listing_names_no_patient(filled: Path) -> None:
    for words in (["messages"], ["quarantine"], ["messages", "--count"]):
        done = run(*words, "--config", filled)
        assert done.out
        assert not any(word in done.out for word in ("SECRET", "PT9", "PT1001", "PT1004"))


def test_the_quarantine_names_place_and_reason(filled: Path) -> None:
    (found,) = run("quarantine", "--config", filled, "--format", "json").json
    assert (found["key"], found["control_id"], found["state"]) == ("M4", "BAD1", "quarantined")
    assert (found["reason"], found["code"]) == ("structure", "100")
    assert found["place"].startswith("OBR")
    assert found["detail"]


def test_the_worklist_names_what_a_release_needs(filled: Path) -> None:
    found = run("show", "--config", filled, "--format", "json").json
    assert [one["shown"] for one in found] == [f"{one['key']}@{one['version']}" for one in found]
    assert {one["state"] for one in found} == {"new"}
    text = run("show", "--config", filled).out
    assert all(one["shown"] in text for one in found)


def test_a_case_is_shown_with_findings_rules_and_comment(filled: Path) -> None:
    done = run("show", "C1", "--config", filled)
    assert done.out.startswith("C1@2  new  opened by a result of ")
    assert "rule srp-strong" in done.out
    assert "comment  C01" in done.out
    found = run("show", "C1", "--config", filled, "--format", "json").json
    assert found["text"].startswith("Anti-SRP strongly positive")
    assert found["outcome"]["comment"]["class"] == "C01"
    assert run("show", "C1@1", "--config", filled, "--format", "json").json == found


def test_a_message_is_shown_as_it_came(filled: Path) -> None:
    found = run("show", "M1", "--config", filled, "--format", "json").json
    assert (found["key"], found["state"], found["duplicates"]) == ("M1", "done", 1)
    assert found["raw"].replace("\n", "\r").encode() == (SAMPLES / FILES[0]).read_bytes().replace(b"\n", b"\r").strip()
    assert [lane["state"] for lane in found["work"]] == ["done"]
    assert "M4" in run("show", "M4", "--config", filled).out


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("C99", "There is no C99"),
        ("M99", "There is no M99"),
        ("D1", "There is no D1"),
        ("X1", "is no key; write C12, M17 or D3"),
        ("C", "is no key"),
        ("C1; DROP TABLE cases", "is no key"),
    ],
)
def test_a_key_that_leads_nowhere_is_said_so(filled: Path, key: str, sentence: str) -> None:
    done = run("show", key, "--config", filled)
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err


@pytest.mark.parametrize("words", [["messages"], ["show"], ["quarantine"], ["show", "C1"]])
def test_without_a_store_there_is_nothing_to_see(tmp_path: Path, words: list[str]) -> None:
    done = run(*words, "--config", config(tmp_path))
    assert (done.code, done.out) == (1, "")
    assert "there is no store yet; `labbridge serve` makes one" in done.err
    assert not (tmp_path / "store.db").exists()


def test_looking_changes_nothing(own: Path) -> None:
    before = (own.parent / "store.db").read_bytes()
    for words in (["messages"], ["show"], ["show", "C1"], ["quarantine"], ["messages", "--count"]):
        assert run(*words, "--config", own).code == 0
    assert (own.parent / "store.db").read_bytes() == before


# ---------------------------------------------------------------- acting


def test_a_release_puts_the_read_version_into_the_outbox(own: Path) -> None:
    done = run("release", "C1@2", "--as", "Alex Smith", "--config", own, "--format", "json")
    assert done.code == 0
    assert done.json == {"ok": True, "done": [{"key": "C1@2", "ok": True, "result": "D1"}]}
    delivery = run("show", "D1", "--config", own, "--format", "json").json
    assert (delivery["case"], delivery["version"], delivery["receiver"], delivery["state"]) == (1, 2, "lis", "waiting")
    assert run("show", "C1", "--config", own, "--format", "json").json["text"] in delivery["raw"]
    assert "Alex Smith" in delivery["raw"]


def test_of_several_keys_each_has_its_own_answer(own: Path) -> None:
    done = run("release", "C1@1", "C2@1", "C9@1", "--as", "Alex Smith", "--config", own, "--format", "json")
    assert done.code == 1
    assert [one["ok"] for one in done.json["done"]] == [False, True, False]
    assert "at version 2 now, not 1" in done.json["done"][0]["error"]
    assert "There is no case C9" in done.json["done"][2]["error"]


def test_a_release_without_a_version_or_a_name_signs_nothing(own: Path) -> None:
    assert run("release", "C1", "--as", "Alex", "--config", own).code == 1
    assert run("release", "C1@2", "--as", "  ", "--config", own).code == 1
    assert run("release", "C1@2", "--config", own).code == 2
    assert run("show", "D1", "--config", own).code == 1


def test_who_signed_is_in_the_audit(own: Path) -> None:
    run("release", "C1@2", "--as", "Alex Smith", "--config", own)
    with open_reader(own.parent / "store.db") as rows:
        found = rows.execute("SELECT actor, action, subject FROM audit ORDER BY id DESC LIMIT 1").fetchone()
    assert found == ("Alex Smith", "released", "C1@2")


def test_a_message_that_still_cannot_be_read_stays_where_it_is(own: Path) -> None:
    done = run("reprocess", "M4", "--as", "Alex Smith", "--config", own, "--format", "json")
    assert done.code == 1
    assert "M4 still cannot be read" in done.json["done"][0]["error"]
    assert len(run("quarantine", "--config", own, "--format", "json").json) == 1


@pytest.mark.parametrize(("key", "sentence"), [("M99", "There is no message M99"), ("C1", "is not a message")])
def test_what_cannot_be_reprocessed_is_said_so(own: Path, key: str, sentence: str) -> None:
    done = run("reprocess", key, "--as", "Alex", "--config", own, "--format", "json")
    assert done.code == 1
    assert sentence in done.json["done"][0]["error"]


def test_a_processed_message_is_sent_through_again_and_counted_once(own: Path) -> None:
    done = run("reprocess", "M1", "--as", "Alex Smith", "--config", own, "--format", "json")
    assert done.code == 0
    found = run("messages", "--count", "--config", own, "--format", "json").json
    assert (found["received"], found["waiting"]) == (5, 1)


@pytest.mark.parametrize("words", [["release", "C1@2"], ["reprocess", "M1"]])
def test_while_another_writes_the_store_nothing_is_done(own: Path, words: list[str]) -> None:
    with StoreLock(own.parent / "store.db"):
        done = run(*words, "--as", "Alex", "--config", own)
    assert done.code == 78
    assert done.err
    assert run("show", "D1", "--config", own).code == 1


def test_no_receiver_no_release(own: Path) -> None:
    text = own.read_text(encoding="utf-8").replace('[receivers.lis]\naddress = "127.0.0.1:9"\n', "")
    own.write_text(text, encoding="utf-8")
    done = run("release", "C1@2", "--as", "Alex", "--config", own, "--format", "json")
    assert done.code == 1
    assert "add [receivers.NAME]" in done.json["done"][0]["error"]


def test_the_readme_shows_commands_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {line.split()[1] for line in readme.splitlines() if line.startswith("    labbridge ")}
    assert {"serve", "interpret", "validate", "check", "show", "release", "messages", "doctor"} <= named
    for command in named:
        assert run(command, "--help").code == 0
