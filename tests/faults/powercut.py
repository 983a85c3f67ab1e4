"""What a power cut leaves: an strace log of a running service is replayed, and at each acknowledgement the disk is what was
synced, with none or some of the rest, sector by sector."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
TRACE = ("-xx", "-s", "200000", "-e", "trace=openat,pwrite64,ftruncate,fdatasync,fsync,sendto,close,unlink")
_OPENED = re.compile(r'openat\([^,]+, "([^"]*)".*\) += (\d+)$')
_CLOSED = re.compile(r"close\((\d+)\)")
_WRITTEN = re.compile(r'pwrite64\((\d+), "([^"]*)", \d+, (\d+)')
_SHORTENED = re.compile(r"ftruncate\((\d+), (\d+)\)")
_SYNCED = re.compile(r"(?:fdatasync|fsync)\((\d+)")
_GONE = re.compile(r'unlink\("([^"]*)"\)')
_SENT = re.compile(r'sendto\(\d+, "([^"]*)"')
_UNFINISHED = re.compile(r"^(\d+) +(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")
ACCEPTED = re.compile(rb"MSA\|(?:AA|CA)\|([^|\r]+)")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass
class File:
    """A file as the service sees it, as it is on the disk for sure, and the writes in between."""

    seen: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    pending: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, at: int, data: bytes) -> None:
        if len(self.seen) < at + len(data):
            self.seen.extend(bytes(at + len(data) - len(self.seen)))
        self.seen[at : at + len(data)] = data
        self.pending.append((at, data))

    def sync(self) -> None:
        self.synced = bytes(self.seen)
        self.pending.clear()

    def torn(self, rng: random.Random) -> bytes:
        """What was synced, and a random part of the sectors written since."""
        found = bytearray(self.synced)
        for at, data in self.pending:
            for start in range(0, len(data), SECTOR):
                part = data[start : start + SECTOR]
                if rng.random() < 0.5:
                    place = at + start
                    found.extend(bytes(max(0, place + len(part) - len(found))))
                    found[place : place + len(part)] = part
        return bytes(found)


class Disk:
    """The database and its -wal through a trace. `already`: what was on the disk before the trace began."""

    def __init__(self, database: Path, already: dict[str, bytes], handles: dict[int, str]) -> None:
        self._names = (database.name, f"{database.name}-wal")
        self.files = {name: File(bytearray(data), data) for name, data in already.items() if name in self._names}
        self._open = {number: name for number, name in handles.items() if name in self._names}

    def acknowledgements(self, trace: Path) -> Iterator[list[str]]:
        """Replay; at each acceptance that left, the control ids it named."""
        for call in _calls(trace):
            if sent := _SENT.search(call):
                named = [found.decode() for found in ACCEPTED.findall(_bytes(sent[1]))]
                if named:
                    yield named
            else:
                self._apply(call)

    def _apply(self, call: str) -> None:
        if found := _OPENED.search(call):
            name = Path(_bytes(found[1]).decode(errors="replace")).name
            self._open.pop(int(found[2]), None)
            if name in self._names:
                self._open[int(found[2])] = name
                self.files.setdefault(name, File())
        elif found := _CLOSED.search(call):
            self._open.pop(int(found[1]), None)
        elif (found := _WRITTEN.search(call)) and (file := self._file(found[1])):
            file.write(int(found[3]), _bytes(found[2]))
        elif (found := _SHORTENED.search(call)) and (file := self._file(found[1])):
            del file.seen[int(found[2]) :]
        elif (found := _SYNCED.search(call)) and (file := self._file(found[1])):
            file.sync()
        elif found := _GONE.search(call):
            self.files.pop(Path(_bytes(found[1]).decode(errors="replace")).name, None)

    def _file(self, number: str) -> File | None:
        return self.files.get(self._open.get(int(number), ""))


def _calls(trace: Path) -> Iterator[str]:
    """Whole calls, in the order in which they ended: one that is unfinished while another thread's is told is put
    together again. A sync counts from its end, a write from its beginning, which is the worse for us."""
    begun: dict[str, str] = {}
    with trace.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if found := _UNFINISHED.match(line):
                begun[found[1]] = found[2]
            elif found := _RESUMED.match(line):
                yield begun.pop(found[1], "") + found[2]
            else:
                yield line.partition(" ")[2]


def held(folder: Path, database: str, images: dict[str, bytes]) -> tuple[set[str], str]:
    """Put such files on a disk and open them as a start would: the accepted control ids, and what the integrity check
    says."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in images.items():
        (folder / name).write_bytes(data)
    connection = sqlite3.connect(folder / database)
    try:
        rows = connection.execute("SELECT control_id FROM journal WHERE state <> 'quarantined'").fetchall()
        return {row[0] for row in rows}, connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as fault:
        return set(), str(fault)
    finally:
        connection.close()
