"""Which unknown codes may be ours (codes.md 6.4, reliability.md H8): by real names, labelled before this was written."""

from __future__ import annotations

import csv
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest
from panels import knowledge, local, obx, read, report

from labbridge.errors import Refuse
from labbridge.hl7 import reader
from labbridge.knowledge.build import build
from labbridge.knowledge.documents import Source
from labbridge.model.result import Analyte, Problem
from labbridge.model.values import Coding
from labbridge.normalise import HOLDING
from labbridge.normalise.resemblance import Resemblance, Resembles
from labbridge.sources import read_folder, shipped

LABELS = Path(__file__).resolve().parent.parent / "knowledge" / "labels.csv"


@lru_cache(maxsize=1)
def labels() -> list[dict[str, str]]:
    lines = LABELS.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@lru_cache(maxsize=1)
def resembles() -> Resembles:
    return Resembles(knowledge().terminology)


def like(name: str, unit: str = "", *, code: str = "", beside: str = "") -> Resemblance | None:
    return resembles().of((Coding(code, name, "L"),), unit, beside)


def of(label: dict[str, str]) -> Resemblance | None:
    return like(label["name"], label["unit"], code=label["code"])


def test_whoever_is_sure_is_right() -> None:
    wrong = [
        (label["code"], label["name"])
        for label in labels()
        if (one := of(label)) and one.sure and one.analyte != label["answer"]
    ]
    assert wrong == []


def test_what_is_none_of_ours_resembles_nothing_that_holds() -> None:
    held = {Analyte(one).value for one in HOLDING}
    raised = [
        (x["code"], x["name"]) for x in labels() if x["answer"] == "not_ours" and (one := of(x)) and one.analyte in held
    ]
    assert raised == []


def test_nearly_every_name_of_the_two_antibodies_is_seen() -> None:
    seen = Counter((x["answer"], of(x) is not None) for x in labels() if x["answer"] in ("SRP", "HMGCR", "CK"))
    for analyte in ("SRP", "HMGCR", "CK"):
        assert seen[analyte, True] / (seen[analyte, True] + seen[analyte, False]) >= 0.85, seen


@pytest.mark.parametrize(
    ("name", "unit", "analyte", "sure"),
    [
        ("SRP", "", "SRP", False),
        ("SRP antibody", "", "SRP", True),
        ("Signal Recognition Particle", "", "SRP", True),
        ("CK", "", "CK", False),
        ("CK", "U/L", "CK", True),
        ("CK", "µkat/L", "CK", True),
        ("ANA", "", "ANA_HEP2", False),
        ("ANA", "titer", "ANA_HEP2", True),
        ("ANA pattern", "", "ANA_HEP2", True),
        ("HMG-CoA", "", "HMGCR", False),
        ("Ac anti-HMGCR", "", "HMGCR", True),
    ],
)
def test_a_short_name_is_trusted_beside_a_word_or_a_unit_of_its_kind(
    name: str, unit: str, analyte: str, sure: bool
) -> None:
    found = like(name, unit)
    assert found is not None
    assert (found.analyte, found.sure) == (analyte, sure)
    assert found.reasons


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("CK", "ng/mL"),
        ("Creatine kinase", "%"),
        ("CK-MB", "U/L"),
        ("CK_MB", "ng/mL"),
        ("Makro-CK", "U/L"),
        ("HMG-CoA lyase", ""),
        ("hMG (menotropin)", "IU"),
        ("SRP RNA", ""),
        ("ENA antibody screen", ""),
        ("Neuronal nuclear type 2 Ab", "{titer}"),
        ("Nuclear Ab in body fluid", ""),
        ("Sodium", "mmol/L"),
        ("Haemoglobin", "g/dL"),
        ("Anaerobic culture", ""),
        ("Fanconi panel", ""),
        ("", "U/L"),
        ("", ""),
    ],
)
def test_what_contradicts_or_says_nothing_is_not_ours(name: str, unit: str) -> None:
    assert like(name, unit) is None


def test_the_order_around_it_may_be_what_stands_beside_a_short_name() -> None:
    assert like("SRP", beside="Myositis line blot") == Resemblance("SRP", True, ("srp", "line blot"))
    alone = like("SRP", beside="Renal function")
    assert alone is not None
    assert not alone.sure


