"""The configurations of HAProxy as they are written: looked over by HAProxy, and run in front of two installed nodes."""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import Machine, install, until

from labbridge.config import Config
from tests.clusters import Cluster
from tests.conftest import ROOT, missing
from tests.tls_files import Authority

CONFIGS = ROOT / "deploy/haproxy"
BALANCER, NODES = "10.0.0.5", {"north": "10.0.0.21", "south": "10.0.0.22"}
LIS, STRANGER = ("10.0.7.5", "10.0.7.6"), "10.0.8.5"
SEVERAL = "node" in Config.model_fields
"""Whether several services may share a store in this version."""
KNOWN = "SELECT peer FROM journal"
PASSWORD = "four unrelated words: heron, gravel"
NAME = "labbridge.laba.example"
LABBRIDGE = "/opt/labbridge/bin/labbridge"


def program() -> str:
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if found is None:
        missing("HAProxy", "apt-get install haproxy")
    return str(found)


def test_haproxy_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    pem = tmp_path / "labbridge.pem"
    issued = Authority(tmp_path).issue(NAME, (NAME,))
    pem.write_text(issued.certificate.read_text() + issued.key.read_text())
    for path in sorted(CONFIGS.glob("*.cfg")):
        text = path.read_text().replace("/etc/haproxy/labbridge.pem", str(pem))
        here = tmp_path / path.name
        here.write_text(text)
        done = subprocess.run([program(), "-c", "-f", str(here)], capture_output=True, text=True)
        assert (done.returncode, "WARNING" in done.stderr) == (0, False), f"{path.name}: {done.stdout}{done.stderr}"


def test_the_page_and_the_file_say_the_same() -> None:
    page = (ROOT / "docs/how-to/stand-behind-a-load-balancer.md").read_text()
    for line in ("option httpchk GET /readyz", "send-proxy-v2 check port 9464", "balance leastconn"):
        assert line in page
        assert line in (CONFIGS / "mllp.cfg").read_text()


class Site:
    """Two nodes and HAProxy in front, at the addresses that the file names. Their store is one PostgreSQL database where
    this version may share one, else each has a file of its own."""

    def __init__(self, folder: Path, wheel: Path, cluster: Cluster | None) -> None:
        self.folder, self.cluster = folder, cluster
        self.database = cluster.empty().rpartition("/")[2] if cluster else ""
        self.machine = Machine(folder / "machine", lent={"/srv/database": cluster.folder} if cluster else {})
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for address in (BALANCER, *NODES.values(), *LIS, STRANGER):
                self.machine.run("ip", "address", "add", f"{address}/32", "dev", "lo")
            install(self.machine, wheel)
            for name in NODES:
                self._configure(name)
                self.start(name)
            for name in NODES:
                until(lambda name=name: self.ready(name), f"{name} is ready", self.why)
            self.balancer(CONFIGS / "mllp.cfg")
            until(lambda: self.send(LIS[0], "0") == "MSA|AA|0", "it listens", self.why)
        except BaseException:
            self.close()
            raise

    def _configure(self, name: str) -> None:
        lab = f"/srv/{name}"
        (self.machine.root / "tmp/password").write_text(PASSWORD)
        words = ("--admin", "ada", "--name", "Ada Martin", "--password-file", "/tmp/password")
        if self.cluster:
            url = f"postgresql+psycopg://labbridge@/{self.database}?host=/srv/database&port={self.cluster.port}"
            words = (*(words if name == "north" else ("--join",)), "--store", url)
        self.machine.run(LABBRIDGE, "init", lab, *words)
        path = self.machine.root / lab[1:] / "labbridge.toml"
        text = path.read_text().replace("127.0.0.1:2575", f"{NODES[name]}:2575")
        text = text.replace("127.0.0.1:9464", f"{NODES[name]}:9464")
        if name == "south":
            text = text.replace("# behind_tls", "behind_tls").replace("# hosts", "hosts")
        else:
            text = text.replace("127.0.0.1:8080", "")
        text = text.replace('# peers = ["10.0.7.0/28"]', 'allow_plaintext = true\npeers = ["10.0.7.0/28"]')
        path.write_text(text.replace('# proxies = ["10.0.0.5"]', 'proxies = ["10.0.0.5"]'))

    def start(self, name: str) -> None:
        words = (LABBRIDGE, "serve", "--config", f"/srv/{name}/labbridge.toml")
        settings = {"LABBRIDGE_STORE__VOLATILE": "true"}
        self._running[name] = self.machine.start(*words, env=settings, log=self.folder / f"{name}.log")

    def ready(self, name: str) -> bool:
        return '"ready":true' in self.machine.ask("get", f"http://{NODES[name]}:9464/readyz")

    def balancer(self, config: Path) -> None:
        shutil.copy(config, self.machine.root / "tmp" / config.name)
        words = (program(), "-db", "-f", f"/tmp/{config.name}")
        self._running[config.name] = self.machine.start(*words, log=self.folder / "haproxy.log")

    def send(self, source: str, *controls: str) -> str:
        return self.machine.ask("send", source, f"{BALANCER}:2575", *controls)

    def kill(self, name: str) -> None:
        self.machine.kill(self._running.pop(name))

    def peers(self) -> Counter[str]:
        """Whom the journals know as sender, and how many messages of each they hold."""
        if self.cluster:
            return Counter(peer for (peer,) in self.cluster.ask(self.database, KNOWN))
        return sum((self._peers(name) for name in NODES), Counter())

    def _peers(self, name: str) -> Counter[str]:
        copy = self.folder / f"{name}.db"
        for ending in ("", "-wal"):
            source = self.machine.root / f"srv/{name}/var/labbridge.db{ending}"
            shutil.copy(source, f"{copy}{ending}")
        with contextlib.closing(sqlite3.connect(copy)) as store:
            return Counter(peer for (peer,) in store.execute(KNOWN))

    def answered(self, name: str) -> float:
        """How many messages a node has answered since its start."""
        return self.metric(name, r"labbridge_acks_total\{[^}]*\}")

    def metric(self, name: str, wanted: str) -> float:
        said = self.machine.ask("get", f"http://{NODES[name]}:9464/metrics")
        return sum(float(one) for one in re.findall(rf"^{wanted} (\S+)$", said, re.MULTILINE))

    def why(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))

    def close(self) -> None:
        self.machine.close()
        for one in self._running.values():
            one.wait(30)


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, wheel: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    program()
    cluster: Cluster | None = request.getfixturevalue("postgres") if SEVERAL else None
    found = Site(tmp_path_factory.mktemp("haproxy"), wheel, cluster)
    try:
        yield found
    finally:
        found.close()


