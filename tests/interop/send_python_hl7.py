"""python-hl7's blocking client: sends each FILE on one connection, and prints one line of JSON for each answer.

usage: send_python_hl7.py PORT FILE...
"""

from __future__ import annotations

import sys
from pathlib import Path

import hl7
from hl7.client import MLLPClient
from interop_answers import as_json


def send_in_turn(port: int, files: list[str]) -> None:
    with MLLPClient("127.0.0.1", port) as client:
        for file in files:
            # It reads once, at most 4096 bytes: the answer must come whole, in one piece.
            answer = client.send_message(Path(file).read_bytes())
            print(as_json(hl7.parse(answer.strip(b"\x0b\x1c\r").decode())))


if __name__ == "__main__":
    send_in_turn(int(sys.argv[1]), sys.argv[2:])
