"""Pages of docs/reference, and the schema, that are printed from the code. `--check` fails where one is out of date."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from prometheus_client.core import CounterMetricFamily

from labbridge import config
from labbridge.interpret.facts import REGISTRY
from labbridge.notes import NOTES
from labbridge.observe import metrics as metrics_table
from labbridge.sources import load
from labbridge.states import SENTENCES, TRANSITIONS
from labbridge.store import schema

ROOT = Path(__file__).resolve().parent.parent.parent


def states() -> str:
    """The states of a message, its reasons, and the diagram."""
    lines = ["# States of a message", "", "```mermaid", "stateDiagram-v2"]
    lines += [f"    {one.value} --> {other.value}" for one, others in TRANSITIONS.items() for other in sorted(others)]
    lines += ["```", "", "| reason | means |", "|---|---|"]
    lines += [f"| {reason.value} | {sentence} |" for reason, sentence in SENTENCES.items()]
    return "\n".join([*lines, ""])


def facts() -> str:
    """The facts that rules and comments may ask for."""
    lines = ["# Facts", "", "| fact | values | means |", "|---|---|---|"]
    for fact in REGISTRY.values():
        values = ", ".join(str(value).lower() if isinstance(value, bool) else value for value in fact.domain)
        lines.append(f"| {fact.name} | {values} | {fact.meaning} |")
    return "\n".join([*lines, ""])


def rules() -> str:
    """The rule manual."""
    lines = ["# Rules", "", "No laboratory director has signed these rules: `reviewed` is empty until a site does.", ""]
    for rule in load().decisions.rules:
        when = ", ".join(f"{name} = {_values(values)}" for name, values in rule.when.items()) or "always"
        raised = f"on {rule.on}; " if rule.on else ""
        lines += [f"## {rule.name}", "", f"{rule.why}.", "", f"When: {raised}{when}", ""]
        lines += [f"Then: {_then(rule)}", "", f"Cites: {', '.join(rule.citations)}", ""]
    return "\n".join(lines)


def _values(values: object) -> str:
    return " or ".join(map(str, values)) if isinstance(values, tuple) else str(values)


def _then(rule: object) -> str:
    then = rule.then  # type: ignore[attr-defined]
    parts = [f"{code} {severity}" for entry in then.flags for code, severity in entry.items()]
    parts += [f"retest {action.analyte or 'it'} ({_values(action.by)}, {action.priority})" for action in then.retest]
    return "; ".join([*parts, *([f"comment {then.comment}"] if then.comment else [])])


def notes() -> str:
    """The numbered notes about odd input."""
    lines = ["# Notes", "", "| code | means |", "|---|---|", *(f"| {code} | {text} |" for code, text in NOTES.items())]
    return "\n".join([*lines, ""])


def metrics() -> str:
    """What GET /metrics answers."""
    lines = ["# Metrics", "", "| name | kind | labels | means |", "|---|---|---|---|"]
    for one in metrics_table.MEASURES:
        counter = one.kind is CounterMetricFamily
        name, kind = (f"{one.name}_total", "counter") if counter else (one.name, "gauge")
        lines.append(f"| {name} | {kind} | {', '.join(one.labels)} | {one.means} |")
    for timing in metrics_table.TIMINGS:
        lines.append(f"| {timing.name} | histogram | {', '.join(timing.labels)} | {timing.means} |")
    return "\n".join([*lines, ""])


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/configuration.md": config.reference,
    "docs/reference/states.md": states,
    "docs/reference/facts.md": facts,
    "docs/reference/rules.md": rules,
    "docs/reference/notes.md": notes,
    "docs/reference/metrics.md": metrics,
    "labbridge/store/schema.sql": schema.script,
}


def main() -> int:
    """Write the pages, or say which are out of date."""
    stale = []
    for name, page in PAGES.items():
        path = ROOT / name
        if path.is_file() and path.read_text(encoding="utf-8") == page():
            continue
        if "--check" in sys.argv:
            stale.append(name)
        else:
            path.write_text(page(), encoding="utf-8")
    for name in stale:
        print(f"{name} is out of date: run `make docs`", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
