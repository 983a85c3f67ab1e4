"""A history: one JSON line an event, appended whole, in the order in which things happened.

The times are of the monotonic clock (`t`, comparable between processes of one machine) and of the wall clock (`wall`).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class History:
    """Appends events. A line is in the file before the call returns; a killed process leaves whole lines."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, *events: Event) -> None:
        now = {"t": time.monotonic(), "wall": time.time()}
        os.write(self._file, b"".join(json.dumps({**event, **now}).encode() + b"\n" for event in events))

    def close(self) -> None:
        os.close(self._file)


def read(path: Path) -> list[Event]:
    """The events of a history, none where there is no such file."""
    return list(lines(path)) if path.is_file() else []


def lines(path: Path) -> Iterator[Event]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield parsed(line)


def parsed(line: str | bytes) -> Event:
    event: Event = json.loads(line)
    return event
