"""The synthetic archive: the same by the same seed, whole orders, and something in it that is not to be understood."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from labbridge.rows.archive import COLUMNS
from tests.bench import archive_made

AT = {name: place for place, name in enumerate(COLUMNS)}


def cells(rows: list[tuple[str, ...]], name: str) -> list[str]:
    return [row[AT[name]] for row in rows]


def test_the_same_by_the_same_seed() -> None:
    one, again, other = (list(archive_made.rows(500, seed)) for seed in (9, 9, 10))
    assert one == again
    assert one != other
    assert {len(row) for row in one} == {len(COLUMNS)}
    assert len(one) == 500


def test_fewer_rows_are_the_first_of_more() -> None:
    assert list(archive_made.rows(200)) == list(islice(archive_made.rows(400), 200))


def test_most_of_it_is_ck_and_ana_and_some_is_not_understood() -> None:
    rows = list(archive_made.rows(20_000))
    codes = Counter(cells(rows, "code"))
    usual = sum(count for code, count in codes.items() if code not in ("SRPB", "SRPE", "HMGCRC"))
    assert 0.8 < usual / len(rows) < 0.97
    assert codes["CKSUB"] > 0
    assert "U/dl" in cells(rows, "unit")
    assert "hemolytic" in cells(rows, "value")
    assert "C" in cells(rows, "status")


def test_an_order_is_of_one_patient_and_no_row_stands_twice() -> None:
    rows = list(archive_made.rows(5000))
    owner = dict(zip(cells(rows, "order"), cells(rows, "patient"), strict=True))
    assert all(
        owner[order] == patient for order, patient in zip(cells(rows, "order"), cells(rows, "patient"), strict=True)
    )
    assert len(set(rows)) == len(rows)
