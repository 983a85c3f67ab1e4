"""`labbridge sign`: the list, two persons, and what lies on the disk now, on the store of a stopped service."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_run import config, run

OWN = "- {id: ck_mod_from, value: 5, unit: x upper limit, tag: CONVENTION, source: our own decision}\n"
KEY = "policy:ck_mod_from"


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """A laboratory whose site decided one number otherwise."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "policy.yaml").write_text(OWN, encoding="utf-8")
    return config(tmp_path, site=site)


def row(where: Path, key: str = KEY) -> dict[str, str]:
    listed = run("sign", "--config", where, "--format", "json")
    assert (listed.code, listed.err) == (0, "")
    return next(one for one in listed.json if one["item"].startswith(f"{key}@"))


def sign(where: Path, *words: str) -> tuple[int, str]:
    done = run("sign", *words, "--config", where)
    return done.code, done.out or done.err


def test_the_list_is_there_before_there_is_a_store(where: Path) -> None:
    found = row(where)
    assert (found["standing"], found["from"], found["file"]) == ("unsigned", "site", "policy.yaml:1")
    assert row(where, "rule:srp-strong")["from"] == "shipped"
    assert not (where.parent / "store.db").exists()


def test_two_persons_sign_what_the_site_wrote(where: Path) -> None:
    shown = row(where)["item"]
    assert "Nobody has put" in sign(where, shown, "--as", "Dr Bert")[1]
    assert "reason is missing" in sign(where, shown, "--as", "Dr Anna", "--put-forward")[1]
    put = sign(where, shown, "--as", "Dr Anna", "--put-forward", "--why", "40 sera")
    assert put == (0, f"{shown}: {KEY}\n")
    code, said = sign(where, shown, "--as", "Dr Anna")
    assert (code, "another person approves it" in said) == (1, True)
    assert sign(where, shown, "--as", "Dr Bert")[0] == 0
    found = row(where)
    assert (found["standing"], found["author"], found["approver"]) == ("approved", "Dr Anna", "Dr Bert")


def test_a_change_after_the_approval_is_not_approved(where: Path) -> None:
    sign(where, KEY, "--as", "Dr Anna", "--put-forward", "--why", "40 sera")
    sign(where, KEY, "--as", "Dr Bert")
    before = row(where)["item"]
    (where.parent / "site" / "policy.yaml").write_text(OWN.replace("5", "6"), encoding="utf-8")
    assert row(where)["standing"] == "unsigned"
    code, said = sign(where, before, "--as", "Dr Bert")
    assert (code, "is not as it was read" in said) == (1, True)


def test_everything_as_shipped_is_approved_by_a_pattern_and_leaves_the_list(where: Path) -> None:
    before = run("sign", "--unsigned", "--config", where).out.count("\n")
    assert sign(where, "comment:*", "kit:*", "--as", "Dr Bert")[0] == 0
    after = run("sign", "--unsigned", "--config", where).out
    assert after.count("\n") < before - 100
    assert "comment:" not in after
    assert KEY in after


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((KEY,), "Say who signs: --as NAME"),
        ((KEY, "--as", "Dr Bert", "--withdraw", "--put-forward"), "one of the two"),
    ],
)
def test_wrong_use_is_told(where: Path, words: tuple[str, ...], said: str) -> None:
    code, told = sign(where, *words)
    assert (code, said in told) == (2, True)


def test_a_folder_with_a_fault_signs_nothing(where: Path) -> None:
    (where.parent / "site" / "policy.yaml").write_text("- {id: ck_mod_from}\n", encoding="utf-8")
    code, said = sign(where, KEY, "--as", "Dr Bert")
    assert (code, "policy.yaml:1" in said) == (1, True)
    listed = run("sign", "--config", where)
    assert (listed.code, "policy.yaml:1" in listed.err) == (1, True)
