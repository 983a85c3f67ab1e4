"""Comments written into tables by real drivers: once each, as they were signed, whatever is lost on the way."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

import msgspec
import pytest

from labbridge.delivery.odbc import OTHER_KIND, OdbcReceiver
from labbridge.delivery.odbc_link import Differs, Done, Failed, Staging
from labbridge.delivery.odbc_writer import Writer, same
from labbridge.errors import Retry
from labbridge.odbc.catalogue import is_unique, look_up
from labbridge.odbc.connecting import Access, connect
from labbridge.odbc.faults import OdbcFault
from labbridge.states import Reason
from tests.odbc import written
from tests.odbc.servers import SERVERS, Database, MariaDb, Postgres, on, signal_all
from tests.odbc.written import COLUMNS, STAGING, row

PROCEDURES = {
    "PostgreSQL": (
        "DROP FUNCTION IF EXISTS put_comment",
        "CREATE FUNCTION put_comment(a varchar, b varchar, c varchar) RETURNS integer AS $$ INSERT INTO comments"
        " (lb_id, comment_text, pat_no, state) VALUES (a, b, c, 'new'); SELECT 1 $$ LANGUAGE sql",
    ),
    "MariaDB": (
        "DROP PROCEDURE IF EXISTS put_comment",
        "CREATE PROCEDURE put_comment(a varchar(60), b varchar(4000), c varchar(20)) INSERT INTO comments"
        " (lb_id, comment_text, pat_no, state) VALUES (a, b, c, 'new')",
    ),
}
BY_PROCEDURE = Staging(
    table="comments",
    columns={"id": "lb_id", "text": "comment_text", "patient_id": "pat_no"},
    procedure="put_comment",
    arguments=("id", "text", "patient_id"),
)


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    written.create(database)
    found = Writer(Access(connection=database.connection, timeout_s=3, read_only=False), STAGING)
    yield found
    found.close()


def there(database: Database, columns: str = "lb_id") -> list[Any]:
    with closing(database.owner()) as owner:
        return [tuple(one) for one in owner.execute(f"SELECT {columns} FROM comments ORDER BY lb_id").fetchall()]


def test_a_comment_is_written_once_however_often_it_is_sent(database: Database, writer: Writer) -> None:
    raw = row("LBC1", retests=None)
    assert writer.write(raw) == Done("LBC1", created=True)
    assert writer.write(raw) == Done("LBC1", created=False)
    ((id, text, state, signed, retests),) = there(database, "lb_id, comment_text, state, signed_at, retests")
    assert (id, state.strip(), signed, retests) == ("LBC1", "F", datetime(2026, 11, 13, 13, 0), None)
    assert text == "Comment LBC1: é µ ≥\nsecond line, 'quoted' \"twice\"; -- DROP"


FORMULAS = (
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "＋1", "－1", "＠x", "-5.2", "=HYPERLINK(\"http://x\")",
    "'; DROP TABLE comments; --", "{fn now()}", "{call x}", "%s", "?", ":x", "$1", "\\", "\\'", "NULL", "``", '"', "\u202e",
)  # fmt: skip


def test_a_text_is_a_value_whatever_stands_in_it(database: Database, writer: Writer) -> None:
    """S-05, S-06: nothing is quoted, escaped or run; what a spreadsheet would make of it is the LIS's to guard against."""
    for number, text in enumerate(FORMULAS):
        found = writer.write(row(f"LBC{number:03}", text=text))
        assert found == Done(f"LBC{number:03}", created=True), text
    texts = [one[0] for one in there(database, "comment_text")]
    assert [one.replace("\r\n", "\n") for one in texts] == [one.replace("\r\n", "\n") for one in FORMULAS]


def test_what_stands_under_our_number_and_is_not_ours_is_never_overwritten(database: Database, writer: Writer) -> None:
    assert writer.write(row("LBC1")) == Done("LBC1", created=True)
    assert writer.write(row("LBC1", text="another text")) == Differs("changed", "text")
    database.execute("UPDATE comments SET pat_no = 'PT2'")
    assert writer.write(row("LBC1")) == Differs("changed", "patient_id")
    assert len(there(database)) == 1


