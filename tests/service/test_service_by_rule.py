"""Release by rule in a running service: signed from the command line, taken in without a restart, stopped by a command and
by a file."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_parts import SAMPLES, Service, sender, until

ROW = """\
- id: both-negative
  version: 1
  feed: myolis
  comments: [C07]
  analytes: [SRP, HMGCR, CK]
  methods: [line_blot, clia, enzymatic]
  why: both antibodies negative, CK within limits
  source: the director's decision of 2 November
"""
POLICY = """\
- {id: release_qc_unknown, value: "yes", tag: CONVENTION, source: the director}
- {id: release_lot_unknown, value: "yes", tag: CONVENTION, source: the director}
- {id: release_reviewed_least, value: 1, unit: cases, tag: CONVENTION, source: a test}
- {id: release_sample, value: 100, unit: "%", tag: CONVENTION, source: a test}
"""
MESSAGE = (
    "MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113120000+0100||ORU^R01|N{0}|P|2.3.1\r"
    "PID|1||PN{0}^^^LABA^MR||TEST^SYNTHETIC||19690417|M\r"
    "OBR|1|P{0}^MYOCLIN|F{0}^MYOLIS|MYO^Myositis^L|||20261110091500+0100\r"
    "OBX|1|NM|SRPB^Anti-SRP (line blot)^L|1|3|intensity^intensity^L|0-5|N|||F\r"
    "OBX|2|NM|HMGCRC^Anti-HMGCR IgG (CLIA)^L|1|5|CU^CU^L|<20|N|||F\r"
    "OBX|3|NM|2157-6^Creatine kinase^LN|1|100|U/L^U/L^UCUM|39-190|N|||F\r"
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    site = tmp_path / "site"
    shutil.copytree(SAMPLES / "site", site)
    found = Service(tmp_path, extra="[release]\nenabled = true\n", site=site)
    try:
        yield found
    finally:
        found.close()


def take(service: Service, *numbers: int) -> None:
    with sender(service) as channel:
        for number in numbers:
            answer = channel.send(MESSAGE.format(number).encode())
            assert answer is not None
            assert answer.code == "AA"
    service.settled()


def done(service: Service, *words: str) -> str:
    found = service.run(*words)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def by_rule(service: Service) -> list[str]:
    """The patients whose comments came by a rule."""
    found = [one["message"] for one in service.received_by_the_lis()]
    return [one.split("PID|")[1].split("|")[2].split("^")[0] for one in found if "^rule both-negative@1|" in one]


def test_it_is_signed_taken_in_and_stopped_without_a_restart(service: Service) -> None:
    service.start()
    take(service, 1)
    done(service, "release", "C1@1", "--as", "Dr Anna")
    (service.folder / "site/release.yaml").write_text(ROW, encoding="utf-8")
    (service.folder / "site/policy.yaml").write_text(POLICY, encoding="utf-8")
    own = [one["item"] for one in service.json("sign", "--unsigned") if one["from"] == "site"]
    assert any(one.startswith("release:both-negative@") for one in own)
    done(service, "sign", *own, "--put-forward", "--why", "the director's decision", "--as", "Dr Anna")
    done(service, "sign", "*", "--as", "Dr Bert")
    assert service.json("sign", "--unsigned") == []
    done(service, "reload", "--as", "Dr Bert")

    take(service, 2, 3)
    until(lambda: by_rule(service) == ["PN2", "PN3"])
    done(service, "suspend", "--rule", "both-negative", "--as", "Dr Cora", "--why", "control is out")
    take(service, 4)
    until(lambda: service.json("suspend")["suspended"])
    assert [one["rule"] for one in service.json("suspend")["suspended"]] == ["both-negative"]
    done(service, "resume", "--as", "Dr Cora")
    take(service, 5)
    until(lambda: "PN5" in by_rule(service))

    (service.folder / "store.db.suspend").touch()
    until(lambda: service.json("suspend")["suspended"])
    take(service, 6)
    assert service.stop() == 0
    (service.folder / "store.db.suspend").unlink()
    service.start()
    take(service, 7)
    (stopped,) = service.json("suspend")["suspended"]  # over a restart, and after the file has gone
    assert stopped["by"] == "file"
    done(service, "resume", stopped["key"], "--as", "Dr Cora")
    take(service, 8)
    until(lambda: "PN8" in by_rule(service))
    assert by_rule(service) == ["PN2", "PN3", "PN5", "PN8"]
    (record,) = service.json("suspend")["record"]
    assert (record["decided by persons"], record["as drafted"], record["released by rule"]) == (1, 1, 4)
    page = service.metrics()
    assert 'labbridge_released_by_rule_total{rule="both-negative@1"} 4' in page
    assert 'labbridge_release_refusals_total{reason="suspended"}' in page


def test_a_service_that_does_not_answer_is_stopped_by_the_file(service: Service) -> None:
    service.start()
    assert service.process is not None
    service.process.send_signal(signal.SIGSTOP)
    try:
        said = done(service, "suspend", "--as", "Dr Cora", "--why", "it hangs")
    finally:
        service.process.send_signal(signal.SIGCONT)
    assert "does not answer" in said
    assert (service.folder / "store.db.suspend").exists()
    until(lambda: service.json("suspend")["suspended"])
