"""The judge: passes every version and mode we write, and finds each kind of damage."""

from __future__ import annotations

from typing import Any

import pytest
from hl7_messages import HOSTILE, MODES, VERSIONS, letter, receiver, wire
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.hl7 import outgoing
from labbridge.hl7.conformance import judge

TEXT = letter().text


def written(
    version: str = "2.5.1", mode: str = "obx", *, source: str | bytes = "panel-2.5.1", **changes: Any
) -> bytes:  # fmt: skip
    """A comment on a result of a message, named or given."""
    raw = wire(source) if isinstance(source, str) else source
    form = {name: changes.pop(name) for name in ("text_type", "line_length", "charset") if name in changes}
    return outgoing.comment_message(raw, "", receiver(version=version, mode=mode, **form), letter(**changes))


@pytest.mark.parametrize("mode", ["obx", "report"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("source", ["panel-2.5.1", "panel-2.3.1"])
def test_no_fault_in_any_version(version: str, mode: str, source: str) -> None:
    lane = "p:LABN|88-1203" if source == "panel-2.5.1" else "p:LABO|4711"
    for correction in (False, True):
        raw = written(version, mode, source=source, lane=lane, correction=correction)
        assert judge(raw, TEXT, version) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_no_fault_in_the_echo_of_a_result_of_any_version(version: str) -> None:
    raw = written(version, "nte", source="panel-2.3.1", lane="p:LABO|4711")
    assert judge(raw, TEXT, version) == []


@pytest.mark.parametrize("version", ["2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2"])
def test_no_fault_in_the_echo_of_a_new_result_with_notes(version: str) -> None:
    assert judge(written(version, "nte"), TEXT, version) == []


TEXT_OF_DELIMITERS = "100 # 5 | 3 : 2 * 1"


@pytest.mark.parametrize("mode", MODES)
def test_no_fault_with_other_delimiters(mode: str) -> None:
    raw = written(mode=mode, source="other-delimiters", lane="p:LABD|D99", text=TEXT_OF_DELIMITERS)
    assert judge(raw, TEXT_OF_DELIMITERS, "2.5.1") == []


@pytest.mark.parametrize("mode", MODES)
def test_no_fault_with_a_truncation_character_and_a_sub_id_of_parts(mode: str) -> None:
    source = wire("panel-2.8.2").replace(b"|F^Final^HL70085|", b"|F|")
    raw = written("2.8.2", mode, source=source, lane="p:LABX|A1", at="OBX[3]", text=TEXT_OF_DELIMITERS)
    assert judge(raw, TEXT_OF_DELIMITERS, "2.8.2") == []


@pytest.mark.parametrize("version", ["2.5.1", "2.8.2"])
def test_an_echo_that_breaks_the_standard_is_a_fault(version: str) -> None:
    """OBX-11 is an ID in every version; a sender's coded one passes our reader, and no strict receiver."""
    source = wire("panel-2.5.1").replace(b"|Negative|A|||F|", b"|Negative|A|||F^Final^HL70085|")
    found = judge(written(version, "nte", source=source), TEXT, version)
    assert [fault.split(":")[0] for fault in found] == [f"hl7apy {version}"]
    assert judge(written(version, "obx", source=source), TEXT, version) == []


@pytest.mark.parametrize("kind", ["FT", "TX", "ST"])
@pytest.mark.parametrize("length", [0, 30])
@pytest.mark.parametrize("version", ["2.3.1", "2.5.1", "2.8.2"])
def test_no_fault_in_any_text_type(version: str, length: int, kind: str) -> None:
    text = f"{TEXT}\nSecond paragraph: 3 ~ 4 & more."
    assert judge(written(version, text_type=kind, line_length=length, text=text), text, version) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_read_back_by_both_readers(hostile: str, mode: str) -> None:
    text = f"Before{hostile}after."
    assert judge(written("2.5.1", mode, text=text), text, "2.5.1") == []


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_any_text_is_read_back_by_both_readers(text: str) -> None:
    text = f"Comment: {text}."
    assert judge(written(text=text), text, "2.5.1") == []


@pytest.mark.parametrize("charset", ["UNICODE UTF-8", "8859/1"])
def test_characters_beyond_ascii(charset: str) -> None:
    text = "Über 5 µg/l, naïve\x85"
    assert judge(written(text=text, charset=charset), text, "2.5.1") == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["FT", "TX"])
@pytest.mark.parametrize("version", ["2.3.1", "2.5.1", "2.7", "2.8.2"])
def test_a_comment_as_long_as_comments_get(version: str, kind: str, mode: str) -> None:
    text = " ".join([TEXT] * 9) + " 3 ~ 4 & \\ more."
    source = "panel-2.3.1" if version == "2.3.1" else "panel-2.5.1"
    lane = "p:LABO|4711" if version == "2.3.1" else "p:LABN|88-1203"
    raw = written(version, mode, source=source, lane=lane, text=text, text_type=kind, line_length=70)
    assert judge(raw, text, version) == []


@pytest.mark.parametrize("obx", ["OBX|1|TX|A", "OBX|1", "OBX", "OBX|1|FT|A||x||||||F"])
def test_the_echo_of_a_short_result_is_judged(obx: str) -> None:
    source = wire("panel-2.3.1").decode()
    short = source[: source.index("OBX|1|")] + obx + "\r"
    raw = written(source=short.encode(), mode="nte", lane="p:LABO|4711")
    assert bool(judge(raw, TEXT, "2.5.1")) == (not obx.endswith("F"))


# ---------------------------------------------------------------- damage


def faults(old: bytes, new: bytes, *, version: str = "2.5.1", mode: str = "obx") -> str:
    raw = written(version, mode)
    assert old in raw
    return "; ".join(judge(raw.replace(old, new, 1), TEXT, version))


@pytest.mark.parametrize("mode", MODES)
def test_another_text_is_found_by_both_readers(mode: str) -> None:
    found = faults(b"does not exclude", b"does exclude", mode=mode)
    assert "our reader: the text" in found
    assert "python-hl7: the text" in found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"HEp-2 negative.", b"HEp-2  negative."),
        (b"Anti-SRP positive", b"anti-SRP positive"),
        (b"exclude", b"exclu\\.br\\de"),
    ],
)
def test_small_changes_of_the_text_are_found(old: bytes, new: bytes) -> None:
    assert "the text" in faults(old, new)


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (b"does not", b"does\rOBX|2|ST|X||not", "other segments"),
        (b"\rORC|RE", b"\rNTE|1|L|x\rORC|RE", "other segments"),
        (b"\rORC|RE|P4410^NORTHOE|F4410^NORTHLIS", b"", "other segments"),
        (b"MSH|^~\\&|", b"MSH|^~~&|", "our reader: The delimiters"),
        (b"UNICODE UTF-8", b"KLINGON", "character set"),
        (b"|P|2.5.1|", b"|P|2.6|", "not the receiver's version"),
        (b"OBX|1|FT|8251-1^", b"OBX|1|FT|8251-1^x^y^z^a^b^c^", "hl7apy 2.5.1"),
        (b"|20260418100005+0200||ORU", b"|yesterday||ORU", "hl7apy 2.5.1"),
        (b"ORU^R01^ORU_R01", b"ORU^R99^ORU_R99", "hl7apy 2.5.1"),
        (b"|LBC-000012|", b"||", "hl7apy 2.5.1"),
        (b"||||||F|||2026", b"|||||||||2026", "hl7apy 2.5.1"),
        (b"OBR|1|", b"OBR|one|", "hl7apy 2.5.1"),
    ],
)
def test_each_damage_is_named(old: bytes, new: bytes, wanted: str) -> None:
    assert wanted in faults(old, new)


