"""A message repaired by hand: its other bytes survive, and a second person sends through exactly what was read (S-17); and
whose a message is, where that is in doubt."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from messages_parts import BAD, GOOD, WHY, approval, edited_text, opened, parked, received, repair, senior, text_of
from web_parts import CONFIG, Bench

from labbridge.acts import Acts
from labbridge.model.people import Role

LATIN = BAD.replace(b"UNICODE UTF-8", b"8859/1").replace(b"SYNTHETIC", b"SYNTH\xc9TIC\x07")
UNREADABLE = BAD.replace(b"SYNTHETIC", b"SYNTH\xe9TIC")


def renamed(text: str) -> str:
    return text.replace("OBX|1|PF1", "OBR|1|PF1")


def edits(bench: Bench) -> list[tuple[Any, ...]]:
    rows = bench.rows.execute("SELECT version, raw, editor, approved_by FROM edits ORDER BY version").fetchall()
    return [(version, bytes(raw), editor, by) for version, raw, editor, by in rows]


def by_command(bench: Bench, command: str, name: str, **more: Any) -> str:
    """What the command line comes to for the same message."""
    acts = Acts(CONFIG, (), bench.lab.desk, bench.clock, bench.people)
    (done,) = acts.perform({"command": command, "keys": ["M1"], "as": name, **more})["done"]
    return str(done.get("result") or done["error"])


def edit_by_command(bench: Bench, name: str, raw: bytes = GOOD) -> str:
    return by_command(bench, "edit", name, raw=base64.b64encode(raw).decode(), why="OBR")


# ---------------------------------------------------------------- bytes that survive


async def test_a_repair_is_a_version_of_its_own_beside_the_bytes_received(anywhere: Bench) -> None:
    await received(anywhere, BAD)
    answer = repair(senior(anywhere), renamed)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/messages/M1")
    assert edits(anywhere) == [(2, GOOD, "anna", "")]
    assert bytes(anywhere.rows.execute("SELECT raw FROM journal").fetchone()[0]) == BAD
    assert anywhere.audit("edited") == [("anna", "M1", "OBR was named OBX")]
    assert anywhere.lab.states() == [("quarantined", "structure")]
    assert "An edit waits for a second person" in senior(anywhere).get("/messages").text


@pytest.mark.parametrize("raw", [LATIN, UNREADABLE.replace(b"\r", b"\n"), UNREADABLE.replace(b"\r", b"\r\n\r\n")])
async def test_bytes_that_were_not_meant_survive_whatever_they_are(bench: Bench, raw: bytes) -> None:
    """Also those that are no character of the set that is declared, control characters, and odd line ends."""
    await received(bench, raw)
    store = StoreLike(bench)
    wanted = raw.replace(b"OBX|1|PF1", b"OBR|1|PF1")
    answer = repair(senior(bench), renamed)
    if raw.startswith(LATIN[:20]) and b"8859/1" in raw:
        assert answer.status_code == 204
        assert edits(bench)[0][1] == wanted
    else:  # it cannot be read yet, for the byte that is still there; nothing is lost of what was typed
        assert answer.status_code == 422
        assert "as edited cannot be read" in answer.text
        assert "OBR|1|PF1" in edited_text(answer.text)
        assert store.edited() == 0
        fixed = repair(senior(bench), lambda text: renamed(text).replace("⟦E9⟧", "É"))
        assert fixed.status_code == 204
        assert edits(bench)[0][1] == wanted.replace(b"\xe9", "É".encode())


class StoreLike:
    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def edited(self) -> int:
        return len(edits(self._bench))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text, "Nothing was changed"),
        (lambda text: " \r\n", "A message without segments says nothing"),
        (lambda text: text.replace("PT1", "PT⟦1"), "Line 2, character 10: a byte is written as two hexadecimal digits"),
        (lambda text: text.replace("PT1", "PT\t1"), "Line 2, character 10: it cannot be seen"),
        (lambda text: text.replace("PT1", "PTλ1"), "Line 2, character 10: it is no character of iso8859_1"),
        (lambda text: text.replace("8859/1", "UNICODE UTF-8").replace("TEST", "TOST"), "Line 2 cannot be changed in"),
        (lambda text: text.replace("PID|", "PID|", 1) + "\nOBX", "as edited cannot be read"),
    ],
)
async def test_an_edit_that_would_change_what_it_did_not_mean_to_is_refused_with_the_place(
    bench: Bench, change: Any, says: str
) -> None:
    await received(bench, LATIN)
    answer = repair(senior(bench), change)
    assert answer.status_code == 422
    assert says in text_of(answer.text)
    assert edits(bench) == []


async def test_the_declared_set_alone_may_be_repaired(bench: Bench) -> None:
    """The bytes are Latin-1, MSH-18 says UTF-8: its field is changed, and no other byte."""
    await received(bench, GOOD.replace(b"SYNTHETIC", b"SYNTH\xc9TIC"))
    assert bench.lab.states()[0][0] == "quarantined"
    assert repair(senior(bench), lambda text: text.replace("UNICODE UTF-8", "8859/1")).status_code == 204
    raw = edits(bench)[0][1]
    assert raw == GOOD.replace(b"SYNTHETIC", b"SYNTH\xc9TIC").replace(b"UNICODE UTF-8", b"8859/1")


async def test_an_edit_needs_its_reason_and_a_message_that_waits(bench: Bench) -> None:
    await received(bench, BAD)
    browser = senior(bench)
    page = opened(browser)
    answer = browser.post("/messages/M1/edit", {"base": "1", "text": renamed(edited_text(page)), "why": " "})
    assert (answer.status_code, "Say why" in answer.text) == (422, True)
    assert "OBR|1|PF1" in edited_text(answer.text)
    await received(bench, GOOD.replace(b"Q1", b"Q2"))
    done = browser.post("/messages/M2/edit", {"base": "1", "text": "MSH|x", "why": "x"})
    assert done.status_code == 422
    assert 'id="edit-text"' not in opened(browser, "M2")
    assert edits(bench) == []


# ---------------------------------------------------------------- two persons


async def test_a_second_person_reads_the_difference_and_sends_it_through(anywhere: Bench) -> None:
    await received(anywhere, BAD)
    anna, ben = senior(anywhere), senior(anywhere, "ben")
    repair(anna, renamed)
    own = opened(anna)
    assert "Another person reads it and sends it through." in own
    assert 'name="digest"' not in own
    page = text_of(opened(ben))
    assert "3 − OBX|1|PF1^MYOCLIN" in page
    assert "+ OBR|1|PF1^MYOCLIN" in page
    assert ben.post("/messages/M1/approve", approval(ben)).status_code == 204
    anywhere.lab.process()
    assert edits(anywhere) == [(2, GOOD, "anna", "ben")]
    assert anywhere.lab.case().outcome.states.SRP == "POS_STRONG"
    assert anywhere.audit("reprocess") == [("ben", "M1", "read")]
    assert "sent through by ben" in text_of(ben.get("/messages/M1").text)


async def test_one_person_is_one_whatever_way_they_come(bench: Bench) -> None:
    """Two sign-ins, the command line by name or by login, in both orders."""
    await received(bench, BAD)
    anna = senior(bench)
    repair(anna, renamed)
    read = approval(senior(bench, "ben"))
    for browser in (anna, senior(bench)):
        answer = browser.post("/messages/M1/approve", read)
        assert answer.status_code == 422
        assert "was edited by the same person" in answer.text
    for name in ("Anna Test", "anna  TEST", "anna"):
        assert "was edited by the same person" in by_command(bench, "reprocess", name)
    assert edit_by_command(bench, "Anna Test") == "M1, version 3"
    newest = approval(senior(bench, "ben"))
    assert "was edited by the same person" in anna.post("/messages/M1/approve", newest).text
    assert [by for _version, _raw, _editor, by in edits(bench)] == ["", ""]
    assert by_command(bench, "reprocess", "Ben Test") == "M1"
    assert edits(bench)[1][3] == "Ben Test"


async def test_the_tables_themselves_keep_one_person_from_being_both(anywhere: Bench) -> None:
    await received(anywhere, BAD)
    repair(senior(anywhere), renamed)
    with pytest.raises(Exception, match=r"CONSTRAINT_CHECK|CheckViolation"):
        anywhere.writer.submit(lambda c: c.execute("UPDATE edits SET approved_by = editor")).result()


async def test_approving_what_is_not_the_newest_is_refused(anywhere: Bench) -> None:
    await received(anywhere, BAD)
    anna, ben, carla = senior(anywhere), senior(anywhere, "ben"), senior(anywhere, "carla")
    repair(anna, renamed)
    stale = approval(carla)
    repair(ben, lambda text: text.replace("|58|", "|3|"))
    for sent in (
        stale,
        {**approval(carla), "digest": stale["digest"]},
        {**stale, "version": "3"},
        {**approval(carla), "digest": hashlib.sha256(BAD).hexdigest()},
    ):
        answer = carla.post("/messages/M1/approve", sent)
        assert answer.status_code == 422
        assert "not as it was on the screen" in answer.text
    assert {by for *_row, by in edits(anywhere)} == {""}
    assert anywhere.lab.states() == [("quarantined", "structure")]
    assert carla.post("/messages/M1/approve", approval(carla)).status_code == 204
    assert [(version, by) for version, _raw, _editor, by in edits(anywhere)] == [(2, ""), (3, "carla")]
    again = senior(anywhere, "dora").post("/messages/M1/approve", {**stale})
    assert again.status_code == 422
    assert "An edit waits" not in senior(anywhere).get("/messages").text


async def test_an_edit_that_began_from_an_older_version_is_refused(bench: Bench) -> None:
    await received(bench, BAD)
    anna, ben = senior(bench), senior(bench, "ben")
    repair(anna, renamed)
    late = repair(ben, lambda text: text.replace("|58|", "|3|"), base="1")
    assert late.status_code == 422
    assert "M1 was edited by somebody else meanwhile: begin from version 2" in late.text
    assert len(edits(bench)) == 1


async def test_an_edited_message_is_not_sent_through_unread(bench: Bench) -> None:
    await received(bench, BAD)
    repair(senior(bench), renamed)
    ben = senior(bench, "ben")
    for path, sent in (("M1/again", WHY), ("reprocess", {"key": ["M1"], **WHY})):
        assert "reads the edit first" in ben.post(f"/messages/{path}", sent).text
    assert {by for *_row, by in edits(bench)} == {""}


async def test_many_at_once_approve_one_edit_once_and_never_their_own(anywhere: Bench) -> None:
    """A race of the editor's sessions and of others, while newer versions are written (S-17)."""
    await received(anywhere, BAD)
    people = [senior(anywhere, login) for login in ("anna", "ben", "carla", "anna", "ben", "carla")]
    for _round in range(4):
        repair(people[0], renamed if not edits(anywhere) else lambda text: text.replace("|58|", "|59|"))
    names = ("anna", "ben", "carla", "Anna Test", "Ben Test")
    desk, acts = anywhere.lab.desk, Acts(CONFIG, (), anywhere.lab.desk, anywhere.clock, None)
    pending = desk.pending_edit(1)
    assert pending is not None
    read = {"version": pending.version, "digest": hashlib.sha256(pending.raw).hexdigest()}

    def one(number: int) -> bool:
        who = names[number % len(names)]
        if number % 4 == 0:
            request = {"command": "edit", "raw": base64.b64encode(GOOD + b"NTE|1\r" * number).decode()}
        else:
            request = {"command": "reprocess", **read}
        told = acts.perform({**request, "keys": ["M1"], "as": who, "person": who, "why": "race"})
        return bool(told["ok"])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(60)))
    found = edits(anywhere)
    approved = [(version, editor, by) for version, _raw, editor, by in found if by]
    assert len(approved) <= 1
    assert all(editor != by for _version, editor, by in approved)
    assert [version for version, *_rest in found] == list(range(2, 2 + len(found)))
    assert len(anywhere.audit("reprocess")) == len(approved)


