"""The compose file: taken by docker-compose, one with image, configurations and HAProxy, and hardened as the unit is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from image import said, steps

from labbridge.config import load
from tests.conftest import ROOT, missing

DEPLOY = ROOT / "deploy"
FILE = DEPLOY / "compose.yaml"
LOCK = DEPLOY / "requirements.lock"


def composed(**environment: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("docker-compose") is None:
        missing("docker-compose", "apt-get install docker-compose")
    command = ["docker-compose", "--file", str(FILE), "config"]
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=env)


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
    return found


def test_docker_compose_takes_it() -> None:
    done = composed(POSTGRES_PASSWORD="heron")
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)["services"]
    assert found["labbridge"]["environment"]["PGPASSWORD"] == "heron"
    assert set(found) == {"postgres", "labbridge", "tls", "prometheus", "grafana"}


def test_it_does_not_start_without_a_password() -> None:
    done = composed()
    assert done.returncode != 0
    assert "POSTGRES_PASSWORD" in done.stderr + done.stdout


def test_labbridge_has_no_right_it_needs_not() -> None:
    one = services()["labbridge"]
    assert (one["read_only"], one["cap_drop"], one["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert one["user"] == said("USER")[0]
    assert "privileged" not in one
    assert one["ulimits"]["core"] == 0


def test_what_it_mounts_of_the_tree_is_there() -> None:
    """But for the certificate, which is the site's own. Rules and dashboards are whole, or not here at all."""
    whole = {name: (DEPLOY / name).is_dir() for name in ("prometheus", "grafana")}
    for name, one in services().items():
        for volume in one.get("volumes", []):
            source = Path(volume.split(":")[0])
            if volume.startswith("./") and source.name != "labbridge.pem" and whole.get(source.parts[0], True):
                assert (DEPLOY / source).exists(), f"{name}: {source}"


def test_ports_volumes_and_version_are_those_of_image_and_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    one = services()["labbridge"]
    monkeypatch.setenv("LABBRIDGE_STORE__URL", one["environment"]["LABBRIDGE_STORE__URL"])
    config = load(DEPLOY / "compose/labbridge.toml")
    assert config.store.url == "postgresql+psycopg://labbridge@postgres:5432/labbridge"
    places = {volume.split(":")[1] for volume in one["volumes"]}
    assert {config.store.folder, *said("VOLUME")} <= places
    assert said("CMD")[-1] in places
    ports = set(said("EXPOSE"))
    mllp, admin = config.feeds["lis"].listen.split(":")[1], config.admin.listen.split(":")[1]
    assert {mllp, admin, config.web.listen.split(":")[1]} == ports
    assert {published.rpartition(":")[2] for published in one["ports"]} == {mllp, "8443"}
    assert "bind :8443" in (DEPLOY / "haproxy/workbench.cfg").read_text()


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        missing("promtool", "apt-get install prometheus")
    done = subprocess.run(
        ["promtool", "check", "config", str(DEPLOY / "compose/prometheus.yml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    mounted = dict(one.split(":")[:2] for one in services()["grafana"]["volumes"])
    (source,) = yaml.safe_load((DEPLOY / "compose/grafana-source.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    for path in (DEPLOY / "grafana/provisioning/dashboards").glob("*.yml"):
        (provider,) = yaml.safe_load(path.read_text())["providers"]
        assert provider["options"]["path"] == mounted["./grafana/dashboards"]


# ---------------------------------------------------------------- the image, read; it is built by `make image-check`


def test_the_image_is_of_two_stages_and_ends_without_rights() -> None:
    names = [name for name, _text in steps()]
    assert names.count("FROM") == 2
    last = names[names.index("FROM", names.index("FROM") + 1) :]
    assert last.index("USER") > last.index("RUN")
    assert said("USER")[0].split(":")[0].isdigit(), "runAsNonRoot of Kubernetes needs a number"
    assert said("ENTRYPOINT") == ["labbridge"]
    assert said("STOPSIGNAL") == ["SIGTERM"]
    health = next(text for name, text in steps() if name == "HEALTHCHECK")
    assert "/livez" in json.loads(health[health.index("[") :])[-1]


def test_what_is_installed_is_locked_by_hashes_as_it_was_tested() -> None:
    """The lock of the image is part of the lock that the tests run by, version for version, hash for hash."""
    assert "--require-hashes" in " ".join(text for _name, text in steps())
    assert "\n--" not in LOCK.read_text(), "a lock names no address"
    tested, alone = _pins(ROOT / "requirements.lock"), _pins(LOCK)
    assert alone.items() <= tested.items()
    assert {"fastapi", "psycopg-binary", "pyodbc", "sqlalchemy"} <= alone.keys()
    assert not {"pytest", "pandas", "mypy"} & alone.keys()


def _pins(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for block in path.read_text().replace("\\\n", " ").splitlines():
        words = [word for word in block.split("#")[0].split() if word]
        if words and "==" in words[0]:
            name, _, version = words[0].partition("==")
            found[name] = (version, frozenset(word for word in words if word.startswith("--hash")))
    return found
