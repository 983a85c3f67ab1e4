"""The time line: what may be drawn is drawn, what may not is listed with the reason, and the table holds all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from evidence_parts import (
    BLOT,
    CK,
    CLIA,
    ELISA,
    MUCH,
    SRP,
    Asked,
    Laboratory,
    Page,
    Said,
    by,
    case_of,
    held_of,
    obx,
    printed,
    timeline_of,
)

from labbridge.model.result import ContextItem, ContextKind
from labbridge.web.rendering import FOLDER
from labbridge.web.views.timeline import CHART_WORDS, Series, Timeline, timeline

RAW_CK = "NM|2157-6^Creatine kinase^LN|1|{}|{}|{}|H|||F"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Laboratory]:
    found = Laboratory(f"sqlite:///{tmp_path / 'lab.db'}")
    yield found
    found.close()


@pytest.fixture
async def say(lab: Laboratory) -> Said:
    """A patient whose anti-SRP opened a case, long before the rest."""
    found = Said(lab)
    await found("F0", obx(BLOT, "58"), day="20260101")
    return found


def series(found: Timeline, name: str, family: str) -> Series:
    (only,) = (one for one in found.series if (one.name, one.family) == (name, family))
    return only


def left_out(found: Timeline) -> dict[str, str]:
    """By place, why it is not drawn."""
    return {line.entry.place: line.left_out for line in found.lines if line.left_out}


# ---------------------------------------------------------------- what is drawn


async def test_ck_is_drawn_in_its_unit_beside_the_limit_of_each_day(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(CK, "7800"), day="20261101")
    await say("F2", RAW_CK.format("10", "ukat/L", "0.7-3"), day="20261105")
    await say("F3", RAW_CK.format("300", "U/L", ""), day="20261109")
    found = series(timeline_of(lab), MUCH, "enzymatic")
    assert (found.scale, found.unit) == ("unit", "U/L")
    assert [(one.day, one.number, one.limit, one.limit_assumed, one.text) for one in found.points] == [
        ("2026-11-01", 7800.0, 190.0, False, "7800 U/L"),
        ("2026-11-05", 600.0, 180.0, False, "10 ukat/L"),
        ("2026-11-09", 300.0, found.points[2].limit, True, "300 U/L"),
    ]


async def test_antibodies_are_drawn_by_family_as_multiples_of_their_limit(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "22"), obx(ELISA, "60"), day="20261101")
    found = timeline_of(lab)
    blot, elisa = series(found, SRP, "blot"), series(found, SRP, "ELISA/CLIA")
    assert (blot.scale, blot.unit) == ("limits", "")
    assert [(one.day, round(one.number, 2), one.limit) for one in blot.points] == [
        ("2026-01-01", 5.27, 1.0), ("2026-11-01", 2.0, 1.0),
    ]  # fmt: skip
    assert [one.number for one in elisa.points] == [3.0]
    assert found.left_out == 0


@pytest.mark.parametrize(
    ("sent", "comparator"), [(">22000", ">"), ("<20", "<"), (">=22000", ">="), ("<=20", "<="), ("7800", "")]
)
async def test_a_comparator_goes_with_the_number(lab: Laboratory, say: Said, sent: str, comparator: str) -> None:
    await say("F1", RAW_CK.format(sent, "U/L", "39-190"))
    (point,) = series(timeline_of(lab), MUCH, "enzymatic").points
    assert (point.comparator, point.text) == (comparator, f"{sent} U/L")


async def test_a_line_breaks_where_the_method_changed_and_only_there(lab: Laboratory, say: Said) -> None:
    elisa = "||||||ELISA^ELISA^L"
    for number, (value, more) in enumerate([("40", ""), ("60", ""), ("90", elisa), ("80", elisa), ("70", "")], 1):
        await say(f"F{number}", obx(CLIA, value) + more, day=f"2026110{number}")
    found = series(timeline_of(lab), "anti-HMGCR", "ELISA/CLIA")
    assert [one.part for one in found.points] == [0, 0, 1, 1, 2]
    assert [(one.since, one.day) for one in found.breaks] == [
        ("2026-11-02", "2026-11-03"),
        ("2026-11-04", "2026-11-05"),
    ]
    first, second = found.breaks
    assert (first.before, first.before_kit, first.after, first.after_kit) == ("CLIA", "quanta-flash-hmgcr", "ELISA", "")
    assert (second.before, second.after) == (first.after, first.before)
    assert "method changed 2026-11-02 / 2026-11-03" in Page(printed("timeline", timeline_of(lab))).text


async def test_only_the_newest_version_of_a_result_is_drawn(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(CK, "7800"))
    await say("F1", obx(CK, "780", "C"))
    found = timeline_of(lab)
    assert [one.number for one in series(found, MUCH, "enzymatic").points] == [780.0]
    assert len([one for one in found.lines if one.entry.name == MUCH]) == 1


async def test_points_stand_in_the_order_of_their_collection(lab: Laboratory, say: Said) -> None:
    for number, day in enumerate(("20261109", "20260301", "20260815"), 1):
        await say(f"F{number}", obx(CK, f"{number}00"), day=day)
    found = timeline_of(lab)
    days = [one.day for one in series(found, MUCH, "enzymatic").points]
    assert days == ["2026-03-01", "2026-08-15", "2026-11-09"]
    listed = [one.entry.day for one in found.lines]
    assert listed == sorted(listed, reverse=True)


# ---------------------------------------------------------------- what is not


@pytest.mark.parametrize(
    ("line", "day", "why"),
    [
        (obx(CK, "7800"), "", "collection day estimated"),
        (obx(CK, "7800", "P"), "20261110", "pending"),
        (obx(CK, "7800", "X"), "20261110", "cancelled"),
        (obx(CK, "7800", "D"), "20261110", "withdrawn"),
        (obx(CK, "7800", "?"), "20261110", "status unknown"),
        (obx(CK, ""), "20261110", "final without a value"),
        (obx(CK, "0"), "20261110", "zero has no place on a logarithmic scale"),
        (RAW_CK.format("7800", "parsec", "39-190"), "20261110", "not understood"),
        ("ST|SRPB^Anti-SRP (line blot)^L|1|positive|||A|||F", "20261110", "in words"),
        ("NM|SRPE^Anti-SRP (ELISA)^L|1|60|U/mL||A|||F", "20261110", "not understood"),
    ],
)
async def test_what_cannot_be_drawn_is_listed_with_the_reason(
    lab: Laboratory, say: Said, line: str, day: str, why: str
) -> None:
    await say("F1", line, day=day)
    found = timeline_of(lab)
    assert left_out(found) == {"M2:OBX[1]": why}
    assert not [one for one in found.series if any(point.place == "M2:OBX[1]" for point in one.points)]
    page = Page(printed("timeline", found))
    (told,) = (row for row in page.tables[0] if row[-1] == "M2:OBX[1]")
    assert told[-2] == f"no: {why}"
    assert "not drawn, in the table: 1" in " ".join(page.text.split())


async def test_a_case_without_anything_to_draw_has_no_chart_and_its_table(lab: Laboratory, say: Said) -> None:
    held, case = held_of(lab), case_of(lab)
    words = [msgspec.structs.replace(one, collected_estimated=True) for one in held.results]
    page = Page(printed("timeline", timeline(words, case.outcome)))
    assert "Nothing can be drawn." in page.text
    assert len(page.tables[0]) == 2
    assert not [one for _tag, one in page.tags if "data-timeline" in one]
    empty = Page(printed("timeline", timeline((), case.outcome)))
    assert empty.tables == []


# ---------------------------------------------------------------- the page


async def test_the_chart_is_given_json_and_the_table_says_the_same(lab: Laboratory, say: Said) -> None:
    await say("F1", by(obx(CK, "7800"), "L'Autre <b>"), obx(CLIA, "90"))
    found = timeline_of(lab)
    page = Page(printed("timeline", found))
    (sent,) = (one["data-timeline"] for _tag, one in page.tags if "data-timeline" in one)
    read = json.loads(sent or "")
    assert [one["name"] for one in read["series"]] == ["CK, enzymatic", "anti-HMGCR, ELISA/CLIA", "anti-SRP, blot"]
    places = {point["place"]: point for one in read["series"] for point in one["points"]}
    assert {row[-1] for row in page.tables[0] if row[-2] == "yes"} == set(places)
    assert (places["M2:OBX[1]"]["laboratory"], places["M2:OBX[1]"]["elsewhere"]) == ("L'Autre <b>", True)
    assert not timeline_of(lab, frozenset({"L'Autre <b>"})).series[0].points[0].elsewhere
    assert set(read["words"]) == set(CHART_WORDS)


async def test_an_infusion_that_was_stated_is_marked_on_its_day(lab: Laboratory, say: Said) -> None:
    held, case = held_of(lab), case_of(lab)
    at = held.results[0].received
    given = [
        ContextItem(kind=ContextKind.IVIG_DATE, value="2026-02-03", stated=at),
        ContextItem(kind=ContextKind.IVIG_DATE, value="2026-02-03", stated=at),
        ContextItem(kind=ContextKind.STATIN, value="Y", stated=at),
    ]
    found = timeline(held.results, case.outcome, given)
    assert [(one.day, one.words) for one in found.marks] == [("2026-02-03", "immunoglobulins given")]
    assert json.loads(found.chart(str.upper))["marks"] == [{"day": "2026-02-03", "words": "IMMUNOGLOBULINS GIVEN"}]
    assert "as stated with the order" in Page(printed("timeline", found)).text


async def test_every_word_of_the_time_line_has_its_french(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(CLIA, "40"), obx(CK, "7800"), day="20261101")
    await say("F2", obx(CLIA, "90") + "||||||ELISA^ELISA^L", day="20261102")
    await say("F3", obx(CK, "7800", "P"), day="")
    asked = Asked("fr")
    printed("timeline", timeline_of(lab), asked)
    reasons = (
        "collection day estimated", "a titre", "in words", "no limit to read it by", "immunoglobulins given",
        "zero has no place on a logarithmic scale", "final without a value", "specimen not validated for this test",
        "Nothing can be drawn.", "as stated with the order", "method not known",
    )  # fmt: skip
    assert {one for one in (*asked.asked, *reasons) if one not in asked.known} == set()


async def test_methods_of_a_break_are_named_in_the_readers_words(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "22") + "||||||immunodot^dot blot^L", day="20261101")
    page = Page(printed("timeline", timeline_of(lab), Asked("fr")))
    told = " ".join(page.text.split())
    assert "changement de technique 2026-01-01 / 2026-11-01, immunodot en ligne euroline-16 → immunodot" in told


def test_the_chart_is_vendored_with_its_licence_and_writes_no_markup() -> None:
    static = FOLDER / "static"
    assert "v1.6.32" in (static / "uplot.min.js").read_text(encoding="utf-8")[:80]
    assert "MIT" in (static / "uplot.LICENSE.txt").read_text(encoding="utf-8")
    script = (static / "timeline.js").read_text(encoding="utf-8")
    for word in (
        "innerHTML",
        "insertAdjacentHTML",
        "eval(",
        'setAttribute("style"',
        "document.write",
        "http://",
        "https://",
    ):
        assert word not in script, word
    for sheet in ("evidence.css", "uplot.min.css"):
        text = (static / sheet).read_text(encoding="utf-8")
        assert "url(" not in text
        assert "@import" not in text
