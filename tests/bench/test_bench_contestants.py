"""The listeners that are measured beside ours do what they are measured for: keep, and answer."""

from __future__ import annotations

import socket
import sqlite3
import sys
from pathlib import Path

import pytest

from tests.bench import contestants, parts
from tests.bench.ingest import Found, _row

MESSAGE = parts.MESSAGE.read_bytes().replace(b"\n", b"\r")


def test_python_hl7_keeps_each_message_and_answers_it(tmp_path: Path) -> None:
    port, kept = parts.free_port(), tmp_path / "kept.db"
    script = str(contestants.BESIDE / "python_hl7_listener.py")
    with parts.running(sys.executable, script, str(port), str(kept)):
        parts.listening(port)
        with socket.create_connection(("127.0.0.1", port), 10) as sender, sender.makefile("rb") as answers:
            for number in range(3):
                sender.sendall(b"\x0b" + MESSAGE.replace(b"S2002", b"K%d" % number) + b"\x1c\r")
                answer = b""
                while not answer.endswith(b"\x1c\r"):
                    answer += answers.read(1)
                assert b"MSA|AA|K%d\r" % number in answer
    with sqlite3.connect(kept) as store:
        assert [one for (one,) in store.execute("SELECT count(*) FROM raw")] == [3]


def test_a_peer_of_another_machine_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert contestants.peer() is None
    monkeypatch.setattr(contestants, "PEER", "10.0.0.1:2575:1")
    with pytest.raises(SystemExit):
        contestants.peer()
    monkeypatch.setattr(contestants, "PEER", "127.0.0.1:2575:1")
    named = contestants.peer()
    assert named is not None
    with named() as found:
        assert (found.port, found.pid) == (2575, 1)


def test_a_row_tells_median_and_spread() -> None:
    found = [Found(rate, p50, 9.0, {"main": 100.0}) for rate, p50 in ((100, 1.0), (300, 3.0), (200, 2.0))]
    assert _row("bare", 16, found).split() == ["bare", "16", "200", "(100-300)", "2.00", "9.00", "main", "100"]
