"""A row of a case file becomes what a laboratory would have sent: each column in its place, nothing filled in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from rows_cases import Row, blot, case, ck, elisa, hep2, readers, results

from labbridge.model.report import EntityId, Observation, Order, Report
from labbridge.model.values import Coding, Missing, SentText
from labbridge.offline import case_history
from labbridge.rows import case as case_rows


def reports(*rows: Row, **more: Any) -> list[Report]:
    return [report for report, _received in case_rows.reports(case(*rows, **more))]


def order(sent: Row) -> Order:
    (report,) = reports(sent)
    (found,) = report.orders
    return found


def observation(sent: Row) -> Observation:
    return order(sent).observations[0]


# ---------------------------------------------------------------- columns


def test_a_full_antibody_row() -> None:
    found = order(blot("14,5", placer="P7", note="weak band", reason="second look", specimen_note="haemolytic"))
    (one,) = found.observations
    assert found.filler == EntityId("S1")
    assert found.placer == EntityId("P7")
    assert one.codes == (Coding("SRP", "", "L"),)
    assert one.values == (SentText("14,5"),)
    assert one.unit == Coding("intensity", "intensity")
    assert one.methods == (Coding("line_blot", "EUROLINE Myositis", "LABBRIDGE"),)
    assert one.equipment == ("euroimmun",)
    assert one.notes == ("weak band", "second look")
    assert (one.status, one.reference_range, one.missing) == ("F", "", None)
    assert [tube.type[0].code for tube in found.specimens] == ["serum"]
    assert found.specimens[0].notes == ("haemolytic",)


def test_what_a_row_leaves_out_is_absent() -> None:
    (found,) = reports({"filler": "X1", "analyte": "CK", "collected": "2026-02-02", "received": "2026-02-04"})
    (one,) = found.orders[0].observations
    assert (one.values, one.missing, one.unit, one.reference_range) == ((), Missing.ABSENT, None, "")
    assert (one.status, one.methods, one.equipment, one.notes) == ("", (), (), ())
    assert found.orders[0].specimens == ()
    assert found.orders[0].placer == EntityId("")


@pytest.mark.parametrize("value", ["0", "<7", ">1:1280", " 12 ", "Négatif", "1.2300"])
def test_a_value_stands_exactly_as_sent(value: str) -> None:
    assert observation(ck(value)).values == (SentText(value),)


@pytest.mark.parametrize(
    ("changes", "low", "high"),
    [
        ({"ref_low": 26, "ref_high": 170}, "26", "170"),
        ({"ref_low": 0, "ref_high": 170}, "0", "170"),
        ({"ref_low": "", "ref_high": 170}, None, "170"),
        ({"ref_low": 0.65, "ref_high": 3.17, "unit": "µkat/L"}, "39", "190.2"),
        ({"ref_low": 26, "ref_high": ""}, "26", None),
    ],
)  # fmt: skip
def test_limits_come_with_the_result_in_its_unit(changes: Row, low: str | None, high: str | None) -> None:
    found = results(ck("100", **changes))[0]
    assert found.lower_limit == (None if low is None else Decimal(low))
    if high is not None:
        assert found.upper_limit == Decimal(high)
        assert not found.upper_limit_assumed


def test_a_cut_off_is_the_first_value_that_is_not_negative() -> None:
    assert observation(elisa("6", cutoff=1.0)).reference_range == "<1.0"


# ---------------------------------------------------------------- HEp-2, other antibodies


def test_screen_titre_and_pattern_are_three_observations_of_one_order() -> None:
    found = order(hep2("Positive", titre="1:320", pattern="AC-19", note="read twice"))
    assert [(one.codes[0].code, one.values[0]) for one in found.observations] == [
        ("ANA_HEP2", SentText("Positive")), ("ANA_HEP2_TITRE", SentText("1:320")), ("ANA_HEP2_PATTERN", SentText("AC-19")),
    ]  # fmt: skip
    assert [one.notes for one in found.observations] == [("read twice",), (), ()]
    assert len(results(hep2("Positive", titre="1:320", pattern="AC-19"))) == 1


@pytest.mark.parametrize(
    ("name", "antigen"),
    [
        ("Jo-1", "JO1"), ("PL-7", "PL7"), ("PL-12", "PL12"), ("EJ", "EJ"), ("OJ", "OJ"), ("KS", "KS"), ("Zo", "ZO"),
        ("Ha", "HA"), ("Mi-2", "MI2"), ("MDA5", "MDA5"), ("NXP2", "NXP2"), ("SAE", "SAE"),
        ("TIF1-gamma", "TIF1G"),
        ("Mi-2 alpha", "MI2"),
        ("Mi-2 beta", "MI2"),
    ],
)  # fmt: skip
def test_another_antibody_goes_by_the_name_of_the_specification(name: str, antigen: str) -> None:
    found = results(blot("40", analyte=f"OTHER_MSA:{name}"))
    assert [(one.analyte.value, one.antigen) for one in found] == [("OTHER_MSA", antigen)]


# ---------------------------------------------------------------- versions


def test_each_row_is_a_message_of_its_own_even_when_it_repeats_a_filler() -> None:
    found = reports(blot("55"), blot("5", status="C"), ck("90"))
    assert [report.control_id for report in found] == ["S1@1", "S1@2", "K1@3"]
    assert {report.lane for report in found} == {"p:CASE|T-1"}
    assert [report.orders[0].observations[0].status for report in found] == ["F", "C", "F"]
    first, second, other = results(blot("55"), blot("5", status="C"), ck("90"))
    assert first.key == second.key != other.key


# ---------------------------------------------------------------- context


@pytest.mark.parametrize(
    ("context", "stated"),
    [
        ({"suspicion": True, "statin": "yes"}, [("SUSPECT_IIM", "Y"), ("STATIN", "Y")]),
        ({"suspicion": False, "statin": "no"}, [("SUSPECT_IIM", "N"), ("STATIN", "N")]),
        ({"suspicion": True, "statin": "unknown"}, [("SUSPECT_IIM", "Y"), ("STATIN", "U")]),
        ({"statin": False}, [("STATIN", "N")]),
        ({"ivig_last_date": "2026-01-10"}, [("IVIG_DATE", "2026-01-10")]),
        ({"clinical_info": "suspected myositis on a statin, IVIG 2026-01-10, known anti-SRP"}, []),
        ({}, []),
    ],
    ids=["both yes", "both no", "unknown", "yaml's own no", "infusion", "free text is never parsed", "nothing"],
)
def test_context_is_what_is_stated_and_no_more(context: Row, stated: list[tuple[str, str]]) -> None:
    found = case_history(case(ck("90"), context=context), readers()).context
    assert [(item.kind.value, item.value) for item in found] == stated


def test_known_antibodies_with_their_day_and_partner() -> None:
    known = [
        {"analyte": "HMGCR", "confirmed": True, "since": "2024-02-01", "partner_tested": True},
        {"analyte": "SRP", "confirmed": False, "since": "2023-01-01", "partner_tested": False},
    ]
    found = case_history(case(ck("90"), context={"known_msa": known}), readers()).context
    assert [(item.kind.value, item.value, item.since) for item in found] == [
        ("KNOWN_MSA", "HMGCR", date(2024, 2, 1)), ("KNOWN_MSA_PARTNER", "Y", None),
    ]  # fmt: skip


def test_a_comment_posted_before_was_written_from_the_first_versions() -> None:
    now = datetime(2026, 2, 6, tzinfo=UTC)
    sent = case(blot("55"), blot("5", status="C"), ck("90"), context={"comment_already_posted": "C01"})
    (posted,) = case_rows.posted(sent, now)
    assert (posted.comment_class, posted.posted.date()) == ("C01", date(2026, 2, 5))
    assert set(posted.used) == {
        one.ref for one in case_history(sent, readers()).results if not one.ref.startswith("S1@2")
    }
    assert case_rows.posted(case(ck("90")), now) == ()
