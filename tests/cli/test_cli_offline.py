"""Interpretation without a store: messages of files, their patients, the day it is for them; and case files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from cli_run import SAMPLES, SITE, config, run

from labbridge.config import load as load_config
from labbridge.errors import CaseFileError
from labbridge.model.work import Feed
from labbridge.offline import PatientOutcome, Readers, interpret_files, validate_files
from labbridge.sources import load
from labbridge.wires import Feeds, Unreadable, split_messages

PARIS = Feed(name="myolis", timezone="Europe/Paris")
HEAD = b"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|$SENT||ORU^R01^ORU_R01|$ID|P|2.5.1||||||UNICODE UTF-8"
BLOT = "NM|SRPB^Anti-SRP (line blot)^L|1|{}|intensity^intensity^L|0-5|A|||F"
CK = "NM|2157-6^Creatine kinase^LN|1|{}|U/L^U/L^UCUM|39-190|H|||F"


@lru_cache
def readers() -> Readers:
    return Readers.of(load(str(SITE)))


def message(
    *results: str, id: str = "M1", patient: str = "PT1", authority: str = "LABA", sent: str = "20261113120000+0100",
    drawn: str = "20261110091500+0100",
) -> bytes:  # fmt: skip
    """One message of one patient, one order."""
    head = HEAD.replace(b"$SENT", sent.encode()).replace(b"$ID", id.encode()).decode()
    lines = [f"OBX|{number}|{result}" for number, result in enumerate(results, 1)]
    order = f"OBR|1|P{id}^MYOCLIN|F{id}^MYOLIS|MYO^Myositis^L|||{drawn}"
    return "\r".join(
        (head, f"PID|1||{patient}^^^{authority}^MR||TEST^SYNTHETIC||19690417|M", order, *lines, "")
    ).encode()


def srp(value: str, **more: str) -> bytes:
    return message(BLOT.format(value), **more)


def ck(value: str, **more: str) -> bytes:
    return message(CK.format(value), **more)


def interpreted(
    *contents: bytes, feed: Feed = PARIS, as_of: date | None = None
) -> tuple[list[PatientOutcome], list[Unreadable]]:
    files = [(f"file{number}", content) for number, content in enumerate(contents, 1)]
    return interpret_files(files, readers(), Feeds(feed, feed), as_of)


def states(found: Sequence[PatientOutcome]) -> list[tuple[str, str]]:
    return [(one.outcome.states.SRP, one.outcome.states.CK) for one in found]


# ---------------------------------------------------------------- the messages of a file

ONE, TWO = b"MSH|^~\\&|A\rPID|1\rOBX|1\r", b"MSH|^~\\&|B\rPID|2\r"


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        (ONE, [ONE]), (ONE.rstrip(b"\r"), [ONE]), (ONE + TWO, [ONE, TWO]), (ONE + b"\r\r" + TWO + b"\r", [ONE, TWO]),
        (b"\x0b" + ONE + b"\x1c\r", [ONE]), (b"\x0b" + ONE + b"\x1c\r\x0b" + TWO + b"\x1c\r", [ONE, TWO]),
        (b"\x0b" + ONE + b"\x1c\x0b" + TWO + b"\x1c", [ONE, TWO]), (b"\n\n" + ONE, [ONE]),
        (b"a report of today\r\n" + ONE, [ONE]), (b"", []), (b"\r\n", []), (b"hello", []), (b"PID|1\rOBX|1\r", []),
        (b"FHS|^~\\&|X\r" + ONE + b"FTS|1\r", [ONE]),
        (b"FHS|^~\\&|X\rBHS|^~\\&|Y\r" + ONE + TWO + b"BTS|2\rFTS|1\r", [ONE, TWO]),
        (b"BHS|^~\\&\r" + ONE + b"BTS|1\rBHS|^~\\&\r" + TWO + b"BTS|1\r", [ONE, TWO]),
        (b"FHS|^~\\&|X\rBHS|^~\\&|Y\rBTS|0\rFTS|1\r", []),
    ],
)  # fmt: skip
def test_a_file_is_cut_where_a_message_begins(content: bytes, messages: list[bytes]) -> None:
    assert split_messages(content) == messages


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_line_ends_stay_as_they_came(ends: bytes) -> None:
    first, second = (one.replace(b"\r", ends) for one in (ONE, TWO))
    assert split_messages(first + second) == [one.rstrip(b"\r\n") + b"\r" for one in (first, second)]


def test_the_letters_msh_inside_a_field_begin_no_message() -> None:
    told = ONE + b"NTE|1||see MSH|^~\\&|C of the first report\r"
    assert split_messages(told) == [told]


# ---------------------------------------------------------------- patients


def test_the_messages_of_a_patient_are_read_together_whatever_file_they_are_in() -> None:
    for contents in (
        (srp("58") + ck("7800", id="M2"),),
        (srp("58"), ck("7800", id="M2")),
        (ck("7800", id="M2"), srp("58")),
    ):
        found, unreadable = interpreted(*contents)
        assert states(found) == [("POS_STRONG", "HIGH")]
        assert unreadable == []


def test_patients_come_in_the_order_of_their_first_message() -> None:
    found, _unreadable = interpreted(ck("90", patient="PT2"), srp("58"), srp("2", id="M3", patient="PT2"))
    assert states(found) == [("NEG", "NORMAL"), ("POS_STRONG", "UNKNOWN")]
    assert [one.outcome.patient and one.outcome.patient.id for one in found] == ["PT2", "PT1"]


def test_the_same_number_of_another_authority_is_another_patient() -> None:
    found, _unreadable = interpreted(srp("58"), ck("7800", id="M2", authority="LABB"))
    assert states(found) == [("POS_STRONG", "UNKNOWN"), ("NOT_TESTED", "HIGH")]


def test_two_patients_of_one_message_stay_apart() -> None:
    both = srp("58") + b"\r".join(ck("90", id="M2", patient="PT2").split(b"\r")[1:])
    found, unreadable = interpreted(both)
    assert (states(found), unreadable) == ([("POS_STRONG", "UNKNOWN"), ("NOT_TESTED", "NORMAL")], [])


def test_a_correction_in_a_later_message_counts_and_the_first_value_does_not() -> None:
    changed = srp("2").replace(b"|||F\r", b"|||C\r").replace(b"20261113120000", b"20261113150000")
    found, _unreadable = interpreted(srp("58") + changed)
    assert states(found) == [("NEG", "UNKNOWN")]
    assert "RESULT_CORRECTED" in {flag.code for flag in found[0].outcome.flags}


def test_what_cannot_be_read_is_named_by_its_file_and_number_and_costs_no_other() -> None:
    bad = srp("58", patient="PT9").replace(b"PID|", b"PIX|")
    found, unreadable = interpreted(srp("58") + bad + ck("7800", id="M3"), b"no message", bad)
    assert states(found) == [("POS_STRONG", "HIGH")]
    assert [(one.name, one.number) for one in unreadable] == [("file1", 2), ("file2", 1), ("file3", 1)]
    assert unreadable[1].text == "No MSH segment: this is not an HL7 v2 file"
    assert all(one.text and "PT9" not in one.text for one in unreadable)


def test_evidence_names_the_file_and_the_message_it_was_in() -> None:
    found, _unreadable = interpreted(ck("90"), ck("90", id="M2", drawn="20261111") + srp("58", id="M3"))
    flag = next(flag for flag in found[0].outcome.flags if flag.code == "MSA_POSITIVE")
    assert flag.evidence[0] == "file2#2:OBX[1]"


# ---------------------------------------------------------------- the day it is


def days(*contents: bytes, feed: Feed = PARIS, as_of: date | None = None) -> list[str]:
    return [one.outcome.evaluated_at.isoformat() for one in interpreted(*contents, feed=feed, as_of=as_of)[0]]


def test_now_is_the_newest_message_of_that_patient() -> None:
    old, new = srp("58", sent="20260301120000"), ck("90", id="M2", sent="20260401120000")
    other = srp("2", id="M3", patient="PT2", sent="20260501120000")
    assert days(new, old, other) == ["2026-04-01", "2026-05-01"]
    assert days(old + other + new) == ["2026-04-01", "2026-05-01"]


def test_the_day_is_that_of_the_feeds_time_zone() -> None:
    """C10.32: calendar dates in the feed's time zone."""
    late = srp("58", sent="20261113233000+0000")
    assert days(late, feed=PARIS) == ["2026-11-14"]
    assert days(late, feed=Feed(name="file")) == ["2026-11-13"]
    assert days(srp("58", sent="20261113233000"), feed=PARIS) == ["2026-11-13"], (
        "a time without an offset is the feed's"
    )


