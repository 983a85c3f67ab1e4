"""Files into a study store, piece by piece: what was broken off goes on where it was, no row twice and none lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from labbridge import times, wires
from labbridge.analysis import sources
from labbridge.analysis.columns import Columns
from labbridge.analysis.sources import File, Piece
from labbridge.analysis.study import ASIDE, BUCKETS, SCHEMA, About, Count, Study, bucket_of
from labbridge.analysis.understanding import NO_PATIENT, NO_TIME, Understanding, counted
from labbridge.errors import Refuse, Refused
from labbridge.hl7 import incoming
from labbridge.normalise import Normaliser
from labbridge.rows.archive import COLUMNS

ROWS_AT_ONCE = 200_000
NEVER = np.iinfo(np.int64).min
UNREADABLE = ("message", "not a message that is read")

Progress = Callable[[str, int, int], None]
"""Told after each piece: the file, the rows of it so far, and how many bytes of all files are done with."""


def import_files(
    paths: Sequence[Path], study: Study, columns: Columns, normalise: Normaliser, *, rows: int, told: Progress
) -> Iterator[About]:
    """Each piece that was added, as soon as it is on the disk. Pieces that are there already are passed over."""
    reading = Understanding(normalise, study.settings.feed)
    done = 0
    for file in sources.files(paths):
        taken = 0
        for about, groups in _read(file, study, columns, reading, rows):
            if groups is not None:
                study.add(about, groups)
                yield about
            taken += about.rows
            told(file.path.name, taken, done)
        done += file.length
        told(file.path.name, taken, done)


def _read(
    file: File, study: Study, columns: Columns, reading: Understanding, rows: int
) -> Iterator[tuple[About, dict[int, pa.Table] | None]]:
    """The pieces of a file with their rows by bucket; None for one that is there."""
    if file.kind == "hl7":
        yield from _messages(file, study, reading)
        return
    for piece in sources.pieces(file, columns, rows):
        about = About(file=file.path.name, digest=file.digest, piece=piece.number, rows=len(piece.frame))
        if study.has(file.digest, piece.number):
            yield about, None
            continue
        frame = _standing(piece, columns, file.digest)
        lanes, moments = _lanes(frame, study.settings.authority), _moments(frame, study.settings.feed.timezone)
        aside = (lanes == "") | (moments == NEVER)
        counts = (*reading.of(frame), *_aside(lanes, moments))
        about = msgspec.structs.replace(about, aside=int(aside.sum()), counts=counts)
        yield about, _by_bucket(frame, lanes, moments, aside)


def _aside(lanes: pd.Series, moments: np.ndarray) -> Iterator[Count]:
    for (column, why), rows in ((NO_PATIENT, int((lanes == "").sum())), (NO_TIME, int((moments == NEVER).sum()))):
        if rows:
            yield Count(column, why, "", rows)


def _standing(piece: Piece, columns: Columns, digest: str) -> pd.DataFrame:
    """Every standard column, the times that are written otherwise as ISO 8601, and the number of each row."""
    frame = piece.frame
    for name in COLUMNS:
        if name not in frame:
            frame[name] = ""
    for name, picture in columns.times.items():
        written = {text: _rewritten(text, picture) for text in frame[name].unique()}
        frame[name] = frame[name].map(written)
    if columns.sender:
        frame["sender"] = frame["sender"].where(frame["sender"] != "", columns.sender)
    if columns.authority:
        frame["authority"] = frame["authority"].where(frame["authority"] != "", columns.authority)
    first = piece.first
    frame["number"] = [f"{digest[:8]}.{number:08}" for number in range(first, first + len(frame))]
    return frame


def _rewritten(text: str, picture: str) -> str:
    """A time in the laboratory's picture as ISO 8601; as it stood where it is none in this picture."""
    try:
        found = datetime.strptime(text.strip(), picture)
    except ValueError:
        return text
    clock = any(part in picture for part in ("%H", "%I", "%X", "%c", "%T"))
    return found.isoformat(" ", "seconds") if clock else found.date().isoformat()


def _lanes(frame: pd.DataFrame, authority: str) -> pd.Series:
    named = frame["authority"].where(frame["authority"] != "", authority)
    return ("p:" + named + "|" + frame["patient"]).where(frame["patient"] != "", "")


