"""Messages of FHIR on the workbench: evidence and explanation down to the element, attachments, samples, and a body opened,
repaired and sent through."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from fhir_parts import POSTED, blot, bundle, ck, coded, group, posted, result
from messages_parts import WHY, approval, edited_text, opened, repair, senior, text_of
from test_web_attachments import HTML, PDF, PNG
from web_parts import Bench

from labbridge.fhir import visible
from labbridge.hl7.attachments import NOT_FOLLOWED, NOT_SHOWN
from labbridge.model.mapping import LocalCode
from labbridge.model.messages import InForce
from labbridge.model.people import Role
from labbridge.notes import note
from labbridge.web.views import wires
from labbridge.web.views.documents import SERIES
from labbridge.web.views.samples import samples
from tests.summed import summed

SRP = posted("B1", "F1", blot("58.0"), ck("3400"))
PLACE = "Bundle.entry%5B2%5D.resource"
EVIDENCE = f"/cases/C1/evidence/M1/{PLACE}"
BAD = SRP.replace(
    b'"status": "final", "code": {"coding": [{"system": "https://laba.example/codes", "code": "SRPB"',
    b'"status": "done", "code": {"coding": [{"system": "https://laba.example/codes", "code": "SRPB"',
)
HOSTILE = "<script>alert(1)</script> ${x} \u202e"


def marked(page: str) -> list[str]:
    return [text_of(one) for one in re.findall(r'<mark class="fault">(.*?)</mark>', page, re.S)]


def body_of(page: str) -> str:
    """The body as it stands on a page, line by line."""
    found = re.search(r'<pre class="wire body">(.*?)</pre>', page, re.S)
    assert found is not None
    return found[1]


# ---------------------------------------------------------------- a case


async def test_the_explanation_names_codes_and_values_as_sent_and_leads_to_the_element(anywhere: Bench) -> None:
    await anywhere.lab.take_fhir(SRP)
    page = anywhere.signed_in().get("/cases/C1/explain").text
    row = text_of(re.findall(r'<tr id="result-M1-Bundle.entry-2.resource">.*?</tr>', page, re.S)[0])
    assert "SRPB Anti-SRP (line blot) L" in row
    assert "58.0 intensity" in row
    assert "final" in row
    assert f'<a href="{EVIDENCE}">M1:Bundle.entry[2].resource</a>' in page


async def test_the_evidence_is_the_element_and_nothing_else_of_the_body(anywhere: Bench) -> None:
    raw = bundle("B1", group("F1", blot("58.0")), group("F2", blot("60"), patient="PT2"))
    await anywhere.lab.take_fhir(raw)
    anywhere.lab.process()
    answer = anywhere.signed_in().get(EVIDENCE)
    assert answer.status_code == 200
    shown = text_of(answer.text)
    assert '"value": 58.0' in shown
    for other in ("PT2", "TEST", "1969", "60", "3400"):
        assert other not in text_of(body_of(answer.text))
    assert anywhere.audit("viewed")[-1] == ("anna", "C1", "version 1, M1:Bundle.entry[2].resource")


async def test_a_component_is_marked_in_its_resource(bench: Bench) -> None:
    parts = [{"code": coded("SRPB", "Anti-SRP"), "valueQuantity": {"value": 58, "unit": "intensity"}}]
    panel = result(coded("PANEL", "Panel"), {}, component=parts)
    await bench.lab.take_fhir(posted("B1", "F1", panel, ck("3400")))
    page = bench.signed_in().get(f"{EVIDENCE}.component%5B0%5D").text
    assert "PANEL" in text_of(body_of(page))
    assert not any("PANEL" in one for one in marked(page))
    assert any("SRPB" in one for one in marked(page))
    assert "here: {" in marked(page)[0]


@pytest.mark.parametrize(
    "path",
    [
        "/cases/C1/evidence/M1/Bundle.entry%5B0%5D.resource",
        "/cases/C1/evidence/M1/Bundle.entry%5B9%5D.resource",
        "/cases/C1/evidence/M1/Bundle",
        "/cases/C1/evidence/M1/OBX/1",
        "/cases/C1/evidence/M2/Bundle.entry%5B2%5D.resource",
        "/cases/C1/evidence/Mx/Bundle.entry%5B2%5D.resource",
        "/cases/C1/evidence/M1/%3Cscript%3E",
    ],
)
async def test_what_the_case_does_not_rest_on_is_not_shown(bench: Bench, path: str) -> None:
    await bench.lab.take_fhir(SRP)
    answer = bench.signed_in().get(path)
    assert (answer.status_code, "PT1" in answer.text) == (404, False)


async def test_texts_of_a_sender_are_text_and_nothing_is_hidden(bench: Bench) -> None:
    named = blot("58", note=[{"text": HOSTILE}])
    await bench.lab.take_fhir(posted("B1", "F1", named, ck("3400")))
    for page in (bench.signed_in().get(EVIDENCE).text, opened(senior(bench, "sara"))):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "\u202e" not in page
        assert '<mark class="byte">⟦E2⟧</mark>' in page


async def test_another_site_sees_no_element(bench: Bench) -> None:
    await bench.lab.take_fhir(SRP)
    other = bench.signed_in("omar", feeds=("myolis",))
    assert other.get(EVIDENCE).status_code == 404
    assert other.get("/messages/M1").status_code == 404


# ---------------------------------------------------------------- attachments


def with_forms(*forms: dict[str, Any]) -> bytes:
    body = json.loads(SRP)
    body["entry"][4]["resource"]["presentedForm"] = list(forms)
    return json.dumps(body).encode()


def form(data: bytes, media: str) -> dict[str, Any]:
    return {"contentType": media, "data": base64.b64encode(data).decode(), "title": "Strip"}


@pytest.mark.parametrize(
    ("media", "data", "way"),
    [
        ("image/png", PNG, 'inline; filename="C1-M1-Bundle-entry-4-resource-presentedForm-0.png"'),
        ("application/pdf; charset=x", PDF, 'attachment; filename="C1-M1-Bundle-entry-4-resource-presentedForm-0.pdf"'),
    ],
)
async def test_a_presented_form_is_served_as_what_it_is(bench: Bench, media: str, data: bytes, way: str) -> None:
    await bench.lab.take_fhir(with_forms(form(data, media)))
    browser = bench.signed_in()
    page = browser.get("/cases/C1/attachments").text
    assert "Bundle.entry[4].resource.presentedForm[0] Strip" in text_of(page)
    name = "Bundle.entry%5B4%5D.resource.presentedForm%5B0%5D"
    path = f"/cases/C1/attachments/M1/{name}"
    assert path in page or f"open=M1-{name}" in page
    answer = browser.get(path)
    assert (answer.content, answer.headers["content-disposition"]) == (data, way)
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert ("<img" in browser.get(f"/cases/C1/attachments?message=M1&open=M1-{name}").text) == media.startswith("image")


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({"contentType": "image/png", "url": "https://elsewhere.example/x.png"}, NOT_FOLLOWED),
        (form(HTML, "text/html"), NOT_SHOWN),
        (form(HTML, "image/png"), "its content is not what it says it is"),
        ({"data": base64.b64encode(PNG).decode()}, NOT_SHOWN),
    ],
)
async def test_any_other_presented_form_is_listed_and_not_shown(bench: Bench, sent: dict[str, Any], why: str) -> None:
    await bench.lab.take_fhir(with_forms(sent))
    browser = bench.signed_in()
    assert f"cannot be shown : {why}" in text_of(browser.get("/cases/C1/attachments").text)
    name = "Bundle.entry%5B4%5D.resource.presentedForm%5B0%5D"
    assert browser.get(f"/cases/C1/attachments/M1/{name}").status_code == 404


async def test_a_series_of_measurements_is_told_to_stand_in_its_element(bench: Bench) -> None:
    data = {"origin": {"value": 0}, "period": 10, "dimensions": 1, "data": "1 2 3"}
    series = result(coded("CURVE", "Curve"), {"valueSampledData": data})
    await bench.lab.take_fhir(posted("B1", "F1", blot("58"), series, ck("3400")))
    assert f"SampledData cannot be shown : {SERIES}" in text_of(bench.signed_in().get("/cases/C1/attachments").text)


async def test_forms_of_another_patient_are_not_looked_at(bench: Bench) -> None:
    body = json.loads(bundle("B1", group("F1", blot("58")), group("F2", blot("60"), patient="PT2")))
    body["entry"][7]["resource"]["presentedForm"] = [form(PNG, "image/png")]
    await bench.lab.take_fhir(json.dumps(body).encode())
    bench.lab.process()
    browser = bench.signed_in()
    assert "presentedForm" not in browser.get("/cases/C1/attachments").text
    assert "presentedForm" in browser.get("/cases/C2/attachments").text


# ---------------------------------------------------------------- samples


def test_samples_of_a_code_are_found_in_bodies() -> None:
    message = InForce(key=1, feed="posted", length=len(SRP), raw=SRP)
    of = LocalCode(feed="posted", system="L", code="SRPB", label="")
    found = samples(of, [message], POSTED)
    assert [(one.value, one.unit) for one in found.found] == [("58.0", "intensity")]
    assert found.sent.order == "Myositis"
    left_out = InForce(key=1, feed="posted", length=len(SRP), raw=SRP, notes=(note("N021", "Bundle.entry[2]"),))
    assert samples(of, [left_out], POSTED).found == ()


# ---------------------------------------------------------------- opened


async def test_a_body_is_opened_indented_with_its_digits_and_how_it_reads(anywhere: Bench) -> None:
    await anywhere.lab.take_fhir(SRP)
    page = opened(senior(anywhere))
    assert '"value": 58.0,' in text_of(body_of(page))
    assert "How it reads" in page
    row = text_of(re.findall(r'<tr><th scope="row">Bundle.entry\[2\].resource</th>.*?</tr>', page, re.S)[0])
    assert row == "Bundle.entry[2].resource Myositis SRPB Anti-SRP (line blot) L 58.0 intensity final"
    assert "Patients : 1" in text_of(page).replace("Patients:", "Patients :")
    assert 'id="edit-text"' not in page
    assert anywhere.audit("raw opened") == [("anna", "M1", WHY["why"])]
    assert "<script" not in body_of(page)


async def test_the_element_that_was_refused_is_marked(anywhere: Bench) -> None:
    await anywhere.lab.keep_fhir(BAD)
    assert anywhere.lab.states() == [("quarantined", "structure")]
    page = opened(senior(anywhere))
    assert marked(page) == ['here: "status": "done",']
    assert "It cannot be read: This is no code of the required value set Bundle.entry[2].resource.status" in text_of(
        page
    )


async def test_an_element_that_is_missing_is_marked_where_it_should_be(bench: Bench) -> None:
    body = json.loads(SRP)
    del body["entry"][2]["resource"]["code"]
    await bench.lab.keep_fhir(json.dumps(body).encode())
    found = marked(opened(senior(bench)))
    assert 'here: "resource": {' in found[0]
    assert any('"value": 58.0' in one for one in found)
    assert not any("SYNTHETIC" in one for one in found)


async def test_what_is_no_json_is_shown_as_it_came_and_can_be_repaired(bench: Bench) -> None:
    broken = SRP[:-1] + b"\xe9\x07"
    await bench.lab.keep_fhir(broken)
    browser = senior(bench)
    page = opened(browser)
    assert "This is no JSON" in page
    assert "⟦E9⟧" in edited_text(page)
    assert repair(browser, lambda text: text.replace("⟦E9⟧⟦07⟧", "}")).status_code == 204
    assert bench.rows.execute("SELECT raw FROM edits").fetchone()[0] == SRP


async def test_an_entry_that_was_not_read_is_marked(bench: Bench) -> None:
    body = json.loads(posted("B1", "F1", blot("58"), ck("3400"), kind="batch"))
    body["entry"][3]["resource"]["status"] = 7
    await bench.lab.take_fhir(json.dumps(body).encode(), notes=(note("N021", "Bundle.entry[3]"),))
    page = opened(senior(bench))
    assert any('"status": 7' in one for one in marked(page))
    assert not any("SRPB" in one for one in marked(page))
    assert "Bundle.entry[3].resource" not in text_of(page.split("How it reads")[1])


def test_a_page_shows_so_many_lines_and_those_around_the_fault() -> None:
    body = {"resourceType": "Bundle", "type": "batch", "entry": [{"fullUrl": f"urn:{n}"} for n in range(3000)]}
    raw = json.dumps(body).encode()
    first = wires.opened(raw)
    assert (len(first.lines), first.left_out) == (2000, 9006 - 2000)
    far = wires.opened(raw, ["Bundle.entry[2500].fullUrl"])
    assert [one.text.strip() for one in far.lines if one.marked] == ['"fullUrl": "urn:2500"']
    assert len(far.lines) == 2000


# ---------------------------------------------------------------- shown as it came


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b'{"a":12.30,"a":1e5,"b":[],"c":{}}', ["{", '  "a": 12.30,', '  "a": 1e5,', '  "b": [],', '  "c": {}', "}"]),
        (b'\xef\xbb\xbf[true,null,"\\u00e9\\ud800"]', ["[", "  true,", "  null,", '  "é\\ud800"', "]"]),
        (b"7", ["7"]),
    ],
)
def test_digits_order_and_doubled_keys_stay(raw: bytes, shown: list[str]) -> None:
    assert [one.text for one in visible.lines(raw) or []] == shown


def test_an_element_is_shown_without_the_rest_of_its_body() -> None:
    raw = b'{"resourceType":"Bundle","entry":[{"resource":{"id":"x"}},{"resource":{"n":[12.30]}}]}'
    found = visible.lines(raw, "Bundle.entry[1].resource")
    assert [(one.text, one.at) for one in found or []] == [
        ("{", "Bundle.entry[1].resource"),
        ('  "n": [', "Bundle.entry[1].resource.n"),
        ("    12.30", "Bundle.entry[1].resource.n[0]"),
        ("  ]", "Bundle.entry[1].resource.n"),
        ("}", "Bundle.entry[1].resource"),
    ]
    assert visible.lines(raw, "Bundle.entry[2].resource") == []


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": 1}}'])
def test_what_is_no_json_has_no_lines(raw: bytes) -> None:
    assert visible.lines(raw) is None


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("Bundle.entry[1].resource", {"id": "x"}),
        ("Bundle.entry[1].resource.id", "x"),
        ("Bundle.entry[2].resource", None),
        ("Bundle.entry[0].resource", None),
        ("Bundle.entry.resource", None),
        ("Bundle", {"entry": [{}, {"resource": {"id": "x"}}]}),
    ],
)
def test_an_element_by_its_place(place: str, found: object) -> None:
    assert visible.element({"entry": [{}, {"resource": {"id": "x"}}]}, place) == found


# ---------------------------------------------------------------- repaired


def mended(text: str) -> str:
    return text.replace('"done"', '"final"')


async def test_a_repaired_body_is_read_on_the_page_approved_by_a_second_person_and_drafted(anywhere: Bench) -> None:
    await anywhere.lab.keep_fhir(BAD)
    assert repair(senior(anywhere), mended).status_code == 204
    second = senior(anywhere, "bert")
    page = opened(second)
    assert "How the edit reads" in page
    assert "58.0 intensity" in text_of(page.split("How the edit reads")[1])
    said = text_of(page.split('<table class="differences">')[1].split("</table>")[0])
    assert '− "status": "done", + "status": "final",' in said
    assert "fields" not in said
    assert second.post("/messages/M1/approve", approval(second)).status_code == 204
    anywhere.lab.process()
    assert anywhere.lab.states() == [("done", "drafted")]
    assert anywhere.lab.case().outcome.used[0] == "M1:Bundle.entry[2].resource"
    assert anywhere.signed_in().get(EVIDENCE).status_code == 200
    released = anywhere.lab.release("C1@1")
    assert released


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text, "Nothing was changed"),
        (lambda text: "  ", "A body without an element says nothing"),
        (lambda text: text.replace('"done",', '"done"'), "as edited cannot be read: This is not JSON at line"),
        (lambda text: text.replace('"done"', '"finished"'), "This is no code of the required value set"),
        (lambda text: mended(text).replace('"method": "POST"', '"method": "DELETE"', 1), "Only POST and PUT are taken"),
        (lambda text: mended(text).replace("PT1", "PT\u200f1"), "it cannot be seen; write its bytes"),
    ],
)
async def test_an_edit_that_cannot_be_read_is_refused_and_not_lost(bench: Bench, change: Any, says: str) -> None:
    await bench.lab.keep_fhir(BAD)
    answer = repair(senior(bench), change)
    assert answer.status_code == 422
    assert says in text_of(answer.text)
    assert bench.rows.execute("SELECT count(*) FROM edits").fetchone() == (0,)


async def test_the_first_person_cannot_send_the_own_edit_through(bench: Bench) -> None:
    await bench.lab.keep_fhir(BAD)
    browser = senior(bench)
    repair(browser, mended)
    raw = bytes(bench.rows.execute("SELECT raw FROM edits").fetchone()[0])
    read = {"version": "2", "digest": hashlib.sha256(raw).hexdigest(), "why": "read"}
    answer = browser.post("/messages/M1/approve", read)
    assert (answer.status_code, bench.lab.states()) == (422, [("quarantined", "structure")])
    assert "edited by the same person" in text_of(answer.text)


async def test_an_entry_that_is_not_read_stays_where_it_is(bench: Bench) -> None:
    """It is known by its number: moved, another one would be left out in its place."""
    body = json.loads(posted("B1", "F1", blot("58"), ck("3400"), kind="batch"))
    body["entry"][3]["resource"]["status"] = 7
    stopped = json.dumps(body).encode()
    await bench.lab.keep_fhir(stopped, notes=(note("N021", "Bundle.entry[3]"),))
    bench.lab.writer.submit(lambda c: c.execute("UPDATE work SET attempts = 9")).result()
    bench.lab.writer.submit(summed).result()
    bench.lab.process()
    assert bench.lab.states()[0][0] == "parked"
    browser = senior(bench)
    moved = repair(browser, lambda text: text.replace('"status": 7', '"status": "final"'))
    assert moved.status_code == 422
    assert "must stay as it is and where it is: Bundle.entry[3]" in text_of(moved.text)
    assert repair(browser, lambda text: text.replace('"value": 58', '"value": 60')).status_code == 204


async def test_a_message_of_fhir_can_be_sent_through_as_it_is(bench: Bench) -> None:
    await bench.lab.keep_fhir(BAD)
    again = senior(bench).post("/messages/M1/again", WHY)
    assert again.status_code == 422
    assert "still cannot be read" in text_of(again.text)


async def test_who_a_body_speaks_of_is_compared_with_what_is_held(bench: Bench) -> None:
    await bench.lab.take_fhir(SRP)
    other = posted("B2", "F2", blot("8")).replace(b"1969-04-17", b"1970-01-01").replace(b"SYNTHETIC", b"OTHER")
    await bench.lab.keep_fhir(other)
    bench.lab.process()
    page = bench.signed_in("dora", Role.SENIOR).get("/messages/M2/who")
    assert page.status_code == 200
    assert "1970-01-01" in page.text
    assert "1969-04-17" in page.text


async def test_a_body_that_is_too_long_for_the_page_is_repaired_from_a_file(bench: Bench) -> None:
    long = BAD.replace(b'"SYNTHETIC"', b'"' + b"X" * wires.LONGEST_EDIT + b'"')
    await bench.lab.keep_fhir(long)
    page = opened(senior(bench))
    assert "It cannot be repaired on this page" in page
    assert "… +" in page