def every_sender_is_known_by_its_own_address(site: Site) -> None:
    """Through the balancer, by the PROXY protocol: the peer of the journal, on whichever node it came."""
    for number, source in enumerate(LIS * 3):
        assert site.send(source, f"{number}1", f"{number}2").splitlines() == [f"MSA|AA|{number}1", f"MSA|AA|{number}2"]
    held = site.peers()
    assert set(held) == set(LIS)
    assert sum(held.values()) >= 12
    assert all(site.answered(name) for name in NODES), "both nodes had their share"


def a_stranger_is_closed_and_counted(site: Site) -> None:
    wanted = r'labbridge_feed_connections_refused_total\{feed="lis",reason="not_listed"\}'
    before = sum(site.metric(name, wanted) for name in NODES)
    assert site.send(STRANGER, "66") in ("closed", "ConnectionResetError")
    assert sum(site.metric(name, wanted) for name in NODES) == before + 1
    assert STRANGER not in site.peers()


def a_node_is_lost_and_the_senders_go_on(site: Site) -> None:
    site.kill("north")
    answered = [site.send(LIS[0], f"7{number}") for number in range(6)]
    assert answered == [f"MSA|AA|7{number}" for number in range(6)]
    site.start("north")
    until(lambda: site.ready("north"), "back", site.why)
    numbers = itertools.count(80)

    def back() -> bool:
        number = next(numbers)
        return site.send(LIS[0], f"{number}") == f"MSA|AA|{number}" and site.answered("north") > 0

    until(back, "north has its share again", site.why)


# ---------------------------------------------------------------- the workbench


def the_workbench_stands_behind_tls(site: Site) -> None:
    """workbench.cfg as written: a password is taken over HTTPS, and the session's cookie is for HTTPS alone."""
    authority = Authority(site.folder)
    issued = authority.issue(NAME, (NAME,))
    (site.machine.root / "etc/haproxy").mkdir(exist_ok=True)
    pem = issued.certificate.read_text() + issued.key.read_text()
    (site.machine.root / "etc/haproxy/labbridge.pem").write_text(pem)
    site.balancer(CONFIGS / "workbench.cfg")
    base = f"https://{NAME}:8443"
    with (site.machine.root / "etc/hosts").open("a") as hosts:
        hosts.write(f"127.0.0.1 {NAME}\n")
    shutil.copy(authority.file, site.machine.root / "tmp/ca.pem")
    until(lambda: site.machine.ask("get", f"{base}/livez").startswith("200"), "the workbench", site.why)
    assert site.machine.ask("sign-in", base, "ada", PASSWORD).split()[0] == "303"


def test_two_nodes_stand_behind_it(site: Site) -> None:
    """In this order, on one machine: it is dear to make, and would be made anew by each worker that has a part."""
    for step in (
        every_sender_is_known_by_its_own_address,
        a_stranger_is_closed_and_counted,
        a_node_is_lost_and_the_senders_go_on,
        the_workbench_stands_behind_tls,
    ):
        step(site)
