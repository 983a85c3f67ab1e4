"""[feeds.NAME.odbc] and [receivers.NAME.odbc]: what is refused, what is printed, and what is missing on this machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labbridge import config, config_text, gate, odbc_settings
from labbridge.odbc_settings import access_of, polling_of, staging_of, view_of
from labbridge.processing import SystemClock
from tests.rows.test_rows_naming import BAD

FEED = """
[feeds.tables]
kind = "odbc"
timezone = "Europe/Paris"
[feeds.tables.odbc]
connection = "DSN=lis;UID=labbridge"
view = "lis.results"
key = ["id"]
changed = "changed_at"
columns = { code = "test", value = "result", patient_id = "pat" }
"""
RECEIVER = """
[receivers.out]
kind = "odbc"
[receivers.out.odbc]
connection = "DRIVER={X};SERVER=h"
table = "lis.comments"
columns = { id = "lb_id", text = "comment_text" }
"""


def load(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "labbridge.toml"
    path.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/s.db"\nvolatile = true\n{text}', encoding="utf-8")
    return config.load(path)


def fault(tmp_path: Path, text: str) -> str:
    with pytest.raises(config.ConfigError) as caught:
        load(tmp_path, text)
    return str(caught.value)


def test_a_feed_and_a_receiver_as_their_processes_are_told(tmp_path: Path) -> None:
    read = load(tmp_path, FEED + RECEIVER)
    odbc = read.feeds["tables"].odbc
    assert odbc is not None
    assert view_of(odbc).columns == ("id", "changed_at", "test", "result", "pat")
    polling = polling_of("tables", read.feeds["tables"])
    assert (polling.timezone, polling.window_s, polling.feed.key) == ("Europe/Paris", 600.0, ("id",))
    assert polling.access.read_only
    to = read.receivers["out"].odbc
    assert to is not None
    assert (staging_of(to).table, read.receivers["out"].mode, read.receivers["out"].endpoint) == (
        "lis.comments",
        "row",
        "",
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("DSN=lis;UID=labbridge", "DSN=lis;PWD=s3cret", "the password does not belong here"),
        ("DSN=lis;UID=labbridge", "DSN=lis; password = s3cret", "the password does not belong here"),
        ("DSN=lis;UID=labbridge", "postgresql://lis", "write DSN=NAME"),
        ('view = "lis.results"', 'view = "SELECT 1"', "letters, digits"),
        ('key = ["id"]', "key = []", "at least 1 item"),
        ('key = ["id"]', 'key = ["id", "x; DROP"]', "letters, digits"),
        ('changed = "changed_at"', 'changed = "now()"', "letters, digits"),
        ("patient_id", "patiend_id", "patiend_id is nothing a column can be; known are patient_id"),
        ('value = "result", ', "", "code needs value"),
        (
            'code = "test", value = "result", ',
            "",
            "name code and value, or name the columns that hold results in parts",
        ),
        ('changed = "changed_at"', 'changed = "c"\nsince = "soon"', "a day or a time"),
        ('changed = "changed_at"', 'changed = "c"\nchanged_timezone = "CET/Nowhere"', "IANA"),
        ('changed = "changed_at"', 'changed = "c"\npassword = "a"\npassword_file = "b"', "name one of the two"),
        ('kind = "odbc"', 'kind = "odbc"\nlisten = "127.0.0.1:1"', "listen is none of a feed of kind odbc"),
        ('kind = "odbc"', 'kind = "mllp"', "odbc is none of a feed of kind mllp"),
        ('changed = "changed_at"', 'changd = "c"', "did you mean changed?"),
    ],
)
def test_what_is_wrong_with_a_feed_is_named_with_its_repair(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in FEED
    told = fault(tmp_path, FEED.replace(before, after, 1))
    assert said in told
    assert "feeds.tables" in told
    assert "s3cret" not in told


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('id = "lb_id", ', "", "id must have a column"),
        ('text = "comment_text"', 'text = "lb_id"', "one column is named twice"),
        ('text = "comment_text"', 'text = "c", nothing = "d"', "nothing is nothing a column can be"),
        ('table = "lis.comments"', 'table = "c"\nprocedure = "p"', "procedure and arguments go together"),
        ('table = "lis.comments"', 'table = "c"\nprocedure = "p"\narguments = ["text"]', "arguments: id is missing"),
        ('kind = "odbc"', 'kind = "odbc"\nretest = "order"', "takes no orders"),
        ('kind = "odbc"', 'kind = "odbc"\naddress = "h:1"', "take address out"),
        ('kind = "odbc"', 'kind = "odbc"\nversion = "2.4"', "version is none of a receiver of kind odbc"),
        ('kind = "odbc"', 'kind = "odbc"\ncomment_mode = "obx"', "comment_mode is one of row"),
    ],
)
def test_what_is_wrong_with_a_receiver_is_named_with_its_repair(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    assert before in RECEIVER
    assert said in fault(tmp_path, RECEIVER.replace(before, after, 1))


def test_without_its_section_neither_is_taken(tmp_path: Path) -> None:
    assert "needs its section [feeds.NAME.odbc]" in fault(tmp_path, '[feeds.a]\nkind = "odbc"\n')
    assert "needs its section [receivers.NAME.odbc]" in fault(tmp_path, '[receivers.a]\nkind = "odbc"\n')
    assert "address: write HOST:PORT" in fault(tmp_path, "[receivers.a]\n")
    acks = RECEIVER + '[feeds.m]\napplication_ack = "out"\n'
    assert "names a table, which takes no acknowledgements" in fault(tmp_path, acks)


@pytest.mark.parametrize(
    "name", [one for one in BAD if one and one.isprintable() and '"' not in one and "\\" not in one]
)
def test_a_name_that_is_none_is_refused_when_the_configuration_is_read(tmp_path: Path, name: str) -> None:
    """S-06: a hundred names, in the view, as a column and as the key of a part."""
    fault(tmp_path, FEED.replace('"lis.results"', f'"{name}"'))
    fault(tmp_path, FEED.replace('"pat"', f'"{name}"'))
    fault(tmp_path, FEED.replace("columns =", f'parts = {{ "{name}" = "ANA" }}\ncolumns ='))
    fault(tmp_path, RECEIVER.replace('"comment_text"', f'"{name}"'))


# ---------------------------------------------------------------- secrets


def test_the_password_comes_from_the_environment_and_is_printed_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABBRIDGE_FEEDS__TABLES__ODBC__PASSWORD", "s3cret")
    read = load(tmp_path, FEED)
    odbc = read.feeds["tables"].odbc
    assert odbc is not None
    access = access_of(odbc, read_only=True)
    assert access.password == "s3cret"
    for text in (
        config_text.effective(read),
        repr(odbc),
        repr(access),
        repr(polling_of("tables", read.feeds["tables"])),
    ):
        assert "s3cret" not in text
    assert 'password = "***"' in config_text.effective(read)


def test_what_is_in_force_is_printed_as_a_file_that_reads_the_same(tmp_path: Path) -> None:
    read = load(tmp_path, FEED + RECEIVER)
    path = tmp_path / "again.toml"
    path.write_text(config_text.effective(read), encoding="utf-8")
    assert config.load(path).model_dump() == read.model_dump()


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"s3cret word\n", 0o600, ""),
        ("pässwörd".encode(), 0o600, ""),
        (b"s3cret", 0o644, "chmod 600"),
        (b"", 0o600, "it holds no password"),
        (b"a\nb", 0o600, "it holds no password"),
        (b"\xff", 0o600, "it holds no password"),
        (b"x" * 2000, 0o600, "it holds no password"),
    ],
)
def test_a_file_with_the_password(tmp_path: Path, content: bytes, mode: int, said: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    file.chmod(mode)
    text = FEED.replace('changed = "changed_at"', f'changed = "c"\npassword_file = "{file}"')
    read = load(tmp_path, text)
    told = [one for one in odbc_settings.faults(read) if "password" in one]
    assert [said in one for one in told] == ([True] if said else [])
    assert not any("s3cret" in one for one in told)
    odbc = read.feeds["tables"].odbc
    assert odbc is not None
    if not said:
        assert access_of(odbc, read_only=True).password == content.decode().rstrip("\n")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    text = FEED.replace('changed = "changed_at"', 'changed = "c"\npassword_file = "/nowhere/at/all"')
    told = list(odbc_settings.faults(load(tmp_path, text)))
    assert any("password_file: /nowhere/at/all: No such file" in one for one in told)


# ---------------------------------------------------------------- this machine


def loaded(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    monkeypatch.setattr(odbc_settings, "_loaded", lambda: found)


@pytest.mark.parametrize(
    ("connection", "there", "said"),
    [
        ("DSN=lis", "package_missing", "pip install pyodbc"),
        ("DSN=lis", "manager_missing", "apt-get install unixodbc"),
        ("DSN=lis", {"drivers": [], "sources": []}, "there is no data source of this name"),
        ("DSN=LIS;UID=x", {"drivers": [], "sources": ["lis"]}, ""),
        ("DRIVER={My Driver};X=1", {"drivers": ["Other"], "sources": []}, "the driver is not installed"),
        ("driver = {my driver}", {"drivers": ["My Driver"], "sources": []}, ""),
        ("DRIVER=/usr/lib/x.so", {"drivers": [], "sources": []}, ""),
        ("FILEDSN=/etc/x.dsn", {"drivers": [], "sources": []}, ""),
    ],
)
def test_what_this_machine_lacks_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection: str, there: Any, said: str
) -> None:
    loaded(monkeypatch, there)
    read = load(tmp_path, FEED.replace("DSN=lis;UID=labbridge", connection))
    told = list(odbc_settings.faults(read))
    assert len(told) == (1 if said else 0)
    assert all(one.startswith("feeds.tables.odbc.connection: ") and said in one for one in told)
    if said:
        with pytest.raises(config.ConfigError, match=r"feeds\.tables\.odbc\.connection"):
            gate.check(read, SystemClock().now())


def test_without_a_table_nothing_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> Any:
        raise AssertionError

    monkeypatch.setattr(odbc_settings, "_loaded", never)
    assert list(odbc_settings.faults(load(tmp_path, ""))) == []


def test_pyodbc_is_imported_in_processes_of_its_own_alone() -> None:
    """A fault in a driver ends the process: neither the service nor a command may be it."""
    code = (
        "import sys, labbridge.app, labbridge.cli, labbridge.acts, labbridge.polling, labbridge.receivers,"
        " labbridge.odbc_testing; print('pyodbc' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# ---------------------------------------------------------------- the pages


def blocks(page: str) -> list[str]:
    text = (Path(__file__).parent.parent / "docs/how-to" / page).read_text(encoding="utf-8")
    return re.findall(r"```toml\n(.*?)```", text, re.S)


def test_the_sections_of_the_page_on_views_load(tmp_path: Path) -> None:
    feed, parts = blocks("read-a-view.md")
    odbc = load(tmp_path, feed).feeds["tables"].odbc
    assert odbc is not None
    assert odbc.number == "id"
    wide = load(tmp_path, f"{feed}{parts}").feeds["tables"].odbc
    assert wide is not None
    assert wide.parts["ana_titre"] == "ANA_TITRE"


def test_the_sections_of_the_page_on_tables_load(tmp_path: Path) -> None:
    table, procedure = blocks("write-into-a-table.md")
    assert load(tmp_path, table).receivers["lis"].odbc is not None
    whole = f'[receivers.lis]\nkind = "odbc"\n{procedure}'.replace(
        'procedure = "', 'connection = "DSN=lis"\nprocedure = "'
    )
    odbc = load(tmp_path, whole).receivers["lis"].odbc
    assert odbc is not None
    assert odbc.arguments == ("id", "patient_id", "filler_order", "text")
