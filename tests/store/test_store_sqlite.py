"""Opening: durable pragmas read back, one writer, the version gate, and what is refused."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from store_build import Store

from labbridge.store import sqlite as opening
from labbridge.store.sqlite import StoreLock, StoreRefused, open_reader, open_writer, status


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 44, 7), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
        ((4, 0, 0), False),
    ],
)
def test_an_old_library_means_single_writer_mode_and_says_so(version: tuple[int, ...], old: bool) -> None:
    found = status(version)
    assert found.single_writer_mode is old
    assert ("single-writer mode" in found.sentence) is old
    assert found.version == ".".join(map(str, version))


def test_wal_and_full_synchronous_are_in_force(store: Store) -> None:
    assert store.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store.connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_database_that_cannot_be_durable_is_refused() -> None:
    with pytest.raises(StoreRefused, match="WAL and FULL are needed"):
        opening.durable(sqlite3.connect(":memory:", isolation_level=None))


def test_only_its_own_user_reads_the_database(store: Store) -> None:
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_a_reader_never_writes_and_never_checkpoints(store: Store) -> None:
    reader = open_reader(store.path)
    assert reader.execute("PRAGMA query_only").fetchone() == (1,)
    assert reader.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("DELETE FROM journal")
    reader.close()


def test_a_second_writer_in_another_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    script = (
        "import sys; from pathlib import Path; from labbridge.store.sqlite import StoreLock, StoreRefused\n"
        "try:\n"
        "    StoreLock(Path(sys.argv[1])).__enter__()\n"
        "except StoreRefused as refusal:\n"
        "    print(refusal); sys.exit(78)\n"
    )
    with StoreLock(path):
        second = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True)
    assert second.returncode == 78
    assert "Another labbridge process writes this store" in second.stdout
    third = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True)
    assert third.returncode == 0


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    script = (
        "import os, sys; from pathlib import Path; from labbridge.store.sqlite import StoreLock\n"
        "StoreLock(Path(sys.argv[1])).__enter__(); os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)])
    assert killed.returncode == -9
    with StoreLock(path):
        pass


def test_a_store_opens_again_with_what_it_held(store: Store) -> None:
    store.connection.execute("INSERT INTO tally(name, labels, count) VALUES ('stored', 'lis', 7)")
    store.close()
    again = open_writer(store.path)
    assert again.execute("SELECT count FROM tally").fetchone() == (7,)
    again.close()


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE invoices (id INTEGER)")
    other.close()
    with pytest.raises(StoreRefused, match="database of something else"):
        open_writer(path)


def test_a_schema_newer_than_the_code_is_refused(store: Store) -> None:
    store.connection.execute("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    with pytest.raises(StoreRefused, match="newer than this labbridge"):
        open_writer(store.path)


def test_a_damaged_file_is_refused(store: Store) -> None:
    for number in range(400):
        store.connection.execute(
            "INSERT INTO audit(at, actor, action, subject) VALUES (?, ?, 'x', 'y')", (str(number), "a" * 200)
        )
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    content = bytearray(store.path.read_bytes())
    content[8192:40960] = b"\x55" * (40960 - 8192)
    store.path.write_bytes(content)
    with pytest.raises((StoreRefused, sqlite3.DatabaseError)):
        open_writer(store.path)
