"""What a LIS finds on its socket, to the byte: six versions, three modes (standards.md 2.1, 2.5, 2.6, 2.8)."""

from __future__ import annotations

from typing import Any

import pytest
from delivery_letters import SOURCE, TEXT, delivered

from labbridge.hl7.conformance import judge

VERSIONS = ("2.3.1", "2.4", "2.5.1", "2.6", "2.7.1", "2.8.2")
NOW = "20260602120000+0200"
PID = "PID|1||55-9^^^LABS^MR||MEIER-ÅS^ZOÉ^^^^^L||19800229|F"
CODE = "8251-1^Service comment^LN^LBCMT^labbridge interpretive comment^L"
LINES = "Anti-SRP positive by ELISA.\\.br\\CK above 10x the limit."
OBX1 = "OBX|1|NM|SRPE^anti-SRP (ELISA)^L|1|142|U/mL^^UCUM|<20|H|||F|||20260601083000+0200|||ELI^ELISA^L"
NTE1 = "NTE|1|L|Dilution 1:101 \\T\\ 1:404."


def header(version: str, charset: str = "UNICODE UTF-8") -> str:
    kind = "ORU^R01" if version == "2.3.1" else "ORU^R01^ORU_R01"
    return f"MSH|^~\\&|LABBRIDGE|LABS|SUDLIS|LABS|{NOW}||{kind}|LBK-000041|P|{version}||||||{charset}"


def order(version: str, status: str) -> str:
    received = "" if version in ("2.7.1", "2.8.2") else "20260601110000+0200"
    return (
        "OBR|1|P55^SUDOE|F55^SUDLIS|MYO^Myositis \\T\\ panel^L|||20260601083000+0200|||||||"
        f"{received}||4711^HÔTE^LÉA||||||{NOW}||IMM|{status}"
    )


def comment(version: str, status: str = "F", text: str = LINES) -> str:
    software = "" if version == "2.3.1" else f"||labbridge-1.2.3^LABBRIDGE|{NOW}"
    return f"OBX|1|FT|{CODE}|LB41|{text}||||||{status}|||20260601083000+0200||^Ida Roth{software}"


def lines(raw: bytes, encoding: str = "utf-8") -> list[str]:
    assert raw.endswith(b"\r")
    return raw.decode(encoding).split("\r")[:-1]


def segment(raw: bytes, name: str, number: int = 0) -> list[str]:
    return [line.split("|") for line in lines(raw) if line.startswith(name)][number]


# ---------------------------------------------------------------- versions and modes


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_observation_under_the_laboratorys_own_order(version: str) -> None:
    raw = await delivered(form={"version": version})
    assert lines(raw) == [
        header(version), PID, "ORC|RE|P55^SUDOE|F55^SUDLIS", order(version, "F"), comment(version),
    ]  # fmt: skip
    assert judge(raw, TEXT, version) == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_note_behind_the_echoed_result(version: str) -> None:
    raw = await delivered(form={"version": version, "mode": "nte"})
    kind = "" if version == "2.3.1" else "|RE^Remark^HL70364"
    assert lines(raw) == [
        header(version), PID, "ORC|RE|P55^SUDOE|F55^SUDLIS", order(version, "C"), OBX1, NTE1, f"NTE|2|L|{LINES}{kind}",
    ]  # fmt: skip
    assert judge(raw, TEXT, version) == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_report_of_its_own_below_the_laboratorys_order(version: str) -> None:
    raw = await delivered(form={"version": version, "mode": "report"})
    assert lines(raw) == [
        header(version), PID, "ORC|RE|P55^SUDOE|LB41^LABBRIDGE|||||P55&SUDOE^F55&SUDLIS",
        f"OBR|1|P55^SUDOE|LB41^LABBRIDGE|{CODE}|||20260601083000+0200|||||||||||||||{NOW}||IMM|F"
        "|SRPE&anti-SRP (ELISA)&L^1|||P55&SUDOE^F55&SUDLIS",
        comment(version),
    ]  # fmt: skip
    assert judge(raw, TEXT, version) == []