@pytest.mark.parametrize("version", ["2.7.1", "2.8", "2.8.1", "2.8.2"])
@pytest.mark.parametrize(("old", "new"), [(b"OBX|1|FT", b"OBX|one|FT"), (b"20260417073000+0200||^Ada", b"junk||^Ada")])
def test_damage_is_found_in_versions_judged_by_two_tables(version: str, old: bytes, new: bytes) -> None:
    assert f"hl7apy {version}" in faults(old, new, version=version)


def test_damage_is_found_under_other_delimiters() -> None:
    raw = written("2.5.1", "nte", source="other-delimiters", lane="p:LABD|D99")
    found = judge(raw.replace(b"*20260131080000+0100\rNTE", b"*junk\rNTE"), TEXT, "2.5.1")
    assert [fault.split(":")[0] for fault in found] == ["hl7apy 2.5.1"]


def test_a_new_data_type_is_refused_for_an_old_receiver() -> None:
    found = judge(written("2.3.1", "nte"), TEXT, "2.3.1")
    assert [fault.split(":")[0] for fault in found] == ["hl7apy 2.3.1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_patient_number_without_type_is_refused_where_the_version_requires_one(version: str) -> None:
    source = wire("panel-2.5.1").replace(b"^LABN^MR", b"^LABN")
    raw = outgoing.comment_message(source, "", receiver(version=version), letter(lane="p:REGION|X900"))
    assert judge(raw, TEXT, version) == []
    assert bool(judge(raw.replace(b"^LABN^U", b"^LABN"), TEXT, version)) == (version >= "2.7")


def test_a_version_hl7apy_does_not_know_is_a_fault() -> None:
    assert "hl7apy 2.9" in "; ".join(judge(written("2.9"), TEXT, "2.9"))


def test_faults_hold_no_value_of_the_message() -> None:
    raw = written().replace(b"|19640229|F", b"|SECRET29|F").replace(b"OBX|1|FT", b"OBX|SECRET|FT")
    found = "; ".join(judge(raw, "another text", "2.5.1"))
    assert found
    for value in ("SECRET", "MÜLLER", "88-1203", "another", "Anti-SRP"):
        assert value not in found


@pytest.mark.parametrize("raw", [b"", b"PID|1\r", b"\x00", b"MSH|^~\\&"])
def test_what_is_no_message_has_a_fault(raw: bytes) -> None:
    assert judge(raw, TEXT, "2.5.1")