def test_a_day_that_is_given_is_every_patients() -> None:
    contents = srp("58"), srp("2", id="M3", patient="PT2", sent="20260501120000")
    assert days(*contents, as_of=date(2027, 1, 2)) == ["2027-01-02", "2027-01-02"]


def test_without_a_message_time_the_newest_collection_is_now() -> None:
    early, late = (srp("58", sent="", id=f"M{day}", drawn=f"202611{day}091500+0100") for day in ("08", "10"))
    assert days(late, early) == ["2026-11-10"]


def test_the_same_files_say_the_same_on_a_later_day_and_a_newer_result_moves_the_episode() -> None:
    """C10.1: an antibody collected more than 180 d before the newest usable result is history."""
    (now,), _unreadable = interpreted(srp("58"))
    (later,), _unreadable = interpreted(srp("58"), as_of=date(2028, 1, 1))
    assert states([now]) == states([later]) == [("POS_STRONG", "UNKNOWN")]
    newer = ck("90", id="M2", sent="20280101", drawn="20280101")
    (moved,), _unreadable = interpreted(srp("58"), newer)
    assert states([moved]) == [("NOT_TESTED", "NORMAL")]


# ---------------------------------------------------------------- read as the feed reads

COMMA = (
    '[feeds.myolis]\nlisten = "127.0.0.1:0"\ntimezone = "Europe/Paris"\ndecimal_mark = ","\nempty_status = "final"\n'
)


