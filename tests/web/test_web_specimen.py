"""The specimens of a case, and until when a test may be added on: the policy's window counted in days, at its boundaries."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

import msgspec
import pytest
from evidence_parts import BLOT, CK, Said, matrix_of, obx
from story_parts import NOON
from web_parts import TEXTS, Bench

from labbridge.interpret.on_hand import WINDOWS
from labbridge.knowledge.documents import Source
from labbridge.model.reference import AddOnWindow, Reference
from labbridge.sources import reference_of
from labbridge.web.application import application
from labbridge.web.views.clock import Age, age
from labbridge.web.views.entries import Entry
from labbridge.web.views.specimen import Tube, add_ons, tubes

DAY = date(2026, 11, 10)
NONE = frozenset[str]()
SERUM = "SPM|1|S-1&MYOLIS^S-1&MYOLIS||SER^Serum^HL70487"
SHIPPED = reference_of(TEXTS).windows


def window(analyte: str, days: int, **more: object) -> AddOnWindow:
    given = {"analyte": analyte, "days": days, "tag": "CONVENTION", "source": "clinical.md C10.40", **more}
    return msgspec.convert(given, AddOnWindow)


FORTNIGHT = (window("SRP", 14), window("CK", 14))


# ---------------------------------------------------------------- the window


@pytest.mark.parametrize(("passed", "left"), [(0, 14), (1, 13), (13, 1), (14, 0), (15, -1), (400, -386)])
def test_the_day_of_collection_is_day_0_and_the_last_day_counts(passed: int, left: int) -> None:
    (only,) = add_ons(FORTNIGHT, DAY, DAY + timedelta(days=passed), NONE)
    assert (only.left, only.last, only.days) == (left, "2026-11-24", 14)


def test_a_day_that_is_not_known_or_lies_ahead_gives_no_countdown() -> None:
    (unknown,), (ahead,) = add_ons(FORTNIGHT, None, DAY, NONE), add_ons(FORTNIGHT, DAY, DAY - timedelta(days=1), NONE)
    assert (unknown.left, unknown.last) == (None, "")
    assert ahead.left is None


def test_a_window_of_no_day_is_over_the_day_after() -> None:
    (only,) = add_ons((window("SRP", 0),), DAY, DAY, NONE)
    assert only.left == 0
    (only,) = add_ons((window("SRP", 0),), DAY, DAY + timedelta(days=1), NONE)
    assert only.left == -1


def test_analytes_of_one_window_stand_together_and_others_apart() -> None:
    found = add_ons((*FORTNIGHT, window("HMGCR", 7)), DAY, DAY, frozenset({"HMGCR"}))
    assert [(one.analytes, one.days, one.proposed) for one in found] == [
        (("SRP", "CK"), 14, False),
        (("HMGCR",), 7, True),
    ]


def test_a_window_is_reviewed_when_each_of_its_numbers_is() -> None:
    (half,) = add_ons((window("SRP", 14, reviewed=["A. Smith"]), window("CK", 14)), DAY, DAY, NONE)
    (whole,) = add_ons((window("SRP", 14, reviewed=["A. Smith"]),), DAY, DAY, NONE)
    assert (half.reviewed, whole.reviewed) == (False, True)


def test_no_window_is_invented() -> None:
    assert add_ons((), DAY, DAY, NONE) == ()


def test_the_policy_gives_a_window_for_each_analyte_with_its_tag_and_source() -> None:
    assert {one.analyte for one in SHIPPED} == set(WINDOWS)
    assert all(one.tag == "CONVENTION" and "C10.40" in one.source and not one.reviewed for one in SHIPPED)


def test_a_site_has_a_window_of_its_own() -> None:
    text = "- {id: add_on_srp_d, value: 3, unit: d, tag: VERIFIED, source: our validation 12, reviewed: [A. Smith]}\n"
    found = {one.analyte: one for one in reference_of([*TEXTS, Source("policy.yaml", text, True)]).windows}
    assert (found["SRP"].days, found["SRP"].tag, found["SRP"].reviewed) == (3, "VERIFIED", ("A. Smith",))
    assert found["CK"].days == 14


# ---------------------------------------------------------------- the specimens


def tubes_of(bench: Bench, now: datetime = NOON, windows: tuple[AddOnWindow, ...] = SHIPPED) -> tuple[Tube, ...]:
    return tubes(matrix_of(bench.lab).entries, windows, NONE, now)


async def test_a_specimen_has_its_number_material_and_age(bench: Bench) -> None:
    await Said(bench.lab)("F1", obx(BLOT, "58"), obx(CK, "900"), more=SERUM)
    (only,) = tubes_of(bench)
    assert (only.number, only.material, only.collected) == ("S-1", "Serum", "2026-11-10 09:15")
    assert set(only.analytes) == {"anti-SRP", "CK"}
    assert only.age == Age(3, "d")
    assert (only.against, only.not_validated) == ((), ())
    assert [one.left for one in only.windows] == [11]


async def test_the_days_are_those_of_the_collections_own_zone(bench: Bench) -> None:
    """Collected on the 10th at 09:15+01:00: a window of 14 days ends with the 24th there, an hour before it does in UTC."""
    await Said(bench.lab)("F1", obx(BLOT, "58"))
    paris = timezone(timedelta(hours=1))
    for moment, left in (
        (datetime(2026, 11, 24, 23, 59, tzinfo=paris), 0),
        (datetime(2026, 11, 25, 0, 0, tzinfo=paris), -1),
        (datetime(2026, 11, 24, 23, 0, tzinfo=UTC), -1),
    ):
        (only,) = tubes_of(bench, moment)
        assert [one.left for one in only.windows] == [left], moment


async def test_without_a_number_those_of_one_collection_are_one_specimen(bench: Bench) -> None:
    said = Said(bench.lab)
    await said("F1", obx(BLOT, "58"))
    await said("F2", obx(CK, "900"))
    await said("F3", obx(CK, "800"), day="20261101")
    found = tubes_of(bench)
    assert [(one.number, one.collected) for one in found] == [("", "2026-11-10 09:15")]
    assert set(found[0].analytes) == {"anti-SRP", "CK"}


def changed(entry: Entry, **result: object) -> Entry:
    return msgspec.structs.replace(entry, result=msgspec.structs.replace(entry.result, **result))


async def test_what_speaks_against_a_specimen_is_told(bench: Bench) -> None:
    await Said(bench.lab)("F1", obx(BLOT, "58"), more=SERUM)
    (one,) = matrix_of(bench.lab).entries
    (poor,) = tubes([changed(one, quality_poor=True)], SHIPPED, NONE, NOON)
    (empty,) = tubes([changed(one, used_up=True)], SHIPPED, NONE, NOON)
    (both,) = tubes([changed(one, quality_poor=True, used_up=True)], SHIPPED, NONE, NOON)
    assert [of.against for of in (poor, empty, both)] == [
        ("poor specimen",),
        ("used up",),
        ("poor specimen", "used up"),
    ]


async def test_a_stated_material_that_is_not_validated_is_told(bench: Bench) -> None:
    await Said(bench.lab)("F1", obx(BLOT, "58"), more="SPM|1|S-1&MYOLIS^S-1&MYOLIS||CSF^Cerebrospinal fluid^HL70487")
    (only,) = tubes_of(bench)
    assert (only.material, only.not_validated) == ("Cerebrospinal fluid", ("anti-SRP",))


async def test_an_estimated_day_gives_neither_age_nor_countdown(bench: Bench) -> None:
    await Said(bench.lab)("F1", obx(BLOT, "58"))
    (one,) = matrix_of(bench.lab).entries
    (only,) = tubes([changed(one, collected_estimated=True)], SHIPPED, NONE, NOON)
    assert (only.age, only.estimated, [of.left for of in only.windows]) == (None, True, [None])


def test_nothing_held_is_no_specimen() -> None:
    assert tubes((), SHIPPED, NONE, NOON) == ()


# ---------------------------------------------------------------- on the page


def flat(page: str) -> str:
    card = page[page.index('id="specimen"') :]
    return " ".join(re.sub(r"<[^>]+>", " ", card[: card.index("</section>")]).split())


async def test_the_page_counts_down_and_says_where_the_number_is_from(bench: Bench) -> None:
    await Said(bench.lab)("F1", obx(BLOT, "58"), more=SERUM)
    told = flat(bench.signed_in().get("/cases/C1").text)
    assert "11 d left to add on" in told
    assert "2026-11-24" in told
    assert "CONVENTION, clinical.md C10.40 · validate locally" in told
    bench.clock.forward(days=11)
    assert "today is the last day to add on" in flat(bench.signed_in("bert").get("/cases/C1").text)
    bench.clock.forward(days=1)
    assert "add-on window over since 2026-11-24" in flat(bench.signed_in("carl").get("/cases/C1").text)


async def test_the_page_says_so_where_the_policy_gives_none(bench: Bench) -> None:
    bench.app = application(bench.parts._replace(reference=Reference()))
    await Said(bench.lab)("F1", obx(BLOT, "58"))
    assert "The policy gives no add-on window." in flat(bench.signed_in().get("/cases/C1").text)


# ---------------------------------------------------------------- how long ago


@pytest.mark.parametrize(
    ("passed", "found"),
    [
        (timedelta(0), Age(0, "min")),
        (timedelta(minutes=59, seconds=59), Age(59, "min")),
        (timedelta(minutes=60), Age(1, "h")),
        (timedelta(hours=23, minutes=59), Age(23, "h")),
        (timedelta(hours=24), Age(1, "d")),
        (timedelta(microseconds=-1), None),
    ],
)
def test_an_age_is_in_whole_units(passed: timedelta, found: Age | None) -> None:
    assert age(NOON, NOON + passed) == found
