"""How the C library hands memory back.

glibc raises the size from which a block is a mapping of its own each time such a block is freed. After the first documents
of some megabytes the next ones lie in its heaps, which keep them: forty documents of 11 MB at once then hold 750 MB instead
of 420 (T-45). With the size fixed, a large message's memory is the system's again once it is written.
"""

from __future__ import annotations

import ctypes

M_MMAP_THRESHOLD = -3  # of malloc.h
LARGE_BYTES = 2**20


def large_blocks_go_back() -> bool:
    """Fix the size, for this process and those forked from it. False where the C library has no such setting."""
    try:
        return bool(ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES))
    except (AttributeError, OSError):
        return False
