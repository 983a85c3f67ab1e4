"""Backup of a store in use, and its return: whole or refused, and nothing leaves before a person has looked."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from store_build import LANE, NOON, Store, arrival, change, event, later, opened, outgoing

from labbridge.errors import Refused
from labbridge.model.work import AuditEvent
from labbridge.store import backup, sealing
from labbridge.store.backup import read_manifest, restore
from labbridge.store.sqlite import StoreRefused

CONFIRMED = AuditEvent(at=NOON, actor="Ada Roth", action="confirmed", subject="restore")


async def filled(store: Store, start: int = 0, number: int = 10) -> None:
    for one in range(start, start + number):
        await store.intake.keep(arrival(f"MSH|{one}", control_id=f"C{one}", lanes=(f"p:LABA|{one}",)), event())


async def with_comment(store: Store) -> None:
    await filled(store, 100, 1)
    (message,) = store.work.claim(NOON)
    assert store.finish(message, change()) == [True]
    out = outgoing(control_id=store.desk.next_control_id(NOON))
    store.desk.release(out, event("released", "C1@1"))


def taken(store: Store, name: str = "b.db") -> Path:
    target = store.path.parent / "backups" / name
    backup.backup(store.path, target, NOON)
    return target


async def test_a_backup_holds_every_message_and_says_what_it_is(file_store: Store) -> None:
    store = file_store
    await filled(store)
    target = taken(store)
    manifest = read_manifest(target)
    assert (manifest.rows["journal"], manifest.rows["audit"], manifest.audit_entries) == (10, 10, 10)
    assert manifest.bytes == target.stat().st_size
    assert sorted(path.name for path in target.parent.iterdir()) == ["b.db", "b.db.json"]
    assert target.stat().st_mode & 0o077 == 0
    with sqlite3.connect(target) as copied:
        assert copied.execute("SELECT count(*) FROM journal").fetchone() == (10,)
        assert sealing.verify(copied).faults == ()


async def test_backups_taken_while_messages_come_in_hold_all_that_came_before(file_store: Store) -> None:
    """Each is restored and compared: what was acknowledged before it began is in it, whole and in order."""
    store = file_store
    stop = asyncio.Event()
    acknowledged = 0

    async def sender() -> None:
        nonlocal acknowledged
        while not stop.is_set():
            await filled(store, acknowledged, 1)
            acknowledged += 1

    sending = asyncio.create_task(sender())
    for number in range(12):
        before = acknowledged
        target = await asyncio.to_thread(taken, store, f"b{number}.db")
        restored = store.path.parent / f"r{number}.db"
        restore(target, restored, "Ada Roth", NOON)
        with sqlite3.connect(restored) as found:
            rows = found.execute("SELECT control_id, raw FROM journal ORDER BY id").fetchall()
            assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert len(rows) >= before
        assert rows == [(f"C{one}", f"MSH|{one}".encode()) for one in range(len(rows))]
    stop.set()
    await sending
    assert acknowledged > 12


async def test_a_backup_is_never_overwritten(file_store: Store) -> None:
    store = file_store
    await filled(store)
    target = taken(store)
    with pytest.raises(Refused, match="is never overwritten"):
        taken(store)
    target.unlink()
    with pytest.raises(Refused, match="is never overwritten"):  # its manifest is there
        taken(store)


async def test_a_damaged_backup_does_not_come_back(file_store: Store) -> None:
    store = file_store
    await filled(store)
    target = taken(store)
    place = store.path.parent / "restored.db"
    content = bytearray(target.read_bytes())
    content[len(content) // 2] ^= 1
    target.write_bytes(content)
    with pytest.raises(Refused, match="is not the file its manifest describes"):
        restore(target, place, "Ada Roth", NOON)
    assert not place.exists()


@pytest.mark.parametrize("manifest", [None, "", "{}"])
async def test_a_copy_without_its_manifest_is_no_backup(file_store: Store, manifest: str | None) -> None:
    store = file_store
    await filled(store)
    target = taken(store)
    described = target.with_name("b.db.json")
    described.unlink() if manifest is None else described.write_text(manifest)
    with pytest.raises(Refused, match="a backup needs its manifest"):
        restore(target, store.path.parent / "restored.db", "Ada Roth", NOON)


async def test_a_store_that_is_there_is_never_restored_over(file_store: Store) -> None:
    store = file_store
    await filled(store)
    target = taken(store)
    with pytest.raises(Refused, match="nothing is overwritten"):
        restore(target, store.path, "Ada Roth", NOON)
    with pytest.raises(Refused, match="is there already"):
        restore(target, target, "Ada Roth", NOON)


async def test_a_store_with_a_broken_audit_gives_no_backup(file_store: Store) -> None:
    store = file_store
    await filled(store)
    with sqlite3.connect(store.path) as other:
        other.execute("DROP TRIGGER audit_no_update")
        other.execute("UPDATE audit SET actor = 'x' WHERE id = 3")
    with pytest.raises(Refused, match="audit in the copy is not whole"):
        taken(store)
    assert not list((store.path.parent / "backups").iterdir())


# ---------------------------------------------------------------- a restored store


async def test_nothing_leaves_a_restored_store_before_a_person_confirms(file_store: Store) -> None:
    store = file_store
    await with_comment(store)
    target = taken(store)
    place = store.path.parent / "restored.db"
    restore(target, place, "Ada Roth", later(60))
    with opened(f"sqlite:///{place}") as restored:
        assert await restored.outbox.claim_delivery("lis", later(60)) is None
        restored.desk.confirm_restore(CONFIRMED)
        delivery = await restored.outbox.claim_delivery("lis", later(60))
        assert delivery is not None
        assert delivery.raw == b"MSH|out"
        with pytest.raises(Refused, match="No restore waits"):
            restored.desk.confirm_restore(CONFIRMED)
        audit = restored.rows("SELECT actor, action FROM audit WHERE action IN ('restored', 'confirmed') ORDER BY id")
        assert audit == [("Ada Roth", "restored"), ("Ada Roth", "confirmed")]
        assert sealing.verify(restored.reader).faults == ()


async def test_no_number_that_the_lost_store_gave_out_is_given_out_again(file_store: Store) -> None:
    """Control ids and case keys after the backup are unknown to it, and known to the LIS."""
    store = file_store
    await with_comment(store)
    target = taken(store)
    lost_ids = {store.desk.next_control_id(NOON) for _one in range(5)}
    await filled(store, 200, 1)
    (message,) = store.work.claim(NOON)
    assert store.finish(message, change()) == [True]
    lost = store.desk.case(2)
    place = store.path.parent / "restored.db"
    restore(target, place, "Ada Roth", later(60))
    with opened(f"sqlite:///{place}") as restored:
        assert lost_ids.isdisjoint({restored.desk.next_control_id(later(61)) for _one in range(5)})
        await filled(restored, 300, 1)
        (message,) = restored.work.claim(NOON)
        assert restored.finish(message, change()) == [True]
        before, new = restored.desk.case(1), restored.desk.case(2)
        assert before is not None
        assert new is not None
        assert lost is not None
        assert (before.sub_id, lost.sub_id, new.sub_id) == ("LB1", "LB2", "LB1000000002")


async def test_what_senders_repeat_after_a_restore_is_known_again(file_store: Store) -> None:
    store = file_store
    await filled(store, 0, 5)
    target = taken(store)
    await filled(store, 5, 5)
    place = store.path.parent / "restored.db"
    restore(target, place, "Ada Roth", later(60))
    with opened(f"sqlite:///{place}") as restored:
        await filled(restored, 0, 10)  # everything of the last hour, again
        rows = restored.rows("SELECT control_id, duplicates FROM journal ORDER BY id")
    assert rows == [(f"C{one}", int(one < 5)) for one in range(10)]
    assert rows[0][0] == "C0"


async def test_a_backup_of_an_older_schema_comes_back_as_the_newest(tmp_path: Path) -> None:
    old = (Path(__file__).parent / "upgrade/0002.sql").read_text(encoding="utf-8")
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript(old)
    connection.close()
    with sqlite3.connect(tmp_path / "old.db") as connection:
        manifest = backup._looked_over(connection, tmp_path / "old.db", NOON)
    assert (manifest.revision, manifest.audit_entries) == ("0002", 0)


async def test_a_store_in_use_is_not_restored_into(file_store: Store, tmp_path: Path) -> None:
    store = file_store
    await filled(store)
    target = taken(store)
    from labbridge.store.sqlite import StoreLock

    with StoreLock(tmp_path / "new.db"), pytest.raises(StoreRefused, match="Another labbridge process"):
        restore(target, tmp_path / "new.db", "Ada Roth", NOON)
    assert LANE
