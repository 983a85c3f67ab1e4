"""What a replay over an archive came to, as Parquet: results as they were understood, and cases as they would stand.

results-07.parquet    each result of the bucket in the version that stands, by the other knowledge
cases-07.parquet      its cases, as before and after; there last, and with it the bucket is done
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from labbridge.analysis.study import BUCKETS, settle_file
from labbridge.errors import Refused
from labbridge.interpret.categories import category
from labbridge.interpret.validity import settle
from labbridge.knowledge.policy import Policy
from labbridge.model.result import Analyte, Result
from labbridge.model.values import Quantity, Titre

ABOUT = b"labbridge"
RESULTS = pa.schema(
    [
        *((name, pa.string()) for name in ("patient", "result", "feed", "analyte", "antigen")),
        *((name, pa.string()) for name in ("method", "family", "assay", "manufacturer", "lot", "laboratory")),
        ("collected", pa.timestamp("us", tz="UTC")),
        ("received", pa.timestamp("us", tz="UTC")),
        ("reported", pa.timestamp("us", tz="UTC")),
        ("day", pa.date32()),
        *((name, pa.string()) for name in ("category", "pattern", "unit", "comparator", "status")),
        ("number", pa.float64()),
        ("fold", pa.float64()),
        ("usable", pa.bool_()),
    ]
)
SIDES = ("srp", "hmgcr", "hep2", "ck", "flags", "retests", "comment")
CASES = pa.schema(
    [
        ("patient", pa.string()),
        ("opened", pa.date32()),
        ("feed", pa.string()),
        ("changed", pa.string()),
        *((f"{when}_{name}", pa.string()) for when in ("before", "after") for name in SIDES),
        ("before_hold", pa.bool_()),
        ("after_hold", pa.bool_()),
    ]
)


def line(one: Result, patient: str, feed: str, *, usable: bool) -> dict[str, Any]:
    """A result as a row of RESULTS. `category` is that of clinical.md C2, empty where there is none; `fold` is a CK
    as a multiple of its upper limit; `number` the value as it stands, its comparator beside it."""
    method, value = one.method, one.value
    number = value.number if isinstance(value, Quantity) else value.reciprocal if isinstance(value, Titre) else None
    found = category(one) if one.analyte in (Analyte.SRP, Analyte.HMGCR, Analyte.OTHER_MSA) else None
    limit = one.upper_limit if one.analyte is Analyte.CK and not one.upper_limit_assumed else None
    return {
        "patient": patient, "result": one.ref, "feed": feed, "analyte": one.analyte.value, "antigen": one.antigen,
        "method": method.code if method else "", "family": method.family.value if method else "",
        "assay": method.assay or method.code if method else "", "manufacturer": method.manufacturer if method else "",
        "lot": " ".join(one.lots), "laboratory": one.laboratory,
        "collected": None if one.collected_estimated else one.collected.moment,
        "received": one.received, "reported": one.status_time, "day": one.collected.day,
        "category": found.value if found else "", "pattern": one.hep2.pattern.value if one.hep2 else "",
        "unit": value.unit if isinstance(value, Quantity) else "",
        "comparator": value.comparator.value if isinstance(value, (Quantity, Titre)) else "",
        "number": float(number) if number is not None else None,
        "fold": float(number / limit) if number is not None and limit else None,
        "status": one.status.value, "usable": usable,
    }  # fmt: skip


def standing(held: Sequence[Result], policy: Policy) -> Iterator[tuple[Result, bool]]:
    """Of each result of a patient the version that stands, and whether it can be used (clinical.md C1); of one that cannot
    the newest version."""
    if not held:
        return
    last = max(one.received for one in held).date() + timedelta(days=1)
    usable = settle(held, last, frozenset(), policy).usable
    yield from ((one, True) for one in usable)
    known = {one.key for one in usable}
    newest: dict[str, Result] = {}
    for one in sorted(held, key=lambda one: one.received):
        if one.key not in known:
            newest[one.key] = one
    yield from ((one, False) for one in newest.values())


def write(folder: Path, name: str, rows: Iterable[dict[str, Any]], schema: pa.Schema, about: bytes = b"") -> None:
    """A table of a bucket, durable, and there as a whole or not at all."""
    table = pa.Table.from_pylist(list(rows), schema=schema.with_metadata({ABOUT: about}))
    beside = folder / f"{name}.part"
    pq.write_table(table, beside, compression="zstd")
    settle_file(beside, folder / f"{name}.parquet")


def about(folder: Path, name: str) -> bytes:
    """What was kept with a table; empty where there is none."""
    path = folder / f"{name}.parquet"
    return (pq.read_schema(path).metadata or {}).get(ABOUT, b"") if path.exists() else b""


def tables(folder: Path, kind: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Every table of a kind, a bucket after the other."""
    for path in sorted(folder.glob(f"{kind}-*.parquet")):
        yield pq.read_table(path, columns=list(columns) if columns else None)


def frame(folder: Path, kind: str, columns: Sequence[str] | None) -> pd.DataFrame:
    """The tables of a kind together. Refused where the folder holds no replay that is done."""
    found = list(tables(folder, kind, columns))
    if len(found) < BUCKETS:
        raise Refused(
            f"{folder}: {len(found)} of {BUCKETS} parts of a replay are here; `labbridge replay --archive` makes them"
        )
    return _framed(pa.concat_tables(found))


def of_lines(lines: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Results of the live store as the tables of a replay have them."""
    return _framed(pa.Table.from_pylist(list(lines), schema=RESULTS))


def _framed(table: pa.Table) -> pd.DataFrame:
    found: pd.DataFrame = table.replace_schema_metadata(None).to_pandas()
    return found
