"""`labbridge map suggest`: precise where it is sure, silent where it knows nothing, and it changes nothing."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from cli_run import run

from labbridge.knowledge.codes import CODE_COLUMNS
from labbridge.model.mapping import SentCode, Suggestion
from labbridge.sources import load
from labbridge.suggest import Suggester

ROOT = Path(__file__).resolve().parents[2]
LABELS = ROOT / "tests/knowledge/labels.csv"


@lru_cache(maxsize=1)
def suggester() -> Suggester:
    return Suggester(load())


def suggestion(**code: str) -> Suggestion:
    return suggester()(SentCode(**code))


@lru_cache(maxsize=1)
def judged() -> list[tuple[dict[str, str], Suggestion]]:
    lines = LABELS.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [(row, suggestion(**{name: row[name] for name in ("system", "code", "name", "unit")})) for row in rows]


def right(row: dict[str, str], found: Suggestion) -> bool:
    return (found.analyte or "not_ours") == row["answer"]


def test_there_are_enough_labels_and_they_were_made_before() -> None:
    assert len(judged()) >= 150


def test_whoever_is_sure_is_right_about_every_label() -> None:
    wrong = [
        (row["code"], row["name"], one.analyte)
        for row, one in judged()
        if one.confidence == "sure" and not right(row, one)
    ]
    assert wrong == []


def test_every_known_wrong_mapping_is_refused_or_unsure() -> None:
    tempting = [(row, one) for row, one in judged() if row["tempting"] == "yes"]
    assert len(tempting) > 150
    assert [
        row["name"] or row["code"] for row, one in tempting if one.confidence == "sure" and not right(row, one)
    ] == []


def test_recall(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the labels that are ours and that no table names yet: how many are found, how many surely. Printed."""
    ours = [(row, one) for row, one in judged() if row["answer"] != "not_ours" and one.confidence != "mapped"]
    found, sure = Counter[str](), Counter[str]()
    for row, one in ours:
        found[row["answer"].split(":")[0]] += right(row, one)
        sure[row["answer"].split(":")[0]] += right(row, one) and one.confidence == "sure"
    total = Counter(row["answer"].split(":")[0] for row, _one in ours)
    with capsys.disabled():
        print("\nrecall of map suggest over the labels (found, of them sure, of all):", end=" ")
        print(", ".join(f"{analyte} {found[analyte]}/{sure[analyte]}/{total[analyte]}" for analyte in sorted(total)))
    for analyte in ("SRP", "HMGCR", "CK"):
        assert found[analyte] / total[analyte] >= 0.8


@pytest.mark.parametrize(
    ("code", "analyte", "confidence"),
    [
        ({"system": "LN", "code": "33921-8", "name": "SRP Ab"}, "SRP", "mapped"),
        ({"system": "LN", "code": "2157-6", "name": "CK-MB", "unit": "U/L"}, "", "none"),
        ({"system": "LN", "code": "33921-8", "name": "HMGCR Ab"}, "HMGCR", "unsure"),
        ({"system": "LN", "code": "13969-1", "name": "CK-MB"}, "", "mapped"),
        ({"code": "STATIN"}, "", "mapped"),
        ({"code": "srp"}, "SRP", "unsure"),
        ({"code": "X1", "name": "SRP", "order": "Myositis blot"}, "SRP", "sure"),
        ({"code": "X2", "name": "Natrium", "unit": "mmol/L"}, "", "none"),
        ({}, "", "none"),
    ],
)
def test_each_confidence(code: dict[str, str], analyte: str, confidence: str) -> None:
    found = suggestion(**code)
    assert (found.analyte, found.confidence) == (analyte, confidence)
    assert found.reason


def test_method_assay_and_unit_are_proposed_only_where_words_and_tables_say_them() -> None:
    blot = suggestion(code="X", name="Anti-SRP (line blot)")
    assert (blot.method, blot.assay, blot.canonical_unit) == ("line_blot", "", "")
    assert suggestion(code="X", name="Anti-SRP").method == ""
    assert suggestion(code="X", name="Creatine kinase", unit="µkat/L").canonical_unit == "U/L"
    assert suggestion(code="X", name="Creatine kinase", unit="furlong").canonical_unit == ""


# ---------------------------------------------------------------- the command


def file(tmp_path: Path, text: str, name: str = "codes.csv") -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def lines(text: str) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in text.splitlines())


def test_a_csv_of_codes_is_read_by_its_header(tmp_path: Path) -> None:
    path = file(tmp_path, "# from our LIS\nname,unit,code,extra\nAnti-HMGCR,CU,4711,x\nSodium,mmol/L,NA,x\n")
    done = run("map", "suggest", path, "--format", "json")
    assert done.code == 0
    assert [(one["code"]["code"], one["analyte"], one["confidence"]) for one in lines(done.out)] == [
        ("4711", "HMGCR", "sure"),
        ("NA", "", "none"),
    ]


def test_messages_are_read_for_their_codes_each_once(tmp_path: Path) -> None:
    sample = (ROOT / "samples/02-srp-hep2-negative/1b-serology.hl7").read_text(encoding="utf-8")
    done = run("map", "suggest", file(tmp_path, sample + sample, "two.hl7"), "--format", "json")
    found = list(lines(done.out))
    assert [one["code"]["code"] for one in found] == ["SRPB", "HMGCRC", "ANAS", "ANAT", "ANAP"]
    assert {one["code"]["sender"] for one in found} == {"MYOLIS|LABA"}


def test_rows_for_a_site_load_only_once_a_person_has_filled_them(tmp_path: Path) -> None:
    path = file(tmp_path, "code,name,unit\n4711,Anti-SRP (line blot),AU\n4712,ANA HEp-2 screen,\n4713,SRP,\n")
    done = run("map", "suggest", path, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert tuple(rows[0]) == CODE_COLUMNS
    assert [(row["code"], row["analyte"], row["role"], row["method"]) for row in rows] == [
        ("4711", "SRP", "result", "line_blot"),
        ("4712", "ANA_HEP2", "", "hep2_iif"),
        ("4713", "", "", ""),
    ]
    assert {(row["status"], row["source"]) for row in rows} == {("SITE", "")}
    site = tmp_path / "site" / "codes"
    site.mkdir(parents=True)
    (site / "mylis.csv").write_text(done.out, encoding="utf-8")
    refused = run("check", "--site", str(site.parent))
    assert refused.code == 1
    assert "A source is missing" in refused.err


def test_people_are_told_that_nothing_was_applied(tmp_path: Path) -> None:
    done = run("map", "suggest", file(tmp_path, "code,name\n1,Anti-SRP\n"))
    assert "sure    SRP" in done.out
    assert done.out.strip().endswith("0 mapped, 1 sure, 0 unsure, 0 none; nothing was applied")


@pytest.mark.parametrize(
    ("text", "said"),
    [("a,b\n1,2\n", "there is no column `code` or `name`"), ("", "there is no column `code` or `name`")],
)
def test_a_file_that_cannot_be_read_is_one_sentence_with_the_repair(tmp_path: Path, text: str, said: str) -> None:
    done = run("map", "suggest", file(tmp_path, text))
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_file_in_another_encoding_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("code,name\n1,Anti-SRP\n2,Cr\xe9atine\n".encode("latin-1"))
    done = run("map", "suggest", str(path))
    assert done.code == 2
    assert "latin.csv:3: this is not UTF-8" in done.err
