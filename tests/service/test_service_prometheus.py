"""A real Prometheus scrapes a running labbridge: every panel has its data, and each alert whose fault can be made here is
fired by it, with its wait shortened, and clears."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_parts import Prometheus, Watch, alerts, need
from service_parts import SAMPLES, Sender, Service, free_port, sample, sender, until
from test_service_odbc import Lis
from test_service_odbc import feed as odbc_feed

from labbridge.config import load
from labbridge.control import ask
from labbridge.telling import DRIFT, tell
from tests.checks import dashboards
from tests.conftest import missing
from tests.tls_files import DAY, Authority

CK, SEROLOGY = sample("02-srp-hep2-negative/1a-ck.hl7"), sample("02-srp-hep2-negative/1b-serology.hl7")
HEARTBEAT = '[heartbeat]\nfeed = "beat"\nevery_s = 1\n[feeds.beat]\nlisten = "127.0.0.1:{}"\nreceiver = "lis"\n'


@contextlib.contextmanager
def served(folder: Path, extra: str, web: str = "") -> Iterator[Service]:
    site = folder / "site"
    shutil.copytree(SAMPLES / "site", site)
    found = Service(folder, extra, web=web, site=site)
    try:
        found.start()
        yield found
    finally:
        found.close()


def act(service: Service, command: str, *keys: str, by: str = "Ida Roth", **about: Any) -> dict[str, Any]:
    """A person's act, as the command line hands it over."""
    answer = ask(service.folder / "store.db", {"command": command, "keys": list(keys), "as": by, **about})
    assert answer is not None
    return answer


def rows(service: Service, sql: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(f"file:{service.folder / 'store.db'}?mode=ro", uri=True)) as store:
        return store.execute(sql).fetchall()


def processed(service: Service) -> None:
    until(lambda: not rows(service, "SELECT 1 FROM work WHERE state = 'kept'"))


def sent(line: Sender, message: bytes) -> str:
    answer = line.send(message)
    assert answer is not None
    return answer.code


# ---------------------------------------------------------------- dashboards

EMPTY: Mapping[str, str] = {
    "This hour, and the same hour of the last weeks 1": "asks what came a week ago",
    "Connections 1": "no connection was closed before a byte was read",
    "Views 0": "no feed of this service is a view",
    "Views 1": "no feed of this service is a view",
    "Views 2": "no feed of this service is a view",
    "Certificates 0": "no feed of this service speaks TLS",
    "Second readers 0": "no case of the samples is signed by two",
    "... in the four weeks before 0": "asks what was evaluated until yesterday",
    "Retests 0": "the receiver takes no orders",
    "Release by rule 0": "no rule may release here",
    "Release by rule 1": "no rule may release here",
    "Drafts left in other words 0": "every comment of the samples leaves as it was drafted",
    "Not understood 0": "everything in the samples is understood",
    "annotation Release by rule stopped": "nothing is stopped",
}
"""What has no data here, and why. Everything else has."""


def test_every_panel_has_its_data(tmp_path: Path) -> None:
    """The demo's samples are sent, and some released."""
    need()
    with served(tmp_path, HEARTBEAT.format(free_port())) as service:
        prometheus = Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{service.admin}"])
        try:
            until(lambda: prometheus.query("labbridge_build_info"))
            for again in (b"|PT1", b"|PT2"):  # what begins with its first figure has not increased
                with sender(service) as line:
                    for path in sorted(SAMPLES.glob("*/*.hl7")):
                        raw = sample(str(path.relative_to(SAMPLES))).replace(b"|PT1", again)
                        assert sent(line, raw) == "AA"
                        if path.stem[1] == "b":
                            processed(service)
                processed(service)
                time.sleep(2)
            for key, version in rows(service, "SELECT id, version FROM cases WHERE state = 'new' LIMIT 3"):
                act(service, "release", f"C{key}@{version}")
            until(service.received_by_the_lis)
            with sender(service) as line:
                assert sent(line, CK.replace(b"|P|2.5.1", b"|T|2.5.1").replace(b"S2001", b"S9001")) == "AR"
            wanted = {name: query for name, query in asked() if name not in EMPTY}
            left: dict[str, str] = {}

            def answered() -> bool:
                left.update(wanted)
                for name in [name for name, query in left.items() if prometheus.query(query)]:
                    del left[name]
                return not left

            with contextlib.suppress(AssertionError):
                until(answered)
            assert left == {}
            assert {name for name, query in asked() if name in EMPTY and not prometheus.query(query)} == set(EMPTY)
            agrees_with_the_tables(service, prometheus)
        finally:
            prometheus.close()


