"""The status page: the numbers of standards.md 4.5, by question, of the feeds that a person sees."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from labbridge.model.messages import Waiting
from labbridge.model.status import Arrivals, Labels, Numbers, Standing
from labbridge.model.work import STAGE_BOUNDS_S
from labbridge.states import CaseState
from labbridge.web.views import plots
from labbridge.web.views.plots import UNKNOWN, Cell, Chart, Line, Section, Table, count, name, share, since, word

HOUR = timedelta(hours=1)
HOURS = 24
STAGES = ("drafted", "signed", "acknowledged")  # since receipt, since the draft, since the signature
NOT_ASKED = "The service does not answer: what it alone knows is not known now."
Sees = Callable[[str], bool]


def sections(numbers: Numbers, standing: Standing | None, feeds: Iterable[str], sees: Sees) -> tuple[Section, ...]:
    """`feeds` are those of the configuration; of others only what came by them is shown. `sees`: whether the person's sites
    have a feed. `standing` is None where the service does not answer."""
    arrived = {labels[0] for name in ("stored", "quarantined", "duplicate") for labels in numbers.tally.get(name, {})}
    shown = sorted(feed for feed in {*feeds, *arrived} if feed and sees(feed))
    return (
        Section(
            "flow", "Are messages flowing?",
            (*_hours(numbers.arrivals, shown, numbers.at), *_answer_curves(standing, sees)),
            (
                _feeds(numbers, standing, shown), _silences(numbers, shown), _listeners(standing, shown),
                _answers(standing, sees), _certificates(standing, sees),
            ),
        ),
        Section("understood", "Is it understood?", (), (_quarantine(numbers, sees), _unmapped(numbers, shown))),
        Section(
            "work", "Is work getting done?", plots.curves("Time by stage", _stages(numbers), STAGE_BOUNDS_S),
            (_cases(numbers, sees), _waiting_work(numbers), _times(numbers)),
        ),
        Section("rules", "Are the rules sane?", (), (_rules(numbers), _flags(numbers), _decided(numbers))),
        Section("assay", "Is the assay sane?", (), (_results(numbers, sees),)),
        Section("record", "Did it reach the doctor's record?", (), (_outbox(numbers), _sent(numbers))),
    )  # fmt: skip


# ---------------------------------------------------------------- are messages flowing?


def _hours(arrivals: Arrivals, feeds: list[str], now: datetime) -> tuple[Chart, ...]:
    """New messages in each hour of the last day; hours of which nothing is known are left out."""
    if arrivals.since is None or not feeds:
        return ()
    last = now.replace(minute=0, second=0, microsecond=0)
    first = max(last - (HOURS - 1) * HOUR, arrivals.since.replace(minute=0, second=0, microsecond=0))
    hours = [first + HOUR * number for number in range(int((last - first) / HOUR) + 1)]
    lines = tuple(Line((feed,), tuple(arrivals.hours.get((feed, hour), 0) for hour in hours)) for feed in feeds)
    return (Chart("New messages by hour (UTC)", "hours", tuple(int(hour.timestamp()) for hour in hours), lines),)


def _feeds(numbers: Numbers, standing: Standing | None, feeds: list[str]) -> Table:
    """Every message that ever came, by what became of it."""
    came = {
        outcome: _by_feed(numbers.tally.get(outcome, {}))
        for outcome in ("stored", "duplicate", "quarantined", "oversize")
    }
    rows = []
    for feed in feeds:
        listener = standing.listeners.get(feed) if standing else None
        connected = count(listener.connections) if listener else UNKNOWN
        rows.append(
            (
                name(feed),
                since(numbers.newest.get(feed), numbers.at),
                connected,
                *(count(came[one][feed]) for one in came),
            )
        )
    heads = ("Feed", "Last message", "Connections now", "Taken", "Came again", "Refused and kept", "Too long")
    return Table("Feeds", heads, tuple(rows), "No feed of your sites is configured.")


def _silences(numbers: Numbers, feeds: list[str]) -> Table:
    """How long a feed has been silent, beside how long it had been at this hour in the weeks before."""
    rows = []
    for feed in feeds:
        then = [one.at - one.newest[feed] if feed in one.newest else None for one in numbers.arrivals.weeks]
        newest = numbers.newest.get(feed)
        known = [one for one in then if one is not None]
        longer = newest is not None and 0 < len(then) == len(known) and numbers.at - newest > max(known)
        cells = [_span(one) for one in then]
        rows.append((name(feed), since(newest, numbers.at, alarm=longer), *cells, _against(newest, then, longer)))
    weeks = tuple(f"{number + 1} wk earlier" for number in range(len(numbers.arrivals.weeks)))
    return Table(
        "Silence, beside the same hour in the weeks before", ("Feed", "Now", *weeks, "Against its own normal"), tuple(rows),
        "No feed of your sites is configured.", "Time since the feed's last message, as it is and as it was then.",
    )  # fmt: skip


def _span(found: timedelta | None) -> Cell:
    return UNKNOWN if found is None else plots.lasting(found.total_seconds())


def _against(newest: datetime | None, then: list[timedelta | None], longer: bool) -> Cell:
    if newest is None or None in then or not then:
        return UNKNOWN
    return Cell(word="longer than in any of them", alarm=True) if longer else word("as usual")


def _listeners(standing: Standing | None, feeds: list[str]) -> Table:
    rows = []
    for feed in feeds:
        found = standing.listeners.get(feed) if standing else None
        if found is not None:
            why = ", ".join(f"{reason} {times}" for reason, times in sorted(found.refused.items()))
            secured = (
                Cell(word="no TLS beyond this machine", alarm=True) if found.plaintext else word("as it should be")
            )
            rows.append((name(feed), count(found.connections), secured, name(why) if why else word("none")))
    heads = ("Feed", "Connections now", "Secured", "Closed before a byte was read")
    return Table(
        "Listeners since the start",
        heads,
        tuple(rows),
        "This service listens to no feed of your sites.",
        known=standing is not None,
    )


def _answers(standing: Standing | None, sees: Sees) -> Table:
    rows = []
    for one in standing.answers if standing else ():
        if one.direction == "received" or sees(one.peer):
            good = one.code in ("AA", "CA")
            rows.append((name(one.peer), word(one.direction), name(one.code), count(one.count, alarm=not good)))
    heads = ("Feed or receiver", "Direction", "Code", "How many")
    return Table("Acknowledgements since the start", heads, tuple(rows), "None yet.", known=standing is not None)


def _answer_curves(standing: Standing | None, sees: Sees) -> tuple[Chart, ...]:
    found = standing.took if standing else []
    counts: dict[tuple[str, ...], list[int]] = {
        (one.peer, one.direction): one.counts for one in found if one.direction == "received" or sees(one.peer)
    }
    return plots.curves("Time to the acknowledgement", counts, standing.bounds_s if standing else ())


# ---------------------------------------------------------------- is it understood?


def _quarantine(numbers: Numbers, sees: Sees) -> Table:
    rows = tuple(
        (name(feed), name(reason), count(found.count, alarm=True), since(found.oldest, numbers.at))
        for (feed, reason), found in sorted(numbers.quarantine.items())
        if sees(feed)
    )
    return Table("Refused messages that are kept", ("Feed", "Reason", "How many", "Oldest"), rows, "None is kept.")


def _unmapped(numbers: Numbers, feeds: list[str]) -> Table:
    rows = tuple(
        (name(feed), count(found[0]), count(found[1], alarm=True))
        for feed in feeds
        if (found := numbers.unmapped.get(feed))
    )
    heads = ("Feed", "Codes", "May be an analyte of ours")
    return Table("Codes that no table names", heads, rows, "Every code that came is known.")


# ---------------------------------------------------------------- is work getting done?


def _cases(numbers: Numbers, sees: Sees) -> Table:
    totals: Counter[str] = Counter()
    begun: dict[str, datetime] = {}
    for (feed, state), number in numbers.cases.items():
        if sees(feed):
            totals[state] += number
            at = numbers.open_since.get((feed, state))
            if at is not None:
                begun[state] = min(begun.get(state, at), at)
    every = sum(totals.values())
    rows = tuple(
        (
            word(state.value),
            share(totals[state.value], every),
            since(begun[state.value], numbers.at) if state.value in begun else word("none"),
        )
        for state in CaseState
        if every
    )
    return Table("Cases by state", ("State", "Of all cases", "Oldest open"), rows, "There is no case yet.")


def _waiting_work(numbers: Numbers) -> Table:
    waits, parked = (numbers.work.get(state, Waiting(0)) for state in ("kept", "parked"))
    failed = numbers.tally.get("failures", {}).get((), 0)
    rows = (
        (word("waiting to be processed"), count(waits.count), plots.oldest(waits, numbers.at)),
        (word("parked"), count(parked.count, alarm=True), plots.oldest(parked, numbers.at)),
        (word("processing failed"), count(failed, alarm=True), UNKNOWN if failed else word("none")),
    )
    return Table("Messages in work", ("Work", "How many", "Oldest"), rows, "None yet.")


def _stages(numbers: Numbers) -> dict[tuple[str, ...], list[int]]:
    """Counts by stage, in the order of STAGE_BOUNDS_S and one more for what took longer."""
    found = numbers.tally.get("stages", {})
    return {
        (stage,): [found.get((stage, bound), 0) for bound in (*map(str, STAGE_BOUNDS_S), "inf")] for stage in STAGES
    }


def _times(numbers: Numbers) -> Table:
    rows = tuple(
        (word(stage), count(sum(counts)), *plots.parts(counts, STAGE_BOUNDS_S))
        for (stage,), counts in _stages(numbers).items()
        if sum(counts)
    )
    hint = "drafted: since receipt; signed: since the draft; acknowledged: since the signature"
    heads = ("Stage", "How many", *(f"{percent} %" for percent in plots.PARTS))
    return Table("Turnaround: within which time they were done", heads, rows, "Nothing was drafted yet.", hint)


# ---------------------------------------------------------------- are the rules sane? is the assay?


def _rules(numbers: Numbers) -> Table:
    whole = numbers.tally.get("evaluations", {}).get((), 0)
    held: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (rule, verdict), number in numbers.tally.get("rules", {}).items():
        held[rule][verdict] += number
    rows = tuple(
        (name(rule), share(found["flag"] + found["hold"], whole), count(found["hold"]))
        for rule, found in sorted(held.items())
    )
    heads = ("Rule", "Held, of all evaluations", "With the case on hold")
    return Table("Rules", heads, rows, "No rule has held yet.")


def _flags(numbers: Numbers) -> Table:
    found = sorted(numbers.tally.get("flags", {}).items())
    rows = tuple((name(rule), word(severity), count(number)) for (rule, severity), number in found)
    return Table("Flags opened", ("Rule", "Severity", "How many"), rows, "No flag was opened yet.")


def _decided(numbers: Numbers) -> Table:
    whole = sum(numbers.decided.values())
    found = sorted(numbers.decided.items(), key=lambda one: -one[1])
    rows = tuple((word(kind.replace("_", " ")), share(number, whole)) for kind, number in found)
    hint = "No action and reject tell how often a rule was not needed, wording how often its comment was not as wanted."
    return Table("The newest decisions", ("Decision", "Of them"), rows, "Nothing was decided yet", hint)


def _results(numbers: Numbers, sees: Sees) -> Table:
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for (feed, analyte, method, category), number in numbers.tally.get("results", {}).items():
        if sees(feed):
            found[analyte, method][category] += number
    rows = []
    for (analyte, method), by in sorted(found.items()):
        judged = by["positive"] + by["negative"] + by["equivocal"]
        rows.append(
            (
                name(analyte),
                name(method),
                share(by["positive"], judged),
                count(by["equivocal"]),
                count(by["indeterminate"]),
                count(by["invalid"]),
            )
        )
    heads = ("Analyte", "Method", "Positive, of those with a category", "Equivocal", "Without a category", "Not usable")
    hint = (
        "Result versions; CK is positive above its upper limit. Drift by lot is for a control chart, not for this page."
    )
    return Table("Results by analyte and method", heads, tuple(rows), "No result was read yet.", hint)


# ---------------------------------------------------------------- did it reach the doctor's record?


def _outbox(numbers: Numbers) -> Table:
    words = {"waiting": "Waiting to be sent", "sent": "Sent, not acknowledged", "failed": "Send failed"}
    rows = tuple(
        (
            name(receiver),
            word(words[state]),
            count(found.count, alarm=state == "failed"),
            since(found.oldest, numbers.at),
        )
        for (receiver, state), found in sorted(numbers.outbox.items())
    )
    return Table("Comments not settled", ("Receiver", "State", "How many", "Oldest"), rows, "Nothing waits to be sent.")


def _sent(numbers: Numbers) -> Table:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (receiver, kind, outcome), number in numbers.tally.get("sent", {}).items():
        if kind != "ACK":
            found[receiver][outcome] += number
    rows = tuple(
        (
            name(receiver),
            share(by["acknowledged"], sum(by.values())),
            count(by["refused"], alarm=True),
            count(by["unanswered"]),
        )
        for receiver, by in sorted(found.items())
    )
    heads = ("Receiver", "Acknowledged, of all attempts", "Refused", "Unanswered")
    hint = "Acknowledged is taken over by the receiver; what a record shows is known by an interface check alone."
    return Table("Attempts to send comments", heads, rows, "No comment was sent yet.", hint)


def _by_feed(found: Mapping[Labels, int]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for labels, number in found.items():
        totals[labels[0]] += number
    return totals


def _certificates(standing: Standing | None, sees: Sees) -> Table:
    """What ends when, of receivers and of the feeds of the person's sites."""
    rows = tuple(
        (name(key), plots.lasting(seconds))
        for key, seconds in sorted((standing.expiries_s if standing else {}).items())
        if not key.startswith("feeds.") or sees(key.split(".")[1])
    )
    return Table(
        "Certificates", ("Certificate", "Ends in"), rows, "No certificate is configured.", known=standing is not None
    )
