"""The three dashboards (standards.md 4.5), printed as Grafana reads them: `make docs` writes deploy/grafana/dashboards."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

SCHEMA = 39
WIDTH, HEIGHT = 24, 8
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
RUNBOOKS = "docs/how-to/runbooks"


class Panel(NamedTuple):
    """A panel: its title, what to do about it, the unit, and its queries with their legends. `limits`: where it turns
    yellow and red. `kind`: of Grafana. `wide`: columns of 24."""

    title: str
    says: str
    unit: str
    queries: Sequence[tuple[str, str]]
    limits: tuple[float, ...] = ()
    kind: str = "timeseries"
    wide: int = 8


class Variable(NamedTuple):
    name: str
    query: str


class Dashboard(NamedTuple):
    uid: str
    title: str
    says: str
    variables: Sequence[Variable]
    panels: Sequence[Panel]


def stat(title: str, says: str, unit: str, query: str, *limits: float) -> Panel:
    return Panel(title, says, unit, [(query, "")], limits, "stat", 4)


FEED = 'feed=~"$feed"'
FEEDS = Dashboard(
    "labbridge-feeds",
    "labbridge: Feeds",
    "Are messages flowing? A feed that is silent, refuses or answers late is the sender's or the network's until the disk or"
    f" the processing says otherwise. A page for each alert: {RUNBOOKS}.",
    [Variable("feed", "label_values(labbridge_messages_received_total, feed)")],
    [
        stat("Nodes that answer", "None: nothing is received. LabbridgeDown.", "none", 'sum(up{job="labbridge"})', 1),
        stat(
            "Oldest silence", "Against the feed's own hour of the week: LabbridgeFeedSilent.", "s",
            f"max(labbridge:feed_age_seconds{{{FEED}}})",
        ),
        stat(
            "Synthetic patient", "Age of the last one that came through. LabbridgeHeartbeatLate.", "s",
            "max(labbridge:heartbeat_age_seconds)", 600, 900,
        ),
        stat(
            "Refused, not looked at", "Messages in quarantine. LabbridgeQuarantineOld.", "none",
            "sum(max by (reason) (labbridge_quarantine_messages)) or vector(0)", 1,
        ),
        stat(
            "Outbox, oldest", "LabbridgeOutboxStuck after 15 minutes.", "s",
            "max(labbridge_outbox_oldest_age_seconds) or vector(0)", 300, 900,
        ),
        stat(
            "Free on the store's disk", "At 5 % reading pauses. LabbridgeDiskSpaceLow.", "percentunit",
            "min(labbridge_disk_free_bytes / labbridge_disk_size_bytes)",
        ),
        Panel(
            "Messages", "Arrivals by feed and by what became of them.", "reqps",
            [(f"labbridge:feed_messages:rate5m{{{FEED}}}", "{{feed}} {{outcome}}")],
        ),
        Panel(
            "This hour, and the same hour of the last weeks", "Below the usual: ask the sender.", "none",
            [
                (f"labbridge:feed_messages:increase1h{{{FEED}}}", "{{feed}} now"),
                (f"labbridge:feed_messages:usual1h{{{FEED}}}", "{{feed}} quietest of four weeks"),
            ],
        ),
        Panel(
            "Answers", "AE, AR and 4xx: refused. timeout: a receiver gave none that can be trusted.", "reqps",
            [('labbridge:acks:rate5m', "{{peer}} {{direction}} {{code}}")],
        ),
        Panel(
            "Time to answer, 99 of 100", "Above 0.2 s: LabbridgeAckSlow. Look at the disk first.", "s",
            [("labbridge:ack_seconds:p99_5m", "{{peer}} {{direction}}")], (0.05, 0.2),
        ),
        Panel(
            "Commits, 99 of 100", "Every answer waits for one. LabbridgeDiskSlow.", "s",
            [("labbridge:commit_seconds:p99_5m", "{{instance}}")], (0.05, 0.1),
        ),
        Panel(
            "Connections", "Open, and closed before a byte was read.", "none",
            [
                (f"sum by (feed) (labbridge_feed_connected{{{FEED}}})", "{{feed}} open"),
                (
                    f"sum by (feed, reason) (increase(labbridge_feed_connections_refused_total{{{FEED}}}[1h]))",
                    "{{feed}} refused: {{reason}}",
                ),
            ],
        ),
        Panel(
            "Views", "Stopped, in trouble, gaps: `labbridge odbc test NAME`.", "none",
            [
                (f"max by (feed) (labbridge_odbc_stopped{{{FEED}}})", "{{feed}} stopped"),
                (f"max by (feed, reason) (labbridge_odbc_trouble{{{FEED}}})", "{{feed}} {{reason}}"),
                (f'max by (feed) (labbridge_odbc_gaps{{{FEED}, state="open"}})', "{{feed}} gaps"),
            ],
        ),
        Panel(
            "Sent", "Attempts, by how they ended.", "reqps",
            [
                (
                    "max by (receiver, type, outcome) (rate(labbridge_messages_sent_total[$__rate_interval]))",
                    "{{receiver}} {{type}} {{outcome}}",
                )
            ],
        ),
        Panel(
            "Certificates", "Days until they end. LabbridgeCertificateExpires.", "d",
            [("min by (key) (labbridge_certificate_expiry_seconds) / 86400", "{{key}}")], (),
        ),
    ],
)  # fmt: skip

WORK = Dashboard(
    "labbridge-work",
    "labbridge: Work",
    "Is work getting done? Queues and how long each stage takes; what waits for a person, and what waits for the LIS."
    f" A page for each alert: {RUNBOOKS}.",
    [Variable("receiver", "label_values(labbridge_comments_total, receiver)")],
    [
        stat(
            "On the worklist", "Neither signed nor set aside.", "none",
            'sum(max by (state) (labbridge_cases_open{queue="worklist"})) or vector(0)',
        ),
        stat(
            "Oldest case", "LabbridgeCaseAgeBreach after three days; the limit is the laboratory's.", "s",
            'max(labbridge_cases_oldest_age_seconds{queue="worklist"}) or vector(0)', 86_400, 259_200,
        ),
        stat(
            "Parked", "A person looks; later messages of the patient wait. LabbridgeMessageParked.", "none",
            'max(labbridge_work_messages{state="parked"})', 1,
        ),
        stat(
            "Processing failed, 1 d", "LabbridgeRuleErrors.", "none",
            'max(increase(labbridge_rule_evaluations_total{verdict="error"}[1d]))', 1, 1,
        ),
        stat(
            "Given up by a receiver", "Signed, and not in the record. LabbridgeCommentUndelivered.", "none",
            "sum(max by (receiver) (labbridge_outbox_failed_messages)) or vector(0)", 1, 1,
        ),
        stat(
            "Release by rule stopped", "LabbridgeReleaseSuspended.", "none",
            "sum(max by (scope) (labbridge_auto_release_suspended)) or vector(0)", 1,
        ),
        Panel(
            "Cases that are open", "By state and queue.", "none",
            [("max by (state, queue) (labbridge_cases_open)", "{{state}} {{queue}}")],
        ),
        Panel(
            "Oldest of each queue", "", "s",
            [("max by (state, queue) (labbridge_cases_oldest_age_seconds)", "{{state}} {{queue}}")],
        ),
        Panel(
            "Messages that wait", "kept: to be processed; parked: for a person.", "none",
            [("max by (state) (labbridge_work_messages)", "{{state}}")],
        ),
        Panel(
            "Half of a day's cases within", "received: since collection; drafted: since receipt; signed; acknowledged.", "s",
            [("labbridge:stage_seconds:p50_1d", "{{stage}}")],
        ),
        Panel("Nine of ten within", "", "s", [("labbridge:stage_seconds:p90_1d", "{{stage}}")]),
        Panel(
            "Processed", "By why each message is where it is.", "reqps",
            [("max by (reason) (sum by (instance, reason) (rate(labbridge_messages_processed_total[$__rate_interval])))",
              "{{reason}}")],
        ),
        Panel(
            "Comments", "Released, and what became of them.", "none",
            [
                (
                    'max by (receiver, outcome) (increase(labbridge_comments_total{receiver=~"$receiver"}[1d]))',
                    "{{receiver}} {{outcome}}",
                )
            ],
        ),
        Panel(
            "Outbox", "Waiting for an acknowledgement.", "none",
            [('max by (receiver) (labbridge_outbox_messages{receiver=~"$receiver"})', "{{receiver}}")],
        ),
        Panel(
            "Second readers", "disagree: a third person signs.", "none",
            [("max by (outcome) (increase(labbridge_second_reads_total[7d]))", "{{outcome}}")],
        ),
    ],
)  # fmt: skip

CATEGORIES = 'category=~"positive|negative|equivocal"'
OF_RESULTS = 'analyte=~"$analyte", method=~"$method"'
ASSAY = Dashboard(
    "labbridge-assay",
    "labbridge: Assay and rules",
    "Are the rules sane, is the assay sane, did retests help? A change here is a question to the head of the laboratory, not"
    f" an outage. `labbridge report` has intervals and lots. A page for each alert: {RUNBOOKS}.",
    [
        Variable("analyte", "label_values(labbridge_results_processed_total, analyte)"),
        Variable("method", "label_values(labbridge_results_processed_total, method)"),
        Variable("rule", "label_values(labbridge_flags_opened_total, rule)"),
    ],
    [
        stat(
            "Flags a message, 1 d", "Twice or half the four weeks before: LabbridgeFlagRateShift.", "none",
            "labbridge:flags_per_evaluation:ratio1d",
        ),
        stat("... in the four weeks before", "", "none", "labbridge:flags_per_evaluation:ratio4w"),
        stat(
            "Codes that may be ours", "Held until they are mapped. LabbridgeUnmappedCodeNew.", "none",
            "sum(max by (feed) (labbridge_unmapped_codes_ours)) or vector(0)", 1,
        ),
        stat(
            "Drift alarms", "LabbridgePositivityDrift. `labbridge report drift --mark` sets them.", "none",
            "sum(max by (analyte, antigen, method, statistic) (labbridge_drift_alarm)) or vector(0)", 1,
        ),
        stat(
            "Time of all rules, 99 of 100", "", "s",
            "histogram_quantile(0.99, max by (le) (increase(labbridge_rule_evaluation_duration_seconds_bucket[1h])))",
        ),
        stat(
            "Rows damaged", "LabbridgeRowsDamaged.", "none",
            "sum(max by (table) (labbridge_rows_damaged)) or vector(0)", 1, 1,
        ),
        Panel(
            "Flags", "Opened, by rule.", "none",
            [
                (
                    'max by (rule, severity) (increase(labbridge_flags_opened_total{rule=~"$rule"}[1d]))',
                    "{{rule}} {{severity}}",
                )
            ],
        ),
        Panel(
            "How flags end", "gone: a later result took it away.", "none",
            [
                (
                    "max by (disposition) (sum by (instance, disposition)"
                    ' (increase(labbridge_flags_closed_total{rule=~"$rule"}[7d])))',
                    "{{disposition}}",
                )
            ],
        ),
        Panel(
            "Drafts left in other words", "By the rules that held: a rule that is always corrected is wrong.", "none",
            [('max by (rule) (increase(labbridge_comment_edits_total{rule=~"$rule"}[7d]))', "{{rule}}")],
        ),
        Panel(
            "Share of positives, 7 d", "By analyte and method; few results make it jump.", "percentunit",
            [(f"labbridge:positive:ratio7d{{{OF_RESULTS}}}", "{{analyte}} {{method}}")],
        ),
        Panel(
            "Results", "By analyte, method and category.", "none",
            [
                (
                    "max by (analyte, method, category) (sum by (instance, analyte, method, category)"
                    f" (increase(labbridge_results_processed_total{{{OF_RESULTS}, {CATEGORIES}}}[1d])))",
                    "{{analyte}} {{method}} {{category}}",
                )
            ],
        ),
        Panel(
            "Not understood", "Method, unit, status, limits, value: held until they are.", "none",
            [("max by (feed, problem) (increase(labbridge_result_problems_total[1d]))", "{{feed}} {{problem}}")],
        ),
        Panel(
            "Verdicts of rules", "Evaluations in which a rule held, by rule.", "none",
            [
                (
                    "max by (rule, verdict) (increase(labbridge_rule_evaluations_total"
                    '{rule=~"$rule", verdict=~"flag|hold"}[1d]))',
                    "{{rule}} {{verdict}}",
                )
            ],
        ),
        Panel(
            "Release by rule", "By the analytes a draft rests on, and why drafts stayed a person's.", "none",
            [
                ("max by (analyte, outcome) (increase(labbridge_auto_release_total[1d]))", "{{analyte}} {{outcome}}"),
                ("max by (reason) (increase(labbridge_release_refusals_total[1d]))", "{{reason}}"),
            ],
        ),
        Panel(
            "Retests", "Ordered, and what came of them.", "none",
            [
                (
                    "max by (rule) (sum by (instance, rule) (increase(labbridge_retests_ordered_total[7d])))",
                    "{{rule}} ordered",
                ),
                (
                    "max by (outcome) (sum by (instance, outcome) (increase(labbridge_retests_closed_total[7d])))",
                    "{{outcome}}",
                ),
            ],
        ),
    ],
)  # fmt: skip

ALL = (FEEDS, WORK, ASSAY)
ANNOTATIONS = {
    "Knowledge": "sum by (ruleset_hash) (changes(labbridge_build_info[5m])) > 0 or"
    ' max by (outcome) (increase(labbridge_knowledge_reloads_total{outcome="accepted"}[5m])) > 0',
    "Start": "changes(labbridge_start_timestamp_seconds[5m]) > 0",
    "Release by rule stopped": "max by (scope) (labbridge_auto_release_suspended) > 0",
}


def printed(one: Dashboard) -> str:
    """The dashboard as Grafana reads it."""
    made = {
        "uid": one.uid,
        "title": one.title,
        "description": one.says,
        "tags": ["labbridge"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "tags": ["labbridge"], "title": "labbridge", "asDropdown": False}],
        "annotations": {"list": [_annotation(name, query) for name, query in ANNOTATIONS.items()]},
        "templating": {"list": [_datasource(), *map(_variable, one.variables)]},
        "panels": [_words(one.says), *_placed(one.panels)],
    }  # fmt: skip
    return json.dumps(made, indent=1) + "\n"


def _annotation(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": query,
        "titleFormat": name,
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}}


def _variable(one: Variable) -> dict[str, Any]:
    return {
        "name": one.name,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": one.query,
        "query": {"query": one.query, "refId": one.name},
        "refresh": 2,
        "sort": 1,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _words(says: str) -> dict[str, Any]:
    place = {"x": 0, "y": 0, "w": WIDTH, "h": 2}
    return {"id": 1, "type": "text", "title": "", "gridPos": place, "options": {"mode": "markdown", "content": says}}


def _placed(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    found, x, y, high = [], 0, 2, 0
    for number, one in enumerate(panels, 2):
        tall = 4 if one.kind == "stat" else HEIGHT
        if x + one.wide > WIDTH:
            x, y = 0, y + high
        found.append(_panel(number, one, {"x": x, "y": y, "w": one.wide, "h": tall}))
        x, high = x + one.wide, tall
    return found


def _panel(number: int, one: Panel, place: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    colours = ("orange", "red")[-len(one.limits) :] if len(one.limits) == 1 else ("orange", "red")
    steps += [{"color": colour, "value": limit} for colour, limit in zip(colours, one.limits, strict=False)]
    custom = {"thresholdsStyle": {"mode": "line" if one.limits else "off"}} if one.kind == "timeseries" else {}
    return {
        "id": number,
        "type": one.kind,
        "title": one.title,
        "description": one.says,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": one.unit, "thresholds": {"mode": "absolute", "steps": steps}, "custom": custom},
            "overrides": [],
        },
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}} if one.kind == "stat" else {},
        "targets": [
            {"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend, "datasource": DATASOURCE}
            for place, (query, legend) in enumerate(one.queries)
        ],
    }


PAGES: dict[str, Callable[[], str]] = {
    f"deploy/grafana/dashboards/{one.uid}.json": partial(printed, one) for one in ALL
}