def asked() -> Iterator[tuple[str, str]]:
    """Every query of the dashboards, as Grafana asks it where everything is chosen."""
    for board in dashboards.ALL:
        for panel in board.panels:
            for number, (query, _legend) in enumerate(panel.queries):
                yield f"{panel.title} {number}", chosen(query)
    for name, query in dashboards.ANNOTATIONS.items():
        if name not in ("Knowledge", "Start"):  # a moment's
            yield f"annotation {name}", chosen(query)


def chosen(query: str) -> str:
    return re.sub(r'"\$\w+"', '".*"', query.replace("$__rate_interval", "10s"))


def agrees_with_the_tables(service: Service, prometheus: Prometheus) -> None:
    """At rest Prometheus has what the tables have."""
    time.sleep(2.5)
    kept, refused = "FROM journal WHERE state <> 'quarantined'", "FROM journal WHERE state = 'quarantined'"
    for query, sql in (
        ('sum(labbridge_messages_received_total{outcome="accepted"})', kept),
        ('sum(labbridge_messages_received_total{outcome="quarantined"})', refused),
        ('sum(labbridge_comments_total{outcome="released"})', "FROM outbox WHERE comment > 0"),
        ('sum(labbridge_comments_total{outcome="acknowledged"})', "FROM outbox WHERE state = 'acknowledged'"),
        ("sum(labbridge_cases_open)", "FROM cases WHERE state NOT IN ('signed', 'closed')"),
        ('sum(labbridge_messages_processed_total{reason="drafted"})', "FROM work WHERE reason = 'drafted'"),
        ('labbridge_stage_duration_seconds_count{stage="signed"}', "FROM comments"),
    ):
        about = query.replace("_total{", '_total{feed!="beat",') if "messages" in query else query
        there = sql.replace("WHERE", "WHERE feed <> 'beat' AND") if "journal" in sql else sql
        ((_labels, value),) = prometheus.query(about)
        assert value == rows(service, f"SELECT count(*) {there}")[0][0], query


# ---------------------------------------------------------------- faults

