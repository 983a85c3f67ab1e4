"""The installed service on PostgreSQL: in, interpreted, released, delivered; killed, and its server killed under it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from service_parts import Service, sample, sender, until

from tests.clusters import Cluster

SEROLOGY, CK = "08-corrected-after-comment/1a-serology.hl7", "08-corrected-after-comment/1b-ck.hl7"
CORRECTION = "08-corrected-after-comment/2a-correction.hl7"
WHO = "Alex Smith"


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory, postgres: Cluster) -> Iterator[Service]:
    """A service of one test, not yet started, on a database without tables."""
    found = Service(tmp_path_factory.mktemp("served"), store=postgres.empty())
    yield found
    found.close()


def send(service: Service, *names: str) -> None:
    with sender(service) as line:
        for name in names:
            answer = line.send(sample(name))
            assert answer is not None
            assert answer.code == "AA"
    service.settled()


def waiting(service: Service) -> list[dict[str, Any]]:
    return [one for one in service.json("show") if one["state"] in ("new", "reopened")]


def acknowledged(service: Service) -> int:
    return int(service.counts()["outbox"].get("lis", {}).get("acknowledged", 0))


def readiness(service: Service) -> str:
    """The machine code of /readyz."""
    with contextlib.suppress(OSError):
        try:
            with urllib.request.urlopen(service.url("readyz"), timeout=10) as answer:
                return str(json.load(answer)["code"])
        except urllib.error.HTTPError as answer:
            return str(json.load(answer)["code"])
    return ""


def test_a_result_becomes_a_comment_in_the_lis_through_a_kill_of_the_service(served: Service) -> None:
    served.start(stub=False)
    send(served, SEROLOGY, CK)
    (case,) = waiting(served)
    assert served.json("release", case["shown"], "--as", WHO)["ok"]
    served.stop(signal.SIGKILL)
    served.start()
    until(lambda: acknowledged(served) == 1)
    (stored,) = served.received_by_the_lis()
    assert case["text"].split(".")[0] in stored["message"]
    with sender(served) as line:
        again = line.send(sample(SEROLOGY))
    assert again is not None
    assert again.code == "AA"
    assert served.counts()["duplicate"] == 1
    send(served, CORRECTION)
    (reopened,) = waiting(served)
    assert reopened["text"].startswith("This replaces the comment dated")


def test_two_nodes_share_the_work_and_one_that_is_killed_is_replaced(
    tmp_path_factory: pytest.TempPathFactory, postgres: Cluster
) -> None:
    store = postgres.empty()
    first, second = (
        Service(tmp_path_factory.mktemp(name), f'[node]\nname = "{name}"\nrenewal_s = 2\n', store)
        for name in ("a", "b")
    )
    try:
        for one in (first, second):
            one.start(stub=False)
        until(lambda: [one["partitions"] for one in first.json("nodes")] == [32, 32])
        holders = [name for one in second.json("nodes") for name in one["holds"]]
        assert sorted(holders) == ["receiver lis", "upkeep"]
        for one, name in ((first, SEROLOGY), (second, CK)):
            with sender(one) as line:
                answer = line.send(sample(name))
            assert answer is not None
            assert answer.code == "AA"
        second.settled()
        (case,) = waiting(second)
        assert (case["outcome"]["states"]["SRP"], case["outcome"]["states"]["CK"]) == ("POS_STRONG", "MILD")
        assert "  a  " in first.run("nodes").stdout
        first.stop(signal.SIGKILL)
        until(lambda: [(one["name"], one["partitions"]) for one in second.json("nodes")] == [("b", 64)])
        send(second, CORRECTION)
        assert second.run("audit", "verify").returncode == 0
        assert second.stop() == 0
        assert second.json("nodes") == []
    finally:
        first.close()
        second.close()


def test_every_command_works_beside_it_and_after_it(served: Service) -> None:
    served.start(stub=False)
    second = subprocess.run(
        [sys.executable, "-m", "labbridge.cli", "serve", "--config", str(served.config)], capture_output=True, text=True
    )
    assert (second.returncode, second.stderr.strip()) == (
        78,
        "Another labbridge service has its control socket there; name a folder of its own in [store] folder",
    )
    send(served, SEROLOGY)
    with sender(served) as line:
        bad = line.send(sample(CK).replace(b"OBR|", b"XBR|"))
    assert bad is not None
    assert bad.code == "AE"
    doctor = served.run("doctor")
    assert (doctor.returncode, "ok       PostgreSQL " in doctor.stdout) == (0, True), doctor.stdout
    with urllib.request.urlopen(served.url("metrics"), timeout=10) as answer:
        assert b'labbridge_messages_received_total{feed="myolis"' in answer.read()
    assert served.stop() == 0
    (listed,) = served.json("quarantine")
    assert listed["key"] == "M2"
    assert [one["key"] for one in served.json("messages")] == ["M2", "M1"]
    assert served.json("show", "M1")["state"] == "done"
    assert served.run("reprocess", "M2", "--as", WHO).returncode == 1
    (case,) = waiting(served)
    assert served.json("release", case["shown"], "--as", WHO)["ok"]
    assert served.counts()["outbox"]["lis"] == {"waiting": 1}
    served.start()
    until(lambda: acknowledged(served) == 1)


def test_a_server_that_is_killed_and_comes_back_has_lost_nothing_and_the_service_goes_on(
    served: Service, postgres: Cluster
) -> None:
    served.start()
    send(served, SEROLOGY)
    postgres.stop(signal.SIGQUIT)
    try:
        until(lambda: readiness(served) == "store_unavailable")
        with sender(served) as line:
            line.channel.settimeout(1)
            with pytest.raises(TimeoutError):  # what is not kept is not answered
                line.send(sample(CK))
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(served.url("metrics"), timeout=10):
            raise AssertionError("the store cannot be counted")
        away = served.run("messages")
        assert (away.returncode, "cannot be used" in away.stderr) == (69, True)
    finally:
        postgres.start()
    until(lambda: readiness(served) == "ready")
    send(served, CK)
    (case,) = waiting(served)
    assert (case["outcome"]["states"]["SRP"], case["outcome"]["states"]["CK"]) == ("POS_STRONG", "MILD")
    assert served.json("release", case["shown"], "--as", WHO)["ok"]
    until(lambda: acknowledged(served) == 1)
    assert served.counts()["stored"] == 2
    assert served.process is not None
    assert served.process.poll() is None


def test_the_password_is_printed_nowhere(served: Service) -> None:
    text = served.config.read_text(encoding="utf-8")
    served.config.write_text(text.replace("labbridge@127.0.0.1", "labbridge:s3cret@127.0.0.1"), encoding="utf-8")
    printed = served.run("config", "--effective")
    assert "labbridge:***@127.0.0.1" in printed.stdout
    away = text.replace("labbridge@127.0.0.1:", "labbridge:s3cret@127.0.0.1:1")
    served.config.write_text(away, encoding="utf-8")
    said = [printed, *(served.run(word) for word in ("serve", "messages", "doctor"))]
    assert not any("s3cret" in one.stdout + one.stderr for one in said)
    assert [one.returncode for one in said] == [0, 69, 69, 1]
