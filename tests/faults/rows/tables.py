"""Views of the LIS: rows that are committed late (T-50), a server that hangs, columns that change (T-51). The databases are
real ones (tests/odbc)."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults import wire
from tests.faults.messages import plain
from tests.faults.outcome import Outcome, Run
from tests.faults.service import Service, until

if TYPE_CHECKING:
    from tests.odbc.servers import Postgres

SLOWEST_S = 0.2  # reliability.md 6, SLO: p99 of an acknowledgement under any single fault
STOPPED = 'labbridge_odbc_stopped{feed="tables"} 1.0'


def late(run: Run) -> Outcome:
    """T-50. Sessions that commit late, roll back and share timestamps, on each server, while the poller is killed: each
    committed row is kept once, and nothing else is."""
    from tests.odbc import polled, servers

    found = Outcome()
    for kind in (servers.Postgres,) if run.quick else (servers.Postgres, servers.MariaDb):
        server = kind()
        try:
            plan = polled.Plan(
                there=run.size(500, 20_000), written=run.size(1500, 40_000), sessions=run.size(20, 100),
                latest_s=run.size(2, 10), window_s=run.size(5, 15), kills=run.size(1, 8), seed=run.seed,
            )  # fmt: skip
            came = polled.run(server, run.folder / server.name, plan, run.patched)
        finally:
            server.close()
        found.trials += came.kills + came.rolled_back
        found.exposures += came.rows
        for name in ("missed", "twice", "invented"):
            found.must(not getattr(came, name), f"{server.name}: {getattr(came, name)} rows {name}")
        for one in came.notes:
            found.must(False, f"{server.name}: {one}")
        found.note += f"{server.name} {came.rows} rows, {came.kept} versions, {came.kills} kills; "
    return found


def hangs_and_drifts(run: Run) -> Outcome:
    """T-51. The server is stopped while its rows are fetched: acknowledgements of MLLP are as quick as before, the reading
    is given up, and goes on once the server does. Then a column has another name: that feed stops and says so, and nothing
    else does."""
    from tests.odbc import lis, polled, servers

    found, server = Outcome(), servers.Postgres()
    try:
        lis.create(server)
        lis.fill(server, run.size(8000, 100_000))
        section = lis.section(server, timeout_s=2).replace("timeout_s = 2", "timeout_s = 2\nconnect_timeout_s = 1")
        service = polled.Listening(run.folder / "s", extra=section, patched=run.patched)
        feed = f'[feeds.myolis]\nlisten = "127.0.0.1:{service.port}"\ntimezone = "Europe/Paris"\nreceiver = "lis"\n'
        service.configure(feeds=feed)
        try:
            service.start()
            _hangs(run, found, service, server)
            _drifts(found, service, server)
        finally:
            service.close()
    finally:
        server.close()
    return found


def _hangs(run: Run, found: Outcome, service: Service, server: Postgres) -> None:
    from tests.odbc import polled
    from tests.odbc.servers import signal_all

    rows = run.size(8000, 100_000)
    found.must(until(lambda: polled.count(service) > 500), "no row was read")
    stopped = server.processes
    signal_all(stopped, signal.SIGSTOP)
    begun = time.monotonic()
    try:
        with _line(service) as channel:
            loud = _p99(channel, run.size(200, 2000), "loud")
            silent = until(lambda: '"reason": "silent"' in service.log(), 40)
            after = time.monotonic() - begun
            found.must(silent, "the reading was not given up")
            found.must(service.readiness()[0] == 200, "the service was not ready while the server hung")
    finally:
        signal_all(stopped, signal.SIGCONT)
    found.must(until(lambda: polled.count(service) == rows, 120), f"{polled.count(service)} of {rows} rows were kept")
    with _line(service) as channel:
        quiet = _p99(channel, run.size(200, 2000), "quiet")
    found.must(loud <= SLOWEST_S, f"p99 {loud * 1000:.1f} ms while the server hung, {quiet * 1000:.1f} ms else")
    found.trials += 1
    found.exposures += run.size(200, 2000)
    found.note = f"p99 {loud * 1000:.1f} ms while it hung, {quiet * 1000:.1f} ms else; given up after {after:.0f} s"


def _drifts(found: Outcome, service: Service, server: Postgres) -> None:
    from tests.odbc import polled

    server.execute("ALTER VIEW results_v RENAME COLUMN value TO val")
    found.must(until(lambda: STOPPED in service.metrics(), 30), "the metric does not say that the feed stopped")
    found.must('"reason": "column_missing"' in service.log(), "the log does not say why")
    status, body = service.readiness()
    found.must((status, "odbc_feed_stopped" in body) == (200, True), f"readiness says {status} {body}")
    found.must(until(lambda: not polled.pollers(service), 10), "the process still reads")
    with _line(service) as channel:
        _p99(channel, 20, "after")
    found.trials += 1


@contextmanager
def _line(service: Service) -> Iterator[socket.socket]:
    with wire.connect(service.port) as channel:
        yield channel


def _p99(channel: socket.socket, count: int, name: str) -> float:
    """The 99th percentile of so many acknowledgements, in seconds."""
    took = []
    for number in range(count):
        message = plain(f"{name}-{number}", f"{name}{number % 20}")
        begun = time.monotonic()
        channel.sendall(wire.framed(message.raw))
        answer = wire.receive(channel)
        took.append(time.monotonic() - begun)
        assert answer is not None
        assert answer.positive
        time.sleep(0.002)
    return sorted(took)[int(len(took) * 0.99) - 1]
