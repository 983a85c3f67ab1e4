"""The manifests: valid by the schemas of Kubernetes, one with another, and their pods run as they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import manifests
import pytest
from image import said
from machine import Machine, install, until
from manifests import FOLDER, ROLES, Pod

from labbridge.config import Config, load
from tests.clusters import Cluster
from tests.conftest import ROOT

VERSIONS = ("1.31", "1.34", "1.37")
SEVERAL = "node" in Config.model_fields
"""Whether several services may share a store in this version."""


@pytest.mark.parametrize("version", VERSIONS)
def test_they_are_valid(version: str) -> None:
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name == "kustomization.yaml":
            continue
        for one in manifests.documents(path):
            kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("planted", [{"spec": {"replica": 2}}, {"spec": {"template": 3}}])
def test_a_planted_fault_is_found(planted: dict[str, Any]) -> None:
    found = manifests.every()["Deployment/labbridge-listen"]
    wrong = {**found, "spec": {**found["spec"], **planted["spec"]}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_kustomize_puts_them_together() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is no package of Debian; where it is, it puts them together")
    done = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nkind: ") == len(manifests.every())
    assert "image: labbridge:0.1.0" in done.stdout


def test_nothing_is_left_out_but_the_example_of_the_secrets() -> None:
    named = set(next(manifests.documents(FOLDER / "kustomization.yaml"))["resources"])
    assert {path.name for path in FOLDER.glob("*.yaml")} - named == {"kustomization.yaml", "secret.example.yaml"}


def test_each_budget_service_and_policy_finds_its_pods() -> None:
    found = manifests.every()
    labels = [one["spec"]["template"]["metadata"]["labels"] for key, one in found.items() if key.startswith("Depl")]
    for key, one in found.items():
        spec = one.get("spec", {})
        wanted = spec.get("podSelector") or spec.get("selector") or {}
        wanted = wanted.get("matchLabels", wanted)
        if key.split("/")[0] in ("PodDisruptionBudget", "NetworkPolicy", "Service"):
            assert any(wanted.items() <= own.items() for own in labels), key
    budgets = {key for key in found if key.startswith("PodDisruptionBudget")}
    assert budgets == {f"PodDisruptionBudget/labbridge-{role}" for role in ROLES}


def test_each_deployment_runs_one_role_and_keeps_a_pod_while_it_is_renewed() -> None:
    for role in ROLES:
        spec = manifests.every()[f"Deployment/labbridge-{role}"]["spec"]
        (container,) = (one for one in spec["template"]["spec"]["containers"] if one["name"] == "labbridge")
        assert container["args"][:3] == ["serve", "--role", role]
        assert spec["replicas"] >= 2
        assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        secured = spec["template"]["spec"]["securityContext"]
        assert (secured["runAsNonRoot"], secured["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
        drain_s = Config().limits.drain_s
        assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > drain_s + 10


def test_names_and_numbers_are_those_of_the_image() -> None:
    ports = set(map(int, said("EXPOSE")))
    uid = int(said("USER")[0].partition(":")[0])
    for role in ROLES:
        one = manifests.pod(role, 0, ["labbridge"], {})
        assert one.uid == uid
        assert {int(re.findall(r":(\d+)/", probe)[0]) for probe in one.probes.values()} <= ports


def test_the_proxy_of_the_workbench_is_the_one_of_deploy_haproxy() -> None:
    held = manifests.files_of("ConfigMap", "labbridge-workbench")["workbench.cfg"]
    assert held == (ROOT / "deploy/haproxy/workbench.cfg").read_text()


def test_the_configuration_is_one(tmp_path: Path) -> None:
    path = tmp_path / "labbridge.toml"
    path.write_text(manifests.files_of("ConfigMap", "labbridge")["labbridge.toml"])
    found = load(path)
    assert found.store.folder == said("VOLUME")[0]
    assert found.web.behind_tls


# ---------------------------------------------------------------- the pods


class Pods:
    """Pods of one machine, each in namespaces of its own: two that listen, two that process, on one store where this version
    may share one; else one of each, on a store of its own."""

    def __init__(self, folder: Path, wheel: Path, cluster: Cluster) -> None:
        os.chmod(cluster.folder, 0o711)  # the server is reached by its socket: a pod's network is its own
        self.folder = folder
        self.machine = Machine(folder / "machine", lent={"/srv/database": cluster.folder})
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        try:
            install(self.machine, wheel)
            self._fill()
            shared = cluster.fresh() if SEVERAL else ""
            each = {"listen": 2, "process": 2} if SEVERAL else {}
            self.pods = {
                one.name: one
                for role in ROLES
                for number in range(each.get(role, 1))
                if (one := self._pod(role, number, shared or cluster.fresh()))
            }
            for one in self.pods.values():
                self.begin(one)
            for one in self.pods.values():
                until(lambda one=one: self.probe(one, "readinessProbe") == 200, f"{one.name} is ready", self.why)
        except BaseException:
            self.close()
            raise

    def _fill(self) -> None:
        """The volumes that pods share."""
        config = self.machine.root / "srv/volumes/config"
        config.mkdir(parents=True)
        for name, text in manifests.files_of("ConfigMap", "labbridge").items():
            (config / name).write_text(text.replace("lis.laba.example:2576", "127.0.0.1:2576"))
        shutil.copytree(ROOT / "samples/site", self.machine.root / "srv/volumes/site")

    def _pod(self, role: str, number: int, url: str) -> Pod:
        database = url.rpartition("/")[2]
        port = re.findall(r":(\d+)/", url)[0]
        store = f"postgresql+psycopg://labbridge@/{database}?host=/srv/database&port={port}"
        return manifests.pod(role, number, ["/opt/labbridge/bin/labbridge"], {"LABBRIDGE_STORE__URL": store})

    def begin(self, one: Pod) -> None:
        state = self.machine.root / "srv/volumes" / one.name
        state.mkdir(exist_ok=True)
        os.chown(state, one.uid, one.uid)
        volumes = {"config": "/srv/volumes/config", "site": "/srv/volumes/site", "state": f"/srv/volumes/{one.name}"}
        own = ("--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL")
        words = ("unshare", *own, "sh", "-c", manifests.script(one, volumes))
        self.running[one.name] = self.machine.start(*words, env=one.env, log=self.folder / f"{one.name}.log")

    def probe(self, one: Pod, kind: str) -> int:
        answer = self.ask(one.name, "get", one.probes[kind])
        return int(answer.split()[0]) if answer[:3].isdigit() else 0

    def ask(self, name: str, *words: str) -> str:
        """inside.py in the network of a pod."""
        main = self.main(name)
        return "" if main is None else self.machine.ask(*words, within=main)

    def main(self, name: str) -> int | None:
        """The first process of a pod, as this machine counts it."""
        found = self.running[name].pid
        for _down in ("nsenter", "unshare"):
            children = Path(f"/proc/{found}/task/{found}/children").read_text().split()
            if not children:
                return None
            found = int(children[0])
        return found

    def status(self, name: str) -> dict[str, str]:
        lines = Path(f"/proc/{self.main(name)}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def why(self) -> str:
        return "\n".join(f"{path.name}: {path.read_text(errors='replace')}" for path in self.folder.glob("*.log"))

    def close(self) -> None:
        self.machine.close()
        for one in self.running.values():
            one.wait(30)


@pytest.fixture
def pods(tmp_path_factory: pytest.TempPathFactory, wheel: Path, postgres: Cluster) -> Iterator[Pods]:
    found = Pods(tmp_path_factory.mktemp("pods"), wheel, postgres)
    try:
        yield found
    finally:
        found.close()


def every_pod_becomes_ready_without_rights_on_a_root_that_is_read_only(pods: Pods) -> None:
    for name, one in pods.pods.items():
        assert [pods.probe(one, kind) for kind in one.probes] == [200, 200, 200], name
        status = pods.status(name)
        assert (set(status["Uid"].split()), status["NoNewPrivs"]) == ({str(one.uid)}, "1")
        assert {int(status[kind], 16) for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        for place in ("/x", "/opt/labbridge/x", "/etc/labbridge/x", "/tmp/x"):
            refused = pods.machine.run("touch", place, check=False, within=pods.main(name))
            assert "Read-only file system" in refused.stderr, (name, place)


def each_role_opens_its_own_ports_and_no_other(pods: Pods) -> None:
    wanted = {"listen": {2575, 9464}, "process": {9464}, "deliver": {9464}, "web": {8080, 9464}}
    for name, one in pods.pods.items():
        text = Path(f"/proc/{pods.main(name)}/net/tcp").read_text()
        listening = {
            int(line.split()[1].partition(":")[2], 16) for line in text.splitlines()[1:] if line.split()[3] == "0A"
        }
        assert listening == wanted[one.role], name


# ---------------------------------------------------------------- several nodes on one store

LABBRIDGE = "/opt/labbridge/bin/labbridge"


def told(pods: Pods, *words: str) -> str:
    """A command, entered in a pod of the workbench (`kubectl exec`)."""
    one = pods.pods["labbridge-web-0"]
    done = pods.machine.run(
        LABBRIDGE, *words, "--config", "/etc/labbridge/labbridge.toml", env=one.env, within=pods.main(one.name)
    )
    return done.stdout


def waiting(pods: Pods) -> int:
    found: int = json.loads(told(pods, "messages", "--count", "--format", "json"))["waiting"]
    return found


def sent(pods: Pods, name: str, *controls: str) -> list[str]:
    return pods.ask(name, "send", "127.0.0.1", "127.0.0.1:2575", *controls).splitlines()


def taken(controls: tuple[str, ...]) -> list[str]:
    return [f"MSA|AA|{one}" for one in controls]


def a_message_goes_from_any_listener_to_the_lis(pods: Pods) -> None:
    """Kept by either listener, drafted by a processor, released at the workbench's node, sent by a deliverer."""
    name, lis = "labbridge-deliver-0", pods.machine.root / "srv/lis"
    words = ("/opt/labbridge/bin/python", str(ROOT / "samples/stub_lis.py"), "127.0.0.1:2576", "/srv/lis")
    log, network = pods.folder / "stub.log", pods.main(name)
    pods.running["the LIS"] = pods.machine.start(*words, log=log, network=network)
    for name, controls in (("labbridge-listen-0", ("1", "2")), ("labbridge-listen-1", ("3", "4"))):
        assert sent(pods, name, *controls) == taken(controls)
    until(lambda: waiting(pods) == 0, "all is drafted", pods.why)
    cases = re.findall(r"C\d+@\d+", told(pods, "show"))
    assert len(cases) == 4
    told(pods, "release", cases[0], "--as", "Dr Anna")
    until(lambda: lis.is_file() and lis.read_text(), "the LIS has the comment", pods.why)