class Overtaken(Writer):
    """An attempt of ours that was given up is committed between the look and the insert of the next one."""

    def _write(self, values: Any) -> None:
        with closing(Writer(self._access, self._staging)) as earlier:
            earlier._write(values)
        super()._write(values)


def test_an_attempt_that_is_committed_late_is_not_taken_for_a_refusal(database: Database) -> None:
    written.create(database)
    with closing(Overtaken(Access(connection=database.connection, read_only=False), STAGING)) as writer:
        assert writer.write(row("LBC1")) == Done("LBC1", created=False)
    assert len(there(database)) == 1


def test_several_rows_under_our_number_are_a_persons(database: Database) -> None:
    written.create(database, unique=False)
    database.execute(*["INSERT INTO comments (lb_id, comment_text) VALUES ('LBC1', 'x')"] * 2)
    with closing(Writer(Access(connection=database.connection, read_only=False), STAGING)) as writer:
        assert writer.write(row("LBC1")) == Differs("several", "id")
    with closing(connect(Access(connection=database.connection))) as session:
        assert not is_unique(session, look_up(session, "comments", COLUMNS.values()), "lb_id")


def test_a_text_that_is_cut_is_no_comment_that_was_delivered(database: Database) -> None:
    """A database that cuts in silence is found by the reading back, one that refuses says so."""
    written.create(database, text="varchar(20)")
    if database.name == "MariaDB":
        database.execute("SET GLOBAL sql_mode = ''")
    with closing(Writer(Access(connection=database.connection, read_only=False), STAGING)) as writer:
        found = writer.write(row("LBC1"))
    if database.name == "MariaDB":
        database.execute("SET GLOBAL sql_mode = DEFAULT")
    expected = {
        "SQLite": Done("LBC1", created=True),  # it keeps all of a text, however long the column says it is
        "PostgreSQL": Differs("refused", "comments"),
        "MariaDB": Differs("changed", "text"),
    }
    assert found == expected[database.name]


@pytest.mark.parametrize(
    ("staging", "code"),
    [
        (msgspec.structs.replace(STAGING, table="nothing"), "table_missing"),
        (msgspec.structs.replace(STAGING, columns=COLUMNS | {"code": "nothing"}), "column_missing"),
        (BY_PROCEDURE, "procedure_missing"),
    ],
)
def test_what_is_not_there_is_said_and_tried_again(database: Database, staging: Staging, code: str) -> None:
    written.create(database)
    if database.name in PROCEDURES:
        database.execute(PROCEDURES[database.name][0])
    with closing(Writer(Access(connection=database.connection, read_only=False), staging)) as writer:
        found = writer.write(row("LBC1"))
    assert isinstance(found, Failed)
    assert found.code == code
    assert "LBC1" not in found.sentence
    assert there(database) == []


@on(*SERVERS)
def test_a_procedure_writes_in_the_place_of_an_insert(database: Database) -> None:
    written.create(database)
    database.execute(*PROCEDURES[database.name])
    with closing(Writer(Access(connection=database.connection, read_only=False), BY_PROCEDURE)) as writer:
        assert writer.write(row("LBC1")) == Done("LBC1", created=True)
        assert writer.write(row("LBC1")) == Done("LBC1", created=False)
    assert [one[:3] for one in there(database, "lb_id, state, pat_no")] == [("LBC1", "new", "PT1")]


# ---------------------------------------------------------------- the process of its own


@pytest.fixture
def receiver(database: Database) -> Iterator[OdbcReceiver]:
    written.create(database)
    found = written.receiver(database, silent_s=20.0)
    yield found
    found.close()


async def test_a_receiver_takes_what_was_read_back(database: Database, receiver: OdbcReceiver) -> None:
    answer = await receiver.send(row("LBC1"), "LBC1")
    assert (answer.code, answer.takes("LBC1"), answer.takes("LBC2")) == ("created", True, False)
    assert (await receiver.send(row("LBC1"), "LBC1")).code == "found"
    refused = await receiver.send(row("LBC1", text="other"), "LBC1")
    assert (refused.code, refused.takes("LBC1")) == ("changed", False)
    assert "other" not in refused.text
    assert len(there(database)) == 1


