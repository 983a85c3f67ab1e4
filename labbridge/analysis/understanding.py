"""What of an archive cannot be understood, column by column, and why: by the normaliser that reads the messages.

Each distinct row is read once, whoever's it is: an archive has millions of rows and some thousands of ways to say a result.
Texts are told of codes and words alone. A value, a time or a name is a patient's, and is only counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import pandas as pd

from labbridge import times
from labbridge.analysis.study import Count
from labbridge.model.report import Report
from labbridge.model.result import Problem
from labbridge.model.work import Feed
from labbridge.normalise import Normaliser
from labbridge.notes import NOTES
from labbridge.rows.archive import DAYS, TIMES, Row, report

CONTENT = ("system", "code", "name", "value", "unit", "reference_range", "flag", "status", "method", "kit", "specimen")
TOLD = ("system", "code", "name", "unit", "flag", "status", "method", "specimen")
MOST_KEPT = 500_000
LONGEST = 80

PROBLEMS: dict[Problem, tuple[str, str]] = {
    Problem.STATUS_UNKNOWN: ("status", "no table names this status"),
    Problem.CODE_UNMAPPED: ("code", "no table names this code, and its name or unit speak of an analyte of ours"),
    Problem.METHOD_UNKNOWN: ("method", "nothing in the row, and nothing known of its sender, names the method"),
    Problem.LIMITS_MISSING: ("reference_range", "a number without a limit, of a method that has none of its own"),
    Problem.LIMITS_DIFFER: ("reference_range", "the laboratory's verdict and the limits differ"),
    Problem.UNIT_UNKNOWN: ("unit", "no table names this unit of the analyte"),
    Problem.VALUE_UNREADABLE: ("value", "not a value of the accepted grammar"),
    Problem.VALUE_AMBIGUOUS: ("value", "more than one reading"),
    Problem.VALUE_IMPLAUSIBLE: ("value", "no such value occurs"),
}
OF_NOTES = {"N101": "code", "N102": "code", "N208": "value", "N209": "flag", "N212": "reference_range"}
NO_PATIENT = ("patient", "empty: the row is kept and not gone through")
NO_TIME = ("collected", "neither this nor received or reported is a time: the row is kept and not gone through")
NOT_A_TIME = "not a time that is read; see [times] of --columns"

Why = tuple[str, str]


class Understanding:
    """Reads distinct rows by one knowledge, as one feed; remembers what came of them."""

    def __init__(self, normalise: Normaliser, feed: Feed) -> None:
        self._normalise, self._feed = normalise, feed
        self._zone = times.zone(feed.timezone)
        self._seen: dict[tuple[str, ...], tuple[Why, ...]] = {}

    def of(self, frame: pd.DataFrame) -> tuple[Count, ...]:
        """Everything that is not understood of these rows. `frame` has every standard column."""
        found: Counter[tuple[str, str, str]] = Counter()
        for name in (*TIMES, *DAYS):
            for text, rows in frame[name].value_counts().items():
                if text and not self._is_time(str(text), name):
                    found[(name, NOT_A_TIME, "")] += int(rows)
        by = [*CONTENT, "sender"]
        for values, rows in frame.groupby(by, sort=False, dropna=False).size().items():
            texts = tuple(map(str, values)) if isinstance(values, tuple) else (str(values),)
            for column, why in self._read(texts):
                told = texts[by.index(column)][:LONGEST] if column in TOLD else ""
                found[(column, why, told)] += int(rows)
        return tuple(Count(*key, rows) for key, rows in sorted(found.items()))

    def _is_time(self, text: str, name: str) -> bool:
        return times.birth_date(text) is not None if name in DAYS else times.timestamp(text, self._zone) is not None

    def _read(self, texts: tuple[str, ...]) -> tuple[Why, ...]:
        found = self._seen.get(texts)
        if found is None:
            if len(self._seen) >= MOST_KEPT:
                self._seen.clear()
            found = self._seen[texts] = tuple(dict.fromkeys(self._whys(texts)))
        return found

    def _whys(self, texts: tuple[str, ...]) -> Iterator[Why]:
        """The row with times that are beyond doubt: what is at fault then is at fault by itself."""
        named = dict(zip((*CONTENT, "sender"), texts, strict=True))
        one = report([Row(number="1", patient="1", order="1", **STANDING, **named)], self._feed, "")
        return self.whys(one)

    def whys(self, one: Report) -> Iterator[Why]:
        """What of a report is not understood."""
        results, notes = self._normalise(one, self._feed, MOMENT, "A1")
        for result in results.results:
            yield from (PROBLEMS[problem] for problem in result.problems)
        for note in notes:
            if note.code in OF_NOTES:
                yield OF_NOTES[note.code], NOTES[note.code]
        if results.unmapped and not any(note.code in ("N101", "N102") for note in notes):
            yield "code", NOTES["N101"]


MOMENT = datetime(2000, 1, 3, 12, tzinfo=UTC)
STANDING = {"collected": "20000103080000", "received": "20000103120000", "reported": "20000103120000"}


def counted(whys: Iterable[Why]) -> tuple[Count, ...]:
    """The same of single reports: counted, without a text."""
    return tuple(Count(*why, "", rows) for why, rows in sorted(Counter(whys).items()))
