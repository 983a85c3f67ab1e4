"""Files of earlier results, in pieces: CSV, Excel and Parquet as text in standard columns, and HL7 v2 as messages.

A file is known by its SHA-256, so that the same one is never taken twice, whatever it is called. Excel is opened read-only,
after a look at what it would unpack to (reliability.md S-08); nothing else is ever unpacked.
"""

from __future__ import annotations

import csv
import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from labbridge.analysis.columns import Columns, placed
from labbridge.errors import Refused

HL7_KINDS = (".hl7", ".txt", ".dat", ".msg")
KINDS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "excel", ".xlsm": "excel", ".parquet": "parquet"}
KIND_OF = {**KINDS, ".hl7": "hl7", ".dat": "hl7", ".msg": "hl7"}
DELIMITERS = ",;\t|"
UNPACKED_BYTES, UNPACKED_TIMES, MEMBERS = 4 * 2**30, 200, 10_000
MESSAGES_AT_ONCE = 2000
DIGESTED_AT_ONCE = 2**20


class File(msgspec.Struct, frozen=True):
    """A file to be read: what it is, its SHA-256 in hexadecimal digits, and its length in bytes."""

    path: Path
    kind: str
    digest: str
    length: int


class Piece(msgspec.Struct, frozen=True):
    """Some rows of a file, one after the other: which piece it is, the number of its first row (1: the first behind the
    heads), and the rows as standard columns of text."""

    number: int
    first: int
    frame: pd.DataFrame


def files(paths: Sequence[Path]) -> list[File]:
    """Every file that these name, folders with all below them. Refused for what is of no kind that is read, for a link that
    leads out of its folder, and where nothing is left."""
    found = [one for path in paths for one in (_below(path) if path.is_dir() else [path])]
    if not found:
        raise Refused("There is no file to import here")
    return [_file(path) for path in found]


def _below(folder: Path) -> list[Path]:
    root = folder.resolve()
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    for path in found:
        if not path.resolve().is_relative_to(root):
            raise Refused(f"{path}: this leads out of the folder; name the file itself")
    return [path for path in found if path.suffix.casefold() in KIND_OF]


def _file(path: Path) -> File:
    kind = KIND_OF.get(path.suffix.casefold())
    if kind is None:
        raise Refused(f"{path}: files of this kind are not read; they are {', '.join(sorted(KIND_OF))}")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        head = file.read(3)
        file.seek(0)
        while some := file.read(DIGESTED_AT_ONCE):
            digest.update(some)
    if path.suffix.casefold() == ".txt" and head in (b"MSH", b"\x0bMS", b"FHS", b"BHS"):
        kind = "hl7"
    return File(path, kind, digest.hexdigest(), path.stat().st_size)


def pieces(file: File, columns: Columns, rows: int) -> Iterator[Piece]:
    """A file of rows in pieces of so many. Refused with the place where it cannot be read."""
    read = {"csv": _csv, "excel": _excel, "parquet": _parquet}[file.kind]
    first = 1
    for number, frame in enumerate(read(file.path, columns, rows)):
        yield Piece(number, first, frame)
        first += len(frame)


# ---------------------------------------------------------------- CSV


def _csv(path: Path, columns: Columns, rows: int) -> Iterator[pd.DataFrame]:
    encoding = "utf-8-sig" if columns.encoding.casefold().replace("_", "-") == "utf-8" else columns.encoding
    try:
        delimiter, heads = _looked_through(path, columns.delimiter, encoding)
        names = placed(heads, columns, str(path))
        how: dict[str, Any] = {"sep": delimiter, "encoding": encoding, "dtype": str, "keep_default_na": False}
        with pd.read_csv(path, chunksize=rows, usecols=list(names), **how) as reader:
            for frame in reader:
                yield frame.rename(columns=names).reset_index(drop=True)
    except UnicodeError as fault:
        place = f"byte {fault.start}" if isinstance(fault, UnicodeDecodeError) else "what it holds"
        text = f"{path}: {place} is not {columns.encoding}; say which encoding it is in a file for --columns"
        raise Refused(text) from fault
    except LookupError as fault:
        raise Refused(f"{path}: {columns.encoding} is no encoding; utf-8 and cp1252 are") from fault
    except (csv.Error, pd.errors.ParserError) as fault:
        raise Refused(f"{path}: this cannot be read as CSV: {str(fault).strip()}") from fault


