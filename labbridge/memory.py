"""How memory is handed back: by the C library to the system, and what only Python's collector can find.

glibc raises the size from which a block is a mapping of its own each time such a block is freed. After the first documents
of some megabytes the next ones lie in its heaps, which keep them: forty documents of 11 MB at once then hold 750 MB instead
of 420 (T-45). With the size fixed, a large message's memory is the system's again once it is written.

Counting references frees all but cycles, and a message makes none (0 in 6,208). The collector that looks for
them starts after 700 new containers unless told otherwise: once for every six or seven messages, for a batch holds many.
"""

from __future__ import annotations

import ctypes
import gc

M_MMAP_THRESHOLD = -3  # of malloc.h
LARGE_BYTES = 2**20
CONTAINERS = 20_000  # a few megabytes of them


def large_blocks_go_back() -> bool:
    """Fix the size, for this process and those forked from it. False where the C library has no such setting."""
    try:
        return bool(ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES))
    except (AttributeError, OSError):
        return False


def cycles_are_sought_seldom() -> None:
    """What is there now stays for good: no collection walks it, and its pages stay shared with forked processes. For the
    rest one is due after so many new containers, here and in those processes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(CONTAINERS)
