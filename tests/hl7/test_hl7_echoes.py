"""Our own words coming back: under any name, in any lines; and the laboratory's results beside them, which are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hl7_messages import FEED, MODES, RECEIVED, letter, receiver, wire

from labbridge.hl7 import echoes, incoming, outgoing
from labbridge.model.report import Report
from labbridge.model.values import Coding

CODES = ("8251-1", "LBCMT")
SOURCE = wire("panel-2.5.1")
TEXT = (
    "Anti-SRP is strongly positive by line immunoassay, with raised CK; anti-HMGCR has not been tested. A negative HEp-2"
    " does not exclude either antibody. Confirmation by a second method is suggested."
)
KNOWN = frozenset({echoes.digest(TEXT)})


def written(*, form: dict[str, Any] | None = None, **changes: Any) -> bytes:
    return outgoing.comment_message(SOURCE, "", receiver(**(form or {})), letter(text=TEXT, **changes))


def came_back(raw: bytes) -> Report:
    (report,) = incoming.read_reports(raw, FEED, RECEIVED)
    return report


def carrying(*lines: str) -> Report:
    """The laboratory's panel, with these lines after its results."""
    before, specimen, after = SOURCE.decode().partition("SPM|")
    return came_back((before + "".join(f"{line}\r" for line in lines) + specimen + after).encode())


def left(report: Report, known: Sequence[bytes] | frozenset[bytes] = KNOWN) -> list[str]:
    """Where the observations stood that are left to be read."""
    return [one.at for order in echoes.without(report, CODES, known).orders for one in order.observations]


RESULTS = [one.at for order in came_back(SOURCE).orders for one in order.observations]

# ---------------------------------------------------------------- by who sent it, by key and code, by the software


@pytest.mark.parametrize("mode", MODES)
def test_our_name_is_ours(mode: str) -> None:
    assert echoes.is_own(came_back(written(form={"mode": mode})), "LABBRIDGE", CODES)


@pytest.mark.parametrize("mode", ["obx", "report"])
def test_our_comment_is_ours_under_another_name(mode: str) -> None:
    report = came_back(written(form={"mode": mode, "application": "HISROUTER"}, control_id="77"))
    assert echoes.is_own(report, "LABBRIDGE", CODES)
    assert not echoes.is_own(report, "LABBRIDGE", ("SITECMT",))
    site = came_back(written(form={"mode": mode, "application": "HIS", "comment": (Coding("SITECMT", "x", "L"),)}))
    assert echoes.is_own(site, "LABBRIDGE", ("SITECMT",))
    assert not echoes.is_own(site, "LABBRIDGE", CODES)


@pytest.mark.parametrize("mode", ["obx", "report"])
def test_a_comment_of_another_labbridge_is_no_result_either(mode: str) -> None:
    form = {"mode": mode, "application": "ELSEWHERE", "software": "labbridge-9.9", "comment": (Coding("X", "x", "L"),)}
    assert echoes.is_own(came_back(written(form=form, sub_id="7")), "LABBRIDGE", CODES)


def test_results_are_never_taken_for_our_own() -> None:
    assert not echoes.is_own(came_back(SOURCE), "LABBRIDGE", CODES)
    assert not echoes.is_own(came_back(SOURCE.replace(b"NORTHLIS|LABN", b"|LABN")), "", CODES)
    beside = written(form={"application": "HIS"}) + b"OBX|2|ST|SRP^anti-SRP^L||positive||||||F\r"
    assert not echoes.is_own(came_back(beside), "LABBRIDGE", CODES)
    empty = b"\r".join(line for line in SOURCE.split(b"\r") if not line.startswith(b"OBX"))
    assert not echoes.is_own(came_back(empty), "LABBRIDGE", CODES)


@pytest.mark.parametrize("sub_id", ["", "1", "LB", "LBx", "xLB1", "LB1 ", "LB1^2", "LB١"])
def test_our_code_with_another_sub_id_is_not_ours(sub_id: str) -> None:
    raw = written(form={"application": "HIS"}, sub_id="LB12").decode().replace("|LB12|", f"|{sub_id}|")
    assert not echoes.is_own(came_back(raw.encode()), "LABBRIDGE", CODES)


# ---------------------------------------------------------------- by the words


def test_our_comment_beside_results_is_left_out_and_the_results_are_read() -> None:
    comment = f"OBX|9|FT|8251-1^Service comment^LN^LBCMT^x^L|LB12|{TEXT}||||||F"
    assert left(carrying(comment), frozenset()) == RESULTS


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.upper(),
        TEXT.replace(". ", ".\\.br\\"),
        TEXT.replace(" ", "  ").replace(";", " ;"),
        TEXT.replace(" ", "~"),
    ],
)
def test_the_same_words_under_a_foreign_code_are_ours(text: str) -> None:
    assert left(carrying(f"OBX|9|TX|MYOKOM^Befundkommentar anti-SRP^L||{text}||||||F")) == RESULTS


def test_a_comment_cut_into_an_observation_a_line_is_ours() -> None:
    cut = [TEXT[start : start + 60] for start in range(0, len(TEXT), 60)]
    lines = [f"OBX|{n}|TX|CMT^Comment^L|{n}|{line}||||||F" for n, line in enumerate(cut, 1)]
    order = "OBR|2|P9|F9|CMT^Comment^L"
    report = carrying(order, *lines)
    assert len(report.orders) == 2
    assert set(echoes.texts(report)) >= KNOWN
    assert left(report) == RESULTS


def test_a_note_with_our_words_is_no_remark_of_the_laboratory() -> None:
    cut = [TEXT[start : start + 70] for start in range(0, len(TEXT), 70)]
    for lines in ([TEXT], cut):
        report = carrying(*(f"NTE|{n}|L|{line}" for n, line in enumerate(lines, 1)))
        assert set(echoes.texts(report)) >= KNOWN
        last = echoes.without(report, CODES, KNOWN).orders[-1].observations[-1]
        assert last.notes == ()
        assert last.values == report.orders[-1].observations[-1].values


@pytest.mark.parametrize("text", [TEXT.replace("not ", ""), TEXT[:-1] + " again", TEXT.replace("SRP", "HMGCR")])
def test_other_words_are_the_laboratorys(text: str) -> None:
    report = carrying(f"OBX|9|TX|MYOKOM^Befundkommentar^L||{text}||||||F")
    assert len(left(report)) == len(RESULTS) + 1


def test_short_texts_are_never_looked_up() -> None:
    short = carrying("OBX|9|TX|C^Comment^L||Strongly positive.||||||F", "NTE|1|L|See above.")
    assert echoes.texts(short) == echoes.texts(came_back(SOURCE))


def test_nothing_is_left_out_where_nothing_is_known() -> None:
    report = came_back(SOURCE)
    assert echoes.without(report, CODES, frozenset()) == report
