"""The table of reliability.md 2.2: each row, what is injected, and what is run for it the short way and the long one."""

from __future__ import annotations

from tests.faults.outcome import Row
from tests.faults.rows import (
    clocks,
    corrections,
    database,
    deaths,
    disk,
    failover,
    framing,
    keeping,
    ledger,
    nodes,
    orders,
    outbound,
    peers,
    posted,
    power,
    syscalls,
    tables,
)  # fmt: skip

ROWS = (
    Row("T-01", "the process dies at a random moment", "4 kills", "210 kills and 101,000 accepted messages",
        deaths.killed),
    Row("T-02", "it dies at a system call", "each kind of call once, in and out",
        "every pwrite64, fdatasync, sendto of a message's way in and a comment's way out, once each",
        syscalls.killed_at_each),
    Row("T-03", "power cut", "30 acknowledgements, 4 images each; control with NORMAL",
        "200 acknowledgements, 201 images each; control with NORMAL", power.cut),
    Row("T-04", "it dies while it recovers", "1 chain of 3 kills", "40 chains of 5 kills", deaths.killed_while_recovering),
    Row("T-05", "configuration changed with comments queued", "1 change", "10 changes", deaths.reconfigured),
    Row("T-06", "frozen: service, processing process, LIS", "3 freezes", "36 freezes of up to 12 s", deaths.frozen),
    Row("T-06 N", "several nodes: killed, frozen past their renewal, their database killed", "1 round of 7 faults",
        "12 rounds: 36 kills, 36 freezes of 4 to 6 s, 12 kills of the database", nodes.several, alone=True),
    Row("T-10", "the answer is lost", "4 senders behind a proxy, 120 messages each", "the same, 4,000 each",
        ledger.answer_lost),
    Row("T-11", "the same MSH-10 with other bytes", "40 pairs", "2,000 pairs", ledger.id_used_again),
    Row("T-12", "the same message many times at once", "4 rounds of 32 connections", "300 rounds", ledger.at_once),
    Row("T-12 FHIR", "the same, by FHIR", "4 rounds of 64 connections", "1,000 rounds", posted.at_once),
    Row("T-13", "the same message long after", "after a kill, a stop, 1 hour, 34 days",
        "also after 25 hours and 8 days, 500 messages", ledger.long_after),
    Row("T-20", "the disk is full", "RLIMIT_FSIZE and a tmpfs, once each", "ten times each", disk.full),
    Row("T-21", "the database is away: killed, stopped, frozen", "4 outages, one of each way",
        "200 outages, 17 of them of 10 to 20 s", database.away),
    Row("T-22", "the outcome of a commit is unknown", "12 answers swallowed", "1,000 answers swallowed, 40 of each kind",
        database.unanswered),
    Row("T-23", "the database fails over", "2 failovers to a synchronous standby, 1 to an asynchronous one",
        "50 to a synchronous standby, 5 to an asynchronous one", failover.failed_over),
    Row("T-24", "fdatasync fails", "once", "30 times", syscalls.fsync_fails),
    Row("T-25", "bits rot", "4 flips, 6 in rows with a sum", "100 flips, 6 in rows with a sum", disk.rotten,
        stands_open="a flip in the head of a message or of a delivery (sender, control id, state; receiver, lane, expiry)"
        " may be served"),
    Row("T-30", "the LIS misbehaves", "4 comments, 480 exchanges of the client alone",
        "60 comments, 100,000 exchanges of the client alone", outbound.misbehaving),
    Row("T-31", "the LIS is slow", "6 s", "120 s", outbound.slow),
    Row("T-32", "the LIS is away", "12 comments queued", "400 comments queued", outbound.away),
    Row("T-33", "a message that cannot be processed, a comment that is refused", "1 of each",
        "8 of each, refused until given up", outbound.poison),
    Row("T-34", "our own messages come back", "9 reflections", "2,400 reflections", outbound.reflected),
    Row("T-34 O", "orders: loops, corrections, refusals, lost answers", "4 patients, 3 rounds", "60 patients, 40 rounds",
        orders.ordered),
    Row("T-40", "half-open peers", "40 peers, 1 dead line to the LIS", "1,000 peers, 1 dead line", peers.half_open),
    Row("T-41", "thousands of peers, slow and hostile", "300 peers of 100 addresses, caps of 128",
        "2,000 peers of 120 addresses, the good sender's p99 judged", peers.crowded,
        alone=True),
    Row("T-42", "framing", "40 streams, cut anywhere", "3,000 streams", framing.split_anywhere),
    Row("T-43", "oversize", "7 sizes, 1 endless message", "20 times 7 sizes, 20 endless messages", peers.oversize),
    Row("T-44", "broken content", "9 tests of tests/service/test_service_answers.py", "all of that file", framing.broken),
    Row("T-45", "documents of 11 MB", "2 at once", "40 at once", peers.large),
    Row("T-46", "wrong characters", "2 rounds of 7 declarations", "100 rounds", framing.characters),
    Row("T-47", "slow peers", "60 peers of 6 kinds, until 20 are cut", "600, until 200 are cut", peers.slow),
    Row("T-50", "rows that commit late", "2,000 rows of PostgreSQL, 1 kill of the poller",
        "60,000 rows each of PostgreSQL and MariaDB, 8 kills (a million: `python -m tests.odbc`)", tables.late),
    Row("T-51", "the ODBC source hangs, its columns change", "once each, 200 acknowledgements meanwhile",
        "once each in 100,000 rows, 2,000 acknowledgements meanwhile", tables.hangs_and_drifts, alone=True),
    Row("T-60", "eight processing nodes, killed and frozen", "3 faults", "60 faults", nodes.eight,
        alone=True),
    Row("T-61", "the clock jumps", "4 jumps, 1 back over a waiting comment", "18 jumps, 1 back over a waiting comment",
        clocks.jumps),
    Row("T-62", "retention runs during a backlog", "21 messages in every state, 40 days later", "2,001 messages",
        keeping.expired),
    Row("T-63", "24 hours of all of it", later="a day long: not part of a run of 75 minutes"),
    Row("T-64", "SIGTERM under load", "2 stops", "100 stops", deaths.terminated),
    Row("T-70", "zones and summer time", "3 tests of tests/test_times.py", "all of that file", framing.zones),
    Row("T-80", "backup under load", "2 backups, each restored and compared",
        "60 backups, one every 5 s under 100 messages a second", keeping.backed_up),
    Row("T-81", "restore, and the senders send again", "1 restore of 18 messages", "20 restores of 180 messages",
        keeping.restored),
    Row("C8", "corrections at every stage of a comment's life", "60 corrections, 1 kill",
        "20,000 corrections, 3 kills in 4,000", corrections.corrected),
)  # fmt: skip


