"""The process that reads a view: a reading, a rest, a reading. It keeps nothing itself: each row is handed to the process
that writes, and the watermark moves once all of a reading is on the disk. Where it ends, all since the watermark is read
again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from labbridge import receiving_rows, times
from labbridge.errors import StoreUnavailable
from labbridge.feeds import odbc_window
from labbridge.feeds.odbc_link import Alive, Gone, Link, Read, Trouble
from labbridge.feeds.odbc_source import Row, Source, View
from labbridge.feeds.odbc_window import Numbers, Progress, Rules
from labbridge.model.work import Arrival, Feed
from labbridge.odbc.connecting import Access, Session, connect
from labbridge.odbc.faults import OdbcFault
from labbridge.ports import Clock

AT_ONCE = 250  # rows in one commit
KNOWN = 200_000  # digests of rows that were kept: what is read again and again is not sent again and again
FIRST_REST_S, LONGEST_REST_S = 1.0, 60.0


class Polling(msgspec.Struct, frozen=True, kw_only=True):
    """All that the process has to know."""

    feed: Feed
    access: Access
    view: View
    window_s: float
    recount_s: float
    poll_s: float
    timezone: str
    since: str = ""


class Poller:
    """Reads one view, until the other end closes or something stops it."""

    def __init__(self, polling: Polling, link: Link, clock: Clock, progress: Progress, types: dict[str, str]) -> None:
        self._polling, self._link, self._clock = polling, link, clock
        self._progress, self._types = progress, types
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._session: Session | None = None

    def run(self) -> None:
        rest = FIRST_REST_S
        try:
            while True:
                try:
                    self.read_once()
                    rest = FIRST_REST_S
                    self._link.rest(self._polling.poll_s)
                except OdbcFault as fault:
                    self._leave()
                    self._link.tell(Trouble(fault.code, fault.name))
                    if fault.stops:
                        return
                    self._link.rest(rest)
                    rest = min(rest * 2, LONGEST_REST_S)
                except StoreUnavailable:
                    self._link.rest(FIRST_REST_S)
        except Gone:
            return
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def read_once(self) -> None:
        """One reading: all that may have come since the last one, and may have been passed over."""
        self._link.tell(Alive())
        now, fresh = self._clock.now(), self._session is None
        if self._session is None:
            self._session = connect(self._polling.access)
        source = Source(self._session, self._polling.view, self._types)
        rules = self._rules(source)
        recount = odbc_window.is_due(self._progress, rules, now)
        if fresh or recount:
            source.check()
        top = source.top()
        numbers, rows = Numbers(self._progress, now), 0
        if top is not None:
            for wanted in odbc_window.ranges(self._progress, top, rules, recount):
                for page in source.pages(wanted):
                    rows += len(page)
                    self._take(source, page, numbers)
            self._progress = odbc_window.ended(self._progress, top, numbers, rules, now)
        self._types = source.types
        self._link.tell(Read(self._progress, rows, recount, source.types))

    def _rules(self, source: Source) -> Rules:
        polling = self._polling
        zone = "UTC" if source.zoned else polling.timezone
        return Rules(window_s=polling.window_s, recount_s=polling.recount_s, zone=times.zone(zone), since=polling.since)

    def _take(self, source: Source, page: list[Row], numbers: Numbers) -> None:
        """Keep what is not known of a page."""
        view = self._polling.view
        column = view.number or (view.changed if self._numbered(page) else "")
        if column:
            for row in page:
                numbers.saw(row[column])
        bodies: Iterable[list[Row]] = source.groups(page) if view.together else ([row] for row in page)
        arrivals = self._unknown(bodies)
        while some := list(islice(arrivals, AT_ONCE)):
            self._keep(some)

    def _numbered(self, page: list[Row]) -> bool:
        return bool(page) and isinstance(odbc_window.mark_of(page[0][self._polling.view.changed]), int)

    def _unknown(self, bodies: Iterable[list[Row]]) -> Iterator[Arrival]:
        now, polling = self._clock.now(), self._polling
        for rows in bodies:
            arrival = receiving_rows.read(polling.view.name, rows, polling.feed, polling.feed.name, now)
            if arrival.digest not in self._known:
                yield arrival

    def _keep(self, some: list[Arrival]) -> None:
        """Until it is on the disk: the store may be away for a while."""
        wanted = [(one, receiving_rows.event(one)) for one in some]
        while True:
            try:
                self._link.keep(wanted)
                break
            except StoreUnavailable:
                self._link.rest(FIRST_REST_S)
        for one in some:
            self._known[one.digest] = None
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)