def _moments(frame: pd.DataFrame, timezone: str) -> np.ndarray:
    """When each row came, in microseconds since 1970: received, else reported, else collected."""
    zone = times.zone(timezone)

    def read(text: str) -> int:
        found = times.timestamp(text, zone) if text else None
        return _microseconds(found.moment) if found is not None else NEVER

    found = np.full(len(frame), NEVER, dtype=np.int64)
    for name in ("received", "reported", "collected"):
        own = frame[name].map({text: read(text) for text in frame[name].unique()}).to_numpy(dtype=np.int64)
        found = np.where(found == NEVER, own, found)
    return found


def _microseconds(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _by_bucket(frame: pd.DataFrame, lanes: pd.Series, moments: np.ndarray, aside: np.ndarray) -> dict[int, pa.Table]:
    known = {lane: bucket_of(lane) for lane in lanes.unique()}
    buckets = np.where(aside, ASIDE, lanes.map(known).to_numpy(dtype=np.int64))
    order = np.argsort(buckets, kind="stable")
    frame = frame.assign(lane=lanes, moment=moments, message=pd.Series(None, index=frame.index, dtype=object))
    table = pa.Table.from_pandas(frame[SCHEMA.names].iloc[order], schema=SCHEMA, preserve_index=False)
    bounds = np.searchsorted(buckets[order], np.arange(BUCKETS + 2))
    return {
        bucket: table.slice(bounds[bucket], bounds[bucket + 1] - bounds[bucket])
        for bucket in range(BUCKETS + 1)
        if bounds[bucket + 1] > bounds[bucket]
    }


# ---------------------------------------------------------------- HL7 v2


def _messages(file: File, study: Study, reading: Understanding) -> Iterator[tuple[About, dict[int, pa.Table] | None]]:
    """The messages of a file, each kept whole: nothing is lost on the way to columns and back."""
    content = file.path.read_bytes()
    raws = wires.split_messages(content)
    if not raws:
        raise Refused(f"{file.path}: no MSH segment: this is not an HL7 v2 file")
    for piece, start in enumerate(range(0, len(raws), sources.MESSAGES_AT_ONCE)):
        some = raws[start : start + sources.MESSAGES_AT_ONCE]
        about = About(file=file.path.name, digest=file.digest, piece=piece, rows=len(some))
        if study.has(file.digest, piece):
            yield about, None
        else:
            yield _piece(about, some, start + 1, study, reading)


def _piece(
    about: About, raws: Sequence[bytes], first: int, study: Study, reading: Understanding
) -> tuple[About, dict[int, pa.Table]]:
    feed = study.settings.feed
    rows: list[dict[str, object]] = []
    whys: Counter[tuple[str, str]] = Counter()
    unread = 0
    for number, raw in enumerate(raws, first):
        try:
            reports = incoming.read_reports(raw, feed, wires.EPOCH)
        except Refuse as fault:
            unread += 1
            whys[(UNREADABLE[0], f"{UNREADABLE[1]}: {fault.text} {fault.location}".strip())] += 1
            rows.append({"number": f"{about.digest[:8]}.{number:08}", "lane": "", "moment": NEVER, "message": raw})
            continue
        for one in reports:
            moment = _microseconds(one.sent.moment) if one.sent is not None else NEVER
            whys.update(reading.whys(one))
            name = f"{about.digest[:8]}.{number:08}"
            rows.append({"number": name, "lane": one.lane, "moment": moment, "message": raw})
    aside = sum(1 for row in rows if not str(row["lane"]).startswith("p:") or row["moment"] == NEVER)
    about = msgspec.structs.replace(about, aside=aside, unread=unread, counts=counted(whys.elements()))
    groups: dict[int, list[dict[str, object]]] = {}
    for row in rows:
        named = str(row["lane"]).startswith("p:") and row["moment"] != NEVER
        groups.setdefault(bucket_of(str(row["lane"])) if named else ASIDE, []).append(row)
    return about, {bucket: pa.Table.from_pylist(some, schema=SCHEMA) for bucket, some in groups.items()}