async def test_bytes_of_another_receiver_are_refused_and_write_nothing(
    database: Database, receiver: OdbcReceiver
) -> None:
    for raw in (b"MSH|^~\\&|", b'{"resourceType":"Bundle"}', row("LBC2")):
        answer = await receiver.send(raw, "LBC1")
        assert (answer.code, answer.takes("LBC1")) == (OTHER_KIND, False)
    assert there(database) == []


async def test_a_process_that_ends_in_the_midst_is_begun_anew(database: Database, receiver: OdbcReceiver) -> None:
    assert (await receiver.send(row("LBC1"), "LBC1")).takes("LBC1")
    assert receiver._child is not None
    os.kill(receiver._child.process.pid or 0, signal.SIGKILL)
    with pytest.raises(Retry) as fault:
        await receiver.send(row("LBC2"), "LBC2")
    assert fault.value.reason is Reason.NO_ANSWER
    assert receiver.failures == 1
    assert (await receiver.send(row("LBC2"), "LBC2")).takes("LBC2")
    assert receiver.failures == 0
    assert there(database) == [("LBC1",), ("LBC2",)]


@on(*SERVERS)
async def test_a_server_that_hangs_is_given_up_and_what_became_of_the_row_is_looked_up(database: Database) -> None:
    assert isinstance(database, Postgres | MariaDb)
    written.create(database)
    to = written.receiver(database, silent_s=6.0)
    try:
        await delivered(to, "LBC1")
        stopped = database.processes
        signal_all(stopped, signal.SIGSTOP)
        with pytest.raises(Retry, match="nothing for too long"):
            await to.send(row("LBC2"), "LBC2")
        signal_all(stopped, signal.SIGCONT)
        await delivered(to, "LBC2")
    finally:
        signal_all(database.processes, signal.SIGCONT)
        to.close()
    assert there(database) == [("LBC1",), ("LBC2",)]


async def delivered(to: OdbcReceiver, control_id: str) -> None:
    """As the outbox does it: again after an answer that cannot be trusted, the same bytes."""
    for _attempt in range(20):
        try:
            answer = await to.send(row(control_id), control_id)
        except Retry:
            await asyncio.sleep(0.2)
            continue
        assert answer.takes(control_id)
        return
    raise AssertionError("it was never delivered")


@on(*SERVERS)
def test_through_restarts_of_the_server_there_is_one_row_of_each(database: Database) -> None:
    found = written.run(database, 60, restarts=3)  # type: ignore[arg-type]
    assert found.whole, found
    assert (found.rows, found.wrong) == (60, 0)
    assert found.restarts >= 2


@on(*SERVERS)
def test_the_password_is_in_no_fault_and_no_text_of_the_access(database: Database) -> None:
    access = Access(connection=database.connection.replace("UID=", "UID=nobody_"), password="s3cret}word")
    assert "s3cret" not in repr(access)
    with pytest.raises(OdbcFault) as fault:
        connect(access)
    assert "s3cret" not in fault.value.sentence + str(fault.value) + repr(fault.value)
    assert fault.value.code == "sign_in_refused"


@pytest.mark.parametrize(
    ("read", "ours", "holds"),
    [
        ("a  ", "a", True),
        ("a", "a ", True),
        ("a\r\nb", "a\nb", True),
        (None, None, True),
        ("", None, True),
        (None, "a", False),
        ("a", None, False),
        ("A", "a", False),
        (" a", "a", False),
        (datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 1, 2, 3, 4, 5), True),
        ("2026-01-02 03:04:05", datetime(2026, 1, 2, 3, 4, 5), True),
        ("soon", datetime(2026, 1, 2, 3, 4, 5), False),
        (None, datetime(2026, 1, 2, 3, 4, 5), False),
    ],
)
def test_when_what_was_read_back_is_what_was_written(read: object, ours: object, holds: bool) -> None:
    assert same(read, ours) is holds
