"""Two persons sign: the second is somebody else, reads HEp-2 unseen, and signs what the first signed (S-17)."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from story_parts import BLOT, CK, SITE, Lis, obx, order, oru
from test_web_decisions import decide, field, sign
from web_parts import PASSWORD, Bench, Browser

from labbridge.interpret import Interpreter
from labbridge.model.people import Role
from labbridge.model.review import Disposition, Signature
from labbridge.model.work import AuditEvent, Outgoing
from labbridge.sources import load
from labbridge.states import CaseState
from labbridge.store import decisions

SRP = order("F1", obx(BLOT, "58"))
SCREEN = "CE|ANAS^ANA HEp-2 IIF, screen^L|1|POS^Positive^L||Negative|A|||{status}"
PATTERN = "CE|ANAP^ANA HEp-2 IIF, pattern^L|1|AC-1^Homogeneous^ICAP||||||{status}"


def two(bench: Bench, choice: str = "second_reader_positive", share: int = 0) -> None:
    """A laboratory in which two persons sign."""
    knowledge = load(SITE)
    policy = knowledge.policy
    chosen = msgspec.structs.replace(policy.choices[choice], value="yes")
    counted = msgspec.structs.replace(policy.numbers["second_reader_share"], value=share)
    choices = {**policy.choices, choice: chosen} if not share else policy.choices
    numbers = {**policy.numbers, "second_reader_share": counted}
    changed = msgspec.structs.replace(
        knowledge, policy=msgspec.structs.replace(policy, choices=choices, numbers=numbers)
    )
    bench.lab.reader = msgspec.structs.replace(bench.lab.reader, interpret=Interpreter(changed))


def countersign(browser: Browser, key: str = "C1", page: str = "") -> Any:
    shown = page or browser.get(f"/cases/{key}").text
    given = {"version": field(shown, "version"), "screen": field(shown, "screen"), "password": PASSWORD}
    return browser.post(f"/cases/{key}/countersign", given)


def read(browser: Browser, finding: str = "NUCLEAR", **more: str) -> Any:
    return browser.post("/cases/C1/reading", {"version": "1", "finding": finding, **more})


async def test_nothing_leaves_before_a_second_person_has_signed(anywhere: Bench) -> None:
    two(anywhere)
    await anywhere.lab.take(oru("M1", SRP))
    first, other = anywhere.signed_in("anna", Role.SENIOR), anywhere.signed_in("bert", Role.SENIOR)
    assert sign(first).status_code == 204
    assert (anywhere.lab.case().disposition, anywhere.lab.deliveries()) == (Disposition.SECOND_READER, [])
    assert 'data-case="C1"' in other.get("/worklist?queue=second_reader").text
    assert "first of two signatures" in other.get("/cases/C1").text
    assert countersign(other).status_code == 204
    assert anywhere.lab.case().state is CaseState.SIGNED
    anywhere.clock.forward(seconds=120)
    assert await anywhere.lab.deliver(Lis()) == 1
    rows = anywhere.rows.execute("SELECT first, second FROM countersigned").fetchall()
    assert [tuple(row) for row in rows] == [("anna", "bert")]
    assert [actor for actor, _case, _detail in anywhere.audit("signed first")] == ["Anna Test"]


async def test_the_same_person_is_no_second_one_in_any_window(anywhere: Bench) -> None:
    """S-17: two sessions, and a role that changed between."""
    two(anywhere)
    await anywhere.lab.take(oru("M1", SRP))
    sign(anywhere.signed_in("anna", Role.SENIOR))
    answer = countersign(anywhere.signed_in("anna"))
    assert (answer.status_code, "another person is its second reader" in answer.text) == (422, True)
    assert anywhere.lab.deliveries() == []


async def test_a_scientist_is_no_second_reader(bench: Bench) -> None:
    two(bench)
    await bench.lab.take(oru("M1", SRP))
    sign(bench.signed_in("anna"))
    carl = bench.signed_in("carl")
    assert countersign(carl).status_code == 403
    answer = sign(carl)
    assert (answer.status_code, "waits for its second reader" in answer.text) == (422, True)
    assert bench.lab.deliveries() == []


async def test_other_words_want_two_signatures_anew(bench: Bench) -> None:
    two(bench)
    await bench.lab.take(oru("M1", SRP))
    first, other = bench.signed_in("anna", Role.SENIOR), bench.signed_in("bert", Role.SENIOR)
    sign(first)
    decide(other, "wording", text="Other words.", why="clearer")
    assert countersign(other).status_code == 204
    assert (bench.lab.case().disposition, bench.lab.deliveries()) == (Disposition.SECOND_READER, [])
    assert countersign(first).status_code == 204  # what the other had signed, in the other's words
    assert len(bench.lab.deliveries()) == 1


async def test_a_new_result_wants_two_signatures_anew(bench: Bench) -> None:
    two(bench)
    await bench.lab.take(oru("M1", SRP))
    first, other = bench.signed_in("anna", Role.SENIOR), bench.signed_in("bert", Role.SENIOR)
    sign(first)
    page = other.get("/cases/C1").text
    await bench.lab.take(oru("M2", order("F2", obx(CK, "6000"))))
    assert countersign(other, page=page).status_code == 422
    assert sign(other).status_code == 204
    assert bench.lab.deliveries() == []


async def test_a_case_taken_back_while_the_second_signs_stays(anywhere: Bench) -> None:
    """Between what the act read of the case and its commit."""
    two(anywhere)
    await anywhere.lab.take(oru("M1", SRP))
    first, other = anywhere.signed_in("anna", Role.SENIOR), anywhere.signed_in("bert", Role.SENIOR)
    sign(first)
    shown, real = other.get("/cases/C1").text, anywhere.lab.desk.release

    def released(out: Outgoing, audit: AuditEvent) -> int:
        decide(first, "return")
        return real(out, audit)

    anywhere.lab.desk.release = released  # type: ignore[method-assign]
    answer = countersign(other, page=shown)
    assert (answer.status_code, "read it again" in answer.text) == (422, True)
    assert (anywhere.lab.deliveries(), anywhere.lab.case().state) == ([], CaseState.NEW)


async def test_the_command_line_does_not_sign_for_two(bench: Bench) -> None:
    two(bench)
    await bench.lab.take(oru("M1", SRP))
    answer = bench.parts.act({"command": "release", "keys": ["C1@1"], "as": "Anna Test"})
    assert "is signed by two persons" in answer["done"][0]["error"]


def test_the_database_itself_wants_two_however_many_try(anywhere: Bench) -> None:
    alone = Signature(person="anna", name="Anna", meaning="x", screen=b"", first="anna")

    def tried(number: int) -> bool:
        write = anywhere.writer.submit(lambda c: decisions.sign(c, alone, (1, 1, number), anywhere.clock.now()))
        return write.exception() is None

    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(tried, range(1, 1001)))
    assert anywhere.rows.execute("SELECT count(*) FROM signatures").fetchone() == (0,)


def test_nobody_is_the_second_reader_of_what_they_signed(anywhere: Bench) -> None:
    insert = "INSERT INTO readings VALUES (1, 1, 1, 'anna', 'A', 'x', 'NEG', 'anna', 'NEG', 1, '')"
    write = anywhere.writer.submit(lambda connection: connection.execute(insert))
    assert "CHECK" in str(write.exception()).upper()


async def test_so_many_of_the_others_are_read_twice(bench: Bench) -> None:
    two(bench, share=100)
    await bench.lab.take(oru("M1", SRP))
    sign(bench.signed_in("anna", Role.SENIOR))
    assert bench.lab.case().disposition is Disposition.SECOND_READER
    two(bench, "second_reader_fluorescence")
    await bench.lab.take(oru("M2", order("F2", obx(BLOT, "58")), patient="PT2"))
    sign(bench.signed_in("anna"), "C2")
    assert [case.state for case in bench.lab.cases()] == [CaseState.NEW, CaseState.SIGNED]


# ---------------------------------------------------------------- HEp-2, read unseen

BOTH = order("F1", obx(BLOT, "58"), obx(SCREEN, ""), obx(PATTERN, ""))


async def waiting(bench: Bench) -> tuple[Browser, Browser]:
    """A case with HEp-2 that one person has signed, and who is to read it next."""
    two(bench)
    await bench.lab.take(oru("M1", BOTH))
    assert bench.lab.case().outcome.states.HEP2 == "NUCLEAR"
    first, other = bench.signed_in("anna", Role.SENIOR), bench.signed_in("bert", Role.SENIOR)
    assert sign(first).status_code == 204
    return first, other


async def test_the_second_reader_sees_nothing_before_the_reading_is_kept(anywhere: Bench) -> None:
    _first, other = await waiting(anywhere)
    answer = other.get("/cases/C1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/cases/C1/reading")
    page = other.get("/cases/C1/reading").text
    assert "PT1" in page
    for told in (anywhere.lab.case().text, "HEP2", ">58<", "MSA_", "AC-1", "intensity"):
        assert told not in page
    row = re.search(r'<tr data-case="C1">.*?</tr>', other.get("/worklist?queue=second_reader").text, re.S)
    assert row is not None
    assert "when it has been read" in row[0]
    assert "MSA" not in row[0]
    assert "MSA" not in other.get("/worklist/print?queue=second_reader").text
    stolen = other.post("/cases/C1/countersign", {"version": "1", "screen": "00" * 32, "password": PASSWORD})
    assert stolen.headers["hx-redirect"] == "/cases/C1/reading"
    assert read(other, "NUCLEAR", why="1:320, fine").status_code == 204
    page = other.get("/cases/C1").text
    assert "second reading of HEp-2" in page
    assert "agrees" in page
    assert countersign(other, page=page).status_code == 204
    assert len(anywhere.lab.deliveries()) == 1
    assert anywhere.audit("viewed unseen") == [("bert", "C1", "version 1, unseen")]
    assert anywhere.audit("read second") == [("bert", "C1@1", "")]


async def test_where_two_disagree_a_third_person_signs(bench: Bench) -> None:
    _first, other = await waiting(bench)
    read(other, "NEG")
    answer = countersign(other)
    assert (answer.status_code, "a third person signs" in answer.text) == (422, True)
    third = bench.signed_in("cora", Role.SENIOR)
    assert "disagrees" in third.get("/cases/C1").text  # both readings are before the third
    assert countersign(third).status_code == 204
    assert len(bench.lab.deliveries()) == 1


async def test_a_reading_is_given_once_and_by_who_waits_for_it(bench: Bench) -> None:
    first, other = await waiting(bench)
    assert read(first).status_code == 422
    assert "waits for no reading of yours" in read(first).text
    assert read(other, "PURPLE").status_code == 422
    assert read(other).status_code == 204
    assert read(other, "NEG").status_code == 422
    assert bench.rows.execute("SELECT person, finding, first, unseen FROM readings").fetchall() == [
        ("bert", "NUCLEAR", "anna", 1)
    ]


async def test_who_had_seen_the_case_before_counts_for_no_agreement(bench: Bench) -> None:
    two(bench)
    await bench.lab.take(oru("M1", BOTH))
    first, other = bench.signed_in("anna", Role.SENIOR), bench.signed_in("bert", Role.SENIOR)
    other.get("/cases/C1")
    sign(first)
    bench.clock.forward(minutes=1)
    assert read(other).status_code == 204
    assert "had seen the case before" in other.get("/cases/C1").text
    assert "Nobody has read a case" in other.get("/readings").text


async def test_agreement_is_shown_by_pair(anywhere: Bench) -> None:
    _first, other = await waiting(anywhere)
    read(other)
    page = re.sub(r"<[^>]+>|\s+", " ", other.get("/readings").text)
    assert "anna – bert" in page
    assert "1 of 1" in page
    assert "both gave one finding" in page
    some = anywhere.signed_in("dora", Role.SENIOR, feeds=("myolis",))
    assert "anna" not in some.get("/readings").text


@pytest.mark.parametrize("asked", ["severity=critical", "flag=ANTISYNTHETASE", "analyte=CREATININE"])
async def test_no_filter_and_no_file_tells_the_second_reader_what_was_found(anywhere: Bench, asked: str) -> None:
    first, other = await waiting(anywhere)
    looker = anywhere.signed_in("lena", Role.AUDITOR)
    query = f"/worklist?queue=second_reader&{asked}"
    assert 'data-case="C1"' in other.get(query).text  # there, whether it is among what was asked for or not
    assert 'data-case="C1"' not in looker.get(query).text
    files = {who: who.get(f"/worklist/export.csv{query[9:]}").text for who in (first, other)}
    for told in ("MSA", "POS", "NUCLEAR", "C01", "LINE_BLOT"):
        assert told not in "".join(files.values())
    line = json.loads(other.get(f"/worklist/export.jsonl{query[9:]}").text.splitlines()[0])
    assert [name for name, value in line.items() if value == "unread"] == UNTOLD
    assert looker.get("/worklist/export.csv?queue=second_reader").text.count("unread") == 0
    assert "no retest proposed" in other.get("/worklist/print?queue=second_reader").text


UNTOLD = ["severity", "flags", "anti_srp", "anti_hmgcr", "hep2", "ck", "held", "retests", "comment"]
