"""The evidence matrix: what is held of a patient, each kind of standing told apart, nothing blank and nothing invented."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from evidence_parts import (
    BLOT,
    CK,
    CLIA,
    ELISA,
    HMGCR,
    MUCH,
    SLIDE,
    SRP,
    Asked,
    Laboratory,
    Page,
    Said,
    by,
    case_of,
    cell,
    entry,
    held_of,
    matrix_of,
    obx,
    of_nothing,
    order,
    oru,
    printed,
    slide,
)
from hypothesis import given
from hypothesis import strategies as st

from labbridge.acts import Acts
from labbridge.config import Config
from labbridge.store.bench import StoreBench
from labbridge.store.connection import Connection
from labbridge.web.views import entries, figures, signs
from labbridge.web.views.matrix import matrix

RAW_CK = "NM|2157-6^Creatine kinase^LN|1|{}|{}|{}|H|||{}"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Laboratory]:
    found = Laboratory(f"sqlite:///{tmp_path / 'lab.db'}")
    yield found
    found.close()


@pytest.fixture
def say(lab: Laboratory) -> Said:
    return Said(lab)


# ---------------------------------------------------------------- rows, columns, cells


async def test_a_case_has_four_rows_and_says_what_was_not_done(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"))
    found = matrix_of(lab)
    assert [row.name for row in found.rows] == [SRP, HMGCR, SLIDE, MUCH]
    names = [column.name for column in found.columns]
    assert [one for one in names if one in ("blot", "ELISA/CLIA", "HEp-2 IIF", "enzymatic")] == names[:2] + names[-2:]
    one = entry(found, SRP, "blot")
    assert (one.sign.letter, one.sign.words, one.text, one.unit) == ("P+", "strongly positive", "58", "intensity")
    assert (one.day, one.status, one.place, one.message) == ("2026-11-10", "final", "M1:OBX[1]", "M1")
    page = Page(printed("matrix", found))
    assert all(text for row in page.tables[0] for text in row), "a blank cell"
    rows = {row[0].partition(",")[0]: row for row in page.tables[0][1:]}
    assert rows[MUCH][1:] == ["–does not apply"] * (len(names) - 1) + ["not done, proposed"]


async def test_what_the_case_proposes_is_a_column_and_said_in_its_cell(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "14"))
    case, found = case_of(lab), matrix_of(lab)
    families = {family for one in case.outcome.retests if one.analyte == "SRP" for family in one.families}
    assert families, "nothing is proposed: this test needs another result"
    proposed = {column.family for column in found.columns if cell(found, SRP, column.name).proposed}
    assert proposed == families
    assert not cell(found, SRP, "HEp-2 IIF").applies


async def test_a_case_of_which_nothing_is_held_is_all_not_done(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"))
    found = of_nothing(case_of(lab).outcome)
    assert not found.entries
    page = Page(printed("matrix", found))
    assert all(text for row in page.tables[0] for text in row)
    assert "All results as they were sent" not in page.text


async def test_two_methods_of_a_family_stand_side_by_side_and_older_ones_are_counted(
    lab: Laboratory, say: Said
) -> None:
    await say("F1", obx(CLIA, "90"), day="20261101")
    await say("F2", obx(CLIA, "80"), day="20261110")
    await say("F3", obx(CLIA, "3") + "||||||ELISA^ELISA^L", day="20261109")
    found = cell(matrix_of(lab), HMGCR, "ELISA/CLIA")
    assert [(one.text, one.method.code) for one in found.shown if one.method] == [("80", "clia"), ("3", "elisa")]
    assert found.more == 1
    assert [one.day for one in found.entries] == ["2026-11-10", "2026-11-09", "2026-11-01"]


async def test_other_antibodies_and_creatinine_have_rows_of_their_own(lab: Laboratory, say: Said) -> None:
    creatinine = "NM|14682-9^Creatinine^LN|1|45|umol/L|59-104|L|||F"
    jo1 = "ST|99069-7^Jo-1 Ab^LN|1|Positive|||A|||F|||||||line blot"
    await say("F1", obx(BLOT, "58"), obx(CK, "7800"), creatinine, jo1)
    found = matrix_of(lab)
    assert [row.name for row in found.rows] == [SRP, HMGCR, SLIDE, MUCH, "anti-JO1", "creatinine"]
    assert entry(found, "creatinine", "enzymatic").sign == signs.BELOW
    assert entry(found, "anti-JO1", "blot").sign.words == "low positive"


async def test_a_result_of_an_unknown_method_has_a_column_and_no_category(lab: Laboratory, say: Said) -> None:
    await say("F1", "NM|HMGCRX^Anti-HMGCR antibodies^L|1|90|CU|<20|A|||F", obx(BLOT, "58"))
    one = entry(matrix_of(lab), HMGCR, "method not known")
    assert (one.sign.letter, one.sign.words, one.method, one.distance) == ("!", "not understood", None, None)
    assert "method not known" in one.problems


# ---------------------------------------------------------------- standing


@pytest.mark.parametrize(
    ("status", "name", "letter", "words"),
    [
        ("F", "final", "P+", "strongly positive"),
        ("C", "corrected", "P+", "strongly positive"),
        ("P", "pending", "…", "pending"),
        ("X", "cancelled", "×", "cancelled"),
        ("D", "withdrawn", "W", "withdrawn"),
        ("?", "unknown", "!", "status unknown"),
    ],
)
async def test_each_standing_reads_differently(
    lab: Laboratory, say: Said, status: str, name: str, letter: str, words: str
) -> None:
    await say("F0", obx(CK, "7800"), obx(CLIA, "90"))
    await say("F1", obx(BLOT, "58", status))
    found = matrix_of(lab)
    one = entry(found, SRP, "blot")
    assert (one.status, one.sign.letter, one.sign.words) == (name, letter, words)
    assert one.result.status_code == status
    assert (one.distance is not None) is one.standing, "a distance of what does not stand"
    page = Page(printed("matrix", found))
    shown = page.tables[0][1][1]
    assert "58" in shown
    assert (words if not one.standing else "58") in shown
    assert ("s", {}) in page.tags or name not in ("cancelled", "withdrawn")


async def test_the_newest_version_counts_and_those_before_are_its_history(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"))
    await say("F1", obx(BLOT, "14", "C"))
    one = entry(matrix_of(lab), SRP, "blot")
    assert (one.text, one.status, one.sign.words) == ("14", "corrected", "low positive")
    assert [(old.text, old.status, old.place) for old in one.earlier] == [("58", "final", "M1:OBX[1]")]
    assert (one.rests, one.contradicts) == (True, False)
    page = Page(printed("matrix", matrix_of(lab)))
    assert any("earlier version" in row[0] and "58" in row[2] for row in page.tables[1])


async def test_two_final_values_contradict_each_other_until_a_correction(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"), obx(CK, "7800"))
    await say("F1", obx(BLOT, "2"))
    one = entry(matrix_of(lab), SRP, "blot")
    assert (one.contradicts, one.sign.letter, one.sign.words) == (True, "!", "contradicts an earlier version")
    await say("F1", obx(BLOT, "2"))
    assert entry(matrix_of(lab), SRP, "blot").contradicts, "said again, and still contradicted"
    await say("F1", obx(BLOT, "2", "C"))
    assert entry(matrix_of(lab), SRP, "blot").sign.words == "negative"


async def test_a_final_value_after_a_withdrawal_contradicts_nothing(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"), obx(CK, "7800"))
    await say("F1", obx(BLOT, "58", "D"))
    await say("F1", obx(BLOT, "14"))
    one = entry(matrix_of(lab), SRP, "blot")
    assert (one.contradicts, one.sign.words, len(one.earlier)) == (False, "low positive", 2)


async def test_a_status_that_finalises_shows_the_value_sent_before(lab: Laboratory, say: Said) -> None:
    await say("F0", obx(CK, "7800"))
    await say("F1", obx(BLOT, "58", "P"))
    await say("F1", obx(BLOT, "", "U"))
    one = entry(matrix_of(lab), SRP, "blot")
    assert (one.text, one.status, one.carried, one.place) == ("58", "final", True, "M3:OBX[1]")
    assert "value sent before" in Page(printed("matrix", matrix_of(lab))).text


async def test_a_value_that_was_withdrawn_is_finalised_by_nothing(lab: Laboratory, say: Said) -> None:
    await say("F0", obx(CK, "7800"))
    await say("F1", obx(BLOT, "58", "P"))
    await say("F1", obx(BLOT, "", "D"))
    await say("F1", obx(BLOT, "", "U"))
    one = entry(matrix_of(lab), SRP, "blot")
    assert (one.text, one.missing, one.carried, one.sign.words) == ("", "no value", False, "final without a value")


@pytest.mark.parametrize(("value", "missing"), [("", "no value"), ('""', "deleted by the sender")])
async def test_what_is_missing_is_said_and_is_no_zero(lab: Laboratory, say: Said, value: str, missing: str) -> None:
    await say("F0", obx(CK, "7800"), obx(CLIA, "90"))
    await say("F1", obx(BLOT, value))
    one = entry(matrix_of(lab), SRP, "blot")
    assert (one.text, one.missing, one.sign.words) == ("", missing, "final without a value")
    await say("F2", obx(BLOT, "0"), day="20261111")
    zero = cell(matrix_of(lab), SRP, "blot").entries[0]
    assert (zero.text, zero.missing, zero.sign.words) == ("0", "", "negative")
    assert zero.distance is not None
    assert zero.distance.times == "0"


# ---------------------------------------------------------------- numbers and limits


async def test_a_distance_is_told_from_the_limit_that_was_used(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"), obx(ELISA, "60"), obx(CLIA, "90"), obx(CK, "7800"))
    found = matrix_of(lab)
    told = {
        (row, column): (one.distance.times, one.distance.limit, one.distance.what, one.limits_source)
        for row, column in ((SRP, "blot"), (SRP, "ELISA/CLIA"), (HMGCR, "ELISA/CLIA"), (MUCH, "enzymatic"))
        if (one := entry(found, row, column)).distance is not None
    }
    assert told == {
        (SRP, "blot"): ("5.28", "11", "positive limit", figures.OWN),
        (SRP, "ELISA/CLIA"): ("3", "20", "positive limit", figures.SENT),
        (HMGCR, "ELISA/CLIA"): ("4.5", "20", "positive limit", figures.SENT),
        (MUCH, "enzymatic"): ("41.1", "190", "upper limit", figures.SENT),
    }
    blot = entry(found, SRP, "blot")
    assert [(one.words, one.how, one.number) for one in blot.limits] == [
        ("equivocal", "from", "6"), ("low positive", "from", "11"), ("strongly positive", "from", "26"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "letter", "times"),
    [(">22000", "H", "> 116"), ("<20", "L", "< 0.105"), ("<100", "–", "< 0.526"), (">100", "–", "> 0.526"),
     ("190", "N", "1")],
)  # fmt: skip
async def test_a_comparator_stays_and_leaves_open_what_it_leaves_open(
    lab: Laboratory, say: Said, sent: str, letter: str, times: str
) -> None:
    await say("F0", obx(BLOT, "58"))
    await say("F1", RAW_CK.format(sent, "U/L", "39-190", "F"))
    one = entry(matrix_of(lab), MUCH, "enzymatic")
    assert one.sign.letter == letter
    assert one.distance is not None
    assert one.distance.times == times


async def test_an_antibody_that_its_comparator_leaves_open_has_no_category(lab: Laboratory, say: Said) -> None:
    await say("F0", obx(BLOT, "58"))
    await say("F1", obx(CLIA, "<30"))
    assert entry(matrix_of(lab), HMGCR, "ELISA/CLIA").sign == signs.OPEN


async def test_another_unit_is_converted_beside_what_was_sent(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"), RAW_CK.format("130", "ukat/L", "0.7-3.2", "F"))
    one = entry(matrix_of(lab), MUCH, "enzymatic")
    assert (one.text, one.unit, one.converted) == ("130", "ukat/L", "7800 U/L")
    assert one.distance is not None
    assert (one.distance.times, one.distance.limit) == ("40.7", "192")


async def test_an_unknown_unit_has_no_distance_from_an_assumed_limit(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"), RAW_CK.format("130", "parsec", "", "F"))
    one = entry(matrix_of(lab), MUCH, "enzymatic")
    assert (one.sign.words, one.distance, one.problems) == ("not understood", None, ("unit not known",))


async def test_a_limit_that_nobody_sent_is_called_assumed(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"), RAW_CK.format("7800", "U/L", "", "F"))
    found = matrix_of(lab)
    one = entry(found, MUCH, "enzymatic")
    assert (one.limit_assumed, one.limits_source) == (True, figures.ASSUMED)
    assert "assumed limit" in Page(printed("matrix", found)).tables[0][4][4]


@given(number=st.decimals("0.01", "100000", places=2), limit=st.decimals("1", "1000", places=1))
def test_a_multiple_never_reads_as_on_the_limit_it_is_beside(number: Decimal, limit: Decimal) -> None:
    times = number / limit
    shown = Decimal(figures.multiple(times))
    assert (shown > 1, shown < 1, shown == 1) == (times > 1, times < 1, times == 1)
    assert abs(shown - times) <= times / 100
    assert "E" not in figures.multiple(times)


# ---------------------------------------------------------------- HEp-2, method, specimen, laboratory


@pytest.mark.parametrize(
    ("lines", "letter", "words", "titre", "codes"),
    [
        (slide("POS^Positive^L", "^1^:^640", "AC-19^dense fine^ICAP"), "P", "compatible cytoplasmic", "1:640", ("AC-19",)),
        (slide("POS^Positive^L", "^1^:^320", "AC-4^fine speckled^ICAP"), "P", "nuclear", "1:320", ("AC-4",)),
        (slide("POS^Positive^L", "^1^:^320", "AC-21^AMA^ICAP"), "P", "other cytoplasmic", "1:320", ("AC-21",)),
        (slide("NEG^Negative^L", "<^1^:^80", "AC-0^Negative^ICAP"), "N", "negative, nothing said of the cytoplasm",
         "< 1:80", ()),
        (slide("POS^Positive^L", "^1^:^160", "")[:2], "P", "positive, no pattern given", "1:160", ()),
    ],
)  # fmt: skip
async def test_a_slide_is_told_by_pattern_titre_and_code(
    lab: Laboratory, say: Said, lines: tuple[str, ...], letter: str, words: str, titre: str, codes: tuple[str, ...]
) -> None:
    await say("F1", obx(BLOT, "58"))
    await say("F2", *lines)
    found = matrix_of(lab)
    one = entry(found, SLIDE, "HEp-2 IIF")
    assert (one.sign.letter, one.sign.words, one.titre, one.codes) == (letter, words, titre, codes)
    shown = Page(printed("matrix", found)).tables[0][3]
    assert any(titre in text and words in text for text in shown)


async def test_method_lot_dilution_notes_and_place_are_told(lab: Laboratory, say: Said) -> None:
    kit = obx(BLOT, "58") + "||||||QF^EUROLINE Autoimmune Inflammatory Myopathies 16 Ag (IgG)^L"
    await say("F1", kit, more="NTE|1||Strip read twice")
    found = matrix_of(lab)
    one = entry(found, SRP, "blot")
    assert one.method is not None
    assert (one.method.assay, one.method.source) == ("euroline-16", "OBX-17")
    assert one.result.notes == ("Strip read twice",)
    text = Page(printed("matrix", found)).tables[1][1]
    assert "euroline-16" in text[1]
    assert "known from: OBX-17" in text[1]
    assert "Strip read twice" in text[2]
    assert text[-1] == "M1:OBX[1]"


async def test_lots_and_dilution_stand_with_the_method(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"))
    held, case = held_of(lab), case_of(lab)
    made = msgspec.structs.replace(held.results[0], lots=("LOT-77", "LOT-78"), dilution="1:10")
    text = Page(printed("matrix", matrix([made], case.outcome))).tables[1][1][1]
    assert text.endswith("; lot LOT-77, LOT-78; dilution 1:10")


async def test_another_laboratory_is_named_and_read_only_and_none_is_guessed(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"))
    await say("F2", by(obx(CLIA, "90"), "CHU Elsewhere"))
    await say("F3", by(obx(CK, "7800"), "Own Lab"))
    found = matrix_of(lab)
    signed = {one.name: (one.laboratory, one.read_only) for one in found.entries}
    assert signed == {SRP: ("", False), HMGCR: ("CHU Elsewhere", True), MUCH: ("Own Lab", True)}
    assert found.laboratories == ("CHU Elsewhere", "Own Lab")
    told = {one.name: one.read_only for one in matrix_of(lab, frozenset({"Own Lab"})).entries}
    assert told == {SRP: False, HMGCR: True, MUCH: False}
    assert "CHU Elsewhere, read-only" in Page(printed("matrix", found)).text


async def test_a_day_that_stands_for_another_is_called_estimated(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"), day="")
    found = matrix_of(lab)
    assert entry(found, SRP, "blot").day_estimated
    assert "(estimated)" in Page(printed("matrix", found)).tables[0][1][1]


async def test_what_the_case_rests_on_is_marked(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"), obx(CK, "7800"))
    await say("F9", RAW_CK.format("150", "U/L", "39-190", "F"), day="20200110")
    case, found = case_of(lab), matrix_of(lab)
    rested = {one.place for one in found.entries if one.rests}
    assert rested == {*case.outcome.used, *(ref for flag in case.outcome.flags for ref in flag.evidence)}
    assert rested < {one.place for one in found.entries}
    assert (
        printed("matrix", found).count("◆") == len([one for one in found.entries if one.rests and one.day > "2021"]) + 1
    )


# ---------------------------------------------------------------- the page


async def test_the_table_is_one_for_screen_readers(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"), obx(CLIA, "90"), obx(CK, "7800"))
    page = Page(printed("matrix", matrix_of(lab)))
    heads = [attributes.get("scope") for tag, attributes in page.tags if tag == "th"]
    assert set(heads) == {"col", "row"}
    assert sum(tag == "caption" for tag, _attributes in page.tags) == len(page.tables) == 2
    assert page.tables[0][1][0] == "anti-SRP, results: 1; newest: 2026-11-10, strongly positive"
    assert page.tables[0][3][0] == "HEp-2, not done"
    assert not [one for one in page.tags if "style" in one[1] or one[0] in ("style", "script")]
    assert not [
        name for _tag, attributes in page.tags for name in attributes if name.startswith("on") or name == "title"
    ]


async def test_what_a_sender_writes_is_text_and_never_markup(lab: Laboratory, say: Said) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    await say("F1", by(obx(BLOT, "58"), nasty), obx(CK, "7800"), more=f"NTE|1||{nasty}")
    html = printed("matrix", matrix_of(lab))
    assert "<img" not in html
    assert html.count("&lt;img") >= 2


async def test_every_word_of_the_evidence_has_its_french(lab: Laboratory, say: Said) -> None:
    await say(
        "F1", obx(BLOT, "58"), obx(CLIA, "90"), obx(CK, "7800"), *slide("POS^Positive^L", "^1^:^640", "AC-19^x^ICAP")
    )
    await say("F1", obx(BLOT, "2"))
    await say("F2", obx(ELISA, "", "X"), day="")
    asked = Asked("fr")
    html = printed("matrix", matrix_of(lab), asked)
    listed = {
        *entries.FAMILIES.values(), *entries._NAMES.values(), *entries._MISSING.values(), *entries._PROBLEMS.values(),
        *(one.words for one in (*signs._OF_STATUS.values(), *signs._OF_CATEGORY.values())), *signs._PATTERNS.values(),
        *(one.words for one in (signs.OPEN, signs.NO_LIMIT, signs.ABOVE, signs.WITHIN, signs.BELOW)),
        figures.SENT, figures.ASSUMED, figures.OWN, "not negative", "positive limit",
    }  # fmt: skip
    assert {one for one in asked.asked | listed if one not in asked.known} == set()
    assert "fortement positif" in html
    assert "41,1 × 190" in html


# ---------------------------------------------------------------- reading


class Counted:
    """A connection that counts what it is asked."""

    def __init__(self, real: Connection) -> None:
        self._real, self.asked = real, list[str]()

    def execute(self, sql: str, parameters: object = (), /) -> object:
        self.asked.append(sql)
        return self._real.execute(sql, parameters)  # type: ignore[arg-type]


def merged(number: int, prior: str, surviving: str) -> bytes:
    msh = f"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113130000+0100||ADT^A40|X{number}|P|2.5.1||||||UNICODE UTF-8"
    pid = f"PID|1||{surviving}^^^LABA^MR||TEST^SYNTHETIC||19690417|M\rMRG|{prior}^^^LABA^MR"
    return f"{msh}\rEVN||20261113130000+0100\r{pid}\r".encode()


@pytest.fixture
def anyone(place: str) -> Iterator[Laboratory]:
    found = Laboratory(place)
    yield found
    found.close()


async def test_all_lanes_of_a_patient_are_read_in_four_statements(anyone: Laboratory) -> None:
    say = Said(anyone)
    await say("F1", obx(BLOT, "58"), patient="PT1")
    counted = []
    for number in range(2, 6):
        await say(f"F{number}", obx(CK, f"{number}800"), patient=f"PT{number}")
        await anyone.take(merged(number, f"PT{number}", "PT1"))
        asked = Counted(anyone.rows)
        found = StoreBench(asked).held(1)  # type: ignore[arg-type]
        assert found is not None
        assert len(found.results) == number
        counted.append(len(asked.asked))
    assert counted == [4, 4, 4, 4]
    assert StoreBench(anyone.rows).held(999) is None


async def test_what_a_person_said_is_of_somebody_else_is_left_out(anyone: Laboratory) -> None:
    config = Config.model_validate({"feeds": {"myolis": {"timezone": "Europe/Paris"}}})
    await Said(anyone)("F1", obx(BLOT, "58"))
    await anyone.take(of_somebody_else("K9"))
    (key,) = anyone.rows.execute("SELECT max(id) FROM journal").fetchone()
    request = {"command": "identity", "keys": [f"M{key}"], "as": "Alex Smith", "verdict": "other"}
    answer = Acts(config, (), anyone.desk, anyone.clock).perform(request)
    assert all(one["ok"] for one in answer["done"]), answer
    anyone.process()
    assert anyone.rows.execute("SELECT count(*) FROM results WHERE lane = 'p:LABA|PT1'").fetchone() == (2,)
    found = StoreBench(anyone.rows).held(1)
    assert found is not None
    assert {one.analyte.value for one in found.results} == {"SRP"}


def of_somebody_else(control_id: str) -> bytes:
    """A CK under the same number, of somebody born on another day with another name."""
    plain = oru(control_id, order("F7", obx(CK, "7800")), patient="PT1", sent="20261113180000+0100").decode()
    return plain.replace("TEST^SYNTHETIC||19690417", "OTHER^SOMEBODY||20010101").encode()


async def test_what_is_damaged_on_the_disk_is_named_and_not_shown(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"))
    await say("F2", obx(CK, "7800"))
    whole = StoreBench(lab.rows).held(1)
    lab.writer.submit(
        lambda connection: connection.execute("UPDATE results SET crc = crc + 1 WHERE message = 2")
    ).result()
    found = StoreBench(lab.rows).held(1)
    assert whole is not None
    assert found is not None
    assert (len(whole.results), whole.damaged) == (2, ())
    assert ([one.analyte.value for one in found.results], found.damaged) == (["SRP"], (2,))


async def test_the_order_in_which_versions_were_read_changes_nothing(lab: Laboratory, say: Said) -> None:
    await say("F1", obx(BLOT, "58"), obx(CK, "7800"))
    await say("F1", obx(BLOT, "14", "C"))
    await say("F2", obx(CLIA, "90"), day="20261111")
    held, case = held_of(lab), case_of(lab)
    first = matrix(held.results, case.outcome)
    for seed in range(6):
        mixed = random.Random(seed).sample(held.results, len(held.results))
        assert matrix(mixed, case.outcome) == first
