"""Pages of docs/, and the schema, that are printed from code and data. `--check` fails where one is out of date."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client.core import CounterMetricFamily

from labbridge import config_start, config_text
from labbridge.interpret.facts import REGISTRY
from labbridge.knowledge.pathway import Node
from labbridge.notes import NOTES
from labbridge.observe import metrics as metrics_table
from labbridge.review.ranking import Ranker
from labbridge.sources import load
from labbridge.states import SENTENCES, TRANSITIONS
from labbridge.store import schema
from tests.checks import command_line, dashboards, pack, reports, supply
from tests.faults.table import reference as faults
from tests.review import review_figures

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
    lines = [METRICS, "| name | kind | labels | of | means |", "|---|---|---|---|---|"]
    for one in metrics_table.MEASURES:
        kind = "counter" if one.kind is CounterMetricFamily else "gauge"
        lines.append(f"| {one.exposed} | {kind} | {', '.join(one.labels)} | {one.of} | {one.means} |")
    for timing in metrics_table.TIMINGS:
        lines.append(f"| {timing.name} | histogram | {', '.join(timing.labels)} | {timing.of} | {timing.means} |")
    return "\n".join([*lines, "", NOT_EXPORTED])


METRICS = """\
# Metrics

`of` says whose figure it is. `store`: the whole store's. With several nodes on one PostgreSQL each node gives it alike, and
what is wanted is `max` over instances. `node`: what this node alone counted since its start, or is: `sum` over instances, or
each by itself. `labbridge_metric_scope_info{metric, of}` says the same to a query.

What is of the store is written with what it counts, in its transaction: it survives a restart and equals the tables at rest.
A scrape reads these counters and what waits. It reads nothing that is done with, so that it costs the same however much is
stored. No label holds a patient, a specimen, an order, a message or free text; names of feeds, receivers, rules, methods and
kits come from the configuration and the knowledge.

Alerts, recording rules and dashboards over these: `deploy/prometheus`, `deploy/grafana`; a page for each alert:
`docs/how-to/runbooks`.
"""
NOT_EXPORTED = """\
## Not exported

- A time of each rule: rules are looked up together. `labbridge_rule_evaluation_duration_seconds` is of all of them.
- How many cases broke a promised turnaround: what is promised is the laboratory's. The buckets of
  `labbridge_stage_duration_seconds` give the part within any of their bounds.
- The time until a case was first opened: of each person only the newest look at a case is kept.
- Distinct methods, units and statuses that are not understood: they are counted by occurrence
  (`labbridge_result_problems_total`), and listed at the case.
- A lot of reagents: lots roll over for ever. `labbridge report drift` has them.
- Comments read back from the LIS: `labbridge report reconciliation` holds counts against the LIS's own.
"""


def pathway() -> str:
    """The source paper's figure 4 as we hold it: the diagram, its nodes, when a case stands where."""
    lines = ["# Pathway", "", "Printed from mappings/pathway.yaml, which says how it was read.", "", *diagram(), ""]
    for node in load().decisions.pathway.nodes.values():
        whose = f"{node.kind}, the {node.decision}'s{', not in the figure' if node.added else ''}"
        lines += [
            f"## {node.id} {node.label}",
            "",
            f"{whose}.{f' labbridge {node.service}.' if node.service else ''}",
            "",
        ]
        for word, alternatives in (
            ("Reached", node.reached_when),
            ("Open", node.open_when),
            ("Shown", node.shown_when),
        ):
            lines += [f"- {word} when {_when(one)}" for one in alternatives]
        lines += [f'- Says "{one.text}" when {_when(one.when)}' for one in node.says]
        lines += [f"- To {edge.node}{_read(edge.label, edge.inferred, edge.added)}" for edge in node.edges]
        lines += ["", f"Cites: {', '.join(node.citations)}", ""]
    return "\n".join(lines)


def _read(label: str, inferred: bool, added: bool) -> str:
    words = [label, *(["inferred"] if inferred else []), *(["not in the figure"] if added else [])]
    return "".join(f", {word}" for word in words if word)


