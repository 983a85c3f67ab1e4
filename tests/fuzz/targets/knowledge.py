"""Files of knowledge: whatever a file holds, loading gives faults with file and line, or the whole knowledge."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import msgspec

from labbridge import sources
from labbridge.knowledge import build as building
from labbridge.knowledge.documents import Fault, Source
from labbridge.sources import KnowledgeError
from tests.fuzz.target import Target, must, parts

WHOLE_EVERY = 40  # a build of everything takes half a second; of one file, milliseconds


@lru_cache
def shipped() -> tuple[Source, ...]:
    return tuple(sources.read_all())


def check(data: bytes) -> None:
    """Parts: a byte that names the file, then edits: two bytes of place, one of how many bytes go, and what comes."""
    which, *edits = parts(data, 8)
    number = (which or b"\0")[0] % len(shipped())
    source = shipped()[number]
    raw = _edited(source.text.encode(), edits)
    try:
        changed = msgspec.structs.replace(source, text=raw.decode())
    except UnicodeDecodeError:
        _unreadable(source.name, raw)
        return
    _found, faults = building.build([changed])
    _placed(faults, {source.name: changed.text})
    if sum(data) % WHOLE_EVERY == 0:
        whole([*shipped()[:number], changed, *shipped()[number + 1 :]])


def whole(files: list[Source]) -> None:
    """With all the other files: in force as a whole, or not at all."""
    _found, faults = building.build(files)
    try:
        knowledge = sources.understood(files)
    except KnowledgeError as error:
        must(error.faults, "knowledge is refused without a fault")
        _placed(error.faults, {one.name: one.text for one in files})
        must(len(error.faults) >= len(faults), "a fault is left out")
        return
    must(not faults, "knowledge with faults is in force")
    must(knowledge.version == building.version(files), "knowledge is in force under another version")


def _edited(raw: bytes, edits: list[bytes]) -> bytes:
    for edit in edits:
        if len(edit) >= 3:
            at = int.from_bytes(edit[:2], "big") * max(1, len(raw)) // 65536
            raw = raw[:at] + edit[3:] + raw[at + edit[2] :]
    return raw


def _placed(faults: list[Fault], texts: dict[str, str]) -> None:
    for fault in faults:
        must(fault.message and fault.repair, "a fault without sentence or repair")
        if fault.file in texts:
            lines = texts[fault.file].splitlines() or [""]
            must(1 <= fault.line <= len(lines) + 1, "a fault at a line that is none")
        else:
            must(fault.file in {one.name for one in shipped()}, "a fault in a file that is none")


def _unreadable(name: str, raw: bytes) -> None:
    """Bytes that are no UTF-8, read from a folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        try:
            sources.read_folder(Path(folder))
        except KnowledgeError as error:
            must([fault.file for fault in error.faults] == [name], "a fault in another file")
            must(1 <= error.faults[0].line <= raw.count(b"\n") + 1, "a fault at a line that is none")
        else:
            must(False, "bytes that are no UTF-8 are read")


TARGET = Target(
    name="knowledge", check=check, product=("labbridge.knowledge", "labbridge.sources"), longest=512, mutated=150
)
