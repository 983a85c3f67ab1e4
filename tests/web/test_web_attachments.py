"""Images and documents beside results: listed, opened on demand, and only where they are what they say they are."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from messages_parts import text_of
from web_parts import Bench, Browser
from worklist_parts import BLOT, CK, ELSEWHERE, obx, order, oru

from labbridge.hl7 import reader
from labbridge.hl7.attachments import MOST_BYTES, attachment
from labbridge.model.people import Role
from labbridge.web.pages import attachments as pages

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(40)
PDF = b"%PDF-1.4\n%%EOF\n"
HTML = b"<html><script>alert(1)</script></html>"
SHOWN = "/cases/C1/attachments/M1/2"


def ed(data: bytes | str, subtype: str = "PNG", kind: str = "IM", encoding: str = "Base64") -> str:
    text = data if isinstance(data, str) else base64.b64encode(data).decode()
    return f"ED|STRIP^Strip image^L|1|^{kind}^{subtype}^{encoding}^{text}||||||F"


async def sent(bench: Bench, *lines: str, patient: str = "PT1", **more: Any) -> None:
    await bench.lab.take(oru("A1", order("F1", obx(BLOT, "58"), *lines), patient=patient), **more)


def listed(browser: Browser, query: str = "") -> str:
    answer = browser.get(f"/cases/C1/attachments{query}")
    assert answer.status_code == 200
    return str(answer.text)


@pytest.mark.parametrize(
    ("line", "data", "media", "name"),
    [
        (ed(PNG), PNG, "image/png", 'inline; filename="C1-M1-2.png"'),
        (ed(JPEG, "JPEG"), JPEG, "image/jpeg", 'inline; filename="C1-M1-2.jpg"'),
        (ed(JPEG, "jpg", "image"), JPEG, "image/jpeg", 'inline; filename="C1-M1-2.jpg"'),
        (ed(PDF, "PDF", "AP"), PDF, "application/pdf", 'attachment; filename="C1-M1-2.pdf"'),
        (
            ed("\\.br\\".join((base64.b64encode(PNG).decode()[:40], base64.b64encode(PNG).decode()[40:]))),
            PNG,
            "image/png",
            'inline; filename="C1-M1-2.png"',
        ),
    ],
)
async def test_what_it_says_it_is_is_served_and_runs_nothing(
    anywhere: Bench, line: str, data: bytes, media: str, name: str
) -> None:
    await sent(anywhere, line)
    browser = anywhere.signed_in()
    assert SHOWN in listed(browser) or "open=M1-2" in listed(browser)
    answer = browser.get(SHOWN)
    assert (answer.status_code, answer.content) == (200, data)
    told = answer.headers
    assert (told["content-type"], told["content-disposition"]) == (media, name)
    assert told["content-security-policy"] == "sandbox; default-src 'none'"
    assert (told["x-content-type-options"], told["cache-control"]) == ("nosniff", "no-store")
    assert told["cross-origin-resource-policy"] == "same-origin"


async def test_nothing_is_opened_before_somebody_asks_for_it(bench: Bench) -> None:
    await sent(bench, ed(PNG))
    browser = bench.signed_in()
    page = browser.get("/cases/C1").text + listed(browser)
    assert "<img" not in page
    assert f'<img src="{SHOWN}"' in listed(browser, "?message=M1&open=M1-2")
    assert bench.audit("viewed")[-1][2] == "version 1, attachments"
    browser.get(SHOWN)
    assert bench.audit("viewed")[-1] == ("anna", "C1", "version 1, attachment M1:OBX[2]")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (ed(HTML), "its content is not what it says it is"),
        (ed(PDF), "its content is not what it says it is"),
        (ed(PNG, "PDF"), "its content is not what it says it is"),
        (ed(b""), "its content is not what it says it is"),
        (ed(HTML, "HTML", "TEXT"), "neither PNG, JPEG nor PDF by its own word"),
        (ed(b"<svg/>", "SVG+XML"), "neither PNG, JPEG nor PDF by its own word"),
        (ed("iVBORw0KGgo*"), "its Base64 is broken"),
        (ed("iVBOR"), "its Base64 is broken"),
        (ed("89504E47", encoding="Hex"), "not in Base64"),
        (ed(f"{ed(PNG).split('^')[-1].split('|')[0]}~^IM^PNG^Base64^AAAA"), "not exactly one document"),
        ("RP|STRIP^Strip image^L|1|file:///etc/passwd^PACS&1.2.3&ISO^IM^PNG||||||F", "a pointer to another system"),
    ],
)  # fmt: skip
async def test_anything_else_is_listed_and_not_shown(bench: Bench, line: str, why: str) -> None:
    await sent(bench, line)
    browser = bench.signed_in()
    page = text_of(listed(browser))
    assert "M1:OBX[2] Strip image" in page
    assert f"cannot be shown : {why}" in page
    assert "passwd" not in page
    assert browser.get(SHOWN).status_code == 404
    assert all("attachment M1" not in detail for _who, _what, detail in bench.audit("viewed"))


@pytest.mark.parametrize(("length", "reason"), [(MOST_BYTES, ""), (MOST_BYTES + 1, "longer than 10 MB")])
@pytest.mark.parametrize("more", [0, 9])
def test_ten_megabytes_and_no_byte_more(length: int, reason: str, more: int) -> None:
    """A feed takes less than that in one field: this holds whatever a feed takes."""
    data = PNG + bytes(length - len(PNG) + (more if reason else 0))
    message = reader.read(oru("A1", order("F1", ed(data))))
    found, served = attachment(message, message.all("OBX")[0])
    assert (found.reason, served) == (reason, b"" if reason else data)


async def test_a_large_one_is_served_whole(bench: Bench) -> None:
    data = PNG + bytes(8 * 2**20)
    await sent(bench, ed(data))
    assert bench.signed_in().get(SHOWN).content == data


async def test_more_than_is_looked_through_at_once_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await sent(bench, ed(PNG))
    await bench.lab.take(oru("A2", order("F2", obx(CK, "3400"), ed(JPEG, "JPEG"))))
    monkeypatch.setattr(pages, "MOST_BYTES", 600)
    browser = bench.signed_in()
    first = listed(browser)
    assert "M2:OBX[2]" in first
    assert "M1:OBX[2]" not in first
    assert 'href="/cases/C1/attachments?message=M1"' in first
    assert "M1:OBX[2]" in listed(browser, "?message=M1")


async def test_only_of_messages_the_case_rests_on_and_of_its_patient(bench: Bench) -> None:
    await sent(bench, ed(PNG))
    await bench.lab.take(oru("A2", order("F2", obx(BLOT, "58"), ed(PNG)), patient="PT2"))
    browser = bench.signed_in()
    assert browser.get("/cases/C2/attachments/M2/2").status_code == 200
    for path in ("/cases/C1/attachments/M2/2", "/cases/C1/attachments/M1/1", "/cases/C1/attachments/M1/3"):
        assert browser.get(path).status_code == 404, path
    for path in ("/cases/C1/attachments/M1/x", "/cases/C1/attachments/1/2", "/cases/C1/attachments/M0/2"):
        assert browser.get(path).status_code == 404, path
    assert "M2" not in listed(browser)


async def test_another_patient_of_the_same_message_is_not_looked_at(bench: Bench) -> None:
    from story_parts import patients

    groups = [("PT1", [order("F1", obx(BLOT, "58"))]), ("PT2", [order("F2", obx(BLOT, "58"), ed(PNG))])]
    await bench.lab.receive(patients("A1", *groups))
    bench.lab.process()
    browser = bench.signed_in()
    first, second = (browser.get(f"/cases/C{key}/attachments").text for key in (1, 2))
    assert "Strip image" not in first
    assert "M1:OBX[3]" in second
    assert browser.get("/cases/C1/attachments/M1/3").status_code == 404
    assert browser.get("/cases/C2/attachments/M1/3").status_code == 200


async def test_another_site_has_no_attachment(bench: Bench) -> None:
    await sent(bench, ed(PNG), feed=ELSEWHERE)
    browser = bench.signed_in("bob", Role.SENIOR, feeds=("myolis",))
    assert browser.get("/cases/C1/attachments").status_code == 404
    assert browser.get(SHOWN).status_code == 404
    assert bench.audit("viewed") == []


async def test_damaged_bytes_are_not_shown(bench: Bench) -> None:
    await sent(bench, ed(PNG))
    bench.writer.submit(lambda c: c.execute("UPDATE journal SET digest = ?", (b"x" * 32,))).result()
    browser = bench.signed_in()
    assert browser.get(SHOWN).status_code == 404
    assert "Strip image" not in listed(browser)


async def test_it_is_told_in_french(bench: Bench) -> None:
    await sent(bench, ed(HTML))
    page = bench.signed_in(language="fr").get("/cases/C1/attachments").text
    assert "son contenu n&#39;est pas ce qu&#39;il déclare" in page
