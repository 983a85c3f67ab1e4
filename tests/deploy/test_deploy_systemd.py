"""The unit: how much it is exposed, and its ExecStart run as written by a real systemd, with every limit it names."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import PACKAGES, PREFIX, Journal, Machine, until

from tests.conftest import ROOT, missing

UNITS = ROOT / "deploy/systemd"
UNIT = UNITS / "labbridge.service"
EXPOSED_AT_MOST = 2.0
PASSWORD = "four unrelated words: heron, gravel"
LIS, STRANGER, OWN = "10.0.7.5", "10.0.8.5", "10.0.7.1"


def analyzed(*words: str) -> str:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze", "apt-get install systemd")
    done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True)
    return done.stdout + done.stderr


def test_the_unit_is_little_exposed() -> None:
    said = analyzed("security", "--offline=true", "--no-pager", str(UNIT))
    found = re.search(r"Overall exposure level for labbridge.service: ([\d.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= EXPOSED_AT_MOST


def test_systemd_knows_every_line_of_it() -> None:
    said = [line for line in analyzed("verify", str(UNIT)).splitlines() if "labbridge.service" in line]
    assert [line for line in said if "is not executable" not in line] == []


# ---------------------------------------------------------------- as written

ODBC = """
[feeds.tables]
kind = "odbc"
sender = "MYOLIS|LABA"
timezone = "Europe/Paris"
[feeds.tables.odbc]
connection = "DRIVER={SQLite3};DATABASE=/var/lib/labbridge/lis.db"
view = "results"
key = ["id"]
changed = "changed"
poll_s = 0.2
columns = { patient_id = "pat", filler_order = "ord", code = "test", value = "val", unit = "unit", status = "st" }
"""
TABLE = (
    "CREATE TABLE results (id integer PRIMARY KEY, changed timestamp, pat varchar(20), ord varchar(20), test varchar(20),"
    " val varchar(20), unit varchar(20), st char(2));"
    "INSERT INTO results VALUES (1, '2026-11-13 08:00:00', 'PT1', 'F1', 'SRPB', '58', 'intensity', 'F')"
)
AS_SERVICE = ("setpriv", "--reuid", "labbridge", "--regid", "labbridge", "--clear-groups")
LABBRIDGE, CONFIG = "/opt/labbridge/bin/labbridge", "/etc/labbridge/labbridge.toml"


def commands() -> list[str]:
    """The blocks of install.md that install it as a service of the machine."""
    page = (ROOT / "docs/how-to/install.md").read_text(encoding="utf-8")
    section = page.partition("## A service of the machine")[2].partition("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(found) == 3
    return found


class Installed:
    """A machine with labbridge as docs/how-to/install.md has it."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.machine = Machine(folder / "machine", systemd=True)
        self.journal = Journal(self.machine)
        try:
            self._install(wheel)
        except BaseException:
            self.close()
            raise

    def _install(self, wheel: Path) -> None:
        run, root = self.machine.run, self.machine.root
        for address in (OWN, LIS, STRANGER):
            run("ip", "address", "add", f"{address}/32", "dev", "lo")
        (root / "tmp/password").write_text(PASSWORD)
        shutil.copytree(ROOT / "deploy", root / "srv/release/deploy")
        (root / "srv/release/dist").mkdir()
        shutil.copy(wheel, root / "srv/release/dist")
        *installing, starting = commands()
        for block in installing:
            self.entered(block)
        lis = self.machine.folder.with_name("lis.db")
        with contextlib.closing(sqlite3.connect(lis)) as tables:
            tables.executescript(TABLE)
        shutil.copy(lis, root / "var/lib/labbridge/lis.db")
        run("chown", "labbridge:", "/var/lib/labbridge/lis.db")
        text = self.config.read_text().replace("127.0.0.1:2575", f"{OWN}:2575")
        text = text.replace("\nsender =", "\nallow_plaintext = true\nsender =", 1)
        self.config.write_text(text.replace("127.0.0.1:2576", f"{STRANGER}:2576") + ODBC)
        self.entered(starting)
        until(self.ready, "ready", self.why)

    def entered(self, block: str) -> None:
        """Commands of the page, in the folder of the project. What pip would fetch is lent: the environment sees it, so that
        the lock finds each version there."""
        made = "python3 -m venv /opt/labbridge"
        lent = f"echo {PACKAGES} >$(echo /opt/labbridge/lib/python3.*/site-packages)/lent.pth"
        block = block.replace(made, f"{made}; {lent}").replace(
            "install --no-deps", "install --force-reinstall --no-deps"
        )
        block = block.replace('--name "Ada Martin"', '--name "Ada Martin" --password-file /tmp/password')
        path = {"PATH": f"{PREFIX}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PIP_NO_INDEX": "1"}
        self.machine.run("bash", "-euc", f"cd /srv/release\n{block}", env=path)

    @property
    def config(self) -> Path:
        return self.machine.root / CONFIG[1:]

    def systemctl(self, *words: str, check: bool = True) -> str:
        return self.machine.run("systemctl", "--no-pager", *words, check=check).stdout

    def shown(self, name: str) -> str:
        return self.systemctl("show", "--value", "-p", name, "labbridge.service").strip()

    def ready(self) -> bool:
        return '"ready":true' in self.machine.ask("get", "http://127.0.0.1:9464/readyz")

    def counts(self) -> dict[str, int]:
        words = (*AS_SERVICE, LABBRIDGE, "messages", "--count", "--format", "json", "--config", CONFIG)
        found: dict[str, int] = json.loads(self.machine.run(*words).stdout)
        return found

    def of_main(self, file: str) -> str:
        """A file of /proc about the main process."""
        return (self.machine.root / "proc" / self.shown("MainPID") / file).read_text()

    def why(self) -> str:
        return (
            f"{self.journal.text()}\n{self.systemctl('status', 'labbridge.service', check=False)}{self.machine.log()}"
        )

    def close(self) -> None:
        self.machine.close()
        self.journal.close()


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Installed]:
    found = Installed(tmp_path_factory.mktemp("systemd"), wheel)
    try:
        yield found
    finally:
        found.close()


