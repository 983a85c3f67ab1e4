"""Liveness, readiness and the stop of a running service (reliability.md 6, T-20, T-24, T-64): every code, every end."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from service_parts import Sender, Service, free_port, sample, sender, until

from labbridge.app import Service as Running
from labbridge.certificates import Certificates
from labbridge.config import Config, StoreSection
from labbridge.hl7.mllp import frame
from labbridge.observe.admin import Readiness
from labbridge.processing import SystemClock
from labbridge.sources import read_all
from labbridge.store.sqlite import open_writer
from labbridge.store.writer import Writer
from tests.conftest import missing

CK = sample("02-srp-hep2-negative/1a-ck.hl7")


def numbered(number: int) -> bytes:
    return CK.replace(b"|S2001", b"|H%04d" % number)


def readiness(service: Service) -> tuple[int, str]:
    """Status and code of /readyz; (0, "") where nobody answers yet."""
    try:
        with urllib.request.urlopen(service.url("readyz"), timeout=10) as answer:
            return answer.status, json.load(answer)["code"]
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)["code"]
    except OSError:
        return 0, ""


def alive(service: Service) -> bool:
    with urllib.request.urlopen(service.url("livez"), timeout=10) as answer:
        return bool(answer.status == 200)


def metric(service: Service, name: str) -> float:
    with urllib.request.urlopen(service.url("metrics"), timeout=10) as answer:
        found = re.search(rf"^{name} (.*)$", answer.read().decode(), re.M)
    assert found is not None
    return float(found[1])


def begun(service: Service) -> subprocess.Popen[bytes]:
    """Started, and not waited for."""
    with (service.folder / "log").open("ab") as log:
        command = [sys.executable, "-m", "labbridge.cli", "serve", "--config", str(service.config)]
        service.process = subprocess.Popen(command, stdout=log, stderr=log)
    return service.process


@contextlib.contextmanager
def locked(service: Service) -> Iterator[None]:
    """Another program holds the database's write lock: nothing can be committed."""
    other = sqlite3.connect(service.folder / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.fixture
def connect() -> Iterator[Callable[[Service], Sender]]:
    """Connections that are closed after the test."""
    with contextlib.ExitStack() as open_ones:

        def one(service: Service) -> Sender:
            found = Sender(service)
            open_ones.callback(found.close)
            return found

        yield one


Connect = Callable[[Service], Sender]

# ---------------------------------------------------------------- codes


def test_a_service_that_runs_is_ready(service: Service) -> None:
    assert readiness(service) == (200, "ready")
    assert alive(service)


async def test_until_everything_listens_it_is_starting(tmp_path: Path) -> None:
    config = Config(store=StoreSection(url=f"sqlite:///{tmp_path}/store.db"))
    writer = Writer(open_writer(config.store.beside))
    found = Running(config, "listen", read_all(""), writer, None, Certificates(config, SystemClock()))
    assert await found._ready() == Readiness(False, "starting")
    writer.close()
    found._reader.close()
    found._scrapes.close()


def test_while_what_was_in_flight_is_taken_up_it_recovers(own: Service, connect: Connect) -> None:
    own.start(stub=False)
    own.stop()
    with locked(own):
        begun(own)
        until(lambda: readiness(own) == (503, "recovering"))
        assert alive(own)
        with pytest.raises(ConnectionError):
            connect(own)
    until(lambda: readiness(own) == (200, "ready"))


def test_a_store_that_cannot_commit_is_not_ready_and_yet_alive(own: Service) -> None:
    own.start(stub=False)
    with locked(own):
        assert readiness(own) == (503, "store_unavailable")
        assert alive(own)
    until(lambda: readiness(own) == (200, "ready"))


def test_liveness_asks_no_database(own: Service) -> None:
    """Not even whether the file is still there."""
    own.start(stub=False)
    with locked(own):
        for _ in range(20):
            assert alive(own)


def test_while_it_drains_it_is_not_ready_and_ends_with_0(own: Service, connect: Connect) -> None:
    own.start(stub=False)
    line = connect(own)
    line.channel.sendall(frame(CK)[:40])
    until(lambda: metric_of_feed(own) == 1)
    assert own.process is not None
    own.process.send_signal(signal.SIGTERM)
    until(lambda: readiness(own) == (503, "draining"))
    with pytest.raises(ConnectionError):
        connect(own)
    line.channel.sendall(frame(CK)[40:])
    answer = line.answer()
    assert answer is not None
    assert answer.code == "AA"
    assert own.process.wait(30) == 0


def test_it_ends_within_twenty_seconds_whoever_it_waits_for(own: Service, connect: Connect) -> None:
    """Senders that never finish their blocks, on two feeds, and a LIS that never answers."""
    port = free_port()
    with own.config.open("a", encoding="utf-8") as file:
        file.write(f'[feeds.two]\nlisten = "127.0.0.1:{port}"\n')
    with socket.socket() as lis, socket.socket() as other:
        lis.bind(("127.0.0.1", own.lis))
        lis.listen()
        own.start(stub=False)
        line = connect(own)
        for name in ("1a-ck", "1b-serology"):
            assert line.send(sample(f"02-srp-hep2-negative/{name}.hl7")) is not None
        own.settled()
        (case,) = own.json("show")
        assert own.json("release", case["shown"], "--as", "Ida Roth")["ok"]
        other.connect(("127.0.0.1", port))
        other.sendall(frame(CK)[:40])
        silent, _ = lis.accept()
        with silent:
            assert silent.recv(1) == b"\x0b"
            line.channel.sendall(frame(CK)[:40])
            assert own.process is not None
            own.process.send_signal(signal.SIGTERM)
            assert own.process.wait(20) == 0  # T-64
    assert own.log().count('"drain_cut"') == 2


def metric_of_feed(service: Service) -> float:
    return metric(service, r'labbridge_feed_connected\{feed="myolis"\}')


def test_a_second_signal_forces_the_end(own: Service, connect: Connect) -> None:
    """A sender that never finishes its block would hold the drain for ten seconds."""
    own.start(stub=False)
    line = connect(own)
    line.channel.sendall(frame(CK)[:40])
    until(lambda: metric_of_feed(own) == 1)
    process = own.process
    assert process is not None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    assert children
    process.send_signal(signal.SIGTERM)
    until(lambda: readiness(own) == (503, "draining"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 75
    assert '"stop_forced"' in own.log()
    until(lambda: not any(_runs(child) for child in children))
    own.start(stub=False)
    with sender(own) as again:
        answer = again.send(CK)
    assert answer is not None
    assert answer.code == "AA"


def _runs(process: str) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False


# ---------------------------------------------------------------- the disk


class Disk:
    """A small file system of its own at `path`, to be filled up and emptied."""

    def __init__(self, path: Path, size: str) -> None:
        self.path, self._filler = path, path / "filler"
        path.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True, check=False
        )
        if done.returncode:
            missing("the right to mount a small file system", "run as root")

    def fill(self, but: int) -> None:
        """Leave so many bytes."""
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while (left := shutil.disk_usage(self.path).free - but) > 0:
                file.write(b"x" * min(left, 65536))

    def empty(self) -> None:
        self._filler.unlink()

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    found = Disk(tmp_path / "disk", "64m")
    yield found
    found.close()


@pytest.fixture
def small(tmp_path: Path, disk: Disk) -> Iterator[Service]:
    """A service whose store is on the small disk; its mark is a twentieth of it: 3.2 MiB."""
    folder = tmp_path / "service"
    folder.mkdir()
    found = Service(folder)
    text = found.config.read_text(encoding="utf-8").replace(str(folder / "store.db"), str(disk.path / "store.db"))
    found.config.write_text(text, encoding="utf-8")
    yield found
    found.close()


def test_below_the_mark_reading_pauses_and_goes_on_when_room_is_back(
    small: Service, disk: Disk, connect: Connect
) -> None:
    small.start()
    line = connect(small)
    first = line.send(numbered(1))
    assert first is not None
    disk.fill(but=2 * 2**20)
    until(lambda: metric(small, "labbridge_reading_paused") == 1)
    assert readiness(small) == (503, "disk_low")
    assert alive(small)
    line.channel.sendall(frame(numbered(2)))
    line.channel.settimeout(2)
    with pytest.raises(TimeoutError):
        line.channel.recv(1)
    stranger = connect(small)
    stranger.channel.sendall(frame(numbered(3)))
    line.channel.settimeout(30)
    disk.empty()
    at = time.monotonic()
    for one in (line, stranger):
        answer = one.answer()
        assert answer is not None
        assert answer.code == "AA"
    assert time.monotonic() - at < 10  # T-20
    assert readiness(small) == (200, "ready")
    assert metric(small, "labbridge_reading_paused") == 0
    assert [small.log().count(word) for word in ('"reading_paused"', '"reading_resumed"')] == [1, 1]


def test_deliveries_go_on_below_the_mark(small: Service, disk: Disk) -> None:
    small.start()
    with sender(small) as line:
        for name in ("1a-ck", "1b-serology"):
            assert line.send(sample(f"02-srp-hep2-negative/{name}.hl7")) is not None
    small.settled()
    (case,) = small.json("show")
    disk.fill(but=2 * 2**20)
    until(lambda: metric(small, "labbridge_reading_paused") == 1)
    assert small.json("release", case["shown"], "--as", "Ida Roth")["ok"]
    until(small.received_by_the_lis)


def test_a_full_disk_answers_nobody_and_needs_no_restart(small: Service, disk: Disk, connect: Connect) -> None:
    """Filled in one go, before anybody looks: what is not stored is not answered."""
    small.start(stub=False)
    answered = 0
    line = connect(small)
    while answered < 5:
        assert line.send(numbered(answered)) is not None
        answered += 1
    disk.fill(but=0)
    line.channel.settimeout(3)
    with contextlib.suppress(OSError):
        for number in range(answered, 2000):
            answer = line.send(numbered(number))
            if answer is None:
                break
            assert answer.code == "AA"
            answered += 1
    assert answered < 2000
    assert readiness(small)[0] == 503
    disk.empty()
    until(lambda: readiness(small) == (200, "ready"))
    again = connect(small)
    answer = again.send(numbered(answered))
    assert answer is not None
    assert answer.code == "AA"
    assert small.counts()["stored"] >= answered + 1


def test_a_write_that_fails_answers_nobody_and_needs_no_restart(own: Service, connect: Connect) -> None:
    """RLIMIT_FSIZE: SQLite reports an input/output error, and not a full disk."""
    own.start(stub=False)
    process = own.process
    assert process is not None
    line = connect(own)
    assert line.send(numbered(0)) is not None
    wal = own.folder / "store.db-wal"
    free = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, free[1]))
    line.channel.settimeout(3)
    answered = 1
    with contextlib.suppress(OSError):
        while answered < 500 and line.send(numbered(answered)) is not None:
            answered += 1
    assert answered < 500
    assert readiness(own) == (503, "store_unavailable")
    assert alive(own)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, free)
    until(lambda: readiness(own) == (200, "ready"))
    with sender(own) as again:
        answer = again.send(numbered(answered))
    assert answer is not None
    assert answer.code == "AA"
    assert own.counts()["stored"] >= answered + 1


def test_an_fsync_that_fails_ends_the_service_and_nothing_unstored_was_answered(own: Service, connect: Connect) -> None:
    """T-24: the kernel may have dropped the pages; only a start reads again what is there."""
    if shutil.which("strace") is None:
        missing("strace", "install the package strace")
    own.start(stub=False)
    process = own.process
    assert process is not None
    line = connect(own)
    assert line.send(numbered(0)) is not None
    words = ["-f", "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO", "-o", "/dev/null"]
    tracer = subprocess.Popen(["strace", *words, "-p", str(process.pid)], stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    if "attached" not in tracer.stderr.readline():
        missing("the right to trace a process", "run as root")
    line.channel.sendall(frame(numbered(1)))
    assert line.answer() is None
    assert process.wait(30) == 70
    tracer.communicate(timeout=30)
    own.start(stub=False)
    with sender(own) as again:
        answer = again.send(numbered(1))
    assert answer is not None
    assert answer.code == "AA"
    assert own.counts()["received"] >= 2
