"""The mapping desk, and a director's other changes, in a real browser: one person writes, another approves, what waited is
read again, and everything is in force without a restart."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_parts import ROOT, SAMPLES, Desk, settled, sign_in, until
from conftest import opened
from test_browser_desk import THEMES, _findings
from test_browser_knowledge import as_

NEW = {"HMGX": ("Anti-HMGCR IgG (ELISA)", "U/mL", "0-20"), "SRPX": ("Anti-SRP (line blot)", "intensity", "0-5")}
NUMBERS = {"HMGX": "88", "SRPX": "58"}
OTHERS = 6  # codes of other analytes in each message


def message(number: int, code: str) -> str:
    """A patient whose antibody comes under a code that nobody knows, among a general laboratory's."""
    name, unit, normal = NEW[code]
    head = (
        f"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261120090000+0100||ORU^R01|MAP{number}|P|2.3.1\r"
        f"PID|1||PT7{number}^^^LABA^MR||TEST^SYNTHETIC||19690417|F\r"
        f"OBR|1|PM{number}^MYOCLIN|FM{number}^MYOLIS|MYO^Myositis^L|||20261119091500+0100\r"
    )
    ours = f"OBX|1|NM|{code}^{name}^L||{NUMBERS[code]}|{unit}^{unit}^L|{normal}|A|||F\r"
    rest = (f"OBX|{n + 2}|NM|G{n}^Sodium {n}^L||140|mmol/L|135-145||||F\r" for n in range(OTHERS))
    return head + ours + "".join(rest)


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three patients under one new code, two under another."""
    folder = tmp_path_factory.mktemp("messages")
    found = []
    for number, code in enumerate(["HMGX", "HMGX", "HMGX", "SRPX", "SRPX"], 1):
        path = folder / f"{number}.hl7"
        path.write_bytes(message(number, code).encode())
        found.append(path)
    return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, messages: list[Path]) -> Iterator[Desk]:
    """A laboratory whose sender began to use new codes."""
    folder = tmp_path_factory.mktemp("changes")
    shutil.copytree(SAMPLES / "site", folder / "site")
    (folder / "site/cases").mkdir()
    shutil.copy(ROOT / "tests/knowledge/vignettes.yaml", folder / "site/cases")
    with opened(folder, folder / "site") as found:
        found.send(*messages)
        yield found


def site_of(desk: Desk) -> Path:
    return Path(desk.service.folder) / "site"


def put_forward(page: Any, form: str) -> str:
    """Send a form that makes a change; the change."""
    with page.expect_response(lambda one: one.request.method == "POST", timeout=60_000) as answer:
        page.locator(f"{form} button[type=submit]").first.click()
    assert answer.value.status == 204, answer.value.text()
    page.wait_for_url("**/changes/E*")
    settled(page)
    return str(page.url.rpartition("/")[2])


def tried(page: Any) -> None:
    """Until the replay of the change on the page is done."""
    until(lambda: page.reload() and "It runs; look again." not in page.inner_text("main"))


def approved(page: Any) -> None:
    with page.expect_response("**/approve", timeout=120_000) as answer:
        page.click("text=Approve it and take it into force")
    assert answer.value.status == 200, page.inner_text("main")
    settled(page)
    assert "in force" in page.inner_text(".facts")


def outcomes(desk: Desk) -> dict[str, Any]:
    """What the service says of the patients of these tests."""
    every = (one["outcome"] for one in desk.service.json("show"))
    return {one["patient"]["id"]: one for one in every if _tested(one)}


def _tested(outcome: dict[str, Any]) -> bool:
    return str(outcome["patient"]["id"]).startswith("PT7")


# ---------------------------------------------------------------- the mapping desk


def test_a_code_is_listed_once_with_what_it_may_be(page: Any, lab: Desk) -> None:
    sign_in(page, lab, "nora")
    page.goto(f"{lab.url}/codes")
    rows = page.locator("table.codes tbody tr")
    assert rows.count() == 2
    text = page.inner_text("table.codes")
    assert "HMGX" in text
    assert "SRPX" in text
    assert "G1" not in text
    assert "3 times, in 3 messages" in text
    assert "0-20" in text
    assert f"{OTHERS} codes, seen {OTHERS * 5} times" in " ".join(page.text_content("details.card").split())
    assert "TEST" not in text
    assert "PT7" not in page.content()


def test_one_assigns_another_approves_and_what_waited_is_read_again(page: Any, lab: Desk, messages: list[Path]) -> None:
    held = outcomes(lab)
    assert len(held) == 5
    assert all(one["hold"] for one in held.values())
    assign(page, lab, "HMGX", "HMGCR", "elisa")
    before = (site_of(lab) / "codes/myolis.csv").read_text(encoding="utf-8")
    tried(page)
    assert "3 of 3 patients" in page.inner_text("main")
    assert page.locator("section.replayed").count() == 3
    assert page.locator("text=Approve it and take it into force").count() == 0, "who wrote it"
    shown = page.url.rpartition("/")[2]
    as_(page, lab, "otto")
    page.goto(f"{lab.url}/changes/{shown}")
    assert "+ L,HMGX" in page.inner_text("pre.text >> nth=0")
    approved(page)
    assert "3 messages" in page.inner_text(".facts")
    assign(page, lab, "SRPX", "SRP", "line_blot")
    shown = page.url.rpartition("/")[2]
    tried(page)
    as_(page, lab, "otto")
    page.goto(f"{lab.url}/changes/{shown}")
    approved(page)
    lab.service.settled()
    page.goto(f"{lab.url}/codes")
    assert "No code waits for a person." in page.inner_text("main")
    after = (site_of(lab) / "codes/myolis.csv").read_text(encoding="utf-8")
    assert after.startswith(before)
    assert after.count("\n") == before.count("\n") + 2
    assert mapped_from_the_start(lab, messages) == {patient: spoken(one) for patient, one in outcomes(lab).items()}
    history = sorted((site_of(lab) / "history").glob("*.json"))
    assert [json.loads(path.read_text())["approver_name"] for path in history] == ["Otto Test"] * 2


def assign(page: Any, lab: Desk, code: str, analyte: str, method: str) -> str:
    as_(page, lab, "nora")
    page.goto(f"{lab.url}/codes")
    page.click(f"text={code}")
    page.wait_for_selector("form.assign")
    assert page.locator("#analyte").input_value() == analyte, "what is sure is filled in"
    page.select_option("#role", "result")
    page.select_option("#method", method)
    page.fill("#source", "procedure 12, kit insert of 3 November")
    page.fill("#why", "a new kit, validated on 40 sera")
    return put_forward(page, "form.assign")


def mapped_from_the_start(lab: Desk, messages: list[Path]) -> dict[str, Any]:
    """What the same messages come to where the codes were known when they came."""
    words = ("interpret", *map(str, messages), "--format", "json", "--config", str(lab.service.config))
    done = subprocess.run([sys.executable, "-m", "labbridge.cli", *words], capture_output=True, text=True, check=False)
    found = map(json.loads, done.stdout.splitlines())
    return {one["patient"]["id"]: spoken(one) for one in found}


def spoken(outcome: dict[str, Any]) -> Any:
    """What an outcome says, but for which message it was read from."""
    flags = sorted((one["code"], one["severity"], one["rule"]) for one in outcome["flags"])
    comment = outcome["comment"] and (outcome["comment"]["class"], outcome["comment"]["text"])
    return outcome["states"], flags, outcome["retests"], comment, outcome["hold"]


# ---------------------------------------------------------------- a director's other changes


def written(page: Any, lab: Desk, item: str, old: str, new: str) -> str:
    as_(page, lab, "nora")
    page.goto(f"{lab.url}/knowledge/{item}")
    page.click("text=Write it otherwise")
    text = page.locator("#record").input_value()
    assert old in text, text
    page.fill("#record", text.replace(old, new))
    page.fill("#change-why", "our validation of 12 March, 84 patients")
    return put_forward(page, ".editing")


CHANGED = [
    ("policy:ck_mod_from", "policy.yaml", "value: 4,", "value: 5,"),
    ("rule:srp-strong-concordant", "rules/g2-srp-strong.yaml", "ck: [MOD, HIGH]", "ck: [HIGH]"),
    ("comment:C01", "comments/en.yaml", "on HEp-2{ck_and}", "on HEp-2 cells{ck_and}"),
]


@pytest.fixture(scope="module")
def said_before(lab: Desk) -> dict[str, str]:
    """What the drafts of the samples said before anything was changed here, by case and version."""
    return {one["shown"]: one["text"] for one in lab.service.json("show") if one["text"]}


@pytest.mark.parametrize(("item", "file", "old", "new"), CHANGED)
def test_a_number_a_rule_and_a_comment_are_changed(
    page: Any, lab: Desk, said_before: dict[str, str], item: str, file: str, old: str, new: str
) -> None:
    """Proof, difference on stored cases, pack, two signatures, in force."""
    assert len(said_before) >= 8
    shown = written(page, lab, item, old, new)
    tried(page)
    assert "of 13 patients" in page.inner_text("main")
    assert not (site_of(lab) / file).exists(), "nothing is written before it is approved"
    as_(page, lab, "otto")
    page.goto(f"{lab.url}/changes/{shown}")
    with page.expect_download(timeout=120_000) as pack:
        page.click("text=Validation pack with it")
    assert item.partition(":")[2] in Path(pack.value.path()).read_text(encoding="utf-8")
    approved(page)
    assert new in (site_of(lab) / file).read_text(encoding="utf-8")


def test_it_is_live_and_what_was_said_before_is_said_again_to_the_byte(
    lab: Desk, said_before: dict[str, str], tmp_path: Path
) -> None:
    assert any("on HEp-2 and" in text for text in said_before.values())
    for path in sorted((SAMPLES / "01-concordant-srp").glob("*.hl7")):
        again = tmp_path / path.name
        again.write_text(path.read_text(encoding="utf-8").replace("1001", "8001").replace("S1002", "S8002"))
        lab.send(again)
    new = next(one for one in lab.service.json("show") if one["outcome"]["patient"]["id"] == "PT8001")
    assert "on HEp-2 cells and" in new["text"]
    assert any(flag["rule"] == "srp-strong-concordant@3" for flag in new["outcome"]["flags"])
    for shown in list(said_before)[:3]:
        done = lab.service.run("reproduce", shown)
        assert "the same, byte for byte" in done.stdout, done.stderr


def test_what_the_proof_refuses_is_told_and_the_words_stay(page: Any, lab: Desk) -> None:
    as_(page, lab, "nora")
    page.goto(f"{lab.url}/knowledge/policy:ck_high_above")
    page.click("text=Write it otherwise")
    page.fill("#record", "- {id: ck_high_above, value: ten}")
    page.fill("#change-why", "a slip")
    page.click(".editing button[type=submit]")
    page.wait_for_selector("main [role=alert]", timeout=60_000)
    assert "policy.yaml:" in page.inner_text("main [role=alert]")
    assert "ten" in page.locator("#record").input_value()


@pytest.mark.parametrize("theme", THEMES)
def test_its_pages_are_readable_in_every_theme(page: Any, lab: Desk, axe: str, theme: str) -> None:
    paths = ("/codes", "/changes", "/changes/E1", "/knowledge/policy:ck_mod_from")
    assert _findings(page, lab, axe, theme, "otto", paths) == []
