"""A pack on the disk: two files, never written over; and an earlier one read back."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import msgspec
import pytest
from pack_cases import case, ck, hep2, pack_of, srp

from labbridge.errors import CannotCreate, PackFileError
from labbridge.pack.difference import difference
from labbridge.pack.files import Names, encoded, keep, names_of, read_pack, refuse_taken
from labbridge.pack.form import Pack

CASE = case("ONE", srp("58"), hep2("Negative"), ck("2040"), expected={"comment_class": "C01"}, trap="ünïcode <b>")


def full() -> Pack:
    """With a difference, so that every part is there."""
    before = pack_of(case("ONE", srp("2")), case("TWO", ck("90")))
    now = pack_of(CASE)
    return msgspec.structs.replace(now, difference=difference(before, now, "ef" * 32))


@pytest.mark.parametrize(
    ("named", "html", "document"),
    [
        ("pack", "pack.html", "pack.json"),
        ("pack.html", "pack.html", "pack.json"),
        ("pack.json", "pack.html", "pack.json"),
        ("pack.HTML", "pack.html", "pack.json"),
        ("pack-2026.11", "pack-2026.11.html", "pack-2026.11.json"),
        ("pack.yaml", "pack.yaml.html", "pack.yaml.json"),
        ("lab/pack", "lab/pack.html", "lab/pack.json"),
        ("pack.json.html", "pack.json.html", "pack.json.json"),
        (".html", ".html.html", ".html.json"),
    ],
)
def test_a_name_with_or_without_its_suffix_names_the_same_two_files(named: str, html: str, document: str) -> None:
    assert names_of(Path(named)) == Names(Path(html), Path(document))


@pytest.mark.parametrize("taken", ["pack.html", "pack.json"])
def test_either_file_that_is_there_refuses_the_pack(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("signed")
    with pytest.raises(CannotCreate) as caught:
        refuse_taken(names_of(tmp_path / "pack"))
    assert str(caught.value) == (
        f"{tmp_path / taken} is there already; name another file, a filed pack is never overwritten"
    )


def test_a_link_that_leads_nowhere_is_taken_too(tmp_path: Path) -> None:
    (tmp_path / "pack.json").symlink_to(tmp_path / "away")
    with pytest.raises(CannotCreate, match="is there already"):
        refuse_taken(names_of(tmp_path / "pack"))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotCreate, match="there is no such folder; make it"):
        refuse_taken(names_of(tmp_path / "nowhere/pack"))
    refuse_taken(names_of(tmp_path / "pack"))


def test_both_are_kept_as_they_are(tmp_path: Path) -> None:
    names = names_of(tmp_path / "pack")
    keep(names, b"<p>", b"{}")
    assert (names.html.read_bytes(), names.json.read_bytes()) == (b"<p>", b"{}")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["pack.html", "pack.json"]


@pytest.mark.parametrize("taken", ["pack.html", "pack.json"])
def test_what_came_there_meanwhile_stays_and_nothing_of_the_pack_is_left(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("signed")
    with pytest.raises(CannotCreate, match="nothing of the pack was kept"):
        keep(names_of(tmp_path / "pack"), b"<p>", b"{}")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [(taken, "signed")]


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []

    def full(number: int) -> None:
        kept.append(number)
        if len(kept) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotCreate) as caught:
        keep(names_of(tmp_path / "pack"), b"<p>", b"{}")
    assert "pack.json could not be written: No space left on device" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- to JSON and back


def test_a_pack_comes_back_as_it_went(tmp_path: Path) -> None:
    path = tmp_path / "pack.json"
    path.write_bytes(encoded(full()))
    found, sha256 = read_pack(path)
    assert found == full()
    assert encoded(found) == path.read_bytes()
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_document_is_utf_8_an_item_a_line_and_ends_with_one() -> None:
    text = encoded(full()).decode("utf-8")
    assert "ünïcode <b>" in text
    assert text.startswith('{\n "schema_version": 1,\n "at": "2026-11-26T14:05:09+00:00",\n')
    assert text.endswith("}\n")
    assert json.loads(text)["cases"][0]["given"]["trap"] == "ünïcode <b>"


def test_a_field_that_joined_later_is_read_past(tmp_path: Path) -> None:
    path = tmp_path / "pack.json"
    path.write_text(json.dumps({**json.loads(encoded(full())), "joined": [1]}), encoding="utf-8")
    assert read_pack(path)[0] == full()


def written(folder: Path, content: bytes) -> Path:
    path = folder / "before.json"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!DOCTYPE html>",
        b"[]",
        b"null",
        b"{}",
        b'{"schema_version": "one"}',
        b'{"schema_version": 1}',
        b'{"schema_version": 1, "at": "\xff"}',
        b'{"cases": []}',
        b"[" * 100_000,
    ],
    ids=[
        "empty",
        "the page",
        "list",
        "null",
        "no version",
        "a word",
        "nothing else",
        "bytes",
        "validate's json",
        "deep",
    ],
)
def test_what_is_no_pack_is_one_sentence_with_the_place_and_the_repair(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    with pytest.raises(PackFileError) as caught:
        read_pack(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: this is no validation pack (")
    assert text.endswith("; name the .json of an earlier one")
    assert "\n" not in text


def test_a_newer_pack_is_refused_as_such(tmp_path: Path) -> None:
    content = json.dumps({**json.loads(encoded(full())), "schema_version": 2}).encode()
    with pytest.raises(PackFileError, match="schema version 2, newer than this labbridge reads"):
        read_pack(written(tmp_path, content))


def test_one_that_is_not_there_is_said_by_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_pack(tmp_path / "away.json")
