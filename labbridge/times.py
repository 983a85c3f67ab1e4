"""Times as sent (HL7 DTM, TS, DT; FHIR date, dateTime, instant): the picture kept, the instant named, doubt marked and never
resolved by guessing."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from labbridge.model.report import Timestamp

LONGEST = 40  # characters; no time in either picture is longer

_DTM = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)(?:(?P<hour>\d\d)(?:(?P<minute>\d\d)"
    r"(?:(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?)?)?)?)?(?P<offset>[+-]\d{4})?",
    re.ASCII,
)
_ISO = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?(?P<offset>Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The time zone of a feed, by its IANA name."""
    return ZoneInfo(name)


def timestamp(text: str, zone: tzinfo, default: tzinfo | None = None) -> Timestamp | None:
    """A time as sent. Its offset counts; else `default` (MSH-7's), else the feed's zone. None where it is no date.

    `zone` is the feed's, in which the calendar day counts (clinical.md C10.32). A year or month alone names no day and
    gives None: it cannot take part in a window of days.
    """
    return _timestamp(text, zone, default) if len(text) <= LONGEST else None


@lru_cache(maxsize=4096)
def _timestamp(text: str, zone: tzinfo, default: tzinfo | None) -> Timestamp | None:
    found = _picture(text)
    if found is None or not found["day"]:
        return None
    try:
        own = _offset(found["offset"])
        local = _local(found)
        aware = local.replace(tzinfo=(own or default or zone) if found["hour"] else zone)
        aware.astimezone(UTC)  # OverflowError at the ends of the calendar: such a time names no instant
        day = aware.astimezone(zone).date() if found["hour"] else local.date()
    except (ValueError, OverflowError):
        return None
    doubtful = bool(found["hour"]) and aware.tzinfo is zone and _ambiguous(aware)
    return Timestamp(text, aware, day, has_time=bool(found["hour"]), ambiguous=doubtful)


def _picture(text: str) -> re.Match[str] | None:
    return _DTM.fullmatch(text.strip()) or _ISO.fullmatch(text.strip())


def _local(found: re.Match[str]) -> datetime:
    day = datetime(int(found["year"]), int(found["month"]), int(found["day"]))
    microsecond = int((found["fraction"] or "0").ljust(6, "0")[:6])
    return day.replace(
        hour=int(found["hour"] or 0),
        minute=int(found["minute"] or 0),
        second=int(found["second"] or 0),
        microsecond=microsecond,
    )


def _offset(text: str | None) -> timezone | None:
    """ValueError for an offset that no clock has."""
    if not text:
        return None
    if text == "Z":
        return UTC
    minutes = int(text[-2:])
    if minutes > 59:
        raise ValueError("an offset has at most 59 minutes")
    offset = timedelta(hours=int(text[1:3]), minutes=minutes)
    return timezone(offset if text[0] == "+" else -offset)


def _ambiguous(moment: datetime) -> bool:
    """The hour occurs twice (autumn) or never (spring) in its zone."""
    return moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()


def offset_of(text: str) -> tzinfo | None:
    """The offset of MSH-7, which counts for the whole message (2.5.1, MSH-7); None where it has none."""
    found = _picture(text) if len(text) <= LONGEST else None
    try:
        return _offset(found["offset"]) if found else None
    except ValueError:
        return None


def birth_date(text: str) -> date | None:
    """A birth date (PID-7, Patient.birthDate) as a day, in the sender's own calendar whatever offset stands behind it; None
    where no day was sent."""
    found = _picture(text) if len(text) <= LONGEST else None
    if found is None or not found["day"]:
        return None
    try:
        return _local(found).date()
    except ValueError:
        return None


def written(moment: datetime) -> str:
    """A time as we send it in HL7 v2: to the second, with its offset."""
    offset = moment.strftime("%z") if moment.tzinfo is not UTC else "+0000"
    return (
        f"{moment.year:04}{moment.month:02}{moment.day:02}{moment.hour:02}{moment.minute:02}{moment.second:02}{offset}"
    )


def as_dtm(sent: Timestamp) -> str:
    """A time as sent, in the picture of HL7 v2: as precise, but for no more than four digits of a second. One that came
    without an offset has that of its moment, so that no other one counts for it (MSH-7)."""
    found = _picture(sent.text)
    if found is None:
        return written(sent.moment)
    text = "".join(found[name] or "" for name in ("year", "month", "day", "hour", "minute", "second"))
    if not found["hour"]:
        return text
    fraction = f".{found['fraction'][:4]}" if found["fraction"] else ""
    return f"{text}{fraction}{f'{sent.moment:%z}'[:5]}"


def as_date_time(sent: Timestamp) -> str:
    """A time as sent, in the picture of a FHIR dateTime: that has a day alone, or hour, minute and second."""
    found = _picture(sent.text)
    if not sent.has_time or (found is not None and not found["minute"]):
        return sent.day.isoformat()
    return instant(sent.moment)


def instant(moment: datetime) -> str:
    """A moment as a FHIR instant: to the second, or to the millisecond where it has a fraction; its offset in minutes."""
    offset = f"{moment:%z}"
    text = moment.replace(tzinfo=None).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return f"{text}{offset[:3]}:{offset[3:5]}"