def a_listener_and_a_processor_are_lost_and_nothing_waits(pods: Pods) -> None:
    for name in ("labbridge-listen-0", "labbridge-process-0"):
        os.kill(pods.main(name) or 0, signal.SIGKILL)
        pods.running[name].wait(30)
    controls = tuple(str(number) for number in range(100, 132))
    assert sent(pods, "labbridge-listen-1", *controls) == taken(controls)
    until(lambda: waiting(pods) == 0, "the other processor works through all", pods.why)
    for name in ("labbridge-listen-0", "labbridge-process-0"):
        pods.begin(pods.pods[name])
        until(lambda name=name: pods.probe(pods.pods[name], "readinessProbe") == 200, f"{name} is back", pods.why)
    assert sent(pods, "labbridge-listen-0", "200") == taken(("200",))


def test_the_pods_run_as_their_manifests_say(pods: Pods) -> None:
    """In this order, on one machine: it is dear to make, and would be made anew by each worker that has a part."""
    for step in (
        every_pod_becomes_ready_without_rights_on_a_root_that_is_read_only,
        each_role_opens_its_own_ports_and_no_other,
    ):
        step(pods)
    if SEVERAL:
        for step in (
            a_message_goes_from_any_listener_to_the_lis,
            a_listener_and_a_processor_are_lost_and_nothing_waits,
        ):
            step(pods)