LIMITS = {
    "LabbridgeOutboxStuck": ("> 900", "> 2"),
    "LabbridgeQuarantineOld": ("> 3600", "> 2"),
    "LabbridgeCaseAgeBreach": ("> 259200", "> 2"),
    "LabbridgeWorkStuck": ("> 300", "> 3"),
    "LabbridgeBackupOld": ("> 93600", "> 12"),
    "LabbridgeAuditUnverified": ("> 691200", "> 12"),
}
NOT_MADE: Mapping[str, str] = {
    "LabbridgeAbsent": "Prometheus itself would be told of no node",
    "LabbridgeClockSkew": "the machine's clock is everybody's",
    "LabbridgeNodesDiffer": "one node runs here",
    "LabbridgeLogFieldDropped": "a fault of the program, and there is none that is known",
    "LabbridgeFeedSilent": "it takes a week",
    "LabbridgeFlagRateShift": "it takes two days",
    "LabbridgeCommentUndelivered": "ten refusals take half an hour",
    "LabbridgeUnmappedCodeNew": "a code stays listed until it is mapped: tests/web map one",
    "LabbridgeRowsDamaged": "the store is looked over once an hour: tests/store do it at once",
    "LabbridgeRuleErrors": "a fault of the program, and there is none that is known",
}
"""The alerts whose fault is not made here, and why; promtool has them all (tests/observe/test_observe_rules.py)."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder on a small disk of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(path)], capture_output=True)
    if done.returncode:
        missing("the right to mount a small file system", "run as root")
    yield path
    subprocess.run(["umount", str(path)], check=True)


NORMAL = ("2157-6", "Creatine kinase", "LN", "100", "U/L", "39-190")
ALARM = ("SRP", "", "euroline-16", "positive_rising")


class Site:
    """A service with everything that can go wrong here, and who looks after it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.closed, self.open, self.secure = folder, free_port(), free_port(), free_port()
        self.authority = Authority(folder)
        self.authority.issue("server", ends=10 * DAY)
        self.views = Lis(folder)
        extra = (
            f'[feeds.closed]\nlisten = "127.0.0.1:{self.closed}"\npeers = ["192.0.2.7"]\n'
            f'[feeds.open]\nlisten = "0.0.0.0:{self.open}"\nallow_plaintext = true\n'
            f'[feeds.secure]\nlisten = "127.0.0.1:{self.secure}"\n[feeds.secure.tls]\n'
            f'certificate = "{folder / "server.pem"}"\nkey = "{folder / "server.key"}"\n'
            + odbc_feed(self.views.connection)
            + HEARTBEAT.format(free_port())
        )
        site = folder / "site"
        shutil.copytree(SAMPLES / "site", site)
        self.service = Service(folder, extra, site=site)

    def act(self, command: str, *keys: str, by: str = "Ida Roth", **about: Any) -> dict[str, Any]:
        return act(self.service, command, *keys, by=by, **about)

    def did(self, command: str, *keys: str, by: str = "Ida Roth", **about: Any) -> None:
        answer = self.act(command, *keys, by=by, **about)
        assert answer["ok"], answer

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return rows(self.service, sql)

    def sign_all(self) -> None:
        processed(self.service)
        for key, version in self.rows("SELECT id, version FROM cases WHERE state IN ('new', 'reopened')"):
            self.did("release", f"C{key}@{version}")

    def send(self, *messages: bytes) -> list[str]:
        with sender(self.service) as line:
            return [sent(line, one) for one in messages]

    def children(self) -> list[int]:
        assert self.service.process is not None
        process = self.service.process.pid
        listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
        return [int(one) for one in listed]


@pytest.fixture
def site(place: Path) -> Iterator[Site]:
    need()
    found = Site(place)
    try:
        found.service.start()
        yield found
    finally:
        for child in found.children() if found.service.process and found.service.process.poll() is None else []:
            os.kill(child, signal.SIGCONT)
        found.service.close()


def test_each_alert_is_fired_by_its_fault_and_clears(site: Site, tmp_path: Path) -> None:
    prometheus = Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{site.service.admin}"], LIMITS)
    watch = Watch(prometheus)
    try:
        watch.until_firing("Watchdog")
        until(lambda: any(scrapes >= 3 for _of, scrapes in prometheus.query("count_over_time(up[1m])")))
        for fault in (counted, states, audit_and_backup, standing, disk_slow, disk_full, away):
            begun = time.monotonic()
            fault(site, watch)
            print(f"{fault.__name__}: {time.monotonic() - begun:.0f} s, {watch.late}")
    finally:
        prometheus.close()
    assert "\n".join(watch.late) == ""
    assert watch.fired == set(alerts()) - set(NOT_MADE)


