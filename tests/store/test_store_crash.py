"""A killed process: everything it reported as kept is there, byte for byte (reliability.md I1)."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from store_build import opened

HERE = Path(__file__).parent
CHILD = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from store_build import Store, arrival, event
store = Store(sys.argv[1])
async def sender(number):
    count = 0
    while True:
        text = f"MSH|{number}|{count}|" + "x" * 500
        await store.intake.keep(arrival(text, control_id=f"{number}-{count}", lanes=(f"p:{number}",)), event())
        print(f"{number}-{count}", flush=True)
        count += 1
async def main():
    await asyncio.gather(*(sender(number) for number in range(8)))
asyncio.run(main())
"""


@pytest.mark.parametrize("run", range(6))
def test_what_was_acknowledged_before_a_kill_is_in_the_store(place: str, run: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, place, str(HERE)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip()]
    time.sleep(0.05 + 0.07 * run)
    child.send_signal(signal.SIGKILL)
    acknowledged += [line.strip() for line in child.stdout if line.endswith("\n")]
    child.wait()
    child.stdout.close()
    with opened(place) as store:
        kept = dict(store.rows("SELECT control_id, raw FROM journal"))
        assert store.rows("SELECT count(*) FROM work") == [(len(kept),)]
        if store.on_sqlite:
            assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(acknowledged) > 1
    for control_id in acknowledged:
        number, count = control_id.split("-")
        assert kept[control_id] == f"MSH|{number}|{count}|{'x' * 500}".encode()
