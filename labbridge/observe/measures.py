"""The table of metrics (standards.md 4.5). No label ever holds a patient, specimen, order, message or free text."""

from __future__ import annotations

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from labbridge.model.work import EVALUATION_BOUNDS_US, STAGE_BOUNDS_S
from labbridge.observe import samples as of
from labbridge.observe.samples import mark, one, tally
from labbridge.observe.scrape import Measure, Of, Timing
from labbridge.observe.traffic import BOUNDS_S

C, G = CounterMetricFamily, GaugeMetricFamily
STORE, NODE = Of.STORE, Of.NODE

MEASURES = (
    # ---------------------------------------------------------------- what runs
    Measure(
        "labbridge_build_info", G, ("version", "ruleset_hash", "python"), NODE, "Always 1; what runs here",
        lambda s: [(s.about[:3], 1)],
    ),
    Measure(
        "labbridge_metric_scope_info", G, ("metric", "of"), NODE,
        "Always 1; of every metric whether it is of the whole store (the same from each node) or of this node alone",
        lambda s: scopes(),
    ),
    Measure(
        "labbridge_start_timestamp_seconds", G, (), NODE, "When this node's service started",
        lambda s: [((), s.traffic.since)],
    ),
    Measure(
        "labbridge_clock_timestamp_seconds", G, (), NODE, "This node's clock at the scrape, to compare with Prometheus's",
        lambda s: [((), s.now)],
    ),
    Measure(
        "labbridge_log_lines", C, ("level", "event"), NODE,
        "Lines of warning and above that the main process wrote since the start, by their event", of.lines,
    ),
    Measure(
        "labbridge_log_dropped", C, ("what",), NODE,
        "What was left out of log lines since the start: a field that is not listed, a value not of its shape", of.dropped,
    ),
    Measure(
        "labbridge_knowledge_reloads", C, ("outcome",), STORE,
        "Reloads of the knowledge: accepted, refused (what was in force stays) or unchanged",
        of.filled("reloads", "accepted", "refused", "unchanged"),
    ),
    Measure(
        "labbridge_store_single_writer_mode", G, (), NODE, "1 where the SQLite library has the WAL-reset fault",
        lambda s: [((), s.about.single_writer)],
    ),
    Measure(
        "labbridge_disk_free_bytes", G, (), NODE, "Free beside the store's file; nothing where the store is a server's",
        of.disk(0),
    ),
    Measure("labbridge_disk_size_bytes", G, (), NODE, "The size of that disk", of.disk(1)),
    Measure(
        "labbridge_reading_paused", G, (), NODE,
        "1 while nothing is read from senders, for want of room on the store's disk",
        lambda s: [((), s.traffic.reading_paused)],
    ),
    # ---------------------------------------------------------------- are messages flowing
    Measure(
        "labbridge_messages_received", C, ("feed", "type", "outcome"), STORE,
        "Arrivals, by what became of each then; their sum is everything received", of.received,
    ),
    Measure(
        "labbridge_messages_taken_up", C, ("feed", "type", "before"), STORE,
        "Arrivals that were quarantined (or oversize) and went through later: after a repair, or sent again",
        tally("taken_up"),
    ),
    Measure(
        "labbridge_messages_processed", C, ("feed", "reason"), STORE,
        "Lanes of messages that processing settled, by why they are where they are; again after a reprocessing",
        of.processed,
    ),
    Measure(
        "labbridge_messages_sent", C, ("receiver", "type", "outcome"), STORE,
        "Attempts to send: acknowledged, refused or unanswered", tally("sent"),
    ),
    Measure(
        "labbridge_acks", C, ("peer", "direction", "code"), NODE,
        "Acknowledgements given and received since the start; timeout: none that can be trusted", of.acks,
    ),
    Measure(
        "labbridge_feed_last_message_timestamp_seconds", G, ("feed",), STORE, "When a feed last sent anything",
        one(lambda s: s.counts.last_received),
    ),
    Measure(
        "labbridge_feed_connected", G, ("feed",), NODE, "Open connections of a feed",
        one(lambda s: {feed: found.connections for feed, found in list(s.traffic.listeners.items())}),
    ),
    Measure(
        "labbridge_feed_connections_refused", C, ("feed", "reason"), NODE,
        "Connections closed before a byte was read since the start: addresses, caps, handshakes of TLS",
        of.by_reason("refused"),
    ),
    Measure(
        "labbridge_feed_connections_closed", C, ("feed", "reason"), NODE,
        "Connections ended since the start, and why", of.by_reason("closed"),
    ),
    Measure(
        "labbridge_odbc_stopped", G, ("feed",), NODE, "1 for a feed that has stopped until somebody changes something",
        of.polled("stopped"),
    ),
    Measure(
        "labbridge_odbc_trouble", G, ("feed", "reason"), NODE,
        "1 while something is in the way of reading a view, and what", of.in_the_way,
    ),
    Measure(
        "labbridge_odbc_readings", C, ("feed",), NODE, "Readings of a view since the start, each of them kept whole",
        of.polled("readings"),
    ),
    Measure(
        "labbridge_odbc_gaps", G, ("feed", "state"), NODE,
        "Gaps in the numbers of a view: open (a row may still come) or closed (it never did)", of.gaps,
    ),
    Measure(
        "labbridge_feed_plaintext", G, ("feed",), NODE, "1 for a listener beyond loopback without TLS",
        one(lambda s: dict(s.traffic.plaintext)),
    ),
    Measure(
        "labbridge_certificate_expiry_seconds", G, ("key",), NODE,
        "Seconds until what is in force ends, by its key in the configuration; below zero once it has",
        one(lambda s: s.traffic.expiries()),
    ),
    Measure(
        "labbridge_certificate_reloads", C, ("section", "outcome"), NODE,
        "Changed certificates since the start: taken, or refused (what was in force stays)",
        of.certificates,
    ),
    Measure(
        "labbridge_heartbeats", C, ("path",), STORE, "Messages of the synthetic patient that came through to a draft",
        tally("heartbeats"),
    ),
    Measure(
        "labbridge_heartbeat_last_completed_timestamp_seconds", G, ("path",), STORE,
        "When the last of them did, by the feed it came in", mark("heartbeat"),
    ),
    Measure(
        "labbridge_heartbeat_interval_seconds", G, ("path",), NODE, "How often this node sends one",
        one(lambda s: s.traffic.heartbeats),
    ),
    # ---------------------------------------------------------------- is it understood
    Measure(
        "labbridge_quarantine_messages", G, ("reason",), STORE, "Refused messages that are kept",
        one(lambda s: s.counts.quarantine),
    ),
    Measure(
        "labbridge_quarantine_oldest_age_seconds", G, (), STORE, "Age of the oldest of them",
        lambda s: [((), s.counts.quarantine_oldest_s)],
    ),
    Measure(
        "labbridge_unmapped_codes", G, ("feed", "kind"), STORE, "Distinct codes that no table names; kind is test",
        of.unmapped,
    ),
    Measure(
        "labbridge_unmapped_codes_ours", G, ("feed",), STORE,
        "Those of them whose name and unit speak of an analyte of ours", one(lambda s: s.counts.unmapped_ours),
    ),
    Measure(
        "labbridge_result_problems", C, ("feed", "problem"), STORE,
        "Results of ours of which something could not be understood: method, unit, status, limits, value, code",
        tally("problems"),
    ),
    Measure(
        "labbridge_results_processed", C, ("feed", "analyte", "method", "category"), STORE,
        "Result versions read: positive, negative, equivocal, indeterminate, invalid; CK is positive above its limit",
        tally("results"),
    ),
    # ---------------------------------------------------------------- is work getting done
    Measure(
        "labbridge_work_messages", G, ("state",), STORE, "Lanes of work that are not done: kept (waiting) and parked",
        one(lambda s: s.counts.work),
    ),
    Measure(
        "labbridge_work_oldest_age_seconds", G, ("state",), STORE, "Age of the oldest of them",
        one(lambda s: s.counts.work_oldest_s),
    ),
    Measure(
        "labbridge_cases_open", G, ("state", "queue"), STORE,
        "Cases that are neither signed nor closed; queue: worklist, or what a person did with this version",
        lambda s: s.counts.cases.items(),
    ),
    Measure(
        "labbridge_cases_oldest_age_seconds", G, ("state", "queue"), STORE, "Time since the oldest of them was opened",
        lambda s: s.counts.cases_oldest_s.items(),
    ),
    Measure(
        "labbridge_comment_edits", C, ("rule",), STORE,
        "Comments that left in a person's words instead of the drafted ones, by each rule that held",
        tally("comment_edits"),
    ),
    Measure(
        "labbridge_second_reads", C, ("outcome",), STORE, "What second readers found: agree or disagree",
        tally("second_reads"),
    ),
    Measure(
        "labbridge_outbox_messages", G, ("receiver",), STORE, "Messages that wait for an acknowledgement", of.outbox
    ),
    Measure(
        "labbridge_outbox_oldest_age_seconds", G, ("receiver",), STORE, "Age of the oldest of them",
        one(lambda s: s.counts.outbox_oldest_s),
    ),
    Measure(
        "labbridge_outbox_failed_messages", G, ("receiver",), STORE,
        "Messages that were given up, and wait for a person", one(lambda s: s.counts.failed),
    ),
    Measure(
        "labbridge_comments", C, ("receiver", "outcome"), STORE,
        "Comments by what became of them: released, then acknowledged, cancelled or failed; again: sent again by a person",
        tally("comments"),
    ),
    # ---------------------------------------------------------------- are the rules sane
    Measure(
        "labbridge_rule_evaluations", C, ("rule", "verdict"), STORE,
        "Evaluations of a rule that ever held: pass, flag, hold; error without a rule: processing failed", of.rules,
    ),
    Measure(
        "labbridge_flags_opened", C, ("rule", "severity"), STORE, "Flags a case did not have before", tally("flags")
    ),
    Measure(
        "labbridge_flags_closed", C, ("rule", "disposition"), STORE,
        "Flags that ended: gone (a later result), signed, released_by_rule, no_action or reject", tally("flags_closed"),
    ),
    Measure(
        "labbridge_released_by_rule", C, ("rule",), STORE, "Comments that a release row let leave in a person's place",
        tally("releases"),
    ),
    Measure(
        "labbridge_auto_release", C, ("analyte", "outcome"), STORE,
        "Drafts looked at for release by rule, by the analytes they rest on: released or refused", tally("auto_release"),
    ),
    Measure(
        "labbridge_auto_release_suspended", G, ("scope",), STORE,
        "Switches that stop release by rule now, by what they stop: all, feed, analyte, rule or several of these",
        one(lambda s: s.counts.suspended),
    ),
    Measure(
        "labbridge_release_refusals", C, ("reason",), STORE,
        "Why drafts that were looked at for release stayed a person's", tally("release_refusals"),
    ),
    Measure(
        "labbridge_release_reviews", C, ("rule", "verdict"), STORE,
        "What persons said who read afterwards what a rule released: agrees or disagrees", tally("release_reviews"),
    ),
    # ---------------------------------------------------------------- is the assay sane, did retests help
    Measure(
        "labbridge_drift_alarm", G, ("analyte", "antigen", "method", "statistic"), STORE,
        "1 where the sums of `labbridge report drift --mark` raised an alarm: of positives or negatives, rising or falling",
        mark("drift"),
    ),
    Measure(
        "labbridge_retests_ordered", C, ("rule", "method"), STORE,
        "Orders made of recommended retests, by the rule that raised it and the method family", tally("retests_ordered"),
    ),
    Measure(
        "labbridge_retests_closed", C, ("rule", "outcome"), STORE,
        "Recommended retests that ended: confirmed, refuted, equivocal, or cancelled", tally("retests_closed"),
    ),
    # ---------------------------------------------------------------- can it be trusted
    Measure(
        "labbridge_rows_damaged", G, ("table",), STORE,
        "Rows that were no longer what was written when last looked over (hourly); of work those parked for it",
        mark("damaged"),
    ),
    Measure(
        "labbridge_audit_chain_last_verified_timestamp_seconds", G, (), STORE,
        "When `labbridge audit verify` last found the audit whole", mark("audit_verified"),
    ),
    Measure(
        "labbridge_audit_chain_faults", G, (), STORE, "Faults that the last `labbridge audit verify` found",
        mark("audit_faults"),
    ),
    Measure(
        "labbridge_backup_last_success_timestamp_seconds", G, (), STORE,
        "When the store was last copied whole (`labbridge backup`)", mark("backup"),
    ),
    Measure(
        "labbridge_restore_unconfirmed", G, (), STORE, "1 or more after a restore, until a person confirms it",
        lambda s: [((), s.counts.unconfirmed)],
    ),
)  # fmt: skip

TIMINGS = (
    Timing(
        "labbridge_ack_duration_seconds",
        ("peer", "direction"),
        NODE,
        "Given: block complete to answer written. Received: message sent to answer read",
        BOUNDS_S,
        of.ack_seconds,
    ),
    Timing(
        "labbridge_commit_duration_seconds",
        (),
        NODE,
        "The end of each group of writes, to the disk (SQLite: its fsync; a server: its answer)",
        BOUNDS_S,
        of.commits,
    ),
    Timing(
        "labbridge_rule_evaluation_duration_seconds",
        (),
        STORE,
        "All cases a message touches, by all rules: one rule has no time of its own",
        tuple(bound / 1_000_000 for bound in EVALUATION_BOUNDS_US),
        of.evaluations,
    ),
    Timing(
        "labbridge_stage_duration_seconds",
        ("stage",),
        STORE,
        "received: since the oldest specimen was collected; drafted: since receipt; signed: since the draft;"
        " acknowledged: since the signature",
        STAGE_BOUNDS_S,
        of.stages,
    ),
)


def scopes() -> list[tuple[tuple[str, ...], float]]:
    """Every metric by its name in a query, and whose it is."""
    return [((row.exposed, row.of.value), 1) for row in (*MEASURES, *TIMINGS)]
