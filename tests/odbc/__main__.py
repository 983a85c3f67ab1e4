"""`python -m tests.odbc [--rows N] [--server PostgreSQL] [--deliveries N]`: views that are written while they are read, and
comments written through restarts, on real servers. Outside the suite, which runs the short way."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from labbridge.observe import logs
from tests.odbc import polled, written
from tests.odbc.servers import MariaDb, Postgres

SERVERS = {"PostgreSQL": Postgres, "MariaDB": MariaDb}


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.odbc", description=__doc__)
    options.add_argument(
        "--rows", type=int, default=1_000_000, help="rows of each view, half of them written while it is read"
    )
    options.add_argument("--deliveries", type=int, default=2000, help="comments written to each server")
    options.add_argument("--server", choices=sorted(SERVERS), action="append", help="which; both without")
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    logs.configure(json=True, level="error")
    well = [_on(name, asked) for name in asked.server or SERVERS]
    return 0 if all(well) else 1


def _on(name: str, asked: argparse.Namespace) -> bool:
    server = SERVERS[name]()
    try:
        with tempfile.TemporaryDirectory(prefix="labbridge-odbc-") as folder:
            plan = polled.Plan(
                there=asked.rows // 2, written=asked.rows - asked.rows // 2, sessions=200, latest_s=30.0, window_s=45.0,
                kills=10, settle_s=600, seed=asked.seed,
            )  # fmt: skip
            read = polled.run(server, Path(folder), plan)
        print(
            f"{name}: {read.rows:,} rows committed ({read.rolled_back:,} rolled back), {read.corrected:,} corrected,"
            f" {read.kept:,} versions kept; {read.kills} kills of the poller; {read.missed} missed, {read.twice} twice,"
            f" {read.invented} never committed; {read.seconds:.0f} s, of which the first {asked.rows // 2:,} in"
            f" {read.filled_s:.0f} s ({asked.rows // 2 / max(read.filled_s, 0.1):,.0f} a second)",
            *read.notes,
            flush=True,
        )
        back = written.run(server, asked.deliveries, restarts=max(3, asked.deliveries // 100), seed=asked.seed)
        print(
            f"{name}: {back.deliveries:,} comments through {back.restarts} restarts, {back.unanswered:,} attempts without an"
            f" answer: {back.rows:,} rows, {back.wrong} missing or not ours; {back.seconds:.0f} s",
            flush=True,
        )
        return read.whole and back.whole
    finally:
        server.close()


if __name__ == "__main__":  # a process that is spawned reads this again
    sys.exit(main())
