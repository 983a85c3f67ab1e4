"""The commands for the store over the years: backup, restore, audit, retention, erasure, holds, edits, who is who."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_filled import BAD, fill
from cli_run import config, run

from labbridge.anchoring import Anchoring
from labbridge.config import AuditSection
from labbridge.processing import SystemClock
from labbridge.store.sqlite import open_reader

WHO = ("--as", "Alex Smith")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    where = config(tmp_path_factory.mktemp("filled"))
    asyncio.run(fill(where))
    return where


@pytest.fixture
def own(filled: Path, tmp_path: Path) -> Path:
    """The same store, to be changed."""
    with sqlite3.connect(filled.parent / "store.db") as source, sqlite3.connect(tmp_path / "store.db") as target:
        source.backup(target)
    return config(tmp_path)


# ---------------------------------------------------------------- backup and restore


def test_a_backup_comes_back_as_a_store_that_waits_for_a_person(own: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    done = run("backup", copy, "--config", own)
    assert (done.code, done.err) == (0, "")
    assert "4 messages, 2 cases" in done.out
    assert run("backup", copy, "--config", own).code == 1  # never over another one
    (tmp_path / "store.db").rename(tmp_path / "lost.db")
    done = run("restore", copy, *WHO, "--config", own)
    assert done.code == 0
    assert "nothing leaves until `labbridge restore --confirm" in done.out
    assert run("messages", "--count", "--config", own).out.startswith("received 5 = stored 3")
    assert run("restore", "--confirm", *WHO, "--config", own).out.strip() == "restore: comments leave again"
    assert run("restore", "--confirm", *WHO, "--config", own).code == 1


def test_a_backup_says_in_json_what_it_holds(own: Path, tmp_path: Path) -> None:
    found = run("backup", tmp_path / "copy.db", "--config", own, "--format", "json").json
    assert (found["rows"]["journal"], found["rows"]["cases"]) == (4, 2)
    assert len(found["sha256"]) == 64


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("restore", *WHO), 2, "Name the backup to restore"),
        (("restore", "nothing.db", *WHO), 1, "nothing is overwritten"),
        (("restore", "nothing.db", "--to", "elsewhere.db", *WHO), 1, "a backup needs its manifest"),
        (("restore", "nothing.db", "--to", "elsewhere.db", "--as", " "), 1, "needs a name"),
    ],
)
def test_what_cannot_be_restored_is_said(own: Path, words: tuple[str, ...], code: int, says: str) -> None:
    done = run(*(own.parent / one if one.endswith(".db") else one for one in words), "--config", own)
    assert (done.code, done.out) == (code, "")
    assert says in done.err


def test_without_a_store_there_is_nothing_to_take_a_backup_of(tmp_path: Path) -> None:
    done = run("backup", tmp_path / "copy.db", "--config", config(tmp_path))
    assert done.code == 1
    assert "there is no store yet" in done.err


# ---------------------------------------------------------------- the audit


def test_a_whole_audit_says_so_and_what_it_cannot_show(own: Path) -> None:
    done = run("audit", "verify", "--config", own)
    assert done.code == 0
    assert "seals: whole" in done.out
    assert "no anchors" in done.out


def test_a_changed_line_is_found(own: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("UPDATE audit SET actor = 'nobody' WHERE id = 2")
    found = run("audit", "verify", "--config", own, "--format", "json")
    assert found.code == 1
    assert "a line was changed" in found.json["faults"][0]


def test_the_audit_is_held_against_its_anchors(own: Path, tmp_path: Path) -> None:
    assert run("audit", "key", tmp_path / "audit.key").code == 0
    named = AuditSection(key=str(tmp_path / "audit.key"), anchors=str(tmp_path / "anchors"))
    store = open_reader(tmp_path / "store.db")
    signing = Anchoring(named, SystemClock())
    assert [signing.anchor(store), signing.anchor(store), signing.anchor(store, at_once=True)] == [True, False, False]
    store.close()
    words = ("audit", "verify", "--anchors", tmp_path / "anchors", "--key", tmp_path / "audit.key.pub", "--config", own)
    assert "1 anchors; the newest of" in run(*words).out
    with sqlite3.connect(tmp_path / "store.db") as connection:
        for name in ("audit_no_delete", "seals_no_delete"):
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM seals WHERE id > 2")
        connection.execute("DELETE FROM audit WHERE id > (SELECT max(last) FROM seals)")
    done = run(*words)
    assert done.code == 1
    assert "it was cut off, or this is an older database" in done.out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--anchors", "none"), 1, "Name the key"),
        (("--anchors", "none", "--key", "none.pub"), 78, "none: No such file"),
        (("--anchors", "store.db", "--key", "none.pub"), 78, "this is no anchor"),
    ],
)
def test_anchors_that_cannot_be_used_are_named(own: Path, words: tuple[str, ...], code: int, says: str) -> None:
    named = (one if one.startswith("-") else own.parent / one for one in words)
    done = run("audit", "verify", *named, "--config", own)
    assert done.code == code
    assert says in done.err


# ---------------------------------------------------------------- retention, erasure, legal holds


def patient(own: Path) -> str:
    with sqlite3.connect(own.parent / "store.db") as connection:
        return str(connection.execute("SELECT authority || '|' || identifier FROM patients ORDER BY 1").fetchone()[0])


def test_bytes_younger_than_they_must_be_kept_are_not_wiped(own: Path) -> None:
    done = run("expire", "--days", "7", *WHO, "--config", own)
    assert done.code == 1
    assert "35 at least" in done.out
    assert "the bytes of 0 messages wiped" in run("expire", *WHO, "--config", own).out


def test_a_patient_is_held_and_then_erased(own: Path) -> None:
    who = patient(own)
    assert run("legal-hold", who, "--why", "court order", *WHO, "--config", own).code == 0
    assert "legal hold stands" in run("erase", who, "--why", "asked for it", *WHO, "--config", own).out
    assert run("legal-hold", who, "--lift", *WHO, "--config", own).code == 0
    done = run("erase", who, "--why", "asked for it", *WHO, "--config", own)
    assert done.code == 0
    assert "backups keep the patient until they expire" in done.out
    assert run("audit", "verify", "--config", own).code == 0
    with sqlite3.connect(own.parent / "store.db") as connection:
        number = who.partition("|")[2].encode()
        assert all(number not in raw for (raw,) in connection.execute("SELECT raw FROM journal"))


@pytest.mark.parametrize("written", ["PT1", "|", "LABA|", ""])
def test_a_patient_is_named_by_authority_and_number(own: Path, written: str) -> None:
    assert "is no patient" in run("erase", written, "--why", "x", *WHO, "--config", own).out


# ---------------------------------------------------------------- a message that needs a person


def test_a_message_is_edited_by_one_and_sent_through_by_another(own: Path, tmp_path: Path) -> None:
    repaired = tmp_path / "repaired.hl7"
    repaired.write_bytes(BAD + b"OBR|1||F9^LAB|X^Panel^L\rOBX|1|NM|NA^Sodium^L||140|mmol/L^^UCUM|||||F\r")
    done = run("edit", "M4", repaired, "--why", "the order was missing", "--as", "Ada Roth", "--config", own)
    assert done.out.strip() == "M4: M4, version 2"
    assert "edited   version 2 by Ada Roth" in run("show", "M4", "--config", own).out
    assert run("reprocess", "M4", "--as", "Ada Roth", "--config", own).code == 1
    assert run("reprocess", "M4", "--as", "Ben Lot", "--config", own).code == 0
    assert run("edit", "M4", tmp_path / "none.hl7", "--why", "x", *WHO, "--config", own).code == 2


def test_who_is_who_is_said_of_a_message(own: Path) -> None:
    assert run("identity", "M1", "--is", "other", *WHO, "--config", own).out.strip() == "M1: M1"
    assert run("identity", "M1", "--is", "perhaps", *WHO, "--config", own).code == 2
    assert "has linked no two patients" in run("unlink", "M1", *WHO, "--config", own).out
