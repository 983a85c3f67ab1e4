"""The way of a result through the running service: in, interpreted, released by a person, delivered, corrected."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

from service_parts import SAMPLES, Service, sample, sender, until


def send(service: Service, *names: str) -> None:
    with sender(service) as line:
        for name in names:
            answer = line.send(sample(name))
            assert answer is not None
            assert answer.code == "AA"
    service.settled()


def waiting(service: Service) -> list[dict[str, Any]]:
    return [one for one in service.json("show") if one["state"] in ("new", "reopened")]


def released(service: Service, shown: str) -> dict[str, Any]:
    answer = service.json("release", shown, "--as", "Alex Smith")
    assert answer["ok"], answer
    key = answer["done"][0]["result"]
    until(lambda: service.json("show", key)["state"] == "acknowledged")
    found: dict[str, Any] = service.json("show", key)
    return found


def obx(message: str) -> list[str]:
    return next(line for line in message.split("\r") if line.startswith("OBX")).split("|")


def test_a_result_becomes_a_comment_in_the_lis_and_its_correction_replaces_it(own: Service) -> None:
    own.start()
    send(own, "08-corrected-after-comment/1a-serology.hl7", "08-corrected-after-comment/1b-ck.hl7")
    (case,) = waiting(own)
    assert case["outcome"]["comment"]["class"] == "C01"
    assert own.received_by_the_lis() == []  # nothing is released by itself

    first = released(own, case["shown"])
    (stored,) = own.received_by_the_lis()
    assert stored["control_id"] == first["control_id"]
    assert obx(stored["message"])[4] == "LB1"
    assert obx(stored["message"])[11] == "F"
    assert "Alex Smith" in obx(stored["message"])[16]

    send(own, "08-corrected-after-comment/2a-correction.hl7")
    (reopened,) = waiting(own)
    assert reopened["state"] == "reopened"
    assert reopened["text"].startswith("This replaces the comment dated")
    released(own, reopened["shown"])
    correction = own.received_by_the_lis()[-1]
    assert (obx(correction["message"])[4], obx(correction["message"])[11]) == ("LB1", "C")
    assert len(own.received_by_the_lis()) == 2


def test_a_release_is_bound_to_the_version_that_was_read(own: Service) -> None:
    own.start()
    send(own, "01-concordant-srp/1b-serology.hl7")
    (case,) = waiting(own)
    send(own, "01-concordant-srp/1a-ck.hl7")
    (newer,) = waiting(own)
    assert newer["version"] == case["version"] + 1
    refused = own.run("release", case["shown"], "--as", "Alex Smith")
    assert refused.returncode == 1
    assert "read it again before signing" in refused.stdout
    bare = own.run("release", case["key"], "--as", "Alex Smith")
    assert bare.returncode == 1
    assert "Say which version" in bare.stdout
    nameless = own.run("release", newer["shown"], "--as", " ")
    assert nameless.returncode == 1
    assert "needs a name" in nameless.stdout
    assert own.received_by_the_lis() == []
    released(own, newer["shown"])


def test_our_own_message_that_comes_back_is_kept_and_never_interpreted(own: Service) -> None:
    own.start()
    send(own, "02-srp-hep2-negative/1b-serology.hl7")
    (case,) = waiting(own)
    released(own, case["shown"])
    echo = own.received_by_the_lis()[0]["message"].encode()
    cases = own.json("show")
    for raw in (
        echo,
        echo.replace(b"|LABBRIDGE|LABA|MYOLIS|LABA|", b"|MYOLIS|LABA|LABBRIDGE|LABA|").replace(b"LB", b"XX", 1),
    ):
        with sender(own) as line:
            answer = line.send(raw)
        assert answer is not None
        assert answer.code == "AA"
    own.settled()
    assert {one["reason"] for one in own.json("messages", "--limit", "2")} == {"echo"}
    assert own.json("show") == cases


def test_a_killed_service_goes_on_where_it_was(own: Service) -> None:
    own.start(stub=False)
    send(own, "03-hmgcr-statin-hep2-negative/1b-serology.hl7")
    (case,) = waiting(own)
    assert own.json("release", case["shown"], "--as", "Alex Smith")["ok"]
    own.stop(signal.SIGKILL)
    own.start()
    until(lambda: len(own.received_by_the_lis()) == 1)
    until(lambda: own.counts()["outbox"]["lis"].get("acknowledged") == 1)
    with sender(own) as line:
        again = line.send(sample("03-hmgcr-statin-hep2-negative/1b-serology.hl7"))
    assert again is not None
    assert again.code == "AA"
    assert own.counts()["duplicate"] == 1


def test_a_killed_processing_process_is_replaced(own: Service) -> None:
    own.start()
    assert own.process is not None
    with open(f"/proc/{own.process.pid}/task/{own.process.pid}/children", encoding="ascii") as children:
        (worker,) = map(int, children.read().split())
    os.kill(worker, signal.SIGKILL)
    send(own, "06-ana-negative-no-antibody-tests/1a-ck.hl7", "06-ana-negative-no-antibody-tests/1b-ana.hl7")
    (case,) = waiting(own)
    assert case["outcome"]["comment"]["class"] == "C11"
    assert "processing_ended" in own.log()


def test_a_second_service_on_the_same_store_is_refused(own: Service) -> None:
    own.start()
    second = subprocess.run(
        [sys.executable, "-m", "labbridge.cli", "serve", "--config", str(own.config)], capture_output=True, text=True
    )
    assert second.returncode == 78
    assert "Another labbridge process writes this store" in second.stderr


def test_a_stopped_service_leaves_its_store_to_the_command_line(own: Service) -> None:
    own.start()
    send(own, "05-blot-elisa-disagree/1a-blot.hl7", "05-blot-elisa-disagree/1c-elisa.hl7")
    assert own.stop() == 0
    (case,) = waiting(own)
    assert case["outcome"]["comment"]["class"] == "C09"
    assert own.json("release", case["shown"], "--as", "Alex Smith")["ok"]
    assert own.counts()["outbox"]["lis"] == {"waiting": 1}
    own.start()
    until(lambda: own.counts()["outbox"]["lis"] == {"acknowledged": 1})


def test_a_quarantined_message_is_taken_up_after_the_feed_is_repaired(own: Service) -> None:
    own.start()
    latin = sample("07-both-negative-high-ck/1b-serology.hl7").replace(b"UNICODE UTF-8", b"")
    latin = latin.replace(b"HUBER^KARL", "MÜLLER^KÄTHE".encode("latin-1"))
    with sender(own) as line:
        answer = line.send(latin)
    assert answer is not None
    assert answer.code == "AE"
    (listed,) = own.json("quarantine")
    still = own.run("reprocess", listed["key"], "--as", "Alex Smith")
    assert still.returncode == 1
    assert "still cannot be read" in still.stdout
    own.stop()
    text = own.config.read_text(encoding="utf-8")
    own.config.write_text(text.replace('timezone = "Europe/Paris"', 'timezone = "Europe/Paris"\ncharset = "8859/1"'))
    own.start()
    assert own.json("reprocess", listed["key"], "--as", "Alex Smith")["ok"]
    found = own.settled()
    assert (found["stored"], found["quarantined"], found["received"]) == (1, 0, 1)
    assert waiting(own) != []


def test_several_patients_in_one_message_are_each_worked_on(own: Service) -> None:
    own.start()
    one = sample("01-concordant-srp/1b-serology.hl7")
    other = sample("02-srp-hep2-negative/1b-serology.hl7")
    both = one + b"\r".join(other.split(b"\r")[1:])
    with sender(own) as line:
        answer = line.send(both)
    assert answer is not None
    assert answer.code == "AA"
    own.settled()
    assert sorted(case["outcome"]["patient"]["id"] for case in waiting(own)) == ["PT1001", "PT1002"]
    assert len(own.json("show", "M1")["work"]) == 2


def test_every_scenario_says_what_its_readme_promises(own: Service) -> None:
    own.start(stub=False)
    expected = {
        "01-concordant-srp": "C01",
        "02-srp-hep2-negative": "C01",
        "03-hmgcr-statin-hep2-negative": "C02",
        "04-low-positive-blot": "C03",
        "05-blot-elisa-disagree": "C09",
        "06-ana-negative-no-antibody-tests": "C11",
        "07-both-negative-high-ck": "C06",
    }
    for name in expected:
        send(own, *(f"{name}/{path.name}" for path in sorted((SAMPLES / name).glob("1*.hl7"))))
    found = {case["outcome"]["patient"]["id"]: case["outcome"]["comment"]["class"] for case in own.json("show")}
    assert found == {f"PT{1001 + number}": expected[name] for number, name in enumerate(expected)}