async def test_every_race_for_one_edit_is_won_once(anywhere: Bench) -> None:
    await received(anywhere, BAD)
    repair(senior(anywhere), renamed)
    acts = Acts(CONFIG, (), anywhere.lab.desk, anywhere.clock, None)
    read = {"version": 2, "digest": hashlib.sha256(GOOD).hexdigest(), "why": "race"}

    def one(number: int) -> bool:
        who = "anna" if number % 2 else f"other{number}"
        told = acts.perform({"command": "reprocess", "keys": ["M1"], "as": who, "person": who, **read})
        return bool(told["ok"])

    with ThreadPoolExecutor(8) as pool:
        won = [number for number, ok in enumerate(pool.map(one, range(40))) if ok]
    assert len(won) == 1
    assert edits(anywhere)[0][3] == f"other{won[0]}"


# ---------------------------------------------------------------- who is who


async def in_doubt(bench: Bench) -> None:
    """M2 bears the number of M1's patient, and states another birth date."""
    await received(bench, GOOD)
    await received(bench, GOOD.replace(b"Q1", b"Q2").replace(b"19690417", b"19710205").replace(b"F1", b"F2"))


async def conflict(bench: Bench) -> None:
    """M2 states neither birth date nor name: the number alone connects it."""
    await received(bench, GOOD)
    await received(bench, GOOD.replace(b"Q1", b"Q2").replace(b"TEST^SYNTHETIC||19690417|M", b"|||"))
    assert bench.lab.states()[1] == ("parked", "identity_conflict")


