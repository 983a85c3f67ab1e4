"""What the LIS says it sent, held against what came: by feed and hour, from a file of counts.

The file is CSV with the columns feed, hour and count; the hour begins as written (2026-11-13 09:00, in the zone of the
feed, or with an offset). An hour that neither side names is none; one that only one side names counts 0 on the other.
Counts are blind to one message lost and another one doubled within the same hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from pathlib import Path

import pandas as pd

from labbridge import times
from labbridge.errors import Refused

COLUMNS = ("feed", "hour", "count")


def counts(path: Path, zones: Mapping[str, str]) -> pd.DataFrame:
    """The file of the LIS, hours in UTC. `zones`: the time zone of each feed. Refused with the line that cannot be read."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as fault:
        raise Refused(f"{path}: this is no CSV in UTF-8 with the columns {', '.join(COLUMNS)}") from fault
    lacking = [name for name in COLUMNS if name not in frame]
    if lacking:
        raise Refused(f"{path}: there is no column {lacking[0]}; the columns are {', '.join(COLUMNS)}")
    hours, numbers = [], []
    for line, (feed, hour, count) in enumerate(frame[list(COLUMNS)].itertuples(index=False), 2):
        if feed not in zones:
            raise Refused(f"{path}:{line}: there is no feed {feed}; there are {', '.join(zones)}")
        moment = times.timestamp(hour, times.zone(zones[feed]))
        if moment is None or not moment.has_time or moment.ambiguous:
            raise Refused(f"{path}:{line}: the hour is no time of this feed beyond doubt; write 2026-11-13 09:00+01:00")
        if not count.isascii() or not count.isdigit():
            raise Refused(f"{path}:{line}: the count is no number")
        hours.append(moment.moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0))
        numbers.append(int(count))
    found = pd.DataFrame({"feed": frame["feed"], "hour": pd.to_datetime(pd.Series(hours), utc=True), "lis": numbers})
    return found.groupby(["feed", "hour"], as_index=False)[["lis"]].sum()


def reconciled(lis: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Each hour in which the two differ: `missing` is what the LIS sent and did not come here, `more` what came beyond it.
    `ours`: feed, hour, received. Hours outside those that the file of the LIS covers are not looked at."""
    if lis.empty:
        return pd.DataFrame(columns=["feed", "hour", "lis", "received", "missing", "more"])
    spans = lis.groupby("feed")["hour"].agg(["min", "max"])
    ours = ours[ours["feed"].isin(spans.index)]
    covered = ours["hour"].ge(ours["feed"].map(spans["min"])) & ours["hour"].le(ours["feed"].map(spans["max"]))
    both = lis.merge(ours[covered], on=["feed", "hour"], how="outer").fillna({"lis": 0, "received": 0})
    both = both.astype({"lis": int, "received": int}).sort_values(["feed", "hour"], ignore_index=True)
    apart = both["lis"] - both["received"]
    both = both.assign(missing=apart.clip(lower=0), more=(-apart).clip(lower=0))
    return both[apart != 0].reset_index(drop=True)