async def test_the_parent_order_stands_in_both_places_in_the_oldest_version_too() -> None:
    """standards.md 2.1: `send both ORC-8 and OBR-29`; 2.6, mode R: parent = LIS order in ORC-8/OBR-29."""
    raw = await delivered(form={"version": "2.3.1", "mode": "report"})
    assert segment(raw, "OBR")[29] == "P55&SUDOE^F55&SUDLIS"
    assert segment(raw, "ORC")[8] == "P55&SUDOE^F55&SUDLIS"


# ---------------------------------------------------------------- corrections and withdrawals


@pytest.mark.parametrize(
    ("mode", "key", "obr_status"),
    [("obx", (CODE, "LB41"), "F"), ("report", (CODE, "LB41"), "C")],
)
async def test_a_correction_keeps_its_key_and_says_c(mode: str, key: tuple[str, str], obr_status: str) -> None:
    withdrawn = "This replaces the comment dated 2026-06-02: the anti-SRP result was withdrawn."
    first = await delivered(form={"mode": mode})
    second = await delivered(form={"mode": mode}, correction=True, control_id="LBK-000042", text=withdrawn)
    for raw in (first, second):
        obx = segment(raw, "OBX")
        assert (obx[3], obx[4]) == key
    assert [segment(raw, "OBX")[11] for raw in (first, second)] == ["F", "C"]
    assert segment(first, "OBR")[2:5] == segment(second, "OBR")[2:5]
    assert segment(first, "ORC") == segment(second, "ORC")
    assert segment(second, "OBR")[25] == obr_status
    assert segment(second, "OBX")[5] == withdrawn
    assert [segment(raw, "MSH")[9] for raw in (first, second)] == ["LBK-000041", "LBK-000042"]


# ---------------------------------------------------------------- escapes, characters, lines

MARKS = "a|b ^ c & d ~ e \\ f # \\.br\\ \\F\\"
ESCAPED = "a\\F\\b \\S\\ c \\T\\ d \\R\\ e \\E\\ f # \\E\\.br\\E\\ \\E\\F\\E\\"


@pytest.mark.parametrize("kind", ["FT", "TX", "ST"])
@pytest.mark.parametrize("version", ["2.3.1", "2.8.2"])
async def test_delimiters_in_the_text_are_escaped_in_every_text_type(version: str, kind: str) -> None:
    raw = await delivered(form={"version": version, "text_type": kind}, text=MARKS)
    assert segment(raw, "OBX")[2] == kind
    assert segment(raw, "OBX")[5] == ESCAPED
    assert judge(raw, MARKS, version) == []


@pytest.mark.parametrize(
    ("charset", "text", "sent"),
    [
        ("UNICODE UTF-8", "5 µg, ≥ 3×", b"5 \xc2\xb5g, \xe2\x89\xa5 3\xc3\x97"),
        ("8859/1", "5 µg, 3×", b"5 \xb5g, 3\xd7"),
        ("8859/15", "40 € Œdème", b"40 \xa4 \xbcd\xe8me"),
        ("WINDOWS-1252", "40 € “x”", b"40 \x80 \x93x\x94"),
    ],
)
async def test_the_text_and_the_name_in_the_receivers_characters(charset: str, text: str, sent: bytes) -> None:
    raw = await delivered(form={"charset": charset}, text=text)
    assert raw.split(b"\r")[0].endswith(b"|P|2.5.1||||||" + charset.encode())
    assert b"|LB41|" + sent + b"||||||F|" in raw
    name = b"MEIER-\xc3\x85S^ZO\xc3\x89" if charset == "UNICODE UTF-8" else b"MEIER-\xc5S^ZO\xc9"
    assert b"||" + name + b"^^^^^L||19800229|F\r" in raw


LONG = "Anti-SRP & anti-HMGCR were both tested on this serum.\nA negative HEp-2 screen does not exclude anti-SRP."


