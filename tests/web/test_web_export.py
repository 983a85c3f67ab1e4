"""The worklist as CSV and JSON lines: nothing in it is a formula, nothing is lost, and who takes it is written down."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_parts import Bench, benched
from worklist_parts import BLOT, CK, Site, many, obx

from labbridge.model.people import Role
from labbridge.review import cells as tables
from labbridge.web import exporting

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫−⁼⁺⁻\t\r\n"
CALLS = ("1+1", "cmd|' /C calc'!A0", 'HYPERLINK("http://x","y")', "SUM(A1:A9)", 'DDE("cmd";"/C calc";"x")')
HIDDEN = (" ", "  ", "\u00a0", "\u200b", "\ufeff", "\u3000", "\u2060", "\u00ad")
PAYLOADS = (
    *(sign + call for sign in SIGNS for call in CALLS),
    *(hidden + sign + "1+1" for hidden in HIDDEN for sign in "=@＝"),
    "=", "-", "@", "-5.2", "+49 30 1", "@SUM(1)", "=1+1;x", "-2+3+cmd|' /C calc'!A0", '="00123"', "=1\n=2",
)  # fmt: skip
INSIDE = ("a;=1+1", "a\t=1+1", "a\n@SUM(1)", "a\r-1", "a; ＝1", "x;y;=cmd|' /C calc'!A0")
HARMLESS = ("PT1", "00123", "a-b", "1=1", "é", "x@y", "a,=1", "漢字", "", "O'Neil", '"quoted"', "1;2")


def dangerous(text: str) -> bool:
    """A second reading: what a spreadsheet might calculate, once blanks and invisible signs are off."""
    bare = "".join(char for char in text if unicodedata.category(char) not in ("Cf", "Zs"))
    return unicodedata.normalize("NFKC", bare[:1]) in tuple("=+-@−\t\r\n")


def read(text: str, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def test_there_are_enough_payloads() -> None:
    assert len(set(PAYLOADS)) >= 100
    assert all(dangerous(one) for one in PAYLOADS)


@pytest.mark.parametrize("separator", [",", ";"])
def test_no_text_is_a_formula_and_none_is_lost(separator: str) -> None:
    rows = read(tables.lines([[one] for one in (*PAYLOADS, *INSIDE, *HARMLESS)], separator), separator)
    for (cell,), payload in zip(rows, (*PAYLOADS, *INSIDE, *HARMLESS), strict=True):
        assert not dangerous(cell), payload
        if payload in HARMLESS:
            assert cell == payload
        elif payload in INSIDE or payload in ("=1+1;x", "=1\n=2"):
            assert cell.replace("'", "") == payload.replace("'", "")
        elif "\n" not in payload and "\r" not in payload and "\t" not in payload and ";" not in payload:
            assert cell == f"'{payload}"


@pytest.mark.parametrize("payload", [*PAYLOADS, *INSIDE])
def test_a_program_that_expects_another_separator_finds_no_formula_either(payload: str) -> None:
    text = tables.lines([["C1", payload, "x"]])
    for separator in ";\t,":
        cells = [cell for line in text.splitlines() for cell in line.split(separator)]
        bare = [cell.strip('"') if cell.count('"') % 2 == 0 else cell.lstrip('"') for cell in cells]
        assert not any(cell[:1] in "=@＝＠" and cell for cell in bare), (separator, bare)


@given(st.text(max_size=20))
def test_whatever_a_text_is_it_is_read_back_and_is_no_formula(text: str) -> None:
    ((cell,),) = read(tables.lines([[text]])) or [[""]]
    assert not dangerous(cell)
    assert cell.replace("'", "") == text.replace("'", "")


def test_numbers_and_moments_are_not_texts() -> None:
    values = (-5, Decimal("-5.2"), 0, None, date(2026, 1, 2), datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), ("A", "B"))
    assert [tables.cell(one) for one in values] == [
        "-5", "-5.2", "0", "", "2026-01-02", "2026-01-02T03:04:05+00:00", "A B",
    ]  # fmt: skip


def test_the_keys_in_the_audit_are_all_there_and_each_line_is_bounded() -> None:
    keys = [*range(1, 5), 7, *range(9, 9000, 2)]
    told = exporting.told(keys)
    assert told[0].startswith("C1-C4 C7 C9 C11")
    assert max(map(len, told)) <= exporting.ON_A_LINE
    found = [part.split("-") for line in told for part in line.split()]
    assert sorted(key for one in found for key in range(int(one[0][1:]), int(one[-1][1:]) + 1)) == keys


# ---------------------------------------------------------------- as it is sent


@pytest.fixture
def site(place: str) -> Iterator[Site]:
    with benched(place) as bench:
        found = Site(bench)
        yield found


async def filled(site: Site) -> None:
    await site.patient("00123", obx(BLOT, "58"))
    await site.patient("=1+1", obx(BLOT, "58"), obx(CK, "7800"))
    await site.patient("＝cmd|' /C calc'!A0".replace("|", "!"), obx(BLOT, "58"))
    await site.patient("PT4", obx(BLOT, "58", "?"))


async def test_the_csv_holds_every_case_and_says_how_many(site: Site) -> None:
    await filled(site)
    answer = site.bench.signed_in().get("/worklist/export.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="worklist-20261113T120400Z.csv"'
    header, *rows, last = read(answer.content.decode("utf-8"))
    assert header == [one.name for one in exporting.COLUMNS]
    assert last == ["rows", "4"]
    found = [dict(zip(header, row, strict=True)) for row in rows]
    assert [one["case"] for one in found] == ["C1", "C2", "C3", "C4"]
    assert [one["patient"] for one in found] == ["00123", "'=1+1", "'＝cmd!' /C calc'!A0", "PT4"]
    assert found[0]["opened"] == "2026-11-13T12:00:00+00:00"
    assert (found[3]["state"], found[3]["held"], found[3]["newest"]) == ("held", "SRP", "")
    assert found[1]["retests"].startswith(("SRP:", "HMGCR:", "CK:", "ANA_HEP2:"))


async def test_the_mark_of_utf_8_and_the_separator_are_a_choice(site: Site) -> None:
    await filled(site)
    browser = site.bench.signed_in()
    assert browser.get("/worklist/export.csv").content[:1] == b'"'
    marked = browser.get("/worklist/export.csv?bom=true&separator=semicolon").content
    assert marked.startswith(b'\xef\xbb\xbf"case";"version"')
    assert marked.count("\ufeff".encode()) == 1
    assert browser.get("/worklist/export.csv?separator=x").status_code == 422


async def test_json_lines_hold_the_texts_as_they_are(site: Site) -> None:
    await filled(site)
    answer = site.bench.signed_in().get("/worklist/export.jsonl?queue=new")
    *rows, last = [json.loads(line) for line in answer.text.splitlines()]
    assert last == {"rows": 3}
    assert [one["patient"] for one in rows] == ["00123", "=1+1", "＝cmd!' /C calc'!A0"]
    assert rows[0]["flags"][0] == "MSA_POSITIVE"
    assert rows[0]["delivery"] is None
    assert datetime.fromisoformat(rows[0]["newest"]).utcoffset() is not None


async def test_an_export_is_of_the_same_cases_as_the_page(site: Site) -> None:
    await filled(site)
    browser = site.bench.signed_in()
    for query in ("?queue=held", "?severity=critical", "?flag=CK_MISSING", "?since=2026-11-14", "?feed=other"):
        keys = [row[0] for row in read(browser.get(f"/worklist/export.csv{query}").text)[1:-1]]
        assert all(f'data-case="{key}"' in browser.get(f"/worklist{query}").text for key in keys)
        assert browser.get(f"/worklist{query}").text.count("data-case=") == len(keys)
    assert browser.get("/worklist/export.csv?queue=nothing").status_code == 422
    assert read(browser.get("/worklist/export.csv?feed=nowhere").text)[1:] == [["rows", "0"]]


async def test_more_cases_than_one_statement_holds_come_in_order(site: Site) -> None:
    await site.patient("PT1", obx(BLOT, "58"))
    many(site, 1001)
    rows = read(site.bench.signed_in().get("/worklist/export.csv?queue=all").text)
    assert len(rows) == 1003
    assert rows[-1] == ["rows", "1001"]
    keys = [row[0] for row in rows[1:-1]]
    assert len(set(keys)) == 1001
    done = [row[2] in ("signed", "closed") for row in rows[1:-1]]
    assert done == sorted(done)


async def test_who_exports_is_written_down_with_every_case_before_a_byte_is_sent(site: Site) -> None:
    await filled(site)
    browser = site.bench.signed_in()
    browser.get("/worklist/export.csv?severity=major")
    browser.get("/worklist/export.jsonl?queue=held")
    assert site.bench.audit("exported") == [
        ("anna", "worklist", "csv, 4 cases ?severity=major"),
        ("anna", "worklist", "C1-C4"),
        ("anna", "worklist", "jsonl, 1 cases ?queue=held"),
        ("anna", "worklist", "C4"),
    ]


@pytest.mark.parametrize("path", ["/worklist/export.csv", "/worklist/export.jsonl", "/worklist/columns.csv"])
def test_who_may_only_see_exports_nothing(bench: Bench, path: str) -> None:
    assert bench.signed_in("vera", Role.VIEWER).get(path).status_code == 403
    assert bench.signed_in("otto", Role.AUDITOR).get(path).status_code == 200
    assert bench.audit("exported") == [] or {actor for actor, *_rest in bench.audit("exported")} == {"otto"}


def test_the_dictionary_names_every_column(bench: Bench) -> None:
    rows = read(bench.signed_in().get("/worklist/columns.csv").text)
    assert rows[0] == ["column", "kind", "meaning"]
    assert [row[0] for row in rows[1:]][: len(exporting.COLUMNS)] == [one.name for one in exporting.COLUMNS]
    assert all(len(row) == 3 and row[2] for row in rows)
