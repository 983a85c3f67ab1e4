"""The page for people: all of the pack is on it, in sound and accessible markup, and no text of a file becomes any."""

from __future__ import annotations

import html
import re
from collections import Counter
from functools import lru_cache
from html.parser import HTMLParser
from itertools import pairwise

import msgspec
import pytest
from pack_cases import (
    Case,
    case,
    ck,
    hep2,
    hmgcr,
    pack_of,
    page_of,
    readers,
    readers_changed,
    readers_with,
    rule,
    srp,
)

from labbridge.pack.difference import difference
from labbridge.pack.form import Coverage, Pack, Source
from labbridge.pack.page import NUMBERS, gaps, verdict
from tests.web.hostile_parts import PAYLOADS, structure

VOID = {"meta", "br"}
RULE = "srp-strong-hep2-negative-ck-high"


class Page(HTMLParser):
    """A page as a tree of names, its texts, and every attribute it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self.declared = ""
        self.feed(text)
        self.close()

    def handle_decl(self, decl: str) -> None:
        self.declared = decl

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open:
            self.texts.append((self.open[-1], " ".join(data.split())))

    @property
    def text(self) -> str:
        return " ".join(data for tag, data in self.texts if tag != "style")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


POSITIVE = case(
    "POSITIVE", srp("58", method_text="EUROLINE"), hmgcr("3"), hep2("Negative", titre="<1:80"), ck("2040"),
    title="a strong blot", context={"suspicion": True}, trap="do not be fooled",
    expected={
        "states": {"SRP": "POS_STRONG"}, "flags_required": {"HEP2_NEG_MSA_POS": "major"}, "comment_class": "C01",
        "comment_must_mention": ["anti-SRP", "clinical correlation"],
    },
)  # fmt: skip
FAILS = case("FAILS", ck("700"), title="CK alone", expected={"comment_class": "C02", "hold": True})
OPEN = case("OPEN", srp("2"))


@lru_cache
def pack() -> Pack:
    """With every part: a verdict of each kind, a difference, a source."""
    before = pack_of(POSITIVE, case("GONE", ck("90")))
    now = pack_of(POSITIVE, FAILS, OPEN, by=readers_changed(RULE, version=9, status="retired"))
    told = Source(id="picard-2016", text="Picard and others. A title")
    return msgspec.structs.replace(now, sources=(told,), difference=difference(before, now, "ef" * 32))


@lru_cache
def page() -> Page:
    return Page(page_of(pack()))


# ---------------------------------------------------------------- what it says


def test_the_head_names_what_was_tested_by_whom_and_when() -> None:
    found = page().text
    for told in (
        pack().knowledge,
        f"labbridge {pack().software}",
        "2026-11-26 14:05 UTC",
        "A. Smith",
        "lab/cases.yaml",
    ):
        assert told in found
    assert "ab" * 32 in found, "the SHA-256 of the file of cases"
    assert "cd" * 32 in found, "the SHA-256 of the document for programs"
    assert "ef" * 32 in found, "the SHA-256 of the pack before"
    for line in ("Accepted, or not, and why", "Name and function", "Date and signature"):
        assert line in found


def test_every_case_is_there_as_given_expected_and_found() -> None:
    found = page().text
    for told in (
        *("POSITIVE", "a strong blot", "58", "intensity", "line_blot", "method_text: EUROLINE", "suspicion: yes"),
        *("do not be fooled", "sex: F; age_years: 52", "SRP: POS_STRONG", "HEP2_NEG_MSA_POS: major"),
        "the comment should mention: anti-SRP; clinical correlation",
        pack().cases[0].outcome["comment"]["text"],
    ):
        assert told in found, told
    for flag in pack().cases[0].outcome["flags"]:
        assert f"{flag['code']}: {flag['severity']}" in found
        assert flag["rule"] in found
    for one in pack().cases[0].outcome["retests"]:
        assert f"{one['analyte']} by {' or '.join(one['families'])}, {one['priority']}" in found


def test_every_failure_is_there_beside_its_verdict() -> None:
    failed = pack().cases[1]
    assert len(failed.failures) == 2
    assert all(one in page().text for one in failed.failures)
    badges = [data for tag, data in page().texts if tag == "span" and data in ("passed", "FAILED", "no expectation")]
    assert Counter(badges) == {"FAILED": 4, "no expectation": 2}, "in the table of all cases, and at each case"


def test_every_rule_with_its_hash_is_there() -> None:
    found = page().text
    active = [row for row in pack().rows if row.id.startswith("rule:") and row.status == "active"]
    assert len(active) > 150
    for row in pack().rows:
        assert row.sha256 in found
        assert row.id.partition(":")[2] in found
    for row in active:
        assert f"{row.id.partition(':')[2]}@{row.version}" in found
        assert " ".join(row.why.split()) in found


def test_the_difference_is_there_with_words_struck_and_added() -> None:
    found = page()
    assert "Difference from the last pack" in found.text
    for told in ("GONE", "FAILS, OPEN", f"rule:{RULE}", "retired"):
        assert told in found.text
    struck = " ".join(data for tag, data in found.texts if tag == "del")
    assert "Confirmation by a different method" in struck
    assert any(tag == "ins" for tag, _data in found.texts)


def test_without_a_pack_before_there_is_no_difference() -> None:
    found = page_of(pack_of(POSITIVE))
    assert "difference" not in found.lower()
    assert "<del" not in found


def test_a_pack_that_differs_in_nothing_says_so() -> None:
    same = pack_of(OPEN)
    found = Page(page_of(msgspec.structs.replace(same, difference=difference(same, same, "ef" * 32)))).text
    assert "No row says anything else than it did." in found
    assert "No case is given otherwise, or comes out otherwise, than it did." in found


def test_coverage_in_numbers_is_there() -> None:
    for name, title in NUMBERS.items():
        counted = pack().coverage.numbers[name]
        assert f"{title} {counted.exercised} {counted.all - counted.exercised} {counted.all}" in page().text
    assert set(NUMBERS) == set(pack().coverage.numbers)


def test_a_name_that_is_no_expectation_is_marked() -> None:
    slip = case("SLIP", ck("700"), expected={"flags_requird": {"CK_MISSING": "minor"}, "hold": False})
    found = pack_of(slip)
    assert found.cases[0].not_compared == ("flags_requird",)
    assert "no expectation has this name: nothing was compared" in page_of(found)
    assert "nothing was compared" not in page_of(pack_of(POSITIVE))


def test_rules_that_nobody_has_reviewed_are_counted() -> None:
    told = "active rules have been reviewed by nobody"
    by = readers_with(rule("one", reviewed=("A. Smith",)), rule("other"), rule("old", status="retired"))
    assert f"1 of 2 {told}" in Page(page_of(pack_of(by=by))).text
    signed = readers_with(rule("one", reviewed=("A. Smith",)))
    assert told not in page_of(pack_of(by=signed))


@pytest.mark.parametrize(
    ("cases", "word", "sentence"),
    [
        ((POSITIVE,), "passed", "1 of 1 cases passed."),
        ((POSITIVE, FAILS), "1 FAILED", "1 of 2 cases passed."),
        ((POSITIVE, OPEN), "passed", "1 of 1 cases passed; 1 state no expectation."),
        ((OPEN,), "nothing was expected", "0 of 0 cases passed; 1 state no expectation."),
        ((), "nothing was expected", "0 of 0 cases passed."),
    ],
)
def test_the_verdict_is_never_better_than_the_cases(cases: tuple[Case, ...], word: str, sentence: str) -> None:
    found = Page(page_of(pack_of(*cases)))
    headline = found.text[found.text.index("Validation pack", 20) :]
    assert headline.startswith(f"Validation pack {word} {sentence}")


def test_the_word_for_all_cases() -> None:
    assert (verdict(pack().cases), verdict(pack().cases).word) == ((0, 2, 1), "failed")
    assert verdict(()).word == "open"
    assert verdict(pack_of(OPEN).cases).word == "open"
    assert verdict(pack_of(POSITIVE, OPEN).cases) == (1, 0, 1)


# ---------------------------------------------------------------- gaps

GAP = rule("strong", when={"srp": ("POS_STRONG", "POS_LOW"), "ck": "HIGH"})
FIRES, LOW_CK = case("FIRES", srp("58"), ck("2040")), case("LOW-CK", srp("58"), ck("100"))


def covered(*cases: Case) -> Coverage:
    return pack_of(*cases, by=readers_with(GAP)).coverage


def test_a_gap_names_the_values_and_conditions_of_its_rule() -> None:
    (only,) = gaps(covered(FIRES, LOW_CK))
    assert only == ("rule:strong", False, (("srp", ("POS_LOW",)),), ("srp",))
    (never,) = gaps(covered(LOW_CK))
    assert never == ("rule:strong", True, (), ("srp",))


def test_conditions_that_no_case_lacked_alone_are_a_gap_by_themselves() -> None:
    (only,) = gaps(covered(FIRES, case("LOW", srp("14"), ck("2040"))))
    assert only == ("rule:strong", False, (), ("srp", "ck"))


def test_a_result_is_told_once_column_by_column_and_the_rest_behind() -> None:
    found = page_of(pack_of(case("ONE", srp("58", note="haemolytic", reason="asked for"))))
    (row,) = re.findall(r"<tr><td>S1</td>.*?</tr>", found)
    cells = [html.unescape(one) for one in re.findall(r"<td[^>]*>(.*?)</td>", row)]
    assert cells == [
        "S1", "SRP", "58", "intensity", "line_blot", "serum", "F", "2026-02-02", "2026-02-04",
        "note: haemolytic; reason: asked for",
    ]  # fmt: skip


def test_a_rule_that_asks_nothing_is_a_gap_where_there_is_no_case() -> None:
    assert gaps(pack_of(by=readers_with(rule("always"))).coverage) == [("rule:always", True, (), ())]
    assert gaps(pack_of(FIRES, by=readers_with(rule("always"))).coverage) == []


def test_a_rule_that_is_exercised_in_every_way_is_no_gap() -> None:
    every = (FIRES, LOW_CK, case("LOW", srp("14"), ck("2040")), case("NEG", srp("2"), ck("2040")))
    assert gaps(covered(*every)) == []
    assert "Every rule held in some case by each of its values" in page_of(pack_of(*every, by=readers_with(GAP)))


def test_an_unexercised_condition_is_listed_on_the_page() -> None:
    found = Page(page_of(pack_of(FIRES, LOW_CK, by=readers_with(GAP)))).text
    gap = found[found.index("Rules and conditions that no case exercises") :]
    assert "strong yes srp = POS_LOW srp" in gap


# ---------------------------------------------------------------- markup


def test_it_is_one_sound_document() -> None:
    found = page()
    assert page_of(pack()).startswith('<!DOCTYPE html>\n<html lang="en">')
    assert (found.declared, found.faults, found.open) == ("DOCTYPE html", [], [])
    assert [tag for tag, _a in found.tags if tag in ("html", "head", "body", "main", "h1", "title")] == [
        "html", "head", "title", "body", "main", "h1",
    ]  # fmt: skip


def test_it_needs_nothing_but_itself() -> None:
    text = page_of(pack())
    found = page()
    assert {tag for tag, _a in found.tags} & {"script", "link", "img", "iframe", "object", "form", "base"} == set()
    assert all(one["href"].startswith("#") for one in found.all("a") if one["href"])
    assert not re.search(r"url\(|@import", text)
    names = {name for _tag, attributes in found.tags for name in attributes}
    assert not any(name.startswith("on") or name in ("style", "src") for name in names)
    (policy,) = [one["content"] for one in found.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_every_table_has_a_caption_and_scoped_headers_and_is_reached_by_keyboard() -> None:
    text = page_of(pack())
    tables = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert len(tables) > 20
    for table in tables:
        assert re.match(r"<table[^>]*>\s*<caption>[^<]+</caption>", table)
    assert all(one.get("scope") in ("col", "row", "rowgroup") for one in page().all("th"))
    regions = [one for one in page().all("div") if one.get("class") == "scroll"]
    assert all(one.get("role") == "region" and one.get("tabindex") == "0" and one.get("aria-label") for one in regions)
    assert len(regions) >= len(tables) - 1


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    for table in re.findall(r"<table.*?</table>", page_of(pack()), re.DOTALL):
        widths = {
            sum(int(span or 1) for span in re.findall(r'<t[hd](?=[\s>])(?:[^>]*?colspan="(\d+)")?', row))
            for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)
        }
        assert len(widths) == 1, table[:200]


def test_ids_are_single_and_every_link_and_label_leads_to_one() -> None:
    ids = [one["id"] for _tag, one in page().tags if "id" in one]
    assert len(ids) == len(set(ids)) > 5
    wanted = {str(one["href"])[1:] for one in page().all("a")}
    wanted |= {str(one["aria-labelledby"]) for _tag, one in page().tags if "aria-labelledby" in one}
    assert wanted <= set(ids)
    assert {"cases", "gaps", "coverage", "rows", "sources", "difference"} <= wanted


def test_headings_go_down_a_step_at_a_time() -> None:
    levels = [int(tag[1]) for tag, _a in page().tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_it_is_made_for_dark_for_paper_and_for_a_phone() -> None:
    (style,) = [data for tag, data in page().texts if tag == "style"]
    for rule_ in ("prefers-color-scheme: dark", "@media print", "@media (max-width: 640px)", "break-inside: avoid"):
        assert rule_ in style
    assert any(one.get("name") == "viewport" for one in page().all("meta"))


def test_a_comment_says_its_language() -> None:
    found = page_of(pack_of(POSITIVE, by=readers("fr")))
    assert 'class="comment" lang="fr"' in found
    assert '<td class="wide" lang="fr">' in found


# ---------------------------------------------------------------- hostile text


def hostile(payload: str) -> Pack:
    """A payload wherever a case file, the command line or the knowledge can put one."""
    its = case(
        payload, srp("58", method_text=payload, note=payload, **{payload: payload}), ck("2040", unit=payload),
        title=payload, trap=[payload, {payload: payload}],
        context={"clinical_info": payload},
        expected={
            "comment_class": payload, "comment_must_mention": [payload], "flags_forbidden": [payload], payload: payload,
        },
    )  # fmt: skip
    told = rule("told", why=payload, reviewed=(payload,), citations=(payload,), when={"ck": "HIGH"})
    now = pack_of(its, by=readers_with(told), tester=payload, name=payload)
    other = msgspec.structs.replace(told, why=f"{payload} x", version=2)
    before = pack_of({**its, "title": f"{payload} x"}, by=readers_with(other), tester=payload)
    return msgspec.structs.replace(
        now, sources=(Source(id=payload, text=payload),), difference=difference(before, now, "ef" * 32)
    )


@lru_cache
def harmless() -> str:
    return page_of(hostile("harmless"))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_becomes_markup(payload: str) -> None:
    """The page of a hostile pack has the very shape of a harmless one: the same elements with the same attributes."""
    text = page_of(hostile(payload))
    assert structure(text) == structure(harmless())
    found = Page(text)
    assert found.faults == []
    assert found.text.count(" ".join(payload.split())) >= 15, "and it is shown, as text"


def test_attributes_that_hold_text_are_those_of_a_harmless_page() -> None:
    payload = '" onmouseover="window.pwned=1'
    found = Page(page_of(hostile(payload)))
    assert [sorted(one) for _tag, one in found.tags] == [sorted(one) for _tag, one in Page(harmless()).tags]
    assert any(payload in str(value) for _tag, one in found.tags for value in one.values())


@pytest.mark.parametrize("text", ["{{ 7 * 7 }}", "{% raw %}", "{# x #}", "${7*7}", "%(x)s", "{0}"])
def test_no_text_is_taken_for_a_template(text: str) -> None:
    found = page_of(hostile(text))
    assert text in Page(found).text
    assert "49" not in [data for _tag, data in Page(found).texts]


def test_text_that_turns_the_reading_direction_stays_in_its_cell() -> None:
    (style,) = [data for tag, data in page().texts if tag == "style"]
    assert re.search(r"td, dd, th, li, h3, \.comment \{ unicode-bidi: isolate; \}", style)


def test_values_of_every_kind_are_shown() -> None:
    odd = case("ODD", srp("58"), extra={"a": [1, None, {"b": True}], "c": 0.5, "d": 2**80})
    found = Page(page_of(pack_of(odd))).text
    assert f"a: 1, , (b: yes); c: 0.5; d: {2**80}" in found
