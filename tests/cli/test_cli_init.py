"""`labbridge init`: what it makes, what it never does, and that nothing is left where it could not go through."""

from __future__ import annotations

import io
import os
import pty
import re
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cli_run import ROOT, Done, run

from labbridge import config_start, setting_up
from labbridge.config import Config, load
from labbridge.errors import CannotCreate
from labbridge.sources import shipped
from labbridge.web.passwords import matches
from tests.clusters import Cluster

PASSWORD = "four unrelated words: heron, gravel"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\nnothing of this line\n")
    return path


def init(folder: Path, password: Path | None, *words: object) -> Done:
    account = ("--admin", "ada", "--name", "Ada Martin", "--password-file", password) if password else ()
    return run("init", folder, *account, *words)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_makes_a_configuration_a_site_a_store_and_an_administrator(tmp_path: Path, password: Path) -> None:
    lab = tmp_path / "etc/lab"
    done = init(lab, password, "--facility", "LABZ", "--sender", "LIS|LABZ", "--receiver", "10.0.0.9:2580")
    assert (done.code, done.err) == (0, "")
    found = load(lab / "labbridge.toml")
    assert (found.facility, found.feeds["lis"].sender, found.receivers["lis"].address) == (
        "LABZ",
        "LIS|LABZ",
        "10.0.0.9:2580",
    )
    assert found.knowledge.site == str(lab / "var/site")
    assert (lab / "var/site/orders.yaml").read_bytes() == (shipped() / "site/orders.yaml").read_bytes()
    with sqlite3.connect(lab / "var/labbridge.db") as store:
        ((login, name, roles, secret),) = store.execute("SELECT login, name, roles, secret FROM people").fetchall()
        acts = store.execute("SELECT actor, action, subject FROM audit").fetchall()
    assert (login, name, roles) == ("ada", "Ada Martin", "admin")
    assert matches(secret, PASSWORD)
    assert ("Ada Martin", "account made", "ada") in acts


def test_what_lies_there_is_for_the_account_alone(tmp_path: Path, password: Path) -> None:
    init(tmp_path / "lab", password)
    modes = {name: (tmp_path / "lab" / name).stat().st_mode & 0o777 for name in ("", "labbridge.toml", "var")}
    assert modes == {"": 0o700, "labbridge.toml": 0o600, "var": 0o700}
    assert PASSWORD.encode() not in b"".join(files(tmp_path / "lab").values())


def test_it_says_what_comes_next(tmp_path: Path, password: Path) -> None:
    said = init(tmp_path / "lab", password).out
    config = tmp_path / "lab/labbridge.toml"
    assert f"labbridge serve --config {config}" in said
    assert "labbridge user add" in said
    assert run("doctor", "--config", config).code == 0
    found = init(tmp_path / "other", password, "--format", "json").json
    assert found == {
        "config": str(tmp_path / "other/labbridge.toml"),
        "site": str(tmp_path / "other/var/site"),
        "store": str(tmp_path / "other/var/labbridge.db"),
        "admin": "ada",
        "workbench": "http://127.0.0.1:8080",
    }


def test_data_may_lie_apart_from_the_configuration(tmp_path: Path, password: Path) -> None:
    assert init(tmp_path / "etc", password, "--data", tmp_path / "lib").code == 0
    assert sorted(path.name for path in (tmp_path / "etc").iterdir()) == ["labbridge.toml"]
    assert load(tmp_path / "etc/labbridge.toml").store.file == tmp_path / "lib/labbridge.db"


@pytest.mark.parametrize("there", ["labbridge.toml", "var/site", "var/labbridge.db"])
def test_nothing_is_overwritten(tmp_path: Path, password: Path, there: str) -> None:
    path = tmp_path / "lab" / there
    path.parent.mkdir(parents=True)
    path.write_bytes(b"somebody's own")
    done = init(tmp_path / "lab", password)
    assert done.code == 73
    assert path.name in done.err
    assert files(tmp_path / "lab") == {there: b"somebody's own"}