def it_runs_as_its_own_account_without_any_right(installed: Installed) -> None:
    status = dict(line.split(":\t", 1) for line in installed.of_main("status").splitlines() if ":\t" in line)
    own = installed.machine.run("id", "--user", "labbridge").stdout.strip()
    assert set(status["Uid"].split()) == {own}
    assert own != "0"
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    limits = installed.of_main("limits")
    assert re.search(r"Max open files\s+4096\s+4096", limits)
    assert re.search(r"Max core file size\s+0\s+0", limits)


def what_is_not_its_own_cannot_be_written(installed: Installed) -> None:
    touch = ("nsenter", "-t", installed.shown("MainPID"), "-m", "touch")
    for place in ("/etc/labbridge/x", "/opt/labbridge/x", "/usr/x", "/x", "/proc/sys/x"):
        said = installed.machine.run(*touch, place, check=False).stderr
        assert "Read-only file system" in said or "No such file" in said * (place == "/proc/sys/x"), place
    installed.machine.run(*touch, "/var/lib/labbridge/probe")


def the_lis_is_heard_and_a_stranger_is_not(installed: Installed) -> None:
    """IPAddressDeny and IPAddressAllow of unit and drop-in (reliability.md S-27), in both directions."""
    assert installed.machine.ask("send", LIS, f"{OWN}:2575", "1", "2").splitlines() == ["MSA|AA|1", "MSA|AA|2"]
    assert installed.machine.ask("send", STRANGER, f"{OWN}:2575", "3") == "TimeoutError"
    assert installed.counts()["received"] >= 2


def a_driver_of_odbc_is_loaded_though_no_memory_may_be_written_and_run(installed: Installed) -> None:
    if "SQLite3" not in subprocess.run(["odbcinst", "-q", "-d"], capture_output=True, text=True).stdout:
        missing("an ODBC driver", "apt-get install unixodbc libsqliteodbc")
    found = until(lambda: "M" in _messages(installed, "tables"), "a row is read", installed.why)
    assert found