def counted(site: Site, watch: Watch) -> None:
    """What is counted, and clears by itself once it happens no more."""
    names = ("LabbridgeNegativeAcks", "LabbridgeConnectionsRefused", "LabbridgeReloadRefused", "LabbridgeEchoReceived")
    assert set(site.send(CK, SEROLOGY)) == {"AA"}
    site.sign_all()
    (comment,) = until(site.service.received_by_the_lis)
    codes = next((site.folder / "site").rglob("*.csv"))
    before = codes.read_text(encoding="utf-8")
    codes.write_text(before + "L,NONSENSE,,,,NOBODY,result,,,VERIFIED,none\n", encoding="utf-8")
    assert not site.act("reload")["ok"]
    codes.write_text(before, encoding="utf-8")
    wrong = (CK.replace(b"ORU^R01^ORU_R01", b"ZZZ^Z99").replace(b"S2001", b"N%d" % number) for number in range(6))
    assert set(site.send(*wrong)) == {"AR"}
    site.send(comment["message"].encode())
    for _ in range(30):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", site.closed), 2) as line:
            line.recv(1)
    watch.until_firing(*names)
    watch.until_clear(*names)


def states(site: Site, watch: Watch) -> None:
    """What stays until somebody does something."""
    first = ("LabbridgeQuarantineOld", "LabbridgePlaintextListener", "LabbridgeCertificateExpires")
    then = (
        "LabbridgeMessageParked", "LabbridgeCaseAgeBreach", "LabbridgeReleaseSuspended", "LabbridgeRestoreUnconfirmed",
        "LabbridgePositivityDrift", "LabbridgeOutboxStuck", "LabbridgeOdbcGap",
    )  # fmt: skip
    watch.until_firing(*first)
    unproven = CK.replace(b"NOVAK^JAN^^^^^L", b"").replace(b"19690417", b"").replace(b"S2001", b"P1")
    one = [sample(f"01-concordant-srp/1{name}.hl7") for name in ("a-ck", "b-serology")]
    assert site.send(unproven, *one) == ["AA"] * 3
    config = load(site.service.config)
    assert tell(config, DRIFT, alarms=[(*ALARM, True)])
    site.did("suspend", "", why="a test")
    for number in (1, 2, 5):
        site.views.result((number, f"PT{number}", f"F{number}", *NORMAL))
    until(lambda: site.rows("SELECT 1 FROM work WHERE state = 'parked'"))
    watch.until_firing("LabbridgeCaseAgeBreach")
    site.did("mark", "restore")
    site.sign_all()
    watch.until_firing(*then[:1], *then[2:])
    mended(site)
    watch.until_clear("LabbridgeCertificateExpires", "LabbridgeQuarantineOld", *then)
    certificate(site, watch)


def mended(site: Site) -> None:
    assert tell(load(site.service.config), DRIFT, alarms=[(*ALARM, False)])
    for number in (3, 4):
        site.views.result((number, f"PT{number}", f"F{number}", *NORMAL))
    site.did(
        "identity",
        *(f"M{key}" for (key,) in site.rows("SELECT message FROM work WHERE state = 'parked'")),
        verdict="other",
    )
    for (key,) in site.rows("SELECT id FROM journal WHERE state = 'quarantined'"):
        raw = base64.b64encode(CK.replace(b"S2001", b"R%d" % key)).decode()
        site.did("edit", f"M{key}", raw=raw, why="of another type")
        site.did("reprocess", f"M{key}", by="Bo Lind")
    site.did("confirm", "restore")
    site.did("resume")
    site.sign_all()
    site.authority.issue("server", ends=90 * DAY)
    site.did("reload")


def certificate(site: Site, watch: Watch) -> None:
    good = (site.folder / "server.pem").read_bytes()
    (site.folder / "server.pem").write_bytes(b"nothing of the kind")
    site.act("reload")
    watch.until_firing("LabbridgeCertificateRefused")
    (site.folder / "server.pem").write_bytes(good)
    watch.until_clear("LabbridgeCertificateRefused")


