"""`labbridge` with a standing clock: usage: serve_at.py CLOCK ARGUMENT...

The whole command as it is; only processing.SystemClock, the one place where the clock is read, tells what the file CLOCK
says, in the main process and in the processing process forked from it.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from labbridge import cli, gate
from labbridge.processing import SystemClock

CLOCK = Path(sys.argv[1])
CLOCK_FROM = "2000-01-01"


def standing(_clock: SystemClock) -> datetime:
    """The moment that stands in the file, read each time."""
    return datetime.fromisoformat(CLOCK.read_text(encoding="ascii"))


if __name__ == "__main__":
    SystemClock.now = standing  # type: ignore[assignment, method-assign]
    gate.__built__ = CLOCK_FROM  # type: ignore[misc]  # the patients are of years before this version was built
    sys.argv[1:2] = []
    cli.main()
