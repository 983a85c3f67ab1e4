"""Comments written into a table whose server is killed and started again: one row for each, and as it was to be written."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from labbridge.delivery.odbc import OdbcReceiver
from labbridge.delivery.odbc_link import Staging
from labbridge.errors import Retry
from labbridge.odbc.connecting import Access
from labbridge.receivers import start_writer
from labbridge.rows import body
from labbridge.rows.outgoing import MEANINGS
from tests.odbc.servers import Database, MariaDb, Postgres

COLUMNS = {
    "id": "lb_id", "text": "comment_text", "comment": "comment_key", "status": "state", "patient_id": "pat_no",
    "filler_order": "order_no", "signed": "signed_at", "retests": "retests",
}  # fmt: skip
STAGING = Staging(table="comments", columns=COLUMNS)
PATIENCE_S = 60.0
TIMES = {"SQLite": "timestamp", "PostgreSQL": "timestamp", "MariaDB": "datetime"}


def create(database: Database, *, unique: bool = True, text: str = "varchar(4000)") -> None:
    """The staging table, empty."""
    key = " PRIMARY KEY" if unique else ""
    database.execute(
        "DROP TABLE IF EXISTS comments",
        f"CREATE TABLE comments (lb_id varchar(60){key}, comment_text {text}, comment_key varchar(20), state char(3),"
        f" pat_no varchar(20), order_no varchar(20), signed_at {TIMES[database.name]}, retests varchar(400))",
    )


def row(control_id: str, **more: Any) -> bytes:
    """The bytes of a delivery."""
    values: dict[str, Any] = dict.fromkeys(MEANINGS)
    values |= {
        "id": control_id,
        "text": f"Comment {control_id}: é µ ≥\nsecond line, 'quoted' \"twice\"; -- DROP",
        "comment": "LB1",
        "status": "F",
        "patient_id": "PT1",
        "filler_order": "F1",
        "signer": "Alex Smith",
        "signed": datetime(2026, 11, 13, 13, 0, 0),
    }
    return body.encode("comments", [{**values, **more}])


def receiver(database: Database, staging: Staging = STAGING, *, silent_s: float = 20.0) -> OdbcReceiver:
    """The receiver as the service has it, with its process."""
    access = Access(connection=database.connection, connect_timeout_s=3, timeout_s=3, read_only=False)
    return OdbcReceiver("staging", partial(start_writer, "staging", access, staging), silent_s)


def rows_of(database: Database) -> list[tuple[Any, ...]]:
    with closing(database.owner()) as session:
        return [
            tuple(one) for one in session.execute("SELECT lb_id, comment_text FROM comments ORDER BY lb_id").fetchall()
        ]


@dataclass
class Found:
    """What a run came to: deliveries, rows in the end, restarts of the server, and attempts without an answer."""

    deliveries: int = 0
    rows: int = 0
    restarts: int = 0
    unanswered: int = 0
    wrong: int = 0
    seconds: float = 0.0

    @property
    def whole(self) -> bool:
        return self.rows == self.deliveries and not self.wrong


def run(server: Postgres | MariaDb, deliveries: int, *, restarts: int, seed: int = 1) -> Found:
    """The server is started again by this thread: it would end with the thread that started it."""
    create(server)
    found, begun, rng = Found(deliveries=deliveries), time.monotonic(), random.Random(seed)
    broken, failed = threading.Event(), list[BaseException]()
    thread = threading.Thread(target=_deliver_all, args=(server, found, broken, failed))
    thread.start()
    while thread.is_alive() and found.restarts < restarts:
        thread.join(0.2 + rng.random())
        server.restart()
        found.restarts += 1
    broken.set()
    thread.join()
    if failed:
        raise failed[0]
    there = rows_of(server)
    found.rows = len(there)
    found.wrong = len({f"LBC{number}" for number in range(deliveries)} ^ {one[0] for one in there})
    found.seconds = time.monotonic() - begun
    return found


def _deliver_all(server: Database, found: Found, broken: threading.Event, failed: list[BaseException]) -> None:
    try:
        asyncio.run(_deliver(server, found, broken))
    except (AssertionError, OSError) as error:
        failed.append(error)


async def _deliver(server: Database, found: Found, broken: threading.Event) -> None:
    """Each until it is taken; while the server is broken again and again not all at once."""
    to = receiver(server, silent_s=15.0)
    try:
        for number in range(found.deliveries):
            control_id, patience = f"LBC{number}", time.monotonic() + PATIENCE_S
            while True:
                try:
                    answer = await to.send(row(control_id), control_id)
                except Retry:
                    found.unanswered += 1
                    assert time.monotonic() < patience, "the server does not come back"
                    await asyncio.sleep(0.05)
                    continue
                assert answer.takes(control_id), answer
                break
            if not broken.is_set():
                await asyncio.sleep(0.01)
    finally:
        to.close()