def audit_and_backup(site: Site, watch: Watch) -> None:
    """Nobody has looked for as long; then a line of the audit is changed behind the service's back, and put back."""
    watch.until_firing("LabbridgeBackupOld", "LabbridgeAuditUnverified")
    for words in (("backup", str(site.folder / "copy.db")), ("audit", "verify")):
        assert site.service.run(*words).returncode == 0
    watch.until_clear("LabbridgeBackupOld", "LabbridgeAuditUnverified", seconds=10)
    (site.folder / "copy.db").unlink()

    ((actor,),) = site.rows("SELECT actor FROM audit WHERE id = 1")
    become(site, "somebody else")
    assert site.service.run("audit", "verify").returncode == 1
    watch.until_firing("LabbridgeAuditChainBroken")
    become(site, actor)
    assert site.service.run("audit", "verify").returncode == 0
    watch.until_clear("LabbridgeAuditChainBroken")


def become(site: Site, actor: str) -> None:
    with contextlib.closing(sqlite3.connect(site.folder / "store.db", timeout=10)) as store, store:
        (trigger,) = store.execute("SELECT sql FROM sqlite_master WHERE name = 'audit_no_update'").fetchone()
        store.execute("DROP TRIGGER audit_no_update")
        store.execute("UPDATE audit SET actor = ? WHERE id = 1", (actor,))
        store.execute(trigger)


def standing(site: Site, watch: Watch) -> None:
    """The process that works is stopped in its tracks."""
    children = site.children()
    for child in children:
        os.kill(child, signal.SIGSTOP)
    site.send(CK.replace(b"S2001", b"W1"))
    watch.until_firing("LabbridgeWorkStuck", "LabbridgeHeartbeatLate")
    for child in children:
        os.kill(child, signal.SIGCONT)
    watch.until_clear("LabbridgeWorkStuck", "LabbridgeHeartbeatLate")


def disk_slow(site: Site, watch: Watch) -> None:
    """Each flush takes 0.4 s longer."""
    if shutil.which("strace") is None:
        missing("strace", "install the package strace")
    assert site.service.process is not None
    words = ["-f", "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:delay_enter=400000", "-o", "/dev/null"]
    tracer = subprocess.Popen(["strace", *words, "-p", str(site.service.process.pid)], stderr=subprocess.DEVNULL)
    with sender(site.service) as line:
        for number in range(3):
            sent(line, CK.replace(b"S2001", b"D%d" % number))
    watch.until_firing("LabbridgeDiskSlow", "LabbridgeAckSlow")
    tracer.terminate()
    tracer.wait(10)
    with sender(site.service) as line:
        for number in range(3):
            sent(line, CK.replace(b"S2001", b"E%d" % number))
    watch.until_clear("LabbridgeDiskSlow", "LabbridgeAckSlow")


def disk_full(site: Site, watch: Watch) -> None:
    filler = site.folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while (left := shutil.disk_usage(site.folder).free - 3 * 2**20) > 0:
            file.write(b"x" * min(left, 65536))
    watch.until_firing("LabbridgeDiskSpaceLow", "LabbridgeReadingPaused")
    filler.unlink()
    watch.until_clear("LabbridgeDiskSpaceLow", "LabbridgeReadingPaused")


def away(site: Site, watch: Watch) -> None:
    """The view has other columns than it had, and the feed stops; then the node itself does. What nobody listens in plain
    text to any more, and what the view is again, clears with the next start."""
    site.views.do("DROP VIEW results_v", "CREATE VIEW results_v AS SELECT id AS other FROM results")
    watch.until_firing("LabbridgeOdbcStopped", "LabbridgeOdbcTrouble")
    site.views.do("DROP VIEW results_v", "CREATE VIEW results_v AS SELECT * FROM results")
    site.service.stop()
    watch.until_firing("LabbridgeDown")
    text = site.service.config.read_text(encoding="utf-8")
    site.service.config.write_text(text.replace("0.0.0.0:", "127.0.0.1:"), encoding="utf-8")
    site.service.start()
    watch.until_clear("LabbridgeDown", "LabbridgeOdbcStopped", "LabbridgeOdbcTrouble", "LabbridgePlaintextListener")
