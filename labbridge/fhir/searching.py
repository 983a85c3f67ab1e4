"""What a search asks for, and whether a resource is that (R4, search). What is not understood is refused, never ignored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from labbridge.fhir.faults import Unfit
from labbridge.fhir.faults import unfit as _unfit
from labbridge.fhir.routes import COUNT, CURSOR, FORMAT, Route

MOST, USUAL = 200, 50  # on a page
MOST_VALUES = 50  # behind one parameter
LONGEST = 2**14  # characters of a query
FORMS = ("json", "application/json", "application/fhir+json", "text/json")
_DATE = re.compile(
    r"(?P<prefix>[a-z]{2})?(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<part>\d{1,9}))?)?(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?"
)
PREFIXES = ("eq", "ge", "gt", "le", "lt")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_COMMA = re.compile(r"(?<!\\),")
_BAR = re.compile(r"(?<!\\)\|")


def unfit(code: str, diagnostics: str, name: str = "", status: int = 0) -> Unfit:
    """The error of a search; `name`: the parameter, told as R4 names the place of one (OperationOutcome.issue.location)."""
    return _unfit(code, diagnostics, f"http.{name}" if name else "", status)


class Token(msgspec.Struct, frozen=True):
    """`system|code`. `system` None: whichever; empty: none. An empty `code`: any of the system."""

    system: str | None
    code: str

    def matches(self, system: str, code: str) -> bool:
        return self.system in (None, system) and self.code in ("", code)


class Span(msgspec.Struct, frozen=True):
    """A date as it is asked for: its prefix, and from when (included) until when it is, in the zone that `local` asks for
    where the date itself names none."""

    prefix: str
    low: datetime
    high: datetime
    local: bool

    def matches(self, low: datetime, high: datetime, zone: tzinfo) -> bool:
        """Whether a time that lasts from low until high is that (R4, search, date)."""
        own_low, own_high = (one.replace(tzinfo=zone) if self.local else one for one in (self.low, self.high))
        match self.prefix:
            case "gt":
                return high > own_high
            case "ge":
                return high > own_low
            case "lt":
                return low < own_low
            case "le":
                return low < own_high
        return own_low <= low and high <= own_high


class Query(msgspec.Struct, frozen=True):
    """A search. Each list is of the values of one mention of a parameter, of which one must match; all mentions must."""

    kind: str
    ids: tuple[frozenset[str], ...] = ()
    tokens: tuple[tuple[str, tuple[Token, ...]], ...] = ()
    dates: tuple[tuple[str, tuple[Span, ...]], ...] = ()
    patients: tuple[frozenset[str], ...] = ()
    people: tuple[tuple[Token, ...], ...] = ()
    count: int = USUAL

    def of(self, name: str) -> tuple[tuple[Token, ...], ...]:
        return tuple(values for one, values in self.tokens if one == name)


Pairs = Sequence[tuple[str, str]]


def pairs(text: str) -> list[tuple[str, str]]:
    """Names and values of a query or a form. Unfit where it is too long, or no UTF-8."""
    if len(text) > LONGEST:
        raise unfit("too-costly", f"The search is longer than {LONGEST} characters", status=400)
    found = []
    for part in filter(None, text.split("&")):
        name, _equals, value = part.partition("=")
        try:
            found.append((unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")))
        except UnicodeDecodeError as fault:
            raise unfit("invalid", "The search is no UTF-8") from fault
    return found


def understood(route: Route, sent: Pairs, base: str) -> Query:
    """The query of a request to a search's address. Unfit (400) for a parameter that is not in the table of routes, with
    its name. `base`: the address of this server."""
    kinds = {one.name: one.kind for one in route.parameters}
    found: dict[str, list[Any]] = {"ids": [], "tokens": [], "dates": [], "patients": [], "people": []}
    count = USUAL
    for name, text in sent:
        _check_name(name, kinds)
        if name == FORMAT:
            _check_form(text)
        elif name == COUNT:
            count = _count(text)
        elif name == CURSOR:
            raise unfit("invalid", "cursor stands alone: it holds the search of its first page", CURSOR)
        elif name == "_id":
            found["ids"].append(frozenset(_one_id(one, name) for one in _values(text, name)))
        elif name == "patient":
            found["patients"].append(frozenset(_patient(one, base) for one in _values(text, name)))
        elif name == "patient.identifier":
            found["people"].append(tuple(_token(one, name) for one in _values(text, name)))
        elif kinds[name] == "date":
            found["dates"].append((name, tuple(_span(one, name) for one in _values(text, name))))
        else:
            found["tokens"].append((name, tuple(_token(one, name) for one in _values(text, name))))
    return Query(route.type, **{name: tuple(values) for name, values in found.items()}, count=count)


def check_alone(route: Route, sent: Pairs) -> None:
    """Unfit (400) for anything that a read is asked beside its form."""
    for name, text in sent:
        if name != FORMAT:
            raise _unknown(name, (FORMAT,))
        _check_form(text)


def _check_name(name: str, kinds: Mapping[str, str]) -> None:
    if name not in kinds:
        raise _unknown(name, kinds)


def _unknown(name: str, known: Iterable[str]) -> Unfit:
    """The name is the asker's own: only one that looks like a parameter's is said again."""
    plain, colon, _modifier = name.partition(":")
    shown = plain if re.fullmatch(r"_?[A-Za-z][A-Za-z.-]{0,40}", plain) else ""
    if colon and plain in known:
        return unfit("not-supported", f"No modifier of {shown} is understood here", shown, status=400)
    told = f"The search parameter {shown} is not known here" if shown else "A search parameter is not known here"
    return unfit("not-supported", f"{told}; known: {', '.join(sorted(known))}", shown, status=400)


def _check_form(text: str) -> None:
    if text.partition(";")[0].strip().replace(" ", "+") not in FORMS:
        raise unfit("not-supported", "Answers are JSON (application/fhir+json) alone", FORMAT, status=406)


def _values(text: str, name: str) -> list[str]:
    found = _COMMA.split(text)
    if len(found) > MOST_VALUES:
        raise unfit("too-costly", f"More than {MOST_VALUES} values", name, status=400)
    if not all(found):
        raise unfit("invalid", f"{name} has an empty value", name)
    return found


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise unfit("invalid", f"_count is a number, 1 to {MOST}", COUNT)
    return min(int(text), MOST)


def _one_id(text: str, name: str) -> str:
    if not _ID.fullmatch(text):
        raise unfit("invalid", f"{name} is no id", name)
    return text


def _patient(text: str, base: str) -> str:
    return _one_id(text.removeprefix(f"{base}/").removeprefix("Patient/"), "patient")


def _token(text: str, name: str) -> Token:
    parts = _BAR.split(text)
    if len(parts) > 2 or not any(parts) or "\0" in text:
        raise unfit("invalid", f"{name} is system|code, |code or code", name)
    plain = [re.sub(r"\\([\\,|$])", r"\1", one) for one in parts]
    return Token(plain[0], plain[1]) if len(plain) == 2 else Token(None, plain[0])


# ---------------------------------------------------------------- dates


def _span(text: str, name: str) -> Span:
    found = _DATE.fullmatch(text.replace(" ", "+"))
    if found is None or found["prefix"] not in (None, *PREFIXES):
        raise unfit("invalid", f"{name} is a date (2026-11-27) or a time, with {', '.join(PREFIXES)} before it", name)
    try:
        low, high = _bounds(found)
    except (ValueError, OverflowError) as fault:
        raise unfit("invalid", f"{name} is no date that there is", name) from fault
    return Span(found["prefix"] or "eq", low, high, low.tzinfo is None)


def _bounds(found: re.Match[str]) -> tuple[datetime, datetime]:
    """From when until when a date is, to the precision it was given in."""
    numbers = [int(found[one] or least) for one, least in _LEAST]
    low = datetime(*numbers)  # type: ignore[arg-type]
    if found["zone"]:
        low = low.replace(
            tzinfo=datetime.fromisoformat(f"2000-01-01T00:00:00{found['zone'].replace('Z', '+00:00')}").tzinfo
        )
        low.astimezone(UTC)  # OverflowError where that is before all time
    if found["part"]:
        low += timedelta(microseconds=int(found["part"][:6].ljust(6, "0")))
        return low, low + timedelta(microseconds=10 ** max(0, 6 - len(found["part"])))
    for part, lasts in _LASTS:
        if found[part]:
            return low, low + lasts
    return low, low.replace(year=low.year + 1) if not found["month"] else _next_month(low)


def _next_month(low: datetime) -> datetime:
    return low.replace(year=low.year + low.month // 12, month=low.month % 12 + 1)


_LEAST = (("year", "1"), ("month", "1"), ("day", "1"), ("hour", "0"), ("minute", "0"), ("second", "0"))
_LASTS = (
    ("second", timedelta(seconds=1)),
    ("minute", timedelta(minutes=1)),
    ("day", timedelta(days=1)),
)


def times_of(body: Mapping[str, Any], zone: tzinfo) -> tuple[datetime, datetime] | None:
    """From when until when a resource was; None where it does not say."""
    period = body.get("effectivePeriod")
    if isinstance(period, dict):
        low = _moments(period.get("start"), zone)
        high = _moments(period.get("end"), zone)
        if low or high:
            return (low[0] if low else _FIRST), (high[1] if high else _LAST)
        return None
    return next((found for name in _TIMES if (found := _moments(body.get(name), zone)) is not None), None)


_TIMES = ("effectiveDateTime", "effectiveInstant", "identifiedDateTime", "recorded")
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


def _moments(text: object, zone: tzinfo) -> tuple[datetime, datetime] | None:
    found = _DATE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        low, high = _bounds(found)
    except (ValueError, OverflowError):
        return None
    return (low, high) if low.tzinfo else (low.replace(tzinfo=zone), high.replace(tzinfo=zone))


def bounds(query: Query, *names: str) -> tuple[datetime | None, datetime | None]:
    """From when on and before when all that matches these parameters must be, as far as they say: what is outside need not
    be looked at. A date without a zone is taken a day wider."""
    low: datetime | None = None
    high: datetime | None = None
    for name, spans in query.dates:
        if name in names and len(spans) == 1:
            since, before = _bounds_of(spans[0])
            low = max(filter(None, (low, since)), default=None)
            high = min(filter(None, (high, before)), default=None)
    return low, high


def _bounds_of(span: Span) -> tuple[datetime | None, datetime | None]:
    wider = timedelta(days=1) if span.local else timedelta(0)
    try:
        low, high = ((one.replace(tzinfo=UTC) if span.local else one) for one in (span.low, span.high))
        since, before = low - wider, high + wider
    except OverflowError:
        return None, None
    return (None if span.prefix in ("lt", "le") else since), (None if span.prefix in ("gt", "ge") else before)


# ---------------------------------------------------------------- matching


def matches(query: Query, body: Mapping[str, Any], zone: tzinfo) -> bool:
    """Whether a resource is what is asked for; whose it is was asked before. `zone`: that of the dates in it without one."""
    if any(str(body["id"]) not in wanted for wanted in query.ids):
        return False
    for name, tokens in query.tokens:
        there = list(_tokens_of(name, body))
        if not any(token.matches(*one) for token in tokens for one in there):
            return False
    for name, spans in query.dates:
        when = _updated(body, zone) if name == "_lastUpdated" else times_of(body, zone)
        if when is None or not any(span.matches(*when, zone) for span in spans):
            return False
    return True


def _updated(body: Mapping[str, Any], zone: tzinfo) -> tuple[datetime, datetime] | None:
    return _moments(body.get("meta", {}).get("lastUpdated"), zone)


def _tokens_of(name: str, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if name == "status":
        yield "", str(body.get("status", ""))
    elif name == "identifier":
        for one in body.get("identifier", ()):
            yield one.get("system", ""), one.get("value", "")
    elif name == "code":
        for one in body.get("code", {}).get("coding", ()):
            yield one.get("system", ""), one.get("code", "")