def test_a_second_time_changes_nothing(tmp_path: Path, password: Path) -> None:
    assert init(tmp_path / "lab", password).code == 0
    before = files(tmp_path / "lab")
    assert init(tmp_path / "lab", password).code == 73
    assert files(tmp_path / "lab") == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--timezone", "Mars/North"), 78, "IANA time zone"),
        (("--receiver", "nowhere"), 78, "HOST:PORT"),
        (("--receiver", "127.0.0.1:2575"), 78, "what leaves would come back"),
        (("--store", "oracle://x"), 78, "postgresql"),
        (("--store", "postgresql+psycopg://labbridge@127.0.0.1:1/none"), 69, ""),
        (("--admin", "Not A Login"), 1, "no login"),
        (("--name", "Ada\tMartin"), 1, "beside a signature"),
    ],
)
def test_nothing_is_left_where_it_does_not_go_through(
    tmp_path: Path, password: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = init(tmp_path / "deep/lab", password, *words)
    assert (done.code, said in done.err) == (code, True), done.err
    assert not (tmp_path / "deep").exists()


def test_what_was_there_before_stays_where_it_does_not_go_through(tmp_path: Path, password: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/notes").write_text("ours")
    assert init(tmp_path / "lab", password, "--timezone", "Mars/North").code == 78
    assert files(tmp_path / "lab") == {"notes": b"ours"}


@pytest.mark.parametrize("weak", ["short", "ada martin 2026", ""])
def test_a_weak_password_makes_nothing(tmp_path: Path, password: Path, weak: str) -> None:
    password.write_text(weak)
    assert init(tmp_path / "lab", password).code == 1
    assert not (tmp_path / "lab").exists()


@pytest.mark.parametrize(
    "words",
    [(), ("--admin", "ada"), ("--name", "Ada"), ("--join",), ("--join", "--admin", "ada", "--name", "Ada")],
)
def test_who_administers_has_to_be_said(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run("init", tmp_path / "lab", *words)
    assert done.code == 2
    assert "--admin" in done.err


def test_without_a_terminal_it_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    done = run("init", tmp_path / "lab", "--admin", "ada", "--name", "Ada Martin")
    assert done.code == 2
    assert "--password-file" in done.err


def test_at_a_terminal_it_asks_twice(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "labbridge.cli", "init", str(tmp_path / "lab"), "--admin", "ada", "--name", "Ada M"]
    asked = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True)
    os.close(theirs)
    said = b""
    for _time in range(2):
        while said.count(b": ") < _time + 1:  # the blank comes once it listens
            said += os.read(ours, 4096)
        os.write(ours, f"{PASSWORD}\n".encode())
    assert asked.wait(30) == 0
    os.close(ours)
    assert PASSWORD.encode() not in said
    assert (tmp_path / "lab/labbridge.toml").is_file()


# ---------------------------------------------------------------- the configuration


def test_what_is_commented_out_holds_as_well() -> None:
    text = re.sub(r"^# (?=\[|\w+ = )", "", config_start.example(), flags=re.MULTILINE)
    kept = text.replace('url = "sqlite:///var/labbridge.db"\n', "")
    parsed = Config.model_validate(tomllib.loads(kept))
    assert set(parsed.feeds) >= {"lis", "ward", "tables"}
    assert parsed.store.folder == "var"
    assert parsed.audit.anchors


@pytest.mark.parametrize("odd", ['a "quoted" name', "back\\slash", "$site", "Zürich|LABÄ"])
def test_what_is_filled_in_is_taken_literally(odd: str) -> None:
    found = tomllib.loads(config_start.text(config_start.Start(sender=odd, facility=odd)))
    assert (found["feeds"]["lis"]["sender"], found["facility"]) == (odd, odd)


# ---------------------------------------------------------------- PostgreSQL


def test_a_further_node_joins_the_store_of_the_first(tmp_path: Path, password: Path, postgres: Cluster) -> None:
    url = postgres.empty()
    early = init(tmp_path / "north", None, "--store", url, "--join")
    assert (early.code, "no store yet to join" in early.err) == (1, True)
    assert not (tmp_path / "north").exists()
    first = init(tmp_path / "north", password, "--store", url)
    assert first.code == 0, first.err
    again = init(tmp_path / "south", password, "--store", url)
    assert (again.code, "--join" in again.err) == (73, True)
    joined = init(tmp_path / "south", None, "--store", url, "--join", "--format", "json")
    assert (joined.code, joined.json["admin"]) == (0, "")
    north, south = (load(tmp_path / one / "labbridge.toml").store for one in ("north", "south"))
    assert north.url == south.url == url
    assert (Path(north.folder), Path(south.folder)) == (tmp_path / "north/var", tmp_path / "south/var")
    assert "ada" in run("user", "list", "--config", tmp_path / "south/labbridge.toml").out


@pytest.mark.parametrize("there", ["labbridge.toml", "var/site/policy.yaml"])
def test_one_that_came_meanwhile_is_not_replaced(tmp_path: Path, there: str) -> None:
    """Two persons at once: the second finds what the first made, though it was not there when it looked."""
    lab = tmp_path / "lab"
    (lab / there).parent.mkdir(parents=True)
    (lab / there).write_text("theirs")
    (lab / "var").mkdir(exist_ok=True)
    (lab / "var/labbridge.db.of-last-year").write_text("a copy")
    start = config_start.Start(**config_start.beside(lab / "var"))
    wanted = setting_up.Wanted(folder=lab, data=lab / "var", start=start)
    with pytest.raises(CannotCreate):
        setting_up.set_up(wanted, setting_up.Admin("ada", "Ada Martin", "no hash"))
    assert files(lab) == {there: b"theirs", "var/labbridge.db.of-last-year": b"a copy"}