def _messages(installed: Installed, feed: str) -> str:
    words = (*AS_SERVICE, LABBRIDGE, "messages", "--format", "json", "--config", CONFIG)
    listed = json.loads(installed.machine.run(*words).stdout)
    return " ".join(one["key"] for one in listed if one["feed"] == feed)


def a_password_is_taken_at_the_workbench(installed: Installed) -> None:
    right = installed.machine.ask("sign-in", "http://127.0.0.1:8080", "ada", PASSWORD)
    wrong = installed.machine.ask("sign-in", "http://127.0.0.1:8080", "ada", "another one altogether")
    assert (right.split()[0], right.endswith("cookie"), wrong.endswith("cookie")) == ("303", True, False)


def a_reload_proves_the_knowledge_within_the_filter_of_system_calls(installed: Installed) -> None:
    policy = installed.machine.root / "var/lib/labbridge/site/policy.yaml"
    policy.write_text(
        '- {id: ck_mod_from, value: 6, unit: x upper limit, tag: CONVENTION, source: "a test, 84 patients"}\n'
    )
    policy.chmod(0o644)
    installed.systemctl("reload", "labbridge.service")
    until(lambda: "knowledge_taken" in installed.journal.text(), "the knowledge is taken", installed.why)


def killed_it_is_started_again_and_what_was_acknowledged_is_there(installed: Installed) -> None:
    before = installed.counts()["received"]
    assert installed.machine.ask("send", LIS, f"{OWN}:2575", "10") == "MSA|AA|10"
    main = installed.shown("MainPID")
    installed.systemctl("kill", "--signal=SIGKILL", "--kill-who=main", "labbridge.service")
    until(lambda: installed.shown("MainPID") not in ("0", main) and installed.ready(), "again", installed.why)
    assert installed.counts()["received"] == before + 1
    assert installed.shown("NRestarts") == "1"


def it_goes_on_to_another_version(installed: Installed) -> None:
    """The commands of the page: a backup, the wheel again, a restart; what was kept is there."""
    page = (ROOT / "docs/how-to/install.md").read_text(encoding="utf-8")
    section = page.partition("## Go on to another version")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    before = installed.counts()["received"]
    installed.entered(block)
    until(installed.ready, "ready", installed.why)
    assert (installed.machine.root / "var/lib/labbridge/before.db").is_file()
    assert installed.counts()["received"] == before


def stopped_it_drains_and_a_wrong_configuration_is_not_tried_again(installed: Installed) -> None:
    installed.systemctl("stop", "labbridge.service")
    assert (installed.shown("Result"), installed.shown("ExecMainStatus")) == ("success", "0")
    installed.config.write_text(f"nothing_known = 1\n{installed.config.read_text()}")
    installed.systemctl("start", "labbridge.service", check=False)
    until(lambda: installed.shown("ActiveState") == "failed", "it fails", installed.why)
    assert (installed.shown("ExecMainStatus"), installed.shown("NRestarts")) == ("78", "0")


STEPS = (
    it_runs_as_its_own_account_without_any_right,
    what_is_not_its_own_cannot_be_written,
    the_lis_is_heard_and_a_stranger_is_not,
    a_driver_of_odbc_is_loaded_though_no_memory_may_be_written_and_run,
    a_password_is_taken_at_the_workbench,
    a_reload_proves_the_knowledge_within_the_filter_of_system_calls,
    killed_it_is_started_again_and_what_was_acknowledged_is_there,
    it_goes_on_to_another_version,
    stopped_it_drains_and_a_wrong_configuration_is_not_tried_again,
)


def test_the_unit_does_as_it_says(installed: Installed) -> None:
    """In this order, on one machine: it is dear to make, and would be made anew by each worker that has a part."""
    for step in STEPS:
        step(installed)
