"""500 planted gaps, and each is found where it is; nothing else is said to be missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from labbridge.analysis import reconciling
from labbridge.errors import Refused

FEEDS = ("cobas", "flash", "myolis")
ZONES = dict.fromkeys(FEEDS, "UTC") | {"paris": "Europe/Paris"}
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOURS, GAPS = 24 * 60, 500


def counted(tmp_path: Path, rows: list[tuple[str, str, object]]) -> pd.DataFrame:
    path = tmp_path / "lis.csv"
    path.write_text("feed,hour,count\n" + "".join(f"{feed},{hour},{count}\n" for feed, hour, count in rows))
    return reconciling.counts(path, ZONES)


def received(rows: dict[tuple[str, datetime], int]) -> pd.DataFrame:
    frame = pd.DataFrame([(*key, count) for key, count in rows.items()], columns=["feed", "hour", "received"])
    return frame.assign(hour=pd.to_datetime(frame["hour"], utc=True))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_500_of_500_planted_gaps_are_found(tmp_path: Path, seed: int) -> None:
    """Two months of three feeds; in 500 of their hours some messages never came, down to a single one of an hour."""
    random = Random(seed)
    sent = {(feed, BEGIN + timedelta(hours=hour)): random.randrange(0, 90) for feed in FEEDS for hour in range(HOURS)}
    gaps = random.sample([key for key, count in sent.items() if count], GAPS)
    came = dict(sent)
    planted = {}
    for key in gaps:
        planted[key] = random.randint(1, sent[key])
        came[key] -= planted[key]
    lis = counted(tmp_path, [(feed, hour.isoformat(), count) for (feed, hour), count in sent.items()])
    found = reconciling.reconciled(lis, received({key: count for key, count in came.items() if count}))
    assert {(row.feed, row.hour.to_pydatetime()): row.missing for row in found.itertuples()} == planted
    assert len(found) == GAPS
    assert found["more"].sum() == 0


def test_more_than_was_sent_is_told_too(tmp_path: Path) -> None:
    lis = counted(tmp_path, [("cobas", "2026-03-01T09:00Z", 3), ("cobas", "2026-03-01T11:00Z", 1)])
    ours = received(
        {
            ("cobas", BEGIN.replace(hour=9)): 4,
            ("cobas", BEGIN.replace(hour=10)): 2,
            ("cobas", BEGIN.replace(hour=11)): 1,
        }
    )
    found = reconciling.reconciled(lis, ours)
    assert found[["lis", "received", "missing", "more"]].values.tolist() == [[3, 4, 0, 1], [0, 2, 0, 2]]


def test_hours_and_feeds_that_the_file_does_not_cover_are_not_looked_at(tmp_path: Path) -> None:
    lis = counted(tmp_path, [("cobas", "2026-03-01T09:00Z", 3)])
    ours = received(
        {("cobas", BEGIN.replace(hour=9)): 3, ("cobas", BEGIN.replace(hour=12)): 9, ("flash", BEGIN.replace(hour=9)): 5}
    )
    assert reconciling.reconciled(lis, ours).empty
    assert reconciling.reconciled(lis.head(0), ours).empty


def test_the_hour_is_of_the_feeds_zone(tmp_path: Path) -> None:
    lis = counted(tmp_path, [("paris", "2026-03-01 09:00", 3), ("paris", "2026-07-01 09:00", 4)])
    assert [hour.hour for hour in lis["hour"]] == [8, 7]


def test_the_hour_that_occurs_twice_needs_its_offset(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"lis\.csv:2: the hour is no time of this feed beyond doubt"):
        counted(tmp_path, [("paris", "2026-10-25 02:00", 3)])
    found = counted(tmp_path, [("paris", "2026-10-25 02:00+02:00", 3), ("paris", "2026-10-25 02:00+01:00", 4)])
    assert found["lis"].tolist() == [3, 4]
    assert found["hour"].diff().iloc[1] == pd.Timedelta(hours=1)


def test_lines_of_one_hour_are_added_up(tmp_path: Path) -> None:
    assert counted(tmp_path, [("cobas", "2026-03-01 09:00", 3), ("cobas", "2026-03-01 09:30", 4)])["lis"].tolist() == [
        7
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("feed,hour\ncobas,2026-03-01 09:00\n", "there is no column count"),
        ("feed,hour,count\nelsewhere,2026-03-01 09:00,3\n", "lis.csv:2: there is no feed elsewhere"),
        ("feed,hour,count\ncobas,2026-03-01,3\n", "lis.csv:2: the hour is no time"),
        ("feed,hour,count\ncobas,2026-03-01 09:00,-3\n", "lis.csv:2: the count is no number"),
        ("feed,hour,count\ncobas,2026-03-01 09:00,\n", "lis.csv:2: the count is no number"),
        ("", "this is no CSV"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "lis.csv").write_text(text)
    with pytest.raises(Refused, match=said):
        reconciling.counts(tmp_path / "lis.csv", ZONES)
