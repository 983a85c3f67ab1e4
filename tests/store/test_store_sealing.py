"""The audit's chain and its anchors: whatever is done to it afterwards is found (reliability.md S-21)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from store_build import NOON, Store, arrival, event, opened

from labbridge.store import anchors, sealing
from labbridge.store.anchors import AnchorError

LINES = "SELECT id, at, actor, action, subject, detail FROM audit WHERE id > ? AND id <= ? ORDER BY id"


async def written(store: Store, number: int) -> None:
    """So many messages, each in a commit of its own."""
    start = len(store.rows("SELECT 1 FROM audit"))
    for one in range(start, start + number):
        await store.intake.keep(arrival(f"MSH|{one}", control_id=f"C{one}"), event("received", f"M{one}"))


def tampered(path: Path, *statements: str) -> sealing.Verified:
    """What is found after somebody with the file in hand has gone round the triggers."""
    with sqlite3.connect(path) as connection:
        for name in ("audit_no_update", "audit_no_delete", "seals_no_update", "seals_no_delete"):
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount
    connection.close()
    with sqlite3.connect(path) as connection:
        return sealing.verify(connection)


async def test_every_line_is_under_a_seal(store: Store) -> None:
    await written(store, 20)
    found = sealing.verify(store.reader)
    assert (found.lines, found.faults, found.newest[0].entries) == (20, (), 20)
    assert found.seals == store.writer.commits


async def test_lines_of_one_commit_are_under_one_seal(store: Store) -> None:
    await store.intake.keep_all([(arrival(f"MSH|{n}", control_id=f"C{n}"), event()) for n in range(30)])
    assert store.rows("SELECT last, entries FROM seals") == [(30, 30)]


async def test_a_commit_that_wrote_no_line_makes_no_seal(store: Store) -> None:
    await written(store, 1)
    store.writer.submit(lambda connection: connection.execute("UPDATE tally SET count = count")).result()
    assert len(store.rows("SELECT 1 FROM seals")) == 1


async def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    for _time in range(3):
        with opened(f"sqlite:///{tmp_path / 's.db'}") as store:
            await written(store, 4)
    with opened(f"sqlite:///{tmp_path / 's.db'}") as store:
        found = sealing.verify(store.reader)
    assert (found.lines, found.faults) == (12, ())


async def test_a_commit_that_failed_leaves_the_chain_as_it_was(store: Store) -> None:
    await written(store, 2)

    def job(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO audit(at, actor, action, subject) VALUES ('a', 'b', 'c', 'd')")
        connection.execute("INSERT INTO no_such_table VALUES (1)")

    with pytest.raises(Exception, match="could not commit"):
        store.writer.submit(job).result()
    await written(store, 2)
    assert sealing.verify(store.reader).faults == ()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE id = 7", "a line was changed"),
        ("UPDATE audit SET at = '2020-01-01T00:00:00+00:00' WHERE id = 20", "a line was changed"),
        ("DELETE FROM audit WHERE id = 7", "1 lines were sealed and 0 are there"),
        ("INSERT INTO audit(at, actor, action, subject) VALUES ('x', 'x', 'x', 'x')", "bear no seal"),
        ("DELETE FROM seals WHERE id = 5", "seals 5 to 5 are missing"),
        ("UPDATE seals SET digest = zeroblob(32) WHERE id = 5", "a line was changed"),
    ],
)
async def test_what_was_done_to_a_line_is_found_with_its_place(tmp_path: Path, statement: str, says: str) -> None:
    with opened(f"sqlite:///{tmp_path / 's.db'}") as store:
        await written(store, 20)
    found = tampered(tmp_path / "s.db", statement)
    assert any(says in fault for fault in found.faults), found.faults


async def test_two_lines_that_changed_places_are_found(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 's.db'}") as store:
        await written(store, 20)
    swap = [f"UPDATE audit SET id = {new} WHERE id = {old}" for old, new in ((7, 1007), (8, 7), (1007, 8))]
    found = tampered(tmp_path / "s.db", *swap)
    assert "between lines 7 and 7" in found.faults[0]


# ---------------------------------------------------------------- what a chain alone cannot show


@pytest.fixture
def key(tmp_path: Path) -> Path:
    anchors.make_key(tmp_path / "audit.key")
    return tmp_path / "audit.key"


def compare(path: Path, key: Path, *made: anchors.Anchor) -> list[str]:
    with sqlite3.connect(path) as connection:
        return list(anchors.compare(connection, made, anchors.public_key(key)))


async def anchored(store: Store, key: Path, lines: int = 20) -> anchors.Anchor:
    await written(store, lines)
    return anchors.anchored(sealing.last_seal(store.reader), NOON, anchors.private_key(key))


async def test_an_anchor_agrees_with_the_audit_it_was_made_of_and_with_what_came_after(
    tmp_path: Path, key: Path
) -> None:
    with opened(f"sqlite:///{tmp_path / 's.db'}") as store:
        made = await anchored(store, key)
        await written(store, 5)
    assert compare(tmp_path / "s.db", key, made) == []


def rewritten(connection: sqlite3.Connection) -> None:
    """Everything stamped anew, as somebody with the file and our source could."""
    connection.execute("UPDATE audit SET actor = 'somebody else' WHERE id = 3")
    ends = connection.execute("SELECT id, last FROM seals ORDER BY id").fetchall()
    connection.execute("DELETE FROM seals")
    seal = sealing.Seal()
    for _id, last in ends:
        seal = sealing.sealed(seal, connection.execute(LINES, (seal.last, last)).fetchall())
        connection.execute(sealing.SEAL, (seal.id, seal.last, seal.entries, seal.digest))


def cut_off(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM audit WHERE id > 15")
    connection.execute("DELETE FROM seals WHERE last > 15")


def cut_off_and_gone_on(connection: sqlite3.Connection) -> None:
    """The end replaced by as many lines of one's own, properly sealed."""
    cut_off(connection)
    seal = sealing.last_seal(connection)
    for number in range(16, 21):
        row = (number, "now", "somebody", "received", f"M{number}", "")
        connection.execute("INSERT INTO audit(id, at, actor, action, subject, detail) VALUES (?,?,?,?,?,?)", row)
        seal = sealing.sealed(seal, [row])
        connection.execute(sealing.SEAL, (seal.id, seal.last, seal.entries, seal.digest))