def _looked_through(path: Path, delimiter: str, encoding: str) -> tuple[str, list[str]]:
    """The delimiter that is stated, else the one that stands most often in the first line, and the heads. Refused, before
    anything is imported, where a row has other than as many cells: all that follows in it might stand under a wrong head."""
    with path.open(encoding=encoding, newline="") as file:
        first = file.readline()
        delimiter = delimiter or max(DELIMITERS, key=first.count)
        heads = next(csv.reader([first], delimiter=delimiter), [])
        reader = csv.reader(file, delimiter=delimiter)
        for cells in reader:
            if cells and len(cells) != len(heads):
                text = f"{path}:{reader.line_num + 1}: {len(cells)} cells under {len(heads)} heads"
                raise Refused(f"{text}; mend the line, or name the delimiter in a file for --columns")
    return delimiter, heads


# ---------------------------------------------------------------- Excel


def _excel(path: Path, columns: Columns, rows: int) -> Iterator[pd.DataFrame]:
    import openpyxl

    look_inside(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except (KeyError, ValueError, zipfile.BadZipFile, openpyxl.utils.exceptions.InvalidFileException) as fault:
        raise Refused(f"{path}: this is no workbook of Excel; save it as .xlsx, or as CSV") from fault
    try:
        if columns.sheet and columns.sheet not in book.sheetnames:
            raise Refused(f"{path}: there is no sheet {columns.sheet}; there are {', '.join(book.sheetnames)}")
        sheet = book[columns.sheet] if columns.sheet else book.worksheets[0]
        lines = sheet.iter_rows(values_only=True)
        heads = [_text(cell) for cell in next(lines, ())]
        names = placed([head for head in heads if head], columns, str(path))
        kept = [(place, names[head]) for place, head in enumerate(heads) if head in names]
        yield from _of_cells(lines, kept, rows)
    finally:
        book.close()


def _of_cells(lines: Iterator[tuple[Any, ...]], kept: list[tuple[int, str]], rows: int) -> Iterator[pd.DataFrame]:
    some: list[list[str]] = []
    names = [name for _place, name in kept]
    for cells in lines:
        some.append([_text(cells[place]) if place < len(cells) else "" for place, _name in kept])
        if len(some) == rows:
            yield pd.DataFrame(some, columns=names, dtype=str)
            some = []
    if some:
        yield pd.DataFrame(some, columns=names, dtype=str)


def look_inside(path: Path) -> None:
    """Refused where a workbook would unpack to more than any real one does, or is none."""
    try:
        with zipfile.ZipFile(path) as packed:
            members = packed.infolist()
    except zipfile.BadZipFile as fault:
        raise Refused(f"{path}: this is no workbook of Excel; save it as .xlsx, or as CSV") from fault
    unpacked, length = sum(one.file_size for one in members), max(path.stat().st_size, 1)
    if len(members) > MEMBERS or unpacked > UNPACKED_BYTES or unpacked > UNPACKED_TIMES * max(length, 2**20):
        raise Refused(f"{path}: it would unpack to {unpacked} bytes in {len(members)} parts; export it as CSV")


def _text(value: object) -> str:
    """A cell as text: a number as it is written, without the fraction that Excel gives whole ones; a time as ISO 8601.
    Midnight is a day without a time: tables have no other way to say that."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds") if value.time() != time() else value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


# ---------------------------------------------------------------- Parquet


def _parquet(path: Path, columns: Columns, rows: int) -> Iterator[pd.DataFrame]:
    try:
        file = pq.ParquetFile(path)
        names = placed(file.schema_arrow.names, columns, str(path))
        for batch in file.iter_batches(batch_size=rows, columns=list(names)):
            table = pa.Table.from_batches([batch])
            texts = {names[name]: _texts(table.column(name)) for name in table.column_names}
            yield pd.DataFrame(texts, dtype=str)
    except pa.ArrowInvalid as fault:
        raise Refused(f"{path}: this cannot be read as Parquet; write it anew, or as CSV") from fault


def _texts(column: pa.ChunkedArray) -> list[str]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return [value or "" for value in column.to_pylist()]
    return [_plain(value) for value in column.to_pylist()]


def _plain(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else _text(value)
