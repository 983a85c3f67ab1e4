"""The pages of messages: what needs a person first, filters in the address, of the own sites alone; bytes for a reason that
is written down before, and the fault marked in them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from messages_parts import BAD, FAULTY, GOOD, WHY, edited_text, opened, parked, received, senior, text_of
from web_parts import Bench
from worklist_parts import BLOT, ELSEWHERE, obx, order, oru

from labbridge import pipeline
from labbridge.hl7.mllp import Oversize
from labbridge.model.messages import ChosenMessages
from labbridge.model.people import Role
from labbridge.pipeline import Peer
from labbridge.states import Reason, State
from labbridge.store import messages as stored
from labbridge.store.messages import StoreMessages

NOT_HL7 = b"hello\x00\xff <b>world</b>"
ACCENTED = GOOD.replace(b"SYNTHETIC", b"SYNTH\xe9TIC").replace(b"Q1", b"Q5")


def keys(page: str) -> list[str]:
    """The messages of a list, in its order."""
    return re.findall(r'<th scope="row"><a href="/messages/(M\d+)">', page)


async def some(bench: Bench) -> None:
    """M1 and M2 quarantined, M3 parked, M4 processed, M5 quarantined at another site."""
    await received(bench, BAD)
    bench.clock.forward(hours=3)
    await received(bench, NOT_HL7)
    await parked(bench, GOOD.replace(b"Q1", b"Q3"))
    await received(bench, oru("Q4", order("F4", obx(BLOT, "58")), patient="PT4"))
    await received(bench, BAD.replace(b"Q1", b"Q6"), feed=ELSEWHERE)


# ---------------------------------------------------------------- the list


async def test_what_needs_a_person_is_counted_with_the_age_of_the_oldest(anywhere: Bench) -> None:
    await some(anywhere)
    page = senior(anywhere).get("/messages?state=quarantined").text
    assert keys(page) == ["M5", "M2", "M1"]
    assert "Quarantined 3 oldest 3 h Parked 1 oldest 0 min" in text_of(page)
    assert "The structure breaks the standard at the place named" in page
    assert "▲ at OBX^1" in text_of(page)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", ["M5", "M4", "M3", "M2", "M1"]),
        ("?state=parked", ["M3"]),
        ("?state=done", ["M4"]),
        ("?state=kept", []),
        ("?reason=not_hl7", ["M2"]),
        ("?state=quarantined&reason=structure", ["M5", "M1"]),
        ("?feed=other", ["M5"]),
        ("?type=ORU%5ER01&state=quarantined", ["M5", "M1"]),
        ("?type=ADT%5EA40", []),
        ("?since=2026-11-13", ["M5", "M4", "M3", "M2", "M1"]),
        ("?since=2026-11-14", []),
        ("?before=3", ["M2", "M1"]),
        ("?state=quarantined&before=5", ["M2", "M1"]),
    ],
)
async def test_filters_stand_in_the_address(anywhere: Bench, asked: str, found: list[str]) -> None:
    await some(anywhere)
    assert keys(senior(anywhere).get(f"/messages{asked}").text) == found


@pytest.mark.parametrize("asked", ["state=x", "reason=x", "since=x", "before=x", "before=-1", f"type={'x' * 81}"])
async def test_what_no_address_means_is_said(bench: Bench, asked: str) -> None:
    answer = senior(bench).get(f"/messages?{asked}")
    assert answer.status_code == 422
    assert "role=" in answer.text


async def test_pages_go_along_the_key_and_miss_nothing(anywhere: Bench) -> None:
    await received(anywhere, *(BAD.replace(b"Q1", f"P{number}".encode()) for number in range(120)))
    browser, path, seen = senior(anywhere), "/messages?state=quarantined", list[str]()
    for _page in range(3):
        page = browser.get(path).text
        seen += keys(page)
        following = re.search(r'<a href="([^"]*)" rel="next">', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert path == ""
    assert seen == [f"M{number}" for number in range(120, 0, -1)]


async def test_a_page_of_all_messages_looks_through_so_many_keys_and_goes_on(
    anywhere: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter that fits nothing must not read a journal of millions for one page."""
    monkeypatch.setattr(stored, "SPAN", 10)
    await received(anywhere, *(BAD.replace(b"Q1", f"P{number}".encode()) for number in range(30)))
    store = StoreMessages(anywhere.rows)
    chosen, seen, before = ChosenMessages(feeds=None, reason=Reason.STRUCTURE), list[int](), 0
    for number in range(3):
        page = store.page(chosen, before, 50)
        seen += [one.key for one in page.messages]
        before = page.following
        assert bool(before) is (number < 2)
    assert seen == list(range(30, 0, -1))
    nothing = store.page(ChosenMessages(feeds=None, state=State.DONE), 0, 50)
    assert (nothing.messages, nothing.following) == ((), 21)


