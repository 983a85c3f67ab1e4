"""Bad input over real MLLP: each row of reliability.md 3.1 gets its answer, is kept, and nothing vanishes."""

from __future__ import annotations

import re
import urllib.request

import pytest
from service_parts import Service, sample, sender

GOOD = sample("02-srp-hep2-negative/1a-ck.hl7")


def changed(old: bytes, new: bytes, control_id: bytes) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new, 1).replace(b"S2001", control_id)


def without(name: bytes, control_id: bytes) -> bytes:
    lines = [line for line in GOOD.split(b"\r") if not line.startswith(name)]
    return b"\r".join(lines).replace(b"S2001", control_id)


ROWS = [
    ("a plain message", GOOD.replace(b"S2001", b"R00"), "AA", "", ""),
    ("MSH-10 missing", changed(b"|S2001|", b"||", b""), "AE", "101", "MSH^1^10"),
    ("MSH-9 missing", changed(b"ORU^R01^ORU_R01", b"", b"R02"), "AE", "101", "MSH^1^9"),
    ("another message type", changed(b"ORU^R01^ORU_R01", b"ORM^O01^ORM_O01", b"R03"), "AR", "200", "MSH^1^9"),
    ("another event", changed(b"ORU^R01^ORU_R01", b"ADT^A01^ADT_A01", b"R04"), "AR", "201", "MSH^1^9"),
    ("a test message on a production feed", changed(b"|P|2.5.1", b"|T|2.5.1", b"R05"), "AR", "202", "MSH^1^11"),
    ("an unknown version", changed(b"|P|2.5.1", b"|P|9.9", b"R06"), "AA", "", ""),
    ("PID missing", without(b"PID", b"R07"), "AE", "100", ""),
    ("OBR missing", without(b"OBR", b"R08"), "AE", "100", ""),
    ("no identifier", changed(b"PT1002^^^LABA^MR", b"", b"R09"), "AE", "101", "PID^1^3"),
    ("NM FOO", changed(b"|6120|", b"|FOO|", b"R10"), "AA", "", ""),
    ("NM 1_0", changed(b"|6120|", b"|1_0|", b"R11"), "AA", "", ""),
    ("NM NaN", changed(b"|6120|", b"|NaN|", b"R12"), "AA", "", ""),
    ("NM in other digits", changed(b"|6120|", "|١٢|".encode(), b"R13"), "AA", "", ""),
    ("an unmapped code", changed(b"2157-6^", b"0000-0^", b"R14"), "AA", "", ""),
    ("an unmapped unit", changed(b"U/L^^UCUM", b"furlong", b"R15"), "AA", "", ""),
    ("a field above 1 MB", changed(b"|6120|", b"|" + b"9" * (2**20 + 1) + b"|", b"R16"), "AE", "104", "OBX^1^5"),
    ("repetitions", changed(b"|6120|", b"|" + b"1~" * 1001 + b"|", b"R17"), "AE", "207", "OBX^1^5"),
    ("components", changed(b"|6120|", b"|" + b"1^" * 129 + b"|", b"R18"), "AE", "207", "OBX^1^5"),
    ("fields", GOOD.replace(b"S2001", b"R19") + b"ZZZ" + b"|x" * 600 + b"\r", "AE", "207", "ZZZ^1"),
    ("segments", GOOD.replace(b"S2001", b"R20") + b"ZZZ|1\r" * 20_001, "AE", "207", ""),
    ("goes on in another", GOOD.replace(b"S2001", b"R21") + b"DSC|77|F\r", "AR", "207", "DSC^1^1"),
    ("bytes that do not fit", changed(b"Creatine", b"Cr\xe9atine", b"R22"), "AE", "102", "MSH^1^18"),
    (
        "an unknown character set",
        changed(b"UNICODE UTF-8", b"KLINGON", b"R23") + "NTE|1||µ\r".encode(),
        "AE",
        "102",
        "MSH^1^18",
    ),
    ("no segment name", GOOD.replace(b"S2001", b"R24") + b"continued text|\r", "AE", "100", ""),
    ("a raw CR in a field", changed(b"Creatine kinase [", b"Creatine\rkinase [", b"R25"), "AE", "100", ""),
    ("a date of an empty status", changed(b"|||F|||", b"||||||", b"R26"), "AA", "", ""),
]


