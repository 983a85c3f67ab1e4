"""A real Prometheus beside a service of a test, with the rules that are shipped: as they are, or their waits shortened."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from service_parts import ROOT, free_port, until

from tests.conftest import missing

DEPLOYED = ROOT / "deploy" / "prometheus"
RULES = ("labbridge.rules.yml", "labbridge.alerts.yml")
WINDOW = "8s"  # in the place of every window of a rate or an increase


def need() -> None:
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            missing("Prometheus", "install the package prometheus, which brings promtool")


def promtool(*words: str) -> str:
    """What it says; a failure where it is not content."""
    done = subprocess.run(["promtool", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert that is shipped, by its name."""
    return {one["alert"]: one for one in rules("labbridge.alerts.yml")}


def rules(file: str) -> list[dict[str, Any]]:
    found = yaml.safe_load((DEPLOYED / file).read_text(encoding="utf-8"))
    return [rule for group in found["groups"] for rule in group["rules"]]


def shortened(text: str, limits: Mapping[str, tuple[str, str]]) -> str:
    """Rules that are evaluated each second and wait for nothing. `limits`: what stands in an alert's expression, and what
    stands there instead; each must be there."""
    found = yaml.safe_load(text)
    for group in found["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule.pop("for", None)
            before, after = limits.get(rule.get("alert", ""), ("", ""))
            assert before in rule["expr"], rule
            rule["expr"] = _faster(rule["expr"].replace(before, after))
    return str(yaml.safe_dump(found))


def _faster(query: str) -> str:
    return re.sub(r"offset 15m\b", f"offset {WINDOW}", re.sub(r"\[(5m|15m|1h)\]", f"[{WINDOW}]", query))


class Prometheus:
    """Scrapes the targets once a second."""

    def __init__(
        self, folder: Path, targets: Sequence[str], limits: Mapping[str, tuple[str, str]] | None = None
    ) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        for file in RULES:
            text = (DEPLOYED / file).read_text(encoding="utf-8")
            (folder / file).write_text(text if limits is None else shortened(text, limits), encoding="utf-8")
        config = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text(encoding="utf-8"))
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["scrape_configs"][0]["static_configs"][0]["targets"] = list(targets)
        del config["alerting"]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        promtool("check", "config", str(folder / "prometheus.yml"))
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        words = ["prometheus", f"--config.file={self.folder / 'prometheus.yml'}",
                 f"--web.listen-address=127.0.0.1:{self.port}", f"--storage.tsdb.path={self.folder / 'data'}",
                 "--query.lookback-delta=4s"]  # fmt: skip
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log)
        until(self._ready)
        return process

    def _ready(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(self._url("/-/ready"), timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def ask(self, path: str, **about: str) -> Any:
        with urllib.request.urlopen(self._url(f"/api/v1/{path}?{urllib.parse.urlencode(about)}"), timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, text: str) -> list[tuple[dict[str, str], float]]:
        found = self.ask("query", query=text)["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def firing(self) -> set[str]:
        found = self.ask("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)


class Watch:
    """What fires while faults are made and repaired. `late` tells what did not, in the end."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus, self.late = prometheus, list[str]()
        self.fired: set[str] = set()

    def until_firing(self, *names: str, seconds: float = 15.0) -> None:
        self._until(names, lambda found: set(names) <= found, "did not fire", seconds)
        self.fired |= set(names)

    def until_clear(self, *names: str, seconds: float = 25.0) -> None:
        self._until(names, lambda found: not set(names) & found, "did not clear", seconds)

    def _until(self, names: Sequence[str], met: Callable[[set[str]], bool], said: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not met(found := self._prometheus.firing()):
            if time.monotonic() > deadline:
                wrong = found & set(names) if said == "did not clear" else set(names) - found
                self.late += [f"{name} {said}" for name in sorted(wrong)]
                return
            time.sleep(0.2)
