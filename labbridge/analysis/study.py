"""The study store: a folder of Parquet files, one for each piece of a file that was imported (ADR 0020).

    study.json               how the rows are read
    rows/DIGEST-00007.parquet    rows of one piece; a row group for each bucket of patients, and one aside

What names no patient or no time is aside. A piece is there once its file has its name: it is written beside, made
durable and renamed. What was broken off leaves nothing that counts, and is done again; what is there is not done again.
The rows of a patient are in one bucket of every file, so that buckets are gone through side by side, each within the
memory that it takes.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labbridge.errors import Refused
from labbridge.model.work import Feed
from labbridge.rows.archive import COLUMNS, Row

BUCKETS = 64
ASIDE = BUCKETS  # the bucket of rows that name no patient or no time
MANIFEST, ROWS = "study.json", "rows"
ABOUT = b"labbridge"
ORDER = ("lane", "moment", "number")
VERSION = 1
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("number", *COLUMNS)),
        ("lane", pa.string()),
        ("moment", pa.int64()),
        ("message", pa.binary()),
    ]
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of a study are read: as this feed, and `authority` gave the patients' numbers."""

    version: int = VERSION
    feed: Feed
    authority: str = ""


class Count(msgspec.Struct, frozen=True):
    """How often a column could not be understood, and why. `text`: the code or word, where that is no patient's data."""

    column: str
    why: str
    text: str
    rows: int


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a piece is of. `file`: the name of what was read; `digest` its SHA-256; `rows` are all it holds, `aside` those of
    them without a patient or a time; `unread` messages could not be read at all."""

    file: str
    digest: str
    piece: int
    rows: int
    aside: int = 0
    unread: int = 0
    counts: tuple[Count, ...] = ()


class Placed(msgspec.Struct, frozen=True):
    """A row of the study: its lane, when it came (microseconds since 1970), and the row; or a whole message of HL7 v2."""

    lane: str
    moment: int
    row: Row
    message: bytes = b""


def bucket_of(lane: str) -> int:
    """The bucket of a patient: that of the service's own partitions (architecture.md, Scale)."""
    return zlib.crc32(lane.encode()) % BUCKETS if lane else ASIDE


