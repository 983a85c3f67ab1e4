"""Times against the two pictures they come in: precision and offset kept, the doubtful hour marked, nothing guessed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from labbridge import times
from tests.fuzz.target import Target, must, parts, text

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")
_OFFSET = r"(?:[+-][0-9]{4})?"
_COMPACT = re.compile(rf"([0-9]{{4}})([0-9]{{2}})([0-9]{{2}})(?:([0-9]{{2}})([0-9]{{2}})?([0-9]{{2}})?(?:(?<=[0-9]{{14}})\.([0-9]{{1,9}}))?)?({_OFFSET})")  # fmt: skip  # noqa: E501
_LONG = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?")  # fmt: skip  # noqa: E501


def check(data: bytes) -> None:
    where, sent = parts(data, 2)
    written = text(sent)
    zone = times.zone(ZONES[sum(where) % len(ZONES)])
    read = times.timestamp(written, zone)
    wanted = _wanted(written, zone)
    if wanted is None:
        must(read is None, "what is no time is read as one")
        return
    must(read is not None, "a time is not read")
    assert read is not None
    moment, has_time, stated = wanted
    must(read.text == written, "the picture of a time is not kept")
    must(read.has_time == has_time, "the precision of a time is not kept")
    must(read.moment == moment, "a time names another instant")
    must(not stated or read.moment.utcoffset() == moment.utcoffset(), "the offset of a time is not kept")
    must(read.day == (moment.astimezone(zone) if has_time else moment).date(), "a time names another day")
    must(read.ambiguous == (has_time and not stated and _doubtful(moment, zone)), "a doubtful hour is not marked")


def _wanted(sent: str, zone: tzinfo) -> tuple[datetime, bool, bool] | None:
    """The instant, whether a time of day was sent, and whether an offset was."""
    if len(sent) > 40:
        return None
    found = _COMPACT.fullmatch(sent.strip()) or _LONG.fullmatch(sent.strip())
    if found is None:
        return None
    *numbers, fraction, offset = found.groups()
    try:
        local = datetime(*(int(one or 0) for one in numbers), int((fraction or "").ljust(6, "0")[:6]))  # type: ignore[arg-type,misc]
        own = _own(offset or "")
        has_time = numbers[3] is not None
        moment = local.replace(tzinfo=own if own is not None and has_time else zone)
        moment.astimezone(UTC)
        moment.astimezone(zone)
    except (ValueError, OverflowError):
        return None
    return moment, has_time, own is not None


def _own(offset: str) -> timezone | None:
    if not offset:
        return None
    if offset == "Z":
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    if minutes > 59 or hours > 23:
        raise ValueError
    return timezone((1 if offset[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


def _doubtful(moment: datetime, zone: tzinfo) -> bool:
    """Whether the hour on the wall is of two instants or of none: by going there and back with each offset of the day."""
    wall = moment.replace(tzinfo=None, fold=0)
    try:
        offsets = {(wall + timedelta(days=day)).replace(tzinfo=zone).utcoffset() for day in (-1, 0, 1)}
        instants = {(wall - one).replace(tzinfo=UTC) for one in offsets if one is not None}
        there = [one for one in instants if one.astimezone(zone).replace(tzinfo=None, fold=0) == wall]
    except OverflowError:
        return False
    return len(there) != 1


TARGET = Target(name="times", check=check, product=("labbridge.times",), longest=64)
