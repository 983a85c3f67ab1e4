"""What a laboratory answers to an order: read where it can be, unknown where it cannot, shown safely, never raising."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.hl7.order_answers import (
    ACCEPTED,
    LONGEST_NUMBER,
    LONGEST_REASON,
    REFUSED,
    SAYS_NOTHING,
    AnsweredOrder,
    OrderAnswer,
    read_answer,
)

HEAD = "MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20260418||{kind}|77|P|2.5.1||||||UNICODE UTF-8\r"
ORL, ORR, ACK = (HEAD.format(kind=kind) for kind in ("ORL^O22^ORL_O22", "ORR^O02^ORR_O02", "ACK^O21^ACK"))
MSA = "MSA|AA|LBR-000007\r"


def read(text: str) -> OrderAnswer:
    found = read_answer(text.encode())
    assert found is not None
    return found


def only(text: str) -> AnsweredOrder:
    (found,) = read(text).orders
    return found


# ---------------------------------------------------------------- what is said


def test_an_accepted_order() -> None:
    found = read(
        ORL + MSA + "PID|1||PT7788^^^LABA^MR||DOE^JANE\rORC|OK|LB-RT-000112^LABBRIDGE|F991^MYOLIS\rTQ1|1\r"
        "OBR|1|LB-RT-000112^LABBRIDGE|F991^MYOLIS|SRPIP^anti-SRP^L\rSPM|1|S1&A\r"
    )
    assert found == OrderAnswer(
        code="AA", control_id="LBR-000007", orders=(AnsweredOrder(control="OK", placer="LB-RT-000112", filler="F991"),)
    )
    assert found.orders[0].said == ACCEPTED


@pytest.mark.parametrize("start", [ORL, ORR, HEAD.format(kind="ORL"), HEAD.format(kind="ORR^O02")])
def test_a_refused_order_with_its_reason(start: str) -> None:
    found = only(start + MSA + "ORC|UA|LB-RT-000112^LABBRIDGE" + "|" * 14 + "QNS^Sample used up^L\r")
    assert (found.said, found.reason, found.filler) == (REFUSED, "QNS Sample used up", "")


@pytest.mark.parametrize(
    ("control", "said"),
    [
        ("OK", ACCEPTED),
        *((code, REFUSED) for code in ("UA", "DE", "OC", "OD", "CR", "DR")),
        *((code, SAYS_NOTHING) for code in ("", "RR", "NA", "SN", "SC", "NW", "RE", "UC", "UX", "UM", "XX")),
        *((code, SAYS_NOTHING) for code in ("ok", "OKAY", "O", "OK ")),
    ],
)  # fmt: skip
def test_each_order_control(control: str, said: str) -> None:
    found = only(f"{ORL}{MSA}ORC|{control}|LB-RT-000112^LABBRIDGE\r")
    assert found.said == said
    assert found.control == (control if len(control) == 2 and control.isupper() else "")


@pytest.mark.parametrize("code", ["AA", "AE", "AR", "CA", "CE", "CR"])
def test_a_plain_acknowledgement_says_nothing_of_an_order(code: str) -> None:
    found = read(f"{ACK}MSA|{code}|LBR-000007|Unknown service\r")
    assert found == OrderAnswer(code=code, control_id="LBR-000007", reason="Unknown service")


def test_orders_in_another_message_are_none_of_an_answer() -> None:
    for kind in ("ORM^O01", "ACK", "ORL^O34", "ORR^O22", "ORU^R01", ""):
        assert read(HEAD.format(kind=kind) + MSA + "ORC|OK|LB-RT-000112\r").orders == ()


def test_several_orders_each_with_its_own() -> None:
    found = read(
        ORL
        + MSA
        + "ORC|OK|A1^LB|F1^LIS\rOBR|1|A1^LB|F1^LIS\rNTE|1|L|first\rORC|UA|A2^LB\rOBR|2|A2^LB\rNTE|1|L|second\r"
        "ORC|RR\rOBR|3|A3^LB|F3^LIS\r"
    )
    assert [(one.control, one.placer, one.filler, one.reason) for one in found.orders] == [
        ("OK", "A1", "F1", "first"), ("UA", "A2", "", "second"), ("RR", "A3", "F3", ""),
    ]  # fmt: skip
    assert [found.of(number) and found.of(number).control for number in ("A1", "A2", "A3")] == ["OK", "UA", "RR"]  # type: ignore[union-attr]
    assert found.of("A4") is found.of("") is None


def test_an_order_of_which_two_things_are_said() -> None:
    both = read(ORL + MSA + "ORC|OK|A1^LB|F1\rORC|UA|A1^LB\r")
    assert both.of("A1") is None
    twice = read(ORL + MSA + "ORC|OK|A1^LB|F1\rORC|OK|A1^LB|F1\r")
    assert twice.of("A1") == twice.orders[0]
    assert read(ORL + MSA + "ORC|OK|A1|F1\rORC|OK|A1|F2\r").of("A1") is None


def test_numbers_that_disagree_are_none() -> None:
    found = only(ORL + MSA + "ORC|OK|A1^LB|F1^LIS\rOBR|1|A2^LB|F2^LIS\r")
    assert (found.placer, found.filler) == ("", "")
    assert only(ORL + MSA + 'ORC|OK|""|F1\rOBR|1|A1\r') == AnsweredOrder(control="OK", placer="A1", filler="F1")


# ---------------------------------------------------------------- the reason


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        ("ORC|UA|A1" + "|" * 14 + "QNS\r", "QNS"),
        ("ORC|UA|A1" + "|" * 14 + "^^^^^^^^written by hand\r", "written by hand"),
        ("ORC|UA|A1\rOBR|1|A1\rNTE|1|L|Tube discarded\r", "Tube discarded"),
        ("ERR|||207^Application error^HL70357|E||||Tube is unknown\rORC|UA|A1\r", "Tube is unknown"),
        ("ERR|||207^Application error^HL70357|E|||diag 7\rORC|UA|A1\r", "diag 7"),
        ("ERR|||204^Unknown key identifier^HL70357|E\rORC|UA|A1\r", "204 Unknown key identifier"),
        ("ERR|||0\rERR|||204|E|||||x\rORC|UA|A1\r", "0"),
        ("NTE|1|L|Service closed\rORC|UA|A1\r", "Service closed"),
        ("ORC|UA|A1\r", "said in MSA"),
        ("ORC|UA|A1" + "|" * 14 + '""\rNTE|1|L|""\r', "said in MSA"),
    ],
)
def test_the_reason_stands_in_many_places(segments: str, reason: str) -> None:
    assert only(f"{ORL}MSA|AE|LBR-000007|said in MSA\r{segments}").reason == reason


def test_a_reason_is_shown_with_nothing_hidden() -> None:
    found = only(ORL + MSA + "ORC|UA|A1\rNTE|1|L|a\\.br\\b\\X0D\\c\\T\\d\\X1B\\[31m \u202ered\x07\r")
    assert found.reason == "a ⏎ b⟦0D⟧c&d⟦1B⟧[31m ⟦E2⟧⟦80⟧⟦AE⟧red⟦07⟧"
    assert found.reason.isprintable()


@pytest.mark.parametrize("text", ["x" * 10**6, "\\X07\\" * 10**5, "\x07" * 10**5, "\\H\\" * 10**5 + "end", "é" * 10**5])
def test_a_reason_is_bounded(text: str) -> None:
    for found in (only(ORL + MSA + f"ORC|UA|A1\rNTE|1|L|{text}\r").reason, read(f"{ACK}MSA|AE|1|{text}\r").reason):
        assert len(found) <= LONGEST_REASON
        assert found.isprintable()


def test_the_characters_of_a_receiver_that_declares_none() -> None:
    for codec in ("utf-8", "latin-1"):
        raw = f"MSH|^~\\&|L|A|B|A|1||ORL^O22|7|P|2.4\r{MSA}ORC|UA|A1\rOBR|1\rNTE|1|L|Röhrchen leer\r".encode(codec)
        (found,) = read_answer(raw).orders  # type: ignore[union-attr]
        assert found.reason == "Röhrchen leer"


def test_a_character_that_cannot_be_read_loses_no_answer() -> None:
    raw = (ORL + MSA + "ORC|UA|A1^LB\rNTE|1|L|R?hrchen\r").encode().replace(b"?", b"\xf6")
    (found,) = read_answer(raw).orders  # type: ignore[union-attr]
    assert (found.placer, found.reason) == ("A1", "R\ufffdhrchen")
    number = read_answer(raw.replace(b"A1^LB", b"A\xf61^LB"))
    assert number is not None
    assert number.of("A1") is None


def test_other_delimiters_and_line_ends() -> None:
    found = read(
        "MSH$*@!%$L$A$B$A$1$$ORL*O22$7$P$2.5$$$$$$UTF-8\nMSA$AA$LBR!F!7\r\nORC$UA$A!S!1*LB$$$$$$$$$$$$$$Q*u!T!p\n"
    )
    assert (found.control_id, found.orders[0].placer, found.orders[0].reason) == ("LBR$7", "A*1", "Q u%p")


# ---------------------------------------------------------------- what is no answer


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"MSH", b"MSH|", b"\x06", b"ORC|OK|A1\r", MSA.encode(), ORL.encode(), (ORL + MSA + MSA).encode(),
        (ORL + ORL + MSA).encode(), (ORL + MSA + ORL + MSA).encode(), (ORL + "MSA|OK|1\r").encode(),
        (ORL + "MSA\r").encode(),
        (ORL + "MSA||LBR-000007\r").encode(), b"x" + (ORL + MSA).encode(), (ORL + MSA).encode("utf-16"),
        b"\r\n" + (ORL + MSA).encode(), b"\x0b" + (ORL + MSA).encode(),
        b"HTTP/1.1 200 OK\r\n\r\n", (ORL + MSA + "ORC|OK|A1\r" * 30_000).encode(),
    ],
)  # fmt: skip
def test_what_is_no_answer(raw: bytes) -> None:
    assert read_answer(raw) is None


@pytest.mark.parametrize(
    "number", ["x" * (LONGEST_NUMBER + 1), "A\\X0D\\1", "A\\X07\\", "A1" + "\\H\\" * 200 + "2", "A\u202e1"]
)
def test_what_could_not_be_kept_is_no_number(number: str) -> None:
    found = only(f"{ORL}{MSA}ORC|OK|{number}^LB|{number}\r")
    assert (found.placer, found.filler) == ("", "")
    assert read(f"{ACK}MSA|AA|{number}\r").control_id == ""


def test_an_answer_as_long_as_a_message_may_be_is_read_in_little_memory() -> None:
    long = ORL + MSA + "ORC|OK|A1^LB|F1" + "|" * 2**24 + "\r"
    tracemalloc.start()
    try:
        assert only(long).filler == "F1"
        assert tracemalloc.get_traced_memory()[1] < 5 * len(long)
    finally:
        tracemalloc.stop()


def test_a_number_keeps_what_was_escaped_in_it() -> None:
    assert only(f"{ORL}{MSA}ORC|OK|A\\S\\1^LB\r").placer == "A^1"


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 40))
def test_no_bytes_raise(junk: bytes, at: int, cut: int) -> None:
    good = (ORL + "MSA|AA|1|t\rERR|||207^x|E||||y\rNTE|1|L|n\rORC|OK|A1^LB|F1\rOBR|1|A1\rNTE|1|L|r\r").encode()
    for raw in (junk, b"MSH|^~\\&|" + junk, good[:at] + junk + good[at + cut :]):
        found = read_answer(raw)
        for one in found.orders if found is not None else ():
            assert one.reason.isprintable()
            assert len(one.reason) <= LONGEST_REASON
            assert one.said in (ACCEPTED, REFUSED, SAYS_NOTHING)


def test_no_file_of_the_corpus_raises(corpus: Path) -> None:
    answers = [read_answer(path.read_bytes()) for path in sorted((corpus / "hl7v2").rglob("*")) if path.is_file()]
    assert len([one for one in answers if one is not None]) > 10
