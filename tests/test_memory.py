"""Large messages give their memory back; cycles are looked for seldom, and found all the same."""

from __future__ import annotations

import subprocess
import sys

GROWS = """
import os, sys
from labbridge.memory import large_blocks_go_back
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
if sys.argv[1] == "fixed":
    assert large_blocks_go_back()
for _round in range(3):
    blocks = [bytearray(11 * 2**20) for _block in range(20)]
    small = [bytes(1000) for _each in range(2000)]
    del blocks
    kept = small[::2]
print(resident())
"""


def test_the_size_is_fixed_where_there_is_glibc() -> None:
    """In a process of its own: what large blocks leave behind after they were freed is less than one of them."""
    done = subprocess.run([sys.executable, "-c", GROWS, "fixed"], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 40


SOUGHT = """
import gc
from labbridge.memory import CONTAINERS, cycles_are_sought_seldom
class Ring:
    pass
def ring():
    one = Ring()
    one.itself = one
    return weakref.ref(one)
import weakref
cycles_are_sought_seldom()
assert gc.get_freeze_count() > 0
lost = ring()
before = gc.get_stats()[0]["collections"]
held = [[] for _each in range(CONTAINERS // 2)]
assert lost() is not None and gc.get_stats()[0]["collections"] == before
held += [[] for _each in range(CONTAINERS)]
assert lost() is None
"""


def test_a_cycle_is_freed_once_many_containers_came_after_it() -> None:
    subprocess.run([sys.executable, "-c", SOUGHT], check=True)