async def test_another_sites_messages_are_not_there(anywhere: Bench) -> None:
    await some(anywhere)
    browser = senior(anywhere, feeds=("myolis",))
    assert keys(browser.get("/messages").text) == ["M4", "M3", "M2", "M1"]
    assert "Quarantined 2" in text_of(browser.get("/messages").text)
    for method, path in (
        ("get", ""), ("get", "/who"), ("post", "/open"), ("post", "/again"), ("post", "/unlink"),
    ):  # fmt: skip
        answer = browser.get(f"/messages/M5{path}") if method == "get" else browser.post(f"/messages/M5{path}", WHY)
        assert (answer.status_code, answer.text) == (404, "There is no such message\n")
    edits = {"base": "1", "text": "x", "version": "2", "digest": "0", "verdict": "same", **WHY}
    for path in ("/edit", "/approve", "/identity"):
        assert browser.post(f"/messages/M5{path}", edits).status_code == 404
    told = text_of(browser.post("/messages/reprocess", {"key": ["M5"], **WHY}).text)
    assert "M5 refused: There is no such message" in told
    assert anywhere.audit("raw opened") == anywhere.audit("reprocess") == []
    assert keys(senior(anywhere, "none", feeds=()).get("/messages").text) == []


@pytest.mark.parametrize("key", ["M9", "M0", "M-1", "C1", "17", "M1x", "M" + "9" * 40, "M١"])
def test_what_is_no_message_is_not_there(bench: Bench, key: str) -> None:
    browser = senior(bench)
    assert browser.get(f"/messages/{key}").status_code == 404
    assert browser.post(f"/messages/{key}/open", WHY).status_code == 404


async def test_navigation_is_for_who_may_see_messages(bench: Bench) -> None:
    assert 'href="/messages?state=quarantined"' in senior(bench).get("/worklist").text
    assert "/messages" not in bench.signed_in("vera", Role.VIEWER).get("/worklist").text


# ---------------------------------------------------------------- one message


async def test_what_is_known_of_a_message_is_shown_without_its_bytes(bench: Bench) -> None:
    await some(bench)
    page = senior(bench).get("/messages/M1").text
    shown = text_of(page)
    assert "MYOLIS|LABA 127.0.0.1" in shown
    assert "Answer sent AE · 100 · OBX stands before OBR" in shown
    assert "SYNTHETIC" not in page
    assert "PT1" not in page
    assert bench.audit("raw opened") == []
    done = text_of(senior(bench).get("/messages/M4").text)
    assert "1. patient: processed" in done
    assert "C1 new" in done
    assert "PT4" not in done
    bare = bench.signed_in("iris", Role.INTEGRATOR).get("/messages/M4").text
    assert "/cases/C1" not in bare


async def test_notes_are_told_with_their_places(bench: Bench) -> None:
    await received(bench, b"\xef\xbb\xbf" + GOOD)
    assert "N004 MSH[1]: A byte order mark stands before MSH." in text_of(senior(bench).get("/messages/M1").text)


# ---------------------------------------------------------------- the bytes


async def test_bytes_are_shown_for_a_reason_that_is_written_down_before(bench: Bench) -> None:
    await some(bench)
    browser = senior(bench)
    for why in ("", "  ", "x" * 201, "a\x00b"):
        answer = browser.post("/messages/M1/open", {"why": why})
        assert answer.status_code == 422
        assert "SYNTHETIC" not in answer.text
    assert bench.audit("raw opened") == []
    assert "SYNTHETIC" in opened(browser)
    assert bench.audit("raw opened") == [("anna", "M1", "the sender asked")]
    assert "anna: raw opened – the sender asked" in text_of(browser.get("/messages/M1").text)


