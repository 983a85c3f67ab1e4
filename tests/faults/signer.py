"""The person who signs, in a process of its own: `python -m tests.faults.signer SETTINGS.json`.

Looks at the worklist as it stands in the database and releases what is new or was reopened, through the control socket of
the running service: a person's act, as `labbridge release` does it. On SIGTERM it signs what is left, and ends.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from tests.faults import beside
from tests.faults.beside import Database, Unanswered
from tests.faults.journal import History

AT_ONCE = 32
OPEN = (
    'SELECT c.id, c.version FROM cases c JOIN drafts d ON d."case" = c.id AND d.version = c.version'
    " WHERE c.state IN ('new', 'reopened') AND d.text <> '' ORDER BY c.updated LIMIT ?"
)


def worklist(database: Database) -> list[str]:
    """What waits for a signature, as `C12@3`."""
    return [f"C{case}@{version}" for case, version in beside.rows(database, OPEN, AT_ONCE)]


def ask(control: Path, request: dict[str, Any], within_s: float = 60.0) -> dict[str, Any] | None:
    """The service's answer over its control socket, which lies beside the database's file; None where it gave none."""
    try:
        folder = os.open(control.parent, os.O_RDONLY | os.O_DIRECTORY)  # a socket's name has at most 107 bytes
    except FileNotFoundError:
        return None
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(within_s)
            channel.connect(f"/proc/self/fd/{folder}/{control.name}.sock")
            channel.sendall(json.dumps(request).encode() + b"\n")
            with channel.makefile("rb") as lines:
                answer = lines.readline()
            return json.loads(answer) if answer.endswith(b"\n") else None
    except OSError:
        return None
    finally:
        os.close(folder)


def sign(control: Path, keys: list[str], history: History) -> list[dict[str, Any]]:
    """Release these case versions; what became of each, nothing where the service gave no answer. Written down before
    and after."""
    history.write({"ev": "sign", "keys": keys})
    answer = ask(control, {"command": "release", "keys": keys, "as": "Alex Smith"})
    if answer is None:
        history.write({"ev": "unanswered", "keys": keys})
        return []
    done: list[dict[str, Any]] = answer.get("done", [])
    history.write({"ev": "signed", "done": done, "error": answer.get("error", "")})
    return done


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text())
    database = settings["database"] if "://" in settings["database"] else Path(settings["database"])
    control, history = Path(settings["control"]), History(Path(settings["history"]))
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    refused: dict[str, int] = {}
    most = settings.get("refusals", 3)  # more where the store is away again and again
    while True:
        try:
            keys = [key for key in worklist(database) if refused.get(key, 0) < most]
        except (sqlite3.Error, Unanswered):
            keys = []
        if keys and sign(control, keys, history):
            for key in keys:
                refused[key] = refused.get(key, 0) + 1
        elif stopping and not keys:
            return
        time.sleep(settings.get("pause_s", 0.2))


if __name__ == "__main__":
    main()