@pytest.mark.parametrize(("what", "message", "code", "error", "place"), ROWS, ids=[row[0] for row in ROWS])
def test_every_row_gets_its_answer_and_the_connection_lives(
    service: Service, what: str, message: bytes, code: str, error: str, place: str
) -> None:
    del what
    with sender(service) as line:
        line.channel.sendall(b"\x0b" + message + b"\x1c\r")
        raw = line.raw_answer()
        assert raw is not None
        msa = next(one for one in raw.split(b"\r") if one.startswith(b"MSA")).split(b"|")
        assert msa[1].decode() == code
        assert msa[2] == message.split(b"\r", 1)[0].split(b"|")[9]
        errors = [one.decode().split("|") for one in raw.split(b"\r") if one.startswith(b"ERR")]
        if error:
            assert errors[0][3].split("^")[0] == error
            assert errors[0][2].startswith(place)
            assert errors[0][4] == "E"
        else:
            assert errors == []
        again = line.send(GOOD.replace(b"S2001", b"R00"))
        assert again is not None
        assert again.code == "AA"


def test_what_came_is_what_is_counted(service: Service) -> None:
    found = service.settled()
    assert found["received"] == found["stored"] + found["quarantined"] + found["duplicate"] + found["oversize"]
    with urllib.request.urlopen(service.url("metrics"), timeout=10) as answer:
        text = answer.read().decode()
    total = sum(float(one) for one in re.findall(r"^labbridge_messages_received_total\{.*\} ([0-9.e+]+)$", text, re.M))
    assert total == found["received"]


def test_what_was_refused_is_listed_with_place_and_reason(service: Service) -> None:
    with sender(service) as line:
        for _what, message, *_rest in ROWS:
            if any(name in message for name in (b"R00", b"R03", b"R05", b"R09")):
                line.send(message)
    listed = {one["control_id"]: one for one in service.json("quarantine")}
    assert (listed["R05"]["reason"], listed["R05"]["code"]) == ("wrong_processing_id", "202")
    assert (listed["R09"]["reason"], listed["R09"]["place"]) == ("structure", "PID^1^3")
    assert listed["R03"]["reason"] == "unsupported"
    assert "R00" not in listed


def test_a_message_that_is_not_hl7_gets_no_answer_and_the_third_ends_the_connection(service: Service) -> None:
    before = service.counts()["quarantined"]
    with sender(service) as line:
        for number in range(3):
            line.channel.sendall(b"\x0bnot hl7 %d\x1c\r" % number)
        assert line.raw_answer() is None
    assert service.counts()["quarantined"] == before + 3


def test_an_oversize_frame_is_refused_its_head_kept_and_the_connection_ended(service: Service) -> None:
    before = service.counts()["oversize"]
    with sender(service) as line:
        line.channel.sendall(b"\x0b" + GOOD.replace(b"S2001", b"BIG") + b"ZZZ|" + b"x" * (16 * 2**20 + 10))
        raw = line.raw_answer()
        assert raw is not None
        assert b"MSA|AR|BIG" in raw
        assert b"207" in raw
        assert line.raw_answer() is None
    assert service.counts()["oversize"] == before + 1


def test_several_messages_in_one_write_are_answered_in_order(service: Service) -> None:
    with sender(service) as line:
        names = [b"P%02d" % number for number in range(20)]
        line.channel.sendall(b"".join(b"\x0b" + GOOD.replace(b"S2001", name) + b"\x1c\r" for name in names))
        answers = [line.answer() for _name in names]
    assert [one.control_id.encode() for one in answers if one] == names
    assert {one.code for one in answers if one} == {"AA"}


@pytest.mark.parametrize(
    ("fifteen", "sixteen", "code"),
    [
        ("", "", "AA"),
        ("AL", "NE", "CA"),
        ("AL", "AL", "CA"),
        ("", "AL", "CA"),
        ("SU", "NE", "CA"),
        ("nonsense", "", "CA"),
    ],
)
def test_enhanced_mode_answers_commit_codes(service: Service, fifteen: str, sixteen: str, code: str) -> None:
    name = f"E{fifteen}{sixteen}".encode()
    message = changed(b"|P|2.5.1|||||", f"|P|2.5.1|||{fifteen}|{sixteen}|".encode(), name)
    with sender(service) as line:
        answer = line.send(message)
    assert answer is not None
    assert (answer.code, answer.control_id) == (code, name.decode())


@pytest.mark.parametrize("fifteen", ["NE", "ER"])
def test_a_sender_that_wants_no_answer_gets_none_and_its_message_is_kept(service: Service, fifteen: str) -> None:
    name = f"Q{fifteen}".encode()
    with sender(service) as line:
        line.channel.sendall(
            b"\x0b" + changed(b"|P|2.5.1|||||", f"|P|2.5.1|||{fifteen}|NE|".encode(), name) + b"\x1c\r"
        )
        after = line.send(GOOD.replace(b"S2001", b"QA" + name))
    assert after is not None
    assert after.control_id == "QA" + name.decode()
    assert name.decode() in {one["control_id"] for one in service.json("messages", "--limit", "10")}


def test_nothing_of_a_patient_reaches_the_log(service: Service) -> None:
    log = service.log()
    for word in ("NOVAK", "PT1002", "19690417", "6120"):
        assert word not in log