def wrote(folder: Path, *messages: bytes, name: str = "in.hl7") -> Path:
    path = folder / name
    path.write_bytes(b"".join(messages))
    return path


def with_feeds(folder: Path, feeds: str) -> Path:
    path = folder / "own.toml"
    path.write_text(f'{feeds}[knowledge]\nsite = "{SITE}"\n', encoding="utf-8")
    return path


def test_files_are_read_as_the_first_feed_would_read_them(tmp_path: Path) -> None:
    path = wrote(tmp_path, ck("1,234").replace(b"|||F\r", b"|||\r"))
    (plain,) = run("interpret", path, "--config", with_feeds(tmp_path, ""), "--format", "json").lines
    assert {"VALUE_IMPLAUSIBLE", "STATUS_UNKNOWN"} <= {flag["code"] for flag in plain["flags"]}
    (comma,) = run("interpret", path, "--config", with_feeds(tmp_path, COMMA), "--format", "json").lines
    assert (comma["states"]["CK"], comma["hold"]) == ("NORMAL", False)


def test_without_a_feed_a_file_is_read_by_the_defaults(tmp_path: Path) -> None:
    done = run("interpret", wrote(tmp_path, srp("58")), "--config", with_feeds(tmp_path, ""), "--format", "json")
    assert (done.code, done.lines[0]["states"]["SRP"]) == (0, "POS_STRONG")


def piped(content: bytes, *words: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "labbridge.cli", *map(str, words)]
    return subprocess.run(command, input=content, capture_output=True, env={**os.environ}, timeout=120, check=False)