def test_two_analytes_in_one_name_are_never_sure() -> None:
    found = like("SRP and HMGCR antibodies")
    assert found is not None
    assert not found.sure


# ---------------------------------------------------------------- what comes of it


def test_an_unknown_code_of_ours_holds_and_is_listed_with_name_and_unit() -> None:
    found, notes = read(obx(local("4711", "Anti-SRP (blot)"), "14", unit=Coding("AU")))
    (result,) = found.results
    assert (result.analyte, Problem.CODE_UNMAPPED in result.problems) == (Analyte.SRP, True)
    (listed,) = found.unmapped
    assert (listed.system, listed.code, listed.label, listed.name) == ("L", "4711", "", "Anti-SRP (blot)")
    assert (listed.unit, listed.may_be) == ("AU", "SRP")
    assert "N111" in {one.code for one in notes}


def test_without_a_code_the_name_tells_it_apart() -> None:
    found, _notes = read(obx((Coding("", "Natrium", "L"),), "140", unit=Coding("mmol/L")))
    assert [(one.code, one.label, one.name, one.may_be) for one in found.unmapped] == [("", "Natrium", "Natrium", "")]


def test_a_text_in_place_of_a_name_is_cut() -> None:
    found, _notes = read(obx((Coding("", "x" * 5000, "L"),), "1"))
    assert len(found.unmapped[0].name) == len(found.unmapped[0].label) == 200


def test_an_antibody_that_only_accompanies_holds_nothing() -> None:
    found, _notes = read(obx(local("4712", "Jo-1 antibody"), "Positive"))
    assert found.results == ()
    assert [one.may_be for one in found.unmapped] == [""]


def test_a_site_that_says_it_is_none_of_ours_ends_it() -> None:
    row = "system,code,name,unit,specimen,analyte,role,method,assay,status,source\nL,4711,,,,,not_ours,,,SITE,Dr. A 2026\n"
    built, faults = build([*read_folder(shipped()), Source("codes/myolis.csv", row, site=True)])
    assert faults == []
    from panels import FEED, RECEIVED

    from labbridge.normalise import Normaliser

    found, notes = Normaliser(built)(report(obx(local("4711", "Anti-SRP"), "14")), FEED, RECEIVED, "M1")
    assert (found.results, found.unmapped) == ((), ())
    assert notes == ()


def test_a_result_outside_every_order_is_held_and_its_context_is_read() -> None:
    import msgspec
    from panels import FEED, RECEIVED, normaliser

    blank = msgspec.structs.replace(
        report(obx(local("NA"), "140")),
        observations=(
            obx(local("STATIN"), "Y", at="OBX[8]"),
            obx((Coding("2157-6", "CK", "LN"),), "900", at="OBX[9]", unit=Coding("U/L")),
        ),
    )
    found, notes = normaliser()(blank, FEED, RECEIVED, "M1")
    assert [(one.kind.value, one.value) for one in found.context] == [("STATIN", "Y")]
    (result,) = found.results
    assert (result.analyte, result.at, Problem.CODE_UNMAPPED in result.problems) == (Analyte.CK, "OBX[9]", True)
    assert ("N110", "OBX[9]") in {(one.code, one.at) for one in notes}


def names_of(corpus: Path) -> set[tuple[str, str, str, str]]:
    """Every observation of the corpus by system, code, name and unit."""
    found = set()
    for path in sorted((corpus / "hl7v2").rglob("*")):
        if path.is_file():
            raw = re.sub(rb"\r\n|\n", b"\r", path.read_bytes()).strip(b"\r \x0b\x1c")
            try:
                message = reader.read(raw)
            except Refuse:
                continue
            for line in message.all("OBX"):
                parts = [message.component(line.field(3), number) for number in (1, 2, 3)]
                found.add((parts[2], parts[0], parts[1], message.component(line.field(6), 1)))
    return found


def test_no_name_of_a_general_laboratory_is_taken_for_ours(corpus: Path) -> None:
    names = names_of(corpus)
    assert len(names) > 900
    raised = [
        (n, u) for s, c, n, u in names if (one := like(n, u, code=c if s != "LN" else "")) and one.analyte in HOLDING
    ]
    assert [one for one in raised if "creatine kinase" not in one[0].casefold()] == []