ABOUT = (
    "What is done to the installed service, row by row of the reliability bar (2.2), judged by an offline checker from",
    "files and the database alone. `make faults` runs the long way (at most 75 minutes on two cores), and",
    "`python -m tests.faults --quick` the short one, which is part of `make test`. `--only T-01,T-30` chooses rows,",
    "`--seed N` repeats a run, `--bugs` puts each seeded bug into a copy of the product and has it found.",
)


def reference() -> str:
    """docs/reference/faults.md."""
    lines = ["# Faults", "", *ABOUT, ""]
    lines += ["| row | fault | test | the short way | the long way |", "|---|---|---|---|---|"]
    for row in ROWS:
        if row.run is None:
            lines.append(f"| {row.id} | {row.fault} | not done: {row.later} | | |")
            continue
        name = f"{row.run.__module__.replace('.', '/')}.py"
        lines.append(
            f"| {row.id} | {row.fault} | [{row.run.__name__}](../../{name}){_open(row)} | {row.quick} | {row.full} |"
        )
    return "\n".join([*lines, "", *_checks(), "", *_bugs(), ""])


def _open(row: Row) -> str:
    return f"; **stands open**: {row.stands_open}" if row.stands_open else ""


def _checks() -> list[str]:
    from tests.faults.checker import CHECKS

    lines = ["## Checks", "", "| check | a violation is |", "|---|---|"]
    for name, look in CHECKS.items():
        text = " ".join((look.__doc__ or "").split())
        lines.append(f"| {name} | {text.partition(': ')[2] or text} |")
    return lines


def _bugs() -> list[str]:
    from tests.faults.seeded import BUGS

    said = "Each is to be found by the row named (`--bugs`), and the product without it passes that row."
    lines = ["## Seeded bugs", "", said, "",
             "| bug | found by | |", "|---|---|---|"]  # fmt: skip
    return [
        *lines,
        *(f"| [{one.name}](../../tests/faults/bugs/{one.name}.diff) | {one.row} | {one.says} |" for one in BUGS),
    ]
