"""Wrong set-ups (reliability.md 6, Start-up gate): exit code 78, one line that says what to do, and no port opened.

Every port of the configuration is held by the test, bound and not listening: a service that tried one of them would say
so and leave with another code. The last test shows that it does.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from service_parts import SAMPLES
from tls_files import Authority

from labbridge.config import Config, ConfigError, FeedSection, ReceiverSection, StoreSection
from labbridge.gate import MOUNTS, check, file_system
from labbridge.processing import SystemClock
from labbridge.store.sqlite import StoreLock, open_writer
from tests.conftest import missing

LABBRIDGE = Path(sys.executable).parent / "labbridge"


class Setup:
    """A sound configuration in a folder, to be spoiled: text of the file, environment, limits, what stands around it."""

    def __init__(self, folder: Path, held: ExitStack) -> None:
        self.folder, self.held = folder, held
        self.store = folder / "store.db"
        self.mllp, self.admin = self.port(), self.port()
        self.words: list[str] = []
        self.environment: dict[str, str] = {}
        self.files: tuple[int, int] | None = None
        self.text = (
            f'[store]\nurl = "sqlite:///{self.store}"\nvolatile = true\n'
            f'[feeds.a]\nlisten = "127.0.0.1:{self.mllp}"\n'
            f'[receivers.l]\naddress = "127.0.0.1:{self.port()}"\n'
            f'[web]\nlisten = ""\n[admin]\nlisten = "127.0.0.1:{self.admin}"\n[knowledge]\nsite = "{SAMPLES / "site"}"\n'
        )

    def port(self) -> int:
        """A port that nobody else can open as long as the test runs."""
        probe = self.held.enter_context(socket.socket())
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found

    def add(self, text: str) -> None:
        self.text += text

    def change(self, old: str, new: str) -> None:
        assert old in self.text
        self.text = self.text.replace(old, new)

    def made(self) -> sqlite3.Connection:
        """The store, made by an earlier start."""
        open_writer(self.store).close()
        return self.held.enter_context(closing(sqlite3.connect(self.store, isolation_level=None)))

    def run(self) -> subprocess.CompletedProcess[str]:
        path = self.folder / "labbridge.toml"
        path.write_text(self.text, encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LABBRIDGE_")}

        def limited() -> None:
            if self.files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, self.files)

        return subprocess.run(
            [*self.words, str(LABBRIDGE), "serve", "--config", str(path)],
            capture_output=True, text=True, timeout=120, preexec_fn=limited, env=environment | self.environment,
            cwd=self.folder,
        )  # fmt: skip


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    with ExitStack() as held:
        yield Setup(tmp_path, held)


# ---------------------------------------------------------------- what is spoiled


def another_process(one: Setup) -> None:
    one.held.enter_context(StoreLock(one.store))


def held_in_another_journal_mode(one: Setup) -> None:
    """Another program reads the file and keeps it from becoming WAL."""
    other = one.made()
    assert other.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM sqlite_master").fetchone()


def newer(one: Setup) -> None:
    one.made().execute("UPDATE alembic_version SET version_num = '9999'")


def of_something_else(one: Setup) -> None:
    with closing(sqlite3.connect(one.store)) as other:
        other.execute("CREATE TABLE patients (name TEXT)")
        other.commit()


def damaged(one: Setup) -> None:
    """A page in the middle is overwritten: what a failing disk leaves."""
    one.made().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with one.store.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for at in range(4096, size, 4096):
            file.seek(at + 8)
            file.write(b"\xff" * 64)


def no_database(one: Setup) -> None:
    one.store.write_bytes(b"this is a letter, and no database\n" * 200)


def a_folder(one: Setup) -> None:
    one.store.mkdir()


def not_writable(one: Setup) -> None:
    one.change(f"sqlite:///{one.store}", "sqlite:////proc/labbridge/store.db")


def in_memory(one: Setup) -> None:
    folder = Path("/dev/shm")
    if file_system(folder) != "tmpfs":
        missing("a file system in memory", "mount a tmpfs at /dev/shm")
    own = folder / f"labbridge-{os.getpid()}"
    one.held.callback(shutil.rmtree, own, ignore_errors=True)
    one.change(f"sqlite:///{one.store}", f"sqlite:///{own}/store.db")
    one.change("volatile = true", "volatile = false")


def clock_of_last_year(one: Setup) -> None:
    if shutil.which("faketime") is None:
        missing("faketime", "install the package faketime")
    one.words = ["faketime", "2025-01-01 12:00:00"]


def too_few_files(one: Setup) -> None:
    one.files = (256, 256)


def unreadable_certificate(one: Setup) -> None:
    one.add('[feeds.a.tls]\ncertificate = "nowhere.pem"\nkey = "nowhere.key"\n')


def expired_certificate(one: Setup) -> None:
    one.add(f"[feeds.a.tls]\n{Authority(one.folder).issue('old', ends=timedelta(days=-1)).toml()}")


def bad_site(one: Setup) -> None:
    site = one.folder / "site"
    site.mkdir()
    (site / "policy.yaml").write_text("\n- {id: ck_window_d, value: soon, unit: d, tag: VERIFIED, source: us}\n")
    one.change(str(SAMPLES / "site"), str(site))


def loop_through_a_wildcard(one: Setup) -> None:
    one.change(f'listen = "127.0.0.1:{one.mllp}"', f'listen = "0.0.0.0:{one.mllp}"\nallow_plaintext = true')
    one.add(f'[receivers.m]\naddress = "localhost:{one.mllp}"\n')
    one.change("[feeds.a]\n", '[feeds.a]\nreceiver = "l"\n')


def loop(one: Setup) -> None:
    one.add(f'[receivers.m]\naddress = "127.0.0.1:{one.mllp}"\n')
    one.change("[feeds.a]\n", '[feeds.a]\nreceiver = "l"\n')


Spoil = Callable[[Setup], Any]
WEB = '[web]\nlisten = "127.0.0.1:8099"\n[web.oidc]\nissuer = "https://login.example"\nclient_id = "x"\n'
ROWS: dict[str, tuple[Spoil, str]] = {
    "another process writes the store": (another_process, "Another labbridge process writes this store"),
    "journal mode cannot be WAL": (held_in_another_journal_mode, "store.db is held by another program; end it"),
    "schema newer than the code": (newer, "revision 9999, newer than this labbridge; install the newer one"),
    "a database of something else": (of_something_else, "store.db is a database of something else; name another"),
    "damaged pages": (damaged, "restore a backup"),
    "no database": (no_database, "store.db is no database, or its first page is damaged; restore a backup"),
    "a folder where the database should be": (a_folder, "store.db cannot be opened for writing"),
    "a folder that cannot be written": (not_writable, "store.url: /proc/labbridge cannot be written by this account"),
    "a store in memory": (in_memory, "is on tmpfs and is gone after a restart of the machine; name a folder on a disk"),
    "a clock before the version": (clock_of_last_year, "The clock says 2025-01-01, before this version was built"),
    "too few open files": (too_few_files, "1024 connections need 1152 open files, and this process may have 256; lower"),
    "a frame larger than all frames": (
        lambda one: one.add("[limits]\nframe_bytes = 4000000\ninflight_bytes = 2000000\n"),
        "limits.frame_bytes: 4000000 is more than limits.inflight_bytes (2000000)",
    ),
    "two feeds on one port": (
        lambda one: one.add(f'[feeds.b]\nlisten = "127.0.0.1:{one.mllp}"\n'),
        "feeds.b.listen: 127.0.0.1:{mllp} is feeds.a.listen already; give each a port of its own",
    ),
    "a feed on the admin port": (
        lambda one: one.add(f'[feeds.b]\nlisten = "localhost:{one.admin}"\n'),
        "admin.listen: 127.0.0.1:{admin} is feeds.b.listen already",
    ),
    "a receiver that is ourselves": (
        loop,
        "receivers.m.address: 127.0.0.1:{mllp} is our own feeds.a.listen: what leaves would come back; name the",
    ),
    "a receiver that is our listener on all addresses": (
        loop_through_a_wildcard,
        "receivers.m.address: localhost:{mllp} is our own feeds.a.listen",
    ),
    "a certificate that is not there": (unreadable_certificate, "feeds.a.tls.certificate: nowhere.pem: there is no such"),
    "an expired certificate": (expired_certificate, "expired on"),
    "an unknown key": (
        lambda one: one.change("[feeds.a]\n", '[feeds.a]\nlissten = "x"\n'),
        "feeds.a.lissten: unknown key; did you mean listen?",
    ),
    "a wrong address": (
        lambda one: one.change("[feeds.a]\nlisten", '[feeds.b]\nlisten = "2575"\n[feeds.a]\nlisten'),
        "feeds.b.listen: write HOST:PORT",
    ),
    "a listener beyond loopback in plain text": (
        lambda one: one.change(f'listen = "127.0.0.1:{one.mllp}"', f'listen = "0.0.0.0:{one.mllp}"'),
        "needs allow_plaintext = true",
    ),
    "an unknown receiver": (
        lambda one: one.change("[feeds.a]\n", '[feeds.a]\nreceiver = "x"\n'),
        "feeds.a.receiver names 'x', which is not configured",
    ),
    "a wrong network of peers": (
        lambda one: one.change("[feeds.a]\n", '[feeds.a]\npeers = ["ward"]\n'), "feeds.a: 'ward' does not appear to be"
    ),
    "a site folder that is not there": (
        lambda one: one.change(str(SAMPLES / "site"), "/nowhere/site"), "There is no such folder"
    ),
    "a site's knowledge with a fault": (bad_site, "policy.yaml:2: The value is not a decimal number"),
    "an environment variable with a wrong value": (
        lambda one: one.environment.update(LABBRIDGE_LIMITS__CONNECTIONS="many"), "limits.connections"
    ),
    "a provider's secret that is not there": (
        lambda one: one.change('[web]\nlisten = ""\n', WEB + 'client_secret_file = "/nowhere/secret"\n'),
        "web.oidc.client_secret_file: /nowhere/secret: No such file",
    ),
    "a provider's authorities that are none": (
        lambda one: one.change('[web]\nlisten = ""\n', WEB + f'ca_file = "{__file__}"\n'), "web.oidc.ca_file: "
    ),
    "orders without a service to order": (
        lambda one: one.change("[receivers.l]\n", '[receivers.l]\nretest = "order"\n'),
        "receivers.l.retest: there is no row in orders.yaml, so nothing could be ordered; write one into the folder of"
        ' knowledge.site, or set retest = "advise"',
    ),
    "orders in a message that the version has not": (
        lambda one: one.change("[receivers.l]\n", '[receivers.l]\nversion = "2.7"\norder_message = "orm"\n'),
        'receivers.l: HL7 2.7 has no ORM^O01; set order_message = "oml"',
    ),
    "a file that is no TOML": (lambda one: one.add("[feeds"), "labbridge.toml"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "said"), ROWS.values(), ids=ROWS)
def test_a_wrong_setup_leaves_with_78_one_line_and_no_open_port(setup: Setup, spoil: Spoil, said: str) -> None:
    spoil(setup)
    done = setup.run()
    assert (done.returncode, done.stdout) == (78, ""), done.stderr
    assert said.format(mllp=setup.mllp, admin=setup.admin) in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_there_are_at_least_fifteen_wrong_setups() -> None:
    assert len(ROWS) >= 15


def test_without_a_fault_the_held_ports_are_found_taken(setup: Setup) -> None:
    """The trap works: the sound configuration reaches for its ports."""
    done = setup.run()
    assert done.returncode == 69
    assert "A port could not be opened" in done.stderr


# ---------------------------------------------------------------- where the store may be


@contextmanager
def mounts(monkeypatch: pytest.MonkeyPatch, path: Path, text: str) -> Iterator[None]:
    path.write_text(text, encoding="utf-8")
    with monkeypatch.context() as changed:
        changed.setattr("labbridge.gate.MOUNTS", path)
        yield


MOUNTED = (
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "23 22 0:40 / /srv/lab\\040data rw - nfs4 lab:/data rw\n"
    "24 22 0:41 / /srv rw - xfs /dev/sdb rw\n"
    "25 24 0:42 / /srv/both rw - ext4 /dev/sdc rw\n"
    "26 24 0:43 / /srv/both rw shared:1 - tmpfs tmpfs rw\n"
)


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/srv/x", "xfs"),
        ("/srvx", "ext4"),
        ("/srv/lab data/store", "nfs4"),
        ("/srv/both/a", "tmpfs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str, kind: str
) -> None:
    with mounts(monkeypatch, tmp_path / "mountinfo", MOUNTED):
        assert file_system(Path(folder)) == kind


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_a_store_on_a_network_is_refused_even_for_a_trial(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    config = Config(store=StoreSection(url=f"sqlite:///{tmp_path}/store.db", volatile=True))
    check(config, SystemClock().now())
    text = f"22 1 8:1 / / rw - ext4 a rw\n23 22 0:40 / {tmp_path} rw - {kind} lab:/data rw\n"
    with (
        mounts(monkeypatch, tmp_path / "mountinfo", text),
        pytest.raises(ConfigError, match=f"is on {kind}, where locks cannot be trusted; name a folder on a disk"),
    ):
        check(config, SystemClock().now())


@pytest.mark.parametrize(
    ("listen", "address", "ours"),
    [
        ("127.0.0.1:2575", "127.0.0.1:2575", True),
        ("127.0.0.1:2575", "localhost:2575", True),
        ("0.0.0.0:2575", "127.0.0.9:2575", True),
        ("[::]:2575", "[::1]:2575", True),
        ("0.0.0.0:2575", "0.0.0.0:2575", True),
        ("127.0.0.1:2575", "127.0.0.1:2576", False),
        ("127.0.0.1:2575", "127.0.0.2:2575", False),
        ("0.0.0.0:2575", "192.0.2.1:2575", False),
        ("0.0.0.0:2575", "lis.invalid:2575", False),
        ("192.0.2.1:2575", "127.0.0.1:2575", False),
    ],
)
def test_a_receiver_is_ourselves_where_its_address_arrives_at_us(
    tmp_path: Path, listen: str, address: str, ours: bool
) -> None:
    config = Config(
        store=StoreSection(url=f"sqlite:///{tmp_path}/store.db", volatile=True),
        feeds={"a": FeedSection(listen=listen, allow_plaintext=True)},
        receivers={"l": ReceiverSection(address=address)},
    )
    if not ours:
        check(config, SystemClock().now())
        return
    with pytest.raises(ConfigError, match=r"receivers\.l\.address: .* is our own feeds\.a\.listen"):
        check(config, SystemClock().now())


def test_a_fhir_receiver_is_not_our_own_workbench(tmp_path: Path) -> None:
    told = {
        "store": {"url": f"sqlite:///{tmp_path}/store.db", "volatile": True},
        "web": {"listen": "127.0.0.1:8080"},
        "receivers": {"ehr": {"kind": "fhir", "address": "http://127.0.0.1:8080/fhir"}},
    }
    with pytest.raises(ConfigError, match=r"receivers\.ehr\.address: .* is our own web\.listen"):
        check(Config.model_validate(told), SystemClock().now())


@pytest.mark.parametrize(("mode", "said"), [(None, "No such file"), (0o640, "chmod 600"), (0o600, "")])
def test_a_token_that_others_may_read_starts_nothing(tmp_path: Path, mode: int | None, said: str) -> None:
    token = tmp_path / "token"
    if mode is not None:
        token.write_text("a-token\n")
        token.chmod(mode)
    ehr = {"kind": "fhir", "address": "https://fhir.hospital.example/r4", "token_file": str(token)}
    store = {"url": f"sqlite:///{tmp_path}/store.db", "volatile": True}
    config = Config.model_validate({"store": store, "receivers": {"ehr": ehr}})
    if not said:
        check(config, SystemClock().now())
        return
    with pytest.raises(ConfigError, match=rf"receivers\.ehr\.token_file: .*{said}") as told:
        check(config, SystemClock().now())
    assert "a-token" not in str(told.value)


def test_this_machine_tells_its_file_systems() -> None:
    if not MOUNTS.exists():
        missing("/proc/self/mountinfo", "run on Linux")
    assert file_system(Path("/proc/self")) == "proc"


def test_the_soft_limit_of_files_is_raised_to_what_the_caps_need(setup: Setup) -> None:
    setup.files = (256, 4096)
    assert setup.run().returncode == 69
