"""`python -m tests.faults [--quick] [--only T-01,...] [--seed N] [--bugs] [--jobs N]`: a line for each row of the table."""

from __future__ import annotations

import argparse
import dataclasses
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults import seeded
from tests.faults.outcome import Outcome, Row, Run
from tests.faults.table import ROWS

HEAD = f"{'row':9} {'trials':>7} {'exposures':>9} {'violations':>10}  {'verdict':8} {'time':>6}  what"


def one(row: Row, run: Run) -> Outcome:
    """A row in a folder of its own. The folder stays where something was violated or broke."""
    assert row.run is not None
    folder = Path(tempfile.mkdtemp(prefix=f"faults-{row.id}-", dir=run.folder))
    try:
        found = row.run(dataclasses.replace(run, folder=folder))
    except Exception as error:  # noqa: BLE001 - a row that breaks must not take the lines of the others with it
        traceback.print_exc(file=(folder / "broke").open("w"))
        return Outcome(violations=[f"it broke: {type(error).__name__}, see {folder / 'broke'}"])
    if not found.violations:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def verdict(found: Outcome) -> str:
    if found.violations:
        return "gap" if found.gap else "VIOLATED"
    return "gap" if found.gap else "held"


def told(row: Row, found: Outcome, seconds: float) -> str:
    numbers = f"{row.id:9} {found.trials:>7} {found.exposures:>9} {len(found.violations):>10}"
    said = "; ".join(filter(None, (row.fault, found.note, found.gap, *found.violations[:8])))
    return f"{numbers}  {verdict(found):8} {seconds:>5.0f}s  {said}"


def table(rows: Sequence[Row], run: Run, jobs: int) -> Iterator[tuple[Row, Outcome]]:
    """Run the rows, several at once where asked to, and print each line as it is known; those that are to run alone last."""

    def timed(row: Row) -> tuple[Outcome, float]:
        begun = time.monotonic()
        return one(row, run), time.monotonic() - begun

    with ThreadPoolExecutor(jobs) as pool:
        running = {row.id: pool.submit(timed, row) for row in rows if row.run is not None and not row.alone}
        for row in sorted(rows, key=lambda row: row.alone):
            if row.run is None:
                print(f"{row.id:9} {'':>7} {'':>9} {'':>10}  later    {'':>6}  {row.fault}: {row.later}", flush=True)
                continue
            found, seconds = timed(row) if row.alone else running[row.id].result()
            print(told(row, found, seconds), flush=True)
            yield row, found


def hunted(run: Run, names: Sequence[str]) -> int:
    """Each bug by its row, then the same rows on the product as it is. How many were not found, or wrongly."""
    wanted = [bug for bug in seeded.BUGS if not names or bug.name in names]
    missed = 0
    for bug in wanted:
        folder = Path(tempfile.mkdtemp(prefix=f"faults-{bug.name}-", dir=run.folder))
        found = seeded.hunt(bug, dataclasses.replace(run, folder=folder))
        missed += not found.violations
        print(f"{bug.name:24} {bug.row}  {'caught' if found.violations else 'MISSED'}  {'; '.join(found.violations[:2])}",
              flush=True)  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(wanted) - missed} of {len(wanted)} caught")
    rows = [row for row in ROWS if row.id in {bug.row for bug in wanted}]
    return missed + sum(bool(found.violations) for _row, found in table(rows, run, 1))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--quick", action="store_true", help="the short way")
    parser.add_argument("--only", default="", help="rows (or bugs, with --bugs), by comma")
    parser.add_argument("--seed", type=int, default=0, help="0: a new one, which is printed")
    parser.add_argument("--bugs", action="store_true", help="have each seeded bug found")
    parser.add_argument("--jobs", type=int, default=0, help="rows at once; 2, and 3 the short way, unless told")
    asked = parser.parse_args()
    seed = asked.seed or random.SystemRandom().randrange(1, 10**6)
    names = [name for name in asked.only.split(",") if name]
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    print(f"seed {seed}, {'the short way' if asked.quick or asked.bugs else 'the long way'}, in {folder}")
    run = Run(asked.quick or asked.bugs, seed, folder)
    if asked.bugs:
        return 1 if hunted(run, names) else 0
    print(HEAD)
    rows = [row for row in ROWS if not names or row.id in names]
    done = list(table(rows, run, asked.jobs or (3 if asked.quick else 2)))
    violated = sum(verdict(found) == "VIOLATED" for _row, found in done)
    gaps = sum(verdict(found) == "gap" for _row, found in done)
    print(f"{len(done)} rows run, {violated} violated, {gaps} with a known gap, {len(rows) - len(done)} later")
    return 1 if violated else 0


if __name__ == "__main__":
    sys.exit(main())
