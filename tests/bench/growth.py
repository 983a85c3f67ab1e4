"""What a store costs that has grown: the same load with ten thousand results and with ten million, in rounds that take
turns.

`LABBRIDGE_BENCH_RESULTS` are the many (10,000,000); `LABBRIDGE_BENCH_STORE=postgresql` for the other store.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import contestants, parts
from tests.bench.figures import Line, ratios
from tests.bench.stored import grow

FEW, MANY = 10_000, int(os.environ.get("LABBRIDGE_BENCH_RESULTS", "10000000"))
STORE = os.environ.get("LABBRIDGE_BENCH_STORE", "sqlite")
KEPT = {"sqlite": 0.6, "postgresql": 0.8}
"""The share of a rate that is to be left."""
ROUNDS, ROUND_S, MESSAGES = 7, 4, 4000


def growth() -> list[Line]:
    with tempfile.TemporaryDirectory() as folder, _urls(Path(folder)) as (few, many):
        grow(few.url, FEW)
        grow(many.url, MANY)
        file = parts.load_file(Path(folder))
        rounds = [[(_ingested(one, file), _interpreted(one, file)) for one in (many, few)] for _round in range(ROUNDS)]
    lines = []
    for place, name in enumerate(("growth-ingest", "growth-interpreted")):
        ours, theirs = ([one[side][place] for one in rounds] for side in (0, 1))
        note = f"{STORE}, {MANY} results; last {ours[-1]:.0f}/s to {theirs[-1]:.0f}/s"
        lines.append(Line(name, f"of the rate with {FEW} results", KEPT[STORE], True, ratios(ours, theirs), note))
    return lines


@contextmanager
def _urls(folder: Path) -> Iterator[tuple[contestants.Database, contestants.Database]]:
    if STORE == "postgresql":
        with contestants.postgresql() as database:
            yield database(), database()
    else:
        few, many = (contestants.Database(f"sqlite:///{folder / name}.db") for name in ("few", "many"))
        yield few, many


def _ingested(store: contestants.Database, file: Path) -> float:
    """Kept and acknowledged, messages a second."""
    with contestants.labbridge("listen", store)() as listener:
        found = parts.generate(listener.port, file, "-c", str(parts.CONNECTIONS), "-d", str(ROUND_S), "-w", "500")
    return float(found["msgs_per_s"])


def _interpreted(store: contestants.Database, file: Path) -> float:
    """Interpreted and drafted, messages a second, from the first one sent until none waits; what waited from the round
    before is worked off first."""
    with contestants.labbridge("all", store)() as listener:
        _worked_off(listener)
        begun = time.monotonic()
        parts.generate(listener.port, file, "-c", str(parts.CONNECTIONS), "-n", str(MESSAGES))
        _worked_off(listener)
        return MESSAGES / (time.monotonic() - begun)


def _worked_off(listener: contestants.Listener) -> None:
    while listener.waiting():
        time.sleep(0.1)
