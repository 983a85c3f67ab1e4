"""Metrics: names, labels, and that what must equal the store is read from it at each scrape (standards.md 4.5)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from labbridge.observe.metrics import MEASURES, TIMINGS, About, Metrics, Of
from labbridge.observe.traffic import BOUNDS_S, GIVEN, RECEIVED, Durations, Traffic

ABOUT = About("1.0", "sha256:ab", "3.11.7", True)
Found = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Counts(msgspec.Struct, kw_only=True):
    tally: dict[str, dict[tuple[str, ...], int]] = {}
    marks: dict[str, dict[tuple[str, ...], int]] = {}
    last_received: dict[str, float] = {}
    work: dict[str, int] = {}
    work_oldest_s: dict[str, float] = {}
    cases: dict[tuple[str, ...], int] = {}
    cases_oldest_s: dict[tuple[str, ...], float] = {}
    outbox: dict[str, int] = {}
    outbox_oldest_s: dict[str, float] = {}
    failed: dict[str, int] = {}
    quarantine: dict[str, int] = {}
    quarantine_oldest_s: float = 0.0
    unmapped: dict[str, int] = {}
    unmapped_ours: dict[str, int] = {}
    suspended: dict[str, int] = {}
    unconfirmed: int = 0


def counted(**tally: dict[tuple[str, ...], int]) -> Counts:
    arrivals: dict[str, dict[tuple[str, ...], int]] = {
        "stored": {("main", "ORU^R01"): 10},
        "duplicate": {("main", "ORU^R01"): 2},
        "quarantined": {("main", "other"): 5},
        "oversize": {("main", "other"): 1},
    }
    return Counts(
        tally={**arrivals, **tally},
        marks={"damaged": {("work",): 2}, "heartbeat": {("beat",): 1_767_225_600}, "audit_faults": {(): 0}},
        work={"kept": 3, "parked": 1},
        work_oldest_s={"kept": 4.5, "parked": 90.0},
        cases={("new", "worklist"): 2, ("new", "held"): 1},
        cases_oldest_s={("new", "worklist"): 7200.0, ("new", "held"): 9000.0},
        outbox={"lis": 3},
        outbox_oldest_s={"lis": 12.0},
        failed={"lis": 4},
        quarantine={"structure": 5},
        quarantine_oldest_s=60.0,
        unmapped={"main": 9},
        unmapped_ours={"main": 2},
        last_received={"main": 1_767_225_600.0},
        suspended={"all": 1, "feed rule": 2},
        unconfirmed=1,
    )


def exposed(counts: Counts, traffic: Traffic | None = None, about: About = ABOUT) -> Found:
    text = Metrics(lambda: counts, traffic or Traffic(), about).exposition().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Mapping[Any, float], name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


class Listener(NamedTuple):
    connections: int
    refused: Counter[str]
    closed: Counter[str]


# ---------------------------------------------------------------- what the store holds


def test_received_is_stored_quarantined_duplicate_and_oversize() -> None:
    found = exposed(counted())
    received = {dict(labels)["outcome"]: n for (name, labels), n in found.items() if name.endswith("received_total")}
    assert received == {"accepted": 10, "duplicate": 2, "quarantined": 5, "oversize": 1}
    assert value(found, "labbridge_messages_received_total", feed="main", type="ORU^R01", outcome="accepted") == 10
    assert value(found, "labbridge_messages_received_total", feed="main", type="other", outcome="oversize") == 1


def test_the_store_is_read_once_at_each_scrape_and_not_before() -> None:
    reads: list[int] = []

    def read() -> Counts:
        reads.append(1)
        return counted()

    metrics = Metrics(read, Traffic(), ABOUT)
    assert reads == []
    for scrape in (1, 2):
        metrics.exposition()
        assert len(reads) == scrape


def test_gauges_of_the_store() -> None:
    found = exposed(counted())
    assert value(found, "labbridge_work_messages", state="kept") == 3
    assert value(found, "labbridge_work_messages", state="parked") == 1
    assert value(found, "labbridge_work_oldest_age_seconds", state="kept") == 4.5
    assert value(found, "labbridge_outbox_messages", receiver="lis") == 3
    assert value(found, "labbridge_outbox_oldest_age_seconds", receiver="lis") == 12
    assert value(found, "labbridge_quarantine_messages", reason="structure") == 5
    assert value(found, "labbridge_quarantine_oldest_age_seconds") == 60
    assert value(found, "labbridge_cases_open", state="new", queue="worklist") == 2
    assert value(found, "labbridge_cases_open", state="new", queue="held") == 1
    assert value(found, "labbridge_cases_oldest_age_seconds", state="new", queue="worklist") == 7200
    assert value(found, "labbridge_work_oldest_age_seconds", state="parked") == 90
    assert value(found, "labbridge_outbox_failed_messages", receiver="lis") == 4
    assert value(found, "labbridge_auto_release_suspended", scope="feed rule") == 2
    assert value(found, "labbridge_restore_unconfirmed") == 1
    assert value(found, "labbridge_unmapped_codes", feed="main", kind="test") == 9
    assert value(found, "labbridge_unmapped_codes_ours", feed="main") == 2
    assert value(found, "labbridge_feed_last_message_timestamp_seconds", feed="main") == 1_767_225_600


def test_results_flags_and_attempts_are_the_stores_own_counts() -> None:
    found = exposed(
        counted(
            results={("main", "SRP", "blot", "positive"): 4, ("main", "CK", "enzymatic", "indeterminate"): 1},
            flags={("srp@1", "major"): 3},
            sent={("lis", "ORU^R01", "acknowledged"): 2, ("lis", "ORU^R01", "unanswered"): 6},
        )
    )
    row = {"feed": "main", "analyte": "SRP", "method": "blot", "category": "positive"}
    assert value(found, "labbridge_results_processed_total", **row) == 4
    assert value(found, "labbridge_flags_opened_total", rule="srp@1", severity="major") == 3
    sent = {"receiver": "lis", "type": "ORU^R01", "outcome": "unanswered"}
    assert value(found, "labbridge_messages_sent_total", **sent) == 6


def test_what_was_taken_up_later_stays_counted_as_it_arrived() -> None:
    """The store counts it as stored from then on; a counter of arrivals that goes back tells of thousands that never
    came."""
    before = exposed(counted(quarantined={("main", "other"): 6}, stored={("main", "ORU^R01"): 10}))
    found = exposed(
        counted(
            quarantined={("main", "other"): 5},
            oversize={("main", "other"): 0},
            stored={("main", "ORU^R01"): 11, ("main", "OUL^R22"): 1},
            taken_up={("main", "ORU^R01", "quarantined"): 1, ("main", "OUL^R22", "oversize"): 1},
        )
    )
    for outcome, kind in (("quarantined", "other"), ("oversize", "other"), ("accepted", "ORU^R01")):
        about = {"feed": "main", "type": kind, "outcome": outcome}
        name = "labbridge_messages_received_total"
        assert value(found, name, **about) == value(before, name, **about), outcome
    taken = {"feed": "main", "type": "OUL^R22", "before": "oversize"}
    assert value(found, "labbridge_messages_taken_up_total", **taken) == 1
    assert sum(n for (name, _labels), n in found.items() if name.endswith("received_total")) == 10 + 2 + 6 + 1


def test_marks_are_figures_as_they_were_set() -> None:
    found = exposed(counted())
    assert value(found, "labbridge_rows_damaged", table="work") == 2
    assert value(found, "labbridge_heartbeat_last_completed_timestamp_seconds", path="beat") == 1_767_225_600
    assert value(found, "labbridge_audit_chain_faults") == 0
    assert ("labbridge_backup_last_success_timestamp_seconds", ()) not in found, "never: no moment at all"


def test_what_an_alert_asks_the_increase_of_is_there_before_the_first() -> None:
    """A series that begins with 1 has not increased."""
    traffic = Traffic(lambda: {"feeds.main.tls.certificate": 9.0})
    traffic.listens("main", Listener(0, Counter(), Counter()), plaintext=False)
    found = exposed(Counts(last_received={"other": 1.0}), traffic)
    assert value(found, "labbridge_messages_processed_total", feed="main", reason="echo") == 0
    assert value(found, "labbridge_messages_processed_total", feed="other", reason="echo") == 0
    assert value(found, "labbridge_knowledge_reloads_total", outcome="refused") == 0
    assert value(found, "labbridge_acks_total", peer="main", direction="given", code="AE") == 0
    assert value(found, "labbridge_certificate_reloads_total", section="feeds.main.tls", outcome="refused") == 0
    assert {value(found, "labbridge_log_dropped_total", what=what) >= 0 for what in ("field", "value")} == {True}


def test_all_rules_of_a_message_are_timed_together() -> None:
    times = {("500",): 3, ("2500",): 1, ("inf",): 1}
    found = exposed(counted(evaluation_times=times, evaluation_us={(): 2_500_000}))
    name = "labbridge_rule_evaluation_duration_seconds"
    assert value(found, f"{name}_bucket", le="0.0005") == 3
    assert value(found, f"{name}_bucket", le="0.0025") == 4
    assert value(found, f"{name}_bucket", le="1.0") == 4
    assert value(found, f"{name}_count") == 5
    assert value(found, f"{name}_sum") == 2.5


def test_a_rule_passed_where_it_did_not_hold() -> None:
    rules = {("srp@1", "flag"): 3, ("srp@1", "hold"): 1, ("ck@2", "flag"): 5}
    found = exposed(counted(rules=rules, evaluations={(): 10}, failures={(): 2}))
    name = "labbridge_rule_evaluations_total"
    assert value(found, name, rule="srp@1", verdict="pass") == 6
    assert value(found, name, rule="srp@1", verdict="hold") == 1
    assert value(found, name, rule="ck@2", verdict="pass") == 5
    assert value(found, name, rule="", verdict="error") == 2


def test_an_error_counter_is_there_before_the_first_error() -> None:
    assert value(exposed(counted()), "labbridge_rule_evaluations_total", rule="", verdict="error") == 0


def test_stages_are_a_histogram_of_seconds() -> None:
    stages = {("signed", "60"): 2, ("signed", "900"): 1, ("signed", "inf"): 1}
    found = exposed(counted(stages=stages, stage_seconds={("signed",): 1_300_000}))
    name = "labbridge_stage_duration_seconds"
    assert value(found, f"{name}_bucket", stage="signed", le="60") == 2
    assert value(found, f"{name}_bucket", stage="signed", le="300") == 2
    assert value(found, f"{name}_bucket", stage="signed", le="900") == 3
    assert value(found, f"{name}_bucket", stage="signed", le="1209600") == 3
    assert value(found, f"{name}_count", stage="signed") == 4
    assert value(found, f"{name}_sum", stage="signed") == 1_300_000


# ---------------------------------------------------------------- what the sockets did


def test_acknowledgements_by_code_and_how_long_they_took() -> None:
    traffic = Traffic()
    for seconds in (0.0005, 0.002, 0.002, 99.0):
        traffic.answered("main", GIVEN, "AA", seconds)
    traffic.answered("lis", RECEIVED, "timeout", 30.0)
    found = exposed(counted(), traffic)
    assert value(found, "labbridge_acks_total", peer="main", direction="given", code="AA") == 4
    assert value(found, "labbridge_acks_total", peer="lis", direction="received", code="timeout") == 1
    row = {"peer": "main", "direction": "given"}
    assert value(found, "labbridge_ack_duration_seconds_bucket", le="0.001", **row) == 1
    assert value(found, "labbridge_ack_duration_seconds_bucket", le="0.0025", **row) == 3
    assert value(found, "labbridge_ack_duration_seconds_bucket", le="30.0", **row) == 3
    assert value(found, "labbridge_ack_duration_seconds_bucket", le="+Inf", **row) == 4
    assert value(found, "labbridge_ack_duration_seconds_sum", **row) == pytest.approx(99.0045)
    assert value(found, "labbridge_ack_duration_seconds_count", peer="lis", direction="received") == 1


@pytest.mark.parametrize(("seconds", "place"), [(0.0, 0), (0.001, 0), (0.0011, 1), (30.0, 13), (30.1, 14)])
def test_a_duration_at_a_bound_belongs_below_it(seconds: float, place: int) -> None:
    durations = Durations()
    durations.add(seconds)
    assert durations.counts.index(1) == place
    assert len(durations.counts) == len(BOUNDS_S) + 1


def test_feeds_by_their_open_connections_and_their_exposure() -> None:
    traffic = Traffic()
    traffic.listens("main", Listener(2, Counter(not_listed=3), Counter(idle=4)), plaintext=True)
    found = exposed(counted(), traffic)
    assert value(found, "labbridge_feed_connected", feed="main") == 2
    assert value(found, "labbridge_feed_plaintext", feed="main") == 1
    assert value(found, "labbridge_feed_connections_refused_total", feed="main", reason="not_listed") == 3
    assert value(found, "labbridge_feed_connections_closed_total", feed="main", reason="idle") == 4


def test_certificates_by_the_time_they_have_left() -> None:
    traffic = Traffic(lambda: {"feeds.main.tls.certificate": -3.5}, Counter({("feeds.main.tls", "refused"): 2}))
    found = exposed(counted(), traffic)
    assert value(found, "labbridge_certificate_expiry_seconds", key="feeds.main.tls.certificate") == -3.5
    assert value(found, "labbridge_certificate_reloads_total", section="feeds.main.tls", outcome="refused") == 2


def test_the_node_says_its_clock_its_disk_and_its_commits() -> None:
    traffic = Traffic()
    traffic.since, traffic.disk, traffic.heartbeats = 5.0, lambda: (10, 100), {"beat": 300.0}
    traffic.commits.add(0.2)
    text = Metrics(Counts, traffic, ABOUT, clock=lambda: 17.25).exposition().decode()
    for line in (
        "labbridge_clock_timestamp_seconds 17.25",
        "labbridge_start_timestamp_seconds 5.0",
        "labbridge_disk_free_bytes 10.0",
        "labbridge_disk_size_bytes 100.0",
        'labbridge_heartbeat_interval_seconds{path="beat"} 300.0',
        'labbridge_commit_duration_seconds_bucket{le="0.1"} 0.0',
        'labbridge_commit_duration_seconds_bucket{le="0.25"} 1.0',
    ):
        assert line in text.splitlines(), line


def test_where_the_disk_is_a_servers_nothing_is_said_of_it() -> None:
    assert not [name for name, _labels in exposed(counted()) if name.startswith("labbridge_disk")]


def test_build_and_mode() -> None:
    found = exposed(counted())
    assert value(found, "labbridge_build_info", version="1.0", ruleset_hash="sha256:ab", python="3.11.7") == 1
    assert value(found, "labbridge_store_single_writer_mode") == 1
    safe = exposed(counted(), about=ABOUT._replace(single_writer=False))
    assert value(safe, "labbridge_store_single_writer_mode") == 0


# ---------------------------------------------------------------- the table itself


def test_names_follow_the_conventions() -> None:
    names = [row.name for row in (*MEASURES, *TIMINGS)]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"labbridge(_[a-z]+)+", name), name
    assert all(row.name.endswith("_seconds") for row in TIMINGS)


def test_every_row_says_what_it_means_and_whose_it_is() -> None:
    for row in (*MEASURES, *TIMINGS):
        assert row.means[0].isupper() or row.means[0].isdigit() or row.means.startswith("received"), row.name
        assert row.of in list(Of)


def test_a_query_can_ask_whose_a_figure_is() -> None:
    found = exposed(counted())
    told = {
        dict(labels)["metric"]: dict(labels)["of"] for name, labels in found if name == "labbridge_metric_scope_info"
    }
    assert told == {row.exposed: row.of.value for row in (*MEASURES, *TIMINGS)}
    assert told["labbridge_outbox_messages"] == "store"
    assert told["labbridge_acks_total"] == "node"


def test_no_label_can_hold_a_patient_a_message_or_free_text() -> None:
    allowed = set(
        "feed type outcome receiver state reason peer direction code rule severity verdict analyte method category stage"
        " kind version ruleset_hash python key section table metric of level event what before path queue disposition"
        " scope antigen statistic problem".split()
    )
    assert {label for row in (*MEASURES, *TIMINGS) for label in row.labels} <= allowed


def test_a_store_without_anything_exposes_every_family() -> None:
    text = Metrics(Counts, Traffic(), ABOUT).exposition().decode()
    families = {one.name for one in text_string_to_metric_families(text)}
    assert families == {row.name for row in (*MEASURES, *TIMINGS)}