async def test_what_is_stated_stands_beside_what_is_held_and_is_audited(anywhere: Bench) -> None:
    await conflict(anywhere)
    anna = senior(anywhere)
    assert 'href="/messages/M2/who"' in anna.get("/messages/M2").text
    page = text_of(anna.get("/messages/M2/who").text)
    assert "this message PT1 (LABA) not stated not stated not stated" in page
    assert "held results: 1 PT1 (LABA) test 1969-04-17 M only the number is the same" in page
    assert anywhere.audit("who is who opened") == [("anna", "M2", "identity_conflict")]
    assert anna.post("/messages/M2/identity", {"verdict": "same", "why": "asked the ward"}).status_code == 204
    anywhere.lab.process()
    assert anywhere.lab.states()[1] == ("done", "drafted")
    assert anywhere.audit("identity same") == [("anna", "M2", "asked the ward")]
    assert "a person said: the same patient" in text_of(anna.get("/messages/M2/who").text)


async def test_what_differs_is_marked_and_another_patient_is_nobodys(bench: Bench) -> None:
    await in_doubt(bench)
    anna = bench.signed_in("anna", Role.SCIENTIST)
    page = text_of(anna.get("/messages/M2/who").text)
    assert "≠ 1969-04-17" in page
    assert "another birth date, or another sex and name" in page
    assert anna.post("/messages/M2/identity", {"verdict": "other", "why": "the ward says so"}).status_code == 204
    bench.lab.process()
    assert bench.lab.states()[1] == ("done", "other_patient")


