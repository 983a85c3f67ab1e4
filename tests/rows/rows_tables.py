"""Rows of a laboratory's table, and the feed that reads them, for the tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from labbridge.model.report import Observation, Order, Report
from labbridge.model.work import Feed
from labbridge.rows import body
from labbridge.rows.incoming import read_reports

COLUMNS = {
    "patient_id": "pat_no",
    "family_name": "pat_name",
    "birth_date": "born",
    "sex": "sex",
    "filler_order": "order_no",
    "placer_order": "req_no",
    "specimen": "tube",
    "specimen_type": "material",
    "collected": "taken",
    "reported": "reported",
    "code": "test",
    "code_name": "test_name",
    "code_system": "test_system",
    "value": "result",
    "unit": "unit",
    "reference_range": "ref_range",
    "flag": "flag",
    "status": "state",
    "method": "method",
    "note": "remark",
}
TABLES = Feed(
    name="tables",
    kind="odbc",
    sender="MYOLIS|LABA",
    timezone="Europe/Paris",
    columns=COLUMNS,
    key=("id",),
    settle_s=0.0,
)
"""The demo laboratory by a view: one sender, one authority of patient numbers."""
SECTION: dict[str, Any] = {
    "kind": "odbc",
    "sender": TABLES.sender,
    "timezone": TABLES.timezone,
    "odbc": {
        "connection": "DSN=lis", "view": "results_v", "key": ["id"], "changed": "changed", "columns": COLUMNS,
    },
}  # fmt: skip
"""The same as a configuration has it."""
ROW: dict[str, Any] = {
    "id": 1,
    "changed": datetime(2026, 11, 13, 12, 0, 0, 123456),
    "pat_no": "PT1",
    "pat_name": "TEST",
    "born": datetime(1969, 4, 17),
    "sex": "M",
    "order_no": "F1",
    "req_no": "PF1",
    "tube": "T1",
    "material": None,
    "taken": datetime(2026, 11, 10, 9, 15),
    "reported": datetime(2026, 11, 13, 11, 0),
    "test": "SRPB",
    "test_name": "Anti-SRP (line blot)",
    "test_system": "L",
    "result": "58",
    "unit": "intensity",
    "ref_range": "0-5",
    "flag": "A",
    "state": "F",
    "method": None,
    "remark": None,
}
CK = {
    "id": 2, "test": "2157-6", "test_name": "Creatine kinase", "test_system": "LN", "result": "3400", "unit": "U/L",
    "ref_range": "39-190", "flag": "H",
}  # fmt: skip


def row(**more: Any) -> dict[str, Any]:
    """The row with other values."""
    assert ROW.keys() >= more.keys()
    return {**ROW, **more}


def raw(*rows: dict[str, Any]) -> bytes:
    return body.encode("results_v", rows or (ROW,))


def report(*rows: dict[str, Any], feed: Feed = TABLES) -> Report:
    (found,) = read_reports(raw(*rows), feed)
    return found


def order(*rows: dict[str, Any], feed: Feed = TABLES) -> Order:
    (found,) = report(*rows, feed=feed).orders
    return found


def observation(*rows: dict[str, Any], feed: Feed = TABLES) -> Observation:
    (found,) = order(*rows, feed=feed).observations
    return found