def _when(when: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {_values(values)}" for name, values in when.items())


def diagram() -> list[str]:
    """The pathway as mermaid: the laboratory's nodes angular, the clinician's round, inferred edges dotted."""
    nodes = load().decisions.pathway.nodes.values()
    lines = ["```mermaid", "flowchart TD", *(f"    {node.id}{_shape(node)}" for node in nodes)]
    for node in nodes:
        for edge in node.edges:
            label = f'|"{edge.label}"|' if edge.label else ""
            lines.append(f"    {node.id} {'-.->' if edge.inferred or edge.added else '-->'}{label} {edge.node}")
    return [*lines, "```"]


def _shape(node: Node) -> str:
    text = f'"{node.id} {node.label}"'
    return f"[{text}]" if node.decision == "laboratory" else f"([{text}])"


BEGIN, END = "<!-- printed from mappings/pathway.yaml -->", "<!-- end -->"


def interpretation() -> str:
    """The explanation as it is written, with the figure of today between its marks."""
    text = (ROOT / "docs/explanation/interpretation.md").read_text(encoding="utf-8")
    before, _begin, rest = text.partition(BEGIN)
    _old, _end, after = rest.partition(END)
    return "\n".join([before + BEGIN, *diagram(), END]) + after


FIGURES_BEGIN = "<!-- printed from mappings/probabilities.yaml -->"
BY_BLOT, BY_QUANT = {"srp_source": "blot"}, {"hmgcr_source": "quant"}
RANKED: dict[str, tuple[dict[str, str | bool], str, tuple[str, ...]]] = {
    "anti-SRP strong, blot": ({"srp": "POS_STRONG", **BY_BLOT}, "SRP", ("quant",)),
    "... HEp-2 compatible": ({"srp": "POS_STRONG", "hep2": "CYTO_COMPAT", **BY_BLOT}, "SRP", ("quant",)),
    "... HEp-2 not": ({"srp": "POS_STRONG", "hep2": "NEG", **BY_BLOT}, "SRP", ("quant",)),
    "anti-SRP low, blot": ({"srp": "POS_LOW", **BY_BLOT}, "SRP", ("quant",)),
    "... HEp-2 compatible ": ({"srp": "POS_LOW", "hep2": "CYTO_COMPAT", **BY_BLOT}, "SRP", ("quant",)),
    "... HEp-2 not ": ({"srp": "POS_LOW", "hep2": "NEG", **BY_BLOT}, "SRP", ("quant",)),
    "anti-SRP equivocal, blot": ({"srp": "EQUIVOCAL", **BY_BLOT}, "SRP", ("quant",)),
    "anti-SRP negative, blot": ({"srp": "NEG", **BY_BLOT}, "SRP", ("ip",)),
    "anti-SRP positive, ELISA": ({"srp": "POS_STRONG", "srp_source": "quant"}, "SRP", ("ip",)),
    "anti-HMGCR strong, ELISA/CLIA": ({"hmgcr": "POS_STRONG", **BY_QUANT}, "HMGCR", ("ip",)),
    "anti-HMGCR low, ELISA/CLIA": ({"hmgcr": "POS_LOW", **BY_QUANT}, "HMGCR", ("ip",)),
}
"""Cases of the page on the order of the worklist: their facts, the antibody, and the method of its retest."""
PRIORS: dict[str, dict[str, str | bool]] = {
    "no CK known": {"ck": "UNKNOWN"},
    "CK raised": {"ck": "MOD"},
    "suspicion, CK above 10 times": {"ck": "HIGH", "suspicion": True},
}


def worklist_order() -> str:
    """The explanation as it is written, with what the figures of today raise between its marks."""
    text = (ROOT / "docs/explanation/worklist-order.md").read_text(encoding="utf-8")
    before, _begin, rest = text.partition(FIGURES_BEGIN)
    _old, _end, after = rest.partition(END)
    lines = [f"| | {' | '.join(PRIORS)} |", f"|---|{'---|' * len(PRIORS)}"]
    ranker = Ranker(review_figures.switched_on())
    for name, (said, antibody, families) in RANKED.items():
        cells = [_worth(ranker, {**said, **prior}, antibody, families) for prior in PRIORS.values()]
        lines.append(f"| {name.strip()} | {' | '.join(cells)} |")
    return "\n".join([before + FIGURES_BEGIN, "", *lines, "", END]) + after


def _worth(ranker: Ranker, said: dict[str, str | bool], antibody: str, families: tuple[str, ...]) -> str:
    case = review_figures.outcome(review_figures.facts(**said), review_figures.retest(antibody, *families))
    (found,) = ranker(case).retests
    assert found.probability is not None
    assert found.value is not None
    value = f"{found.value.point:.3f}"
    band = f"{found.value.low:.3f} to {found.value.high:.3f}"
    return f"{found.probability.point:.3f}; {f'**{value}**' if found.rank else value} ({band})"


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/command-line.md": command_line.page,
    "docs/reference/configuration.md": config_text.reference,
    "deploy/labbridge.example.toml": config_start.example,
    "docs/reference/states.md": states,
    "docs/reference/facts.md": facts,
    "docs/reference/rules.md": rules,
    "docs/reference/notes.md": notes,
    "docs/reference/metrics.md": metrics,
    "docs/reference/pathway.md": pathway,
    "docs/reference/faults.md": faults,
    "docs/reference/vendored.md": supply.page,
    "docs/reference/validation-pack.md": pack.page,
    "docs/reference/validation-pack.schema.json": pack.schema,
    "docs/explanation/interpretation.md": interpretation,
    "docs/explanation/worklist-order.md": worklist_order,
    "labbridge/store/schema.sql": schema.script,
    **reports.PAGES,
    **dashboards.PAGES,
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