async def test_a_merge_is_undone_by_a_person(bench: Bench) -> None:
    await received(bench, GOOD, GOOD.replace(b"Q1", b"Q2").replace(b"PT1", b"PT2").replace(b"F1", b"F2"))
    msh = GOOD.split(b"\r")[0].replace(b"ORU^R01^ORU_R01|Q1", b"ADT^A40|Q3")
    pid = b"PID|1||PT1^^^LABA^MR||TEST^SYNTHETIC||19690417|M"
    await received(bench, b"\r".join((msh, b"EVN||20261113130000+0100", pid, b"MRG|PT2^^^LABA^MR", b"")))
    assert bench.lab.states()[2] == ("done", "identity")
    anna = bench.signed_in("anna", Role.SCIENTIST)
    assert "PT2 (LABA)" in text_of(anna.get("/messages/M3/who").text)
    assert anna.post("/messages/M3/unlink", {"why": "two people"}).status_code == 204
    assert bench.audit("unlinked") == [("anna", "M3", "two people")]
    again = anna.post("/messages/M3/unlink", {"why": "two people"})
    assert "has linked no two patients" in again.text


@pytest.mark.parametrize("role", [Role.INTEGRATOR, Role.AUDITOR, Role.VIEWER])
async def test_who_is_who_is_for_who_decides_on_patients(bench: Bench, role: Role) -> None:
    await conflict(bench)
    browser = bench.signed_in("one", role)
    assert browser.get("/messages/M2/who").status_code == 403
    assert browser.post("/messages/M2/identity", {"verdict": "same", **WHY}).status_code == 403
    assert bench.audit("who is who opened") == []


async def test_a_verdict_is_one_of_two_and_has_its_reason(bench: Bench) -> None:
    await conflict(bench)
    anna = senior(bench)
    assert anna.post("/messages/M2/identity", {"verdict": "perhaps", **WHY}).status_code == 400
    assert anna.post("/messages/M2/identity", {"verdict": "same", "why": ""}).status_code == 422
    assert bench.lab.states()[1] == ("parked", "identity_conflict")


async def test_a_parked_message_is_repaired_too(bench: Bench) -> None:
    await parked(bench, GOOD)
    assert repair(senior(bench), lambda text: text.replace("|58|", "|14|")).status_code == 204
    ben = senior(bench, "ben")
    assert ben.post("/messages/M1/approve", approval(ben)).status_code == 204
    bench.lab.process()
    assert bench.lab.states() == [("done", "drafted")]


async def test_an_edit_too_long_to_be_compared_is_not_approved_on_a_page(bench: Bench) -> None:
    await received(bench, BAD + b"NTE|1||x\r" * 3000)
    assert edit_by_command(bench, "Anna Test", GOOD + b"NTE|1||x\r" * 3000) == "M1, version 2"
    page = opened(senior(bench, "ben"))
    assert "too long to be compared" in page
    assert 'name="digest"' not in page
    assert by_command(bench, "reprocess", "Ben Test") == "M1"