def test_standard_input_is_a_file_like_any_other(tmp_path: Path) -> None:
    where, other = config(tmp_path), wrote(tmp_path, ck("7800", id="M2"))
    done = piped(srp("58"), "interpret", "-", other, "--config", where, "--format", "json")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b'"SRP": "POS_STRONG"' in done.stdout
    assert b'"CK": "HIGH"' in done.stdout
    empty = piped(b"", "interpret", "-", "--config", where)
    assert (empty.returncode, empty.stdout) == (1, b"")
    assert empty.stderr.decode().startswith("-, message 1: No MSH segment")


def test_the_samples_are_read_without_a_note_to_a_person(tmp_path: Path) -> None:
    for folder in sorted(path for path in SAMPLES.iterdir() if path.is_dir() and path.name[0].isdigit()):
        done = run("interpret", *sorted(folder.glob("1*.hl7")), "--config", config(tmp_path), "--format", "json")
        assert (done.code, done.err, len(done.lines)) == (0, "", 1), folder.name


# ---------------------------------------------------------------- case files

CASE = """\
vignettes:
- id: T-1
  patient: {sex: F, age_years: 52}
  evaluate_at: "2026-02-06"
  results:
  - {filler: S1, analyte: SRP, value: "58", method: line_blot, specimen: serum, status: F, collected: "2026-02-02",
     received: "2026-02-04"}
"""


def expecting(expected: str) -> str:
    return f"{CASE}  expected: {expected}\n"


def validated(folder: Path, *texts: str | bytes) -> list[Any]:
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f"cases{number}.yaml")
        paths[-1].write_bytes(text if isinstance(text, bytes) else text.encode())
    return validate_files(paths, load_config(config(folder)))


def test_every_case_of_every_file_is_run_in_order(tmp_path: Path) -> None:
    found = validated(tmp_path, CASE, expecting("{hold: false}").replace("T-1", "T-2"))
    assert [(one.id, one.passed) for one in found] == [("T-1", None), ("T-2", True)]
    assert {one.outcome.states.SRP for one in found} == {"POS_STRONG"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "there is no list `vignettes`"),
        ("cases: []", "there is no list `vignettes`"),
        ("- id: A", "there is no list `vignettes`"),
        ("vignettes: {id: A}", "there is no list `vignettes`"),
        ("vignettes: [one, two]", "there is no list `vignettes`"),
        ("\n\nvignettes: [", "cases0.yaml:3: this is not YAML"),
        ("a: b: c", "cases0.yaml:1: this is not YAML"),
        ("!!python/object/apply:os.getcwd []", "this is not YAML"),
        (b"vignettes: [\xff\xfe]", "this is not YAML in UTF-8"),
        ("vignettes: [{id: A, results: []}]", "case A lacks 'evaluate_at'"),
        ('vignettes: [{evaluate_at: "2026-02-06"}]', "case ? lacks 'id'"),
        (CASE.replace('received: "2026-02-04"', "x: y"), "case T-1 lacks 'received'"),
        (CASE.replace("2026-02-06", "soon"), "case T-1 cannot be read"),
        (CASE.replace("age_years: 52", "age_years: old"), "case T-1 cannot be read"),
        (expecting("{states: {XYZ: NEG}}"), "case T-1 cannot be read"),
        (expecting("C01"), "case T-1 cannot be read"),
        (expecting("{retest_required: [{analyte: SRP}]}"), "case T-1 lacks 'family_any_of'"),
    ],
)  # fmt: skip
def test_a_case_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    with pytest.raises(CaseFileError) as caught:
        validated(tmp_path, text)
    assert sentence in str(caught.value)
    assert "cases0.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_leaves_with_wrong_use_and_says_the_place(tmp_path: Path) -> None:
    path = wrote(tmp_path, b"vignettes: [\n", name="bad.yaml")
    done = run("validate", path, "--config", config(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"{path}:")


@pytest.mark.parametrize(("expected", "code"), [("{hold: false}", 0), ("{hold: true}", 1), ("{states: {SRP: NEG}}", 1)])
def test_a_failed_case_needs_a_person(tmp_path: Path, expected: str, code: int) -> None:
    path = wrote(tmp_path, expecting(expected).encode(), name="own.yaml")
    assert run("validate", path, "--config", config(tmp_path)).code == code