@pytest.mark.parametrize(
    ("form", "sent"),
    [
        (
            {"line_length": 24, "text_type": "FT"},
            "Anti-SRP \\T\\ anti-HMGCR\\.br\\were both tested on this\\.br\\serum.\\.br\\A negative HEp-2 screen"
            "\\.br\\does not exclude\\.br\\anti-SRP.",
        ),
        (
            {"line_length": 23, "text_type": "TX"},
            "Anti-SRP \\T\\ anti-HMGCR~were both tested on~this serum.~A negative HEp-2 screen~does not exclude~anti-SRP.",
        ),
        (
            {"line_length": 24, "text_type": "ST"},
            "Anti-SRP \\T\\ anti-HMGCR were both tested on this serum. A negative HEp-2 screen does not exclude anti-SRP.",
        ),
        (
            {"line_length": 0, "text_type": "TX"},
            "Anti-SRP \\T\\ anti-HMGCR were both tested on this serum.~A negative HEp-2 screen does not exclude anti-SRP.",
        ),
    ],
    ids=["FT", "TX, the limit itself", "ST has no lines", "no limit"],
)
async def test_a_long_comment_is_broken_as_its_type_breaks_lines(form: dict[str, Any], sent: str) -> None:
    """An escaped character counts as the one the reader sees; a break stands for the space it replaces."""
    raw = await delivered(form=form, text=LONG)
    assert segment(raw, "OBX")[5] == sent
    assert judge(raw, LONG, "2.5.1") == []


# ---------------------------------------------------------------- the echo, byte for byte


@pytest.mark.parametrize(
    "echo",
    [
        b"OBX|1|NM|SRPE^anti-SRP^L|1|142|U/mL|<20|H|||F|||||||||||",
        b"OBX|1|TX|SRPE||two  spaces   kept |  | |||||F|",
        b"OBX|1|FT|SRPE||\\H\\bold\\N\\ \\.sp+2\\ \\X41\\ \\Z03BC\\ 50\\ml \\Q\\||||||F",
        b"OBX|1|ST|SRPE^^L&2.16&ISO|1|a~~b~|||~H~||||F",
        b'OBX|1|NM|SRPE||""|""||||||X',
        b"obx|1|ST|SRPE||lower case||||||F",
        "OBX|1|ST|SRPE||≥ 5 µg – ok\u00a0||||||F".encode(),
    ],
    ids="trailing spaces escapes repetitions null lowercase unicode".split(),
)
async def test_the_result_stands_as_it_was_received(echo: bytes) -> None:
    source = SOURCE.encode().replace(OBX1.encode(), echo)
    raw = await delivered(source, form={"mode": "nte"})
    assert raw.split(b"\r")[4:7] == [echo, NTE1.encode(), f"NTE|2|L|{LINES}|RE^Remark^HL70364".encode()]


ODD = (
    b"MSH$%?!@$SUDLIS$LABS$LABBRIDGE$LABS$20260602101500+0200$$ORU%R01%ORU_R01$SL-78$P$2.5.1$$$$$$8859/1\r"
    b"PID$1$$55-9%%%LABS%MR$$M|LLER%ZO\xc9$$19800229$F\r"
    b"OBR$1$P^55%SUDOE$F55%SUDLIS$MYO%A & B%L$$$20260601083000+0200$$$$$$$$$$$$$$$$$$F\r"
    b"OBX$1$ST$SRPE%a^b%L$$1|2^3~4\\5&6 !S! 7 \xb5g?second$$$$$$F$$  $\r"
)


async def test_the_echo_is_written_in_the_senders_delimiters_and_characters() -> None:
    raw = await delivered(ODD, form={"mode": "nte"}, text="50 % ? ! @ $ | ^ µ")
    found = raw.split(b"\r")
    assert found[0] == (
        b"MSH$%?!@$LABBRIDGE$LABS$SUDLIS$LABS$20260602120000+0200$$ORU%R01%ORU_R01$LBK-000041$P$2.5.1$$$$$$8859/1"
    )
    assert found[4] == b"OBX$1$ST$SRPE%a^b%L$$1|2^3~4\\5&6 !S! 7 \xb5g?second$$$$$$F$$  $"
    assert found[5] == b"NTE$1$L$50 !S! !R! !E! !T! !F! | ^ \xb5$RE%Remark%HL70364"