class Study:
    """A study store in its folder."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings

    @classmethod
    def create(cls, folder: Path, settings: Settings) -> Study:
        """The study of a folder, made where there is none. Refused where it is read otherwise: two readings of one archive
        do not go together."""
        if (folder / MANIFEST).exists():
            found = cls.open(folder)
            if found.settings != settings:
                raise Refused(f"{folder}: this study is read with other settings; import into another folder")
            return found
        if folder.is_dir() and not _broken_off(folder):
            raise Refused(f"{folder}: this folder holds something else; name a new one")
        (folder / ROWS).mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(settings)))
        return cls(folder, settings)

    @classmethod
    def open(cls, folder: Path) -> Study:
        """The study of a folder. Refused where there is none, or one of another version."""
        try:
            text = (folder / MANIFEST).read_bytes()
            settings = msgspec.json.decode(text, type=Settings)
        except FileNotFoundError as fault:
            raise Refused(f"{folder}: there is no study here; `labbridge import` makes one") from fault
        except msgspec.DecodeError as fault:
            raise Refused(f"{folder / MANIFEST}: this describes no study; import anew into another folder") from fault
        if settings.version != VERSION:
            raise Refused(f"{folder}: version {settings.version} of a study is not read here; import anew")
        return cls(folder, settings)

    def has(self, digest: str, piece: int) -> bool:
        return self._named(digest, piece).exists()

    def add(self, about: About, groups: dict[int, pa.Table]) -> None:
        """Keep a piece: its rows by bucket. It is there as a whole or not at all, also after a loss of power."""
        target = self._named(about.digest, about.piece)
        beside = target.with_suffix(".part")
        schema = SCHEMA.with_metadata({ABOUT: msgspec.json.encode(about)})
        with pq.ParquetWriter(beside, schema, compression="zstd", compression_level=3) as writer:
            empty = SCHEMA.empty_table()
            for bucket in range(BUCKETS + 1):
                writer.write_table(groups.get(bucket, empty), row_group_size=max(about.rows, 1))
        settle_file(beside, target)

    def pieces(self) -> list[About]:
        """What every piece is of, by file and number."""
        found = [_about(path) for path in self._files()]
        return sorted(found, key=lambda one: (one.file, one.digest, one.piece))

    def bucket(self, number: int, *, repeated: bool = False) -> Iterator[Placed]:
        """The rows of a bucket, of one patient after the other, each in the order in which they came; a row that stands in
        several files, or twice in one, once, unless `repeated` asks for all."""
        tables = [_group(path, number) for path in self._files()]
        if not tables:
            return
        whole = pa.concat_tables(tables)
        whole = whole.take(
            pc.sort_indices(whole.select(list(ORDER)), sort_keys=[(name, "ascending") for name in ORDER])
        )
        texts = [_shared(whole.column(name)) for name in ("number", *COLUMNS)]
        lanes, moments = _shared(whole.column("lane")), whole.column("moment").to_pylist()
        messages = whole.column("message").to_pylist()
        lane, seen = "", set[Any]()
        for lane_of, moment, message, number_of, *cells in zip(lanes, moments, messages, *texts, strict=True):
            if lane_of != lane:
                lane, seen = lane_of, set()
            key = message or tuple(cells)
            if repeated or key not in seen:
                seen.add(key)
                yield Placed(lane_of, moment or 0, Row(number_of, *cells), message or b"")

    def _files(self) -> list[Path]:
        return sorted((self.folder / ROWS).glob("*.parquet"))

    def _named(self, digest: str, piece: int) -> Path:
        return self.folder / ROWS / f"{digest[:32]}-{piece:05}.parquet"


def _broken_off(folder: Path) -> bool:
    """Whether a folder holds nothing but what is left where the making of a study was broken off."""
    left = {(folder / MANIFEST).with_suffix(".part"), folder / ROWS}
    return left.issuperset(folder.iterdir()) and not any((folder / ROWS).glob("*"))


def _about(path: Path) -> About:
    metadata = pq.read_schema(path).metadata or {}
    return msgspec.json.decode(metadata[ABOUT], type=About)


@lru_cache(maxsize=512)
def _opened(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, read_dictionary=list(COLUMNS))


def _group(path: Path, number: int) -> pa.Table:
    """A bucket of one file: its row group of this number."""
    return _opened(path).read_row_group(number)


def _shared(column: pa.ChunkedArray) -> list[str]:
    """The texts of a column, each distinct one once in memory."""
    found: list[str] = []
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            words = chunk.dictionary.to_pylist()
            found += [words[place] if place is not None else "" for place in chunk.indices.to_pylist()]
        else:
            found += [text or "" for text in chunk.to_pylist()]
    return found


def _write(target: Path, text: bytes) -> None:
    beside = target.with_suffix(".part")
    beside.write_bytes(text)
    settle_file(beside, target)


def settle_file(beside: Path, target: Path) -> None:
    """What was written is on the disk before it has its name, and its name is on the disk as well."""
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def summary(pieces: list[About]) -> dict[str, Any]:
    """A study in figures: its files, rows, and what of them was not understood, most often first."""
    counts: dict[tuple[str, str, str], int] = {}
    for piece in pieces:
        for one in piece.counts:
            key = (one.column, one.why, one.text)
            counts[key] = counts.get(key, 0) + one.rows
    listed = sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0]))
    return {
        "files": len({piece.digest for piece in pieces}),
        "rows": sum(piece.rows for piece in pieces),
        "aside": sum(piece.aside for piece in pieces),
        "unread": sum(piece.unread for piece in pieces),
        "not_understood": [
            {"column": column, "why": why, "text": text, "rows": rows} for (column, why, text), rows in listed
        ],
    }


def encoded(found: dict[str, Any]) -> str:
    return json.dumps(found, ensure_ascii=False)
