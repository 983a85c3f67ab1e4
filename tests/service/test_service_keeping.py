"""The installed service over the years: anchors while it runs, a person's acts through its control socket, a backup beside
it, a restored store that waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_parts import Service, sample, sender, until

from labbridge.store.anchors import make_key

WHO = ("--as", "Alex Smith")
SEROLOGY, CK = "08-corrected-after-comment/1a-serology.hl7", "08-corrected-after-comment/1b-ck.hl7"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Service]:
    make_key(tmp_path / "audit.key")
    extra = f'[audit]\nkey = "{tmp_path / "audit.key"}"\nanchors = "{tmp_path / "anchors"}"\nanchor_s = 0.2\n'
    found = Service(tmp_path, extra)
    yield found
    found.close()


def fed(service: Service) -> None:
    with sender(service) as line:
        for name in (SEROLOGY, CK):
            answer = line.send(sample(name))
            assert answer is not None
            assert answer.code == "AA"
    service.settled()


def test_a_running_service_anchors_its_audit_and_once_more_at_its_end(served: Service) -> None:
    served.start(stub=False)
    fed(served)
    until((served.folder / "anchors").is_file)
    assert served.stop() == 0
    anchors = [json.loads(line) for line in (served.folder / "anchors").read_text().splitlines()]
    found = served.json("audit", "verify")
    assert found["faults"] == []
    assert anchors[-1]["entries"] == found["lines"]
    assert any(str(one).startswith(f"{len(anchors)} anchors") for one in found["remarks"])


def test_without_its_key_the_service_does_not_start(served: Service) -> None:
    (served.folder / "audit.key").unlink()
    done = served.run("serve")
    assert done.returncode == 78
    assert "audit key FILE` makes a key" in done.stderr


def test_acts_of_a_person_go_through_the_running_service(served: Service) -> None:
    """Backup beside it, a legal hold, an erasure that the hold refuses, who is who, and the counts of what is old."""
    served.start(stub=False)
    fed(served)
    case = served.json("show")[0]
    patient = case["outcome"]["patient"]
    name = f"{patient['authority']}|{patient['id']}"
    assert served.run("backup", str(served.folder / "copy.db")).returncode == 0
    assert served.run("legal-hold", name, "--why", "court order", *WHO).returncode == 0
    assert "legal hold stands" in served.run("erase", name, "--why", "asked for", *WHO).stdout
    assert served.run("legal-hold", name, "--lift", *WHO).returncode == 0
    assert "0 messages wiped" in served.run("expire", "--days", "35", *WHO).stdout
    assert served.run("identity", "M1", "--is", "same", *WHO).returncode == 0
    assert served.settled()["parked"] == 0
    assert served.run("erase", name, "--why", "asked for", *WHO).returncode == 0
    assert served.json("show") == []
    assert served.json("audit", "verify")["faults"] == []


def test_a_restored_store_waits_for_a_person_before_anything_leaves(served: Service) -> None:
    served.start()
    fed(served)
    case = served.json("show")[0]["shown"]
    assert served.run("backup", str(served.folder / "copy.db")).returncode == 0
    assert served.stop() == 0
    for end in ("", "-wal", "-shm"):
        (served.folder / f"store.db{end}").unlink(missing_ok=True)
    assert served.run("restore", str(served.folder / "copy.db"), *WHO).returncode == 0
    served.start()
    assert served.run("release", case, *WHO).returncode == 0
    fed(served)
    assert served.counts()["outbox"] == {"lis": {"waiting": 1}}
    assert served.received_by_the_lis() == []
    assert served.run("restore", "--confirm", *WHO).returncode == 0
    until(lambda: len(served.received_by_the_lis()) == 1)