@pytest.mark.parametrize(
    ("done", "says"),
    [(rewritten, "was written anew"), (cut_off, "was cut off"), (cut_off_and_gone_on, "was written anew")],
)
async def test_an_end_cut_off_and_a_whole_written_anew_are_found_by_the_anchor_alone(
    tmp_path: Path, key: Path, done: Callable[[sqlite3.Connection], None], says: str
) -> None:
    with opened(f"sqlite:///{tmp_path / 's.db'}") as store:
        made = await anchored(store, key)
    with sqlite3.connect(tmp_path / "s.db") as connection:
        for name in ("audit_no_update", "audit_no_delete", "seals_no_update", "seals_no_delete"):
            connection.execute(f"DROP TRIGGER {name}")
        done(connection)
        connection.commit()
        assert sealing.verify(connection).faults == ()  # the chain is whole
    (fault,) = compare(tmp_path / "s.db", key, made)
    assert says in fault


async def test_an_older_database_in_its_place_is_found(tmp_path: Path, key: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 's.db'}") as store:
        await anchored(store, key, 10)
    with sqlite3.connect(tmp_path / "s.db") as now, sqlite3.connect(tmp_path / "old.db") as old:
        now.backup(old)
    with opened(f"sqlite:///{tmp_path / 's.db'}") as store:
        newer = await anchored(store, key, 5)
    (fault,) = compare(tmp_path / "old.db", key, newer)
    assert "knows 15 lines, and the audit ends after 10" in fault


async def test_an_anchor_that_was_forged_is_found(tmp_path: Path, key: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 's.db'}") as store:
        made = await anchored(store, key)
    for forged in (
        msgspec.structs.replace(made, entries=19),
        msgspec.structs.replace(made, at=(NOON + timedelta(days=1)).isoformat()),
        msgspec.structs.replace(made, signature="00" * 64),
        msgspec.structs.replace(made, signature="no hexadecimal"),
    ):
        assert "was not signed with this key" in compare(tmp_path / "s.db", key, forged)[0]
    anchors.make_key(tmp_path / "other.key")
    assert "was not signed" in compare(tmp_path / "s.db", tmp_path / "other.key", made)[0]


# ---------------------------------------------------------------- keys and files


def test_a_key_is_its_owners_alone_and_never_overwritten(key: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(AnchorError, match="is never overwritten"):
        anchors.make_key(key)


def test_anchors_are_read_back_as_they_were_written(tmp_path: Path, key: Path) -> None:
    made = anchors.anchored(sealing.Seal(3, 9, 9, b"x" * 32), NOON, anchors.private_key(key))
    for _time in range(2):
        anchors.append(tmp_path / "anchors", made)
    assert anchors.read(tmp_path / "anchors") == [made, made]


@pytest.mark.parametrize(
    ("content", "says"), [(None, "No such file"), ("hello", "is no key in PEM"), ("", "is no key in PEM")]
)
def test_a_key_that_cannot_be_used_is_one_sentence(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "k"
    if content is not None:
        path.write_text(content)
    for load in (anchors.private_key, anchors.public_key):
        with pytest.raises(AnchorError, match=says):
            load(path)


def test_the_public_half_does_not_sign(key: Path) -> None:
    with pytest.raises(AnchorError, match="is no key in PEM"):
        anchors.private_key(key.with_name(key.name + ".pub"))
    assert anchors.public_key(key).public_bytes_raw() == anchors.public_key(Path(f"{key}.pub")).public_bytes_raw()


@pytest.mark.parametrize("line", [b"{}", b"no", b'{"seal": "x"}'])
def test_a_line_that_is_no_anchor_is_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "anchors").write_bytes(line + b"\n")
    with pytest.raises(AnchorError, match="anchors:1: this is no anchor"):
        anchors.read(tmp_path / "anchors")