async def test_bytes_are_not_shown_where_the_audit_cannot_be_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some(bench)
    browser = senior(bench)
    real = bench.people.__class__.noted

    def fails(self: Any, *events: Any) -> None:
        if any(one.action == "raw opened" for one in events):
            raise OSError("the disk is full")
        real(self, *events)

    monkeypatch.setattr(bench.people.__class__, "noted", fails)
    answer = browser.post("/messages/M1/open", WHY)
    assert answer.status_code == 500
    assert "SYNTHETIC" not in answer.text


@pytest.mark.parametrize("role", [Role.SCIENTIST, Role.AUDITOR, Role.VIEWER, Role.ADMIN])
async def test_bytes_are_a_right_of_their_own(bench: Bench, role: Role) -> None:
    await some(bench)
    answer = bench.signed_in("one", role).post("/messages/M1/open", WHY)
    assert (answer.status_code, answer.text) == (403, "Your role does not allow this\n")


async def test_the_fault_is_marked_on_both_sides_by_sign_and_word(bench: Bench) -> None:
    await received(bench, BAD)
    page = opened(senior(bench))
    (row,) = re.findall(r'<tr class="faulty">.*?</tr>', page, re.DOTALL)
    raw, decoded = row.split("</td>")[:2]
    assert "▲ fault OBX |1|PF1^MYOCLIN" in text_of(raw).replace("OBX|", "OBX |")
    assert "OBX[1]-2 .1 PF1 .2 MYOCLIN" in text_of(decoded)


async def test_a_faulty_field_is_marked_where_it_stands(bench: Bench) -> None:
    await received(bench, ACCENTED)
    assert bench.lab.states()[0][0] == "quarantined"
    page = opened(senior(bench))
    (row,) = re.findall(r'<tr class="faulty">.*?</tr>', page, re.DOTALL)
    assert '<mark class="fault"><span class="hidden">fault: </span>▲UNICODE UTF-8</mark>' in row
    assert "▲ fault MSH[1]-18 UNICODE UTF-8" in text_of(row)
    assert 'SYNTH<mark class="byte">⟦E9⟧</mark>TIC' in page
    assert "declared UNICODE UTF-8 , read as utf-8" in text_of(page)


async def test_values_are_decoded_and_what_cannot_be_seen_is(bench: Bench) -> None:
    raw = GOOD.replace(b"Myositis", b"My\\S\\o\\.br\\si\\X07\\tis \xe2\x80\xae\xc2\xa0end")
    await received(bench, raw)
    shown = text_of(opened(senior(bench)))
    assert ".2 My^o ⏎ si ⟦07⟧ tis ⟦E2⟧ ⟦80⟧ ⟦AE⟧ ⟦C2⟧ ⟦A0⟧ end" in shown


async def test_what_is_no_hl7_is_shown_as_digits_and_text(bench: Bench) -> None:
    await received(bench, NOT_HL7)
    page = opened(senior(bench))
    assert "000000 68 65 6C 6C 6F 00 FF 20 3C 62 3E 77 6F 72 6C 64 hello.. <b>world" in text_of(page)
    assert "<b>world" not in page
    assert 'id="edit-text"' not in page


async def test_of_an_oversize_message_only_its_head_is_there_and_it_says_so(bench: Bench) -> None:
    head = GOOD * 300
    frame = Oversize(head[:65536], 2**24 + 1, b"\x01" * 32)
    await pipeline.receive_oversize(
        frame, Peer(bench.parts.feeds["myolis"], "127.0.0.1"), bench.lab.intake, bench.clock
    )
    assert bench.lab.states() == [("quarantined", "oversize")]
    browser = senior(bench)
    page = opened(browser)
    assert "only its head is here" in page
    assert "16777217 bytes, 65536 kept" in text_of(page)
    assert 'id="edit-text"' not in page
    answer = browser.post("/messages/M1/again", WHY)
    assert answer.status_code == 422
    assert "Of M1 only the head is here" in answer.text
    refused = browser.post("/messages/M1/edit", {"base": "1", "text": "MSH|", **WHY})
    assert "cannot be repaired here" in refused.text


async def test_bytes_that_are_no_longer_those_that_came_say_so(bench: Bench) -> None:
    await received(bench, BAD)
    bench.writer.submit(lambda c: c.execute("UPDATE journal SET raw = ?", (BAD.replace(b"58", b"85"),))).result()
    assert "no longer the ones received" in opened(senior(bench))


