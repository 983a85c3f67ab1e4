"""The alerts and recording rules as they are shipped: read by promtool, each proven to fire and to clear, each with its
page, and none that would count the store once for every node."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from labbridge.cli import app
from labbridge.observe.metrics import MEASURES, TIMINGS, Of
from tests.checks import dashboards
from tests.checks.command_line import commands
from tests.conftest import ROOT, missing

DEPLOYED = ROOT / "deploy" / "prometheus"
RUNBOOKS = ROOT / "docs" / "how-to" / "runbooks"
TESTS = sorted((DEPLOYED / "tests").glob("*.yml"))
OF_STORE = {row.exposed for row in (*MEASURES, *TIMINGS) if row.of is Of.STORE}
OF_NODE = {row.exposed for row in (*MEASURES, *TIMINGS) if row.of is Of.NODE}


def rules(file: str) -> list[dict[str, Any]]:
    found = yaml.safe_load((DEPLOYED / file).read_text(encoding="utf-8"))
    return [rule for group in found["groups"] for rule in group["rules"]]


ALERTS = {one["alert"]: one for one in rules("labbridge.alerts.yml")}
RECORDED = {one["record"]: one["expr"] for one in rules("labbridge.rules.yml")}


def queries() -> dict[str, str]:
    """Every expression that is shipped, by where it stands."""
    found = {**RECORDED, **{name: one["expr"] for name, one in ALERTS.items()}}
    for board in dashboards.ALL:
        for panel in board.panels:
            found |= {f"{board.uid}: {panel.title} {number}": q for number, (q, _l) in enumerate(panel.queries)}
    return {**found, **{f"annotation {name}": query for name, query in dashboards.ANNOTATIONS.items()}}


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        missing("promtool", "install the package prometheus, which brings it")
    return subprocess.run(["promtool", *words], capture_output=True, text=True)


# ---------------------------------------------------------------- promtool


def test_configuration_and_rules_are_read() -> None:
    done = promtool("check", "config", "--lint=none", str(DEPLOYED / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") >= 3


@pytest.mark.parametrize("file", TESTS, ids=lambda path: path.stem)
def test_each_alert_fires_and_clears(file: Path) -> None:
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_alert_is_without_its_test_of_both() -> None:
    tried: dict[str, set[bool]] = {}
    for file in TESTS:
        for one in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]:
            for asked in one["alert_rule_test"]:
                tried.setdefault(asked["alertname"], set()).add(bool(asked["exp_alerts"]))
    assert tried.pop("Watchdog") == {True}, "it never clears"
    assert tried == {name: {True, False} for name in ALERTS if name != "Watchdog"}


@pytest.mark.parametrize("alert", ["LabbridgeOutboxStuck", "LabbridgeQuarantineOld"])
def test_a_rule_that_never_fires_is_found(tmp_path: Path, alert: str) -> None:
    """The tests above can fail: with another limit they do."""
    (tmp_path / "tests").mkdir()
    for path in DEPLOYED.glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        (tmp_path / path.name).write_text(text.replace(ALERTS[alert]["expr"], ALERTS[alert]["expr"] + "000"))
    for path in TESTS:
        shutil.copy(path, tmp_path / "tests")
    file = next(path for path in TESTS if f"alertname: {alert}\n" in path.read_text(encoding="utf-8"))
    done = promtool("test", "rules", str(tmp_path / "tests" / file.name))
    assert done.returncode != 0
    assert alert in done.stdout + done.stderr


def test_every_query_of_a_panel_is_one(tmp_path: Path) -> None:
    found = [
        {"record": f"panel:{number}", "expr": re.sub(r"\$__rate_interval", "1m", query).replace("$", "")}
        for number, query in enumerate(queries().values())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": found}]}), encoding="utf-8")
    done = promtool("check", "rules", "--lint=none", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(found)} rules found" in done.stdout


# ---------------------------------------------------------------- what they ask


@pytest.mark.parametrize("where", list(queries()))
def test_every_name_in_a_query_is_a_metric_or_recorded(where: str) -> None:
    query = queries()[where]
    known = OF_STORE | OF_NODE
    for name in re.findall(r"\blabbridge_[a-z0-9_]+\b", query):
        assert name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") in known or name in known, name
    for name in re.findall(r"\blabbridge:[a-z0-9_:]+", query):
        assert name in RECORDED, name


@pytest.mark.parametrize("where", list(queries()))
def test_the_stores_figures_are_not_counted_once_a_node(where: str) -> None:
    assert counted_twice(queries()[where]) == []


@pytest.mark.parametrize(
    "query",
    [
        "sum(labbridge_outbox_messages)",
        "labbridge_outbox_messages > 3",
        "max by (job) (sum by (job) (rate(labbridge_messages_received_total[5m])))",
        "sum by (job) (max by (job, instance) (labbridge_work_messages)) + sum(labbridge_work_messages)",
    ],
)
def test_one_that_is_would_be_found(query: str) -> None:
    assert counted_twice(query)


def counted_twice(query: str) -> list[str]:
    """With several nodes on one store each gives the store's figures alike: one of these has to be within max by (...), and
    a sum within that is one for each instance."""
    query = " ".join(query.split())
    found = []
    for name in OF_STORE:
        for hit in re.finditer(rf"\b{name}(_bucket|_count|_sum)?\b", query):
            around = aggregations(query, hit.start())
            if re.search(r"unless (on \([^)]*\) )?$", query[: hit.start()]):
                continue  # whether there is any: no matter from how many
            outer = next((place for place, words in enumerate(around) if words.startswith(("max", "min"))), None)
            inner = around[outer:] if outer is not None else around
            if outer is None or any(words.startswith("sum") and "instance" not in words for words in inner):
                found.append(name)
    return found


def aggregations(query: str, at: int) -> list[str]:
    """The aggregations around a place of a query, the outermost first."""
    found, open_ones = [], list[str]()
    for hit in re.finditer(r"(\w+(?: (?:by|without) \([^)]*\))? ?)?\(|\)", query[:at]):
        if hit[0] == ")":
            open_ones.pop()
        else:
            open_ones.append((hit[1] or "").strip())
    found += [one for one in open_ones if re.match(r"(sum|max|min|count|avg)\b", one)]
    return found


def test_what_is_around_a_name_is_found() -> None:
    query = "a + max by (job) (sum by (job, instance) (increase(x_total[1h]))) / min(y)"
    assert aggregations(query, query.index("x_total")) == ["max by (job)", "sum by (job, instance)"]
    assert aggregations(query, query.index("y)")) == ["min"]


# ---------------------------------------------------------------- severity, page, commands


def test_each_alert_has_severity_summary_and_page() -> None:
    for name, one in ALERTS.items():
        assert re.fullmatch(r"Watchdog|Labbridge([A-Z][a-z]+)+", name), name
        assert one["labels"]["severity"] in ({"none"} if name == "Watchdog" else {"page", "ticket"})
        assert one["annotations"]["summary"][0].isupper() or one["annotations"]["summary"].startswith("{{"), name
        assert one["annotations"]["runbook_url"] == f"docs/how-to/runbooks/{name}.md"
        assert (ROOT / one["annotations"]["runbook_url"]).is_file(), name


def test_few_alerts_call_somebody() -> None:
    pages = [name for name, one in ALERTS.items() if one["labels"]["severity"] == "page"]
    assert len(pages) <= len(ALERTS) / 2


def test_no_page_is_without_its_alert_and_each_has_its_three_parts() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(ALERTS)
    for path in RUNBOOKS.glob("*.md"):
        heads = re.findall(r"^## (.*)$", path.read_text(encoding="utf-8"), re.M)
        assert heads == ["What it means", "What to look at", "What to do"], path


def test_every_command_of_a_page_exists_with_its_options() -> None:
    known = dict(commands(typer.main.get_command(app), "labbridge"))
    for path in RUNBOOKS.glob("*.md"):
        text = path.read_text(encoding="utf-8")
        spans = [*re.findall(r"^labbridge .*$", text, re.M), *re.findall(r"`(labbridge [a-z][^`]*)`", text)]
        for line in spans:
            words = line.split()
            name = next((" ".join(words[:n]) for n in (3, 2) if " ".join(words[:n]) in known), "")
            assert name, (path.name, line)
            options = {opt for one in known[name].params for opt in one.opts}
            assert {word for word in words if word.startswith("--")} <= options, (path.name, line)


def test_the_dashboards_are_what_grafana_reads() -> None:
    for board in dashboards.ALL:
        made = json.loads((ROOT / f"deploy/grafana/dashboards/{board.uid}.json").read_text(encoding="utf-8"))
        assert made["uid"] == board.uid
        assert made["editable"] is False
        places = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in made["panels"]]
        assert len(set(places)) == len(places)
        assert all(one["gridPos"]["x"] + one["gridPos"]["w"] <= dashboards.WIDTH for one in made["panels"])
        assert len({one["id"] for one in made["panels"]}) == len(made["panels"])
        for one in made["panels"]:
            assert one["type"] == "text" or one["datasource"]["uid"] == "${datasource}"
            assert one["type"] == "text" or one["fieldConfig"]["defaults"]["unit"]
        defined = {one["name"] for one in made["templating"]["list"]}
        asked = set(re.findall(r'"\$(\w+)"', " ".join(t["expr"] for p in made["panels"] for t in p.get("targets", []))))
        assert asked <= defined


def test_the_provisioning_is_read() -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yml").read_text(encoding="utf-8"))["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards/labbridge.yml").read_text(encoding="utf-8"))["providers"]
    assert (source["type"], source["editable"]) == ("prometheus", False)
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
