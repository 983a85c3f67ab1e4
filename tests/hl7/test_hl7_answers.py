"""An answer to an order, as it comes by a feed: it is kept, in a lane of its sender's, whichever patient it names."""

from __future__ import annotations

import pytest

from labbridge.errors import Refuse
from labbridge.hl7.reader import read as read_message
from labbridge.hl7.structure import is_answer, patients_of, read_structure
from labbridge.model.work import Feed

FEED = Feed(name="lis")
MSA, ORC = "MSA|AA|LB1-1", "ORC|OK|LBO1-1^LABBRIDGE|F1^MYOLIS"
PID = "PID|1||PT1^^^LABA^MR"


def raw(kind: str, *segments: str) -> bytes:
    return ("\r".join((f"MSH|^~\\&|LIS|LABA|LB|LAB|20261109||{kind}|C1|P|2.5.1", *segments)) + "\r").encode()


@pytest.mark.parametrize(
    ("kind", "read_as"),
    [("ORL^O22^ORL_O22", "ORL^O22"), ("ORL", "ORL^O22"), ("ORR^O02", "ORR^O02"), ("ORR", "ORR^O02")],
)
@pytest.mark.parametrize("patient", [(), (PID,)])
def test_its_lane_is_its_sender_s(kind: str, read_as: str, patient: tuple[str, ...]) -> None:
    envelope = read_structure(raw(kind, MSA, *patient, ORC), FEED)
    assert (envelope.message_type, envelope.lanes, envelope.patients) == (read_as, ("o:LIS|LABA",), [])
    assert (envelope.sender, envelope.control_id) == ("LIS|LABA", "C1")


def test_one_without_an_msa_is_refused_with_its_place() -> None:
    with pytest.raises(Refuse) as caught:
        read_structure(raw("ORL^O22", ORC), FEED)
    assert (caught.value.code, caught.value.location) == ("100", "MSA^1")


@pytest.mark.parametrize(("kind", "code"), [("ORL^O34", "200"), ("OML^O21", "200"), ("ORM^O01", "200")])
def test_orders_and_other_answers_are_not_taken(kind: str, code: str) -> None:
    with pytest.raises(Refuse) as caught:
        read_structure(raw(kind, MSA, ORC), FEED)
    assert (caught.value.code, caught.value.reject) == (code, True)


def test_its_header_is_checked_as_any() -> None:
    with pytest.raises(Refuse) as caught:
        read_structure(raw("ORL^O22", MSA, ORC).replace(b"|P|", b"|T|"), FEED)
    assert caught.value.code == "202"


def test_a_kept_one_is_known_again_and_has_no_patients() -> None:
    assert is_answer(raw("ORL^O22", MSA))
    assert is_answer(raw("ORR", MSA))
    assert not is_answer(raw("ORU^R01", PID))
    assert patients_of(read_message(raw("ORL^O22", MSA, PID, ORC))) == []