async def test_bytes_that_were_wiped_say_so(bench: Bench) -> None:
    await received(bench, GOOD)
    bench.writer.submit(lambda c: c.execute("UPDATE journal SET raw = ?", (b"",))).result()
    browser = senior(bench)
    assert "its bytes were wiped" in browser.get("/messages/M1").text
    assert "nothing is left to show" in opened(browser)
    assert "There is nothing to read" in browser.post("/messages/M1/again", WHY).text.replace("there", "There")


async def test_a_message_of_very_many_segments_is_shown_in_part(bench: Bench) -> None:
    await received(bench, BAD + b"NTE|1||x\r" * 2500)
    page = opened(senior(bench))
    assert page.count("NTE[") > 1900
    assert "Not shown, for there are too many segments: 504" in text_of(page)


async def test_a_document_in_a_field_is_cut_and_a_flood_of_fields_too(bench: Bench) -> None:
    await received(bench, BAD + b"OBX|9|ED|" + b"A" * 300_000 + b"\r")
    page = opened(senior(bench))
    assert "… +298000" in page
    assert len(page) < 60_000
    assert 'id="edit-text"' not in page
    await received(bench, BAD.replace(b"Q1", b"Q2") + b"NTE" + b"|x" * 100_000 + b"\r")
    assert len(opened(senior(bench), "M2")) < 400_000


HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "'-alert(1)-'", "</textarea><b>x")


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_bytes_in_every_field_do_nothing(bench: Bench, text: str) -> None:
    lines = BAD.decode().split("\r")
    hostile = "\r".join(
        "|".join(field if (name, at) in {("MSH", 0), ("MSH", 1), ("MSH", 11), ("MSH", 17)} or not at else text
                 for at, field in enumerate(line.split("|")))
        for line in lines if line for name in (line[:3],)
    )  # fmt: skip
    await received(bench, hostile.encode())
    browser = senior(bench)
    pages = [browser.get("/messages").text, browser.get("/messages/M1").text, opened(browser)]
    assert browser.get("/messages?reason=unsupported").status_code == 200
    for page in pages:
        assert "<" not in text or text not in page
        assert not re.search(r"<(script>|img src=x|b>)", page)
        assert 'onerror=alert(1)>"' not in page
    assert "49" not in text_of(opened(browser)) or text != "{{7*7}}"
    assert edited_text(pages[2]).count(text) > 20


async def test_no_patient_stands_in_an_address(bench: Bench) -> None:
    await some(bench)
    browser = senior(bench)
    pages = [browser.get("/messages").text, browser.get("/messages/M4").text, opened(browser, "M4")]
    for page in pages:
        for address in re.findall(r'(?:href|action|hx-post)="([^"]*)"', page):
            assert "PT" not in address
            assert "SYNTHETIC" not in address


# ---------------------------------------------------------------- sent through again


async def test_several_are_sent_through_again_for_one_reason_and_each_is_told(anywhere: Bench) -> None:
    await some(anywhere)
    browser = senior(anywhere)
    answer = browser.post(
        "/messages/reprocess?state=parked", {"key": ["M3", "M2", "M3", "M99", "<b>"], "why": "the feed was repaired"}
    )
    told = text_of(answer.text)
    assert answer.status_code == 200
    assert "M3 sent through again" in told
    assert "M2 refused: M2 still cannot be read: No MSH segment" in told
    assert "M99 refused: There is no such message" in told
    assert "<b>" not in answer.text
    assert anywhere.audit("reprocess") == [("anna", "M3", "the feed was repaired")]
    anywhere.lab.process()
    assert anywhere.lab.states()[2] == ("done", "drafted")


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"key": [], "why": "x"}, "Choose 1 to 100 messages"),
        ({"key": [f"M{number}" for number in range(1, 102)], "why": "x"}, "Choose 1 to 100 messages"),
        ({"key": ["M3"], "why": " "}, "Say why"),
    ],
)
async def test_so_many_and_for_a_reason(bench: Bench, sent: dict[str, Any], says: str) -> None:
    await some(bench)
    answer = senior(bench).post("/messages/reprocess", sent)
    assert answer.status_code == 422
    assert says in answer.text
    assert bench.audit("reprocess") == []


async def test_one_is_sent_through_again_from_its_page(bench: Bench) -> None:
    await parked(bench, FAULTY)
    answer = senior(bench).post("/messages/M1/again", WHY)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/messages/M1")
    assert bench.audit("reprocess") == [("anna", "M1", "the sender asked")]
