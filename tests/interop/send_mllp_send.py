"""python-hl7's command `mllp_send`: sends the messages of the FILEs, as one file, on one connection, and prints one line of
JSON for each answer.

usage: send_mllp_send.py PORT FILE...
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import hl7
from interop_answers import as_json

COMMAND = (sys.executable, "-c", "from hl7.client import mllp_send; mllp_send()")


def printed(port: str, file: str) -> bytes:
    command = [*COMMAND, "--loose", "--file", file, "--port", port, "127.0.0.1"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def send_in_turn(port: str, files: list[str]) -> None:
    with tempfile.NamedTemporaryFile() as together:
        together.write(b"\r".join(Path(file).read_bytes() for file in files))
        together.flush()
        for answer in printed(port, together.name).split(b"\x1c\r\n")[:-1]:
            print(as_json(hl7.parse(answer.strip(b"\x0b").decode())))


if __name__ == "__main__":
    send_in_turn(sys.argv[1], sys.argv[2:])
